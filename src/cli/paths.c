#include "cli/paths.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char *dt_path_join(dt_arena *arena, const char *folder, const char *file)
{
    bool absolute = *file == '/';
    size_t size = strlen(folder) + strlen(file) + 2;
    char *path = dt_arena_allocate(arena, size, 1);
    if (!path)
        return NULL;
    size_t n = absolute ? 0 : (size_t)snprintf(path, size, "%s", strcmp(folder, "/") == 0 ? "" : folder);
    for (const char *part = file; *part;) {
        size_t length = strcspn(part, "/");
        if (length && !(length == 1 && *part == '.')) {
            path[n++] = '/';
            memcpy(path + n, part, length);
            n += length;
        }
        part += length + (part[length] == '/');
    }
    path[n] = '\0';
    return path;
}

dt_status dt_path_here(dt_arena *arena, const char **folder, dt_error *error)
{
    for (size_t size = 512; size <= 1 << 20; size *= 2) {
        char *path = dt_arena_allocate(arena, size, 1);
        if (!path)
            return dt_fail(error, DT_NO_MEMORY, "out of memory for a path; free some memory");
        if (getcwd(path, size)) {
            *folder = path;
            return DT_OK;
        }
        if (errno != ERANGE)
            break;
    }
    return dt_fail(error, DT_SYSTEM, "the current directory has no name: %s; change to another", strerror(errno));
}

dt_status dt_path_folder(dt_arena *arena, const char *file, const char **folder, dt_error *error)
{
    const char *here = "/";
    dt_status status = *file == '/' ? DT_OK : dt_path_here(arena, &here, error);
    if (status != DT_OK)
        return status;
    char *path = dt_path_join(arena, here, file);
    if (!path)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for a path; free some memory");
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0';
    *folder = path;
    return DT_OK;
}

dt_status dt_path_program(char path[DT_PROGRAM_PATH], dt_error *error)
{
    const ssize_t length = readlink("/proc/self/exe", path, DT_PROGRAM_PATH - 1);
    if (length < 0)
        return dt_fail(error, DT_SYSTEM, "/proc/self/exe: %s; the program can't start itself", strerror(errno));
    path[length] = '\0';
    return DT_OK;
}
