/* The bounded queue between the team and the HDF5 thread: slots of memory that are made once, filled by the workers,
 * committed, written, and used again. A producer waits while every slot of its pool is full; the consumer waits for a
 * commit, the end, or a deadline. Small steps in quick succession it takes some at a time: after work it rests for 10
 * ms, or until 256 KiB or half of a pool are there.
 */
#ifndef DT_RECORD_QUEUE_H
#define DT_RECORD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deltoid/status.h"

typedef struct dt_queue dt_queue;

/* One step of one pool (a capture rule). */
typedef struct dt_slot {
    size_t pool;
    void *bytes;          /* at a cache line */
    struct dt_slot *next; /* the queue's own */
} dt_slot;

typedef struct dt_queue_pool {
    size_t slots, slot_bytes;
} dt_queue_pool;

dt_status dt_queue_create(dt_queue **queue, const dt_queue_pool *pools, size_t pool_count, dt_error *error);
void dt_queue_destroy(dt_queue *queue); /* NULL is allowed */

/* Producer. The slot used last comes first, so that a queue that keeps up touches little memory. */
dt_slot *dt_queue_take(dt_queue *queue, size_t pool);
void dt_queue_commit(dt_queue *queue, dt_slot *slot);
void dt_queue_close(dt_queue *queue); /* no commits after this one */

/* Like take, but NULL where it would have to wait. */
dt_slot *dt_queue_try(dt_queue *queue, size_t pool);

/* Puts a mark after all that is committed, and waits until the consumer has met it and said so. Any thread but the
 * consumer. */
void dt_queue_mark(dt_queue *queue);

typedef enum dt_queue_event { DT_QUEUE_SLOT, DT_QUEUE_MARK, DT_QUEUE_TIMEOUT, DT_QUEUE_CLOSED } dt_queue_event;

/* Consumer. The next committed slot in order of commits; waits at most until `deadline` (seconds of dt_queue_now,
 * negative: for ever). DT_QUEUE_CLOSED when it is closed and empty. */
dt_queue_event dt_queue_next(dt_queue *queue, double deadline, dt_slot **slot);
void dt_queue_give_back(dt_queue *queue,
                        dt_slot *slot); /* of a pool, also by a producer that has no use for it; or a mark */

/* Seconds of a clock that is never set back. */
double dt_queue_now(void);

#endif
