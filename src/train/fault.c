#include "train/fault.h"

#include <math.h>

static bool in_weights(const dt_network *n, int64_t l, dt_fault *fault)
{
    const dt_layer *layer = &n->layer[l];
    for (int64_t j = 0; j < layer->units; j++)
        for (int64_t k = 0; k <= layer->inputs; k++)
            if (!isfinite(n->parameters[dt_network_place(n, l, j, k)])) {
                const bool bias = k == layer->inputs;
                *fault = (dt_fault){bias ? "b" : "W", l, j, bias ? -1 : k, -1};
                return true;
            }
    return false;
}

/* Of sparse inputs what is there; the rest is 0. */
static bool in_sparse(const dt_pass *p, const int64_t *sample, int64_t batch, dt_fault *fault)
{
    const dt_sparse_rows *x = &p->sparse->rows;
    for (int64_t i = 0; i < batch; i++)
        for (int64_t at = x->row[i].first; at < x->row[i].last; at++)
            if (!isfinite(x->value[at])) {
                *fault = (dt_fault){dt_quantity_name(DT_QUANTITY_A), 0, x->column[at], -1, sample[i]};
                return true;
            }
    return false;
}

static bool in_rows(const dt_pass *p, dt_quantity quantity, int64_t l, const int64_t *sample, int64_t batch,
                    dt_fault *fault)
{
    const dt_matrix_view view = dt_pass_samples(p, quantity, l, (dt_span){0, batch});
    const dt_real *numbers = view.data;
    for (int64_t i = 0; i < view.rows; i++)
        for (int64_t j = 0; j < view.columns; j++)
            if (!isfinite(numbers[i * view.stride + j])) {
                *fault = (dt_fault){dt_quantity_name(quantity), l, j, -1, sample[i]};
                return true;
            }
    return false;
}

static bool in_cost(const dt_pass *p, const int64_t *sample, int64_t batch, dt_fault *fault)
{
    for (int64_t i = 0; i < batch; i++)
        if (!isfinite(p->cost[i])) {
            *fault = (dt_fault){"C", p->network->layers, dt_pass_answer(p, i), -1, sample[i]};
            return true;
        }
    return false;
}

void dt_pass_find_fault(dt_pass *p, const dt_run *run, const int64_t *sample, int64_t batch, dt_fault *fault)
{
    const int64_t L = p->network->layers;
    const dt_span all = {0, batch};
    const dt_draws draws = {run->experiment->seed, run->base + run->done}; /* the step's own noise and masks */
    *fault = (dt_fault){.input = -1, .sample = -1};
    dt_pass_gather(p, 0, run->train, (dt_real)run->experiment->data.scale, sample, all);
    if (run->experiment->data.noise > 0)
        dt_pass_noise(p, 0, (dt_real)run->experiment->data.noise, &draws, all);
    for (int64_t l = 1; l <= L; l++)
        dt_pass_forward_units(p, l, 0, all, (dt_span){0, p->network->layer[l].panels}, true, &draws);
    dt_pass_cost(p, run->train, sample, all);
    if (p->sparse ? in_sparse(p, sample, batch, fault) : in_rows(p, DT_QUANTITY_A, 0, sample, batch, fault))
        return;
    for (int64_t l = 1; l <= L; l++)
        if (in_weights(p->network, l, fault) || in_rows(p, DT_QUANTITY_Z, l, sample, batch, fault) ||
            in_rows(p, DT_QUANTITY_A, l, sample, batch, fault))
            return;
    if (in_cost(p, sample, batch, fault))
        return;
    dt_pass_backward(p, all, true, NULL);
    for (int64_t l = L; l >= 1; l--)
        if (in_rows(p, DT_QUANTITY_DELTA, l, sample, batch, fault))
            return;
}
