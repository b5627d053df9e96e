/* How a phase's time grows with sizes: nonnegative least squares over a few features. */
#include <math.h>
#include <string.h>

#include "base/split.h"
#include "study/model_own.h"

enum { CALL, OPERATION, WEIGHT, ROW };
_Static_assert(ROW + 1 == DT_MODEL_FEATURES, "as dt_model_law says");

/* Units are computed by whole vectors. */
static double padded(const dt_model_network *n, int64_t units)
{
    const int64_t lanes = dt_max(1, 64 / n->real);
    return (double)(dt_ceil_div(units, lanes) * lanes);
}

/* Equations 1, 4, 5, 6: what the times of their phases go with. */
static void features_of(const dt_model_network *n, const dt_model_task *t, double f[DT_MODEL_FEATURES])
{
    const int64_t l = t->l;
    const bool layer = l > 0, hidden = layer && l < n->layers;
    const double in = layer ? (double)n->units[l - 1] : 0, out = (double)n->units[l], rows = t->rows;
    const double above = hidden ? (double)n->units[l + 1] : 0;
    memset(f, 0, DT_MODEL_FEATURES * sizeof *f);
    switch (t->phase) {
    case DT_PHASE_GATHER:
        f[CALL] = 1;
        f[ROW] = rows * (double)n->units[0] * (double)(n->real + n->element) / (double)n->real;
        break;
    case DT_PHASE_FORWARD:
        f[CALL] = 1;
        f[OPERATION] = 2 * rows * padded(n, n->units[l]) * (in + 1) * t->part;
        f[WEIGHT] = dt_model_parameters(n, l) * t->part;
        f[ROW] = rows * (in + out * t->part);
        break;
    case DT_PHASE_COST:
        f[CALL] = 1;
        f[WEIGHT] = rows; /* what each row costs, however many classes */
        f[ROW] = rows * (double)n->units[n->layers];
        break;
    case DT_PHASE_BACKWARD:
        if (!hidden)
            break;
        f[CALL] = 1;
        f[OPERATION] = 2 * rows * padded(n, n->units[l]) * above;
        f[WEIGHT] = out * above;
        f[ROW] = rows * (above + 2 * out);
        break;
    case DT_PHASE_GRADIENT:
        f[CALL] = 1;
        f[OPERATION] = 2 * rows * padded(n, n->units[l]) * (in + 1) * t->part;
        f[WEIGHT] = dt_model_parameters(n, l) * t->part * (t->stores ? 1 : dt_model_stepped(n, l));
        f[ROW] = rows * (in + out * t->part);
        break;
    case DT_PHASE_REST:
        f[CALL] = 1;
        f[ROW] = rows; /* right ones are counted */
        break;
    default:
        break;
    }
}

/* --- least squares --- */

/* The normal equations of relative errors: each observation's features over its seconds should add up to 1. */
typedef struct normal {
    double matrix[DT_MODEL_FEATURES][DT_MODEL_FEATURES], right[DT_MODEL_FEATURES];
    int64_t count;
    double least, most; /* rows */
} normal;

static const double told_apart = 1e-3, rows_differ = 1.5;

static void add_observation(normal *e, const double f[DT_MODEL_FEATURES], double rows, double seconds)
{
    e->least = e->count ? fmin(e->least, rows) : rows;
    e->most = fmax(e->most, rows);
    for (int i = 0; i < DT_MODEL_FEATURES; i++) {
        for (int j = 0; j < DT_MODEL_FEATURES; j++)
            e->matrix[i][j] += f[i] / seconds * (f[j] / seconds);
        e->right[i] += f[i] / seconds;
    }
    e->count++;
}

/* Over the features in `set` alone, by Gauss' elimination of the scaled equations; false where they don't tell the
 * features apart, or a coefficient is negative. *left: the squares that remain. */
static bool solve(const normal *e, unsigned set, double x[DT_MODEL_FEATURES], double *left)
{
    double a[DT_MODEL_FEATURES][DT_MODEL_FEATURES + 1];
    int which[DT_MODEL_FEATURES], n = 0;
    for (int i = 0; i < DT_MODEL_FEATURES; i++)
        if (set >> i & 1)
            which[n++] = i;
    for (int i = 0; i < n; i++) {
        const double scale = sqrt(e->matrix[which[i]][which[i]]);
        if (!(scale > 0))
            return false;
        for (int j = 0; j < n; j++)
            a[i][j] = e->matrix[which[i]][which[j]] / scale / sqrt(e->matrix[which[j]][which[j]]);
        a[i][n] = e->right[which[i]] / scale;
    }
    for (int i = 0; i < n; i++) {
        if (!(a[i][i] > told_apart)) /* of 1: what earlier features don't say already */
            return false;
        for (int k = 0; k < n; k++) {
            const double by = k == i ? 0 : a[k][i] / a[i][i];
            for (int j = i; j <= n; j++)
                a[k][j] -= by * a[i][j];
        }
    }
    memset(x, 0, DT_MODEL_FEATURES * sizeof *x);
    *left = (double)e->count;
    for (int i = 0; i < n; i++) {
        x[which[i]] = a[i][n] / a[i][i] / sqrt(e->matrix[which[i]][which[i]]);
        *left -= x[which[i]] * e->right[which[i]];
        if (x[which[i]] < 0)
            return false;
    }
    *left = fmax(0, *left);
    return true;
}

/* The best set of features, by what remains for each observation beyond those that the features use up; a single
 * feature is operations, or where there are none rows. With minibatches of one size alone what weights cost can't be
 * told from operations. */
static void fit_phase(const normal *e, double x[DT_MODEL_FEATURES])
{
    double best = INFINITY, left, trial[DT_MODEL_FEATURES];
    memset(x, 0, DT_MODEL_FEATURES * sizeof *x);
    if (e->count == 0)
        return;
    const unsigned work = e->matrix[OPERATION][OPERATION] > 0 ? 1U << OPERATION
                          : e->matrix[ROW][ROW] > 0           ? 1U << ROW
                                                              : 1U << CALL;
    for (unsigned set = 1; set < 1U << DT_MODEL_FEATURES; set++) {
        const int used = __builtin_popcount(set);
        if ((used == 1 && set != work) || (used > 1 && (e->count < used + 2 || !(set & work))) ||
            (set >> WEIGHT & 1 && e->most < rows_differ * e->least))
            continue;
        if (!solve(e, set, trial, &left))
            continue;
        const double each = left / (double)dt_max(1, e->count - used);
        if (each < best) {
            best = each;
            memcpy(x, trial, sizeof trial);
        }
    }
}

dt_status dt_model_fit(const dt_model_measured *points, int64_t count, dt_model_law *law, dt_error *error)
{
    *law = (dt_model_law){.points = count};
    for (int64_t i = 0; i < count; i++) {
        const dt_status status = dt_model_check(points[i].network, error);
        if (status != DT_OK)
            return status;
    }
    if (count < 1)
        return dt_fail(error, DT_INVALID, "a law of no points; measure one worker with phases");
    for (int phase = 0; phase < DT_PHASES; phase++) {
        normal e = {.count = 0};
        for (int64_t i = 0; i < count; i++)
            for (int64_t l = 0; l <= points[i].network->layers; l++) {
                const dt_model_network *n = points[i].network;
                const dt_model_task task = {(dt_phase)phase, l, (double)n->samples, 1, false};
                const double seconds = points[i].costs->seconds[phase][l];
                double f[DT_MODEL_FEATURES];
                if (!(seconds > 0))
                    continue;
                features_of(n, &task, f);
                add_observation(&e, f, task.rows, seconds);
            }
        fit_phase(&e, law->of[phase]);
    }
    return DT_OK;
}

double dt_model_law_seconds(const dt_model_law *law, const dt_model_network *network, const dt_model_task *task)
{
    double f[DT_MODEL_FEATURES], sum = 0;
    features_of(network, task, f);
    for (int i = 0; i < DT_MODEL_FEATURES; i++)
        sum += law->of[task->phase][i] * f[i];
    return sum;
}

dt_status dt_model_costs_of(const dt_model_law *law, const dt_model_network *network, dt_model_costs *costs,
                            dt_error *error)
{
    *costs = (dt_model_costs){0};
    const dt_status status = dt_model_check(network, error);
    for (int phase = 0; phase < DT_PHASES && status == DT_OK; phase++)
        for (int64_t l = 0; l <= network->layers; l++) {
            const bool whole = phase != DT_PHASE_FORWARD && phase != DT_PHASE_BACKWARD && phase != DT_PHASE_GRADIENT;
            if ((l == 0) == whole) {
                const dt_model_task task = {(dt_phase)phase, l, (double)network->samples, 1, false};
                costs->seconds[phase][l] = dt_model_law_seconds(law, network, &task);
            }
        }
    return status;
}
