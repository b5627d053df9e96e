/* Steps that a rule should have captured and did not. */
#ifndef DT_CLI_CAPTURE_HOLES_H
#define DT_CLI_CAPTURE_HOLES_H

#include <stdint.h>

#include "deltoid/experiment.h"

enum { DT_HOLES_MAX = 64 };

typedef struct dt_holes {
    int64_t expected, steps, runs; /* due; missing of them; runs of missing ones that follow each other */
    int count;                     /* of the first runs: */
    int64_t first[DT_HOLES_MAX], last[DT_HOLES_MAX];
} dt_holes;

/* Against `count` ascending steps, of a run of which steps 0 .. went-1 are done. */
void dt_holes_find(dt_holes *holes, const dt_capture_rule *rule, const int64_t *steps, int64_t count, int64_t went);

/* Steps done, by the last row of RUN/metrics.tsv; 0 where it has none. */
int64_t dt_metrics_steps(const char *run);

#endif
