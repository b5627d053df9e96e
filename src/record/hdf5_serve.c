#include "record/hdf5_serve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sandbox.h"
#include "hdf5/hdf5.h"
#include "record/hdf5_scan.h"

/* What the child has open: of the last request, mostly that of the next. */
typedef struct open_set {
    hid_t file, set;
    char path[DT_SERVE_PATH];
    dt_capture_dataset description;
} open_set;

static dt_status fail_at(const dt_server *s, const char *why, dt_error *error)
{
    const bool named = s->request.object[0] != '\0';
    return dt_fail(error, DT_MALFORMED, "%s: %s%s%s; use a copy that is sound", s->request.path, s->request.object,
                   named ? " " : "", why);
}

static void forget(open_set *o)
{
    dt_hdf5_close(o->set);
    if (o->file >= 0)
        (void)H5Fclose(o->file);
    o->file = o->set = -1;
}

static dt_status open_file(const dt_server *s, open_set *o, dt_error *error)
{
    if (o->file >= 0 && strcmp(o->path, s->request.path) == 0)
        return DT_OK;
    forget(o);
    memcpy(o->path, s->request.path, sizeof o->path);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    (void)H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    o->file = H5Fopen(o->path, H5F_ACC_RDONLY, access);
    if (o->file < 0) /* one that was left by a writer that readers could follow */
        o->file = H5Fopen(o->path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
    dt_hdf5_close(access);
    if (o->file >= 0)
        return DT_OK;
    return dt_fail(error, DT_MALFORMED, "%s: is not an HDF5 file, or is cut short; use a copy that is sound", o->path);
}

/* Chunks hold several steps: those of one request stay in memory for the next. */
static dt_status open_named(const dt_server *s, open_set *o, dt_error *error)
{
    enum { CACHE_BYTES = 64 << 20, CACHE_SLOTS = 12421 };
    dt_status status = open_file(s, o, error);
    if (status != DT_OK || (o->set >= 0 && strcmp(o->description.name, s->request.object) == 0))
        return status;
    dt_hdf5_close(o->set);
    o->set = -1;
    if (!dt_scan_is_hard(o->file, s->request.object))
        return fail_at(s, "is missing or a link", error);
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    (void)H5Pset_chunk_cache(access, CACHE_SLOTS, CACHE_BYTES, 1.0);
    o->set = H5Dopen2(o->file, s->request.object, access);
    dt_hdf5_close(access);
    if (o->set < 0)
        return fail_at(s, "is no data set", error);
    dt_scan_describe(o->set, s->request.object, &o->description);
    return o->description.fault[0] ? fail_at(s, o->description.fault, error) : DT_OK;
}

/* --- answers --- */

static dt_status answer(dt_server *s, int pipe, const void *bytes, size_t size)
{
    memset(&s->answer, 0, sizeof s->answer);
    s->answer.size = (int64_t)size;
    dt_status status = dt_sandbox_send(pipe, &s->answer, sizeof s->answer);
    return status == DT_OK && size ? dt_sandbox_send(pipe, bytes, size) : status;
}

typedef struct listing {
    dt_server *server;
    int pipe;
} listing;

static bool send_set(void *context, const dt_capture_dataset *set)
{
    const listing *l = context;
    return answer(l->server, l->pipe, set, sizeof *set) == DT_OK;
}

static dt_status serve_scan(dt_server *s, open_set *o, int pipe, dt_error *error)
{
    listing l = {s, pipe};
    dt_status status = open_file(s, o, error);
    const char *fault = status == DT_OK ? dt_scan_file(o->file, send_set, &l) : NULL;
    if (fault)
        return fail_at(s, fault, error);
    return status == DT_OK ? answer(s, pipe, NULL, 0) : status;
}

static dt_status serve_read(dt_server *s, open_set *o, int pipe, dt_error *error)
{
    hsize_t start[DT_DATASET_RANK], count[DT_DATASET_RANK], numbers = 1;
    dt_status status = open_named(s, o, error);
    if (status != DT_OK)
        return status;
    const dt_capture_dataset *d = &o->description;
    for (int i = 0; i < d->rank; i++) {
        const int64_t from = s->request.start[i], some = s->request.count[i];
        if (from < 0 || some < 1 || from > d->size[i] || some > d->size[i] - from || some > DT_SERVE_BYTES)
            return fail_at(s, "ends before what is wanted of it", error);
        start[i] = (hsize_t)from;
        numbers *= count[i] = (hsize_t)some;
        if (numbers > DT_SERVE_BYTES / (hsize_t)d->element)
            return fail_at(s, "is asked for too much at once", error);
    }
    if (d->is_virtual)
        return fail_at(s, "is virtual: its numbers are in other files", error);
    hid_t memory = H5Screate_simple(d->rank, count, NULL), space = H5Dget_space(o->set);
    bool good = memory >= 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                H5Dread(o->set, dt_scan_type(d), memory, space, H5P_DEFAULT, s->bytes) >= 0;
    dt_hdf5_close(space);
    dt_hdf5_close(memory);
    return good ? answer(s, pipe, s->bytes, (size_t)numbers * (size_t)d->element) : fail_at(s, "can't be read", error);
}

/* Are all chunks of the steps from `step` on there? HDF5 says size 0, or fails, where one was never written. */
static bool has_chunks(const open_set *o, int64_t step)
{
    const dt_capture_dataset *d = &o->description;
    hsize_t at[DT_DATASET_RANK] = {(hsize_t)step};
    for (;;) {
        hsize_t size = 0;
        if (H5Dget_chunk_storage_size(o->set, at, &size) < 0 || size == 0)
            return false;
        int i = d->rank - 1;
        while (i > 0 && (at[i] += (hsize_t)d->chunk[i]) >= (hsize_t)d->size[i])
            at[i--] = 0;
        if (i <= 0)
            return true;
    }
}

/* The first step of the chunks that lie past the end. */
static int64_t first_past(const open_set *o, int64_t end, int64_t steps)
{
    hsize_t count = 0;
    hid_t space = H5Dget_space(o->set);
    bool good = space >= 0 && H5Dget_num_chunks(o->set, space, &count) >= 0;
    for (hsize_t i = 0; good && i < count; i++) {
        hsize_t at[DT_DATASET_RANK], size;
        unsigned mask;
        haddr_t address;
        good = H5Dget_chunk_info(o->set, space, i, at, &mask, &address, &size) >= 0;
        if (good && (address > (haddr_t)end || size > (haddr_t)end - address) && (int64_t)at[0] < steps)
            steps = (int64_t)at[0];
    }
    dt_hdf5_close(space);
    return good ? steps : 0;
}

static dt_status serve_complete(dt_server *s, open_set *o, int pipe, dt_error *error)
{
    dt_status status = open_named(s, o, error);
    if (status != DT_OK)
        return status;
    const dt_capture_dataset *d = &o->description;
    int64_t steps = d->size[0];
    if (d->chunk[0] > 0) {
        if (s->request.end >= 0)
            steps = first_past(o, s->request.end, steps);
        for (int64_t step = 0; step < steps; step += d->chunk[0])
            if (!has_chunks(o, step))
                steps = step;
    } else if (s->request.end >= 0) {
        haddr_t address = H5Dget_offset(o->set);
        steps = address == HADDR_UNDEF || (int64_t)address > s->request.end - d->stored ? 0 : steps;
    }
    return answer(s, pipe, &steps, sizeof steps);
}

/* --- attributes --- */

static bool is_hdf5s_own(const char *name)
{
    static const char *const own[] = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return strncmp(name, "_Netcdf4", 8) == 0;
}

static bool read_string(const dt_server *s, hid_t attribute, hid_t type, dt_hdf5_attribute *a)
{
    bool good;
    a->text = true;
    if (H5Tis_variable_str(type) > 0) {
        char *text = NULL;
        good = H5Aread(attribute, type, &text) >= 0 && text && strlen(text) < DT_SERVE_BYTES;
        if (good)
            memcpy(s->bytes, text, strlen(text) + 1);
    } else {
        size_t size = H5Tget_size(type);
        hid_t memory = H5Tcopy(H5T_C_S1);
        good = size < DT_SERVE_BYTES && memory >= 0 && H5Tset_size(memory, size + 1) >= 0 &&
               H5Aread(attribute, memory, s->bytes) >= 0;
        if (good)
            s->bytes[size] = '\0';
        dt_hdf5_close(memory);
    }
    a->element = 1;
    a->count = good ? (int64_t)strlen(s->bytes) + 1 : 0;
    return good;
}

static bool read_attribute(const dt_server *s, hid_t attribute, dt_hdf5_attribute *a)
{
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    hssize_t count = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    dt_capture_dataset d = {.real = class == H5T_FLOAT, .element = type < 0 ? 0 : (int)H5Tget_size(type)};
    bool good = false;
    if (class == H5T_STRING && count == 1) {
        good = read_string(s, attribute, type, a);
    } else if ((class == H5T_INTEGER || class == H5T_FLOAT) && d.element >= 1 && d.element <= 8 && count >= 1 &&
               count <= DT_SERVE_BYTES / 8) {
        d.has_sign = d.real || H5Tget_sign(type) == H5T_SGN_2;
        hid_t memory = dt_scan_type(&d);
        good = (int)H5Tget_size(memory) == d.element && H5Aread(attribute, memory, s->bytes) >= 0;
        a->real = d.real;
        a->has_sign = d.has_sign;
        a->element = d.element;
        a->count = count;
    }
    dt_hdf5_close(space);
    dt_hdf5_close(type);
    return good;
}

static dt_status serve_attribute(dt_server *s, open_set *o, int pipe, dt_error *error)
{
    dt_hdf5_attribute a = {.element = 1};
    dt_status status = open_file(s, o, error);
    if (status != DT_OK)
        return status;
    const bool root = strcmp(s->request.object, "/") == 0;
    hid_t object =
        root || dt_scan_is_hard(o->file, s->request.object) ? H5Oopen(o->file, s->request.object, H5P_DEFAULT) : -1;
    if (object < 0)
        return fail_at(s, "is missing or a link", error);
    hid_t attribute = s->request.name[0]
                          ? H5Aexists(object, s->request.name) > 0 ? H5Aopen(object, s->request.name, H5P_DEFAULT) : -1
                          : H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)s->request.index,
                                           H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0) {
        status = answer(s, pipe, NULL, 0);
    } else {
        ssize_t length = H5Aget_name(attribute, sizeof a.name, a.name);
        if (length <= 0 || length >= (ssize_t)sizeof a.name || is_hdf5s_own(a.name) ||
            !read_attribute(s, attribute, &a))
            a.name[0] = '\0', a.count = 0;
        status = answer(s, pipe, &a, sizeof a);
        if (status == DT_OK && a.count)
            status = dt_sandbox_send(pipe, s->bytes, (size_t)a.count * (size_t)a.element);
        dt_hdf5_close(attribute);
    }
    dt_hdf5_close(object);
    return status;
}

static dt_status serve_source(dt_server *s, open_set *o, int pipe, dt_error *error)
{
    char name[DT_DATASET_NAME] = "";
    size_t sources = 0;
    dt_status status = open_named(s, o, error);
    if (status != DT_OK)
        return status;
    hid_t creation = H5Dget_create_plist(o->set);
    bool good = o->description.is_virtual && H5Pget_virtual_count(creation, &sources) >= 0;
    const bool past = !good || s->request.index < 0 || (size_t)s->request.index >= sources;
    if (!past)
        good = H5Pget_virtual_filename(creation, (size_t)s->request.index, name, sizeof name) < (ssize_t)sizeof name;
    dt_hdf5_close(creation);
    if (!past && !good)
        return fail_at(s, "has a source with a name that no segment has", error);
    return past ? answer(s, pipe, NULL, 0) : answer(s, pipe, name, sizeof name);
}

/* --- the loop --- */

static dt_status serve_one(dt_server *s, open_set *o, int pipe, dt_error *error)
{
    switch (s->request.kind) {
    case DT_SERVE_SCAN:
        return serve_scan(s, o, pipe, error);
    case DT_SERVE_READ:
        return serve_read(s, o, pipe, error);
    case DT_SERVE_COMPLETE:
        return serve_complete(s, o, pipe, error);
    case DT_SERVE_ATTRIBUTE:
        return serve_attribute(s, o, pipe, error);
    case DT_SERVE_SOURCE:
        return serve_source(s, o, pipe, error);
    case DT_SERVE_FORGET:
        forget(o);
        return answer(s, pipe, NULL, 0);
    }
    return DT_INVALID;
}

dt_status dt_serve(void *context, int pipe, dt_error *error)
{
    static open_set o;
    dt_server *s = context;
    o.file = o.set = -1;
    close(s->ends[1]);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    while (dt_read_exactly(s->ends[0], &s->request, sizeof s->request)) {
        dt_error_clear(error);
        dt_status status = serve_one(s, &o, pipe, error);
        if (status == DT_IO)
            break; /* nobody listens */
        if (status != DT_OK) {
            if (error->status == DT_OK)
                (void)dt_fail(error, status, "%s: can't be read", s->request.path);
            memset(&s->answer, 0, sizeof s->answer);
            s->answer.status = error->status;
            snprintf(s->answer.message, sizeof s->answer.message, "%.511s", error->message);
            forget(&o);
            if (dt_sandbox_send(pipe, &s->answer, sizeof s->answer) != DT_OK)
                break;
        }
    }
    return DT_OK;
}
