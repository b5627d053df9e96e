#include "data/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sandbox.h"
#include "hdf5/hdf5.h"

enum {
    HALVES = 2,
    SCAN = HALVES, /* the third region of the shared memory */
    REGIONS,
    TOLD_BYTES = 4 << 20, /* the child says that it goes on after so many, or a 256th of the region */
    TOLD = 256,
    SCAN_BYTES = 32 << 20,
    SCAN_SHARE = 16, /* and at most this part of the memory */
    CHUNK_ROWS = 64  /* a scan's pieces are whole chunks of an evaluation */
};

/* Consecutive rows to read; a region's lie one behind the other. */
typedef struct range {
    int64_t first, count;
} range;

/* What the parent asks, and the child answers. */
typedef struct request {
    int64_t region, ranges;
} request;

typedef struct progress {
    int64_t region, done; /* done 1: the request is served; 0: more follows */
} progress;

struct dt_feed {
    dt_feed_source source;
    dt_feed_sizes sizes;
    dt_sandbox box;
    bool started, failed;
    dt_error error;
    int ends[2]; /* of a socket: the child's, the parent's */
    int fd;      /* of the file, to look at it */
    struct stat seen;

    unsigned char *shared; /* (shared_bytes) */
    size_t shared_bytes, at[REGIONS], bytes[REGIONS];
    range *ranges[REGIONS]; /* in shared memory: what is asked for */
    int64_t waiting[REGIONS];

    bool taken, shuffle;
    uint64_t seed;
    int64_t last;          /* windows of the run */
    int64_t epoch;         /* at hand */
    int64_t held[HALVES];  /* which window of the run the half has, or will; -1: none */
    int64_t drawn[HALVES]; /* which epoch's order order[epoch % 2] is; -1: none */
    int32_t *order[HALVES], *scratch, *slot;
};

/* --- sizes --- */

static int64_t scan_rows(size_t row, int64_t memory, int64_t rows)
{
    const int64_t bytes = dt_min(SCAN_BYTES, memory / SCAN_SHARE);
    return dt_min(dt_max(1, bytes / (int64_t)row), rows);
}

/* Rows that the windows have room for. */
static int64_t rows_of(const dt_feed_sizes *s)
{
    return s->windows.count == 1 ? s->windows.rows : HALVES * dt_windows_largest(&s->windows) * s->windows.block;
}

static size_t scan_bytes(const dt_feed_sizes *s)
{
    return (size_t)(2 * s->scan + CHUNK_ROWS) * s->row;
}

size_t dt_feed_bytes(const dt_feed_sizes *s)
{
    return scan_bytes(s) + (s->trains ? (size_t)rows_of(s) * s->row : 0);
}

dt_status dt_feed_plan(dt_feed_sizes *sizes, int64_t rows, size_t row, int64_t chunk, int64_t memory, int64_t window,
                       int64_t block, bool trains, dt_error *error)
{
    *sizes = (dt_feed_sizes){
        .row = row, .windows = {rows, rows, 1, 1}, .trains = trains, .scan = scan_rows(row, memory, rows)};
    if (!trains)
        return DT_OK;
    const int64_t most = (memory - (int64_t)scan_bytes(sizes)) / (int64_t)row;
    if (most < HALVES)
        return dt_fail(error, DT_INVALID,
                       "data.memory: %lld bytes have no room for two windows of rows of %zu bytes; give at least %zu",
                       (long long)memory, row, 128 * (CHUNK_ROWS + 8) * row / 64);
    const int64_t wanted = window ? window : rows <= most ? rows : most / HALVES;
    dt_status status = dt_windows_make(&sizes->windows, rows, row, chunk, wanted, block, error);
    if (status == DT_OK && rows_of(sizes) > most)
        status =
            dt_fail(error, DT_INVALID,
                    "data.window: windows of %lld rows need %lld bytes of memory, but data.memory is %lld; give "
                    "at most %lld rows, or more memory",
                    (long long)wanted, (long long)dt_feed_bytes(sizes), (long long)memory, (long long)(most / HALVES));
    return status;
}

const dt_feed_sizes *dt_feed_sizes_of(const dt_feed *feed)
{
    return &feed->sizes;
}

const void *dt_feed_inputs(const dt_feed *feed)
{
    return feed->shared;
}

const int32_t *dt_feed_slots(const dt_feed *feed)
{
    return feed->slot;
}

/* --- in the child --- */

static bool next_request(const dt_feed *f, request *wanted)
{
    char *to = (char *)wanted;
    for (size_t left = sizeof *wanted; left > 0;) {
        const ssize_t n = read(f->ends[0], to, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        left -= (size_t)n;
    }
    return wanted->region >= 0 && wanted->region < REGIONS;
}

static dt_status serve(const dt_feed *f, const request *wanted, int pipe, dt_error *error)
{
    const range *ranges = f->ranges[wanted->region];
    unsigned char *to = f->shared + f->at[wanted->region];
    const size_t size = f->bytes[wanted->region], tell = size / TOLD > TOLD_BYTES ? size / TOLD : TOLD_BYTES;
    size_t untold = 0;
    dt_sandbox_allow((int64_t)size);
    for (int64_t r = 0; r < wanted->ranges; r++) {
        int64_t row = ranges[r].first, left = ranges[r].count;
        while (r + 1 < wanted->ranges && ranges[r + 1].first == row + left)
            left += ranges[++r].count;
        while (left > 0) {
            const int64_t some = dt_min(left, f->source.most(f->source.context, row));
            dt_status status = f->source.read(f->source.context, row, some, to, error);
            untold += (size_t)some * f->sizes.row;
            if (status == DT_OK && untold >= tell) {
                status = dt_sandbox_send(pipe, &(progress){wanted->region, 0}, sizeof(progress));
                untold = 0;
            }
            if (status != DT_OK)
                return status;
            to += (size_t)some * f->sizes.row;
            row += some;
            left -= some;
        }
    }
    return dt_sandbox_send(pipe, &(progress){wanted->region, 1}, sizeof(progress));
}

static dt_status work(void *context, int pipe, dt_error *error)
{
    const dt_feed *f = context;
    request wanted;
    close(f->ends[1]);
    signal(SIGTERM, SIG_IGN); /* whoever stops a group of processes means the run, which ends this one */
    signal(SIGHUP, SIG_IGN);
    dt_sandbox_allow(0);
    dt_status status = f->source.open(f->source.context, error);
    while (status == DT_OK && next_request(f, &wanted))
        status = serve(f, &wanted, pipe, error);
    return status;
}

/* --- life --- */

static void lay_out(dt_feed *f)
{
    const int64_t half = f->sizes.windows.count == 1 ? f->sizes.windows.rows
                                                     : dt_windows_largest(&f->sizes.windows) * f->sizes.windows.block;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t used = 0, counts[REGIONS] = {1, 1, 1};
    for (int r = 0; r < REGIONS; r++) {
        const int64_t rows = r == SCAN ? f->sizes.scan : !f->sizes.trains ? 0 : r < f->sizes.windows.count ? half : 0;
        f->at[r] = used; /* half 1 right behind half 0: slots count through both */
        f->bytes[r] = (size_t)rows * f->sizes.row;
        used += f->bytes[r];
        if (r < SCAN)
            counts[r] = (size_t)dt_windows_largest(&f->sizes.windows);
    }
    used = (used + page - 1) / page * page;
    for (int r = 0; r < REGIONS; r++) {
        f->ranges[r] = (range *)used; /* an offset until there is memory */
        used += counts[r] * sizeof(range);
    }
    f->shared_bytes = used;
}

static dt_status make_room(dt_feed *f, dt_error *error)
{
    const size_t blocks = (size_t)f->sizes.windows.blocks;
    lay_out(f);
    f->shared = dt_sandbox_share(f->shared_bytes);
    f->order[0] = dt_allocate(blocks, sizeof *f->order[0]);
    f->order[1] = dt_allocate(blocks, sizeof *f->order[1]);
    f->scratch = dt_allocate(blocks, 2 * sizeof *f->scratch);
    f->slot = dt_allocate_zeroed(blocks, sizeof *f->slot);
    if (!f->shared || !f->order[0] || !f->order[1] || !f->scratch || !f->slot)
        return dt_fail_memory(error, f->source.name);
    for (int r = 0; r < REGIONS; r++)
        f->ranges[r] = (range *)(void *)(f->shared + (size_t)f->ranges[r]);
    return DT_OK;
}

static dt_status look_first(dt_feed *f, dt_error *error)
{
    f->fd = open(f->source.path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &f->seen) != 0)
        return dt_fail_errno(error, errno, f->source.path, "open");
    return DT_OK;
}

static dt_status start(dt_feed *f, dt_error *error)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->ends) != 0)
        return dt_fail_errno(error, errno, f->source.path, "make a socket to read");
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    const dt_status status =
        dt_sandbox_start(&f->box, f->source.path, work, f, f->source.memory, DT_SANDBOX_SERVES, error);
    dt_hdf5_leave();
    f->started = status == DT_OK;
    close(f->ends[0]);
    f->ends[0] = -1;
    return status;
}

dt_status dt_feed_create(dt_feed **feed, const dt_feed_source *source, const dt_feed_sizes *sizes, dt_error *error)
{
    dt_feed *f = *feed = dt_allocate_zeroed(1, sizeof *f);
    if (!f) {
        const dt_status status = dt_fail_memory(error, source->name);
        source->close(source->context);
        return status;
    }
    f->source = *source;
    f->sizes = *sizes;
    f->ends[0] = f->ends[1] = f->fd = -1;
    f->held[0] = f->held[1] = f->drawn[0] = f->drawn[1] = -1;
    dt_status status = look_first(f, error);
    if (status == DT_OK)
        status = make_room(f, error);
    if (status == DT_OK)
        status = start(f, error);
    if (status == DT_OK)
        return DT_OK;
    dt_feed_destroy(f);
    *feed = NULL;
    return status;
}

void dt_feed_destroy(dt_feed *feed)
{
    if (!feed)
        return;
    if (feed->started)
        dt_sandbox_finish(&feed->box);
    for (int i = 0; i < 2; i++)
        if (feed->ends[i] >= 0)
            close(feed->ends[i]);
    if (feed->fd >= 0)
        close(feed->fd);
    dt_sandbox_unshare(feed->shared, feed->shared_bytes);
    dt_release(feed->order[0]);
    dt_release(feed->order[1]);
    dt_release(feed->scratch);
    dt_release(feed->slot);
    feed->source.close(feed->source.context);
    dt_release(feed);
}

/* --- asking --- */

/* Is the file what it was? Else that is why a read went wrong, and what was read may not be used. */
static bool is_same(dt_feed *f)
{
    struct stat now;
    if (fstat(f->fd, &now) == 0 && now.st_size == f->seen.st_size && now.st_mtim.tv_sec == f->seen.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == f->seen.st_mtim.tv_nsec)
        return true;
    dt_error_clear(&f->error);
    (void)dt_fail(&f->error, DT_IO,
                  "%s: was changed while it was read: it had %lld bytes and has %lld; put the file back as it was",
                  f->source.path, (long long)f->seen.st_size, (long long)now.st_size);
    f->failed = true;
    return false;
}

static void ask(dt_feed *f, int region, int64_t ranges)
{
    const request wanted = {region, ranges};
    dt_sandbox_ask(f->ends[1], &wanted, sizeof wanted);
    f->waiting[region]++;
}

/* Until all that was asked for the region is there. */
static bool wait_for(dt_feed *f, int region)
{
    if (f->failed)
        return false;
    if (f->waiting[region] == 0)
        return true;
    while (f->waiting[region] > 0) {
        progress said = {.region = -1};
        if (dt_sandbox_receive(&f->box, &said, sizeof said, &f->error) != DT_OK) {
            f->failed = true;
            (void)is_same(f);
            return false;
        }
        if (said.done && said.region >= 0 && said.region < REGIONS && f->waiting[said.region] > 0)
            f->waiting[said.region]--;
    }
    return is_same(f);
}

/* --- windows --- */

dt_status dt_feed_begin(dt_feed *f, bool shuffle, uint64_t seed, int64_t epochs, dt_error *error)
{
    if (f->taken)
        return dt_fail(error, DT_INVALID, "%s: is read for another trainer; open the data set once for each",
                       f->source.name);
    f->taken = true;
    f->shuffle = shuffle;
    f->seed = seed;
    f->last = epochs * f->sizes.windows.count;
    f->drawn[0] = f->drawn[1] = -1;
    f->held[0] = f->held[1] = -1;
    return DT_OK;
}

void dt_feed_end(dt_feed *f)
{
    f->taken = false;
}

static const int32_t *order_of(dt_feed *f, int64_t epoch)
{
    const int i = (int)(epoch % 2);
    if (f->drawn[i] != epoch)
        dt_windows_draw(&f->sizes.windows, f->shuffle, f->seed, epoch, f->order[i], f->scratch);
    f->drawn[i] = epoch;
    return f->order[i];
}

/* The run's number of a window of an epoch. */
static int64_t number_of(const dt_feed *f, int64_t epoch, int64_t w)
{
    return f->sizes.windows.count == 1 ? 0 : epoch * f->sizes.windows.count + w;
}

void dt_feed_epoch(dt_feed *f, int64_t epoch)
{
    const dt_windows *windows = &f->sizes.windows;
    const int32_t *order = order_of(f, epoch);
    f->epoch = epoch;
    for (int64_t w = 0; w < windows->count; w++) {
        const dt_span places = dt_windows_blocks(windows, w);
        const int64_t half = number_of(f, epoch, w) % HALVES * dt_windows_largest(windows);
        for (int64_t p = places.first; p < places.last; p++)
            f->slot[order[p]] = (int32_t)(half + p - places.first);
    }
}

/* Asks for window q of the run, which its half doesn't have. */
static void ask_window(dt_feed *f, int64_t q)
{
    const dt_windows *windows = &f->sizes.windows;
    const int half = (int)(q % HALVES);
    const int32_t *order = order_of(f, q / windows->count);
    const dt_span places = dt_windows_blocks(windows, q % windows->count);
    if (f->waiting[half]) /* of a place that the run has left: its ranges are being read */
        (void)wait_for(f, half);
    for (int64_t p = places.first; p < places.last; p++) {
        const dt_span rows = dt_windows_rows(windows, order[p]);
        f->ranges[half][p - places.first] = (range){rows.first, dt_span_count(rows)};
    }
    f->held[half] = q;
    ask(f, half, dt_span_count(places));
}

bool dt_feed_need(dt_feed *f, dt_span windows)
{
    const int64_t first = number_of(f, f->epoch, windows.first), last = number_of(f, f->epoch, windows.last - 1);
    for (int64_t q = first; q <= last && !f->failed; q++)
        if (f->held[q % HALVES] != q)
            ask_window(f, q);
    for (int64_t q = first; q <= last; q++)
        if (!wait_for(f, (int)(q % HALVES)))
            return false;
    const int64_t next = last + 1;
    if (first == last && f->sizes.windows.count > 1 && next < f->last && f->held[next % HALVES] != next)
        ask_window(f, next);
    return !f->failed;
}

dt_status dt_feed_error(const dt_feed *f, dt_error *error)
{
    return f->failed ? dt_fail(error, f->error.status, "%s", f->error.message) : DT_OK;
}

/* --- scans --- */

bool dt_feed_ask(dt_feed *f, int64_t first, int64_t count)
{
    if (!wait_for(f, SCAN))
        return false;
    f->ranges[SCAN][0] = (range){first, count};
    ask(f, SCAN, 1);
    return true;
}

bool dt_feed_wait(dt_feed *f, const void **rows)
{
    *rows = f->shared + f->at[SCAN];
    return wait_for(f, SCAN);
}
