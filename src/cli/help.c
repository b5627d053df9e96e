/* deltoid help: everything here is made from tables, so that it can't fall behind the program. */
#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "cli/command.h"
#include "cli/emit.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "deltoid/tables.h"
#include "deltoid/version.h"
#include "plot/plot.h"
#include "train/keys.h"

static void print_experiment(void);
static void print_quantities(void);
static void print_parallel(void);
static void print_plots(void);

/* What deltoid help explains beside commands: one of the library's tables, or a page of its own. */
static const struct topic {
    const char *name, *summary;
    void (*print)(void); /* NULL: `table` */
    dt_table table;
} topics[] = {
    {"experiment", "every key of an experiment file", print_experiment, DT_TABLES},
    {"activations", "activation functions", NULL, DT_ACTIVATIONS},
    {"losses", "costs", NULL, DT_LOSSES},
    {"initializers", "how first weights are drawn", NULL, DT_INITIALIZERS},
    {"optimizers", "how a step changes the weights", NULL, DT_OPTIMIZERS},
    {"schedules", "how the learning rate changes", NULL, DT_SCHEDULES},
    {"parallel", "how a step is shared out among workers", print_parallel, DT_TABLES},
    {"reductions", "how the workers' gradients are added", NULL, DT_REDUCTIONS},
    {"formats", "data formats", NULL, DT_FORMATS},
    {"metrics", "by what an epoch is better than another", NULL, DT_METRICS},
    {"quantities", "what can be captured", print_quantities, DT_TABLES},
    {"plots", "kinds of pictures", print_plots, DT_TABLES},
};

enum { TOPICS = sizeof topics / sizeof *topics };

static void print_table(dt_table table)
{
    const dt_entry *entry;
    int names = 0, formulas = 0;
    for (size_t i = 0; (entry = dt_table_at(table, i)); i++) {
        int n = (int)strlen(entry->name), f = (int)strlen(entry->formula);
        names = n > names ? n : names;
        formulas = f > formulas ? f : formulas;
    }
    for (size_t i = 0; (entry = dt_table_at(table, i)); i++)
        if (*entry->note)
            printf("  %-*s  %-*s  %s\n", names, entry->name, formulas, entry->formula, entry->note);
        else
            printf("  %-*s  %s\n", names, entry->name, entry->formula);
}

static void print_key(const dt_key *key)
{
    char accepts[320];
    dt_key_accepts(key, accepts, sizeof accepts);
    printf("\n%s\n    %s\n    %s; ", key->pattern, key->help, accepts);
    dt_text text = {0};
    dt_help_default(&text, key);
    printf("%s\n", text.bytes ? text.bytes : "");
    dt_text_clear(&text);
}

static void print_parallel(void)
{
    const dt_key *key;
    printf(
        "A minibatch is cut into shards, by its size alone. Workers (threads) are divided into groups; a group has a "
        "run of\n"
        "shards, and its workers split the units of every layer. As many groups as workers is data parallelism, one "
        "group\n"
        "tensor parallelism, which has a use for more threads than shards; between them lie hybrids. Then the groups' "
        "gradients\n"
        "are added (reduction). None of it changes a bit of the weights, but for the reductions that are labelled not\n"
        "reproducible.\n"
        "\n"
        "reduction: auto picks reduction and groups by a model of a step's time: operations, bytes that move between "
        "workers,\n"
        "own buffers, barriers; from sizes, batch_size and threads alone. deltoid train --dry-run, a run's first line "
        "and\n"
        "provenance.json say what it found.\n");
    for (size_t i = 0; (key = dt_key_at(i)); i++)
        if (strncmp(key->pattern, "parallel.", strlen("parallel.")) == 0)
            print_key(key);
    printf("\nreductions:\n");
    print_table(DT_REDUCTIONS);
}

static void print_quantities(void)
{
    static const char *const meaning[DT_QUANTITIES] = {
        [DT_QUANTITY_W] = "weights before the step's update                (unit, input)",
        [DT_QUANTITY_B] = "biases before the step's update                 (unit)",
        [DT_QUANTITY_Z] = "W a + b of the layer below                      (sample, unit)",
        [DT_QUANTITY_A] = "activation of z; of layer 0, the inputs         (sample, unit)",
        [DT_QUANTITY_DELTA] = "dC/dz of the sample's own cost                  (sample, unit)",
        [DT_QUANTITY_DW] = "gradient of the minibatch's mean cost           (unit, input)",
        [DT_QUANTITY_DB] = "gradient of the minibatch's mean cost           (unit)",
    };
    static const char *const extra[DT_EXTRAS] = {
        [DT_EXTRA_COST] = "cost of each sample                             (sample)",
        [DT_EXTRA_DW_NORM] = "norm of each sample's own gradient, by layer    (sample)",
        [DT_EXTRA_DB_NORM] = "the same of the biases                          (sample)",
        [DT_EXTRA_GRADIENT_NORM] = "the same of all parameters                      (sample)",
        [DT_EXTRA_DW_PARTIAL] = "each worker's sum before the reduction          (worker, unit, input)",
        [DT_EXTRA_DB_PARTIAL] = "the same of the biases                          (worker, unit)",
        [DT_EXTRA_STATE] = "the optimizer's arrays, before the update       (unit, input), (unit)",
        [DT_EXTRA_NOISE_SCALE] = "gradient noise scale from samples (arXiv 1812.06162), and its parts",
        [DT_EXTRA_NOISE_SCALE_SHARDS] = "the same from the minibatch's shards",
    };
    static const char *const statistic[DT_STATISTICS] = {
        [DT_STATISTIC_MEAN] = "mean",
        [DT_STATISTIC_STD] = "standard deviation, of all these numbers (divided by n)",
        [DT_STATISTIC_MIN] = "the smallest",
        [DT_STATISTIC_MAX] = "the largest",
        [DT_STATISTIC_ABSMAX] = "the largest magnitude",
        [DT_STATISTIC_ZEROS] = "share of zeros",
        [DT_STATISTIC_NORM] = "Euclidean norm",
        [DT_STATISTIC_HISTOGRAM] = "counts in bins of equal width",
        [DT_STATISTIC_LOG_HISTOGRAM] = "counts of magnitudes in powers of two, and of zeros",
        [DT_STATISTIC_COSINE] = "with the gradient that the rule captured before; of dW and db",
        [DT_STATISTIC_UPDATE_RATIO] = "|after - before| / |before| of the step's update; of W and b",
    };
    static const char *const words[] = {
#define WORD(id, word) [id] = word,
        DT_STATISTIC_LIST(WORD)
#undef WORD
    };
    const dt_capture_item *item;
    for (size_t i = 0; (item = dt_capture_item_at(i)) && item->kind != DT_ITEM_STATISTIC; i++)
        printf("  %-24s %s\n", item->name,
               item->kind == DT_ITEM_QUANTITY ? meaning[item->quantity] : extra[item->extra]);
    printf("\nStatistics of a layer, named QUANTITY_STATISTIC (z_mean), over all the minibatch's samples and all "
           "units, or "
           "with a\nlist of rows over those; per unit QUANTITY_STATISTIC_per_unit (not of b, db). `statistics`: all of "
           "a layer's.\n\n");
    for (size_t i = 0; i < DT_STATISTICS; i++)
        printf("  %-24s %s\n", words[i], statistic[i]);
}

static void print_plots(void)
{
    const dt_plot_kind *kind;
    for (size_t i = 0; (kind = dt_plot_kind_at(i)); i++)
        printf("  %-12s %s\n", kind->name, kind->summary);
    printf("\nOf scaling studies (deltoid scale):\n");
    for (size_t i = 0; (kind = dt_plot_study_kind_at(i)); i++)
        printf("  %-12s %s\n", kind->name, kind->summary);
}

void dt_help_default(dt_text *text, const dt_key *key)
{
    union {
        dt_experiment experiment;
        dt_layer_spec layer;
        dt_capture_rule rule;
    } defaults;
    if (key->required || key->required_in) {
        dt_text_add(text, "%s", key->required ? "required" : "required in its section");
    } else if (key->kind == DT_KEY_NAME || key->kind == DT_KEY_TEXT || key->kind == DT_KEY_STEPS ||
               key->kind == DT_KEY_INTEGERS) {
        dt_text_add(text, "default: %s", key->text);
    } else if (key->kind == DT_KEY_FILE) {
        dt_text_add(text, "default: none");
    } else {
        dt_key_defaults(key->of, &defaults);
        dt_text_add(text, "default: ");
        dt_emit_value(text, key, &defaults);
    }
    double number;
    const char *name;
    for (size_t i = 0; (name = dt_key_named_default(key, i, &number)); i++)
        dt_text_add(text, "%s%s %.15g", i ? ", " : "; ", name, number);
    char only[320];
    dt_key_only(key, only, sizeof only);
    if (*only)
        dt_text_add(text, "; with %s: %s alone", strncmp(key->pattern, "data.", 5) == 0 ? "format" : "name", only);
}

const char dt_help_example[] = "  name: first\n"
                               "  data:\n"
                               "    format: idx\n"
                               "    train: {inputs: train-images-idx3-ubyte.gz, labels: train-labels-idx1-ubyte.gz}\n"
                               "    test: {inputs: t10k-images-idx3-ubyte.gz, labels: t10k-labels-idx1-ubyte.gz}\n"
                               "    scale: 0.00392156862745098\n"
                               "  network:\n"
                               "    - {units: 128, activation: relu, init: he_normal}\n"
                               "    - {units: 10}\n"
                               "  loss: cross_entropy\n"
                               "  optimizer: {learning_rate: 0.1, momentum: 0.9}\n"
                               "  capture:\n"
                               "    probe: {quantities: [a, delta], every: 100, samples: 64}\n";

static void print_experiment(void)
{
    const dt_key *key;
    printf("An experiment file is YAML: sections, keys and lists. In the keys below # is a place in a list, from 0 as "
           "key=value\n"
           "counts them, and * a name of your choice. A name that other keys lie under is written as a word, or as a "
           "section\n"
           "with the name in it: loss: huber, or loss: {name: huber, delta: 2}.\n");
    for (size_t i = 0; (key = dt_key_at(i)); i++)
        print_key(key);
    printf("\nExample:\n\n%s", dt_help_example);
}

const char *dt_help_status(size_t i, const char **meaning)
{
    static const char *const statuses[][2] = {
        {"0", "done"},
        {"1", "done, and the answer is no: a check failed, training diverged"},
        {"2", "bad command line, experiment or data"},
        {"3", "the system failed: input or output, memory, disk full"},
        {"130", "stopped by SIGINT, 143 by SIGTERM, after the model was written"},
    };
    if (i >= sizeof statuses / sizeof *statuses)
        return NULL;
    *meaning = statuses[i][1];
    return statuses[i][0];
}

const char *dt_help_topic(size_t i, const char **summary)
{
    if (i >= TOPICS)
        return NULL;
    *summary = topics[i].summary;
    return topics[i].name;
}

static void print_overview(void)
{
    const dt_command *command;
    printf("deltoid %s: parallel backpropagation with reproducible bits and a record of every layer\n\nusage:\n",
           dt_version());
    for (size_t i = 0; (command = dt_command_at(i)); i++)
        printf("  deltoid %-7s %s\n", command->name, command->usage);
    printf("\ncommands:\n");
    for (size_t i = 0; (command = dt_command_at(i)); i++)
        printf("  %-13s %s\n", command->name, command->summary);
    printf("\ndeltoid help TOPIC:\n");
    for (size_t i = 0; i < TOPICS; i++)
        printf("  %-13s %s\n", topics[i].name, topics[i].summary);
    const char *status, *meaning;
    printf("\nexit status:\n");
    for (size_t i = 0; (status = dt_help_status(i, &meaning)); i++)
        printf("  %-4s %s\n", status, meaning);
}

void dt_help_command(const dt_command *command)
{
    printf("usage: deltoid %s %s\n\n%s\n", command->name, command->usage, command->details);
    if (command->options[0].name)
        printf("\noptions:\n");
    for (size_t i = 0; i < DT_OPTIONS_MAX && command->options[i].name; i++) {
        char option[48];
        snprintf(option, sizeof option, "--%s%s%s", command->options[i].name, command->options[i].value ? " " : "",
                 command->options[i].value ? command->options[i].value : "");
        printf("  %-15s %s\n", option, command->options[i].help);
    }
    if (command == &dt_command_plot) {
        printf("\nkinds:\n");
        print_plots();
    }
}

/* Commands, then topics. */
static const char *subject_at(const void *context, size_t i)
{
    size_t commands = 0;
    (void)context;
    while (dt_command_at(commands))
        commands++;
    if (i < commands)
        return dt_command_at(i)->name;
    return i - commands < TOPICS ? topics[i - commands].name : NULL;
}

static dt_status print_subject(const char *name, dt_error *error)
{
    const dt_command *command;
    for (size_t i = 0; (command = dt_command_at(i)); i++)
        if (strcmp(command->name, name) == 0) {
            dt_help_command(command);
            return DT_OK;
        }
    for (size_t i = 0; i < TOPICS; i++)
        if (strcmp(topics[i].name, name) == 0) {
            if (topics[i].print)
                topics[i].print();
            else
                print_table(topics[i].table);
            return DT_OK;
        }
    return dt_fail_unknown(error, "subject", name, subject_at, NULL);
}

static dt_status run_help(const dt_arguments *arguments, dt_error *error)
{
    const char *folder = dt_argument(arguments, "manual");
    dt_status status = DT_OK;
    if (folder && arguments->positional_count)
        return dt_fail(error, DT_INVALID, "--manual writes the pages of all commands; give no command with it");
    if (folder)
        status = dt_manual_write(folder, error);
    else if (arguments->positional_count)
        status = print_subject(arguments->positional[0], error);
    else
        print_overview();
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

const dt_command dt_command_help = {
    .name = "help",
    .usage = "[COMMAND|TOPIC] [--manual DIR]",
    .summary = "this page, or one on a command or topic",
    .details = "Explains the program, one of its commands, or a topic (deltoid help lists them).",
    .options = {{"manual", "DIR", "write manual pages and the completion of bash, zsh and fish into a folder"}},
    .least = 0,
    .most = 1,
    .what = "a command or topic",
    .run = run_help,
};
