/* deltoid sweep: one experiment over settings and seeds, each run a process of its own. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/split.h"
#include "cli/command.h"
#include "cli/paths.h"
#include "cli/runfolder.h"
#include "cli/signals.h"
#include "cli/sweep_plan.h"
#include "cli/sweep_table.h"
#include "cli/terminal.h"
#include "deltoid/record.h"

/* A place for a run: processors that no other has. */
typedef struct slot {
    pid_t pid; /* 0: free */
    size_t run;
    cpu_set_t processors;
} slot;

typedef struct sweep {
    const dt_sweep_plan *plan;
    const char *folder;
    dt_sweep_result *results; /* (run_count) */
    slot *slots;              /* (slot_count) */
    size_t slot_count;
    int64_t threads; /* of a run */
    bool quiet;
    size_t failed;
    dt_arena *arena;
} sweep;

/* --- places --- */

/* Shares the processors this process may use among the slots; where there are fewer than slots, all have all. */
static dt_status make_slots(sweep *s, dt_error *error)
{
    cpu_set_t all;
    int list[CPU_SETSIZE], count = 0;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return dt_fail(error, DT_SYSTEM, "the system doesn't tell which processors may be used: %s", strerror(errno));
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all))
            list[count++] = i;
    s->slot_count = (size_t)dt_min(s->plan->side_by_side, (int64_t)s->plan->run_count);
    s->slots = dt_arena_allocate(s->arena, s->slot_count, sizeof *s->slots);
    if (!s->slots)
        return dt_fail_memory(error, "the sweep");
    for (size_t i = 0; i < s->slot_count; i++) {
        const dt_span own = dt_split(count, (int64_t)s->slot_count, (int64_t)i);
        s->slots[i] = (slot){.processors = all};
        if (own.first == own.last)
            continue;
        CPU_ZERO(&s->slots[i].processors);
        for (int64_t p = own.first; p < own.last; p++)
            CPU_SET(list[p], &s->slots[i].processors);
    }
    s->threads = s->plan->threads ? s->plan->threads : dt_max(1, count / (int64_t)s->slot_count);
    return DT_OK;
}

/* --- runs --- */

static const char *run_folder(const sweep *s, size_t run, const char *below)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%s", below, s->plan->runs[run].name);
    return dt_path_join(s->arena, s->folder, name);
}

enum { FIXED_ARGUMENTS = 8 };

/* "deltoid train EXPERIMENT key=value ... --out FOLDER --quiet", or "--resume FOLDER"; NULL when memory is out. */
static char **command_of(const sweep *s, size_t run, const char *program)
{
    char **argv = dt_arena_allocate(s->arena, DT_SWEEP_KEYS_MAX + 1 + FIXED_ARGUMENTS, sizeof *argv), threads[48];
    const char *arguments[DT_SWEEP_KEYS_MAX + 1], *folder = run_folder(s, run, "runs");
    bool failed;
    size_t n = 0;
    const size_t count = dt_sweep_arguments(s->plan, &s->plan->runs[run], arguments, &failed, s->arena);
    snprintf(threads, sizeof threads, "parallel.threads=%" PRId64, s->threads);
    const char *own_threads = dt_arena_duplicate(s->arena, threads);
    if (!argv || failed || !folder || !own_threads)
        return NULL;
    const bool begun = s->results[run].state == DT_SWEEP_BEGUN;
    const char *parts[] = {program, "train", begun ? "--resume" : s->plan->experiment, begun ? folder : own_threads};
    for (size_t i = 0; i < 4; i++)
        argv[n++] = dt_arena_duplicate(s->arena, parts[i]);
    for (size_t i = 0; i < count && !begun; i++)
        argv[n++] = dt_arena_duplicate(s->arena, arguments[i]);
    if (!begun) {
        argv[n++] = dt_arena_duplicate(s->arena, "--out");
        argv[n++] = dt_arena_duplicate(s->arena, folder);
    }
    argv[n++] = dt_arena_duplicate(s->arena, "--quiet");
    for (size_t i = 0; i < n; i++)
        if (!argv[i])
            return NULL;
    argv[n] = NULL;
    return argv;
}

static dt_status start(sweep *s, slot *place, size_t run, dt_error *error)
{
    char program[DT_PROGRAM_PATH];
    const char *log = run_folder(s, run, "logs");
    if (dt_path_program(program, error) != DT_OK)
        return DT_SYSTEM;
    char **argv = command_of(s, run, program);
    if (!argv || !log)
        return dt_fail_memory(error, "a run of the sweep");
    const int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return dt_fail(error, DT_IO, "%s: can't be made: %s", log, strerror(errno));
    const pid_t pid = fork();
    if (pid == 0) {
        (void)setpgid(0, 0); /* the terminal's Ctrl-C is this program's, which passes it on */
        (void)sched_setaffinity(0, sizeof place->processors, &place->processors);
        if (dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
            _exit(3);
        execv(program, argv);
        _exit(3);
    }
    close(fd);
    if (pid < 0)
        return dt_fail(error, DT_SYSTEM, "a run can't be started: %s; run fewer side by side", strerror(errno));
    place->pid = pid;
    place->run = run;
    return DT_OK;
}

static void stop_all(const sweep *s, int number)
{
    for (size_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].pid)
            kill(s->slots[i].pid, number);
}

static void print_line(const sweep *s, size_t run, size_t done)
{
    const dt_sweep_result *r = &s->results[run];
    if (s->quiet)
        return;
    printf("%zu/%zu  %s ", done, s->plan->run_count, s->plan->runs[run].name);
    for (size_t k = 0; k < s->plan->key_count; k++)
        printf(" %s=%s", s->plan->keys[k], s->plan->points[s->plan->runs[run].point].values[k].shown);
    const bool complete = r->state == DT_SWEEP_COMPLETE;
    if (complete)
        printf("  train loss %.4f", r->figures[1]);
    if (complete && isfinite(r->figures[6]))
        printf("  test accuracy %.4f", r->figures[6]);
    else if (complete && isfinite(r->figures[4]))
        printf("  validation accuracy %.4f", r->figures[4]);
    if (complete)
        printf("\n");
    else
        printf("  failed: %s/logs/%s\n", s->folder, s->plan->runs[run].name);
    fflush(stdout);
}

/* Waits for one run; what it left is looked at, and the tables are written. false where a signal came first. */
static bool wait_for_one(sweep *s, size_t *done, dt_status *status, dt_error *error)
{
    int how;
    const pid_t pid = waitpid(-1, &how, 0);
    if (pid < 0)
        return errno != EINTR;
    for (size_t i = 0; i < s->slot_count; i++) {
        slot *place = &s->slots[i];
        if (place->pid != pid)
            continue;
        const size_t run = place->run;
        place->pid = 0;
        const char *folder = run_folder(s, run, "runs");
        *status = folder ? dt_sweep_look(&s->results[run], folder, error) : dt_fail_memory(error, "the sweep");
        if (s->results[run].state != DT_SWEEP_COMPLETE && !dt_signals_caught()) {
            s->results[run].state = DT_SWEEP_FAILED;
            s->failed++;
        }
        if (!dt_signals_caught())
            print_line(s, run, ++*done);
        if (*status == DT_OK)
            *status = dt_sweep_write(s->plan, s->results, s->folder, error);
    }
    return true;
}

static bool any_running(const sweep *s)
{
    for (size_t i = 0; i < s->slot_count; i++)
        if (s->slots[i].pid)
            return true;
    return false;
}

static dt_status run_all(sweep *s, dt_error *error)
{
    size_t next = 0, done = 0;
    dt_status status = DT_OK;
    for (size_t r = 0; r < s->plan->run_count; r++)
        done += s->results[r].state == DT_SWEEP_COMPLETE;
    for (;;) {
        for (size_t i = 0; i < s->slot_count && status == DT_OK && !dt_signals_caught(); i++) {
            while (next < s->plan->run_count && s->results[next].state == DT_SWEEP_COMPLETE)
                next++;
            if (!s->slots[i].pid && next < s->plan->run_count)
                status = start(s, &s->slots[i], next++, error);
        }
        if (!any_running(s))
            break;
        dt_status own = DT_OK;
        if (!wait_for_one(s, &done, &own, error) || (own != DT_OK && status == DT_OK))
            stop_all(s, SIGTERM);
        status = status == DT_OK ? own : status;
    }
    return status;
}

/* --- the command --- */

static dt_status make_folder(sweep *s, const char *out, bool resume, dt_error *error)
{
    char name[256];
    snprintf(name, sizeof name, "results/%.128s/sweep-%s", s->plan->name, s->plan->hash);
    s->folder = dt_arena_duplicate(s->arena, out ? out : name);
    if (!s->folder)
        return dt_fail_memory(error, "a path");
    dt_status status = dt_folder_check(s->folder, resume, error);
    const char *const folders[] = {dt_path_join(s->arena, s->folder, "runs"),
                                   dt_path_join(s->arena, s->folder, "logs")};
    for (size_t i = 0; status == DT_OK && i < 2; i++)
        status = folders[i] ? dt_folders_make(folders[i], true, s->arena, error) : dt_fail_memory(error, "a path");
    return status;
}

static dt_status sweep_all(const dt_sweep_plan *plan, const char *out, bool resume, bool quiet, dt_arena *arena,
                           dt_error *error)
{
    sweep s = {.plan = plan, .quiet = quiet, .arena = arena};
    s.results = dt_arena_allocate(arena, plan->run_count, sizeof *s.results);
    dt_status status = s.results ? make_folder(&s, out, resume, error) : dt_fail_memory(error, "the sweep");
    for (size_t r = 0; status == DT_OK && r < plan->run_count; r++) {
        const char *folder = run_folder(&s, r, "runs");
        status = folder ? dt_sweep_look(&s.results[r], folder, error) : dt_fail_memory(error, "the sweep");
    }
    if (status == DT_OK)
        status = make_slots(&s, error);
    if (status == DT_OK)
        status = dt_sweep_write(plan, s.results, s.folder, error);
    if (status != DT_OK)
        return status;
    dt_signals_note();
    status = run_all(&s, error);
    if (status != DT_OK)
        return status;
    if (dt_signals_caught())
        return dt_fail(error, DT_STOPPED, "stopped; go on with deltoid sweep SWEEP.yaml --resume%s%s",
                       out ? " --out " : "", out ? out : "");
    if (!quiet)
        printf("\nsummary  %s/summary.tsv\n", s.folder);
    if (s.failed)
        return dt_fail(error, DT_ANSWER_NO, "%zu of %zu runs failed; what they said is in %s/logs", s.failed,
                       plan->run_count, s.folder);
    return dt_terminal_flush(error);
}

static dt_status print_plan(const dt_sweep_plan *plan, dt_error *error)
{
    printf("%zu runs: %zu settings of %zu keys\n", plan->run_count, plan->point_count, plan->key_count);
    for (size_t r = 0; r < plan->run_count; r++) {
        printf("%s ", plan->runs[r].name);
        for (size_t k = 0; k < plan->key_count; k++)
            printf(" %s=%s", plan->keys[k], plan->points[plan->runs[r].point].values[k].shown);
        printf("\n");
    }
    return dt_terminal_flush(error);
}

static dt_status run_sweep(const dt_arguments *arguments, dt_error *error)
{
    dt_arena arena = {0};
    dt_sweep_plan plan;
    dt_status status = dt_sweep_plan_open(&plan, arguments->positional[0], &arena, error);
    if (status == DT_OK)
        status = dt_argument(arguments, "dry-run")
                     ? print_plan(&plan, error)
                     : sweep_all(&plan, dt_argument(arguments, "out"), dt_argument(arguments, "resume") != NULL,
                                 dt_argument(arguments, "quiet") != NULL, &arena, error);
    dt_arena_clear(&arena);
    return status;
}

const dt_command dt_command_sweep = {
    .name = "sweep",
    .usage = "SWEEP.yaml [options]",
    .summary = "one experiment over grids or draws of its keys, and seeds",
    .details =
        "Trains an experiment once for each setting and seed. SWEEP.yaml:\n"
        "\n"
        "  experiment: experiment.yaml            # relative to this file\n"
        "  grid:                                  # every combination of\n"
        "    optimizer.learning_rate: [0.03, 0.1, 0.3]\n"
        "    network.0.units: [64, 256]\n"
        "  together:                              # for each of these, the first values, the second, ...\n"
        "    data.train.file: [train1.csv, train2.csv]\n"
        "    data.test.file: [test1.csv, test2.csv]\n"
        "  random:                                # for each of them (or alone), this many draws\n"
        "    trials: 20\n"
        "    seed: 1\n"
        "    keys:\n"
        "      training.batch_size: {low: 16, high: 512, scale: log, integer: true}\n"
        "      network.0.activation: [relu, tanh]\n"
        "  seeds: [1, 2, 3]                       # default: the experiment's own\n"
        "  parallel: {runs: 2, threads: 1}        # side by side, each on processors of its own\n"
        "\n"
        "Each run is a process with a folder of its own, runs/p0003-s2, as deltoid train makes it; what it says goes "
        "to "
        "logs/.\n"
        "summary.tsv has a row a run: its keys, the last row of its metrics, the SHA-256 of its weights. points.tsv "
        "has "
        "a row a\n"
        "setting: means over seeds, each with half the width of its 95 % interval (Student's t). Both are whole after "
        "each run.\n"
        "\n"
        "All settings are checked before the first run. A sweep that was stopped goes on with --resume: what is "
        "complete stays,\n"
        "what had begun is resumed. Exit status 1 where a run failed or diverged.",
    .options = {{"resume", NULL, "go on with a sweep that was stopped"},
                {"out", "DIR", "the sweep's folder; without it results/<name>/sweep-<hash>"},
                {"dry-run", NULL, "print the runs; make nothing"},
                {"quiet", NULL, "print errors only"}},
    .least = 1,
    .most = 1,
    .what = "a sweep file",
    .run = run_sweep,
};
