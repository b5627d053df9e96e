/* To add a cost: one function that returns C_i and writes delta, here, and one line in the table. Sums over a sample's
 * units run in ascending order; elementwise loops may run over the padding. */
#include "nn/loss.h"

#include "kernels/elementary.h"

/* C = ln sum_j exp(z_j) - z_y, computed from the largest z on; delta_j = softmax_j - [j = y] */
static double cross_entropy(int64_t units, const dt_real *z, int64_t y, dt_real *delta)
{
    const int64_t padded = dt_whole_panels(units);
    dt_real largest = z[0];
    for (int64_t j = 1; j < units; j++)
        largest = z[j] > largest ? z[j] : largest;
    for (int64_t j = 0; j < padded; j++)
        delta[j] = dt_exp(z[j] - largest);
    const dt_real right = delta[y];
    delta[y] = 0; /* rather than a branch that nobody can predict */
    dt_real others = 0;
    for (int64_t j = 0; j < units; j++)
        others += delta[j];
    const dt_real sum = others + right;
    delta[y] = -others; /* softmax_y - 1, without the cancellation of a softmax near 1 */
    for (int64_t j = 0; j < padded; j++)
        delta[j] /= sum;
    const double above = (double)largest - (double)z[y];
    return sum == sum && above == above ? dt_log_f64((double)sum) + above : (double)sum + above; /* NaN stays NaN */
}

/* C = sum over j != y of max(0, z_j - z_y + 1) */
static double multiclass_svm(int64_t units, const dt_real *z, int64_t y, dt_real *delta)
{
    double cost = 0;
    dt_real violations = 0;
    for (int64_t j = 0; j < units; j++) {
        const dt_real margin = z[j] - z[y] + 1;
        const int violates = j != y && !(margin <= 0);
        delta[j] = violates ? 1 : 0;
        violations += delta[j];
        cost += violates ? (double)margin : 0;
    }
    delta[y] = -violations;
    return cost;
}

/* C = 1/2 |z - t|^2 with t one-hot */
static double squared_error(int64_t units, const dt_real *z, int64_t y, dt_real *delta)
{
    double cost = 0;
    for (int64_t j = 0; j < units; j++) {
        delta[j] = z[j] - (j == y ? 1 : 0);
        cost += 0.5 * (double)delta[j] * (double)delta[j];
    }
    return cost;
}

const dt_loss DT_VARIANT(dt_losses)[DT_LOSS_COUNT] = {
    {{"cross_entropy", "ln sum_j exp(z_j) - z_y", "softmax and negative log likelihood, in nats"}, cross_entropy},
    {{"multiclass_svm", "sum over j != y of max(0, z_j - z_y + 1)",
      "Weston and Watkins; derivative 0 at a margin of exactly 0"},
     multiclass_svm},
    {{"squared_error", "1/2 |z - t|^2", "t is one-hot: 1 for the right class, else 0"}, squared_error},
};
