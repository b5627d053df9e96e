#include "plot/figures.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hdf5/checks.h"
#include "hdf5/hdf5.h"
#include "record/segments.h"

enum { PATH_ROOM = 128, CACHE_BYTES = 32 << 20, CACHE_SLOTS = 12421 };

bool dt_is_rule_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const size_t length = strlen(name);
    return length >= 1 && length < DT_RULE_NAME && strspn(name, letters) == length;
}

static herr_t keep_rule(hid_t file, const char *name, const H5L_info_t *link, void *context)
{
    dt_rule_list *rules = context;
    (void)file;
    if (link->type == H5L_TYPE_HARD && dt_is_rule_name(name) && rules->count < DT_RULES_MAX)
        snprintf(rules->name[rules->count++], DT_RULE_NAME, "%s", name);
    return 0;
}

bool dt_rule_list_read(hid_t file, dt_rule_list *rules)
{
    hsize_t from = 0;
    rules->count = 0;
    return H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, &from, keep_rule, rules) >= 0;
}

dt_status dt_fail_set(const char *path, const char *set, const char *why, dt_error *error)
{
    return dt_fail(error, DT_MALFORMED, "%s: %s %s; use a copy that is sound", path, set, why);
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

static const char *type_fault(hid_t type, H5T_class_t class)
{
    return H5Tget_class(type) != class || H5Tget_size(type) > sizeof(double)
               ? "does not hold numbers of the kind that belongs there"
               : NULL;
}

/* --- a set of the index, whose numbers lie in segments --- */

/* Is each step of the way a link within the file? */
static bool is_within(hid_t file, const char *name)
{
    char part[PATH_ROOM];
    for (const char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (slash - name >= PATH_ROOM)
            return false;
        snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
        if (!dt_number_set_exists(file, part))
            return false;
    }
    return dt_number_set_exists(file, name);
}

/* Opens a source as carefully as the index itself: it may be as hostile. */
static const char *source_fault(const char *path, const char *name, H5T_class_t class)
{
    struct stat there;
    if (lstat(path, &there) != 0 || !S_ISREG(there.st_mode))
        return "has a part in a segment that is missing, or no regular file";
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = -1, creation = -1, type = -1;
    const char *fault = "has a part in a segment that is no sound HDF5 file, or lacks it";
    if (file >= 0 && is_within(file, name) && (set = H5Dopen2(file, name, H5P_DEFAULT)) >= 0 &&
        (creation = H5Dget_create_plist(set)) >= 0 && (type = H5Dget_type(set)) >= 0) {
        fault = dt_hdf5_storage_fault(creation);
        fault = fault ? "has a part in a segment that is stored in a way that is not allowed" : type_fault(type, class);
    }
    dt_hdf5_close(type);
    dt_hdf5_close(creation);
    dt_hdf5_close(set);
    if (file >= 0)
        (void)H5Fclose(file);
    return fault;
}

/* The file's folder with its slash, as HDF5 looks for sources; false where it is too long, or its folder `capture` lies
 * elsewhere. */
static bool folder_of(hid_t file, char *path, size_t size)
{
    struct stat there;
    ssize_t length = H5Fget_name(file, path, size);
    if (length < 0 || (size_t)length + DT_SEGMENT_NAME >= size)
        return false;
    char *slash = strrchr(path, '/');
    char *end = slash ? slash + 1 : path;
    snprintf(end, DT_SEGMENT_NAME, "capture");
    bool own = lstat(path, &there) == 0 && S_ISDIR(there.st_mode);
    *end = '\0';
    return own;
}

/* Every source must be a segment's name in the file's own folder `capture`, and the set of the same name in it. */
static const char *virtual_fault(hid_t file, const char *name, hid_t creation, H5T_class_t class)
{
    static const char elsewhere[] = "has parts that lie elsewhere than in the run's own folder capture";
    char path[PATH_MAX], source[DT_SEGMENT_NAME], set[PATH_ROOM];
    size_t count;
    if (H5Pget_virtual_count(creation, &count) < 0 || count > DT_SEGMENTS_MAX || !folder_of(file, path, sizeof path))
        return elsewhere;
    char *end = path + strlen(path);
    const char *fault = NULL;
    for (size_t i = 0; i < count && !fault; i++) {
        ssize_t length = H5Pget_virtual_filename(creation, i, source, sizeof source);
        if (length < 0 || (size_t)length >= sizeof source || !dt_segment_is_name(source))
            return elsewhere;
        length = H5Pget_virtual_dsetname(creation, i, set, sizeof set);
        if (length < 0 || (size_t)length >= sizeof set || strcmp(set, name) != 0)
            return "has parts that are other data sets";
        snprintf(end, DT_SEGMENT_NAME, "%s", source);
        fault = source_fault(path, name, class);
    }
    return fault;
}

static const char *storage_fault(hid_t file, const char *name, hid_t creation, H5T_class_t class)
{
    return H5Pget_layout(creation) == H5D_VIRTUAL ? virtual_fault(file, name, creation, class)
                                                  : dt_hdf5_storage_fault(creation);
}

/* Of its type and dimensions. */
static const char *shape_fault(dt_number_set *set, hid_t type, H5T_class_t class, int rank)
{
    const char *fault = type_fault(type, class);
    if (fault)
        return fault;
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
        fault = storage_fault(file, name, creation, class);
    if (set->space >= 0 && creation >= 0 && !fault) /* all that can be said before a number is read */
        fault = shape_fault(set, type, class, rank);
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

int dt_number_set_attribute(const dt_number_set *set, const char *name, double *to, int most)
{
    hsize_t count = 0;
    hid_t attribute = -1, space = -1, type = -1;
    const bool good = H5Aexists(set->id, name) > 0 && (attribute = H5Aopen(set->id, name, H5P_DEFAULT)) >= 0 &&
                      (space = H5Aget_space(attribute)) >= 0 && (type = H5Aget_type(attribute)) >= 0 &&
                      !type_fault(type, H5T_FLOAT) && H5Sget_simple_extent_type(space) == H5S_SIMPLE &&
                      H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, &count, NULL) == 1 &&
                      count <= (hsize_t)most && H5Aread(attribute, H5T_NATIVE_DOUBLE, to) >= 0;
    dt_hdf5_close(type);
    dt_hdf5_close(space);
    dt_hdf5_close(attribute);
    return good ? (int)count : 0;
}

static void add_numbers(dt_tally *t, const double *numbers, hsize_t count)
{
    for (hsize_t i = 0; i < count; i++) {
        t->row_squares += numbers[i] * numbers[i];
        t->row_zeros += numbers[i] == 0;
        t->row_nans += isnan(numbers[i]) != 0;
        if (isnan(numbers[i]))
            continue;
        t->absolutes += fabs(numbers[i]);
        t->largest = fmax(t->largest, fabs(numbers[i]));
        t->counted++;
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
