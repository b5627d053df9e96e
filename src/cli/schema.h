/* From nodes to an experiment, under the table of train/keys.h: every key known, every value of its type. Ranges and
 * combinations are dt_experiment_validate's.
 */
#ifndef DT_CLI_SCHEMA_H
#define DT_CLI_SCHEMA_H

#include "cli/node.h"
#include "deltoid/experiment.h"

/* Fills an experiment that dt_experiment_init and an arena were given to. Texts are borrowed from the nodes; file names
 * become absolute. */
dt_status dt_schema_read(dt_experiment *experiment, const dt_node *root, dt_error *error);

/* Puts the place of the key that a message of dt_experiment_validate or of the trainer begins with ("training.epochs:
 * ...") before the message; leaves it alone where it begins with none. */
void dt_schema_place(dt_error *error, const dt_node *root);

#endif
