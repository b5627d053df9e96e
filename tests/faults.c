/* A library to preload (LD_PRELOAD) that makes calls of the system fail, for tests of what a program does then.
 *
 *     DELTOID_FAULT=write:17     the 17th of these calls fails: write (also pwrite), fsync, rename, open, memory, read
 *     DELTOID_FAULT=space:40000  a disk that is full after so many bytes written to files under the current directory
 *
 * `memory` is posix_memalign, through which all of the library's own memory goes; `read` is pread, with which HDF5
 * reads; a process that is forked counts on by itself. Calls on standard output and error
 * don't count. The failure is said on no channel but errno: EIO, ENOSPC, ENOMEM.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, WRITE, FSYNC, RENAME, OPEN, MEMORY, READ, SPACE };

static const char *const names[] = {[WRITE] = "write",   [FSYNC] = "fsync", [RENAME] = "rename", [OPEN] = "open",
                                    [MEMORY] = "memory", [READ] = "read",   [SPACE] = "space"};

static int kind;
static long long at;
static atomic_llong count;

__attribute__((constructor)) static void read_setting(void)
{
    const char *setting = getenv("DELTOID_FAULT"), *colon = setting ? strchr(setting, ':') : NULL;
    for (int i = WRITE; colon && i <= SPACE; i++)
        if (strncmp(setting, names[i], strlen(names[i])) == 0 && setting[strlen(names[i])] == ':')
            kind = i;
    at = colon ? atoll(colon + 1) : 0;
}

static int fails(int what)
{
    return kind == what && atomic_fetch_add(&count, 1) + 1 == at;
}

/* Does this write still fit? */
static int is_full(int fd, size_t size)
{
    if (kind != SPACE || fd <= 2)
        return 0;
    if (atomic_fetch_add(&count, (long long)size) + (long long)size <= at)
        return 0;
    atomic_fetch_sub(&count, (long long)size);
    return 1;
}

#define REAL(function)                                                                                                 \
    static __typeof__(function) *real;                                                                                 \
    if (!real)                                                                                                         \
    *(void **)(&real) = dlsym(RTLD_NEXT, #function)

ssize_t write(int fd, const void *bytes, size_t size)
{
    REAL(write);
    if ((fd > 2 && fails(WRITE)) || is_full(fd, size)) {
        errno = kind == SPACE ? ENOSPC : EIO;
        return -1;
    }
    return real(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    REAL(pwrite);
    if (fails(WRITE) || is_full(fd, size)) {
        errno = kind == SPACE ? ENOSPC : EIO;
        return -1;
    }
    return real(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    return pwrite(fd, bytes, size, offset);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
    REAL(pread);
    if (fails(READ)) {
        errno = EIO;
        return -1;
    }
    return real(fd, bytes, size, offset);
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t offset)
{
    return pread(fd, bytes, size, offset);
}

int fsync(int fd)
{
    REAL(fsync);
    if (fails(FSYNC)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    if (fails(RENAME)) {
        errno = EIO;
        return -1;
    }
    return real(from, to);
}

static int open_mode(const char *name, const char *path, int flags, mode_t mode)
{
    int (*real)(const char *, int, ...);
    *(void **)(&real) = dlsym(RTLD_NEXT, name);
    if (flags & (O_WRONLY | O_RDWR) && fails(OPEN)) {
        errno = EMFILE;
        return -1;
    }
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_mode("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_mode("open64", path, flags, mode);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    REAL(posix_memalign);
    return fails(MEMORY) ? ENOMEM : real(memory, alignment, size);
}
