/* What observers ask of a step: the calls of deltoid/observer.h, in the precision of the step. */
#include "train/engine.h"

dt_matrix_view dt_step_samples(const dt_step_view *view, dt_quantity quantity, int64_t l, int64_t first, int64_t count)
{
    return dt_engine_ops_of(view->precision)->samples(view->pass, quantity, l, (dt_span){first, first + count});
}

void dt_step_copy_slice(const dt_step_view *view, dt_quantity quantity, int64_t l, const dt_slice *slice, void *out)
{
    dt_engine_ops_of(view->precision)->copy_slice(view->pass, quantity, l, slice, out);
}

dt_block_view dt_step_blocks(const dt_step_view *view, dt_step_array array, int i, const dt_slice *slice)
{
    return dt_engine_ops_of(view->precision)->blocks(view->engine, array, i, slice);
}

bool dt_step_partial(const dt_step_view *view, int64_t group, const dt_slice *slice, void *sum)
{
    return dt_engine_ops_of(view->precision)->partial(view->engine, view, group, slice, sum);
}

const double *dt_step_costs(const dt_step_view *view)
{
    return dt_engine_ops_of(view->precision)->costs(view);
}

double dt_step_norm_square(const dt_step_view *view, int64_t l, int64_t first, int64_t count, void *scratch)
{
    return dt_engine_ops_of(view->precision)->norm_square(view->pass, l, (dt_span){first, first + count}, scratch);
}

size_t dt_step_norm_scratch(dt_precision precision, int64_t layers, const int64_t *units, int64_t samples)
{
    return dt_engine_ops_of(precision)->norm_scratch(layers, units, samples);
}

int64_t dt_step_block_count(dt_precision precision, int64_t layers, const int64_t *units)
{
    return dt_engine_ops_of(precision)->block_count(layers, units);
}

size_t dt_step_block_bytes(dt_precision precision)
{
    return dt_engine_ops_of(precision)->block_bytes;
}

const char *dt_step_state_name(const dt_experiment *experiment, int i)
{
    return dt_engine_ops_of(experiment->precision)->state_named(experiment, i);
}
