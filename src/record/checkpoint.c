/* Checkpoints: the thread that trains copies its state into a snapshot at an epoch's end, and goes on; another thread
 * writes it, and removes older ones when it is on the disk.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "record/sha256.h"
#include "record/snapshot.h"
#include "train/metric.h"

#define BEST_BYTES "checkpoint_best"

enum { SOURCES_MAX = DT_BYTES_MAX - 1 };

/* What the thread is to write. */
typedef enum work { NOTHING = 0, CHECKPOINT = 1, BEST = 2, WITH_ALL = 4, END = 8 } work;

struct dt_checkpoints {
    char *folder, *experiment_text, *provenance;
    dt_trainer *trainer;
    const dt_checkpoint_spec *spec;
    dt_checkpoint_options options;
    dt_checkpoint_source sources[SOURCES_MAX];
    double best;         /* of best.h5 */
    double began, taken; /* seconds: when this was made, and the last checkpoint taken */
    double sealed;       /* the thread's: when a checkpoint last had all that belongs to it on the disk, */
    double seal_took;    /* and what `before` took then */
    int seals;           /* how often it was called */
    char *path;          /* room for the thread's file names */
    size_t path_size;

    dt_snapshot *snapshot; /* the thread's while `todo` says so, else the trainer's */
    pthread_t thread;
    bool running;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    unsigned todo;          /* set of work */
    double took;            /* seconds that the last took to write, with what had to be on the disk before it */
    int64_t newest, posted; /* steps: of the newest on the disk, and handed to the thread last; -1: none */
    char *newest_path;
    dt_error failure;
};

/* --- names --- */

void dt_checkpoint_path(const char *folder, int64_t step, char *path, size_t size)
{
    snprintf(path, size, "%s/checkpoint-%06" PRId64 ".h5", folder, step);
}

/* -1: no checkpoint's name. */
static int64_t step_of(const char *name)
{
    static const char before[] = "checkpoint-";
    char *end, whole[64];
    if (strncmp(name, before, sizeof before - 1) != 0)
        return -1;
    errno = 0;
    const long long step = strtoll(name + sizeof before - 1, &end, 10);
    if (errno != 0 || step < 0)
        return -1;
    snprintf(whole, sizeof whole, "checkpoint-%06lld.h5", step);
    return strcmp(whole, name) == 0 ? step : -1;
}

static int descending(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a < b) - (a > b);
}

dt_status dt_checkpoint_list(const char *folder, int64_t **steps, size_t *count, dt_error *error)
{
    *steps = NULL;
    *count = 0;
    DIR *names = opendir(folder);
    if (!names)
        return errno == ENOENT ? DT_OK : dt_fail_errno(error, errno, folder, "look into");
    size_t room = 0;
    for (struct dirent *entry; (entry = readdir(names));) {
        const int64_t step = step_of(entry->d_name);
        if (step < 0)
            continue;
        if (*count == room) {
            room = 2 * room + 16;
            int64_t *larger = dt_allocate(room, sizeof *larger);
            if (!larger) {
                closedir(names);
                dt_release(*steps);
                *steps = NULL;
                return dt_fail_memory(error, "the list of checkpoints");
            }
            if (*count)
                memcpy(larger, *steps, *count * sizeof *larger);
            dt_release(*steps);
            *steps = larger;
        }
        (*steps)[(*count)++] = step;
    }
    closedir(names);
    if (*count)
        qsort(*steps, *count, sizeof **steps, descending);
    return DT_OK;
}

void dt_checkpoint_list_release(int64_t *steps)
{
    dt_release(steps);
}

/* --- the thread --- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* All but the newest `keep` and the newest that is safe, and what belongs to later steps. What can't be removed stays:
 * no harm. */
static void remove_others(dt_checkpoints *c, int64_t current)
{
    int64_t *steps;
    size_t count, kept = 0;
    if (dt_checkpoint_list(c->folder, &steps, &count, NULL) != DT_OK)
        return;
    const int64_t safe = c->options.safe ? c->options.safe(c->options.context) : INT64_MAX;
    bool has_safe = false;
    for (size_t i = 0; i < count; i++) {
        const bool is_safe = steps[i] <= current && steps[i] <= safe, is_first_safe = is_safe && !has_safe;
        has_safe = has_safe || is_safe;
        if ((steps[i] <= current && kept++ < (size_t)c->spec->keep) || is_first_safe)
            continue;
        dt_checkpoint_path(c->folder, steps[i], c->path, c->path_size);
        unlink(c->path);
    }
    dt_checkpoint_list_release(steps);
}

/* Is it time to have what belongs to a checkpoint on the disk? Where `safe` is asked, seldom: a run that is killed goes
 * on from one that has it. A short run has all of them. */
static bool wants_all(const dt_checkpoints *c, int64_t step, unsigned todo)
{
    enum { FREELY = 8 };
    const double times = 200, share = 0.01, time = now();
    if (!c->options.safe || todo & WITH_ALL)
        return true;
    return step > c->options.safe(c->options.context) &&
           (c->seals < FREELY || time - c->sealed >= fmax(times * c->seal_took, share * (time - c->began)));
}

/* All that belongs to a checkpoint, down to the disk; or, some other time. */
static dt_status secure(dt_checkpoints *c, int64_t step, unsigned todo, dt_error *error)
{
    dt_status status = DT_OK;
    if (!c->options.before)
        return status;
    if (wants_all(c, step, todo)) {
        const double began = now();
        status = c->options.before(c->options.context, error);
        c->sealed = now();
        c->seal_took = c->sealed - began;
        c->seals++;
    } else if (step <= c->options.safe(c->options.context)) {
        c->sealed = now();
    }
    return status;
}

static dt_status write_files(dt_checkpoints *c, unsigned todo, dt_error *error)
{
    const int64_t step = c->snapshot->position.step;
    dt_status status = DT_OK;
    if (!dt_snapshot_is_finite(c->snapshot))
        return DT_OK; /* nothing to go on from: the one before stays the newest */
    if (todo & BEST) {
        snprintf(c->path, c->path_size, "%s/best.h5", c->folder);
        status = dt_snapshot_write(c->snapshot, c->path, c->experiment_text, c->provenance, error);
    }
    if (status != DT_OK || !(todo & CHECKPOINT))
        return status;
    status = secure(c, step, todo, error);
    if (status != DT_OK)
        return status;
    dt_checkpoint_path(c->folder, step, c->path, c->path_size);
    status = dt_snapshot_write(c->snapshot, c->path, c->experiment_text, c->provenance, error);
    if (status != DT_OK)
        return status;
    pthread_mutex_lock(&c->mutex);
    c->newest = step;
    memcpy(c->newest_path, c->path, strlen(c->path) + 1);
    pthread_mutex_unlock(&c->mutex);
    remove_others(c, step);
    return DT_OK;
}

static void *write_checkpoints(void *context)
{
    dt_checkpoints *c = context;
    pthread_mutex_lock(&c->mutex);
    for (;;) {
        while (c->todo == NOTHING)
            pthread_cond_wait(&c->changed, &c->mutex);
        const unsigned todo = c->todo;
        if (todo & END)
            break;
        dt_error error = {0};
        pthread_mutex_unlock(&c->mutex);
        const double began = now();
        const dt_status status = write_files(c, todo, &error);
        pthread_mutex_lock(&c->mutex);
        c->took = now() - began;
        if (status != DT_OK && c->failure.status == DT_OK) {
            c->failure = error;
            dt_trainer_stop(c->trainer); /* no training whose record is lost */
        }
        c->todo = NOTHING;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* Signals are for the program's own threads. */
static dt_status start_thread(dt_checkpoints *c, dt_error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&c->thread, NULL, write_checkpoints, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    c->running = failed == 0;
    return failed
               ? dt_fail(error, DT_SYSTEM,
                         "%s: can't start the thread that writes it; raise the limit of threads (ulimit -u)", c->folder)
               : DT_OK;
}

/* --- the thread that trains --- */

/* Until nothing is being written; the first failure, if there was one. */
static dt_status wait_idle(dt_checkpoints *c, dt_error *error)
{
    pthread_mutex_lock(&c->mutex);
    while (c->todo != NOTHING)
        pthread_cond_wait(&c->changed, &c->mutex);
    const dt_error failure = c->failure;
    pthread_mutex_unlock(&c->mutex);
    return failure.status == DT_OK ? DT_OK : dt_fail(error, failure.status, "%s", failure.message);
}

static void post(dt_checkpoints *c, unsigned todo)
{
    pthread_mutex_lock(&c->mutex);
    c->todo = todo;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

/* Copies what is to be written; the thread is idle. A model is no place to go on from: what others keep stays that of
 * the last checkpoint, as they may be closed by then. */
static void take(dt_checkpoints *c, bool model)
{
    dt_snapshot_take(c->snapshot);
    for (size_t i = 0; i < c->options.source_count && !model; i++)
        c->sources[i].save(c->sources[i].self, dt_snapshot_kept(c->snapshot, c->sources[i].name)->bytes);
    memcpy(dt_snapshot_kept(c->snapshot, BEST_BYTES)->bytes, &c->best, sizeof c->best);
    c->posted = c->snapshot->position.step;
}

/* Epochs of milliseconds would do nothing but write: once a run is some seconds old, a second lies between two
 * checkpoints, and fifty times what one takes, as the processors that write are those that train. Short runs have all
 * that they ask for. */
static bool comes_too_soon(dt_checkpoints *c, double time)
{
    const double young = 5, between = 1, times = 50;
    pthread_mutex_lock(&c->mutex);
    const double took = c->took;
    pthread_mutex_unlock(&c->mutex);
    return time - c->began > young && time - c->taken < fmax(between, times * took);
}

static dt_status epoch_done(void *self, const dt_epoch_report *report, dt_error *error)
{
    dt_checkpoints *c = self;
    dt_trainer_position position;
    dt_trainer_position_of(c->trainer, &position);
    unsigned todo = NOTHING;
    const double time = now();
    if (c->spec->every > 0 && (position.done || (report->epoch % c->spec->every == 0 && !comes_too_soon(c, time))))
        todo |= position.done ? CHECKPOINT | WITH_ALL : CHECKPOINT;
    if (c->spec->best) {
        const dt_metric *metric = dt_metric_named(c->spec->best);
        const double value = dt_metric_value(metric, report);
        if (dt_metric_better(metric, value, c->best, 0)) {
            c->best = value;
            todo |= BEST;
        }
    }
    if (todo == NOTHING)
        return DT_OK;
    const dt_status status = wait_idle(c, error);
    if (status != DT_OK)
        return status;
    take(c, false);
    c->taken = time;
    post(c, todo);
    return DT_OK;
}

dt_status dt_checkpoints_write(dt_checkpoints *c, dt_error *error)
{
    dt_status status = wait_idle(c, error);
    if (status != DT_OK || c->posted == dt_trainer_step(c->trainer))
        return status;
    take(c, false);
    post(c, CHECKPOINT | WITH_ALL);
    return wait_idle(c, error);
}

dt_status dt_checkpoints_write_model(dt_checkpoints *c, const char *path, const char *provenance, dt_error *error)
{
    const dt_status status = wait_idle(c, error);
    if (status != DT_OK)
        return status;
    const int64_t posted = c->posted;
    take(c, true);
    c->posted = posted; /* this is no checkpoint of the folder */
    return dt_snapshot_write(c->snapshot, path, c->experiment_text, provenance, error);
}

const char *dt_checkpoints_newest(dt_checkpoints *c)
{
    (void)wait_idle(c, NULL);
    return c->newest >= 0 ? c->newest_path : NULL;
}

/* --- making and closing --- */

static void destroy(dt_checkpoints *c)
{
    if (c->running) {
        (void)wait_idle(c, NULL);
        post(c, END);
        pthread_join(c->thread, NULL);
    }
    dt_snapshot_destroy(c->snapshot);
    dt_release(c->folder);
    dt_release(c->experiment_text);
    dt_release(c->provenance);
    dt_release(c->path);
    dt_release(c->newest_path);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
    dt_release(c);
}

static dt_status make_folder(const char *folder, dt_error *error)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return dt_fail_errno(error, errno, folder, "make the folder");
    dt_status status = dt_sync_folder(folder, error);
    return status == DT_OK ? dt_new_files_sweep(folder, error) : status;
}

/* Copies of what is borrowed for the call alone. */
static dt_status keep_options(dt_checkpoints *c, const char *folder, const dt_checkpoint_options *options,
                              dt_error *error)
{
    if (options->source_count > SOURCES_MAX)
        return dt_fail(error, DT_INVALID, "%s: a checkpoint keeps at most %d states", folder, SOURCES_MAX);
    c->options = *options;
    c->options.from = NULL;
    c->options.sources = c->sources;
    if (options->source_count)
        memcpy(c->sources, options->sources, options->source_count * sizeof *c->sources);
    c->folder = dt_duplicate(folder);
    c->experiment_text = dt_duplicate(options->experiment_text ? options->experiment_text : "");
    c->provenance = dt_duplicate(options->provenance ? options->provenance : "");
    c->path_size = strlen(folder) + 64;
    c->path = dt_allocate(c->path_size, 1);
    c->newest_path = dt_allocate(c->path_size, 1);
    return c->folder && c->experiment_text && c->provenance && c->path && c->newest_path
               ? DT_OK
               : dt_fail_memory(error, "the checkpoints");
}

static dt_status make_snapshot(dt_checkpoints *c, const dt_checkpoint_options *options, dt_error *error)
{
    dt_status status = dt_snapshot_create(&c->snapshot, c->trainer, error);
    if (status == DT_OK)
        status = dt_snapshot_keep(c->snapshot, BEST_BYTES, sizeof c->best, error);
    for (size_t i = 0; status == DT_OK && i < options->source_count; i++)
        status = dt_snapshot_keep(c->snapshot, c->sources[i].name, c->sources[i].size, error);
    if (status != DT_OK)
        return status;
    snprintf(c->snapshot->experiment_id, sizeof c->snapshot->experiment_id, "%s",
             options->experiment_id ? options->experiment_id : "");
    snprintf(c->snapshot->data_id, sizeof c->snapshot->data_id, "%s", options->data_id ? options->data_id : "");
    size_t size;
    const void *best = options->from ? dt_checkpoint_bytes(options->from, BEST_BYTES, &size) : NULL;
    if (best && size == sizeof c->best)
        memcpy(&c->best, best, sizeof c->best);
    return DT_OK;
}

dt_status dt_checkpoints_create(dt_checkpoints **checkpoints, const char *folder, dt_trainer *trainer,
                                const dt_checkpoint_options *options, dt_error *error)
{
    *checkpoints = NULL;
    dt_checkpoints *c = dt_allocate_zeroed(1, sizeof *c);
    if (!c)
        return dt_fail_memory(error, "the checkpoints");
    c->trainer = trainer;
    c->spec = &dt_trainer_experiment(trainer)->checkpoint;
    c->best = NAN;
    c->began = c->taken = c->sealed = now();
    c->newest = c->posted = -1;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    dt_status status = keep_options(c, folder, options, error);
    if (status == DT_OK)
        status = make_folder(folder, error);
    if (status == DT_OK)
        status = make_snapshot(c, options, error);
    if (status == DT_OK)
        status = start_thread(c, error);
    if (status == DT_OK)
        status = dt_trainer_observe(trainer, &(dt_observer){.self = c, .epoch = epoch_done}, error);
    if (status != DT_OK) {
        destroy(c);
        return status;
    }
    *checkpoints = c;
    return DT_OK;
}

dt_status dt_checkpoints_close(dt_checkpoints *c, dt_error *error)
{
    if (!c)
        return DT_OK;
    const dt_status status = wait_idle(c, error);
    destroy(c);
    return status;
}

/* --- data --- */

dt_status dt_checkpoint_data_id_of(const dt_trainer_data *data, char id[65], dt_error *error)
{
    const dt_dataset *const sets[] = {data->train, data->validation, data->test};
    char text[3][256];
    dt_bytes pieces[3];
    for (size_t i = 0; i < 3; i++) {
        const dt_dataset *d = sets[i];
        int n = d ? snprintf(text[i], sizeof text[i], "%s %s %" PRId64 " %" PRId64 " %d\n", d->inputs_sha256,
                             d->labels_sha256, d->rows, d->features, (int)d->element)
                  : snprintf(text[i], sizeof text[i], "none\n");
        pieces[i] = (dt_bytes){text[i], (size_t)n};
    }
    return dt_sha256(pieces, 3, id, error);
}
