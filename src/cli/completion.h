/* Shell completion: commands, their options, topics of help, and key=value. */
#ifndef DT_CLI_COMPLETION_H
#define DT_CLI_COMPLETION_H

#include "cli/text.h"

void dt_completion_bash(dt_text *text);
void dt_completion_zsh(dt_text *text);
void dt_completion_fish(dt_text *text);

#endif
