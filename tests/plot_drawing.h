/* What tests of pictures share: run folders, captures made by hand, drawing, reading the numbers back. */
#ifndef DT_TESTS_PLOT_DRAWING_H
#define DT_TESTS_PLOT_DRAWING_H

#define _XOPEN_SOURCE 700 /* nftw */
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <hdf5.h>

#include "plot/plot.h"
#include "scratch.h"

static scratch s;

/* --- folders and files --- */

static inline int setup(void **state)
{
    (void)state;
    scratch_make(&s);
    return 0;
}

static inline int remove_one(const char *path, const struct stat *facts, int flag, struct FTW *where)
{
    (void)facts, (void)flag, (void)where;
    return remove(path);
}

static inline int teardown(void **state)
{
    (void)state;
    return nftw(s.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of a new folder in the scratch folder. */
static inline const char *folder(const char *name)
{
    const char *path = scratch_path(&s, name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static inline void write_bytes(const char *run, const char *name, const char *bytes, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", run, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(const char *run, const char *name, const char *text)
{
    write_bytes(run, name, text, strlen(text));
}

/* Freed by the caller. */
static inline char *read_text(const char *run, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", run, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is not there", path);
    char *text = calloc(1 << 20, 1);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static inline bool exists(const char *run, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", run, name);
    return access(path, F_OK) == 0;
}

/* --- drawing --- */

/* What dt_plot handed over. */
typedef struct heard {
    char pictures[1024], text[1 << 16];
} heard;

static heard now;

static inline void hear_picture(void *context, const char *path)
{
    heard *h = context;
    size_t used = strlen(h->pictures), from = strlen(s.folder) + 1;
    assert_true(strlen(path) > from);
    snprintf(h->pictures + used, sizeof h->pictures - used, "%s;", path + from);
}

static inline void hear_text(void *context, const char *drawing)
{
    heard *h = context;
    size_t used = strlen(h->text);
    snprintf(h->text + used, sizeof h->text - used, "%s", drawing);
}

static inline dt_status draw_with(const char *const *runs, size_t count, const dt_plot_options *how, dt_error *error)
{
    dt_plot_options options = *how;
    options.picture = hear_picture;
    options.text = hear_text;
    options.context = &now;
    now.pictures[0] = now.text[0] = '\0';
    dt_error_clear(error);
    return dt_plot(runs, count, &options, error);
}

static inline bool has_gnuplot(void)
{
    static int known = -1;
    if (known < 0)
        known = system("command -v gnuplot >/dev/null") == 0;
    return known;
}

/* Draws files; the picture itself only where there is a gnuplot. */
static inline void draw_files(const char *const *runs, size_t count, const char *kind, const char *term)
{
    dt_error error;
    dt_status status = draw_with(runs, count, &(dt_plot_options){.kind = kind, .term = term}, &error);
    if (status != (has_gnuplot() ? DT_OK : DT_UNSUPPORTED))
        fail_msg("%d: %s", (int)status, error.message);
}

static inline const char *draw_text(const char *run, const char *kind, dt_plot_letters letters)
{
    dt_error error;
    dt_plot_options options = {.kind = kind, .term = "text", .width = 60, .letters = letters};
    dt_status status = draw_with(&run, 1, &options, &error);
    if (status != DT_OK)
        fail_msg("%d: %s", (int)status, error.message);
    return now.text;
}

static inline void refused(const char *run, const char *kind, dt_status wanted, const char *words)
{
    dt_error error;
    dt_plot_options options = {.kind = kind, .term = "text"};
    dt_status status = draw_with(&run, 1, &options, &error);
    if (status != wanted || !strstr(error.message, words) || strchr(error.message, '\n'))
        fail_msg("wanted %d and '%s', got %d: %s", (int)wanted, words, (int)status, error.message);
}

/* Rows of numbers of block `block` of a .tsv, as gnuplot counts blocks; how many. */
static inline size_t read_block(const char *text, int block, int columns, double *numbers)
{
    size_t rows = 0;
    int at = 0, empty = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        empty = *line == '\n' ? empty + 1 : 0;
        at += empty == 2;
        if (*line == '#' || *line == '\n' || at != block)
            continue;
        char *next;
        for (int c = 0; c < columns; c++) {
            numbers[rows * (size_t)columns + (size_t)c] = strtod(line, &next);
            assert_true(next > line && *next == (c + 1 < columns ? '\t' : '\n'));
            line = next + 1;
        }
        line -= 1;
        rows++;
    }
    return rows;
}

static inline void assert_near(double got, double wanted)
{
    if (isnan(got) != isnan(wanted) || fabs(got - wanted) > 1e-8 * fabs(wanted))
        fail_msg("%.17g, not %.17g", got, wanted);
}

/* --- captures --- */

static inline void put(hid_t group, const char *name, hid_t type, int rank, const hsize_t *size, const void *numbers)
{
    hid_t space = H5Screate_simple(rank, size, NULL);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t set = H5Dcreate2(group, name, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    if (numbers)
        assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Dclose(set);
    H5Pclose(links);
    H5Sclose(space);
}

static inline hid_t new_capture(const char *run)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/capture.h5", run);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

/* step and epoch of a rule: steps 0, every, 2 every, ... */
static inline void put_steps(hid_t file, const char *rule, hsize_t steps, int64_t every)
{
    char name[128];
    int64_t *step = malloc((steps + 1) * sizeof *step), *epoch = malloc((steps + 1) * sizeof *epoch);
    assert_true(step && epoch);
    for (hsize_t i = 0; i < steps; i++) {
        step[i] = (int64_t)i * every;
        epoch[i] = step[i] / 7;
    }
    snprintf(name, sizeof name, "%s/step", rule);
    put(file, name, H5T_NATIVE_INT64, 1, &steps, step);
    snprintf(name, sizeof name, "%s/epoch", rule);
    put(file, name, H5T_NATIVE_INT64, 1, &steps, epoch);
    free(epoch);
    free(step);
}

#endif
