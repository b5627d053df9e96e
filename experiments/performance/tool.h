/* What the C programs that run.sh measures share: arguments, Fashion-MNIST's files, and the protocol.
 *
 * A tool loads its data once, says `ready NAME=VALUE ...` on stdout, then answers lines on stdin until `quit` or the
 * end of the input:
 *
 *     go N         trains on about N minibatches (N > 0; a whole number but for tools that learn sample by sample)
 *                  -> done seconds=S samples=K
 *     accuracy E   trains E epochs from the initial weights on, then evaluates the test set
 *                  -> accuracy value=A
 *
 * What goes wrong is a line `error ...`; a tool that can't run here says `missing ...` in place of `ready` and ends.
 */
#ifndef PERFORMANCE_TOOL_H
#define PERFORMANCE_TOOL_H

#include <stdint.h>

#include "deltoid/dataset.h"
#include "deltoid/status.h"

enum { TOOL_LAYERS_MAX = 64 };

typedef struct tool_arguments {
    const char *data;                   /* folder with train-images-idx3-ubyte and the other three, or their .gz */
    int64_t units[TOOL_LAYERS_MAX + 1]; /* of layers 0 .. layers */
    int64_t layers;                     /* L */
    int64_t batch_size;
    const char *activation; /* of layers 1 .. L-1 */
    const char *init;       /* of all layers */
    double learning_rate;
    uint64_t seed;
    int64_t threads;       /* 0: as many as the tool thinks right for the processors it may use */
    int64_t shard_size;    /* deltoid's own; 0: auto */
    const char *reduction; /* deltoid's own, */
    int64_t groups;        /* and this; 0: auto */
} tool_arguments;

/* --units 784,128,10 --batch 32 ... On stderr what is wrong, and false. */
bool tool_parse(tool_arguments *arguments, int count, char **words);

/* Opens the training ("train") or test ("t10k") set in the folder; fails where its inputs are not units[0]. */
dt_status tool_open(dt_dataset **dataset, const tool_arguments *arguments, const char *set, dt_error *error);

/* Wall-clock time, from some point on. */
double tool_seconds(void);

/* What a tool does; `self` is its own. */
typedef struct tool_work {
    void *self;
    dt_status (*train)(void *self, double minibatches, int64_t *samples, dt_error *error);
    dt_status (*accuracy)(void *self, int64_t epochs, double *accuracy, dt_error *error);
} tool_work;

/* Answers stdin. Returns the exit status. */
int tool_serve(const tool_work *work);

#endif
