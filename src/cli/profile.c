#include "cli/profile.h"

#include <inttypes.h>
#include <math.h>

#include "base/memory.h"
#include "base/split.h"
#include "deltoid/machine.h"
#include "deltoid/record.h"
#include "parallel/team.h"
#include "train/keys.h"

static const double giga = 1e9, micro = 1e-6;

dt_status dt_profiling_start(dt_profiling *profiling, dt_trainer *trainer, dt_error *error)
{
    dt_trainer_info info;
    dt_trainer_describe(trainer, &info);
    const dt_precision precision = dt_trainer_experiment(trainer)->precision;
    *profiling = (dt_profiling){.trainer = trainer, .workers = info.workers};
    profiling->peak = dt_machine_peak(precision) * (double)dt_min(info.workers, dt_processors());
    if (dt_machine_bandwidth(info.workers, &profiling->read, &profiling->triad, NULL) != DT_OK)
        profiling->read = profiling->triad = NAN; /* no reason not to train */
    return dt_trainer_profile(trainer, error);
}

/* --- sums --- */

typedef struct sum {
    double seconds, flop, bytes;
} sum;

/* Over all workers. */
typedef struct sums {
    sum cell[DT_PHASES][DT_LAYERS_MAX + 1], all;
    int64_t steps;
} sums;

static void add_row(sum *s, const dt_profile_row *row)
{
    s->seconds += row->seconds;
    s->flop += row->flop;
    s->bytes += row->bytes;
}

static void sum_rows(const dt_trainer *trainer, sums *s)
{
    dt_profile_row row;
    *s = (sums){0};
    for (size_t i = 0; dt_trainer_profile_row(trainer, i, &row); i++) {
        add_row(&s->cell[row.phase][row.l], &row);
        add_row(&s->all, &row);
        s->steps = row.steps;
    }
}

/* What one worker did with its time. */
typedef struct shares {
    double compute, wait, watch, rest; /* seconds */
} shares;

static shares shares_of(const dt_trainer *trainer, int64_t worker)
{
    shares s = {0};
    dt_profile_row row;
    for (size_t i = 0; dt_trainer_profile_row(trainer, i, &row) && row.worker <= worker; i++) {
        double *share = row.phase == DT_PHASE_WAIT    ? &s.wait
                        : row.phase == DT_PHASE_WATCH ? &s.watch
                        : row.phase == DT_PHASE_REST  ? &s.rest
                                                      : &s.compute;
        *share += row.worker == worker ? row.seconds : 0;
    }
    return s;
}

/* --- for people --- */

/* A rate and its share of the most there is, or dashes. */
static void add_rate(dt_text *text, double rate, double most)
{
    if (rate > 0)
        dt_text_add(text, "  %9.1f", rate);
    else
        dt_text_add(text, "  %9s", "-");
    if (rate > 0 && most > 0)
        dt_text_add(text, "  %9.1f", 100 * rate / most);
    else
        dt_text_add(text, "  %9s", "-");
}

static double best_bandwidth(const dt_profiling *p)
{
    return fmax(p->read, p->triad);
}

static void add_line(const dt_profiling *p, dt_text *text, const sums *all, const sum *s, const char *phase, int64_t l)
{
    const double seconds = s->seconds / (double)p->workers; /* of each, on average */
    dt_text_add(text, "%-8s  ", phase);
    if (l > 0)
        dt_text_add(text, "%5" PRId64, l);
    else
        dt_text_add(text, "%5s", "");
    dt_text_add(text, "  %9.2f  %9.1f", seconds / (double)all->steps / micro, 100 * s->seconds / all->all.seconds);
    add_rate(text, s->flop / seconds / giga, p->peak);
    add_rate(text, s->bytes / seconds / giga, best_bandwidth(p));
    dt_text_add(text, "\n");
}

static void add_phases(const dt_profiling *p, dt_text *text, const sums *s)
{
    const dt_experiment *experiment = dt_trainer_experiment(p->trainer);
    dt_text_add(text, "%-8s  %5s  %9s  %9s  %9s  %9s  %9s  %9s\n", "phase", "layer", "us a step", "% of step",
                "GFLOP/s", "% of peak", "GB/s", "% of mem.");
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int64_t l = 0; l <= (int64_t)experiment->layer_count; l++)
            if (s->cell[phase][l].seconds > 0)
                add_line(p, text, s, &s->cell[phase][l], dt_phase_name((dt_phase)phase), l);
    add_line(p, text, s, &(sum){s->all.seconds, s->all.flop, 0}, "all", 0);
}

static void add_limits(const dt_profiling *p, dt_text *text)
{
    dt_text_add(text, "peak: %.1f GFLOP/s of fused multiply-adds (%s, all workers' cores), measured before training.\n",
                p->peak, dt_precision_name(dt_trainer_experiment(p->trainer)->precision));
    if (!isfinite(best_bandwidth(p)))
        dt_text_add(text, "mem.: memory's bandwidth could not be measured.\n");
    else
        dt_text_add(text,
                    "mem.: %.1f GB/s of memory, the better of reading (%.1f) and triad (%.1f). GB/s count what a phase "
                    "must move\nat least, each number once; caches give more than memory, so that a share can exceed "
                    "100 %%.\n",
                    best_bandwidth(p), p->read, p->triad);
}

static void add_workers(const dt_profiling *p, dt_text *text)
{
    dt_text_add(text, "\n%-8s  %9s  %9s  %9s  %9s\n", "worker", "compute %", "wait %", "watch %", "rest %");
    for (int64_t t = 0; t < p->workers; t++) {
        const shares s = shares_of(p->trainer, t);
        const double percent = 100 / (s.compute + s.wait + s.watch + s.rest);
        dt_text_add(text, "%-8" PRId64 "  %9.1f  %9.1f  %9.1f  %9.1f\n", t, percent * s.compute, percent * s.wait,
                    percent * s.watch, percent * s.rest);
    }
}

void dt_profiling_add_text(const dt_profiling *profiling, dt_text *text)
{
    sums s;
    sum_rows(profiling->trainer, &s);
    if (s.steps == 0)
        return;
    dt_text_add(text, "\nprofile of %" PRId64 " step%s; mean of %" PRId64 " worker%s\n", s.steps,
                s.steps == 1 ? "" : "s", profiling->workers, profiling->workers == 1 ? "" : "s");
    add_phases(profiling, text, &s);
    add_limits(profiling, text);
    add_workers(profiling, text);
}

/* --- for programs --- */

static void add_json_real(dt_text *text, const char *key, double value)
{
    dt_text_add(text, "\"%s\": ", key);
    dt_text_add_json_real(text, value);
}

static void add_json_phase(dt_text *text, const sum *s, dt_phase phase, int64_t l)
{
    dt_text_add(text, "{\"phase\": \"%s\", \"layer\": %" PRId64 ", ", dt_phase_name(phase), l);
    add_json_real(text, "seconds", s->seconds);
    dt_text_add(text, ", ");
    add_json_real(text, "flop", s->flop);
    dt_text_add(text, ", ");
    add_json_real(text, "bytes", s->bytes);
    dt_text_add(text, "}");
}

void dt_profiling_add_json(const dt_profiling *profiling, dt_text *text)
{
    const int64_t layers = (int64_t)dt_trainer_experiment(profiling->trainer)->layer_count;
    const char *comma = "";
    sums s;
    sum_rows(profiling->trainer, &s);
    dt_text_add(text, "{\"steps\": %" PRId64 ", \"workers\": %" PRId64 ", ", s.steps, profiling->workers);
    add_json_real(text, "peak_gflops", profiling->peak);
    dt_text_add(text, ", ");
    add_json_real(text, "read_gb_s", profiling->read);
    dt_text_add(text, ", ");
    add_json_real(text, "triad_gb_s", profiling->triad);
    dt_text_add(text, ", \"phases\": [");
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int64_t l = 0; l <= layers; l++)
            if (s.cell[phase][l].seconds > 0) {
                dt_text_add(text, "%s", comma);
                add_json_phase(text, &s.cell[phase][l], (dt_phase)phase, l);
                comma = ", ";
            }
    dt_text_add(text, "], \"seconds_of_workers\": [");
    for (int64_t t = 0; t < profiling->workers; t++) {
        const shares w = shares_of(profiling->trainer, t);
        dt_text_add(text, "%s{", t ? ", " : "");
        add_json_real(text, "compute", w.compute);
        dt_text_add(text, ", ");
        add_json_real(text, "wait", w.wait);
        dt_text_add(text, ", ");
        add_json_real(text, "watch", w.watch);
        dt_text_add(text, ", ");
        add_json_real(text, "rest", w.rest);
        dt_text_add(text, "}");
    }
    dt_text_add(text, "]}");
}

dt_status dt_profiling_write(const dt_profiling *profiling, const char *path, dt_error *error)
{
    dt_text text = {0};
    dt_profile_row row;
    dt_text_add(&text, "worker\tphase\tlayer\tseconds\tflop\tbytes\tsteps\tsamples\n");
    for (size_t i = 0; dt_trainer_profile_row(profiling->trainer, i, &row); i++)
        dt_text_add(&text, "%" PRId64 "\t%s\t%" PRId64 "\t%.9g\t%.17g\t%.17g\t%" PRId64 "\t%" PRId64 "\n", row.worker,
                    dt_phase_name(row.phase), row.l, row.seconds, row.flop, row.bytes, row.steps, row.samples);
    const dt_status status =
        text.failed ? dt_fail_memory(error, "the profile") : dt_file_write(path, text.bytes, text.length, error);
    dt_text_clear(&text);
    return status;
}
