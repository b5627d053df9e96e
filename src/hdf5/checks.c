#include "hdf5/checks.h"

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
