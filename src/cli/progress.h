/* Progress of a training: an observer that prints.
 *
 * A line an epoch goes to standard output, or with `json` an object an epoch. While an epoch runs, and where standard
 * error is a terminal, one line there is drawn again about ten times a second; it is erased before anything else is
 * printed.
 */
#ifndef DT_CLI_PROGRESS_H
#define DT_CLI_PROGRESS_H

#include <stdbool.h>

#include "deltoid/observer.h"
#include "deltoid/trainer.h"

typedef struct dt_progress {
    bool quiet, json, redraws;
    int64_t epochs, steps_per_epoch, rows;
    double start, epoch_start, drawn; /* seconds on a steady clock */
    double loss;                      /* running mean of the minibatches' */
    int64_t done;                     /* steps */
    bool line;                        /* is drawn at this moment */
    dt_epoch_report last;             /* epoch 0: none yet */
} dt_progress;

void dt_progress_start(dt_progress *progress, const dt_trainer *trainer, bool json, bool quiet);
dt_observer dt_progress_observer(dt_progress *progress);

/* Erases the redrawn line. */
void dt_progress_end(dt_progress *progress);

#endif
