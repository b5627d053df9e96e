/* Values of the keys of sweeps and studies: as their files write them, and drawn at random. */
#ifndef DT_CLI_SWEEP_VALUES_H
#define DT_CLI_SWEEP_VALUES_H

#include <stdint.h>

#include "cli/node.h"

typedef struct dt_sweep_value {
    const char *shown; /* YAML on one line, as written: for tables */
    const char
        *given; /* the same for "key=value", with the names of files relative to the sweep's file made absolute */
} dt_sweep_value;

/* The value that a node is, of the key `path`. DT_NO_MEMORY. */
dt_status dt_sweep_value_of(dt_sweep_value *value, const dt_node *node, const char *path, dt_arena *arena,
                            dt_error *error);

/* A draw by u, uniform in [0, 1): of a list one of its values, of {low, high, scale, integer} a number between the two.
 */
dt_status dt_sweep_draw(dt_sweep_value *value, const dt_node *node, double u, dt_arena *arena, dt_error *error);

/* DT_UNKNOWN_NAME at the first child of `map` that is none of `names`, which end with NULL. */
dt_status dt_sweep_only_names(const dt_node *map, const char *const *names, const char *what, dt_error *error);

/* A whole number of low .. high under that key; *value stays where there is none. `map` may be NULL. DT_INVALID. */
dt_status dt_sweep_whole_number(const dt_node *map, const char *key, int64_t low, int64_t high, int64_t *value,
                                dt_error *error);

/* The file's name without folder and ending, `otherwise` where that is no name. */
const char *dt_sweep_default_name(const char *file, const char *otherwise, dt_arena *arena);

#endif
