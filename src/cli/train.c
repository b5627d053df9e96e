/* deltoid train: experiment file in, run folder out. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/data.h"
#include "cli/network.h"
#include "cli/plan.h"
#include "cli/profile.h"
#include "cli/progress.h"
#include "cli/resume.h"
#include "cli/runfolder.h"
#include "cli/schema.h"
#include "cli/signals.h"
#include "cli/strategy.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "deltoid/record.h"
#include "train/keys.h"
#include "train/metric.h"

/* What lives from the first file of a run to its last. */
typedef struct run {
    const dt_config *config;
    const dt_trainer_data *data;
    bool json, quiet, profiled, live;
    int64_t dropped;    /* captured steps that found no room in the queue */
    const char *folder; /* NULL until it is made */
    dt_trainer *trainer;
    dt_capture *capture;
    dt_metrics *metrics;
    dt_checkpoints *checkpoints;
    bool resumes; /* goes on in a folder that is there */
    dt_resumed resumed;
    dt_session session; /* of a run that begins */
    char experiment_id[65], data_id[65];
    dt_profiling profiling;
    dt_progress progress;
    char *provenance;
    char weights[65];
} run;

/* DIR/NAME, for the length of one call; NULL when memory is out. */
static const char *in_folder(run *r, const char *name)
{
    size_t size = strlen(r->folder) + strlen(name) + 2;
    char *path = dt_arena_allocate(r->config->experiment.arena, size, 1);
    if (path)
        snprintf(path, size, "%s/%s", r->folder, name);
    return path;
}

static dt_status make_provenance(run *r, bool final, dt_error *error)
{
    dt_text_release(r->provenance);
    r->provenance = NULL;
    const bool one = !r->resumes;
    return dt_provenance_json_of(&r->provenance, r->trainer, r->data, r->config->text,
                                 one ? &r->session : r->resumed.sessions, one ? 1 : r->resumed.session_count, final,
                                 error);
}

static dt_status write_provenance(run *r, dt_error *error)
{
    const char *path = in_folder(r, "provenance.json");
    return path ? dt_file_write(path, r->provenance, strlen(r->provenance), error) : dt_fail_memory(error, "a path");
}

/* What only the data can tell of capture rules, as whether a row exists: before there is a folder. */
static dt_status check_capture(const run *r, dt_error *error)
{
    dt_trainer_info info;
    int64_t units[DT_LAYERS_MAX + 1];
    if (!r->config->experiment.capture_count)
        return DT_OK;
    dt_trainer_describe(r->trainer, &info);
    for (int64_t l = 0; l <= info.layers; l++)
        units[l] = dt_trainer_units(r->trainer, l);
    return dt_capture_check_budget(&r->config->experiment, &info, units, error);
}

/* The folder of a run that begins, and in it the experiment, by which it can go on whatever happens next. */
static dt_status begin_folder(run *r, const char *out, dt_error *error)
{
    dt_arena *arena = r->config->experiment.arena;
    dt_status status = dt_runfolder_make(&r->folder, out, r->config, arena, error);
    if (status == DT_OK)
        status = dt_runfolder_lock(r->folder, arena, error);
    const char *experiment = status == DT_OK ? in_folder(r, "experiment.yaml") : NULL;
    if (status == DT_OK)
        status = experiment ? dt_file_write(experiment, r->config->text, r->config->text_size, error)
                            : dt_fail_memory(error, "a path");
    dt_session_now(&r->session, r->trainer);
    return status;
}

/* The folder of a run that goes on, which is locked; the trainer has the state of its newest good checkpoint. */
static dt_status enter_folder(run *r, dt_error *error)
{
    const char *experiment = in_folder(r, "experiment.yaml");
    dt_status status = experiment ? dt_new_files_sweep(r->folder, error) : dt_fail_memory(error, "a path");
    if (status == DT_OK) /* it may have more epochs than before */
        status = dt_file_write(experiment, r->config->text, r->config->text_size, error);
    dt_session_now(&r->resumed.sessions[r->resumed.session_count], r->trainer);
    if (r->resumed.session_count < DT_SESSIONS_MAX)
        r->resumed.session_count++;
    return status;
}

/* What a checkpoint's steps captured must be on the disk before it. */
static dt_status seal_capture(void *capture, dt_error *error)
{
    return dt_capture_seal(capture, error);
}

static int64_t capture_is_safe(const void *capture)
{
    return dt_capture_safe(capture);
}

/* What is known before the first step, and those who watch. Checkpoints come last: an epoch is done when all others
 * have recorded it. */
/* What statistics of the capture remember from step to step goes with checkpoints, and comes back from one. */
static void save_capture(void *capture, void *bytes)
{
    dt_capture_state_save(capture, bytes);
}

static dt_status load_capture(run *r, dt_error *error)
{
    size_t size;
    if (!r->capture || !r->resumed.checkpoint || dt_capture_state_size(r->capture) == 0)
        return DT_OK;
    const void *bytes = dt_checkpoint_bytes(r->resumed.checkpoint, "capture", &size);
    if (!bytes)
        return dt_fail(error, DT_MALFORMED, "%s: keeps nothing of the capture's statistics; resume from an older one",
                       r->resumed.path);
    return dt_capture_state_load(r->capture, bytes, size, error);
}

static dt_status begin_records(run *r, dt_error *error)
{
    const char *metrics = in_folder(r, "metrics.tsv"), *capture = in_folder(r, "capture.h5"),
               *checkpoints = in_folder(r, "checkpoints"), *folder = in_folder(r, "capture");
    dt_status status = metrics && capture && checkpoints && folder ? DT_OK : dt_fail_memory(error, "a path");
    if (status == DT_OK)
        status = make_provenance(r, false, error);
    if (status == DT_OK)
        status = write_provenance(r, error);
    if (status == DT_OK)
        status = r->resumes ? dt_metrics_resume(&r->metrics, metrics, r->resumed.epochs, r->trainer, error)
                            : dt_metrics_create(&r->metrics, metrics, r->trainer, error);
    const bool begun = r->resumes && folder && access(folder, F_OK) == 0;
    if (status == DT_OK && r->config->experiment.capture_count)
        status = dt_capture_create(&r->capture, capture, r->trainer, r->config->text, r->provenance,
                                   &(dt_capture_options){.resume = begun, .live = r->live}, error);
    dt_progress_start(&r->progress, r->trainer, r->json, r->quiet);
    dt_observer observer = dt_progress_observer(&r->progress);
    if (status == DT_OK)
        status = dt_trainer_observe(r->trainer, &observer, error);
    if (status == DT_OK)
        status = load_capture(r, error);
    const dt_checkpoint_source source = {"capture", r->capture, r->capture ? dt_capture_state_size(r->capture) : 0,
                                         save_capture};
    const dt_checkpoint_options options = {.experiment_text = r->config->text,
                                           .provenance = r->provenance,
                                           .experiment_id = r->experiment_id,
                                           .data_id = r->data_id,
                                           .before = r->capture ? seal_capture : NULL,
                                           .safe = r->capture ? capture_is_safe : NULL,
                                           .context = r->capture,
                                           .sources = &source,
                                           .source_count = source.size > 0,
                                           .from = r->resumed.checkpoint};
    return status == DT_OK ? dt_checkpoints_create(&r->checkpoints, checkpoints, r->trainer, &options, error) : status;
}

/* How gradients are added, where that isn't as ever. */
static void tell_strategy(const run *r)
{
    dt_trainer_info info;
    dt_text text = {0};
    dt_trainer_describe(r->trainer, &info);
    dt_strategy_add(&text, &info);
    if (dt_strategy_is_special(&info) && !text.failed)
        printf("reduction %s\n", text.bytes);
    dt_text_clear(&text);
}

/* The messages of a run before its first step. */
static dt_status tell_begin(const run *r, dt_error *error)
{
    if (r->json || r->quiet)
        return DT_OK;
    tell_strategy(r);
    dt_trainer_position p;
    dt_trainer_position_of(r->trainer, &p);
    if (!r->resumes)
        return dt_terminal_flush(error);
    if (r->resumed.checkpoint)
        printf("going on after step %" PRId64 " (epoch %" PRId64 "), from %s\n", p.step, p.epochs + (p.epoch_step > 0),
               r->resumed.path);
    else
        printf("going on from the beginning: %s has no good checkpoint\n", r->folder);
    return dt_terminal_flush(error);
}

static dt_status begin(run *r, const char *out, dt_error *error)
{
    dt_status status = r->profiled ? dt_profiling_start(&r->profiling, r->trainer, error) : DT_OK;
    if (status == DT_OK)
        status = r->resumes ? enter_folder(r, error) : begin_folder(r, out, error);
    if (status == DT_OK)
        status = tell_begin(r, error);
    return status == DT_OK ? begin_records(r, error) : status;
}

/* Closes the records; the model where there is one worth keeping. The first failure of the run is the one that `error`
 * tells. */
static dt_status finish(run *r, bool complete, bool model, dt_error *error)
{
    dt_status status = DT_OK, own;
    if (r->checkpoints && model && !complete)
        status = dt_checkpoints_write(r->checkpoints, error);
    if (r->checkpoints)
        (void)dt_checkpoints_newest(r->checkpoints); /* none that is being written needs the capture any more */
    r->dropped = r->capture ? dt_capture_dropped(r->capture) : 0;
    if (r->capture && (own = dt_capture_close(r->capture, complete ? "complete" : "interrupted", error)) != DT_OK &&
        status == DT_OK)
        status = own;
    if (r->metrics && (own = dt_metrics_close(r->metrics, error)) != DT_OK && status == DT_OK)
        status = own;
    r->capture = NULL;
    r->metrics = NULL;
    const char *path;
    if (r->profiled) {
        path = in_folder(r, "profile.tsv");
        own = path ? dt_profiling_write(&r->profiling, path, error) : dt_fail_memory(error, "a path");
        status = status == DT_OK ? own : status;
    }
    if (!model || status != DT_OK)
        return status;
    path = in_folder(r, "model.h5");
    own = path ? make_provenance(r, complete, error) : dt_fail_memory(error, "a path");
    if (own == DT_OK)
        own = dt_checkpoints_write_model(r->checkpoints, path, r->provenance, error);
    if (own == DT_OK)
        own = write_provenance(r, error); /* last: a run whose provenance knows its final weights is whole */
    if (own == DT_OK)
        own = dt_trainer_weights_sha256(r->trainer, r->weights, error);
    return status == DT_OK ? own : status;
}

/* All of the run's sessions were. */
static bool is_deterministic(const run *r)
{
    return r->resumes ? dt_sessions_deterministic(r->resumed.sessions, r->resumed.session_count)
                      : dt_sessions_deterministic(&r->session, 1);
}

static void print_end_json(const run *r, dt_status status, dt_text *text)
{
    const dt_epoch_report *last = &r->progress.last;
    bool any = last->epoch > 0 && status == DT_OK; /* else the weights are no longer those of the last epoch's end */
    const char *how = status == DT_OK ? "complete" : status == DT_STOPPED ? "interrupted" : "diverged";
    dt_text_add(text, "{\"run\": ");
    dt_text_add_json(text, r->folder);
    dt_text_add(text, ", \"status\": \"%s\", \"weights_sha256\": ", how);
    if (*r->weights)
        dt_text_add_json(text, r->weights);
    else
        dt_text_add(text, "null");
    dt_text_add(text, ", \"deterministic\": %s", is_deterministic(r) ? "true" : "false");
    dt_text_add(text, ", \"capture_dropped\": %" PRId64, r->dropped);
    dt_text_add(text, ", \"epochs\": %" PRId64 ", \"steps\": %" PRId64, last->epoch, dt_trainer_step(r->trainer));
    const struct {
        const char *name;
        double value;
    } figures[] = {{"seconds", last->seconds}, {"test_loss", last->test_loss}, {"test_accuracy", last->test_accuracy}};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        dt_text_add(text, ", \"%s\": ", figures[i].name);
        dt_text_add_json_real(text, any ? figures[i].value : NAN);
    }
    if (r->profiled) {
        dt_text_add(text, ", \"profile\": ");
        dt_profiling_add_json(&r->profiling, text);
    }
    dt_text_add(text, "}\n");
}

static void print_end_text(const run *r, dt_status status, dt_text *text)
{
    const dt_epoch_report *last = &r->progress.last;
    bool bold = dt_terminal_colours(1);
    dt_text_add(text, "\n");
    if (status == DT_OK && isfinite(last->test_loss))
        dt_text_add(text, "test accuracy   %s%.4f%s (loss %.4f)\n", bold ? "\033[1m" : "", last->test_accuracy,
                    bold ? "\033[0m" : "", last->test_loss);
    else if (status == DT_OK && isfinite(last->validation_loss))
        dt_text_add(text, "validation      accuracy %.4f (loss %.4f)\n", last->validation_accuracy,
                    last->validation_loss);
    if (r->dropped)
        dt_text_add(text, "capture         %" PRId64 " steps were left out: the disk was too slow for them\n",
                    r->dropped);
    dt_text_add(text, "weights sha256  %s%s\nrun             %s\n", r->weights,
                is_deterministic(r) ? "" : " (not reproducible)", r->folder);
}

static dt_status print_end(const run *r, dt_status status, dt_error *error)
{
    dt_text text = {0};
    if (r->json)
        print_end_json(r, status, &text);
    else if (!r->quiet && status != DT_DIVERGED)
        print_end_text(r, status, &text);
    if (r->profiled && !r->json && !r->quiet)
        dt_profiling_add_text(&r->profiling, &text);
    dt_status failed = text.failed ? dt_fail_memory(error, "the last lines") : DT_OK;
    if (text.bytes && failed == DT_OK)
        fputs(text.bytes, stdout);
    dt_text_clear(&text);
    return failed == DT_OK ? dt_terminal_flush(error) : failed;
}

/* Adds to a message where the run's files are, and what to do with them. */
static void add_folder(const run *r, dt_status status, dt_error *error)
{
    const size_t used = strlen(error->message), room = sizeof error->message - used;
    char *end = error->message + used;
    const char *newest = r->checkpoints ? dt_checkpoints_newest(r->checkpoints) : NULL;
    if (!newest)
        newest = r->resumed.path;
    if (!r->folder || !used)
        return;
    if (status == DT_DIVERGED && newest)
        snprintf(end, room, "; the last good checkpoint is %.300s", newest);
    else if (status == DT_DIVERGED)
        snprintf(end, room, "; the run so far is in %.300s", r->folder);
    else
        snprintf(end, room, "; go on with: deltoid train --resume %.300s", r->folder);
}

/* Is there nothing left to do, and all of it on the disk? Then it is told. */
static bool is_complete(const run *r)
{
    dt_trainer_position p;
    dt_trainer_position_of(r->trainer, &p);
    return r->resumes && p.done && *r->resumed.weights_sha256 && r->resumed.steps == p.step;
}

static dt_status tell_complete(const run *r, dt_error *error)
{
    dt_text text = {0};
    const int64_t step = dt_trainer_step(r->trainer);
    if (r->json) {
        dt_text_add(&text, "{\"run\": ");
        dt_text_add_json(&text, r->folder);
        dt_text_add(&text, ", \"status\": \"complete\", \"weights_sha256\": ");
        dt_text_add_json(&text, r->resumed.weights_sha256);
        dt_text_add(&text, ", \"epochs\": %" PRId64 ", \"steps\": %" PRId64 "}\n", r->resumed.epochs, step);
    } else if (!r->quiet) {
        dt_text_add(&text, "complete        %" PRId64 " epochs, %" PRId64 " steps; for more: training.epochs=N\n",
                    r->resumed.epochs, step);
        dt_text_add(&text, "weights sha256  %s\nrun             %s\n", r->resumed.weights_sha256, r->folder);
    }
    dt_status failed = text.failed ? dt_fail_memory(error, "the last lines") : DT_OK;
    if (text.bytes && failed == DT_OK)
        fputs(text.bytes, stdout);
    dt_text_clear(&text);
    return failed == DT_OK ? dt_terminal_flush(error) : failed;
}

/* A trainer of the experiment, where it goes on with its state; before anything is written. */
static dt_status prepare(run *r, dt_error *error)
{
    const dt_experiment *experiment = &r->config->experiment;
    dt_status status = dt_metric_check(experiment, r->data, error);
    if (status == DT_OK)
        status = dt_trainer_create(&r->trainer, experiment, r->data, error);
    if (status == DT_OK)
        status = check_capture(r, error);
    if (status == DT_OK)
        status = dt_resume_experiment_id(experiment, r->experiment_id, error);
    if (status == DT_OK)
        status = dt_checkpoint_data_id_of(r->data, r->data_id, error);
    if (status != DT_OK)
        dt_schema_place(error, r->config->root);
    if (status == DT_OK && r->resumes)
        status = dt_resume_find(&r->resumed, r->folder, r->trainer, r->data, r->experiment_id, r->data_id,
                                experiment->arena, error);
    if (status == DT_OK && dt_trainer_step(r->trainer) == 0)
        status = dt_network_begin(r->trainer, r->config, error);
    return status;
}

static void forget(run *r)
{
    dt_resume_clear(&r->resumed);
    dt_text_release(r->provenance);
    dt_trainer_destroy(r->trainer);
}

static dt_status train(run *r, const char *out, dt_error *error)
{
    dt_status status = prepare(r, error);
    if (status == DT_OK && is_complete(r)) {
        status = tell_complete(r, error);
        forget(r);
        return status;
    }
    if (status != DT_OK) {
        forget(r);
        return status;
    }
    dt_signals_watch(r->trainer);
    status = begin(r, out, error);
    bool ran = status == DT_OK;
    if (ran)
        status = dt_trainer_run(r->trainer, error);
    dt_progress_end(&r->progress);
    if (status == DT_STOPPED)
        dt_error_clear(error); /* no failure: told when all is written */
    if (r->folder) {
        dt_status closed = finish(r, status == DT_OK, ran && status != DT_DIVERGED, error);
        if (status == DT_OK || status == DT_STOPPED)
            status = closed == DT_OK ? status : closed;
    }
    if (status == DT_OK || status == DT_STOPPED || (status == DT_DIVERGED && ran)) {
        dt_status printed = print_end(r, status, error);
        status = printed == DT_OK || status == DT_DIVERGED ? status : printed;
    }
    if (status == DT_STOPPED)
        dt_fail(error, DT_STOPPED, "stopped by %s after step %" PRId64, dt_signals_name(), dt_trainer_step(r->trainer));
    if (status != DT_OK && (ran || !r->resumes)) /* else the message says what must be done first */
        add_folder(r, status, error);
    dt_checkpoints_close(r->checkpoints, NULL);
    dt_signals_forget();
    forget(r);
    return status;
}

/* The command's arguments make sense together. */
static dt_status check_arguments(const dt_arguments *arguments, dt_error *error)
{
    const bool print = dt_argument(arguments, "print-config"), dry = dt_argument(arguments, "dry-run");
    const bool out = dt_argument(arguments, "out"), profiled = dt_argument(arguments, "profile");
    const bool resumes = dt_argument(arguments, "resume");
    if (print && dry)
        return dt_fail(error, DT_INVALID, "--print-config and --dry-run are two things; give one of them");
    if ((print || dry) && (out || profiled || resumes))
        return dt_fail(error, DT_INVALID, "--%s has no use with --%s, which makes no run; remove it",
                       out        ? "out"
                       : profiled ? "profile"
                                  : "resume",
                       print ? "print-config" : "dry-run");
    if (resumes && out)
        return dt_fail(error, DT_INVALID,
                       "--out has no use with --resume, which goes on in the run's folder; remove it");
    if (resumes && arguments->positional_count)
        return dt_fail(error, DT_INVALID,
                       "'%.200s' has no use with --resume, which goes on with the run's own experiment.yaml; remove it",
                       arguments->positional[0]);
    if (!resumes && !arguments->positional_count)
        return dt_fail(error, DT_INVALID, "deltoid train needs an experiment file; usage: deltoid train %s",
                       arguments->command->usage);
    return DT_OK;
}

/* The experiment: of the command line, or that of the run that goes on, which is then this process's alone. */
static dt_status open_config(run *r, dt_config *config, const dt_arguments *arguments, dt_arena *arena, dt_error *error)
{
    if (!r->resumes)
        return dt_config_open(config, arguments->positional[0], arguments->overrides, arguments->override_count, error);
    char *folder = dt_arena_duplicate(arena, dt_argument(arguments, "resume"));
    if (!folder)
        return dt_fail_memory(error, "a path");
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    r->folder = folder;
    dt_status status = dt_resume_config(config, folder, arguments->overrides, arguments->override_count, error);
    if (status != DT_OK)
        return status;
    status = dt_runfolder_lock(folder, arena, error);
    if (status != DT_OK)
        dt_config_clear(config);
    return status;
}

static dt_status run_train(const dt_arguments *arguments, dt_error *error)
{
    const char *out = dt_argument(arguments, "out");
    const bool dry = dt_argument(arguments, "dry-run");
    run r = {.json = dt_argument(arguments, "json"),
             .quiet = dt_argument(arguments, "quiet"),
             .live = dt_argument(arguments, "live"),
             .profiled = dt_argument(arguments, "profile"),
             .resumes = dt_argument(arguments, "resume")};
    dt_config config;
    dt_arena arena = {0};
    dt_status status = check_arguments(arguments, error);
    if (status == DT_OK)
        status = open_config(&r, &config, arguments, &arena, error);
    if (status != DT_OK) {
        dt_arena_clear(&arena);
        return status;
    }
    if (dt_argument(arguments, "print-config")) {
        fputs(config.text, stdout);
        status = dt_terminal_flush(error);
        dt_config_clear(&config);
        return status;
    }
    dt_data data = {0};
    status = dt_runfolder_check(out, error);
    if (status == DT_OK)
        status = dt_data_open_all(&data, &config, error);
    dt_trainer_data view = dt_data_view(&data);
    r.config = &config;
    r.data = &view;
    if (status == DT_OK)
        status = dry ? dt_plan_print(&config, &view, r.json, r.quiet, error) : train(&r, out, error);
    dt_data_close(&data);
    dt_config_clear(&config);
    dt_arena_clear(&arena);
    return status;
}

const dt_command dt_command_train = {
    .name = "train",
    .usage = "EXPERIMENT.yaml|--resume RUN [key=value ...] [options]",
    .summary = "train a network and record it in a run folder",
    .details =
        "Reads an experiment file (see deltoid help experiment), trains, and writes a run folder:\n"
        "\n"
        "  experiment.yaml   the resolved experiment: trains the same weights again\n"
        "  provenance.json   what it ran on, and the SHA-256 of the final weights\n"
        "  metrics.tsv       a row an epoch\n"
        "  model.h5          the weights\n"
        "  capture.h5        what the experiment asked to capture: an index over the segments in capture/\n"
        "  checkpoints/      what --resume goes on from: the newest, and best.h5 where checkpoint.best asks for it\n"
        "  profile.tsv       with --profile: where the time of the steps went\n"
        "\n"
        "key=value changes a key of the experiment by its path: training.epochs=3 network.0.units=64\n"
        "capture.probe.layers=[1,2]. The value is YAML on one line. What is not there yet is added; network.N with N = "
        "the\n"
        "number of layers adds a layer. File names are relative to the current directory here, to the file's folder in "
        "the\n"
        "file.\n"
        "\n"
        "A line an epoch goes to standard output. Where standard error is a terminal, one line there shows epoch, "
        "step, loss\n"
        "(a running mean over minibatches), the last epoch's accuracy, speed and the time left while an epoch runs.\n"
        "\n"
        "--profile tells at the end where the steps' time went: by phase and layer, with the operations and bytes a "
        "second, as\n"
        "shares of what this machine can do (measured before training, in a fourth of a second), and by worker. The "
        "times are\n"
        "those of all steps that were done, also of a run that is stopped or diverges. With --quiet they are in "
        "profile.tsv\n"
        "alone: seconds, floating-point operations of the equations, bytes that must be moved at least, steps, and "
        "samples\n"
        "(0 where a phase has none). No bit of the weights depends on it.\n"
        "\n"
        "SIGINT (Ctrl-C), SIGTERM and SIGHUP stop after the step at hand, write a checkpoint of it and the model; a "
        "second one\n"
        "leaves at once. --resume RUN goes on from the newest good checkpoint, also of a run that was killed, to the "
        "bits "
        "it\n"
        "would have had without an interruption. Its experiment is RUN/experiment.yaml; parallel.threads, "
        "parallel.reduction,\n"
        "parallel.groups and a larger training.epochs may be given.",
    .options =
        {
            {"out", "DIR",
             "the run's folder, which must not exist; without it results/<name>/<UTC time>-<hash>-s<seed>"},
            {"resume", "RUN", "go on with a run that was stopped, or killed, in its own folder"},
            {"dry-run", NULL, "print layers, parameters, memory and the size of the capture; make nothing"},
            {"print-config", NULL, "print the resolved experiment; make nothing"},
            {"profile", NULL, "tell where the steps' time went, by phase, layer and worker; writes profile.tsv"},
            {"live", NULL,
             "capture/live.h5 can be followed while the run goes on: h5py.File(..., libver='latest', swmr=True)"},
            {"json", NULL, "print a JSON object an epoch, with metrics.tsv's columns as keys, and one at the end"},
            {"quiet", NULL, "print errors only (and what --json prints)"},
        },
    .least = 0,
    .most = 1,
    .what = "an experiment file",
    .overrides = true,
    .run = run_train,
};
