/* FANN as a tool that run.sh measures (tool.h has the protocol): its incremental training, one sample after another.
 *
 * FANN has neither ReLU nor softmax. For relu it gets its symmetric sigmoid (tanh) with sigmoid outputs and the squared
 * error; the work for each sample is the same. Its initial weights are normal, of variance 1/inputs.
 */
#include <floatfann.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

typedef struct rival {
    tool_arguments arguments;
    struct fann *network;
    dt_dataset *train, *test;
    fann_type *inputs, *wanted; /* (rows of train, features), scaled; (classes, classes), 1 on the diagonal */
    int64_t *order, at;         /* (rows of train), shuffled anew each epoch */
    uint64_t random;
} rival;

/* xorshift64*: enough to shuffle with. */
static uint64_t draw(rival *r)
{
    r->random ^= r->random >> 12;
    r->random ^= r->random << 25;
    r->random ^= r->random >> 27;
    return r->random * 2685821657736338717u;
}

static double draw_normal(rival *r)
{
    const double u = ((double)(draw(r) >> 11) + 0.5) * 0x1p-53, v = (double)(draw(r) >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static dt_status create(rival *r, dt_error *error)
{
    unsigned units[TOOL_LAYERS_MAX + 1];
    const int64_t L = r->arguments.layers;
    for (int64_t l = 0; l <= L; l++)
        units[l] = (unsigned)r->arguments.units[l];
    if (r->network)
        fann_destroy(r->network);
    if (!(r->network = fann_create_standard_array((unsigned)L + 1, units)))
        return dt_fail(error, DT_NO_MEMORY, "out of memory for FANN's network");
    fann_set_training_algorithm(r->network, FANN_TRAIN_INCREMENTAL);
    fann_set_train_error_function(r->network, FANN_ERRORFUNC_LINEAR);
    fann_set_learning_rate(r->network, (float)r->arguments.learning_rate);
    fann_set_learning_momentum(r->network, 0);
    fann_set_activation_function_hidden(
        r->network, strcmp(r->arguments.activation, "sigmoid") == 0 ? FANN_SIGMOID : FANN_SIGMOID_SYMMETRIC);
    fann_set_activation_function_output(r->network, FANN_SIGMOID);
    const unsigned count = fann_get_total_connections(r->network);
    struct fann_connection *connection = calloc(count, sizeof *connection);
    if (!connection)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for FANN's connections");
    fann_get_connection_array(r->network, connection); /* in the order of the weights; setting by it is quadratic */
    unsigned first = 0, l = 1, into = units[0] + 1;    /* neurons are numbered layer by layer, a bias last in each */
    for (unsigned i = 0; i < count; i++) {
        while (connection[i].to_neuron >= into + units[l] + 1) {
            first = into;
            into += units[l++] + 1;
        }
        const bool bias = connection[i].from_neuron == first + units[l - 1];
        r->network->weights[i] = bias ? 0 : (fann_type)(draw_normal(r) / sqrt(units[l - 1]));
    }
    free(connection);
    return DT_OK;
}

static int64_t next_sample(rival *r)
{
    const int64_t rows = r->train->rows;
    if (r->at == rows) {
        for (int64_t i = rows - 1; i > 0; i--) {
            const int64_t j = (int64_t)(draw(r) % (uint64_t)(i + 1)), row = r->order[i];
            r->order[i] = r->order[j];
            r->order[j] = row;
        }
        r->at = 0;
    }
    return r->order[r->at++];
}

static void learn(rival *r, int64_t samples)
{
    const int64_t features = r->train->features, classes = r->arguments.units[r->arguments.layers];
    for (int64_t n = 0; n < samples; n++) {
        const int64_t i = next_sample(r);
        fann_train(r->network, r->inputs + i * features, r->wanted + r->train->labels[i] * classes);
    }
}

static dt_status train(void *self, double minibatches, int64_t *samples, dt_error *error)
{
    rival *r = self;
    (void)error;
    *samples = llround(ceil(minibatches * (double)r->arguments.batch_size));
    learn(r, *samples);
    return DT_OK;
}

static dt_status accuracy(void *self, int64_t epochs, double *value, dt_error *error)
{
    rival *r = self;
    const int64_t classes = r->arguments.units[r->arguments.layers], features = r->test->features;
    const dt_status status = create(r, error);
    if (status != DT_OK)
        return status;
    learn(r, epochs * r->train->rows);
    fann_type *x = malloc((size_t)features * sizeof *x);
    if (!x)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for a sample");
    int64_t right = 0;
    for (int64_t i = 0; i < r->test->rows; i++) {
        for (int64_t k = 0; k < features; k++)
            x[k] = ((const uint8_t *)r->test->inputs)[i * features + k] * (fann_type)(1.0 / 255);
        const fann_type *a = fann_run(r->network, x);
        int64_t best = 0;
        for (int64_t j = 1; j < classes; j++)
            if (a[j] > a[best])
                best = j;
        right += best == r->test->labels[i];
    }
    free(x);
    *value = (double)right / (double)r->test->rows;
    return DT_OK;
}

static dt_status prepare(rival *r, dt_error *error)
{
    dt_status status = tool_open(&r->train, &r->arguments, "train", error);
    if (status == DT_OK)
        status = tool_open(&r->test, &r->arguments, "t10k", error);
    if (status != DT_OK)
        return status;
    const int64_t rows = r->train->rows, features = r->train->features;
    const int64_t classes = r->arguments.units[r->arguments.layers];
    if (r->train->element != DT_U8 || r->test->element != DT_U8 || r->train->classes > classes)
        return dt_fail(error, DT_INVALID, "FANN's program wants inputs of bytes, and a unit for each class");
    r->inputs = malloc((size_t)(rows * features) * sizeof *r->inputs);
    r->wanted = calloc((size_t)(classes * classes), sizeof *r->wanted);
    r->order = malloc((size_t)rows * sizeof *r->order);
    if (!r->inputs || !r->wanted || !r->order)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for the data");
    for (int64_t i = 0; i < rows * features; i++)
        r->inputs[i] = ((const uint8_t *)r->train->inputs)[i] * (fann_type)(1.0 / 255);
    for (int64_t j = 0; j < classes; j++)
        r->wanted[j * classes + j] = 1;
    for (int64_t i = 0; i < rows; i++)
        r->order[i] = i;
    r->at = rows;
    return create(r, error);
}

int main(int count, char **words)
{
    rival r = {.random = 88172645463325252u};
    if (!tool_parse(&r.arguments, count, words))
        return 2;
    r.random += r.arguments.seed;
    dt_error error = {.status = DT_OK};
    const dt_status status = prepare(&r, &error);
    int result = dt_status_exit(status);
    if (status == DT_OK) {
        printf("ready version=" RIVAL_VERSION " workers=1 online=1\n");
        result = tool_serve(&(tool_work){&r, train, accuracy});
    } else {
        fprintf(stderr, "%s: %s\n", words[0], error.message);
        printf("error %s\n", error.message);
    }
    if (r.network)
        fann_destroy(r.network);
    free(r.inputs);
    free(r.wanted);
    free(r.order);
    dt_dataset_destroy(r.train);
    dt_dataset_destroy(r.test);
    return result;
}
