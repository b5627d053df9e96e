/* What one rule captures, as numbers: which data sets, their shapes, where each lies in a queue's slot, how each is cut
 * into chunks. Made from the experiment alone, without HDF5.
 */
#ifndef DT_RECORD_CAPTURE_LAYOUT_H
#define DT_RECORD_CAPTURE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deltoid/experiment.h"
#include "deltoid/status.h"
#include "deltoid/trainer.h"

/* How a step of a data set is shaped. */
typedef enum dt_shape {
    DT_SHAPE_SCALAR,         /* step, epoch, z_mean: (step) */
    DT_SHAPE_IDS,            /* sample_id, cost: (step, sample) */
    DT_SHAPE_SAMPLES,        /* z, a, delta: (step, sample, unit) */
    DT_SHAPE_MATRIX,         /* W, dW: (step, unit, input) */
    DT_SHAPE_VECTOR,         /* b, db, z_mean_per_unit: (step, unit) */
    DT_SHAPE_BINS,           /* z_histogram: (step, bin) */
    DT_SHAPE_UNIT_BINS,      /* z_histogram_per_unit: (step, unit, bin) */
    DT_SHAPE_PARTIAL_MATRIX, /* dW_partial: (step, worker, unit, input) */
    DT_SHAPE_PARTIAL_VECTOR  /* db_partial: (step, worker, unit) */
} dt_shape;

/* Where a step's numbers come from. */
typedef enum dt_source_of {
    DT_FROM_INDEX,    /* step, epoch, sample_id */
    DT_FROM_SAMPLES,  /* rows of z, a, delta */
    DT_FROM_SLICES,   /* blocks of W, b, dW, db, */
    DT_FROM_STATE,    /* of the optimizer's array `part` */
    DT_FROM_PARTIALS, /* and of the workers' buffers */
    DT_FROM_COSTS,    /* C_i */
    DT_FROM_NORMS,    /* of samples' gradients: part is a dt_extra */
    DT_FROM_MOMENTS,  /* statistics: `item` says which */
    DT_FROM_NOISE     /* part is a dt_noise_part, + DT_NOISE_PARTS for those from shards */
} dt_source_of;

typedef enum dt_noise_part { DT_NOISE_SCALE, DT_NOISE_GRADIENT, DT_NOISE_TRACE, DT_NOISE_PARTS } dt_noise_part;

/* Bins of a histogram, those at its ends included: below and above; and zeros where it is one of magnitudes. */
static inline int64_t dt_histogram_bins(const dt_histogram_spec *spec, dt_statistic statistic)
{
    return statistic == DT_STATISTIC_HISTOGRAM ? spec->bins + 2 : spec->log_high - spec->log_low + 3;
}

enum {
    DT_CHUNK_MAX = 256 << 10, /* bytes of a chunk */
    DT_CAPTURE_ITEM = 160,    /* characters of "rule/layer01/quantity" */
    DT_LAYERS_MAX = 64,
    DT_SLOTS_MAX = 64,
    DT_CAPTURE_MEMORY =
        64 << 20 /* bytes, once for the queue's slots and once for the writer's blocks, shared by all rules */
};

/* What HDF5 1.10 was seen to add to a data set's numbers in a segment file; how many times of what it adds a segment
 * holds; how many times the steps of the one before it a segment covers at most; and captures of so few bytes in the
 * whole run that this doesn't matter. */
enum { DT_SEGMENT_SET_BYTES = 850, DT_SEGMENT_WORTH = 256, DT_SEGMENT_GROWS = 8, DT_CAPTURE_SMALL = 3 << 20 };

/* One data set. Its element (step s, row r, column c); `rows` is 1 where the shape has no rows. */
typedef struct dt_capture_set {
    dt_shape shape;
    dt_source_of source;
    dt_quantity quantity;        /* of samples, slices, partials (dW, db), state (W, b) and moments */
    const dt_capture_item *item; /* of moments */
    int part;
    int64_t layer; /* -1: of the rule */
    char name[64]; /* "z", "step" */
    bool integers; /* int64, filled with -1; else reals, filled with NaN */
    int64_t rows, columns;
    int64_t inner;        /* of partials: rows of one worker; else 0 */
    size_t element;       /* bytes of one number */
    size_t offset, bytes; /* its dense (rows, columns) in the slot */
    int64_t chunk_steps, chunk_rows, chunk_columns;
} dt_capture_set;

/* The first three sets are step, epoch and sample_id; other sets of the rule follow, then those of each layer. */
enum { DT_SET_STEP, DT_SET_EPOCH, DT_SET_SAMPLE_ID, DT_SET_FIRST_QUANTITY };

typedef struct dt_capture_layout {
    const dt_capture_rule *rule; /* borrowed */
    dt_precision precision;
    int64_t layers;                    /* L */
    int64_t samples;                   /* S, the extent of the dimension `sample` */
    int64_t units[DT_LAYERS_MAX + 1];  /* of layer 0 .. L */
    int64_t shown[DT_LAYERS_MAX + 1];  /* how many of them the rule's `units` choose */
    int32_t *place[DT_LAYERS_MAX + 1]; /* [unit]: which of those it is, or -1; NULL: all are chosen, in their order */
    int64_t workers, groups, batch, shard_size; /* of the run */
    int64_t steps;                              /* captured in the whole run */
    dt_capture_set *sets;
    size_t count;
    bool copies_blocks;                  /* there are sets from slices, state or partials */
    size_t first_set[DT_LAYERS_MAX + 2]; /* of layer l; of layer l + 1: behind its last */
    size_t slots;                        /* of the queue: as many as the budget has room for, 2 to DT_SLOTS_MAX */
    size_t slot_bytes;                   /* one captured step, each set at a cache line */
    uint64_t step_bytes;                 /* the same without padding: what one step adds to the file */
    uint64_t block_bytes;                /* the writer's blocks: chunk_steps of every set */
} dt_capture_layout;

/* `units` has L + 1 entries. `budget` bounds the blocks and, on its own, the slots (one block of one step and two slots
 * there are always). Errors: DT_INVALID with the rule's name, DT_NO_MEMORY. Cleared by dt_capture_layout_clear also
 * after a failure. */
dt_status dt_capture_layout_init(dt_capture_layout *layout, const dt_experiment *experiment,
                                 const dt_trainer_info *info, const int64_t *units, size_t rule, uint64_t budget,
                                 dt_error *error);
void dt_capture_layout_clear(dt_capture_layout *layout);

/* Does the rule capture this step? How many of steps 0 .. total-1 does it capture? */
bool dt_capture_rule_watches(const dt_capture_rule *rule, int64_t step);
int64_t dt_capture_rule_steps(const dt_capture_rule *rule, int64_t total);

/* The first step after `step` (-1: of all) that the rule captures; INT64_MAX: none. */
int64_t dt_capture_rule_next(const dt_capture_rule *rule, int64_t step);

/* Sets chunk_steps, chunk_rows and chunk_columns for a file of `steps` steps, none of more than `most_steps`.
 *
 * Chunks are near 256 KiB. A reader of one step reads chunk_steps times what it wants, a reader of one unit's history
 * chunk_columns times (chunk_rows too for a matrix), so the longer is halved first; from 64 steps and an eighth of the
 * units. What is small takes more steps into one chunk, up to 1024. chunk_steps cuts `steps` evenly, so that the last
 * chunk is nearly full; exactly where a step is a megabyte. */
void dt_capture_set_cut(dt_capture_set *set, int64_t steps, int64_t most_steps);

/* All the chunks of one block of a set, in bytes: chunk_steps steps, edges included. */
size_t dt_capture_set_block_bytes(const dt_capture_set *set);

#endif
