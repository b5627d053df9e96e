/* Statuses and messages: what every call that can fail returns.
 *
 * A call returns a dt_status; the sentence for a person (what is wrong, where, what to do) goes to a dt_error that the
 * caller owns and may leave out (NULL). The library never prints, exits or aborts.
 */
#ifndef DELTOID_STATUS_H
#define DELTOID_STATUS_H

#include <stdarg.h>
#include <stddef.h>

#pragma GCC visibility push(default)

/* One list gives the enumeration, the names and the exit status of the command line. */
#define DT_STATUS_LIST(X)                                                                                              \
    X(DT_OK, 0, "done")                                                                                                \
    X(DT_ANSWER_NO, 1, "done, and the answer is no")                                                                   \
    X(DT_DIVERGED, 1, "training diverged")                                                                             \
    X(DT_INVALID, 2, "invalid argument, experiment or data")                                                           \
    X(DT_UNKNOWN_NAME, 2, "unknown name")                                                                              \
    X(DT_EXISTS, 2, "exists already")                                                                                  \
    X(DT_NOT_FOUND, 2, "not found")                                                                                    \
    X(DT_MALFORMED, 2, "malformed file")                                                                               \
    X(DT_UNSUPPORTED, 2, "not supported by this build or machine")                                                     \
    X(DT_NO_MEMORY, 3, "out of memory")                                                                                \
    X(DT_IO, 3, "input or output failed")                                                                              \
    X(DT_SYSTEM, 3, "the system refused")                                                                              \
    X(DT_STOPPED, 130, "stopped on request")

typedef enum dt_status {
#define DT_STATUS_ENUM(name, exit_status, text) name,
    DT_STATUS_LIST(DT_STATUS_ENUM)
#undef DT_STATUS_ENUM
} dt_status;

enum { DT_MESSAGE_SIZE = 1024 };

/* Caller-owned. `status` and `message` describe the first failure since dt_error_clear; later ones don't overwrite it.
 */
typedef struct dt_error {
    dt_status status;
    char message[DT_MESSAGE_SIZE]; /* UTF-8, one line, no trailing newline */
} dt_error;

/* The status in words: "out of memory". Never NULL. */
const char *dt_status_text(dt_status status);

/* The exit status the command line gives it: 0, 1, 2, 3 or 130. */
int dt_status_exit(dt_status status);

void dt_error_clear(dt_error *error);

/* Records a failure and returns `status`, so that a function can `return dt_fail(error, DT_IO, ...)`. `error` may be
 * NULL. Control characters in the message become '?', so that a hostile file name can't move the cursor. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
dt_status
dt_fail(dt_error *error, dt_status status, const char *format, ...);

#if defined(__GNUC__)
__attribute__((format(printf, 3, 0)))
#endif
dt_status
dt_fail_v(dt_error *error, dt_status status, const char *format, va_list arguments);

/* Puts "prefix: " before the message already recorded: a file, a line and column. `error` may be NULL. */
void dt_error_prefix(dt_error *error, const char *prefix);

#pragma GCC visibility pop

#endif
