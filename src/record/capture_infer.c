#include "record/capture_infer.h"

#include <stdio.h>
#include <string.h>

#include "base/split.h"
#include "deltoid/record.h"
#include "record/capture_tree.h"

/* "/probe/layer01/dW" as rule "probe", layer 1, "dW"; false for what is no layer's. */
static bool read_name(const char *set, char rule[DT_DATASET_NAME], int64_t *l, const char **leaf)
{
    int n = 0;
    char layer[3] = "";
    *leaf = strrchr(set, '/') + 1;
    if (sscanf(set, "/%64[^/]/layer%2[0-9]/%n", rule, layer, &n) != 2 || n == 0 || set + n != *leaf)
        return false;
    *l = (layer[0] - '0') * 10 + layer[1] - '0';
    return true;
}

static bool ends(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* The smallest layer of which the rule shows so many units. */
static int64_t units_that_show(const dt_capture_rule *rule, int64_t shown)
{
    int64_t units = shown;
    for (size_t i = 0; rule->units && i < rule->unit_count; i++) {
        const int64_t these = rule->units[i].last - rule->units[i].first + 1, some = dt_min(shown, these);
        shown -= some;
        units = some > 0 ? rule->units[i].first + some : units;
    }
    return units;
}

/* Units of layer 0 by the data sets, whichever tells: matrices of layer 1 by their columns, a^0 and its statistics by
 * the units that the rule shows. 1 where none does, and none needs it. */
static int64_t inputs_of(const dt_capture_reader *reader, const dt_experiment *e)
{
    const dt_capture_dataset *set;
    int64_t shown = 1;
    for (size_t i = 0; (set = dt_capture_reader_at(reader, i)); i++) {
        char rule[DT_DATASET_NAME];
        const char *leaf;
        int64_t l;
        if (!read_name(set->name, rule, &l, &leaf) || l > 1)
            continue;
        if (l == 1 && set->rank == 4)
            return set->size[3];
        if (l == 1 && set->rank == 3 && (strcmp(leaf, "W") == 0 || strcmp(leaf, "dW") == 0 || ends(leaf, "_W")))
            return set->size[2];
        const bool of_units = strcmp(leaf, "a") == 0 || ends(leaf, "_per_unit");
        for (size_t k = 0; l == 0 && of_units && k < e->capture_count; k++)
            if (strcmp(e->capture[k].name, rule) == 0)
                shown = dt_max(shown, units_that_show(&e->capture[k], strcmp(leaf, "a") == 0 ? set->size[set->rank - 1]
                                                                                             : set->size[1]));
    }
    return shown;
}

/* Workers of the run by a rule's partial gradients; 1 where there are none. */
static int64_t workers_of(const dt_capture_reader *reader, const char *wanted)
{
    const dt_capture_dataset *set;
    for (size_t i = 0; (set = dt_capture_reader_at(reader, i)); i++) {
        char rule[DT_DATASET_NAME];
        const char *leaf;
        int64_t l;
        if (read_name(set->name, rule, &l, &leaf) && strcmp(rule, wanted) == 0 && ends(leaf, "_partial") &&
            set->rank >= 3)
            return set->size[1];
    }
    return 1;
}

/* The layout that wrote the segments of rule i: from the experiment, and from them what the experiment alone does not
 * tell. */
static dt_status make_layout(dt_capture_layout *layout, const dt_capture_reader *reader, const dt_experiment *e,
                             size_t i, const int64_t *units, dt_error *error)
{
    const uint64_t budget = DT_CAPTURE_MEMORY / e->capture_count;
    char name[DT_DATASET_NAME];
    snprintf(name, sizeof name, "/%.100s/sample_id", e->capture[i].name);
    const dt_capture_dataset *ids = dt_capture_reader_find(reader, name);
    dt_trainer_info info = {.layers = (int64_t)e->layer_count,
                            .features = units[0],
                            .workers = workers_of(reader, e->capture[i].name),
                            .groups = workers_of(reader, e->capture[i].name),
                            .bytes_of_buffers = 1,
                            .shard_size = 1,
                            .train_rows = INT64_C(1) << 40,
                            .steps_per_epoch = 1,
                            .reduction = ""};
    dt_status status = dt_capture_layout_init(layout, e, &info, units, i, budget, error);
    if (status != DT_OK || !ids || ids->rank != 2 || layout->samples == ids->size[1])
        return status;
    dt_capture_layout_clear(layout); /* a training set smaller than the minibatch */
    info.train_rows = dt_max(1, ids->size[1]);
    return dt_capture_layout_init(layout, e, &info, units, i, budget, error);
}

/* Each set of the layout is that of the segments, where they have the rule. */
static dt_status check_layout(const dt_capture_reader *reader, const char *run, const dt_capture_layout *layout,
                              dt_error *error)
{
    for (size_t i = 0; i < layout->count; i++) {
        char name[DT_CAPTURE_PATH];
        hsize_t box[DT_CAPTURE_RANK];
        const dt_capture_set *set = &layout->sets[i];
        dt_capture_set_path(layout, set, name);
        const dt_capture_dataset *found = dt_capture_reader_find(reader, name);
        const int rank = dt_capture_set_box(set, 0, set->rows, set->columns, box);
        bool same = found && found->rank == rank;
        for (int d = 1; same && d < rank; d++)
            same = found->size[d] == (int64_t)box[d];
        if (!found && i == DT_SET_STEP)
            return DT_OK;
        if (!same)
            return dt_fail(error, DT_MALFORMED,
                           "%s: %s is not what its experiment captures, so no index can be made; put the run's own "
                           "experiment.yaml back, or write what there is with --out",
                           run, name);
    }
    return DT_OK;
}

dt_status dt_capture_infer_layouts(const dt_capture_reader *reader, const dt_experiment *e, const char *run,
                                   dt_capture_layout *layouts, size_t room, size_t *count, dt_error *error)
{
    int64_t units[DT_LAYERS_MAX + 1];
    *count = 0;
    if (e->layer_count > DT_LAYERS_MAX || e->capture_count > room || e->capture_count == 0)
        return dt_fail(error, DT_INVALID, "%s: its experiment captures nothing", run);
    units[0] = inputs_of(reader, e);
    for (size_t l = 1; l <= e->layer_count; l++)
        units[l] = e->network[l - 1].units;
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && i < e->capture_count; i++) {
        *count = i + 1;
        status = make_layout(&layouts[i], reader, e, i, units, error);
        if (status == DT_OK)
            status = check_layout(reader, run, &layouts[i], error);
    }
    return status;
}
