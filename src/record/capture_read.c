/* A capture is a list of parts, each a plain file with the whole tree: data sets are joined along their first dimension
 * here, not by HDF5. An index only says which segments belong to it.
 */
#include "record/capture_read.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "record/file.h"

enum { RULES_MAX = 64, PARTS_MAX = 1 << 20 };
#define FOLDER "capture" /* of the segments, beside the index */

struct dt_capture_reader {
    dt_hdf5_reader *hdf5;
    dt_arena names;
    char *path;   /* of the index, or the plain file */
    char *folder; /* of the segments */
    bool is_index, has_index;
    bool uneven; /* data sets of a rule may have more or fewer steps than it */
    char index_fault[512];
    dt_capture_dataset *index; /* what the index says; (index_count) */
    size_t index_count;
    dt_capture_part *parts;
    size_t part_count, part_room;
    dt_capture_dataset *sets; /* joined */
    size_t set_count;
    char rules[RULES_MAX][DT_DATASET_NAME];
    size_t rule_count;
};

/* --- names --- */

long dt_segment_number(const char *name, bool *unfinished)
{
    *unfinished = *name == '.';
    name += *unfinished;
    if (strncmp(name, "seg-", 4) != 0)
        return -1;
    const size_t digits = strspn(name + 4, "0123456789");
    if (digits < 6 || digits > 9 || strcmp(name + 4 + digits, *unfinished ? ".h5.part" : ".h5") != 0)
        return -1;
    return strtol(name + 4, NULL, 10);
}

void dt_rule_of(const char *set, char *rule)
{
    const size_t length = 1 + strcspn(set + 1, "/");
    memcpy(rule, set, length);
    rule[length] = '\0';
}

/* A message without the file's name before it. */
static const char *without_path(const char *message, const char *path)
{
    const size_t length = strlen(path);
    return strncmp(message, path, length) == 0 && strncmp(message + length, ": ", 2) == 0 ? message + length + 2
                                                                                          : message;
}

static char *join(dt_capture_reader *r, const char *folder, size_t length, const char *name)
{
    const size_t size = length + strlen(name) + 2;
    char *path = dt_arena_allocate(&r->names, size, 1);
    if (path)
        snprintf(path, size, "%.*s%s%s", (int)length, folder, length ? "/" : "", name);
    return path;
}

static dt_status name_files(dt_capture_reader *r, const char *path, dt_error *error)
{
    struct stat there;
    const bool is_folder = stat(path, &there) == 0 && S_ISDIR(there.st_mode);
    size_t length = strlen(path);
    while (is_folder && length > 1 && path[length - 1] == '/')
        length--;
    const char *slash = strrchr(path, '/');
    const size_t parent = is_folder ? length : slash ? (size_t)(slash - path) + (slash == path) : 0;
    r->path = is_folder ? join(r, path, length, "capture.h5") : dt_arena_duplicate(&r->names, path);
    r->folder = join(r, path, parent, FOLDER);
    return r->path && r->folder ? DT_OK : dt_fail_memory(error, "a file name");
}

/* --- parts --- */

static dt_status add_part(dt_capture_reader *r, char *path, dt_capture_part **part, dt_error *error)
{
    if (r->part_count == r->part_room) {
        const size_t room = r->part_room ? 2 * r->part_room : 16;
        dt_capture_part *more = room <= PARTS_MAX ? dt_allocate(room, sizeof *more) : NULL;
        if (!more)
            return dt_fail_memory(error, "a list of segments");
        if (r->part_count)
            memcpy(more, r->parts, r->part_count * sizeof *more);
        dt_release(r->parts);
        r->parts = more;
        r->part_room = room;
    }
    struct stat there;
    *part = &r->parts[r->part_count++];
    **part = (dt_capture_part){.path = path, .bytes = stat(path, &there) == 0 ? (int64_t)there.st_size : 0};
    return path ? DT_OK : dt_fail_memory(error, "a file name");
}

static int by_number(const void *a, const void *b)
{
    bool unfinished[2];
    const char *names[2] = {strrchr(((const dt_capture_part *)a)->path, '/') + 1,
                            strrchr(((const dt_capture_part *)b)->path, '/') + 1};
    const long x = dt_segment_number(names[0], &unfinished[0]), y = dt_segment_number(names[1], &unfinished[1]);
    return x != y ? (x > y) - (x < y) : (int)unfinished[0] - (int)unfinished[1];
}

static dt_status list_segments(dt_capture_reader *r, dt_error *error)
{
    DIR *folder = opendir(r->folder);
    dt_status status = DT_OK;
    if (!folder)
        return errno == ENOENT || errno == ENOTDIR ? DT_OK : dt_fail_errno(error, errno, r->folder, "list");
    for (struct dirent *entry; status == DT_OK && (entry = readdir(folder));) {
        bool unfinished;
        dt_capture_part *part;
        if (dt_segment_number(entry->d_name, &unfinished) < 0)
            continue;
        status = add_part(r, join(r, r->folder, strlen(r->folder), entry->d_name), &part, error);
        if (status == DT_OK) {
            part->unfinished = unfinished;
            part->unindexed = !unfinished && r->has_index;
        }
    }
    closedir(folder);
    if (r->part_count)
        qsort(r->parts, r->part_count, sizeof *r->parts, by_number);
    return status;
}

/* A source of the index: "capture/seg-000003.h5", or with a pattern for all there will be. */
static dt_status mark(dt_capture_reader *r, const char *source, dt_error *error)
{
    bool unfinished;
    dt_capture_part *part;
    const char *name = source + sizeof FOLDER;
    const bool ours = strncmp(source, FOLDER "/", sizeof FOLDER) == 0 && !strchr(name, '/');
    if (ours && strchr(name, '%')) {
        for (size_t i = 0; i < r->part_count; i++)
            r->parts[i].unindexed = false;
        return DT_OK;
    }
    if (!ours || dt_segment_number(name, &unfinished) < 0 || unfinished)
        return dt_fail(error, DT_MALFORMED,
                       "%s: leads to '%.80s', which is no segment of its own; use a copy that is sound", r->path,
                       source);
    for (size_t i = 0; i < r->part_count; i++)
        if (strcmp(strrchr(r->parts[i].path, '/') + 1, name) == 0) {
            r->parts[i].unindexed = false;
            return DT_OK;
        }
    dt_status status = add_part(r, join(r, r->folder, strlen(r->folder), name), &part, error);
    if (status != DT_OK)
        return status;
    part->damaged = true;
    snprintf(part->why, sizeof part->why, "is missing");
    qsort(r->parts, r->part_count, sizeof *r->parts, by_number);
    return DT_OK;
}

static bool is_step(const dt_capture_dataset *set)
{
    const char *slash = strchr(set->name + 1, '/');
    return slash && strcmp(slash, "/step") == 0;
}

static dt_status mark_indexed(dt_capture_reader *r, dt_error *error)
{
    dt_status status = DT_OK;
    for (size_t s = 0; s < r->index_count; s++) {
        bool found = is_step(&r->index[s]) && r->index[s].is_virtual;
        for (int64_t i = 0; found && status == DT_OK; i++) {
            char source[DT_DATASET_NAME];
            status = dt_hdf5_reader_source(r->hdf5, r->path, r->index[s].name, i, source, &found, error);
            if (status == DT_OK && found)
                status = mark(r, source, error);
        }
    }
    return status;
}

/* What keeps a scanned part from being read; "" where nothing does. */
static void judge(dt_capture_part *part)
{
    size_t steps = 0;
    for (size_t i = 0; i < part->set_count && !part->damaged; i++) {
        const dt_capture_dataset *d = &part->sets[i];
        steps += is_step(d);
        if (d->fault[0] || d->is_virtual) {
            part->damaged = true;
            snprintf(part->why, sizeof part->why, "%s %s", d->name, d->fault[0] ? d->fault : "is virtual");
        } else if (is_step(d) && (d->rank != 1 || d->real || d->element != 8)) {
            part->damaged = true;
            snprintf(part->why, sizeof part->why, "%s is no list of steps", d->name);
        }
    }
    if (!part->damaged && steps == 0) {
        part->damaged = true;
        snprintf(part->why, sizeof part->why, "has no rule that captured");
    }
}

static bool is_read(const dt_capture_part *part)
{
    return !part->damaged && !part->unfinished && !part->unindexed;
}

/* Whether a failure is the file's, and not the system's. */
static bool is_of_the_file(dt_status status)
{
    return status == DT_MALFORMED || status == DT_INVALID || status == DT_NOT_FOUND || status == DT_UNSUPPORTED;
}

static dt_status scan_parts(dt_capture_reader *r, dt_capture_opening opening, dt_error *error)
{
    for (size_t i = 0; i < r->part_count; i++) {
        dt_capture_part *part = &r->parts[i];
        dt_error why = {0};
        if (part->damaged)
            continue;
        if (opening == DT_CAPTURE_ALL)
            part->unindexed = false;
        dt_status status = dt_hdf5_reader_scan(r->hdf5, part->path, &part->sets, &part->set_count, &why);
        if (status == DT_OK) {
            judge(part);
        } else if (is_of_the_file(status)) {
            part->damaged = true;
            snprintf(part->why, sizeof part->why, "%.511s", without_path(why.message, part->path));
        } else {
            return dt_fail(error, status, "%s", why.message);
        }
    }
    return DT_OK;
}

static dt_status check_parts(const dt_capture_reader *r, dt_error *error)
{
    for (size_t i = 0; i < r->part_count; i++) {
        const dt_capture_part *part = &r->parts[i];
        if (part->damaged && !part->unfinished && !part->unindexed)
            return dt_fail(error, DT_MALFORMED, "%s: %s%s", part->path, part->why,
                           r->is_index ? "; deltoid capture recover leaves it out of the index" : "");
    }
    for (size_t s = 0; s < r->index_count && r->is_index; s++)
        if (r->index[s].fault[0] || (r->index[s].is_virtual && r->index[s].size[0] != r->sets[s].size[0]))
            return dt_fail(error, DT_MALFORMED, "%s: %s %s; deltoid capture recover makes the index again", r->path,
                           r->index[s].name,
                           r->index[s].fault[0] ? r->index[s].fault : "has not as many steps as its segments");
    return DT_OK;
}

/* --- joining --- */

static const dt_capture_dataset *find_in(const dt_capture_part *part, size_t near, const char *name)
{
    if (near < part->set_count && strcmp(part->sets[near].name, name) == 0)
        return &part->sets[near];
    for (size_t i = 0; i < part->set_count; i++)
        if (strcmp(part->sets[i].name, name) == 0)
            return &part->sets[i];
    return NULL;
}

static dt_capture_dataset *find_joined(const dt_capture_reader *r, size_t near, const char *name)
{
    for (size_t i = 0; i < r->set_count; i++) {
        dt_capture_dataset *set = &r->sets[(near + i) % r->set_count];
        if (strcmp(set->name, name) == 0)
            return set;
    }
    return NULL;
}

static bool alike(const dt_capture_dataset *a, const dt_capture_dataset *b)
{
    bool same = a->rank == b->rank && a->real == b->real && a->has_sign == b->has_sign && a->element == b->element &&
                a->has_steps == b->has_steps;
    for (int i = a->has_steps; i < a->rank && same; i++)
        same = a->size[i] == b->size[i];
    return same;
}

/* A part may lack a rule of which it has no step, but has nothing of its own. */
static bool fits(dt_capture_reader *r, dt_capture_part *part)
{
    for (size_t s = 0; s < part->set_count; s++) {
        const dt_capture_dataset *d = &part->sets[s], *joined = find_joined(r, s, d->name);
        int64_t size;
        if (joined && alike(d, joined) && !__builtin_add_overflow(d->size[0], joined->size[0], &size))
            continue;
        part->damaged = true;
        snprintf(part->why, sizeof part->why, "%s is not as in the rest of the capture", d->name);
        return false;
    }
    return true;
}

/* The steps of a rule's data sets must be equal in number: else what is the step of a row? */
static bool is_even(dt_capture_part *part)
{
    char rule[DT_DATASET_NAME], step[DT_DATASET_NAME + 8];
    for (size_t s = 0; s < part->set_count; s++) {
        dt_rule_of(part->sets[s].name, rule);
        snprintf(step, sizeof step, "%s/step", rule);
        const dt_capture_dataset *d = &part->sets[s], *steps = find_in(part, part->set_count, step);
        if (!d->has_steps || (steps && steps->size[0] == d->size[0]))
            continue;
        part->damaged = true;
        snprintf(part->why, sizeof part->why, "%s has not as many steps as its rule", d->name);
        return false;
    }
    return true;
}

/* Starts from what the index has, without its steps; without one, from all that the parts have. */
static dt_status make_joined(dt_capture_reader *r, dt_error *error)
{
    const bool indexed = r->is_index && r->has_index;
    size_t room = indexed ? r->index_count : 0;
    for (size_t i = 0; i < r->part_count && !indexed; i++)
        room += is_read(&r->parts[i]) ? r->parts[i].set_count : 0;
    r->sets = dt_allocate(room + 1, sizeof *r->sets);
    if (!r->sets)
        return dt_fail_memory(error, "a list of data sets");
    if (indexed && room)
        memcpy(r->sets, r->index, room * sizeof *r->sets);
    r->set_count = indexed ? room : 0;
    for (size_t i = 0; i < r->part_count && !indexed; i++)
        for (size_t s = 0; is_read(&r->parts[i]) && s < r->parts[i].set_count; s++)
            if (!find_joined(r, s, r->parts[i].sets[s].name))
                r->sets[r->set_count++] = r->parts[i].sets[s];
    for (size_t s = 0; s < r->set_count; s++)
        if (r->sets[s].has_steps) {
            r->sets[s].size[0] = r->sets[s].stored = 0;
            r->sets[s].is_virtual = true; /* until a part is found to have it */
        }
    return DT_OK;
}

static void add_steps(dt_capture_dataset *joined, const dt_capture_dataset *d)
{
    joined->size[0] += d->size[0];
    joined->stored += d->stored;
    if (!joined->is_virtual)
        return;
    joined->is_virtual = false;
    memcpy(joined->chunk, d->chunk, sizeof joined->chunk);
    joined->gzip = d->gzip;
    joined->shuffle = d->shuffle;
}

static dt_status join_parts(dt_capture_reader *r, dt_error *error)
{
    for (size_t i = 0; i < r->part_count; i++)
        (void)(r->uneven || !is_read(&r->parts[i]) || is_even(&r->parts[i]));
    dt_status status = make_joined(r, error);
    for (size_t i = 0; i < r->part_count && status == DT_OK; i++) {
        dt_capture_part *part = &r->parts[i];
        const bool taken = is_read(part) && fits(r, part);
        for (size_t s = 0; taken && s < part->set_count; s++)
            if (part->sets[s].has_steps)
                add_steps(find_joined(r, s, part->sets[s].name), &part->sets[s]);
    }
    for (size_t s = 0; s < r->set_count && r->rule_count < RULES_MAX; s++) {
        if (r->sets[s].is_virtual && !r->sets[s].fault[0]) { /* in no part: no step was captured */
            r->sets[s].is_virtual = false;
            for (int i = 0; i < r->sets[s].rank; i++)
                r->sets[s].chunk[i] = i && r->sets[s].size[i] ? r->sets[s].size[i] : 1;
        }
        if (is_step(&r->sets[s]))
            snprintf(r->rules[r->rule_count++], DT_DATASET_NAME, "%.*s", (int)strcspn(r->sets[s].name + 1, "/"),
                     r->sets[s].name + 1);
    }
    return status;
}

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
        empty = empty && !(is_step(&r->index[s]) && r->index[s].size[0] > 0);
    }
    r->is_index = r->is_index || (empty && has_folder); /* one without a step has nothing virtual */
    if (status == DT_OK)
        return DT_OK;
    snprintf(r->index_fault, sizeof r->index_fault, "%.511s", without_path(why.message, r->path));
    if (opening == DT_CAPTURE_ALL && is_of_the_file(status))
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
        status = name_files(r, path, error);
    if (status == DT_OK)
        status = scan_index(r, opening, error);
    if (status == DT_OK)
        status = r->is_index ? list_segments(r, error) : add_part(r, r->path, &part, error);
    if (status == DT_OK && r->is_index && r->has_index) {
        dt_error why = {0};
        status = mark_indexed(r, opening == DT_CAPTURE_ALL ? &why : error);
        if (opening == DT_CAPTURE_ALL && is_of_the_file(status)) {
            snprintf(r->index_fault, sizeof r->index_fault, "%.511s", without_path(why.message, r->path));
            status = DT_OK;
        }
    }
    if (status == DT_OK)
        status = scan_parts(r, opening, error);
    if (status == DT_OK)
        status = join_parts(r, error);
    return status == DT_OK && opening == DT_CAPTURE_WHOLE ? check_parts(r, error) : status;
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
    return join_parts(r, error);
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
        if (is_read(&r->parts[i]))
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
        const dt_capture_dataset *d = is_read(part) ? find_in(part, (size_t)(set - r->sets), set->name) : NULL;
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
