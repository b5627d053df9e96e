/* The network of an experiment file: a finished run's, without its data; and the weights that training begins with. */
#ifndef DT_CLI_NETWORK_H
#define DT_CLI_NETWORK_H

#include "cli/config.h"
#include "deltoid/interchange.h"

typedef struct dt_network {
    dt_trainer *trainer;
    dt_dataset *stand_in; /* its training set: one row of zeros */
} dt_network;

/* The trainer of `config`, whose experiment loses what only training needs, with the weights of `model`. Close also
 * after a failure. */
dt_status dt_network_open(dt_network *network, dt_config *config, int64_t features, const char *model, dt_error *error);
void dt_network_close(dt_network *network);

/* What z^L is made into for the reader, by the cost that the network was trained with. */
dt_output dt_network_output(const char *loss);

/* Reads initial_weights and layers' files, where the experiment has them, into a new trainer. Failures are reported at
 * the key. */
dt_status dt_network_begin(dt_trainer *trainer, const dt_config *config, dt_error *error);

#endif
