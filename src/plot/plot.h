/* Pictures of runs. Every kind of picture is a row of the table in plot.c; the command line and the tests walk it.
 *
 *     dt_plot((const char *[]){"results/mlp/run"}, 1, &(dt_plot_options){.term = "png", .picture = print_path},
 * &error);
 *
 * leaves in results/mlp/run/plots/ for each kind the numbers (curves.tsv), a script (curves.gp) and the picture
 * (curves.png). The script needs nothing but the numbers beside it: `gnuplot curves.gp` there draws the picture again,
 * and `gnuplot -e "term='pdf'" curves.gp` another format.
 *
 * Several runs: a kind that compares draws them into one picture, <kind>-compare.*, in the first run's plots/; any
 * other kind draws each run into that run's own.
 *
 * A sweep's folder is drawn like a run's, into SWEEP/plots/, by the kinds for sweeps.
 *
 * Threads: one call at a time a run folder. A call that reads a capture forks (capture.h).
 */
#ifndef DT_PLOT_PLOT_H
#define DT_PLOT_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "deltoid/status.h"

/* More lines than this in one picture tell nobody anything. */
enum { DT_PLOT_RUNS_MAX = 32 };

typedef struct dt_plot_kind {
    const char *name;    /* as --kind spells it: "curves" */
    const char *summary; /* one line for help texts */
    bool compares;       /* several runs go into one picture */
    bool overview;       /* drawn without --kind */
    bool of_sweeps;      /* drawn of a sweep's folder; else of a run's */
    const struct dt_plot_maker *maker;
} dt_plot_kind;

/* The i-th kind of run pictures, NULL past the last. */
const dt_plot_kind *dt_plot_kind_at(size_t i);

/* The same of pictures of scaling studies (study/record.h): drawn where the folder is a study's. */
const dt_plot_kind *dt_plot_study_kind_at(size_t i);

/* The i-th name of a picture's format ("svg", "png", "pdf", "text"), NULL past the last. */
const char *dt_plot_term_at(size_t i);

/* The i-th quantity of kind "histograms" ("z", "a", "delta", "W", ...), NULL past the last. */
const char *dt_plot_quantity_at(size_t i);

typedef enum dt_plot_letters {
    DT_LETTERS_AUTO, /* Unicode where the locale of the environment is UTF-8, else ASCII */
    DT_LETTERS_ASCII,
    DT_LETTERS_UNICODE
} dt_plot_letters;

/* Zero-initialise; every field has a default. */
typedef struct dt_plot_options {
    const char *kind; /* NULL: those of the overview that the runs have the numbers for; "all": all such kinds */
    const char *term; /* NULL: "svg". "text" is drawn in letters, handed to `text`, and writes no file */

    const char *unit;     /* of kind "units": "L:J", layer from 1 and unit from 0, which it needs */
    const char *quantity; /* of kind "histograms": a name of dt_plot_quantity_at; NULL: the first that is captured */

    const struct dt_analysis *analysis; /* of the one study that is drawn, where the caller has it; NULL: made here */

    bool narrow; /* of studies: as wide as a phone, panels below each other, no name in the heading */

    const char *folder; /* where the files go, which is there; NULL: plots/ in the first run's folder */

    int width;               /* columns of text; 0: $COLUMNS, or 80. Clamped to 40 .. 200 */
    dt_plot_letters letters; /* of text */

    /* May be NULL. The string is borrowed until the call returns. */
    void (*picture)(void *context, const char *path); /* a picture was written */
    void (*text)(void *context, const char *drawing); /* lines, each ended by a newline */
    void *context;
} dt_plot_options;

/* Draws. DT_NOT_FOUND where a run, or what `kind` needs of it, is not there; DT_UNKNOWN_NAME for an unknown kind or
 * term; DT_MALFORMED with FILE:LINE; DT_UNSUPPORTED without gnuplot (script and numbers are written all the same);
 * DT_IO, DT_NO_MEMORY, DT_SYSTEM. */
dt_status dt_plot(const char *const *runs, size_t run_count, const dt_plot_options *options, dt_error *error);

#endif
