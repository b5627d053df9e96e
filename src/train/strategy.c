/* What parallel.* asks, against the rest of the experiment. What holds for a strategy is the same in both precisions.
 */
#define DT_PRECISION 32
#include "train/strategy.h"

#include <string.h>

#include "parallel/reduction.h"
#include "train/optimizer.h"

static const dt_reduction *strategy_named(const char *name)
{
    const dt_reduction *reduction;
    for (size_t i = 0; (reduction = dt_reduction_at(i)); i++)
        if (strcmp(reduction->entry.name, name) == 0)
            return reduction;
    return NULL;
}

static const dt_optimizer *optimizer_named(const char *name)
{
    for (int i = 0; i < DT_OPTIMIZER_COUNT; i++)
        if (strcmp(dt_optimizers_f32_generic[i].entry.name, name) == 0)
            return &dt_optimizers_f32_generic[i];
    return NULL;
}

/* Steps of workers that wait for nobody, from weights alone. */
static dt_status check_optimizer(const dt_experiment *experiment, const char *name, dt_error *error)
{
    const dt_optimizer_spec *spec = &experiment->optimizer;
    const dt_optimizer *optimizer = optimizer_named(spec->name);
    if (optimizer && optimizer->states(spec))
        return dt_fail(
            error, DT_INVALID,
            "optimizer.%s: %s keeps state between steps, on which workers of the reduction %s would race; use sgd "
            "without momentum, or another parallel.reduction",
            strcmp(spec->name, "sgd") == 0 ? "momentum" : "name", spec->name, name);
    if (optimizer && optimizer->direct)
        return dt_fail(
            error, DT_INVALID,
            "optimizer.name: %s goes by norms of whole layers, which the reduction %s has at no time; use sgd, or "
            "another parallel.reduction",
            spec->name, name);
    if (spec->clip_norm > 0)
        return dt_fail(
            error, DT_INVALID,
            "optimizer.clip_norm: the reduction %s has no gradient of the whole minibatch to clip; remove it, "
            "or use another parallel.reduction",
            name);
    for (size_t l = 0; l < experiment->layer_count; l++)
        if (experiment->network[l].max_norm > 0)
            return dt_fail(
                error, DT_INVALID,
                "network.%zu.max_norm: is cut after whole steps, which the reduction %s doesn't make; remove it, "
                "or use another parallel.reduction",
                l, name);
    return DT_OK;
}

/* What of a rule shows a gradient of the whole minibatch, or what a whole step changed; NULL: nothing. */
static const char *asks_of_step(const dt_capture_rule *rule)
{
    static const dt_extra extras[] = {DT_EXTRA_DW_PARTIAL, DT_EXTRA_DB_PARTIAL, DT_EXTRA_NOISE_SCALE,
                                      DT_EXTRA_NOISE_SCALE_SHARDS};
    const dt_capture_item *item;
    for (size_t i = 0; (item = dt_capture_item_at(i)); i++) {
        bool of_step = item->kind == DT_ITEM_STATISTIC && item->statistic == DT_STATISTIC_UPDATE_RATIO;
        if (item->kind != DT_ITEM_EXTRA)
            of_step = of_step || item->quantity == DT_QUANTITY_DW || item->quantity == DT_QUANTITY_DB;
        for (size_t k = 0; item->kind == DT_ITEM_EXTRA && k < sizeof extras / sizeof *extras; k++)
            of_step = of_step || item->extra == extras[k];
        if (of_step && dt_capture_rule_has(rule, item))
            return item->name;
    }
    return NULL;
}

static dt_status check_capture(const dt_experiment *experiment, const char *name, dt_error *error)
{
    for (size_t r = 0; r < experiment->capture_count; r++) {
        const dt_capture_rule *rule = &experiment->capture[r];
        const char *item = asks_of_step(rule);
        if (item)
            return dt_fail(
                error, DT_INVALID,
                "capture.%s.quantities: there is no %s: the reduction %s sums no gradient of the whole minibatch; "
                "remove it, or use another parallel.reduction",
                rule->name, item, name);
    }
    return DT_OK;
}

bool dt_strategy_is_free(const dt_experiment *experiment)
{
    const dt_reduction *strategy = strategy_named(experiment->parallel.reduction);
    return strategy && strategy->free;
}

dt_status dt_strategy_check(const dt_experiment *experiment, dt_error *error)
{
    const dt_parallel_spec *parallel = &experiment->parallel;
    const dt_reduction *strategy = strategy_named(parallel->reduction);
    if (parallel->threads && parallel->groups > parallel->threads)
        return dt_fail(error, DT_INVALID,
                       "parallel.groups: %lld groups of %lld workers, but each needs one; give at most %lld, or auto",
                       (long long)parallel->groups, (long long)parallel->threads, (long long)parallel->threads);
    if (!strategy || !strategy->free)
        return DT_OK;
    if (experiment->data.sparse && strcmp(experiment->data.sparse, "true") == 0)
        return dt_fail(error, DT_INVALID,
                       "data.sparse: the reduction %s takes inputs that are 0 as any others; set it to auto, or use "
                       "another parallel.reduction",
                       strategy->entry.name);
    if (parallel->groups && parallel->groups != parallel->threads)
        return dt_fail(
            error, DT_INVALID,
            "parallel.groups: workers of the reduction %s share nothing but the weights; set it to auto, or use "
            "another parallel.reduction",
            strategy->entry.name);
    dt_status status = check_optimizer(experiment, strategy->entry.name, error);
    return status == DT_OK ? check_capture(experiment, strategy->entry.name, error) : status;
}

bool dt_strategy_sums(const dt_experiment *experiment)
{
    return !strategy_named(experiment->parallel.reduction)->free;
}
