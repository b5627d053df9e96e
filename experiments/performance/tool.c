#include "tool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- arguments --- */

static bool parse_int(const char *text, int64_t low, int64_t *value)
{
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    *value = number;
    return errno == 0 && end != text && !*end && number >= low;
}

static bool parse_real(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && *value > 0;
}

/* Numbers between commas: the inputs, then the units of each layer. */
static bool parse_units(const char *text, tool_arguments *a)
{
    char copy[1024];
    if (strlen(text) >= sizeof copy)
        return false;
    memcpy(copy, text, strlen(text) + 1);
    a->layers = -1;
    char *rest = copy;
    for (char *word; (word = strtok_r(rest, ",", &rest));)
        if (a->layers == TOOL_LAYERS_MAX || !parse_int(word, 1, &a->units[++a->layers]))
            return false;
    return a->layers >= 1;
}

static bool parse_option(tool_arguments *a, const char *name, const char *value)
{
    int64_t seed;
    if (strcmp(name, "--data") == 0)
        a->data = value;
    else if (strcmp(name, "--activation") == 0)
        a->activation = value;
    else if (strcmp(name, "--init") == 0)
        a->init = value;
    else if (strcmp(name, "--reduction") == 0)
        a->reduction = value;
    else if (strcmp(name, "--units") == 0)
        return parse_units(value, a);
    else if (strcmp(name, "--batch") == 0)
        return parse_int(value, 1, &a->batch_size);
    else if (strcmp(name, "--threads") == 0)
        return parse_int(value, 0, &a->threads);
    else if (strcmp(name, "--shard-size") == 0)
        return parse_int(value, 0, &a->shard_size);
    else if (strcmp(name, "--groups") == 0)
        return parse_int(value, 0, &a->groups);
    else if (strcmp(name, "--rate") == 0)
        return parse_real(value, &a->learning_rate);
    else if (strcmp(name, "--seed") == 0 && parse_int(value, 0, &seed))
        a->seed = (uint64_t)seed;
    else
        return false;
    return true;
}

bool tool_parse(tool_arguments *arguments, int count, char **words)
{
    *arguments = (tool_arguments){
        .data = "/usr/share/datasets/fashion-mnist",
        .activation = "relu",
        .init = "he_normal",
        .learning_rate = 0.1,
        .batch_size = 32,
        .seed = 1,
        .reduction = "tree",
    };
    for (int i = 1; i < count; i += 2)
        if (i + 1 == count || !parse_option(arguments, words[i], words[i + 1])) {
            fprintf(stderr, "%s: '%s %s' is not understood\n", words[0], words[i], i + 1 < count ? words[i + 1] : "");
            return false;
        }
    if (!arguments->layers) {
        fprintf(stderr, "%s: --units is missing, as in --units 784,128,10\n", words[0]);
        return false;
    }
    return true;
}

/* --- data --- */

dt_status tool_open(dt_dataset **dataset, const tool_arguments *arguments, const char *set, dt_error *error)
{
    char inputs[4096], labels[4096];
    const char *ending = ".gz";
    snprintf(inputs, sizeof inputs, "%s/%s-images-idx3-ubyte", arguments->data, set);
    if (access(inputs, R_OK) == 0)
        ending = "";
    snprintf(inputs, sizeof inputs, "%s/%s-images-idx3-ubyte%s", arguments->data, set, ending);
    snprintf(labels, sizeof labels, "%s/%s-labels-idx1-ubyte%s", arguments->data, set, ending);
    const dt_status status = dt_dataset_open(dataset, "idx", &(dt_source){.inputs = inputs, .labels = labels}, error);
    if (status == DT_OK && (*dataset)->features != arguments->units[0])
        return dt_fail(error, DT_INVALID, "%s: has %lld inputs a row, not %lld", inputs,
                       (long long)(*dataset)->features, (long long)arguments->units[0]);
    return status;
}

/* --- protocol --- */

double tool_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static dt_status answer_go(const tool_work *work, const char *argument, dt_error *error)
{
    double minibatches;
    if (!parse_real(argument, &minibatches))
        return dt_fail(error, DT_INVALID, "go wants a number of minibatches");
    int64_t samples = 0;
    const double began = tool_seconds();
    const dt_status status = work->train(work->self, minibatches, &samples, error);
    const double took = tool_seconds() - began;
    if (status == DT_OK)
        printf("done seconds=%.9f samples=%lld\n", took, (long long)samples);
    return status;
}

static dt_status answer_accuracy(const tool_work *work, const char *argument, dt_error *error)
{
    int64_t epochs;
    if (!parse_int(argument, 1, &epochs))
        return dt_fail(error, DT_INVALID, "accuracy wants a number of epochs");
    double accuracy = 0;
    const dt_status status = work->accuracy(work->self, epochs, &accuracy, error);
    if (status == DT_OK)
        printf("accuracy value=%.6f\n", accuracy);
    return status;
}

int tool_serve(const tool_work *work)
{
    char line[256];
    while (fflush(stdout) == 0 && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        char *space = strchr(line, ' ');
        const char *argument = space ? space + 1 : "";
        if (space)
            *space = 0;
        dt_error error = {.status = DT_OK};
        dt_status status = DT_OK;
        if (strcmp(line, "quit") == 0)
            return 0;
        if (strcmp(line, "go") == 0)
            status = answer_go(work, argument, &error);
        else if (strcmp(line, "accuracy") == 0)
            status = answer_accuracy(work, argument, &error);
        else
            status = dt_fail(&error, DT_UNKNOWN_NAME, "'%s' is not understood; there are go, accuracy, quit", line);
        if (status != DT_OK)
            printf("error %s\n", error.message);
    }
    return 0;
}
