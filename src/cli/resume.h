/* deltoid train --resume: a run that was stopped or killed, found again. What is wrong with the newest checkpoint is
 * said in a warning, and the one before is taken; with none, the run begins anew in its folder.
 */
#ifndef DT_CLI_RESUME_H
#define DT_CLI_RESUME_H

#include "cli/config.h"
#include "cli/text.h"
#include "deltoid/record.h"

enum { DT_SESSIONS_MAX = 4096 };

/* A run that goes on. */
typedef struct dt_resumed {
    const char *folder;
    dt_checkpoint *checkpoint; /* NULL: from the beginning */
    const char *path;          /* of the checkpoint */
    int64_t epochs;            /* whole epochs that are done, and have their rows in metrics.tsv */
    dt_session *sessions;      /* of before, with room for one more */
    size_t session_count;
    char weights_sha256[65]; /* that the run's provenance knows: "" where it isn't complete */
    int64_t steps;           /* the same */
} dt_resumed;

/* Refuses what would change the numbers of a run that goes on; then RUN/experiment.yaml with these changes. */
dt_status dt_resume_config(dt_config *config, const char *folder, const char *const *overrides, size_t override_count,
                           dt_error *error);

/* Hash of what a run that goes on must have in common with its beginning: of the experiment without threads, reduction,
 * epochs (but where the schedule goes by them), checkpoints, and names of files. */
dt_status dt_resume_experiment_id(const dt_experiment *experiment, char id[65], dt_error *error);

/* Finds the checkpoint to go on from, and gives the trainer its state; reads what the provenance says. Texts are
 * allocated in the arena. DT_INVALID where a sound checkpoint is of another experiment, precision or data, and where
 * there is none and provenance.json knows of other data. */
dt_status dt_resume_find(dt_resumed *resumed, const char *folder, dt_trainer *trainer, const dt_trainer_data *data,
                         const char *experiment_id, const char *data_id, dt_arena *arena, dt_error *error);
void dt_resume_clear(dt_resumed *resumed);

#endif
