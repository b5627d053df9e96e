/* What a run leaves on disk: captured quantities, metrics, the model, provenance. All of it is made by observers of the
 * trainer and by calls between epochs; HDF5 is used by these functions alone, and only on one thread at a time.
 */
#ifndef DELTOID_RECORD_H
#define DELTOID_RECORD_H

#include "observer.h"
#include "status.h"
#include "trainer.h"

#pragma GCC visibility push(default)

/* --- capture.h5 --- */

/* Size of what a rule (or all rules together) will write, from the experiment alone. */
typedef struct dt_capture_size {
    int64_t steps;         /* captured steps in the whole run */
    uint64_t step_bytes;   /* bytes of one captured step */
    uint64_t bytes;        /* raw bytes of the whole run */
    uint64_t file_bytes;   /* the file's size at the end: whole chunks and HDF5's own; within 1 % from a few MB on */
    uint64_t memory_bytes; /* what the queue, the writer and the statistics hold while the run lasts */
} dt_capture_size;

/* `rule` in 0 .. experiment->capture_count-1, or -1 for all together. `units` has L + 1 entries, those of layer 0 (the
 * features) to L. DT_INVALID for a layer or a row that does not exist, and for sizes that can't be counted. */
dt_status dt_capture_predict(const dt_experiment *experiment, const dt_trainer_info *info, const int64_t *units,
                             int rule, dt_capture_size *size, dt_error *error);

/* DT_INVALID where the prediction for all rules is above experiment->capture_budget, with the three largest items of a
 * rule, layer and quantity in the message. */
dt_status dt_capture_check_budget(const dt_experiment *experiment, const dt_trainer_info *info, const int64_t *units,
                                  dt_error *error);

typedef struct dt_capture dt_capture;

typedef struct dt_capture_options {
    bool live;   /* capture/live.h5 is the segment in the making, which readers may follow (SWMR) */
    bool resume; /* go on with the capture of a run that was stopped or killed */
} dt_capture_options;

/* Makes `path` (capture.h5) and the folder `capture` beside it, starts an HDF5 thread, and adds one observer a rule to
 * the trainer. Neither may exist. `experiment_text` and `provenance` are stored as attributes; `options` NULL: none.
 * The trainer and its experiment are borrowed until close. After a failure nothing was made; destroy the trainer, whose
 * observers may lead nowhere. DT_EXISTS, DT_INVALID (a rule that captures nothing, a layer or row that does not exist),
 * DT_IO, DT_NO_MEMORY, DT_SYSTEM.
 *
 * Steps go to segments, capture/seg-000000.h5 and so on: files of a second, later of 2 % of the run so far. A finished
 * one is on the disk for good. capture.h5 is an index whose virtual data sets present all of them as one; it is
 * replaced as a whole when segments are finished, and opens at any instant. The segment in the making has a hidden name
 * and is flushed every second. A failed write (disk full) never makes training wait: the end of the epoch reports it,
 * and every finished segment stays readable.
 *
 * With `resume` both exist (capture.h5 may be missing): finished segments are kept, the one that was in the making is
 * removed. The trainer starts at a checkpoint from before the last of their steps; those that are on disk are watched
 * again, and not written again. DT_MALFORMED for damaged segments, those of another experiment, and strange files in
 * the folder. */
dt_status dt_capture_create(dt_capture **capture, const char *path, dt_trainer *trainer, const char *experiment_text,
                            const char *provenance, const dt_capture_options *options, dt_error *error);

/* Returns when all steps that ended before the call are in finished segments and in the index: before a checkpoint that
 * a run may resume from is published. Any one thread but the HDF5 thread's. The first failure of that, if any. */
dt_status dt_capture_seal(dt_capture *capture, dt_error *error);

/* Steps of all rules with `queue: drop` that were due in this process and left out, so far. */
int64_t dt_capture_dropped(const dt_capture *capture);

/* What a resumed run needs of its captures so far, for the checkpoint: the last captured gradient of each rule that
 * captures a cosine. A run that is resumed with it captures the same bits as one that never stopped. Between steps
 * only.
 *
 * The bytes, numbers in the byte order of the machine: "dtcapst1", an int64 (how many rules have a cosine), then for
 * each of them, in the experiment's order: int64 1 if a step was captured, else 0; double, the square of the gradient's
 * norm for W and for b of each layer 1 .. L; and the gradient, laid out as the parameter vector (kernels/products.h),
 * in the run's precision. Size 0 where no rule has a cosine: nothing to store. The size follows from the experiment and
 * the data alone. */
size_t dt_capture_state_size(const dt_capture *capture);
void dt_capture_state_save(const dt_capture *capture, void *bytes);
/* DT_INVALID where the bytes are not of this experiment's captures; nothing has changed then. */
dt_status dt_capture_state_load(dt_capture *capture, const void *bytes, size_t size, dt_error *error);

/* Writes what is queued, sets the attribute `status` ("complete", "interrupted") and closes; frees the capture also
 * when it fails. The first failure of the HDF5 thread, if any, is reported here and by the epoch observer. The trainer
 * must not train after this. */
dt_status dt_capture_close(dt_capture *capture, const char *status, dt_error *error);

/* --- metrics.tsv --- */

typedef struct dt_metrics dt_metrics;

/* Creates the file with its header line and adds an observer that appends a row an epoch, flushed and synchronised. */
dt_status dt_metrics_create(dt_metrics **metrics, const char *path, dt_trainer *trainer, dt_error *error);
dt_status dt_metrics_close(dt_metrics *metrics, dt_error *error);

/* --- model.h5 --- */

/* Writes /layer01/W, /layer01/b, ... to a temporary file, synchronises and renames it to `path`. */
dt_status dt_model_write(const char *path, const dt_trainer *trainer, const char *experiment_text,
                         const char *provenance, dt_error *error);

/* Fills the trainer's weights. Shapes and precision must be those of the file; a hostile file is refused, not trusted.
 */
dt_status dt_model_read(const char *path, dt_trainer *trainer, dt_error *error);

/* --- provenance.json --- */

/* A JSON object, released with dt_text_release: versions, git commit, compiler and flags, processor, topology, thread
 * placement, OpenMP settings, FTZ/DAZ, data hashes, experiment's hash; weights_sha256 and finish time where `final` is
 * true. */
dt_status dt_provenance_json(char **json, const dt_trainer *trainer, const dt_trainer_data *data,
                             const char *experiment_text, bool final, dt_error *error);
void dt_text_release(char *text);

/* Writes a whole small file: temporary name, synchronised, renamed. */
dt_status dt_file_write(const char *path, const void *bytes, size_t size, dt_error *error);

#pragma GCC visibility pop

#endif
