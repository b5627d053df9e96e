/* To add a generator, write its `make` here and its line in the table: it fills one row's inputs and label, a pure
 * function of its `draw`. */
#include "data/synthetic.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "base/normal.h"
#include "base/philox.h"

/* Numbers of one row (or of a generator's parameters), one after the other. */
typedef struct draw {
    uint64_t seed, minor, index; /* blocks index << 24 and on are the row's */
    uint64_t used;
} draw;

enum { PARAMETERS = DT_DATA_PARTS, ROW_BITS = 24 };

static double uniform(draw *d)
{
    const dt_random128 r = dt_philox(d->seed, DT_FOR_DATA, d->minor, (d->index << ROW_BITS) + d->used / 2);
    return dt_uniform01(r.u[d->used++ % 2]);
}

static double normal(draw *d)
{
    return dt_normal_quantile(uniform(d));
}

/* Cosine and sine of a part of a full turn, 0 <= part: Taylor series around the nearest eighth, the same bits
 * everywhere. */
static void turn(double part, double *cosine, double *sine)
{
    static const double root = 0.7071067811865476;
    static const double cosines[8] = {1, root, 0, -root, -1, -root, 0, root};
    const double within = part - (double)(int64_t)part;
    const int eighth = (int)(within * 8 + 0.5);
    const double x = (within - eighth / 8.0) * 6.283185307179586, q = x * x;
    double c = 0, s = 0;
    for (int k = 16; k >= 2;
         k -= 2) { /* 1 - q/(1 2) (1 - q/(3 4) (1 - ...)), x (1 - q/(2 3) (1 - q/(4 5) (1 - ...))) */
        c = (1 - c) * q / (k * (k - 1));
        s = (1 - s) * q / (k * (k + 1));
    }
    c = 1 - c;
    s = x * (1 - s);
    const double c0 = cosines[eighth % 8], s0 = cosines[(eighth + 6) % 8];
    *cosine = c0 * c - s0 * s;
    *sine = s0 * c + c0 * s;
}

/* --- generators --- */

typedef struct shape {
    int64_t features, classes;
    double *parameters; /* as many as the generator asks for, normal numbers */
} shape;

typedef struct generator {
    dt_entry entry;
    int64_t features, classes;                                             /* defaults */
    bool any_features, any_classes;                                        /* others may be asked for */
    int64_t (*parameters)(const shape *shape);                             /* how many; NULL: none */
    int32_t (*make)(const shape *shape, draw *draw, int64_t i, double *x); /* the label */
} generator;

/* Arm c of K begins at c/K of a turn and winds once around the origin while it goes out to radius 1. */
static int32_t spirals(const shape *s, draw *d, int64_t i, double *x)
{
    const int64_t c = i % s->classes;
    const double radius = uniform(d);
    turn((double)c / (double)s->classes + radius, &x[0], &x[1]);
    x[0] *= radius;
    x[1] *= radius;
    return (int32_t)c;
}

static int64_t centres(const shape *s)
{
    return s->classes * s->features;
}

/* Class c lies around a point of its own, which is drawn from a normal distribution. */
static int32_t clusters(const shape *s, draw *d, int64_t i, double *x)
{
    (void)d;
    const int64_t c = i % s->classes;
    memcpy(x, s->parameters + c * s->features, (size_t)s->features * sizeof *x);
    return (int32_t)c;
}

/* Uniform in (-1, 1): 1 where an odd number of the first two inputs is positive. */
static int32_t exclusive_or(const shape *s, draw *d, int64_t i, double *x)
{
    (void)i;
    for (int64_t k = 0; k < s->features; k++)
        x[k] = 2 * uniform(d) - 1;
    return (x[0] > 0) != (x[1] > 0);
}

enum { TEACHER_UNITS = 16 };

static int64_t teacher_weights(const shape *s)
{
    return TEACHER_UNITS * (s->features + s->classes);
}

/* Normal inputs; the label is the largest output of a network with one hidden layer of rectifiers, its weights normal.
 */
static int32_t teacher(const shape *s, draw *d, int64_t i, double *x)
{
    (void)i;
    const double *W1 = s->parameters, *W2 = W1 + TEACHER_UNITS * s->features;
    double a[TEACHER_UNITS], most = 0;
    int32_t best = 0;
    for (int64_t k = 0; k < s->features; k++)
        x[k] = normal(d);
    for (int j = 0; j < TEACHER_UNITS; j++) {
        double z = 0;
        for (int64_t k = 0; k < s->features; k++)
            z += W1[j * s->features + k] * x[k];
        a[j] = z > 0 ? z : 0;
    }
    for (int64_t c = 0; c < s->classes; c++) {
        double z = 0;
        for (int j = 0; j < TEACHER_UNITS; j++)
            z += W2[c * TEACHER_UNITS + j] * a[j];
        best = c == 0 || z > most ? (int32_t)c : best;
        most = c == 0 || z > most ? z : most;
    }
    return best;
}

/* Two half circles, each with an end inside the other. */
static int32_t moons(const shape *s, draw *d, int64_t i, double *x)
{
    (void)s;
    const int32_t c = (int32_t)(i % 2);
    turn(uniform(d) / 2, &x[0], &x[1]);
    x[0] = c ? 1 - x[0] : x[0];
    x[1] = c ? 0.5 - x[1] : x[1];
    return c;
}

/* Circles around the origin, of radius 1, 1/2, 1/3, ... */
static int32_t circles(const shape *s, draw *d, int64_t i, double *x)
{
    const int64_t c = i % s->classes;
    turn(uniform(d), &x[0], &x[1]);
    x[0] /= (double)(c + 1);
    x[1] /= (double)(c + 1);
    return (int32_t)c;
}

static const generator generators[] = {
    {{"spirals", "r in (0, 1), angle 2 pi (c/K + r)", "K arms that wind around each other"},
     2,
     3,
     false,
     true,
     NULL,
     spirals},
    {{"clusters", "x = mu_c, mu_c ~ N(0, 1)", "K clouds of points; `jitter` is their width"},
     2,
     3,
     true,
     true,
     centres,
     clusters},
    {{"xor", "y = [x_1 > 0] xor [x_2 > 0]", "a checkerboard of four fields"}, 2, 2, true, false, NULL, exclusive_or},
    {{"teacher", "y = argmax W2 relu(W1 x), x ~ N(0, 1)", "what a network of 16 hidden units answers"},
     20,
     4,
     true,
     true,
     teacher_weights,
     teacher},
    {{"moons", "two half circles", "interleaved"}, 2, 2, false, false, NULL, moons},
    {{"circles", "radius 1/(c + 1)", "one around the other"}, 2, 2, false, true, NULL, circles},
};

enum { GENERATORS = sizeof generators / sizeof *generators, CLASSES_MAX = 1 << 20 };

const dt_entry *dt_generator_at(size_t i)
{
    return i < GENERATORS ? &generators[i].entry : NULL;
}

static const char *name_at(const void *context, size_t i)
{
    (void)context;
    return i < GENERATORS ? generators[i].entry.name : NULL;
}

static dt_status find(const generator **found, const char *name, dt_error *error)
{
    for (size_t i = 0; i < GENERATORS; i++)
        if (strcmp(generators[i].entry.name, name) == 0) {
            *found = &generators[i];
            return DT_OK;
        }
    return dt_fail_unknown(error, "generator", name, name_at, NULL);
}

/* --- the data set --- */

static dt_status take_shape(shape *s, const generator *g, const dt_data_spec *data, int64_t rows, dt_error *error)
{
    size_t count, bytes;
    s->features = data->features ? data->features : g->features;
    s->classes = data->classes ? data->classes : g->classes;
    if (s->features != g->features && (!g->any_features || s->features < (g->make == exclusive_or ? 2 : 1)))
        return dt_fail(error, DT_INVALID, "data.features: generator %s has %lld; remove it", g->entry.name,
                       (long long)g->features);
    if (s->classes != g->classes && (!g->any_classes || s->classes < 2 || s->classes > CLASSES_MAX))
        return dt_fail(error, DT_INVALID, "data.classes: generator %s has %s; %s", g->entry.name,
                       g->any_classes ? "2 to 1048576" : "2", g->any_classes ? "give one of them" : "remove it");
    if (!dt_multiply((size_t)rows, (size_t)s->features, &count) || !dt_multiply(count, sizeof(double), &bytes))
        return dt_fail(error, DT_INVALID, "data.rows: more than any memory holds; give fewer");
    return DT_OK;
}

static dt_status draw_parameters(shape *s, const generator *g, uint64_t seed, dt_error *error)
{
    const int64_t count = g->parameters ? g->parameters(s) : 0;
    draw d = {.seed = seed, .minor = PARAMETERS};
    s->parameters = dt_allocate((size_t)count, sizeof *s->parameters);
    if (!s->parameters)
        return dt_fail_memory(error, "synthetic data");
    for (int64_t i = 0; i < count; i++)
        s->parameters[i] = normal(&d);
    return DT_OK;
}

static dt_status fill(dt_dataset *dataset, const shape *s, const generator *g, const dt_opening *opening,
                      dt_error *error)
{
    const double jitter = opening->data->jitter;
    double *inputs = dt_allocate_array((size_t)dataset->rows * (size_t)s->features, sizeof *inputs);
    int32_t *labels = dt_allocate_array((size_t)dataset->rows, sizeof *labels);
    dataset->inputs = inputs;
    dataset->labels = labels;
    if (!inputs || !labels)
        return dt_fail_memory(error, "synthetic data");
    for (int64_t i = 0; i < dataset->rows; i++) {
        draw d = {.seed = opening->seed, .minor = opening->part, .index = (uint64_t)i};
        double *x = inputs + i * s->features;
        labels[i] = g->make(s, &d, i, x);
        for (int64_t k = 0; k < s->features && jitter > 0; k++)
            x[k] += jitter * normal(&d);
    }
    return DT_OK;
}

dt_status dt_synthetic_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error)
{
    const dt_data_spec *data = opening->data;
    const generator *g = NULL;
    shape s = {.parameters = NULL};
    if (data->targets != DT_TARGETS_CLASSES)
        return dt_fail(error, DT_INVALID, "data.targets: synthetic data have classes; remove it");
    if (opening->unlabelled)
        return dt_fail(error, DT_INVALID, "format synthetic has no files; give data.format=csv or another");
    const int64_t rows = opening->part == DT_TEST ? data->test_rows : data->rows ? data->rows : 1000;
    dt_status status = find(&g, data->generator ? data->generator : "spirals", error);
    if (status == DT_OK)
        status = take_shape(&s, g, data, rows, error);
    if (status == DT_OK)
        status = draw_parameters(&s, g, opening->seed, error);
    dataset->rows = rows;
    dataset->features = s.features;
    dataset->classes = s.classes;
    dataset->element = DT_F64;
    if (status == DT_OK)
        status = fill(dataset, &s, g, opening, error);
    dt_release(s.parameters);
    return status;
}
