/* deltoid circuit: the gates of a unit, or of a whole small network, with the numbers of a step. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/names.h"
#include "cli/circuit_numbers.h"
#include "cli/command.h"
#include "cli/data.h"
#include "cli/terminal.h"
#include "plot/circuit.h"
#include "plot/gnuplot.h"

enum { INPUTS = 8, HEADING = 320, STEP_MAX = 1000000000 };

static const char TEXT[] = "text", TSV[] = "tsv";

/* The command line, taken apart. */
typedef struct task {
    const char *path; /* the run's folder, or the experiment file */
    bool is_run, final;
    dt_circuit_wish wish;
    int64_t inputs;     /* shown of a wide unit */
    const char *format; /* text, tsv or a picture's */
    const char *out;    /* the picture; NULL: print */
} task;

/* --- options --- */

/* Digits alone, at most `most`; -1 for anything else. Moves *text behind them. */
static int64_t take_number(const char **text, int64_t most)
{
    int64_t n = 0;
    if (**text < '0' || **text > '9')
        return -1;
    for (; **text >= '0' && **text <= '9'; ++*text)
        n = n > most ? n : 10 * n + (**text - '0');
    return n <= most ? n : -1;
}

static dt_status number(const dt_arguments *arguments, const char *option, int64_t least, int64_t most, int64_t *value,
                        dt_error *error)
{
    const char *text = dt_argument(arguments, option), *at = text;
    if (!text)
        return DT_OK;
    *value = take_number(&at, most);
    if (*value >= least && !*at)
        return DT_OK;
    return dt_fail(error, DT_INVALID, "--%s: '%.32s' is out of range; give a whole number from %" PRId64 " to %" PRId64,
                   option, text, least, most);
}

static dt_status take_unit(const dt_arguments *arguments, dt_circuit_wish *wish, dt_error *error)
{
    const char *text = dt_argument(arguments, "unit"), *at = text;
    if (!text)
        return DT_OK;
    wish->l = take_number(&at, INT32_MAX);
    if (wish->l >= 1 && *at++ == ':' && (wish->j = take_number(&at, INT32_MAX)) >= 0 && !*at)
        return DT_OK;
    return dt_fail(error, DT_INVALID,
                   "--unit: '%.32s' is no unit; give LAYER:UNIT, as 1:0, the first unit of the first layer", text);
}

static const char *format_at(const void *none, size_t i)
{
    size_t pictures = 0;
    (void)none;
    while (dt_gnuplot_format_at(pictures))
        pictures++;
    return i < pictures ? dt_gnuplot_format_at(i) : i == pictures ? TEXT : i == pictures + 1 ? TSV : NULL;
}

static bool is_printed(const task *t)
{
    return strcmp(t->format, TEXT) == 0 || strcmp(t->format, TSV) == 0;
}

/* What is made, before anything is computed for it. */
static dt_status take_format(const dt_arguments *arguments, task *t, dt_error *error)
{
    const char *wanted = dt_argument(arguments, "format"), *known;
    t->out = dt_argument(arguments, "out");
    t->format = TEXT;
    if (wanted) {
        for (size_t i = 0; (known = format_at(NULL, i)) && strcmp(known, wanted) != 0;)
            i++;
        if (!known)
            return dt_fail_unknown(error, "format", wanted, format_at, NULL);
        t->format = known;
    }
    if (!t->out) {
        if (is_printed(t) || t->is_run)
            return DT_OK;
        return dt_fail(error, DT_INVALID,
                       "--format %s: an experiment has no folder for it; name the picture with --out", t->format);
    }
    if (wanted && is_printed(t))
        return dt_fail(error, DT_INVALID,
                       "--format %s is printed, --out names a picture; leave out one of them (a picture's numbers are "
                       "beside it, as .tsv)",
                       t->format);
    const dt_status status = dt_circuit_path_check(t->out, error);
    if (status != DT_OK)
        return status;
    const char *ending = strrchr(t->out, '.') + 1;
    if (wanted && strcmp(wanted, ending) != 0)
        return dt_fail(error, DT_INVALID, "--format %s and --out %.200s are two things; leave out --format", t->format,
                       t->out);
    t->format = ending;
    return DT_OK;
}

static dt_status take_source(const dt_arguments *arguments, task *t, dt_error *error)
{
    struct stat facts;
    t->path = arguments->positional[0];
    if (stat(t->path, &facts) != 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: %s; give the folder of a run, or an experiment file", t->path,
                       strerror(errno));
    t->is_run = S_ISDIR(facts.st_mode);
    t->final = dt_argument(arguments, "final") != NULL;
    t->wish.rule = dt_argument(arguments, "rule");
    if (!t->is_run && (t->final || t->wish.rule))
        return dt_fail(error, DT_INVALID, "--%s: an experiment has no trained weights or captures; name a run's folder",
                       t->final ? "final" : "rule");
    if (t->final && (t->wish.rule || t->wish.step >= 0))
        return dt_fail(error, DT_INVALID, "--final and --%s are two things; give one of them",
                       t->wish.rule ? "rule" : "step");
    return DT_OK;
}

static dt_status take_task(const dt_arguments *arguments, task *t, dt_error *error)
{
    *t = (task){.wish = {.step = -1, .sample = -1}, .inputs = INPUTS};
    dt_status status = take_unit(arguments, &t->wish, error);
    if (status == DT_OK)
        status = number(arguments, "sample", 0, INT64_MAX / 100, &t->wish.sample, error);
    if (status == DT_OK)
        status = number(arguments, "step", 0, STEP_MAX, &t->wish.step, error);
    if (status == DT_OK)
        status = number(arguments, "inputs", 1, DT_INPUTS_SHOWN_MAX, &t->inputs, error);
    if (status == DT_OK)
        status = take_source(arguments, t, error);
    return status == DT_OK ? take_format(arguments, t, error) : status;
}

/* --- what there is to draw --- */

static dt_status check_unit(const task *t, const dt_experiment *e, dt_error *error)
{
    const int64_t L = (int64_t)e->layer_count, l = t->wish.l;
    if (l > L)
        return dt_fail(error, DT_INVALID, "--unit: there is no layer %" PRId64 "; give one from 1 to %" PRId64, l, L);
    if (t->wish.j >= e->network[l - 1].units)
        return dt_fail(error, DT_INVALID,
                       "--unit: layer %" PRId64 " has no unit %" PRId64 "; give one from 0 to %" PRId64, l, t->wish.j,
                       e->network[l - 1].units - 1);
    return DT_OK;
}

static dt_status check_whole(const dt_experiment *e, int64_t features, dt_error *error)
{
    int64_t count = features;
    for (size_t l = 0; l < e->layer_count && count <= DT_FIGURE_UNITS_MAX; l++)
        count += e->network[l].units;
    if (count <= DT_FIGURE_UNITS_MAX)
        return DT_OK;
    return dt_fail(
        error, DT_INVALID,
        "the network has more than %d units with its inputs, too many for one picture; draw one of them with "
        "--unit LAYER:UNIT",
        DT_FIGURE_UNITS_MAX);
}

static dt_status check_sample(const task *t, const dt_dataset *train, dt_error *error)
{
    if (t->wish.sample < train->rows)
        return DT_OK;
    return dt_fail(error, DT_INVALID,
                   "--sample: there is no row %" PRId64 " in the training set; give one from 0 to %" PRId64,
                   t->wish.sample, train->rows - 1);
}

static dt_status check_classes(const dt_config *config, const dt_dataset *train, dt_error *error)
{
    const dt_experiment *e = &config->experiment;
    if (train->classes <= e->network[e->layer_count - 1].units)
        return DT_OK;
    return dt_fail(error, DT_INVALID,
                   "data.train: has label %" PRId64 ", but the last layer has %" PRId64
                   " units; use the data it was trained on",
                   train->classes - 1, e->network[e->layer_count - 1].units);
}

static dt_status fill(dt_circuit_numbers *numbers, const task *t, dt_config *config, const dt_dataset *train,
                      dt_error *error)
{
    dt_buffer file = {0};
    dt_status status = t->wish.l ? check_unit(t, &config->experiment, error)
                                 : check_whole(&config->experiment, train->features, error);
    if (status == DT_OK)
        status = check_sample(t, train, error);
    if (status == DT_OK)
        status = check_classes(config, train, error);
    dt_buffer_format(&file, "%s/%s", t->path, t->final ? "model.h5" : "capture.h5");
    if (status == DT_OK && file.failed)
        status = dt_fail_memory(error, "a path");
    if (t->final)
        config->experiment.data.validation_fraction = 0; /* nothing is trained */
    if (status == DT_OK && t->is_run && !t->final)
        status = dt_circuit_from_capture(numbers, &t->wish, config, train, file.bytes, error);
    else if (status == DT_OK)
        status = dt_circuit_from_engine(numbers, &t->wish, config, train, t->final ? file.bytes : NULL, error);
    dt_buffer_clear(&file);
    return status;
}

/* --- output --- */

static void write_heading(char text[HEADING], const task *t, const dt_config *config, const dt_circuit_numbers *n,
                          const dt_dataset *train)
{
    char step[64] = "trained weights", unit[64] = "", right[32] = "";
    if (!t->final)
        snprintf(step, sizeof step, "step %" PRId64 "%s", n->step, n->step == 0 ? " (first weights)" : "");
    if (t->wish.l)
        snprintf(unit, sizeof unit, ": unit %" PRId64 " of layer %" PRId64, t->wish.j, t->wish.l);
    if (train->labels)
        snprintf(right, sizeof right, " of class %" PRId32, train->labels[n->sample]);
    snprintf(text, HEADING, "%.128s, %s, sample %" PRId64 "%s%s", config->experiment.name, step, n->sample, right,
             unit);
}

static dt_status print_text(const task *t, const dt_circuit_numbers *n, const char *heading, dt_error *error)
{
    dt_buffer out = {0};
    const dt_plot_options options = {.width = isatty(STDOUT_FILENO) ? dt_terminal_width(STDOUT_FILENO) : 0};
    const dt_text_style style = dt_text_style_of(&options);
    const bool colour = dt_terminal_colours(STDOUT_FILENO);
    if (strcmp(t->format, TSV) == 0 && t->wish.l)
        dt_circuit_unit_sheet(&n->unit, &out);
    else if (strcmp(t->format, TSV) == 0)
        dt_circuit_network_sheet(&n->network, &out);
    else if (t->wish.l)
        dt_circuit_unit_text(&n->unit, t->inputs, heading, style, colour, &out);
    else
        dt_circuit_network_text(&n->network, heading, style, colour, &out);
    const dt_status status = out.failed ? dt_fail_memory(error, "the table") : DT_OK;
    if (status == DT_OK)
        fputs(out.bytes, stdout);
    dt_buffer_clear(&out);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

/* RUN/plots/circuit-1-0.svg, with the folder made. */
static dt_status default_path(const task *t, dt_buffer *path, dt_error *error)
{
    dt_buffer_format(path, "%s/plots", t->path);
    if (!path->failed && mkdir(path->bytes, 0777) != 0 && errno != EEXIST)
        return dt_fail(error, DT_IO, "%s: can't be made: %s; name the picture with --out", path->bytes,
                       strerror(errno));
    dt_buffer_add(path, "/circuit");
    if (t->wish.l)
        dt_buffer_format(path, "-%" PRId64 "-%" PRId64, t->wish.l, t->wish.j);
    dt_buffer_format(path, ".%s", t->format);
    return path->failed ? dt_fail_memory(error, "a path") : DT_OK;
}

static dt_status draw(const task *t, const dt_circuit_numbers *n, const char *heading, dt_error *error)
{
    dt_drawing drawing = {0};
    dt_buffer sheet = {0}, path = {0};
    dt_status status = DT_OK;
    if (t->wish.l) {
        dt_figure_unit(&drawing, &n->unit, t->inputs, heading);
        dt_circuit_unit_sheet(&n->unit, &sheet);
    } else {
        status = dt_figure_network(&drawing, &n->network, heading, error);
        dt_circuit_network_sheet(&n->network, &sheet);
    }
    if (status == DT_OK && t->out)
        dt_buffer_add(&path, t->out);
    else if (status == DT_OK)
        status = default_path(t, &path, error);
    if (status == DT_OK && path.failed)
        status = dt_fail_memory(error, "a path");
    if (status == DT_OK)
        status = dt_circuit_draw(&drawing, &sheet, path.bytes, error);
    if (status == DT_OK)
        puts(path.bytes);
    dt_drawing_clear(&drawing);
    dt_buffer_clear(&sheet);
    dt_buffer_clear(&path);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

static dt_status open_config(dt_config *config, const task *t, const dt_arguments *arguments, dt_error *error)
{
    dt_buffer file = {0};
    dt_buffer_format(&file, t->is_run ? "%s/experiment.yaml" : "%s", t->path);
    dt_status status = file.failed ? dt_fail_memory(error, "a path") : DT_OK;
    if (status == DT_OK && access(file.bytes, F_OK) != 0)
        status = dt_fail(error, DT_NOT_FOUND, "%s: %s; give the folder of a run, or an experiment file", file.bytes,
                         strerror(errno));
    if (status == DT_OK)
        status = dt_config_open(config, file.bytes, arguments->overrides, arguments->override_count, error);
    dt_buffer_clear(&file);
    return status;
}

static dt_status run_circuit(const dt_arguments *arguments, dt_error *error)
{
    task t;
    char heading[HEADING];
    dt_config config = {0};
    dt_dataset *train = NULL;
    dt_circuit_numbers numbers = {0};
    dt_status status = take_task(arguments, &t, error);
    if (status == DT_OK)
        status = open_config(&config, &t, arguments, error);
    if (status == DT_OK)
        status = dt_data_open(&train, &config, DT_TRAIN, NULL, error);
    if (status == DT_OK)
        status = fill(&numbers, &t, &config, train, error);
    if (status == DT_OK) {
        write_heading(heading, &t, &config, &numbers, train);
        status = is_printed(&t) ? print_text(&t, &numbers, heading, error) : draw(&t, &numbers, heading, error);
    }
    dt_circuit_numbers_clear(&numbers);
    dt_dataset_destroy(train);
    dt_config_clear(&config);
    return status;
}

const dt_command dt_command_circuit = {
    .name = "circuit",
    .usage = "RUN|EXPERIMENT.yaml [key=value ...] [--unit L:J] [--sample I] [--out FILE.svg] [options]",
    .summary = "the gates of a unit or a small network, with the numbers of a step",
    .details =
        "Draws the circuit of unit J of layer L, or without --unit of the whole network (at most 48 units with its "
        "inputs):\n"
        "above each wire its value, below it the gradient of the sample's cost C by that value, both named in the "
        "derivation's\n"
        "letters. Layers count from 1, units and samples from 0; a sample is a row of the training set.\n"
        "\n"
        "The numbers are those of one step of training, weights before its update:\n"
        "\n"
        "  RUN              a captured step: --step S, or the last one that has what is drawn. It needs W, b, z, a and "
        "delta of\n"
        "                   the unit's layer, a of the layer before, W and delta of the next. The sample is --sample "
        "I, "
        "or the\n"
        "                   first one captured. C is not captured: it comes from z of the last layer and the class.\n"
        "  RUN --final      the weights of RUN/model.h5, with any sample (default 0) run through the engine\n"
        "  EXPERIMENT.yaml  the first step: the weights as they are drawn; with --step S that step, after S steps of "
        "training.\n"
        "                   Any sample (default 0), whether or not it is in the step's minibatch.\n"
        "\n"
        "W, b, z, a and delta are the engine's, in the run's precision. Products w a and their sum, delta a, delta w "
        "and\n"
        "(delta^{l+1})^T w^{l+1}_.j are made from them in double.\n"
        "\n"
        "With --out the picture is drawn, and FILE.gp, which draws it again by gnuplot, and FILE.tsv with every number "
        "are left\n"
        "beside it. Without, the numbers are printed. key=value changes the experiment, so that data can be found "
        "elsewhere.",
    .options = {{"unit", "L:J", "unit J of layer L"},
                {"sample", "I", "row I of the training set"},
                {"step", "S", "the step that S steps were done before"},
                {"rule", "NAME", "the capture's rule to take the numbers from; else any that has them"},
                {"final", NULL, "the trained weights of RUN/model.h5 instead of a captured step"},
                {"inputs", "N",
                 "draw the N inputs with the largest |delta a|, the others as one; default 8, at most 64"},
                {"out", "FILE", "the picture: its ending is .svg, .png or .pdf"},
                {"format", "FORMAT",
                 "text (the default) or tsv: printed; svg, png or pdf of a run: RUN/plots/circuit-L-J.FORMAT"}},
    .least = 1,
    .most = 1,
    .what = "a run folder or an experiment file",
    .overrides = true,
    .run = run_circuit,
};
