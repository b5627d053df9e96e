/* A capture is a list of parts, each a plain file with the tree or a part of it: data sets are joined along their first
 * dimension here, not by HDF5. An index only says which segments belong to it, and describes them.
 */
#include "record/capture_read.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "record/capture_reader.h"

/* --- opening --- */

static dt_status scan_index(dt_capture_reader *r, dt_capture_opening opening, dt_error *error)
{
    dt_error why = {0};
    struct stat folder;
    dt_status status = dt_hdf5_reader_scan(r->hdf5, r->path, &r->index, &r->index_count, &why);
    r->has_index = status == DT_OK;
    const bool has_folder = stat(r->folder, &folder) == 0 && S_ISDIR(folder.st_mode);
    bool empty = true;
    for (size_t s = 0; s < r->index_count; s++) {
        r->is_index = r->is_index || r->index[s].is_virtual;
        empty = empty && !(dt_is_step(&r->index[s]) && r->index[s].size[0] > 0);
    }
    r->is_index = r->is_index || (empty && has_folder); /* one without a step has nothing virtual */
    if (status == DT_OK)
        return DT_OK;
    snprintf(r->index_fault, sizeof r->index_fault, "%.511s", dt_without_path(why.message, r->path));
    if (opening == DT_CAPTURE_ALL && dt_is_of_the_file(status))
        return has_folder || status != DT_NOT_FOUND
                   ? DT_OK
                   : dt_fail(error, status, "%s; train with a capture in the experiment", why.message);
    return dt_fail(error, status, "%s%s", why.message,
                   r->is_index ? " (deltoid capture recover makes it again from its segments)" : "");
}

static dt_status open_all(dt_capture_reader *r, const char *path, dt_capture_opening opening, dt_error *error)
{
    dt_capture_part *part;
    dt_status status = dt_hdf5_reader_create(&r->hdf5, error);
    if (status == DT_OK)
        status = dt_parts_name(r, path, error);
    if (status == DT_OK)
        status = scan_index(r, opening, error);
    if (status == DT_OK)
        status = r->is_index ? dt_parts_list(r, error) : dt_parts_add(r, r->path, &part, error);
    if (status == DT_OK && r->is_index && r->has_index) {
        dt_error why = {0};
        status = dt_parts_mark(r, opening == DT_CAPTURE_ALL ? &why : error);
        if (opening == DT_CAPTURE_ALL && dt_is_of_the_file(status)) {
            snprintf(r->index_fault, sizeof r->index_fault, "%.511s", dt_without_path(why.message, r->path));
            status = DT_OK;
        }
    }
    if (status == DT_OK)
        status = dt_parts_scan(r, opening, error);
    if (status == DT_OK)
        status = dt_parts_join(r, error);
    return status == DT_OK && opening == DT_CAPTURE_WHOLE ? dt_parts_check(r, error) : status;
}

static dt_status open_reader(dt_capture_reader **reader, const char *path, dt_capture_opening opening, bool uneven,
                             dt_error *error)
{
    dt_capture_reader *r = *reader = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail_memory(error, "a reader of captures");
    r->uneven = uneven;
    dt_status status = open_all(r, path, opening, error);
    if (status == DT_OK)
        return DT_OK;
    dt_capture_reader_close(r);
    *reader = NULL;
    return status;
}

dt_status dt_capture_reader_open(dt_capture_reader **reader, const char *path, dt_capture_opening opening,
                                 dt_error *error)
{
    return open_reader(reader, path, opening, false, error);
}

dt_status dt_capture_reader_open_plain(dt_capture_reader **reader, const char *path, dt_error *error)
{
    dt_status status = open_reader(reader, path, DT_CAPTURE_WHOLE, true, error);
    if (status != DT_OK || !(*reader)->is_index)
        return status;
    dt_capture_reader_close(*reader);
    *reader = NULL;
    return dt_fail(error, DT_MALFORMED, "%s: is an index, where a file with numbers belongs", path);
}

void dt_capture_reader_close(dt_capture_reader *r)
{
    if (!r)
        return;
    dt_hdf5_reader_destroy(r->hdf5);
    for (size_t i = 0; i < r->part_count; i++)
        dt_release(r->parts[i].sets);
    dt_release(r->parts);
    dt_release(r->index);
    dt_release(r->sets);
    dt_arena_clear(&r->names);
    dt_release(r);
}

static dt_status join_again(dt_capture_reader *r, dt_error *error)
{
    dt_release(r->sets);
    r->sets = NULL;
    r->set_count = r->rule_count = 0;
    return dt_parts_join(r, error);
}

dt_status dt_capture_reader_admit(dt_capture_reader *r, size_t i, const dt_capture_reader *plain, dt_error *error)
{
    dt_capture_part *part = &r->parts[i];
    dt_capture_dataset *sets = dt_allocate(plain->set_count + 1, sizeof *sets);
    char *path = dt_arena_duplicate(&r->names, plain->path);
    if (!sets || !path) {
        dt_release(sets);
        return dt_fail_memory(error, "a list of data sets");
    }
    memcpy(sets, plain->sets, plain->set_count * sizeof *sets);
    dt_release(part->sets);
    part->sets = sets;
    part->set_count = plain->set_count;
    part->path = path;
    part->damaged = part->unfinished = part->unindexed = false;
    return join_again(r, error);
}

dt_status dt_capture_reader_leave_out(dt_capture_reader *r, size_t i, const char *why, dt_error *error)
{
    r->parts[i].damaged = true;
    snprintf(r->parts[i].why, sizeof r->parts[i].why, "%s", why);
    return join_again(r, error);
}

void dt_capture_reader_limit(dt_capture_reader *r, const int64_t *steps)
{
    for (size_t s = 0; s < r->set_count; s++) {
        char rule[DT_DATASET_NAME];
        dt_rule_of(r->sets[s].name, rule);
        for (size_t i = 0; i < r->rule_count; i++)
            if (r->sets[s].has_steps && strcmp(rule + 1, r->rules[i]) == 0 && r->sets[s].size[0] > steps[i])
                r->sets[s].size[0] = steps[i];
    }
}

/* --- what is asked of it --- */

const char *dt_capture_reader_path(const dt_capture_reader *r)
{
    return r->path;
}

bool dt_capture_reader_is_index(const dt_capture_reader *r)
{
    return r->is_index;
}

const char *dt_capture_reader_index_fault(const dt_capture_reader *r)
{
    return r->index_fault[0] ? r->index_fault : NULL;
}

dt_hdf5_reader *dt_capture_reader_hdf5(dt_capture_reader *r)
{
    return r->hdf5;
}

const char *dt_capture_reader_sound(const dt_capture_reader *r)
{
    if (r->has_index)
        return r->path;
    for (size_t i = 0; i < r->part_count; i++)
        if (dt_part_is_read(&r->parts[i]))
            return r->parts[i].path;
    return NULL;
}

const dt_capture_part *dt_capture_reader_part(const dt_capture_reader *r, size_t i)
{
    return i < r->part_count ? &r->parts[i] : NULL;
}

const dt_capture_dataset *dt_capture_reader_at(const dt_capture_reader *r, size_t i)
{
    return i < r->set_count ? &r->sets[i] : NULL;
}

const dt_capture_dataset *dt_capture_reader_find(const dt_capture_reader *r, const char *name)
{
    for (size_t i = 0; i < r->set_count; i++)
        if (strcmp(r->sets[i].name + (*name != '/'), name) == 0)
            return &r->sets[i];
    return NULL;
}

const char *dt_capture_reader_rule(const dt_capture_reader *r, size_t i)
{
    return i < r->rule_count ? r->rules[i] : NULL;
}

dt_status dt_capture_reader_read(dt_capture_reader *r, const dt_capture_dataset *set, const int64_t *start,
                                 const int64_t *count, void *to, dt_error *error)
{
    int64_t from[DT_DATASET_RANK], some[DT_DATASET_RANK], step = set->element, first = start[0], left = count[0];
    for (int i = 0; i < set->rank; i++) {
        if (start[i] < 0 || count[i] < 0 || start[i] > set->size[i] || count[i] > set->size[i] - start[i])
            return dt_fail(error, DT_INVALID, "%s: %s has no such part", r->path, set->name);
        from[i] = start[i];
        some[i] = count[i];
        step *= i ? count[i] : 1;
    }
    if (!set->has_steps && r->is_index && r->has_index)
        return dt_hdf5_reader_read(r->hdf5, r->path, set, start, count, to, error);
    for (size_t p = 0; p < r->part_count && left > 0; p++) {
        const dt_capture_part *part = &r->parts[p];
        const dt_capture_dataset *d =
            dt_part_is_read(part) ? dt_part_find(part, (size_t)(set - r->sets), set->name) : NULL;
        if (!d)
            continue;
        if (first < d->size[0]) {
            from[0] = first;
            some[0] = left < d->size[0] - first ? left : d->size[0] - first;
            dt_status status = dt_hdf5_reader_read(r->hdf5, part->path, d, from, some, to, error);
            if (status != DT_OK)
                return status;
            to = (char *)to + some[0] * step;
            left -= some[0];
            first = 0;
        } else {
            first -= d->size[0];
        }
    }
    return DT_OK;
}

dt_status dt_capture_reader_steps(dt_capture_reader *r, const char *rule, int64_t **steps, int64_t *count,
                                  dt_error *error)
{
    char name[DT_DATASET_NAME + 8];
    snprintf(name, sizeof name, "/%.100s/step", rule);
    const dt_capture_dataset *set = dt_capture_reader_find(r, name);
    *steps = NULL;
    if (!set)
        return dt_fail(error, DT_NOT_FOUND, "%s: has no rule '%.64s'", r->path, rule);
    *count = set->size[0];
    *steps = dt_allocate((size_t)*count + 1, sizeof **steps);
    if (!*steps)
        return dt_fail_memory(error, "a list of steps");
    dt_status status = dt_capture_reader_read(r, set, (int64_t[]){0}, count, *steps, error);
    if (status != DT_OK) {
        dt_release(*steps);
        *steps = NULL;
    }
    return status;
}

dt_status dt_capture_reader_dropped(dt_capture_reader *r, const char *rule, int64_t *dropped, dt_error *error)
{
    char group[DT_DATASET_NAME];
    dt_hdf5_attribute a;
    bool found = false;
    const char *path = dt_capture_reader_sound(r);
    snprintf(group, sizeof group, "/%.100s", rule);
    *dropped = 0;
    if (!path)
        return DT_OK;
    dt_status status = dt_hdf5_reader_named(r->hdf5, path, group, "dropped", &a, &found, error);
    if (status == DT_OK && found && !a.text && !a.real && a.element == 8 && a.count == 1)
        memcpy(dropped, a.value, sizeof *dropped);
    return status;
}

dt_status dt_capture_reader_text(dt_capture_reader *r, const char *name, char **text, dt_error *error)
{
    dt_hdf5_attribute a;
    bool found = false;
    const char *path = dt_capture_reader_sound(r);
    *text = NULL;
    if (!path)
        return DT_OK;
    dt_status status = dt_hdf5_reader_named(r->hdf5, path, "/", name, &a, &found, error);
    if (status != DT_OK || !found || !a.text)
        return status;
    *text = dt_duplicate(a.value);
    return *text ? DT_OK : dt_fail_memory(error, "a text");
}

void dt_capture_release(void *memory)
{
    dt_release(memory);
}
