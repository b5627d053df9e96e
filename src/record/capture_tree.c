#include "record/capture_tree.h"

#include <hdf5_hl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* The dimension scales of a group. Those of a rule are `step` and `sample`, those of a layer `unit` and `input`. */
typedef struct axes {
    hid_t step, sample, unit, input;
} axes;

int dt_capture_set_rank(const dt_capture_set *set)
{
    switch (set->shape) {
    case DT_SHAPE_SCALAR:
        return 1;
    case DT_SHAPE_IDS:
    case DT_SHAPE_VECTOR:
        return 2;
    case DT_SHAPE_SAMPLES:
    case DT_SHAPE_MATRIX:
        break;
    }
    return 3;
}

static bool holds_integers(const dt_capture_set *set)
{
    return set->shape == DT_SHAPE_SCALAR || set->shape == DT_SHAPE_IDS;
}

hid_t dt_capture_set_type(const dt_capture_set *set)
{
    return holds_integers(set) ? H5T_NATIVE_INT64
                               : dt_hdf5_real(set->element == sizeof(double) ? DT_FLOAT64 : DT_FLOAT32);
}

bool dt_capture_tree_root(hid_t file, const char *experiment_text, const char *provenance)
{
    return dt_hdf5_put_text(file, "format", "deltoid-capture") &&
           dt_hdf5_put_integer(file, "format_version", DT_CAPTURE_FORMAT_VERSION) &&
           dt_hdf5_put_text(file, "status", "running") && dt_hdf5_put_text(file, "experiment", experiment_text) &&
           dt_hdf5_put_text(file, "provenance", provenance);
}

/* Chunked, the step dimension unlimited, filled with NaN or -1. Its chunks never enter HDF5's cache: they are written
 * whole, or in one run of bytes each. */
static hid_t make_set(hid_t group, const dt_capture_set *set)
{
    int rank = dt_capture_set_rank(set);
    hsize_t size[3] = {0, (hsize_t)set->rows, (hsize_t)set->columns};
    hsize_t most[3] = {H5S_UNLIMITED, (hsize_t)set->rows, (hsize_t)set->columns};
    hsize_t chunk[3] = {(hsize_t)set->chunk_steps, (hsize_t)set->chunk_rows, (hsize_t)set->chunk_columns};
    if (rank == 2) {
        size[1] = most[1] = (hsize_t)set->columns;
        chunk[1] = (hsize_t)set->chunk_columns;
    }
    int64_t none = -1;
    double nan = NAN;
    hid_t id = -1, type = dt_capture_set_type(set), space = H5Screate_simple(rank, size, most);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), access = H5Pcreate(H5P_DATASET_ACCESS);
    if (dt_hdf5_ok(space) && dt_hdf5_ok(creation) && dt_hdf5_ok(access) &&
        dt_hdf5_ok(H5Pset_chunk(creation, rank, chunk)) &&
        dt_hdf5_ok(holds_integers(set) ? H5Pset_fill_value(creation, H5T_NATIVE_INT64, &none)
                                       : H5Pset_fill_value(creation, H5T_NATIVE_DOUBLE, &nan)) &&
        dt_hdf5_ok(H5Pset_chunk_cache(access, 1, 0, 1.0))) {
        id = H5Dcreate2(group, set->name, type, space, H5P_DEFAULT, creation, access);
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

static bool describe(hid_t id, const char *long_name, const char *units, const char *equation, const char *scaling)
{
    return dt_hdf5_put_text(id, "long_name", long_name) && dt_hdf5_put_text(id, "units", units) &&
           dt_hdf5_put_text(id, "equation", equation) && dt_hdf5_put_text(id, "scaling", scaling);
}

static bool describe_quantity(hid_t id, const dt_capture_layout *layout, const dt_capture_set *set)
{
    const dt_quantity_facts *facts = dt_quantity_facts_of(set->quantity);
    const char *long_name = facts->long_name, *equation = facts->equation;
    if (set->layer == layout->layers) {
        long_name = facts->last_long_name ? facts->last_long_name : long_name;
        equation = facts->last_equation ? facts->last_equation : equation;
    }
    if (set->layer == 0) {
        long_name = "inputs x of the network, scaled as the experiment says";
        equation = "(1) a^0 = x";
    }
    return describe(id, long_name, "1", equation, facts->scaling) && put_fill_value(id, set);
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

static bool attach(hid_t id, const dt_capture_set *set, const axes *scales)
{
    hid_t second = set->shape == DT_SHAPE_IDS || set->shape == DT_SHAPE_SAMPLES ? scales->sample : scales->unit;
    hid_t third = set->shape == DT_SHAPE_SAMPLES ? scales->unit : scales->input;
    int rank = dt_capture_set_rank(set);
    return dt_hdf5_ok(H5DSattach_scale(id, scales->step, 0)) &&
           (rank < 2 || dt_hdf5_ok(H5DSattach_scale(id, second, 1))) &&
           (rank < 3 || dt_hdf5_ok(H5DSattach_scale(id, third, 2)));
}

/* The group of layer l, its axes, its data sets: those of the layout from `first` on that are of this layer. */
static bool make_layer(hid_t group, const dt_capture_layout *layout, size_t first, axes scales, hid_t *ids)
{
    int64_t l = layout->sets[first].layer;
    char name[32];
    snprintf(name, sizeof name, "layer%02" PRId64, l);
    hid_t layer = H5Gcreate2(group, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool needs_input = false;
    for (size_t i = first; i < layout->count && layout->sets[i].layer == l; i++)
        needs_input = needs_input || layout->sets[i].shape == DT_SHAPE_MATRIX;

    scales.unit = scales.input = -1;
    bool good =
        dt_hdf5_ok(layer) && (scales.unit = dt_hdf5_axis(layer, "unit", layout->units[l], "unit of the layer")) >= 0;
    if (good && needs_input)
        good = (scales.input = dt_hdf5_axis(layer, "input", layout->units[l - 1], "unit of the layer before")) >= 0;
    for (size_t i = first; good && i < layout->count && layout->sets[i].layer == l; i++)
        good = (ids[i] = make_set(layer, &layout->sets[i])) >= 0 &&
               describe_quantity(ids[i], layout, &layout->sets[i]) && attach(ids[i], &layout->sets[i], &scales);
    dt_hdf5_close(scales.input);
    dt_hdf5_close(scales.unit);
    dt_hdf5_close(layer);
    return good;
}

/* step, which is the rule's first dimension scale; sample; epoch and sample_id. */
static bool make_indices(hid_t group, const dt_capture_layout *layout, axes *scales, hid_t *ids)
{
    scales->sample =
        dt_hdf5_axis(group, "sample", layout->samples, "place in the minibatch or in the rule's list of rows");
    bool good = scales->sample >= 0;
    for (int i = 0; good && i < DT_SET_FIRST_QUANTITY; i++)
        good = (ids[i] = make_set(group, &layout->sets[i])) >= 0 &&
               describe_index(ids[i], i, layout->rule->samples == DT_SAMPLES_ROWS);
    scales->step = ids[DT_SET_STEP];
    return good && dt_hdf5_ok(H5DSset_scale(scales->step, "step")) &&
           attach(ids[DT_SET_EPOCH], &layout->sets[DT_SET_EPOCH], scales) &&
           attach(ids[DT_SET_SAMPLE_ID], &layout->sets[DT_SET_SAMPLE_ID], scales);
}

bool dt_capture_tree_rule(hid_t file, const dt_capture_layout *layout, hid_t *ids)
{
    for (size_t i = 0; i < layout->count; i++)
        ids[i] = -1;
    axes scales = {.step = -1, .sample = -1, .unit = -1, .input = -1};
    hid_t group = H5Gcreate2(file, layout->rule->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool good = dt_hdf5_ok(group) && make_indices(group, layout, &scales, ids);
    for (size_t i = DT_SET_FIRST_QUANTITY; good && i < layout->count; i++)
        if (layout->sets[i].layer != layout->sets[i - 1].layer)
            good = make_layer(group, layout, i, scales, ids);
    dt_hdf5_close(scales.sample);
    dt_hdf5_close(group);
    for (size_t i = 0; !good && i < layout->count; i++) {
        dt_hdf5_close(ids[i]);
        ids[i] = -1;
    }
    return good;
}
