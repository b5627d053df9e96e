#include "record/capture_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "deltoid/record.h"
#include "record/statistics.h"
#include "train/step.h"

/* `from` and `to`. */
static bool within(const dt_capture_rule *rule, int64_t step)
{
    return step >= rule->from && (rule->to == 0 || step <= rule->to);
}

bool dt_capture_rule_watches(const dt_capture_rule *rule, int64_t step)
{
    if (!within(rule, step))
        return false;
    if (rule->every > 0)
        return step % rule->every == 0;
    if (rule->steps_log)
        return (step & (step - 1)) == 0; /* 0, 1, 2, 4, 8, ... */
    size_t low = 0, high = rule->step_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rule->steps[middle] < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rule->step_count && rule->steps[low] == step;
}

int64_t dt_capture_rule_steps(const dt_capture_rule *rule, int64_t total)
{
    if (rule->to > 0 && rule->to < total)
        total = rule->to + 1;
    if (total <= rule->from)
        return 0;
    if (rule->every > 0) /* multiples below total, less those below from */
        return (total - 1) / rule->every - (rule->from + rule->every - 1) / rule->every + 1;
    int64_t count = 0;
    if (rule->steps_log) {
        count = within(rule, 0);
        for (int64_t step = 1; step < total; step *= 2) {
            count += within(rule, step);
            if (step > INT64_MAX / 2)
                break;
        }
        return count;
    }
    for (size_t i = 0; i < rule->step_count; i++)
        count += rule->steps[i] >= 0 && rule->steps[i] < total && within(rule, rule->steps[i]);
    return count;
}

int64_t dt_capture_rule_next(const dt_capture_rule *rule, int64_t step)
{
    int64_t next = step + 1 > rule->from ? step + 1 : rule->from;
    if (rule->every > 0) {
        next = dt_ceil_div(next, rule->every) * rule->every;
    } else if (rule->steps_log) {
        int64_t power = 0;
        while (power < next && power <= INT64_MAX / 2)
            power = power ? 2 * power : 1;
        next = power < next ? INT64_MAX : power;
    } else {
        size_t i = 0;
        while (i < rule->step_count && rule->steps[i] < next)
            i++;
        next = i < rule->step_count ? rule->steps[i] : INT64_MAX;
    }
    return rule->to > 0 && next > rule->to ? INT64_MAX : next;
}

static bool has_layer(const dt_capture_rule *rule, int64_t l)
{
    for (size_t i = 0; rule->layers && i < rule->layer_count; i++)
        if (rule->layers[i] == l)
            return true;
    return !rule->layers;
}

static dt_status check_rows(const dt_capture_rule *rule, int64_t rows, dt_error *error)
{
    for (int64_t i = 0; i < rule->sample_count; i++)
        if (rule->sample_rows[i] < 0 || rule->sample_rows[i] >= rows)
            return dt_fail(error, DT_INVALID,
                           "capture.%s.samples: row %" PRId64
                           " is not in the training set, which has rows 0 to %" PRId64 "; name some of those",
                           rule->name, rule->sample_rows[i], rows - 1);
    return DT_OK;
}

static dt_status check_layers(const dt_capture_rule *rule, int64_t layers, dt_error *error)
{
    for (size_t i = 0; i < rule->layer_count; i++)
        if (rule->layers[i] < 0 || rule->layers[i] > layers)
            return dt_fail(error, DT_INVALID, "capture.%s.layers: there is no layer %" PRId64 ", the last is %" PRId64,
                           rule->name, rule->layers[i], layers);
    return DT_OK;
}

/* Of the sizes up to `most`, the one that cuts `extent` into parts of which the last is fullest; of no more than `more`
 * parts beyond the fewest, and the largest such. */
static int64_t even(int64_t extent, int64_t most, int64_t more)
{
    const int64_t parts = (extent - 1) / most + 1;
    int64_t best = (extent - 1) / parts + 1;
    for (int64_t n = parts + 1; n - parts <= more && n <= extent; n++) {
        const int64_t size = (extent - 1) / n + 1;
        if ((size - extent % size) % size < (best - extent % best) % best)
            best = size;
    }
    return best;
}

/* The largest size up to `most` whose last part lacks no more than a part in 128 of the extent. */
static int64_t exact(int64_t extent, int64_t most)
{
    int64_t size = most;
    while ((size - extent % size) % size > extent / 128) /* 1 lacks nothing */
        size--;
    return size;
}

static int64_t parts_of(int64_t extent, int64_t size)
{
    return (extent - 1) / size + 1;
}

void dt_capture_set_cut(dt_capture_set *set, int64_t steps, int64_t most_steps)
{
    enum { TARGET = DT_CHUNK_MAX, LARGE = 1 << 20, SMALL = 64 << 10, STEPS = 64, SMALL_STEPS = 1024, PARTS = 8 };
    const bool matrix = set->shape == DT_SHAPE_MATRIX || set->shape == DT_SHAPE_PARTIAL_MATRIX;
    int64_t step = (int64_t)set->bytes, rows = set->inner ? set->inner : set->rows, columns = set->columns, count;
    count = step <= SMALL / STEPS ? dt_min(SMALL / step, SMALL_STEPS) : STEPS;
    count = dt_max(1, dt_min(count, dt_min(steps, most_steps)));
    if (step > TARGET / STEPS) { /* few steps make thin chunks: then fewer parts */
        int64_t parts = dt_max(1, dt_min(PARTS, count * step / SMALL));
        columns = dt_ceil_div(columns, parts);
        rows = matrix ? dt_ceil_div(rows, parts) : rows;
    }
    while (count * rows * columns * (int64_t)set->element > TARGET && count * columns * rows > 1) {
        bool may_cut_rows = matrix || (columns <= 8 && count <= 8);
        if (may_cut_rows && rows >= columns && rows >= count)
            rows = dt_ceil_div(rows, 2);
        else if (columns >= count && columns > 1)
            columns = dt_ceil_div(columns, 2);
        else if (count > 1)
            count = dt_ceil_div(count, 2);
        else
            rows = dt_ceil_div(rows, 2);
    }
    set->chunk_steps = steps <= 0      ? 1
                       : step >= LARGE ? exact(steps, count) /* what hangs over would be megabytes */
                                       : even(steps, count, dt_min(16, parts_of(steps, count) / 4));
    const int64_t extent = set->inner ? set->inner : set->rows;
    set->chunk_rows = even(extent, rows, parts_of(extent, rows));
    while (set->inner && set->inner % set->chunk_rows) /* a chunk is of one worker */
        set->chunk_rows--;
    set->chunk_columns = even(set->columns, columns, parts_of(set->columns, columns));
}

size_t dt_capture_set_block_bytes(const dt_capture_set *set)
{
    int64_t chunks = dt_ceil_div(set->rows, set->chunk_rows) * dt_ceil_div(set->columns, set->chunk_columns);
    return (size_t)(chunks * set->chunk_steps * set->chunk_rows * set->chunk_columns) * set->element;
}

/* Fills a set's sizes and appends it; false where it is larger than any memory. */
static bool add(dt_capture_layout *layout, dt_capture_set set)
{
    enum { LINE = DT_CACHE_LINE };
    size_t numbers, bytes;
    if (!dt_multiply((size_t)set.rows, (size_t)set.columns, &numbers) || !dt_multiply(numbers, set.element, &bytes) ||
        bytes > SIZE_MAX / 4096 || layout->slot_bytes > SIZE_MAX / 4096) /* so that 1024 steps can still be counted */
        return false;
    set.bytes = bytes;
    set.offset = layout->slot_bytes;
    layout->slot_bytes += (bytes + LINE - 1) / LINE * LINE;
    layout->step_bytes += bytes;
    layout->sets[layout->count++] = set;
    layout->copies_blocks |=
        set.source == DT_FROM_SLICES || set.source == DT_FROM_STATE || set.source == DT_FROM_PARTIALS;
    return true;
}

/* Appends a set of layer l (-1: of the rule) whose name is that of `name` and, where it is not NULL, `more`. */
static bool add_named(dt_capture_layout *layout, dt_capture_set set, int64_t l, const char *name, const char *more)
{
    set.layer = l;
    snprintf(set.name, sizeof set.name, "%s%s%s", name, more ? "_" : "", more ? more : "");
    if (set.rows == 0)
        set.rows = 1;
    if (set.columns == 0)
        set.columns = 1;
    if (set.element == 0)
        set.element = sizeof(double); /* int64_t, too */
    return add(layout, set);
}

/* W, dW and all that is shaped like them (and like b and db) in layer l. */
static dt_capture_set parameter_set(const dt_capture_layout *layout, dt_source_of source, dt_quantity quantity,
                                    int64_t l, int part)
{
    const bool matrix = quantity == DT_QUANTITY_W || quantity == DT_QUANTITY_DW;
    dt_capture_set set = {.shape = matrix ? DT_SHAPE_MATRIX : DT_SHAPE_VECTOR,
                          .source = source,
                          .quantity = quantity,
                          .part = part,
                          .rows = matrix ? layout->shown[l] : 1,
                          .columns = matrix ? layout->units[l - 1] : layout->shown[l],
                          .element = dt_precision_size(layout->precision)};
    if (source == DT_FROM_PARTIALS) {
        set.shape = matrix ? DT_SHAPE_PARTIAL_MATRIX : DT_SHAPE_PARTIAL_VECTOR;
        set.inner = set.rows;
        set.rows *= layout->groups;
    }
    return set;
}

static bool add_quantity(dt_capture_layout *layout, int64_t l, const dt_capture_item *item)
{
    if (item->quantity != DT_QUANTITY_Z && item->quantity != DT_QUANTITY_A && item->quantity != DT_QUANTITY_DELTA)
        return add_named(layout, parameter_set(layout, DT_FROM_SLICES, item->quantity, l, 0), l, item->name, NULL);
    return add_named(layout,
                     (dt_capture_set){.shape = DT_SHAPE_SAMPLES,
                                      .source = DT_FROM_SAMPLES,
                                      .quantity = item->quantity,
                                      .rows = layout->samples,
                                      .columns = layout->shown[l],
                                      .element = dt_precision_size(layout->precision)},
                     l, item->name, NULL);
}

static bool add_statistic(dt_capture_layout *layout, int64_t l, const dt_capture_item *item)
{
    dt_capture_set set = {.shape = item->per_unit ? DT_SHAPE_VECTOR : DT_SHAPE_SCALAR,
                          .source = DT_FROM_MOMENTS,
                          .quantity = item->quantity,
                          .item = item,
                          .columns = item->per_unit ? layout->shown[l] : 1};
    if (item->statistic == DT_STATISTIC_HISTOGRAM || item->statistic == DT_STATISTIC_LOG_HISTOGRAM) {
        set.shape = item->per_unit ? DT_SHAPE_UNIT_BINS : DT_SHAPE_BINS;
        set.integers = true;
        set.rows = set.columns;
        set.columns = dt_histogram_bins(&layout->rule->histogram, item->statistic);
    }
    return add_named(layout, set, l, item->name, NULL);
}

/* The estimate and its parts, of a layer or of all of them. */
static bool add_noise(dt_capture_layout *layout, int64_t l, bool shards)
{
    static const char *const names[DT_NOISE_PARTS] = {
        [DT_NOISE_SCALE] = "noise_scale",
        [DT_NOISE_GRADIENT] = "gradient_norm_squared",
        [DT_NOISE_TRACE] = "gradient_variance_trace",
    };
    bool fits = true;
    for (int part = 0; part < DT_NOISE_PARTS; part++)
        fits = fits && add_named(layout,
                                 (dt_capture_set){.shape = DT_SHAPE_SCALAR,
                                                  .source = DT_FROM_NOISE,
                                                  .part = part + (shards ? DT_NOISE_PARTS : 0)},
                                 l, names[part], shards ? "shards" : NULL);
    return fits;
}

static bool add_states(dt_capture_layout *layout, const dt_experiment *experiment, int64_t l)
{
    const char *name;
    bool fits = true;
    for (int i = 0; (name = dt_step_state_name(experiment, i)); i++)
        fits = fits && add_named(layout, parameter_set(layout, DT_FROM_STATE, DT_QUANTITY_W, l, i), l, name, "W") &&
               add_named(layout, parameter_set(layout, DT_FROM_STATE, DT_QUANTITY_B, l, i), l, name, "b");
    return fits;
}

/* What an extra adds to layer l, or to the rule where l is -1. */
static bool add_extra(dt_capture_layout *layout, const dt_experiment *experiment, int64_t l,
                      const dt_capture_item *item)
{
    const dt_capture_set of_samples = {.shape = DT_SHAPE_IDS, .columns = layout->samples, .part = (int)item->extra};
    dt_capture_set set = of_samples;
    switch (item->extra) {
    case DT_EXTRA_COST:
        set.source = DT_FROM_COSTS;
        return l >= 0 || add_named(layout, set, l, item->name, NULL);
    case DT_EXTRA_GRADIENT_NORM:
        set.source = DT_FROM_NORMS;
        return l >= 0 || add_named(layout, set, l, item->name, NULL);
    case DT_EXTRA_DW_NORM:
    case DT_EXTRA_DB_NORM:
        set.source = DT_FROM_NORMS;
        return l < 1 || add_named(layout, set, l, item->name, NULL);
    case DT_EXTRA_DW_PARTIAL:
        set = l < 1 ? set : parameter_set(layout, DT_FROM_PARTIALS, DT_QUANTITY_DW, l, 0);
        return l < 1 || add_named(layout, set, l, item->name, NULL);
    case DT_EXTRA_DB_PARTIAL:
        set = l < 1 ? set : parameter_set(layout, DT_FROM_PARTIALS, DT_QUANTITY_DB, l, 0);
        return l < 1 || add_named(layout, set, l, item->name, NULL);
    case DT_EXTRA_STATE:
        return l < 1 || add_states(layout, experiment, l);
    case DT_EXTRA_NOISE_SCALE:
    case DT_EXTRA_NOISE_SCALE_SHARDS:
        return l == 0 || add_noise(layout, l, item->extra == DT_EXTRA_NOISE_SCALE_SHARDS);
    case DT_EXTRAS:
        break;
    }
    return true;
}

/* Of layer l, or -1: of the rule itself. Layer 0 has the inputs `a`, and nothing else. */
static bool add_items(dt_capture_layout *layout, const dt_experiment *experiment, int64_t l)
{
    const dt_capture_item *item;
    bool fits = true;
    for (size_t i = 0; fits && (item = dt_capture_item_at(i)); i++) {
        if (!dt_capture_rule_has(layout->rule, item))
            continue;
        if (item->kind == DT_ITEM_EXTRA)
            fits = add_extra(layout, experiment, l, item);
        else if (l > 0 || (l == 0 && item->quantity == DT_QUANTITY_A))
            fits = item->kind == DT_ITEM_QUANTITY ? add_quantity(layout, l, item) : add_statistic(layout, l, item);
    }
    return fits;
}

static bool add_all(dt_capture_layout *layout, const dt_experiment *experiment)
{
    static const char *const names[] = {"step", "epoch", "sample_id"};
    bool fits = true;
    for (int i = 0; i < DT_SET_FIRST_QUANTITY; i++)
        fits = fits && add_named(layout,
                                 (dt_capture_set){.shape = i == DT_SET_SAMPLE_ID ? DT_SHAPE_IDS : DT_SHAPE_SCALAR,
                                                  .source = DT_FROM_INDEX,
                                                  .integers = true,
                                                  .columns = i == DT_SET_SAMPLE_ID ? layout->samples : 1},
                                 -1, names[i], NULL);
    for (int64_t l = -1; l <= layout->layers; l++) {
        if (l < 0 || has_layer(layout->rule, l))
            fits = fits && add_items(layout, experiment, l);
        layout->first_set[l + 1] = layout->count;
    }
    return fits;
}

/* How many sets there can be. */
static size_t most_sets(const dt_capture_layout *layout)
{
    size_t items = 0;
    while (dt_capture_item_at(items))
        items++;
    return DT_SET_FIRST_QUANTITY + (size_t)(layout->layers + 2) * (items + 2 * DT_NOISE_PARTS + 16);
}

/* Which units the rule shows of each layer. */
static dt_status choose_units(dt_capture_layout *layout, dt_error *error)
{
    const dt_capture_rule *rule = layout->rule;
    for (int64_t l = 0; l <= layout->layers; l++) {
        layout->shown[l] = layout->units[l];
        const bool inputs = rule->quantities >> DT_QUANTITY_A & 1u || rule->statistics[DT_QUANTITY_A];
        if (!rule->units || !has_layer(rule, l) || (l == 0 && !inputs))
            continue;
        layout->place[l] = dt_allocate((size_t)layout->units[l], sizeof *layout->place[l]);
        if (!layout->place[l])
            return dt_fail_memory(error, "the units of a capture");
        memset(layout->place[l], 0xff, (size_t)layout->units[l] * sizeof *layout->place[l]);
        layout->shown[l] = 0;
        for (size_t i = 0; i < rule->unit_count; i++)
            for (int64_t j = rule->units[i].first; j <= rule->units[i].last && j < layout->units[l]; j++)
                layout->place[l][j] = (int32_t)layout->shown[l]++;
        if (layout->shown[l] == 0)
            return dt_fail(error, DT_INVALID,
                           "capture.%s.units: layer %" PRId64 " has none of them, its units are 0 to %" PRId64
                           "; name some of those, or leave the layer out",
                           rule->name, l, layout->units[l] - 1);
    }
    return DT_OK;
}

/* The largest block of steps that the budget has room for. */
static void choose_chunks(dt_capture_layout *layout, uint64_t budget)
{
    for (int64_t most_steps = 1024;; most_steps /= 2) {
        layout->block_bytes = 0;
        for (size_t i = 0; i < layout->count; i++) {
            dt_capture_set_cut(&layout->sets[i], layout->steps, most_steps);
            layout->block_bytes += dt_capture_set_block_bytes(&layout->sets[i]);
        }
        if (layout->block_bytes <= budget || most_steps == 1)
            return;
    }
}

static int64_t sample_extent(const dt_experiment *experiment, const dt_capture_rule *rule, const dt_trainer_info *info)
{
    int64_t batch = dt_min(experiment->training.batch_size, info->train_rows);
    switch (rule->samples) {
    case DT_SAMPLES_FIRST:
        return dt_min(rule->sample_count, batch);
    case DT_SAMPLES_ROWS:
        return rule->sample_count;
    case DT_SAMPLES_BATCH:
        break;
    }
    return batch;
}

/* What the run can't show. */
static dt_status check_asked(const dt_experiment *experiment, const dt_capture_layout *layout,
                             const dt_trainer_info *info, dt_error *error)
{
    const dt_capture_rule *rule = layout->rule;
    const unsigned partial = 1u << DT_EXTRA_DW_PARTIAL | 1u << DT_EXTRA_DB_PARTIAL;
    if (rule->extras & partial && (info->bytes_of_buffers == 0 || info->groups < 2))
        return dt_fail(
            error, DT_INVALID,
            "capture.%s.quantities: there are no partial gradients: the reduction %s of %" PRId64
            " workers keeps no buffers%s; set parallel.reduction to tree and parallel.threads to 2 or more%s",
            rule->name, info->reduction, info->workers, info->workers > 1 && info->groups == 1 ? " of one group" : "",
            info->groups < info->workers ? ", and parallel.groups to as many" : "");
    if (rule->extras >> DT_EXTRA_STATE & 1u && !dt_step_state_name(experiment, 0))
        return dt_fail(error, DT_INVALID,
                       "capture.%s.quantities: the optimizer %s keeps no state with these settings (sgd does with "
                       "momentum above 0); remove state",
                       rule->name, experiment->optimizer.name);
    return DT_OK;
}

static dt_status check(const dt_experiment *experiment, const dt_capture_rule *rule, const dt_trainer_info *info,
                       int64_t samples, dt_error *error)
{
    /* With validation_fraction the trainer has split the data set; rows are still those of the whole. */
    int64_t rows = info->train_rows + (experiment->data.validation_fraction > 0 ? info->validation_rows : 0);
    if (info->layers < 1 || info->layers > DT_LAYERS_MAX)
        return dt_fail(error, DT_INVALID, "capture.%s: %" PRId64 " layers, where 1 to %d are possible", rule->name,
                       info->layers, DT_LAYERS_MAX);
    if (samples < 1)
        return dt_fail(error, DT_INVALID, "capture.%s.samples: must be at least 1", rule->name);
    dt_status status = check_layers(rule, info->layers, error);
    return status == DT_OK && rule->samples == DT_SAMPLES_ROWS ? check_rows(rule, rows, error) : status;
}

dt_status dt_capture_layout_init(dt_capture_layout *layout, const dt_experiment *experiment,
                                 const dt_trainer_info *info, const int64_t *units, size_t rule, uint64_t budget,
                                 dt_error *error)
{
    *layout = (dt_capture_layout){
        .rule = &experiment->capture[rule], .precision = experiment->precision, .layers = info->layers};
    layout->samples = sample_extent(experiment, layout->rule, info);
    dt_status status = check(experiment, layout->rule, info, layout->samples, error);
    if (status != DT_OK)
        return status;

    memcpy(layout->units, units, (size_t)(info->layers + 1) * sizeof *units);
    status = choose_units(layout, error);
    if (status == DT_OK)
        status = check_asked(experiment, layout, info, error);
    if (status != DT_OK)
        return status;
    layout->workers = info->workers;
    layout->groups = info->groups;
    layout->batch = dt_min(experiment->training.batch_size, info->train_rows);
    layout->shard_size = info->shard_size;
    int64_t total;
    if (__builtin_mul_overflow(info->steps_per_epoch, experiment->training.epochs, &total))
        return dt_fail(error, DT_INVALID, "training.epochs: more steps than can be counted; choose fewer epochs");
    layout->steps = dt_capture_rule_steps(layout->rule, total);

    layout->sets = dt_allocate_zeroed(most_sets(layout), sizeof *layout->sets);
    if (!layout->sets)
        return dt_fail_memory(error, "the layout of a capture");
    if (!add_all(layout, experiment))
        return dt_fail(error, DT_INVALID,
                       "capture.%s: one step is larger than any memory; capture fewer samples, layers or quantities",
                       layout->rule->name);
    if (layout->count == DT_SET_FIRST_QUANTITY)
        return dt_fail(error, DT_INVALID, "capture.%s: captures nothing; layer 0 has the inputs `a` alone",
                       layout->rule->name);
    choose_chunks(layout, budget);
    layout->slots = (size_t)dt_max(2, dt_min(DT_SLOTS_MAX, (int64_t)(budget / layout->slot_bytes)));
    return DT_OK;
}

void dt_capture_layout_clear(dt_capture_layout *layout)
{
    for (int64_t l = 0; l <= DT_LAYERS_MAX; l++) {
        dt_release(layout->place[l]);
        layout->place[l] = NULL;
    }
    dt_release(layout->sets);
    layout->sets = NULL;
    layout->count = 0;
}
