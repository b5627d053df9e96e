#include "data/scan.h"

#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "data/feed.h"

enum { CHUNK = 64 }; /* DT_EVALUATION_CHUNK: an evaluation's sums go by these */

static int64_t row_at(const dt_rows *rows, int64_t i)
{
    return rows->index ? rows->index[i] : i;
}

static size_t row_size(const dt_dataset *d)
{
    return (size_t)d->features * dt_element_size(d->element);
}

static size_t answer_size(const dt_dataset *d)
{
    return d->targets ? (size_t)d->outputs * sizeof *d->targets : d->labels ? sizeof *d->labels : 0;
}

/* What the feed can read at once, and what may be left of a chunk. */
static int64_t room_of(const dt_dataset *d, int64_t rows)
{
    return dt_min(dt_feed_sizes_of(d->feed)->scan + CHUNK - 1, rows);
}

size_t dt_scan_bytes(const dt_dataset *data)
{
    return data->feed ? (size_t)room_of(data, data->rows) * (row_size(data) + answer_size(data)) : 0;
}

static dt_status fail_feed(const dt_scan *s, dt_error *error)
{
    return dt_feed_error(s->data->feed, error);
}

/* Has the feed read from the next row that is wanted up to the last that is within its reach. */
static dt_status ask(dt_scan *s, dt_error *error)
{
    const int64_t first = row_at(&s->wanted, s->done), most = dt_feed_sizes_of(s->data->feed)->scan;
    int64_t low = s->done, high = s->wanted.count; /* the last within reach lies in low .. high-1 */
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (row_at(&s->wanted, middle) - first < most)
            low = middle;
        else
            high = middle;
    }
    s->asked = first;
    s->asked_count = row_at(&s->wanted, low) - first + 1;
    return dt_feed_ask(s->data->feed, s->asked, s->asked_count) ? DT_OK : fail_feed(s, error);
}

dt_status dt_scan_begin(dt_scan *scan, const dt_dataset *data, dt_rows rows, dt_error *error)
{
    *scan = (dt_scan){.data = data, .wanted = rows, .piece = *data};
    if (!data->feed || rows.count == 0)
        return DT_OK;
    scan->room = room_of(data, rows.count);
    scan->inputs = dt_allocate_array((size_t)scan->room, row_size(data));
    scan->labels = data->labels ? dt_allocate((size_t)scan->room, sizeof *scan->labels) : NULL;
    scan->targets = data->targets ? dt_allocate((size_t)scan->room, answer_size(data)) : NULL;
    if (!scan->inputs || !scan->labels != !data->labels || !scan->targets != !data->targets)
        return dt_fail_memory(error, "rows of a data set");
    scan->piece.feed = NULL;
    scan->piece.slot = NULL;
    scan->piece.inputs = scan->inputs;
    scan->piece.labels = scan->labels;
    scan->piece.targets = scan->targets;
    return ask(scan, error);
}

/* Rows from `from` on of the piece to its front. */
static void keep_rest(dt_scan *s, int64_t from, int64_t count)
{
    const size_t row = row_size(s->data), outputs = (size_t)s->data->outputs;
    memmove(s->inputs, s->inputs + (size_t)from * row, (size_t)count * row);
    if (s->labels)
        memmove(s->labels, s->labels + from, (size_t)count * sizeof *s->labels);
    if (s->targets)
        memmove(s->targets, s->targets + (size_t)from * outputs, (size_t)count * outputs * sizeof *s->targets);
    s->kept = count;
}

/* Those wanted among the rows that were read, behind those in the piece. */
static void copy_wanted(dt_scan *s, const unsigned char *read)
{
    const dt_dataset *d = s->data;
    const size_t row = row_size(d), outputs = (size_t)d->outputs;
    for (; s->done < s->wanted.count && s->kept < s->room; s->done++, s->kept++) {
        const int64_t i = row_at(&s->wanted, s->done);
        if (i >= s->asked + s->asked_count)
            break;
        memcpy(s->inputs + (size_t)s->kept * row, read + (size_t)(i - s->asked) * row, row);
        if (s->labels)
            s->labels[s->kept] = d->labels[i];
        if (s->targets)
            memcpy(s->targets + (size_t)s->kept * outputs, d->targets + (size_t)i * outputs,
                   outputs * sizeof *s->targets);
    }
}

static dt_status next_piece(dt_scan *s, dt_error *error)
{
    const void *read;
    dt_status status = DT_OK;
    keep_rest(s, s->rows.count, s->kept - s->rows.count);
    s->rows.count = 0;
    while (status == DT_OK && s->done < s->wanted.count && s->kept < CHUNK) {
        if (!dt_feed_wait(s->data->feed, &read))
            return fail_feed(s, error);
        copy_wanted(s, read);
        if (s->done < s->wanted.count)
            status = ask(s, error);
    }
    s->piece.rows = s->rows.count = s->done < s->wanted.count ? s->kept / CHUNK * CHUNK : s->kept;
    return status;
}

dt_status dt_scan_next(dt_scan *scan, dt_error *error)
{
    scan->first += scan->rows.count;
    if (scan->data->feed && scan->wanted.count > 0)
        return next_piece(scan, error);
    scan->rows = scan->first == 0 ? scan->wanted : (dt_rows){0, NULL};
    return DT_OK;
}

dt_status dt_scan_row(dt_scan *scan, int64_t i, double *row, dt_error *error)
{
    if (i >= scan->first + scan->rows.count) {
        const dt_status status = dt_scan_next(scan, error);
        if (status != DT_OK)
            return status;
    }
    const int64_t at = i - scan->first;
    dt_dataset_row(&scan->piece, scan->rows.index ? scan->rows.index[at] : at, row);
    return DT_OK;
}

void dt_scan_end(dt_scan *scan)
{
    dt_release(scan->inputs);
    dt_release(scan->labels);
    dt_release(scan->targets);
    scan->inputs = NULL;
    scan->labels = NULL;
    scan->targets = NULL;
}
