/* The costs from their definitions, with libm. A cost of the training engine needs its line here too: the two are
 * written apart on purpose, and held against each other by the tests. Costs of numbers take a class as the target
 * t_i = [i = y]. */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "circuit/circuit.h"

static double weight_of(const dt_loss_options *o, size_t y)
{
    return o->class_weights ? o->class_weights[y] : 1;
}

static size_t largest_of(size_t count, const double *z)
{
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        if (z[i] > z[largest])
            largest = i;
    return largest;
}

/* p_i = softmax_i, and ln sum_i exp(z_i) - z_of. From the largest z on, whose exponential is 1, so that nothing
 * overflows. */
static double softmax(size_t count, const double *z, size_t of, double *p)
{
    const size_t largest = largest_of(count, z);
    double others = 0;
    for (size_t i = 0; i < count; i++) {
        p[i] = exp(z[i] - z[largest]);
        others += i == largest ? 0 : p[i];
    }
    for (size_t i = 0; i < count; i++)
        p[i] /= 1 + others;
    return z[largest] - z[of] + log1p(others);
}

/* C = -sum_i q_i ln softmax_i, where q is the class y, smoothed and weighted: q_y = (1 - s) w_y + s w_y / n, the others
 * s w_i / n. `wrong` and `others` leave out the term of y, which a difference would cancel again. */
static double cross_entropy(const void *options, size_t count, const double *z, size_t y, double *delta)
{
    const dt_loss_options *o = options;
    const double s = o->label_smoothing, share = s / (double)count, right = (1 - s) * weight_of(o, y);
    const double plain = softmax(count, z, y, delta);
    double cost = right * plain, wrong = 0, others = 0;
    for (size_t i = 0; i < count; i++) {
        if (share > 0)
            cost += share * weight_of(o, i) * (plain + z[y] - z[i]);
        wrong += i == y ? 0 : delta[i];
        others += i == y ? 0 : share * weight_of(o, i);
    }
    const double all = right + share * weight_of(o, y) + others;
    for (size_t i = 0; i < count; i++)
        delta[i] = i == y ? others - all * wrong : all * delta[i] - share * weight_of(o, i);
    return cost;
}

/* Weston and Watkins, with the margins to the power p */
static double margins(const dt_loss_options *o, size_t count, const double *z, size_t y, int p, double *delta)
{
    double cost = 0;
    for (size_t i = 0; i < count; i++)
        delta[i] = 0;
    for (size_t i = 0; i < count; i++) {
        const double margin = z[i] - z[y] + o->margin, slope = weight_of(o, y) * (p == 2 ? 2 * margin : 1);
        if (i == y || margin <= 0)
            continue;
        cost += weight_of(o, y) * (p == 2 ? margin * margin : margin);
        delta[i] += slope;
        delta[y] -= slope;
    }
    return cost;
}

static double multiclass_svm(const void *options, size_t count, const double *z, size_t y, double *delta)
{
    return margins(options, count, z, y, 1, delta);
}

static double multiclass_svm_squared(const void *options, size_t count, const double *z, size_t y, double *delta)
{
    return margins(options, count, z, y, 2, delta);
}

static double multiclass_svm_max(const void *options, size_t count, const double *z, size_t y, double *delta)
{
    const dt_loss_options *o = options;
    size_t most = y;
    for (size_t i = 0; i < count; i++)
        delta[i] = 0;
    for (size_t i = 0; i < count; i++)
        if (i != y && (most == y || z[i] > z[most]))
            most = i;
    const double margin = z[most] - z[y] + o->margin;
    if (most == y || margin <= 0)
        return 0;
    delta[most] = weight_of(o, y);
    delta[y] = -weight_of(o, y);
    return weight_of(o, y) * margin;
}

static double squared_error(const void *options, size_t count, const double *z, const double *t, double *delta)
{
    (void)options;
    double cost = 0;
    for (size_t i = 0; i < count; i++) {
        delta[i] = z[i] - t[i];
        cost += delta[i] * delta[i] / 2;
    }
    return cost;
}

static double mean_squared_error(const void *options, size_t count, const double *z, const double *t, double *delta)
{
    (void)options;
    const double n = (double)count;
    double cost = 0;
    for (size_t i = 0; i < count; i++) {
        cost += (z[i] - t[i]) * (z[i] - t[i]) / n;
        delta[i] = 2 * (z[i] - t[i]) / n;
    }
    return cost;
}

static double mean_absolute_error(const void *options, size_t count, const double *z, const double *t, double *delta)
{
    (void)options;
    const double n = (double)count;
    double cost = 0;
    for (size_t i = 0; i < count; i++) {
        cost += fabs(z[i] - t[i]) / n;
        delta[i] = (z[i] > t[i] ? 1 : z[i] < t[i] ? -1 : 0) / n;
    }
    return cost;
}

static double huber(const void *options, size_t count, const double *z, const double *t, double *delta)
{
    const double n = (double)count, d = ((const dt_loss_options *)options)->delta;
    double cost = 0;
    for (size_t i = 0; i < count; i++) {
        const double r = z[i] - t[i];
        cost += (fabs(r) <= d ? r * r / 2 : d * (fabs(r) - d / 2)) / n;
        delta[i] = (fabs(r) <= d ? r : copysign(d, r)) / n;
    }
    return cost;
}

/* ln(1 + e^u) */
static double soft_plus(double u)
{
    return u > 0 ? u + log1p(exp(-u)) : log1p(exp(u));
}

static double binary_cross_entropy(const void *options, size_t count, const double *z, const double *t, double *delta)
{
    (void)options;
    const double n = (double)count;
    double cost = 0;
    for (size_t i = 0; i < count; i++) {
        cost += (t[i] * soft_plus(-z[i]) + (1 - t[i]) * soft_plus(z[i])) / n;
        delta[i] = ((1 - t[i]) / (1 + exp(-z[i])) - t[i] / (1 + exp(z[i]))) / n;
    }
    return cost;
}

static double kl_divergence(const void *options, size_t count, const double *z, const double *t, double *delta)
{
    (void)options;
    const double log_sum = softmax(count, z, 0, delta) + z[0];
    double cost = 0;
    for (size_t i = 0; i < count; i++)
        cost += t[i] > 0 ? t[i] * (log(t[i]) - (z[i] - log_sum)) : 0;
    double *const p = delta;
    double all = 0;
    for (size_t i = 0; i < count; i++)
        all += t[i];
    for (size_t i = 0; i < count; i++)
        delta[i] = p[i] * all - t[i];
    return cost;
}

static const dt_loss_options defaults = {.margin = 1, .delta = 1};

static const dt_scalar_cost costs[] = {
    {"cross_entropy", cross_entropy, &defaults, NULL},
    {"multiclass_svm", multiclass_svm, &defaults, NULL},
    {"squared_error", NULL, &defaults, squared_error},
    {"multiclass_svm_squared", multiclass_svm_squared, &defaults, NULL},
    {"multiclass_svm_max", multiclass_svm_max, &defaults, NULL},
    {"binary_cross_entropy", NULL, &defaults, binary_cross_entropy},
    {"kl_divergence", NULL, &defaults, kl_divergence},
    {"mean_squared_error", NULL, &defaults, mean_squared_error},
    {"mean_absolute_error", NULL, &defaults, mean_absolute_error},
    {"huber", NULL, &defaults, huber},
};

enum { COSTS = sizeof costs / sizeof *costs };

const char *dt_circuit_cost_at(size_t i)
{
    return i < COSTS ? costs[i].name : NULL;
}

static const char *cost_name(const void *none, size_t i)
{
    (void)none;
    return dt_circuit_cost_at(i);
}

const dt_scalar_cost *dt_scalar_cost_find(const char *name, dt_error *error)
{
    for (size_t i = 0; i < COSTS; i++)
        if (strcmp(costs[i].name, name) == 0)
            return &costs[i];
    dt_fail_unknown(error, "cost", name, cost_name, NULL);
    return NULL;
}
