/* An experiment file, read: with the command line's changes, the defaults, and everything checked that can be without
 * the data. */
#ifndef DT_CLI_CONFIG_H
#define DT_CLI_CONFIG_H

#include "cli/node.h"
#include "deltoid/experiment.h"

typedef struct dt_config {
    dt_experiment experiment;
    const dt_node *root; /* for places in messages; in the experiment's arena, as all the rest */
    char *text;          /* the resolved experiment: what --print-config prints and a run folder keeps */
    size_t text_size;
} dt_config;

/* Reads `file` and applies the overrides in their order. On success the caller clears. Errors begin with
 * FILE:LINE:COLUMN or with "command line: key '...'". */
dt_status dt_config_open(dt_config *config, const char *file, const char *const *overrides, size_t override_count,
                         dt_error *error);

/* The same from memory: `label` is what messages call the text, and file names in it are relative to `folder`. */
dt_status dt_config_parse(dt_config *config, const char *text, size_t size, const char *label, const char *folder,
                          const char *const *overrides, size_t override_count, dt_error *error);

void dt_config_clear(dt_config *config);

/* Puts the place of a key ("data.train.inputs") before a message; leaves it as it is where the file has no such key. */
void dt_config_place(const dt_config *config, const char *path, dt_error *error);

/* First 12 hexadecimal digits of the SHA-256 of the text: names run folders. */
void dt_config_hash(const dt_config *config, char hash[13]);

#endif
