/* The table of data formats, and the life of a data set.
 *
 * To add a format, write `open` in a file of its own beside idx.c and add its line to the table here: experiments,
 * messages, help texts and tests find it by that line. `open` gets a zeroed data set and fills it; arrays come from
 * dt_allocate_array. It refuses what is malformed with one sentence that names the file, what was expected, what was
 * found and what to do, and allocates nothing on the word of a header alone
 * (data/array.h reads arrays of numbers so, data/lines.h text). When it fails, dt_dataset_open releases
 * what it has set.
 */
#include "deltoid/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "data/csv.h"
#include "data/feed.h"
#include "data/hdf5.h"
#include "data/idx.h"
#include "data/libsvm.h"
#include "data/npy.h"
#include "data/synthetic.h"
#include "data/transform.h"
#include "data/windows.h"

static const dt_format formats[] = {
    {{"idx", "inputs: FILE, labels: FILE",
      "MNIST's format, plain or gzipped: ranks 1 to 4, integers or floats; integer labels"},
     dt_idx_open},
    {{"csv", "file: FILE",
      "a table, plain or gzipped: numbers and words, a header or none; `label` names the columns of labels"},
     dt_csv_open},
    {{"libsvm", "file: FILE", "LABEL INDEX:VALUE ..., indices from 1, ascending; held sparse"}, dt_libsvm_open},
    {{"npy", "inputs: FILE.npy, labels: FILE.npy, or FILE.npz:/NAME",
      "NumPy's arrays: integers or floats; integer labels"},
     dt_npy_open},
    {{"hdf5", "file: FILE, inputs: /PATH, labels: /PATH", "arrays of an HDF5 file: integers or floats; integer labels"},
     dt_hdf5_dataset_open},
    {{"synthetic", "generator: NAME, rows: N", "made from the seed"}, dt_synthetic_open},
};

enum { FORMATS = sizeof formats / sizeof *formats };

const dt_format *dt_format_at(size_t i)
{
    return i < FORMATS ? &formats[i] : NULL;
}

static const char *name_at(const void *context, size_t i)
{
    (void)context;
    return i < FORMATS ? formats[i].entry.name : NULL;
}

const dt_format *dt_format_find(const char *name, dt_error *error)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (strcmp(formats[i].entry.name, name) == 0)
            return &formats[i];
    dt_fail_unknown(error, "data format", name, name_at, NULL);
    return NULL;
}

size_t dt_element_size(dt_element element)
{
    static const size_t sizes[] = {[DT_U8] = 1, [DT_F32] = sizeof(float), [DT_F64] = sizeof(double)};
    return sizes[element];
}

const char *dt_data_part_name(dt_data_part part)
{
    static const char *const names[] = {[DT_TRAIN] = "train", [DT_TEST] = "test", [DT_VALIDATION] = "validation"};
    return (unsigned)part < DT_DATA_PARTS ? names[part] : "new samples";
}

/* Rows in memory are shuffled all together, or as data.window says. */
static dt_status choose_windows(dt_dataset *d, const dt_opening *opening, dt_error *error)
{
    const dt_data_spec *data = opening->data;
    const size_t row = (size_t)d->features * dt_element_size(d->element);
    dt_windows windows;
    if (d->feed || opening->part != DT_TRAIN)
        return DT_OK;
    const dt_status status = dt_windows_make(&windows, d->rows, row, d->chunk, data->window, data->block, error);
    d->block = windows.block;
    d->windows = windows.count;
    return status;
}

static dt_status open_dataset(dt_dataset **dataset, const dt_opening *opening, dt_error *error)
{
    *dataset = NULL;
    const dt_format *format = dt_format_find(opening->data->format, error);
    if (!format)
        return DT_UNKNOWN_NAME;
    dt_dataset *d = dt_allocate_zeroed(1, sizeof *d);
    if (!d)
        return dt_fail_memory(error, "a data set");
    dt_status status = format->open(d, opening, error);
    if (status == DT_OK)
        status = choose_windows(d, opening, error);
    if (status == DT_OK)
        status = dt_dataset_transform(d, opening, error);
    if (status != DT_OK) {
        dt_dataset_destroy(d);
        return status;
    }
    *dataset = d;
    return DT_OK;
}

dt_status dt_dataset_open(dt_dataset **dataset, const char *format, const dt_source *source, dt_error *error)
{
    const dt_data_spec data = {.format = format, .scale = 1, .stream = "false"};
    return open_dataset(dataset, &(dt_opening){.source = source, .data = &data}, error);
}

dt_status dt_dataset_open_part(dt_dataset **dataset, const dt_data_spec *data, dt_data_part part, uint64_t seed,
                               const dt_transform *like, dt_error *error)
{
    const dt_source *source = part == DT_TRAIN ? &data->train : part == DT_TEST ? &data->test : &data->validation;
    *dataset = NULL;
    const bool made = strcmp(data->format, "synthetic") == 0;
    if (part != DT_TRAIN && (made ? part == DT_VALIDATION || data->test_rows == 0 : !dt_source_is_given(source)))
        return DT_OK;
    return open_dataset(dataset,
                        &(dt_opening){.source = source, .data = data, .part = part, .seed = seed, .like = like}, error);
}

dt_status dt_dataset_open_new(dt_dataset **dataset, const dt_data_spec *data, const dt_source *source,
                              const dt_transform *like, dt_error *error)
{
    return open_dataset(
        dataset, &(dt_opening){.source = source, .data = data, .part = DT_DATA_PARTS, .like = like, .unlabelled = true},
        error);
}

const char *dt_dataset_label_name(const dt_dataset *dataset, int64_t label, char room[24])
{
    const int64_t count = dataset->kind == DT_TARGETS_CLASSES ? dataset->classes : dataset->outputs;
    if (dataset->label_names && label >= 0 && label < count)
        return dataset->label_names[label];
    snprintf(room, 24, "%lld", (long long)label);
    return room;
}

static dt_status check_inputs(int64_t rows, int64_t features, int64_t answers, const char *name, dt_element element,
                              const void *inputs, const void *given, dt_error *error)
{
    size_t count, bytes;
    if (rows < 1 || features < 1 || answers < 1)
        return dt_fail(error, DT_INVALID, "a data set of %lld rows, %lld features and %lld %s; each must be at least 1",
                       (long long)rows, (long long)features, (long long)answers, name);
    if (element != DT_U8 && element != DT_F32 && element != DT_F64)
        return dt_fail(error, DT_INVALID, "element type %d of a data set is unknown; use DT_U8, DT_F32 or DT_F64",
                       (int)element);
    if (!inputs || !given)
        return dt_fail(error, DT_INVALID, "a data set needs both inputs and %s; one of them is NULL",
                       strcmp(name, "classes") == 0 ? "labels" : "targets");
    if (!dt_multiply((size_t)rows, (size_t)features, &count) || !dt_multiply(count, sizeof(double), &bytes) ||
        !dt_multiply((size_t)rows, (size_t)answers, &count) || !dt_multiply(count, sizeof(double), &bytes))
        return dt_fail(error, DT_INVALID, "a data set of %lld rows and %lld features can't be addressed; use fewer",
                       (long long)rows, (long long)features);
    return DT_OK;
}

static dt_status check_labels(int64_t rows, int64_t classes, const int32_t *labels, dt_error *error)
{
    for (int64_t i = 0; i < rows; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            return dt_fail(error, DT_INVALID,
                           "the label of row %lld is %d, expected 0 to %lld; number the classes from 0", (long long)i,
                           labels[i], (long long)classes - 1);
    return DT_OK;
}

dt_status dt_targets_check(dt_targets kind, int64_t rows, int64_t outputs, const double *targets, dt_error *error)
{
    for (int64_t i = 0; i < rows * outputs; i++) {
        const double t = targets[i];
        if (!isfinite(t))
            return dt_fail(error, DT_INVALID, "target %lld of row %lld is no finite number", (long long)(i % outputs),
                           (long long)(i / outputs));
        if (kind == DT_TARGETS_MULTILABEL && (t < 0 || t > 1))
            return dt_fail(error, DT_INVALID,
                           "target %lld of row %lld is %.9g; of several labels each is between 0 and 1",
                           (long long)(i % outputs), (long long)(i / outputs), t);
    }
    return DT_OK;
}

static void *copy(const void *array, size_t count, size_t size)
{
    void *memory = dt_allocate_array(count, size);
    return memory ? memcpy(memory, array, count * size) : NULL;
}

/* A copy of what `like` points to, which has been checked. */
static dt_status copy_dataset(dt_dataset **dataset, const dt_dataset *like, dt_error *error)
{
    dt_dataset *d = dt_allocate_zeroed(1, sizeof *d);
    if (!d)
        return dt_fail_memory(error, "a data set");
    const size_t rows = (size_t)like->rows;
    *d = *like;
    d->inputs = copy(like->inputs, rows * (size_t)like->features, dt_element_size(like->element));
    d->labels = like->labels ? copy(like->labels, rows, sizeof *like->labels) : NULL;
    d->targets = like->targets ? copy(like->targets, rows * (size_t)like->outputs, sizeof *like->targets) : NULL;
    if (!d->inputs || !d->labels != !like->labels || !d->targets != !like->targets) {
        dt_dataset_destroy(d);
        return dt_fail_memory(error, "a data set");
    }
    *dataset = d;
    return DT_OK;
}

dt_status dt_dataset_from_arrays(dt_dataset **dataset, int64_t rows, int64_t features, int64_t classes,
                                 dt_element element, const void *inputs, const int32_t *labels, dt_error *error)
{
    *dataset = NULL;
    dt_status status = check_inputs(rows, features, classes, "classes", element, inputs, labels, error);
    if (status == DT_OK)
        status = check_labels(rows, classes, labels, error);
    if (status != DT_OK)
        return status;
    const dt_dataset like = {
        .rows = rows, .features = features, .classes = classes, .element = element, .inputs = inputs, .labels = labels};
    return copy_dataset(dataset, &like, error);
}

dt_status dt_dataset_from_targets(dt_dataset **dataset, int64_t rows, int64_t features, int64_t outputs,
                                  dt_element element, const void *inputs, dt_targets kind, const double *targets,
                                  dt_error *error)
{
    *dataset = NULL;
    if (kind != DT_TARGETS_REGRESSION && kind != DT_TARGETS_MULTILABEL)
        return dt_fail(error, DT_INVALID, "targets of kind %d; use DT_TARGETS_REGRESSION or DT_TARGETS_MULTILABEL",
                       (int)kind);
    dt_status status = check_inputs(rows, features, outputs, "outputs", element, inputs, targets, error);
    if (status == DT_OK)
        status = dt_targets_check(kind, rows, outputs, targets, error);
    if (status != DT_OK)
        return status;
    const dt_dataset like = {.rows = rows,
                             .features = features,
                             .element = element,
                             .inputs = inputs,
                             .kind = kind,
                             .outputs = outputs,
                             .targets = targets};
    return copy_dataset(dataset, &like, error);
}

/* Arrays are const to everyone who reads them; here they are the data set's own. */
static void release_own(const void *array)
{
    dt_release((void *)(uintptr_t)array);
}

void dt_dataset_destroy(dt_dataset *dataset)
{
    if (!dataset)
        return;
    if (dataset->feed)
        dt_feed_destroy(dataset->feed);
    else
        release_own(dataset->inputs);
    release_own(dataset->start);
    release_own(dataset->column);
    release_own(dataset->labels);
    release_own(dataset->label_names);
    dt_transform_destroy((dt_transform *)(uintptr_t)dataset->transform);
    release_own(dataset->targets);
    dt_release(dataset);
}
