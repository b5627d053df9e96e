/* deltoid plot: pictures of runs. */
#include "plot/plot.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/names.h"
#include "cli/command.h"
#include "cli/terminal.h"

static void print_line(void *context, const char *text)
{
    (void)context;
    puts(text);
}

static void print_drawing(void *context, const char *text)
{
    (void)context;
    fputs(text, stdout);
}

static dt_status run_plot(const dt_arguments *arguments, dt_error *error)
{
    dt_plot_options options = {
        .kind = dt_argument(arguments, "kind"),
        .term = dt_argument(arguments, "term"),
        .unit = dt_argument(arguments, "unit"),
        .quantity = dt_argument(arguments, "quantity"),
        .width = isatty(STDOUT_FILENO) ? dt_terminal_width(STDOUT_FILENO) : 0,
        .picture = print_line,
        .text = print_drawing,
    };
    dt_status status = dt_plot(arguments->positional, arguments->positional_count, &options, error);
    dt_status printed = dt_terminal_flush(error);
    return status == DT_OK ? printed : status;
}

const dt_command dt_command_plot = {
    .name = "plot",
    .usage = "RUN|STUDY... [--kind KIND] [--term svg|png|pdf|text] [--unit L:J] [--quantity Q]",
    .summary = "training curves and layer statistics as pictures",
    .details = "Writes RUN/plots/KIND.gp and KIND.tsv and the picture that gnuplot draws from them, and prints the "
               "picture's name.\n"
               "The script stays: gnuplot KIND.gp draws the picture again. A kind that compares draws several runs "
               "into one picture.\n"
               "RUN may be the folder of a sweep: then its settings are compared, and pictures go to SWEEP/plots.",
    .options = {{"kind", "KIND",
                 "one of the kinds below, or all; without it curves and layers, or those of a sweep, where there are "
                 "the numbers"},
                {"term", "TERM", "svg (the default), png, pdf, or text: drawn in letters on standard output"},
                {"unit", "L:J", "of kind units: layer L from 1, unit J from 0"},
                {"quantity", "Q",
                 "of kind histograms: z, a, delta, W, dW, b or db; the first of these that is captured"}},
    .least = 1,
    .most = DT_PLOT_RUNS_MAX,
    .what = "a folder of a run or a study",
    .run = run_plot,
};
