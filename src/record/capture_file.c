#include "record/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "hdf5/hdf5.h"
#include "record/queue.h"
#include "record/segment.h"
#include "record/segments.h"
#include "record/segments_scan.h"

static const double flush_seconds = 2;    /* a killed run loses no more than the captured steps of this long */
static const double segment_seconds = 2;  /* a segment at the beginning, */
static const double segment_share = 0.02; /* and its share of the run so far later */
static const double index_share = 0.002;  /* what writing the index may take of a processor's time */
static const double live_seconds = 0.25;  /* for those who follow a run, more often flushed */

enum { EVEN = 64 }; /* segments of many steps have whole blocks of so many */

struct dt_capture_file {
    char *path, *part, *name; /* of the index, and of the segment in the making */
    size_t folder;            /* bytes of the run folder's name in them */
    const dt_capture_layout *layouts;
    size_t count;
    dt_index_text text;
    dt_segment *segment;
    dt_segments segments;
    int folder_fd; /* of the segments */
    bool live, failed;
    bool small; /* what segments add to the numbers doesn't matter */
    double (*clock)(void);

    /* One a rule. */
    int64_t *planned, *steps;          /* of the segment at hand */
    int64_t *done, *last;              /* steps in finished segments, and the last of them */
    int64_t *dropped, *dropped_before; /* in all, and up to the segment's begin */
    dt_segment_facts *facts;

    /* What the length of segments is planned by. */
    int64_t first, end;   /* training steps that the segment at hand covers: first .. end - 1 */
    int64_t covered;      /* by the one before */
    uint64_t bytes, tree; /* of the segment at hand; of a segment without steps */
    double speed;         /* training steps a second; 0: not known */
    double started, began, flush_at, end_at, index_at;
    bool flushes; /* the segment at hand, which is long; of a short one nothing is written before its end */
    bool stale;   /* the index lacks a finished segment */
};

/* --- names --- */

static void name_part(dt_capture_file *file)
{
    char name[DT_SEGMENT_NAME];
    dt_segment_part_name(file->segments.count, name);
    snprintf(file->part + file->folder, DT_SEGMENT_NAME, "%s", name);
    dt_segment_name(file->segments.count, name);
    snprintf(file->name + file->folder, DT_SEGMENT_NAME, "%s", name);
}

/* --- the index --- */

/* Processor time of this thread, in seconds: what it takes from those that train. Waiting for a disk takes nothing. */
static double worked(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0 ? (double)t.tv_sec + 1e-9 * (double)t.tv_nsec : 0;
}

static dt_status write_index(dt_capture_file *file, const char *status, dt_error *error)
{
    const double before = worked();
    file->text.status = status;
    dt_status result =
        dt_segments_write_index(&file->segments, file->path, file->layouts, file->dropped, &file->text, error);
    file->index_at = file->clock() + (worked() - before) / index_share;
    file->stale = false;
    return result;
}

/* --- a segment's life --- */

/* Bytes of the captured steps among training steps first .. end - 1. */
static double bytes_between(const dt_capture_file *file, int64_t first, int64_t end)
{
    double bytes = 0;
    for (size_t r = 0; r < file->count; r++) {
        const dt_capture_layout *l = &file->layouts[r];
        bytes += (double)(dt_capture_rule_steps(l->rule, end) - dt_capture_rule_steps(l->rule, first)) *
                 (double)l->step_bytes;
    }
    return bytes;
}

/* The fewest training steps from `first` on that are worth a segment. */
static int64_t worthy_steps(const dt_capture_file *file, int64_t first)
{
    const double worth = DT_SEGMENT_WORTH * (double)file->tree;
    int64_t low = 0, high = 1; /* more than low, at most high */
    while (high < INT32_MAX && bytes_between(file, first, first + high) < worth) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        *(bytes_between(file, first, first + middle) < worth ? &low : &high) = middle;
    }
    return high;
}

/* How many training steps a segment from `first` on covers that should last so many seconds. The first few are short
 * on any machine, so that there is something soon. */
static int64_t choose_steps(const dt_capture_file *file, size_t layout, int64_t first, double seconds)
{
    const int64_t most = file->covered > INT32_MAX ? INT32_MAX : dt_max(1, DT_SEGMENT_GROWS * file->covered);
    int64_t covers = (int64_t)fmin(INT32_MAX, fmax(1, file->speed * seconds));
    if (!file->small)
        covers = dt_max(covers, worthy_steps(file, first));
    if (covers >= most || file->small)
        return dt_min(covers, most);
    const int64_t every = file->layouts[layout].rule->every, block = EVEN * every; /* 0 where a list decides */
    return block > 0 && covers > block && covers < INT32_MAX ? dt_ceil_div(covers, block) * block : covers;
}

/* May the segment at hand end as it is? */
static bool is_worthy(const dt_capture_file *file)
{
    return file->small || file->bytes >= DT_SEGMENT_WORTH * (file->tree + dt_segment_waste(file->segment));
}

/* Links capture/live.h5 to the part: at any instant it is the segment in the making, or the one just finished. */
static dt_status show_live(dt_capture_file *file, dt_error *error)
{
    static const char temporary[] = ".seg-live.h5.part"; /* removed with the parts where a run is taken up */
    const char *name = strrchr(file->part + file->folder, '/') + 1;
    int fd = file->folder_fd;
    if ((unlinkat(fd, temporary, 0) == 0 || errno == ENOENT) &&
        (linkat(fd, name, fd, temporary, 0) == 0 || symlinkat(name, fd, temporary) == 0) &&
        renameat(fd, temporary, fd, DT_LIVE_NAME) == 0)
        return DT_OK;
    return dt_fail_errno(error, errno, file->part, "link " DT_LIVE_NAME " to");
}

/* A segment from training step `first` on, which `layout` captured: its chunks are cut for the very steps that each
 * rule captures in it. */
static dt_status begin(dt_capture_file *file, size_t layout, int64_t first, dt_error *error)
{
    const double now = file->clock(), wanted = fmax(segment_seconds, segment_share * (now - file->started));
    const int64_t covers = choose_steps(file, layout, first, wanted);
    const double seconds = file->speed > 0 ? fmax(wanted, (double)covers / file->speed) : wanted;
    file->first = first;
    file->end = first + covers;
    file->bytes = 0;
    file->began = now;
    file->flushes = file->live || !file->small || seconds > 1.5 * flush_seconds;
    file->end_at = now + (file->small ? 1.5 : 2) * wanted; /* where training became slower */
    for (size_t r = 0; r < file->count; r++) {
        const dt_capture_rule *rule = file->layouts[r].rule;
        file->planned[r] = dt_capture_rule_steps(rule, file->end) - dt_capture_rule_steps(rule, first);
        file->planned[r] = dt_min(file->planned[r], file->layouts[r].steps - file->done[r] - file->dropped[r]);
        file->planned[r] = dt_max(r == layout, file->planned[r]);
    }
    memcpy(file->dropped_before, file->dropped, file->count * sizeof *file->dropped);
    name_part(file);
    dt_status status =
        file->segments.count < DT_SEGMENTS_MAX
            ? dt_segments_reserve(&file->segments, error)
            : dt_fail(error, DT_IO, "%s: more segments than its names can count; capture less often", file->path);
    if (status == DT_OK)
        status = dt_segment_begin(file->segment, file->part, file->planned, error);
    return status == DT_OK && file->live ? show_live(file, error) : status;
}

/* Opened again, it must hold what was appended. */
static dt_status check(dt_capture_file *file, dt_error *error)
{
    const char *why = NULL;
    dt_hdf5_enter();
    bool good = dt_segment_look(file->part, file->layouts, file->count, true, file->facts, &why);
    dt_hdf5_leave();
    for (size_t r = 0; good && r < file->count; r++)
        if (file->facts[r].steps != file->steps[r]) {
            good = false;
            why = "lacks steps that were written to it";
        }
    return good ? DT_OK : dt_fail(error, DT_IO, "%s: %s; check the disk", file->part, why);
}

static dt_status synchronise(const char *path, dt_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    dt_status status = fd < 0 ? dt_fail_errno(error, errno, path, "open") : dt_sync(fd, path, error);
    if (fd >= 0)
        close(fd);
    return status;
}

/* Closes the segment and gives it its name: from then on it is acknowledged. */
static dt_status finish(dt_capture_file *file, dt_error *error)
{
    for (size_t r = 0; r < file->count; r++) {
        file->steps[r] = dt_segment_steps(file->segment, r);
        file->dropped_before[r] = file->dropped[r] - file->dropped_before[r];
    }
    dt_status status = dt_segment_finish(file->segment, file->dropped_before, error);
    if (status == DT_OK)
        status = synchronise(file->part, error);
    if (status == DT_OK)
        status = check(file, error);
    if (status == DT_OK && rename(file->part, file->name) != 0)
        status = dt_fail_errno(error, errno, file->name, "give the finished file its name");
    if (status == DT_OK)
        status = dt_sync(file->folder_fd, file->name, error);
    if (status != DT_OK)
        return status;
    dt_segments_add(&file->segments, file->steps);
    for (size_t r = 0; r < file->count; r++) {
        file->done[r] += file->steps[r];
        if (file->steps[r] > 0)
            file->last[r] = file->facts[r].last;
    }
    file->stale = true;
    file->flush_at = file->end_at = -1;
    return DT_OK;
}

static dt_status fail(dt_capture_file *file, dt_status status)
{
    file->failed = file->failed || status != DT_OK;
    return status;
}

static dt_status refuse(const dt_capture_file *file, dt_error *error)
{
    return dt_fail(error, DT_IO, "%s: takes no more steps after it failed", file->path);
}

/* What the segment that ended tells about the speed of training: `step` is the first captured after it. */
static void learn(dt_capture_file *file, int64_t step)
{
    double seconds = fmax(1e-6, file->clock() - file->began);
    if (file->began <= 0)
        return;
    file->covered = dt_max(1, step - file->first);
    file->speed = (double)file->covered / seconds;
}

dt_status dt_capture_file_append(dt_capture_file *file, size_t layout, const void *slot, dt_error *error)
{
    const dt_capture_layout *l = &file->layouts[layout];
    int64_t step;
    if (file->failed)
        return refuse(file, error);
    memcpy(&step, (const char *)slot + l->sets[DT_SET_STEP].offset, sizeof step);
    dt_status status = DT_OK;
    if (dt_segment_is_open(file->segment) && (step >= file->end || !dt_segment_takes(file->segment, layout)))
        status = finish(file, error);
    if (status == DT_OK && !dt_segment_is_open(file->segment)) {
        learn(file, step);
        status = begin(file, layout, step, error);
    }
    if (status == DT_OK)
        status = dt_segment_append(file->segment, layout, slot, error);
    file->bytes += l->step_bytes;
    if (file->flush_at < 0 && file->flushes)
        file->flush_at = file->clock() + (file->live ? live_seconds : flush_seconds);
    return fail(file, status);
}

void dt_capture_file_set_clock(dt_capture_file *file, double (*clock)(void))
{
    file->clock = clock;
    file->started = clock();
}

void dt_capture_file_drop(dt_capture_file *file, size_t rule, int64_t more)
{
    file->dropped[rule] += more;
}

static dt_status tend(dt_capture_file *file, double now, dt_error *error)
{
    dt_status status = DT_OK;
    bool open = dt_segment_is_open(file->segment);
    if (open && now >= file->end_at && is_worthy(file)) {
        status = finish(file, error);
    } else if (open && file->flush_at >= 0 && now >= file->flush_at) {
        status = dt_segment_flush(file->segment, error);
        file->flush_at = -1;
    }
    if (status == DT_OK && file->stale && now >= file->index_at)
        status = write_index(file, "running", error);
    return status;
}

static double sooner(double a, double b)
{
    return a < 0 ? b : b < 0 ? a : fmin(a, b);
}

dt_status dt_capture_file_tend(dt_capture_file *file, double *deadline, dt_error *error)
{
    *deadline = -1;
    if (file->failed)
        return refuse(file, error);
    dt_status status = fail(file, tend(file, file->clock(), error));
    if (status != DT_OK)
        return status;
    if (dt_segment_is_open(file->segment))
        *deadline =
            is_worthy(file) ? sooner(file->flush_at, file->end_at) : file->flush_at; /* else it waits for steps */
    if (file->stale)
        *deadline = sooner(*deadline, file->index_at);
    return DT_OK;
}

/* The index, where a status is given. A segment that none of its steps have reached is only a name. */
static dt_status seal(dt_capture_file *file, const char *status_text, dt_error *error)
{
    dt_status status = DT_OK;
    if (dt_segment_is_open(file->segment))
        status = finish(file, error);
    return status == DT_OK && status_text ? write_index(file, status_text, error) : status;
}

dt_status dt_capture_file_seal(dt_capture_file *file, dt_error *error)
{
    return file->failed ? refuse(file, error) : fail(file, seal(file, NULL, error));
}

/* --- making and closing --- */

int64_t dt_capture_file_safe(const dt_capture_file *file)
{
    return dt_segments_safe(file->layouts, file->count, file->last);
}

int64_t dt_capture_file_last(const dt_capture_file *file, size_t rule)
{
    return file->last[rule];
}

static void release(dt_capture_file *file)
{
    if (file->live && file->folder_fd >= 0)
        (void)unlinkat(file->folder_fd, DT_LIVE_NAME, 0);
    if (file->folder_fd >= 0)
        close(file->folder_fd);
    dt_segment_destroy(file->segment);
    dt_segments_clear(&file->segments);
    dt_release(file->path);
    dt_release(file->part);
    dt_release(file->name);
    dt_release(file->planned);
    dt_release(file->steps);
    dt_release(file->done);
    dt_release(file->last);
    dt_release(file->dropped);
    dt_release(file->dropped_before);
    dt_release(file->facts);
    dt_release(file);
}

static bool allocate_rules(dt_capture_file *file)
{
    int64_t **const lists[] = {&file->planned, &file->steps,   &file->done,
                               &file->last,    &file->dropped, &file->dropped_before};
    bool good = true;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        good = (*lists[i] = dt_allocate_zeroed(file->count, sizeof **lists[i])) && good;
    file->facts = dt_allocate_zeroed(file->count, sizeof *file->facts);
    for (size_t r = 0; good && r < file->count; r++)
        file->last[r] = -1;
    return good && file->facts;
}

static dt_status allocate(dt_capture_file *file, const char *path, dt_error *error)
{
    const char *slash = strrchr(path, '/');
    file->folder = slash ? (size_t)(slash - path) + 1 : 0;
    file->path = dt_duplicate(path);
    file->part = dt_allocate(file->folder + DT_SEGMENT_NAME, 1);
    file->name = dt_allocate(file->folder + DT_SEGMENT_NAME, 1);
    if (!file->path || !file->part || !file->name || !allocate_rules(file))
        return dt_fail_memory(error, "a capture file");
    memcpy(file->part, path, file->folder);
    memcpy(file->name, path, file->folder);
    double bytes = 0;
    for (size_t r = 0; r < file->count; r++) {
        file->tree += file->layouts[r].count * DT_SEGMENT_SET_BYTES;
        bytes += (double)file->layouts[r].steps * (double)file->layouts[r].step_bytes;
    }
    file->small = bytes < DT_CAPTURE_SMALL;
    dt_status status = dt_segments_reserve(&file->segments, error);
    return status == DT_OK ? dt_segment_create(&file->segment, file->layouts, file->count, file->live, error) : status;
}

/* The folder's name in `part`, where a segment's name will be. */
static const char *folder_of(dt_capture_file *file)
{
    snprintf(file->part + file->folder, DT_SEGMENT_NAME, "capture");
    return file->part;
}

static dt_status open_folder(dt_capture_file *file, dt_error *error)
{
    const char *folder = folder_of(file);
    file->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return file->folder_fd >= 0 ? DT_OK : dt_fail_errno(error, errno, folder, "open");
}

static void unmake(dt_capture_file *file)
{
    unlink(file->path);
    (void)rmdir(folder_of(file));
}

static dt_status make(dt_capture_file *file, dt_error *error)
{
    struct stat there;
    const char *folder = folder_of(file);
    if (lstat(file->path, &there) == 0)
        return dt_fail_errno(error, EEXIST, file->path, "create");
    if (mkdir(folder, 0777) != 0)
        return dt_fail_errno(error, errno, folder, "make the folder");
    dt_status status = open_folder(file, error);
    if (status == DT_OK)
        status = write_index(file, "running", error);
    if (status != DT_OK)
        unmake(file);
    return status;
}

static dt_status take_up(dt_capture_file *file, dt_error *error)
{
    const char *folder = folder_of(file);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return dt_fail_errno(error, errno, folder, "make the folder");
    dt_status status = open_folder(file, error);
    if (status == DT_OK)
        status =
            dt_segments_scan(&file->segments, file->path, file->layouts, file->count, file->last, file->dropped, error);
    for (int64_t n = 0; n < file->segments.count; n++)
        for (size_t r = 0; r < file->count; r++)
            file->done[r] += file->segments.steps[(size_t)n * file->count + r];
    return status == DT_OK ? write_index(file, "running", error) : status;
}

dt_status dt_capture_file_create(dt_capture_file **file, const char *path, const dt_capture_layout *layouts,
                                 size_t count, const char *experiment_text, const char *provenance,
                                 const dt_capture_options *options, dt_error *error)
{
    *file = NULL;
    dt_capture_file *f = dt_allocate_zeroed(1, sizeof *f);
    if (!f)
        return dt_fail_memory(error, "a capture file");
    f->layouts = layouts;
    f->count = f->segments.rules = count;
    f->text = (dt_index_text){"running", experiment_text, provenance};
    f->live = options && options->live;
    f->clock = dt_queue_now;
    f->started = f->clock();
    f->flush_at = f->end_at = -1;
    f->folder_fd = -1;
    dt_status status = allocate(f, path, error);
    if (status == DT_OK)
        status = options && options->resume ? take_up(f, error) : make(f, error);
    if (status == DT_OK)
        *file = f;
    else
        release(f);
    return status;
}

/* After a failure the index still tells what is there. On a full disk the segment that nobody will finish gives it
 * room: HDF5 has the file open and doesn't look at it any more. */
static void save_index(dt_capture_file *file)
{
    if (write_index(file, "interrupted", NULL) == DT_OK || !dt_segment_is_open(file->segment))
        return;
    name_part(file);
    if (truncate(file->part, 0) == 0 && unlink(file->part) == 0)
        (void)write_index(file, "interrupted", NULL);
}

dt_status dt_capture_file_close(dt_capture_file *file, const char *status_text, dt_error *error)
{
    dt_status status = file->failed ? refuse(file, error) : seal(file, status_text, error);
    if (status != DT_OK)
        save_index(file);
    release(file);
    return status;
}

void dt_capture_file_discard(dt_capture_file *file)
{
    unmake(file);
    release(file);
}
