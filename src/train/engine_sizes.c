/* What an engine is made of, and the memory that it takes, from the sizes alone. */
#include <string.h>

#include "base/memory.h"
#include "train/engine_own.h"
#include "train/setup.h"

/* Whether what each worker adds up is to be shown: then each is a group of its own, unless the experiment says more. */
static bool shows_partials(const dt_experiment *experiment)
{
    unsigned extras = 0;
    for (size_t i = 0; i < experiment->capture_count; i++)
        extras |= experiment->capture[i].extras;
    return extras & (1u << DT_EXTRA_DW_PARTIAL | 1u << DT_EXTRA_DB_PARTIAL);
}

dt_choice dt_engine_choice(const dt_experiment *experiment, const dt_engine_sizes *sizes)
{
    const int64_t groups = experiment->parallel.groups;
    return dt_reduction_choose(experiment->parallel.reduction,
                               groups == 0 && shows_partials(experiment) ? sizes->workers : groups,
                               &(dt_reduction_sizes){.units = sizes->units,
                                                     .layers = sizes->layers,
                                                     .samples = sizes->batch,
                                                     .shard_size = sizes->shard_size,
                                                     .workers = sizes->workers});
}

dt_division dt_engine_division(const dt_engine_sizes *sizes, int64_t workers, int64_t groups)
{
    return (dt_division){sizes->batch, sizes->short_batch, sizes->shard_size, workers, groups};
}

int64_t dt_engine_copies_of_x(const dt_reduction *reduction, const dt_engine_sizes *sizes)
{
    return !sizes->sparse && dt_reduction_by_units(reduction, sizes->units[1], sizes->batch, sizes->workers)
               ? sizes->workers
               : 1;
}

const dt_sparse_sizes *dt_engine_minibatch_inputs(const dt_engine_sizes *sizes, dt_sparse_sizes *room)
{
    *room = (dt_sparse_sizes){.run = sizes->batch, .numbers = sizes->numbers, .indices = sizes->workers};
    return sizes->sparse ? room : NULL;
}

const dt_sparse_sizes *dt_engine_evaluation_inputs(const dt_engine_sizes *sizes, dt_sparse_sizes *room)
{
    *room = (dt_sparse_sizes){.run = DT_EVALUATION_CHUNK, .numbers = sizes->evaluated};
    return sizes->sparse ? room : NULL;
}

const dt_sparse_sizes *dt_engine_probe_inputs(const dt_sparse_sizes *minibatch, int64_t rows, dt_sparse_sizes *room)
{
    *room = (dt_sparse_sizes){.run = rows};
    if (minibatch)
        room->numbers = dt_ceil_div(rows, minibatch->run) * minibatch->numbers;
    return minibatch ? room : NULL;
}

/* Sparse inputs that capture rules look at are written out: of the minibatch as many rows as the rule that sees most,
 * of rules with rows of their own theirs. false on overflow. */
static bool measure_shown(const dt_experiment *experiment, const dt_engine_sizes *sizes, size_t *bytes)
{
    int64_t minibatch = 0, rows = 0;
    for (size_t i = 0; sizes->sparse && i < experiment->capture_count; i++) {
        const dt_capture_rule *rule = &experiment->capture[i];
        const int64_t shown = dt_setup_shown(rule, sizes->batch);
        if (rule->samples == DT_SAMPLES_ROWS)
            rows += shown;
        else
            minibatch = dt_max(minibatch, shown);
    }
    return dt_multiply((size_t)(minibatch + rows), (size_t)sizes->units[0] * sizeof(dt_real), bytes);
}

/* Passes of the minibatch, of an evaluation, and of capture rules with rows of their own. */
static bool measure_passes(const dt_experiment *experiment, const dt_engine_sizes *sizes, int64_t copies, size_t *bytes)
{
    size_t pass, evaluation, probe, shown;
    dt_sparse_sizes room, evaluated, own;
    const dt_sparse_sizes *sparse = dt_engine_minibatch_inputs(sizes, &room);
    if (!dt_pass_measure(sizes->layers, sizes->units, experiment->network, sizes->batch, copies, sparse, &pass) ||
        !dt_pass_measure(sizes->layers, sizes->units, NULL, sizes->workers * DT_EVALUATION_CHUNK, 1,
                         dt_engine_evaluation_inputs(sizes, &evaluated), &evaluation) ||
        !measure_shown(experiment, sizes, &shown) || __builtin_add_overflow(pass, evaluation, bytes) ||
        __builtin_add_overflow(*bytes, shown, bytes))
        return false;
    for (size_t i = 0; i < experiment->capture_count; i++) {
        const dt_capture_rule *rule = &experiment->capture[i];
        if (rule->samples == DT_SAMPLES_ROWS &&
            (!dt_pass_measure(sizes->layers, sizes->units, NULL, rule->sample_count, 1,
                              dt_engine_probe_inputs(sparse, rule->sample_count, &own), &probe) ||
             __builtin_add_overflow(*bytes, probe, bytes)))
            return false;
    }
    return true;
}

int64_t dt_engine_block_count(int64_t layers, const int64_t *units)
{
    int64_t count = 0;
    for (int64_t l = 1; l <= layers; l++)
        count += dt_whole_panels(units[l]) / DT_LANES * dt_blocks_a_panel(units[l - 1]);
    return count;
}

/* Of a buffer that leaves layer 1 out. */
static size_t bytes_behind(const dt_engine_sizes *sizes)
{
    const int64_t blocks = dt_engine_block_count(sizes->layers, sizes->units) - dt_engine_block_count(1, sizes->units);
    return dt_hot_bytes((size_t)blocks * DT_BLOCK * sizeof(dt_real));
}

bool dt_engine_measure(const dt_experiment *experiment, const dt_engine_sizes *sizes, dt_trainer_info *info)
{
    size_t network, vector, more, passes, buffers, buffer;
    const dt_choice choice = dt_engine_choice(experiment, sizes);
    const dt_reduction *reduction = choice.strategy;
    const dt_division division = dt_engine_division(sizes, sizes->workers, choice.groups);
    const size_t all = (size_t)(choice.groups * dt_reducer_buffers(reduction, &division)),
                 workers = (size_t)sizes->workers;
    if (!dt_network_measure(sizes->layers, sizes->units, &network, &vector) ||
        !dt_updater_measure(experiment, sizes->units, vector, &more))
        return false;
    buffer = sizes->sparse ? bytes_behind(sizes) : vector;
    if (!dt_multiply(buffer, all, &buffers) || __builtin_add_overflow(network, more, &info->parameter_bytes) ||
        __builtin_add_overflow(info->parameter_bytes, reduction->shared && choice.groups > 1 ? buffer : 0,
                               &info->parameter_bytes) ||
        !measure_passes(experiment, sizes, dt_engine_copies_of_x(reduction, sizes), &passes))
        return false;
    info->bytes_of_buffers = buffers / workers + (buffers % workers > 0); /* a group's are its members' */
    info->bytes_per_worker = info->bytes_of_buffers + (size_t)dt_reducer_scratch(&division) * sizeof(dt_real) +
                             (dt_runs_free(reduction, sizes->workers) ? network : 0);
    info->activation_bytes = passes;
    info->reduction = reduction->entry.name;
    info->groups = choice.groups;
    info->deterministic = reduction->deterministic;
    memcpy(info->choice, choice.why, sizeof info->choice);
    return true;
}
