#include "train/setup.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/philox.h"
#include "data/sparse.h"
#include "deltoid/own.h"
#include "kernels/isa.h"
#include "parallel/team.h"
#include "train/strategy.h"
#include "train/trainer_state.h"

/* --- what the data allow --- */

/* The kinds of targets in a set, as a list for messages. */
static void list_kinds(unsigned set, char *text, size_t size)
{
    *text = '\0';
    for (int k = 0; k < DT_TARGETS_KINDS; k++)
        if (set & 1u << k) {
            const size_t n = strlen(text);
            snprintf(text + n, size - n, "%s%s", n ? " or " : "", dt_targets_name((dt_targets)k));
        }
}

/* Labels or targets: what the cost takes, for as many units as the last layer has. */
static dt_status check_targets(const char *key, const dt_dataset *data, const char *loss, int64_t outputs,
                               dt_error *error)
{
    const dt_loss_traits *traits = dt_loss_traits_of(loss);
    if (!(traits->takes & 1u << data->kind)) {
        char takes[64];
        list_kinds(traits->takes, takes, sizeof takes);
        return dt_fail(error, DT_INVALID, "loss: %s takes %s, but data.%s has targets of the kind %s; choose another",
                       loss, takes, key, dt_targets_name(data->kind));
    }
    if (data->kind == DT_TARGETS_CLASSES && data->classes > outputs)
        return dt_fail(error, DT_INVALID,
                       "data.%s: has label %lld, but the last layer has %lld units; give it at least %lld", key,
                       (long long)data->classes - 1, (long long)outputs, (long long)data->classes);
    if (data->kind == DT_TARGETS_CLASSES)
        return DT_OK;
    if (data->outputs != outputs)
        return dt_fail(error, DT_INVALID,
                       "data.%s: has %lld targets a row, but the last layer has %lld units; give it %lld", key,
                       (long long)data->outputs, (long long)outputs, (long long)data->outputs);
    const bool bounded = traits->high > traits->low;
    for (int64_t i = 0; bounded && i < data->rows * outputs; i++)
        if (!(data->targets[i] >= traits->low && data->targets[i] <= traits->high))
            return dt_fail(
                error, DT_INVALID, "data.%s: target %lld of row %lld is %.9g; %s takes numbers from %g to %g", key,
                (long long)(i % outputs), (long long)(i / outputs), data->targets[i], loss, traits->low, traits->high);
    return DT_OK;
}

dt_status dt_setup_check_set(const char *key, const dt_dataset *data, const dt_dataset *train, const char *loss,
                             int64_t outputs, dt_error *error)
{
    if (data->features != train->features)
        return dt_fail(error, DT_INVALID, "data.%s: %lld inputs a row, but data.train has %lld; use data of one kind",
                       key, (long long)data->features, (long long)train->features);
    if (data->rows < 1)
        return dt_fail(error, DT_INVALID, "data.%s: is empty; it needs at least one row", key);
    if (data->kind != train->kind)
        return dt_fail(error, DT_INVALID, "data.%s: has targets of the kind %s, but data.train of the kind %s", key,
                       dt_targets_name(data->kind), dt_targets_name(train->kind));
    return check_targets(key, data, loss, outputs, error);
}

static dt_status check_data(const dt_experiment *experiment, const dt_trainer_data *data, dt_error *error)
{
    const int64_t outputs = experiment->network[experiment->layer_count - 1].units;
    const dt_own_loss *own;
    for (size_t i = 0; (own = dt_own_loss_at(i)); i++)
        if (strcmp(own->entry.name, experiment->loss) == 0 && outputs > DT_OWN_LOSS_UNITS)
            return dt_fail(error, DT_INVALID,
                           "loss: a program's own cost takes at most %d units; the last layer has %lld",
                           DT_OWN_LOSS_UNITS, (long long)outputs);
    const char *loss = experiment->loss;
    const size_t weights = experiment->loss_options.class_weight_count;
    if (experiment->loss_options.class_weights && weights != (size_t)outputs)
        return dt_fail(error, DT_INVALID,
                       "loss.class_weights: %zu weights, but the last layer has %lld units; give %lld", weights,
                       (long long)outputs, (long long)outputs);
    if (!data->train)
        return dt_fail(error, DT_INVALID, "data.train: is missing; a trainer needs training data");
    dt_status status = dt_setup_check_set("train", data->train, data->train, loss, outputs, error);
    if (status == DT_OK && data->test)
        status = dt_setup_check_set("test", data->test, data->train, loss, outputs, error);
    if (status == DT_OK && data->validation)
        status = dt_setup_check_set("validation", data->validation, data->train, loss, outputs, error);
    if (status == DT_OK && data->validation && experiment->data.validation_fraction > 0)
        return dt_fail(error, DT_INVALID,
                       "data.validation: give either a fraction of the training rows or a data set, not both");
    return status;
}

/* --- what follows --- */

/* What an optimizer or noise asks of minibatches. */
static dt_status check_minibatch(const dt_experiment *experiment, const dt_engine_sizes *sizes, int64_t train_rows,
                                 dt_error *error)
{
    if (dt_engine_ops_of(experiment->precision)->whole(experiment) && sizes->batch < train_rows)
        return dt_fail(error, DT_INVALID,
                       "optimizer.name: %s goes by the signs of the whole training set's gradient; set "
                       "training.batch_size to its %lld rows, or use another optimizer",
                       experiment->optimizer.name, (long long)train_rows);
    if (experiment->data.noise > 0 && sizes->units[0] > DT_STREAM_NUMBERS)
        return dt_fail(error, DT_INVALID, "data.noise: takes inputs of up to %lld numbers, not %lld; remove it",
                       (long long)DT_STREAM_NUMBERS, (long long)sizes->units[0]);
    return DT_OK;
}

/* Inputs that a minibatch may hold: they are counted in 32 bits. */
enum { NUMBERS_MAX = INT32_MAX - (1 << 20) };

bool dt_setup_sparse(const dt_experiment *experiment, const dt_dataset *train)
{
    const dt_data_spec *data = &experiment->data;
    const bool automatic = !data->sparse || strcmp(data->sparse, "auto") == 0;
    const double units = (double)dt_min(experiment->network[0].units, DT_SPARSE_UNITS);
    if (!train->start || dt_strategy_is_free(experiment) || (train->transform && train->transform->shift) ||
        data->noise > 0 || dt_dataset_most(train, experiment->training.batch_size) > NUMBERS_MAX)
        return false;
    return automatic ? dt_dataset_density(train) <= DT_SPARSE_DENSITY * units / DT_SPARSE_UNITS
                     : strcmp(data->sparse, "true") == 0;
}

int64_t dt_setup_shown(const dt_capture_rule *rule, int64_t batch)
{
    const unsigned norms = 1u << DT_EXTRA_DW_NORM | 1u << DT_EXTRA_GRADIENT_NORM | 1u << DT_EXTRA_NOISE_SCALE;
    const int64_t all = rule->samples == DT_SAMPLES_ROWS ? rule->sample_count : batch;
    bool inputs = !rule->layers;
    for (size_t i = 0; rule->layers && i < rule->layer_count; i++)
        inputs = inputs || rule->layers[i] == 0;
    if (rule->extras & norms || (inputs && rule->statistics[DT_QUANTITY_A]))
        return all;
    if (!inputs || !(rule->quantities >> DT_QUANTITY_A & 1u))
        return 0;
    return rule->samples == DT_SAMPLES_FIRST ? dt_min(rule->sample_count, batch) : all;
}

/* What a chunk of any evaluation of the data holds at most. */
static int64_t evaluated(const dt_trainer_data *data)
{
    const dt_dataset *const sets[] = {data->train, data->test, data->validation};
    int64_t most = 0;
    for (int i = 0; i < 3; i++)
        if (sets[i])
            most = dt_max(most, dt_dataset_most(sets[i], DT_EVALUATION_CHUNK));
    return most;
}

dt_status dt_setup_sizes(const dt_experiment *experiment, const dt_trainer_data *data, int64_t train_rows,
                         int64_t workers, const int64_t *units, dt_engine_sizes *sizes, dt_trainer_info *info,
                         dt_error *error)
{
    const int64_t L = (int64_t)experiment->layer_count, batch = dt_min(experiment->training.batch_size, train_rows);
    const int64_t wanted = experiment->parallel.shard_size;
    *sizes = (dt_engine_sizes){
        .layers = L,
        .units = units,
        .batch = batch,
        .short_batch = train_rows % batch,
        .shard_size = wanted ? wanted : dt_shard_size_auto(experiment->training.batch_size),
        .workers = workers,
    };
    if ((sizes->sparse = dt_setup_sparse(experiment, data->train))) {
        sizes->numbers = dt_dataset_most(data->train, batch);
        sizes->evaluated = evaluated(data);
    }
    *info = (dt_trainer_info){
        .layers = L,
        .sparse = sizes->sparse,
        .density = dt_dataset_density(data->train),
        .features = units[0],
        .workers = workers,
        .shard_size = sizes->shard_size,
        .shards = dt_ceil_div(batch, sizes->shard_size),
        .train_rows = train_rows,
        .validation_rows = data->validation ? data->validation->rows : data->train->rows - train_rows,
        .test_rows = data->test ? data->test->rows : 0,
        .steps_per_epoch = dt_ceil_div(train_rows, batch),
        .isa = dt_isa_name(dt_isa_current()),
        .reduction = experiment->parallel.reduction,
        .created = (int64_t)time(NULL),
    };
    for (int64_t l = 1; l <= L; l++)
        info->parameters += units[l] * (units[l - 1] + 1);
    dt_status status = check_minibatch(experiment, sizes, train_rows, error);
    if (status != DT_OK)
        return status;
    if (!dt_engine_ops_of(experiment->precision)->measure(experiment, sizes, info))
        return dt_fail(error, DT_INVALID, "network: too large to address; use fewer units or a smaller minibatch");
    if (dt_trainer_keeps_best(experiment))
        info->parameter_bytes += (size_t)info->parameters * dt_precision_size(experiment->precision);
    return DT_OK;
}

double dt_setup_operations(const dt_experiment *experiment, const dt_dataset *train, const int64_t *units)
{
    const double there = dt_setup_sparse(experiment, train) ? dt_dataset_density(train) : 1;
    double operations = 0;
    for (size_t l = 1; l <= experiment->layer_count; l++)
        operations += (l > 1 ? 6.0 : 4.0 * there) * (double)units[l] * (double)units[l - 1] *
                      (double)experiment->training.batch_size;
    return operations;
}

/* `threads: auto`: the processors there are, but no more workers than one for each 2 million floating-point operations
 * of a minibatch: below that, two barriers and moving the data cost more than a worker brings. try_paces looks at what
 * remains to be known. */
int64_t dt_setup_workers(const dt_experiment *experiment, const dt_dataset *train, const int64_t *units)
{
    if (experiment->parallel.threads)
        return experiment->parallel.threads;
    const double operations = dt_setup_operations(experiment, train, units), operations_a_worker = 2e6;
    const int64_t processors = dt_processors();
    const double pay = operations / operations_a_worker;
    return pay < 1 ? 1 : pay < (double)processors ? (int64_t)pay : processors;
}

int64_t *dt_setup_units(const dt_experiment *experiment, const dt_dataset *train)
{
    int64_t *units = dt_allocate(experiment->layer_count + 1, sizeof *units);
    if (!units)
        return NULL;
    units[0] = train->features;
    for (size_t l = 0; l < experiment->layer_count; l++)
        units[l + 1] = experiment->network[l].units;
    return units;
}

dt_status dt_setup_check(const dt_experiment *experiment, const dt_trainer_data *data, dt_error *error)
{
    dt_status status = dt_isa_check(error);
    if (status == DT_OK)
        status = dt_experiment_validate(experiment, error);
    return status == DT_OK ? check_data(experiment, data, error) : status;
}

dt_status dt_setup_rows(const dt_experiment *experiment, const dt_trainer_data *data, dt_rows *train,
                        dt_rows *validation, dt_error *error)
{
    *train = (dt_rows){data->train->rows, NULL};
    *validation = (dt_rows){0, NULL};
    const double fraction = experiment->data.validation_fraction;
    return fraction > 0 ? dt_rows_split(data->train->rows, fraction, experiment->seed, train, validation, error)
                        : DT_OK;
}

dt_status dt_trainer_plan(const dt_experiment *experiment, const dt_trainer_data *data, dt_trainer_info *info,
                          dt_error *error)
{
    dt_rows train = {0, NULL}, validation;
    dt_engine_sizes sizes;
    dt_status status = dt_setup_check(experiment, data, error);
    if (status == DT_OK)
        status = dt_setup_rows(experiment, data, &train, &validation, error);
    if (status != DT_OK)
        return status;
    int64_t *units = dt_setup_units(experiment, data->train);
    status = units ? dt_setup_sizes(experiment, data, train.count, dt_setup_workers(experiment, data->train, units),
                                    units, &sizes, info, error)
                   : dt_fail_memory(error, "the plan");
    dt_release(units);
    dt_rows_release(&train);
    return status;
}
