#include "cli/data_command.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "cli/paths.h"
#include "cli/text.h"
#include "data/detect.h"

/* --- the file, by an experiment of its own --- */

static void add_source(dt_text *text, const dt_data_file *file)
{
    const bool table = strcmp(file->format, "csv") == 0 || strcmp(file->format, "libsvm") == 0;
    dt_text_add(text, "data:\n  format: %s\n", file->format);
    if (strcmp(file->format, "csv") == 0)
        dt_text_add(text, "  missing: mean\n");
    dt_text_add(text, "  train:\n    %s: ", table ? "file" : "inputs");
    dt_text_add_yaml(text, file->path);
    if (!table) {
        dt_text_add(text, "\n    labels: ");
        dt_text_add_yaml(text, file->labels ? file->labels : file->path);
    }
    dt_text_add(text, "\nnetwork: [{units: 1}]\nloss: cross_entropy\n");
}

static dt_status read_keys(dt_data_file *file, const dt_arguments *arguments, dt_error *error)
{
    dt_text text = {0};
    dt_arena arena = {0};
    const char *here = "/";
    dt_status status = dt_path_here(&arena, &here, error);
    add_source(&text, file);
    if (status == DT_OK && text.failed)
        status = dt_fail_memory(error, file->path);
    if (status == DT_OK)
        status = dt_config_parse(&file->config, text.bytes, text.length, file->path, here, arguments->overrides,
                                 arguments->override_count, error);
    dt_text_clear(&text);
    dt_arena_clear(&arena);
    return status;
}

static dt_status name_inputs(dt_data_file *file, dt_error *error)
{
    const dt_dataset *d = file->dataset;
    dt_status status = DT_OK;
    size_t k = 0;
    if (d->transform && d->transform->columns)
        status = dt_columns_parse(&file->columns, d->transform->columns, file->path, error);
    if (status != DT_OK)
        return status;
    dt_arena *arena = &file->columns.arena;
    file->names = dt_arena_allocate(arena, (size_t)d->features, sizeof *file->names);
    bool good = file->names != NULL;
    for (size_t c = 0; good && c < file->columns.count; c++) {
        const dt_column *column = &file->columns.column[c];
        if (column->kind == DT_COLUMN_NUMBER)
            file->names[k++] = column->name;
        for (size_t i = 0; good && column->kind == DT_COLUMN_WORDS && i < column->word_count; i++) {
            const size_t size = strlen(column->name) + strlen(column->words[i]) + 2;
            char *name = dt_arena_allocate(arena, size, 1);
            good = name != NULL;
            if (good)
                snprintf(name, size, "%s=%s", column->name, column->words[i]);
            file->names[k++] = name;
        }
    }
    for (; good && k < (size_t)d->features; k++) {
        char name[32];
        snprintf(name, sizeof name, "x%zu", k);
        good = (file->names[k] = dt_arena_duplicate(arena, name)) != NULL;
    }
    return good ? DT_OK : dt_fail_memory(error, file->path);
}

/* Two-file formats may come without their labels. */
static dt_status open_file(dt_data_file *file, const dt_arguments *arguments, dt_error *error)
{
    file->format = dt_argument(arguments, "format");
    dt_status status = file->format ? DT_OK : dt_data_detect(&file->format, file->path, error);
    if (status == DT_OK && !dt_format_find(file->format, error))
        status = DT_UNKNOWN_NAME;
    if (status == DT_OK)
        status = read_keys(file, arguments, error);
    if (status != DT_OK)
        return status;
    dt_data_spec *data = &file->config.experiment.data;
    if (!data->train.file && !file->labels)
        status = dt_dataset_open_new(&file->dataset, data, &(dt_source){.inputs = data->train.inputs}, NULL, error);
    else
        status = dt_dataset_open_part(&file->dataset, data, DT_TRAIN, file->config.experiment.seed, NULL, error);
    return status == DT_OK ? name_inputs(file, error) : status;
}

/* --- the command --- */

static const struct {
    const char *name;
    size_t arguments;
    dt_status (*run)(const dt_data_file *file, const dt_arguments *arguments, dt_error *error);
} actions[] = {{"info", 2, dt_data_info}, {"convert", 3, dt_data_convert}};

enum { ACTIONS = sizeof actions / sizeof *actions };

static const char *action_at(const void *context, size_t i)
{
    (void)context;
    return i < ACTIONS ? actions[i].name : NULL;
}

static dt_status run_data(const dt_arguments *arguments, dt_error *error)
{
    size_t a = 0;
    while (a < ACTIONS && strcmp(actions[a].name, arguments->positional[0]) != 0)
        a++;
    if (a == ACTIONS)
        return dt_fail_unknown(error, "action of deltoid data", arguments->positional[0], action_at, NULL);
    if (arguments->positional_count != actions[a].arguments)
        return dt_fail(error, DT_INVALID, "deltoid data %s takes %s; see deltoid help data", actions[a].name,
                       actions[a].arguments == 2 ? "one file" : "a file and the name of a new one");
    dt_data_file file = {.path = arguments->positional[1], .labels = dt_argument(arguments, "labels")};
    dt_status status = open_file(&file, arguments, error);
    if (status == DT_OK)
        status = actions[a].run(&file, arguments, error);
    dt_dataset_destroy(file.dataset);
    dt_columns_clear(&file.columns);
    dt_config_clear(&file.config);
    return status;
}

const dt_command dt_command_data = {
    .name = "data",
    .usage = "info FILE | convert FILE NEW [key=value ...] [options]",
    .summary = "what a file of data holds; the same in another format",
    .details =
        "info prints the format, rows, inputs and classes of a file, and of each input its least, largest and mean "
        "value.\n"
        "convert writes the data to a new file, never over one that is there. Its format is that of its ending: .csv, "
        ".svm, .h5\n"
        "(/inputs and /labels), .npy or .idx with labels in a second file (NEW-labels.npy); --to names it otherwise. "
        "What can't\n"
        "be told in the new format without loss is refused.\n"
        "\n"
        "FILE is of any format, FILE:/NAME where it holds several arrays. key=value are keys of an experiment's data: "
        "data.label=species\n"
        "data.targets=regression (deltoid help experiment).",
    .options = {{"labels", "FILE", "where FILE holds inputs alone: their labels, FILE or FILE:/NAME"},
                {"format", "NAME", "of FILE; default: what its first bytes say"},
                {"to", "NAME", "of NEW"},
                {"json", NULL, "info: print one JSON object"}},
    .least = 2,
    .most = 3,
    .what = "info or convert, and a file",
    .overrides = true,
    .run = run_data,
};
