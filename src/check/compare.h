/* The three comparisons, each of one observed step. */
#ifndef DT_CHECK_COMPARE_H
#define DT_CHECK_COMPARE_H

#include "check/observed.h"
#include "deltoid/check.h"

/* What a check carries from comparison to comparison. */
typedef struct dt_checking {
    const dt_experiment *experiment;
    const dt_dataset *train;
    dt_check_options options; /* no field 0 */
    const dt_observed *seen;
    void (*result)(void *context, const dt_check_result *result);
    void *context;
    bool right; /* all so far */
} dt_checking;

/* A result of layer l that nothing has been compared for yet. */
dt_check_result dt_check_begin(const dt_checking *c, dt_check_against against, dt_quantity quantity, int64_t l,
                               int64_t of, double tolerance);

/* One element: |engine - reference| / scale. Returns whether it is the worst so far: then the caller says where. NaN is
 * worse than anything. */
bool dt_check_element(dt_check_result *r, double engine, double reference, double scale);

/* Says where the worst was: "w^2_{17,3}", "db^1_{4}", or a unit and a row of the training set. k or row -1: none. */
void dt_check_at(dt_check_result *r, int64_t j, int64_t k, int64_t row);

/* Decides and reports. */
void dt_check_end(dt_checking *c, dt_check_result *r);

dt_status dt_check_circuit(dt_checking *c, dt_error *error);
dt_status dt_check_differences(dt_checking *c, dt_error *error);
dt_status dt_check_sum(dt_checking *c, dt_error *error);

#endif
