#include "cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/split.h"
#include "cli/format.h"
#include "cli/terminal.h"
#include "cli/text.h"

static const double redraw_seconds = 0.1, loss_memory = 0.98;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void erase(dt_progress *p)
{
    if (p->line)
        fputs("\r\033[K", stderr);
    p->line = false;
}

/* The figure that tells most of the last epoch: on data that was not trained on, where there is any. */
static double best_accuracy(const dt_epoch_report *r)
{
    return isfinite(r->validation_accuracy) ? r->validation_accuracy
           : isfinite(r->test_accuracy)     ? r->test_accuracy
                                            : r->train_accuracy;
}

static void draw(dt_progress *p, int64_t total, double time)
{
    char line[256], accuracy[40] = "", rate[DT_FORMAT_SIZE], left[DT_FORMAT_SIZE];
    int64_t in_epoch = p->done % p->steps_per_epoch, epoch = dt_min(p->done / p->steps_per_epoch + 1, p->epochs);
    double seconds = time - p->epoch_start;
    double samples = (double)in_epoch * (double)p->rows / (double)p->steps_per_epoch;
    if (p->last.epoch > 0)
        snprintf(accuracy, sizeof accuracy, "  accuracy %.4f", best_accuracy(&p->last));
    dt_format_count(seconds > 0 ? (int64_t)(samples / seconds) : 0, rate);
    dt_format_duration((time - p->start) / (double)p->done * (double)(total - p->done), left);
    int width = dt_terminal_width(STDERR_FILENO) - 1; /* a full line would wrap, and not be erased */
    int n = snprintf(line, sizeof line,
                     "epoch %" PRId64 "/%" PRId64 "  step %" PRId64 "/%" PRId64 "  loss %.4f%s  %s samples/s  %s left",
                     epoch, p->epochs, p->done, total, p->loss, accuracy, rate, left);
    if (n > width)
        n = snprintf(line, sizeof line, "epoch %" PRId64 "/%" PRId64 "  loss %.4f%s  %s left", epoch, p->epochs,
                     p->loss, accuracy, left);
    fprintf(stderr, "\r%.*s\033[K", n < width ? n : width, line);
    fflush(stderr);
    p->line = true;
    p->drawn = time;
}

static void on_step(void *self, int64_t done, int64_t total, double loss)
{
    dt_progress *p = self;
    p->done = done;
    p->loss = done == 1 || !isfinite(p->loss) ? loss : loss_memory * p->loss + (1 - loss_memory) * loss;
    if (!p->redraws || done < 1)
        return;
    double time = now();
    if (time - p->drawn >= redraw_seconds && done % p->steps_per_epoch != 0)
        draw(p, total, time);
}

static void add_pair(dt_text *text, const char *name, double loss, double accuracy)
{
    if (isfinite(loss))
        dt_text_add(text, "  %s loss %.4f accuracy %.4f", name, loss, accuracy);
}

static void write_line(dt_progress *p, const dt_epoch_report *r, dt_text *text)
{
    char number[24], rate[DT_FORMAT_SIZE], time[DT_FORMAT_SIZE];
    int width = snprintf(number, sizeof number, "%" PRId64, p->epochs);
    dt_text_add(text, "epoch %*" PRId64 "/%" PRId64 "  step %" PRId64, width, r->epoch, p->epochs, r->step);
    add_pair(text, "train", r->train_loss, r->train_accuracy);
    add_pair(text, "validation", r->validation_loss, r->validation_accuracy);
    add_pair(text, "test", r->test_loss, r->test_accuracy);
    dt_text_add(text, "  %s samples/s", dt_format_count((int64_t)r->samples_per_second, rate));
    bool last = r->epoch >= p->epochs;
    double seconds = last ? r->seconds : r->seconds / (double)r->epoch * (double)(p->epochs - r->epoch);
    dt_text_add(text, "  %s%s\n", dt_format_duration(seconds, time), last ? " in all" : " left");
}

static void write_json(const dt_epoch_report *r, dt_text *text)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {
        {"seconds", r->seconds},
        {"train_loss", r->train_loss},
        {"train_accuracy", r->train_accuracy},
        {"validation_loss", r->validation_loss},
        {"validation_accuracy", r->validation_accuracy},
        {"test_loss", r->test_loss},
        {"test_accuracy", r->test_accuracy},
        {"learning_rate", r->learning_rate},
        {"samples_per_second", r->samples_per_second},
    };
    dt_text_add(text, "{\"epoch\": %" PRId64 ", \"step\": %" PRId64, r->epoch, r->step);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        dt_text_add(text, ", \"%s\": ", figures[i].name);
        dt_text_add_json_real(text, figures[i].value);
    }
    dt_text_add(text, "}\n");
}

static dt_status on_epoch(void *self, const dt_epoch_report *report, dt_error *error)
{
    dt_progress *p = self;
    p->last = *report;
    erase(p);
    p->epoch_start = p->drawn = now();
    if (p->quiet && !p->json)
        return DT_OK;
    dt_text text = {0};
    if (p->json)
        write_json(report, &text);
    else
        write_line(p, report, &text);
    if (!text.failed)
        fputs(text.bytes, stdout);
    bool failed = text.failed;
    dt_text_clear(&text);
    return failed ? dt_fail(error, DT_NO_MEMORY, "out of memory for the progress line; free some memory")
                  : dt_terminal_flush(error);
}

void dt_progress_start(dt_progress *progress, const dt_trainer *trainer, bool json, bool quiet)
{
    dt_trainer_info info;
    dt_trainer_describe(trainer, &info);
    double time = now();
    *progress = (dt_progress){
        .quiet = quiet,
        .json = json,
        .redraws = !quiet && dt_terminal_redraws(STDERR_FILENO),
        .epochs = dt_trainer_experiment(trainer)->training.epochs,
        .steps_per_epoch = info.steps_per_epoch > 0 ? info.steps_per_epoch : 1,
        .rows = info.train_rows,
        .start = time,
        .epoch_start = time,
        .drawn = time,
    };
}

dt_observer dt_progress_observer(dt_progress *progress)
{
    return (dt_observer){.self = progress, .progress = on_step, .epoch = on_epoch};
}

void dt_progress_end(dt_progress *progress)
{
    erase(progress);
}
