#include "kernels/summary.h"

#include "kernels/survey.h"

extern const dt_summaries DT_VARIANT(dt_summaries);
const dt_summaries DT_VARIANT(dt_summaries) = {
    .lanes = DT_LANES,
    .moments = moments,
    .survey = survey,
    .keys = keys,
    .log_keys = log_keys,
    .count = count,
    .dot = dot,
    .distances = distances,
    .moves = moves,
};
