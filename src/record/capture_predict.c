/* What a capture will take of the disk and of memory, before it begins; and the budget that it is held against. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/split.h"
#include "deltoid/record.h"
#include "record/capture_layout.h"
#include "record/statistics.h"

/* The numbers of a rule's dimension scales: sample, and each layer's unit and input; those of bins are few. */
static uint64_t axes_bytes(const dt_capture_layout *layout)
{
    uint64_t numbers = (uint64_t)layout->samples;
    for (int64_t l = 0; l <= layout->layers; l++) {
        bool unit = false, input = false;
        for (size_t i = DT_SET_FIRST_QUANTITY; i < layout->count; i++)
            if (layout->sets[i].layer == l) {
                unit = true;
                input |= layout->sets[i].shape == DT_SHAPE_MATRIX || layout->sets[i].shape == DT_SHAPE_PARTIAL_MATRIX;
            }
        numbers += (unit ? (uint64_t)layout->shown[l] : 0) + (input ? (uint64_t)layout->units[l - 1] : 0);
    }
    return numbers * sizeof(int64_t);
}

/* How many segments a run of unknown speed will make of so many bytes: a fast one ends soon, and a slow one's are no
 * smaller than is worth their tree. In the middle of both it errs by a part in 2 DT_SEGMENT_WORTH at most. */
static uint64_t segments(const dt_capture_layout *layout, uint64_t bytes)
{
    uint64_t worth = (uint64_t)layout->count * DT_SEGMENT_SET_BYTES * DT_SEGMENT_WORTH, count = 1;
    for (uint64_t steps = 1; steps * layout->step_bytes < (worth < bytes ? worth : bytes); steps *= DT_SEGMENT_GROWS)
        count++; /* the short ones at the beginning */
    return bytes / (2 * worth) + count;
}

/* What a rule takes of the files: its numbers, in whole chunks of rows and columns (segments cut their steps evenly),
 * the dimension scales, and what HDF5 1.10 was seen to keep of a data set in the index (headers, attributes) and in
 * each segment, and of each further chunk. False where it overflows. */
static bool file_bytes(const dt_capture_layout *layout, uint64_t *bytes)
{
    enum { OF_A_SET = 2400, OF_A_MAP = 100, OF_A_CHUNK = 60 };
    const uint64_t steps = (uint64_t)layout->steps;
    *bytes = axes_bytes(layout);
    for (size_t i = 0; i < layout->count; i++) {
        const dt_capture_set *set = &layout->sets[i];
        const uint64_t count = (uint64_t)set->chunk_steps, blocks = steps > 0 ? (steps - 1) / count + 1 : 0;
        const uint64_t chunks =
            (uint64_t)(dt_ceil_div(set->rows, set->chunk_rows) * dt_ceil_div(set->columns, set->chunk_columns));
        uint64_t numbers, kept;
        if (__builtin_mul_overflow(steps, dt_capture_set_block_bytes(set) / count, &numbers) ||
            __builtin_mul_overflow(blocks, chunks * OF_A_CHUNK, &kept) ||
            __builtin_add_overflow(*bytes, numbers, bytes) || __builtin_add_overflow(*bytes, kept, bytes) ||
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
        size_t statistics = 0;
        if (status == DT_OK)
            status = dt_statistics_measure(&layout, &statistics, error);
        bool fits = status == DT_OK && !__builtin_mul_overflow(layout.step_bytes, (uint64_t)layout.steps, &bytes) &&
                    !__builtin_add_overflow(size->bytes, bytes, &size->bytes) && file_bytes(&layout, &whole) &&
                    !__builtin_add_overflow(size->file_bytes, whole, &size->file_bytes) &&
                    !__builtin_add_overflow(size->steps, layout.steps, &size->steps);
        if (fits) {
            size->step_bytes += layout.step_bytes;
            size->memory_bytes += layout.block_bytes + (uint64_t)layout.slots * layout.slot_bytes + statistics;
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
