#include "cli/runfolder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SAME_SECOND_MAX = 1000 };

static dt_status exists(const char *folder, dt_error *error)
{
    return dt_fail(error, DT_EXISTS, "%s: exists already; name another folder with --out, or remove it", folder);
}

static dt_status cannot_make(const char *folder, int failure, dt_error *error)
{
    return dt_fail(error, DT_IO, "%s: can't be made: %s; use --out to name a folder that can", folder,
                   strerror(failure));
}

dt_status dt_runfolder_check(const char *out, dt_error *error)
{
    struct stat there;
    return out && lstat(out, &there) == 0 ? exists(out, error) : DT_OK;
}

dt_status dt_folder_check(const char *folder, bool resume, dt_error *error)
{
    return !resume && access(folder, F_OK) == 0
               ? dt_fail(error, DT_EXISTS, "%s: exists already; go on with --resume, or name another folder with --out",
                         folder)
               : DT_OK;
}

dt_status dt_folders_make(const char *path, bool whole, dt_arena *arena, dt_error *error)
{
    char *copy = dt_arena_duplicate(arena, path);
    if (!copy)
        return dt_fail_memory(error, "a path");
    for (char *end = copy + strlen(copy); end > copy + 1 && end[-1] == '/';)
        *--end = '\0';
    for (char *slash = *copy ? strchr(copy + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            return cannot_make(copy, errno, error);
        *slash = '/';
    }
    return whole && mkdir(copy, 0777) != 0 && errno != EEXIST ? cannot_make(copy, errno, error) : DT_OK;
}

dt_status dt_runfolder_make(const char **folder, const char *out, const dt_config *config, dt_arena *arena,
                            dt_error *error)
{
    char base[256] = "", hash[13], stamp[32];
    if (!out) {
        time_t now = time(NULL);
        struct tm utc;
        dt_config_hash(config, hash);
        if (!gmtime_r(&now, &utc) || strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc) == 0)
            return dt_fail(error, DT_SYSTEM, "the clock can't be read; name the run's folder with --out");
        snprintf(base, sizeof base, "results/%.128s/%s-%s-s%" PRIu64, config->experiment.name, stamp, hash,
                 config->experiment.seed);
    }
    dt_status status = dt_folders_make(out ? out : base, false, arena, error);
    for (int n = 1; status == DT_OK; n++) {
        size_t size = strlen(out ? out : base) + 16;
        char *path = dt_arena_allocate(arena, size, 1);
        if (!path)
            return dt_fail_memory(error, "a path");
        if (n == 1)
            snprintf(path, size, "%s", out ? out : base);
        else
            snprintf(path, size, "%s-%d", base, n);
        if (mkdir(path, 0777) == 0) {
            *folder = path;
            return DT_OK;
        }
        if (errno != EEXIST)
            status = cannot_make(path, errno, error);
        else if (out || n == SAME_SECOND_MAX)
            status = exists(path, error);
    }
    return status;
}

/* A lock of fcntl(2): unlike flock's, children that are forked to read files don't hold it. */
dt_status dt_runfolder_lock(const char *folder, dt_arena *arena, dt_error *error)
{
    const size_t size = strlen(folder) + 8;
    char *path = dt_arena_allocate(arena, size, 1);
    if (!path)
        return dt_fail_memory(error, "a path");
    snprintf(path, size, "%s/lock", folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return dt_fail(error, DT_IO, "%s: can't be opened: %s; choose a folder that can be written", path,
                       strerror(errno));
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_SETLK, &all) == 0)
        return DT_OK;
    const int number = errno;
    close(fd);
    if (number != EACCES && number != EAGAIN)
        return dt_fail(error, DT_IO, "%s: can't be locked: %s; choose a folder on another file system", path,
                       strerror(number));
    return dt_fail(error, DT_EXISTS, "%s: another process is training this run; wait for its end, or stop it", folder);
}
