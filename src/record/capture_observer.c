#include "record/capture_observer.h"

#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "train/step.h"

/* Has the set a row for each sample? */
static bool is_of_samples(const dt_capture_set *set)
{
    return set->shape == DT_SHAPE_IDS || set->shape == DT_SHAPE_SAMPLES;
}

/* Samples that a short minibatch has not: NaN (all bits set is one, in both precisions) and id -1 (all bits set too).
 */
static void pad(const dt_capture_layout *layout, int64_t samples, char *slot)
{
    for (size_t i = DT_SET_SAMPLE_ID; i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        size_t kept = (size_t)samples * (set->shape == DT_SHAPE_SAMPLES ? (size_t)set->columns : 1) * set->element;
        if (is_of_samples(set))
            memset(slot + set->offset + kept, 0xff, set->bytes - kept);
    }
}

void dt_capture_fill_begin(const dt_capture_layout *layout, dt_statistics *statistics, const dt_step_view *view,
                           char *slot)
{
    const int64_t samples = dt_min(view->batch, layout->samples);
    memcpy(slot + layout->sets[DT_SET_STEP].offset, &view->step, sizeof view->step);
    memcpy(slot + layout->sets[DT_SET_EPOCH].offset, &view->epoch, sizeof view->epoch);
    memcpy(slot + layout->sets[DT_SET_SAMPLE_ID].offset, view->sample_id, (size_t)samples * sizeof *view->sample_id);
    if (samples < layout->samples)
        pad(layout, samples, slot);
    dt_statistics_begin(statistics);
}

/* Rows of z, a or delta: all units, or those that the rule shows. */
static void copy_rows(const dt_capture_layout *layout, const dt_capture_set *set, dt_matrix_view rows, char *to)
{
    const int32_t *place = layout->place[set->layer];
    const size_t row = (size_t)set->columns * set->element, stride = (size_t)rows.stride * set->element;
    for (int64_t r = 0; r < rows.rows; r++) {
        const char *from = (const char *)rows.data + (size_t)r * stride;
        char *out = to + (size_t)r * row;
        if (!place)
            memcpy(out, from, row);
        for (int64_t j = 0; place && j < rows.columns; j++)
            if (place[j] >= 0)
                memcpy(out + (size_t)place[j] * set->element, from + (size_t)j * set->element, set->element);
    }
}

void dt_capture_fill_samples(const dt_capture_layout *layout, dt_statistics *statistics, const dt_step_view *view,
                             int64_t first, int64_t count, char *slot)
{
    dt_statistics_samples(statistics, view, first, count, slot);
    count = dt_min(count, layout->samples - first);
    for (size_t i = DT_SET_FIRST_QUANTITY; count > 0 && i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        char *to = slot + set->offset;
        if (set->source == DT_FROM_COSTS)
            memcpy(to + (size_t)first * set->element, dt_step_costs(view) + first, (size_t)count * set->element);
        if (set->source == DT_FROM_SAMPLES)
            copy_rows(layout, set, dt_step_samples(view, set->quantity, set->layer, first, count),
                      to + (size_t)(first * set->columns) * set->element);
    }
}

/* One number of either precision. */
static void copy_number(char *to, const char *from, size_t element)
{
    if (element == sizeof(float))
        memcpy(to, from, sizeof(float));
    else
        memcpy(to, from, sizeof(double));
}

/* Block n of the view to where the set has it: weights (unit, input), or biases (unit). */
static void copy_block(const dt_capture_layout *layout, const dt_capture_set *set, const dt_block_view *v, int64_t n,
                       const char *from, char *to)
{
    const size_t element = set->element;
    const int64_t block = v->first + n, k = block % v->column * v->lanes, j = block / v->column * v->lanes;
    const bool weights = set->quantity == DT_QUANTITY_W || set->quantity == DT_QUANTITY_DW;
    const int64_t first = weights ? 0 : v->inputs - k, last = weights ? dt_min(v->lanes, v->inputs - k) : first + 1;
    if (first < 0 || first >= v->lanes)
        return;
    for (int64_t c = 0; c < dt_min(v->lanes, v->units - j); c++) {
        const int64_t place = layout->place[set->layer] ? layout->place[set->layer][j + c] : j + c;
        if (place < 0) /* isn't among the rule's units */
            continue;
        char *out = to + (size_t)(weights ? place * v->inputs + k : place) * element;
        for (int64_t r = first; r < last; r++)
            copy_number(out + (size_t)(r - first) * element, from + (size_t)(r * v->lanes + c) * element, element);
    }
}

/* Each group's sums, before the reduction; NaN in a step without buffers. */
static void copy_partials(const dt_capture_layout *layout, const dt_capture_set *set, const dt_step_view *view,
                          const dt_slice *slice, char *to)
{
    enum { BLOCK_BYTES = 1024 }; /* of the larger precision */
    _Alignas(DT_CACHE_LINE) char sum[BLOCK_BYTES];
    const size_t worker_bytes = set->bytes / (size_t)layout->groups;
    for (int64_t block = slice->first; block < slice->last; block++) {
        const dt_slice one = {.first = block, .last = block + 1, .l = slice->l};
        const dt_block_view v = dt_step_blocks(view, DT_STEP_PARAMETERS, 0, &one);
        for (int64_t t = 0; t < layout->groups; t++) {
            if (!dt_step_partial(view, t, &one, sum))
                memset(sum, 0xff, sizeof sum);
            copy_block(layout, set, &v, 0, sum, to + (size_t)t * worker_bytes);
        }
    }
}

void dt_capture_fill_slice(const dt_capture_layout *layout, dt_statistics *statistics, const dt_step_view *view,
                           const dt_slice *slice, char *slot)
{
    const size_t block_bytes = dt_step_block_bytes(layout->precision);
    for (size_t i = layout->first_set[slice->l]; layout->copies_blocks && i < layout->first_set[slice->l + 1]; i++) {
        const dt_capture_set *set = &layout->sets[i];
        const bool gradient = set->quantity == DT_QUANTITY_DW || set->quantity == DT_QUANTITY_DB;
        char *to = slot + set->offset;
        if (set->source == DT_FROM_PARTIALS)
            copy_partials(layout, set, view, slice, to);
        if (set->source != DT_FROM_SLICES && set->source != DT_FROM_STATE)
            continue;
        const dt_step_array array = set->source == DT_FROM_STATE ? DT_STEP_STATE
                                    : gradient                   ? DT_STEP_GRADIENT
                                                                 : DT_STEP_PARAMETERS;
        const dt_block_view v = dt_step_blocks(view, array, set->part, slice);
        for (int64_t n = 0; n < v.count; n++)
            copy_block(layout, set, &v, n, (const char *)v.numbers + (size_t)n * block_bytes, to);
    }
    dt_statistics_slice(statistics, view, slice);
}
