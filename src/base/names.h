/* The message for an unknown name: the nearest valid one, then all of them. */
#ifndef DT_BASE_NAMES_H
#define DT_BASE_NAMES_H

#include <stddef.h>

#include "deltoid/status.h"

/* The i-th valid name, NULL past the last. */
typedef const char *(*dt_name_at)(const void *context, size_t i);

/* The valid name nearest to `name` (Damerau-Levenshtein), or NULL where none is near enough to be a slip. */
const char *dt_nearest_name(const char *name, dt_name_at at, const void *context);

/* Records DT_UNKNOWN_NAME: "unknown activation 'rleu'; did you mean 'relu'? valid: linear, sigmoid, ...". */
dt_status dt_fail_unknown(dt_error *error, const char *what, const char *name, dt_name_at at, const void *context);

#endif
