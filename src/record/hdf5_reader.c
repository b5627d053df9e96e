#include "record/hdf5_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sandbox.h"
#include "hdf5/hdf5.h"
#include "record/hdf5_serve.h"

enum { CHILD_MEMORY = 512 << 20 };

/* A child has a minute of processor time (sandbox.c): long reading is shared out among several. */
static const int64_t bytes_of_a_child = INT64_C(2) << 30;

struct dt_hdf5_reader {
    dt_sandbox box;
    bool running;
    int64_t received; /* bytes, from the child at hand */
    dt_server server;
    char *value; /* (DT_SERVE_BYTES), of the last attribute */
};

dt_status dt_hdf5_reader_create(dt_hdf5_reader **reader, dt_error *error)
{
    dt_hdf5_reader *r = *reader = dt_allocate_zeroed(1, sizeof *r);
    if (!r)
        return dt_fail_memory(error, "a reader of HDF5 files");
    r->server.ends[0] = r->server.ends[1] = -1;
    r->server.bytes = dt_allocate(DT_SERVE_BYTES, 1);
    r->value = dt_allocate(DT_SERVE_BYTES, 1);
    if (r->server.bytes && r->value)
        return DT_OK;
    dt_hdf5_reader_destroy(r);
    *reader = NULL;
    return dt_fail_memory(error, "a reader of HDF5 files");
}

static void stop(dt_hdf5_reader *r)
{
    if (r->running)
        dt_sandbox_finish(&r->box);
    if (r->server.ends[1] >= 0)
        close(r->server.ends[1]);
    r->server.ends[0] = r->server.ends[1] = -1;
    r->running = false;
    r->received = 0;
}

void dt_hdf5_reader_destroy(dt_hdf5_reader *reader)
{
    if (!reader)
        return;
    stop(reader);
    dt_release(reader->server.bytes);
    dt_release(reader->value);
    dt_release(reader);
}

static dt_status start(dt_hdf5_reader *r, const char *path, dt_error *error)
{
    if (r->running && r->received > bytes_of_a_child)
        stop(r);
    if (r->running)
        return DT_OK;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, r->server.ends) != 0)
        return dt_fail_errno(error, errno, path, "make a socket to read");
    (void)fcntl(r->server.ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(r->server.ends[1], F_SETFD, FD_CLOEXEC);
    dt_hdf5_enter(); /* so that the child's copy of the library is at rest; it goes on under this lock */
    dt_status status = dt_sandbox_start(&r->box, path, dt_serve, &r->server, CHILD_MEMORY, DT_SANDBOX_LONG, error);
    dt_hdf5_leave();
    close(r->server.ends[0]);
    r->server.ends[0] = -1;
    r->running = status == DT_OK;
    if (!r->running)
        stop(r);
    return status;
}

/* --- asking --- */

static dt_status begin(dt_hdf5_reader *r, dt_serve_kind kind, const char *path, const char *object, dt_error *error)
{
    if (strlen(path) >= DT_SERVE_PATH || strlen(object) >= DT_DATASET_NAME)
        return dt_fail(error, DT_INVALID, "%.200s: %.80s: too long a name; use a shorter one", path, object);
    dt_status status = start(r, path, error);
    memset(&r->server.request, 0, sizeof r->server.request);
    r->server.request.kind = kind;
    snprintf(r->server.request.path, DT_SERVE_PATH, "%s", path);
    snprintf(r->server.request.object, DT_DATASET_NAME, "%s", object);
    return status;
}

static dt_status ask(dt_hdf5_reader *r)
{
    dt_sandbox_ask(r->server.ends[1], &r->server.request, sizeof r->server.request);
    r->box.path = r->server.request.path;
    return DT_OK;
}

static dt_status receive(dt_hdf5_reader *r, void *to, int64_t size, dt_error *error)
{
    dt_status status = dt_sandbox_receive(&r->box, to, (size_t)size, error);
    r->received += size;
    if (status != DT_OK)
        stop(r);
    return status;
}

/* The head of an answer; *size bytes follow, none or exactly `wanted`. */
static dt_status hear(dt_hdf5_reader *r, int64_t wanted, int64_t *size, dt_error *error)
{
    dt_serve_answer *a = &r->server.answer;
    dt_status status = receive(r, a, sizeof *a, error);
    if (status != DT_OK)
        return status;
    a->message[sizeof a->message - 1] = '\0';
    if (a->status != DT_OK && a->status > DT_ANSWER_NO && a->status < DT_STOPPED)
        return dt_fail(error, a->status, "%s", a->message);
    *size = a->size;
    if (a->status == DT_OK && (a->size == 0 || a->size == wanted))
        return DT_OK;
    stop(r);
    return dt_fail(error, DT_MALFORMED, "%s: its reader sent nonsense; use a copy that is sound", r->box.path);
}

static dt_status fail_nonsense(dt_hdf5_reader *r, dt_error *error)
{
    dt_status status =
        dt_fail(error, DT_MALFORMED, "%s: its reader sent nonsense; use a copy that is sound", r->server.request.path);
    stop(r);
    return status;
}

/* The child may be under a hostile file's control: nothing it says is taken on trust. */
static bool is_sane(const dt_capture_dataset *d)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
    if (!memchr(d->name, '\0', sizeof d->name) || !memchr(d->fault, '\0', sizeof d->fault) || d->name[0] != '/' ||
        strspn(d->name, letters) != strlen(d->name) || d->rank < 1 || d->rank > DT_DATASET_RANK)
        return false;
    if (d->fault[0])
        return true;
    int64_t bytes = d->element;
    if ((d->element != 1 && d->element != 2 && d->element != 4 && d->element != 8) || (d->real && d->element < 4) ||
        d->gzip > 9 || d->stored < 0)
        return false;
    for (int i = 0; i < d->rank; i++)
        if (d->size[i] < 0 || d->chunk[i] < 0 || (d->chunk[i] == 0) != (d->chunk[0] == 0) ||
            __builtin_mul_overflow(bytes, d->size[i], &bytes) || !memchr(d->axis[i], '\0', sizeof d->axis[i]))
            return false;
    return true;
}

dt_status dt_hdf5_reader_scan(dt_hdf5_reader *r, const char *path, dt_capture_dataset **sets, size_t *count,
                              dt_error *error)
{
    size_t room = 0;
    int64_t size = 0;
    *sets = NULL;
    *count = 0;
    dt_status status = dt_sandbox_check_file(path, NULL, error);
    if (status == DT_OK)
        status = begin(r, DT_SERVE_SCAN, path, "", error);
    if (status == DT_OK)
        status = ask(r);
    while (status == DT_OK) {
        dt_capture_dataset d;
        status = hear(r, sizeof d, &size, error);
        if (status != DT_OK || size == 0)
            break;
        if ((status = receive(r, &d, sizeof d, error)) != DT_OK)
            break;
        if (*count >= 1 << 16 || !is_sane(&d)) {
            status = fail_nonsense(r, error);
            break;
        }
        if (*count == room) {
            room = room ? 2 * room : 64;
            dt_capture_dataset *more = dt_allocate(room, sizeof *more);
            if (!more) {
                stop(r);
                status = dt_fail_memory(error, "a list of data sets");
                break;
            }
            if (*count)
                memcpy(more, *sets, *count * sizeof *more);
            dt_release(*sets);
            *sets = more;
        }
        (*sets)[(*count)++] = d;
    }
    if (status != DT_OK) {
        dt_release(*sets);
        *sets = NULL;
        *count = 0;
    }
    return status;
}

/* --- numbers --- */

dt_status dt_for_parts(int rank, const int64_t *start, const int64_t *count, const int64_t *grain, int64_t most,
                       dt_part_visit visit, void *context, dt_error *error)
{
    int64_t numbers = 1, first[DT_DATASET_RANK], second[DT_DATASET_RANK], from[DT_DATASET_RANK];
    int split = -1;
    for (int i = 0; i < rank; i++) {
        if (count[i] <= 0)
            return DT_OK;
        if (__builtin_mul_overflow(numbers, count[i], &numbers))
            numbers = INT64_MAX;
    }
    if (numbers <= most)
        return visit(context, start, count, error);
    for (int pass = 0; pass < 2 && split < 0; pass++) /* between grains first, else anywhere */
        for (int i = 0; i < rank && split < 0; i++)
            if (count[i] > (pass == 0 && grain && grain[i] > 0 ? grain[i] : 1))
                split = i;
    for (int i = 0; i < rank; i++) {
        first[i] = second[i] = count[i];
        from[i] = start[i];
    }
    first[split] = count[split] / 2;
    if (grain && grain[split] > 0 && count[split] > grain[split])
        first[split] = (first[split] + grain[split] - 1) / grain[split] * grain[split];
    if (first[split] >= count[split])
        first[split] = grain[split];
    second[split] = count[split] - first[split];
    from[split] += first[split];
    dt_status status = dt_for_parts(rank, start, first, grain, most, visit, context, error);
    return status == DT_OK ? dt_for_parts(rank, from, second, grain, most, visit, context, error) : status;
}

typedef struct reading {
    dt_hdf5_reader *reader;
    const char *path;
    const dt_capture_dataset *set;
    char *to;
} reading;

/* Parts are halves of the first dimension that has more than one index, so that each is dense in the whole. */
static dt_status read_part(void *context, const int64_t *start, const int64_t *count, dt_error *error)
{
    reading *g = context;
    int64_t bytes = g->set->element, size = 0;
    dt_status status = begin(g->reader, DT_SERVE_READ, g->path, g->set->name, error);
    if (status != DT_OK)
        return status;
    for (int i = 0; i < g->set->rank; i++) {
        g->reader->server.request.start[i] = start[i];
        g->reader->server.request.count[i] = count[i];
        bytes *= count[i];
    }
    status = ask(g->reader);
    if (status == DT_OK)
        status = hear(g->reader, bytes, &size, error);
    if (status == DT_OK && size != bytes)
        return fail_nonsense(g->reader, error);
    if (status == DT_OK)
        status = receive(g->reader, g->to, bytes, error);
    g->to += bytes;
    return status;
}

dt_status dt_hdf5_reader_read(dt_hdf5_reader *reader, const char *path, const dt_capture_dataset *set,
                              const int64_t *start, const int64_t *count, void *to, dt_error *error)
{
    reading g = {reader, path, set, to};
    for (int i = 0; i < set->rank; i++)
        if (start[i] < 0 || count[i] < 0 || start[i] > set->size[i] || count[i] > set->size[i] - start[i])
            return dt_fail(error, DT_INVALID, "%s: %s has no such part", path, set->name);
    return dt_for_parts(set->rank, start, count, NULL, DT_SERVE_BYTES / set->element, read_part, &g, error);
}

dt_status dt_hdf5_reader_complete(dt_hdf5_reader *r, const char *path, const dt_capture_dataset *set, int64_t end,
                                  int64_t *steps, dt_error *error)
{
    int64_t size = 0;
    dt_status status = begin(r, DT_SERVE_COMPLETE, path, set->name, error);
    r->server.request.end = end;
    if (status == DT_OK)
        status = ask(r);
    if (status == DT_OK)
        status = hear(r, sizeof *steps, &size, error);
    if (status == DT_OK)
        status = size ? receive(r, steps, sizeof *steps, error) : fail_nonsense(r, error);
    if (status == DT_OK && (*steps < 0 || *steps > set->size[0]))
        status = fail_nonsense(r, error);
    return status;
}

/* --- attributes --- */

static dt_status receive_attribute(dt_hdf5_reader *r, dt_hdf5_attribute *a, bool *found, dt_error *error)
{
    int64_t size = 0;
    *found = false;
    dt_status status = ask(r);
    if (status == DT_OK)
        status = hear(r, sizeof *a, &size, error);
    if (status != DT_OK || size == 0)
        return status;
    status = receive(r, a, sizeof *a, error);
    if (status != DT_OK)
        return status;
    if (!memchr(a->name, '\0', sizeof a->name) || a->element < 1 || a->element > 8 || a->count < 0 ||
        a->count > DT_SERVE_BYTES / a->element)
        return fail_nonsense(r, error);
    if (a->count > 0)
        status = receive(r, r->value, a->count * a->element, error);
    if (status == DT_OK && a->text && (a->count < 1 || a->element != 1 || r->value[a->count - 1] != '\0'))
        return fail_nonsense(r, error);
    a->value = r->value;
    *found = status == DT_OK;
    return status;
}

dt_status dt_hdf5_reader_attribute(dt_hdf5_reader *reader, const char *path, const char *object, int64_t index,
                                   dt_hdf5_attribute *attribute, bool *found, dt_error *error)
{
    dt_status status = begin(reader, DT_SERVE_ATTRIBUTE, path, object, error);
    reader->server.request.index = index;
    return status == DT_OK ? receive_attribute(reader, attribute, found, error) : status;
}

dt_status dt_hdf5_reader_named(dt_hdf5_reader *reader, const char *path, const char *object, const char *name,
                               dt_hdf5_attribute *attribute, bool *found, dt_error *error)
{
    dt_status status = begin(reader, DT_SERVE_ATTRIBUTE, path, object, error);
    snprintf(reader->server.request.name, sizeof reader->server.request.name, "%s", name);
    if (status == DT_OK)
        status = receive_attribute(reader, attribute, found, error);
    *found = status == DT_OK && *found && attribute->name[0];
    return status;
}

dt_status dt_hdf5_reader_source(dt_hdf5_reader *r, const char *path, const char *object, int64_t index,
                                char name[DT_DATASET_NAME], bool *found, dt_error *error)
{
    int64_t size = 0;
    dt_status status = begin(r, DT_SERVE_SOURCE, path, object, error);
    r->server.request.index = index;
    if (status == DT_OK)
        status = ask(r);
    if (status == DT_OK)
        status = hear(r, DT_DATASET_NAME, &size, error);
    *found = status == DT_OK && size > 0;
    if (*found)
        status = receive(r, name, DT_DATASET_NAME, error);
    if (*found && status == DT_OK)
        name[DT_DATASET_NAME - 1] = '\0';
    return status;
}

void dt_hdf5_reader_forget(dt_hdf5_reader *r)
{
    int64_t size;
    if (r->running && begin(r, DT_SERVE_FORGET, "", "", NULL) == DT_OK && ask(r) == DT_OK)
        (void)hear(r, 0, &size, NULL);
}
