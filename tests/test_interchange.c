/* Models out and in. An ONNX file is parsed by a reader of this test's own and computed operator by operator with libm;
 * an archive is read by another; archives with PyTorch's and Keras' names are made here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deltoid/interchange.h"
#include "scratch.h"
#include "small.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { FILE_MAX = 1 << 16, ROWS = 24 };

static const int64_t units[] = {6, 5, 4, 3};

static unsigned char bytes[FILE_MAX];

static size_t read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_in_range(n, 1, sizeof bytes - 1);
    return n;
}

static void write_file(const char *path, const void *from, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(from, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static dt_trainer *make_trainer(small *m, uint64_t seed, dt_precision precision, const char *activation)
{
    dt_trainer *t;
    dt_error error = {0};
    small_make(m, seed, ROWS, units, 3, activation);
    m->experiment.precision = precision;
    m->experiment.data.scale = 1.75;
    m->experiment.training = (dt_training_spec){1, 8, true};
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    return t;
}

/* Biases as well as weights are something. */
static void shake(dt_trainer *t)
{
    const bool single = dt_trainer_experiment(t)->precision == DT_FLOAT32;
    for (int l = 1; l <= 3; l++) {
        double W[64], b[8];
        dt_trainer_weights(t, l, W, b);
        for (int j = 0; j < units[l]; j++)
            if (single)
                ((float *)b)[j] = 0.3f * (float)(j - 1);
            else
                b[j] = 0.3 * (j - 1);
        dt_trainer_set_weights(t, l, W, b);
    }
}

static double number_at(const void *numbers, dt_precision precision, int64_t i)
{
    return precision == DT_FLOAT32 ? (double)((const float *)numbers)[i] : ((const double *)numbers)[i];
}

/* --- ONNX: the wire format --- */

typedef struct span {
    const unsigned char *at, *end;
} span;

typedef struct field {
    unsigned number, kind;
    uint64_t value;
    span bytes;
    float real;
} field;

static uint64_t varint(span *s)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(s->at < s->end && shift < 64);
        value |= (uint64_t)(*s->at & 0x7f) << shift;
        if (!(*s->at++ & 0x80))
            return value;
    }
}

static bool next_field(span *s, field *f)
{
    if (s->at == s->end)
        return false;
    const uint64_t tag = varint(s);
    *f = (field){.number = (unsigned)(tag >> 3), .kind = tag & 7};
    assert_true(f->number > 0);
    if (f->kind == 0) {
        f->value = varint(s);
    } else if (f->kind == 2) {
        const uint64_t size = varint(s);
        assert_true(size <= (uint64_t)(s->end - s->at));
        f->bytes = (span){s->at, s->at + size};
        s->at += size;
    } else {
        assert_int_equal(f->kind, 5);
        assert_true(s->end - s->at >= 4);
        memcpy(&f->real, s->at, 4);
        s->at += 4;
    }
    return true;
}

static void take_text(span s, char *to, size_t size)
{
    assert_true((size_t)(s.end - s.at) < size);
    memcpy(to, s.at, (size_t)(s.end - s.at));
    to[s.end - s.at] = '\0';
}

/* --- ONNX: tensors, and what operators do to one row of them --- */

enum { TENSORS = 128, INPUTS = 3, VALUES = 32 };

typedef struct tensor {
    char name[64];
    int64_t size[2];
    int rank;
    span raw; /* initializers */
    double v[VALUES];
    int64_t count;
} tensor;

typedef struct graph {
    tensor tensors[TENSORS];
    int count;
    dt_precision precision;
    double x[VALUES];
} graph;

static tensor *find(graph *g, const char *name)
{
    for (int i = 0; i < g->count; i++)
        if (strcmp(g->tensors[i].name, name) == 0)
            return &g->tensors[i];
    fail_msg("no tensor '%s' before it is used", name);
    return NULL;
}

static tensor *add(graph *g, const char *name)
{
    for (int i = 0; i < g->count; i++)
        assert_string_not_equal(g->tensors[i].name, name);
    assert_true(g->count < TENSORS);
    tensor *t = &g->tensors[g->count++];
    *t = (tensor){.count = 0};
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static void take_initializer(graph *g, span s)
{
    field f;
    tensor t = {.rank = 0};
    uint64_t type = 0;
    while (next_field(&s, &f)) {
        if (f.number == 1)
            t.size[t.rank++] = (int64_t)f.value;
        else if (f.number == 2)
            type = f.value;
        else if (f.number == 8)
            take_text(f.bytes, t.name, sizeof t.name);
        else if (f.number == 9)
            t.raw = f.bytes;
    }
    assert_int_equal(type, g->precision == DT_FLOAT32 ? 1 : 11);
    const int64_t count = (t.rank > 0 ? t.size[0] : 1) * (t.rank > 1 ? t.size[1] : 1);
    assert_int_equal((size_t)(t.raw.end - t.raw.at), (size_t)count * dt_precision_size(g->precision));
    t.count = t.rank < 2 ? count : 0;
    assert_true(t.count <= VALUES);
    double aligned[VALUES * VALUES];
    memcpy(aligned, t.raw.at, (size_t)(t.raw.end - t.raw.at));
    for (int64_t i = 0; i < t.count; i++)
        t.v[i] = number_at(aligned, g->precision, i);
    *add(g, t.name) = t;
}

typedef struct operator_attributes {
    double alpha, gamma;
    bool transB;
} operator_attributes;

/* The definitions of github.com/onnx/onnx, docs/Operators.md; c is the third input or 0. */
static double apply(const char *op, const operator_attributes *k, double a, double b, double c)
{
    const struct {
        const char *name;
        double value;
    } all[] = {
        {"Mul", a * b},
        {"Add", a + b},
        {"Sub", a - b},
        {"Div", a / b},
        {"Min", fmin(a, b)},
        {"Clip", fmin(fmax(a, b), c)},
        {"Neg", -a},
        {"Abs", fabs(a)},
        {"Exp", exp(a)},
        {"Log", log(a)},
        {"Sin", sin(a)},
        {"Erf", erf(a)},
        {"Tanh", tanh(a)},
        {"Sigmoid", 1 / (1 + exp(-a))},
        {"Relu", fmax(a, 0)},
        {"LeakyRelu", a < 0 ? k->alpha * a : a},
        {"Softsign", a / (1 + fabs(a))},
        {"Softplus", log1p(exp(a))},
        {"Elu", a < 0 ? k->alpha * (exp(a) - 1) : a},
        {"Selu", a > 0 ? k->gamma * a : k->gamma * (k->alpha * exp(a) - k->alpha)},
    };
    for (size_t i = 0; i < COUNT(all); i++)
        if (strcmp(all[i].name, op) == 0)
            return all[i].value;
    fail_msg("operator %s", op);
    return NAN;
}

/* (unit, input) matrix times the row, transposed as transB says. */
static void gemm(const graph *g, const tensor *a, const tensor *W, const tensor *b, tensor *to)
{
    assert_int_equal(W->rank, 2);
    assert_int_equal(W->size[1], a->count);
    assert_int_equal(W->size[0], b->count);
    double w[VALUES * VALUES];
    memcpy(w, W->raw.at, (size_t)(W->raw.end - W->raw.at));
    to->count = W->size[0];
    for (int64_t j = 0; j < to->count; j++) {
        to->v[j] = b->v[j];
        for (int64_t k = 0; k < a->count; k++)
            to->v[j] += number_at(w, g->precision, j * W->size[1] + k) * a->v[k];
    }
}

static void softmax(const tensor *z, tensor *to)
{
    double sum = 0;
    to->count = z->count;
    for (int64_t j = 0; j < z->count; j++)
        sum += to->v[j] = exp(z->v[j]);
    for (int64_t j = 0; j < z->count; j++)
        to->v[j] /= sum;
}

static void take_attribute(span s, operator_attributes *k)
{
    field f;
    char name[16] = "";
    double real = NAN;
    uint64_t integer = 0, type = 0;
    while (next_field(&s, &f)) {
        if (f.number == 1)
            take_text(f.bytes, name, sizeof name);
        real = f.number == 2 ? (double)f.real : real;
        integer = f.number == 3 ? f.value : integer;
        type = f.number == 20 ? f.value : type;
    }
    if (strcmp(name, "alpha") == 0)
        k->alpha = real;
    else if (strcmp(name, "gamma") == 0)
        k->gamma = real;
    else if (strcmp(name, "transB") == 0)
        k->transB = integer == 1;
    else
        assert_true(strcmp(name, "axis") == 0 && integer == 1);
    assert_int_equal(type, isnan(real) ? 2 : 1);
}

static void compute_node(graph *g, span s)
{
    field f;
    operator_attributes k = {NAN, NAN, false};
    char op[32] = "", output[64] = "", input[64];
    const tensor *in[INPUTS] = {NULL};
    int count = 0;
    while (next_field(&s, &f)) {
        if (f.number == 1) {
            assert_true(count < INPUTS);
            take_text(f.bytes, input, sizeof input);
            in[count++] = find(g, input);
        } else if (f.number == 2) {
            take_text(f.bytes, output, sizeof output);
        } else if (f.number == 4) {
            take_text(f.bytes, op, sizeof op);
        } else if (f.number == 5) {
            take_attribute(f.bytes, &k);
        }
    }
    assert_true(count >= 1);
    tensor *to = add(g, output);
    if (strcmp(op, "Gemm") == 0) {
        assert_true(count == 3 && k.transB);
        gemm(g, in[0], in[1], in[2], to);
        return;
    }
    if (strcmp(op, "Softmax") == 0) {
        softmax(in[0], to);
        return;
    }
    to->count = in[0]->count;
    for (int64_t j = 0; j < to->count; j++) {
        double v[INPUTS] = {0};
        for (int i = 0; i < count; i++)
            v[i] = in[i]->count == 1 ? in[i]->v[0] : in[i]->v[j];
        to->v[j] = apply(op, &k, v[0], v[1], v[2]);
    }
}

/* The graph's outputs for one row of inputs. */
static void compute_graph(graph *g, span whole, const double *x, int64_t features, double *outputs, int64_t wanted)
{
    field f;
    char name[64] = "";
    g->count = 0;
    tensor *inputs = add(g, "inputs");
    inputs->count = features;
    memcpy(inputs->v, x, (size_t)features * sizeof *x);
    int declared = 0;
    for (span s = whole; next_field(&s, &f);)
        if (f.number == 5)
            take_initializer(g, f.bytes);
        else
            declared += f.number == 11 || f.number == 12;
    assert_int_equal(declared, 2);
    for (span s = whole; next_field(&s, &f);)
        if (f.number == 1)
            compute_node(g, f.bytes);
        else if (f.number == 2)
            take_text(f.bytes, name, sizeof name);
    assert_string_equal(name, "small");
    const tensor *out = find(g, "outputs");
    assert_int_equal(out->count, wanted);
    memcpy(outputs, out->v, (size_t)wanted * sizeof *outputs);
}

/* The graph within the model, whose other fields are looked at. */
static span graph_of(span model, const char *sha256)
{
    field f;
    span found = {NULL, NULL};
    bool ir = false, opset = false, hash = false;
    while (next_field(&model, &f)) {
        ir = ir || (f.number == 1 && f.value == 7);
        if (f.number == 7)
            found = f.bytes;
        if (f.number == 8)
            for (field v; next_field(&f.bytes, &v);)
                opset = opset || (v.number == 2 && v.value == 13);
        if (f.number == 14)
            for (field v; next_field(&f.bytes, &v);)
                hash = hash || (v.number == 2 && v.bytes.end - v.bytes.at == 64 && !memcmp(v.bytes.at, sha256, 64));
    }
    assert_true(ir && opset && hash && found.at);
    return found;
}

static void compare_model(small *m, dt_trainer *t, const char *path, const dt_onnx_options *options)
{
    static graph g;
    const dt_precision precision = m->experiment.precision;
    const double tolerance = precision == DT_FLOAT32 ? 3e-6 : 1e-13;
    double z[3], found[3], sum = 0, x[6];
    char sha256[65];
    dt_error error = {0};
    if (dt_export_onnx(path, t, options, &error) != DT_OK)
        fail_msg("%s", error.message);
    const size_t size = read_file(path);
    dt_trainer_weights_sha256(t, sha256, NULL);
    g.precision = precision;
    const span whole = graph_of((span){bytes, bytes + size}, sha256);
    for (int64_t i = 0; i < ROWS; i++) {
        assert_int_equal(dt_trainer_outputs(t, &m->data, (dt_rows){1, &i}, z, NULL), DT_OK);
        double wanted[3] = {number_at(z, precision, 0), number_at(z, precision, 1), number_at(z, precision, 2)};
        memcpy(x, m->inputs + 6 * i, sizeof x);
        if (options->transform) /* inputs that become the row */
            for (int k = 0; k < 6; k++)
                x[k] = 1.75 * x[k] / options->transform->factor[k] + options->transform->shift[k];
        compute_graph(&g, whole, x, 6, found, 3);
        sum = exp(wanted[0]) + exp(wanted[1]) + exp(wanted[2]);
        for (int j = 0; j < 3; j++) {
            if (options->output == DT_OUTPUT_SOFTMAX)
                wanted[j] = exp(wanted[j]) / sum;
            if (options->output == DT_OUTPUT_SIGMOID)
                wanted[j] = 1 / (1 + exp(-wanted[j]));
            if (!(fabs(found[j] - wanted[j]) <= tolerance * fmax(1, fabs(wanted[j]))))
                fail_msg("%s: row %d: ONNX gives %.17g, the trainer %.17g", m->layers[0].activation, (int)i, found[j],
                         wanted[j]);
        }
    }
}

static void test_onnx_of_every_activation(void **state)
{
    (void)state;
    scratch files;
    scratch_make(&files);
    const dt_entry *entry;
    for (size_t i = 0; (entry = dt_table_at(DT_ACTIVATIONS, i)); i++)
        for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
            static small m;
            char name[64];
            dt_trainer *t = make_trainer(&m, 5 + i, (dt_precision)precision, entry->name);
            shake(t);
            snprintf(name, sizeof name, "%s%d.onnx", entry->name, precision);
            compare_model(&m, t, scratch_path(&files, name), &(dt_onnx_options){NULL, DT_OUTPUT_SCORES, "00"});
            dt_trainer_destroy(t);
        }
    scratch_remove(&files);
}

static void test_onnx_parameters_outputs_transform(void **state)
{
    (void)state;
    static small m;
    scratch files;
    scratch_make(&files);
    const double shift[] = {1, -2, 0.5, 3, 0, 7}, factor[] = {2, 0.5, 1, 4, 0.25, 1.5};
    const dt_transform transform = {.features = 6, .shift = shift, .factor = factor};
    static const char *const names[] = {"leaky_relu", "elu", "softplus", "sine"};
    for (int i = 0; i < 8; i++) {
        char name[16];
        const dt_precision precision = i % 2 ? DT_FLOAT64 : DT_FLOAT32;
        dt_trainer_destroy(make_trainer(&m, 9, precision, names[i / 2]));
        for (int l = 0; l < 2; l++) {
            m.layers[l].negative_slope = 1.5;
            m.layers[l].alpha = 0.3;
            m.layers[l].beta = 2.5;
            m.layers[l].omega = 3;
        }
        dt_trainer *t;
        const dt_trainer_data data = small_data(&m);
        assert_int_equal(dt_trainer_create(&t, &m.experiment, &data, NULL), DT_OK);
        shake(t);
        snprintf(name, sizeof name, "%d.onnx", i);
        compare_model(
            &m, t, scratch_path(&files, name),
            &(dt_onnx_options){i % 4 ? &transform : NULL, i % 2 ? DT_OUTPUT_SOFTMAX : DT_OUTPUT_SIGMOID, NULL});
        dt_trainer_destroy(t);
    }
    scratch_remove(&files);
}

static void test_nothing_is_overwritten(void **state)
{
    (void)state;
    static small m;
    scratch files;
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 1, DT_FLOAT32, "relu");
    const char *path = scratch_path(&files, "there");
    write_file(path, "mine", 4);
    assert_int_equal(dt_export_onnx(path, t, &(dt_onnx_options){0}, NULL), DT_EXISTS);
    assert_int_equal(dt_export_npz(path, t, NULL), DT_EXISTS);
    assert_int_equal(read_file(path), 4);
    assert_int_equal(scratch_files(&files), 1);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

/* --- NumPy archives --- */

static uint32_t crc_of(const unsigned char *at, size_t size) /* bit by bit */
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static uint64_t little(const unsigned char *at, int size)
{
    uint64_t value = 0;
    while (size-- > 0)
        value = value << 8 | at[size];
    return value;
}

/* One member, from its entry in the central directory: the array's bytes behind its header, which must be `header`. */
static const unsigned char *check_member(const unsigned char *entry, const char *name, const char *header, size_t size)
{
    assert_int_equal(little(entry, 4), 0x02014b50);
    assert_int_equal(little(entry + 10, 2), 0);
    assert_int_equal(little(entry + 28, 2), strlen(name));
    assert_memory_equal(entry + 46, name, strlen(name));
    const unsigned char *extra = entry + 46 + strlen(name);
    assert_int_equal(little(extra, 2), 1);
    assert_int_equal(little(extra + 4, 8), little(extra + 12, 8));
    const unsigned char *local = bytes + little(extra + 20, 8);
    const uint64_t all = little(extra + 4, 8);
    assert_int_equal(little(local, 4), 0x04034b50);
    assert_memory_equal(local + 4 + 10, entry + 6 + 10, 16 - 4); /* checksum, sizes */
    assert_int_equal(little(local + 26 + 4 + strlen(name) + 4, 8), all);
    const unsigned char *data = local + 30 + little(local + 26, 2) + little(local + 28, 2);
    assert_int_equal(little(entry + 16, 4), crc_of(data, all));
    assert_memory_equal(data, "\x93NUMPY\x01\x00", 8);
    const uint64_t length = little(data + 8, 2);
    assert_int_equal((length + 10) % 64, 0);
    assert_int_equal(length + 10 + size, all);
    assert_memory_equal(data + 10, header, strlen(header));
    assert_int_equal(data[10 + length - 1], '\n');
    return data + 10 + length;
}

static void test_npz_is_what_numpy_reads(void **state)
{
    (void)state;
    for (int p = DT_FLOAT32; p <= DT_FLOAT64; p++) {
        static small m;
        scratch files;
        dt_error error = {0};
        scratch_make(&files);
        dt_trainer *t = make_trainer(&m, 3, (dt_precision)p, "tanh");
        shake(t);
        if (dt_export_npz(scratch_path(&files, "w.npz"), t, &error) != DT_OK)
            fail_msg("%s", error.message);
        const size_t size = read_file(scratch_path(&files, "w.npz")), number = p == DT_FLOAT32 ? 4 : 8;
        const unsigned char *end = bytes + size - 22, *end64 = end - 20 - 56;
        assert_int_equal(little(end, 4), 0x06054b50);
        assert_int_equal(little(end + 10, 2), 6);
        assert_int_equal(little(end - 20, 4), 0x07064b50);
        assert_ptr_equal(bytes + little(end - 20 + 8, 8), end64);
        assert_int_equal(little(end64, 4), 0x06064b50);
        assert_int_equal(little(end64 + 32, 8), 6);
        const unsigned char *entry = bytes + little(end64 + 48, 8);
        assert_ptr_equal(entry + little(end64 + 40, 8), end64);
        for (int l = 1; l <= 3; l++) {
            double W[VALUES], b[VALUES];
            char name[32], header[96];
            const size_t count = (size_t)(units[l] * units[l - 1]);
            dt_trainer_weights(t, l, W, b);
            snprintf(name, sizeof name, "layer%02d.W.npy", l);
            snprintf(header, sizeof header, "{'descr': '<f%zu', 'fortran_order': False, 'shape': (%d, %d), } ", number,
                     (int)units[l], (int)units[l - 1]);
            assert_memory_equal(check_member(entry, name, header, count * number), W, count * number);
            entry += 46 + strlen(name) + 28;
            snprintf(name, sizeof name, "layer%02d.b.npy", l);
            snprintf(header, sizeof header, "{'descr': '<f%zu', 'fortran_order': False, 'shape': (%d,), } ", number,
                     (int)units[l]);
            assert_memory_equal(check_member(entry, name, header, (size_t)units[l] * number), b,
                                (size_t)units[l] * number);
            entry += 46 + strlen(name) + 28;
        }
        assert_ptr_equal(entry, end64);
        dt_trainer_destroy(t);
        scratch_remove(&files);
    }
}

/* An archive of this test's making. */
typedef struct builder {
    unsigned char file[FILE_MAX], directory[4096];
    size_t used, directory_used;
    int count;
} builder;

static void put(unsigned char *to, size_t *used, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        to[(*used)++] = i < 8 ? (unsigned char)(value >> 8 * i) : 0;
}

static void put_header(unsigned char *to, size_t *used, bool central, uint32_t crc, size_t size, const char *name,
                       size_t offset)
{
    put(to, used, central ? 0x02014b50 : 0x04034b50, 4);
    put(to, used, 20, central ? 4 : 2);
    put(to, used, 0, 8);
    put(to, used, crc, 4);
    put(to, used, size, 4);
    put(to, used, size, 4);
    put(to, used, strlen(name), 2);
    put(to, used, 0, 2);
    if (central) {
        put(to, used, 0, 10);
        put(to, used, offset, 4);
    }
    memcpy(to + *used, name, strlen(name));
    *used += strlen(name);
}

/* (rows, columns) float64, columns 0: one dimension; element (i, k) is `value` + 10 i + k, or of its transpose. */
static void put_array(builder *z, const char *name, int rows, int columns, double value, bool transposed)
{
    unsigned char data[8192];
    size_t used = 128;
    char shape[32];
    snprintf(shape, sizeof shape, columns ? "%d, %d" : "%d,", rows, columns);
    memset(data, ' ', 128);
    memcpy(data, "\x93NUMPY\x01\x00\x76\x00", 10);
    const int n = snprintf((char *)data + 10, 118, "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }", shape);
    data[10 + n] = ' ';
    data[127] = '\n';
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < (columns ? columns : 1); k++) {
            const double element = value + (transposed ? 10 * k + i : 10 * i + k);
            memcpy(data + used, &element, 8);
            used += 8;
        }
    const uint32_t crc = crc_of(data, used);
    put_header(z->directory, &z->directory_used, true, crc, used, name, z->used);
    put_header(z->file, &z->used, false, crc, used, name, 0);
    memcpy(z->file + z->used, data, used);
    z->used += used;
    z->count++;
}

static void close_archive(builder *z, const char *path)
{
    const size_t at = z->used;
    memcpy(z->file + z->used, z->directory, z->directory_used);
    z->used += z->directory_used;
    put(z->file, &z->used, 0x06054b50, 8);
    put(z->file, &z->used, (uint64_t)z->count, 2);
    put(z->file, &z->used, (uint64_t)z->count, 2);
    put(z->file, &z->used, z->directory_used, 4);
    put(z->file, &z->used, at, 4);
    put(z->file, &z->used, 0, 2);
    write_file(path, z->file, z->used);
}

static void check_weights(dt_trainer *t)
{
    for (int l = 1; l <= 3; l++) {
        float W[VALUES], b[VALUES];
        dt_trainer_weights(t, l, W, b);
        for (int i = 0; i < units[l]; i++) {
            assert_true(b[i] == (float)(1000 * l + 10 * i));
            for (int k = 0; k < units[l - 1]; k++)
                assert_true(W[i * units[l - 1] + k] == (float)(100 * l + 10 * i + k));
        }
    }
}

static void test_names_of_others(void **state)
{
    (void)state;
    static const struct {
        const char *W[3], *b[3];
        bool transposed, bias_first;
    } cases[] = {
        {{"layer01.W", "layer02.W", "layer03.W"}, {"layer01.b", "layer02.b", "layer03.b"}, false, false},
        {{"0.weight", "2.weight", "10.weight"}, {"0.bias", "2.bias", "10.bias"}, false, true},
        {{"fc.weight", "b.weight", "a.weight"}, {"fc.bias", "b.bias", "a.bias"}, false, false},
        {{"dense/kernel", "dense_1/kernel", "dense_2/kernel"},
         {"dense/bias", "dense_1/bias", "dense_2/bias"},
         true,
         false},
        {{"a.kernel", "b.kernel", "c.kernel"}, {"a.bias", "b.bias", "c.bias"}, true, true},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        static small m;
        static builder z;
        scratch files;
        dt_error error = {0};
        scratch_make(&files);
        memset(&z, 0, sizeof z);
        for (int l = 1; l <= 3; l++) {
            char W[40], b[40];
            const bool turned = cases[c].transposed;
            snprintf(W, sizeof W, "%s.npy", cases[c].W[l - 1]);
            snprintf(b, sizeof b, "%s.npy", cases[c].b[l - 1]);
            if (cases[c].bias_first)
                put_array(&z, b, (int)units[l], 0, 1000 * l, false);
            put_array(&z, W, (int)units[turned ? l - 1 : l], (int)units[turned ? l : l - 1], 100 * l, turned);
            if (!cases[c].bias_first)
                put_array(&z, b, (int)units[l], 0, 1000 * l, false);
        }
        close_archive(&z, scratch_path(&files, "w.npz"));
        dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32, "tanh");
        if (dt_weights_read(scratch_path(&files, "w.npz"), t, &error) != DT_OK)
            fail_msg("%s", error.message);
        check_weights(t);
        dt_trainer_destroy(t);
        scratch_remove(&files);
    }
}

/* --- what is refused --- */

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *names[6];
        int columns_of_second, length_of_last;
        const char *says;
    } cases[] = {
        {{"a", "b", "c", "d", "e", "f"}, 5, 3, "its arrays are no layers (a, b, c, d, e, f)"},
        {{"0.weight", "0.bias", "1.weight", "1.bias"}, 5, 3, "has 2 layers (0.weight, 0.bias, 1.weight, 1.bias)"},
        {{"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "x"}, 5, 3, "has 2.weight but no 2.bias"},
        {{"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"},
         7,
         3,
         "1.weight is 4 x 7, the experiment's network needs 4 x 5"},
        {{"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"}, 5, 2, "2.bias has 2 x 1 numbers"},
        {{"layer01.W", "layer01.b", "layer02.W", "layer02.b", "layer04.W", "layer04.b"}, 5, 3, "no layer03.W"},
    };
    for (size_t c = 0; c < COUNT(cases); c++) {
        static small m;
        static builder z;
        scratch files;
        dt_error error = {0};
        char before[65], after[65];
        scratch_make(&files);
        memset(&z, 0, sizeof z);
        for (int i = 0; i < 6 && cases[c].names[i]; i++) {
            char name[40];
            const int l = i / 2 + 1;
            snprintf(name, sizeof name, "%s.npy", cases[c].names[i]);
            put_array(&z, name, i == 5 ? cases[c].length_of_last : (int)units[l],
                      i % 2    ? 0
                      : l == 2 ? cases[c].columns_of_second
                               : (int)units[l - 1],
                      0, false);
        }
        close_archive(&z, scratch_path(&files, "w.npz"));
        dt_trainer *t = make_trainer(&m, 3, DT_FLOAT64, "tanh");
        dt_trainer_weights_sha256(t, before, NULL);
        assert_int_equal(dt_weights_read(scratch_path(&files, "w.npz"), t, &error), DT_INVALID);
        if (!strstr(error.message, cases[c].says))
            fail_msg("'%s' is not in: %s", cases[c].says, error.message);
        dt_trainer_weights_sha256(t, after, NULL);
        assert_string_equal(after, before);
        dt_trainer_destroy(t);
        scratch_remove(&files);
    }
}

/* Each layer from where its keys say: an archive's own names, an HDF5 file, Keras' kernel turned around; biases where
 * they are named, or zeros. A layer that is drawn stays as it was drawn. */
static void test_layers_of_their_own(void **state)
{
    (void)state;
    static small m, drawn;
    static builder z;
    scratch files;
    dt_error error = {0};
    float W[VALUES], b[VALUES], W_drawn[VALUES], b_drawn[VALUES];
    int64_t layer;
    scratch_make(&files);
    memset(&z, 0, sizeof z);
    put_array(&z, "layer01.W.npy", (int)units[1], (int)units[0], 100, false);
    put_array(&z, "layer01.b.npy", (int)units[1], 0, 1000, false);
    put_array(&z, "out/kernel.npy", (int)units[2], (int)units[3], 300, true);
    put_array(&z, "out/bias.npy", (int)units[3], 0, 3000, false);
    close_archive(&z, scratch_path(&files, "w.npz"));
    char archive[512];
    snprintf(archive, sizeof archive, "%s", scratch_path(&files, "w.npz"));

    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32, "tanh"), *u = make_trainer(&drawn, 3, DT_FLOAT32, "tanh");
    assert_null(dt_weights_file(&m.experiment, 0, &layer));
    assert_int_equal(dt_weights_begin(t, &error), DT_OK); /* nothing to do */
    m.layers[0].init = m.layers[2].init = "file";
    m.layers[0].init_file = m.layers[2].init_file = archive;
    m.layers[2].init_W = "out/kernel";
    m.layers[2].init_b = "out/bias";
    assert_ptr_equal(dt_weights_file(&m.experiment, 1, &layer), archive);
    assert_int_equal(layer, 3);
    assert_null(dt_weights_file(&m.experiment, 2, &layer));
    if (dt_weights_begin(t, &error) != DT_OK)
        fail_msg("%s", error.message);
    for (int l = 1; l <= 3; l += 2) {
        dt_trainer_weights(t, l, W, b);
        for (int i = 0; i < units[l]; i++) {
            assert_true(b[i] == (float)(1000 * l + 10 * i));
            for (int k = 0; k < units[l - 1]; k++)
                assert_true(W[i * units[l - 1] + k] == (float)(100 * l + 10 * i + k));
        }
    }
    dt_trainer_weights(t, 2, W, b);
    dt_trainer_weights(u, 2, W_drawn, b_drawn);
    assert_memory_equal(W, W_drawn, (size_t)(units[2] * units[1]) * sizeof *W);

    /* without a name of its own there are no biases to read */
    m.layers[2].init_b = NULL;
    assert_int_equal(dt_weights_begin(t, &error), DT_OK);
    dt_trainer_weights(t, 3, W, b);
    for (int i = 0; i < units[3]; i++)
        assert_true(b[i] == 0);

    /* what doesn't fit is told of with its place */
    static const struct {
        const char *file, *W, *says;
    } bad[] = {{NULL, "layer01.W", "network.2.init: "},
               {NULL, "layer01.W", "the experiment's network needs 3 x 4"},
               {NULL, "absent", "has no member 'absent.npy'; it has layer01.W.npy"},
               {NULL, NULL, "has no member 'layer03.W.npy'"},
               {"absent.npz", NULL, "there is no such file"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        char path[512];
        dt_error_clear(&error);
        snprintf(path, sizeof path, "%s", scratch_path(&files, bad[i].file ? bad[i].file : "w.npz"));
        m.layers[2].init_file = path;
        m.layers[2].init_W = bad[i].W;
        assert_int_not_equal(dt_weights_begin(t, &error), DT_OK);
        if (!strstr(error.message, bad[i].says))
            fail_msg("'%s' is not in: %s", bad[i].says, error.message);
    }
    dt_trainer_destroy(t);
    dt_trainer_destroy(u);
    scratch_remove(&files);
}

/* Every byte of a sound archive changed, every length: refused or read, never half, never beyond its end (sanitizers).
 */
static void test_damaged_archives(void **state)
{
    (void)state;
    static small m;
    static unsigned char sound[FILE_MAX];
    scratch files;
    char before[65], after[65];
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32, "tanh");
    const char *path = scratch_path(&files, "w.npz");
    assert_int_equal(dt_export_npz(path, t, NULL), DT_OK);
    dt_trainer_weights_sha256(t, before, NULL);
    const size_t size = read_file(path);
    memcpy(sound, bytes, size);
    const size_t step = 3;
    int read = 0;
    for (size_t i = 0; i < size; i += step) {
        sound[i] ^= 0x41;
        write_file(path, sound, size);
        sound[i] ^= 0x41;
        read += dt_weights_read(path, t, NULL) == DT_OK; /* dates and the like are nobody's concern */
        dt_trainer_weights_sha256(t, after, NULL);
        assert_string_equal(after, before);
    }
    assert_true(read > 0 && read < (int)(size / step / 3));
    for (size_t i = 0; i < size; i += 17) {
        write_file(path, sound, i);
        assert_int_not_equal(dt_weights_read(path, t, NULL), DT_OK);
    }
    write_file(path, "neither", 7);
    assert_int_equal(dt_weights_read(path, t, NULL), DT_MALFORMED);
    assert_int_equal(dt_weights_read(scratch_path(&files, "absent"), t, NULL), DT_NOT_FOUND);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

static void test_model_files(void **state)
{
    (void)state;
    static small m, other;
    scratch files;
    dt_error error = {0};
    char before[65], after[65];
    int64_t features = 0;
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT64, "tanh"), *u = make_trainer(&other, 4, DT_FLOAT64, "tanh");
    const char *path = scratch_path(&files, "model.h5"), *text = scratch_path(&files, "text");
    assert_int_equal(dt_model_write(path, t, "name: small\n", "{}", NULL), DT_OK);
    if (dt_weights_read(path, u, &error) != DT_OK || dt_model_features(path, &features, &error) != DT_OK)
        fail_msg("%s", error.message);
    dt_trainer_weights_sha256(t, before, NULL);
    dt_trainer_weights_sha256(u, after, NULL);
    assert_string_equal(after, before);
    assert_int_equal(features, 6);
    write_file(text, "text", 4);
    assert_int_equal(dt_model_features(text, &features, NULL), DT_MALFORMED);
    dt_trainer_destroy(t);
    dt_trainer_destroy(u);
    scratch_remove(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_onnx_of_every_activation),
        cmocka_unit_test(test_onnx_parameters_outputs_transform),
        cmocka_unit_test(test_nothing_is_overwritten),
        cmocka_unit_test(test_npz_is_what_numpy_reads),
        cmocka_unit_test(test_names_of_others),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_layers_of_their_own),
        cmocka_unit_test(test_damaged_archives),
        cmocka_unit_test(test_model_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
