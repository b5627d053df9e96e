/* capture.h5: one observer a rule fills slots of a bounded queue, one thread writes them.
 *
 *     workers: begin (a free slot) -> samples, slice (copies, in parallel) -> end (commit)       HDF5 thread: append,
 * flush, give back
 *
 * The HDF5 thread never makes the team wait for a failure: after the first one it gives slots back unwritten, observers
 * stop asking for them, and the end of the epoch reports it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/memory.h"
#include "base/split.h"
#include "deltoid/record.h"
#include "record/capture_file.h"
#include "record/capture_layout.h"
#include "record/capture_observer.h"
#include "record/queue.h"
#include "record/segments_scan.h"

typedef struct capture_rule {
    dt_capture *capture;
    size_t index;
    const dt_capture_layout *layout;
    dt_statistics *statistics;
    dt_slot *slot;       /* the step at hand; NULL outside a watched step, after a failure, and where it was dropped */
    int64_t last;        /* step that was on disk before this process began; -1: none */
    int64_t all_dropped; /* of this process */
    _Atomic int64_t dropped; /* steps, since the file was told last */
} capture_rule;

struct dt_capture {
    char *path, *experiment, *provenance; /* the index is written with both as often as segments are finished */
    size_t count;
    capture_rule *rules;
    dt_capture_layout *layouts; /* one a rule */
    dt_queue *queue;
    dt_capture_file *file; /* the thread's, while it runs */
    pthread_t thread;
    bool running;
    _Atomic int64_t safe; /* dt_capture_safe */
    atomic_bool failed;
    dt_error failure; /* written before `failed`, read after it */
};

/* --- the HDF5 thread --- */

static void remember(dt_capture *capture, const dt_error *error)
{
    if (atomic_load(&capture->failed))
        return;
    capture->failure = *error;
    atomic_store(&capture->failed, true);
}

/* Tells the file of steps that found no slot. */
static void count_dropped(dt_capture *capture)
{
    for (size_t i = 0; i < capture->count; i++)
        dt_capture_file_drop(capture->file, i, atomic_exchange(&capture->rules[i].dropped, 0));
}

static void *write_steps(void *context)
{
    dt_capture *capture = context;
#ifdef __linux__
    (void)prctl(PR_SET_NAME, "deltoid-hdf5"); /* for top and debuggers */
#endif
    double deadline = -1; /* of what the file must do without a step to push it */
    for (;;) {
        dt_slot *slot;
        dt_error error = {0};
        dt_queue_event event = dt_queue_next(capture->queue, deadline, &slot);
        if (event == DT_QUEUE_CLOSED)
            return NULL;
        bool good = !atomic_load(&capture->failed);
        if (good && event == DT_QUEUE_SLOT)
            good = dt_capture_file_append(capture->file, slot->pool, slot->bytes, &error) == DT_OK;
        if (good && event == DT_QUEUE_MARK) {
            count_dropped(capture);
            good = dt_capture_file_seal(capture->file, &error) == DT_OK;
        }
        if (good)
            atomic_store(&capture->safe, dt_capture_file_safe(capture->file));
        deadline = -1;
        if (good && dt_capture_file_tend(capture->file, &deadline, &error) != DT_OK)
            good = false;
        if (!good && error.status != DT_OK)
            remember(capture, &error);
        if (slot)
            dt_queue_give_back(capture->queue, slot);
    }
}

/* Signals are for the program's own threads; a blocked SIGXFSZ becomes an error of write(2). */
static dt_status start_thread(dt_capture *capture, dt_error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&capture->thread, NULL, write_steps, capture);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    capture->running = failed == 0;
    return failed ? dt_fail(error, DT_SYSTEM,
                            "%s: can't start the thread that writes it; raise the limit of threads (ulimit -u)",
                            capture->path)
                  : DT_OK;
}

static void stop_thread(dt_capture *capture)
{
    if (!capture->running)
        return;
    dt_queue_close(capture->queue);
    pthread_join(capture->thread, NULL);
    capture->running = false;
}

/* --- the observers --- */

static bool watches(const void *self, int64_t step, int64_t epoch)
{
    (void)epoch;
    return dt_capture_rule_watches(((const capture_rule *)self)->layout->rule, step);
}

static void take_slot(capture_rule *rule, int64_t step)
{
    dt_queue *queue = rule->capture->queue;
    bool drop = rule->layout->rule->queue == DT_QUEUE_DROP && step > rule->last;
    rule->slot = drop ? dt_queue_try(queue, rule->index) : dt_queue_take(queue, rule->index);
    if (rule->slot)
        return;
    atomic_fetch_add(&rule->dropped, 1);
    rule->all_dropped++;
}

static void begin(void *self, const dt_step_view *view)
{
    capture_rule *rule = self;
    if (!rule->slot && !atomic_load(&rule->capture->failed)) /* a step that diverged has begun and not ended */
        take_slot(rule, view->step);
    if (!rule->slot)
        return;
    dt_capture_fill_begin(rule->layout, rule->statistics, view, rule->slot->bytes);
}

static void take_samples(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    capture_rule *rule = self;
    if (rule->slot)
        dt_capture_fill_samples(rule->layout, rule->statistics, view, first, count, rule->slot->bytes);
}

static const void *expect_slice(void *self, const dt_step_view *view, const dt_slice *part)
{
    (void)view;
    return dt_statistics_ahead(((const capture_rule *)self)->statistics, part);
}

static void take_slice(void *self, const dt_step_view *view, const dt_slice *part)
{
    capture_rule *rule = self;
    if (rule->slot)
        dt_capture_fill_slice(rule->layout, rule->statistics, view, part, rule->slot->bytes);
}

static void take_update(void *self, const dt_step_view *view, const dt_slice *part)
{
    capture_rule *rule = self;
    if (rule->slot)
        dt_statistics_updated(rule->statistics, view, part);
}

static void end(void *self, const dt_step_view *view)
{
    capture_rule *rule = self;
    if (!rule->slot)
        return;
    dt_statistics_finish(rule->statistics, view, rule->slot->bytes);
    if (view->step > rule->last)
        dt_queue_commit(rule->capture->queue, rule->slot);
    else /* it is on disk already; filled all the same, for what remembers the last captured step */
        dt_queue_give_back(rule->capture->queue, rule->slot);
    rule->slot = NULL;
}

static dt_status fail_as_thread(const dt_capture *capture, dt_error *error)
{
    if (!atomic_load(&capture->failed))
        return DT_OK;
    return dt_fail(error, capture->failure.status, "%s", capture->failure.message);
}

static dt_status epoch_done(void *self, const dt_epoch_report *report, dt_error *error)
{
    (void)report;
    return fail_as_thread(((const capture_rule *)self)->capture, error);
}

static dt_status observe(dt_capture *capture, dt_trainer *trainer, dt_error *error)
{
    for (size_t i = 0; i < capture->count; i++) {
        const dt_capture_rule *spec = capture->rules[i].layout->rule;
        bool fixed = spec->samples == DT_SAMPLES_ROWS;
        dt_observer observer = {.self = &capture->rules[i],
                                .probe_rows = fixed ? spec->sample_rows : NULL,
                                .probe_count = fixed ? spec->sample_count : 0,
                                .watches = watches,
                                .begin = begin,
                                .samples = take_samples,
                                .slice = take_slice,
                                .ahead = expect_slice,
                                .updated = dt_statistics_compares(capture->rules[i].layout) ? take_update : NULL,
                                .end = end,
                                .epoch = epoch_done};
        dt_status status = dt_trainer_observe(trainer, &observer, error);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

/* --- making and closing --- */

static void destroy(dt_capture *capture)
{
    if (!capture)
        return;
    stop_thread(capture);
    dt_queue_destroy(capture->queue);
    for (size_t i = 0; i < capture->count; i++) {
        dt_statistics_destroy(capture->rules[i].statistics);
        dt_capture_layout_clear(&capture->layouts[i]);
    }
    dt_release(capture->rules);
    dt_release(capture->layouts);
    dt_release(capture->path);
    dt_release(capture->experiment);
    dt_release(capture->provenance);
    dt_release(capture);
}

/* One layout a rule, each cleared also where it failed; NULL where there is no memory for them. */
static dt_status make_layouts(dt_capture_layout **layouts, const dt_trainer *trainer, dt_error *error)
{
    const dt_experiment *experiment = dt_trainer_experiment(trainer);
    const size_t count = experiment->capture_count;
    dt_trainer_info info;
    int64_t units[DT_LAYERS_MAX + 1];
    dt_trainer_describe(trainer, &info);
    for (int64_t l = 0; l <= dt_min(info.layers, DT_LAYERS_MAX); l++)
        units[l] = dt_trainer_units(trainer, l);
    *layouts = dt_allocate_zeroed(count, sizeof **layouts);
    dt_status status = *layouts ? DT_OK : dt_fail_memory(error, "the capture's rules");
    for (size_t i = 0; status == DT_OK && i < count; i++)
        status = dt_capture_layout_init(&(*layouts)[i], experiment, &info, units, i, DT_CAPTURE_MEMORY / count, error);
    return status;
}

static dt_status make_rules(dt_capture *capture, const dt_trainer *trainer, dt_error *error)
{
    const size_t count = dt_trainer_experiment(trainer)->capture_count;
    if (count == 0)
        return dt_fail(error, DT_INVALID, "%s: the experiment has no capture rule", capture->path);
    capture->rules = dt_allocate_zeroed(count, sizeof *capture->rules);
    if (!capture->rules)
        return dt_fail_memory(error, "the capture's rules");
    dt_status status = make_layouts(&capture->layouts, trainer, error);
    capture->count = capture->layouts ? count : 0;
    for (size_t i = 0; status == DT_OK && i < count; i++) {
        capture->rules[i].capture = capture;
        capture->rules[i].index = i;
        capture->rules[i].layout = &capture->layouts[i];
        status = dt_statistics_create(&capture->rules[i].statistics, &capture->layouts[i], error);
    }
    return status;
}

static dt_status make_queue(dt_capture *capture, dt_error *error)
{
    dt_queue_pool *pools = dt_allocate(capture->count, sizeof *pools);
    if (!pools)
        return dt_fail_memory(error, "the capture's queue");
    for (size_t i = 0; i < capture->count; i++)
        pools[i] = (dt_queue_pool){capture->layouts[i].slots, capture->layouts[i].slot_bytes};
    dt_status status = dt_queue_create(&capture->queue, pools, capture->count, error);
    dt_release(pools);
    return status;
}

static dt_status keep_texts(dt_capture *capture, const char *experiment, const char *provenance, dt_error *error)
{
    capture->experiment = dt_duplicate(experiment);
    capture->provenance = dt_duplicate(provenance);
    return capture->experiment && capture->provenance ? DT_OK : dt_fail_memory(error, "the capture's attributes");
}

dt_status dt_capture_create(dt_capture **capture, const char *path, dt_trainer *trainer, const char *experiment_text,
                            const char *provenance, const dt_capture_options *options, dt_error *error)
{
    *capture = NULL;
    dt_capture *c = dt_allocate_zeroed(1, sizeof *c);
    if (!c)
        return dt_fail_memory(error, "a capture");
    c->path = dt_duplicate(path);
    dt_status status = c->path ? make_rules(c, trainer, error) : dt_fail_memory(error, "a file name");
    if (status == DT_OK)
        status = make_queue(c, error);
    if (status == DT_OK)
        status = keep_texts(c, experiment_text, provenance, error);
    if (status == DT_OK)
        status =
            dt_capture_file_create(&c->file, path, c->layouts, c->count, c->experiment, c->provenance, options, error);
    if (status != DT_OK)
        goto fail;
    for (size_t i = 0; i < c->count; i++)
        c->rules[i].last = dt_capture_file_last(c->file, i);
    atomic_store(&c->safe, dt_capture_file_safe(c->file));
    status = start_thread(c, error);
    if (status == DT_OK)
        status = observe(c, trainer, error);
    if (status != DT_OK)
        goto fail;
    *capture = c;
    return DT_OK;

fail:
    stop_thread(c);
    if (c->file && options && options->resume)
        dt_capture_file_close(c->file, "interrupted", NULL);
    else if (c->file)
        dt_capture_file_discard(c->file);
    destroy(c);
    return status;
}

dt_status dt_capture_seal(dt_capture *capture, dt_error *error)
{
    dt_queue_mark(capture->queue);
    return fail_as_thread(capture, error);
}

int64_t dt_capture_safe(const dt_capture *capture)
{
    return atomic_load(&capture->safe);
}

dt_status dt_capture_safe_in(const char *path, const dt_trainer *trainer, int64_t *safe, bool *lost, dt_error *error)
{
    const size_t count = dt_trainer_experiment(trainer)->capture_count;
    dt_capture_layout *layouts;
    int64_t *last = dt_allocate(count, sizeof *last);
    dt_status status = make_layouts(&layouts, trainer, error);
    if (status == DT_OK && !last)
        status = dt_fail_memory(error, "the capture's rules");
    if (status == DT_OK)
        status = dt_segments_look(path, layouts, count, last, lost, error);
    if (status == DT_OK)
        *safe = dt_segments_safe(layouts, count, last);
    for (size_t i = 0; layouts && i < count; i++)
        dt_capture_layout_clear(&layouts[i]);
    dt_release(layouts);
    dt_release(last);
    return status;
}

int64_t dt_capture_dropped(const dt_capture *capture)
{
    int64_t dropped = 0;
    for (size_t i = 0; i < capture->count; i++)
        dropped += capture->rules[i].all_dropped;
    return dropped;
}

dt_status dt_capture_close(dt_capture *capture, const char *status_text, dt_error *error)
{
    stop_thread(capture);
    count_dropped(capture);
    dt_error failure = {0};
    dt_status status = dt_capture_file_close(capture->file, status_text, &failure);
    if (atomic_load(&capture->failed))
        failure = capture->failure;
    destroy(capture);
    if (failure.status == DT_OK)
        return status;
    return dt_fail(error, failure.status, "%s", failure.message);
}

/* --- what a resumed run needs --- */

static const char state_magic[8] = "dtcapst1";

size_t dt_capture_state_size(const dt_capture *capture)
{
    size_t bytes = 0;
    for (size_t i = 0; i < capture->count; i++)
        bytes += dt_statistics_state_size(capture->rules[i].statistics);
    return bytes ? sizeof state_magic + sizeof(int64_t) + bytes : 0;
}

static int64_t rules_with_state(const dt_capture *capture)
{
    int64_t count = 0;
    for (size_t i = 0; i < capture->count; i++)
        count += dt_statistics_state_size(capture->rules[i].statistics) > 0;
    return count;
}

void dt_capture_state_save(const dt_capture *capture, void *bytes)
{
    const int64_t count = rules_with_state(capture);
    char *to = bytes;
    if (count == 0)
        return;
    memcpy(to, state_magic, sizeof state_magic);
    memcpy(to + sizeof state_magic, &count, sizeof count);
    to += sizeof state_magic + sizeof count;
    for (size_t i = 0; i < capture->count; i++) {
        dt_statistics_state_save(capture->rules[i].statistics, to);
        to += dt_statistics_state_size(capture->rules[i].statistics);
    }
}

dt_status dt_capture_state_load(dt_capture *capture, const void *bytes, size_t size, dt_error *error)
{
    const int64_t count = rules_with_state(capture);
    const char *from = bytes;
    if (size != dt_capture_state_size(capture) ||
        (size && (memcmp(from, state_magic, sizeof state_magic) != 0 ||
                  memcmp(from + sizeof state_magic, &count, sizeof count) != 0)))
        return dt_fail(error, DT_INVALID,
                       "%s: the captures' state in the checkpoint is of other capture rules; resume with the "
                       "experiment of the run",
                       capture->path);
    from += size ? sizeof state_magic + sizeof count : 0;
    for (size_t i = 0; i < capture->count; i++) {
        dt_statistics_state_load(capture->rules[i].statistics, from);
        from += dt_statistics_state_size(capture->rules[i].statistics);
    }
    return DT_OK;
}
