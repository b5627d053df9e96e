/* A visit, as deltoid scale sees it: the process, its report, the rows of the record. */
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
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/split.h"
#include "cli/paths.h"
#include "cli/scale_points.h"
#include "cli/scale_run.h"

extern char **environ;

/* --- the process --- */

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

/* A visit whose study was killed would only disturb the one that goes on. */
static void die_with(pid_t parent)
{
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent)
        _exit(3);
}

/* Starts the process, reads its report, waits for it. */
static dt_status measure(const dt_scale *s, size_t point, measured *m, dt_arena *arena, dt_error *error)
{
    const dt_scale_plan *plan = s->plan;
    const dt_scale_point *p = &plan->points[point];
    char name[96], program[DT_PROGRAM_PATH];
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
    int ends[2];
    if (dt_path_program(program, error) != DT_OK)
        return DT_SYSTEM;
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
    const pid_t parent = getpid(), pid = status == DT_OK ? fork() : -1;
    if (pid == 0) {
        (void)setpgid(0, 0); /* the terminal's Ctrl-C is this program's */
        die_with(parent);
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

/* --- the record --- */

/* The chunks as rows. *clean: how many are neither warm-up nor disturbed. NULL when memory is out. */
static dt_study_sample *sample_rows(const measured *m, int64_t visit, size_t point, int64_t *clean, dt_arena *arena)
{
    const dt_visit_report *r = &m->report;
    dt_study_sample *samples = dt_arena_allocate(arena, (size_t)dt_max(1, r->chunks), sizeof *samples);
    *clean = 0;
    for (int64_t c = 0; samples && c < r->chunks; c++) {
        const dt_visit_chunk *chunk = &m->chunks[c];
        char names[80];
        samples[c] = (dt_study_sample){
            .visit = visit,
            .point = (int64_t)point,
            .chunk = c,
            .steps = chunk->steps,
            .samples = chunk->samples,
            .seconds = chunk->seconds,
            .warmup = c < r->warmup,
            .flagged = chunk->flags != 0,
            .reasons = dt_arena_duplicate(arena, dt_contention_names(chunk->flags, names, sizeof names)),
        };
        *clean += !samples[c].warmup && !samples[c].flagged;
    }
    return samples;
}

/* What becomes of the visit, and why it is flagged: as a whole, or most of its chunks. */
static const char *judge(dt_scale *s, const measured *m, int64_t clean, dt_scale_outcome *o, char *names, size_t size)
{
    const dt_visit_report *r = &m->report;
    double *peak = dt_scale_peak(s, r->isa);
    *peak = fmax(*peak, r->fma_alone);
    const bool slow = r->fma_alone < (1 - DT_SLOW_CORE) * *peak;
    const unsigned flags = r->flags | (slow ? DT_DISTURBED_SLOW : 0);
    o->ok = r->status == DT_OK;
    o->flagged = o->ok && (flags || clean * 2 < r->chunks - r->warmup);
    o->seconds = m->seconds;
    snprintf(o->weights, sizeof o->weights, "%s", r->weights);
    if (!o->ok)
        return r->message;
    return o->flagged && !flags ? "chunks" : dt_contention_names(flags, names, size);
}

static void print_visit(const dt_scale *s, const dt_scale_place *place, const measured *m, const dt_scale_outcome *o,
                        const char *reasons)
{
    char text[256];
    if (s->quiet)
        return;
    dt_scale_point_text(s->plan, place->point, text, sizeof text);
    printf("block %" PRId64 "  %s  ", place->block, text);
    if (!o->ok)
        printf("failed: %s\n", reasons);
    else if (m->report.targets)
        printf("%s after %" PRId64 " steps, %.3g s\n", m->targets[0].reached ? "reached" : "not reached",
               m->targets[0].steps, m->targets[0].seconds);
    else if (o->flagged)
        printf("disturbed (%s)\n", reasons);
    else
        printf("%.4g ms a step\n", 1e3 * o->value);
    fflush(stdout);
}

/* The visit as rows, appended to the record. */
static dt_status keep(dt_scale *s, const dt_scale_place *place, const measured *m, dt_scale_outcome *o, dt_arena *arena,
                      dt_error *error)
{
    const dt_visit_report *r = &m->report;
    const int64_t number = s->next_visit++, point = (int64_t)place->point;
    int64_t clean;
    char names[80];
    dt_study_sample *samples = sample_rows(m, number, place->point, &clean, arena);
    double *scratch = dt_arena_allocate(arena, (size_t)dt_max(1, r->chunks), sizeof *scratch);
    if (!samples || !scratch)
        return dt_fail_memory(error, "a visit");
    snprintf(o->place, sizeof o->place, "%s", r->place_before);
    const char *reasons = judge(s, m, clean, o, names, sizeof names);
    o->value = o->ok && !o->flagged ? dt_study_visit_seconds(samples, (size_t)r->chunks, number, scratch) : (double)NAN;
    for (int64_t i = 0; i < r->phases; i++) {
        m->phases[i].visit = number;
        m->phases[i].point = point;
    }
    dt_study_target target = {0};
    if (r->targets)
        target = (dt_study_target){number,
                                   point,
                                   s->plan->metric,
                                   s->plan->target,
                                   m->targets[0].reached,
                                   m->targets[0].steps,
                                   m->targets[0].epochs,
                                   m->targets[0].seconds,
                                   m->targets[0].value};
    const dt_study_visit visit = {
        .visit = number,
        .block = place->block,
        .position = place->position,
        .point = point,
        .attempt = place->attempt,
        .started = m->started,
        .seconds = m->seconds,
        .state = o->ok ? "ok" : "failed",
        .chunks = r->chunks,
        .warmup = r->warmup,
        .flagged = o->flagged,
        .reasons = reasons,
        .voluntary = r->voluntary,
        .involuntary = r->involuntary,
        .throttled_us = r->throttled_us,
        .pressure_us = r->pressure_us,
        .steal_us = r->steal_us,
        .page_faults = r->page_faults,
        .cpu_share = r->cpu_share,
        .others = r->others,
        .delay = r->delay,
        .processors = r->processors,
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
    print_visit(s, place, m, o, reasons);
    return dt_study_append(s->folder,
                           &(dt_study_measured){&visit, samples, m->phases, &target, (size_t)r->chunks,
                                                (size_t)r->phases, (size_t)r->targets},
                           error);
}

dt_status dt_scale_visit(dt_scale *s, const dt_scale_place *place, dt_scale_outcome *outcome, dt_error *error)
{
    dt_arena arena = {0};
    measured m = {.seconds = 0};
    dt_status status = measure(s, place->point, &m, &arena, error);
    if (status == DT_OK)
        status = keep(s, place, &m, outcome, &arena, error);
    dt_arena_clear(&arena);
    return status;
}
