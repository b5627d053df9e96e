/* An experiment file, or a value of the command line, as a tree of nodes that know where they come from.
 *
 * Everything is allocated in one arena and lives as long as it.
 */
#ifndef DT_CLI_NODE_H
#define DT_CLI_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "deltoid/status.h"

/* What messages say of where a node was written, and what its relative paths are relative to. */
typedef struct dt_origin {
    const char *label;  /* "results/a.yaml"; "command line: key 'seed=x'" */
    const char *folder; /* absolute */
    bool positions;     /* lines and columns follow the label */
} dt_origin;

typedef enum dt_node_kind { DT_NODE_SCALAR, DT_NODE_LIST, DT_NODE_MAP } dt_node_kind;

typedef struct dt_node {
    dt_node_kind kind;
    bool quoted;                            /* a scalar in quotes or a block: text, whatever it looks like */
    const char *key;                        /* in a map */
    const char *text;                       /* of a scalar; "" where nothing is written */
    int key_line, key_column, line, column; /* from 1 */
    const dt_origin *origin;
    struct dt_node *first, *next; /* children, in the file's order */
    size_t count;                 /* of children */
} dt_node;

/* Small pieces from large blocks of an arena. */
typedef struct dt_pool {
    dt_arena *arena;
    char *block;
    size_t left;
} dt_pool;

void *dt_pool_allocate(dt_pool *pool,
                       size_t size); /* zeroed, aligned for pointers and numbers; NULL when memory is out */
char *dt_pool_text(dt_pool *pool, const char *text, size_t length);

/* The child of that name or at that place, or NULL. */
dt_node *dt_node_child(const dt_node *map, const char *key);
dt_node *dt_node_item(const dt_node *list, size_t i);

/* Follows "network.0.units" as far as nodes go; how much of the path was followed goes to *followed, which may be NULL.
 */
const dt_node *dt_node_follow(const dt_node *root, const char *path, size_t *followed);

/* The origin of a file and of a command line's argument, in the arena. NULL when memory is out. */
const dt_origin *dt_origin_file(dt_arena *arena, const char *file, const char *folder);
const dt_origin *dt_origin_argument(dt_arena *arena, const char *argument, const char *folder);

/* dt_fail with the place in front: "FILE:LINE:COLUMN: " of the node's value, or of its key. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
dt_status
dt_fail_at(dt_error *error, const dt_node *node, dt_status status, const char *format, ...);
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
dt_status
dt_fail_at_key(dt_error *error, const dt_node *node, dt_status status, const char *format, ...);

/* Puts the place of a node's value before the message that is already there. */
void dt_error_place(dt_error *error, const dt_node *node);

#endif
