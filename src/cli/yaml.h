/* YAML to nodes, through libfyaml's events.
 *
 * Of YAML it takes what an experiment needs: one document of maps with plain keys, lists and scalars, at most 64 deep,
 * keys of a map different from each other. Anchors, aliases, tags and merge keys are refused: they make a short file
 * long, or say what the reader would have to guess.
 */
#ifndef DT_CLI_YAML_H
#define DT_CLI_YAML_H

#include "cli/node.h"

enum { DT_YAML_SIZE_MAX = 1 << 20 };

/* *root is NULL where the text holds no document. DT_MALFORMED with the origin's label and the place; DT_NO_MEMORY. */
dt_status dt_yaml_read(dt_node **root, const char *text, size_t size, const dt_origin *origin, dt_arena *arena,
                       dt_error *error);

#endif
