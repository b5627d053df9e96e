/* The tables of all rooms, as entries. The names are the same in every precision and instruction set: they are read
 * from the generic float32 variant. */
#define DT_PRECISION 32

#include "deltoid/tables.h"

#include <string.h>

#include "base/names.h"
#include "data/synthetic.h"
#include "deltoid/dataset.h"
#include "nn/activation.h"
#include "nn/initializer.h"
#include "nn/loss.h"
#include "nn/own.h"
#include "parallel/reduction.h"
#include "train/metric.h"
#include "train/optimizer.h"
#include "train/schedule.h"

static const dt_entry *activation_entry(size_t i)
{
    if (i < DT_ACTIVATION_COUNT)
        return &dt_activations_f32_generic[i].entry;
    const dt_own_activation *own = dt_own_activation_at(i - DT_ACTIVATION_COUNT);
    return own ? &own->entry : NULL;
}

static const dt_entry *loss_entry(size_t i)
{
    if (i < DT_LOSS_COUNT)
        return &dt_losses_f32_generic[i].entry;
    const dt_own_loss *own = dt_own_loss_at(i - DT_LOSS_COUNT);
    return own ? &own->entry : NULL;
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

static const dt_entry *metric_entry(size_t i)
{
    const dt_metric *metric = dt_metric_at(i);
    return metric ? &metric->entry : NULL;
}

static const struct {
    const char *name;
    const dt_entry *(*at)(size_t i);
} tables[] = {
    [DT_ACTIVATIONS] = {"activation", activation_entry},
    [DT_LOSSES] = {"loss", loss_entry},
    [DT_INITIALIZERS] = {"initializer", initializer_entry},
    [DT_OPTIMIZERS] = {"optimizer", optimizer_entry},
    [DT_SCHEDULES] = {"schedule", schedule_entry},
    [DT_REDUCTIONS] = {"reduction", reduction_entry},
    [DT_FORMATS] = {"data format", format_entry},
    [DT_GENERATORS] = {"generator", dt_generator_at},
    [DT_METRICS] = {"metric", metric_entry},
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

/* What the functions that a program's own cost has can take; there is no threshold to ask it for. */
static const dt_loss_traits *own_traits(const dt_own_loss *own)
{
    enum { CLASSES = 1u << DT_TARGETS_CLASSES, TARGETS = 1u << DT_TARGETS_REGRESSION | 1u << DT_TARGETS_MULTILABEL };
    static const dt_loss_traits traits[] = {{CLASSES, 0, 0, 0}, {TARGETS, 0, 0, 0}, {CLASSES | TARGETS, 0, 0, 0}};
    return &traits[own->cost_of_targets ? 1 + (own->cost != NULL) : 0];
}

const dt_loss_traits *dt_loss_traits_of(const char *name)
{
    size_t i;
    if (dt_table_find(DT_LOSSES, name, &i, NULL) != DT_OK)
        return NULL;
    return i < DT_LOSS_COUNT ? &dt_losses_f32_generic[i].traits : own_traits(dt_own_loss_at(i - DT_LOSS_COUNT));
}

/* --- a program's own --- */

static bool is_name(const char *name)
{
    const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return length > 0 && length <= 64 && !name[length];
}

static dt_status check_own(dt_table table, const dt_entry *entry, bool whole, dt_error *error)
{
    size_t index;
    const char *what = dt_table_name(table);
    if (!entry->name || !is_name(entry->name))
        return dt_fail(error, DT_INVALID, "'%.80s' can't name %s %s: use up to 64 letters, digits and '_'",
                       entry->name ? entry->name : "", table == DT_ACTIVATIONS ? "an" : "a", what);
    if (!whole || !entry->formula || !entry->note)
        return dt_fail(error, DT_INVALID, "%s '%s': give all its functions, a formula and a note", what, entry->name);
    if (dt_table_find(table, entry->name, &index, NULL) == DT_OK)
        return dt_fail(error, DT_EXISTS, "%s '%s' exists already; choose another name", what, entry->name);
    return DT_OK;
}

static dt_status no_room(dt_table table, dt_error *error)
{
    return dt_fail(error, DT_INVALID, "no room for another %s: %d are registered", dt_table_name(table), DT_OWN_MAX);
}

dt_status dt_activation_register(const dt_own_activation *own, dt_error *error)
{
    dt_status status = check_own(DT_ACTIVATIONS, &own->entry, own->value && own->derivative, error);
    if (status != DT_OK)
        return status;
    return dt_own_activation_add(own) ? DT_OK : no_room(DT_ACTIVATIONS, error);
}

dt_status dt_loss_register(const dt_own_loss *own, dt_error *error)
{
    dt_status status = check_own(DT_LOSSES, &own->entry, own->cost || own->cost_of_targets, error);
    if (status != DT_OK)
        return status;
    return dt_own_loss_add(own) ? DT_OK : no_room(DT_LOSSES, error);
}
