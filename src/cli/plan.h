/* What a run will do and take, for --dry-run. */
#ifndef DT_CLI_PLAN_H
#define DT_CLI_PLAN_H

#include <stdbool.h>

#include "cli/config.h"
#include "deltoid/trainer.h"

/* Prints to standard output; nothing is made. `quiet`: everything is worked out, nothing printed. */
dt_status dt_plan_print(const dt_config *config, const dt_trainer_data *data, bool json, bool quiet, dt_error *error);

#endif
