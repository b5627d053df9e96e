/* Logarithm and normal numbers in double, scalar, for what is drawn (initial weights, synthetic data) and for the
 * logarithm of the cost: the same bits from every compiler and C library, for the reasons in kernels/elementary.h.
 */
#ifndef DT_BASE_NORMAL_H
#define DT_BASE_NORMAL_H

#include <stdint.h>
#include <string.h>

/* ln x for normal x > 0: x = m 2^e with m in [sqrt 1/2, sqrt 2), ln m = 2 artanh((m - 1) / (m + 1)). */
static inline double dt_log_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (int64_t)((bits - 0x3fe6a09e667f3bcdULL) >> 52); /* so that m starts at sqrt 1/2 */
    if (e > 1100)
        e -= 4096;
    bits -= (uint64_t)e << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1) / (m + 1), q = s * s;
    double p = 1.0 / 21;
    for (int k = 19; k >= 3; k -= 2)
        p = __builtin_fma(p, q, 1.0 / k);
    const double tail = 2 * s * q * p; /* ln m - 2 s */
    const double ln2_high = 0x1.62e42fefa39efp-1, ln2_low = 0x1.abc9e3b39803fp-56;
    return __builtin_fma((double)e, ln2_high, 2 * s + __builtin_fma((double)e, ln2_low, tail));
}

/* The x with P(X <= x) = p for a standard normal X, 0 < p < 1: algorithm AS 241, PPND16 (Wichura, Applied Statistics
 * 37, 1988). */
static inline double dt_normal_quantile(double p)
{
    static const double central[2][8] = {
        {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
         4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
        {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
         3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
    static const double middle[2][8] = {
        {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
         1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
         1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
    static const double far[2][8] = {
        {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
         2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
         7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
    const double q = p - 0.5, distance = q < 0 ? -q : q;
    const double(*rational)[8] = central;
    double r;
    if (distance <= 0.425) {
        r = 0.180625 - q * q;
    } else {
        r = __builtin_sqrt(-dt_log_f64(q < 0 ? p : 1 - p));
        rational = r <= 5 ? middle : far;
        r -= r <= 5 ? 1.6 : 5;
    }
    double above = rational[0][7], below = rational[1][7];
    for (int i = 6; i >= 0; i--) {
        above = above * r + rational[0][i];
        below = below * r + rational[1][i];
    }
    return distance <= 0.425 ? q * above / below : q < 0 ? -above / below : above / below;
}

#endif
