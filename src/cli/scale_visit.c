#include "cli/scale_visit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/split.h"
#include "cli/config.h"
#include "cli/network.h"
#include "cli/signals.h"
#include "deltoid/deltoid.h"
#include "deltoid/record.h"
#include "machine/processors.h"
#include "parallel/laps.h"
#include "study/series.h"

static const char report_magic[8] = "dtvisit1";

/* --- the order --- */

enum { FIXED = 12 }; /* arguments before the changes, the word itself among them */

char **dt_visit_arguments(const dt_visit_order *o, const char *program, int fd, dt_arena *arena)
{
    char **argv = dt_arena_allocate(arena, o->change_count + FIXED + 2, sizeof *argv), number[64];
    if (!argv)
        return NULL;
    size_t n = 0;
    argv[n++] = dt_arena_duplicate(arena, program);
    argv[n++] = dt_arena_duplicate(arena, DT_VISIT_WORD);
    argv[n++] = dt_arena_duplicate(arena, o->experiment);
    argv[n++] = dt_arena_duplicate(arena, o->capture);
    argv[n++] = dt_arena_duplicate(arena, o->metric);
    const double reals[] = {(double)fd, o->chunk,          (double)o->chunks, (double)o->first_steps,
                            o->target,  (double)o->epochs, (double)o->checks};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        snprintf(number, sizeof number, "%.17g", reals[i]);
        argv[n++] = dt_arena_duplicate(arena, number);
    }
    for (size_t i = 0; i < o->change_count; i++)
        argv[n++] = dt_arena_duplicate(arena, o->changes[i]);
    for (size_t i = 0; i < n; i++)
        if (!argv[i])
            return NULL;
    return argv;
}

/* The same back; false where these are not they. */
static bool parse_order(dt_visit_order *o, int *fd, int argc, char **argv)
{
    double reals[FIXED - 5 + 1];
    if (argc < FIXED - 1)
        return false;
    for (int i = 0; i < FIXED - 5; i++) {
        char *end;
        reals[i] = strtod(argv[4 + i], &end);
        if (*end)
            return false;
    }
    *fd = (int)reals[0];
    *o = (dt_visit_order){.experiment = argv[1],
                          .capture = argv[2],
                          .metric = argv[3],
                          .chunk = reals[1],
                          .chunks = (int64_t)reals[2],
                          .first_steps = (int64_t)reals[3],
                          .target = reals[4],
                          .epochs = (int64_t)reals[5],
                          .checks = (int64_t)reals[6],
                          .changes = (const char *const *)(argv + FIXED - 1),
                          .change_count = (size_t)(argc - FIXED + 1)};
    return o->chunks >= 0 && o->chunks <= DT_VISIT_CHUNKS_MAX;
}

/* --- measuring --- */

/* What lives while a visit lasts. */
typedef struct visit {
    const dt_visit_order *order;
    dt_config config;
    dt_data data;
    dt_trainer *trainer;
    dt_capture *capture;
    dt_trainer_info info;
    dt_visit_report report;
    dt_visit_chunk *chunks; /* (order.chunks) */
    dt_visit_target target;
    dt_study_phase **profile; /* (order.chunks + 1): the rows so far, before chunk i */
    int64_t *profile_rows;
    dt_study_phase *phases;
    dt_witness before; /* the timed part */
    int64_t step;
    dt_arena arena;
} visit;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static dt_status open_all(visit *v, dt_error *error)
{
    const dt_visit_order *o = v->order;
    dt_status status = dt_config_open(&v->config, o->experiment, o->changes, o->change_count, error);
    if (status != DT_OK)
        return status;
    if (strcmp(o->capture, "-") == 0)
        v->config.experiment.capture_count = 0;
    status = dt_data_open_all(&v->data, &v->config, error);
    const dt_trainer_data view = dt_data_view(&v->data);
    if (status == DT_OK)
        status = dt_trainer_create(&v->trainer, &v->config.experiment, &view, error);
    if (status == DT_OK)
        status = dt_network_begin(v->trainer, &v->config, error);
    if (status == DT_OK) {
        dt_trainer_describe(v->trainer, &v->info);
        snprintf(v->report.isa, sizeof v->report.isa, "%s", v->info.isa);
        dt_signals_watch(v->trainer);
    }
    if (status == DT_OK && v->config.experiment.capture_count)
        status = dt_capture_create(&v->capture, o->capture, v->trainer, v->config.text, "{}", NULL, error);
    return status == DT_OK && o->chunks ? dt_trainer_profile(v->trainer, error) : status;
}

/* Samples in the first `step` steps: the last minibatch of an epoch may be short. */
static int64_t samples_until(const visit *v, int64_t step)
{
    const int64_t epochs = step / v->info.steps_per_epoch, rest = step % v->info.steps_per_epoch;
    return epochs * v->info.train_rows + rest * v->config.experiment.training.batch_size;
}

static dt_status run_steps(visit *v, int64_t steps, double *seconds, dt_error *error)
{
    const double begin = now();
    const dt_status status = dt_trainer_steps(v->trainer, steps, error);
    *seconds = now() - begin;
    v->step += steps;
    return status;
}

static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Steps that take about `chunk` seconds; by the workers' own time where others keep them waiting, so that a disturbed
 * visit has chunks as long as another. */
static dt_status size_chunks(visit *v, int64_t *steps, dt_error *error)
{
    double seconds = 0;
    dt_status status = DT_OK;
    for (*steps = 1; status == DT_OK; *steps *= 2) {
        const double before = processor_seconds();
        status = run_steps(v, *steps, &seconds, error);
        seconds = fmin(seconds, (processor_seconds() - before) / (double)v->info.workers);
        if (seconds >= v->order->chunk / 4 || *steps >= INT64_C(1) << 40)
            break;
    }
    *steps = dt_max(1, llround((double)*steps * v->order->chunk / fmax(seconds, 1e-9)));
    return status;
}

/* Where the first two workers are, and how fast. Another worker's team sleeps meanwhile. */
static void look_at_places(visit *v, char place[16], bool first)
{
    dt_placement p;
    if (v->info.workers < 2) {
        snprintf(place, 16, "%s", dt_place_name(DT_PLACE_ONE_CORE));
        const double peak = dt_machine_peak(DT_FLOAT32); /* as the study's own probe */
        v->report.fma_alone = first ? peak : fmin(peak, v->report.fma_alone);
        return;
    }
    int own, next; /* where placement has bound them, the calling thread alone knows of one */
    dt_processors_of_two(&own, &next);
    if (dt_machine_placement(own, next, 0, &p, NULL) != DT_OK)
        return;
    snprintf(place, 16, "%s", dt_place_name(p.place));
    v->report.line_ns = p.ns;
    v->report.fma_alone = p.alone;
    v->report.fma_both = p.both;
}

/* The profile's rows so far. */
static dt_status keep_profile(visit *v, int64_t at, dt_error *error)
{
    dt_profile_row row;
    size_t n = 0;
    while (dt_trainer_profile_row(v->trainer, n, &row))
        n++;
    dt_study_phase *rows = dt_arena_allocate(&v->arena, n ? n : 1, sizeof *rows);
    if (!rows)
        return dt_fail_memory(error, "a visit's profile");
    for (size_t i = 0; i < n && dt_trainer_profile_row(v->trainer, i, &row); i++)
        rows[i] = (dt_study_phase){.worker = row.worker,
                                   .phase = row.phase,
                                   .l = row.l,
                                   .steps = row.steps,
                                   .seconds = row.seconds,
                                   .flop = row.flop,
                                   .bytes = row.bytes};
    v->profile[at] = rows;
    v->profile_rows[at] = (int64_t)n;
    return DT_OK;
}

/* The profile of all that came after the warm-up. */
static dt_status finish_profile(visit *v, dt_error *error)
{
    const int64_t last = v->report.chunks, first = v->report.warmup;
    v->phases = dt_arena_allocate(&v->arena, (size_t)dt_max(1, v->profile_rows[last]), sizeof *v->phases);
    if (!v->phases)
        return dt_fail_memory(error, "a visit's profile");
    for (int64_t i = 0; i < v->profile_rows[last]; i++) {
        dt_study_phase row = v->profile[last][i];
        for (int64_t j = 0; j < v->profile_rows[first]; j++) {
            const dt_study_phase *b = &v->profile[first][j];
            if (b->worker == row.worker && b->phase == row.phase && b->l == row.l) {
                row.steps -= b->steps;
                row.seconds -= b->seconds;
                row.flop -= b->flop;
                row.bytes -= b->bytes;
            }
        }
        v->phases[i] = row;
    }
    v->report.phases = v->profile_rows[last];
    return DT_OK;
}

/* What a look at the clock costs, and what a step's looks are of it. */
static void weigh_timers(visit *v)
{
    enum { LOOKS = 20000 };
    volatile uint64_t sum = 0; /* so that no look is left out */
    const double begin = now();
    for (int i = 0; i < LOOKS; i++)
        sum = sum + dt_ticks();
    v->report.timer_ns = 1e9 * (now() - begin) / LOOKS;
    int64_t looks = 4, steps = 0; /* a step looks at rest three times and at wait twice */
    double seconds = 0;
    for (int64_t i = 0; i < v->report.phases; i++)
        looks += v->phases[i].worker == 0;
    for (int64_t c = v->report.warmup; c < v->report.chunks; c++) {
        steps += v->chunks[c].steps;
        seconds += v->chunks[c].seconds;
    }
    v->report.timer_share = seconds > 0 ? 1e-9 * v->report.timer_ns * (double)looks * (double)steps / seconds : NAN;
}

static dt_status find_warmup(visit *v, dt_error *error)
{
    const int64_t n = v->report.chunks;
    double *x = dt_arena_allocate(&v->arena, (size_t)dt_max(1, n), sizeof *x);
    if (!x)
        return dt_fail_memory(error, "a visit");
    for (int64_t c = 0; c < n; c++)
        x[c] = v->chunks[c].seconds / (double)v->chunks[c].steps;
    v->report.warmup = n ? dt_warmup(x, n, NULL) : 0;
    return DT_OK;
}

static dt_status time_chunks(visit *v, dt_error *error)
{
    const dt_visit_order *o = v->order;
    int64_t steps;
    dt_status status = size_chunks(v, &steps, error);
    look_at_places(v, v->report.place_before, true);
    dt_witness_take(&v->before, true);
    dt_witness before = v->before, after = before;
    for (int64_t c = 0; status == DT_OK && c < o->chunks; c++) {
        dt_visit_chunk *chunk = &v->chunks[c];
        status = keep_profile(v, c, error);
        if (status != DT_OK)
            break;
        dt_witness_take(&before, true);
        const int64_t first = v->step;
        status = run_steps(v, steps, &chunk->seconds, error);
        dt_witness_take(&after, true);
        chunk->steps = steps;
        chunk->samples = samples_until(v, v->step) - samples_until(v, first);
        chunk->flags = dt_contention_judge(&before, &after, v->info.workers, false);
        v->report.chunks = c + 1;
    }
    if (status == DT_OK)
        status = keep_profile(v, v->report.chunks, error);
    if (status == DT_OK)
        status = find_warmup(v, error);
    if (status == DT_OK)
        status = finish_profile(v, error);
    return status;
}

/* --- to a target --- */

static const struct {
    const char *name;
    bool validation, accuracy;
} metrics[] = {{"test_loss", false, false},
               {"test_accuracy", false, true},
               {"validation_loss", true, false},
               {"validation_accuracy", true, true}};

enum { METRICS = sizeof metrics / sizeof *metrics };

static size_t metric_of(const char *name)
{
    size_t m = 0;
    while (m < METRICS && strcmp(metrics[m].name, name) != 0)
        m++;
    return m;
}

bool dt_visit_metric_known(const char *metric)
{
    return metric_of(metric) < METRICS;
}

bool dt_visit_metric_has_data(const char *metric, const dt_experiment *experiment, const dt_data *data)
{
    const size_t m = metric_of(metric);
    if (m == METRICS)
        return false;
    return metrics[m].validation ? data->validation || experiment->data.validation_fraction > 0 : data->test != NULL;
}

static dt_status reach_target(visit *v, dt_error *error)
{
    const dt_visit_order *o = v->order;
    const size_t m = metric_of(o->metric);
    if (!dt_visit_metric_has_data(o->metric, &v->config.experiment, &v->data))
        return dt_fail(error, DT_INVALID, "target.metric: the experiment has no data for '%s'", o->metric);
    const int64_t most = o->epochs * v->info.steps_per_epoch;
    const int64_t each = dt_max(1, v->info.steps_per_epoch / dt_max(1, o->checks));
    dt_visit_target *t = &v->target;
    dt_status status = DT_OK;
    dt_evaluation e;
    t->value = NAN;
    v->report.targets = 1;
    while (status == DT_OK && v->step < most && !t->reached) {
        double seconds;
        status = run_steps(v, dt_min(each, most - v->step), &seconds, error);
        t->seconds += seconds;
        if (status == DT_OK)
            status = metrics[m].validation ? dt_trainer_evaluate_validation(v->trainer, &e, error)
                                           : dt_trainer_evaluate(v->trainer, v->data.test, &e, NULL, error);
        if (status != DT_OK)
            break;
        t->value = metrics[m].accuracy ? e.accuracy : e.loss;
        t->reached = metrics[m].accuracy ? t->value >= o->target : t->value <= o->target;
    }
    if (status == DT_DIVERGED) /* an answer, too: this minibatch doesn't get there */
        status = DT_OK;
    t->steps = v->step;
    t->epochs = dt_ceil_div(v->step, v->info.steps_per_epoch);
    return status;
}

/* --- the visit --- */

static dt_status measure(visit *v, dt_error *error)
{
    const dt_visit_order *o = v->order;
    dt_status status = open_all(v, error);
    if (status != DT_OK)
        return status;
    v->chunks = dt_arena_allocate(&v->arena, (size_t)dt_max(1, o->chunks), sizeof *v->chunks);
    v->profile = dt_arena_allocate(&v->arena, (size_t)o->chunks + 1, sizeof *v->profile);
    v->profile_rows = dt_arena_allocate(&v->arena, (size_t)o->chunks + 1, sizeof *v->profile_rows);
    if (!v->chunks || !v->profile || !v->profile_rows)
        return dt_fail_memory(error, "a visit");
    v->report.steps = o->first_steps;
    dt_witness_take(&v->before, true);
    if (o->first_steps)
        status = run_steps(v, o->first_steps, &v->target.seconds, error);
    if (status == DT_OK)
        status = dt_trainer_weights_sha256(v->trainer, v->report.weights, error);
    if (status == DT_OK && o->chunks)
        status = time_chunks(v, error);
    else if (status == DT_OK)
        status = reach_target(v, error);
    return status;
}

/* What came by while it was timed. */
static void look_back(visit *v)
{
    dt_visit_report *r = &v->report;
    const dt_witness *a = &v->before;
    dt_witness b;
    struct rusage use;
    dt_witness_take(&b, true);
    if (v->trainer && v->order->chunks) {
        look_at_places(v, r->place_after, false);
        if (strcmp(r->place_before, r->place_after) != 0)
            r->flags |= DT_DISTURBED_MOVED;
    }
    const int64_t workers = dt_max(1, v->info.workers);
    r->flags |= dt_contention_judge(a, &b, workers, true);
    r->voluntary = b.voluntary - a->voluntary;
    r->involuntary = b.involuntary - a->involuntary;
    r->throttled_us = b.throttled_us - a->throttled_us;
    r->pressure_us = b.pressure_us - a->pressure_us;
    r->steal_us = llround(1e6 * (b.steal - a->steal));
    r->page_faults = b.page_faults - a->page_faults;
    r->cpu_share = dt_contention_share(a, &b, workers);
    r->others = dt_contention_others(a, &b);
    dt_witness_processors(r->processors, sizeof r->processors);
    r->delay = dt_contention_delay(a, &b, workers) / (b.seconds - a->seconds);
    if (getrusage(RUSAGE_SELF, &use) == 0)
        r->rss_bytes = (int64_t)use.ru_maxrss * 1024;
}

static void close_all(visit *v)
{
    if (v->capture)
        dt_capture_close(v->capture, "complete", NULL);
    dt_signals_forget();
    dt_trainer_destroy(v->trainer);
    dt_data_close(&v->data);
    dt_config_clear(&v->config);
}

dt_status dt_visit_main(int argc, char **argv, dt_error *error)
{
    dt_visit_order order;
    int fd;
    if (!parse_order(&order, &fd, argc, argv))
        return dt_fail(error, DT_INVALID, "%s is what deltoid scale starts for itself; see deltoid help scale",
                       DT_VISIT_WORD);
    visit v = {.order = &order};
    dt_visit_report *r = &v.report;
    memcpy(r->magic, report_magic, sizeof r->magic);
    r->line_ns = r->fma_alone = r->fma_both = r->timer_ns = r->timer_share = r->loss = NAN;
    dt_error own = {0};
    r->status = measure(&v, &own);
    look_back(&v);
    if (r->status == DT_OK && order.chunks)
        weigh_timers(&v);
    if (r->status != DT_OK)
        r->chunks = r->phases = r->targets = 0;
    snprintf(r->message, sizeof r->message, "%.390s", own.message);
    close_all(&v);
    dt_status status = dt_write_all(fd, r, sizeof *r, "the report's pipe", error);
    if (status == DT_OK)
        status = dt_write_all(fd, v.chunks, (size_t)r->chunks * sizeof *v.chunks, "the report's pipe", error);
    if (status == DT_OK)
        status = dt_write_all(fd, v.phases, (size_t)r->phases * sizeof *v.phases, "the report's pipe", error);
    if (status == DT_OK)
        status = dt_write_all(fd, &v.target, (size_t)r->targets * sizeof v.target, "the report's pipe", error);
    dt_arena_clear(&v.arena);
    return status;
}

/* --- the report, read --- */

/* `count` of `size` bytes behind the report, in the arena. */
static bool read_part(int fd, void **part, int64_t count, int64_t most, size_t size, dt_arena *arena)
{
    *part = count >= 0 && count <= most ? dt_arena_allocate(arena, (size_t)dt_max(1, count), size) : NULL;
    return *part && dt_read_exactly(fd, *part, (size_t)count * size);
}

dt_status dt_visit_read(int fd, dt_visit_report *r, dt_visit_chunk **chunks, dt_study_phase **phases,
                        dt_visit_target **targets, dt_arena *arena, dt_error *error)
{
    void *parts[3];
    if (!dt_read_exactly(fd, r, sizeof *r) || memcmp(r->magic, report_magic, sizeof r->magic) != 0 ||
        !read_part(fd, &parts[0], r->chunks, DT_VISIT_CHUNKS_MAX, sizeof **chunks, arena) ||
        !read_part(fd, &parts[1], r->phases, INT32_MAX, sizeof **phases, arena) ||
        !read_part(fd, &parts[2], r->targets, 1, sizeof **targets, arena))
        return dt_fail(error, DT_MALFORMED, "the measuring process ended before it had reported");
    *chunks = parts[0];
    *phases = parts[1];
    *targets = parts[2];
    return DT_OK;
}
