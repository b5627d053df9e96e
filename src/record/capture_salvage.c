#include "record/capture_salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "record/capture_reader.h"

/* --- a copy, filled up --- */

/* Where the file's superblock (versions 0 and 1, and 2 and 3) says that it ends; -1: it says nothing. */
static int64_t said_end(int fd)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char head[64];
    if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head || memcmp(head, signature, sizeof signature) != 0)
        return -1;
    const int version = head[8], size = version < 2 ? head[13] : head[9];
    const int at = version == 0 ? 40 : version == 1 ? 44 : 28;
    uint64_t end = 0;
    if (version > 3 || size != 8)
        return -1;
    for (int i = 7; i >= 0; i--)
        end = end << 8 | head[at + i];
    return end > INT64_MAX ? -1 : (int64_t)end;
}

static dt_status copy_bytes(int from, const char *path, const dt_new_file *to, dt_error *error)
{
    enum { ROOM = 1 << 20 };
    char *bytes = dt_allocate(ROOM, 1);
    dt_status status = bytes ? DT_OK : dt_fail_memory(error, "a copy");
    for (ssize_t n = 1; n > 0 && status == DT_OK;) {
        n = read(from, bytes, ROOM);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            status = dt_fail_errno(error, errno, path, "read");
        else if (n > 0)
            status = dt_write_all(to->fd, bytes, (size_t)n, to->temporary, error);
    }
    dt_release(bytes);
    return status;
}

/* *copy stays NULL where the file is as long as it says, or says something absurd. */
static dt_status fill_up(const char *path, const char *beside, char **copy, int64_t *length, dt_error *error)
{
    static const int64_t most = INT64_C(4) << 30; /* to be filled */
    struct stat there;
    dt_new_file made;
    dt_status status = DT_OK;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &there) != 0) {
        status = dt_fail_errno(error, errno, path, "open");
        if (fd >= 0)
            close(fd);
        return status;
    }
    const int64_t end = said_end(fd);
    *length = (int64_t)there.st_size;
    if (end > *length && end - *length <= most && (status = dt_new_file_begin(&made, beside, error)) == DT_OK) {
        status = copy_bytes(fd, path, &made, error);
        if (status == DT_OK && ftruncate(made.fd, (off_t)end) != 0)
            status = dt_fail_errno(error, errno, made.temporary, "fill up");
        if (status == DT_OK && !(*copy = dt_duplicate(made.temporary)))
            status = dt_fail_memory(error, "a file name");
        if (status == DT_OK)
            made.temporary[0] = '\0'; /* it stays until dt_salvage_clear */
        dt_new_file_discard(&made);
    }
    close(fd);
    return status;
}

/* --- how many steps are whole --- */

/* The first steps that ascend. */
static dt_status ascending(dt_capture_reader *r, const char *rule, int64_t *whole, dt_error *error)
{
    int64_t *steps, count, last = -1, n = 0;
    dt_error why = {0};
    dt_status status = dt_capture_reader_steps(r, rule, &steps, &count, &why);
    if (dt_is_of_the_file(status))
        return *whole = 0, DT_OK;
    if (status != DT_OK)
        return dt_fail(error, status, "%s", why.message);
    for (; n < count && n < *whole && steps[n] > last; n++)
        last = steps[n];
    dt_release(steps);
    *whole = n;
    return DT_OK;
}

static dt_status measure(dt_salvage *s, const char *path, int64_t end, dt_error *error)
{
    dt_capture_reader *r = s->reader;
    const dt_capture_dataset *set;
    const char *rule;
    int64_t whole[DT_READER_RULES_MAX], most[DT_READER_RULES_MAX] = {0};
    for (int i = 0; i < DT_READER_RULES_MAX; i++)
        whole[i] = INT64_MAX;
    for (size_t n = 0; (set = dt_capture_reader_at(r, n)); n++) {
        char name[DT_DATASET_NAME];
        int64_t steps = 0;
        dt_error why = {0};
        dt_status status = DT_OK;
        dt_rule_of(set->name, name);
        for (size_t i = 0; (rule = dt_capture_reader_rule(r, i)) && set->has_steps; i++) {
            if (strcmp(name + 1, rule) != 0)
                continue;
            status = dt_hdf5_reader_complete(dt_capture_reader_hdf5(r), path, set, end, &steps, &why);
            if (status != DT_OK && !dt_is_of_the_file(status))
                return dt_fail(error, status, "%s", why.message);
            steps = status == DT_OK ? steps : 0;
            whole[i] = steps < whole[i] ? steps : whole[i];
            most[i] = set->size[0] > most[i] ? set->size[0] : most[i];
        }
    }
    for (size_t i = 0; (rule = dt_capture_reader_rule(r, i)); i++) {
        dt_status status = ascending(r, rule, &whole[i], error);
        if (status != DT_OK)
            return status;
        s->steps += whole[i];
        s->begun += most[i] - whole[i];
    }
    dt_capture_reader_limit(r, whole);
    return DT_OK;
}

dt_status dt_salvage_open(dt_salvage *s, const char *path, const char *beside, dt_error *error)
{
    dt_error why = {0};
    int64_t length = -1, end = -1;
    *s = (dt_salvage){0};
    dt_status status = dt_capture_reader_open_plain(&s->reader, path, &why);
    if (dt_is_of_the_file(status)) {
        snprintf(s->why, sizeof s->why, "%.511s", why.message);
        status = fill_up(path, beside, &s->copy, &length, error);
        if (status != DT_OK || !s->copy)
            return status;
        why = (dt_error){0};
        status = dt_capture_reader_open_plain(&s->reader, s->copy, &why);
        if (dt_is_of_the_file(status))
            return DT_OK;
        path = s->copy;
        end = length;
    }
    if (status != DT_OK)
        return dt_fail(error, status, "%s", why.message);
    return measure(s, path, end, error);
}

void dt_salvage_clear(dt_salvage *s)
{
    dt_capture_reader_close(s->reader);
    if (s->copy)
        unlink(s->copy);
    dt_release(s->copy);
    *s = (dt_salvage){0};
}
