/* Reading a file that may be hostile, with a library that may crash on it: in a forked child that has little memory and
 * time, can't write files, and hands back nothing but bytes through a pipe.
 *
 *     dt_sandbox box;
 *     dt_sandbox_start(&box, path, work, context, memory, bytes, error);     the child runs work(context, pipe) and
 * ends dt_sandbox_receive(&box, numbers, size, error);           exactly what the child sent with dt_sandbox_send
 *     dt_sandbox_finish(&box, error);                           always, once started
 *
 * The child must not use memory hooks, locks or OpenMP: it may be a copy of one thread of many. It may use buffers made
 * before the start.
 */
#ifndef DT_BASE_SANDBOX_H
#define DT_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "deltoid/status.h"

typedef struct dt_sandbox {
    pid_t child;
    int pipe;
    const char *path; /* for messages */
    bool ended;       /* its end of the pipe is closed */
} dt_sandbox;

/* Is it the name of a regular file? A pipe or a device could make HDF5 wait for ever. `advice` is what to do where
 * there is no such file; may be NULL. */
dt_status dt_sandbox_check_file(const char *path, const char *advice, dt_error *error);

/* What the child does. What it can't do it reports by `error` and a status. */
typedef dt_status (*dt_sandbox_work)(void *context, int pipe, dt_error *error);

/* `memory`: bytes that the child may take beyond what this process has; without limit under a sanitizer, which takes
 * terabytes. `bytes`: what it may have to read, by which its processor time goes: 2 s and 1 s for each 100 MB. */
dt_status dt_sandbox_start(dt_sandbox *box, const char *path, dt_sandbox_work work, void *context, size_t memory,
                           int64_t bytes, dt_error *error);

#define DT_SANDBOX_LONG   (INT64_C(6) << 30) /* `bytes` for a capture or a data set: a minute */
#define DT_SANDBOX_SERVES INT64_C(-1)        /* `bytes` of a child that says itself what comes: dt_sandbox_allow */

/* In a child that serves: from now on time to read `bytes` more, as dt_sandbox_start has it. */
void dt_sandbox_allow(int64_t bytes);

/* Memory that this process and children started from now on have in common: numbers that a child writes, never
 * pointers or sizes. Zeroed; NULL where there is none. */
void *dt_sandbox_share(size_t size);
void dt_sandbox_unshare(void *memory, size_t size); /* NULL is allowed */

/* In the child. DT_IO when nobody listens. */
dt_status dt_sandbox_send(int pipe, const void *bytes, size_t size);

/* In the parent, to a child that serves requests from a socket: what it is asked. Where it has ended nothing is said,
 * as receiving says why. */
void dt_sandbox_ask(int socket, const void *request, size_t size);

/* In the parent: the next piece, which must be of this size, or the child's own error, or DT_MALFORMED when it crashed
 * or ran out of its limits; DT_SYSTEM when someone killed it. */
dt_status dt_sandbox_receive(dt_sandbox *box, void *bytes, size_t size, dt_error *error);

/* Ends the child, whatever it does. */
void dt_sandbox_finish(dt_sandbox *box);

#endif
