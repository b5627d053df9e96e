#include "train/schedule.h"

#include <math.h>
#include <string.h>

#include "base/split.h"
#include "kernels/elementary.h"

/* --- between epochs --- */

/* base factor^n, a product at a time, as PyTorch's schedulers do */
static double reduced(double base, double factor, int64_t n)
{
    double product = 1;
    for (int64_t i = 0; i < n; i++)
        product *= factor;
    return base * product;
}

static double constant(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                       const dt_schedule_state *state)
{
    (void)spec, (void)time, (void)state;
    return base;
}

static double step(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                   const dt_schedule_state *state)
{
    (void)state;
    return reduced(base, spec->factor, time->epoch / spec->every);
}

static double multi_step(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                         const dt_schedule_state *state)
{
    int64_t passed = 0;
    (void)state;
    for (size_t i = 0; i < spec->milestones.count; i++)
        passed += spec->milestones.at[i] <= time->epoch;
    return reduced(base, spec->factor, passed);
}

static double exponential(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                          const dt_schedule_state *state)
{
    (void)state;
    return reduced(base, spec->factor, time->epoch);
}

static double reduce_on_plateau(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                                const dt_schedule_state *state)
{
    (void)spec, (void)time;
    return base * state->factor;
}

/* --- between steps --- */

/* Share of the run behind the warm-up that is over, 0 .. 1. */
static double share(const dt_schedule_time *time)
{
    const int64_t done = dt_max(0, time->step - time->warmup), all = dt_max(1, time->steps - time->warmup);
    return done < all ? (double)done / (double)all : 1;
}

/* From `from` at t = 0 to `to` at t = 1 along half a cosine. */
static double along_cosine(double from, double to, double t)
{
    return to + (from - to) / 2 * (1 + dt_cos_pi_f64(t < 0 ? 0 : t < 1 ? t : 1));
}

static double cosine(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                     const dt_schedule_state *state)
{
    (void)state;
    return along_cosine(base, spec->min_learning_rate, share(time));
}

static double polynomial(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                         const dt_schedule_state *state)
{
    const double left = 1 - share(time);
    (void)state;
    if (left <= 0 || spec->power == 1)
        return base * left;
    return base * dt_exp_f64(spec->power * dt_log_f64(left));
}

/* Smith, Topin 2018, with two phases and without cycled momentum: PyTorch's OneCycleLR(cycle_momentum=False). */
static double one_cycle(const dt_schedule_spec *spec, double base, const dt_schedule_time *time,
                        const dt_schedule_state *state)
{
    const double first = base / spec->div_factor, last = first / spec->final_div_factor;
    const double at = (double)time->step, end = (double)(time->steps - 1);
    const double peak = spec->rise_fraction * (double)time->steps - 1;
    (void)state;
    if (at <= peak)
        return along_cosine(first, base, peak > 0 ? at / peak : 1);
    return along_cosine(base, last, peak < end ? (at - peak) / (end - peak) : 1);
}

static const dt_schedule table[] = {
    {{"constant", "learning_rate", ""}, false, constant},
    {{"step", "learning_rate factor^floor(epoch / every)", "epochs count from 0"}, false, step},
    {{"multi_step", "learning_rate factor^(milestones passed)", "milestones are epochs"}, false, multi_step},
    {{"exponential", "learning_rate factor^epoch", ""}, false, exponential},
    {{"cosine", "min + (learning_rate - min) (1 + cos(pi step / steps)) / 2", "steps of the run, behind the warm-up"},
     true,
     cosine},
    {{"polynomial", "learning_rate (1 - step / steps)^power", "steps of the run, behind the warm-up"},
     true,
     polynomial},
    {{"one_cycle", "learning_rate / div_factor up to learning_rate, down to the first / final_div_factor",
      "cosines over the run's steps; learning_rate is the peak"},
     true,
     one_cycle},
    {{"reduce_on_plateau", "learning_rate factor^(plateaus of the validation loss)",
      "of the training loss, where there is no validation"},
     false,
     reduce_on_plateau},
};

const dt_schedule *dt_schedule_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

static const dt_schedule *named(const char *name)
{
    const dt_schedule *schedule;
    for (size_t i = 0; (schedule = dt_schedule_at(i)); i++)
        if (strcmp(schedule->entry.name, name) == 0)
            return schedule;
    return &table[0];
}

/* one_cycle rises by itself. */
static bool warms_up(const dt_experiment *experiment)
{
    return experiment->schedule.warmup > 0 && named(experiment->schedule.name)->rate != one_cycle;
}

bool dt_schedule_by_step(const dt_experiment *experiment)
{
    return named(experiment->schedule.name)->by_step || warms_up(experiment);
}

bool dt_schedule_by_length(const dt_experiment *experiment)
{
    return named(experiment->schedule.name)->by_step;
}

double dt_learning_rate(const dt_experiment *experiment, int64_t step_number, int64_t steps_per_epoch,
                        const dt_schedule_state *state)
{
    const dt_schedule_spec *spec = &experiment->schedule;
    const dt_schedule *schedule = named(spec->name);
    dt_schedule_time time = {.epoch = step_number / steps_per_epoch,
                             .step = step_number,
                             .steps = experiment->training.epochs * steps_per_epoch};
    if (!warms_up(experiment))
        return schedule->rate(spec, experiment->optimizer.learning_rate, &time, state);
    time.warmup = (int64_t)(spec->warmup * (double)steps_per_epoch + 0.5);
    const double rate = schedule->rate(spec, experiment->optimizer.learning_rate, &time, state);
    if (time.step >= time.warmup)
        return rate;
    const double risen = (double)time.step / (double)time.warmup;
    return rate * (spec->warmup_factor + (1 - spec->warmup_factor) * risen);
}

dt_schedule_state dt_schedule_begin(void)
{
    return (dt_schedule_state){.factor = 1, .best = INFINITY};
}

/* `best` is a loss, infinity, or NaN where the first loss was. */
bool dt_schedule_is_possible(const dt_schedule_state *state)
{
    return state->factor > 0 && isfinite(state->factor) && state->bad_epochs >= 0 && state->cooldown >= 0;
}

/* PyTorch's ReduceLROnPlateau(mode='min', threshold_mode='rel'), whose eps is the smallest change that is made. */
void dt_schedule_observe(const dt_experiment *experiment, double loss, dt_schedule_state *state)
{
    const dt_schedule_spec *spec = &experiment->schedule;
    const double base = experiment->optimizer.learning_rate, smallest = 1e-8;
    if (named(spec->name)->rate != reduce_on_plateau)
        return;
    if (loss < state->best * (1 - spec->threshold)) {
        state->best = loss;
        state->bad_epochs = 0;
    } else {
        state->bad_epochs++;
    }
    if (state->cooldown > 0) {
        state->cooldown--;
        state->bad_epochs = 0;
    }
    if (state->bad_epochs <= spec->patience)
        return;
    const double now = base * state->factor, next = fmax(now * spec->factor, spec->min_learning_rate);
    if (now - next > smallest)
        state->factor = next / base;
    state->cooldown = spec->cooldown;
    state->bad_epochs = 0;
}
