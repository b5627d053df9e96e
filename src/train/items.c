/* What `quantities:` of a capture rule can name. To add a statistic, name it in deltoid/experiment.h, in SOME or ALL
 * below, and say in record/statistics.c how its number is made. */
#include "deltoid/experiment.h"

#define STATISTIC(id, letter, statistic_, word)                                                                        \
    {.name = letter "_" word, .kind = DT_ITEM_STATISTIC, .quantity = id, .statistic = statistic_},
#define PER_UNIT(id, letter, statistic_, word)                                                                         \
    {.name = letter "_" word "_per_unit",                                                                              \
     .kind = DT_ITEM_STATISTIC,                                                                                        \
     .quantity = id,                                                                                                   \
     .statistic = statistic_,                                                                                          \
     .per_unit = true},

/* The statistics of any numbers. */
#define MOMENTS(X, id, letter)                                                                                         \
    X(id, letter, DT_STATISTIC_MEAN, "mean")                                                                           \
    X(id, letter, DT_STATISTIC_STD, "std")                                                                             \
    X(id, letter, DT_STATISTIC_MIN, "min")                                                                             \
    X(id, letter, DT_STATISTIC_MAX, "max")                                                                             \
    X(id, letter, DT_STATISTIC_ABSMAX, "absmax")                                                                       \
    X(id, letter, DT_STATISTIC_ZEROS, "zeros")                                                                         \
    X(id, letter, DT_STATISTIC_NORM, "norm")
#define HISTOGRAMS(X, id, letter)                                                                                      \
    X(id, letter, DT_STATISTIC_HISTOGRAM, "histogram")                                                                 \
    X(id, letter, DT_STATISTIC_LOG_HISTOGRAM, "log_histogram")
#define LAYER(id, letter) MOMENTS(STATISTIC, id, letter) HISTOGRAMS(STATISTIC, id, letter)
#define UNITS(id, letter) MOMENTS(PER_UNIT, id, letter) HISTOGRAMS(PER_UNIT, id, letter)

static const dt_capture_item items[] = {
#define QUANTITY(id, letter) {.name = letter, .kind = DT_ITEM_QUANTITY, .quantity = id},
#define EXTRA(id, word)      {.name = word, .kind = DT_ITEM_EXTRA, .extra = id},
    DT_QUANTITY_LIST(QUANTITY) DT_EXTRA_LIST(EXTRA)

        LAYER(DT_QUANTITY_W, "W") STATISTIC(DT_QUANTITY_W, "W", DT_STATISTIC_UPDATE_RATIO, "update_ratio")
            LAYER(DT_QUANTITY_B, "b") STATISTIC(DT_QUANTITY_B, "b", DT_STATISTIC_UPDATE_RATIO, "update_ratio")
                LAYER(DT_QUANTITY_Z, "z") LAYER(DT_QUANTITY_A, "a") LAYER(DT_QUANTITY_DELTA, "delta")
                    LAYER(DT_QUANTITY_DW, "dW") STATISTIC(DT_QUANTITY_DW, "dW", DT_STATISTIC_COSINE, "cosine")
                        LAYER(DT_QUANTITY_DB, "db") STATISTIC(DT_QUANTITY_DB, "db", DT_STATISTIC_COSINE, "cosine")

    /* A unit has one b and one db: nothing to sum up. */
    UNITS(DT_QUANTITY_W, "W") UNITS(DT_QUANTITY_Z, "z") UNITS(DT_QUANTITY_A, "a") UNITS(DT_QUANTITY_DELTA, "delta")
        UNITS(DT_QUANTITY_DW, "dW")};

const dt_capture_item *dt_capture_item_at(size_t i)
{
    return i < sizeof items / sizeof *items ? &items[i] : NULL;
}

static uint32_t bit_of(const dt_capture_item *item)
{
    return (uint32_t)1 << (item->statistic + (item->per_unit ? DT_PER_UNIT_SHIFT : 0));
}

bool dt_capture_rule_has(const dt_capture_rule *rule, const dt_capture_item *item)
{
    switch (item->kind) {
    case DT_ITEM_QUANTITY:
        return rule->quantities >> item->quantity & 1u;
    case DT_ITEM_EXTRA:
        return rule->extras >> item->extra & 1u;
    case DT_ITEM_STATISTIC:
        break;
    }
    return rule->statistics[item->quantity] & bit_of(item);
}

void dt_capture_rule_add(dt_capture_rule *rule, const dt_capture_item *item)
{
    switch (item->kind) {
    case DT_ITEM_QUANTITY:
        rule->quantities |= 1u << item->quantity;
        break;
    case DT_ITEM_EXTRA:
        rule->extras |= 1u << item->extra;
        break;
    case DT_ITEM_STATISTIC:
        rule->statistics[item->quantity] |= bit_of(item);
        break;
    }
}
