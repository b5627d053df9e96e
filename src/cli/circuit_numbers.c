#include "cli/circuit_numbers.h"

#include <inttypes.h>
#include <string.h>

#include "cli/network.h"
#include "cli/schema.h"
#include "deltoid/record.h"
#include "plot/captured.h"

static dt_status no_memory(dt_error *error)
{
    return dt_fail_memory(error, "a circuit's numbers");
}

/* What both sources know of the network: its size, its functions. */
static dt_status describe(dt_circuit_numbers *c, const dt_config *config, const dt_dataset *train, dt_error *error)
{
    const dt_experiment *e = &config->experiment;
    int64_t *units = dt_arena_allocate(&c->arena, e->layer_count + 1, sizeof *units);
    const char **activation = dt_arena_allocate(&c->arena, e->layer_count + 1, sizeof *activation);
    if (!units || !activation)
        return no_memory(error);
    c->loss_options = &e->loss_options;
    units[0] = train->features;
    for (size_t l = 1; l <= e->layer_count; l++) {
        units[l] = e->network[l - 1].units;
        activation[l] = e->network[l - 1].activation;
    }
    c->network = (dt_network_numbers){
        .layers = (int64_t)e->layer_count, .units = units, .activation = activation, .loss = e->loss};
    return DT_OK;
}

/* --- from a captured step --- */

typedef struct asking {
    dt_circuit_numbers *c;
    dt_captured_piece pieces[DT_CAPTURED_PIECES_MAX];
    size_t count;
    bool failed;
} asking;

/* Rows and columns of a quantity; rows 0: all of it. Returns where they go. */
static double *ask(asking *q, dt_quantity quantity, int64_t l, int64_t row, int64_t rows, int64_t column,
                   int64_t columns)
{
    const int64_t *units = q->c->network.units;
    const int64_t height = quantity == DT_QUANTITY_W ? units[l] : 1;
    const int64_t width = quantity == DT_QUANTITY_W ? units[l - 1] : units[l];
    dt_captured_piece *p = &q->pieces[q->count];
    size_t count;
    *p = (dt_captured_piece){quantity, l, height, width, row, rows, column, columns, NULL};
    if (rows == 0) {
        p->rows = height;
        p->columns = width;
    }
    if (!dt_multiply((size_t)p->rows, (size_t)p->columns, &count) ||
        !(p->to = dt_arena_allocate(&q->c->arena, count, sizeof *p->to)))
        q->failed = true;
    q->count++;
    return p->to;
}

static double *ask_all(asking *q, dt_quantity quantity, int64_t l)
{
    return ask(q, quantity, l, 0, 0, 0, 0);
}

static double *ask_one(asking *q, dt_quantity quantity, int64_t l, int64_t j)
{
    return ask(q, quantity, l, 0, 1, j, 1);
}

/* C of one sample, by the circuit's own definition. */
static dt_status cost_of(const asking *q, const dt_dataset *train, size_t units, const double *z, double *cost,
                         dt_error *error)
{
    const int64_t row = q->c->sample;
    const dt_cost_spec spec = {.name = q->c->network.loss,
                               .options = q->c->loss_options,
                               .y = train->targets ? 0 : (size_t)train->labels[row],
                               .t = train->targets ? train->targets + row * train->outputs : NULL};
    dt_circuit *circuit = NULL;
    dt_gate **gates = dt_allocate(units, sizeof(dt_gate *));
    dt_status status = gates ? dt_circuit_create(&circuit, error) : no_memory(error);
    for (size_t j = 0; j < units && status == DT_OK; j++)
        gates[j] = dt_circuit_input(circuit, z[j]);
    if (status == DT_OK) {
        const dt_gate *gate = dt_circuit_cost_of(circuit, &spec, units, gates);
        status = dt_circuit_forward(circuit, error);
        *cost = dt_circuit_value(gate);
    }
    dt_circuit_destroy(circuit);
    dt_release(gates);
    return status;
}

static dt_status find(asking *q, const dt_circuit_wish *wish, const dt_dataset *train, const char *path,
                      dt_error *error)
{
    dt_captured_place place;
    if (q->failed)
        return no_memory(error);
    const dt_captured_query query = {wish->rule, wish->step, wish->sample, q->pieces, q->count};
    const dt_status status = dt_captured_read(path, &query, &place, error);
    if (status != DT_OK)
        return status;
    if (place.sample >= train->rows)
        return dt_fail(error, DT_INVALID,
                       "%s: has sample %" PRId64 ", the training set rows 0 to %" PRId64
                       "; use the data it was trained on",
                       path, place.sample, train->rows - 1);
    q->c->step = place.step;
    q->c->sample = place.sample;
    return DT_OK;
}

static dt_status capture_network(asking *q, const dt_circuit_wish *wish, const dt_dataset *train, const char *path,
                                 dt_error *error)
{
    dt_network_numbers *n = &q->c->network;
    const int64_t L = n->layers;
    double **lists[5];
    for (int i = 0; i < 5; i++)
        if (!(lists[i] = dt_arena_allocate(&q->c->arena, (size_t)L + 1, sizeof *lists[i])))
            return no_memory(error);
    lists[0][0] = ask_all(q, DT_QUANTITY_A, 0);
    for (int64_t l = 1; l <= L; l++) {
        lists[0][l] = l < L ? ask_all(q, DT_QUANTITY_A, l) : NULL;
        lists[1][l] = ask_all(q, DT_QUANTITY_W, l);
        lists[2][l] = ask_all(q, DT_QUANTITY_B, l);
        lists[3][l] = ask_all(q, DT_QUANTITY_Z, l);
        lists[4][l] = ask_all(q, DT_QUANTITY_DELTA, l);
    }
    n->a = (const double *const *)lists[0];
    n->W = (const double *const *)lists[1];
    n->b = (const double *const *)lists[2];
    n->z = (const double *const *)lists[3];
    n->delta = (const double *const *)lists[4];
    dt_status status = find(q, wish, train, path, error);
    if (status == DT_OK)
        status = cost_of(q, train, (size_t)n->units[L], n->z[L], &n->cost, error);
    return status == DT_OK ? dt_network_numbers_back(n, &q->c->arena, error) : status;
}

/* Of a wide layer its own row of W, and a column of the next one's. */
static dt_status capture_unit(asking *q, const dt_circuit_wish *wish, const dt_dataset *train, const char *path,
                              dt_error *error)
{
    const dt_network_numbers *n = &q->c->network;
    const int64_t l = wish->l, j = wish->j, inputs = n->units[l - 1];
    const bool last = l == n->layers;
    const int64_t next = last ? 0 : n->units[l + 1];
    const double *w = ask(q, DT_QUANTITY_W, l, j, 1, 0, inputs), *before = ask_all(q, DT_QUANTITY_A, l - 1);
    const double *b = ask_one(q, DT_QUANTITY_B, l, j), *delta = ask_one(q, DT_QUANTITY_DELTA, l, j);
    const double *z = last ? ask_all(q, DT_QUANTITY_Z, l) : ask_one(q, DT_QUANTITY_Z, l, j);
    const double *a = last ? NULL : ask_one(q, DT_QUANTITY_A, l, j);
    const double *onward = last ? NULL : ask(q, DT_QUANTITY_W, l + 1, 0, next, j, 1);
    const double *delta_next = last ? NULL : ask_all(q, DT_QUANTITY_DELTA, l + 1);
    dt_status status = find(q, wish, train, path, error);
    double cost = 0;
    if (status == DT_OK && last)
        status = cost_of(q, train, (size_t)n->units[l], z, &cost, error);
    if (status != DT_OK)
        return status;
    q->c->unit = (dt_unit_numbers){.layers = n->layers,
                                   .l = l,
                                   .j = j,
                                   .inputs = inputs,
                                   .activation = last ? NULL : n->activation[l],
                                   .loss = n->loss,
                                   .w = w,
                                   .a = before,
                                   .sum = dt_numbers_sum(inputs, w, before),
                                   .b = *b,
                                   .z = last ? z[j] : *z,
                                   .value = last ? cost : *a,
                                   .delta = *delta,
                                   .back = last ? 1 : dt_numbers_sum(next, onward, delta_next),
                                   .units = n->units[l]};
    return DT_OK;
}

dt_status dt_circuit_from_capture(dt_circuit_numbers *numbers, const dt_circuit_wish *wish, const dt_config *config,
                                  const dt_dataset *train, const char *capture, dt_error *error)
{
    dt_status status = describe(numbers, config, train, error);
    asking *q = dt_allocate_zeroed(1, sizeof *q);
    if (!q)
        status = no_memory(error);
    if (status == DT_OK) {
        q->c = numbers;
        status =
            wish->l ? capture_unit(q, wish, train, capture, error) : capture_network(q, wish, train, capture, error);
    }
    dt_release(q);
    return status;
}

/* --- from the engine --- */

/* C of the sample with the weights there are now. */
static dt_status evaluate(dt_trainer *trainer, const dt_dataset *train, int64_t sample, double *cost, dt_error *error)
{
    dt_dataset *one;
    dt_evaluation evaluation;
    dt_status status = dt_dataset_pick(&one, train, &sample, 1, error);
    if (status == DT_OK)
        status = dt_trainer_evaluate(trainer, one, &evaluation, NULL, error);
    dt_dataset_destroy(one);
    *cost = status == DT_OK ? evaluation.loss : 0;
    return status;
}

/* Takes the step; the sample goes along as a probe. */
static dt_status take_step(dt_circuit_numbers *c, dt_trainer *trainer, const dt_dataset *train, int64_t step,
                           dt_error *error)
{
    dt_status status = dt_observed_create(&c->seen, trainer, 1, error);
    if (status != DT_OK)
        return status;
    dt_observer observer = dt_observed_observer(c->seen);
    observer.probe_rows = &c->sample;
    observer.probe_count = 1;
    c->seen->target = step;
    status = dt_trainer_observe(trainer, &observer, error);
    if (status == DT_OK)
        status = dt_trainer_steps(trainer, step, error);
    if (status == DT_OK)
        status = evaluate(trainer, train, c->sample, &c->network.cost, error);
    return status == DT_OK ? dt_trainer_steps(trainer, 1, error) : status;
}

static dt_status check_step(const dt_trainer *trainer, int64_t step, dt_error *error)
{
    dt_trainer_info info;
    dt_trainer_describe(trainer, &info);
    const int64_t steps = info.steps_per_epoch * dt_trainer_experiment(trainer)->training.epochs;
    if (step < steps)
        return DT_OK;
    return dt_fail(error, DT_INVALID,
                   "--step: the experiment has steps 0 to %" PRId64 "; ask for one of them, or train more epochs",
                   steps - 1);
}

static void use_seen(dt_circuit_numbers *c)
{
    dt_network_numbers *n = &c->network;
    n->W = (const double *const *)c->seen->W;
    n->b = (const double *const *)c->seen->b;
    n->z = (const double *const *)c->seen->z;
    n->a = (const double *const *)c->seen->a;
    n->delta = (const double *const *)c->seen->delta;
}

dt_status dt_circuit_from_engine(dt_circuit_numbers *numbers, const dt_circuit_wish *wish, dt_config *config,
                                 const dt_dataset *train, const char *model, dt_error *error)
{
    dt_circuit_numbers *c = numbers;
    dt_trainer *trainer = NULL;
    c->step = wish->step < 0 ? 0 : wish->step;
    c->sample = wish->sample < 0 ? 0 : wish->sample;
    config->experiment.capture_count = 0;
    dt_status status = describe(c, config, train, error);
    if (status != DT_OK)
        return status;
    status = dt_trainer_create(&trainer, &config->experiment, &(dt_trainer_data){.train = train}, error);
    if (status != DT_OK) {
        dt_schema_place(error, config->root);
        return status;
    }
    status = model ? dt_model_read(model, trainer, error) : check_step(trainer, c->step, error);
    if (status == DT_OK && !model)
        status = dt_network_begin(trainer, config, error);
    if (status == DT_OK)
        status = take_step(c, trainer, train, c->step, error);
    dt_trainer_destroy(trainer);
    if (status != DT_OK)
        return status;
    use_seen(c);
    status = dt_network_numbers_back(&c->network, &c->arena, error);
    if (status == DT_OK && wish->l)
        dt_unit_numbers_of(&c->unit, &c->network, wish->l, wish->j);
    return status;
}

void dt_circuit_numbers_clear(dt_circuit_numbers *numbers)
{
    dt_observed_destroy(numbers->seen);
    dt_arena_clear(&numbers->arena);
    *numbers = (dt_circuit_numbers){0};
}
