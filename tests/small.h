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
    e->data.train = (dt_source){"made-up", "made-up"};
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

static inline dt_trainer_data small_data(const small *s)
{
    return (dt_trainer_data){.train = &s->data};
}

#endif
