#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#include "plot/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum { COMPLAINT_MAX = 8192, TAIL_MAX = 32 };

/* `ending` is what a whole picture has among its last bytes: gnuplot doesn't tell when the disk is full. */
static const struct {
    const char *name, *ending;
} formats[] = {
    {"svg", "</svg>"},
    {"png", "IEND"},
    {"pdf", "%%EOF"},
};

const char *dt_gnuplot_format_at(size_t i)
{
    return i < sizeof formats / sizeof *formats ? formats[i].name : NULL;
}

/* --- what is written for it --- */

/* In single quotes, doubled inside. gnuplot 5.4 reads a doubled one wrongly at the start, and right after another:
 * there it is a typographic one. */
static void quote(dt_buffer *out, const char *text, size_t most)
{
    dt_buffer fit = {0};
    dt_buffer_add_outside(&fit, text, most);
    dt_buffer_add(out, "'");
    for (const char *c = fit.bytes ? fit.bytes : ""; *c; c++)
        if (*c != '\'')
            dt_buffer_format(out, "%c", *c);
        else
            dt_buffer_add(out, c == fit.bytes || c[-1] == '\'' ? "\xe2\x80\x99" : "''");
    dt_buffer_add(out, "'");
    out->failed = out->failed || fit.failed;
    dt_buffer_clear(&fit);
}

void dt_gnuplot_add_text(dt_buffer *out, const char *name, const char *text, size_t most)
{
    dt_buffer_format(out, "%s = ", name);
    quote(out, text, most);
    dt_buffer_add(out, "\n");
}

void dt_gnuplot_add_texts(dt_buffer *out, const char *name, const char *const *texts, size_t count, size_t most)
{
    dt_buffer_format(out, "array %s[%zu] = [", name, count);
    for (size_t i = 0; i < count; i++) {
        dt_buffer_add(out, i ? ", " : "");
        quote(out, texts[i], most);
    }
    dt_buffer_add(out, "]\n");
}

void dt_gnuplot_add_integers(dt_buffer *out, const char *name, const int *values, size_t count)
{
    dt_buffer_format(out, "array %s[%zu] = [", name, count);
    for (size_t i = 0; i < count; i++)
        dt_buffer_format(out, "%s%d", i ? ", " : "", values[i]);
    dt_buffer_add(out, "]\n");
}

/* With a point or an exponent, so that gnuplot doesn't divide it as an integer. */
static void add_real(dt_buffer *out, double value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%.10g", value);
    dt_buffer_format(out, "%s%s", digits, strpbrk(digits, ".e") ? "" : ".0");
}

void dt_gnuplot_add_numbers(dt_buffer *out, const char *name, const double *values, size_t count)
{
    dt_buffer_format(out, "array %s[%zu] = [", name, count);
    for (size_t i = 0; i < count; i++) {
        dt_buffer_add(out, i ? ", " : "");
        add_real(out, values[i]);
    }
    dt_buffer_add(out, "]\n");
}

void dt_gnuplot_add_number(dt_buffer *out, const char *name, double value)
{
    dt_buffer_format(out, "%s = ", name);
    add_real(out, value);
    dt_buffer_add(out, "\n");
}

dt_axis dt_axis_around(double low, double high, double least, double ratio)
{
    static const double largest = 1e300; /* beyond, gnuplot's own arithmetic ends */
    low = fmax(low, -largest);
    high = fmin(high, largest);
    if (low > 0 && high / low >= ratio)
        return (dt_axis){low / 1.2, high * 1.2, true};
    double air = fmax(0.05 * (high - low), (least - (high - low)) / 2);
    return (dt_axis){low >= 0 && low < air ? 0 : low - air, high + air, false};
}

int dt_gnuplot_add_key(dt_buffer *out, size_t longest, size_t count)
{
    size_t columns =
        (size_t)(844 / (10.6 * (double)longest + 70)); /* pixels, as gnuplot reckons before it knows the font */
    if (columns < 1)
        columns = 1;
    if (columns > count)
        columns = count;
    size_t rows = (count + columns - 1) / columns;
    columns = (count + rows - 1) / rows;
    dt_buffer_format(out, "key_rows = %zu\nkey_columns = %zu\n", rows, columns);
    return (int)rows;
}

/* --- starting it --- */

/* All that comes through `fd`; the first COMPLAINT_MAX - 1 bytes are kept, or the whole lines of them where more came.
 */
static void drain(int fd, char *kept)
{
    char rest[1024];
    size_t used = 0;
    for (;;) {
        size_t room = COMPLAINT_MAX - 1 - used;
        ssize_t n = room ? read(fd, kept + used, room) : read(fd, rest, sizeof rest);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += room ? (size_t)n : 0;
    }
    kept[used] = '\0';
    char *end = strrchr(kept, '\n');
    if (used == COMPLAINT_MAX - 1 && end)
        *end = '\0';
}

/* gnuplot shows the command, then: "curves.gp" line 3: what is wrong. Other lines are warnings of libraries. Cuts
 * `text`. */
static const char *complaint(char *text)
{
    const char *found = NULL, *last = "it said nothing";
    char *rest = text;
    for (char *line; (line = strtok_r(rest, "\n", &rest));) {
        if (line[strspn(line, " \t^")])
            last = line;
        if (!found && line[0] == '"' && strstr(line, "line ") && !strstr(line, "warning:"))
            found = line;
    }
    return found ? found : last;
}

static dt_status spawn(const char *folder, const char *script, int errors, pid_t *child, dt_error *error)
{
    static char program[] = "gnuplot", defaults[] = "-d"; /* -d: not the user's own settings */
    char name[64];
    snprintf(name, sizeof name, "%s", script);
    char *arguments[] = {program, defaults, name, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t signals;
    if (posix_spawn_file_actions_init(&files) != 0)
        return dt_fail(error, DT_NO_MEMORY, "out of memory to start gnuplot");
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return dt_fail(error, DT_NO_MEMORY, "out of memory to start gnuplot");
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    int failed = posix_spawnattr_setsigdefault(&attributes, &signals);
    failed = failed ? failed : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    failed = failed ? failed : posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    failed = failed ? failed : posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(&files, errors, 2);
    failed = failed ? failed : posix_spawn_file_actions_addchdir_np(&files, folder);
    failed = failed ? failed : posix_spawnp(child, program, &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failed == ENOENT)
        return dt_fail(error, DT_UNSUPPORTED,
                       "%s/%s: written, but not drawn: there is no gnuplot; install it (Debian: gnuplot-nox), or draw "
                       "with --term text",
                       folder, script);
    if (failed)
        return dt_fail_errno(error, failed, script, "start gnuplot for");
    return DT_OK;
}

/* Starts, listens, waits: the exit status as waitpid gives it. */
static dt_status run(const char *folder, const char *script, char *said, int *exit_status, dt_error *error)
{
    int ends[2];
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return dt_fail_errno(error, errno, script, "make a pipe to gnuplot for");
    dt_status status = spawn(folder, script, ends[1], &child, error);
    close(ends[1]);
    if (status == DT_OK) {
        drain(ends[0], said);
        while (waitpid(child, exit_status, 0) < 0)
            if (errno != EINTR) {
                *exit_status = 0; /* someone else waits for our children: the picture tells */
                break;
            }
    }
    close(ends[0]);
    return status;
}

static bool is_whole(const char *path, const char *ending)
{
    char tail[TAIL_MAX + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    off_t size = lseek(fd, 0, SEEK_END), from = size > TAIL_MAX ? size - TAIL_MAX : 0;
    ssize_t n = pread(fd, tail, TAIL_MAX, from);
    close(fd);
    return n > 0 && memmem(tail, (size_t)n, ending, strlen(ending));
}

static dt_status judge(const char *folder, const char *script, const char *picture, const char *ending, int exit_status,
                       char *said, dt_error *error)
{
    if (WIFSIGNALED(exit_status))
        return dt_fail(error, DT_SYSTEM, "%s/%s: gnuplot was ended by signal %d", folder, script,
                       WTERMSIG(exit_status));
    if (WEXITSTATUS(exit_status) != 0 && strstr(said, "nknown or ambiguous terminal"))
        return dt_fail(error, DT_UNSUPPORTED, "%s/%s: this gnuplot can't draw this format (%s); use --term svg", folder,
                       script, complaint(said));
    if (WEXITSTATUS(exit_status) != 0)
        return dt_fail(error, DT_SYSTEM, "%s/%s: gnuplot failed: %s", folder, script, complaint(said));
    if (!is_whole(picture, ending))
        return dt_fail(error, DT_IO, "%s: gnuplot did not write the whole picture; is the disk full?", picture);
    return DT_OK;
}

dt_status dt_gnuplot_run(const char *folder, const char *stem, const char *format, dt_error *error)
{
    size_t f = 0;
    while (strcmp(formats[f].name, format) != 0)
        if (++f == sizeof formats / sizeof *formats)
            return dt_fail(error, DT_UNKNOWN_NAME, "gnuplot draws no '%s' here", format);
    dt_status status = DT_NO_MEMORY;
    dt_buffer picture = {0}, script = {0};
    char *said = dt_allocate(COMPLAINT_MAX, 1);
    int exit_status = 0;
    dt_buffer_format(&picture, "%s/%s.%s", folder, stem, format);
    dt_buffer_format(&script, "%s.gp", stem);
    if (!said || picture.failed || script.failed)
        dt_fail(error, status, "%s: out of memory to start gnuplot", folder);
    else if (unlink(picture.bytes) != 0 && errno != ENOENT)
        status = dt_fail_errno(error, errno, picture.bytes, "replace");
    else
        status = run(folder, script.bytes, said, &exit_status, error);
    if (status == DT_OK) {
        status = judge(folder, script.bytes, picture.bytes, formats[f].ending, exit_status, said, error);
        if (status != DT_OK)
            unlink(picture.bytes);
    }
    dt_release(said);
    dt_buffer_clear(&picture);
    dt_buffer_clear(&script);
    return status;
}
