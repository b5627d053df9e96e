#include "hdf5/hdf5.h"

#include <hdf5_hl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Guarded by the mutex. */
static struct {
    bool failed, system; /* system: the reason is one of the system's */
    dt_status status;
    char reason[256];
    H5E_auto2_t printer; /* the program's own, put back by leave */
    void *printer_data;
    bool has_printer;
} state;

static void prepare(void)
{
    (void)H5dont_atexit(); /* too late where the program has used HDF5 itself: then it has its own exit */
    (void)H5open();
}

void dt_hdf5_enter(void)
{
    pthread_mutex_lock(&mutex);
    pthread_once(&once, prepare);
    state.has_printer = H5Eget_auto2(H5E_DEFAULT, &state.printer, &state.printer_data) >= 0;
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    state.failed = state.system = false;
    state.status = DT_IO;
    state.reason[0] = '\0';
}

void dt_hdf5_leave(void)
{
    (void)H5Eclear2(H5E_DEFAULT); /* a thread that ends takes its records with it */
    if (state.has_printer)
        (void)H5Eset_auto2(H5E_DEFAULT, state.printer, state.printer_data);
    pthread_mutex_unlock(&mutex);
}

/* The innermost record tells most. The file driver hides errno, but puts strerror's words between quotes. */
static herr_t keep_reason(unsigned n, const H5E_error2_t *record, void *data)
{
    (void)data;
    static const char mark[] = "error message = '";
    const char *words = record->desc ? record->desc : "unknown reason";
    const char *from = strstr(words, mark);
    if (from) {
        from += sizeof mark - 1;
        const char *to = strchr(from, '\'');
        snprintf(state.reason, sizeof state.reason, "%.*s", (int)(to ? to - from : (long)strlen(from)), from);
        state.system = true;
    } else if (n == 0) {
        snprintf(state.reason, sizeof state.reason, "%s", words);
    }
    return 0;
}

bool dt_hdf5_ok(int64_t result)
{
    if (result >= 0)
        return true;
    if (!state.failed) {
        state.failed = true;
        (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, NULL);
    }
    return false;
}

bool dt_hdf5_refused(void)
{
    return state.failed && state.system;
}

bool dt_hdf5_out_of_memory(void)
{
    state.failed = true;
    state.status = DT_NO_MEMORY;
    snprintf(state.reason, sizeof state.reason, "%s", dt_status_text(DT_NO_MEMORY));
    return false;
}

static const struct {
    const char *reason, *advice;
} advices[] = {
    {"No space left", "; free some space or capture less"},
    {"quota", "; free some of your quota or capture less"},
    {"File too large", "; raise the file-size limit (ulimit -f) or capture less"},
};

dt_status dt_hdf5_fail(dt_error *error, const char *path, const char *doing)
{
    const char *advice = "";
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (strstr(state.reason, advices[i].reason))
            advice = advices[i].advice;
    return dt_fail(error, state.status, "%s: can't %s: %s%s", path, doing,
                   state.reason[0] ? state.reason : "HDF5 gives no reason", advice);
}

/* Metadata stays in memory between flushes, so that a killed run leaves the state of its last flush. */
static bool hold_metadata(hid_t access)
{
    H5AC_cache_config_t cache = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};
    if (!dt_hdf5_ok(H5Pget_mdc_config(access, &cache)))
        return false;
    cache.evictions_enabled = 0;
    cache.incr_mode = H5C_incr__off;
    cache.flash_incr_mode = H5C_flash_incr__off;
    cache.decr_mode = H5C_decr__off;
    return dt_hdf5_ok(H5Pset_mdc_config(access, &cache));
}

static bool no_locking(hid_t access)
{
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
    return dt_hdf5_ok(H5Pset_file_locking(access, 0, 1));
#else
    (void)access;
    return true;
#endif
}

hid_t dt_hdf5_create_with(const char *path, hid_t creation, bool swmr, size_t metadata_block)
{
    hid_t file = -1, access = H5Pcreate(H5P_FILE_ACCESS);
    H5F_libver_t low = swmr ? H5F_LIBVER_V110 : H5F_LIBVER_EARLIEST;
    if (dt_hdf5_ok(access) && dt_hdf5_ok(H5Pset_libver_bounds(access, low, H5F_LIBVER_V110)) &&
        dt_hdf5_ok(H5Pset_meta_block_size(access, metadata_block)) &&
        dt_hdf5_ok(H5Pset_small_data_block_size(access, metadata_block)) && (swmr || hold_metadata(access)) &&
        no_locking(access)) {
        file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
        (void)dt_hdf5_ok(file);
    }
    dt_hdf5_close(access);
    return file;
}

hid_t dt_hdf5_create(const char *path)
{
    return dt_hdf5_create_with(path, H5P_DEFAULT, false, 32768);
}

hid_t dt_hdf5_open(const char *path)
{
    hid_t file = -1, access = H5Pcreate(H5P_FILE_ACCESS);
    if (dt_hdf5_ok(access) && no_locking(access)) {
        file = H5Fopen(path, H5F_ACC_RDONLY, access);
        (void)dt_hdf5_ok(file);
    }
    dt_hdf5_close(access);
    return file;
}

void dt_hdf5_close(hid_t id)
{
    if (id >= 0)
        (void)H5Idec_ref(id);
}

int dt_hdf5_descriptor(hid_t file)
{
    void *descriptor = NULL;
    return dt_hdf5_ok(H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor)) && descriptor ? *(int *)descriptor : -1;
}

hid_t dt_hdf5_real(dt_precision precision)
{
    return precision == DT_FLOAT64 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
}

static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (dt_hdf5_ok(type) && dt_hdf5_ok(H5Tset_size(type, H5T_VARIABLE)) && dt_hdf5_ok(H5Tset_cset(type, H5T_CSET_UTF8)))
        return type;
    dt_hdf5_close(type);
    return -1;
}

bool dt_hdf5_put_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(), space = H5Screate(H5S_SCALAR), attribute = -1;
    bool good = type >= 0 && dt_hdf5_ok(space) &&
                dt_hdf5_ok(attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) &&
                dt_hdf5_ok(H5Awrite(attribute, type, &text));
    dt_hdf5_close(attribute);
    dt_hdf5_close(space);
    dt_hdf5_close(type);
    return good;
}

bool dt_hdf5_replace_text(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(), attribute = H5Aopen(object, name, H5P_DEFAULT);
    bool good = type >= 0 && dt_hdf5_ok(attribute) && dt_hdf5_ok(H5Awrite(attribute, type, &text));
    dt_hdf5_close(attribute);
    dt_hdf5_close(type);
    return good;
}

bool dt_hdf5_put_integer(hid_t object, const char *name, int64_t value)
{
    hid_t space = H5Screate(H5S_SCALAR), attribute = -1;
    bool good = dt_hdf5_ok(space) &&
                dt_hdf5_ok(attribute = H5Acreate2(object, name, H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT)) &&
                dt_hdf5_ok(H5Awrite(attribute, H5T_NATIVE_INT64, &value));
    dt_hdf5_close(attribute);
    dt_hdf5_close(space);
    return good;
}

hid_t dt_hdf5_axis(hid_t group, const char *name, int64_t count, const char *long_name)
{
    hsize_t size = (hsize_t)count;
    hid_t space = H5Screate_simple(1, &size, NULL), axis = -1;
    int64_t *index = dt_allocate((size_t)count, sizeof *index);
    bool good =
        (index || dt_hdf5_out_of_memory()) && dt_hdf5_ok(space) &&
        dt_hdf5_ok(axis = H5Dcreate2(group, name, H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (int64_t i = 0; good && i < count; i++)
        index[i] = i;
    good = good && dt_hdf5_ok(H5Dwrite(axis, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, index)) &&
           dt_hdf5_ok(H5DSset_scale(axis, name)) && dt_hdf5_put_text(axis, "long_name", long_name);
    dt_release(index);
    dt_hdf5_close(space);
    if (good)
        return axis;
    dt_hdf5_close(axis);
    return -1;
}
