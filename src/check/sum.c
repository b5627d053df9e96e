/* The reduction against a plain sum: dW_jk = (1/B) sum_i delta_ij a_ik in one loop over the minibatch, in double, from
 * the delta and a of the same step. Each element is compared relative to (1/B) sum_i |delta_ij a_ik|. */
#include <math.h>

#include "base/split.h"
#include "check/compare.h"

/* a^{l-1}_k of sample i; k = inputs is the bias gate's 1. */
static double input(const dt_observed *o, int64_t l, int64_t i, int64_t k)
{
    return k < o->units[l - 1] ? o->a[l - 1][i * o->units[l - 1] + k] : 1;
}

static void compare_one(const dt_observed *o, dt_check_result *r, int64_t j, int64_t k)
{
    const int64_t l = r->l, inputs = o->units[l - 1];
    double sum = 0, size = 0;
    for (int64_t i = 0; i < o->batch; i++) {
        const double term = o->delta[l][i * o->units[l] + j] * input(o, l, i, k);
        sum += term;
        size += fabs(term);
    }
    const bool bias = k == inputs;
    const double engine = bias ? o->db[l][j] : o->dW[l][j * inputs + k];
    /* where everything is below the smallest normal number, flushed to zero or not, there is nothing to compare */
    const double scale = fmax(size / (double)o->batch, o->precision == DT_FLOAT32 ? 1e-30 : 1e-290);
    if (dt_check_element(r, engine, sum / (double)o->batch, scale))
        dt_check_at(r, j, bias ? -1 : k, -1);
}

dt_status dt_check_sum(dt_checking *c, dt_error *error)
{
    (void)error;
    const dt_observed *o = c->seen;
    const double tolerance = o->precision == DT_FLOAT32 ? 1e-5 : 1e-13;
    const double affordable = 1e9; /* products, in a second or so */
    for (int64_t l = 1; l <= o->layers; l++) {
        const int64_t units = o->units[l], inputs = o->units[l - 1], all = units * inputs;
        const int64_t stride = 1 + (int64_t)((double)all * (double)o->batch / affordable);
        dt_check_result dW = dt_check_begin(c, DT_AGAINST_SUM, DT_QUANTITY_DW, l, all, tolerance);
        for (int64_t at = 0; at < all; at += stride)
            compare_one(o, &dW, at / inputs, at % inputs);
        dt_check_end(c, &dW);
        dt_check_result db = dt_check_begin(c, DT_AGAINST_SUM, DT_QUANTITY_DB, l, units, tolerance);
        for (int64_t j = 0; j < units; j++)
            compare_one(o, &db, j, inputs);
        dt_check_end(c, &db);
    }
    return DT_OK;
}
