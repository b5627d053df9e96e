/* Fuzzes the reader of IDX files: libFuzzer gives both files, inputs and labels, with two bytes before them,
 * big-endian, that say how long the first is.
 *
 * Read as they are, whatever is accepted must be a whole data set, and whatever is refused must leave a message of one
 * line and no data set. Read gzipped, whatever isn't gzip itself must give the same.
 */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include <zlib.h>

#include "deltoid/dataset.h"
#include "fuzz.h"

static memory_file make_gzip_file(const uint8_t *bytes, size_t size)
{
    static uint8_t packed[1 << 18];
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)bytes,
                  .avail_in = (unsigned)size,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    check(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 1, Z_DEFAULT_STRATEGY) == Z_OK &&
          deflate(&z, Z_FINISH) == Z_STREAM_END);
    const size_t used = sizeof packed - z.avail_out;
    deflateEnd(&z);
    return memory_file_make(packed, used);
}

static size_t input_bytes(const dt_dataset *d)
{
    return (size_t)d->rows * (size_t)d->features * dt_element_size(d->element);
}

static void check_dataset(const dt_dataset *d)
{
    check(d->rows >= 1 && d->features >= 1 && d->classes >= 1 && d->classes <= 1 << 20);
    int64_t classes = 0;
    for (int64_t i = 0; i < d->rows; i++) {
        check(d->labels[i] >= 0);
        classes = d->labels[i] >= classes ? d->labels[i] + 1 : classes;
    }
    check(classes == d->classes);
    unsigned sum = 0; /* so that every byte is read */
    for (size_t i = 0; i < input_bytes(d); i++)
        sum += ((const uint8_t *)d->inputs)[i];
    check(sum <= 255 * input_bytes(d));
    check(strlen(d->inputs_sha256) == 64 && strlen(d->labels_sha256) == 64);
}

static dt_dataset *read_pair(const memory_file *inputs, const memory_file *labels)
{
    dt_dataset *dataset = NULL;
    dt_error error = {0};
    const dt_status status =
        dt_dataset_open(&dataset, "idx", &(dt_source){.inputs = inputs->path, .labels = labels->path}, &error);
    check(status == error.status && (dataset != NULL) == (status == DT_OK));
    if (dataset)
        check_dataset(dataset);
    else
        check_refusal(status, &error);
    memory_file_drop(inputs);
    memory_file_drop(labels);
    return dataset;
}

static bool is_gzip(const uint8_t *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1 << 16)
        return 0;
    size_t first = (size_t)data[0] << 8 | data[1];
    data += 2;
    size -= 2;
    first = first < size ? first : size;
    const uint8_t *second = data + first;

    const memory_file inputs = memory_file_make(data, first), labels = memory_file_make(second, size - first);
    dt_dataset *dataset = read_pair(&inputs, &labels);
    if (!is_gzip(data, first) && !is_gzip(second, size - first)) {
        const memory_file packed_inputs = make_gzip_file(data, first),
                          packed_labels = make_gzip_file(second, size - first);
        dt_dataset *again = read_pair(&packed_inputs, &packed_labels);
        check((dataset != NULL) == (again != NULL));
        if (dataset) {
            check(dataset->rows == again->rows && dataset->features == again->features &&
                  dataset->element == again->element);
            check(memcmp(dataset->inputs, again->inputs, input_bytes(dataset)) == 0);
            check(memcmp(dataset->labels, again->labels, (size_t)dataset->rows * sizeof *dataset->labels) == 0);
        }
        dt_dataset_destroy(again);
    }
    dt_dataset_destroy(dataset);
    return 0;
}
