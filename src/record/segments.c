#include "record/segments.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/split.h"
#include "hdf5/checks.h"
#include "hdf5/hdf5.h"
#include "record/capture_tree.h"
#include "record/segment.h"

/* --- the list --- */

dt_status dt_segments_reserve(dt_segments *segments, dt_error *error)
{
    if (segments->count < segments->room)
        return DT_OK;
    int64_t room = segments->room ? 2 * segments->room : 128;
    int64_t *steps = dt_allocate((size_t)room * segments->rules, sizeof *steps);
    if (!steps)
        return dt_fail_memory(error, "the list of a capture's segments");
    if (segments->count)
        memcpy(steps, segments->steps, (size_t)segments->count * segments->rules * sizeof *steps);
    dt_release(segments->steps);
    segments->steps = steps;
    segments->room = room;
    return DT_OK;
}

void dt_segments_add(dt_segments *segments, const int64_t *steps)
{
    memcpy(segments->steps + (size_t)segments->count++ * segments->rules, steps, segments->rules * sizeof *steps);
}

void dt_segments_clear(dt_segments *segments)
{
    dt_release(segments->steps);
    *segments = (dt_segments){.rules = segments->rules};
}

int64_t dt_segments_safe(const dt_capture_layout *layouts, size_t count, const int64_t *last)
{
    int64_t safe = INT64_MAX;
    for (size_t r = 0; r < count; r++)
        if (layouts[r].rule->queue != DT_QUEUE_DROP)
            safe = dt_min(safe, dt_capture_rule_next(layouts[r].rule, last[r]));
    return safe;
}

void dt_segment_name(int64_t number, char name[DT_SEGMENT_NAME])
{
    snprintf(name, DT_SEGMENT_NAME, "capture/seg-%06" PRId64 ".h5", number);
}

void dt_segment_part_name(int64_t number, char name[DT_SEGMENT_NAME])
{
    snprintf(name, DT_SEGMENT_NAME, "capture/.seg-%06" PRId64 ".h5.part", number);
}

void dt_segment_lost_name(int64_t number, char name[DT_SEGMENT_NAME])
{
    snprintf(name, DT_SEGMENT_NAME, "capture/seg-%06" PRId64 ".h5" DT_SEGMENT_LOST, number);
}

bool dt_segment_is_name(const char *name)
{
    static const char before[] = "capture/seg-", after[] = ".h5";
    enum { DIGITS = 6 };
    if (strncmp(name, before, sizeof before - 1) != 0)
        return false;
    const char *digits = name + sizeof before - 1;
    return strspn(digits, "0123456789") == DIGITS && strcmp(digits + DIGITS, after) == 0;
}

/* --- looking into one --- */

/* In chunks of its own file, unfiltered or by filters that a stock reader has. */
static bool is_stored_plainly(hid_t set)
{
    hid_t creation = H5Dget_create_plist(set);
    bool good = creation >= 0 && H5Pget_layout(creation) == H5D_CHUNKED && !dt_hdf5_storage_fault(creation);
    dt_hdf5_close(creation);
    return good;
}

/* The steps of a set that is shaped as the layout says, or -1. */
static int64_t steps_of(hid_t set, const dt_capture_set *wanted)
{
    hsize_t found[H5S_MAX_RANK], box[DT_CAPTURE_RANK];
    int rank = dt_capture_set_box(wanted, 0, wanted->rows, wanted->columns, box);
    hid_t space = H5Dget_space(set), type = H5Dget_type(set);
    int64_t steps = -1;
    if (space >= 0 && type >= 0 && H5Sget_simple_extent_ndims(space) == rank &&
        H5Sget_simple_extent_dims(space, found, NULL) == rank && H5Tequal(type, dt_capture_set_type(wanted)) > 0 &&
        (rank < 2 || found[1] == box[1]) && (rank < 3 || found[2] == box[2]) && (rank < 4 || found[3] == box[3]) &&
        found[0] <= INT64_MAX)
        steps = (int64_t)found[0];
    dt_hdf5_close(type);
    dt_hdf5_close(space);
    return steps;
}

/* Opens a link that must be a hard one at every level of `path`. */
static hid_t open_set(hid_t file, const char *path)
{
    char part[DT_CAPTURE_PATH];
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", slash ? (int)(slash - path) : (int)strlen(path), path);
        if (!dt_hdf5_is_hard(file, part))
            return -1;
        if (!slash)
            return H5Dopen2(file, path, H5P_DEFAULT);
    }
}

static bool read_step(hid_t set, int64_t place, int64_t *step)
{
    hsize_t start = (hsize_t)place, one = 1;
    hid_t memory = H5Screate_simple(1, &one, NULL), space = H5Dget_space(set);
    bool good = memory >= 0 && space >= 0 &&
                H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &one, NULL) >= 0 &&
                H5Dread(set, H5T_NATIVE_INT64, memory, space, H5P_DEFAULT, step) >= 0;
    dt_hdf5_close(space);
    dt_hdf5_close(memory);
    return good;
}

static int64_t dropped_of(hid_t file, const char *rule)
{
    int64_t dropped = 0;
    hid_t attribute = H5Aexists_by_name(file, rule, "dropped", H5P_DEFAULT) > 0
                          ? H5Aopen_by_name(file, rule, "dropped", H5P_DEFAULT, H5P_DEFAULT)
                          : -1;
    hid_t space = attribute < 0 ? -1 : H5Aget_space(attribute);
    if (space >= 0 && H5Sget_simple_extent_npoints(space) == 1)
        (void)H5Aread(attribute, H5T_NATIVE_INT64, &dropped);
    dt_hdf5_close(space);
    dt_hdf5_close(attribute);
    return dt_max(0, dropped);
}

static const char *look_at_rule(hid_t file, const dt_capture_layout *layout, bool ours, dt_segment_facts *facts)
{
    char path[DT_CAPTURE_PATH];
    *facts = (dt_segment_facts){.first = -1, .last = -1};
    htri_t there = H5Lexists(file, layout->rule->name, H5P_DEFAULT);
    if (there < 0)
        return "can't be read";
    if (!there)
        return NULL; /* none of its steps fell into this segment */
    facts->dropped = dropped_of(file, layout->rule->name);
    for (size_t i = 0; i < layout->count; i++) {
        dt_capture_set_path(layout, &layout->sets[i], path);
        hid_t set = ours ? H5Dopen2(file, path, H5P_DEFAULT) : open_set(file, path);
        if (set < 0)
            return "lacks something that the experiment captures";
        int64_t steps = ours || is_stored_plainly(set) ? steps_of(set, &layout->sets[i]) : -1;
        bool good = steps >= 0 && (i == 0 || steps == facts->steps);
        facts->steps = steps;
        if (good && i == DT_SET_STEP && steps > 0)
            good = read_step(set, 0, &facts->first) && read_step(set, steps - 1, &facts->last);
        dt_hdf5_close(set);
        if (!good)
            return "has not the shapes that the experiment captures";
    }
    return NULL;
}

bool dt_segment_look(const char *path, const dt_capture_layout *layouts, size_t count, bool ours,
                     dt_segment_facts *facts, const char **why)
{
    hid_t file = dt_hdf5_open(path);
    *why = file < 0                                ? "is not an HDF5 file, or is cut short"
           : H5Aexists(file, DT_SEGMENT_MARK) <= 0 ? "is no segment of a capture"
                                                   : NULL;
    for (size_t r = 0; r < count && !*why; r++)
        *why = look_at_rule(file, &layouts[r], ours, &facts[r]);
    if (file >= 0 && H5Fclose(file) < 0)
        *why = "can't be closed";
    return !*why;
}

/* --- the index --- */

/* A rule's data sets as maps to the segments. */
typedef struct map {
    const dt_segments *segments;
    const dt_capture_layout *layout;
    size_t rule;
    int64_t steps; /* in all segments */
} map;

static bool add_segment(const map *m, const dt_capture_set *set, int64_t n, int64_t first, hid_t space, hid_t creation)
{
    char file[DT_SEGMENT_NAME], path[DT_CAPTURE_PATH];
    hsize_t start[DT_CAPTURE_RANK], count[DT_CAPTURE_RANK];
    int rank = dt_capture_set_box(set, m->segments->steps[(size_t)n * m->segments->rules + m->rule], set->rows,
                                  set->columns, count);
    (void)dt_capture_set_place(set, first, 0, 0, start);
    hid_t source = H5Screate_simple(rank, count, NULL);
    dt_segment_name(n, file);
    dt_capture_set_path(m->layout, set, path);
    bool good = dt_hdf5_ok(source) &&
                dt_hdf5_ok(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL)) &&
                dt_hdf5_ok(H5Pset_virtual(creation, space, file, path, source));
    dt_hdf5_close(source);
    return good;
}

/* A virtual data set needs a map; what has no step yet is chunked, as it would be in a segment. */
static bool store(void *context, size_t index, hid_t creation)
{
    const map *m = context;
    const dt_capture_set *set = &m->layout->sets[index];
    hsize_t box[DT_CAPTURE_RANK];
    if (m->steps == 0) {
        int rank = dt_capture_set_box(set, set->chunk_steps, set->chunk_rows, set->chunk_columns, box);
        return dt_hdf5_ok(H5Pset_chunk(creation, rank, box));
    }
    int rank = dt_capture_set_box(set, m->steps, set->rows, set->columns, box);
    hid_t space = H5Screate_simple(rank, box, NULL);
    bool good = dt_hdf5_ok(space);
    int64_t first = 0;
    for (int64_t n = 0; good && n < m->segments->count; n++) {
        int64_t steps = m->segments->steps[(size_t)n * m->segments->rules + m->rule];
        good = steps == 0 || add_segment(m, set, n, first, space, creation);
        first += steps;
    }
    dt_hdf5_close(space);
    return good;
}

static bool make_index(const dt_segments *segments, const char *path, const dt_capture_layout *layouts,
                       const int64_t *dropped, const dt_index_text *text)
{
    hid_t file = dt_hdf5_create(path);
    if (file < 0 || !dt_capture_tree_root(file, text->status, text->experiment, text->provenance))
        return false;
    for (size_t r = 0; r < segments->rules; r++) {
        map m = {segments, &layouts[r], r, 0};
        for (int64_t n = 0; n < segments->count; n++)
            m.steps += segments->steps[(size_t)n * segments->rules + r];
        if (!dt_capture_tree_rule(file, &layouts[r], m.steps, dropped[r], store, &m))
            return false;
    }
    return dt_hdf5_ok(H5Fflush(file, H5F_SCOPE_LOCAL)) && dt_hdf5_ok(H5Fclose(file));
}

dt_status dt_segments_write_index(const dt_segments *segments, const char *path, const dt_capture_layout *layouts,
                                  const int64_t *dropped, const dt_index_text *text, dt_error *error)
{
    dt_new_file made;
    dt_status status = dt_new_file_begin(&made, path, error);
    if (status != DT_OK)
        return status;
    dt_hdf5_enter();
    if (!make_index(segments, made.temporary, layouts, dropped, text))
        status = dt_hdf5_fail(error, path, "write"); /* its handle stays open: see hdf5.h */
    dt_hdf5_leave();
    if (status == DT_OK)
        return dt_new_file_publish(&made, true, error);
    dt_new_file_discard(&made);
    return status;
}
