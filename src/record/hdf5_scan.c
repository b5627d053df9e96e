#include "record/hdf5_scan.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

#include "hdf5/checks.h"
#include "hdf5/hdf5.h"

/* --- one data set --- */

hid_t dt_scan_type(const dt_capture_dataset *set)
{
    if (set->real)
        return set->element == 8 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
    switch (set->element) {
    case 1:
        return set->has_sign ? H5T_NATIVE_INT8 : H5T_NATIVE_UINT8;
    case 2:
        return set->has_sign ? H5T_NATIVE_INT16 : H5T_NATIVE_UINT16;
    case 4:
        return set->has_sign ? H5T_NATIVE_INT32 : H5T_NATIVE_UINT32;
    default:
        return set->has_sign ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
    }
}

/* For whoever copies it; dt_hdf5_storage_fault has looked at them. */
static void keep_filters(hid_t creation, dt_capture_dataset *d)
{
    const int filters = H5Pget_nfilters(creation);
    for (int i = 0; i < filters; i++) {
        unsigned flags, config, value[8] = {0};
        size_t values = 8;
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, value, 0, NULL, &config);
        if (filter == H5Z_FILTER_DEFLATE)
            d->gzip = values > 0 && value[0] <= 9 ? (int)value[0] : 9;
        d->shuffle = d->shuffle || filter == H5Z_FILTER_SHUFFLE;
    }
}

static const char *storage_fault(hid_t creation, dt_capture_dataset *d)
{
    hsize_t chunk[DT_DATASET_RANK];
    const H5D_layout_t layout = H5Pget_layout(creation);
    d->gzip = -1;
    d->is_virtual = layout == H5D_VIRTUAL;
    const char *fault = d->is_virtual ? NULL : dt_hdf5_storage_fault(creation);
    if (fault || layout != H5D_CHUNKED)
        return fault;
    if (H5Pget_chunk(creation, DT_DATASET_RANK, chunk) != d->rank)
        return "has chunks that can't be read";
    for (int i = 0; i < d->rank; i++)
        d->chunk[i] = (int64_t)chunk[i];
    keep_filters(creation, d);
    return NULL;
}

static const char *type_fault(hid_t type, dt_capture_dataset *d)
{
    H5T_class_t class = H5Tget_class(type);
    size_t size = H5Tget_size(type);
    d->real = class == H5T_FLOAT;
    d->element = (int)(size <= 8 ? size : 0);
    d->has_sign = d->real || H5Tget_sign(type) == H5T_SGN_2;
    const bool is_real = d->real && (size == 4 || size == 8);
    const bool is_integer = class == H5T_INTEGER && (size == 1 || size == 2 || size == 4 || size == 8);
    return is_real || is_integer ? NULL : "does not hold numbers of the kind that belongs there";
}

/* Deflate packs 1032 to 1 at most, so that a small file can't claim a large size. */
static const char *size_fault(const dt_capture_dataset *d)
{
    enum { PACKED = 1040, SLACK = 1 << 20 };
    int64_t bytes = d->element;
    for (int i = 0; i < d->rank; i++)
        if (d->size[i] < 0 || d->size[i] > INT64_MAX / 4096 || __builtin_mul_overflow(bytes, d->size[i], &bytes))
            return "has a size that no capture has";
    if (!d->is_virtual && bytes / (d->gzip >= 0 ? PACKED : 2) > d->stored + SLACK)
        return "claims more numbers than it holds";
    return NULL;
}

static const char *shape_fault(hid_t space, dt_capture_dataset *d, bool *grows)
{
    hsize_t size[DT_DATASET_RANK], most[DT_DATASET_RANK];
    d->rank = 1;
    if (H5Sget_simple_extent_type(space) != H5S_SIMPLE)
        return "is no array";
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 1 || rank > DT_DATASET_RANK || H5Sget_simple_extent_dims(space, size, most) != rank)
        return "has the wrong number of dimensions";
    d->rank = rank;
    for (int i = 0; i < rank; i++)
        d->size[i] = size[i] > INT64_MAX ? -1 : (int64_t)size[i];
    *grows = most[0] == H5S_UNLIMITED;
    return NULL;
}

static herr_t keep_axis(hid_t set, unsigned dimension, hid_t scale, void *context)
{
    dt_capture_dataset *d = context;
    char name[DT_DATASET_NAME];
    ssize_t length = H5Iget_name(scale, name, sizeof name);
    (void)set;
    if (length > 0 && length < (ssize_t)sizeof name)
        snprintf(d->axis[dimension], sizeof d->axis[dimension], "%s", name);
    return 1; /* the first is enough */
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static void find_axes(hid_t set, dt_capture_dataset *d, bool grows)
{
    d->is_scale = H5DSis_scale(set) > 0;
    for (int i = 0; i < d->rank; i++)
        if (!d->is_scale)
            (void)H5DSiterate_scales(set, (unsigned)i, NULL, keep_axis, d);
    if (d->is_scale)
        snprintf(d->axis[0], sizeof d->axis[0], "%s", d->name);
    d->has_steps = d->axis[0][0] ? ends_with(d->axis[0], "/step") : grows;
}

static void keep_fill(hid_t creation, dt_capture_dataset *d)
{
    H5D_fill_value_t kind;
    d->has_fill = H5Pfill_value_defined(creation, &kind) >= 0 && kind == H5D_FILL_VALUE_USER_DEFINED &&
                  H5Pget_fill_value(creation, dt_scan_type(d), d->fill) >= 0;
}

void dt_scan_describe(hid_t set, const char *name, dt_capture_dataset *d)
{
    bool grows = false;
    memset(d, 0, sizeof *d);
    d->rank = 1;
    snprintf(d->name, sizeof d->name, "%s", name);
    hid_t type = H5Dget_type(set), space = H5Dget_space(set), creation = H5Dget_create_plist(set);
    const char *fault = "can't be opened";
    if (type >= 0 && space >= 0 && creation >= 0) {
        d->stored = (int64_t)H5Dget_storage_size(set);
        fault = type_fault(type, d);
        fault = fault ? fault : shape_fault(space, d, &grows);
        fault = fault ? fault : storage_fault(creation, d);
        fault = fault ? fault : size_fault(d);
        if (!fault) {
            find_axes(set, d, grows);
            keep_fill(creation, d);
        }
    }
    if (fault)
        snprintf(d->fault, sizeof d->fault, "%s", fault);
    dt_hdf5_close(creation);
    dt_hdf5_close(space);
    dt_hdf5_close(type);
}

bool dt_scan_is_hard(hid_t file, const char *name)
{
    char part[DT_DATASET_NAME];
    size_t length = strlen(name);
    if (length >= sizeof part || *name != '/')
        return false;
    for (size_t i = 1; i <= length; i++) {
        if (name[i] != '/' && name[i] != '\0')
            continue;
        memcpy(part, name, i);
        part[i] = '\0';
        if (!dt_hdf5_is_hard(file, part))
            return false;
    }
    return true;
}

/* --- all of a file --- */

typedef struct walk {
    dt_scan_visit visit;
    void *context;
    int depth, sets, links;
    char name[DT_DATASET_NAME];
    dt_capture_dataset description;
    const char *fault;
} walk;

static herr_t step_in(hid_t group, const char *link_name, const H5L_info_t *link, void *context);

static herr_t descend(hid_t group, walk *w)
{
    hsize_t from = 0;
    if (w->depth + 1 >= DT_SCAN_DEPTH)
        return 0;
    w->depth++;
    herr_t result = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &from, step_in, w);
    w->depth--;
    if (result < 0 && !w->fault)
        w->fault = "has a group that can't be read";
    return w->fault ? -1 : result;
}

static herr_t step_in(hid_t group, const char *link_name, const H5L_info_t *link, void *context)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    walk *w = context;
    const size_t length = strlen(w->name), more = strlen(link_name);
    if (++w->links > DT_SCAN_LINKS || w->sets >= DT_SCAN_SETS) {
        w->fault = "has more data sets than any capture";
        return -1;
    }
    if (link->type != H5L_TYPE_HARD || strspn(link_name, letters) != more || length + 1 + more >= sizeof w->name)
        return 0; /* nothing of ours */
    hid_t object = H5Oopen(group, link_name, H5P_DEFAULT);
    if (object < 0) {
        w->fault = "has an object that can't be opened";
        return -1;
    }
    w->name[length] = '/';
    memcpy(w->name + length + 1, link_name, more + 1);
    herr_t result = 0;
    if (H5Iget_type(object) == H5I_GROUP) {
        result = descend(object, w);
    } else if (H5Iget_type(object) == H5I_DATASET) {
        w->sets++;
        dt_scan_describe(object, w->name, &w->description);
        result = w->visit(w->context, &w->description) ? 0 : -1;
    }
    w->name[length] = '\0';
    dt_hdf5_close(object);
    return result;
}

const char *dt_scan_file(hid_t file, dt_scan_visit visit, void *context)
{
    static walk w; /* of the child alone */
    memset(&w, 0, sizeof w);
    w.visit = visit;
    w.context = context;
    hsize_t from = 0;
    if (H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &from, step_in, &w) < 0 && !w.fault)
        w.fault = "has a list of rules that can't be read";
    return w.fault;
}
