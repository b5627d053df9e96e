#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "deltoid/record.h"

/* strerror_r of POSIX; thread-safe where strerror is not promised to be. */
static const char *reason(int number, char *room, size_t size)
{
    return strerror_r(number, room, size) == 0 ? room : "unknown reason";
}

static const char *advice(int number)
{
    switch (number) {
    case ENOSPC:
        return "; free some space or capture less";
    case EDQUOT:
        return "; free some of your quota or capture less";
    case EFBIG:
        return "; raise the file-size limit (ulimit -f) or capture less";
    case EACCES:
    case EPERM:
    case EROFS:
        return "; choose a folder that can be written";
    case ENOENT:
        return "; make the folder first";
    default:
        return "";
    }
}

dt_status dt_fail_errno(dt_error *error, int number, const char *path, const char *doing)
{
    char room[128];
    dt_status status = number == ENOMEM ? DT_NO_MEMORY : number == EEXIST ? DT_EXISTS : DT_IO;
    return dt_fail(error, status, "%s: can't %s: %s%s", path, doing, reason(number, room, sizeof room), advice(number));
}

dt_status dt_write_all(int fd, const void *bytes, size_t size, const char *path, dt_error *error)
{
    const char *from = bytes;
    while (size > 0) {
        ssize_t n = write(fd, from, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return dt_fail_errno(error, n < 0 ? errno : EIO, path, "write");
        from += n;
        size -= (size_t)n;
    }
    return DT_OK;
}

bool dt_read_exactly(int fd, void *bytes, size_t size)
{
    for (char *to = bytes; size > 0;) {
        const ssize_t n = read(fd, to, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        size -= (size_t)n;
    }
    return true;
}

dt_status dt_sync(int fd, const char *path, dt_error *error)
{
    while (fsync(fd) != 0) {
        if (errno == EINVAL || errno == EROFS)
            return DT_OK; /* a pipe or a device: nothing to synchronise */
        if (errno != EINTR)
            return dt_fail_errno(error, errno, path, "synchronise");
    }
    return DT_OK;
}

/* The folder in which `path` lies, open; its name goes through `room`. */
static int open_folder(const char *path, char *room, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(room, size, "%.*s.", slash ? (int)(slash - path) + 1 : 0, path);
    return open(room, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

dt_status dt_sync_folder(const char *path, dt_error *error)
{
    size_t size = strlen(path) + 2;
    char *folder = dt_allocate(size, 1);
    if (!folder)
        return dt_fail_memory(error, "a file name");
    int fd = open_folder(path, folder, size);
    dt_status status = fd < 0 ? dt_fail_errno(error, errno, path, "open its folder") : dt_sync(fd, path, error);
    if (fd >= 0)
        close(fd);
    dt_release(folder);
    return status;
}

/* Permissions that open(2) would have given: 0666 without the umask, which umask(2) can't tell without changing it for
 * all threads. Where /proc is silent, the owner's alone. */
static mode_t usual_mode(void)
{
    unsigned mask = 066;
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Umask: %o", &mask) == 1)
            break;
    if (status)
        fclose(status);
    return 0666 & ~(mode_t)mask;
}

dt_status dt_new_file_begin(dt_new_file *file, const char *path, dt_error *error)
{
    static atomic_uint counter;
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) + 1 : 0;
    size_t size = strlen(path) + 64;
    file->fd = file->folder = -1;
    file->path = dt_duplicate(path);
    file->temporary = dt_allocate(size, 1);
    if (!file->path || !file->temporary) {
        dt_new_file_discard(file);
        return dt_fail_memory(error, "a file name");
    }
    file->folder = open_folder(path, file->temporary, size);
    for (int attempt = 0; attempt < 100 && file->folder >= 0 && file->fd < 0; attempt++) {
        snprintf(file->temporary, size, "%.*s.%s.%ld-%u.tmp", folder, path, path + folder, (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        file->fd = open(file->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file->fd < 0 && errno != EEXIST)
            break;
    }
    if (file->fd >= 0)
        return DT_OK;
    dt_status status = dt_fail_errno(error, errno, path, "create a file in its folder");
    dt_new_file_discard(file);
    return status;
}

/* Moves the file to a name that is free, in one step; where the file system has no links, in two. */
static int rename_to_free(const char *from, const char *to)
{
    struct stat there;
    if (link(from, to) == 0)
        return unlink(from);
    if (errno == EEXIST)
        return -1;
    if (lstat(to, &there) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

dt_status dt_new_file_publish(dt_new_file *file, bool replace, dt_error *error)
{
    dt_status status = DT_OK;
    if (fchmod(file->fd, usual_mode()) != 0 && errno != EPERM) /* some file systems have no permissions */
        status = dt_fail_errno(error, errno, file->path, "set the permissions of");
    if (status == DT_OK)
        status = dt_sync(file->fd, file->path, error);
    if (status == DT_OK && (replace ? rename : rename_to_free)(file->temporary, file->path) != 0)
        status = dt_fail_errno(error, errno, file->path, "give the finished file its name");
    if (status == DT_OK) {
        file->temporary[0] = '\0';
        status = dt_sync(file->folder, file->path, error);
    }
    dt_new_file_discard(file);
    return status;
}

void dt_new_file_discard(dt_new_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        if (file->temporary[0])
            unlink(file->temporary);
    }
    if (file->folder >= 0)
        close(file->folder);
    dt_release(file->path);
    dt_release(file->temporary);
    *file = (dt_new_file){.fd = -1, .folder = -1};
}

/* ".NAME.PID-N.tmp", as dt_new_file_begin makes them. */
static bool is_temporary(const char *name)
{
    const size_t n = strlen(name);
    const char *number = n > 5 && name[0] == '.' && strcmp(name + n - 4, ".tmp") == 0 ? name + n - 5 : name;
    while (number > name && *number >= '0' && *number <= '9')
        number--;
    if (number <= name || *number != '-' || number == name + n - 5)
        return false;
    const char *dash = number--;
    while (number > name && *number >= '0' && *number <= '9')
        number--;
    return number > name && *number == '.' && number + 1 < dash;
}

dt_status dt_new_files_sweep(const char *folder, dt_error *error)
{
    DIR *names = opendir(folder);
    if (!names)
        return dt_fail_errno(error, errno, folder, "look into");
    for (struct dirent *entry; (entry = readdir(names));)
        if (is_temporary(entry->d_name))
            (void)unlinkat(dirfd(names), entry->d_name, 0);
    closedir(names);
    return DT_OK;
}

dt_status dt_file_write(const char *path, const void *bytes, size_t size, dt_error *error)
{
    dt_new_file file;
    dt_status status = dt_new_file_begin(&file, path, error);
    if (status != DT_OK)
        return status;
    status = dt_write_all(file.fd, bytes, size, path, error);
    if (status != DT_OK) {
        dt_new_file_discard(&file);
        return status;
    }
    return dt_new_file_publish(&file, true, error);
}

/* --- reading --- */

static dt_status fail_file(dt_error *error, const char *path, const char *doing)
{
    const int number = errno;
    char room[128];
    if (number == ENOENT || number == ENOTDIR)
        return dt_fail(error, DT_NOT_FOUND, "%s: there is no such file; name a folder that deltoid train has written",
                       path);
    return dt_fail(error, DT_IO, "%s: can't %s: %s", path, doing, reason(number, room, sizeof room));
}

static dt_status read_all(int fd, const char *path, char *text, size_t size, size_t *used, dt_error *error)
{
    *used = 0;
    while (*used < size) {
        ssize_t n = read(fd, text + *used, size - *used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_file(error, path, "read");
        if (n == 0)
            break; /* became shorter meanwhile */
        *used += (size_t)n;
    }
    return DT_OK;
}

dt_status dt_file_read(const char *path, size_t most, dt_arena *arena, char **text, size_t *size, dt_error *error)
{
    struct stat facts;
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_file(error, path, "open");
    dt_status status = DT_OK;
    if (fstat(fd, &facts) != 0)
        status = fail_file(error, path, "read");
    else if (!S_ISREG(facts.st_mode))
        status = dt_fail(error, DT_INVALID, "%s: not a regular file", path);
    else if (facts.st_size < 0 || (uintmax_t)facts.st_size > most)
        status = dt_fail(error, DT_MALFORMED, "%s: larger than %zu bytes, which no such file is", path, most);
    else if (!(*text = dt_arena_allocate(arena, (size_t)facts.st_size + 1, 1)))
        status = dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its text", path);
    else
        status = read_all(fd, path, *text, (size_t)facts.st_size, &used, error);
    close(fd);
    if (status == DT_OK && strlen(*text) != used)
        status = dt_fail(error, DT_MALFORMED, "%s: has a NUL byte, so it is no text", path);
    if (size)
        *size = used;
    return status;
}
