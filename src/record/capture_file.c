#include "record/capture_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "hdf5/hdf5.h"
#include "record/capture_tree.h"

/* One data set of the file. Its block holds steps steps/chunk_steps*chunk_steps .. steps-1 as chunks in row-major order
 * of the grid (rows / chunk_rows, columns / chunk_columns), each (chunk_steps, chunk_rows, chunk_columns). */
typedef struct written_set {
    const dt_capture_set *set;
    hid_t id;
    char *block;
    int64_t flushed; /* steps of the block that the file has */
    int64_t extent;  /* steps that the data set's dimension says */
} written_set;

typedef struct written_rule {
    const dt_capture_layout *layout;
    written_set *sets;
    int64_t steps; /* appended */
} written_rule;

struct dt_capture_file {
    char *path;
    hid_t id;
    bool failed;  /* then HDF5 is not called any more for this file */
    bool pending; /* something was appended since the last flush */
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
    const dt_capture_set *s = w->set;
    int64_t across = dt_ceil_div(s->columns, s->chunk_columns);
    size_t numbers = (size_t)(s->chunk_rows * s->chunk_columns);
    size_t index = (size_t)(row / s->chunk_rows * across + column / s->chunk_columns);
    return (chunk){.row = row,
                   .column = column,
                   .rows = dt_min(s->chunk_rows, s->rows - row),
                   .columns = dt_min(s->chunk_columns, s->columns - column),
                   .numbers = numbers,
                   .bytes = w->block + index * (size_t)s->chunk_steps * numbers * s->element};
}

/* Cuts one dense step into place `position` of the block's chunks. */
static void put_step(written_set *w, const char *dense, int64_t position)
{
    const dt_capture_set *s = w->set;
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
    const dt_capture_set *s = w->set;
    size_t step = c->numbers * s->element;
    hsize_t at[DT_CAPTURE_RANK];
    (void)dt_capture_set_place(s, base, c->row, c->column, at);
    fill(c->bytes + (size_t)steps * step, (size_t)(s->chunk_steps - steps) * c->numbers, s);
    return dt_hdf5_ok(H5Dwrite_chunk(w->id, H5P_DEFAULT, 0, at, (size_t)s->chunk_steps * step, c->bytes));
}

/* Of a chunk that the file has, steps `first` .. `last` - 1 of the block: one run of bytes here and there. */
static bool write_part(written_set *w, const chunk *c, int64_t base, int64_t first, int64_t last)
{
    const dt_capture_set *s = w->set;
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

/* Brings the file to `steps` steps of the set, all of which are in the block or in the file. */
static bool write_until(written_set *w, int64_t steps)
{
    const dt_capture_set *s = w->set;
    if (w->extent >= steps)
        return true;
    hsize_t extent[DT_CAPTURE_RANK];
    (void)dt_capture_set_box(s, steps, s->rows, s->columns, extent);
    if (!dt_hdf5_ok(H5Dset_extent(w->id, extent)))
        return false;
    w->extent = steps;

    int64_t base = (steps - 1) / s->chunk_steps * s->chunk_steps, last = steps - base;
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

dt_status dt_capture_file_append(dt_capture_file *file, size_t layout, const void *slot, dt_error *error)
{
    written_rule *rule = &file->rules[layout];
    if (file->failed)
        return dt_fail(error, DT_IO, "%s: takes no more steps after it failed", file->path);
    bool good = true;
    rule->steps++;
    file->pending = true;
    for (size_t i = 0; i < rule->layout->count; i++) {
        written_set *w = &rule->sets[i];
        int64_t position = (rule->steps - 1) % w->set->chunk_steps;
        put_step(w, (const char *)slot + w->set->offset, position);
        if (position < w->set->chunk_steps - 1)
            continue;
        dt_hdf5_enter();
        good = write_until(w, rule->steps);
        if (!good) {
            file->failed = true;
            dt_hdf5_fail(error, file->path, "write");
        }
        dt_hdf5_leave();
        if (!good)
            return DT_IO;
    }
    return DT_OK;
}

static bool write_begun_blocks(dt_capture_file *file)
{
    for (size_t r = 0; r < file->count; r++)
        for (size_t i = 0; i < file->rules[r].layout->count; i++)
            if (!write_until(&file->rules[r].sets[i], file->rules[r].steps))
                return false;
    return true;
}

dt_status dt_capture_file_flush(dt_capture_file *file, dt_error *error)
{
    if (file->failed)
        return dt_fail(error, DT_IO, "%s: can't be flushed after it failed", file->path);
    if (!file->pending)
        return DT_OK;
    int descriptor = -1;
    dt_status status = DT_OK;
    dt_hdf5_enter();
    if (!write_begun_blocks(file) || !dt_hdf5_ok(H5Fflush(file->id, H5F_SCOPE_LOCAL)) ||
        (descriptor = dt_hdf5_descriptor(file->id)) < 0)
        status = dt_hdf5_fail(error, file->path, "write");
    dt_hdf5_leave();
    if (status == DT_OK)
        status = dt_sync(descriptor, file->path, error); /* without the lock: it may take long */
    file->failed = status != DT_OK;
    file->pending = false;
    return status;
}

/* --- making and closing --- */

static dt_status allocate(dt_capture_file *file, const dt_capture_layout *layouts, size_t count, dt_error *error)
{
    file->rules = dt_allocate_zeroed(count, sizeof *file->rules);
    if (!file->rules)
        return dt_fail_memory(error, "a capture file");
    for (size_t r = 0; r < count; r++) {
        written_rule *rule = &file->rules[r];
        rule->layout = &layouts[r];
        rule->sets = dt_allocate_zeroed(layouts[r].count, sizeof *rule->sets);
        if (!rule->sets)
            return dt_fail_memory(error, "a capture file");
        file->count = r + 1;
        for (size_t i = 0; i < layouts[r].count; i++) {
            written_set *w = &rule->sets[i];
            size_t bytes = dt_capture_set_block_bytes(&layouts[r].sets[i]);
            *w = (written_set){.set = &layouts[r].sets[i], .id = -1, .block = dt_allocate_array(bytes, 1)};
            if (!w->block)
                return dt_fail_memory(error, "the chunks of a capture file");
        }
    }
    for (size_t r = 0; r < count; r++) /* what hangs over an edge stays so for ever */
        for (size_t i = 0; i < layouts[r].count; i++)
            fill(file->rules[r].sets[i].block,
                 dt_capture_set_block_bytes(&layouts[r].sets[i]) / layouts[r].sets[i].element, &layouts[r].sets[i]);
    return DT_OK;
}

static void release(dt_capture_file *file)
{
    for (size_t r = 0; r < file->count; r++) {
        for (size_t i = 0; i < file->rules[r].layout->count; i++)
            dt_release(file->rules[r].sets[i].block);
        dt_release(file->rules[r].sets);
    }
    dt_release(file->rules);
    dt_release(file->path);
    dt_release(file);
}

/* Closes all handles; not for a file that failed (see hdf5.h). */
static bool close_handles(dt_capture_file *file)
{
    for (size_t r = 0; r < file->count; r++)
        for (size_t i = 0; i < file->rules[r].layout->count; i++)
            dt_hdf5_close(file->rules[r].sets[i].id);
    return file->id < 0 || dt_hdf5_ok(H5Fclose(file->id));
}

static bool make_tree(dt_capture_file *file, const char *path, const char *experiment_text, const char *provenance)
{
    file->id = dt_hdf5_create(path);
    if (file->id < 0 || !dt_capture_tree_root(file->id, experiment_text, provenance))
        return false;
    for (size_t r = 0; r < file->count; r++) {
        const dt_capture_layout *layout = file->rules[r].layout;
        for (size_t i = 0; i < layout->count; i++)
            file->rules[r].sets[i].id = -1;
        hid_t *ids = dt_allocate(layout->count, sizeof *ids);
        bool good = ids ? dt_capture_tree_rule(file->id, layout, ids) : dt_hdf5_out_of_memory();
        for (size_t i = 0; good && i < layout->count; i++)
            file->rules[r].sets[i].id = ids[i];
        dt_release(ids);
        if (!good)
            return false;
    }
    return true;
}

/* Under a temporary name until it can be read: a run that is killed here leaves no broken file. */
static dt_status make_file(dt_capture_file *file, const char *experiment_text, const char *provenance, dt_error *error)
{
    dt_new_file made;
    dt_status status = dt_new_file_begin(&made, file->path, error);
    if (status != DT_OK)
        return status;
    dt_hdf5_enter();
    if (!make_tree(file, made.temporary, experiment_text, provenance))
        status = dt_hdf5_fail(error, file->path, "create");
    dt_hdf5_leave();
    file->failed = status == DT_IO;
    file->pending = true;
    if (status == DT_OK)
        status = dt_capture_file_flush(file, error);
    if (status == DT_OK)
        return dt_new_file_publish(&made, false, error);
    dt_new_file_discard(&made);
    return status;
}

dt_status dt_capture_file_create(dt_capture_file **file, const char *path, const dt_capture_layout *layouts,
                                 size_t count, const char *experiment_text, const char *provenance, dt_error *error)
{
    *file = NULL;
    dt_capture_file *f = dt_allocate_zeroed(1, sizeof *f);
    if (!f)
        return dt_fail_memory(error, "a capture file");
    f->id = -1;
    f->path = dt_duplicate(path);
    dt_status status = f->path ? allocate(f, layouts, count, error) : dt_fail_memory(error, "a file name");
    if (status != DT_OK) {
        release(f);
        return status;
    }

    status = make_file(f, experiment_text, provenance, error);
    if (status == DT_OK) {
        *file = f;
        return DT_OK;
    }
    if (!f->failed) {
        dt_hdf5_enter();
        close_handles(f);
        dt_hdf5_leave();
    }
    release(f);
    return status;
}

dt_status dt_capture_file_close(dt_capture_file *file, const char *status_text, dt_error *error)
{
    int descriptor = -1;
    file->pending = true;
    dt_status status = dt_capture_file_flush(file, error);
    if (status == DT_OK) {
        dt_hdf5_enter();
        int own = -1;
        if (!dt_hdf5_replace_text(file->id, "status", status_text) ||
            !dt_hdf5_ok(H5Fflush(file->id, H5F_SCOPE_LOCAL)) || (own = dt_hdf5_descriptor(file->id)) < 0)
            status = dt_hdf5_fail(error, file->path, "write");
        descriptor = status == DT_OK ? dup(own) : -1; /* the end of the file is set when it is closed */
        if (status == DT_OK && !close_handles(file))
            status = dt_hdf5_fail(error, file->path, "close");
        dt_hdf5_leave();
    }
    if (status == DT_OK && descriptor >= 0)
        status = dt_sync(descriptor, file->path, error);
    if (descriptor >= 0)
        close(descriptor);
    release(file);
    return status;
}
