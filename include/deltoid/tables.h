/* The names an experiment may use, as tables that can be walked: help texts, `deltoid help`, messages and tests are
 * made from them. To add an entry, see the head of the table's source file (src/nn/activation.c, loss.c, initializer.c,
 * src/train/optimizer.c, schedule.c, src/parallel/reduction.c, src/data/dataset.c, src/train/metric.c).
 */
#ifndef DELTOID_TABLES_H
#define DELTOID_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#pragma GCC visibility push(default)

/* What every table says of an entry. */
typedef struct dt_entry {
    const char *name;    /* as an experiment spells it: "relu" */
    const char *formula; /* in the derivation's letters: "max(0, z)" */
    const char *note;    /* one sentence, or "" */
} dt_entry;

#define DT_TABLE_LIST(X)                                                                                               \
    X(DT_ACTIVATIONS, "activation")                                                                                    \
    X(DT_LOSSES, "loss")                                                                                               \
    X(DT_INITIALIZERS, "initializer")                                                                                  \
    X(DT_OPTIMIZERS, "optimizer")                                                                                      \
    X(DT_SCHEDULES, "schedule")                                                                                        \
    X(DT_REDUCTIONS, "reduction")                                                                                      \
    X(DT_FORMATS, "data format")                                                                                       \
    X(DT_GENERATORS, "generator")                                                                                      \
    X(DT_METRICS, "metric")

typedef enum dt_table {
#define DT_TABLE_ENUM(id, name) id,
    DT_TABLE_LIST(DT_TABLE_ENUM)
#undef DT_TABLE_ENUM
        DT_TABLES
} dt_table;

const char *dt_table_name(dt_table table);

/* The i-th entry, NULL past the last. */
const dt_entry *dt_table_at(dt_table table, size_t i);

/* DT_UNKNOWN_NAME with the nearest name and the list of all where there is none. */
dt_status dt_table_find(dt_table table, const char *name, size_t *index, dt_error *error);

/* What the cost of that name takes as targets. */
typedef struct dt_loss_traits {
    unsigned takes;   /* set of 1u << dt_targets */
    double low, high; /* between which targets must lie; both 0: anywhere */
    double threshold; /* multilabel: z above it answers that a label is there, as a target above 1/2 says */
} dt_loss_traits;
const dt_loss_traits *dt_loss_traits_of(const char *name); /* NULL where there is none of that name */

#pragma GCC visibility pop

#endif
