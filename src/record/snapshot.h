/* All that decides how a run goes on, copied out of a trainer between two steps: the weights, the optimizer's arrays,
 * the position, and what others (a capture) asked to be kept. It is taken quickly, by the thread that trains, and
 * written by another: model_write.c; checkpoint_read.c makes one from a file.
 *
 * Everything with a fixed size is a part: one data set of the file, one piece of one block. The parts' list follows
 * from the trainer alone, so that writer, reader and hash walk the same one.
 */
#ifndef DT_RECORD_SNAPSHOT_H
#define DT_RECORD_SNAPSHOT_H

#include "deltoid/record.h"

typedef enum dt_part_kind { DT_PART_REAL, DT_PART_INTEGER, DT_PART_DOUBLE } dt_part_kind;

typedef struct dt_part {
    char path[96]; /* "/layer01/W", "/state/momentum_buffer/layer01/b", "/state/step" */
    dt_part_kind kind;
    int rank; /* 2: (unit, input), 1: (unit), 0: one number */
    int64_t size[2];
    size_t offset, bytes; /* in the block */
} dt_part;

enum { DT_BYTES_MAX = 16, DT_BYTES_NAME = 40 };

/* What a dt_checkpoint_source keeps: /state/bytes/<name>. */
typedef struct dt_kept_bytes {
    char name[DT_BYTES_NAME];
    uint64_t size;
    char *bytes; /* owned by the snapshot */
} dt_kept_bytes;

typedef struct dt_snapshot {
    const dt_experiment *experiment; /* borrowed, as units */
    const dt_trainer *trainer;
    dt_trainer_position position;
    size_t count, weights; /* parts; how many of them, from the first, are W^1, b^1, W^2, .. */
    dt_part *parts;
    char *block;
    size_t block_bytes;
    dt_kept_bytes kept[DT_BYTES_MAX];
    size_t kept_count;
    char experiment_id[65], data_id[65]; /* what a run that goes on must have in common; "" */
} dt_snapshot;

dt_status dt_snapshot_create(dt_snapshot **snapshot, const dt_trainer *trainer, dt_error *error);
void dt_snapshot_destroy(dt_snapshot *snapshot); /* NULL is allowed */

/* Room for bytes of that name; what it holds is the caller's to fill. Found again by name, NULL where there is none. */
dt_status dt_snapshot_keep(dt_snapshot *snapshot, const char *name, size_t size, dt_error *error);
dt_kept_bytes *dt_snapshot_kept(dt_snapshot *snapshot, const char *name);

/* Copies the trainer's state here (kept bytes apart); and back. Only the second can fail. */
void dt_snapshot_take(dt_snapshot *snapshot);
dt_status dt_snapshot_give(const dt_snapshot *snapshot, dt_trainer *trainer, dt_error *error);

/* Fills `position` from a block that was read. */
void dt_snapshot_read_position(dt_snapshot *snapshot);

/* Are all weights finite? */
bool dt_snapshot_is_finite(const dt_snapshot *snapshot);

/* The weights' hash, as dt_trainer_weights_sha256's; and that of all: it covers the weights by their hash, every other
 * part and kept bytes with their names, and the two identities. */
dt_status dt_snapshot_sha256(const dt_snapshot *snapshot, char weights[65], char all[65], dt_error *error);

/* Writes model.h5's layout with /state to a temporary file, synchronises and renames it to `path`. */
dt_status dt_snapshot_write(const dt_snapshot *snapshot, const char *path, const char *experiment_text,
                            const char *provenance, dt_error *error);

#endif
