/* The tables of all rooms, as entries. The names are the same in every precision and instruction set: they are read
 * from the generic float32 variant. */
#define DT_PRECISION 32

#include "deltoid/tables.h"

#include <string.h>

#include "base/names.h"
#include "deltoid/dataset.h"
#include "nn/activation.h"
#include "nn/initializer.h"
#include "nn/loss.h"
#include "parallel/reduction.h"
#include "train/optimizer.h"
#include "train/schedule.h"

static const dt_entry *activation_entry(size_t i)
{
    return i < DT_ACTIVATION_COUNT ? &dt_activations_f32_generic[i].entry : NULL;
}

static const dt_entry *loss_entry(size_t i)
{
    return i < DT_LOSS_COUNT ? &dt_losses_f32_generic[i].entry : NULL;
}

static const dt_entry *initializer_entry(size_t i)
{
    const dt_initializer *initializer = dt_initializer_at(i);
    return initializer ? &initializer->entry : NULL;
}

static const dt_entry *optimizer_entry(size_t i)
{
    return i < DT_OPTIMIZER_COUNT ? &dt_optimizers_f32_generic[i].entry : NULL;
}

static const dt_entry *schedule_entry(size_t i)
{
    const dt_schedule *schedule = dt_schedule_at(i);
    return schedule ? &schedule->entry : NULL;
}

static const dt_entry *reduction_entry(size_t i)
{
    const dt_reduction *reduction = dt_reduction_at(i);
    return reduction ? &reduction->entry : NULL;
}

static const dt_entry *format_entry(size_t i)
{
    const dt_format *format = dt_format_at(i);
    return format ? &format->entry : NULL;
}

static const struct {
    const char *name;
    const dt_entry *(*at)(size_t i);
} tables[] = {
    [DT_ACTIVATIONS] = {"activation", activation_entry},    [DT_LOSSES] = {"loss", loss_entry},
    [DT_INITIALIZERS] = {"initializer", initializer_entry}, [DT_OPTIMIZERS] = {"optimizer", optimizer_entry},
    [DT_SCHEDULES] = {"schedule", schedule_entry},          [DT_REDUCTIONS] = {"reduction", reduction_entry},
    [DT_FORMATS] = {"data format", format_entry},
};

const char *dt_table_name(dt_table table)
{
    return tables[table].name;
}

const dt_entry *dt_table_at(dt_table table, size_t i)
{
    return tables[table].at(i);
}

static const char *name_at(const void *context, size_t i)
{
    const dt_entry *entry = dt_table_at(*(const dt_table *)context, i);
    return entry ? entry->name : NULL;
}

dt_status dt_table_find(dt_table table, const char *name, size_t *index, dt_error *error)
{
    const dt_entry *entry;
    for (size_t i = 0; (entry = dt_table_at(table, i)); i++)
        if (strcmp(entry->name, name) == 0) {
            *index = i;
            return DT_OK;
        }
    return dt_fail_unknown(error, dt_table_name(table), name, name_at, &table);
}
