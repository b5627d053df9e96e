#include "record/segment.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "hdf5/hdf5.h"
#include "record/capture_tree.h"
#include "record/compress.h"

/* One data set of the file, cut as this segment's steps want it. Its block holds steps
 * steps/chunk_steps*chunk_steps .. steps-1 as chunks in row-major order of the grid (rows / chunk_rows,
 * columns / chunk_columns), each (chunk_steps, chunk_rows, chunk_columns). */
typedef struct written_set {
    dt_capture_set set;
    hid_t id;
    char *block;
    size_t room;        /* bytes of the block, for any segment, */
    int64_t most_steps; /* and the most steps of a chunk */
    int64_t stride;     /* steps that a chunk has room for in the block */
    int64_t flushed;    /* steps of the block that the file has */
    int64_t extent;     /* steps that the data set's dimension says */
} written_set;

typedef struct written_rule {
    const dt_capture_layout *layout;
    written_set *sets;
    int level;       /* of compression; 0: none */
    int64_t planned; /* steps that the chunks were made for; 0: the rule has no group in this file */
    int64_t steps;   /* appended */
} written_rule;

struct dt_segment {
    const char *path; /* NULL: none is open */
    hid_t id;
    bool live;
    bool failed;               /* then HDF5 is not called any more for this file */
    bool pending;              /* something was appended since the last flush */
    bool ends;                 /* no step will follow those of the blocks */
    dt_compressor *compressor; /* NULL where no rule wants one */
    size_t count;
    written_rule *rules;
};

static void fill(char *to, size_t numbers, const dt_capture_set *set)
{
    if (set->integers)
        for (size_t i = 0; i < numbers; i++)
            ((int64_t *)(void *)to)[i] = -1;
    else if (set->element == sizeof(double))
        for (size_t i = 0; i < numbers; i++)
            ((double *)(void *)to)[i] = NAN;
    else
        for (size_t i = 0; i < numbers; i++)
            ((float *)(void *)to)[i] = NAN;
}

/* --- writing one set --- */

/* A chunk of the grid: its part of the data set that exists, and its place in the block. */
typedef struct chunk {
    int64_t row, column, rows, columns;
    size_t numbers; /* of one step, edges included */
    char *bytes;
} chunk;

static chunk chunk_at(const written_set *w, int64_t row, int64_t column)
{
    const dt_capture_set *s = &w->set;
    int64_t across = dt_ceil_div(s->columns, s->chunk_columns);
    size_t numbers = (size_t)(s->chunk_rows * s->chunk_columns);
    size_t index = (size_t)(row / s->chunk_rows * across + column / s->chunk_columns);
    return (chunk){.row = row,
                   .column = column,
                   .rows = dt_min(s->chunk_rows, s->rows - row),
                   .columns = dt_min(s->chunk_columns, s->columns - column),
                   .numbers = numbers,
                   .bytes = w->block + index * (size_t)w->stride * numbers * s->element};
}

/* Cuts one dense step into place `position` of the block's chunks. */
static void put_step(written_set *w, const char *dense, int64_t position)
{
    const dt_capture_set *s = &w->set;
    for (int64_t row = 0; row < s->rows; row += s->chunk_rows)
        for (int64_t column = 0; column < s->columns; column += s->chunk_columns) {
            chunk c = chunk_at(w, row, column);
            char *to = c.bytes + (size_t)position * c.numbers * s->element;
            const char *from = dense + (size_t)(row * s->columns + column) * s->element;
            for (int64_t r = 0; r < c.rows; r++)
                memcpy(to + (size_t)(r * s->chunk_columns) * s->element, from + (size_t)(r * s->columns) * s->element,
                       (size_t)c.columns * s->element);
        }
}

/* A chunk that is new in the file, or hangs over the data set's edge, goes there whole, NaN where there is no step yet.
 */
static bool write_whole_chunk(written_set *w, const chunk *c, int64_t base, int64_t steps)
{
    const dt_capture_set *s = &w->set;
    size_t step = c->numbers * s->element;
    hsize_t at[DT_CAPTURE_RANK];
    (void)dt_capture_set_place(s, base, c->row, c->column, at);
    fill(c->bytes + (size_t)steps * step, (size_t)(s->chunk_steps - steps) * c->numbers, s);
    return dt_hdf5_ok(H5Dwrite_chunk(w->id, H5P_DEFAULT, 0, at, (size_t)s->chunk_steps * step, c->bytes));
}

/* All chunks of a block, deflated by several threads. A block that is written twice would leave holes in the file: of a
 * compressed set only whole blocks and the segment's last one are. */
static bool write_compressed(dt_segment *segment, const written_rule *rule, written_set *w, int64_t base, int64_t steps)
{
    const dt_capture_set *s = &w->set;
    chunk chunks[DT_COMPRESS_BATCH];
    dt_compress_job jobs[DT_COMPRESS_BATCH];
    size_t count = 0, bytes = (size_t)(s->chunk_steps * s->chunk_rows * s->chunk_columns) * s->element;
    for (int64_t row = 0; row < s->rows; row += s->chunk_rows)
        for (int64_t column = 0; column < s->columns; column += s->chunk_columns) {
            bool last = row + s->chunk_rows >= s->rows && column + s->chunk_columns >= s->columns;
            chunk *c = &chunks[count];
            *c = chunk_at(w, row, column);
            fill(c->bytes + (size_t)steps * c->numbers * s->element, (size_t)(s->chunk_steps - steps) * c->numbers, s);
            jobs[count++] = (dt_compress_job){c->bytes, bytes, s->element, rule->level, NULL, 0};
            if (count < DT_COMPRESS_BATCH && !last)
                continue;
            if (!dt_compressor_run(segment->compressor, jobs, count))
                return dt_hdf5_out_of_memory();
            for (size_t i = 0; i < count; i++) {
                hsize_t at[DT_CAPTURE_RANK];
                (void)dt_capture_set_place(s, base, chunks[i].row, chunks[i].column, at);
                if (!dt_hdf5_ok(H5Dwrite_chunk(w->id, H5P_DEFAULT, 0, at, jobs[i].size, jobs[i].to)))
                    return false;
            }
            count = 0;
        }
    return true;
}

/* Of a chunk that the file has, steps `first` .. `last` - 1 of the block: one run of bytes here and there. */
static bool write_part(written_set *w, const chunk *c, int64_t base, int64_t first, int64_t last)
{
    const dt_capture_set *s = &w->set;
    hsize_t start[DT_CAPTURE_RANK], count[DT_CAPTURE_RANK];
    int rank = dt_capture_set_place(s, base + first, c->row, c->column, start);
    (void)dt_capture_set_box(s, last - first, c->rows, c->columns, count);
    /* Of the file selection's own shape: HDF5 maps any other number by number. */
    hid_t memory = H5Screate_simple(rank, count, NULL), space = H5Dget_space(w->id);
    bool good = dt_hdf5_ok(memory) && dt_hdf5_ok(space) &&
                dt_hdf5_ok(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL)) &&
                dt_hdf5_ok(H5Dwrite(w->id, dt_capture_set_type(s), memory, space, H5P_DEFAULT,
                                    c->bytes + (size_t)first * c->numbers * s->element));
    dt_hdf5_close(space);
    dt_hdf5_close(memory);
    return good;
}

static bool chunked(void *context, size_t index, hid_t creation)
{
    const written_rule *rule = context;
    const dt_capture_set *s = &rule->sets[index].set;
    hsize_t size[DT_CAPTURE_RANK];
    int rank = dt_capture_set_box(s, s->chunk_steps, s->chunk_rows, s->chunk_columns, size);
    return dt_hdf5_ok(H5Pset_chunk(creation, rank, size)) &&
           (!rule->level ||
            (dt_hdf5_ok(H5Pset_shuffle(creation)) && dt_hdf5_ok(H5Pset_deflate(creation, (unsigned)rule->level))));
}

/* When its first steps go to the file. A segment that ends before its first block is full has one chunk of just as many
 * steps: none is left empty. */
static bool make_set(dt_segment *segment, written_rule *rule, size_t index, int64_t steps)
{
    char path[DT_CAPTURE_PATH];
    written_set *w = &rule->sets[index];
    if (segment->ends)
        w->set.chunk_steps = dt_max(1, dt_min(w->set.chunk_steps, steps));
    dt_capture_set_path(rule->layout, &w->set, path);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    if (dt_hdf5_ok(links) && dt_hdf5_ok(H5Pset_create_intermediate_group(links, 1)))
        w->id = dt_capture_set_create(&w->set, segment->id, path, links, 0, chunked, rule, index);
    dt_hdf5_close(links);
    return w->id >= 0;
}

static bool make_sets(dt_segment *segment)
{
    bool good = true;
    for (size_t r = 0; r < segment->count; r++)
        for (size_t i = 0; good && segment->rules[r].planned && i < segment->rules[r].layout->count; i++)
            good = segment->rules[r].sets[i].id >= 0 || make_set(segment, &segment->rules[r], i, 0);
    return good;
}

/* Brings the file to `steps` steps of the set, all of which are in the block or in the file. */
static bool write_until(dt_segment *segment, written_rule *rule, size_t index, int64_t steps)
{
    written_set *w = &rule->sets[index];
    const dt_capture_set *s = &w->set;
    if (w->extent >= steps || (rule->level && steps % s->chunk_steps && !segment->ends))
        return true;
    if (w->id < 0 && !make_set(segment, rule, index, steps))
        return false;
    hsize_t extent[DT_CAPTURE_RANK];
    (void)dt_capture_set_box(s, steps, s->rows, s->columns, extent);
    if (!dt_hdf5_ok(H5Dset_extent(w->id, extent)))
        return false;
    w->extent = steps;

    int64_t base = (steps - 1) / s->chunk_steps * s->chunk_steps, last = steps - base;
    if (rule->level)
        return write_compressed(segment, rule, w, base, last);
    for (int64_t row = 0; row < s->rows; row += s->chunk_rows)
        for (int64_t column = 0; column < s->columns; column += s->chunk_columns) {
            chunk c = chunk_at(w, row, column);
            bool whole = w->flushed == 0 || c.rows < s->chunk_rows || c.columns < s->chunk_columns;
            if (whole ? !write_whole_chunk(w, &c, base, last) : !write_part(w, &c, base, w->flushed, last))
                return false;
        }
    w->flushed = last == s->chunk_steps ? 0 : last;
    return true;
}

/* --- steps in, steps out --- */

bool dt_segment_is_open(const dt_segment *segment)
{
    return segment->path != NULL;
}

bool dt_segment_takes(const dt_segment *segment, size_t rule)
{
    return segment->path && segment->rules[rule].steps < segment->rules[rule].planned;
}

int64_t dt_segment_steps(const dt_segment *segment, size_t rule)
{
    return segment->rules[rule].steps;
}

uint64_t dt_segment_waste(const dt_segment *segment)
{
    uint64_t waste = 0;
    for (size_t r = 0; r < segment->count; r++)
        for (size_t i = 0; segment->rules[r].planned && i < segment->rules[r].layout->count; i++) {
            const written_set *w = &segment->rules[r].sets[i]; /* one that isn't made yet will fit */
            const int64_t block = w->set.chunk_steps, begun = segment->rules[r].steps % block;
            if (w->id >= 0 && begun)
                waste += dt_capture_set_block_bytes(&w->set) / (uint64_t)block * (uint64_t)(block - begun);
        }
    return waste;
}

dt_status dt_segment_append(dt_segment *segment, size_t index, const void *slot, dt_error *error)
{
    written_rule *rule = &segment->rules[index];
    if (segment->failed)
        return dt_fail(error, DT_IO, "%s: takes no more steps after it failed", segment->path);
    rule->steps++;
    segment->pending = true;
    for (size_t i = 0; i < rule->layout->count; i++) {
        written_set *w = &rule->sets[i];
        int64_t position = (rule->steps - 1) % w->set.chunk_steps;
        put_step(w, (const char *)slot + w->set.offset, position);
        if (position < w->set.chunk_steps - 1) /* of all but the last block of a segment */
            continue;
        dt_hdf5_enter();
        segment->failed = !write_until(segment, rule, i, rule->steps);
        dt_status status = segment->failed ? dt_hdf5_fail(error, segment->path, "write") : DT_OK;
        dt_hdf5_leave();
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

static bool write_begun_blocks(dt_segment *segment)
{
    for (size_t r = 0; r < segment->count; r++)
        for (size_t i = 0; segment->rules[r].planned && i < segment->rules[r].layout->count; i++)
            if (!write_until(segment, &segment->rules[r], i, segment->rules[r].steps))
                return false;
    return true;
}

dt_status dt_segment_flush(dt_segment *segment, dt_error *error)
{
    if (segment->failed)
        return dt_fail(error, DT_IO, "%s: can't be flushed after it failed", segment->path);
    if (!segment->pending)
        return DT_OK;
    int descriptor = -1;
    dt_status status = DT_OK;
    dt_hdf5_enter();
    if (!write_begun_blocks(segment) || !dt_hdf5_ok(H5Fflush(segment->id, H5F_SCOPE_LOCAL)) ||
        (descriptor = dt_hdf5_descriptor(segment->id)) < 0)
        status = dt_hdf5_fail(error, segment->path, "write");
    dt_hdf5_leave();
    if (status == DT_OK)
        status = dt_sync(descriptor, segment->path, error); /* without the lock: it may take long */
    segment->failed = status != DT_OK;
    segment->pending = false;
    return status;
}

/* --- one file --- */

/* Cuts the sets for the steps that are planned, within the blocks' memory. */
static void cut(written_rule *rule, int64_t planned)
{
    rule->planned = planned;
    rule->steps = 0;
    for (size_t i = 0; planned && i < rule->layout->count; i++) {
        written_set *w = &rule->sets[i];
        w->flushed = w->extent = 0;
        w->id = -1;
        int64_t most = w->most_steps;
        do
            dt_capture_set_cut(&w->set, planned, most);
        while (dt_capture_set_block_bytes(&w->set) > w->room && (most = dt_min(most, w->set.chunk_steps) / 2) > 0);
        w->stride = w->set.chunk_steps;
        bool hangs = w->set.rows % w->set.chunk_rows || w->set.columns % w->set.chunk_columns;
        if (hangs) /* what hangs over an edge stays so for ever */
            fill(w->block, dt_capture_set_block_bytes(&w->set) / w->set.element, &w->set);
    }
}

static int64_t chunks_of(const dt_capture_set *s, int64_t steps)
{
    return dt_ceil_div(steps, s->chunk_steps) * dt_ceil_div(s->rows, s->chunk_rows) *
           dt_ceil_div(s->columns, s->chunk_columns);
}

/* Bytes of the indices of chunks (B-trees of version 1) with nodes of 2 `fan` chunks. */
static int64_t index_bytes(const dt_segment *segment, int64_t fan)
{
    enum { HEAD = 24, POINTER = 8, KEY = 40 };
    int64_t nodes = 0;
    for (size_t r = 0; r < segment->count; r++)
        for (size_t i = 0; segment->rules[r].planned && i < segment->rules[r].layout->count; i++)
            nodes += dt_ceil_div(chunks_of(&segment->rules[r].sets[i].set, segment->rules[r].planned), 2 * fan);
    return nodes * (HEAD + 2 * fan * POINTER + (2 * fan + 1) * KEY);
}

/* Small groups, and small indices of chunks: a segment is to add little to its numbers. */
static hid_t creation_list(const dt_segment *segment)
{
    enum { GROUP_FAN = 2, LEAF_FAN = 4, LEAST_FAN = 2, MOST_FAN = 32 };
    int64_t fan = LEAST_FAN;
    for (int64_t larger = 2 * fan; larger <= MOST_FAN; larger *= 2)
        fan = index_bytes(segment, larger) < index_bytes(segment, fan) ? larger : fan;
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    if (dt_hdf5_ok(creation) && dt_hdf5_ok(H5Pset_sym_k(creation, GROUP_FAN, LEAF_FAN)) &&
        dt_hdf5_ok(H5Pset_istore_k(creation, (unsigned)fan)))
        return creation;
    dt_hdf5_close(creation);
    return -1;
}

static bool make_tree(dt_segment *segment)
{
    enum { METADATA = 0 }; /* bytes taken ahead */
    hid_t creation = creation_list(segment);
    segment->id = creation >= 0 ? dt_hdf5_create_with(segment->path, creation, segment->live, METADATA) : -1;
    dt_hdf5_close(creation);
    return segment->id >= 0 && dt_hdf5_put_integer(segment->id, DT_SEGMENT_MARK, DT_CAPTURE_FORMAT_VERSION) &&
           (!segment->live || (make_sets(segment) && dt_hdf5_ok(H5Fflush(segment->id, H5F_SCOPE_LOCAL)) &&
                               dt_hdf5_ok(H5Fstart_swmr_write(segment->id))));
}

dt_status dt_segment_begin(dt_segment *segment, const char *path, const int64_t *planned, dt_error *error)
{
    segment->path = path;
    segment->failed = segment->pending = segment->ends = false;
    for (size_t r = 0; r < segment->count; r++)
        cut(&segment->rules[r], planned[r]);
    dt_hdf5_enter();
    segment->failed = !make_tree(segment);
    dt_status status = segment->failed ? dt_hdf5_fail(error, path, "write") : DT_OK;
    dt_hdf5_leave();
    return status;
}

/* The steps that were due and not captured, where there are such. */
static bool put_dropped(const dt_segment *segment, const int64_t *dropped)
{
    bool good = true;
    for (size_t r = 0; good && r < segment->count; r++) {
        if (!segment->rules[r].planned || !dropped[r])
            continue;
        hid_t group = H5Gopen2(segment->id, segment->rules[r].layout->rule->name, H5P_DEFAULT);
        good = dt_hdf5_ok(group) && dt_hdf5_put_integer(group, "dropped", dropped[r]);
        dt_hdf5_close(group);
    }
    return good;
}

static void close_sets(dt_segment *segment)
{
    for (size_t r = 0; r < segment->count; r++)
        for (size_t i = 0; i < segment->rules[r].layout->count; i++) {
            dt_hdf5_close(segment->rules[r].sets[i].id);
            segment->rules[r].sets[i].id = -1;
        }
}

dt_status dt_segment_finish(dt_segment *segment, const int64_t *dropped, dt_error *error)
{
    if (segment->failed)
        return dt_fail(error, DT_IO, "%s: can't be closed after it failed", segment->path);
    dt_status status = DT_OK;
    const char *path = segment->path;
    segment->ends = true;
    dt_hdf5_enter();
    bool good = write_begun_blocks(segment) && make_sets(segment) && put_dropped(segment, dropped) &&
                dt_hdf5_ok(H5Fflush(segment->id, H5F_SCOPE_LOCAL)); /* what fails, fails before the close */
    if (good) {
        close_sets(segment);
        good = dt_hdf5_ok(H5Fclose(segment->id));
    }
    if (!good)
        status = dt_hdf5_fail(error, path, "write");
    dt_hdf5_leave();
    segment->failed = !good;
    if (!good)
        return status;
    segment->path = NULL;
    segment->id = -1;
    return status;
}

/* --- memory for all of a run's --- */

static dt_status allocate(dt_segment *segment, const dt_capture_layout *layouts, size_t count, dt_error *error)
{
    segment->rules = dt_allocate_zeroed(count, sizeof *segment->rules);
    if (!segment->rules)
        return dt_fail_memory(error, "a capture file");
    for (size_t r = 0; r < count; r++) {
        written_rule *rule = &segment->rules[r];
        rule->layout = &layouts[r];
        if (layouts[r].rule->compression == DT_COMPRESSION_GZIP)
            rule->level =
                layouts[r].rule->compression_level ? (int)layouts[r].rule->compression_level : DT_COMPRESS_LEVEL;
        rule->sets = dt_allocate_zeroed(layouts[r].count, sizeof *rule->sets);
        if (!rule->sets)
            return dt_fail_memory(error, "a capture file");
        segment->count = r + 1;
        for (size_t i = 0; i < layouts[r].count; i++) {
            written_set *w = &rule->sets[i];
            dt_capture_set one = layouts[r].sets[i];
            dt_capture_set_cut(&one, 1, 1);
            size_t room = dt_capture_set_block_bytes(&one), usual = dt_capture_set_block_bytes(&layouts[r].sets[i]);
            room = room > usual ? room : usual;
            *w = (written_set){.set = layouts[r].sets[i],
                               .id = -1,
                               .room = room,
                               .most_steps = layouts[r].sets[i].chunk_steps,
                               .block = dt_allocate_array(room, 1)};
            if (!w->block)
                return dt_fail_memory(error, "the chunks of a capture file");
        }
    }
    return DT_OK;
}

static dt_status make_compressor(dt_segment *segment, dt_error *error)
{
    size_t most = 0;
    for (size_t r = 0; r < segment->count; r++)
        for (size_t i = 0; segment->rules[r].level && i < segment->rules[r].layout->count; i++)
            most = segment->rules[r].sets[i].room > most ? segment->rules[r].sets[i].room : most;
    return most ? dt_compressor_create(&segment->compressor, most > DT_CHUNK_MAX ? DT_CHUNK_MAX : most, error) : DT_OK;
}

void dt_segment_destroy(dt_segment *segment)
{
    if (!segment)
        return;
    for (size_t r = 0; segment->rules && r < segment->count; r++) {
        for (size_t i = 0; i < segment->rules[r].layout->count; i++)
            dt_release(segment->rules[r].sets[i].block);
        dt_release(segment->rules[r].sets);
    }
    dt_compressor_destroy(segment->compressor);
    dt_release(segment->rules);
    dt_release(segment);
}

dt_status dt_segment_create(dt_segment **segment, const dt_capture_layout *layouts, size_t count, bool live,
                            dt_error *error)
{
    *segment = NULL;
    dt_segment *s = dt_allocate_zeroed(1, sizeof *s);
    if (!s)
        return dt_fail_memory(error, "a capture file");
    s->id = -1;
    s->live = live;
    dt_status status = allocate(s, layouts, count, error);
    if (status == DT_OK)
        status = make_compressor(s, error);
    if (status == DT_OK)
        *segment = s;
    else
        dt_segment_destroy(s);
    return status;
}
