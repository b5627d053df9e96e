/* One key's value: from a node to its field. */
#ifndef DT_CLI_VALUES_H
#define DT_CLI_VALUES_H

#include "cli/node.h"
#include "train/keys.h"

/* Stores what `node` says into the key's field of `base`; lists are allocated in the arena, file names made absolute.
 * `path` is the key's, for messages. DT_INVALID where the value is not of the key's type; ranges are
 * dt_experiment_validate's. */
dt_status dt_value_read(const dt_key *key, const char *path, const dt_node *node, void *base, dt_arena *arena,
                        dt_error *error);

#endif
