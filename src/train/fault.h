/* Where a step that diverged went wrong first. Compiled in both precisions. */
#ifndef DT_TRAIN_FAULT_H
#define DT_TRAIN_FAULT_H

#include "train/engine.h"
#include "train/pass.h"

/* Goes through the minibatch once more, alone, and looks at every number in the order of the derivation. Costs a good
 * step nothing: it is called after a loss that is not finite, before any weight has changed. */
#define dt_pass_find_fault DT_R(dt_pass_find_fault)
void dt_pass_find_fault(dt_pass *pass, const dt_run *run, const int64_t *sample, int64_t batch, dt_fault *fault);

#endif
