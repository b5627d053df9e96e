#include "record/compress.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#ifdef DT_HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#include "base/memory.h"

enum { HELPERS_MAX = 4 };

/* --- one chunk --- */

/* What a thread needs of its own. */
typedef struct worker {
    dt_compressor *compressor;
    unsigned char *shuffled;
#ifdef DT_HAVE_LIBDEFLATE
    struct libdeflate_compressor *deflate[DT_COMPRESS_LEVEL_MAX + 1]; /* made when first wanted */
#endif
    pthread_t thread;
} worker;

static size_t bound(size_t bytes)
{
#ifdef DT_HAVE_LIBDEFLATE
    return libdeflate_zlib_compress_bound(NULL, bytes);
#else
    return compressBound(bytes);
#endif
}

static size_t deflate_chunk(worker *w, const dt_compress_job *job, void *to, size_t room)
{
#ifdef DT_HAVE_LIBDEFLATE
    struct libdeflate_compressor **deflate = &w->deflate[job->level];
    if (!*deflate)
        *deflate = libdeflate_alloc_compressor(job->level);
    return *deflate ? libdeflate_zlib_compress(*deflate, w->shuffled, job->bytes, to, room) : 0;
#else
    uLongf size = room;
    return compress2(to, &size, w->shuffled, job->bytes, job->level) == Z_OK ? size : 0;
#endif
}

/* Byte b of number i goes to place b * count + i: bytes that are alike come together. */
static void shuffle(unsigned char *to, const unsigned char *from, size_t bytes, size_t element)
{
    size_t count = bytes / element;
    for (size_t b = 0; b < element; b++)
        for (size_t i = 0; i < count; i++)
            to[b * count + i] = from[i * element + b];
}

/* --- the threads --- */

struct dt_compressor {
    size_t most, room; /* bytes of a chunk, and of what it may become */
    unsigned char *out;
    pthread_mutex_t mutex;
    pthread_cond_t begun, done;
    dt_compress_job *jobs;
    size_t count, next, finished; /* of the batch at hand */
    bool closed, failed;
    int helpers;
    worker workers[1 + HELPERS_MAX]; /* the first is the calling thread */
};

/* Takes jobs until none is left. With the lock, which it gives up while it works. */
static void work(worker *w)
{
    dt_compressor *c = w->compressor;
    while (c->next < c->count) {
        size_t i = c->next++;
        dt_compress_job *job = &c->jobs[i];
        unsigned char *to = c->out + i * c->room;
        pthread_mutex_unlock(&c->mutex);
        shuffle(w->shuffled, job->from, job->bytes, job->element);
        job->to = to;
        job->size = deflate_chunk(w, job, to, c->room);
        pthread_mutex_lock(&c->mutex);
        c->failed = c->failed || job->size == 0;
        if (++c->finished == c->count)
            pthread_cond_signal(&c->done);
    }
}

static void *help(void *context)
{
    worker *w = context;
    dt_compressor *c = w->compressor;
    pthread_mutex_lock(&c->mutex);
    while (!c->closed) {
        work(w);
        pthread_cond_wait(&c->begun, &c->mutex);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

bool dt_compressor_run(dt_compressor *c, dt_compress_job *jobs, size_t count)
{
    pthread_mutex_lock(&c->mutex);
    c->jobs = jobs;
    c->count = count;
    c->next = c->finished = 0;
    c->failed = false;
    if (count > 1)
        pthread_cond_broadcast(&c->begun);
    work(&c->workers[0]);
    while (c->finished < c->count)
        pthread_cond_wait(&c->done, &c->mutex);
    c->count = c->next = 0;
    bool good = !c->failed;
    pthread_mutex_unlock(&c->mutex);
    return good;
}

/* --- making --- */

static bool make_locks(dt_compressor *c)
{
    if (pthread_mutex_init(&c->mutex, NULL) != 0)
        return false;
    if (pthread_cond_init(&c->begun, NULL) != 0) {
        pthread_mutex_destroy(&c->mutex);
        return false;
    }
    if (pthread_cond_init(&c->done, NULL) != 0) {
        pthread_cond_destroy(&c->begun);
        pthread_mutex_destroy(&c->mutex);
        return false;
    }
    return true;
}

/* As many as the system gives; it works with none. */
static void start_helpers(dt_compressor *c, int wanted)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (c->helpers < wanted &&
           pthread_create(&c->workers[1 + c->helpers].thread, NULL, help, &c->workers[1 + c->helpers]) == 0)
        c->helpers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void release(dt_compressor *c)
{
    for (int i = 0; i <= HELPERS_MAX; i++) {
        dt_release(c->workers[i].shuffled);
#ifdef DT_HAVE_LIBDEFLATE
        for (int l = 0; l <= DT_COMPRESS_LEVEL_MAX; l++)
            libdeflate_free_compressor(c->workers[i].deflate[l]);
#endif
    }
    dt_release(c->out);
    dt_release(c);
}

dt_status dt_compressor_create(dt_compressor **compressor, size_t most, dt_error *error)
{
    *compressor = NULL;
    dt_compressor *c = dt_allocate_zeroed(1, sizeof *c);
    if (!c)
        return dt_fail_memory(error, "the capture's compression");
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int wanted = processors / 2 < HELPERS_MAX ? (int)(processors / 2) : HELPERS_MAX;
    c->most = most;
    c->room = (bound(most) + DT_CACHE_LINE - 1) / DT_CACHE_LINE * DT_CACHE_LINE;
    c->out = dt_allocate(DT_COMPRESS_BATCH, c->room);
    bool good = c->out != NULL;
    for (int i = 0; i <= wanted; i++) {
        c->workers[i].compressor = c;
        c->workers[i].shuffled = dt_allocate(most, 1);
        good = good && c->workers[i].shuffled;
    }
    if (!good || !make_locks(c)) {
        release(c);
        return good ? dt_fail(error, DT_SYSTEM, "the system has no more locks for the capture's compression")
                    : dt_fail_memory(error, "the capture's compression");
    }
    start_helpers(c, wanted);
    *compressor = c;
    return DT_OK;
}

void dt_compressor_destroy(dt_compressor *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->closed = true;
    pthread_cond_broadcast(&c->begun);
    pthread_mutex_unlock(&c->mutex);
    for (int i = 0; i < c->helpers; i++)
        pthread_join(c->workers[1 + i].thread, NULL);
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->begun);
    pthread_mutex_destroy(&c->mutex);
    release(c);
}
