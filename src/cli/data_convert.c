/* deltoid data convert: a data set in another format. To add one, write its `write` here and its line in the table. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/names.h"
#include "cli/data_command.h"
#include "cli/text.h"
#include "data/labels.h"
#include "data/lines.h"
#include "data/scan.h"
#include "record/dataset_write.h"

enum { FLUSH_AT = 1 << 16 };

/* What goes to a new file, in pieces. */
typedef struct output {
    dt_new_file file;
    dt_text text;
    dt_error *error;
    dt_status status;
} output;

static dt_status begin(output *o, const char *path, dt_error *error)
{
    *o = (output){.error = error};
    return o->status = dt_new_file_begin(&o->file, path, error);
}

static void flush(output *o, size_t more_than)
{
    if (o->status == DT_OK && o->text.failed)
        o->status = dt_fail_memory(o->error, o->file.path);
    if (o->status != DT_OK || o->text.length <= more_than)
        return;
    o->status = dt_write_all(o->file.fd, o->text.bytes, o->text.length, o->file.path, o->error);
    dt_text_clear(&o->text);
}

static void put_bytes(output *o, const void *bytes, size_t size)
{
    flush(o, 0);
    if (o->status == DT_OK)
        o->status = dt_write_all(o->file.fd, bytes, size, o->file.path, o->error);
}

static dt_status finish(output *o)
{
    flush(o, 0);
    dt_text_clear(&o->text);
    if (o->status == DT_OK)
        return dt_new_file_publish(&o->file, false, o->error);
    dt_new_file_discard(&o->file);
    return o->status;
}

static void add_number(dt_text *text, const dt_dataset *d, double value)
{
    char digits[40];
    for (int n = d->element == DT_F64 ? 15 : 6; n <= 17; n++) { /* the fewest that read back as the same number */
        snprintf(digits, sizeof digits, "%.*g", n, value);
        const double back = strtod(digits, NULL);
        if (d->element == DT_F64 ? back == value : (float)back == (float)value)
            break;
    }
    dt_text_add(text, "%s", digits);
}

/* All rows of inputs, one after the other. */
typedef struct reading {
    dt_scan scan;
    double *row;
} reading;

static void end_reading(reading *r)
{
    dt_scan_end(&r->scan);
    dt_release(r->row);
}

static dt_status begin_reading(reading *r, const dt_dataset *d, dt_error *error)
{
    r->row = dt_allocate((size_t)d->features, sizeof *r->row);
    dt_status status = dt_scan_begin(&r->scan, d, (dt_rows){d->rows, NULL}, error);
    if (status == DT_OK && !r->row)
        status = dt_fail_memory(error, "a row");
    if (status != DT_OK)
        end_reading(r);
    return status;
}

/* --- csv --- */

static void add_field(dt_text *text, const char *field)
{
    const size_t n = strlen(field);
    const bool plain = n && !strpbrk(field, ",;\t|\"\n\r") && field[0] != ' ' && field[n - 1] != ' ';
    if (plain) {
        dt_text_add(text, "%s", field);
        return;
    }
    dt_text_add(text, "\"");
    for (; *field; field++)
        dt_text_add(text, *field == '"' ? "\"\"" : "%c", *field);
    dt_text_add(text, "\"");
}

static dt_status write_csv(const dt_data_file *file, const char *path, dt_error *error)
{
    const dt_dataset *d = file->dataset;
    output o;
    char room[24];
    reading r;
    dt_status status = begin_reading(&r, d, error);
    if (status != DT_OK)
        return status;
    if ((status = begin(&o, path, error)) != DT_OK) {
        end_reading(&r);
        return status;
    }
    for (int64_t k = 0; k < d->features; k++) {
        dt_text_add(&o.text, "%s", k ? "," : "");
        add_field(&o.text, file->names[k]);
    }
    for (int64_t j = 0; d->targets && j < d->outputs; j++) {
        dt_text_add(&o.text, ",");
        add_field(&o.text, d->label_names ? d->label_names[j] : dt_dataset_label_name(d, j, room));
    }
    dt_text_add(&o.text, "%s\n", d->labels ? ",label" : "");
    for (int64_t i = 0; i < d->rows && o.status == DT_OK; i++) {
        o.status = dt_scan_row(&r.scan, i, r.row, error);
        for (int64_t k = 0; k < d->features; k++) {
            dt_text_add(&o.text, "%s", k ? "," : "");
            add_number(&o.text, d, r.row[k]);
        }
        for (int64_t j = 0; d->targets && j < d->outputs; j++)
            dt_text_add(&o.text, ",%.17g", d->targets[i * d->outputs + j]);
        if (d->labels) {
            dt_text_add(&o.text, ",");
            add_field(&o.text, dt_dataset_label_name(d, d->labels[i], room));
        }
        dt_text_add(&o.text, "\n");
        flush(&o, FLUSH_AT);
    }
    end_reading(&r);
    return finish(&o);
}

/* --- libsvm --- */

static dt_status check_libsvm(const dt_data_file *file, dt_error *error)
{
    const dt_dataset *d = file->dataset;
    char room[32];
    for (int64_t c = 0; d->labels && d->label_names && c < d->classes; c++)
        if (dt_label_spelling(d->label_names[c], room) != room)
            return dt_fail(error, DT_INVALID,
                           "%s: class '%.40s' is a word, and LIBSVM's labels are numbers; convert to csv", file->path,
                           d->label_names[c]);
    if (d->targets && d->outputs != 1)
        return dt_fail(error, DT_INVALID, "%s: has %" PRId64 " targets a row, LIBSVM's format one; convert to csv",
                       file->path, d->outputs);
    return DT_OK;
}

static dt_status write_libsvm(const dt_data_file *file, const char *path, dt_error *error)
{
    const dt_dataset *d = file->dataset;
    output o;
    char room[24];
    reading r;
    dt_status status = check_libsvm(file, error);
    if (status == DT_OK)
        status = begin_reading(&r, d, error);
    if (status != DT_OK)
        return status;
    if ((status = begin(&o, path, error)) != DT_OK) {
        end_reading(&r);
        return status;
    }
    for (int64_t i = 0; i < d->rows && o.status == DT_OK; i++) {
        o.status = dt_scan_row(&r.scan, i, r.row, error);
        if (d->targets)
            dt_text_add(&o.text, "%.17g", d->targets[i]);
        else
            dt_text_add(&o.text, "%s", d->labels ? dt_dataset_label_name(d, d->labels[i], room) : "0");
        for (int64_t k = 0; k < d->features; k++)
            if (r.row[k] != 0) {
                dt_text_add(&o.text, " %" PRId64 ":", k + 1);
                add_number(&o.text, d, r.row[k]);
            }
        dt_text_add(&o.text, "\n");
        flush(&o, FLUSH_AT);
    }
    end_reading(&r);
    return finish(&o);
}

/* --- arrays of numbers: npy, idx --- */

/* One array on its way to a file: rows of `width` numbers, each `size` bytes. */
typedef struct array {
    int64_t rows, width; /* width 0: rank 1 */
    char kind;           /* NumPy's: u, i, f */
    size_t size;
} array;

/* A number's bytes, most significant first or last. */
static void put_number(unsigned char *to, const array *a, double value, bool big)
{
    uint64_t bits = 0;
    if (a->kind == 'f' && a->size == 4) {
        const float single = (float)value;
        uint32_t half;
        memcpy(&half, &single, sizeof half);
        bits = half;
    } else if (a->kind == 'f') {
        memcpy(&bits, &value, sizeof bits);
    } else {
        bits = (uint64_t)(int64_t)value;
    }
    for (size_t i = 0; i < a->size; i++)
        to[big ? a->size - 1 - i : i] = (unsigned char)(bits >> 8 * i);
}

static void put_big(unsigned char *to, uint64_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> 8 * (3 - i));
}

static void put_npy_header(output *o, const array *a)
{
    char text[192], shape[64];
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};
    if (a->width)
        snprintf(shape, sizeof shape, "(%" PRId64 ", %" PRId64 ")", a->rows, a->width);
    else
        snprintf(shape, sizeof shape, "(%" PRId64 ",)", a->rows);
    int n = snprintf(text, sizeof text, "{'descr': '%c%c%zu', 'fortran_order': False, 'shape': %s, }",
                     a->size == 1 ? '|' : '<', a->kind, a->size, shape);
    while ((n + 11) % 64) /* the data begin at a multiple of 64 */
        text[n++] = ' ';
    text[n++] = '\n';
    start[8] = (unsigned char)n;
    put_bytes(o, start, sizeof start);
    put_bytes(o, text, (size_t)n);
}

static void put_idx_header(output *o, const array *a)
{
    unsigned char header[12] = {0, 0, 0, a->width ? 2 : 1};
    header[2] = a->kind == 'u' ? 0x08 : a->kind == 'i' ? 0x0c : a->size == 4 ? 0x0d : 0x0e;
    put_big(header + 4, (uint64_t)a->rows);
    put_big(header + 8, (uint64_t)a->width);
    put_bytes(o, header, a->width ? 12 : 8);
}

/* The answers of row i, as doubles. */
static void label_row(const dt_dataset *d, int64_t i, double *row)
{
    if (d->labels)
        row[0] = d->labels[i];
    for (int64_t j = 0; d->targets && j < d->outputs; j++)
        row[j] = d->targets[i * d->outputs + j];
}

/* Rows of inputs from `inputs`, or of answers where that is NULL. */
static dt_status write_rows(const dt_dataset *d, const char *path, const array *a, reading *inputs, bool idx,
                            dt_error *error)
{
    output o;
    const size_t width = a->width ? (size_t)a->width : 1;
    double *row = dt_allocate(width, sizeof *row);
    unsigned char *bytes = dt_allocate(width, a->size);
    dt_status status = row && bytes ? DT_OK : dt_fail_memory(error, path);
    if (status == DT_OK && idx && (a->rows > UINT32_MAX || a->width > UINT32_MAX))
        status = dt_fail(error, DT_INVALID, "%s: IDX counts to 4294967295; convert to npy", path);
    if (status == DT_OK)
        status = begin(&o, path, error);
    if (status == DT_OK) {
        (idx ? put_idx_header : put_npy_header)(&o, a);
        for (int64_t i = 0; i < a->rows && o.status == DT_OK; i++) {
            if (inputs && (o.status = dt_scan_row(&inputs->scan, i, row, error)) != DT_OK)
                break;
            if (!inputs)
                label_row(d, i, row);
            for (size_t k = 0; k < width; k++)
                put_number(bytes + k * a->size, a, row[k], idx);
            put_bytes(&o, bytes, width * a->size);
        }
        status = finish(&o);
    }
    dt_release(row);
    dt_release(bytes);
    return status;
}

static dt_status write_inputs(const dt_dataset *d, const char *path, const array *a, bool idx, dt_error *error)
{
    reading r;
    dt_status status = begin_reading(&r, d, error);
    if (status != DT_OK)
        return status;
    status = write_rows(d, path, a, &r, idx, error);
    end_reading(&r);
    return status;
}

/* NEW.npy and NEW-labels.npy. */
static dt_status name_labels(const char *path, char *labels, size_t size, dt_error *error)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    if (!dot || (slash && dot < slash))
        dot = path + strlen(path);
    if ((size_t)snprintf(labels, size, "%.*s-labels%s", (int)(dot - path), path, dot) >= size)
        return dt_fail(error, DT_INVALID, "%s: too long a name; give a shorter one", path);
    if (access(labels, F_OK) == 0)
        return dt_fail(error, DT_EXISTS, "%s: is there already and is not overwritten; give another name", labels);
    return DT_OK;
}

static dt_status write_pair(const dt_data_file *file, const char *path, bool idx, dt_error *error)
{
    static const array types[] = {[DT_U8] = {0, 0, 'u', 1}, [DT_F32] = {0, 0, 'f', 4}, [DT_F64] = {0, 0, 'f', 8}};
    const dt_dataset *d = file->dataset;
    char labels[4096];
    array inputs = types[d->element], answers = types[d->targets ? DT_F64 : DT_U8];
    inputs.rows = answers.rows = d->rows;
    inputs.width = d->features;
    answers.width = d->targets && d->outputs > 1 ? d->outputs : 0;
    if (d->labels && d->classes > 256)
        answers = (array){d->rows, 0, 'i', 4};
    dt_status status = name_labels(path, labels, sizeof labels, error);
    if (status == DT_OK && d->labels && d->label_names)
        for (int64_t c = 0; c < d->classes; c++) {
            char room[32];
            snprintf(room, sizeof room, "%" PRId64, c);
            if (strcmp(room, d->label_names[c]) != 0)
                return dt_fail(error, DT_INVALID,
                               "%s: class %" PRId64
                               " is called '%.40s', which arrays can't tell; convert to csv or hdf5",
                               file->path, c, d->label_names[c]);
        }
    if (status == DT_OK)
        status = write_inputs(d, path, &inputs, idx, error);
    if (status == DT_OK && (d->labels || d->targets))
        status = write_rows(d, labels, &answers, NULL, idx, error);
    return status;
}

static dt_status write_npy(const dt_data_file *file, const char *path, dt_error *error)
{
    return write_pair(file, path, false, error);
}

static dt_status write_idx(const dt_data_file *file, const char *path, dt_error *error)
{
    return write_pair(file, path, true, error);
}

static dt_status write_hdf5(const dt_data_file *file, const char *path, dt_error *error)
{
    return dt_dataset_write_hdf5(path, file->dataset, error);
}

/* --- the table --- */

static const struct {
    const char *name, *endings; /* words apart by blanks */
    dt_status (*write)(const dt_data_file *file, const char *path, dt_error *error);
} writers[] = {
    {"csv", ".csv .tsv .txt", write_csv}, {"libsvm", ".svm .libsvm", write_libsvm}, {"npy", ".npy", write_npy},
    {"hdf5", ".h5 .hdf5", write_hdf5},    {"idx", ".idx -ubyte", write_idx},
};

enum { WRITERS = sizeof writers / sizeof *writers };

static const char *writer_at(const void *context, size_t i)
{
    (void)context;
    return i < WRITERS ? writers[i].name : NULL;
}

static bool ends_so(const char *path, const char *endings)
{
    const size_t length = strlen(path);
    for (const char *at = endings; *at; at += strspn(at, " ")) {
        const size_t n = strcspn(at, " ");
        if (length > n && strncmp(path + length - n, at, n) == 0)
            return true;
        at += n;
    }
    return false;
}

dt_status dt_data_convert(const dt_data_file *file, const dt_arguments *arguments, dt_error *error)
{
    const char *path = arguments->positional[2], *to = dt_argument(arguments, "to");
    size_t w = 0;
    while (w < WRITERS && !(to ? strcmp(writers[w].name, to) == 0 : ends_so(path, writers[w].endings)))
        w++;
    if (w == WRITERS && to)
        return dt_fail_unknown(error, "format to convert to", to, writer_at, NULL);
    if (w == WRITERS)
        return dt_fail(error, DT_INVALID,
                       "%s: its ending names no format; use .csv, .svm, .npy, .h5 or .idx, or give --to NAME", path);
    if (access(path, F_OK) == 0)
        return dt_fail(error, DT_EXISTS, "%s: is there already and is not overwritten; give another name", path);
    return writers[w].write(file, path, error);
}
