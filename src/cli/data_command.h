/* deltoid data: what its sub-commands share. */
#ifndef DT_CLI_DATA_COMMAND_H
#define DT_CLI_DATA_COMMAND_H

#include "cli/command.h"
#include "cli/config.h"
#include "data/columns.h"
#include "deltoid/dataset.h"

/* A file of data, opened as the training set of an experiment that says nothing else. */
typedef struct dt_data_file {
    const char *path, *labels, *format;
    dt_config config; /* of the data keys that were given */
    dt_dataset *dataset;
    dt_columns columns; /* where it is a table */
    const char **names; /* (features) of inputs: the table's, or x0, x1, ...; in the columns' arena */
} dt_data_file;

dt_status dt_data_info(const dt_data_file *file, const dt_arguments *arguments, dt_error *error);
dt_status dt_data_convert(const dt_data_file *file, const dt_arguments *arguments, dt_error *error);

#endif
