/* Fuzzes what weights are read from: model.h5, checkpoints and archives of NumPy. A network of 16 inputs, 5 units and 3
 * gets all of its weights, or none, with a refusal. */
#define _XOPEN_SOURCE 700 /* mkstemp, mkdtemp */
#include "deltoid/deltoid.h"
#include "fuzz.h"

enum { INPUTS = 16, UNITS = 5, CLASSES = 3, ROWS = 4 };

static dt_trainer *make_trainer(void)
{
    static const uint8_t inputs[ROWS * INPUTS];
    static const int32_t labels[ROWS] = {0, 1, 2, 0};
    static const dt_dataset rows = {
        .rows = ROWS, .features = INPUTS, .classes = CLASSES, .element = DT_U8, .inputs = inputs, .labels = labels};
    static dt_layer_spec layers[] = {{.units = UNITS, .activation = "tanh", .init = "glorot_uniform"},
                                     {.units = CLASSES, .activation = "linear", .init = "glorot_uniform"}};
    static dt_experiment e;
    dt_trainer *trainer;
    dt_experiment_init(&e);
    e.name = "fuzz";
    e.data.format = "idx";
    e.network = layers;
    e.layer_count = 2;
    e.loss = "cross_entropy";
    e.optimizer.momentum = 0.9;
    e.training.batch_size = ROWS;
    e.parallel.threads = 1;
    check(dt_trainer_create(&trainer, &e, &(dt_trainer_data){.train = &rows}, NULL) == DT_OK);
    return trainer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const memory_file file = memory_file_make(data, size);
    dt_trainer *trainer = make_trainer();
    char before[65], after[65];
    dt_transform *transform = NULL;
    dt_checkpoint *checkpoint = NULL;
    int64_t number;
    dt_error errors[6] = {{0}};
    check(dt_trainer_weights_sha256(trainer, before, NULL) == DT_OK);

    dt_status status = dt_weights_read(file.path, trainer, &errors[0]);
    check(dt_trainer_weights_sha256(trainer, after, NULL) == DT_OK);
    if (status != DT_OK) {
        check_refusal(status, &errors[0]);
        check(strcmp(before, after) == 0);
    }
    if ((status = dt_model_read(file.path, trainer, &errors[1])) != DT_OK)
        check_refusal(status, &errors[1]);
    if ((status = dt_checkpoint_open(&checkpoint, file.path, trainer, &errors[2])) != DT_OK)
        check_refusal(status, &errors[2]);
    else if ((status = dt_checkpoint_restore(checkpoint, trainer, &errors[2])) != DT_OK)
        check_refusal(status, &errors[2]);
    dt_checkpoint_close(checkpoint);
    if ((status = dt_model_read_transform(file.path, &transform, &errors[3])) != DT_OK)
        check_refusal(status, &errors[3]);
    dt_transform_destroy(transform);
    if ((status = dt_model_features(file.path, &number, &errors[4])) != DT_OK)
        check_refusal(status, &errors[4]);
    if ((status = dt_checkpoint_step(file.path, &number, &errors[5])) != DT_OK)
        check_refusal(status, &errors[5]);
    dt_trainer_destroy(trainer);
    memory_file_drop(&file);
    return 0;
}
