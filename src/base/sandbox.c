#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Processor time for a sound file: 2 s, and 1 s for each 100 MB that it may have to read. Silence is on the clock: the
 * disk may be slow. */
enum { CPU_SECONDS = 2, CPU_BYTES = 100 << 20, CPU_SECONDS_MAX = 3600, SILENCE_SECONDS = 60, REPORT = -1 };

/* --- the child --- */

static void limit(int resource, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(resource, &now) != 0)
        return;
    now.rlim_cur = now.rlim_max != RLIM_INFINITY && now.rlim_max < most ? now.rlim_max : most;
    const rlim_t later = now.rlim_cur + (resource == RLIMIT_CPU); /* after SIGXCPU, not SIGKILL at once */
    now.rlim_max = now.rlim_max != RLIM_INFINITY && now.rlim_max < later ? now.rlim_max : later;
    (void)setrlimit(resource, &now);
}

/* Address space of this process in bytes; 0 where /proc is silent. Without stdio, for the child. */
static rlim_t address_space(void)
{
    char text[64];
    unsigned long long pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        pages = 10 * pages + (unsigned)(text[i] - '0');
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static rlim_t seconds_for(int64_t bytes)
{
    const int64_t seconds = CPU_SECONDS + (bytes > 0 ? bytes : 0) / CPU_BYTES;
    return (rlim_t)(seconds < CPU_SECONDS_MAX ? seconds : CPU_SECONDS_MAX) * (SANITIZED ? 20 : 1);
}

/* The limit that can be raised again. */
void dt_sandbox_allow(int64_t bytes)
{
    struct rusage used;
    struct rlimit now;
    if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &now) != 0)
        return;
    const rlim_t most = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + seconds_for(bytes);
    now.rlim_cur = now.rlim_max != RLIM_INFINITY && now.rlim_max < most ? now.rlim_max : most;
    (void)setrlimit(RLIMIT_CPU, &now);
}

/* The C library and HDF5 tell the terminal what broke; what happened is the parent's to say, in one line. */
static void be_silent(void)
{
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0)
        return;
    (void)dup2(nowhere, STDERR_FILENO);
    close(nowhere);
}

static void confine(size_t memory, int64_t bytes)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGPIPE, SIGXCPU, SIGTERM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], SIG_DFL); /* the program's handlers are not for a copy of it */
    signal(SIGINT, SIG_IGN);       /* the terminal sends it to us too; the parent decides */
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    if (bytes != DT_SANDBOX_SERVES)
        limit(RLIMIT_CPU, seconds_for(bytes));
    if (!SANITIZED) /* whose words are wanted */
        be_silent();
    rlim_t now = address_space();
    if (!SANITIZED && now > 0 && now < RLIM_INFINITY - memory)
        limit(RLIMIT_AS, now + memory);
}

dt_status dt_sandbox_send(int pipe, const void *bytes, size_t size)
{
    int64_t header = (int64_t)size;
    dt_status status = dt_write_all(pipe, &header, sizeof header, "", NULL);
    return status == DT_OK ? dt_write_all(pipe, bytes, size, "", NULL) : status;
}

static _Noreturn void run_child(dt_sandbox_work work, void *context, int out, size_t memory, int64_t bytes)
{
    static dt_error error; /* of the child alone */
    dt_error_clear(&error);
    confine(memory, bytes);
    if (work(context, out, &error) != DT_OK) {
        int64_t header = REPORT;
        if (dt_write_all(out, &header, sizeof header, "", NULL) == DT_OK)
            (void)dt_write_all(out, &error, sizeof error, "", NULL);
    }
    _exit(0);
}

/* --- the parent --- */

dt_status dt_sandbox_check_file(const char *path, const char *advice, dt_error *error)
{
    struct stat file;
    if (stat(path, &file) != 0)
        return dt_fail(error, errno == ENOENT ? DT_NOT_FOUND : DT_IO, "%s: can't be opened: %s%s%s", path,
                       errno == ENOENT ? "there is no such file"
                                       : "the system refuses; give yourself the right to read it",
                       errno == ENOENT && advice ? "; " : "", errno == ENOENT && advice ? advice : "");
    if (!S_ISREG(file.st_mode))
        return dt_fail(error, DT_INVALID, "%s: is no regular file; put the file that a run wrote there", path);
    return DT_OK;
}

void dt_sandbox_ask(int socket, const void *request, size_t size)
{
    for (const char *from = request; size > 0;) {
        const ssize_t n = send(socket, from, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        from += n;
        size -= (size_t)n;
    }
}

void *dt_sandbox_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void dt_sandbox_unshare(void *memory, size_t size)
{
    if (memory)
        (void)munmap(memory, size);
}

dt_status dt_sandbox_start(dt_sandbox *box, const char *path, dt_sandbox_work work, void *context, size_t memory,
                           int64_t bytes, dt_error *error)
{
    int ends[2];
    *box = (dt_sandbox){.child = -1, .pipe = -1, .path = path};
    if (pipe(ends) != 0)
        return dt_fail_errno(error, errno, path, "make a pipe to read");
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    box->child = fork();
    if (box->child == 0) {
        close(ends[0]);
        run_child(work, context, ends[1], memory, bytes);
    }
    int number = errno;
    close(ends[1]);
    box->pipe = ends[0];
    if (box->child > 0)
        return DT_OK;
    dt_sandbox_finish(box);
    return dt_fail_errno(error, number, path, "start a process to read");
}

/* Is there something to read? False after a long silence, second by second: where both processes are stopped for an
 * hour, that is one. */
static bool speaks(const dt_sandbox *box)
{
    struct pollfd wait = {.fd = box->pipe, .events = POLLIN};
    int ready = 0;
    for (int i = 0; i < SILENCE_SECONDS && ready == 0; i++)
        while ((ready = poll(&wait, 1, 1000)) < 0 && errno == EINTR)
            ;
    return ready > 0;
}

/* False at the end of the pipe, or after a long silence. */
static bool receive_all(dt_sandbox *box, void *bytes, size_t size)
{
    for (char *to = bytes; size > 0;) {
        const bool ready = speaks(box);
        ssize_t n = ready ? read(box->pipe, to, size) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        box->ended = ready && n == 0;
        if (n <= 0)
            return false;
        to += n;
        size -= (size_t)n;
    }
    return true;
}

/* Did somebody kill it? Its end of the pipe is closed a moment before it is dead. */
static bool was_killed(dt_sandbox *box)
{
    enum { LOOKS = 200 };
    int how = 0;
    pid_t dead = 0;
    for (int i = 0; i < LOOKS && dead == 0 && box->ended && box->child > 0; i++) {
        dead = waitpid(box->child, &how, WNOHANG);
        if (dead == 0)
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    if (dead > 0)
        box->child = -1;
    return dead > 0 && WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL;
}

/* Why it says no more. A child that the kernel or a person kills with SIGKILL is no fault of the file: its own limits
 * end it by other signals. */
static dt_status fail_broken(dt_sandbox *box, dt_error *error)
{
    if (was_killed(box))
        return dt_fail(error, DT_SYSTEM,
                       "%s: the process that read it was killed; free some memory, or ask who killed it", box->path);
    return dt_fail(error, DT_MALFORMED, "%s: malformed: the HDF5 library breaks on it; use a copy that is sound",
                   box->path);
}

dt_status dt_sandbox_receive(dt_sandbox *box, void *bytes, size_t size, dt_error *error)
{
    int64_t header;
    dt_error report;
    if (!receive_all(box, &header, sizeof header))
        return fail_broken(box, error);
    if (header == (int64_t)size && size <= INT64_MAX)
        return receive_all(box, bytes, size) ? DT_OK : fail_broken(box, error);
    if (header != REPORT || !receive_all(box, &report, sizeof report))
        return fail_broken(box, error);
    if (report.status <= DT_ANSWER_NO || report.status > DT_STOPPED)
        return fail_broken(box, error);
    report.message[sizeof report.message - 1] = '\0';
    return dt_fail(error, report.status, "%s", report.message);
}

void dt_sandbox_finish(dt_sandbox *box)
{
    if (box->pipe >= 0)
        close(box->pipe);
    if (box->child > 0) {
        kill(box->child, SIGKILL);
        while (waitpid(box->child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    *box = (dt_sandbox){.child = -1, .pipe = -1};
}
