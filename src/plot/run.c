#define _XOPEN_SOURCE 700 /* realpath */
#include "plot/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "plot/sheet.h"

enum { EXPERIMENT_MAX = 1 << 20, FACT_MAX = 128 };

char *dt_plot_run_file(const dt_plot_run *run, const char *name, dt_arena *arena, dt_error *error)
{
    size_t size = strlen(run->path) + strlen(name) + 2;
    char *path = dt_arena_allocate(arena, size, 1);
    if (!path) {
        dt_fail(error, DT_NO_MEMORY, "%s: out of memory for a file name", run->path);
        return NULL;
    }
    size_t length = strlen(run->path);
    snprintf(path, size, "%s%s%s", run->path, length && run->path[length - 1] == '/' ? "" : "/", name);
    return path;
}

static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* The value of a key at the top level of a resolved experiment, where it is a plain word; "" else, NULL when memory is
 * out. Not a YAML parser: a fact that isn't found costs a nicer title, no more. */
static const char *fact(const char *text, const char *key, dt_arena *arena)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 || line[length] != ':')
            continue;
        const char *value = line + length + 1;
        value += strspn(value, " ");
        size_t quote = *value == '"' || *value == '\'';
        size_t n = strspn(value + quote, word);
        const char *rest = value + quote + n;
        if (n == 0 || n > FACT_MAX || (quote && *rest++ != *value) || (*rest && !strchr(" \r\n", *rest)))
            return "";
        char *copy = dt_arena_allocate(arena, n + 1, 1);
        return copy ? memcpy(copy, value + quote, n) : NULL;
    }
    return "";
}

/* The layers' activations in a resolved experiment, in which they are lines of their own. */
static bool find_activations(const char *text, dt_plot_run *run, dt_arena *arena)
{
    static const char head[] = "\nnetwork:\n", key[] = "    activation: ", entry[] = "  - ";
    const size_t most = sizeof run->activations / sizeof *run->activations;
    const char *line = strstr(text, head);
    size_t layers = 0;
    for (line = line ? line + strlen(head) : NULL; line && *line == ' '; line += *line == '\n') {
        layers += strncmp(line, entry, strlen(entry)) == 0;
        const char *end = line + strcspn(line, "\n"), *name = line + strlen(key);
        const bool named = strncmp(line, key, strlen(key)) == 0 && end - name <= FACT_MAX &&
                           strspn(name, word) >= (size_t)(end - name);
        if (layers >= 1 && layers <= most && named) {
            char *copy = dt_arena_allocate(arena, (size_t)(end - name) + 1, 1);
            if (!copy)
                return false;
            run->activations[layers - 1] = memcpy(copy, name, (size_t)(end - name));
        }
        line = end;
    }
    return true;
}

static bool all_differ(const dt_plot_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            if (strcmp(runs[i].label, runs[j].label) == 0)
                return false;
    return true;
}

/* The last `parts` parts of an absolute path. */
static const char *tail(const char *path, int parts)
{
    const char *from = path + strlen(path);
    while (from > path && parts > 0)
        parts -= *--from == '/';
    return *from == '/' && from[1] ? from + 1 : from;
}

static void label_by_path(dt_plot_run *runs, char *const *absolute, size_t count)
{
    for (int parts = 1; parts < PATH_MAX; parts++) {
        for (size_t i = 0; i < count; i++)
            runs[i].label = tail(absolute[i], parts);
        if (all_differ(runs, count))
            return;
    }
}

static dt_status look(dt_plot_run *run, char **absolute, dt_arena *arena, dt_error *error)
{
    struct stat facts;
    char whole[PATH_MAX];
    if (stat(run->path, &facts) != 0)
        return dt_fail(error, errno == ENOMEM ? DT_NO_MEMORY : DT_NOT_FOUND,
                       "%s: no such run folder; name one that deltoid train made", run->path);
    if (!S_ISDIR(facts.st_mode))
        return dt_fail(error, DT_INVALID, "%s: not a folder; name the run's folder, not a file in it", run->path);
    *absolute = dt_arena_duplicate(arena, realpath(run->path, whole) ? whole : run->path);
    char *experiment = dt_plot_run_file(run, "experiment.yaml", arena, error), *text;
    char *points = dt_plot_run_file(run, "points.tsv", arena, error);
    if (!*absolute || !experiment || !points)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for a file name", run->path);
    run->label = run->loss = "";
    run->is_sweep = stat(points, &facts) == 0;
    dt_status status = dt_file_read(experiment, EXPERIMENT_MAX, arena, &text, NULL, NULL);
    if (status == DT_OK) {
        run->label = fact(text, "name", arena);
        run->loss = fact(text, "loss", arena);
        if (!find_activations(text, run, arena))
            status = DT_NO_MEMORY;
    }
    if (status == DT_NO_MEMORY || !run->label || !run->loss)
        return dt_fail(error, DT_NO_MEMORY, "%s: out of memory for its text", experiment);
    return DT_OK;
}

dt_status dt_plot_runs_open(const char *const *paths, size_t count, dt_arena *arena, dt_plot_run **runs,
                            dt_error *error)
{
    dt_plot_run *r = dt_arena_allocate(arena, count, sizeof *r);
    char **absolute = dt_arena_allocate(arena, count, sizeof *absolute);
    if (!r || !absolute)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for %zu runs", count);
    bool named = true;
    for (size_t i = 0; i < count; i++) {
        r[i].path = paths[i];
        dt_status status = look(&r[i], &absolute[i], arena, error);
        if (status != DT_OK)
            return status;
        named = named && r[i].label[0];
        for (size_t j = 0; j < i; j++)
            if (strcmp(absolute[i], absolute[j]) == 0)
                return dt_fail(error, DT_INVALID, "%s: the same run as %s; name each run once", paths[i], paths[j]);
    }
    if (!named || !all_differ(r, count))
        label_by_path(r, absolute, count);
    *runs = r;
    return DT_OK;
}
