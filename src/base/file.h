/* Files that appear whole or not at all: written under a temporary name in the folder of the final one, synchronised,
 * renamed. */
#ifndef DT_BASE_FILE_H
#define DT_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "deltoid/status.h"

/* A file in the making: begin, write to `fd` or over `temporary`, then publish or discard. */
typedef struct dt_new_file {
    char *path, *temporary;
    int fd, folder;
} dt_new_file;

/* Creates the temporary file, exclusively and for its owner alone. */
dt_status dt_new_file_begin(dt_new_file *file, const char *path, dt_error *error);

/* Gives it the permissions of any new file of this process, synchronises it, renames it to `path` and synchronises the
 * folder. What was at `path` is replaced, or (`replace` false) stays and gives DT_EXISTS. The temporary name is gone
 * afterwards, whatever happens. */
dt_status dt_new_file_publish(dt_new_file *file, bool replace, dt_error *error);

/* Closes and removes what was begun. */
void dt_new_file_discard(dt_new_file *file);

/* Removes from a folder what begun files of a process that died have left there. */
dt_status dt_new_files_sweep(const char *folder, dt_error *error);

/* All of `bytes`, or DT_IO with `path` in the message. */
dt_status dt_write_all(int fd, const void *bytes, size_t size, const char *path, dt_error *error);

/* All of `size` bytes from a pipe; false where it ends before, or breaks. */
bool dt_read_exactly(int fd, void *bytes, size_t size);

/* fsync, and fsync of the folder in which `path` lies (so that the name survives a power failure too). */
dt_status dt_sync(int fd, const char *path, dt_error *error);
dt_status dt_sync_folder(const char *path, dt_error *error);

/* Records errno `number` for `path`, with what to do where that is known: "run/metrics.tsv: can't write: No space left
 * on device; ..." */
dt_status dt_fail_errno(dt_error *error, int number, const char *path, const char *doing);

/* The whole of a regular file of at most `most` bytes, terminated, without NUL bytes; *size may be NULL. DT_NOT_FOUND,
 * DT_INVALID, DT_MALFORMED, DT_IO, DT_NO_MEMORY. */
dt_status dt_file_read(const char *path, size_t most, dt_arena *arena, char **text, size_t *size, dt_error *error);

#endif
