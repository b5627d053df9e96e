#include "hdf5/checks.h"

#include <stdio.h>
#include <string.h>

#include "hdf5/hdf5.h"

bool dt_hdf5_is_hard(hid_t file, const char *name)
{
    H5L_info_t link;
    return H5Lget_info(file, name, &link, H5P_DEFAULT) >= 0 && link.type == H5L_TYPE_HARD;
}

const char *dt_hdf5_storage_fault(hid_t creation)
{
    H5D_layout_t layout = H5Pget_layout(creation);
    if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
        return "is stored in a way that is not allowed";
    if (H5Pget_external_count(creation) != 0)
        return "is stored in another file";
    int filters = H5Pget_nfilters(creation);
    for (int i = 0; i < filters; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
            return "has a filter that is not allowed";
    }
    return filters < 0 ? "has filters that can't be read" : NULL;
}

bool dt_hdf5_get_text(hid_t object, const char *name, char *to, size_t size)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), type = -1, space = -1, memory = -1;
    bool good = attribute >= 0 && (type = H5Aget_type(attribute)) >= 0 && (space = H5Aget_space(attribute)) >= 0 &&
                H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1;
    to[0] = '\0';
    if (good && H5Tis_variable_str(type) > 0) {
        char *text = NULL;
        good = H5Aread(attribute, type, &text) >= 0 && text && strlen(text) < size;
        if (good)
            memcpy(to, text, strlen(text) + 1);
    } else if (good) {
        good = H5Tget_size(type) <= size && (memory = H5Tcopy(H5T_C_S1)) >= 0 && H5Tset_size(memory, size) >= 0 &&
               H5Aread(attribute, memory, to) >= 0;
        to[size - 1] = '\0';
    }
    dt_hdf5_close(memory);
    dt_hdf5_close(space);
    dt_hdf5_close(type);
    dt_hdf5_close(attribute);
    return good;
}

bool dt_hdf5_get_integer(hid_t object, const char *name, int64_t *value)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), space = -1, type = -1;
    bool good = attribute >= 0 && (space = H5Aget_space(attribute)) >= 0 && (type = H5Aget_type(attribute)) >= 0 &&
                H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == 1 &&
                H5Aread(attribute, H5T_NATIVE_INT64, value) >= 0;
    dt_hdf5_close(type);
    dt_hdf5_close(space);
    dt_hdf5_close(attribute);
    return good;
}

/* Every group on the way, and the last name. */
static bool is_hard_all_the_way(hid_t file, const char *path)
{
    char part[256];
    if (strlen(path) >= sizeof part || *path != '/')
        return false;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (!dt_hdf5_is_hard(file, part))
            return false;
    }
    return dt_hdf5_is_hard(file, path);
}

static const char *read_checked(hid_t set, hid_t type, int rank, const hsize_t *size, void *to)
{
    hsize_t found[H5S_MAX_RANK];
    hid_t stored = H5Dget_type(set), space = H5Dget_space(set), creation = H5Dget_create_plist(set);
    const char *fault = creation < 0 ? "can't be read" : dt_hdf5_storage_fault(creation);
    if (!fault && H5Tequal(stored, type) <= 0)
        fault = "does not hold numbers of the right type";
    if (!fault && (H5Sget_simple_extent_ndims(space) != rank || H5Sget_simple_extent_dims(space, found, NULL) != rank))
        fault = "has the wrong number of dimensions";
    for (int i = 0; !fault && i < rank; i++)
        if (found[i] != size[i])
            fault = "has another size";
    if (!fault && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0)
        fault = "can't be read";
    dt_hdf5_close(creation);
    dt_hdf5_close(space);
    dt_hdf5_close(stored);
    return fault;
}

const char *dt_hdf5_read(hid_t file, const char *path, hid_t type, int rank, const hsize_t *size, void *to)
{
    if (!is_hard_all_the_way(file, path))
        return "is missing or a link";
    hid_t set = H5Oopen(file, path, H5P_DEFAULT);
    const char *fault = set < 0 || H5Iget_type(set) != H5I_DATASET ? "is no data set" : NULL;
    if (!fault)
        fault = read_checked(set, type, rank, size, to);
    dt_hdf5_close(set);
    return fault;
}
