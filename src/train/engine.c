#include "train/engine.h"

#include <string.h>

#include "base/memory.h"
#include "data/sparse.h"
#include "nn/own.h"
#include "train/engine_own.h"
#include "train/fault.h"
#include "train/norms.h"

/* --- life --- */

static const dt_loss *loss_named(const char *name)
{
    const dt_loss *table = DT_SELECT(dt_loss, dt_losses, );
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        if (strcmp(table[i].entry.name, name) == 0)
            return &table[i];
    return dt_own_loss_named(name);
}

static void destroy(dt_engine *e)
{
    if (!e)
        return;
    for (int i = 0; i < DT_OBSERVERS_MAX; i++) {
        dt_pass_destroy(e->probe[i]);
        dt_dataset_destroy(e->probe_data[i]);
    }
    dt_release(e->probe_sample);
    dt_pass_destroy(e->pass);
    dt_pass_destroy(e->evaluation);
    dt_release(e->evaluation_sample);
    dt_reducer_destroy(e->reducer);
    dt_reducer_destroy(e->alone);
    dt_free_destroy(e->free);
    dt_updater_destroy(e->updater);
    dt_network_destroy(e->network);
    dt_release(e);
}

static dt_status create(dt_engine **engine, const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_run *run,
                        dt_error *error)
{
    *engine = NULL;
    dt_engine *e = dt_allocate_zeroed(1, sizeof *e);
    if (!e)
        return dt_fail_memory(error, "the engine");
    e->run = run;
    e->experiment = experiment;
    e->workers = sizes->workers;
    dt_sparse_sizes room;
    const dt_loss *loss = loss_named(experiment->loss);
    const dt_choice choice = dt_engine_choice(experiment, sizes);
    const dt_division division = dt_engine_division(sizes, sizes->workers, choice.groups),
                      one = dt_engine_division(sizes, 1, 1);
    dt_status status =
        dt_network_create(&e->network, experiment->network, sizes->layers, sizes->units[0], experiment->seed, error);
    if (status == DT_OK)
        status = dt_updater_create(&e->updater, experiment, e->network, error);
    if (status == DT_OK)
        status = dt_pass_create(&e->pass, e->network, loss, &experiment->loss_options, true, sizes->batch,
                                dt_engine_copies_of_x(choice.strategy, sizes), dt_engine_minibatch_inputs(sizes, &room),
                                error);
    if (status == DT_OK)
        status =
            dt_pass_create(&e->evaluation, e->network, loss, &experiment->loss_options, false,
                           sizes->workers * DT_EVALUATION_CHUNK, 1, dt_engine_evaluation_inputs(sizes, &room), error);
    if (status == DT_OK &&
        !(e->evaluation_sample = dt_allocate((size_t)e->evaluation->capacity, sizeof *e->evaluation_sample)))
        status = dt_fail_memory(error, "the evaluation");
    if (status == DT_OK)
        status = dt_reducer_create(&e->reducer, choice.strategy, e->network, &division, e->pass->rows, error);
    if (status == DT_OK && sizes->workers > 1 && experiment->parallel.threads == 0)
        status = dt_reducer_create(&e->alone, choice.strategy, e->network, &one, e->pass->rows, error);
    if (status == DT_OK && dt_runs_free(choice.strategy, sizes->workers))
        status = dt_free_create(&e->free, e->network, sizes->workers, error);
    if (status != DT_OK) {
        destroy(e);
        return status;
    }
    *engine = e;
    return DT_OK;
}

/* Observers' own rows of a data set with a feed are read once, and kept. */
static dt_status keep_probes(dt_engine *e, dt_error *error)
{
    const dt_run *run = e->run;
    int64_t most = 0;
    dt_status status = DT_OK;
    for (int i = 0; i < run->observer_count; i++) {
        const dt_observer *o = &run->observers[i];
        most = dt_max(most, o->probe_count);
        if (status == DT_OK && o->watches && o->probe_count > 0 && !e->probe_data[i])
            status = dt_dataset_pick(&e->probe_data[i], run->train, o->probe_rows, o->probe_count, error);
    }
    if (status != DT_OK || most == 0)
        return status;
    dt_release(e->probe_sample);
    e->probe_sample = dt_allocate((size_t)most, sizeof *e->probe_sample);
    for (int64_t i = 0; e->probe_sample && i < most; i++)
        e->probe_sample[i] = i;
    return e->probe_sample ? DT_OK : dt_fail_memory(error, "rows to capture");
}

static dt_status prepare(dt_engine *e, dt_error *error)
{
    dt_network_settle(e->network);
    const dt_status kept = e->run->train->feed ? keep_probes(e, error) : DT_OK;
    if (kept != DT_OK)
        return kept;
    for (int i = 0; i < e->run->observer_count; i++) {
        const dt_observer *o = &e->run->observers[i];
        dt_status status = DT_OK;
        if (o->watches && o->probe_count > 0 && !e->probe[i]) {
            dt_sparse_sizes room;
            const dt_sparse_sizes *sparse = e->pass->sparse ? &e->pass->sparse->sizes : NULL;
            status = dt_pass_create(&e->probe[i], e->network, e->pass->loss, e->pass->options, false, o->probe_count, 1,
                                    dt_engine_probe_inputs(sparse, o->probe_count, &room), error);
            if (status == DT_OK)
                dt_pass_touch(e->probe[i], 0, (dt_span){0, o->probe_count});
        }
        if (status == DT_OK && o->watches && o->samples)
            status = dt_pass_show_inputs(e->probe[i] ? e->probe[i] : e->pass, error);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

static dt_status admit(dt_engine *e, const dt_dataset *data, dt_error *error)
{
    dt_sparse **inputs = &e->evaluation->sparse, *more;
    if (!*inputs)
        return DT_OK;
    dt_sparse_sizes sizes = (*inputs)->sizes;
    const int64_t numbers = dt_dataset_most(data, DT_EVALUATION_CHUNK);
    if (numbers <= sizes.numbers)
        return DT_OK;
    sizes.numbers = numbers;
    const dt_status status = dt_sparse_create(&more, &sizes, e->evaluation->capacity, error);
    if (status != DT_OK)
        return status;
    dt_sparse_destroy(*inputs);
    *inputs = more;
    return DT_OK;
}

static void touch(dt_worker *worker, void *context)
{
    dt_engine *e = context;
    dt_reducer_clear(e->reducer, worker->index);
    for (int64_t l = 1; l <= e->network->layers; l++) {
        const dt_span slice = dt_reducer_slice(e->reducer, l, worker->index);
        dt_network_draw(e->network, e->experiment->seed, slice);
        dt_updater_touch(e->updater, slice);
    }
    dt_pass_touch(e->pass, worker->index, dt_share_of(worker, e->pass->capacity, e->run->shard_size).rows);
    dt_pass_touch(e->evaluation, 0, dt_split(e->evaluation->capacity, worker->count, worker->index));
}

/* --- evaluation --- */

/* Chunk `chunk` of the job's rows, in rows window .. of the evaluation's pass. */
static void evaluate_chunk(const dt_evaluation_job *job, int64_t chunk, int64_t window)
{
    dt_pass *p = job->engine->evaluation;
    int64_t *sample = job->engine->evaluation_sample;
    const int64_t first = chunk * DT_EVALUATION_CHUNK, count = dt_min(DT_EVALUATION_CHUNK, job->rows.count - first);
    const dt_span rows = {window, window + count};
    for (int64_t i = 0; i < count; i++)
        sample[window + i] = job->rows.index ? job->rows.index[first + i] : first + i;
    dt_pass_gather(p, 0, job->data, (dt_real)job->engine->experiment->data.scale, sample, rows);
    dt_pass_forward(p, rows, false, NULL);
    const int64_t classes = p->network->layer[p->network->layers].units;
    for (int64_t i = 0; job->outputs && i < count; i++)
        memcpy((dt_real *)job->outputs + (first + i) * classes, dt_pass_output(p, window + i),
               (size_t)classes * sizeof(dt_real));
    if (job->outputs)
        return;
    dt_pass_cost(p, job->data, sample, rows);
    for (int64_t i = window; i < window + count; i++) {
        job->chunk_loss[chunk] += p->cost[i];
        job->chunk_right[chunk] += p->right[i];
        if (job->confusion)
            atomic_fetch_add(&job->confusion[job->data->labels[sample[i]] * classes + dt_pass_answer(p, i)], 1);
    }
}

static void evaluate(dt_worker *worker, void *context)
{
    const dt_evaluation_job *job = context;
    const dt_span chunks = dt_split(dt_ceil_div(job->rows.count, DT_EVALUATION_CHUNK), worker->count, worker->index);
    for (int64_t chunk = chunks.first; chunk < chunks.last; chunk++)
        evaluate_chunk(job, chunk, worker->index * DT_EVALUATION_CHUNK);
}

/* --- what a worker updates --- */

static void adds(const dt_engine *e, bool *buffers, bool *shared, bool *free)
{
    *buffers = e->reducer->buffers_a_group > 0 || e->reducer->shared;
    *shared = e->reducer->shared != NULL;
    *free = e->free != NULL;
}

static int slice(const dt_engine *e, int64_t worker, int64_t *parameters)
{
    for (int64_t l = 1; l <= e->network->layers; l++) {
        const dt_layer *layer = &e->network->layer[l];
        const dt_span own = dt_reducer_slice(e->reducer, l, worker);
        parameters[l] = 0;
        for (int64_t i = own.first - layer->first_block; i < own.last - layer->first_block; i++)
            parameters[l] += dt_min(DT_LANES, layer->units - i / layer->column * DT_LANES) *
                             dt_min(DT_LANES, layer->inputs + 1 - i % layer->column * DT_LANES);
    }
    return __builtin_popcount(e->updater->optimizer->states(e->updater->spec));
}

/* --- weights in and out --- */

static void get(const dt_engine *e, int64_t l, void *W, void *b)
{
    dt_network_export(e->network, e->network->parameters, l, (dt_span){0, e->network->blocks}, W, b);
}

static void set(dt_engine *e, int64_t l, const void *W, const void *b)
{
    dt_network_import(e->network, l, W, b);
}

static void exchange(dt_engine *e, int64_t l, void *W, void *b)
{
    dt_network_exchange(e->network, l, W, b);
}

static void find_fault(dt_engine *e, const int64_t *sample, int64_t batch, dt_fault *fault)
{
    dt_pass_find_fault(e->pass, e->run, sample, batch, fault);
}

/* --- the optimizer's state in and out --- */

static const char *state_name(const dt_engine *e, int i)
{
    const char *name;
    dt_updater_state(e->updater, i, &name);
    return name;
}

static void get_state(const dt_engine *e, int i, int64_t l, void *W, void *b)
{
    const char *name;
    dt_network_export(e->network, dt_updater_state(e->updater, i, &name), l, (dt_span){0, e->network->blocks}, W, b);
}

static void set_state(dt_engine *e, int i, int64_t l, const void *W, const void *b)
{
    const char *name;
    dt_network_arrange(e->network, l, W, b, dt_updater_state(e->updater, i, &name));
}

static bool whole(const dt_experiment *experiment)
{
    return dt_optimizer_named(experiment->optimizer.name)->whole;
}

/* --- what train/step.h shows --- */

static dt_block_view blocks(const dt_engine *e, dt_step_array array, int i, const dt_slice *slice)
{
    const dt_layer *layer = &e->network->layer[slice->l];
    const char *name;
    const dt_real *numbers = array == DT_STEP_GRADIENT ? slice->gradient
                             : array == DT_STEP_STATE ? dt_updater_state(e->updater, i, &name) + slice->first * DT_BLOCK
                                                      : e->network->parameters + slice->first * DT_BLOCK;
    return (dt_block_view){
        .numbers = numbers,
        .lanes = DT_LANES,
        .units = layer->units,
        .inputs = layer->inputs,
        .column = layer->column,
        .first = slice->first - layer->first_block,
        .count = slice->last - slice->first,
        .number = slice->first,
    };
}

static bool partial(const dt_engine *e, const dt_step_view *view, int64_t group, const dt_slice *slice, void *sum)
{
    return dt_reducer_partial(e->reducer, dt_reducer_plan(e->reducer, view->minibatch), group, view->worker,
                              (dt_span){slice->first, slice->last}, sum);
}

static const double *costs(const dt_step_view *view)
{
    return view->pass->cost;
}

static double norm_square(const dt_pass *pass, int64_t l, dt_span rows, void *scratch)
{
    return dt_pass_norm_square(pass, l, rows, scratch);
}

static size_t norm_scratch(int64_t layers, const int64_t *units, int64_t samples)
{
    return dt_pass_norm_scratch(layers, units, samples) * sizeof(dt_real);
}

static const char *state_named(const dt_experiment *experiment, int i)
{
    const dt_optimizer *optimizer = dt_optimizer_named(experiment->optimizer.name);
    const unsigned kept = optimizer ? optimizer->states(&experiment->optimizer) : 0;
    for (int k = 0; k < DT_STATES_MAX; k++)
        if (kept >> k & 1 && i-- == 0)
            return optimizer->state_names[k];
    return NULL;
}

const dt_engine_ops DT_R(dt_engine_ops) = {
    .measure = dt_engine_measure,
    .whole = whole,
    .create = create,
    .destroy = destroy,
    .prepare = prepare,
    .admit = admit,
    .touch = touch,
    .train = dt_engine_train,
    .evaluate = evaluate,
    .adds = adds,
    .slice = slice,
    .get = get,
    .set = set,
    .exchange = exchange,
    .state_name = state_name,
    .get_state = get_state,
    .set_state = set_state,
    .find_fault = find_fault,
    .samples = dt_pass_samples,
    .copy_slice = dt_pass_copy_slice,
    .blocks = blocks,
    .partial = partial,
    .costs = costs,
    .norm_square = norm_square,
    .norm_scratch = norm_scratch,
    .block_count = dt_engine_block_count,
    .block_bytes = DT_BLOCK * sizeof(dt_real),
    .state_named = state_named,
};
