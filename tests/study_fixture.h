/* A study folder as deltoid scale writes them, made up: times follow a law that tests know, so that the analysis must
 * find it again. */
#ifndef DT_TESTS_STUDY_FIXTURE_H
#define DT_TESTS_STUDY_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "deltoid/profile.h"
#include "study_samples.h"

/* What is made up. Zero-initialise and fill in. */
typedef struct fixture {
    const char *kind;           /* "strong" */
    const char *workloads[4];   /* NULL-terminated; each is another network */
    const char *reductions[6];  /* NULL-terminated; "atomic" and "hogwild" aren't reproducible */
    int threads[12];            /* 0-terminated */
    int cores;                  /* more threads are oversubscribed; 0: all fit */
    double sigma, kappa;        /* of all strategies */
    double faster;              /* a strategy that isn't reproducible takes 1 / faster of the time; 0: 1 */
    double noise;               /* deviation of a visit's logarithm */
    int visits;                 /* of each point */
    int flag_every;             /* every n-th visit is disturbed, three times as slow; 0: none */
    double uncovered;           /* share of a step that phases don't explain */
    bool phases, targets, wrong_hash;
    const char *name;           /* of the study; may be hostile. NULL: "made-up" */
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

/* One worker at 60 GFLOP/s. */
static inline double fixture_serial(int network)
{
    double flop = 0;
    for (int l = 1; l <= FIXTURE_LAYERS; l++) {
        flop += 4.0 * fixture_units[network][l] * (fixture_units[network][l - 1] + 1.0);
        flop += l > 1 ? 2.0 * fixture_units[network][l] * fixture_units[network][l - 1] : 0;
    }
    return flop * FIXTURE_BATCH / 60e9;
}

static inline bool fixture_reproducible(const char *reduction)
{
    return strcmp(reduction, "atomic") != 0 && strcmp(reduction, "hogwild") != 0;
}

static inline double fixture_seconds(const fixture *f, int network, const char *reduction, int threads)
{
    const double t = threads, faster = f->faster > 0 && !fixture_reproducible(reduction) ? f->faster : 1;
    const double cost = (1 + f->sigma * (t - 1) + f->kappa * t * (t - 1)) / t;
    return fixture_serial(network) * (strcmp(f->kind, "weak") == 0 ? cost * t : cost) / faster;
}

static inline FILE *fixture_file(const char *folder, const char *name, const char *header)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file)
        abort();
    fprintf(file, "%s\n", header);
    return file;
}

/* Phases of one worker, which shares all work evenly and spends what remains waiting. Bytes as deltoid/profile.h. */
static inline void fixture_phases(FILE *file, const fixture *f, int visit, int point, int network, int threads,
                                  double seconds)
{
    const int *u = fixture_units[network];
    const double steps = FIXTURE_STEPS * FIXTURE_CHUNKS, rows = FIXTURE_BATCH * steps / threads;
    for (int t = 0; t < threads; t++) {
        double left = seconds * steps * (1 - f->uncovered);
        for (int l = 1; l <= FIXTURE_LAYERS; l++) {
            const double all = u[l] * (u[l - 1] + 1.0), forward = 2 * rows * all, gradient = 2 * rows * all;
            const double backward = l < FIXTURE_LAYERS ? 2 * rows * u[l] * u[l + 1] : 0;
            fprintf(file, "%d\t%d\t%d\t%d\tforward\t%.0f\t%.17g\t%.17g\t%.17g\n", visit, point, t, l, steps,
                    forward / 60e9, forward, 4 * (steps * all + rows * (u[l] + u[l - 1])));
            if (backward > 0)
                fprintf(file, "%d\t%d\t%d\t%d\tbackward\t%.0f\t%.17g\t%.17g\t%.17g\n", visit, point, t, l, steps,
                        backward / 60e9, backward, 4 * (steps * u[l] * u[l + 1] + rows * (u[l + 1] + 2.0 * u[l])));
            fprintf(file, "%d\t%d\t%d\t%d\tgradient\t%.0f\t%.17g\t%.17g\t%.17g\n", visit, point, t, l, steps,
                    gradient / 60e9, gradient, 4 * (rows * (u[l] + u[l - 1]) + all / threads * steps * (4 + (l > 1))));
            left -= (forward + backward + gradient) / 60e9;
        }
        fprintf(file, "%d\t%d\t%d\t0\tgather\t%.0f\t%.17g\t0\t%.17g\n", visit, point, t, steps, 1e-9 * rows,
                rows * u[0] * 5.0);
        fprintf(file, "%d\t%d\t%d\t0\tcost\t%.0f\t%.17g\t0\t%.17g\n", visit, point, t, steps, 1e-9 * rows,
                rows * u[FIXTURE_LAYERS] * 8.0);
        left -= 2e-9 * rows;
        if (left > 0)
            fprintf(file, "%d\t%d\t%d\t0\twait\t%.0f\t%.17g\t0\t0\n", visit, point, t, steps, left);
    }
}

static inline void fixture_machine(const char *folder, int workers)
{
    FILE *file = fixture_file(folder, "machine.tsv", "when\tquantity\tworkers\tlevel\tmedian\tbest\tspread\tunit");
    const int team[2] = {1, workers};
    for (int end = 0; end < 2; end++)
        for (int k = 0; k < (workers > 1 ? 2 : 1); k++) {
            const char *when = end ? "end" : "start";
            const double n = team[k];
            fprintf(file, "%s\tfma_float32\t%d\tnan\t%g\t%g\t0.01\tGFLOP/s\n", when, team[k], 99 * n, 100 * n);
            fprintf(file, "%s\tproduct_float32\t%d\tnan\t%g\t%g\t0.01\tGFLOP/s\n", when, team[k], 84 * n, 85 * n);
            for (int level = 0; level < 4; level++) {
                static const double rate[] = {20, 400, 200, 80};
                fprintf(file, "%s\tread\t%d\t%d\t%g\t%g\t0.02\tGB/s\n", when, team[k], level, rate[level] * n,
                        rate[level] * n * (end ? 0.97 : 1));
                fprintf(file, "%s\ttriad\t%d\t%d\t%g\t%g\t0.02\tGB/s\n", when, team[k], level, rate[level] * n * 0.8,
                        rate[level] * n * 0.8);
            }
            if (team[k] > 1)
                fprintf(file, "%s\tbarrier_ns\t%d\tnan\t210\t200\t0.1\tns\n", when, team[k]);
        }
    fclose(file);
}

/* Points of the crossed factors; returns how many, and which they are. */
typedef struct fixture_point {
    int network, threads;
    const char *workload, *reduction;
} fixture_point;

static inline int fixture_points(const char *folder, const fixture *f, fixture_point *points)
{
    int count = 0;
    FILE *file = fixture_file(folder, "points.tsv",
                              "point\tworkload\treduction\tthreads\tworkers\treduction_used\twhy\tdeterministic\t"
                              "oversubscribed\tprecision\tisa\tplacement\tbatch_size\tshard_size\tparameters\t"
                              "flop_per_sample\ttrain_rows\texperiment");
    for (int w = 0; f->workloads[w]; w++)
        for (int r = 0; f->reductions[r]; r++)
            for (int t = 0; f->threads[t]; t++) {
                const bool weak = strcmp(f->kind, "weak") == 0;
                points[count] = (fixture_point){w % 2, f->threads[t], f->workloads[w], f->reductions[r]};
                fprintf(file, "%d\t%s\t%s\t%d\t%d\t%s\tasked for\t%s\t%s\tfloat32\tavx512\tclose\t%d\t16\t%.0f\t%.0f\t60000\t%s\n",
                        count, f->workloads[w], f->reductions[r], f->threads[t], f->threads[t], f->reductions[r],
                        fixture_reproducible(f->reductions[r]) ? "true" : "false",
                        f->cores && f->threads[t] > f->cores ? "true" : "false",
                        FIXTURE_BATCH * (weak ? f->threads[t] : 1), fixture_parameters(w % 2),
                        fixture_serial(w % 2) * 60e9 / FIXTURE_BATCH, f->workloads[w]);
                count++;
            }
    fclose(file);
    return count;
}

/* Writes the folder, which is there. */
static inline void fixture_write(const char *folder, const fixture *f)
{
    static fixture_point points[512];
    const int count = fixture_points(folder, f, points);
    FILE *visits = fixture_file(folder, "visits.tsv",
                                "visit\tblock\tposition\tpoint\tstarted\tseconds\tstate\tchunks\twarmup\tflagged\treasons\t"
                                "voluntary\tinvoluntary\tthrottled_us\tpressure_us\tsteal_us\tpage_faults\tplace_before\t"
                                "place_after\tline_ns\tfma_alone\tfma_both\ttimer_ns\ttimer_share\tsteps\tloss\t"
                                "weights_sha256\trss_bytes\tattempt");
    FILE *samples = fixture_file(folder, "samples.tsv", "visit\tpoint\tchunk\tsteps\tsamples\tseconds\twarmup\tflagged\treasons");
    FILE *phases = fixture_file(folder, "phases.tsv", "visit\tpoint\tworker\tlayer\tphase\tsteps\tseconds\tflop\tbytes");
    FILE *targets = fixture_file(folder, "targets.tsv", "visit\tpoint\ttarget\treached\tsteps\tepochs\tseconds\tvalue");
    int visit = 0, most = 1;
    for (int block = 0; block < f->visits; block++)
        for (int p = 0; p < count; p++, visit++) {
            const fixture_point *point = &points[p];
            const bool flagged = f->flag_every && visit % f->flag_every == f->flag_every - 1;
            const double plain = fixture_seconds(f, point->network, point->reduction, point->threads);
            const double seconds = plain * exp(f->noise * normal_number(7, (uint64_t)visit)) * (flagged ? 3 : 1);
            char hash[65];
            most = point->threads > most ? point->threads : most;
            /* one hash a workload; those that aren't reproducible have one a visit */
            snprintf(hash, sizeof hash, "%08x%056x", point->workload[strlen(point->workload) - 1],
                     !fixture_reproducible(point->reduction) ? (unsigned)visit + 1
                     : f->wrong_hash && point->threads == 2  ? 1U
                                                             : 0U);
            fprintf(samples, "%d\t%d\t0\t%d\t%d\t%.9g\ttrue\tfalse\t\n", visit, p, FIXTURE_STEPS,
                    FIXTURE_STEPS * FIXTURE_BATCH, 2 * seconds * FIXTURE_STEPS);
            for (int c = 1; c <= FIXTURE_CHUNKS; c++)
                fprintf(samples, "%d\t%d\t%d\t%d\t%d\t%.9g\tfalse\tfalse\t\n", visit, p, c, FIXTURE_STEPS,
                        FIXTURE_STEPS * FIXTURE_BATCH, seconds * FIXTURE_STEPS);
            if (f->phases)
                fixture_phases(phases, f, visit, p, point->network, point->threads, seconds);
            if (f->targets)
                fprintf(targets, "%d\t%d\t0.35\ttrue\t%d\t3\t%.9g\t0.349\n", visit, p, 1000 + visit, seconds * 1000);
            fprintf(visits,
                    "%d\t%d\t%d\t%d\t2026-11-25T00:00:00Z\t1.5\tok\t%d\t1\t%s\t%s\t3\t%d\t0\t0\t0\t12\tnear\tnear\t45\t100\t"
                    "100\t20\t0.004\t%d\t0.5\t%s\t100000000\t1\n",
                    visit, block, p, p, FIXTURE_CHUNKS + 1, flagged ? "true" : "false", flagged ? "switches" : "",
                    flagged ? 900 : 2, FIXTURE_STEPS * (FIXTURE_CHUNKS + 1), hash);
        }
    fclose(visits);
    fclose(samples);
    fclose(phases);
    fclose(targets);
    fixture_machine(folder, most);
    FILE *study = fixture_file(folder, "study.yaml", "# made up");
    fprintf(study, "name: %s\nkind: %s\nexperiment: W2.yaml\nmeasure: {confidence: 0.95, seed: 1}\n",
            f->name ? f->name : "made-up", f->kind);
    fclose(study);
}

#endif
