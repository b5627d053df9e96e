/* key=value arguments: changes to an experiment before it is understood, so that they may replace anything in the file,
 * also what is wrong there.
 */
#ifndef DT_CLI_OVERRIDES_H
#define DT_CLI_OVERRIDES_H

#include "cli/node.h"
#include "train/keys.h"

/* "training.epochs=3": the part before '=' has only characters of a key's path. */
bool dt_is_override(const char *argument);

/* The key that a path names, as "network.0.units" does network.#.units. NULL where it names none, or a section. */
const dt_key *dt_override_key(const char *path);

/* Sets one key of the tree. The value is YAML on one line: a scalar, or a list or map in brackets, which replaces what
 * was there. Sections, rules and the list entry after the last are added as they are needed. Relative file names are
 * relative to `folder`. */
dt_status dt_override_apply(dt_node *root, const char *argument, const char *folder, dt_arena *arena, dt_error *error);

#endif
