#include "deltoid/check.h"
#include "deltoid/interchange.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/split.h"
#include "check/compare.h"
#include "train/strategy.h"

const char *dt_check_against_name(dt_check_against against)
{
    static const char *const names[] = {"gate circuit", "finite differences", "plain sum"};
    return names[against];
}

dt_check_result dt_check_begin(const dt_checking *c, dt_check_against against, dt_quantity quantity, int64_t l,
                               int64_t of, double tolerance)
{
    return (dt_check_result){
        .against = against, .quantity = quantity, .step = c->seen->step, .l = l, .of = of, .tolerance = tolerance};
}

bool dt_check_element(dt_check_result *r, double engine, double reference, double scale)
{
    const double difference = engine == reference ? 0 : fabs(engine - reference) / scale;
    r->compared++;
    if (difference <= r->worst && r->compared > 1)
        return false;
    r->worst = isnan(difference) ? INFINITY : difference;
    return true;
}

void dt_check_at(dt_check_result *r, int64_t j, int64_t k, int64_t row)
{
    const char *const letter = r->quantity == DT_QUANTITY_DW   ? "w"
                               : r->quantity == DT_QUANTITY_DB ? "b"
                                                               : dt_quantity_name(r->quantity);
    int n = snprintf(r->where, sizeof r->where, "%s^%" PRId64 "_{%" PRId64, letter, r->l, j);
    n += snprintf(r->where + n, sizeof r->where - (size_t)n, k >= 0 ? ",%" PRId64 "}" : "}", k);
    if (row >= 0)
        snprintf(r->where + n, sizeof r->where - (size_t)n, ", row %" PRId64, row);
}

void dt_check_end(dt_checking *c, dt_check_result *r)
{
    r->right = r->compared > 0 && r->worst <= r->tolerance;
    c->right = c->right && r->right;
    c->result(c->context, r);
}

static dt_status compare(dt_checking *c, dt_error *error)
{
    dt_status status = dt_check_circuit(c, error);
    if (status == DT_OK)
        status = dt_check_sum(c, error);
    return status == DT_OK ? dt_check_differences(c, error) : status;
}

/* Looks at the first step, and again `steps` later. */
static dt_status look_twice(dt_checking *c, dt_trainer *trainer, dt_observed *seen, dt_error *error)
{
    c->seen = seen;
    seen->target = 0;
    dt_status status = dt_trainer_steps(trainer, 1, error);
    if (status == DT_OK)
        status = compare(c, error);
    seen->target = c->options.steps;
    if (status == DT_OK)
        status = dt_trainer_steps(trainer, c->options.steps, error);
    return status == DT_OK ? compare(c, error) : status;
}

/* The experiment as it is evaluated: every unit and input as it is. What dropout and noise do to a step is a matter of
 * random numbers, not of derivatives. */
static dt_status without_chance(const dt_experiment *experiment, dt_experiment *own, dt_error *error)
{
    *own = *experiment;
    own->data.noise = 0;
    own->network = dt_allocate(experiment->layer_count, sizeof *own->network);
    if (!own->network)
        return dt_fail_memory(error, "the check");
    for (size_t l = 0; l < experiment->layer_count; l++) {
        own->network[l] = experiment->network[l];
        own->network[l].dropout = 0;
    }
    return DT_OK;
}

static dt_status check(dt_checking *c, bool *right, dt_error *error)
{
    dt_trainer *trainer;
    dt_observed *seen = NULL;
    dt_status status = dt_trainer_create(&trainer, c->experiment, &(dt_trainer_data){.train = c->train}, error);
    if (status != DT_OK)
        return status;
    status = dt_weights_begin(trainer, error);
    if (status == DT_OK)
        status = dt_observed_create(&seen, trainer, dt_min(c->experiment->training.batch_size, c->train->rows), error);
    if (status == DT_OK) {
        const dt_observer observer = dt_observed_observer(seen);
        status = dt_trainer_observe(trainer, &observer, error);
    }
    if (status == DT_OK)
        status = look_twice(c, trainer, seen, error);
    dt_observed_destroy(seen);
    dt_trainer_destroy(trainer);
    *right = status == DT_OK && c->right;
    return status;
}

dt_status dt_check(const dt_experiment *experiment, const dt_dataset *train, const dt_check_options *options,
                   void (*result)(void *context, const dt_check_result *result), void *context, bool *right,
                   dt_error *error)
{
    const dt_check_options wanted = options ? *options : (dt_check_options){0};
    dt_checking c = {
        .experiment = experiment,
        .train = train,
        .options = {wanted.steps ? wanted.steps : 10, wanted.samples ? wanted.samples : 8,
                    wanted.weights ? wanted.weights : 40},
        .result = result,
        .context = context,
        .right = true,
    };
    *right = false;
    if (c.options.steps < 1 || c.options.samples < 1 || c.options.weights < 1)
        return dt_fail(error, DT_INVALID, "a check needs at least one step, sample and weight");
    dt_experiment own;
    dt_status status = dt_experiment_validate(experiment, error);
    if (status == DT_OK && !dt_strategy_sums(experiment))
        status =
            dt_fail(error, DT_INVALID,
                    "parallel.reduction: %s sums no gradient of a whole minibatch that could be checked; check with "
                    "another, as tree",
                    experiment->parallel.reduction);
    if (status == DT_OK)
        status = without_chance(experiment, &own, error);
    if (status != DT_OK)
        return status;
    c.experiment = &own;
    status = check(&c, right, error);
    dt_release(own.network);
    return status;
}
