/* How far the smooth activations are from the correctly rounded result, in units of its last place (ulps): values and
 * derivatives against libm, over a sample of all numbers. Built for both precisions. At length, as CONTRIBUTING.md
 * says:
 *
 *     DELTOID_ACCURACY_STRIDE=1 build/release/tests/test_accuracy_f32     all 2^32 floats, on all processors
 *     DELTOID_ACCURACY_ONLY=gelu ...                                       one function
 *
 * The reference is of a wider type than the results: double where they are floats, else long double.
 *
 * In float64 some derivatives are measured in ulps of the larger of it and 1/2: near their zeros they are differences,
 * and there only float32's results, which are formed in double, are right to their own last place. */
#include "variants.h"

#include <float.h>
#include <tgmath.h>

#include "deltoid/experiment.h"
#include "nn/activation.h"
#include "parallel/team.h"

static const dt_activation *const variants[DT_ISAS] = VARIANTS(dt_activations, );

/* --- definitions --- */

#if DT_PRECISION == 32
typedef double wide;
#else
typedef long double wide;
#endif
#define WIDE(x) ((wide)x##L)

static wide sigmoid(wide z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

static wide sigmoid_slope(wide z)
{
    return sigmoid(z) * sigmoid(-z);
}

static wide hyperbolic(wide z)
{
    return tanh(z);
}

static wide power(wide z)
{
    return exp(z);
}

static wide sine(wide z)
{
    return sin(z);
}

static wide cosine(wide z)
{
    return cos(z);
}

static wide tanh_slope(wide z)
{
    return 4 * sigmoid_slope(2 * z);
}

static wide elu(wide z)
{
    return z > 0 ? z : expm1(z);
}

static wide elu_slope(wide z)
{
    return z > 0 ? 1 : exp(z);
}

static const wide SCALE = WIDE(1.0507009873554804934193349852946), ALPHA = WIDE(1.6732632423543772848170429916717);

static wide selu(wide z)
{
    return SCALE * (z > 0 ? z : ALPHA * expm1(z));
}

static wide selu_slope(wide z)
{
    return SCALE * (z > 0 ? 1 : ALPHA * exp(z));
}

static wide below(wide z)
{
    return erfc(-z * sqrt(WIDE(0.5))) / 2;
}

static wide gelu(wide z)
{
    return z * below(z);
}

static wide gelu_slope(wide z)
{
    return below(z) + z * exp(-z * z / 2) / sqrt(2 * acos((wide)-1));
}

/* 2 sqrt(2/pi) (z + 0.044715 z^3); its rounding error, which matters where it is some hundreds, in *low */
static wide twice_u(wide z, wide *low)
{
    const wide k = 2 * sqrt(2 / acos((wide)-1)), cubic = WIDE(0.044715) * z * z * z, sum = z + cubic;
    const wide u = k * sum;
    *low =
        DT_PRECISION == 32 ? 0 : fma(k, sum, -u) + k * ((z - (sum - cubic)) + fma(WIDE(0.044715) * z * z, z, -cubic));
    return u;
}

static wide gelu_tanh(wide z)
{
    wide low;
    const wide u = twice_u(z, &low), s = sigmoid(u);
    return z * (s + s * (1 - s) * low);
}

static wide gelu_tanh_slope(wide z)
{
    wide low;
    const wide inner = 2 * sqrt(2 / acos((wide)-1)) * z * (1 + 3 * WIDE(0.044715) * z * z), u = twice_u(z, &low);
    return sigmoid(u) * (1 + inner * sigmoid(-u));
}

static wide silu(wide z)
{
    return z * sigmoid(z);
}

static wide silu_slope(wide z)
{
    return sigmoid(z) * (1 + z * sigmoid(-z));
}

static wide softplus(wide z)
{
    return fmax(z, (wide)0) + log1p(exp(-fabs(z)));
}

static wide mish(wide z)
{
    return z * tanh(softplus(z));
}

static wide mish_slope(wide z)
{
    const wide u = softplus(z), e = exp(-2 * u); /* 1 - tanh^2 u = 4 e / (1 + e)^2 */
    return tanh(u) + z * 4 * e / ((1 + e) * (1 + e)) * sigmoid(z);
}

/* The largest errors allowed, in ulps; `least` is the number in whose ulps float64's derivatives are measured where
 * they are smaller. */
static const struct smooth {
    const char *name;
    wide (*value)(wide z), (*slope)(wide z);
    double most_f32[2], most_f64[2], least;
} smooth[] = {
    {"sigmoid", sigmoid, sigmoid_slope, {0.51, 0.51}, {1.5, 1.5}, 0},
    {"tanh", hyperbolic, tanh_slope, {0.51, 0.51}, {1.5, 1.5}, 0},
    {"elu", elu, elu_slope, {0.51, 0.51}, {1.5, 1.5}, 0},
    {"selu", selu, selu_slope, {0.51, 0.51}, {1.5, 1.5}, 0},
    {"gelu", gelu, gelu_slope, {0.51, 0.51}, {1.5, 1.5}, 0.5},
    {"gelu_tanh", gelu_tanh, gelu_tanh_slope, {0.51, 0.51}, {1.5, 1.5}, 0.5},
    {"silu", silu, silu_slope, {0.51, 0.51}, {1.5, 1.5}, 0.5},
    {"softplus", softplus, sigmoid, {0.51, 0.51}, {1.5, 1.5}, 0},
    {"mish", mish, mish_slope, {0.51, 0.51}, {1.5, 1.5}, 0.5},
    {"exp", power, power, {0.51, 0.51}, {1.5, 1.5}, 0},
    {"sine", sine, cosine, {0.51, 0.51}, {1.5, 1.5}, 0},
};

/* --- the sample: number i of 2^32 --- */

enum { STRIDE = 16381 };

#if DT_PRECISION == 32
static const double SMALLEST = FLT_MIN;

static dt_real number(uint64_t i)
{
    const uint32_t bits = (uint32_t)i;
    dt_real z;
    memcpy(&z, &bits, sizeof z);
    return z;
}
#else
static const double SMALLEST = 1e-290; /* below, low parts are lost: kernels/pair.h */

/* A double of every exponent from 2^-60 up, or of those where functions bend. */
static dt_real number(uint64_t i)
{
    uint64_t random = 3 * i;
    const uint64_t bits = draw(&random), more = draw(&random);
    const int exponent = more & 2 ? (int)(bits % 1084) - 60 : (int)(bits % 8) - 2;
    return ldexp(more & 1 ? -1 : 1, exponent) * (1 + (double)(bits >> 12) * 0x1p-52);
}
#endif

/* One ulp of a number of x's size */
static wide ulp_of(wide x)
{
#if DT_PRECISION == 32
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits & 0x7ff0000000000000) - ((uint64_t)(FLT_MANT_DIG - 1) << 52);
    memcpy(&x, &bits, sizeof x);
    return x;
#else
    int exponent;
    frexp(x, &exponent);
    return ldexp((wide)1, exponent - DBL_MANT_DIG);
#endif
}

/* |got - want| in ulps of want, or of `least` where that is larger; 0 where want is below the smallest number asked for
 * and got hardly more. (Results below the smallest normal number are 0.) */
static double ulps(dt_real got, wide want, double least)
{
    if (fabs(want) < (wide)SMALLEST)
        return fabs((double)got) <= 1.001 * SMALLEST ? 0 : INFINITY;
    if (isinf((dt_real)want) || isnan(want))
        return (isnan(want) && isnan(got)) || (dt_real)want == got ? 0 : INFINITY;
    return (double)(fabs((wide)got - want) / ulp_of(fmax(fabs(want), (wide)least)));
}

/* --- measuring, by a team: each worker its part of the numbers, block by block --- */

enum { BLOCK = 512, MOST_WORKERS = 256 };

typedef struct worst {
    double error, z;
} worst;

typedef struct measurement {
    const struct smooth *f;
    const dt_activation *tested;
    uint64_t stride;
    worst found[MOST_WORKERS][2]; /* of value and derivative */
} measurement;

static void note(worst *w, double error, dt_real z)
{
    if (!(error <= w->error))
        *w = (worst){error, (double)z};
}

static void measure_block(const measurement *m, const dt_real *z, worst found[2])
{
    const struct smooth *f = m->f;
    const double parameter = dt_activation_parameter(&(dt_layer_spec){.activation = f->name});
    dt_real a[BLOCK], delta[BLOCK];
    fill(delta, BLOCK, 1);
    m->tested->value(BLOCK, parameter, z, a);
    m->tested->derivative(BLOCK, parameter, z, a, delta);
    for (int j = 0; j < BLOCK; j++) {
        if (!isfinite(z[j]))
            continue;
        note(&found[0], ulps(a[j], f->value((wide)z[j]), 0), z[j]);
        note(&found[1], ulps(delta[j], f->slope((wide)z[j]), DT_PRECISION == 32 ? 0 : f->least), z[j]);
    }
}

static void measure(dt_worker *worker, void *context)
{
    measurement *m = context;
    const uint64_t apart = m->stride * BLOCK;
    worst found[2] = {{0, 0}, {0, 0}};
    for (uint64_t first = (uint64_t)worker->index * apart; first >> 32 == 0; first += (uint64_t)worker->count * apart) {
        dt_real z[BLOCK];
        for (uint64_t j = 0; j < BLOCK; j++)
            z[j] = number((first + j * m->stride) & UINT32_MAX);
        measure_block(m, z, found);
    }
    memcpy(m->found[worker->index], found, sizeof found);
}

static const dt_activation *named(const char *name)
{
    const dt_activation *table = variants[dt_isa_current()]; /* the others' bits are the same: test_activation */
    int i = 0;
    while (i < DT_ACTIVATION_COUNT && strcmp(table[i].entry.name, name) != 0)
        i++;
    assert_in_range(i, 0, DT_ACTIVATION_COUNT - 1);
    return &table[i];
}

static void test_ulps(void **state)
{
    (void)state;
    const char *text = getenv("DELTOID_ACCURACY_STRIDE"), *only = getenv("DELTOID_ACCURACY_ONLY");
    const uint64_t stride = text ? strtoull(text, NULL, 10) : STRIDE;
    assert_true(stride > 0);
    static measurement m;
    m.stride = stride;
    dt_team *team;
    assert_int_equal(dt_team_create(&team, dt_min(dt_processors(), text ? MOST_WORKERS : 1), NULL), DT_OK);
    print_message("every %llu of 2^32 numbers; largest error in ulps, and z there\n", (unsigned long long)stride);
    bool good = true;
    for (size_t k = 0; k < sizeof smooth / sizeof *smooth; k++) {
        m.f = &smooth[k];
        if (only && strcmp(only, m.f->name) != 0)
            continue;
        m.tested = named(m.f->name);
        dt_team_run(team, measure, &m);
        worst all[2] = {{0, 0}, {0, 0}};
        for (int64_t t = 0; t < dt_team_count(team); t++)
            for (int i = 0; i < 2; i++)
                note(&all[i], m.found[t][i].error, (dt_real)m.found[t][i].z);
        print_message("%-10s value %8.4f at %-15.9g derivative %8.4f at %.9g\n", m.f->name, all[0].error, all[0].z,
                      all[1].error, all[1].z);
        const double *allowed = DT_PRECISION == 32 ? m.f->most_f32 : m.f->most_f64;
        good &= all[0].error <= allowed[0] && all[1].error <= allowed[1];
    }
    dt_team_destroy(team);
    assert_true(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ulps)};
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
