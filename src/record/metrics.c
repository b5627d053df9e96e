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

static dt_status write_header(dt_metrics *metrics, dt_error *error)
{
    char line[LINE];
    size_t used = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        used += (size_t)snprintf(line + used, LINE - used, "%s%c", columns[i].name, i + 1 < COLUMNS ? '\t' : '\n');
    return dt_write_all(metrics->fd, line, used, metrics->path, error);
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

dt_status dt_metrics_create(dt_metrics **metrics, const char *path, dt_trainer *trainer, dt_error *error)
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
        m->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (m->fd < 0)
            status = dt_fail_errno(error, errno, path, "create");
    }
    if (status != DT_OK) {
        destroy(m);
        return status;
    }
    status = write_header(m, error);
    if (status == DT_OK)
        status = dt_sync(m->fd, path, error);
    if (status == DT_OK)
        status = dt_sync_folder(path, error);
    if (status == DT_OK)
        status = dt_trainer_observe(trainer, &(dt_observer){.self = m, .epoch = append_row}, error);
    if (status != DT_OK) {
        unlink(path);
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
