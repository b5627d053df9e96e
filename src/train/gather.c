#include "train/gather.h"

#include <string.h>

#include "base/memory.h"
#include "base/split.h"

enum { PREFETCHED = 4096 }; /* bytes of a row */

void dt_gather_numbers(const dt_products *products, const dt_dataset *data, int64_t first, int64_t n, dt_real scale,
                       dt_real *x)
{
    switch (data->element) {
    case DT_U8:
        products->convert_u8(n, (const uint8_t *)data->inputs + first, scale, x);
        break;
    case DT_F32:
        products->convert_f32(n, (const float *)data->inputs + first, scale, x);
        break;
    case DT_F64:
        products->convert_f64(n, (const double *)data->inputs + first, scale, x);
        break;
    }
}

static double number_at(const dt_dataset *data, int64_t i)
{
    return data->element == DT_U8    ? (double)((const uint8_t *)data->inputs)[i]
           : data->element == DT_F32 ? (double)((const float *)data->inputs)[i]
                                     : ((const double *)data->inputs)[i];
}

/* A few numbers at a time, converted side by side and put where they belong. */
static void scatter(const dt_products *products, const dt_dataset *data, dt_real scale, int64_t row, dt_real *x)
{
    enum { SOME = 64 };
    dt_real some[SOME];
    memset(x, 0, (size_t)data->features * sizeof *x);
    for (int64_t at = data->start[row]; at < data->start[row + 1]; at += SOME) {
        const int64_t n = dt_min(SOME, data->start[row + 1] - at);
        dt_gather_numbers(products, data, at, n, scale, some);
        for (int64_t i = 0; i < n; i++)
            x[data->column[at + i]] = some[i];
    }
}

#define TRANSFORM(type)                                                                                                \
    for (int64_t k = 0; k < n; k++)                                                                                    \
    x[k] = (dt_real)(((double)((const type *)data->inputs + first)[k] - shift[k]) * factor[k])

static void transform(const dt_dataset *data, int64_t row, dt_real *restrict x)
{
    const double *shift = data->transform->shift, *factor = data->transform->factor;
    const int64_t n = data->features, first = row * n;
    if (data->start) {
        for (int64_t k = 0; k < n; k++)
            x[k] = (dt_real)(-shift[k] * factor[k]);
        for (int64_t at = data->start[row]; at < data->start[row + 1]; at++) {
            const int32_t k = data->column[at];
            x[k] = (dt_real)((number_at(data, at) - shift[k]) * factor[k]);
        }
        return;
    }
    switch (data->element) {
    case DT_U8:
        TRANSFORM(uint8_t);
        break;
    case DT_F32:
        TRANSFORM(float);
        break;
    case DT_F64:
        TRANSFORM(double);
        break;
    }
}

/* Where the row lies among the inputs that are in memory. */
static int64_t place_of(const dt_dataset *data, int64_t row)
{
    return data->slot ? data->slot[row / data->block] * data->block + row % data->block : row;
}

void dt_gather_row(const dt_products *products, const dt_dataset *data, dt_real scale, int64_t row, dt_real *x)
{
    row = place_of(data, row);
    if (data->transform && data->transform->shift)
        transform(data, row, x);
    else if (data->start)
        scatter(products, data, scale, row, x);
    else
        dt_gather_numbers(products, data, row * data->features, data->features, scale, x);
}

void dt_gather_prefetch(const dt_dataset *data, int64_t row)
{
    const int64_t size = (int64_t)dt_element_size(data->element);
    const int64_t first = data->start ? data->start[row] : place_of(data, row) * data->features;
    const int64_t count = data->start ? data->start[row + 1] - first : data->features;
    const char *bytes = (const char *)data->inputs + first * size;
    const int64_t most = dt_min(count * size, PREFETCHED);
    for (int64_t at = 0; at < most; at += DT_CACHE_LINE)
        __builtin_prefetch(bytes + at, 0, 2);
    if (data->targets)
        __builtin_prefetch(data->targets + row * data->outputs, 0, 3);
    else if (data->labels)
        __builtin_prefetch(data->labels + row, 0, 3);
}
