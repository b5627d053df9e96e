/* Writes JSON text (RFC 8259), two spaces a level; or JSON lines: an object a line. Memory that runs out is remembered
 * and told once, by dt_json_finish.
 */
#ifndef DT_RECORD_JSON_H
#define DT_RECORD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deltoid/status.h"

/* Zero-initialise. `key` is NULL for what stands in a list or at the top. */
typedef struct dt_json {
    char *text;
    size_t used, room;
    int depth;
    bool failed, first; /* first: nothing stands yet in the innermost object or list */
    bool lines;         /* set it before the first object: one line each, as many as there are */
    char closing[16];   /* what closes each level */
} dt_json;

void dt_json_open(dt_json *json, const char *key);      /* { */
void dt_json_open_list(dt_json *json, const char *key); /* [ */
void dt_json_close(dt_json *json);

/* Any bytes: quotes, backslashes and control characters are escaped, what is not UTF-8 becomes U+FFFD. NULL: null. */
void dt_json_text(dt_json *json, const char *key, const char *value);
void dt_json_integer(dt_json *json, const char *key, int64_t value);
void dt_json_real(dt_json *json, const char *key, double value); /* what isn't finite is null */
void dt_json_truth(dt_json *json, const char *key, bool value);

/* The text, for the caller to release; or DT_NO_MEMORY, and nothing to release. */
dt_status dt_json_finish(dt_json *json, char **text, dt_error *error);

#endif
