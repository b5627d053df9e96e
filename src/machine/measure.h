/* What measuring the whole machine needs, shared by the files that do a part of it. */
#ifndef DT_MACHINE_MEASURE_H
#define DT_MACHINE_MEASURE_H

#include "deltoid/machine.h"
#include "machine/rate.h"
#include "parallel/team.h"

enum { DT_MEASURE_PARTS = 5 }; /* after each of which the placement may be looked at */

typedef struct dt_measuring {
    dt_machine *machine;
    dt_machine_options options;
    dt_team *one, *all; /* `all` is `one` where there is one worker */
    dt_rate_plan plan;
    int64_t last_bytes, last_count; /* of the last cache */
    int looks;                      /* at the placement so far */
    double *pair_ns, *pair_both;    /* (pairs, DT_MEASURE_PARTS): what each look said */
} dt_measuring;

/* The teams, and the last cache. dt_measure_end undoes it, also after a failure. */
dt_status dt_measure_begin(dt_measuring *measuring, dt_error *error);
void dt_measure_end(dt_measuring *measuring);

/* One core's reading with the context `one`, and all workers' with `all`. */
void dt_measure_rate(dt_measuring *measuring, dt_rate_work work, void *one, void *all, dt_machine_rate *rate);

/* Parts of dt_machine: product; memory; exchange, for which the last cache's share may be as large as the memory that
 * the options allow. */
dt_status dt_measure_products(dt_measuring *measuring, dt_error *error);
dt_status dt_measure_memory(dt_measuring *measuring, dt_error *error);
dt_status dt_measure_exchange(dt_measuring *measuring, dt_error *error);

/* Bytes of the arrays of one worker that fit cache i of the topology, within what the options allow. */
int64_t dt_measure_cache_bytes(const dt_measuring *measuring, int i);

/* Finds the pairs of processors; looks at each once; sums up what was seen. */
dt_status dt_measure_find_pairs(dt_measuring *measuring, dt_error *error);
dt_status dt_measure_look(dt_measuring *measuring, dt_error *error);
void dt_measure_sum_up_pairs(dt_measuring *measuring);

#endif
