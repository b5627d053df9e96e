/* How a run's gradients are added, in words: for --dry-run, the first lines of a run and its last. */
#ifndef DT_CLI_STRATEGY_H
#define DT_CLI_STRATEGY_H

#include <stdbool.h>

#include "cli/text.h"
#include "deltoid/trainer.h"

/* "tree", "split (auto: 51 us a step by a model: ...)", "tree, 1 group of 4 workers", "atomic: not reproducible, ..."
 */
void dt_strategy_add(dt_text *text, const dt_trainer_info *info);

/* Is there more to say of it than its name? */
bool dt_strategy_is_special(const dt_trainer_info *info);

#endif
