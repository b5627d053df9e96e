/* The files of a capture: which there are, which belong to it, what each has. */
#include "record/capture_reader.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { PARTS_MAX = 1 << 20 };

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
const char *dt_without_path(const char *message, const char *path)
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

dt_status dt_parts_name(dt_capture_reader *r, const char *path, dt_error *error)
{
    struct stat there;
    const bool is_folder = stat(path, &there) == 0 && S_ISDIR(there.st_mode);
    size_t length = strlen(path);
    while (is_folder && length > 1 && path[length - 1] == '/')
        length--;
    const char *slash = strrchr(path, '/');
    const size_t parent = is_folder ? length : slash ? (size_t)(slash - path) + (slash == path) : 0;
    r->path = is_folder ? join(r, path, length, "capture.h5") : dt_arena_duplicate(&r->names, path);
    r->folder = join(r, path, parent, DT_READER_FOLDER);
    return r->path && r->folder ? DT_OK : dt_fail_memory(error, "a file name");
}

/* --- parts --- */

dt_status dt_parts_add(dt_capture_reader *r, char *path, dt_capture_part **part, dt_error *error)
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

dt_status dt_parts_list(dt_capture_reader *r, dt_error *error)
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
        status = dt_parts_add(r, join(r, r->folder, strlen(r->folder), entry->d_name), &part, error);
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
    const char *name = source + sizeof DT_READER_FOLDER;
    const bool ours = strncmp(source, DT_READER_FOLDER "/", sizeof DT_READER_FOLDER) == 0 && !strchr(name, '/');
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
    dt_status status = dt_parts_add(r, join(r, r->folder, strlen(r->folder), name), &part, error);
    if (status != DT_OK)
        return status;
    part->damaged = true;
    snprintf(part->why, sizeof part->why, "is missing");
    qsort(r->parts, r->part_count, sizeof *r->parts, by_number);
    return DT_OK;
}

bool dt_is_step(const dt_capture_dataset *set)
{
    const char *slash = strchr(set->name + 1, '/');
    return slash && strcmp(slash, "/step") == 0;
}

dt_status dt_parts_mark(dt_capture_reader *r, dt_error *error)
{
    dt_status status = DT_OK;
    for (size_t s = 0; s < r->index_count; s++) {
        bool found = dt_is_step(&r->index[s]) && r->index[s].is_virtual;
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
        steps += dt_is_step(d);
        if (d->fault[0] || d->is_virtual) {
            part->damaged = true;
            snprintf(part->why, sizeof part->why, "%s %s", d->name, d->fault[0] ? d->fault : "is virtual");
        } else if (dt_is_step(d) && (d->rank != 1 || d->real || d->element != 8)) {
            part->damaged = true;
            snprintf(part->why, sizeof part->why, "%s is no list of steps", d->name);
        }
    }
    if (!part->damaged && steps == 0) {
        part->damaged = true;
        snprintf(part->why, sizeof part->why, "has no rule that captured");
    }
}

bool dt_part_is_read(const dt_capture_part *part)
{
    return !part->damaged && !part->unfinished && !part->unindexed;
}

/* Whether a failure is the file's, and not the system's. */
bool dt_is_of_the_file(dt_status status)
{
    return status == DT_MALFORMED || status == DT_INVALID || status == DT_NOT_FOUND || status == DT_UNSUPPORTED;
}

dt_status dt_parts_scan(dt_capture_reader *r, dt_capture_opening opening, dt_error *error)
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
        } else if (dt_is_of_the_file(status)) {
            part->damaged = true;
            snprintf(part->why, sizeof part->why, "%.511s", dt_without_path(why.message, part->path));
        } else {
            return dt_fail(error, status, "%s", why.message);
        }
    }
    return DT_OK;
}

dt_status dt_parts_check(const dt_capture_reader *r, dt_error *error)
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
