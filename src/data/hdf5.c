#include "data/hdf5.h"

#include <string.h>

#include "base/memory.h"
#include "base/sandbox.h"
#include "data/hdf5_array.h"
#include "data/hdf5_feed.h"
#include "hdf5/hdf5.h"

/* An array on its way through the pipe: what the child says of it, then said.block rows at a time, the last fewer. */
typedef struct transfer {
    dt_array array;
    dt_array_name name;
    dt_sandbox box;
    bool started;
    dt_hdf5_said said;
    unsigned char *block; /* (DT_HDF5_BLOCK); the child fills its copy, this process its own */
    size_t at, end;       /* what is left in it */
    uint64_t rows_left;
} transfer;

/* Ends with the child. */
static dt_status work(void *context, int pipe, dt_error *error)
{
    const transfer *t = context;
    dt_hdf5_array array;
    dt_status status = dt_hdf5_array_open(&array, &t->name, error);
    if (status == DT_OK)
        status = dt_sandbox_send(pipe, &array.said, sizeof array.said);
    size_t row = (size_t)array.said.size;
    for (int64_t d = 1; status == DT_OK && d < array.said.rank; d++)
        row *= (size_t)array.said.dimensions[d];
    for (uint64_t done = 0; status == DT_OK && done < array.said.dimensions[0]; done += (uint64_t)array.said.block) {
        const uint64_t left = array.said.dimensions[0] - done;
        const int64_t some = left < (uint64_t)array.said.block ? (int64_t)left : array.said.block;
        status = dt_hdf5_array_read(&array, (int64_t)done, some, t->block, error);
        if (status == DT_OK)
            status = dt_sandbox_send(pipe, t->block, (size_t)some * row);
    }
    return status;
}

/* --- in this process --- */

static dt_status receive_block(transfer *a, dt_error *error)
{
    const uint64_t rows = a->rows_left < (uint64_t)a->said.block ? a->rows_left : (uint64_t)a->said.block;
    a->at = 0;
    a->end = (size_t)rows * a->array.features * a->array.type.size;
    a->rows_left -= rows;
    return a->end ? dt_sandbox_receive(&a->box, a->block, a->end, error) : DT_OK;
}

static dt_status read_blocks(void *from, void *bytes, size_t size, size_t *got, dt_error *error)
{
    transfer *a = from;
    dt_status status = DT_OK;
    *got = 0;
    while (*got < size && status == DT_OK) {
        if (a->at == a->end && (status = receive_block(a, error)) != DT_OK)
            break;
        const size_t left = a->end - a->at, some = left < size - *got ? left : size - *got;
        if (some == 0)
            break;
        memcpy((char *)bytes + *got, a->block + a->at, some);
        a->at += some;
        *got += some;
    }
    return status;
}

static dt_status open_array(transfer *a, const dt_source *source, const char *which, dt_error *error)
{
    dt_status status = dt_array_name_make(&a->name, source, which, NULL, error);
    if (status != DT_OK)
        return status;
    a->array.name = a->name.text;
    a->array.read = read_blocks;
    a->array.from = a;
    if (!a->name.array)
        return dt_fail(error, DT_INVALID, "%s: names no array; write FILE:/PATH, or file: FILE beside /PATH",
                       a->name.text);
    status = dt_sandbox_check_file(a->name.file, "check the path, or fetch the data set first", error);
    if (status == DT_OK && !(a->block = dt_allocate(DT_HDF5_BLOCK, 1)))
        status = dt_fail_memory(error, a->name.text);
    if (status != DT_OK)
        return status;
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    status = dt_sandbox_start(&a->box, a->name.file, work, a, DT_HDF5_CHILD_MEMORY, DT_SANDBOX_LONG, error);
    dt_hdf5_leave();
    a->started = status == DT_OK;
    if (status == DT_OK)
        status = dt_sandbox_receive(&a->box, &a->said, sizeof a->said, error);
    if (status == DT_OK)
        status = dt_hdf5_array_believe(&a->array, &a->name, &a->said, error);
    a->rows_left = a->array.rows;
    return status;
}

static void end_child(transfer *a)
{
    if (a->started)
        dt_sandbox_finish(&a->box);
    a->started = false;
}

static void close_array(transfer *a)
{
    end_child(a);
    dt_release(a->block);
    dt_array_name_clear(&a->name);
}

/* The file's SHA-256: the inputs' where it is the same file, which may be large. */
static dt_status hash_file(char sha256[65], const transfer *labels, const transfer *inputs, const char *known,
                           dt_error *error)
{
    if (strcmp(labels->name.file, inputs->name.file) != 0)
        return dt_stream_hash_file(labels->name.file, sha256, error);
    memcpy(sha256, known, 65);
    return DT_OK;
}

static dt_status read_labels(dt_dataset *dataset, transfer *inputs, const dt_opening *opening, dt_error *error)
{
    const dt_source *source = opening->source;
    transfer labels = {.started = false};
    dt_status status = open_array(&labels, source, source->labels, error);
    if (status == DT_OK)
        status = dt_array_check_pair(&inputs->array, &labels.array, opening->data->targets, error);
    if (status == DT_OK)
        status = dt_array_read_labels(dataset, &labels.array, opening->data->targets, error);
    if (status == DT_OK)
        status = hash_file(dataset->labels_sha256, &labels, inputs, dataset->inputs_sha256, error);
    close_array(&labels);
    return status;
}

/* All of them, or a feed for them. */
static dt_status take_inputs(dt_dataset *dataset, transfer *inputs, const dt_opening *opening, dt_error *error)
{
    dataset->chunk = inputs->said.chunk;
    if (!dt_hdf5_feed_wanted(&inputs->array, opening->data))
        return dt_array_read_inputs(dataset, &inputs->array, error);
    end_child(inputs);
    return dt_hdf5_feed_open(dataset, &inputs->array, &inputs->said, opening, error);
}

dt_status dt_hdf5_dataset_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    const dt_source *source = opening->source;
    transfer inputs = {.started = false};
    if (!source->inputs || (!source->labels && !opening->unlabelled))
        return dt_fail(error, DT_INVALID, "format hdf5 needs two arrays: inputs and labels; name both");
    dt_status status = open_array(&inputs, source, source->inputs, error);
    if (status == DT_OK)
        status = dt_stream_hash_file(inputs.name.file, dataset->inputs_sha256, error);
    if (status == DT_OK && source->labels)
        status = read_labels(dataset, &inputs, opening, error);
    if (status == DT_OK)
        status = take_inputs(dataset, &inputs, opening, error);
    close_array(&inputs);
    return status;
}
