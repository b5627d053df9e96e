/* deltoid scale compare A B */
#ifndef DT_CLI_SCALE_COMPARE_H
#define DT_CLI_SCALE_COMPARE_H

#include "cli/command.h"

dt_status dt_scale_compare(const dt_arguments *arguments, dt_error *error);

#endif
