/* A study folder as deltoid scale writes them, made up: times follow a law that tests know, so that the analysis must
 * find it again. */
#ifndef DT_TESTS_STUDY_FIXTURE_H
#define DT_TESTS_STUDY_FIXTURE_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "deltoid/profile.h"
#include "study/record.h"
#include "study_samples.h"

/* What is made up. Zero-initialise and fill in. */
typedef struct fixture {
    const char *kind;          /* "strong" */
    const char *workloads[4];  /* NULL-terminated; each is another network */
    const char *reductions[6]; /* NULL-terminated; "atomic" and "hogwild" aren't reproducible */
    int threads[12];           /* 0-terminated */
    int cores;                 /* more threads are oversubscribed; 0: all fit */
    double sigma, kappa;       /* of all strategies */
    double faster;             /* a strategy that isn't reproducible takes 1 / faster of the time; 0: 1 */
    double speed;              /* of everything; 0: 1 */
    double noise;              /* deviation of a visit's logarithm */
    int visits;                /* of each point */
    int flag_every;            /* every n-th visit is disturbed, three times as slow; 0: none */
    int far_every;             /* every n-th visit of several workers has its cores far apart, twice as slow; 0: none */
    int lacking;               /* visits of that point are all disturbed; 0: of none */
    double uncovered;          /* share of a step that phases don't explain */
    bool phases, targets, wrong_hash;
    const char *name; /* of the study; may be hostile. NULL: "made-up" */
} fixture;

enum { FIXTURE_STEPS = 20, FIXTURE_CHUNKS = 6, FIXTURE_LAYERS = 3, FIXTURE_BATCH = 128 };

static const int fixture_units[2][FIXTURE_LAYERS + 1] = {{784, 512, 256, 10}, {784, 128, 64, 10}};

static inline double fixture_parameters(int network)
{
    double sum = 0;
    for (int l = 1; l <= FIXTURE_LAYERS; l++)
        sum += fixture_units[network][l] * (fixture_units[network][l - 1] + 1.0);
    return sum;
}

static inline double fixture_flop(int network)
{
    double flop = 0;
    for (int l = 1; l <= FIXTURE_LAYERS; l++) {
        flop += 4.0 * fixture_units[network][l] * (fixture_units[network][l - 1] + 1.0);
        flop += l > 1 ? 2.0 * fixture_units[network][l] * fixture_units[network][l - 1] : 0;
    }
    return flop;
}

/* One worker: phases at 60 GFLOP/s, and 4 % that is bookkeeping. */
static inline double fixture_serial(int network)
{
    return 1.04 * fixture_flop(network) * FIXTURE_BATCH / 60e9;
}

static inline bool fixture_reproducible(const char *reduction)
{
    return strcmp(reduction, "atomic") != 0 && strcmp(reduction, "hogwild") != 0;
}

static inline double fixture_seconds(const fixture *f, int network, const char *reduction, int threads)
{
    const double t = threads, faster = f->faster > 0 && !fixture_reproducible(reduction) ? f->faster : 1;
    const double speed = f->speed > 0 ? f->speed * faster : faster;
    const double cost = (1 + f->sigma * (t - 1) + f->kappa * t * (t - 1)) / t;
    return fixture_serial(network) * (strcmp(f->kind, "weak") == 0 ? cost * t : cost) / speed;
}

static inline void *fixture_room(dt_arena *arena, size_t count, size_t size)
{
    void *room = dt_arena_allocate(arena, count ? count : 1, size);
    if (!room)
        abort();
    return room;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static inline const char *
fixture_text(dt_arena *arena, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dt_arena_duplicate(arena, text);
}

/* --- phases: all workers have the same, and spend what remains waiting; bytes as deltoid/profile.h --- */

static inline void fixture_phase(dt_study *s, const dt_study_visit *v, int64_t worker, dt_phase phase, int64_t l,
                                 double seconds, double flop, double bytes)
{
    s->phases[s->phase_count++] = (dt_study_phase){
        v->visit, v->point, worker, (int64_t)phase, l, FIXTURE_STEPS * FIXTURE_CHUNKS, seconds, flop, bytes};
}

static inline void fixture_phases(dt_study *s, const fixture *f, const dt_study_visit *v, int network, int threads,
                                  double seconds)
{
    const int *u = fixture_units[network];
    const double steps = FIXTURE_STEPS * FIXTURE_CHUNKS;
    const double rows = (double)s->points[v->point].batch_size * steps / threads;
    for (int t = 0; t < threads; t++) {
        double left = seconds * steps * (1 - f->uncovered);
        for (int l = 1; l <= FIXTURE_LAYERS; l++) {
            const double all = u[l] * (u[l - 1] + 1.0), forward = 2 * rows * all;
            const double backward = l < FIXTURE_LAYERS ? 2 * rows * u[l] * u[l + 1] : 0;
            fixture_phase(s, v, t, DT_PHASE_FORWARD, l, forward / 60e9, forward,
                          4 * (steps * all + rows * (u[l] + u[l - 1])));
            if (backward > 0)
                fixture_phase(s, v, t, DT_PHASE_BACKWARD, l, backward / 60e9, backward,
                              4 * (steps * u[l] * u[l + 1] + rows * (u[l + 1] + 2.0 * u[l])));
            fixture_phase(s, v, t, DT_PHASE_GRADIENT, l, forward / 60e9, forward,
                          4 * (rows * (u[l] + u[l - 1]) + all / threads * steps * (4 + (l > 1))));
            left -= (2 * forward + backward) / 60e9;
        }
        fixture_phase(s, v, t, DT_PHASE_GATHER, 0, 1e-9 * rows, 0, rows * u[0] * 5.0);
        fixture_phase(s, v, t, DT_PHASE_COST, 0, 1e-9 * rows, 0, rows * u[FIXTURE_LAYERS] * 8.0);
        left -= 2e-9 * rows;
        if (left > 0)
            fixture_phase(s, v, t, threads > 1 ? DT_PHASE_WAIT : DT_PHASE_REST, 0, left, 0, 0);
    }
}

/* --- probes: all workers do n times what one does; reading became 3 % slower, barriers by half --- */

static inline void fixture_machine(dt_study *s, int workers)
{
    const int team[2] = {1, workers};
    static const double rate[] = {20, 400, 200, 80}; /* of memory, L1, L2, L3 */
    for (int end = 0; end < 2; end++)
        for (int k = 0; k < (workers > 1 ? 2 : 1); k++) {
            const char *when = end ? "end" : "start";
            const double n = team[k];
            dt_study_probe *p = s->probes + s->probe_count;
            *p++ = (dt_study_probe){when, "fma_float32", team[k], -1, 99 * n, 100 * n, 0.01, "GFLOP/s"};
            *p++ = (dt_study_probe){when, "product_float32", team[k], -1, 84 * n, 85 * n, 0.01, "GFLOP/s"};
            *p++ = (dt_study_probe){when, "fma_float64", team[k], -1, 49 * n, 50 * n, 0.01, "GFLOP/s"};
            for (int level = 0; level < 4; level++) {
                const double read = rate[level] * n * (end ? 0.97 : 1), triad = 0.8 * rate[level] * n;
                *p++ = (dt_study_probe){when, "read", team[k], level, read, read, 0.02, "GB/s"};
                *p++ = (dt_study_probe){when, "triad", team[k], level, triad, triad, 0.02, "GB/s"};
            }
            if (team[k] > 1)
                *p++ = (dt_study_probe){when, "barrier_ns", team[k], -1, end ? 310 : 210, end ? 300 : 200, 0.1, "ns"};
            s->probe_count = (size_t)(p - s->probes);
        }
}

/* --- all of it --- */

static inline void fixture_points(dt_study *s, const fixture *f, dt_arena *arena)
{
    for (int w = 0; f->workloads[w]; w++)
        for (int r = 0; f->reductions[r]; r++)
            for (int t = 0; f->threads[t]; t++) {
                const bool weak = strcmp(f->kind, "weak") == 0;
                const int *u = fixture_units[w % 2];
                const char **values = fixture_room(arena, 3, sizeof *values);
                values[0] = f->workloads[w];
                values[1] = f->reductions[r];
                values[2] = fixture_text(arena, "%d", f->threads[t]);
                s->points[s->point_count] = (dt_study_point){
                    .point = (int64_t)s->point_count,
                    .values = values,
                    .workers = f->threads[t],
                    .groups = 1,
                    .batch_size = FIXTURE_BATCH * (weak ? f->threads[t] : 1),
                    .shard_size = 16,
                    .parameters = (int64_t)fixture_parameters(w % 2),
                    .train_rows = 60000,
                    .flop_per_sample = fixture_flop(w % 2),
                    .reduction = f->reductions[r],
                    .why = "asked for",
                    .precision = "float32",
                    .isa = "avx512",
                    .placement = "close",
                    .units = fixture_text(arena, "%d-%d-%d-%d", u[0], u[1], u[2], u[3]),
                    .experiment = f->workloads[w],
                    .deterministic = fixture_reproducible(f->reductions[r]),
                    .oversubscribed = f->cores && f->threads[t] > f->cores,
                };
                s->point_count++;
            }
}

static inline void fixture_visit(dt_study *s, const fixture *f, int block, int point, dt_arena *arena)
{
    const dt_study_point *p = &s->points[point];
    const int number = (int)s->visit_count, threads = (int)p->workers;
    const int network = strcmp(p->values[0], f->workloads[0]) == 0 ? 0 : 1;
    const bool flagged =
        (f->flag_every && number % f->flag_every == f->flag_every - 1) || (f->lacking && point == f->lacking);
    const bool far = f->far_every && threads > 1 && !flagged && number % f->far_every == 0;
    const double plain = fixture_seconds(f, network, p->reduction, threads);
    const double seconds = plain * exp(f->noise * normal_number(7, (uint64_t)number)) * (flagged ? 3 : far ? 2 : 1);
    /* one hash a workload; those that aren't reproducible have one a visit */
    const unsigned hash = !p->deterministic ? (unsigned)number + 1 : f->wrong_hash && threads == 2 ? 1U : 0U;
    dt_study_visit *v = &s->visits[s->visit_count++];
    *v = (dt_study_visit){
        .visit = number,
        .block = block,
        .position = point,
        .point = point,
        .attempt = 1,
        .started = 1.8e9 + number,
        .seconds = 1.5,
        .state = "ok",
        .chunks = FIXTURE_CHUNKS + 1,
        .warmup = 1,
        .flagged = flagged,
        .reasons = flagged ? "switches" : "",
        .voluntary = 3,
        .involuntary = flagged ? 900 : 2,
        .cpu_share = 1,
        .place_before = far ? "far" : "near",
        .place_after = far ? "far" : "near",
        .line_ns = far ? 180 : 45,
        .fma_alone = 100,
        .fma_both = 100,
        .timer_ns = 20,
        .timer_share = 0.004,
        .steps = FIXTURE_STEPS * (FIXTURE_CHUNKS + 1),
        .weights_sha256 =
            fixture_text(arena, "%08x%056x",
                         (unsigned)(network + 1) + (strcmp(f->kind, "weak") == 0 ? (unsigned)threads << 8 : 0), hash),
        .loss = 0.5,
        .rss_bytes = 100000000,
    };
    for (int c = 0; c <= FIXTURE_CHUNKS; c++)
        s->samples[s->sample_count++] = (dt_study_sample){
            number, point, c, FIXTURE_STEPS, FIXTURE_STEPS * p->batch_size, seconds * FIXTURE_STEPS * (c == 0 ? 2 : 1),
            c == 0, false, ""};
    if (f->phases)
        fixture_phases(s, f, v, network, threads, seconds);
    if (f->targets)
        s->targets[s->target_count++] =
            (dt_study_target){number, point, "validation_loss", 0.35, true, 1000 + number, 3, seconds * 1000, 0.349};
}

static inline void fixture_make(dt_study *s, const fixture *f, dt_arena *arena)
{
    enum { POINTS = 512, PHASES = 12 };
    static const char *const factors[] = {"workload", "reduction", "threads"};
    int most = 1;
    *s = (dt_study){.name = f->name ? f->name : "made-up",
                    .kind = f->kind,
                    .confidence = 0.95,
                    .epsilon = 0.02,
                    .seed = 1,
                    .processors = f->cores ? f->cores : 16,
                    .created = "2026-11-25T00:00:00Z",
                    .factor_count = 3};
    s->factors = fixture_room(arena, 3, sizeof *s->factors);
    for (int i = 0; i < 3; i++)
        s->factors[i].name = factors[i];
    s->points = fixture_room(arena, POINTS, sizeof *s->points);
    fixture_points(s, f, arena);
    for (size_t p = 0; p < s->point_count; p++)
        most = s->points[p].workers > most ? (int)s->points[p].workers : most;
    const size_t visits = s->point_count * (size_t)f->visits;
    s->visits = fixture_room(arena, visits, sizeof *s->visits);
    s->samples = fixture_room(arena, visits * (FIXTURE_CHUNKS + 1), sizeof *s->samples);
    s->phases = fixture_room(arena, visits * PHASES * (size_t)most, sizeof *s->phases);
    s->targets = fixture_room(arena, visits, sizeof *s->targets);
    s->probes = fixture_room(arena, 64, sizeof *s->probes);
    for (int block = 0; block < f->visits; block++)
        for (size_t p = 0; p < s->point_count; p++)
            fixture_visit(s, f, block, (int)p, arena);
    fixture_machine(s, most);
}

/* As deltoid scale leaves it, in a folder that is there. */
static inline void fixture_write(const char *folder, const fixture *f)
{
    dt_arena arena = {0};
    dt_study s;
    fixture_make(&s, f, &arena);
    if (dt_study_begin(&s, folder, NULL) != DT_OK ||
        dt_study_append_probes(folder, s.probes, s.probe_count, NULL) != DT_OK)
        abort();
    for (size_t v = 0, sample = 0, phase = 0, target = 0; v < s.visit_count; v++) {
        dt_study_measured m = {.visit = &s.visits[v],
                               .samples = s.samples + sample,
                               .phases = s.phases + phase,
                               .targets = s.targets + target};
        while (sample < s.sample_count && s.samples[sample].visit == (int64_t)v)
            m.sample_count++, sample++;
        while (phase < s.phase_count && s.phases[phase].visit == (int64_t)v)
            m.phase_count++, phase++;
        while (target < s.target_count && s.targets[target].visit == (int64_t)v)
            m.target_count++, target++;
        if (dt_study_append(folder, &m, NULL) != DT_OK)
            abort();
    }
    dt_arena_clear(&arena);
}

#endif
