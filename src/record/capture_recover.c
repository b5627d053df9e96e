#include "record/capture_recover.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "deltoid/record.h"
#include "record/capture_copy.h"
#include "record/capture_infer.h"
#include "record/capture_read.h"
#include "record/capture_salvage.h"
#include "record/segments.h"

enum { RULES_MAX = 64, LINE = 640 };

typedef struct recover {
    const char *run, *out;
    dt_recovery *told;
    dt_capture_reader *reader;
    dt_arena names;
    bool index_is_good; /* it says what the segments hold, and that the run has ended */
    dt_capture_layout layouts[RULES_MAX];
    size_t rules;
} recover;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
say(const recover *r, const char *format, ...)
{
    char line[LINE];
    va_list arguments;
    if (!r->told->say)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    r->told->say(r->told->context, line);
}

static char *in_run(recover *r, const char *name)
{
    const size_t size = strlen(r->run) + strlen(name) + 2;
    char *path = dt_arena_allocate(&r->names, size, 1);
    if (path)
        snprintf(path, size, "%s/%s", r->run, name);
    return path;
}

static long number_of(const dt_capture_part *part, bool *unfinished)
{
    const char *slash = strrchr(part->path, '/');
    return dt_segment_number(slash ? slash + 1 : part->path, unfinished);
}

/* Is segment `number` finished and sound? */
static bool has_segment(const recover *r, long number)
{
    const dt_capture_part *part;
    for (size_t i = 0; (part = dt_capture_reader_part(r->reader, i)); i++) {
        bool unfinished;
        if (number_of(part, &unfinished) == number && !unfinished && !part->damaged)
            return true;
    }
    return false;
}

/* --- the segment in the making --- */

/* Published as finished, the file in the making then goes: nothing of it is lost. */
static dt_status publish_part(recover *r, size_t i, const dt_salvage *s, dt_error *error)
{
    bool unfinished;
    char name[DT_SEGMENT_NAME];
    char *part = dt_arena_duplicate(&r->names, dt_capture_reader_part(r->reader, i)->path);
    const char *beside = dt_capture_reader_path(r->reader);
    dt_segment_name(number_of(dt_capture_reader_part(r->reader, i), &unfinished), name);
    char *path = in_run(r, name);
    if (!path || !part)
        return dt_fail_memory(error, "a file name");
    dt_status status = dt_capture_copy(
        s->reader, path, &(dt_copy_options){.chunks = DT_CHUNKS_KEPT, .filters_kept = true, .beside = beside}, error);
    dt_capture_reader *made = NULL;
    if (status == DT_OK)
        status = dt_capture_reader_open_plain(&made, path, error);
    if (status == DT_OK)
        status = dt_capture_reader_admit(r->reader, i, made, error);
    dt_capture_reader_close(made);
    if (status == DT_OK)
        say(r, "%s: %" PRId64 " steps, now in %s", part, s->steps, name);
    if (status == DT_OK && s->begun == 0 && !s->copy && unlink(part) != 0)
        return dt_fail_errno(error, errno, part, "remove");
    return status;
}

/* The part's steps, to a finished segment. */
static dt_status take_part(recover *r, size_t i, dt_error *error)
{
    const dt_capture_part *part = dt_capture_reader_part(r->reader, i);
    bool unfinished;
    dt_salvage s;
    if (has_segment(r, number_of(part, &unfinished)))
        return DT_OK; /* done before */
    dt_status status = dt_salvage_open(&s, part->path, dt_capture_reader_path(r->reader), error);
    if (status == DT_OK && !s.reader) {
        r->told->lost++;
        say(r, "lost: %.500s", s.why);
    } else if (status == DT_OK) {
        r->told->salvaged += s.steps;
        if (s.copy)
            say(r, "%s: was cut short; read as far as it goes", part->path);
        if (s.begun) {
            r->told->lost += s.begun;
            say(r, "lost: %s: %" PRId64 " steps that were begun and are not whole", part->path, s.begun);
        }
        if (s.steps > 0)
            status = publish_part(r, i, &s, error);
        else if (!s.begun)
            say(r, "%s: no step of it had reached the disk", part->path);
    }
    dt_salvage_clear(&s);
    r->told->changed = r->told->changed || r->told->salvaged > 0;
    return status;
}

/* --- finished segments --- */

static bool is_used(const dt_capture_part *part)
{
    return !part->damaged && !part->unfinished;
}

static const dt_capture_dataset *set_of(const dt_capture_part *part, const char *rule, const char *set)
{
    char name[DT_DATASET_NAME + 16];
    snprintf(name, sizeof name, "/%.100s/%s", rule, set);
    for (size_t s = 0; s < part->set_count; s++)
        if (strcmp(part->sets[s].name, name) == 0)
            return &part->sets[s];
    return NULL;
}

/* Are all its chunks there, and do its steps follow those before? *why says what is wrong. */
static dt_status inspect(recover *r, const dt_capture_part *part, int64_t *last, const char **why, dt_error *error)
{
    const char *rule;
    int64_t steps, ends[2], now[RULES_MAX];
    *why = NULL;
    dt_error failure = {0};
    dt_status status = DT_OK;
    for (size_t s = 0; status == DT_OK && s < part->set_count && !*why; s++) {
        status = dt_hdf5_reader_complete(dt_capture_reader_hdf5(r->reader), part->path, &part->sets[s], -1, &steps,
                                         &failure);
        if (status == DT_OK && steps < part->sets[s].size[0])
            *why = "lacks a part of its numbers";
    }
    memcpy(now, last, sizeof now);
    for (size_t i = 0; status == DT_OK && !*why && (rule = dt_capture_reader_rule(r->reader, i)); i++) {
        const dt_capture_dataset *set = set_of(part, rule, "step");
        for (int e = 0; status == DT_OK && set && set->size[0] > 0 && e < 2; e++)
            status = dt_hdf5_reader_read(dt_capture_reader_hdf5(r->reader), part->path, set,
                                         (int64_t[]){e ? set->size[0] - 1 : 0}, (int64_t[]){1}, &ends[e], &failure);
        if (status != DT_OK || !set || set->size[0] == 0)
            continue;
        if (ends[0] <= last[i] || ends[1] - ends[0] < set->size[0] - 1)
            *why = "has steps that do not follow those before";
        now[i] = ends[1];
    }
    if (status == DT_MALFORMED || status == DT_INVALID) {
        *why = "can't be read";
        status = DT_OK;
    }
    if (status == DT_OK && !*why)
        memcpy(last, now, sizeof now);
    return status == DT_OK ? DT_OK : dt_fail(error, status, "%s", failure.message);
}

static dt_status inspect_all(recover *r, dt_error *error)
{
    const dt_capture_part *part;
    int64_t last[RULES_MAX];
    dt_status status = DT_OK;
    for (int i = 0; i < RULES_MAX; i++)
        last[i] = -1;
    for (size_t i = 0; status == DT_OK && (part = dt_capture_reader_part(r->reader, i)); i++) {
        const char *why = NULL;
        if (is_used(part))
            status = inspect(r, part, last, &why, error);
        if (status == DT_OK && why)
            status = dt_capture_reader_leave_out(r->reader, i, why, error);
        if (!part->damaged || part->unfinished)
            continue;
        r->told->lost++;
        if (r->out)
            say(r, "lost: %s: %s; it is left out", part->path, part->why);
        else
            say(r, "lost: %s: %s; the index leaves it out, %s" DT_SEGMENT_LOST " keeps its place", part->path,
                part->why, strrchr(part->path, '/') + 1);
    }
    return status;
}

/* --- the index --- */

static dt_status add_segments(recover *r, dt_segments *list, dt_error *error)
{
    const dt_capture_part *part;
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && (part = dt_capture_reader_part(r->reader, i)); i++) {
        int64_t steps[RULES_MAX] = {0};
        bool unfinished;
        const long number = number_of(part, &unfinished);
        if (!is_used(part) || number < 0 || number >= DT_SEGMENTS_MAX)
            continue;
        for (; status == DT_OK && list->count < number; dt_segments_add(list, steps)) /* left out: no steps */
            if ((status = dt_segments_reserve(list, error)) != DT_OK)
                return status;
        for (size_t k = 0; k < r->rules; k++) {
            const dt_capture_dataset *set = set_of(part, r->layouts[k].rule->name, "step");
            steps[k] = set ? set->size[0] : 0;
        }
        status = dt_segments_reserve(list, error);
        if (status == DT_OK)
            dt_segments_add(list, steps);
    }
    return status;
}

static dt_status write_index(recover *r, dt_error *error)
{
    dt_segments list = {.rules = r->told->experiment->capture_count};
    int64_t dropped[RULES_MAX] = {0};
    dt_status status =
        dt_capture_infer_layouts(r->reader, r->told->experiment, r->run, r->layouts, RULES_MAX, &r->rules, error);
    for (size_t k = 0; status == DT_OK && k < r->rules; k++)
        status = dt_capture_reader_dropped(r->reader, r->layouts[k].rule->name, &dropped[k], error);
    if (status == DT_OK)
        status = add_segments(r, &list, error);
    if (status == DT_OK)
        status = dt_segments_write_index(&list, dt_capture_reader_path(r->reader), r->layouts, dropped,
                                         &(dt_index_text){"recovered", r->told->experiment_text, r->told->provenance},
                                         error);
    for (size_t k = 0; k < r->rules; k++)
        dt_capture_layout_clear(&r->layouts[k]);
    dt_segments_clear(&list);
    return status;
}

/* The new index must open as what it was made of. */
static dt_status check_index(const recover *r, dt_error *error)
{
    dt_capture_reader *again;
    const dt_capture_dataset *set;
    dt_status status = dt_capture_reader_open(&again, dt_capture_reader_path(r->reader), DT_CAPTURE_WHOLE, error);
    for (size_t i = 0; status == DT_OK && (set = dt_capture_reader_at(r->reader, i)); i++) {
        const dt_capture_dataset *found = dt_capture_reader_find(again, set->name);
        if (set->has_steps && (!found || found->size[0] != set->size[0]))
            status = dt_fail(error, DT_IO, "%s: %s does not read back as it was written; check the disk",
                             dt_capture_reader_path(r->reader), set->name);
    }
    dt_capture_reader_close(again);
    return status;
}

/* Under the name `lost`, or where an earlier one has that and isn't empty, with a number behind it: .lost.1, .lost.2.
 */
static dt_status set_aside(const char *file, const char *lost, dt_error *error)
{
    char name[4096];
    struct stat there;
    for (int n = 0; n < INT_MAX; n++) {
        const int length = snprintf(name, sizeof name, n ? "%s.%d" : "%s", lost, n);
        if (length < 0 || length >= (int)sizeof name)
            return dt_fail_errno(error, ENAMETOOLONG, file, "rename");
        if (lstat(name, &there) != 0 || there.st_size == 0)
            break;
    }
    return rename(file, name) == 0 ? DT_OK : dt_fail_errno(error, errno, file, "rename");
}

/* What the new index leaves out gets another name, and numbers that are missing a file of that name, so that a run may
 * go on over the hole. */
static dt_status name_lost(recover *r, dt_error *error)
{
    const dt_capture_part *part;
    char name[DT_SEGMENT_NAME], lost_name[DT_SEGMENT_NAME];
    int64_t next = 0;
    for (size_t i = 0; (part = dt_capture_reader_part(r->reader, i)); i++) {
        bool unfinished;
        const int64_t number = number_of(part, &unfinished), end = unfinished ? number : number + 1;
        for (; next < end && next < DT_SEGMENTS_MAX; next++) {
            dt_segment_name(next, name);
            dt_segment_lost_name(next, lost_name);
            const char *file = in_run(r, name), *lost = in_run(r, lost_name);
            if (!file || !lost)
                return dt_fail_memory(error, "a file name");
            const bool there = access(file, F_OK) == 0;
            if (there && next == number && part->damaged && set_aside(file, lost, error) != DT_OK)
                return DT_IO;
            if (!there && access(lost, F_OK) != 0 && dt_file_write(lost, "", 0, error) != DT_OK)
                return DT_IO;
        }
    }
    return DT_OK;
}

/* --- a plain file --- */

/* In the place of the one that was not closed; that stays under another name where something of it is lost. */
static dt_status recover_plain(recover *r, bool has_ended, dt_error *error)
{
    const char *path = dt_capture_reader_path(r->reader);
    const dt_capture_part *part = dt_capture_reader_part(r->reader, 0);
    dt_salvage s;
    if (has_ended && !part->damaged && !r->out)
        return DT_OK;
    dt_status status = dt_salvage_open(&s, path, r->out ? r->out : path, error);
    if (status == DT_OK && !s.reader) {
        r->told->lost++;
        say(r, "lost: %.500s", s.why);
    } else if (status == DT_OK) {
        r->told->salvaged = s.steps;
        r->told->lost += s.begun;
        if (s.begun)
            say(r, "lost: %s: %" PRId64 " steps that were begun and are not whole", path, s.begun);
        char *kept = in_run(r, "capture.h5.unrecovered");
        if (!kept)
            status = dt_fail_memory(error, "a file name");
        else if (!r->out && (s.begun || s.copy) && link(path, kept) != 0 && errno != EEXIST)
            status = dt_fail_errno(error, errno, kept, "keep the damaged file as");
        if (status == DT_OK)
            status = dt_capture_copy(
                s.reader, r->out ? r->out : path,
                &(dt_copy_options){.filters_kept = true, .status = "recovered", .replace = !r->out}, error);
        if (status == DT_OK)
            say(r, "%s: %" PRId64 " steps", r->out ? r->out : path, s.steps);
        r->told->changed = status == DT_OK;
    }
    dt_salvage_clear(&s);
    return status;
}

/* --- all of it --- */

static dt_status judge_index(recover *r, bool *has_ended, dt_error *error)
{
    const dt_capture_part *part;
    char *text;
    dt_error why = {0};
    dt_capture_reader *whole = NULL;
    *has_ended = false;
    dt_status status = dt_capture_reader_text(r->reader, "status", &text, &why);
    if (status == DT_OK && text)
        *has_ended = strcmp(text, "running") != 0;
    dt_capture_release(text);
    if (status != DT_OK && status != DT_MALFORMED)
        return dt_fail(error, status, "%s", why.message);
    r->index_is_good = *has_ended && !dt_capture_reader_index_fault(r->reader);
    if (r->index_is_good && dt_capture_reader_open(&whole, r->run, DT_CAPTURE_WHOLE, NULL) != DT_OK)
        r->index_is_good = false;
    for (size_t i = 0; whole && (part = dt_capture_reader_part(whole, i)); i++)
        r->index_is_good = r->index_is_good && (part->damaged || part->unfinished || !part->unindexed);
    dt_capture_reader_close(whole);
    return DT_OK;
}

static dt_status recover_segments(recover *r, dt_error *error)
{
    const dt_capture_part *part;
    dt_status status = DT_OK;
    const bool out = r->out != NULL;
    dt_salvage s = {0};
    for (size_t i = 0; status == DT_OK && !out && (part = dt_capture_reader_part(r->reader, i)); i++)
        if (part->unfinished)
            status = take_part(r, i, error);
    if (status == DT_OK)
        status = inspect_all(r, error);
    if (status == DT_OK && !out && r->index_is_good && !r->told->changed && !r->told->lost)
        return name_lost(r, error);
    if (status != DT_OK)
        return status;
    if (!out) {
        status = write_index(r, error);
        if (status == DT_OK)
            status = check_index(r, error);
        if (status == DT_OK)
            status = name_lost(r, error);
        r->told->changed = true;
        return status;
    }
    for (size_t i = 0; status == DT_OK && (part = dt_capture_reader_part(r->reader, i)); i++) {
        bool unfinished;
        if (!part->unfinished || s.reader || has_segment(r, number_of(part, &unfinished)))
            continue;
        status = dt_salvage_open(&s, part->path, r->out, error);
        r->told->lost += s.begun + (status == DT_OK && !s.reader);
        r->told->salvaged += s.steps;
        if (status == DT_OK && s.reader && s.steps > 0)
            status = dt_capture_reader_admit(r->reader, i, s.reader, error);
    }
    if (status == DT_OK)
        status = dt_capture_copy(
            r->reader, r->out,
            &(dt_copy_options){.chunks = DT_CHUNKS_BOTH, .filters_kept = true, .status = "recovered"}, error);
    dt_salvage_clear(&s);
    r->told->changed = status == DT_OK;
    return status;
}

dt_status dt_capture_recover(const char *run, const char *out, dt_recovery *recovery, dt_error *error)
{
    recover r = {.run = run, .out = out, .told = recovery};
    bool has_ended = false;
    recovery->changed = false;
    recovery->salvaged = recovery->lost = 0;
    dt_status status = dt_capture_reader_open(&r.reader, run, DT_CAPTURE_ALL, error);
    if (status != DT_OK)
        return status;
    if (out && access(out, F_OK) == 0)
        status = dt_fail(error, DT_EXISTS, "%s: exists already; choose another name", out);
    if (status == DT_OK)
        status = judge_index(&r, &has_ended, error);
    if (status == DT_OK)
        status =
            dt_capture_reader_is_index(r.reader) ? recover_segments(&r, error) : recover_plain(&r, has_ended, error);
    dt_arena_clear(&r.names);
    dt_capture_reader_close(r.reader);
    return status;
}
