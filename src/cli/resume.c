#define _DEFAULT_SOURCE /* timegm */
#include "cli/resume.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/emit.h"
#include "cli/paths.h"
#include "cli/provenance.h"
#include "cli/runfolder.h"
#include "train/keys.h"
#include "train/schedule.h"

/* --- the experiment --- */

/* Keys that a run that goes on may change. */
static const char *const changeable[] = {"parallel.threads", "parallel.reduction", "parallel.groups",
                                         "training.epochs"};

static bool is_key(const char *override, const char *key)
{
    const size_t n = strlen(key);
    return strncmp(override, key, n) == 0 && override[n] == '=';
}

static dt_status check_override(const char *override, dt_error *error)
{
    for (size_t i = 0; i < sizeof changeable / sizeof *changeable; i++)
        if (is_key(override, changeable[i]))
            return DT_OK;
    return dt_fail(error, DT_INVALID,
                   "command line: key '%.120s': it would change the numbers of a run that goes on, which may change "
                   "parallel.threads, parallel.reduction, parallel.groups and training.epochs; start a new run",
                   override);
}

dt_status dt_resume_config(dt_config *config, const char *folder, const char *const *overrides, size_t override_count,
                           dt_error *error)
{
    dt_config before;
    for (size_t i = 0; i < override_count; i++)
        if (check_override(overrides[i], error) != DT_OK)
            return DT_INVALID;
    dt_arena arena = {0};
    const char *file = dt_path_join(&arena, folder, "experiment.yaml");
    dt_status status = DT_OK;
    if (!file)
        status = dt_fail_memory(error, "a path");
    else if (access(folder, F_OK) != 0)
        status = dt_fail(error, DT_NOT_FOUND, "%s: %s; give the folder of a run", folder, strerror(errno));
    else if (access(file, F_OK) != 0 && errno == ENOENT)
        status = dt_fail(error, DT_NOT_FOUND,
                         "%s: there is no experiment.yaml, so it is no run's folder, or its run ended before its first "
                         "file; remove it and train again",
                         folder);
    if (status == DT_OK)
        status = dt_config_open(&before, file, NULL, 0, error);
    if (status == DT_OK) {
        const int64_t epochs = before.experiment.training.epochs;
        dt_config_clear(&before);
        status = dt_config_open(config, file, overrides, override_count, error);
        if (status == DT_OK && config->experiment.training.epochs < epochs) {
            status = dt_fail(error, DT_INVALID,
                             "command line: training.epochs=%" PRId64 ": the run has %" PRId64
                             " epochs; a run that goes on can have more, not fewer",
                             config->experiment.training.epochs, epochs);
            dt_config_clear(config);
        }
        if (status == DT_OK && config->experiment.training.epochs > epochs &&
            dt_schedule_by_length(&config->experiment)) {
            status = dt_fail(error, DT_INVALID,
                             "command line: training.epochs=%" PRId64 ": schedule %s goes by the length of the run, "
                             "which began with %" PRId64 " epochs; start a new run",
                             config->experiment.training.epochs, config->experiment.schedule.name, epochs);
            dt_config_clear(config);
        }
    }
    dt_arena_clear(&arena);
    return status;
}

/* The same name wherever the file lies: what is in it is the data's identity. */
static dt_source anonymous(dt_source source)
{
    return (dt_source){.file = source.file ? "file" : NULL,
                       .inputs = source.inputs ? "inputs" : NULL,
                       .labels = source.labels ? "labels" : NULL};
}

dt_status dt_resume_experiment_id(const dt_experiment *experiment, char id[65], dt_error *error)
{
    dt_experiment same = *experiment, defaults;
    dt_experiment_init(&defaults);
    if (!dt_schedule_by_length(experiment))
        same.training.epochs = defaults.training.epochs;
    same.parallel.threads = defaults.parallel.threads;
    same.parallel.reduction = defaults.parallel.reduction;
    same.parallel.groups = defaults.parallel.groups;
    same.checkpoint = defaults.checkpoint;
    same.data.train = anonymous(same.data.train);
    same.data.test = anonymous(same.data.test);
    same.data.validation = anonymous(same.data.validation);
    dt_text text = {0};
    dt_emit_experiment(&text, &same);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (!text.failed)
        SHA256((const unsigned char *)text.bytes, text.length, digest);
    const bool failed = text.failed;
    dt_text_clear(&text);
    if (failed)
        return dt_fail_memory(error, "the experiment");
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(id + 2 * i, 3, "%02x", digest[i]);
    return DT_OK;
}

/* --- checkpoints --- */

static void warn(const char *what, const char *more)
{
    fprintf(stderr, "deltoid: warning: %s%s: the checkpoint before is taken\n", what, more);
}

/* A sound checkpoint of this run; DT_INVALID for a sound one of another. */
static dt_status open_checkpoint(dt_checkpoint **checkpoint, const char *path, const dt_trainer *trainer,
                                 const char *experiment_id, const char *data_id, dt_error *error)
{
    dt_status status = dt_checkpoint_open(checkpoint, path, trainer, error);
    if (status != DT_OK)
        return status;
    if (strcmp(dt_checkpoint_experiment_id(*checkpoint), experiment_id) != 0)
        status =
            dt_fail(error, DT_INVALID,
                    "%s: was made by another experiment than the experiment.yaml beside it; put the run's own file "
                    "back, or start a new run",
                    path);
    else if (strcmp(dt_checkpoint_data_id(*checkpoint), data_id) != 0)
        status =
            dt_fail(error, DT_INVALID,
                    "%s: was trained on other data (its files' SHA-256 are in provenance.json); put these back, or "
                    "start a new run",
                    path);
    if (status != DT_OK) {
        dt_checkpoint_close(*checkpoint);
        *checkpoint = NULL;
    }
    return status;
}

/* Tries one: DT_OK with resumed->checkpoint NULL where it is no good, after a warning. */
static dt_status try_checkpoint(dt_resumed *resumed, const char *path, int64_t rows, dt_trainer *trainer,
                                const char *experiment_id, const char *data_id, dt_error *error)
{
    dt_error own = {0};
    dt_checkpoint *checkpoint = NULL;
    dt_status status = open_checkpoint(&checkpoint, path, trainer, experiment_id, data_id, &own);
    if (status == DT_MALFORMED || status == DT_NOT_FOUND) {
        warn(own.message, "");
        return DT_OK;
    }
    if (status != DT_OK)
        return dt_fail(error, status, "%s", own.message);
    dt_trainer_position position;
    dt_checkpoint_position(checkpoint, &position);
    if (position.epochs > rows) {
        warn(path, ": metrics.tsv has not the rows of its epochs");
    } else if (dt_checkpoint_restore(checkpoint, trainer, &own) != DT_OK) {
        warn(own.message, "");
    } else {
        resumed->checkpoint = checkpoint;
        resumed->path = path;
        resumed->epochs = position.epochs;
        return DT_OK;
    }
    dt_checkpoint_close(checkpoint);
    return DT_OK;
}

/* model.h5 is a checkpoint too, and the only one of a run that makes none. */
static int64_t model_step(const char *model)
{
    int64_t step;
    return access(model, R_OK) == 0 && dt_checkpoint_step(model, &step, NULL) == DT_OK ? step : -1;
}

/* The newest good one of no step after `limit`. */
static dt_status find_until(dt_resumed *resumed, int64_t limit, dt_trainer *trainer, const char *experiment_id,
                            const char *data_id, dt_arena *arena, dt_error *error)
{
    const char *checkpoints = dt_path_join(arena, resumed->folder, "checkpoints");
    const char *model = dt_path_join(arena, resumed->folder, "model.h5");
    const char *metrics = dt_path_join(arena, resumed->folder, "metrics.tsv");
    if (!checkpoints || !model || !metrics)
        return dt_fail_memory(error, "a path");
    int64_t *steps, rows, last = model_step(model);
    size_t count;
    dt_status status = dt_metrics_epochs(metrics, &rows, error);
    if (status == DT_OK)
        status = dt_checkpoint_list(checkpoints, &steps, &count, error);
    if (status != DT_OK)
        return status;
    for (size_t i = 0; status == DT_OK && !resumed->checkpoint && (i < count || last >= 0);) {
        const size_t size = strlen(checkpoints) + 64;
        char *path = dt_arena_allocate(arena, size, 1);
        if (!path) {
            status = dt_fail_memory(error, "a path");
        } else if (last > limit) {
            last = -1;
        } else if (i < count && steps[i] > limit) {
            i++;
        } else if (last >= 0 && (i == count || last > steps[i])) {
            last = -1;
            status = try_checkpoint(resumed, model, rows, trainer, experiment_id, data_id, error);
        } else {
            dt_checkpoint_path(checkpoints, steps[i++], path, size);
            status = try_checkpoint(resumed, path, rows, trainer, experiment_id, data_id, error);
        }
    }
    dt_checkpoint_list_release(steps);
    return status;
}

/* Up to which step the run's capture is whole. */
static dt_status captured_until(const dt_resumed *resumed, const dt_trainer *trainer, int64_t *safe, bool *lost,
                                dt_arena *arena, dt_error *error)
{
    const char *folder = dt_path_join(arena, resumed->folder, "capture");
    const char *capture = dt_path_join(arena, resumed->folder, "capture.h5");
    *safe = INT64_MAX;
    *lost = false;
    if (!folder || !capture)
        return dt_fail_memory(error, "a path");
    if (!dt_trainer_experiment(trainer)->capture_count || access(folder, F_OK) != 0)
        return DT_OK;
    return dt_capture_safe_in(capture, trainer, safe, lost, error);
}

/* The newest whose captured steps are all on the disk: those between it and a newer one are captured again. Where some
 * were lost for good the run goes on without them. */
static dt_status find_checkpoint(dt_resumed *resumed, dt_trainer *trainer, const char *experiment_id,
                                 const char *data_id, dt_arena *arena, dt_error *error)
{
    int64_t safe;
    bool lost;
    dt_status status = captured_until(resumed, trainer, &safe, &lost, arena, error);
    if (status == DT_OK)
        status = find_until(resumed, safe, trainer, experiment_id, data_id, arena, error);
    if (status == DT_OK && !resumed->checkpoint && lost)
        status = find_until(resumed, INT64_MAX, trainer, experiment_id, data_id, arena, error);
    return status;
}

/* --- provenance --- */

static void read_session(dt_session *session, const dt_node *node)
{
    struct tm t = {0};
    *session = (dt_session){.from_step = strtoll(dt_provenance_text(node, "from_step"), NULL, 10),
                            .threads = strtoll(dt_provenance_text(node, "threads"), NULL, 10),
                            .racing = strcmp(dt_provenance_text(node, "deterministic"), "false") == 0};
    snprintf(session->reduction, sizeof session->reduction, "%s", dt_provenance_text(node, "reduction"));
    if (sscanf(dt_provenance_text(node, "started"), "%d-%d-%dT%d:%d:%dZ", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
               &t.tm_min, &t.tm_sec) == 6) {
        t.tm_year -= 1900;
        t.tm_mon -= 1;
        session->started = (int64_t)timegm(&t);
    }
    snprintf(session->host, sizeof session->host, "%s", dt_provenance_text(node, "host"));
}

/* What earlier sessions have written. A file that is not there or can't be read has none. */
static dt_status read_provenance(dt_resumed *resumed, const dt_trainer *trainer, const dt_trainer_data *data,
                                 dt_arena *arena, dt_error *error)
{
    const dt_node *root;
    resumed->sessions = dt_allocate_zeroed(DT_SESSIONS_MAX + 1, sizeof *resumed->sessions);
    if (!resumed->sessions)
        return dt_fail_memory(error, "the provenance");
    if (dt_provenance_open(&root, resumed->folder, arena, NULL) != DT_OK)
        return DT_OK;
    snprintf(resumed->weights_sha256, sizeof resumed->weights_sha256, "%s", dt_provenance_text(root, "weights_sha256"));
    resumed->steps = strtoll(dt_provenance_text(root, "steps"), NULL, 10);
    const dt_node *sessions = dt_node_child(root, "sessions");
    for (const dt_node *node = sessions ? sessions->first : NULL; node && resumed->session_count < DT_SESSIONS_MAX;
         node = node->next)
        read_session(&resumed->sessions[resumed->session_count++], node);
    /* A checkpoint says itself which data it is of. */
    return resumed->checkpoint ? DT_OK : dt_provenance_check(root, dt_trainer_experiment(trainer), data, error);
}

dt_status dt_resume_find(dt_resumed *resumed, const char *folder, dt_trainer *trainer, const dt_trainer_data *data,
                         const char *experiment_id, const char *data_id, dt_arena *arena, dt_error *error)
{
    resumed->folder = folder;
    dt_status status = find_checkpoint(resumed, trainer, experiment_id, data_id, arena, error);
    return status == DT_OK ? read_provenance(resumed, trainer, data, arena, error) : status;
}

void dt_resume_clear(dt_resumed *resumed)
{
    dt_checkpoint_close(resumed->checkpoint);
    dt_release(resumed->sessions);
    *resumed = (dt_resumed){0};
}
