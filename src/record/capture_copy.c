#include "record/capture_copy.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "hdf5/hdf5.h"
#include "record/capture_read.h"
#include "record/hdf5_scan.h"

enum { PART_BYTES = 16 << 20 };

typedef struct copy {
    dt_capture_reader *source, *made; /* made: the copy, read again */
    const dt_copy_options *options;
    const char *path;
    hid_t file, set, links;
    bool broken; /* HDF5 failed: the file is not touched again (hdf5.h) */
    const dt_capture_dataset *at;
    char *buffer, *other; /* (PART_BYTES) each */
} copy;

/* --- chunks --- */

static bool is_axis(const dt_capture_dataset *set, int i, const char *name)
{
    const char *slash = strrchr(set->axis[i], '/');
    return slash && strcmp(slash + 1, name) == 0;
}

/* A step a chunk, several where they are small, parts of one where it is large. */
static void chunk_by_step(const dt_capture_dataset *set, int64_t chunk[DT_DATASET_RANK])
{
    enum { TARGET = 64 << 10, LARGEST = 1 << 20 };
    int64_t bytes = set->element;
    for (int i = 1; i < set->rank; i++)
        bytes *= chunk[i] = set->size[i];
    chunk[0] = dt_max(1, dt_min(TARGET / dt_max(bytes, 1), dt_max(set->size[0], 1)));
    for (int i = 1; i < set->rank && bytes > LARGEST;) {
        if (chunk[i] == 1) {
            i++;
            continue;
        }
        bytes = bytes / chunk[i] * dt_ceil_div(chunk[i], 2);
        chunk[i] = dt_ceil_div(chunk[i], 2);
    }
}

/* One unit with all that belongs to it, as many steps as make a chunk; more units where the run is short. */
static void chunk_by_unit(const dt_capture_dataset *set, int64_t chunk[DT_DATASET_RANK])
{
    enum { TARGET = 256 << 10 };
    int unit = -1;
    int64_t numbers = 1, most = TARGET / set->element;
    for (int i = 1; i < set->rank; i++)
        unit = is_axis(set, i, "unit") ? i : unit;
    for (int i = 1; i < set->rank; i++)
        numbers *= chunk[i] = i == unit ? 1 : set->size[i];
    for (int i = 1; i < set->rank && numbers > most; i++) /* what belongs to a unit is larger than a chunk */
        while (chunk[i] > 1 && numbers > most) {
            numbers = numbers / chunk[i] * dt_ceil_div(chunk[i], 2);
            chunk[i] = dt_ceil_div(chunk[i], 2);
        }
    chunk[0] = dt_max(1, dt_min(most / dt_max(numbers, 1), dt_max(set->size[0], 1)));
    if (unit > 0)
        chunk[unit] = dt_max(1, dt_min(set->size[unit], most / dt_max(numbers * chunk[0], 1)));
}

/* Up to 64 steps of an eighth of the last dimension, cut further where that is more than a chunk. */
static void chunk_by_both(const dt_capture_dataset *set, int64_t chunk[DT_DATASET_RANK])
{
    enum { TARGET = 256 << 10, STEPS = 64, SMALL_STEPS = 1024 };
    int64_t step = 1, most = TARGET / set->element;
    for (int i = 1; i < set->rank; i++)
        step *= chunk[i] = set->size[i];
    chunk[0] = dt_max(1, dt_min(set->size[0], dt_min(SMALL_STEPS, dt_max(STEPS, most / 4 / dt_max(step, 1)))));
    if (chunk[0] * step > most && set->rank > 1)
        chunk[set->rank - 1] = dt_ceil_div(chunk[set->rank - 1], 8);
    for (;;) {
        int longest = 0;
        int64_t numbers = 1;
        for (int i = 0; i < set->rank; i++) {
            numbers *= chunk[i];
            longest = chunk[i] > chunk[longest] ? i : longest;
        }
        if (numbers <= most || chunk[longest] == 1)
            return;
        chunk[longest] = dt_ceil_div(chunk[longest], 2);
    }
}

void dt_copy_chunk(const dt_capture_dataset *set, dt_copy_chunks chunks, int64_t chunk[DT_DATASET_RANK])
{
    memcpy(chunk, set->chunk, sizeof set->chunk);
    if (!set->has_steps || chunks == DT_CHUNKS_KEPT)
        return;
    (chunks == DT_CHUNKS_STEP ? chunk_by_step : chunks == DT_CHUNKS_UNIT ? chunk_by_unit : chunk_by_both)(set, chunk);
    for (int i = 0; i < set->rank; i++)
        chunk[i] = dt_max(1, chunk[i]);
}

/* --- the tree --- */

static bool set_storage(const copy *c, const dt_capture_dataset *set, hid_t creation)
{
    int64_t chunk[DT_DATASET_RANK];
    hsize_t sizes[DT_DATASET_RANK];
    dt_copy_chunk(set, c->options->chunks, chunk);
    bool good = !set->has_fill || dt_hdf5_ok(H5Pset_fill_value(creation, dt_scan_type(set), set->fill));
    if (chunk[0] == 0)
        return good;
    for (int i = 0; i < set->rank; i++)
        sizes[i] = (hsize_t)chunk[i];
    const bool shuffle = c->options->filters_kept ? set->shuffle : c->options->gzip && set->element > 1;
    const int level = c->options->filters_kept ? set->gzip : c->options->gzip ? 4 : -1;
    return good && dt_hdf5_ok(H5Pset_chunk(creation, set->rank, sizes)) &&
           (!shuffle || dt_hdf5_ok(H5Pset_shuffle(creation))) &&
           (level < 0 || dt_hdf5_ok(H5Pset_deflate(creation, (unsigned)level)));
}

static bool make_set(const copy *c, const dt_capture_dataset *set)
{
    hsize_t size[DT_DATASET_RANK], most[DT_DATASET_RANK];
    for (int i = 0; i < set->rank; i++)
        size[i] = most[i] = (hsize_t)set->size[i];
    if (set->has_steps)
        most[0] = H5S_UNLIMITED;
    hid_t space = H5Screate_simple(set->rank, size, most), creation = H5Pcreate(H5P_DATASET_CREATE), id = -1;
    bool good =
        dt_hdf5_ok(space) && dt_hdf5_ok(creation) && set_storage(c, set, creation) &&
        dt_hdf5_ok(id = H5Dcreate2(c->file, set->name, dt_scan_type(set), space, c->links, creation, H5P_DEFAULT)) &&
        (!set->is_scale || dt_hdf5_ok(H5DSset_scale(id, strrchr(set->name, '/') + 1)));
    dt_hdf5_close(id);
    dt_hdf5_close(creation);
    dt_hdf5_close(space);
    return good;
}

static bool attach_axes(const copy *c, const dt_capture_dataset *set)
{
    hid_t id = H5Dopen2(c->file, set->name, H5P_DEFAULT);
    bool good = dt_hdf5_ok(id);
    for (int i = 0; good && i < set->rank; i++) {
        const dt_capture_dataset *scale = dt_capture_reader_find(c->source, set->axis[i][0] ? set->axis[i] : "/");
        hid_t axis = scale && scale->is_scale ? H5Dopen2(c->file, scale->name, H5P_DEFAULT) : -1;
        good = axis < 0 || dt_hdf5_ok(H5DSattach_scale(id, axis, (unsigned)i));
        dt_hdf5_close(axis);
    }
    dt_hdf5_close(id);
    return good;
}

/* Stops HDF5 for this file where `good` is false. Between enter and leave. */
static dt_status settle(copy *c, bool good, dt_error *error)
{
    dt_status status = good ? DT_OK : dt_hdf5_fail(error, c->path, "write");
    c->broken = c->broken || !good;
    dt_hdf5_leave();
    return status;
}

static dt_status make_sets(copy *c, dt_error *error)
{
    const dt_capture_dataset *set;
    dt_hdf5_enter();
    c->links = H5Pcreate(H5P_LINK_CREATE);
    bool good = dt_hdf5_ok(c->links) && dt_hdf5_ok(H5Pset_create_intermediate_group(c->links, 1));
    for (size_t i = 0; good && (set = dt_capture_reader_at(c->source, i)); i++)
        good = make_set(c, set);
    for (size_t i = 0; good && (set = dt_capture_reader_at(c->source, i)); i++)
        good = set->is_scale || attach_axes(c, set);
    dt_hdf5_close(c->links);
    return settle(c, good, error);
}

/* --- attributes --- */

static bool put_numbers(hid_t object, const dt_hdf5_attribute *a)
{
    const dt_capture_dataset like = {.real = a->real, .has_sign = a->has_sign, .element = a->element};
    hsize_t count = (hsize_t)a->count;
    hid_t space = a->count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, NULL), attribute = -1;
    bool good =
        dt_hdf5_ok(space) &&
        dt_hdf5_ok(attribute = H5Acreate2(object, a->name, dt_scan_type(&like), space, H5P_DEFAULT, H5P_DEFAULT)) &&
        dt_hdf5_ok(H5Awrite(attribute, dt_scan_type(&like), a->value));
    dt_hdf5_close(attribute);
    dt_hdf5_close(space);
    return good;
}

static const char *text_of(const copy *c, const char *object, const dt_hdf5_attribute *a)
{
    const bool is_status = strcmp(object, "/") == 0 && strcmp(a->name, "status") == 0;
    return is_status && c->options->status ? c->options->status : a->value;
}

typedef dt_status (*attribute_visit)(copy *c, const char *object, const dt_hdf5_attribute *a, dt_error *error);

static dt_status put_attribute(copy *c, const char *object, const dt_hdf5_attribute *a, dt_error *error)
{
    dt_hdf5_enter();
    hid_t id = H5Oopen(c->file, object, H5P_DEFAULT);
    bool good = dt_hdf5_ok(id) && (a->text ? dt_hdf5_put_text(id, a->name, text_of(c, object, a)) : put_numbers(id, a));
    dt_hdf5_close(id);
    return settle(c, good, error);
}

static dt_status for_attributes_of(copy *c, const char *object, attribute_visit visit, dt_error *error)
{
    const char *path = dt_capture_reader_sound(c->source);
    dt_status status = DT_OK;
    bool found = true;
    for (int64_t i = 0; status == DT_OK && found; i++) {
        dt_hdf5_attribute a;
        status = dt_hdf5_reader_attribute(dt_capture_reader_hdf5(c->source), path, object, i, &a, &found, error);
        if (status == DT_OK && found && a.name[0])
            status = visit(c, object, &a, error);
    }
    return status;
}

/* Of the root, of every group, of every data set. */
static dt_status for_attributes(copy *c, attribute_visit visit, dt_error *error)
{
    const dt_capture_dataset *set;
    char group[DT_DATASET_NAME], last[DT_DATASET_NAME] = "/";
    dt_status status = for_attributes_of(c, "/", visit, error);
    for (size_t i = 0; status == DT_OK && (set = dt_capture_reader_at(c->source, i)); i++) {
        for (size_t n = 1; set->name[n] && status == DT_OK; n++) {
            if (set->name[n] != '/')
                continue;
            memcpy(group, set->name, n);
            group[n] = '\0';
            if (strncmp(last, group, n) == 0 && (last[n] == '/' || last[n] == '\0'))
                continue; /* seen with the set before: sets of a group stand together */
            snprintf(last, sizeof last, "%s", group);
            status = for_attributes_of(c, group, visit, error);
        }
        if (status == DT_OK)
            status = for_attributes_of(c, set->name, visit, error);
    }
    return status;
}

/* --- numbers --- */

static dt_status write_part(void *context, const int64_t *start, const int64_t *count, dt_error *error)
{
    copy *c = context;
    hsize_t from[DT_DATASET_RANK], some[DT_DATASET_RANK];
    dt_status status = dt_capture_reader_read(c->source, c->at, start, count, c->buffer, error);
    if (status != DT_OK)
        return status;
    for (int i = 0; i < c->at->rank; i++) {
        from[i] = (hsize_t)start[i];
        some[i] = (hsize_t)count[i];
    }
    dt_hdf5_enter();
    hid_t memory = H5Screate_simple(c->at->rank, some, NULL), space = H5Dget_space(c->set);
    bool good = dt_hdf5_ok(memory) && dt_hdf5_ok(space) &&
                dt_hdf5_ok(H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, some, NULL)) &&
                dt_hdf5_ok(H5Dwrite(c->set, dt_scan_type(c->at), memory, space, H5P_DEFAULT, c->buffer));
    dt_hdf5_close(space);
    dt_hdf5_close(memory);
    return settle(c, good, error);
}

static dt_status compare_part(void *context, const int64_t *start, const int64_t *count, dt_error *error)
{
    copy *c = context;
    size_t bytes = (size_t)c->at->element;
    for (int i = 0; i < c->at->rank; i++)
        bytes *= (size_t)count[i];
    const dt_capture_dataset *made = dt_capture_reader_find(c->made, c->at->name);
    dt_status status = dt_capture_reader_read(c->source, c->at, start, count, c->buffer, error);
    if (status == DT_OK)
        status = dt_capture_reader_read(c->made, made, start, count, c->other, error);
    if (status == DT_OK && memcmp(c->buffer, c->other, bytes) != 0)
        status =
            dt_fail(error, DT_IO, "%s: %s does not read back as it was written; check the disk", c->path, c->at->name);
    return status;
}

static dt_status for_numbers(copy *c, dt_part_visit visit, dt_error *error)
{
    static const int64_t zero[DT_DATASET_RANK];
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && (c->at = dt_capture_reader_at(c->source, i)); i++) {
        int64_t grain[DT_DATASET_RANK];
        dt_copy_chunk(c->at, c->options->chunks, grain);
        if (visit == write_part) {
            dt_hdf5_enter();
            c->set = H5Dopen2(c->file, c->at->name, H5P_DEFAULT);
            status = settle(c, dt_hdf5_ok(c->set), error);
        }
        if (status == DT_OK)
            status = dt_for_parts(c->at->rank, zero, c->at->size, grain, PART_BYTES / c->at->element, visit, c, error);
        if (visit == write_part && !c->broken) {
            dt_hdf5_enter();
            dt_status closed = settle(c, dt_hdf5_ok(H5Dclose(c->set)), error);
            status = status == DT_OK ? closed : status;
        }
    }
    return status;
}

/* --- all of it --- */

static dt_status compare_attribute(copy *c, const char *object, const dt_hdf5_attribute *a, dt_error *error)
{
    dt_hdf5_attribute b;
    bool found = false;
    dt_status status = dt_hdf5_reader_named(dt_capture_reader_hdf5(c->made), dt_capture_reader_sound(c->made), object,
                                            a->name, &b, &found, error);
    if (status != DT_OK)
        return status;
    const char *text = a->text ? text_of(c, object, a) : NULL;
    const bool same = found && a->text == b.text && a->real == b.real &&
                      (text ? strcmp(text, b.value) == 0
                            : a->element == b.element && a->count == b.count &&
                                  memcmp(a->value, b.value, (size_t)a->count * (size_t)a->element) == 0);
    return same ? DT_OK
                : dt_fail(error, DT_IO, "%s: attribute %s of %s does not read back as it was written; check the disk",
                          c->path, a->name, object);
}

static dt_status compare(copy *c, const char *written, dt_error *error)
{
    const dt_capture_dataset *a, *b;
    dt_status status = dt_capture_reader_open(&c->made, written, DT_CAPTURE_WHOLE, error);
    for (size_t i = 0; status == DT_OK && (a = dt_capture_reader_at(c->source, i)); i++) {
        b = dt_capture_reader_find(c->made, a->name);
        bool same = b && a->rank == b->rank && a->real == b->real && a->element == b->element &&
                    a->is_scale == b->is_scale && memcmp(a->size, b->size, (size_t)a->rank * sizeof *a->size) == 0;
        for (int d = 0; same && d < a->rank; d++)
            same = strcmp(a->axis[d], b->axis[d]) == 0;
        if (!same)
            status =
                dt_fail(error, DT_IO, "%s: %s has another shape than was written; check the disk", c->path, a->name);
    }
    if (status == DT_OK)
        status = for_numbers(c, compare_part, error);
    if (status == DT_OK)
        status = for_attributes(c, compare_attribute, error);
    dt_capture_reader_close(c->made);
    c->made = NULL;
    return status;
}

static dt_status write_file(copy *c, const char *temporary, dt_error *error)
{
    dt_hdf5_enter();
    c->file = dt_hdf5_create(temporary);
    dt_status status = settle(c, c->file >= 0, error);
    if (status == DT_OK)
        status = make_sets(c, error);
    if (status == DT_OK)
        status = for_attributes(c, put_attribute, error);
    if (status == DT_OK)
        status = for_numbers(c, write_part, error);
    if (c->broken)
        return status;
    dt_hdf5_enter();
    dt_status closed = settle(c, dt_hdf5_ok(H5Fclose(c->file)), error);
    return status == DT_OK ? closed : status;
}

static dt_status publish(const copy *c, dt_new_file *made, dt_error *error)
{
    if (!c->options->beside)
        return dt_new_file_publish(made, c->options->replace, error);
    dt_release(made->path);
    made->path = dt_duplicate(c->path);
    if (!made->path) {
        dt_new_file_discard(made);
        return dt_fail_memory(error, "a file name");
    }
    dt_status status = dt_new_file_publish(made, c->options->replace, error);
    return status == DT_OK ? dt_sync_folder(c->path, error) : status;
}

dt_status dt_capture_copy(dt_capture_reader *source, const char *path, const dt_copy_options *options, dt_error *error)
{
    copy c = {.source = source, .options = options, .path = path, .file = -1, .set = -1, .links = -1};
    dt_new_file made;
    if (!options->replace && access(path, F_OK) == 0)
        return dt_fail(error, DT_EXISTS, "%s: exists already; choose another name", path);
    if (!dt_capture_reader_at(source, 0))
        return dt_fail(error, DT_NOT_FOUND, "%s: has nothing to copy", dt_capture_reader_path(source));
    c.buffer = dt_allocate(PART_BYTES, 1);
    c.other = dt_allocate(PART_BYTES, 1);
    dt_status status = c.buffer && c.other ? DT_OK : dt_fail_memory(error, "parts of a capture");
    if (status == DT_OK &&
        (status = dt_new_file_begin(&made, options->beside ? options->beside : path, error)) == DT_OK) {
        status = write_file(&c, made.temporary, error);
        if (status == DT_OK)
            status = compare(&c, made.temporary, error);
        if (status == DT_OK)
            status = publish(&c, &made, error);
        else
            dt_new_file_discard(&made);
    }
    dt_release(c.buffer);
    dt_release(c.other);
    return status;
}
