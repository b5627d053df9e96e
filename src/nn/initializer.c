/* To add an initializer: a function from a uniform number to a weight, or one that makes a whole matrix, here, and one
 * line in the table. */
#include "nn/initializer.h"

#include "base/memory.h"
#include "base/philox.h"
#include "kernels/elementary.h"

static double normal(double u, double variance)
{
    return dt_normal_quantile(u) * __builtin_sqrt(variance);
}

static double uniform(double u, double limit)
{
    return (2 * u - 1) * limit;
}

static double he_normal(double u, double none, double in, double out)
{
    (void)none, (void)out;
    return normal(u, 2 / in);
}

static double he_uniform(double u, double none, double in, double out)
{
    (void)none, (void)out;
    return uniform(u, __builtin_sqrt(6 / in));
}

static double glorot_normal(double u, double none, double in, double out)
{
    (void)none;
    return normal(u, 2 / (in + out));
}

static double glorot_uniform(double u, double none, double in, double out)
{
    (void)none;
    return uniform(u, __builtin_sqrt(6 / (in + out)));
}

static double lecun_normal(double u, double none, double in, double out)
{
    (void)none, (void)out;
    return normal(u, 1 / in);
}

static double lecun_uniform(double u, double none, double in, double out)
{
    (void)none, (void)out;
    return uniform(u, __builtin_sqrt(3 / in));
}

static double plain_normal(double u, double std, double in, double out)
{
    (void)in, (void)out;
    return normal(u, std * std);
}

/* The quantile of what lies between -2 and 2 deviations. */
static double truncated_normal(double u, double std, double in, double out)
{
    (void)in, (void)out;
    const double below = 0.022750131948179207200; /* Phi(-2) */
    return dt_normal_quantile(below + u * (1 - 2 * below)) * std;
}

static double plain_uniform(double u, double limit, double in, double out)
{
    (void)in, (void)out;
    return uniform(u, limit);
}

static double constant(double u, double value, double in, double out)
{
    (void)u, (void)in, (void)out;
    return value;
}

static double zeros(double u, double none, double in, double out)
{
    (void)u, (void)none, (void)in, (void)out;
    return 0;
}

/* The number in (0, 1) that belongs to a weight. */
static double uniform_at(uint64_t seed, int64_t l, int64_t index)
{
    const dt_random128 r = dt_philox(seed, DT_FOR_INIT, (uint64_t)l, (uint64_t)index / 2);
    return dt_uniform01(r.u[index % 2]);
}

/* --- orthogonal --- */

/* M <- (I - beta v v^T) M for columns first .. n-1 of M (m, n) and v (m) with zeros before row k; `product` holds n.
 * Sums run over rows in ascending order, so that columns can go side by side. */
static void reflect(int64_t m, int64_t n, int64_t k, int64_t first, const double *v, double beta, double *M,
                    double *product)
{
    for (int64_t c = first; c < n; c++)
        product[c] = 0;
    for (int64_t r = k; r < m; r++)
        for (int64_t c = first; c < n; c++)
            product[c] += v[r] * M[r * n + c];
    for (int64_t r = k; r < m; r++) {
        const double size = beta * v[r];
        for (int64_t c = first; c < n; c++)
            M[r * n + c] -= size * product[c];
    }
}

/* Householder's vector of column k of A (m, n), into v; returns 2 / |v|^2, or 0 for nothing to do, and the sign of
 * r_kk.
 */
static double householder(int64_t m, int64_t n, int64_t k, const double *A, double *v, double *sign)
{
    double square = 0;
    for (int64_t r = k; r < m; r++) {
        v[r] = A[r * n + k];
        square += v[r] * v[r];
    }
    const double norm = __builtin_sqrt(square);
    *sign = v[k] > 0 ? -1 : 1;
    square -= v[k] * v[k];
    v[k] -= *sign * norm;
    square += v[k] * v[k];
    return square > 0 ? 2 / square : 0;
}

/* Q of A = Q R with r_kk > 0, for A (m, n) of normal numbers, m >= n: uniform over the matrices with orthonormal
 * columns (Mezzadri, How to generate random matrices from the classical compact groups, Notices of the AMS 54, 2007).
 * In double, in a fixed order. Saxe et al. 2014 proposed it for networks; conventions are PyTorch's orthogonal_. */
static dt_status orthogonal(uint64_t seed, int64_t l, int64_t inputs, int64_t units, double gain, double *W,
                            dt_error *error)
{
    const bool wide = units < inputs; /* then W is the transpose of A */
    const int64_t m = wide ? inputs : units, n = wide ? units : inputs;
    double *A = dt_allocate((size_t)(m * n), sizeof *A), *Q = dt_allocate_zeroed((size_t)(m * n), sizeof *Q);
    double *V = dt_allocate_zeroed((size_t)(m * n), sizeof *V), *more = dt_allocate((size_t)n, 3 * sizeof *more);
    const dt_status status = A && Q && V && more ? DT_OK : dt_fail_memory(error, "an orthogonal matrix");
    if (status == DT_OK) {
        double *const beta = more, *const sign = more + n, *const product = more + 2 * n;
        for (int64_t r = 0; r < m; r++)
            for (int64_t c = 0; c < n; c++)
                A[r * n + c] = dt_normal_quantile(uniform_at(seed, l, wide ? c * inputs + r : r * inputs + c));
        for (int64_t k = 0; k < n; k++) {
            beta[k] = householder(m, n, k, A, V + k * m, &sign[k]);
            reflect(m, n, k, k + 1, V + k * m, beta[k], A, product);
            Q[k * n + k] = 1;
        }
        for (int64_t k = n - 1; k >= 0; k--)
            reflect(m, n, k, k, V + k * m, beta[k], Q, product);
        for (int64_t r = 0; r < m; r++)
            for (int64_t c = 0; c < n; c++)
                W[wide ? c * inputs + r : r * inputs + c] = gain * sign[c] * Q[r * n + c];
    }
    dt_release(A);
    dt_release(Q);
    dt_release(V);
    dt_release(more);
    return status;
}

static const dt_initializer table[] = {
    {{"he_normal", "N(0, 2/in)", "He et al. 2015, for relu"}, he_normal, NULL},
    {{"he_uniform", "U(-r, r), r = sqrt(6/in)", "He et al. 2015, for relu"}, he_uniform, NULL},
    {{"glorot_normal", "N(0, 2/(in + out))", "Glorot and Bengio 2010"}, glorot_normal, NULL},
    {{"glorot_uniform", "U(-r, r), r = sqrt(6/(in + out))", "Glorot and Bengio 2010"}, glorot_uniform, NULL},
    {{"lecun_normal", "N(0, 1/in)", "LeCun et al. 1998; for selu"}, lecun_normal, NULL},
    {{"lecun_uniform", "U(-r, r), r = sqrt(3/in)", "LeCun et al. 1998"}, lecun_uniform, NULL},
    {{"normal", "N(0, std^2)", ""}, plain_normal, NULL},
    {{"truncated_normal", "N(0, std^2) between -2 std and 2 std", "std of the normal that is cut, as Keras's"},
     truncated_normal,
     NULL},
    {{"uniform", "U(-limit, limit)", ""}, plain_uniform, NULL},
    {{"orthogonal", "gain Q", "Q^T Q = 1 or Q Q^T = 1; Saxe et al. 2014; PyTorch's"}, NULL, orthogonal},
    {{"constant", "value", ""}, constant, NULL},
    {{"file", "numbers of a file", "read by its keys file, W, b; 0 until they are"}, zeros, NULL},
    {{"zeros", "0", "no symmetry is broken: for last layers and tests"}, zeros, NULL},
};

const dt_initializer *dt_initializer_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

double dt_initial_weight(const dt_initializer *initializer, double parameter, uint64_t seed, int64_t l, int64_t inputs,
                         int64_t units, int64_t index)
{
    return initializer->weight(uniform_at(seed, l, index), parameter, (double)inputs, (double)units);
}
