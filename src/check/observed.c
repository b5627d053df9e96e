#include "check/observed.h"

#include <string.h>

#include "base/memory.h"

enum { ARRAYS = 4 }; /* W, b, dW, db */

static const dt_quantity quantities[ARRAYS] = {DT_QUANTITY_W, DT_QUANTITY_B, DT_QUANTITY_DW, DT_QUANTITY_DB};

static double **parameters(const dt_observed *o, int which)
{
    double **const arrays[ARRAYS] = {o->W, o->b, o->dW, o->db};
    return arrays[which];
}

static size_t numbers(const dt_observed *o, int which, int64_t l)
{
    return (size_t)o->units[l] * (which % 2 ? 1 : (size_t)o->units[l - 1]);
}

static bool watches(const void *self, int64_t step, int64_t epoch)
{
    (void)epoch;
    return step == ((const dt_observed *)self)->target;
}

static void begin(void *self, const dt_step_view *view)
{
    dt_observed *o = self;
    o->batch = view->batch;
    memcpy(o->sample, view->sample_id, (size_t)view->batch * sizeof *o->sample);
}

static void copy_rows(const dt_step_view *view, dt_quantity quantity, int64_t l, int64_t first, int64_t count,
                      double *out)
{
    const dt_matrix_view m = dt_step_samples(view, quantity, l, first, count);
    for (int64_t i = 0; i < m.rows; i++)
        for (int64_t j = 0; j < m.columns; j++) {
            const int64_t at = i * m.stride + j;
            out[(first + i) * m.columns + j] =
                view->precision == DT_FLOAT32 ? (double)((const float *)m.data)[at] : ((const double *)m.data)[at];
        }
}

static void samples(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    dt_observed *o = self;
    for (int64_t l = 0; l <= o->layers; l++) {
        copy_rows(view, DT_QUANTITY_A, l, first, count, o->a[l]);
        if (l == 0)
            continue;
        copy_rows(view, DT_QUANTITY_Z, l, first, count, o->z[l]);
        copy_rows(view, DT_QUANTITY_DELTA, l, first, count, o->delta[l]);
    }
}

static void slice(void *self, const dt_step_view *view, const dt_slice *part)
{
    dt_observed *o = self;
    for (int64_t l = 1; l <= o->layers; l++)
        for (int q = 0; q < ARRAYS; q++)
            dt_step_copy_slice(view, quantities[q], l, part, o->native[ARRAYS * l + q]);
}

static void end(void *self, const dt_step_view *view)
{
    dt_observed *o = self;
    o->step = view->step;
    for (int64_t l = 1; l <= o->layers && o->precision == DT_FLOAT32; l++)
        for (int q = 0; q < ARRAYS; q++)
            for (size_t i = 0; i < numbers(o, q, l); i++)
                parameters(o, q)[l][i] = (double)((const float *)o->native[ARRAYS * l + q])[i];
}

dt_observer dt_observed_observer(dt_observed *observed)
{
    return (dt_observer){
        .self = observed, .watches = watches, .begin = begin, .samples = samples, .slice = slice, .end = end};
}

/* The arrays of layer l. In float64 the step's own arrays are the ones to compare. */
static bool allocate_layer(dt_observed *o, int64_t l)
{
    const size_t rows = (size_t)o->capacity, units = (size_t)o->units[l];
    o->a[l] = dt_allocate_zeroed(rows, units * sizeof(double));
    o->z[l] = l ? dt_allocate_zeroed(rows, units * sizeof(double)) : NULL;
    o->delta[l] = l ? dt_allocate_zeroed(rows, units * sizeof(double)) : NULL;
    bool all = o->a[l] && (l == 0 || (o->z[l] && o->delta[l]));
    for (int q = 0; l > 0 && q < ARRAYS; q++) {
        parameters(o, q)[l] = dt_allocate_zeroed(numbers(o, q, l), sizeof(double));
        o->native[ARRAYS * l + q] =
            o->precision == DT_FLOAT64 ? parameters(o, q)[l] : dt_allocate_zeroed(numbers(o, q, l), sizeof(float));
        all = all && parameters(o, q)[l] && o->native[ARRAYS * l + q];
    }
    return all;
}

dt_status dt_observed_create(dt_observed **observed, const dt_trainer *trainer, int64_t capacity, dt_error *error)
{
    *observed = NULL;
    dt_trainer_info info;
    dt_trainer_describe(trainer, &info);
    dt_observed *o = dt_allocate_zeroed(1, sizeof *o);
    if (!o)
        return dt_fail_memory(error, "the check");
    const size_t layers = (size_t)info.layers + 1;
    o->layers = info.layers;
    o->capacity = capacity;
    o->target = o->step = -1;
    o->precision = dt_trainer_experiment(trainer)->precision;
    o->units = dt_allocate_zeroed(layers, sizeof *o->units);
    o->sample = dt_allocate_zeroed((size_t)capacity, sizeof *o->sample);
    double ***const lists[] = {&o->z, &o->a, &o->delta, &o->W, &o->b, &o->dW, &o->db};
    bool all = o->units && o->sample && (o->native = dt_allocate_zeroed(ARRAYS * layers, sizeof *o->native));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        all = (*lists[i] = dt_allocate_zeroed(layers, sizeof(double *))) && all;
    for (int64_t l = 0; all && l <= o->layers; l++) {
        o->units[l] = dt_trainer_units(trainer, l);
        all = allocate_layer(o, l);
    }
    if (!all) {
        dt_observed_destroy(o);
        return dt_fail_memory(error, "the check");
    }
    *observed = o;
    return DT_OK;
}

void dt_observed_destroy(dt_observed *observed)
{
    dt_observed *o = observed;
    if (!o)
        return;
    double **const lists[] = {o->z, o->a, o->delta, o->W, o->b, o->dW, o->db};
    for (int64_t l = 0; l <= o->layers; l++) {
        for (int q = 0; q < ARRAYS; q++)
            if (o->native && o->precision == DT_FLOAT32)
                dt_release(o->native[ARRAYS * l + q]);
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
            dt_release(lists[i] ? lists[i][l] : NULL);
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        dt_release(lists[i]);
    dt_release(o->native);
    dt_release(o->units);
    dt_release(o->sample);
    dt_release(o);
}
