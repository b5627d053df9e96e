#include "plot/figures.h"

#include <math.h>
#include <string.h>

#include "hdf5/hdf5.h"

enum { CACHE_BYTES = 32 << 20, CACHE_SLOTS = 12421 };

bool dt_is_rule_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const size_t length = strlen(name);
    return length >= 1 && length < DT_RULE_NAME && strspn(name, letters) == length;
}

bool dt_number_set_exists(hid_t file, const char *name)
{
    H5L_info_t link;
    return H5Lexists(file, name, H5P_DEFAULT) > 0 && H5Lget_info(file, name, &link, H5P_DEFAULT) >= 0 &&
           link.type == H5L_TYPE_HARD;
}

void dt_number_set_close(dt_number_set *set)
{
    dt_hdf5_close(set->space);
    dt_hdf5_close(set->id);
    *set = (dt_number_set){.id = -1, .space = -1};
}

static const char *storage_fault(hid_t creation)
{
    H5D_layout_t layout = H5Pget_layout(creation);
    if ((layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED) || H5Pget_external_count(creation) != 0)
        return "is stored in a way that is not allowed";
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

/* All that can be said before a number is read. */
static const char *fault_of(dt_number_set *set, hid_t type, hid_t creation, H5T_class_t class, int rank)
{
    const char *fault = storage_fault(creation);
    if (fault)
        return fault;
    if (H5Tget_class(type) != class || H5Tget_size(type) > sizeof(double))
        return "does not hold numbers of the kind that belongs there";
    set->extent[0] = set->extent[1] = set->extent[2] = 1;
    if (H5Sget_simple_extent_type(set->space) != H5S_SIMPLE || H5Sget_simple_extent_ndims(set->space) != rank ||
        H5Sget_simple_extent_dims(set->space, set->extent, NULL) != rank)
        return "has the wrong number of dimensions";
    if (set->extent[0] > INT64_MAX / 2 || set->extent[1] > INT32_MAX || set->extent[2] > INT32_MAX ||
        set->extent[1] * set->extent[2] > INT32_MAX)
        return "has a size that no capture has";
    return NULL;
}

/* Chunks hold several steps: those of one step stay in memory for the next. */
static hid_t open_with_cache(hid_t file, const char *name)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS), id = -1;
    if (access >= 0 && H5Pset_chunk_cache(access, CACHE_SLOTS, CACHE_BYTES, 1.0) >= 0)
        id = H5Dopen2(file, name, access);
    dt_hdf5_close(access);
    return id;
}

const char *dt_number_set_open(hid_t file, const char *name, H5T_class_t class, int rank, dt_number_set *set)
{
    hid_t type = -1, creation = -1;
    *set = (dt_number_set){.id = dt_number_set_exists(file, name) ? open_with_cache(file, name) : -1, .space = -1};
    const char *fault = "is missing, a link, or no data set";
    if (set->id >= 0 && (type = H5Dget_type(set->id)) >= 0 && (set->space = H5Dget_space(set->id)) >= 0 &&
        (creation = H5Dget_create_plist(set->id)) >= 0)
        fault = fault_of(set, type, creation, class, rank);
    dt_hdf5_close(creation);
    dt_hdf5_close(type);
    if (fault)
        dt_number_set_close(set);
    return fault;
}

/* Rows and columns of one step into memory. */
static bool read_part(const dt_number_set *set, hid_t type, const hsize_t start[3], const hsize_t count[3], void *to)
{
    hsize_t numbers = count[0] * count[1] * count[2];
    hid_t memory = H5Screate_simple(1, &numbers, NULL);
    bool good = memory >= 0 && H5Sselect_hyperslab(set->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                H5Dread(set->id, type, memory, set->space, H5P_DEFAULT, to) >= 0;
    dt_hdf5_close(memory);
    return good;
}

bool dt_number_set_read(const dt_number_set *set, const hsize_t start[3], const hsize_t count[3], double *to)
{
    return read_part(set, H5T_NATIVE_DOUBLE, start, count, to);
}

bool dt_number_set_read_integers(const dt_number_set *set, const hsize_t start[3], const hsize_t count[3], int64_t *to)
{
    return read_part(set, H5T_NATIVE_INT64, start, count, to);
}

bool dt_number_set_integer(const dt_number_set *set, int64_t step, int64_t *value)
{
    return read_part(set, H5T_NATIVE_INT64, (hsize_t[]){(hsize_t)step, 0, 0}, (hsize_t[]){1, 1, 1}, value);
}

static void add_numbers(dt_tally *t, const double *numbers, hsize_t count)
{
    for (hsize_t i = 0; i < count; i++) {
        t->row_squares += numbers[i] * numbers[i];
        t->row_zeros += numbers[i] == 0;
        t->row_nans += isnan(numbers[i]) != 0;
    }
}

static void end_row(dt_tally *t, hsize_t columns)
{
    t->squares += t->row_squares;
    if (t->row_nans < (int64_t)columns) {
        t->norms += sqrt(t->row_squares);
        t->rows++;
        t->zeros += t->row_zeros;
        t->all += (int64_t)columns;
    }
    t->row_squares = 0;
    t->row_zeros = t->row_nans = 0;
}

/* In parts that fit in memory: whole rows, or pieces of one row. */
bool dt_tally_step(const dt_number_set *set, int64_t step, double *numbers, dt_tally *t)
{
    hsize_t rows = set->extent[1], columns = set->extent[2];
    hsize_t most = columns && columns < DT_NUMBERS_MAX ? DT_NUMBERS_MAX / columns : 1, some;
    for (hsize_t row = 0; row < rows; row += some) {
        some = rows - row < most ? rows - row : most;
        for (hsize_t column = 0, width; column < columns; column += width) {
            width = columns - column < DT_NUMBERS_MAX ? columns - column : DT_NUMBERS_MAX;
            if (!read_part(set, H5T_NATIVE_DOUBLE, (hsize_t[]){(hsize_t)step, row, column}, (hsize_t[]){1, some, width},
                           numbers))
                return false;
            for (hsize_t i = 0; i < some; i++) {
                add_numbers(t, numbers + i * width, width);
                if (column + width == columns)
                    end_row(t, columns);
            }
        }
    }
    return true;
}
