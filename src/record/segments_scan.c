#include "record/segments_scan.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sandbox.h"
#include "hdf5/hdf5.h"

/* The child's memory: HDF5's tables for one file at a time; and its time, by what a file's tables may be. */
enum { CHILD_MEMORY = 256 << 20, SEGMENT_BYTES = 8 << 20 };

typedef struct scan {
    const char *path; /* of the index */
    char *file;       /* of one in the folder */
    size_t file_size;
    size_t folder; /* bytes of the run folder's name in both */
    const dt_capture_layout *layouts;
    size_t count;
    bool tidies;             /* removes what was in the making */
    bool lost;               /* a number is named so */
    int64_t found;           /* segments */
    dt_segment_facts *facts; /* of one segment, one a rule */
} scan;

static void name_segment(scan *s, int64_t number, bool lost)
{
    char name[DT_SEGMENT_NAME];
    (lost ? dt_segment_lost_name : dt_segment_name)(number, name);
    snprintf(s->file + s->folder, s->file_size - s->folder, "%s", name);
}

/* --- the folder --- */

static bool ends(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* What a killed run leaves behind. */
static bool is_left_over(const char *name)
{
    return (strncmp(name, ".seg-", 5) == 0 && ends(name, ".h5.part")) || strcmp(name, DT_LIVE_NAME) == 0;
}

/* Where ".lost" or ".lost.1" begins, or the name ends. */
static const char *lost_end(const char *name)
{
    const char *at = strstr(name, DT_SEGMENT_LOST), *more = at ? at + strlen(DT_SEGMENT_LOST) : NULL;
    if (at && (!*more || (*more == '.' && more[1] && strspn(more + 1, "0123456789") == strlen(more + 1))))
        return at;
    return name + strlen(name);
}

static dt_status meet(scan *s, const char *name, dt_error *error)
{
    char relative[DT_SEGMENT_NAME];
    snprintf(s->file + s->folder, s->file_size - s->folder, "capture/%s", name);
    if (is_left_over(name) && !s->tidies)
        return DT_OK;
    if (is_left_over(name))
        return unlink(s->file) == 0 ? DT_OK : dt_fail_errno(error, errno, s->file, "remove");
    const char *lost = lost_end(name);
    s->lost = s->lost || *lost;
    int length = snprintf(relative, sizeof relative, "capture/%.*s", (int)(lost - name), name);
    if (length >= (int)sizeof relative || !dt_segment_is_name(relative))
        return dt_fail(error, DT_MALFORMED, "%s: is no segment of a capture; move it elsewhere", s->file);
    int64_t number = strtoll(relative + strlen("capture/seg-"), NULL, 10);
    s->found = number >= s->found ? number + 1 : s->found;
    return DT_OK;
}

static dt_status list(scan *s, dt_error *error)
{
    snprintf(s->file + s->folder, s->file_size - s->folder, "capture");
    DIR *folder = opendir(s->file);
    if (!folder)
        return dt_fail_errno(error, errno, s->file, "read");
    dt_status status = s->tidies ? dt_new_files_sweep(s->file, error) : DT_OK;
    for (struct dirent *entry; status == DT_OK && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (s->tidies || !ends(entry->d_name, ".tmp")))
            status = meet(s, entry->d_name, error);
    closedir(folder);
    return status;
}

/* Temporary files of the index: ".capture.h5.PID-N.tmp" (file.c). */
static dt_status tidy(scan *s, dt_error *error)
{
    const char *name = s->path + s->folder;
    size_t length = strlen(name);
    snprintf(s->file + s->folder, s->file_size - s->folder, ".");
    DIR *folder = opendir(s->file);
    if (!folder)
        return dt_fail_errno(error, errno, s->path, "read the folder of");
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] == '.' && strncmp(entry->d_name + 1, name, length) == 0 && ends(entry->d_name, ".tmp") &&
            unlinkat(dirfd(folder), entry->d_name, 0) != 0)
            break;
    closedir(folder);
    return DT_OK;
}

/* --- the files, in the child --- */

#define OR_RECOVER ", or go on without it after: deltoid capture recover %.*s"

/* Named lost, and no sound copy came in its place. s->file is then its own name again. */
static bool is_lost(scan *s, int64_t n)
{
    name_segment(s, n, true);
    const bool lost = access(s->file, F_OK) == 0;
    name_segment(s, n, false);
    return lost && access(s->file, F_OK) != 0;
}

static dt_status look_at_all(void *context, int pipe, dt_error *error)
{
    scan *s = context;
    dt_status status = DT_OK;
    for (int64_t n = 0; status == DT_OK && n < s->found; n++) {
        const char *why;
        if (is_lost(s, n)) {
            for (size_t r = 0; r < s->count; r++)
                s->facts[r] = (dt_segment_facts){.first = -1, .last = -1};
        } else if (access(s->file, F_OK) != 0) {
            return dt_fail(error, DT_MALFORMED, "%s: is missing, and later ones are there; put it back" OR_RECOVER,
                           s->file, (int)(s->folder > 1 ? s->folder - 1 : s->folder), s->path);
        } else if (!dt_segment_look(s->file, s->layouts, s->count, false, s->facts, &why)) {
            return dt_fail(error, DT_MALFORMED, "%s: %s; use a copy that is sound, of the same experiment" OR_RECOVER,
                           s->file, why, (int)(s->folder > 1 ? s->folder - 1 : s->folder), s->path);
        }
        status = dt_sandbox_send(pipe, s->facts, s->count * sizeof *s->facts);
    }
    return status;
}

/* --- in this process --- */

/* Steps ascend from segment to segment. */
static dt_status take(scan *s, int64_t n, dt_segments *segments, int64_t *last, int64_t *dropped, dt_error *error)
{
    dt_status status = dt_segments_reserve(segments, error);
    if (status != DT_OK)
        return status;
    int64_t *steps = segments->steps + (size_t)n * s->count;
    for (size_t r = 0; r < s->count; r++) {
        const dt_segment_facts *f = &s->facts[r];
        bool any = f->steps > 0;
        if (f->steps < 0 || f->dropped < 0 || (any && (f->first <= last[r] || f->last - f->first < f->steps - 1))) {
            name_segment(s, n, false);
            return dt_fail(error, DT_MALFORMED, "%s: its steps don't follow those before; use a copy that is sound",
                           s->file);
        }
        steps[r] = f->steps;
        last[r] = any ? f->last : last[r];
        dropped[r] += f->dropped;
    }
    segments->count = n + 1;
    return DT_OK;
}

static dt_status receive(scan *s, dt_segments *segments, int64_t *last, int64_t *dropped, dt_error *error)
{
    dt_sandbox box;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    dt_status status = dt_sandbox_start(&box, s->path, look_at_all, s, CHILD_MEMORY, s->found * SEGMENT_BYTES, error);
    dt_hdf5_leave();
    if (status != DT_OK)
        return status;
    box.path = s->file;
    for (int64_t n = 0; status == DT_OK && n < s->found; n++) {
        name_segment(s, n, false);
        status = dt_sandbox_receive(&box, s->facts, s->count * sizeof *s->facts, error);
        if (status == DT_OK)
            status = take(s, n, segments, last, dropped, error);
    }
    dt_sandbox_finish(&box);
    return status;
}

static dt_status scan_all(dt_segments *segments, const char *path, const dt_capture_layout *layouts, size_t count,
                          bool tidies, int64_t *last, int64_t *dropped, bool *lost, dt_error *error)
{
    const char *slash = strrchr(path, '/');
    enum { ENTRY_MAX = 256 };
    scan s = {.path = path,
              .layouts = layouts,
              .count = count,
              .tidies = tidies,
              .folder = slash ? (size_t)(slash - path) + 1 : 0};
    s.file_size = s.folder + sizeof "capture/" + ENTRY_MAX;
    s.file = dt_allocate(s.file_size, 1);
    s.facts = dt_allocate_zeroed(count, sizeof *s.facts);
    dt_status status = s.file && s.facts ? DT_OK : dt_fail_memory(error, "the list of a capture's segments");
    if (status == DT_OK) {
        memcpy(s.file, path, s.folder);
        status = list(&s, error);
    }
    if (status == DT_OK && tidies)
        status = tidy(&s, error);
    if (status == DT_OK)
        status = receive(&s, segments, last, dropped, error);
    *lost = s.lost;
    dt_release(s.facts);
    dt_release(s.file);
    return status;
}

dt_status dt_segments_scan(dt_segments *segments, const char *path, const dt_capture_layout *layouts, size_t count,
                           int64_t *last, int64_t *dropped, dt_error *error)
{
    bool lost;
    return scan_all(segments, path, layouts, count, true, last, dropped, &lost, error);
}

dt_status dt_segments_look(const char *path, const dt_capture_layout *layouts, size_t count, int64_t *last, bool *lost,
                           dt_error *error)
{
    dt_segments segments = {.rules = count};
    int64_t *dropped = dt_allocate_zeroed(count, sizeof *dropped);
    for (size_t r = 0; r < count; r++)
        last[r] = -1;
    dt_status status = dropped ? scan_all(&segments, path, layouts, count, false, last, dropped, lost, error)
                               : dt_fail_memory(error, "the list of a capture's segments");
    dt_segments_clear(&segments);
    dt_release(dropped);
    return status;
}
