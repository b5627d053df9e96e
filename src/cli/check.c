/* deltoid check: is backpropagation right, on this experiment and these data? */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/config.h"
#include "cli/data.h"
#include "cli/format.h"
#include "cli/schema.h"
#include "cli/terminal.h"
#include "deltoid/check.h"

enum { QUANTITY_MAX = 1000000 };

typedef struct table {
    int64_t step; /* of the last row; -1: none */
    int64_t compared, right, kinks;
} table;

static void print_row(void *context, const dt_check_result *r)
{
    table *t = context;
    char compared[DT_FORMAT_SIZE], of[DT_FORMAT_SIZE], count[64];
    if (r->step != t->step) {
        if (r->step == 0)
            printf("before training (step 0)\n");
        else
            printf("\nafter %" PRId64 " steps of training\n", r->step);
        printf("%5s  %-8s  %-18s  %24s  %10s  %7s  %s\n", "layer", "quantity", "against", "elements", "largest",
               "allowed", "where");
    }
    t->step = r->step;
    t->compared++;
    t->right += r->right;
    t->kinks += r->at_kinks;
    snprintf(count, sizeof count, "%s of %s", dt_format_count(r->compared, compared), dt_format_count(r->of, of));
    printf("%5" PRId64 "  %-8s  %-18s  %24s  %10.2e  %7.0e  %s%s\n", r->l, dt_quantity_name(r->quantity),
           dt_check_against_name(r->against), count, r->worst, r->tolerance, r->right ? r->where : "WRONG: ",
           r->right      ? ""
           : r->compared ? r->where
                         : "nothing could be compared");
}

/* A whole number from 1 on, or 0 where the option was not given. */
static dt_status number(const dt_arguments *arguments, const char *option, int64_t *value, dt_error *error)
{
    const char *text = dt_argument(arguments, option);
    *value = 0;
    if (!text)
        return DT_OK;
    char *end;
    const long long n = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n < 1 || n > QUANTITY_MAX)
        return dt_fail(error, DT_INVALID, "--%s: '%.32s' is out of range; give a whole number from 1 to %d", option,
                       text, QUANTITY_MAX);
    *value = n;
    return DT_OK;
}

static bool has_chance(const dt_experiment *experiment)
{
    bool any = experiment->data.noise > 0;
    for (size_t l = 0; l < experiment->layer_count; l++)
        any = any || experiment->network[l].dropout > 0;
    return any;
}

static dt_status check(dt_config *config, const dt_dataset *train, const dt_check_options *options, dt_error *error)
{
    table t = {.step = -1};
    bool right;
    config->experiment.data.validation_fraction = 0;
    config->experiment.capture_count = 0;
    if (has_chance(&config->experiment))
        printf("checked without the experiment's dropout and noise\n\n");
    const dt_status status = dt_check(&config->experiment, train, options, print_row, &t, &right, error);
    if (status != DT_OK) {
        dt_schema_place(error, config->root);
        return status;
    }
    if (t.kinks)
        printf("\n%" PRId64 " weights were left out: the cost has a kink within every step of the differences there.\n",
               t.kinks);
    printf("\n%s: %" PRId64 " of %" PRId64 " comparisons within what rounding allows.\n", right ? "right" : "WRONG",
           t.right, t.compared);
    const dt_status flushed = dt_terminal_flush(error);
    if (flushed != DT_OK || right)
        return flushed;
    return dt_fail(error, DT_ANSWER_NO,
                   "%" PRId64 " of %" PRId64
                   " comparisons are wrong: a value, derivative or sum is not what it should be",
                   t.compared - t.right, t.compared);
}

static dt_status run_check(const dt_arguments *arguments, dt_error *error)
{
    dt_config config = {0};
    dt_dataset *train = NULL;
    dt_check_options options = {0};
    dt_status status = number(arguments, "steps", &options.steps, error);
    if (status == DT_OK)
        status = number(arguments, "samples", &options.samples, error);
    if (status == DT_OK)
        status = number(arguments, "weights", &options.weights, error);
    if (status != DT_OK)
        return status;
    status = dt_config_open(&config, arguments->positional[0], arguments->overrides, arguments->override_count, error);
    if (status == DT_OK)
        status = dt_data_open(&train, &config, DT_TRAIN, NULL, error);
    if (status == DT_OK)
        status = check(&config, train, &options, error);
    dt_dataset_destroy(train);
    dt_config_clear(&config);
    return status;
}

const dt_command dt_command_check = {
    .name = "check",
    .usage = "EXPERIMENT.yaml [key=value ...] [options]",
    .summary = "every gradient against the gate circuit and finite differences",
    .details = "Watches two steps of the experiment's own training, the first and one after some more, and holds what "
               "the engine\n"
               "computed in them against three things that share no code with it:\n"
               "\n"
               "  gate circuit        z, a and delta of some samples; of networks too large for one circuit, those of "
               "some units,\n"
               "                      each with the circuit of its own neighbourhood\n"
               "  plain sum           dW and db: (1/B) sum_i delta_ij a_ik in one loop over the minibatch\n"
               "  finite differences  dW and db of some weights: differences of the minibatch's mean cost, in float64\n"
               "\n"
               "For each layer and quantity it prints how many elements were compared, the largest difference relative "
               "to the\n"
               "quantity's scale, what rounding allows, and where it is. Exit status 1 where one is larger, or where "
               "nothing could\n"
               "be compared. The steps are made without dropout and noise. Nothing is written.",
    .options = {{"steps", "N", "train N steps before the second look; default 10"},
                {"samples", "N", "compare N samples of the minibatch with the circuit; default 8"},
                {"weights", "N", "compare N weights of each layer with finite differences; default 40"}},
    .least = 1,
    .most = 1,
    .what = "an experiment file",
    .overrides = true,
    .run = run_check,
};
