#include "train/keys.h"

#include <stdio.h>
#include <string.h>

#define EXPERIMENT(field) .of = DT_OF_EXPERIMENT, .offset = offsetof(dt_experiment, field)
#define LAYER(field)      .of = DT_OF_LAYER, .offset = offsetof(dt_layer_spec, field)
#define LOSS(field)       .of = DT_OF_EXPERIMENT, .offset = offsetof(dt_experiment, loss_options.field)
#define RULE(field)       .of = DT_OF_RULE, .offset = offsetof(dt_capture_rule, field)

#define MOMENTS     "adam adamw nadam lamb"
#define REGULARISED "sgd adagrad adadelta rmsprop adam adamw nadam lamb lars"
#define WARMED      "constant step multi_step exponential cosine polynomial reduce_on_plateau"

/* In the order in which a resolved experiment is written. Keys of one section stand together. */
static const dt_key keys[] = {
    {"name", DT_KEY_NAME, EXPERIMENT(name), .text = "the file's name without its ending",
     .help = "Names the folder under results/."},
    {"seed", DT_KEY_SEED, EXPERIMENT(seed), .number = 1,
     .help = "Decides the initial weights, the order of the minibatches and the validation split."},
    {"precision", DT_KEY_PRECISION, EXPERIMENT(precision), .text = "float32", .help = "Of every number in training."},
    {"initial_weights", DT_KEY_FILE, EXPERIMENT(initial_weights),
     .help =
         "Weights to begin with in place of drawn ones: a model.h5, a checkpoint, or a .npz with layer01.W, layer01.b, "
         "..., PyTorch's 0.weight, 0.bias, ... or Keras' dense/kernel, dense/bias, ..."},

    {"data.format", DT_KEY_ENTRY, EXPERIMENT(data.format), .table = DT_FORMATS, .required = true,
     .help = "What the files are."},
    {"data.train.file", DT_KEY_FILE, EXPERIMENT(data.train.file), .only = "csv libsvm hdf5 npy", .needed = "csv libsvm",
     .required = true, .help = "Training rows; of hdf5 and npy the file in which inputs and labels name arrays."},
    {"data.train.inputs", DT_KEY_FILE, EXPERIMENT(data.train.inputs), .only = "idx hdf5 npy", .required = true,
     .help = "Training inputs."},
    {"data.train.labels", DT_KEY_FILE, EXPERIMENT(data.train.labels), .only = "idx hdf5 npy", .required = true,
     .help = "Training labels."},
    {"data.test.file", DT_KEY_FILE, EXPERIMENT(data.test.file), .only = "csv libsvm hdf5 npy", .needed = "csv libsvm",
     .required_in = true, .help = "Test rows; of hdf5 and npy the file in which inputs and labels name arrays."},
    {"data.test.inputs", DT_KEY_FILE, EXPERIMENT(data.test.inputs), .only = "idx hdf5 npy", .required_in = true,
     .help = "Test inputs: evaluated after each epoch, never trained on."},
    {"data.test.labels", DT_KEY_FILE, EXPERIMENT(data.test.labels), .only = "idx hdf5 npy", .required_in = true,
     .help = "Test labels."},
    {"data.validation.file", DT_KEY_FILE, EXPERIMENT(data.validation.file), .only = "csv libsvm hdf5 npy",
     .help = "Validation rows; of hdf5 and npy the file in which inputs and labels name arrays."},
    {"data.validation.inputs", DT_KEY_FILE, EXPERIMENT(data.validation.inputs), .only = "idx hdf5 npy",
     .help = "Validation inputs."},
    {"data.validation.labels", DT_KEY_FILE, EXPERIMENT(data.validation.labels), .only = "idx hdf5 npy",
     .help = "Validation labels."},
    {"data.validation.fraction", DT_KEY_REAL, EXPERIMENT(data.validation_fraction), .high = 1, .high_open = true,
     .help = "In place of files: this share of the training rows, drawn by the seed. 0: none."},
    {"data.scale", DT_KEY_REAL, EXPERIMENT(data.scale), .low = 1e-30, .high = 1e30, .number = 1,
     .help = "x <- scale * x."},
    {"data.noise", DT_KEY_REAL, EXPERIMENT(data.noise), .high = 1e30,
     .help = "Deviation of normal noise that each training step adds to its inputs. Drawn by the seed."},
    {"data.targets", DT_KEY_TARGETS, EXPERIMENT(data.targets), .text = "classes",
     .help = "What labels are: one class a row, numbers to fit, or zeros and ones of which any number may be 1."},
    {"data.standardize", DT_KEY_BOOL, EXPERIMENT(data.standardize),
     .help = "Each input to mean 0 and deviation 1 over the training rows, a constant one to 0."},
    {"data.min_max", DT_KEY_BOOL, EXPERIMENT(data.min_max),
     .help = "Each input to 0 .. 1 over the training rows, a constant one to 0."},
    {"data.window", DT_KEY_INTEGER, EXPERIMENT(data.window), .low = 1, .high = 1e12, .word = "auto",
     .help =
         "Training rows that are shuffled together: an epoch goes through them in windows of so many. auto: all; of "
         "streamed inputs as many as data.memory has room for twice."},
    {"data.block", DT_KEY_INTEGER, EXPERIMENT(data.block), .low = 1, .high = 1e12, .word = "auto",
     .help = "Each epoch draws its windows anew, from blocks of so many consecutive rows. auto: 1 MiB of inputs, whole "
             "chunks of the file, at most an eighth of a window."},
    {"data.stream", DT_KEY_CHOICE, EXPERIMENT(data.stream), .text = "auto", .choices = "auto true false",
     .only = "hdf5",
     .help = "Whether inputs are read from the file while others are trained on. auto: those that need more than "
             "data.memory."},
    {"data.memory", DT_KEY_BYTES, EXPERIMENT(data.memory), .low = 4096, .high = 1e15, .number = (double)DT_DATA_MEMORY,
     .only = "hdf5", .help = "What inputs of a data set that is streamed may take."},
    {"data.label", DT_KEY_NAMES, EXPERIMENT(data.label), .text = "the last column", .only = "csv",
     .help = "The column of labels, by name or by number from 1; several where they are no classes."},
    {"data.header", DT_KEY_CHOICE, EXPERIMENT(data.header), .text = "auto", .choices = "auto true false", .only = "csv",
     .help = "Whether the first line names the columns."},
    {"data.delimiter", DT_KEY_CHOICE, EXPERIMENT(data.delimiter), .text = "auto", .choices = "auto , ; tab | space",
     .only = "csv", .help = "What stands between fields. auto: the most frequent in the first line."},
    {"data.missing", DT_KEY_CHOICE, EXPERIMENT(data.missing), .text = "refuse", .choices = "refuse mean median 0",
     .only = "csv", .help = "What a missing number becomes: an error, or that of its column of the training file."},
    {"data.one_hot", DT_KEY_NAMES, EXPERIMENT(data.one_hot), .text = "columns of words", .only = "csv",
     .help = "Columns, by name or number, whose fields are words: an input for each different one."},
    {"data.features", DT_KEY_INTEGER, EXPERIMENT(data.features), .low = 1, .high = 67108864, .word = "auto",
     .only = "libsvm synthetic", .help = "Inputs of a row. auto: the largest index, or the generator's own number."},
    {"data.sparse", DT_KEY_CHOICE, EXPERIMENT(data.sparse), .text = "auto", .choices = "auto true false",
     .only = "libsvm",
     .help = "Whether layer 1 skips inputs that are 0: the same weights at another speed. auto: where at most 1 input "
             "in 10 is not 0 (of a first layer of fewer than 100 units, 1 in 1,000 for each), and no standardize, "
             "min_max or noise makes numbers of them all."},
    {"data.generator", DT_KEY_ENTRY, EXPERIMENT(data.generator), .table = DT_GENERATORS, .text = "spirals",
     .only = "synthetic", .help = "What is made."},
    {"data.rows", DT_KEY_INTEGER, EXPERIMENT(data.rows), .low = 1, .high = 1e9, .number = 1000, .only = "synthetic",
     .help = "Training rows."},
    {"data.test_rows", DT_KEY_INTEGER, EXPERIMENT(data.test_rows), .low = 1, .high = 1e9, .word = "none",
     .only = "synthetic", .help = "Test rows."},
    {"data.classes", DT_KEY_INTEGER, EXPERIMENT(data.classes), .low = 2, .high = 1048576, .word = "auto",
     .only = "synthetic", .help = "auto: the generator's own number."},
    {"data.jitter", DT_KEY_REAL, EXPERIMENT(data.jitter), .high = 1e6, .number = 0.1, .only = "synthetic",
     .help = "Deviation of a normal number that is added to each input."},

    {"network.#.units", DT_KEY_INTEGER, LAYER(units), .low = 1, .high = 1048576, .required = true,
     .help = "Units of the layer. The list's first entry is layer 1; 1 to 64 layers."},
    {"network.#.activation", DT_KEY_ENTRY, LAYER(activation), .table = DT_ACTIVATIONS, .text = "linear",
     .help = "a = sigma(z). The last layer has none: the cost sees z."},
    {"network.#.activation.negative_slope", DT_KEY_REAL, LAYER(negative_slope), .high = 1e6, .low_open = true,
     .number = 0.01, .only = "leaky_relu", .help = "Slope where z < 0."},
    {"network.#.activation.alpha", DT_KEY_REAL, LAYER(alpha), .high = 1e6, .low_open = true, .number = 1, .only = "elu",
     .help = "-alpha is what it goes to where z is far below 0."},
    {"network.#.activation.beta", DT_KEY_REAL, LAYER(beta), .high = 1e6, .low_open = true, .number = 1,
     .only = "softplus", .help = "How sharp it bends."},
    {"network.#.activation.omega", DT_KEY_REAL, LAYER(omega), .high = 1e6, .low_open = true, .number = 1,
     .only = "sine", .help = "Its frequency; 30 in the first layer of Sitzmann et al. 2020."},
    {"network.#.init", DT_KEY_ENTRY, LAYER(init), .table = DT_INITIALIZERS, .text = "glorot_uniform",
     .help = "How the layer's first weights are drawn."},
    {"network.#.init.gain", DT_KEY_REAL, LAYER(gain), .high = 1e6, .low_open = true, .number = 1, .only = "orthogonal",
     .help = "What the orthogonal matrix is multiplied by."},
    {"network.#.init.limit", DT_KEY_REAL, LAYER(limit), .high = 1e6, .low_open = true, .number = 0.05,
     .only = "uniform", .help = "Weights lie between -limit and limit."},
    {"network.#.init.std", DT_KEY_REAL, LAYER(std), .high = 1e6, .low_open = true, .number = 0.05,
     .only = "normal truncated_normal", .help = "Standard deviation of the weights."},
    {"network.#.init.value", DT_KEY_REAL, LAYER(value), .low = -1e6, .high = 1e6, .only = "constant",
     .help = "Every weight."},
    {"network.#.init.file", DT_KEY_FILE, LAYER(init_file), .only = "file", .required = true,
     .help = "Where the layer's weights lie: a .npz, a .npy, a model.h5 or another HDF5 file."},
    {"network.#.init.W", DT_KEY_TEXT, LAYER(init_W), .only = "file", .text = "layerNN.W (/layerNN/W of HDF5)",
     .help = "The array's name there. (unit, input); (input, unit) where it ends in kernel, as Keras's."},
    {"network.#.init.b", DT_KEY_TEXT, LAYER(init_b), .only = "file",
     .text = "layerNN.b (/layerNN/b of HDF5); zeros where W is named",
     .help = "The name of the biases' array, one number a unit."},
    {"network.#.dropout", DT_KEY_REAL, LAYER(dropout), .high = 1, .high_open = true,
     .help = "Share of the layer's activations that a training step sets to 0; the others are divided by 1 - dropout. "
             "Drawn by the seed; none in evaluation, none on the last layer."},
    {"network.#.max_norm", DT_KEY_REAL, LAYER(max_norm), .high = 1e30,
     .help = "The norm of each unit's weights is cut to it after a step. 0: not."},

    {"loss", DT_KEY_ENTRY, EXPERIMENT(loss), .table = DT_LOSSES, .required = true, .help = "The cost C of a sample."},
    {"loss.margin", DT_KEY_REAL, LOSS(margin), .high = 1e6, .number = 1,
     .only = "multiclass_svm multiclass_svm_squared multiclass_svm_max",
     .help = "By how much the right class must lead."},
    {"loss.delta", DT_KEY_REAL, LOSS(delta), .high = 1e6, .low_open = true, .number = 1, .only = "huber",
     .help = "Where the square goes over into a line."},
    {"loss.label_smoothing", DT_KEY_REAL, LOSS(label_smoothing), .high = 1, .only = "cross_entropy",
     .help = "Share of the target that all classes get alike, as PyTorch's."},
    {"loss.class_weights", DT_KEY_REALS, LOSS(class_weights), .high = 1e6, .low_open = true, .text = "none",
     .only = "cross_entropy multiclass_svm multiclass_svm_squared multiclass_svm_max",
     .help = "A number for each class: the cost of its samples is multiplied by it. The minibatch's cost is still the "
             "sum over samples divided by their number, as Keras's; PyTorch's cross_entropy divides by the sum of "
             "their weights."},

    {"optimizer.name", DT_KEY_ENTRY, EXPERIMENT(optimizer.name), .table = DT_OPTIMIZERS, .text = "sgd",
     .help = "How a step changes the weights."},
    {"optimizer.learning_rate", DT_KEY_REAL, EXPERIMENT(optimizer.learning_rate), .high = 1e6, .low_open = true,
     .number = 0.01, .help = "Before the schedule."},
    {"optimizer.momentum", DT_KEY_REAL, EXPERIMENT(optimizer.momentum), .high = 1, .high_open = true,
     .only = "sgd rmsprop lars", .help = "Share of the last step's direction that is kept."},
    {"optimizer.nesterov", DT_KEY_BOOL, EXPERIMENT(optimizer.nesterov), .only = "sgd",
     .help = "Nesterov's momentum; needs momentum above 0."},
    {"optimizer.dampening", DT_KEY_REAL, EXPERIMENT(optimizer.dampening), .high = 1, .only = "sgd",
     .help = "Momentum takes 1 - dampening of the gradient."},
    {"optimizer.rho", DT_KEY_REAL, EXPERIMENT(optimizer.rho), .high = 1, .high_open = true, .number = 0.99,
     .only = "rmsprop adadelta", .help = "Share of the mean square that is kept: PyTorch's alpha of rmsprop."},
    {"optimizer.centered", DT_KEY_BOOL, EXPERIMENT(optimizer.centered), .only = "rmsprop",
     .help = "The gradient's variance in place of its mean square."},
    {"optimizer.beta1", DT_KEY_REAL, EXPERIMENT(optimizer.beta1), .high = 1, .high_open = true, .number = 0.9,
     .only = MOMENTS, .help = "Share of the mean gradient that is kept."},
    {"optimizer.beta2", DT_KEY_REAL, EXPERIMENT(optimizer.beta2), .high = 1, .high_open = true, .number = 0.999,
     .only = MOMENTS, .help = "Share of the mean square gradient that is kept."},
    {"optimizer.epsilon", DT_KEY_REAL, EXPERIMENT(optimizer.epsilon), .low = 1e-30, .high = 1e6, .number = 1e-8,
     .only = MOMENTS " adagrad adadelta rmsprop", .help = "Added to what is divided by."},
    {"optimizer.amsgrad", DT_KEY_BOOL, EXPERIMENT(optimizer.amsgrad), .only = "adam adamw",
     .help = "The largest mean square so far in place of the present one."},
    {"optimizer.momentum_decay", DT_KEY_REAL, EXPERIMENT(optimizer.momentum_decay), .high = 1e6, .number = 0.004,
     .only = "nadam", .help = "How fast the momentum's warm-up ends."},
    {"optimizer.learning_rate_decay", DT_KEY_REAL, EXPERIMENT(optimizer.learning_rate_decay), .high = 1e6,
     .only = "adagrad", .help = "Step t, from 0, divides the learning rate by 1 + t times this."},
    {"optimizer.eta_minus", DT_KEY_REAL, EXPERIMENT(optimizer.eta_minus), .high = 1, .low_open = true,
     .high_open = true, .number = 0.5, .only = "rprop", .help = "A weight's step shrinks by it where dW changes sign."},
    {"optimizer.eta_plus", DT_KEY_REAL, EXPERIMENT(optimizer.eta_plus), .low = 1, .high = 100, .low_open = true,
     .number = 1.2, .only = "rprop", .help = "A weight's step grows by it where dW keeps its sign."},
    {"optimizer.step_min", DT_KEY_REAL, EXPERIMENT(optimizer.step_min), .high = 1e6, .low_open = true, .number = 1e-6,
     .only = "rprop", .help = "The smallest step of a weight."},
    {"optimizer.step_max", DT_KEY_REAL, EXPERIMENT(optimizer.step_max), .high = 1e6, .low_open = true, .number = 50,
     .only = "rprop", .help = "The largest step of a weight."},
    {"optimizer.trust_coefficient", DT_KEY_REAL, EXPERIMENT(optimizer.trust_coefficient), .high = 1e6, .low_open = true,
     .number = 0.001, .only = "lars", .help = "A layer's step, as a share of its weights' norm."},
    {"optimizer.weight_decay", DT_KEY_REAL, EXPERIMENT(optimizer.weight_decay), .high = 1e6, .only = REGULARISED,
     .help = "L2, on weights and biases alike."},
    {"optimizer.l1", DT_KEY_REAL, EXPERIMENT(optimizer.l1), .high = 1e6, .only = REGULARISED,
     .help = "L1, on weights and biases alike: adds l1 sign(W) to the gradient."},
    {"optimizer.clip_norm", DT_KEY_REAL, EXPERIMENT(optimizer.clip_norm), .high = 1e30,
     .help = "The gradient of all layers, before weight_decay and l1, is scaled down to this norm. 0: not."},
    {"optimizer.clip_value", DT_KEY_REAL, EXPERIMENT(optimizer.clip_value), .high = 1e30,
     .help = "Its elements are then cut off at plus and minus this. 0: not."},

    {"schedule.name", DT_KEY_ENTRY, EXPERIMENT(schedule.name), .table = DT_SCHEDULES, .text = "constant",
     .help = "How the learning rate changes."},
    {"schedule.every", DT_KEY_INTEGER, EXPERIMENT(schedule.every), .low = 1, .high = 1000000, .number = 10,
     .only = "step", .help = "Epochs between two changes."},
    {"schedule.milestones", DT_KEY_INTEGERS, EXPERIMENT(schedule.milestones), .low = 1, .high = 1000000, .text = "none",
     .only = "multi_step", .help = "The epochs, from 0, that begin with a change."},
    {"schedule.factor", DT_KEY_REAL, EXPERIMENT(schedule.factor), .high = 1, .low_open = true, .number = 0.1,
     .only = "step multi_step exponential reduce_on_plateau", .help = "What the learning rate is multiplied by."},
    {"schedule.power", DT_KEY_REAL, EXPERIMENT(schedule.power), .high = 100, .low_open = true, .number = 1,
     .only = "polynomial", .help = "Of the share of the run that is left."},
    {"schedule.min_learning_rate", DT_KEY_REAL, EXPERIMENT(schedule.min_learning_rate), .high = 1e6,
     .only = "cosine reduce_on_plateau", .help = "Where the learning rate ends."},
    {"schedule.rise_fraction", DT_KEY_REAL, EXPERIMENT(schedule.rise_fraction), .high = 1, .low_open = true,
     .number = 0.3, .only = "one_cycle", .help = "Share of the run's steps before the peak, optimizer.learning_rate."},
    {"schedule.div_factor", DT_KEY_REAL, EXPERIMENT(schedule.div_factor), .low = 1, .high = 1e12, .number = 25,
     .only = "one_cycle", .help = "The first learning rate is the peak divided by it."},
    {"schedule.final_div_factor", DT_KEY_REAL, EXPERIMENT(schedule.final_div_factor), .low = 1, .high = 1e12,
     .number = 1e4, .only = "one_cycle", .help = "The last learning rate is the first divided by it."},
    {"schedule.patience", DT_KEY_INTEGER, EXPERIMENT(schedule.patience), .high = 1000000, .number = 10,
     .only = "reduce_on_plateau",
     .help = "Epochs without a better validation loss (training loss, where there is no validation) before a change."},
    {"schedule.threshold", DT_KEY_REAL, EXPERIMENT(schedule.threshold), .high = 1, .high_open = true, .number = 1e-4,
     .only = "reduce_on_plateau", .help = "Better is below 1 - threshold times the best."},
    {"schedule.cooldown", DT_KEY_INTEGER, EXPERIMENT(schedule.cooldown), .high = 1000000, .only = "reduce_on_plateau",
     .help = "Epochs after a change that don't count."},
    {"schedule.warmup", DT_KEY_REAL, EXPERIMENT(schedule.warmup), .high = 1000000, .only = WARMED,
     .help = "Epochs, or a fraction of one, in which the learning rate rises step by step."},
    {"schedule.warmup_factor", DT_KEY_REAL, EXPERIMENT(schedule.warmup_factor), .high = 1, .number = 1.0 / 3,
     .only = WARMED, .help = "From this share of it."},

    {"training.epochs", DT_KEY_INTEGER, EXPERIMENT(training.epochs), .low = 1, .high = 1000000, .number = 10,
     .help = "Passes through the training rows."},
    {"training.batch_size", DT_KEY_INTEGER, EXPERIMENT(training.batch_size), .low = 1, .high = 1048576, .number = 128,
     .help = "Samples of a minibatch. The last of an epoch may be shorter."},
    {"training.shuffle", DT_KEY_BOOL, EXPERIMENT(training.shuffle), .number = 1,
     .help = "Another order in each epoch."},
    {"training.early_stopping.patience", DT_KEY_INTEGER, EXPERIMENT(early_stopping.patience), .low = 1, .high = 1000000,
     .word = "none", .help = "Stops after so many epochs without a better metric."},
    {"training.early_stopping.metric", DT_KEY_METRIC, EXPERIMENT(early_stopping.metric), .table = DT_METRICS,
     .text = "validation_loss", .help = "What must get better."},
    {"training.early_stopping.min_delta", DT_KEY_REAL, EXPERIMENT(early_stopping.min_delta), .high = 1e30,
     .help = "By more than this; else it doesn't count as better."},
    {"training.early_stopping.restore_best", DT_KEY_BOOL, EXPERIMENT(early_stopping.restore_best),
     .help = "model.h5 holds the best epoch's weights; else the last ones."},

    {"parallel.threads", DT_KEY_INTEGER, EXPERIMENT(parallel.threads), .low = 1, .high = 1024, .word = "auto",
     .help = "Workers. auto: the processors this process may use, fewer where they wouldn't pay. Never changes the "
             "result."},
    {"parallel.shard_size", DT_KEY_INTEGER, EXPERIMENT(parallel.shard_size), .low = 1, .high = 1048576, .word = "auto",
     .help = "Samples that are summed as one leaf of the gradient's tree. auto: from batch_size alone."},
    {"parallel.reduction", DT_KEY_ENTRY, EXPERIMENT(parallel.reduction), .table = DT_REDUCTIONS, .text = "tree",
     .help = "How the workers' gradients are added."},
    {"parallel.groups", DT_KEY_INTEGER, EXPERIMENT(parallel.groups), .low = 1, .high = 1024, .word = "auto",
     .help =
         "Workers are divided into so many groups. A group's workers share each of its shards and split every layer's "
         "units: 1 is tensor parallelism, as many as threads data parallelism. auto: as many as threads, but by a "
         "model of sizes with reduction: auto, and "
         "where there are fewer shards than threads."},

    {"capture.*.quantities", DT_KEY_QUANTITIES, RULE(quantities), .text = "[z, a, delta]",
     .number = 1u << DT_QUANTITY_Z | 1u << DT_QUANTITY_A | 1u << DT_QUANTITY_DELTA,
     .help =
         "What is recorded: quantities and their statistics (z_mean, dW_norm_per_unit); statistics: all of a layer's. "
         "deltoid help quantities lists them."},
    {"capture.*.layers", DT_KEY_LAYERS, RULE(layers), .text = "all",
     .help = "Of which layers, from 1. Layer 0 is the inputs, for the quantity a."},
    {"capture.*.units", DT_KEY_UNITS, RULE(units), .text = "all",
     .help =
         "Of each layer, these units: numbers and ranges, as [0-9, 17]. A layer that is smaller shows those it has."},
    {"capture.*.every", DT_KEY_INTEGER, RULE(every), .low = 1, .high = 1000000000, .number = 100,
     .help = "At every so many steps, from step 0."},
    {"capture.*.steps", DT_KEY_STEPS, RULE(steps), .text = "none",
     .help = "In place of every: at these steps. log: at 0, 1, 2, 4, 8, ..."},
    {"capture.*.from", DT_KEY_INTEGER, RULE(from), .high = 1e15, .help = "No step before this one."},
    {"capture.*.to", DT_KEY_INTEGER, RULE(to), .low = 1, .high = 1e15, .word = "end",
     .help = "No step after this one."},
    {"capture.*.samples", DT_KEY_SAMPLES, RULE(samples), .low = 1, .high = 1048576, .number = 64, .text = "64",
     .help = "How many of the minibatch's samples; batch: all; a list: these rows of the training set, at every "
             "captured step."},
    {"capture.*.compression", DT_KEY_EITHER, RULE(compression), .words = {"none", "gzip"},
     .help = "gzip: shuffled and deflated by threads of its own. Saves a tenth to a third of most captures' size."},
    {"capture.*.compression_level", DT_KEY_INTEGER, RULE(compression_level), .low = 1, .high = 9, .word = "auto",
     .help = "Of gzip: 1 is fast, 9 small. auto: 1."},
    {"capture.*.queue", DT_KEY_EITHER, RULE(queue), .words = {"block", "drop"},
     .help = "When captured steps come faster than they can be written: training waits, or leaves steps out, which are "
             "counted."},
    {"capture.*.histogram.low", DT_KEY_REAL, RULE(histogram.low), .low = -1e30, .high = 1e30, .number = -1,
     .help = "The first edge of histograms. What lies below is counted in a bin of its own."},
    {"capture.*.histogram.high", DT_KEY_REAL, RULE(histogram.high), .low = -1e30, .high = 1e30, .number = 1,
     .help = "The last edge. What lies at it or above is counted in a bin of its own."},
    {"capture.*.histogram.bins", DT_KEY_INTEGER, RULE(histogram.bins), .low = 1, .high = 200, .number = 64,
     .help = "Bins of equal width between the two."},
    {"capture.*.log_histogram.low", DT_KEY_INTEGER, RULE(histogram.log_low), .low = -120, .high = 120, .number = -32,
     .help = "The first edge of histograms of magnitudes, 2 to this power; a bin for each power of two."},
    {"capture.*.log_histogram.high", DT_KEY_INTEGER, RULE(histogram.log_high), .low = -120, .high = 120, .number = 8,
     .help = "The last edge, 2 to this power."},
    {"capture_budget", DT_KEY_BYTES, EXPERIMENT(capture_budget), .low = 1, .high = 9e18, .word = "none",
     .help = "No run begins whose capture would be larger than this on disk."},

    {"checkpoint.every", DT_KEY_INTEGER, EXPERIMENT(checkpoint.every), .high = 1000000, .number = 1, .word = "none",
     .help = "Epochs between two checkpoints, from which deltoid train --resume goes on. A run that a "
             "signal stops writes one in any case."},
    {"checkpoint.keep", DT_KEY_INTEGER, EXPERIMENT(checkpoint.keep), .low = 1, .high = 1000000, .number = 2,
     .help = "The newest so many are kept."},
    {"checkpoint.best", DT_KEY_METRIC, EXPERIMENT(checkpoint.best), .table = DT_METRICS, .word = "none",
     .help = "Keeps best.h5 too, of the epoch that was best by this metric. true: validation_loss."},
};

enum { KEYS = sizeof keys / sizeof *keys };

/* Defaults that are one name's own. */
static const struct {
    const char *pattern, *name;
    double number;
} named[] = {
    {"optimizer.learning_rate", "adadelta", 1},  {"optimizer.learning_rate", "adam", 0.001},
    {"optimizer.learning_rate", "adamw", 0.001}, {"optimizer.learning_rate", "nadam", 0.002},
    {"optimizer.learning_rate", "lamb", 0.001},  {"optimizer.momentum", "lars", 0.9},
    {"optimizer.rho", "adadelta", 0.9},          {"optimizer.epsilon", "adagrad", 1e-10},
    {"optimizer.epsilon", "adadelta", 1e-6},     {"optimizer.epsilon", "lamb", 1e-6},
    {"optimizer.weight_decay", "adamw", 0.01},   {"optimizer.weight_decay", "lamb", 0.01},
    {"schedule.factor", "exponential", 0.95},
};

const dt_key *dt_key_at(size_t i)
{
    return i < KEYS ? &keys[i] : NULL;
}

const dt_key *dt_key_find(const char *pattern)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].pattern, pattern) == 0)
            return &keys[i];
    return NULL;
}

const char *dt_key_under(const char *pattern, const char *section)
{
    size_t n = strlen(section);
    if (n == 0)
        return pattern;
    return strncmp(pattern, section, n) == 0 && pattern[n] == '.' ? pattern + n + 1 : NULL;
}

bool dt_key_is_section(const char *pattern)
{
    for (size_t i = 0; i < KEYS; i++)
        if (dt_key_under(keys[i].pattern, pattern))
            return true;
    return false;
}

const char *dt_key_child(const char *section, size_t i, char name[DT_KEY_NAME_SIZE])
{
    const char *last = "";
    size_t last_length = 0;
    for (size_t k = 0; k < KEYS; k++) {
        const char *rest = dt_key_under(keys[k].pattern, section);
        if (!rest || *rest == '#' || *rest == '*')
            continue;
        size_t length = strcspn(rest, ".");
        if (length == last_length && strncmp(rest, last, length) == 0)
            continue;
        last = rest, last_length = length;
        if (i-- == 0) {
            snprintf(name, DT_KEY_NAME_SIZE, "%.*s", (int)length, rest);
            return name;
        }
    }
    return NULL;
}

const char *dt_key_named_default(const dt_key *key, size_t i, double *number)
{
    for (size_t n = 0; n < sizeof named / sizeof *named; n++)
        if (strcmp(named[n].pattern, key->pattern) == 0 && i-- == 0) {
            *number = named[n].number;
            return named[n].name;
        }
    return NULL;
}
