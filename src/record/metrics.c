/* metrics.tsv: a header line, then a row an epoch, on the disk before the next epoch begins. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "deltoid/record.h"

/* To add a column: a figure in dt_epoch_report, and a line here, at the end. */
static const struct {
    const char *name;
    size_t offset;
    bool counts; /* int64_t, else double */
} columns[] = {
    {"epoch", offsetof(dt_epoch_report, epoch), true},
    {"step", offsetof(dt_epoch_report, step), true},
    {"seconds", offsetof(dt_epoch_report, seconds), false},
    {"train_loss", offsetof(dt_epoch_report, train_loss), false},
    {"train_accuracy", offsetof(dt_epoch_report, train_accuracy), false},
    {"validation_loss", offsetof(dt_epoch_report, validation_loss), false},
    {"validation_accuracy", offsetof(dt_epoch_report, validation_accuracy), false},
    {"test_loss", offsetof(dt_epoch_report, test_loss), false},
    {"test_accuracy", offsetof(dt_epoch_report, test_accuracy), false},
    {"learning_rate", offsetof(dt_epoch_report, learning_rate), false},
    {"samples_per_second", offsetof(dt_epoch_report, samples_per_second), false},
};

enum { COLUMNS = sizeof columns / sizeof *columns, LINE = COLUMNS * 32 };

struct dt_metrics {
    char *path;
    int fd;
    locale_t plain; /* "C": a decimal point, whatever the program speaks */
};

static int put_number(char *to, size_t room, double value)
{
    if (isnan(value))
        return snprintf(to, room, "nan"); /* printf may say -nan */
    return snprintf(to, room, "%.9g", value);
}

static dt_status append_row(void *self, const dt_epoch_report *report, dt_error *error)
{
    dt_metrics *metrics = self;
    char line[LINE];
    size_t used = 0;
    locale_t before = uselocale(metrics->plain);
    for (size_t i = 0; i < COLUMNS; i++) {
        const char *field = (const char *)report + columns[i].offset;
        int64_t count;
        double value;
        int n;
        if (columns[i].counts) {
            memcpy(&count, field, sizeof count);
            n = snprintf(line + used, LINE - used, "%" PRId64, count);
        } else {
            memcpy(&value, field, sizeof value);
            n = put_number(line + used, LINE - used, value);
        }
        used += (size_t)n;
        line[used++] = i + 1 < COLUMNS ? '\t' : '\n';
    }
    uselocale(before);
    dt_status status = dt_write_all(metrics->fd, line, used, metrics->path, error);
    return status == DT_OK ? dt_sync(metrics->fd, metrics->path, error) : status;
}

static size_t put_header(char line[LINE])
{
    size_t used = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        used += (size_t)snprintf(line + used, LINE - used, "%s%c", columns[i].name, i + 1 < COLUMNS ? '\t' : '\n');
    return used;
}

static dt_status write_header(dt_metrics *metrics, dt_error *error)
{
    char line[LINE];
    return dt_write_all(metrics->fd, line, put_header(line), metrics->path, error);
}

static void destroy(dt_metrics *metrics)
{
    if (metrics->fd >= 0)
        close(metrics->fd);
    if (metrics->plain)
        freelocale(metrics->plain);
    dt_release(metrics->path);
    dt_release(metrics);
}

/* --- reading --- */

/* A whole row of `epoch`: that number first, and as many columns as there are. */
static bool is_row(const char *line, int64_t epoch)
{
    char first[32];
    int tabs = 0;
    snprintf(first, sizeof first, "%" PRId64 "\t", epoch);
    for (const char *c = line; *c; c++)
        tabs += *c == '\t';
    return strncmp(line, first, strlen(first)) == 0 && tabs == COLUMNS - 1;
}

/* How many whole rows the file has, at most `most`, and where the last of them ends; 0 where not even the header is
 * whole. */
static dt_status read_rows(const char *path, int64_t most, int64_t *rows, off_t *end, dt_error *error)
{
    char line[2 * LINE], header[LINE];
    FILE *file = fopen(path, "re");
    *rows = 0;
    *end = 0;
    if (!file)
        return errno == ENOENT ? DT_OK : dt_fail_errno(error, errno, path, "open");
    put_header(header);
    bool whole = fgets(line, sizeof line, file) && strcmp(line, header) == 0;
    if (whole)
        *end = (off_t)strlen(line);
    while (whole && *rows < most && fgets(line, sizeof line, file) && line[strlen(line) - 1] == '\n' &&
           is_row(line, *rows + 1)) {
        ++*rows;
        *end += (off_t)strlen(line);
    }
    const bool failed = ferror(file) != 0;
    const int number = errno;
    fclose(file);
    return failed ? dt_fail_errno(error, number, path, "read") : DT_OK;
}

dt_status dt_metrics_epochs(const char *path, int64_t *epochs, dt_error *error)
{
    off_t end;
    return read_rows(path, INT64_MAX, epochs, &end, error);
}

/* --- making and closing --- */

/* `flags` of open(2). The caller writes what is missing, and finishes. */
static dt_status begin(dt_metrics **metrics, const char *path, int flags, dt_error *error)
{
    *metrics = NULL;
    dt_metrics *m = dt_allocate_zeroed(1, sizeof *m);
    if (!m)
        return dt_fail_memory(error, "the metrics");
    m->fd = -1;
    m->path = dt_duplicate(path);
    m->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    dt_status status = m->path && m->plain ? DT_OK : dt_fail_memory(error, "the metrics");
    if (status == DT_OK) {
        m->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0666);
        if (m->fd < 0)
            status = dt_fail_errno(error, errno, path, "create");
    }
    if (status != DT_OK) {
        destroy(m);
        return status;
    }
    *metrics = m;
    return DT_OK;
}

static dt_status finish(dt_metrics *m, dt_trainer *trainer, dt_error *error)
{
    dt_status status = dt_sync(m->fd, m->path, error);
    if (status == DT_OK)
        status = dt_sync_folder(m->path, error);
    return status == DT_OK ? dt_trainer_observe(trainer, &(dt_observer){.self = m, .epoch = append_row}, error)
                           : status;
}

dt_status dt_metrics_create(dt_metrics **metrics, const char *path, dt_trainer *trainer, dt_error *error)
{
    dt_metrics *m;
    dt_status status = begin(&m, path, O_CREAT | O_EXCL, error);
    *metrics = NULL;
    if (status != DT_OK)
        return status;
    status = write_header(m, error);
    if (status == DT_OK)
        status = finish(m, trainer, error);
    if (status != DT_OK) {
        unlink(path);
        destroy(m);
        return status;
    }
    *metrics = m;
    return DT_OK;
}

dt_status dt_metrics_resume(dt_metrics **metrics, const char *path, int64_t epochs, dt_trainer *trainer,
                            dt_error *error)
{
    dt_metrics *m;
    int64_t rows;
    off_t end;
    *metrics = NULL;
    dt_status status = read_rows(path, epochs, &rows, &end, error);
    if (status == DT_OK && rows < epochs)
        status = dt_fail(error, DT_INVALID, "%s: has whole rows of %lld epochs, not of %lld; go on from an earlier one",
                         path, (long long)rows, (long long)epochs);
    if (status == DT_OK)
        status = begin(&m, path, O_CREAT, error);
    if (status != DT_OK)
        return status;
    if (ftruncate(m->fd, end) != 0)
        status = dt_fail_errno(error, errno, path, "cut");
    if (status == DT_OK && end == 0)
        status = write_header(m, error);
    if (status == DT_OK)
        status = finish(m, trainer, error);
    if (status != DT_OK) {
        destroy(m);
        return status;
    }
    *metrics = m;
    return DT_OK;
}

dt_status dt_metrics_close(dt_metrics *metrics, dt_error *error)
{
    dt_status status = dt_sync(metrics->fd, metrics->path, error);
    destroy(metrics);
    return status;
}
