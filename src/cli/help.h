/* What help, manual pages and completion tell alike. */
#ifndef DT_CLI_HELP_H
#define DT_CLI_HELP_H

#include <stddef.h>

#include "cli/text.h"
#include "train/keys.h"

/* The i-th exit status and its meaning, NULL past the last. */
const char *dt_help_status(size_t i, const char **meaning);

/* The i-th topic that isn't a command, NULL past the last. */
const char *dt_help_topic(size_t i, const char **summary);

/* "required", "default: 0.01" */
void dt_help_default(dt_text *text, const dt_key *key);

/* An experiment file, as an example. */
extern const char dt_help_example[];

#endif
