/* The project's own exp, log, sigmoid, tanh and normal quantile against libm in long double, in ulp; and the
 * same bits from every instruction set. Built for both precisions. */
#include "variants.h"

#include <float.h>

#include "kernels/elementary.h"
#include "nn/activation.h"

static const dt_activation *const variants[DT_ISAS] = VARIANTS(dt_activations, );

#if DT_PRECISION == 64
enum { DIGITS = DBL_MANT_DIG };
#define DIVIDED 1.5 /* ulp */
static const dt_real LARGEST = DBL_MAX, SMALLEST = DBL_MIN, EXP_FIRST = -708, EXP_LAST = (dt_real)709.7;
static const uint64_t PINNED = 0x28b54229c787c1a7;
#else
enum { DIGITS = FLT_MANT_DIG };
#define DIVIDED 0.51
static const dt_real LARGEST = FLT_MAX, SMALLEST = FLT_MIN, EXP_FIRST = -87, EXP_LAST = (dt_real)88.7;
static const uint64_t PINNED = 0x266f9aa656e14e5d;
#endif

static const dt_activation *named(dt_isa isa, const char *name)
{
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++)
        if (strcmp(variants[isa][i].entry.name, name) == 0)
            return &variants[isa][i];
    fail_msg("no activation '%s'", name);
    return NULL;
}

static dt_real sigmoid_of(dt_real z)
{
    dt_real a;
    named(DT_ISA_GENERIC, "sigmoid")->value(1, 0, &z, &a);
    return a;
}

static dt_real tanh_of(dt_real z)
{
    dt_real a;
    named(DT_ISA_GENERIC, "tanh")->value(1, 0, &z, &a);
    return a;
}

/* --- accuracy --- */

/* |got - want| in units in the last place of want */
static double ulps(long double got, long double want, int digits)
{
    if (got == want)
        return 0;
    int exponent;
    frexpl(want, &exponent);
    return (double)(fabsl(got - want) / ldexpl(1, exponent - digits));
}

typedef struct function {
    const char *name;
    dt_real (*tested)(dt_real x);
    long double (*exact)(long double x);
    double threshold; /* ulp, as kernels/elementary.h states */
    double first, last;
} function;

static long double sigmoidl(long double z)
{
    return 1 / (1 + expl(-z));
}

/* Largest error over the range, evenly and (near zero) over magnitudes down to 2^-40. */
static void check_accuracy(const function *f)
{
    enum { DENSE = 400000, SMALL = 100000 };
    uint64_t random = 1;
    double worst = 0, at = 0;
    for (int i = 0; i < DENSE + SMALL; i++) {
        const double wide = draw_between(&random, f->first, f->last);
        const double small = ldexp(draw_between(&random, -1, 1), -i % 40);
        const dt_real x = (dt_real)(i < DENSE ? wide : small);
        const double u = ulps((long double)f->tested(x), f->exact((long double)x), DIGITS);
        if (!(u <= worst)) {
            worst = u;
            at = (double)x;
        }
    }
    if (!(worst <= f->threshold))
        fail_msg("%s(%a) is off by %.3f ulp, more than %.1f", f->name, at, worst, f->threshold);
}

static const function functions[] = {
    {"exp", dt_exp, expl, 1.1, EXP_FIRST, EXP_LAST},
    {"sigmoid", sigmoid_of, sigmoidl, DIVIDED, EXP_FIRST, -EXP_FIRST},
    {"tanh", tanh_of, tanhl, DIVIDED, -22, 22},
};

static void test_accuracy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        check_accuracy(&functions[i]);
}

static void test_log(void **state)
{
    (void)state;
    enum { DRAWS = 600000 };
    uint64_t random = 2;
    for (int i = 0; i < DRAWS; i++) {
        const double any = ldexp(draw_between(&random, 1, 2), (int)draw_integer(&random, -1022, 1023));
        const double one = 1 + ldexp(draw_between(&random, -1, 1), -i % 52);
        const double x = i % 3 == 0 ? any : i % 3 == 1 ? draw_between(&random, 0.5, 2) : one;
        const double u = x > 0 ? ulps((long double)dt_log_f64(x), logl((long double)x), DBL_MANT_DIG) : 0;
        if (!(u <= 2))
            fail_msg("log(%a) is off by %.3f ulp", x, u);
    }
    for (int e = -1022; e <= 1023; e++) /* powers of two, and what lies next to them */
        for (int side = -1; side <= 1; side++) {
            const double x = nextafter(ldexp(1, e), side < 0 ? 0 : side ? DBL_MAX : ldexp(1, e));
            if (x >= DBL_MIN)
                assert_true(ulps((long double)dt_log_f64(x), logl((long double)x), DBL_MANT_DIG) <= 2);
        }
    assert_true(dt_log_f64(1) == 0);
}

/* The x with P(X <= x) = p, from a nearby one by Newton's method on the tail that p is in. */
static long double quantilel(double p, long double x)
{
    const long double root = sqrtl(2), density_at_0 = 1 / sqrtl(2 * acosl(-1));
    for (int i = 0; i < 3; i++) {
        const long double excess = p < 0.4   ? erfcl(-x / root) / 2 - (long double)p
                                   : p > 0.6 ? (1 - (long double)p) - erfcl(x / root) / 2
                                             : erfl(x / root) / 2 - ((long double)p - 0.5L);
        x -= excess / (density_at_0 * expl(-x * x / 2));
    }
    return x;
}

static void test_normal_quantile(void **state)
{
    (void)state;
    enum { DRAWS = 150000 };
    uint64_t random = 3;
    for (int i = 0; i < DRAWS; i++) {
        const double tail = ldexp(draw_between(&random, 1, 2), -(int)draw_integer(&random, 2, 1000));
        const double middle = 0.5 + ldexp(draw_between(&random, -1, 1), -2 - i % 48);
        const double p = i % 3 == 0 ? tail : i % 3 == 1 ? middle : draw_between(&random, 0x1p-53, 1);
        const double x = dt_normal_quantile(p), u = ulps((long double)x, quantilel(p, (long double)x), DBL_MANT_DIG);
        if (!(u <= 8))
            fail_msg("the normal quantile of %a is off by %.3f ulp", p, u);
    }
    assert_true(dt_normal_quantile(0.5) == 0);
    for (int i = 1; i < 1 << 10; i++) /* p and 1 - p are exact */
        assert_true(dt_normal_quantile(ldexp(i, -11)) == -dt_normal_quantile(1 - ldexp(i, -11)));
}

/* --- shape --- */

static dt_real next_up(dt_real x)
{
#if DT_PRECISION == 64
    return nextafter(x, LARGEST);
#else
    return nextafterf(x, LARGEST);
#endif
}

/* From each of many places, a thousand consecutive numbers: never falling; tanh, which divides, by one ulp at most. */
static void test_monotonicity(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        const double allowed = functions[f].tested == tanh_of ? 1 : 0;
        for (int place = 0; place < 300; place++) {
            const double narrow = place % 2 ? 1 : 0.01;
            dt_real x = (dt_real)draw_between(&random, functions[f].first * narrow, functions[f].last * narrow);
            dt_real last = functions[f].tested(x);
            for (int i = 0; i < 1000; i++) {
                x = next_up(x);
                const dt_real y = functions[f].tested(x);
                if (!(y >= last || ulps((long double)y, (long double)last, DIGITS) <= allowed))
                    fail_msg("%s falls at %a: from %a to %a", functions[f].name, (double)x, (double)last, (double)y);
                last = y;
            }
        }
    }
}

static void test_special_values(void **state)
{
    (void)state;
    const dt_real infinite = (dt_real)INFINITY, nan_ = (dt_real)NAN;
    assert_true(same_bits(dt_exp(0), 1));
    assert_true(same_bits(dt_exp(-infinite), 0));
    assert_true(same_bits(dt_exp(-LARGEST), 0));
    assert_true(same_bits(dt_exp(-next_up(-EXP_FIRST)), 0));
    assert_true(dt_exp(EXP_FIRST) >= SMALLEST);
    assert_true(dt_exp(EXP_LAST) <= LARGEST);
    assert_true(same_bits(dt_exp(infinite), dt_exp(EXP_LAST)));
    assert_true(same_bits(dt_exp(LARGEST), dt_exp(EXP_LAST)));
    assert_true(same_bits(sigmoid_of(0), (dt_real)0.5));
    assert_true(same_bits(sigmoid_of(infinite), 1));
    assert_true(same_bits(sigmoid_of(LARGEST), 1));
    assert_true(sigmoid_of(-infinite) >= 0 && sigmoid_of(-infinite) < SMALLEST); /* 0 where denormals are flushed */
    assert_true(tanh_of(0) == 0);
    assert_true(same_bits(tanh_of(infinite), 1));
    assert_true(same_bits(tanh_of(-infinite), -1));
    assert_true(same_bits(tanh_of(LARGEST), 1));
    assert_true(isnan(dt_exp(nan_)));
    assert_true(isnan(sigmoid_of(nan_)));
    assert_true(isnan(tanh_of(nan_)));
}

/* Everything the functions may give, anywhere. */
static void test_ranges(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 300000; i++) {
        const dt_real x = (dt_real)ldexp(draw_between(&random, -1, 1), (int)draw_integer(&random, -60, 60));
        const dt_real e = dt_exp(x), s = sigmoid_of(x), t = tanh_of(x);
        assert_true(e == 0 || (e >= SMALLEST && e <= LARGEST));
        assert_true(s >= 0 && s <= 1);
        assert_true(t >= -1 && t <= 1 && (x < 0) == (t < 0));
    }
}

/* --- bits --- */

/* Vectorised in every width, and one number at a time: one result. */
static void test_bits_of_all_instruction_sets(void **state)
{
    (void)state;
    enum { MOST = 1000, ROUNDS = 300 };
    const dt_real special[] = {0, -(dt_real)0, (dt_real)INFINITY, -(dt_real)INFINITY, LARGEST, -LARGEST, SMALLEST, 1};
    uint64_t random = 6;
    for (int round = 0; round < ROUNDS; round++) {
        dt_real z[MOST], got[MOST], sigmoid[MOST], tangent[MOST];
        const int64_t n = round < 70 ? round : draw_integer(&random, 1, MOST);
        for (int64_t i = 0; i < n; i++) {
            z[i] = (dt_real)ldexp(draw_between(&random, -1, 1), (int)draw_integer(&random, -20, 10));
            if (draw_integer(&random, 0, 9) == 0)
                z[i] = special[draw_integer(&random, 0, (int64_t)(sizeof special / sizeof *special) - 1)];
            sigmoid[i] = sigmoid_of(z[i]);
            tangent[i] = tanh_of(z[i]);
        }
        for (dt_isa isa = 0; isa <= dt_isa_current(); isa++) {
            named(isa, "sigmoid")->value(n, 0, z, got);
            assert_bits(got, sigmoid, n, "%s: sigmoid", dt_isa_name(isa));
            named(isa, "tanh")->value(n, 0, z, got);
            assert_bits(got, tangent, n, "%s: tanh", dt_isa_name(isa));
        }
    }
}

/* What every compiler and C library gives: a hash over many values, so that no change goes unnoticed. */
static void test_pinned_bits(void **state)
{
    (void)state;
    uint64_t hash = 0, random = 7;
    for (int i = 0; i < 20000; i++) {
        const dt_real x = (dt_real)draw_between(&random, -30, 30);
        const dt_real y[] = {dt_exp(x), sigmoid_of(x), tanh_of(x)};
        for (int k = 0; k < 3; k++) {
            dt_integer bits;
            memcpy(&bits, &y[k], sizeof bits);
            hash = (hash ^ (uint64_t)bits) * 0x100000001b3; /* FNV's prime */
        }
        const double p[] = {dt_log_f64(fabs((double)x) + 1e-3), dt_normal_quantile(1 / (1 + fabs((double)x)))};
        for (int k = 0; k < 2; k++) {
            uint64_t bits;
            memcpy(&bits, &p[k], sizeof bits);
            hash = (hash ^ bits) * 0x100000001b3;
        }
    }
    assert_int_equal(hash, PINNED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_normal_quantile),
        cmocka_unit_test(test_monotonicity),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_bits_of_all_instruction_sets),
        cmocka_unit_test(test_pinned_bits),
    };
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
