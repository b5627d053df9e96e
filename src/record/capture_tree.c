#include "record/capture_tree.h"

#include <hdf5_hl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "record/capture_words.h"

/* A rule in the making. */
typedef struct maker {
    const dt_capture_layout *layout;
    int64_t steps;
    dt_capture_storage storage;
    void *context;
    hid_t *ids;
} maker;

/* The dimension scales of a group. Those of a rule are `step` and `sample`, `worker` and the bins where there are such
 * sets, those of a layer `unit` and `input`. -1: none. */
typedef struct axes {
    hid_t step, sample, worker, bin[2], unit, input; /* bin: of histograms, of those of magnitudes */
} axes;

/* `outer` and `inner` stand for the rows of a partial gradient. */
static int arrange(const dt_capture_set *set, int64_t step, int64_t outer, int64_t inner, int64_t row, int64_t column,
                   hsize_t box[DT_CAPTURE_RANK])
{
    const hsize_t r = (hsize_t)row, c = (hsize_t)column;
    box[0] = (hsize_t)step;
    box[1] = box[2] = box[3] = 1;
    switch (set->shape) {
    case DT_SHAPE_SCALAR:
        return 1;
    case DT_SHAPE_IDS:
    case DT_SHAPE_VECTOR:
    case DT_SHAPE_BINS:
        box[1] = c;
        return 2;
    case DT_SHAPE_PARTIAL_MATRIX:
        box[1] = (hsize_t)outer;
        box[2] = (hsize_t)inner;
        box[3] = c;
        return 4;
    case DT_SHAPE_PARTIAL_VECTOR:
    case DT_SHAPE_SAMPLES:
    case DT_SHAPE_MATRIX:
    case DT_SHAPE_UNIT_BINS:
        break;
    }
    box[1] = r;
    box[2] = c;
    return 3;
}

int dt_capture_set_box(const dt_capture_set *set, int64_t steps, int64_t rows, int64_t columns,
                       hsize_t box[DT_CAPTURE_RANK])
{
    const int64_t inner = set->inner ? set->inner : 1, outer = rows > inner ? rows / inner : 1;
    return arrange(set, steps, outer, rows > inner ? inner : rows, rows, columns, box);
}

int dt_capture_set_place(const dt_capture_set *set, int64_t step, int64_t row, int64_t column,
                         hsize_t place[DT_CAPTURE_RANK])
{
    const int64_t inner = set->inner ? set->inner : 1;
    int rank = arrange(set, step, row / inner, row % inner, row, column, place);
    for (int i = rank; i < DT_CAPTURE_RANK; i++)
        place[i] = 0;
    return rank;
}

hid_t dt_capture_set_type(const dt_capture_set *set)
{
    return set->integers ? H5T_NATIVE_INT64 : dt_hdf5_real(set->element == sizeof(double) ? DT_FLOAT64 : DT_FLOAT32);
}

bool dt_capture_tree_root(hid_t file, const char *status, const char *experiment_text, const char *provenance)
{
    return dt_hdf5_put_text(file, "format", "deltoid-capture") &&
           dt_hdf5_put_integer(file, "format_version", DT_CAPTURE_FORMAT_VERSION) &&
           dt_hdf5_put_text(file, "status", status) && dt_hdf5_put_text(file, "experiment", experiment_text) &&
           dt_hdf5_put_text(file, "provenance", provenance);
}

void dt_capture_set_path(const dt_capture_layout *layout, const dt_capture_set *set, char path[DT_CAPTURE_PATH])
{
    if (set->layer < 0)
        snprintf(path, DT_CAPTURE_PATH, "/%s/%s", layout->rule->name, set->name);
    else
        snprintf(path, DT_CAPTURE_PATH, "/%s/layer%02" PRId64 "/%s", layout->rule->name, set->layer, set->name);
}

hid_t dt_capture_set_create(const dt_capture_set *set, hid_t place, const char *path, hid_t links, int64_t steps,
                            dt_capture_storage storage, void *context, size_t index)
{
    hsize_t size[DT_CAPTURE_RANK], most[DT_CAPTURE_RANK];
    int rank = dt_capture_set_box(set, steps, set->rows, set->columns, size);
    (void)dt_capture_set_box(set, steps, set->rows, set->columns, most);
    most[0] = H5S_UNLIMITED;
    int64_t none = -1;
    double nan = NAN;
    hid_t id = -1, type = dt_capture_set_type(set), space = H5Screate_simple(rank, size, most);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), access = H5Pcreate(H5P_DATASET_ACCESS);
    if (dt_hdf5_ok(space) && dt_hdf5_ok(creation) && dt_hdf5_ok(access) &&
        dt_hdf5_ok(H5Pset_obj_track_times(creation, false)) &&
        dt_hdf5_ok(set->integers ? H5Pset_fill_value(creation, H5T_NATIVE_INT64, &none)
                                 : H5Pset_fill_value(creation, H5T_NATIVE_DOUBLE, &nan)) &&
        dt_hdf5_ok(H5Pset_chunk_cache(access, 1, 0, 1.0)) && storage(context, index, creation)) {
        id = H5Dcreate2(place, path, type, space, links, creation, access);
        (void)dt_hdf5_ok(id);
    }
    dt_hdf5_close(access);
    dt_hdf5_close(creation);
    dt_hdf5_close(space);
    return id;
}

/* _FillValue, of the data set's own type, as netCDF wants it. */
static bool put_fill_value(hid_t id, const dt_capture_set *set)
{
    double nan = NAN;
    hid_t space = H5Screate(H5S_SCALAR), attribute = -1;
    bool good = dt_hdf5_ok(space) &&
                dt_hdf5_ok(attribute = H5Acreate2(id, "_FillValue", dt_capture_set_type(set), space, H5P_DEFAULT,
                                                  H5P_DEFAULT)) &&
                dt_hdf5_ok(H5Awrite(attribute, H5T_NATIVE_DOUBLE, &nan));
    dt_hdf5_close(attribute);
    dt_hdf5_close(space);
    return good;
}

static bool put_numbers(hid_t id, const char *name, const double *numbers, int64_t count)
{
    const hsize_t size = (hsize_t)count;
    hid_t space = H5Screate_simple(1, &size, NULL), attribute = -1;
    bool good = dt_hdf5_ok(space) &&
                dt_hdf5_ok(attribute = H5Acreate2(id, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT)) &&
                dt_hdf5_ok(H5Awrite(attribute, H5T_NATIVE_DOUBLE, numbers));
    dt_hdf5_close(attribute);
    dt_hdf5_close(space);
    return good;
}

/* The edges between a histogram's first and last bin. */
static bool put_edges(hid_t id, const dt_capture_layout *layout, const dt_capture_set *set)
{
    double edges[DT_CAPTURE_EDGES];
    const dt_statistic statistic = set->item->statistic;
    if (statistic != DT_STATISTIC_HISTOGRAM && statistic != DT_STATISTIC_LOG_HISTOGRAM)
        return true;
    return put_numbers(id, "edges", edges, dt_capture_edges(&layout->rule->histogram, statistic, edges));
}

static bool describe(hid_t id, const char *long_name, const char *units, const char *equation, const char *scaling)
{
    return dt_hdf5_put_text(id, "long_name", long_name) && dt_hdf5_put_text(id, "units", units) &&
           dt_hdf5_put_text(id, "equation", equation) && dt_hdf5_put_text(id, "scaling", scaling);
}

static bool describe_set(hid_t id, const dt_capture_layout *layout, const dt_capture_set *set)
{
    dt_capture_words words;
    dt_capture_describe(layout, set, &words);
    return describe(id, words.long_name, words.units, words.equation, words.scaling) &&
           (set->integers || put_fill_value(id, set)) && (!set->item || put_edges(id, layout, set));
}

/* step, epoch, sample_id */
static bool describe_index(hid_t id, int which, bool fixed_rows)
{
    switch (which) {
    case DT_SET_STEP:
        return describe(id, "steps done before this one, from 0", "1", "none", "none");
    case DT_SET_EPOCH:
        return describe(id, "epoch of the step, from 0", "1", "none", "none");
    default:
        break;
    }
    const char *name = fixed_rows
                           ? "row of the training set, the same at every step"
                           : "row of the training set; -1 where a short minibatch has no sample, whose values are NaN";
    return describe(id, name, "1", "none", "none");
}

static bool make_set(hid_t group, const maker *m, size_t i)
{
    const dt_capture_set *set = &m->layout->sets[i];
    m->ids[i] = dt_capture_set_create(set, group, set->name, H5P_DEFAULT, m->steps, m->storage, m->context, i);
    return m->ids[i] >= 0;
}

static bool attach(hid_t id, const dt_capture_set *set, const axes *scales)
{
    const hid_t bin = set->item ? scales->bin[set->item->statistic == DT_STATISTIC_LOG_HISTOGRAM] : (hid_t)-1;
    hid_t order[DT_CAPTURE_RANK] = {scales->step, scales->unit, scales->input, -1};
    hsize_t box[DT_CAPTURE_RANK];
    switch (set->shape) {
    case DT_SHAPE_IDS:
    case DT_SHAPE_SAMPLES:
        order[1] = scales->sample;
        order[2] = scales->unit;
        break;
    case DT_SHAPE_BINS:
        order[1] = bin;
        break;
    case DT_SHAPE_UNIT_BINS:
        order[2] = bin;
        break;
    case DT_SHAPE_PARTIAL_MATRIX:
    case DT_SHAPE_PARTIAL_VECTOR:
        order[1] = scales->worker;
        order[2] = scales->unit;
        order[3] = scales->input;
        break;
    case DT_SHAPE_SCALAR:
    case DT_SHAPE_MATRIX:
    case DT_SHAPE_VECTOR:
        break;
    }
    bool good = true;
    for (int i = 0; good && i < dt_capture_set_box(set, 0, set->rows, set->columns, box); i++)
        good = dt_hdf5_ok(H5DSattach_scale(id, order[i], (unsigned)i));
    return good;
}

/* The numbers of the units that the rule shows of layer l, `count` of them; NULL: 0 .. count-1. */
static int64_t *shown_units(const dt_capture_layout *layout, int64_t l)
{
    int64_t *units = dt_allocate((size_t)layout->shown[l], sizeof *units);
    for (int64_t j = 0; units && j < layout->units[l]; j++)
        if (!layout->place[l] || layout->place[l][j] >= 0)
            units[layout->place[l] ? layout->place[l][j] : j] = j;
    return units;
}

static hid_t make_unit_axis(hid_t layer, const dt_capture_layout *layout, int64_t l)
{
    int64_t *units = shown_units(layout, l);
    hid_t axis = -1;
    if (!units)
        (void)dt_hdf5_out_of_memory();
    else if ((axis = dt_hdf5_axis(layer, "unit", layout->shown[l], "unit of the layer")) >= 0 &&
             !dt_hdf5_ok(H5Dwrite(axis, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, units))) {
        dt_hdf5_close(axis);
        axis = -1;
    }
    dt_release(units);
    return axis;
}

/* The group of layer l, its axes, its data sets: those of the layout from `first` on that are of this layer. */
static bool make_layer(hid_t group, const maker *m, size_t first, axes scales)
{
    const dt_capture_layout *layout = m->layout;
    int64_t l = layout->sets[first].layer;
    char name[32];
    snprintf(name, sizeof name, "layer%02" PRId64, l);
    hid_t layer = H5Gcreate2(group, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool needs_input = false;
    for (size_t i = first; i < layout->count && layout->sets[i].layer == l; i++)
        needs_input =
            needs_input || layout->sets[i].shape == DT_SHAPE_MATRIX || layout->sets[i].shape == DT_SHAPE_PARTIAL_MATRIX;

    scales.unit = scales.input = -1;
    bool good = dt_hdf5_ok(layer) && (scales.unit = make_unit_axis(layer, layout, l)) >= 0;
    if (good && needs_input)
        good = (scales.input = dt_hdf5_axis(layer, "input", layout->units[l - 1], "unit of the layer before")) >= 0;
    for (size_t i = first; good && i < layout->count && layout->sets[i].layer == l; i++)
        good = make_set(layer, m, i) && describe_set(m->ids[i], layout, &layout->sets[i]) &&
               attach(m->ids[i], &layout->sets[i], &scales);
    dt_hdf5_close(scales.input);
    dt_hdf5_close(scales.unit);
    dt_hdf5_close(layer);
    return good;
}

/* Axes that only some sets need. */
static bool make_more_axes(hid_t group, const dt_capture_layout *layout, axes *scales)
{
    bool good = true;
    for (size_t i = 0; good && i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        const bool log = set->item && set->item->statistic == DT_STATISTIC_LOG_HISTOGRAM;
        if (set->inner && scales->worker < 0)
            good = (scales->worker =
                        dt_hdf5_axis(group, "worker", layout->groups, "worker of the team, or group of workers")) >= 0;
        if ((set->shape == DT_SHAPE_BINS || set->shape == DT_SHAPE_UNIT_BINS) && scales->bin[log] < 0)
            good = (scales->bin[log] = dt_hdf5_axis(group, log ? "log_bin" : "bin", set->columns,
                                                    log ? "bin: 0 zeros, 1 below the first edge, the last from the "
                                                          "last edge on; see the attribute edges"
                                                        : "bin: 0 below the first edge, the last from the last edge "
                                                          "on; see the attribute edges")) >= 0;
    }
    return good;
}

/* step, which is the rule's first dimension scale; sample; epoch and sample_id. */
static bool make_indices(hid_t group, const maker *m, axes *scales)
{
    const dt_capture_layout *layout = m->layout;
    scales->sample =
        dt_hdf5_axis(group, "sample", layout->samples, "place in the minibatch or in the rule's list of rows");
    bool good = scales->sample >= 0;
    for (int i = 0; good && i < DT_SET_FIRST_QUANTITY; i++)
        good = make_set(group, m, (size_t)i) && describe_index(m->ids[i], i, layout->rule->samples == DT_SAMPLES_ROWS);
    scales->step = m->ids[DT_SET_STEP];
    return good && dt_hdf5_ok(H5DSset_scale(scales->step, "step")) &&
           attach(m->ids[DT_SET_EPOCH], &layout->sets[DT_SET_EPOCH], scales) &&
           attach(m->ids[DT_SET_SAMPLE_ID], &layout->sets[DT_SET_SAMPLE_ID], scales) &&
           make_more_axes(group, layout, scales);
}

bool dt_capture_tree_rule(hid_t file, const dt_capture_layout *layout, int64_t steps, int64_t dropped,
                          dt_capture_storage storage, void *context)
{
    hid_t *ids = dt_allocate(layout->count, sizeof *ids);
    if (!ids)
        return dt_hdf5_out_of_memory();
    for (size_t i = 0; i < layout->count; i++)
        ids[i] = -1;
    maker m = {layout, steps, storage, context, ids};
    axes scales = {.step = -1, .sample = -1, .worker = -1, .bin = {-1, -1}, .unit = -1, .input = -1};
    hid_t group = H5Gcreate2(file, layout->rule->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = dt_hdf5_ok(group) && dt_hdf5_put_integer(group, "dropped", dropped) && make_indices(group, &m, &scales);
    for (size_t i = DT_SET_FIRST_QUANTITY; good && i < layout->count; i++)
        if (layout->sets[i].layer < 0)
            good = make_set(group, &m, i) && describe_set(ids[i], layout, &layout->sets[i]) &&
                   attach(ids[i], &layout->sets[i], &scales);
        else if (layout->sets[i].layer != layout->sets[i - 1].layer)
            good = make_layer(group, &m, i, scales);
    dt_hdf5_close(scales.bin[0]);
    dt_hdf5_close(scales.bin[1]);
    dt_hdf5_close(scales.worker);
    dt_hdf5_close(scales.sample);
    dt_hdf5_close(group);
    for (size_t i = 0; i < layout->count; i++)
        dt_hdf5_close(ids[i]);
    dt_release(ids);
    return good;
}
