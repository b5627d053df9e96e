/* Small networks on made-up data, for tests that train. */
#ifndef DT_TESTS_SMALL_H
#define DT_TESTS_SMALL_H

#include <stdint.h>

#include "base/philox.h"
#include "deltoid/deltoid.h"

enum { SMALL_LAYERS_MAX = 8, SMALL_ROWS_MAX = 256, SMALL_FEATURES_MAX = 64 };

/* An experiment with its data: rows x features uniform in (-1, 1), labels uniform. */
typedef struct small {
    dt_experiment experiment;
    dt_layer_spec layers[SMALL_LAYERS_MAX];
    dt_dataset data;
    double inputs[SMALL_ROWS_MAX * SMALL_FEATURES_MAX];
    int32_t labels[SMALL_ROWS_MAX];
    double targets[SMALL_ROWS_MAX * SMALL_FEATURES_MAX];
} small;

/* units[0 .. layers]: features, then the layers'. Everything else is a default that the caller changes. */
static inline void small_make(small *s, uint64_t seed, int64_t rows, const int64_t *units, int64_t layers,
                              const char *activation)
{
    dt_experiment *e = &s->experiment;
    dt_experiment_init(e);
    e->name = "small";
    e->seed = seed;
    e->loss = "cross_entropy";
    e->data.train = (dt_source){.inputs = "made-up", .labels = "made-up"};
    e->network = s->layers;
    e->layer_count = (size_t)layers;
    for (int64_t l = 1; l <= layers; l++)
        s->layers[l - 1] = (dt_layer_spec){
            .units = units[l], .activation = l < layers ? activation : "linear", .init = "glorot_normal"};
    for (int64_t i = 0; i < rows * units[0]; i++)
        s->inputs[i] = 2 * dt_uniform01(dt_philox(seed, DT_FOR_TEST, 0, (uint64_t)i).u[0]) - 1;
    for (int64_t i = 0; i < rows; i++)
        s->labels[i] =
            (int32_t)dt_uniform_below(dt_philox(seed, DT_FOR_TEST, 1, (uint64_t)i).u[0], (uint64_t)units[layers]);
    s->data = (dt_dataset){.rows = rows,
                           .features = units[0],
                           .classes = units[layers],
                           .element = DT_F64,
                           .inputs = s->inputs,
                           .labels = s->labels};
}

/* Targets in place of the labels, in (0, 1): for several labels, half of them 0 or 1. */
static inline void small_targets(small *s, dt_targets kind)
{
    const int64_t outputs = s->layers[s->experiment.layer_count - 1].units;
    for (int64_t i = 0; i < s->data.rows * outputs; i++) {
        const dt_random128 r = dt_philox(s->experiment.seed, DT_FOR_TEST, 2, (uint64_t)i);
        const double t = dt_uniform01(r.u[0]);
        s->targets[i] = kind == DT_TARGETS_MULTILABEL && r.u[1] % 2 ? (double)(t < 0.5) : t;
    }
    s->data.labels = NULL;
    s->data.classes = 0;
    s->data.kind = kind;
    s->data.outputs = outputs;
    s->data.targets = s->targets;
}

/* Options of the cost that are none of the defaults; weights for each of `units` classes. */
static inline dt_loss_options small_options(int64_t units)
{
    static const double weights[SMALL_FEATURES_MAX] = {
        0.5,  2, 1,   0.25, 3, 1.5, 0.75, 1, 2.5, 0.5,  2, 1,   0.25, 3, 1.5, 0.75, 1, 2.5, 0.5,  2, 1,   0.25, 3, 1.5,
        0.75, 1, 2.5, 0.5,  2, 1,   0.25, 3, 1.5, 0.75, 1, 2.5, 0.5,  2, 1,   0.25, 3, 1.5, 0.75, 1, 2.5, 0.5,  2, 1,
        0.25, 3, 1.5, 0.75, 1, 2.5, 0.5,  2, 1,   0.25, 3, 1.5, 0.75, 1, 2.5, 1};
    return (dt_loss_options){.margin = 0.625,
                             .delta = 0.375,
                             .label_smoothing = 0.125,
                             .class_weights = weights,
                             .class_weight_count = (size_t)units};
}

static inline dt_trainer_data small_data(const small *s)
{
    return (dt_trainer_data){.train = &s->data};
}

#endif
