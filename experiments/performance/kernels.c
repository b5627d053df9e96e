/* Every matrix product of a step, one thread, beside oneDNN's and OpenBLAS's sgemm where they are installed. Usage:
 *
 *     performance_kernels [--rounds N] [--seconds S] [--only TEXT] [--shard-size N] [--tsv FILE]
 *
 * For each shape the three take turns: in each round each repeats the product for S seconds of its thread's time. The
 * table has the medians over rounds in GFLOP/s (2 rows inputs units operations, whatever each really does: ours adds
 * the bias too), and the median and quartiles of the rounds' ratios. The results of all are first compared with sums in
 * double.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/split.h"
#include "deltoid/deltoid.h"
#include "kernels/products.h"
#include "nn/network.h"

/* Plain operands: W (units, inputs), a (rows, inputs), delta (rows, units), all row-major and dense. */
typedef struct problem {
    int64_t rows, inputs, units, shard_size;
    float *W, *a, *delta;
} problem;

enum kind { FORWARD, BACKWARD, GRADIENT, KINDS };
static const char *const kind_name[KINDS] = {"forward", "backward", "dW"};

/* ==== the only part that knows the kernels' interface ==== */

/* One layer as layer 2 of a network, since a first layer has no transposed copy, and rows as the step lays them out. */
typedef struct ours {
    const problem *p;
    dt_network *network;
    const dt_layer *layer;
    int64_t a_stride, delta_stride;
    dt_real *a, *delta;       /* operands, in strides; a has a 1 behind its row for the bias */
    dt_real *z, *below;       /* results of forward, of backward */
    dt_real *gradient;        /* result of dW: laid out as the parameters */
    dt_real *scratch, *dense; /* the kernel's own; room for a result of (units, inputs) */
} ours;

static int64_t stride_of(int64_t units)
{
    const int64_t n = dt_whole_panels(units + 1);
    return n % (16 * DT_LANES) == 0 ? n + DT_LANES : n;
}

static void ours_destroy(ours *o)
{
    dt_network_destroy(o->network);
    dt_real *const arrays[] = {o->a, o->delta, o->z, o->below, o->gradient, o->scratch, o->dense};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        dt_release(arrays[i]);
}

static bool ours_create(ours *o, const problem *p)
{
    const dt_layer_spec specs[2] = {{.units = p->inputs, .activation = "linear", .init = "he_normal"},
                                    {.units = p->units, .activation = "linear", .init = "he_normal"}};
    *o = (ours){.p = p, .a_stride = stride_of(p->inputs), .delta_stride = stride_of(p->units)};
    if (dt_network_create(&o->network, specs, 2, 1, 1, NULL) != DT_OK)
        return false;
    const size_t rows = (size_t)p->rows, blocks = (size_t)o->network->blocks * DT_BLOCK;
    o->layer = &o->network->layer[2];
    o->a = dt_allocate_hot(rows * (size_t)o->a_stride, sizeof(dt_real));
    o->below = dt_allocate_hot(rows * (size_t)o->a_stride, sizeof(dt_real));
    o->delta = dt_allocate_hot(rows * (size_t)o->delta_stride, sizeof(dt_real));
    o->z = dt_allocate_hot(rows * (size_t)o->delta_stride, sizeof(dt_real));
    o->gradient = dt_allocate_hot(blocks, sizeof(dt_real));
    o->scratch = dt_allocate_hot((size_t)dt_gradient_scratch(dt_ceil_div(p->rows, p->shard_size)), sizeof(dt_real));
    o->dense = dt_allocate_hot((size_t)(p->units * (p->inputs + 1)), sizeof(dt_real));
    if (!o->a || !o->below || !o->delta || !o->z || !o->gradient || !o->scratch || !o->dense)
        return false;
    dt_network_draw(o->network, 1, (dt_span){0, o->network->blocks});
    memset(o->dense, 0, (size_t)p->units * sizeof(dt_real));
    dt_network_import(o->network, 2, p->W, o->dense); /* biases 0 */
    memset(o->a, 0, rows * (size_t)o->a_stride * sizeof(dt_real));
    memset(o->delta, 0, rows * (size_t)o->delta_stride * sizeof(dt_real));
    for (int64_t i = 0; i < p->rows; i++) {
        memcpy(o->a + i * o->a_stride, p->a + i * p->inputs, (size_t)p->inputs * sizeof(dt_real));
        memcpy(o->delta + i * o->delta_stride, p->delta + i * p->units, (size_t)p->units * sizeof(dt_real));
        o->a[i * o->a_stride + p->inputs] = 1;
    }
    return true;
}

/* (1) z = a W^T + b */
static void ours_forward(const ours *o)
{
    const dt_layer *l = o->layer;
    o->network->products->product(o->p->rows, l->panels, l->inputs + 1, o->a, o->a_stride,
                                  o->network->parameters + l->first_block * DT_BLOCK, l->column * DT_BLOCK, o->z,
                                  o->delta_stride);
}

/* (4) without sigma': delta W */
static void ours_backward(const ours *o)
{
    const dt_layer *l = o->layer;
    o->network->products->product(o->p->rows, o->network->layer[1].panels, l->units, o->delta, o->delta_stride,
                                  l->transposed, l->transposed_rows * DT_LANES, o->below, o->a_stride);
}

/* (5) (6): delta^T a, in shards joined by the tree */
static void ours_gradient(const ours *o)
{
    const dt_gradient_task task = {
        .layer = dt_network_blocks(o->network, 2),
        .a = o->a,
        .delta = o->delta,
        .a_stride = o->a_stride,
        .delta_stride = o->delta_stride,
        .samples = o->p->rows,
        .shard_size = o->p->shard_size,
        .last = o->layer->panels * o->layer->column,
        .scratch = o->scratch,
    };
    o->network->products->gradient(&task, &(dt_finish){.out = o->gradient});
}

/* Element (i, j) of the result: (rows, units), (rows, inputs), (units, inputs). */
static double ours_element(const ours *o, enum kind kind, int64_t i, int64_t j)
{
    if (kind == FORWARD)
        return o->z[i * o->delta_stride + j];
    if (kind == BACKWARD)
        return o->below[i * o->a_stride + j];
    return o->dense[i * o->p->inputs + j];
}

/* Before elements of a gradient are asked for. */
static void ours_unpack(const ours *o)
{
    dt_network_export(o->network, o->gradient, 2, (dt_span){0, o->network->blocks}, o->dense, NULL);
}

/* ==== the others ==== */

typedef int dnnl_sgemm_fn(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                          float, float *, int64_t);
typedef void cblas_sgemm_fn(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                            int);
static dnnl_sgemm_fn *dnnl_sgemm;
static cblas_sgemm_fn *cblas_sgemm;

/* The first of the libraries that is there and has the function; ISO C has no cast from dlsym's pointer. */
static bool find(const char *const *libraries, const char *name, void *function)
{
    for (; *libraries; libraries++) {
        void *library = dlopen(*libraries, RTLD_NOW | RTLD_LOCAL), *symbol = library ? dlsym(library, name) : NULL;
        memcpy(function, &symbol, sizeof symbol);
        if (symbol)
            return true;
    }
    return false;
}

/* C (m, n) = op(A) op(B), row-major; A is (m, k) or with ta (k, m), B (k, n) or with tb (n, k). */
typedef void sgemm_fn(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *A, const float *B, float *C);

static void onednn(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *A, const float *B, float *C)
{
    dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1, A, ta ? m : k, B, tb ? k : n, 0, C, n);
}

static void openblas(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *A, const float *B, float *C)
{
    enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
    cblas_sgemm(ROW_MAJOR, ta ? TRANSPOSED : PLAIN, tb ? TRANSPOSED : PLAIN, (int)m, (int)n, (int)k, 1, A,
                (int)(ta ? m : k), B, (int)(tb ? k : n), 0, C, (int)n);
}

static void other_run(sgemm_fn *sgemm, const problem *p, enum kind kind, float *C)
{
    if (kind == FORWARD)
        sgemm(false, true, p->rows, p->units, p->inputs, p->a, p->W, C);
    else if (kind == BACKWARD)
        sgemm(false, false, p->rows, p->inputs, p->units, p->delta, p->W, C);
    else
        sgemm(true, false, p->units, p->inputs, p->rows, p->delta, p->a, C);
}

/* ==== shapes ==== */

typedef struct shape {
    char name[40];
    enum kind kind;
    int64_t rows, inputs, units;
} shape;

enum { SHAPES_MAX = 128 };
typedef struct shapes {
    shape shape[SHAPES_MAX];
    int count;
} shapes;

static void add_shape(shapes *s, const char *name, enum kind kind, int64_t rows, int64_t inputs, int64_t units)
{
    for (int i = 0; i < s->count; i++) {
        const shape *o = &s->shape[i];
        if (o->kind == kind && o->rows == rows && o->inputs == inputs && o->units == units)
            return; /* the layers of W3 are alike */
    }
    if (s->count == SHAPES_MAX)
        return;
    shape *new = &s->shape[s->count++];
    *new = (shape){.kind = kind, .rows = rows, .inputs = inputs, .units = units};
    snprintf(new->name, sizeof new->name, "%s", name);
}

static void list_shapes(shapes *s)
{
    static const struct {
        const char *name;
        int64_t batch, units[4]; /* up to a 0; W3's eight layers are as its first two */
    } workload[] = {
        {"W1", 32, {784, 128, 10}},         {"W2", 128, {784, 512, 512, 10}}, {"W3", 64, {784, 128, 128, 10}},
        {"W4", 512, {784, 2048, 2048, 10}}, {"W5", 10, {784, 30, 10}},
    };
    char name[40];
    add_shape(s, "2048^3 forward", FORWARD, 2048, 2048, 2048);
    for (size_t w = 0; w < sizeof workload / sizeof *workload; w++)
        for (int l = 1; l < 4 && workload[w].units[l]; l++)
            for (enum kind kind = FORWARD; kind < KINDS; kind++) {
                if (kind == BACKWARD && l == 1)
                    continue; /* the inputs have no delta */
                snprintf(name, sizeof name, "%s %s %d", workload[w].name, kind_name[kind], l);
                add_shape(s, name, kind, workload[w].batch, workload[w].units[l - 1], workload[w].units[l]);
            }
    static const int64_t few[] = {1, 8, 16, 32, 64};
    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        for (enum kind kind = FORWARD; kind < KINDS; kind++) {
            snprintf(name, sizeof name, "%lld rows %s", (long long)few[i], kind_name[kind]);
            add_shape(s, name, kind, few[i], 512, 512);
        }
}

/* ==== timing ==== */

enum { OURS, ONEDNN, OPENBLAS, SIDES, ROUNDS_MAX = 1000 };

typedef struct options {
    int64_t rounds, shard_size;
    double seconds;
    const char *only, *tsv;
} options;

/* This thread's own time: what others take of the processor doesn't count. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct bench {
    problem p;
    ours o;
    float *C;
    enum kind kind;
} bench;

static void run(const bench *b, int side)
{
    if (side == ONEDNN)
        other_run(onednn, &b->p, b->kind, b->C);
    else if (side == OPENBLAS)
        other_run(openblas, &b->p, b->kind, b->C);
    else if (b->kind == FORWARD)
        ours_forward(&b->o);
    else if (b->kind == BACKWARD)
        ours_backward(&b->o);
    else
        ours_gradient(&b->o);
}

static double time_of(const bench *b, int side, int64_t repeats)
{
    const double began = now();
    for (int64_t i = 0; i < repeats; i++)
        run(b, side);
    return now() - began;
}

/* So many that they take about `seconds`. */
static int64_t repeats_for(const bench *b, int side, double seconds)
{
    int64_t repeats = 1;
    for (;;) {
        const double took = time_of(b, side, repeats);
        if (took > seconds / 4)
            return (int64_t)fmax(1, round((double)repeats * seconds / took));
        repeats *= 4;
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* quantile 0 .. 4 quarters of n sorted values */
static double quarter(const double *sorted, int64_t n, int q)
{
    const double at = (double)(n - 1) * q / 4;
    const int64_t i = (int64_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* ==== right at all? ==== */

static double exact(const problem *p, enum kind kind, int64_t i, int64_t j, double *size)
{
    const int64_t depth = kind == FORWARD ? p->inputs : kind == BACKWARD ? p->units : p->rows;
    double sum = 0;
    *size = 0;
    for (int64_t k = 0; k < depth; k++) {
        const double term = kind == FORWARD    ? (double)p->a[i * p->inputs + k] * (double)p->W[j * p->inputs + k]
                            : kind == BACKWARD ? (double)p->delta[i * p->units + k] * (double)p->W[k * p->inputs + j]
                                               : (double)p->delta[k * p->units + i] * (double)p->a[k * p->inputs + j];
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

/* A few hundred elements, corners among them. */
static bool is_right(const bench *b, int side)
{
    const problem *p = &b->p;
    const int64_t m = b->kind == GRADIENT ? p->units : p->rows, n = b->kind == FORWARD ? p->units : p->inputs;
    run(b, side);
    if (side == OURS && b->kind == GRADIENT)
        ours_unpack(&b->o);
    for (int64_t e = 0; e < 400; e++) {
        const int64_t i = e < 2 ? e * (m - 1) : e * 7919 % m, j = e < 2 ? e * (n - 1) : e * 104729 % n;
        double size;
        const double want = exact(p, b->kind, i, j, &size);
        const double got = side == OURS ? ours_element(&b->o, b->kind, i, j) : b->C[i * n + j];
        if (!(fabs(got - want) <= 1e-5 * size)) {
            fprintf(stderr, "element (%lld, %lld) is %g, not %g\n", (long long)i, (long long)j, got, want);
            return false;
        }
    }
    return true;
}

/* ==== one shape ==== */

static float *random_array(int64_t count, uint32_t *state)
{
    float *x = dt_allocate_hot((size_t)count, sizeof *x);
    for (int64_t i = 0; x && i < count; i++) {
        *state = *state * 1664525u + 1013904223u;
        x[i] = (float)(*state >> 8) * 0x1p-23f - 1;
    }
    return x;
}

static bool bench_create(bench *b, const shape *s, const options *o)
{
    uint32_t state = 1;
    const int64_t shard_size = o->shard_size ? o->shard_size : dt_shard_size_auto(s->rows);
    const int64_t most = dt_max(dt_max(s->rows * s->units, s->rows * s->inputs), s->units * s->inputs);
    *b = (bench){.p = {.rows = s->rows, .inputs = s->inputs, .units = s->units, .shard_size = shard_size},
                 .kind = s->kind};
    b->p.W = random_array(s->units * s->inputs, &state);
    b->p.a = random_array(s->rows * s->inputs, &state);
    b->p.delta = random_array(s->rows * s->units, &state);
    b->C = random_array(most, &state);
    return b->p.W && b->p.a && b->p.delta && b->C && ours_create(&b->o, &b->p);
}

static void bench_destroy(bench *b)
{
    ours_destroy(&b->o);
    dt_release(b->p.W);
    dt_release(b->p.a);
    dt_release(b->p.delta);
    dt_release(b->C);
}

static void print_rate(FILE *tsv, bool there, double rate)
{
    if (!there) {
        printf(" %9s", "-");
        fputs("\t-", tsv);
        return;
    }
    printf(" %9.1f", rate);
    fprintf(tsv, "\t%.3f", rate);
}

static void print_ratio(FILE *tsv, bool there, double *ratio, int64_t rounds)
{
    if (!there) {
        printf(" %18s", "-");
        fputs("\t-\t-\t-", tsv);
        return;
    }
    qsort(ratio, (size_t)rounds, sizeof *ratio, ascending);
    const double low = quarter(ratio, rounds, 1), middle = quarter(ratio, rounds, 2), high = quarter(ratio, rounds, 3);
    printf("  %5.2f (%.2f-%.2f)", middle, low, high);
    fprintf(tsv, "\t%.4f\t%.4f\t%.4f", middle, low, high);
}

/* Measures and prints a line. false where a result is wrong or memory is short. */
static bool measure(const shape *s, const options *o, const bool *there, FILE *tsv)
{
    static double rate[SIDES][ROUNDS_MAX], ratio[SIDES][ROUNDS_MAX];
    bench b;
    bool good = bench_create(&b, s, o);
    int64_t repeats[SIDES] = {0};
    for (int side = 0; good && side < SIDES; side++)
        if (there[side]) {
            good = is_right(&b, side);
            repeats[side] = repeats_for(&b, side, o->seconds);
        }
    const double gflop = 2e-9 * (double)s->rows * (double)s->inputs * (double)s->units;
    for (int64_t n = 0; good && n < o->rounds; n++) {
        for (int turn = 0; turn < SIDES; turn++) { /* another begins each round */
            const int side = (turn + (int)(n % SIDES)) % SIDES;
            if (there[side])
                rate[side][n] = gflop * (double)repeats[side] / time_of(&b, side, repeats[side]);
        }
        for (int side = 1; side < SIDES; side++)
            ratio[side][n] = there[side] ? rate[OURS][n] / rate[side][n] : 0;
    }
    if (good) {
        printf("%-20s %5lld %5lld %5lld %5lld", s->name, (long long)s->rows, (long long)s->inputs, (long long)s->units,
               (long long)(s->kind == GRADIENT ? b.p.shard_size : 0));
        fprintf(tsv, "%s\t%s\t%lld\t%lld\t%lld\t%lld", s->name, kind_name[s->kind], (long long)s->rows,
                (long long)s->inputs, (long long)s->units, (long long)(s->kind == GRADIENT ? b.p.shard_size : 0));
        for (int side = 0; side < SIDES; side++) {
            if (there[side])
                qsort(rate[side], (size_t)o->rounds, sizeof **rate, ascending);
            print_rate(tsv, there[side], quarter(rate[side], o->rounds, 2));
        }
        for (int side = 1; side < SIDES; side++)
            print_ratio(tsv, there[side], ratio[side], o->rounds);
        puts("");
        fputs("\n", tsv);
        fflush(stdout);
    } else
        fprintf(stderr, "performance_kernels: %s: wrong results, or out of memory\n", s->name);
    bench_destroy(&b);
    return good;
}

/* ==== program ==== */

static bool parse_count(const char *text, int64_t low, int64_t high, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return errno == 0 && end != text && !*end && *value >= low && *value <= high;
}

static bool parse(options *o, int count, char **words)
{
    *o = (options){.rounds = 15, .seconds = 0.01, .only = "", .tsv = "/dev/null"};
    for (int i = 1; i < count; i += 2) {
        const char *value = i + 1 < count ? words[i + 1] : "";
        bool good = i + 1 < count;
        if (strcmp(words[i], "--rounds") == 0)
            good = good && parse_count(value, 1, ROUNDS_MAX, &o->rounds);
        else if (strcmp(words[i], "--shard-size") == 0)
            good = good && parse_count(value, 0, INT64_MAX, &o->shard_size);
        else if (strcmp(words[i], "--seconds") == 0)
            good = good && (o->seconds = strtod(value, NULL)) > 0;
        else if (strcmp(words[i], "--only") == 0)
            o->only = value;
        else if (strcmp(words[i], "--tsv") == 0)
            o->tsv = value;
        else
            good = false;
        if (!good) {
            fprintf(stderr, "%s: '%s %s' is not understood; see the head of kernels.c\n", words[0], words[i], value);
            return false;
        }
    }
    return true;
}

/* All on one processor, the last one, as the other measurements with one thread. */
static void stay_on_one(void)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    CPU_ZERO(&one);
    for (int i = CPU_SETSIZE - 1; i >= 0 && CPU_COUNT(&one) == 0; i--)
        if (CPU_ISSET(i, &allowed))
            CPU_SET(i, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

int main(int count, char **words)
{
    options o;
    if (!parse(&o, count, words))
        return 2;
    stay_on_one();
    omp_set_num_threads(1); /* oneDNN's */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    static const char *const onednn_names[] = {"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so", NULL};
    static const char *const openblas_names[] = {"libopenblas.so.0", "libopenblas.so", NULL};
    const bool there[SIDES] = {true, find(onednn_names, "dnnl_sgemm", &dnnl_sgemm),
                               find(openblas_names, "cblas_sgemm", &cblas_sgemm)};
    FILE *tsv = fopen(o.tsv, "w");
    if (!tsv) {
        fprintf(stderr, "%s: can't write %s\n", words[0], o.tsv);
        return 3;
    }
    printf("%-20s %5s %5s %5s %5s %9s %9s %9s  %-17s  %s\n", dt_isa_name(dt_isa_current()), "rows", "in", "units",
           "shard", "deltoid", "oneDNN", "OpenBLAS", "deltoid / oneDNN", "deltoid / OpenBLAS");
    fputs("shape\tkind\trows\tinputs\tunits\tshard_size\tdeltoid\tonednn\topenblas\t"
          "over_onednn\tonednn_q1\tonednn_q3\tover_openblas\topenblas_q1\topenblas_q3\n",
          tsv);
    shapes all = {.count = 0};
    list_shapes(&all);
    bool good = true;
    for (int i = 0; i < all.count; i++)
        if (strstr(all.shape[i].name, o.only))
            good = measure(&all.shape[i], &o, there, tsv) && good;
    if (fclose(tsv) != 0)
        return 3;
    return good ? 0 : 1;
}
