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
    uint64_t memory_bytes; /* what the queue and the writer hold while the run lasts */
} dt_capture_size;

/* `rule` in 0 .. experiment->capture_count-1, or -1 for all together. `units` has L + 1 entries, those of layer 0 (the
 * features) to L. DT_INVALID for a layer or a row that does not exist, and for sizes that can't be counted. */
dt_status dt_capture_predict(const dt_experiment *experiment, const dt_trainer_info *info, const int64_t *units,
                             int rule, dt_capture_size *size, dt_error *error);

typedef struct dt_capture dt_capture;

/* Creates the file (never over an existing one), starts its HDF5 thread, and adds one observer a rule to the trainer.
 * `experiment_text` and `provenance` are stored as attributes. The trainer and its experiment are borrowed until close.
 * After a failure there is no file; destroy the trainer, whose observers may lead nowhere. DT_EXISTS, DT_INVALID (a
 * rule that captures nothing, a layer or row that does not exist), DT_IO, DT_NO_MEMORY, DT_SYSTEM.
 *
 * What was captured is on the disk within about a second. A failed write (disk full) never makes training wait: the end
 * of the epoch reports it, and the file keeps what it had at its last flush. */
dt_status dt_capture_create(dt_capture **capture, const char *path, dt_trainer *trainer, const char *experiment_text,
                            const char *provenance, dt_error *error);

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

/* How the data that the model was trained on were read, for others to be read the same: NULL where nothing need be
 * known. The caller destroys it. */
dt_status dt_model_read_transform(const char *path, dt_transform **transform, dt_error *error);

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
