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
 * Steps go to segments, capture/seg-000000.h5 and so on: files of two seconds, later of 2 % of the run so far. A
 * finished one is on the disk for good. capture.h5 is an index whose virtual data sets present all of them as one; it
 * is replaced as a whole some time after segments are finished (for a 500th of a processor's time), and opens at any
 * instant. The segment in the making has a hidden name and is flushed every two seconds. A failed write (disk full)
 * never makes training wait: the end of the epoch reports it, and every finished segment stays readable.
 *
 * With `resume` both exist (capture.h5 may be missing): finished segments are kept, the one that was in the making is
 * removed. The trainer starts at a checkpoint from before the last of their steps; those that are on disk are watched
 * again, and not written again. DT_MALFORMED for damaged segments, those of another experiment, and strange files in
 * the folder. */
dt_status dt_capture_create(dt_capture **capture, const char *path, dt_trainer *trainer, const char *experiment_text,
                            const char *provenance, const dt_capture_options *options, dt_error *error);

/* Returns when all steps that ended before the call are in finished segments: before a checkpoint that a run may resume
 * from is published. It ends a segment, so it is no call for every epoch of milliseconds. Any one thread but the HDF5
 * thread's. The first failure of that, if any. */
dt_status dt_capture_seal(dt_capture *capture, dt_error *error);

/* All that was captured before this step is in finished segments, as it is without a seal some time after: a run may go
 * on from a checkpoint of this step or an earlier one. INT64_MAX: nothing is wanting. Rules that leave steps out where
 * the disk is slow (`queue: drop`) don't count. Any thread. */
int64_t dt_capture_safe(const dt_capture *capture);

/* The same of a run that was stopped or killed, from the segments beside `path` (capture.h5), of which nothing is
 * changed. *lost: `deltoid capture recover` has named segments lost, so that the steps may never have been there.
 * DT_MALFORMED for damaged segments, those of another experiment, and strange files in the folder. */
dt_status dt_capture_safe_in(const char *path, const dt_trainer *trainer, int64_t *safe, bool *lost, dt_error *error);

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

/* How many epochs, from the first on, the file has whole rows of: 0 where there is no file, or another. */
dt_status dt_metrics_epochs(const char *path, int64_t *epochs, dt_error *error);

/* The same as dt_metrics_create for a run that goes on: keeps the first `epochs` rows, which the file has, and takes
 * away what follows them, a torn row as well. */
dt_status dt_metrics_resume(dt_metrics **metrics, const char *path, int64_t epochs, dt_trainer *trainer,
                            dt_error *error);

/* --- model.h5 and checkpoints --- */

/* Both are one format: /layer01/W, /layer01/b, ..., and under /state all that going on needs: a group of each array
 * that the optimizer keeps (/state/momentum_buffer/layer01/W), the numbers of dt_trainer_position (/state/step), what
 * others keep (/state/bytes/NAME), and as attribute `sha256` a hash over all of it, by which a file is judged before it
 * is believed. So whatever reads a model reads a checkpoint.
 *
 * dt_model_write writes one to a temporary file, synchronises and renames it to `path`; dt_model_read fills a trainer's
 * weights from either, also of a file without /state. Shapes and precision must be those of the file; a hostile file is
 * refused, not trusted. */
dt_status dt_model_write(const char *path, const dt_trainer *trainer, const char *experiment_text,
                         const char *provenance, dt_error *error);
dt_status dt_model_read(const char *path, dt_trainer *trainer, dt_error *error);

/* How the data that the model was trained on were read, for others to be read the same: NULL where nothing need be
 * known. The caller destroys it. */
dt_status dt_model_read_transform(const char *path, dt_transform **transform, dt_error *error);

/* A state of somebody else's that a run needs to go on, kept with the checkpoints: `size` bytes, which `save` fills
 * between two steps, on the thread that trains. It gets them back by dt_checkpoint_bytes. */
typedef struct dt_checkpoint_source {
    const char *name; /* letters, digits and '_', up to 39; of a family's own: "capture" */
    void *self;
    size_t size;
    void (*save)(void *self, void *bytes);
} dt_checkpoint_source;

typedef struct dt_checkpoint dt_checkpoint;

typedef struct dt_checkpoint_options {
    const char *experiment_text, *provenance; /* stored as attributes */
    /* What a run that goes on must have in common with this one, as up to 64 characters (hashes): the experiment, but
     * for what may differ, and the data. NULL: "". */
    const char *experiment_id, *data_id;
    /* Called before a checkpoint gets its name, on the thread that writes: what else belongs to its steps must be on
     * the disk when it returns (dt_capture_seal). May be NULL. */
    dt_status (*before)(void *context, dt_error *error);
    /* Checkpoints up to this step need no such call (dt_capture_safe). With it `before` is called for the last epoch
     * and by dt_checkpoints_write, for the first eight checkpoints, and else so seldom that it takes no more than a
     * 200th of the time and leaves no more than a 100th of it to be done again. Of checkpoints whose steps are not all
     * on the disk, the newest that is safe is kept beside them, for a run that is killed to go on from. May be NULL. */
    int64_t (*safe)(const void *context);
    void *context; /* needed until dt_checkpoints_newest or _write has returned after the last epoch, or close */
    const dt_checkpoint_source *sources; /* copied; up to 15 */
    size_t source_count;
    const dt_checkpoint *from; /* what this run goes on from; NULL: it begins. For the duration of the call */
} dt_checkpoint_options;

/* Checkpoints of a run, in a folder of their own: checkpoint-000469.h5 is that after step 469. */
typedef struct dt_checkpoints dt_checkpoints;

/* Makes the folder where there is none, starts the thread that writes, and adds an observer to the trainer (after those
 * that must have recorded an epoch before it counts as done). At the end of every experiment.checkpoint.every epochs,
 * and of the last, the state is copied, which takes as long as that; the thread writes it, at most one at a time, under
 * a temporary name, synchronised before it is renamed, and only then removes all but the newest `keep`, and those of
 * later steps, which a run that fell back has left. Where epochs are short, one that is due less than a second after
 * the last, or less than fifty times what that took to write, is left out, but in a program's first five seconds. With
 * checkpoint.best, best.h5 is that of the best epoch by this metric. Weights that are not finite are no checkpoint. A
 * failed write stops the trainer; close reports it.
 *
 * One process at a time may use the folder. `trainer` is borrowed until close. */
dt_status dt_checkpoints_create(dt_checkpoints **checkpoints, const char *folder, dt_trainer *trainer,
                                const dt_checkpoint_options *options, dt_error *error);

/* A checkpoint of the step at hand, on the disk when it returns: after dt_trainer_run was stopped. */
dt_status dt_checkpoints_write(dt_checkpoints *checkpoints, dt_error *error);

/* The same into a file of another name, as the model that a run leaves. */
dt_status dt_checkpoints_write_model(dt_checkpoints *checkpoints, const char *path, const char *provenance,
                                     dt_error *error);

/* The newest that is on the disk: its path, borrowed until close; NULL where there is none. Waits for what is being
 * written. */
const char *dt_checkpoints_newest(dt_checkpoints *checkpoints);

/* Waits, and frees; the first failure of the thread, if any, is reported here. NULL is allowed. */
dt_status dt_checkpoints_close(dt_checkpoints *checkpoints, dt_error *error);

/* The steps of the checkpoints in a folder, newest first, to be released with dt_checkpoint_list_release; none where
 * there is no folder. And the path of one, into `path`. */
dt_status dt_checkpoint_list(const char *folder, int64_t **steps, size_t *count, dt_error *error);
void dt_checkpoint_list_release(int64_t *steps);
void dt_checkpoint_path(const char *folder, int64_t step, char *path, size_t size);

/* Reads and verifies a checkpoint, or a model.h5, of this trainer's experiment; nothing is changed. DT_MALFORMED for
 * one that is damaged, cut short or of another network; DT_INVALID for one of another precision; DT_NOT_FOUND, DT_IO,
 * DT_NO_MEMORY. To close it, NULL is allowed. */
dt_status dt_checkpoint_open(dt_checkpoint **checkpoint, const char *path, const dt_trainer *trainer, dt_error *error);
void dt_checkpoint_close(dt_checkpoint *checkpoint);

/* Gives the trainer its weights, arrays and position, before it has made a step: it goes on from there. */
dt_status dt_checkpoint_restore(const dt_checkpoint *checkpoint, dt_trainer *trainer, dt_error *error);

void dt_checkpoint_position(const dt_checkpoint *checkpoint, dt_trainer_position *position);

/* What a source of that name has kept, borrowed until close, NULL: nothing; and the two identities. */
const void *dt_checkpoint_bytes(const dt_checkpoint *checkpoint, const char *name, size_t *size);
const char *dt_checkpoint_experiment_id(const dt_checkpoint *checkpoint);
const char *dt_checkpoint_data_id(const dt_checkpoint *checkpoint);

/* The step of a checkpoint or model.h5, unverified. */
dt_status dt_checkpoint_step(const char *path, int64_t *step, dt_error *error);

/* data_id of data sets: from the hashes of their files, and what is known of arrays. */
dt_status dt_checkpoint_data_id_of(const dt_trainer_data *data, char id[65], dt_error *error);

/* --- provenance.json --- */

/* A JSON object, released with dt_text_release: versions, git commit, compiler and flags, processor, topology, thread
 * placement, OpenMP settings, FTZ/DAZ, data hashes, experiment's hash; weights_sha256 and finish time where `final` is
 * true. */
dt_status dt_provenance_json(char **json, const dt_trainer *trainer, const dt_trainer_data *data,
                             const char *experiment_text, bool final, dt_error *error);
void dt_text_release(char *text);

/* A run is one session, or several: a program that trained on it from a step on. */
typedef struct dt_session {
    int64_t started; /* seconds since 1970, UTC */
    int64_t from_step, threads;
    char host[256];
    char reduction[16];
    bool racing; /* that reduction isn't deterministic */
} dt_session;

/* None of them had a reduction that isn't: the weights are the same whenever the run is made again. */
bool dt_sessions_deterministic(const dt_session *sessions, size_t count);

/* The session of this trainer that begins now, at its step. */
void dt_session_now(dt_session *session, const dt_trainer *trainer);

/* dt_provenance_json with the sessions of a run, this one last: as "sessions"; "started" is the first one's. */
dt_status dt_provenance_json_of(char **json, const dt_trainer *trainer, const dt_trainer_data *data,
                                const char *experiment_text, const dt_session *sessions, size_t count, bool final,
                                dt_error *error);

/* Writes a whole small file: temporary name, synchronised, renamed. */
dt_status dt_file_write(const char *path, const void *bytes, size_t size, dt_error *error);

#pragma GCC visibility pop

#endif
