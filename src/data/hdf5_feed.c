#include "data/hdf5_feed.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "data/feed.h"

/* What the child reads by: its copy of this process's. */
typedef struct reader {
    dt_array_name name;
    dt_array shape;
    dt_hdf5_array array; /* in the child alone */
    dt_element element;
    unsigned char *raw; /* (DT_HDF5_BLOCK): numbers that are not yet elements; NULL where they are */
} reader;

/* --- in the child --- */

static dt_status open_array(void *context, dt_error *error)
{
    reader *r = context;
    dt_array now = {.name = r->name.text};
    dt_status status = dt_hdf5_array_open(&r->array, &r->name, error);
    if (status == DT_OK)
        status = dt_hdf5_array_believe(&now, &r->name, &r->array.said, error);
    if (status == DT_OK && strcmp(now.shape, r->shape.shape) != 0)
        status = dt_fail(error, DT_IO, "%s: was changed while it was read: it had %s and has %s", now.name,
                         r->shape.shape, now.shape);
    return status;
}

/* Whole blocks, which are whole chunks where these fit. */
static int64_t rows_at_once(const void *context, int64_t first)
{
    const int64_t block = ((const reader *)context)->array.said.block;
    return block - first % block;
}

/* How many of the first n are finite numbers. */
static size_t count_finite(dt_element element, size_t n, const void *numbers)
{
    size_t i = 0;
    if (element == DT_F32)
        while (i < n && isfinite(((const float *)numbers)[i]))
            i++;
    else if (element == DT_F64)
        while (i < n && isfinite(((const double *)numbers)[i]))
            i++;
    return element == DT_U8 ? n : i;
}

static dt_status read_rows(void *context, int64_t first, int64_t count, void *to, dt_error *error)
{
    const reader *r = context;
    const size_t n = (size_t)count * r->shape.features;
    dt_status status = dt_hdf5_array_read(&r->array, first, count, r->raw ? r->raw : to, error);
    if (status != DT_OK)
        return status;
    const size_t good =
        r->raw ? dt_numbers_to_elements(&r->shape.type, n, r->raw, to) : count_finite(r->element, n, to);
    if (good == n)
        return DT_OK;
    const double value = r->element == DT_F32 ? (double)((const float *)to)[good] : ((const double *)to)[good];
    return dt_array_fail_number(&r->shape, "input", (size_t)first * r->shape.features + good, value, error);
}

/* --- in this process --- */

static void close_reader(void *context)
{
    reader *r = context;
    if (!r)
        return;
    dt_array_name_clear(&r->name);
    dt_release(r->raw);
    dt_release(r);
}

static dt_status make_reader(reader **made, const dt_array *inputs, const dt_opening *opening, dt_error *error)
{
    reader *r = *made = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail_memory(error, inputs->name);
    r->shape = *inputs;
    r->element = dt_numbers_element(&inputs->type);
    dt_status status = dt_array_name_make(&r->name, opening->source, opening->source->inputs, NULL, error);
    r->shape.name = r->name.text;
    const bool plain = r->element == DT_U8 ||
                       (inputs->type.kind == DT_NUMBER_FLOAT && inputs->type.size == dt_element_size(r->element));
    if (status == DT_OK && !plain && !(r->raw = dt_allocate(DT_HDF5_BLOCK, 1)))
        status = dt_fail_memory(error, inputs->name);
    if (status == DT_OK)
        return DT_OK;
    close_reader(r);
    *made = NULL;
    return status;
}

static int64_t memory_of(const dt_data_spec *data)
{
    return data->memory ? data->memory : DT_DATA_MEMORY;
}

static size_t row_bytes(const dt_array *inputs)
{
    return inputs->features * dt_element_size(dt_numbers_element(&inputs->type));
}

bool dt_hdf5_feed_wanted(const dt_array *inputs, const dt_data_spec *data)
{
    if (data->stream && strcmp(data->stream, "auto") != 0)
        return strcmp(data->stream, "true") == 0;
    return inputs->rows > (size_t)memory_of(data) / row_bytes(inputs);
}

dt_status dt_hdf5_feed_open(dt_dataset *dataset, const dt_array *inputs, const dt_hdf5_said *said,
                            const dt_opening *opening, dt_error *error)
{
    const dt_data_spec *data = opening->data;
    dt_feed_sizes sizes;
    reader *r;
    dt_status status = dt_feed_plan(&sizes, (int64_t)inputs->rows, row_bytes(inputs), said->chunk, memory_of(data),
                                    data->window, data->block, opening->part == DT_TRAIN, error);
    if (status == DT_OK)
        status = make_reader(&r, inputs, opening, error);
    if (status != DT_OK)
        return status;
    const dt_feed_source source = {.path = r->name.file,
                                   .name = r->name.text,
                                   .context = r,
                                   .open = open_array,
                                   .read = read_rows,
                                   .most = rows_at_once,
                                   .close = close_reader,
                                   .memory = DT_HDF5_CHILD_MEMORY};
    dataset->rows = (int64_t)inputs->rows;
    dataset->features = (int64_t)inputs->features;
    dataset->element = r->element;
    sizes.reader = (size_t)said->cache + (r->raw ? DT_HDF5_BLOCK : 0);
    status = dt_feed_create(&dataset->feed, &source, &sizes, error);
    if (status != DT_OK)
        return status;
    dataset->inputs = dt_feed_inputs(dataset->feed);
    dataset->slot = dt_feed_slots(dataset->feed);
    dataset->block = sizes.windows.block;
    dataset->windows = sizes.windows.count;
    return DT_OK;
}
