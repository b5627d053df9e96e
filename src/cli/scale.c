/* deltoid scale: a scaling study, each measurement a process of its own, in blocks of random order. */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/split.h"
#include "cli/command.h"
#include "cli/paths.h"
#include "cli/scale_points.h"
#include "cli/terminal.h"
#include "deltoid/machine.h"
#include "deltoid/record.h"
#include "study/analysis.h"
#include "study/order.h"

extern char **environ;

/* How far a point is. */
typedef struct progress {
    double *values; /* (value_count) of visits that count, seconds a step, ascending */
    int64_t value_count, failures;
    bool done;
    char hash[65]; /* of the first visit */
} progress;

typedef struct scale {
    const dt_scale_plan *plan;
    const char *folder;
    progress *points;
    double spent; /* seconds of visits so far */
    double peak;  /* GFLOP/s of an undisturbed core; 0: not known */
    int64_t next_visit, blocks, differing;
    bool quiet;
    dt_arena *arena;
} scale;

static volatile sig_atomic_t stopped; /* by which signal */

static void on_signal(int number)
{
    stopped = number;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* --- the folder --- */

static dt_status make_folders(const char *path, dt_arena *arena, dt_error *error)
{
    char *at = dt_arena_duplicate(arena, path);
    if (!at)
        return dt_fail_memory(error, "a path");
    for (char *slash = at + 1;; *slash++ = '/') {
        slash += strcspn(slash, "/");
        const bool last = !*slash;
        *slash = '\0';
        if (mkdir(at, 0777) != 0 && errno != EEXIST)
            return dt_fail(error, DT_IO, "%s: can't be made: %s; use --out to name a folder that can", at,
                           strerror(errno));
        if (last)
            return DT_OK;
    }
}

/* The resolved study and experiments, by which it can be repeated, and empty tables. */
static dt_status begin(scale *s, dt_error *error)
{
    const dt_scale_plan *plan = s->plan;
    const char *experiments = dt_path_join(s->arena, s->folder, "experiments");
    const char *file = dt_path_join(s->arena, s->folder, "study.yaml");
    dt_status status =
        experiments && file ? make_folders(experiments, s->arena, error) : dt_fail_memory(error, "a path");
    if (status == DT_OK)
        status = dt_file_write(file, plan->text, strlen(plan->text), error);
    for (size_t w = 0; status == DT_OK && w < plan->workload_count; w++) {
        char name[80];
        snprintf(name, sizeof name, "%s.yaml", plan->workloads[w].name);
        const char *path = dt_path_join(s->arena, experiments, name);
        status = path ? dt_file_write(path, plan->workloads[w].text, plan->workloads[w].text_size, error)
                      : dt_fail_memory(error, "a path");
    }
    return status == DT_OK ? dt_study_begin(&plan->study, s->folder, error) : status;
}

static void add_value(progress *p, double value)
{
    int64_t i = p->value_count++;
    for (; i > 0 && p->values[i - 1] > value; i--)
        p->values[i] = p->values[i - 1];
    p->values[i] = value;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds a step of a visit's chunks that count; NAN where none does. */
static double value_of(const dt_study_sample *samples, size_t count, int64_t visit, dt_arena *arena)
{
    double *x = dt_arena_allocate(arena, count ? count : 1, sizeof *x);
    int64_t n = 0;
    for (size_t i = 0; x && i < count; i++)
        if (samples[i].visit == visit && !samples[i].warmup && !samples[i].flagged)
            x[n++] = samples[i].seconds / (double)samples[i].steps;
    if (n == 0)
        return NAN;
    qsort(x, (size_t)n, sizeof *x, compare_doubles);
    return dt_median(x, n);
}

static void note_hash(scale *s, int64_t point, const char *hash)
{
    char *first = s->points[point].hash;
    if (!*hash)
        return;
    if (!*first)
        snprintf(first, sizeof s->points[point].hash, "%.64s", hash);
    else if (strcmp(first, hash) != 0 && s->plan->study.points[point].deterministic)
        s->differing++;
}

/* What a study that goes on has already; its points must be those of the file. */
static dt_status take_up(scale *s, dt_error *error)
{
    dt_study study;
    dt_status status = dt_study_mend(s->folder, error);
    if (status == DT_OK)
        status = dt_study_open(&study, s->folder, s->arena, error);
    if (status != DT_OK)
        return status;
    bool same = study.point_count == s->plan->study.point_count && study.factor_count == s->plan->study.factor_count;
    for (size_t p = 0; same && p < study.point_count; p++)
        for (size_t f = 0; same && f < study.factor_count; f++)
            same = strcmp(study.points[p].values[f], s->plan->study.points[p].values[f]) == 0;
    if (!same)
        return dt_fail(error, DT_INVALID, "%s: has other points than this study; measure into another folder (--out)",
                       s->folder);
    for (size_t i = 0; i < study.visit_count; i++) {
        const dt_study_visit *v = &study.visits[i];
        const double value = value_of(study.samples, study.sample_count, v->visit, s->arena);
        s->spent += v->seconds;
        s->blocks = dt_max(s->blocks, v->block);
        s->points[v->point].failures += strcmp(v->state, "ok") != 0;
        if (strcmp(v->state, "ok") == 0 && !v->flagged && isfinite(value) &&
            s->points[v->point].value_count < s->plan->rule.most)
            add_value(&s->points[v->point], value);
        note_hash(s, v->point, v->weights_sha256);
    }
    s->next_visit = study.next_visit;
    return DT_OK;
}

/* --- visits --- */

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

/* Our environment with the point's own variables. */
static char **environment_of(const dt_scale_point *point, dt_arena *arena)
{
    const char *more[5];
    size_t count = 0, n = 0;
    while (environ[count])
        count++;
    char **all = dt_arena_allocate(arena, count + 6, sizeof *all);
    if (!all || !dt_scale_environment(point, more, arena))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        bool replaced = false;
        for (size_t m = 0; more[m]; m++)
            replaced = replaced || strncmp(environ[i], more[m], strcspn(more[m], "=") + 1) == 0;
        if (!replaced)
            all[n++] = environ[i];
    }
    for (size_t m = 0; more[m]; m++)
        if (!(all[n++] = dt_arena_duplicate(arena, more[m])))
            return NULL;
    return all;
}

typedef struct measured {
    dt_visit_report report;
    dt_visit_chunk *chunks;
    dt_study_phase *phases;
    dt_visit_target *targets;
    double started, seconds;
} measured;

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Starts the process, reads its report, waits for it. */
static dt_status measure(const scale *s, size_t point, measured *m, dt_arena *arena, dt_error *error)
{
    const dt_scale_plan *plan = s->plan;
    const dt_scale_point *p = &plan->points[point];
    char name[96], program[4096];
    snprintf(name, sizeof name, "experiments/%s.yaml", plan->workloads[p->workload].name);
    const char *scratch = dt_path_join(arena, s->folder, "visit");
    const dt_visit_order order = {
        .experiment = dt_path_join(arena, s->folder, name),
        .changes = p->changes,
        .change_count = p->change_count,
        .chunk = plan->chunk,
        .chunks = plan->chunks,
        .first_steps = plan->first_steps,
        .capture = plan->study.points[point].capture ? dt_path_join(arena, s->folder, "visit/capture.h5") : "-",
        .metric = plan->metric ? plan->metric : "-",
        .target = plan->target,
        .epochs = plan->epochs,
        .checks = plan->checks,
    };
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    int ends[2];
    if (length < 0)
        return dt_fail(error, DT_SYSTEM, "/proc/self/exe: %s; the program can't start itself", strerror(errno));
    program[length] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return dt_fail(error, DT_SYSTEM, "a pipe can't be made: %s", strerror(errno));
    const int given = fcntl(ends[1], F_DUPFD, 3); /* without close-on-exec */
    char **argv = order.experiment && order.capture ? dt_visit_arguments(&order, program, given, arena) : NULL;
    char **environment = environment_of(p, arena);
    close(ends[1]);
    dt_status status = argv && environment && scratch && given >= 0 ? DT_OK : dt_fail_memory(error, "a visit");
    if (status == DT_OK && mkdir(scratch, 0700) != 0 && errno != EEXIST)
        status = dt_fail(error, DT_IO, "%s: can't be made: %s", scratch, strerror(errno));
    m->started = clock_of(CLOCK_REALTIME);
    const double begin_at = clock_of(CLOCK_MONOTONIC);
    const pid_t pid = status == DT_OK ? fork() : -1;
    if (pid == 0) {
        (void)setpgid(0, 0); /* the terminal's Ctrl-C is this program's */
        execve(program, argv, environment);
        _exit(3);
    }
    close(given);
    if (status == DT_OK && pid < 0)
        status = dt_fail(error, DT_SYSTEM, "a visit can't be started: %s", strerror(errno));
    if (status == DT_OK)
        status = dt_visit_read(ends[0], &m->report, &m->chunks, &m->phases, &m->targets, arena, error);
    close(ends[0]);
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    if (scratch)
        (void)nftw(scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    m->seconds = clock_of(CLOCK_MONOTONIC) - begin_at;
    return status;
}

/* The visit as rows, appended to the record. *value: what it counts with, NAN for nothing. */
static dt_status keep(scale *s, size_t point, int64_t block, int64_t position, int64_t attempt, const measured *m,
                      double *value, bool *flagged, dt_arena *arena, dt_error *error)
{
    const dt_visit_report *r = &m->report;
    unsigned flags = r->flags;
    char names[80];
    if (s->peak > 0 && r->fma_alone < (1 - DT_SLOW_CORE) * s->peak)
        flags |= DT_DISTURBED_SLOW;
    dt_study_sample *samples = dt_arena_allocate(arena, (size_t)dt_max(1, r->chunks), sizeof *samples);
    if (!samples)
        return dt_fail_memory(error, "a visit");
    int64_t clean = 0;
    for (int64_t c = 0; c < r->chunks; c++) {
        char own[80];
        samples[c] = (dt_study_sample){
            .visit = s->next_visit,
            .point = (int64_t)point,
            .chunk = c,
            .steps = m->chunks[c].steps,
            .samples = m->chunks[c].samples,
            .seconds = m->chunks[c].seconds,
            .warmup = c < r->warmup,
            .flagged = m->chunks[c].flags != 0,
            .reasons = dt_arena_duplicate(arena, dt_contention_names(m->chunks[c].flags, own, sizeof own)),
        };
        clean += !samples[c].warmup && !samples[c].flagged;
    }
    const bool ok = r->status == DT_OK;
    *flagged = ok && (flags || (r->chunks && clean * 2 < r->chunks - r->warmup));
    *value = ok && !*flagged ? value_of(samples, (size_t)r->chunks, s->next_visit, arena) : NAN;
    const dt_study_visit visit = {
        .visit = s->next_visit,
        .block = block,
        .position = position,
        .point = (int64_t)point,
        .attempt = attempt,
        .started = m->started,
        .seconds = m->seconds,
        .state = ok ? "ok" : "failed",
        .chunks = r->chunks,
        .warmup = r->warmup,
        .flagged = *flagged,
        .reasons = ok ? (flags      ? dt_contention_names(flags, names, sizeof names)
                         : *flagged ? "chunks"
                                    : "")
                      : r->message,
        .voluntary = r->voluntary,
        .involuntary = r->involuntary,
        .throttled_us = r->throttled_us,
        .pressure_us = r->pressure_us,
        .steal_us = r->steal_us,
        .page_faults = r->page_faults,
        .cpu_share = r->cpu_share,
        .others = r->others,
        .place_before = r->place_before,
        .place_after = r->place_after,
        .line_ns = r->line_ns,
        .fma_alone = r->fma_alone,
        .fma_both = r->fma_both,
        .timer_ns = r->timer_ns,
        .timer_share = r->timer_share,
        .steps = r->steps,
        .weights_sha256 = r->weights,
        .loss = r->loss,
        .rss_bytes = r->rss_bytes,
    };
    for (int64_t i = 0; i < r->phases; i++) {
        m->phases[i].visit = s->next_visit;
        m->phases[i].point = (int64_t)point;
    }
    dt_study_target target = {0};
    if (r->targets)
        target = (dt_study_target){s->next_visit,        (int64_t)point,        s->plan->metric,
                                   s->plan->target,      m->targets[0].reached, m->targets[0].steps,
                                   m->targets[0].epochs, m->targets[0].seconds, m->targets[0].value};
    s->next_visit++;
    return dt_study_append(s->folder,
                           &(dt_study_measured){&visit, samples, m->phases, &target, (size_t)r->chunks,
                                                (size_t)r->phases, (size_t)r->targets},
                           error);
}

static void print_visit(const scale *s, size_t point, int64_t block, const measured *m, double value, bool flagged)
{
    char text[256], names[80];
    if (s->quiet)
        return;
    dt_scale_point_text(s->plan, point, text, sizeof text);
    printf("block %" PRId64 "  %s  ", block, text);
    if (m->report.status != DT_OK)
        printf("failed: %s\n", m->report.message);
    else if (m->report.targets)
        printf("%s after %" PRId64 " steps, %.3g s\n", m->targets[0].reached ? "reached" : "not reached",
               m->targets[0].steps, m->targets[0].seconds);
    else if (flagged)
        printf("disturbed (%s)\n",
               *dt_contention_names(m->report.flags, names, sizeof names) ? names : "chunks or core");
    else
        printf("%.4g ms a step\n", 1e3 * value);
    fflush(stdout);
}

/* One point of a block: until an attempt is undisturbed. */
static dt_status visit_point(scale *s, size_t point, int64_t block, int64_t position, dt_error *error)
{
    dt_status status = DT_OK;
    bool flagged = true;
    for (int64_t attempt = 1; status == DT_OK && flagged && attempt <= s->plan->attempts && !stopped; attempt++) {
        dt_arena arena = {0};
        measured m = {.seconds = 0};
        double value = NAN;
        status = measure(s, point, &m, &arena, error);
        if (status == DT_OK)
            status = keep(s, point, block, position, attempt, &m, &value, &flagged, &arena, error);
        if (status == DT_OK) {
            progress *p = &s->points[point];
            s->spent += m.seconds;
            p->failures += m.report.status != DT_OK;
            if (isfinite(value))
                add_value(p, value);
            note_hash(s, (int64_t)point, m.report.weights);
            print_visit(s, point, block, &m, value, flagged);
        }
        dt_arena_clear(&arena);
    }
    return status;
}

static bool is_done(const scale *s, size_t point, int64_t block)
{
    const progress *p = &s->points[point];
    if (p->failures >= 2 || (s->plan->metric && block >= s->plan->rule.least))
        return true;
    return dt_stop_now(&s->plan->rule, p->values, p->value_count, 0) != DT_STOP_NOT;
}

static dt_status run_blocks(scale *s, dt_error *error)
{
    const size_t count = s->plan->study.point_count;
    int64_t *order = dt_arena_allocate(s->arena, count, sizeof *order);
    if (!order)
        return dt_fail_memory(error, "the study");
    dt_status status = DT_OK;
    for (int64_t block = s->blocks + 1; status == DT_OK && !stopped && block <= 2 * s->plan->rule.most; block++) {
        bool any = false;
        dt_order_block((uint64_t)s->plan->study.seed, block, (int64_t)count, order);
        for (size_t i = 0; status == DT_OK && i < count && !stopped && s->spent < s->plan->budget; i++)
            if (!is_done(s, (size_t)order[i], block - 1)) {
                any = true;
                status = visit_point(s, (size_t)order[i], block, (int64_t)i, error);
            }
        if (!any)
            break;
    }
    return status;
}

/* --- the machine --- */

static void add_probe(dt_study_probe *probes, size_t *n, const char *when, const char *quantity, int64_t workers,
                      int64_t level, const dt_reading *reading, const char *unit)
{
    if (reading->runs)
        probes[(*n)++] =
            (dt_study_probe){when, quantity, workers, level, reading->median, reading->best, reading->spread, unit};
}

static dt_status probe(scale *s, const char *when, dt_error *error)
{
    enum { PROBES_MAX = 64 };
    static dt_machine machine;
    dt_study_probe probes[PROBES_MAX];
    size_t n = 0;
    dt_status status = dt_machine_measure(&machine, &(dt_machine_options){.seconds = 2}, error);
    if (status != DT_OK)
        return status;
    const int64_t all = machine.workers;
    static const char *const fma[] = {[DT_FLOAT32] = "fma_float32", [DT_FLOAT64] = "fma_float64"};
    static const char *const product[] = {[DT_FLOAT32] = "product_float32", [DT_FLOAT64] = "product_float64"};
    for (int p = 0; p < DT_MACHINE_PRECISIONS; p++) {
        add_probe(probes, &n, when, fma[p], 1, -1, &machine.fma[p].one, "GFLOP/s");
        add_probe(probes, &n, when, product[p], 1, -1, &machine.product[p].one, "GFLOP/s");
        if (all > 1) {
            add_probe(probes, &n, when, fma[p], all, -1, &machine.fma[p].all, "GFLOP/s");
            add_probe(probes, &n, when, product[p], all, -1, &machine.product[p].all, "GFLOP/s");
        }
    }
    for (int i = 0; i < machine.memory_count; i++) {
        const dt_machine_memory *m = &machine.memory[i];
        add_probe(probes, &n, when, "read", 1, m->level, &m->read.one, "GB/s");
        add_probe(probes, &n, when, "triad", 1, m->level, &m->triad.one, "GB/s");
        if (all > 1) {
            add_probe(probes, &n, when, "read", all, m->level, &m->read.all, "GB/s");
            add_probe(probes, &n, when, "triad", all, m->level, &m->triad.all, "GB/s");
        }
    }
    for (int i = 0; i < machine.barrier_count && n < PROBES_MAX; i++)
        add_probe(probes, &n, when, "barrier_ns", machine.barriers[i].workers, -1, &machine.barriers[i].ns, "ns");
    s->peak = machine.fma[DT_FLOAT32].one.best;
    return dt_study_append_probes(s->folder, probes, n, error);
}

/* --- the command --- */

static void print_line(void *context, const char *line)
{
    (void)context;
    fputs(line, stdout);
}

/* What the measurements say: tables in the folder, and on the terminal. */
static dt_status conclude(const scale *s, dt_error *error)
{
    dt_study study;
    dt_analysis *analysis;
    dt_status status = dt_study_open(&study, s->folder, s->arena, error);
    if (status == DT_OK)
        status = dt_study_analyse(&study, s->arena, &analysis, error);
    if (status == DT_OK)
        status = dt_analysis_write(analysis, s->folder, error);
    if (status == DT_OK && !s->quiet) {
        printf("\n");
        status = dt_analysis_print(analysis, print_line, NULL, error);
        printf("\nstudy     %s\n", s->folder);
    }
    return status;
}

static dt_status scale_all(const dt_scale_plan *plan, const char *out, bool resume, bool quiet, dt_arena *arena,
                           dt_error *error)
{
    char name[256];
    snprintf(name, sizeof name, "results/%.128s/scale-%s", plan->study.name, plan->hash);
    scale s = {.plan = plan, .quiet = quiet, .arena = arena};
    s.folder = dt_arena_duplicate(arena, out ? out : name);
    s.points = dt_arena_allocate(arena, plan->study.point_count, sizeof *s.points);
    if (!s.folder || !s.points)
        return dt_fail_memory(error, "the study");
    for (size_t p = 0; p < plan->study.point_count; p++)
        if (!(s.points[p].values =
                  dt_arena_allocate(arena, (size_t)(2 * plan->rule.most * plan->attempts + 2), sizeof(double))))
            return dt_fail_memory(error, "the study");
    const bool there = access(s.folder, F_OK) == 0;
    if (there && !resume)
        return dt_fail(error, DT_EXISTS, "%s: exists already; go on with --resume, or name another folder with --out",
                       s.folder);
    catch_signals();
    dt_status status = there && dt_is_study(s.folder) ? take_up(&s, error) : begin(&s, error);
    if (status == DT_OK)
        status = probe(&s, "start", error);
    if (status == DT_OK)
        status = run_blocks(&s, error);
    if (status == DT_OK && stopped)
        return dt_fail(error, DT_STOPPED, "stopped; go on with deltoid scale STUDY.yaml --resume%s%s",
                       out ? " --out " : "", out ? out : "");
    if (status == DT_OK)
        status = probe(&s, "end", error);
    if (status == DT_OK)
        status = conclude(&s, error);
    if (status == DT_OK && s.differing)
        return dt_fail(error, DT_ANSWER_NO,
                       "%" PRId64 " visits of reproducible points gave other weights than their first", s.differing);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

static dt_status print_plan(const dt_scale_plan *plan, dt_error *error)
{
    double least, most;
    char text[512];
    dt_scale_expect(plan, 0.7, &least, &most);
    printf("%zu points of %zu factors, %" PRId64 " to %" PRId64 " visits each, about %.0f to %.0f s\n",
           plan->study.point_count, plan->study.factor_count, plan->rule.least, plan->rule.most, least, most);
    for (size_t p = 0; p < plan->study.point_count; p++) {
        const dt_study_point *point = &plan->study.points[p];
        dt_scale_point_text(plan, p, text, sizeof text);
        printf("%zu  %s  (%" PRId64 " workers, %s%s%s)\n", p, text, point->workers, point->reduction,
               point->deterministic ? "" : ", not reproducible", point->oversubscribed ? ", oversubscribed" : "");
    }
    return dt_terminal_flush(error);
}

static dt_status run_scale(const dt_arguments *arguments, dt_error *error)
{
    dt_arena arena = {0};
    dt_scale_plan *plan = dt_arena_allocate(&arena, 1, sizeof *plan);
    dt_status status =
        plan ? dt_scale_plan_open(plan, arguments->positional[0], &arena, error) : dt_fail_memory(error, "the study");
    if (status == DT_OK)
        status = dt_argument(arguments, "dry-run")
                     ? print_plan(plan, error)
                     : scale_all(plan, dt_argument(arguments, "out"), dt_argument(arguments, "resume") != NULL,
                                 dt_argument(arguments, "quiet") != NULL, &arena, error);
    dt_arena_clear(&arena);
    return status;
}

const dt_command dt_command_scale = {
    .name = "scale",
    .usage = "STUDY.yaml [options]",
    .summary = "scaling study across threads, strategies, minibatches, ...",
    .details =
        "Measures the points of a design, each visit in a fresh process, in blocks of random order. STUDY.yaml:\n"
        "\n"
        "  kind: strong                           # or weak (batch_size times threads), batch (to a target), free\n"
        "  experiment: experiment.yaml            # or workloads: {W1: W1.yaml, W2: W2.yaml}; relative to this file\n"
        "  factors:                               # crossed\n"
        "    threads: [1, 2]                      # or auto: 1, 2, 4, ... and all processors\n"
        "    reduction: [tree, owner]             # or all, deterministic\n"
        "    # groups, batch_size, shard_size, precision, isa, placement, capture, or any key of an experiment\n"
        "  measure: {epsilon: 0.02, confidence: 0.95, visits: {least: 6, most: 20}, chunk: 50 ms, chunks: 24,\n"
        "            budget: 30 min, attempts: 3, seed: 1, first_steps: 20}\n"
        "  target: {metric: test_loss, value: 0.4, epochs: 20, checks: 4}    # of kind batch\n"
        "\n"
        "A visit trains first_steps, takes the weights' SHA-256, and times chunks of steps; warm-up is found and left "
        "out, "
        "a\n"
        "disturbed visit (involuntary switches, pressure, quota, steal, load, a slow core) is flagged, kept and "
        "repeated. A "
        "point\n"
        "is measured until the interval of its median is within epsilon, or visits or budget end. All raw samples stay "
        "in "
        "the\n"
        "folder's tables (samples.tsv, visits.tsv, phases.tsv, machine.tsv), beside what they say (analysis.tsv, "
        "fits.tsv, "
        "...).",
    .options = {{"resume", NULL, "go on with a study that was stopped"},
                {"out", "DIR", "the study's folder; without it results/<name>/scale-<hash>"},
                {"dry-run", NULL, "print the points and the time they will take; make nothing"},
                {"quiet", NULL, "print errors only"}},
    .least = 1,
    .most = 1,
    .what = "a study file",
    .run = run_scale,
};
