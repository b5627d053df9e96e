/* How far the smooth activations are from the correctly rounded result, in units of its last place (ulps): values and
 * derivatives against libm, over a sample of all numbers. Built for both precisions.
 *
 *     DELTOID_ACCURACY_STRIDE=1 build/release/tests/test_accuracy_f32     all 2^32 floats: some ten minutes a function
 *     DELTOID_ACCURACY_ONLY=gelu ...                                       one function
 *
 * The reference is of a wider type than the results: double where they are floats, else long double.
 *
 * In float64 a derivative is measured in ulps of the larger of it and 1/2: near its zeros it is a difference, and there
 * only float32's results, which are formed in double, are right to their own last place. */
#include "variants.h"

#include <float.h>
#include <tgmath.h>

#include "deltoid/experiment.h"
#include "nn/activation.h"

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

static wide twice_u(wide z)
{
    return 2 * sqrt(2 / acos((wide)-1)) * z * (1 + WIDE(0.044715) * z * z);
}

static wide gelu_tanh(wide z)
{
    return z * sigmoid(twice_u(z));
}

static wide gelu_tanh_slope(wide z)
{
    const wide inner = 2 * sqrt(2 / acos((wide)-1)) * z * (1 + 3 * WIDE(0.044715) * z * z);
    return sigmoid(twice_u(z)) * (1 + inner * sigmoid(-twice_u(z)));
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

/* The largest errors allowed, in ulps. Derivatives of sigmoid and tanh are formed from the rounded a: where that is
 * near 1, float32 has none of the digits of 1 - a. */
static const struct smooth {
    const char *name;
    wide (*value)(wide z), (*slope)(wide z);
    double most_f32[2], most_f64[2];
} smooth[] = {
    {"sigmoid", sigmoid, sigmoid_slope, {0.51, INFINITY}, {2.5, 4}},
    {"tanh", hyperbolic, tanh_slope, {0.51, INFINITY}, {2.5, 4}},
    {"elu", elu, elu_slope, {0.51, 0.51}, {2, 2}},
    {"selu", selu, selu_slope, {0.51, 0.51}, {3, 3}},
    {"gelu", gelu, gelu_slope, {0.51, 0.51}, {11, 7}},
    {"gelu_tanh", gelu_tanh, gelu_tanh_slope, {0.51, 0.51}, {4, 4}},
    {"silu", silu, silu_slope, {0.51, 0.51}, {4, 4}},
    {"softplus", softplus, sigmoid, {0.51, 0.51}, {3, 3}},
    {"mish", mish, mish_slope, {0.51, 0.51}, {5, 4}},
    {"exp", power, power, {0.51, 0.51}, {2, 2}},
    {"sine", sine, cosine, {0.51, 0.51}, {2, 2}},
};

/* --- the sample --- */

#if DT_PRECISION == 32
enum { STRIDE = 65521 };
static const double SMALLEST = FLT_MIN;

/* Every stride-th float. */
static bool next_z(uint64_t *state, uint64_t stride, dt_real *z)
{
    const uint32_t bits = (uint32_t)*state;
    if (*state >> 32)
        return false;
    memcpy(z, &bits, sizeof *z);
    *state += stride;
    return true;
}
#else
enum { STRIDE = 65521 };
static const double SMALLEST = 1e-305; /* dt_wide_exp ends at e^-708, and z times it is asked for */

/* 2^32 / stride doubles: of every exponent from 2^-60 up, and half of them where functions bend. */
static bool next_z(uint64_t *state, uint64_t stride, dt_real *z)
{
    static uint64_t random;
    if (*state == 0)
        random = 1;
    if (*state >> 32)
        return false;
    const uint64_t bits = draw(&random);
    *z = ldexp(1 + (double)(bits >> 12) * 0x1p-52,
               (int)(bits % 128) < 64 ? (int)(bits % 1084) - 60 : (int)(bits % 8) - 2);
    *z = draw(&random) & 1 ? -*z : *z;
    *state += stride;
    return true;
}
#endif

/* |got - want| in ulps of want, or of `least` where that is larger; 0 where want is below the smallest normal number
 * and got no more. (Results below are 0.) */
static double ulps(dt_real got, wide want, double least)
{
    if (fabs(want) < (wide)SMALLEST)
        return fabs((double)got) <= SMALLEST ? 0 : INFINITY;
    if (isinf((dt_real)want) || isnan(want))
        return (isnan(want) && isnan(got)) || (dt_real)want == got ? 0 : INFINITY;
    int exponent;
    frexp(fmax(fabs(want), (wide)least), &exponent);
    return (double)(fabs((wide)got - want) / ldexp((wide)1, exponent - (DT_PRECISION == 32 ? 24 : 53)));
}

static void measure(const struct smooth *f, const dt_activation *s, uint64_t stride, double most[2], double at[2])
{
    dt_real z;
    most[0] = most[1] = at[0] = at[1] = 0;
    for (uint64_t state = 0; next_z(&state, stride, &z);) {
        dt_real a, delta = 1;
        if (!isfinite(z))
            continue;
        s->value(1, dt_activation_parameter(&(dt_layer_spec){.activation = f->name}), &z, &a);
        s->derivative(1, dt_activation_parameter(&(dt_layer_spec){.activation = f->name}), &z, &a, &delta);
        const double error[2] = {ulps(a, f->value((wide)z), 0),
                                 ulps(delta, f->slope((wide)z), DT_PRECISION == 32 ? 0 : 0.5)};
        for (int i = 0; i < 2; i++)
            if (error[i] > most[i]) {
                most[i] = error[i];
                at[i] = (double)z;
            }
    }
}

static void test_ulps(void **state)
{
    (void)state;
    const char *text = getenv("DELTOID_ACCURACY_STRIDE"), *only = getenv("DELTOID_ACCURACY_ONLY");
    const uint64_t stride = text ? strtoull(text, NULL, 10) : STRIDE;
    assert_true(stride > 0);
    print_message("every %llu of 2^32 numbers; largest error in ulps, and z there\n", (unsigned long long)stride);
    for (size_t k = 0; k < sizeof smooth / sizeof *smooth; k++) {
        const struct smooth *f = &smooth[k];
        if (only && strcmp(only, f->name) != 0)
            continue;
        int i = 0;
        while (i < DT_ACTIVATION_COUNT && strcmp(variants[DT_ISA_GENERIC][i].entry.name, f->name) != 0)
            i++;
        assert_in_range(i, 0, DT_ACTIVATION_COUNT - 1);
        double most[2], at[2];
        measure(f, &variants[DT_ISA_GENERIC][i], stride, most, at); /* the others' bits are the same: test_activation */
        print_message("%-10s value %8.3f at %-14.8g derivative %8.3f at %.8g\n", f->name, most[0], at[0], most[1],
                      at[1]);
        const double *allowed = DT_PRECISION == 32 ? f->most_f32 : f->most_f64;
        assert_true(most[0] <= allowed[0] && most[1] <= allowed[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ulps)};
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
