/* The data sets that an experiment file names. */
#ifndef DT_CLI_DATA_H
#define DT_CLI_DATA_H

#include "cli/config.h"
#include "deltoid/dataset.h"
#include "deltoid/trainer.h"

/* Opens one of them: NULL without an error where the experiment names none. `like` is the training set's transform,
 * NULL for the training set itself. A file that isn't there is reported at the key that names it. */
dt_status dt_data_open(dt_dataset **dataset, const dt_config *config, dt_data_part part, const dt_transform *like,
                       dt_error *error);

/* All of them; dt_data_close also after a failure. */
typedef struct dt_data {
    dt_dataset *train, *test, *validation;
} dt_data;

dt_status dt_data_open_all(dt_data *data, const dt_config *config, dt_error *error);
void dt_data_close(dt_data *data);
dt_trainer_data dt_data_view(const dt_data *data);

#endif
