/* dW and db against central finite differences of the minibatch's mean cost, in float64: the same minibatch, the same
 * weights, one trainer of its own. Differences over h and 2 h are of fourth order together; where they disagree, a kink
 * lies in between, and the step shrinks. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/split.h"
#include "check/compare.h"

typedef struct probe {
    dt_trainer *trainer;
    dt_dataset *batch;
    dt_observed *own; /* the float64 step on the same weights */
    dt_status status; /* of evaluations */
    dt_error *error;
} probe;

/* The minibatch of the observed step as a data set of its own. */
static dt_status open_batch(probe *p, const dt_checking *c)
{
    return dt_dataset_pick(&p->batch, c->train, c->seen->sample, c->seen->batch, p->error);
}

static void set_weights(const probe *p, const dt_observed *o)
{
    for (int64_t l = 1; l <= o->layers; l++)
        dt_trainer_set_weights(p->trainer, l, o->W[l], o->b[l]);
}

/* A float64 trainer on that minibatch; one step of it gives its own dW and db. */
static dt_status open_trainer(probe *p, const dt_checking *c, dt_experiment *experiment)
{
    const dt_observed *o = c->seen;
    *experiment = *c->experiment;
    experiment->precision = DT_FLOAT64;
    experiment->training.batch_size = o->batch;
    experiment->training.shuffle = false;
    experiment->data.validation_fraction = 0;
    if (!experiment->parallel.shard_size) /* the shards of the step that was seen */
        experiment->parallel.shard_size = dt_shard_size_auto(c->experiment->training.batch_size);
    dt_status status = dt_trainer_create(&p->trainer, experiment, &(dt_trainer_data){.train = p->batch}, p->error);
    if (status == DT_OK)
        status = dt_observed_create(&p->own, p->trainer, o->batch, p->error);
    if (status != DT_OK)
        return status;
    p->own->target = 0;
    const dt_observer observer = dt_observed_observer(p->own);
    status = dt_trainer_observe(p->trainer, &observer, p->error);
    set_weights(p, o);
    if (status == DT_OK)
        status = dt_trainer_steps(p->trainer, 1, p->error);
    set_weights(p, p->own); /* as they were before it */
    return status;
}

/* The mean cost with weight *w of layer l at `value`. */
static double cost_at(probe *p, int64_t l, double *w, double value)
{
    const double keep = *w;
    dt_evaluation e = {NAN, NAN};
    *w = value;
    dt_trainer_set_weights(p->trainer, l, p->own->W[l], p->own->b[l]);
    *w = keep;
    const dt_status status = dt_trainer_evaluate(p->trainer, p->batch, &e, NULL, p->error);
    p->status = p->status == DT_OK ? status : p->status;
    return e.loss;
}

/* dC/dw; *kink is set where every step tried had one. `scale` is the layer's largest gradient. */
static double difference(probe *p, int64_t l, double *w, double scale, bool *kink)
{
    const double x = *w;
    double near, far;
    *kink = true;
    for (double h = 1e-4; h > 1e-6 && *kink; h /= 4) {
        near = (cost_at(p, l, w, x + h) - cost_at(p, l, w, x - h)) / (2 * h);
        far = (cost_at(p, l, w, x + 2 * h) - cost_at(p, l, w, x - 2 * h)) / (4 * h);
        *kink = fabs(near - far) > 1e-6 * fmax(fabs(near), 0.1 * scale);
    }
    return (4 * near - far) / 3;
}

static double largest(const double *g, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(g[i]));
    return most;
}

/* `wanted` of the n numbers of g, drawn by the step and layer (all where there are no more), against differences in w.
 */
static dt_status compare_some(dt_checking *c, probe *p, dt_quantity quantity, int64_t l, double *w, const double *g,
                              int64_t n, int64_t wanted)
{
    const bool weights = quantity == DT_QUANTITY_DW;
    const int64_t inputs = c->seen->units[l - 1];
    const double scale = largest(g, n);
    dt_check_result r = dt_check_begin(c, DT_AGAINST_DIFFERENCES, quantity, l, n, 1e-5);
    for (int64_t i = 0; i < dt_min(n, wanted) && p->status == DT_OK; i++) {
        const dt_random128 random =
            dt_philox(c->experiment->seed, DT_FOR_CHECK, (uint64_t)l, (uint64_t)(2 * i + !weights));
        const dt_span part = dt_split(n, dt_min(n, wanted), i); /* one out of each part: spread, and none twice */
        const int64_t at = part.first + (int64_t)dt_uniform_below(random.u[0], (uint64_t)dt_span_count(part));
        bool kink;
        const double d = difference(p, l, &w[at], scale, &kink);
        if (kink)
            r.at_kinks++;
        else if (dt_check_element(&r, g[at], d, fmax(fmax(fabs(g[at]), fabs(d)), fmax(0.01 * scale, 1e-9))))
            dt_check_at(&r, weights ? at / inputs : at, weights ? at % inputs : -1, -1);
    }
    dt_trainer_set_weights(p->trainer, l, p->own->W[l], p->own->b[l]);
    if (p->status == DT_OK)
        dt_check_end(c, &r);
    return p->status;
}

dt_status dt_check_differences(dt_checking *c, dt_error *error)
{
    probe p = {.status = DT_OK, .error = error};
    dt_experiment experiment;
    dt_status status = open_batch(&p, c);
    if (status == DT_OK)
        status = open_trainer(&p, c, &experiment);
    for (int64_t l = 1; status == DT_OK && l <= c->seen->layers; l++) {
        const int64_t units = c->seen->units[l], weights = units * c->seen->units[l - 1];
        status = compare_some(c, &p, DT_QUANTITY_DW, l, p.own->W[l], p.own->dW[l], weights, c->options.weights);
        if (status == DT_OK)
            status =
                compare_some(c, &p, DT_QUANTITY_DB, l, p.own->b[l], p.own->db[l], units, (c->options.weights + 3) / 4);
    }
    dt_observed_destroy(p.own);
    dt_trainer_destroy(p.trainer);
    dt_dataset_destroy(p.batch);
    return status;
}
