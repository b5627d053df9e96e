/* The program under test, run as its user does, in a scratch folder. */
#ifndef DT_TESTS_PROGRAM_H
#define DT_TESTS_PROGRAM_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

enum { PROGRAM_ARGUMENTS = 24, PROGRAM_OUTPUT = 1 << 22 };

typedef struct program_result {
    int status; /* 128 + the signal's number where one ended it */
    char out[PROGRAM_OUTPUT], err[8192];
} program_result;

static program_result last; /* of the latest run */

static char home[256]; /* where all tests of a program work */

/* Makes `home` and goes there; -1 where that fails. */
static inline int home_make(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(home, sizeof home, "%s/deltoid-test-XXXXXX", tmp && *tmp && strlen(tmp) < 200 ? tmp : "/tmp");
    unsetenv("DELTOID_ISA");
    return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

/* The same in memory where that can be, for tests that synchronise many files. */
static inline int home_make_in_memory(void)
{
    snprintf(home, sizeof home, "/dev/shm/deltoid-test-XXXXXX");
    return mkdtemp(home) && chdir(home) == 0 ? 0 : home_make();
}

static inline int home_remove(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static inline void read_into(const char *name, char *text, size_t size)
{
    FILE *f = fopen(name, "rb");
    if (!f)
        fail_msg("%s isn't there", name);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static inline void write_bytes(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static inline void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* IDX files x and y: rows of bytes below 101, labels below `classes`; rows and features below 256. */
static inline void write_idx(int rows, int features, int classes)
{
    unsigned char x[12 + 255 * 255] = {0, 0, 8, 2, 0, 0, 0, (unsigned char)rows, 0, 0, 0, (unsigned char)features};
    unsigned char y[8 + 255] = {0, 0, 8, 1, 0, 0, 0, (unsigned char)rows};
    for (int i = 0; i < rows * features; i++)
        x[12 + i] = (unsigned char)(i * 37 % 101);
    for (int i = 0; i < rows; i++)
        y[8 + i] = (unsigned char)(i * 7 % classes);
    write_bytes("x", x, 12 + (size_t)(rows * features));
    write_bytes("y", y, 8 + (size_t)rows);
}

/* Its process; what it says goes to stdout.txt and stderr.txt. */
static inline pid_t start_program(const char *const *arguments)
{
    char *argv[PROGRAM_ARGUMENTS + 2] = {strdup(DELTOID_PROGRAM)};
    for (size_t i = 0; i < PROGRAM_ARGUMENTS && arguments[i]; i++)
        argv[i + 1] = strdup(arguments[i]);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, "stdout.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, "stderr.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, DELTOID_PROGRAM, &files, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    return pid;
}

static inline void wait_program(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    last.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_into("stdout.txt", last.out, sizeof last.out);
    read_into("stderr.txt", last.err, sizeof last.err);
}

static inline void run_program(const char *const *arguments)
{
    wait_program(start_program(arguments));
}

#define RUN(...) run_program((const char *const[]){__VA_ARGS__, NULL})

static inline void expect_success(void)
{
    if (last.status != 0 || *last.err)
        fail_msg("exit status %d: %s", last.status, last.err);
}

/* That exit status, and one line on stderr that says so. */
static inline void expect_failure(int status, const char *says)
{
    if (last.status != status || strncmp(last.err, "deltoid: ", 9) != 0 || !strstr(last.err, says) ||
        strchr(last.err, '\n') != last.err + strlen(last.err) - 1)
        fail_msg("exit status %d (not %d), \"%s\" doesn't say \"%s\"", last.status, status, last.err, says);
}

/* That exit status, and one line on stderr that begins so. */
static inline void expect_refusal(int status, const char *begins)
{
    const size_t n = strlen(begins);
    if (last.status != status || strncmp(last.err, begins, n) != 0 ||
        strchr(last.err, '\n') != last.err + strlen(last.err) - 1)
        fail_msg("exit status %d (not %d): %s", last.status, status, last.err);
}

#endif
