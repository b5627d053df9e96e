/* What the fuzzers share. A fuzzer is a LLVMFuzzerTestOneInput, which libFuzzer calls, or mutate.c, and aborts where
 * what it calls broke a promise. */
#ifndef DT_TESTS_FUZZ_H
#define DT_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deltoid/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(bool right)
{
    if (!right)
        abort();
}

/* What was refused says why, in a line, and is the file's fault: exit status 2. With DELTOID_FUZZ_TELL in the
 * environment each is told. */
static inline void check_refusal(dt_status status, const dt_error *error)
{
    if (getenv("DELTOID_FUZZ_TELL"))
        fprintf(stderr, "refused: %s\n", error->message);
    if (status == error->status && dt_status_exit(status) == 2 && *error->message && !strpbrk(error->message, "\n\r\t"))
        return;
    fprintf(stderr, "status %d, %d: '%s'\n", (int)status, (int)error->status, error->message);
    abort();
}

/* Where files don't reach a disk. HDF5 wants names that lead to them, so that memfd_create won't do. */
static inline const char *memory_folder(void)
{
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

/* A file in memory, with its name, to be dropped. */
typedef struct memory_file {
    char path[40];
} memory_file;

static inline memory_file memory_file_make(const uint8_t *bytes, size_t size)
{
    memory_file file;
    snprintf(file.path, sizeof file.path, "%s/deltoid-fuzz-XXXXXX", memory_folder());
    const int fd = mkstemp(file.path);
    check(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && close(fd) == 0);
    return file;
}

static inline void memory_file_drop(const memory_file *file)
{
    check(unlink(file->path) == 0);
}

#endif
