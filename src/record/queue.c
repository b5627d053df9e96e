#include "record/queue.h"

#include <pthread.h>
#include <time.h>

#include "base/memory.h"

/* Small steps that come in quick succession are worth no switch of threads each: the consumer rests so long after those
 * that it has written, unless so much of them is there, or half of a pool. */
static const double rest_seconds = 0.01;
enum { ENOUGH_BYTES = 256 << 10 };

typedef struct slot_pool {
    dt_slot *slots;
    char *bytes;
    dt_slot *free; /* last in, first out */
    size_t slot_bytes, count, committed;
} slot_pool;

struct dt_queue {
    pthread_mutex_t mutex;
    pthread_cond_t committed, freed, met;
    dt_slot *first, *last; /* committed, first in, first out */
    bool closed;
    bool worked;       /* the consumer has taken a slot since it last waited for ever */
    bool rests;        /* it wakes by itself, soon */
    size_t bytes_left; /* committed */
    size_t pool_count;
    slot_pool *pools;
};

static dt_status make_pool(slot_pool *p, size_t index, const dt_queue_pool *size, dt_error *error)
{
    p->slots = dt_allocate_zeroed(size->slots, sizeof *p->slots);
    p->bytes = dt_allocate_array(size->slots, size->slot_bytes);
    p->slot_bytes = size->slot_bytes;
    p->count = size->slots;
    if (!p->slots || !p->bytes)
        return dt_fail(error, DT_NO_MEMORY,
                       "out of memory for %zu captured steps of %zu bytes; capture fewer samples or layers",
                       size->slots, size->slot_bytes);
    for (size_t i = size->slots; i-- > 0;) {
        p->slots[i] = (dt_slot){.pool = index, .bytes = p->bytes + i * size->slot_bytes, .next = p->free};
        p->free = &p->slots[i];
    }
    return DT_OK;
}

static bool make_locks(dt_queue *queue)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    bool good =
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 && pthread_mutex_init(&queue->mutex, NULL) == 0;
    if (good && pthread_cond_init(&queue->committed, &attributes) != 0) {
        pthread_mutex_destroy(&queue->mutex);
        good = false;
    }
    if (good && pthread_cond_init(&queue->freed, &attributes) != 0) {
        pthread_cond_destroy(&queue->committed);
        pthread_mutex_destroy(&queue->mutex);
        good = false;
    }
    if (good && pthread_cond_init(&queue->met, &attributes) != 0) {
        pthread_cond_destroy(&queue->freed);
        pthread_cond_destroy(&queue->committed);
        pthread_mutex_destroy(&queue->mutex);
        good = false;
    }
    pthread_condattr_destroy(&attributes);
    return good;
}

dt_status dt_queue_create(dt_queue **queue, const dt_queue_pool *pools, size_t pool_count, dt_error *error)
{
    *queue = NULL;
    dt_queue *q = dt_allocate_zeroed(1, sizeof *q);
    if (!q)
        return dt_fail_memory(error, "the capture's queue");
    if (!make_locks(q)) {
        dt_release(q);
        return dt_fail(error, DT_SYSTEM, "the system has no more locks for the capture's queue");
    }
    q->pools = dt_allocate_zeroed(pool_count, sizeof *q->pools);
    dt_status status = q->pools ? DT_OK : dt_fail_memory(error, "the capture's queue");
    q->pool_count = q->pools ? pool_count : 0;
    for (size_t i = 0; status == DT_OK && i < pool_count; i++)
        status = make_pool(&q->pools[i], i, &pools[i], error);
    if (status != DT_OK)
        dt_queue_destroy(q);
    else
        *queue = q;
    return status;
}

void dt_queue_destroy(dt_queue *queue)
{
    if (!queue)
        return;
    for (size_t i = 0; i < queue->pool_count; i++) {
        dt_release(queue->pools[i].slots);
        dt_release(queue->pools[i].bytes);
    }
    dt_release(queue->pools);
    pthread_cond_destroy(&queue->met);
    pthread_cond_destroy(&queue->freed);
    pthread_cond_destroy(&queue->committed);
    pthread_mutex_destroy(&queue->mutex);
    dt_release(queue);
}

dt_slot *dt_queue_take(dt_queue *queue, size_t pool)
{
    pthread_mutex_lock(&queue->mutex);
    while (!queue->pools[pool].free) {
        pthread_cond_signal(&queue->committed);
        pthread_cond_wait(&queue->freed, &queue->mutex);
    }
    dt_slot *slot = queue->pools[pool].free;
    queue->pools[pool].free = slot->next;
    pthread_mutex_unlock(&queue->mutex);
    slot->next = NULL;
    return slot;
}

dt_slot *dt_queue_try(dt_queue *queue, size_t pool)
{
    pthread_mutex_lock(&queue->mutex);
    dt_slot *slot = queue->pools[pool].free;
    if (slot)
        queue->pools[pool].free = slot->next;
    pthread_mutex_unlock(&queue->mutex);
    if (slot)
        slot->next = NULL;
    return slot;
}

/* With the lock. */
static void append(dt_queue *queue, dt_slot *slot)
{
    if (queue->last)
        queue->last->next = slot;
    else
        queue->first = slot;
    queue->last = slot;
}

/* Is it time to wake a consumer that rests? */
static bool has_enough(const dt_queue *queue, const slot_pool *pool)
{
    return queue->bytes_left >= ENOUGH_BYTES || 2 * pool->committed >= pool->count;
}

void dt_queue_commit(dt_queue *queue, dt_slot *slot)
{
    slot_pool *pool = &queue->pools[slot->pool];
    pthread_mutex_lock(&queue->mutex);
    append(queue, slot);
    pool->committed++;
    queue->bytes_left += pool->slot_bytes;
    if (!queue->rests || has_enough(queue, pool))
        pthread_cond_signal(&queue->committed);
    pthread_mutex_unlock(&queue->mutex);
}

void dt_queue_mark(dt_queue *queue)
{
    dt_slot mark = {.pool = queue->pool_count}; /* a pool that there is not; `bytes` says that it was met */
    pthread_mutex_lock(&queue->mutex);
    append(queue, &mark);
    pthread_cond_signal(&queue->committed);
    while (mark.bytes != &mark)
        pthread_cond_wait(&queue->met, &queue->mutex);
    pthread_mutex_unlock(&queue->mutex);
}

void dt_queue_close(dt_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_cond_signal(&queue->committed);
    pthread_mutex_unlock(&queue->mutex);
}

double dt_queue_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* False when the deadline has passed. */
static bool wait_until(dt_queue *queue, double deadline)
{
    if (deadline < 0)
        return pthread_cond_wait(&queue->committed, &queue->mutex) == 0;
    time_t whole = (time_t)deadline;
    struct timespec until = {.tv_sec = whole, .tv_nsec = (long)((deadline - (double)whole) * 1e9)};
    return pthread_cond_timedwait(&queue->committed, &queue->mutex, &until) == 0;
}

/* With the lock: after work, a rest, from which the deadline, much work, or the end wakes it. */
static void rest(dt_queue *queue, double deadline)
{
    const double until = dt_queue_now() + rest_seconds;
    queue->rests = true;
    (void)wait_until(queue, deadline >= 0 && deadline < until ? deadline : until);
    queue->rests = queue->worked = false;
}

dt_queue_event dt_queue_next(dt_queue *queue, double deadline, dt_slot **slot)
{
    dt_queue_event event = DT_QUEUE_SLOT;
    *slot = NULL;
    pthread_mutex_lock(&queue->mutex);
    if (!queue->first && !queue->closed && queue->worked)
        rest(queue, deadline);
    while (!queue->first && event == DT_QUEUE_SLOT) {
        if (queue->closed)
            event = DT_QUEUE_CLOSED;
        else if (!wait_until(queue, deadline))
            event = DT_QUEUE_TIMEOUT;
    }
    if (queue->first) {
        *slot = queue->first;
        event = (*slot)->pool < queue->pool_count ? DT_QUEUE_SLOT : DT_QUEUE_MARK;
        if (event == DT_QUEUE_SLOT) {
            slot_pool *pool = &queue->pools[(*slot)->pool];
            pool->committed--;
            queue->bytes_left -= pool->slot_bytes;
            queue->worked = true;
        }
        queue->first = (*slot)->next;
        if (!queue->first)
            queue->last = NULL;
    }
    pthread_mutex_unlock(&queue->mutex);
    return event;
}

void dt_queue_give_back(dt_queue *queue, dt_slot *slot)
{
    pthread_mutex_lock(&queue->mutex);
    if (slot->pool < queue->pool_count) {
        slot->next = queue->pools[slot->pool].free;
        queue->pools[slot->pool].free = slot;
        pthread_cond_signal(&queue->freed); /* one producer waits at a time: the worker that runs `begin` */
    } else {
        slot->bytes = slot;
        pthread_cond_broadcast(&queue->met);
    }
    pthread_mutex_unlock(&queue->mutex);
}
