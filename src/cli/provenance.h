/* provenance.json of a run, read back. */
#ifndef DT_CLI_PROVENANCE_H
#define DT_CLI_PROVENANCE_H

#include "cli/node.h"
#include "deltoid/trainer.h"

/* *root is a map, in the arena. DT_NOT_FOUND, DT_MALFORMED, DT_IO, DT_NO_MEMORY with the file's name. */
dt_status dt_provenance_open(const dt_node **root, const char *run, dt_arena *arena, dt_error *error);

/* The text at a path as "data.train.inputs_sha256", "" where there is none. */
const char *dt_provenance_text(const dt_node *root, const char *path);

/* Are the data, and files of weights to begin with, what the run was made with? DT_INVALID where the SHA-256 of one is
 * another: to train again from the beginning would give another run. */
dt_status dt_provenance_check(const dt_node *root, const dt_experiment *experiment, const dt_trainer_data *data,
                              dt_error *error);

#endif
