/* Weights from and to other programs: NumPy archives (PyTorch, Keras, JAX), ONNX. */
#ifndef DELTOID_INTERCHANGE_H
#define DELTOID_INTERCHANGE_H

#include "dataset.h"
#include "status.h"
#include "trainer.h"

#pragma GCC visibility push(default)

/* Fills the trainer's weights from a file, all of them or, after a failure, none:
 *
 * - a model.h5 or a checkpoint, of the experiment's precision;
 * - a NumPy archive (.npz), whose numbers are converted to it, with arrays named by one of these conventions:
 *
 *       layer01.W (unit, input), layer01.b (unit), layer02.W, ...      as dt_export_npz writes them
 *       0.weight (unit, input), 0.bias (unit), 2.weight, ...           PyTorch's state_dict, any name before .weight
 *       dense/kernel (input, unit), dense/bias (unit), ...             Keras, any name before /kernel or .kernel
 *
 *   Of the last two the order of the weights in the file is that of the layers, as numpy.savez keeps it.
 *
 * DT_NOT_FOUND, DT_INVALID (another number of layers, other shapes: the message has both), DT_MALFORMED,
 * DT_UNSUPPORTED, DT_IO, DT_NO_MEMORY. A hostile file is refused, not trusted. */
dt_status dt_weights_read(const char *path, dt_trainer *trainer, dt_error *error);

/* What the experiment begins with beside drawn weights, read into a new trainer: all of initial_weights, and each layer
 * whose initializer is "file". Such a layer's W (unit, input), or (input, unit) where its name ends in "kernel", and
 * its b (unit) come from a .npz, a .npy (W alone) or an HDF5 file. Without either nothing is done.
 *
 * The message begins with the key, "network.0.init: "; else as dt_weights_read, but after a failure some layers may
 * have been read. */
dt_status dt_weights_begin(dt_trainer *trainer, dt_error *error);

/* The i-th file that these are read from, NULL past the last; *layer is the one it is for, 0 for all. */
const char *dt_weights_file(const dt_experiment *experiment, size_t i, int64_t *layer);

/* Writes the network as FILE.npz: layer01.W (unit, input), layer01.b (unit), ... in the experiment's precision, stored
 * unpacked with CRC-32 (zip64). A new file: DT_EXISTS where there is one; whole or not at all. */
dt_status dt_export_npz(const char *path, const dt_trainer *trainer, dt_error *error);

typedef enum dt_output { DT_OUTPUT_SCORES, DT_OUTPUT_SOFTMAX, DT_OUTPUT_SIGMOID } dt_output;

typedef struct dt_onnx_options {
    const dt_transform *transform; /* of the training set, as model.h5 has it; NULL: inputs are scaled alone */
    dt_output output;              /* z^L, or what it is made into */
    const char *experiment_sha256; /* for the file's metadata */
} dt_onnx_options;

/* Writes the network as an ONNX model (opset 13, IR version 7): from `inputs` (sample, input), as the data files have
 * them, through Mul by data.scale (or Sub and Mul by the transform), for each layer Gemm and its activation, to
 * `outputs` (sample, unit of layer L). Numbers are of the experiment's precision throughout. Metadata:
 * experiment_sha256, weights_sha256, loss, precision.
 *
 * DT_UNSUPPORTED for an activation that has no form in ONNX (one of the program's own), and for 2 GiB of weights, more
 * than Protocol Buffers hold. A new file, as above. */
dt_status dt_export_onnx(const char *path, const dt_trainer *trainer, const dt_onnx_options *options, dt_error *error);

/* Inputs of layer 1 in a model.h5 or a checkpoint, for a trainer to be made that it fits. */
dt_status dt_model_features(const char *path, int64_t *features, dt_error *error);

#pragma GCC visibility pop

#endif
