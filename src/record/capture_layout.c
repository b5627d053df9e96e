#include "record/capture_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/split.h"
#include "deltoid/record.h"

/* To capture another quantity: its name in dt_quantity (experiment.h), how a step shows it (observer.h), and a line
 * here. */
static const char parameter_scaling[] = "none: the parameter itself";
static const char sample_scaling[] = "none: one sample's value";
static const char gradient_scaling[] = "mean over the minibatch's B samples: 1/B is in it; no regulariser's gradient";

static const dt_quantity_facts facts[DT_QUANTITIES] = {
    [DT_QUANTITY_W] = {.shape = DT_SHAPE_MATRIX,
                       .long_name = "weights, before the step's update",
                       .equation = "(1) z^l_j = sum_k w^l_jk a^{l-1}_k + b^l_j",
                       .scaling = parameter_scaling},
    [DT_QUANTITY_B] = {.shape = DT_SHAPE_VECTOR,
                       .long_name = "biases, before the step's update",
                       .equation = "(1) z^l_j = sum_k w^l_jk a^{l-1}_k + b^l_j",
                       .scaling = parameter_scaling},
    [DT_QUANTITY_Z] = {.shape = DT_SHAPE_SAMPLES,
                       .long_name = "weighted inputs of the units",
                       .equation = "(1) z^l_j = sum_k w^l_jk a^{l-1}_k + b^l_j",
                       .scaling = sample_scaling},
    [DT_QUANTITY_A] = {.shape = DT_SHAPE_SAMPLES,
                       .long_name = "activations of the units",
                       .equation = "(2) a^l_j = sigma(z^l_j)",
                       .scaling = sample_scaling,
                       .last_long_name = "outputs of the network: a^L is z^L, which the cost sees",
                       .last_equation = "(2) a^L_j = z^L_j"},
    [DT_QUANTITY_DELTA] = {.shape = DT_SHAPE_SAMPLES,
                           .long_name = "derivative of the sample's cost by z",
                           .equation = "(4) delta^l_j = sigma'(z^l_j) * (delta^{l+1})^T w^{l+1}_{.j}",
                           .scaling = "dC_i/dz of the sample's own cost C_i, without 1/B",
                           .last_equation = "(3) delta^L_j = dC/dz^L_j"},
    [DT_QUANTITY_DW] = {.shape = DT_SHAPE_MATRIX,
                        .long_name = "gradient of the minibatch's mean cost by the weights",
                        .equation = "(5) dC/dw^l_jk = delta^l_j a^{l-1}_k",
                        .scaling = gradient_scaling},
    [DT_QUANTITY_DB] = {.shape = DT_SHAPE_VECTOR,
                        .long_name = "gradient of the minibatch's mean cost by the biases",
                        .equation = "(6) dC/db^l_j = delta^l_j",
                        .scaling = gradient_scaling},
};

const dt_quantity_facts *dt_quantity_facts_of(dt_quantity quantity)
{
    return &facts[quantity];
}

bool dt_capture_rule_watches(const dt_capture_rule *rule, int64_t step)
{
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
    if (total == 0)
        return 0;
    if (rule->every > 0)
        return (total - 1) / rule->every + 1;
    int64_t count = 0;
    if (rule->steps_log) {
        count = 1;
        for (int64_t step = 1; step < total; step *= 2) {
            count++;
            if (step > INT64_MAX / 2)
                break;
        }
        return count;
    }
    for (size_t i = 0; i < rule->step_count; i++)
        count += rule->steps[i] >= 0 && rule->steps[i] < total;
    return count;
}

/* Layer 0 has inputs x, and nothing else. */
static bool captures(const dt_capture_rule *rule, int64_t l, dt_quantity quantity)
{
    if (!(rule->quantities >> quantity & 1u) || (l == 0 && quantity != DT_QUANTITY_A))
        return false;
    if (!rule->layers)
        return true;
    for (size_t i = 0; i < rule->layer_count; i++)
        if (rule->layers[i] == l)
            return true;
    return false;
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

/* The largest size up to `most` that cuts `extent` into equal parts; where that would take more than twice the parts,
 * into parts of which only the last is shorter. */
static int64_t even(int64_t extent, int64_t most)
{
    int64_t parts = dt_ceil_div(extent, most);
    for (int64_t n = parts; n <= 2 * parts && n <= extent; n++)
        if (extent % n == 0)
            return extent / n;
    return dt_ceil_div(extent, parts);
}

void dt_capture_set_cut(dt_capture_set *set, int64_t steps, int64_t most_steps)
{
    enum { TARGET = DT_CHUNK_MAX, SMALL = 64 << 10, STEPS = 64, SMALL_STEPS = 1024, PARTS = 8 };
    int64_t step = (int64_t)set->bytes, rows = set->rows, columns = set->columns, count;
    count = step <= SMALL / STEPS ? dt_min(SMALL / step, SMALL_STEPS) : STEPS;
    count = dt_max(1, dt_min(count, dt_min(steps, most_steps)));
    if (step > TARGET / STEPS) { /* few steps make thin chunks: then fewer parts */
        int64_t parts = dt_max(1, dt_min(PARTS, count * step / SMALL));
        columns = dt_ceil_div(columns, parts);
        rows = set->shape == DT_SHAPE_MATRIX ? dt_ceil_div(rows, parts) : rows;
    }
    while (count * rows * columns * (int64_t)set->element > TARGET && count * columns * rows > 1) {
        bool may_cut_rows = set->shape == DT_SHAPE_MATRIX || (columns <= 8 && count <= 8);
        if (may_cut_rows && rows >= columns && rows >= count)
            rows = dt_ceil_div(rows, 2);
        else if (columns >= count && columns > 1)
            columns = dt_ceil_div(columns, 2);
        else if (count > 1)
            count = dt_ceil_div(count, 2);
        else
            rows = dt_ceil_div(rows, 2);
    }
    set->chunk_steps = steps > 0 ? (steps - 1) / ((steps - 1) / count + 1) + 1 : 1; /* even, for any int64_t */
    set->chunk_rows = even(set->rows, rows);
    set->chunk_columns = even(set->columns, columns);
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
    return true;
}

static dt_capture_set quantity_set(const dt_capture_layout *layout, int64_t l, dt_quantity quantity)
{
    dt_capture_set set = {.shape = facts[quantity].shape,
                          .quantity = quantity,
                          .layer = l,
                          .name = dt_quantity_name(quantity),
                          .rows = 1,
                          .columns = layout->units[l],
                          .element = dt_precision_size(layout->precision)};
    if (set.shape == DT_SHAPE_SAMPLES)
        set.rows = layout->samples;
    if (set.shape == DT_SHAPE_MATRIX) {
        set.rows = layout->units[l];
        set.columns = layout->units[l - 1];
    }
    return set;
}

static bool add_all(dt_capture_layout *layout)
{
    static const char *const names[] = {"step", "epoch", "sample_id"};
    bool fits = true;
    for (int i = 0; i < DT_SET_FIRST_QUANTITY; i++)
        fits = fits && add(layout, (dt_capture_set){.shape = i == DT_SET_SAMPLE_ID ? DT_SHAPE_IDS : DT_SHAPE_SCALAR,
                                                    .layer = -1,
                                                    .name = names[i],
                                                    .rows = 1,
                                                    .columns = i == DT_SET_SAMPLE_ID ? layout->samples : 1,
                                                    .element = sizeof(int64_t)});
    for (int64_t l = 0; l <= layout->layers; l++)
        for (int q = 0; q < DT_QUANTITIES; q++)
            if (captures(layout->rule, l, (dt_quantity)q))
                fits = fits && add(layout, quantity_set(layout, l, (dt_quantity)q));
    return fits;
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
    int64_t total;
    if (__builtin_mul_overflow(info->steps_per_epoch, experiment->training.epochs, &total))
        return dt_fail(error, DT_INVALID, "training.epochs: more steps than can be counted; choose fewer epochs");
    layout->steps = dt_capture_rule_steps(layout->rule, total);

    size_t most = DT_SET_FIRST_QUANTITY + (size_t)(info->layers + 1) * DT_QUANTITIES;
    layout->sets = dt_allocate_zeroed(most, sizeof *layout->sets);
    if (!layout->sets)
        return dt_fail_memory(error, "the layout of a capture");
    if (!add_all(layout))
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
    dt_release(layout->sets);
    layout->sets = NULL;
    layout->count = 0;
}

/* The numbers of a rule's dimension scales: sample, and each layer's unit and input. */
static uint64_t axes_bytes(const dt_capture_layout *layout)
{
    uint64_t numbers = (uint64_t)layout->samples;
    for (int64_t l = 0; l <= layout->layers; l++) {
        bool unit = false, input = false;
        for (size_t i = DT_SET_FIRST_QUANTITY; i < layout->count; i++)
            if (layout->sets[i].layer == l) {
                unit = true;
                input |= layout->sets[i].shape == DT_SHAPE_MATRIX;
            }
        numbers += (unit ? (uint64_t)layout->units[l] : 0) + (input ? (uint64_t)layout->units[l - 1] : 0);
    }
    return numbers * sizeof(int64_t);
}

/* How many segments a run of unknown length will make of so many bytes: a fast one ends soon, and a slow one's are
 * no smaller than is worth their tree. */
static uint64_t segments(const dt_capture_layout *layout, uint64_t bytes)
{
    enum { LEAST = 4, MOST = 64 };
    uint64_t worth = 2 * (uint64_t)layout->count * DT_SEGMENT_SET_BYTES * DT_SEGMENT_WORTH;
    return dt_min(MOST, dt_max(LEAST, (int64_t)(bytes / worth)));
}

/* What a rule takes of the files: whole chunks, the dimension scales, and what HDF5 1.10 was seen to keep of a data set
 * in the index (headers, attributes) and in each segment, and of each further chunk. False where it overflows. */
static bool file_bytes(const dt_capture_layout *layout, uint64_t *bytes)
{
    enum { OF_A_SET = 5 << 10, OF_A_MAP = 100, OF_A_CHUNK = 60 };
    *bytes = axes_bytes(layout);
    for (size_t i = 0; i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        uint64_t blocks = layout->steps > 0 ? (uint64_t)((layout->steps - 1) / set->chunk_steps) + 1 : 0, block, all;
        block = (uint64_t)(dt_ceil_div(set->rows, set->chunk_rows) * dt_ceil_div(set->columns, set->chunk_columns)) *
                    OF_A_CHUNK +
                dt_capture_set_block_bytes(set);
        if (__builtin_mul_overflow(blocks, block, &all) || __builtin_add_overflow(*bytes, all, bytes) ||
            __builtin_add_overflow(*bytes, OF_A_SET, bytes))
            return false;
    }
    uint64_t trees = segments(layout, *bytes) * layout->count * (DT_SEGMENT_SET_BYTES + OF_A_MAP);
    return !__builtin_add_overflow(*bytes, trees, bytes);
}

dt_status dt_capture_predict(const dt_experiment *experiment, const dt_trainer_info *info, const int64_t *units,
                             int rule, dt_capture_size *size, dt_error *error)
{
    size_t first = rule < 0 ? 0 : (size_t)rule, last = rule < 0 ? experiment->capture_count : first + 1;
    enum { OF_A_FILE = 8 << 10 }; /* its own header, the experiment's text, the provenance */
    *size = (dt_capture_size){.file_bytes = OF_A_FILE};
    if (last > experiment->capture_count)
        return dt_fail(error, DT_INVALID, "there is no capture rule %d; the experiment has %zu", rule,
                       experiment->capture_count);
    for (size_t i = first; i < last; i++) {
        dt_capture_layout layout;
        uint64_t budget = DT_CAPTURE_MEMORY / experiment->capture_count, bytes = 0, whole = 0;
        dt_status status = dt_capture_layout_init(&layout, experiment, info, units, i, budget, error);
        bool fits = status == DT_OK && !__builtin_mul_overflow(layout.step_bytes, (uint64_t)layout.steps, &bytes) &&
                    !__builtin_add_overflow(size->bytes, bytes, &size->bytes) && file_bytes(&layout, &whole) &&
                    !__builtin_add_overflow(size->file_bytes, whole, &size->file_bytes) &&
                    !__builtin_add_overflow(size->steps, layout.steps, &size->steps);
        if (fits) {
            size->step_bytes += layout.step_bytes;
            size->memory_bytes += layout.block_bytes + (uint64_t)layout.slots * layout.slot_bytes;
        }
        dt_capture_layout_clear(&layout);
        if (status != DT_OK)
            return status;
        if (!fits)
            return dt_fail(error, DT_INVALID, "capture.%s: the run would write more than any disk holds; capture less",
                           experiment->capture[i].name);
    }
    return DT_OK;
}

/* --- the budget --- */

enum { ITEMS = 3 };

typedef struct item {
    double bytes;
    char name[DT_CAPTURE_ITEM];
} item;

/* Keeps the largest, in descending order. */
static void keep_item(item items[ITEMS], const item *one)
{
    for (int i = 0; i < ITEMS; i++)
        if (one->bytes > items[i].bytes) {
            memmove(&items[i + 1], &items[i], (size_t)(ITEMS - 1 - i) * sizeof *items);
            items[i] = *one;
            return;
        }
}

static void keep_items(item items[ITEMS], const dt_capture_layout *layout)
{
    for (size_t i = 0; i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        item one = {.bytes = (double)set->bytes * (double)layout->steps};
        if (set->layer < 0)
            snprintf(one.name, sizeof one.name, "%s/%s", layout->rule->name, set->name);
        else
            snprintf(one.name, sizeof one.name, "%s/layer%02" PRId64 "/%s", layout->rule->name, set->layer, set->name);
        keep_item(items, &one);
    }
}

/* "1.5 GiB" */
static const char *bytes_text(double bytes, char text[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t u = 0;
    for (; bytes >= 1024 && u + 1 < sizeof units / sizeof *units; u++)
        bytes /= 1024;
    snprintf(text, 32, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return text;
}

dt_status dt_capture_check_budget(const dt_experiment *experiment, const dt_trainer_info *info, const int64_t *units,
                                  dt_error *error)
{
    dt_capture_size size;
    item items[ITEMS] = {{0}};
    char all[32], budget[32], list[ITEMS * (DT_CAPTURE_ITEM + 40)] = "", text[32];
    dt_status status = dt_capture_predict(experiment, info, units, -1, &size, error);
    if (status != DT_OK || !experiment->capture_budget || size.file_bytes <= (uint64_t)experiment->capture_budget)
        return status;
    for (size_t r = 0; r < experiment->capture_count; r++) {
        dt_capture_layout layout;
        status = dt_capture_layout_init(&layout, experiment, info, units, r,
                                        DT_CAPTURE_MEMORY / experiment->capture_count, error);
        if (status == DT_OK)
            keep_items(items, &layout);
        dt_capture_layout_clear(&layout);
        if (status != DT_OK)
            return status;
    }
    for (int i = 0; i < ITEMS && items[i].bytes > 0; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s %s", i ? ", " : "", items[i].name,
                 bytes_text(items[i].bytes, text));
    }
    return dt_fail(error, DT_INVALID,
                   "capture_budget: the capture would take %s, and %s is allowed; largest are %s; capture less, or "
                   "allow more",
                   bytes_text((double)size.file_bytes, all), bytes_text((double)experiment->capture_budget, budget),
                   list);
}
