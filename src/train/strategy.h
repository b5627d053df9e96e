/* parallel.reduction and parallel.groups against the rest of an experiment. */
#ifndef DT_TRAIN_STRATEGY_H
#define DT_TRAIN_STRATEGY_H

#include "deltoid/experiment.h"

/* DT_INVALID where the strategy can't do what the experiment asks, as capturing a gradient that nobody sums, or has
 * more groups than workers. The experiment is valid but for that. */
dt_status dt_strategy_check(const dt_experiment *experiment, dt_error *error);

/* Does each step sum a gradient of the whole minibatch? A valid experiment's. */
bool dt_strategy_sums(const dt_experiment *experiment);

/* Do its workers wait for nobody? They then are at different minibatches, of which no rows can lie side by side. */
bool dt_strategy_is_free(const dt_experiment *experiment);

#endif
