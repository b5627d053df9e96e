/* To add a cost: one function that returns C_i and writes delta, here, and one line in the table. Sums over a sample's
 * units run in ascending order; elementwise loops may run over the padding. A z that is not a number makes the cost so:
 * the trainer stops there. */
#include "nn/loss.h"

#include <float.h>

#include "kernels/elementary.h"
#include "kernels/wide.h"

/* delta <- t, the target as numbers; delta of the padding is left alone */
static void put_target(dt_target target, int64_t units, dt_real *delta)
{
    if (target.t) {
        for (int64_t j = 0; j < units; j++)
            delta[j] = (dt_real)target.t[j];
        return;
    }
    memset(delta, 0, (size_t)units * sizeof *delta);
    delta[target.y] = 1;
}

static double weight_of(const dt_loss_options *options, int64_t y)
{
    return options->class_weights ? options->class_weights[y] : 1;
}

/* A sample whose class weighs w. */
static double weigh(double w, double cost, int64_t units, dt_real *delta)
{
    for (int64_t j = 0; j < units && w != 1; j++)
        delta[j] *= (dt_real)w;
    return w * cost;
}

/* --- of classes --- */

/* C = ln sum_j exp(z_j) - z_y, computed from the largest z on; delta_j = softmax_j - [j = y] */
static double plain_cross_entropy(int64_t units, const dt_real *z, int64_t y, dt_real *delta)
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

/* With the target q_j = (1 - s) w_y [j = y] + s/n w_j in place of [j = y], where s is the smoothing and w are the
 * weights: C = sum_j q_j (ln sum_m exp(z_m) - z_j), delta_j = softmax_j sum_m q_m - q_j. */
static double smoothed(const dt_loss_options *options, int64_t units, const dt_real *z, int64_t y, double plain,
                       dt_real *delta)
{
    const double s = options->label_smoothing, share = s / (double)units, log_sum = plain + (double)z[y];
    double cost = (1 - s) * weight_of(options, y) * plain, all = 0, others = 0;
    for (int64_t j = 0; j < units; j++) {
        const double q = share * weight_of(options, j);
        cost += q * (log_sum - (double)z[j]);
        all += q;
        others += j == y ? 0 : q;
    }
    all += (1 - s) * weight_of(options, y);
    for (int64_t j = 0; j < units; j++)
        delta[j] = (dt_real)(all * (double)delta[j] + (j == y ? others : -share * weight_of(options, j)));
    return cost;
}

static double cross_entropy(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                            dt_real *delta)
{
    const double plain = plain_cross_entropy(units, z, target.y, delta);
    if (options->label_smoothing > 0)
        return smoothed(options, units, z, target.y, plain, delta);
    return weigh(weight_of(options, target.y), plain, units, delta);
}

/* C = sum over j != y of max(0, z_j - z_y + m) */
static double multiclass_svm(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                             dt_real *delta)
{
    const int64_t y = target.y;
    const dt_real m = (dt_real)options->margin;
    double cost = 0;
    dt_real violations = 0;
    for (int64_t j = 0; j < units; j++) {
        const dt_real margin = z[j] - z[y] + m;
        const int violates = j != y && !(margin <= 0);
        delta[j] = violates ? 1 : 0;
        violations += delta[j];
        cost += violates ? (double)margin : 0;
    }
    delta[y] = -violations;
    return weigh(weight_of(options, y), cost, units, delta);
}

/* C = sum over j != y of max(0, z_j - z_y + m)^2 */
static double multiclass_svm_squared(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                                     dt_real *delta)
{
    const int64_t y = target.y;
    const dt_real m = (dt_real)options->margin;
    double cost = 0;
    dt_real sum = 0;
    for (int64_t j = 0; j < units; j++) {
        const dt_real margin = z[j] - z[y] + m;
        const int violates = j != y && !(margin <= 0);
        delta[j] = violates ? 2 * margin : 0;
        sum += delta[j];
        cost += violates ? (double)margin * (double)margin : 0;
    }
    delta[y] = -sum;
    return weigh(weight_of(options, y), cost, units, delta);
}

/* C = max(0, max over j != y of z_j - z_y + m); of equal z_j the first moves */
static double multiclass_svm_max(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                                 dt_real *delta)
{
    const int64_t y = target.y;
    int64_t most = -1;
    for (int64_t j = 0; j < units; j++) {
        delta[j] = 0;
        if (j != y && (most < 0 || (z[most] == z[most] && !(z[j] <= z[most])))) /* NaN is taken, and stays */
            most = j;
    }
    const dt_real margin = most < 0 ? z[y] - z[y] : z[most] - z[y] + (dt_real)options->margin;
    if (margin <= 0 || most < 0)
        return margin <= 0 ? 0 : (double)margin;
    delta[most] = 1;
    delta[y] = -1;
    return weigh(weight_of(options, y), (double)margin, units, delta);
}

/* --- of numbers --- */

/* C = 1/2 |z - t|^2 */
static double squared_error(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                            dt_real *delta)
{
    (void)options;
    double cost = 0;
    put_target(target, units, delta);
    for (int64_t j = 0; j < units; j++) {
        delta[j] = z[j] - delta[j];
        cost += 0.5 * (double)delta[j] * (double)delta[j];
    }
    return cost;
}

/* C = 1/n |z - t|^2 */
static double mean_squared_error(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                                 dt_real *delta)
{
    const double cost = squared_error(options, units, z, target, delta);
    const dt_real factor = (dt_real)(2 / (double)units);
    for (int64_t j = 0; j < units; j++)
        delta[j] *= factor;
    return cost * 2 / (double)units;
}

/* C = 1/n sum_j |z_j - t_j| */
static double mean_absolute_error(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                                  dt_real *delta)
{
    (void)options;
    const dt_real one = (dt_real)(1 / (double)units);
    double cost = 0;
    put_target(target, units, delta);
    for (int64_t j = 0; j < units; j++) {
        const dt_real r = z[j] - delta[j];
        cost += (double)DT_FABS(r);
        delta[j] = r > 0 ? one : r < 0 ? -one : 0;
    }
    return cost / (double)units;
}

/* C = 1/n sum_j (|r_j| <= d ? r_j^2 / 2 : d (|r_j| - d / 2)), r = z - t */
static double huber(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target, dt_real *delta)
{
    const dt_real d = (dt_real)options->delta;
    double cost = 0;
    put_target(target, units, delta);
    for (int64_t j = 0; j < units; j++) {
        const dt_real r = z[j] - delta[j];
        const double size = (double)DT_FABS(r), most = (double)d;
        cost += size <= most ? 0.5 * size * size : most * (size - 0.5 * most);
        delta[j] = dt_clamp(r, -d, d) / (dt_real)units;
    }
    return cost / (double)units;
}

/* C = 1/n sum_j -(t_j ln p_j + (1 - t_j) ln(1 - p_j)), p = sigmoid(z): max(z, 0) - z t + ln(1 + e^-|z|). delta =
 * (p - t)/n as ((1 - t) p - t (1 - p))/n, which doesn't cancel where the network is sure and right. */
static double binary_cross_entropy(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                                   dt_real *delta)
{
    (void)options;
    double cost = 0;
    for (int64_t j = 0; j < units; j++)
        delta[j] = (dt_real)dt_wide_log1p(dt_wide_exp(-__builtin_fabs((double)z[j]), 0));
    for (int64_t j = 0; j < units; j++) {
        const double x = (double)z[j], t = target.t ? target.t[j] : j == target.y;
        cost += (x > 0 ? x : 0) - x * t + (double)delta[j];
    }
    put_target(target, units, delta);
    for (int64_t j = 0; j < units; j++) {
        const double x = (double)z[j], t = (double)delta[j], e = dt_wide_exp(-__builtin_fabs(x), 0);
        const double p = x >= 0 ? 1 : e, q = x >= 0 ? e : 1; /* p / (1 + e), and 1 less that */
        delta[j] = (dt_real)(((1 - t) * p - t * q) / (1 + e) / (double)units);
    }
    return cost / (double)units;
}

/* C = sum_j t_j (ln t_j - ln softmax_j), 0 ln 0 = 0; delta_j = softmax_j sum_m t_m - t_j */
static double kl_divergence(const dt_loss_options *options, int64_t units, const dt_real *z, dt_target target,
                            dt_real *delta)
{
    (void)options;
    if (!target.t)
        return plain_cross_entropy(units, z, target.y, delta);
    dt_real largest = z[0], sum = 0;
    for (int64_t j = 1; j < units; j++)
        largest = z[j] > largest ? z[j] : largest;
    for (int64_t j = 0; j < units; j++)
        delta[j] = dt_exp(z[j] - largest);
    double all = 0, cost = 0;
    for (int64_t j = 0; j < units; j++) {
        sum += delta[j];
        all += target.t[j];
    }
    const double log_sum = sum == sum ? dt_log_f64((double)sum) : (double)sum;
    for (int64_t j = 0; j < units; j++) {
        const double t = target.t[j], above = (double)largest - (double)z[j] + log_sum;
        cost += t < DBL_MIN ? 0 * above : t * (dt_log_f64(t) + above);
        delta[j] = (dt_real)((double)delta[j] / (double)sum * all - t);
    }
    return cost;
}

enum {
    CLASSES = 1u << DT_TARGETS_CLASSES,
    NUMBERS = 1u << DT_TARGETS_REGRESSION,
    ANY = CLASSES | NUMBERS | 1u << DT_TARGETS_MULTILABEL
};

const dt_loss DT_VARIANT(dt_losses)[DT_LOSS_COUNT] = {
    {{"cross_entropy", "ln sum_j exp(z_j) - z_y",
      "softmax and negative log likelihood, in nats; label_smoothing, class_weights"},
     {CLASSES, 0, 0, 0},
     cross_entropy},
    {{"multiclass_svm", "sum over j != y of max(0, z_j - z_y + margin)",
      "Weston and Watkins; derivative 0 at a margin of exactly 0; PyTorch's is 1/n of it; class_weights"},
     {CLASSES, 0, 0, 0},
     multiclass_svm},
    {{"squared_error", "1/2 |z - t|^2", "t is one-hot where data have classes: 1 for the right one, else 0"},
     {ANY, 0, 0, 0.5},
     squared_error},
    {{"multiclass_svm_squared", "sum over j != y of max(0, z_j - z_y + margin)^2",
      "squared hinge; PyTorch's (p=2) is 1/n of it; class_weights"},
     {CLASSES, 0, 0, 0},
     multiclass_svm_squared},
    {{"multiclass_svm_max", "max(0, max over j != y of z_j - z_y + margin)",
      "Crammer and Singer; of equal z_j the first has the derivative; class_weights"},
     {CLASSES, 0, 0, 0},
     multiclass_svm_max},
    {{"binary_cross_entropy", "1/n sum_j -(t_j ln p_j + (1 - t_j) ln(1 - p_j)), p = sigmoid(z)",
      "from z; for several labels a sample, t in [0, 1]"},
     {ANY, 0, 1, 0},
     binary_cross_entropy},
    {{"kl_divergence", "sum_j t_j (ln t_j - ln softmax_j(z))", "t a distribution, in [0, 1]; from z; 0 ln 0 = 0"},
     {CLASSES | NUMBERS, 0, 1, 0},
     kl_divergence},
    {{"mean_squared_error", "1/n |z - t|^2", "PyTorch's and Keras's mean over the units"},
     {ANY, 0, 0, 0.5},
     mean_squared_error},
    {{"mean_absolute_error", "1/n sum_j |z_j - t_j|", "derivative 0 at 0"}, {ANY, 0, 0, 0.5}, mean_absolute_error},
    {{"huber", "1/n sum_j (|r_j| <= delta ? r_j^2 / 2 : delta (|r_j| - delta / 2)), r = z - t", ""},
     {ANY, 0, 0, 0.5},
     huber},
};
