/* deltoid capture: finds the action and checks that it takes the options that were given. */
#include "cli/capture.h"

#include <string.h>

#include "base/names.h"
#include "record/capture_copy.h"

static dt_status run_repack(const dt_arguments *arguments, dt_error *error);

static const struct action {
    const char *name, *usage;
    const char *options; /* it takes, between spaces */
    size_t arguments;    /* after the name */
    dt_status (*run)(const dt_arguments *arguments, dt_error *error);
} actions[] = {
    {"info", "RUN|FILE [--json]", " json ", 1, dt_capture_info},
    {"recover", "RUN [--out FILE]", " out ", 1, dt_capture_run_recover},
    {"repack", "RUN|FILE --out FILE [--for step|unit] [--compression none|gzip]", " out for compression ", 1,
     run_repack},
    {"grad", "RUN|FILE --sample I --step S --layer L [--rule NAME] [--out FILE]", " sample step layer rule out ", 1,
     dt_capture_grad},
    {"csv", "RUN|FILE DATASET [--out FILE] [--steps A:B] [--samples LIST] [--units LIST] [--long] [--tsv]",
     " out steps samples units long tsv ", 2, dt_capture_csv},
};

enum { ACTIONS = sizeof actions / sizeof *actions };

static const char *action_at(const void *context, size_t i)
{
    (void)context;
    return i < ACTIONS ? actions[i].name : NULL;
}

static dt_status check_options(const dt_arguments *arguments, const struct action *action, dt_error *error)
{
    for (size_t i = 0; i < DT_OPTIONS_MAX && arguments->command->options[i].name; i++) {
        char name[32];
        snprintf(name, sizeof name, " %s ", arguments->command->options[i].name);
        if (arguments->values[i] && !strstr(action->options, name))
            return dt_fail(error, DT_UNKNOWN_NAME,
                           "deltoid capture %s takes no option --%s; usage: deltoid capture %s %s", action->name,
                           arguments->command->options[i].name, action->name, action->usage);
    }
    return DT_OK;
}

static dt_status run_capture(const dt_arguments *arguments, dt_error *error)
{
    const struct action *action = NULL;
    for (size_t i = 0; i < ACTIONS; i++)
        if (strcmp(actions[i].name, arguments->positional[0]) == 0)
            action = &actions[i];
    if (!action)
        return dt_fail_unknown(error, "action of deltoid capture", arguments->positional[0], action_at, NULL);
    if (arguments->positional_count != 1 + action->arguments)
        return dt_fail(error, DT_INVALID, "deltoid capture %s takes %s; usage: deltoid capture %s %s", action->name,
                       action->arguments == 1 ? "a run or a file" : "a run or a file, and a data set", action->name,
                       action->usage);
    dt_status status = check_options(arguments, action, error);
    return status == DT_OK ? action->run(arguments, error) : status;
}

/* --- repack --- */

/* One of `words` (separated by NUL, ended by an empty one); -1: not given. */
static dt_status choose(const dt_arguments *arguments, const char *option, const char *words, int *choice,
                        dt_error *error)
{
    const char *value = dt_argument(arguments, option), *second = words + strlen(words) + 1;
    *choice = !value ? -1 : strcmp(value, words) == 0 ? 0 : strcmp(value, second) == 0 ? 1 : -2;
    return *choice > -2
               ? DT_OK
               : dt_fail(error, DT_INVALID, "option --%s: '%.60s' is neither %s nor %s", option, value, words, second);
}

static dt_status run_repack(const dt_arguments *arguments, dt_error *error)
{
    const char *out = dt_argument(arguments, "out");
    dt_capture_reader *reader;
    int chunks, compression;
    dt_status status = choose(arguments, "for", "step\0unit", &chunks, error);
    if (status == DT_OK)
        status = choose(arguments, "compression", "none\0gzip", &compression, error);
    if (status == DT_OK && !out)
        status = dt_fail(error, DT_INVALID, "deltoid capture repack needs --out FILE");
    if (status == DT_OK)
        status = dt_capture_reader_open(&reader, arguments->positional[1], DT_CAPTURE_WHOLE, error);
    if (status != DT_OK)
        return status;
    status = dt_capture_copy(reader, out,
                             &(dt_copy_options){.chunks = chunks < 0    ? DT_CHUNKS_BOTH
                                                          : chunks == 0 ? DT_CHUNKS_STEP
                                                                        : DT_CHUNKS_UNIT,
                                                .filters_kept = compression < 0,
                                                .gzip = compression == 1},
                             error);
    dt_capture_reader_close(reader);
    return status;
}

const dt_command dt_command_capture = {
    .name = "capture",
    .usage = "info|recover|repack|grad|csv RUN ...",
    .summary = "what a run captured: listed, rescued after a crash, repacked, as tables",
    .details =
        "  info RUN|FILE [--json]\n"
        "      Rules, captured steps and those that are missing, data sets with their shapes, files and their state. "
        "Exit\n"
        "      status 1 where something is damaged.\n"
        "  recover RUN [--out FILE]\n"
        "      After a kill or a crash: makes a finished segment of what the one in the making holds, and the index "
        "anew. What\n"
        "      is damaged is named, left out and kept; exit status 1 where something is lost. With --out the run "
        "stays as it\n"
        "      is, and all that can be read goes to one plain file. Not while the run is being trained.\n"
        "  repack RUN|FILE --out FILE [--for step|unit] [--compression none|gzip]\n"
        "      One plain file, to share: the same values and attributes, compared after writing. --for step: one step "
        "is read\n"
        "      fast; --for unit: one unit's history; without, neither is slow.\n"
        "  grad RUN|FILE --sample I --step S --layer L [--rule NAME] [--out FILE.tsv|FILE.h5]\n"
        "      That sample's own gradient dC_i/dw^l_jk = delta^l_j a^{l-1}_k, a row a unit, and dC_i/db^l_j = "
        "delta^l_j.\n"
        "      Needs delta of layer L and a of layer L-1 of that step. Their mean over a minibatch is dW.\n"
        "  csv RUN|FILE DATASET [--steps A:B] [--samples LIST] [--units LIST] [--long] [--tsv] [--out FILE]\n"
        "      A data set (probe/layer01/z) as a table with a header: a row a step, or a step and sample, with units "
        "across,\n"
        "      or with --long a row a number. Numbers read back to the same bits (%.9g, %.17g), NaN is nan. Samples "
        "that a\n"
        "      short minibatch does not have are left out.",
    .options = {{"json", NULL, "info: one JSON object"},
                {"out", "FILE", "the file to write; csv and grad print without it"},
                {"for", "USE", "repack: step or unit"},
                {"compression", "KIND", "repack: none or gzip; without it as it is"},
                {"sample", "I", "grad: row I of the training set"},
                {"step", "S", "grad: the step that S steps were done before"},
                {"layer", "L", "grad: layers count from 1"},
                {"rule", "NAME", "grad: the rule to take delta and a from; else any that has them"},
                {"steps", "A:B", "csv: steps A to B, both included; or a list: 0,100,2000:"},
                {"samples", "LIST", "csv: rows of the training set: 3,17 or 0:9"},
                {"units", "LIST", "csv: units, from 0"},
                {"long", NULL, "csv: a row a number"},
                {"tsv", NULL, "csv: tabs between columns instead of commas"}},
    .least = 2,
    .most = 3,
    .what = "an action and a run",
    .run = run_capture,
};
