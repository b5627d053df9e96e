/* From an experiment to its file: every default spelt out, in the order of the table in train/keys.c. Reading it back
 * gives the same experiment, and writing that the same text.
 */
#ifndef DT_CLI_EMIT_H
#define DT_CLI_EMIT_H

#include "cli/text.h"
#include "deltoid/experiment.h"

void dt_emit_experiment(dt_text *text, const dt_experiment *experiment);

/* The value of one key, as the file spells it. */
struct dt_key;
void dt_emit_value(dt_text *text, const struct dt_key *key, const void *base);

#endif
