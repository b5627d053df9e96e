/* A trainer's weights, one array after the other, for the writers of other programs' formats. */
#ifndef DT_RECORD_LAYER_WEIGHTS_H
#define DT_RECORD_LAYER_WEIGHTS_H

#include "deltoid/trainer.h"

#define DT_WEIGHTS_W "layer%02d.W"
#define DT_WEIGHTS_B "layer%02d.b"

typedef struct dt_layer_weights {
    const dt_trainer *trainer;
    int64_t l;   /* whose numbers lie in the room; 0: none */
    void *W, *b; /* room for the largest layer */
} dt_layer_weights;

/* Array i = 0, 1, ... of W^1, b^1, W^2, b^2, ... */
typedef struct dt_weights_array {
    char name[24]; /* layer01.W, (unit, input); layer01.b, (unit) */
    int rank;
    int64_t size[2];
    size_t bytes; /* in the experiment's precision */
} dt_weights_array;

/* Close also after a failure. DT_NO_MEMORY. */
dt_status dt_layer_weights_open(dt_layer_weights *weights, const dt_trainer *trainer, dt_error *error);
void dt_layer_weights_close(dt_layer_weights *weights);

/* False past the last. */
bool dt_weights_array_at(const dt_trainer *trainer, int i, dt_weights_array *array);

/* Its numbers, borrowed until the next call. */
const void *dt_layer_weights_numbers(dt_layer_weights *weights, int i);

#endif
