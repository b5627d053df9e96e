/* An experiment: everything that decides the numbers of a run, as plain data.
 *
 * The command line fills it from a YAML file; a program fills it itself, starting from dt_experiment_init, which sets
 * every documented default. Names ("relu", "sgd") are looked up in the tables when the trainer is created.
 *
 * Ownership: strings and arrays that the structure points to are borrowed, and usually live in `arena`, which
 * dt_experiment_clear frees.
 */
#ifndef DELTOID_EXPERIMENT_H
#define DELTOID_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#pragma GCC visibility push(default)

typedef enum dt_precision { DT_FLOAT32, DT_FLOAT64 } dt_precision;

/* "float32" or "float64"; and the size of one number in bytes. */
const char *dt_precision_name(dt_precision precision);
size_t dt_precision_size(dt_precision precision);

/* What a data set's rows are to be answered with: a class of each row, a row of numbers, or a row of zeros and ones of
 * which any number may be 1. */
typedef enum dt_targets {
    DT_TARGETS_CLASSES,
    DT_TARGETS_REGRESSION,
    DT_TARGETS_MULTILABEL,
    DT_TARGETS_KINDS
} dt_targets;

/* "classes", "regression" or "multilabel" */
const char *dt_targets_name(dt_targets targets);

/* Where a data set lies: two files, or one that holds both. Where it holds named arrays (hdf5, npy) inputs and labels
 * name them: "/images" in `file`, or "FILE:/images" without it. All NULL: no such set. */
typedef struct dt_source {
    const char *inputs, *labels, *file;
} dt_source;

static inline bool dt_source_is_given(const dt_source *source)
{
    return source->inputs || source->labels || source->file;
}

typedef struct dt_name_list {
    const char *const *at; /* (count) */
    size_t count;
} dt_name_list;

#define DT_DATA_MEMORY (INT64_C(2) << 30) /* the default of data.memory: no machine's own, so that bits are none's */

/* What a format has no use for is ignored. Zero stands for the default of everything but `scale`, so that a program
 * need fill in only what it uses. */
typedef struct dt_data_spec {
    const char *format; /* a name of the table in src/data/dataset.c: "idx" */
    dt_source train;    /* required, but for synthetic */
    dt_source test, validation;
    double validation_fraction; /* 0: none; else in (0, 1), of the training rows */
    double scale;               /* x <- scale * x; default 1 */
    double noise;               /* x <- x + noise N(0, 1) in training steps, anew each time; default 0 */
    dt_targets targets;         /* what the labels are */
    bool standardize;           /* each input to mean 0 and deviation 1 over the training rows; a constant one to 0 */
    bool min_max;               /* each input to 0 .. 1 over the training rows; a constant one to 0 */
    int64_t window; /* training rows are shuffled in windows of at most so many; 0: all, or as many as fit */
    int64_t block;  /* a window is made of blocks of so many consecutive rows; 0: src/data/windows.h says */

    /* hdf5 */
    const char *stream; /* "auto" (default): inputs that need more than `memory` are read while others are trained on */
    int64_t memory;     /* bytes that a data set's inputs may take; 0: DT_DATA_MEMORY */

    /* csv */
    dt_name_list label;    /* columns, by name or by number from 1, one where they are classes; none: the last column */
    const char *header;    /* "auto" (default), "true", "false" */
    const char *delimiter; /* "auto" (default), ",", ";", "tab", "|", "space" */
    const char *missing;   /* an empty field: "refuse" (default), "mean", "median" of the training set's column, "0" */
    dt_name_list one_hot;  /* columns that stand for categories; none: those that hold words */

    int64_t
        features; /* libsvm: inputs a row, 0: the largest index of the training set; synthetic: 0: the generator's */
    const char *sparse; /* libsvm: "auto" (default), "true", "false": layer 1 skips inputs that are 0 */

    /* synthetic */
    const char *generator; /* a name of the table in src/data/synthetic.c; default "spirals" */
    int64_t rows;          /* of the training set; default 1000 */
    int64_t test_rows;     /* 0: no test set */
    int64_t classes;       /* 0: the generator's own */
    double jitter;         /* deviation of what is added to each input; 0: none */
} dt_data_spec;

/* Layer l = 1..L. The last has no activation ("linear"): the cost sees z^L.
 *
 * An activation or an initialiser reads the parameter that is its own, if it has one. Names and defaults are PyTorch's
 * where it has them. 0 stands for the default, so that a program need not know those it doesn't use. */
typedef struct dt_layer_spec {
    int64_t units;          /* 1 .. 1,048,576 */
    const char *activation; /* default "linear" */
    const char *init;       /* default "glorot_uniform" */
    double dropout;         /* [0, 1), 0 on layer L: share of a^l that a training step sets to 0, the rest / (1 - p) */
    double max_norm;        /* >= 0: |W_j| of each unit is cut to it after a step, biases left out; 0: not */
    double negative_slope;  /* leaky_relu: > 0, default 0.01 */
    double alpha;           /* elu: > 0, default 1 */
    double beta;            /* softplus: > 0, default 1 */
    double omega;           /* sine: > 0, default 1 */
    double gain;            /* orthogonal: > 0, default 1 */
    double limit;           /* uniform: > 0, default 0.05 */
    double std;             /* normal, truncated_normal: > 0, default 0.05 */
    double value;           /* constant: default 0 */
    const char *init_file;  /* file: where the numbers lie; the program reads them by dt_weights_begin */
    const char *init_W;     /* file: the array's name there; NULL: layerNN.W, of the layer's own number */
    const char *init_b;     /* file: NULL: layerNN.b where init_W is NULL too, else zeros */
} dt_layer_spec;

/* The parameter that the layer's activation reads, its default where the field is 0; 0 where it has none. */
double dt_activation_parameter(const dt_layer_spec *layer);

/* The same of its initializer. */
double dt_init_parameter(const dt_layer_spec *layer);

/* What costs read beside their name. dt_experiment_init sets the defaults. */
typedef struct dt_loss_options {
    double margin;               /* multiclass_svm and its kin: >= 0, default 1 */
    double delta;                /* huber: > 0, default 1 */
    double label_smoothing;      /* cross_entropy: [0, 1], default 0 */
    const double *class_weights; /* cross_entropy, multiclass_svm and its kin: one > 0 for each unit of layer L, by
                                    which the cost of a sample of that class is multiplied; NULL: all 1 */
    size_t class_weight_count;
} dt_loss_options;

/* dt_experiment_set_optimizer sets the defaults of one optimizer: most of them hold for all, some don't. */
typedef struct dt_optimizer_spec {
    const char *name;           /* default "sgd" */
    double learning_rate;       /* > 0; default 0.01 */
    double momentum;            /* sgd, rmsprop, lars: [0, 1), default 0; lars 0.9 */
    bool nesterov;              /* sgd: default false; needs momentum > 0 and no dampening */
    double weight_decay;        /* default 0; L2 on weights and biases alike, as PyTorch's; adamw, lamb 0.01 */
    double l1;                  /* default 0; l1 |W| on weights and biases alike */
    double clip_norm;           /* the gradient, all layers' as one vector, is cut to this norm; 0: not */
    double clip_value;          /* and each of its elements to +- this; 0: not */
    double dampening;           /* sgd: [0, 1], default 0 */
    double beta1, beta2;        /* adam, adamw, nadam, lamb: [0, 1), defaults 0.9 and 0.999 */
    double rho;                 /* rmsprop (PyTorch's alpha), adadelta: [0, 1), default 0.99; adadelta 0.9 */
    double epsilon;             /* adaptive ones: default 1e-8; adagrad 1e-10, adadelta and lamb 1e-6 */
    bool amsgrad;               /* adam, adamw: default false */
    bool centered;              /* rmsprop: default false */
    double momentum_decay;      /* nadam: default 0.004 */
    double learning_rate_decay; /* adagrad: default 0 */
    double eta_minus, eta_plus; /* rprop: defaults 0.5 and 1.2 */
    double step_min, step_max;  /* rprop: defaults 1e-6 and 50 */
    double trust_coefficient;   /* lars: default 0.001 */
} dt_optimizer_spec;

typedef struct dt_integers {
    const int64_t *at;
    size_t count;
} dt_integers;

/* Epochs and steps count from 0. */
typedef struct dt_schedule_spec {
    const char *name;         /* default "constant" */
    int64_t every;            /* step: epochs between two reductions, >= 1, default 10 */
    double factor;            /* step, multi_step, reduce_on_plateau: (0, 1], default 0.1; exponential 0.95 */
    dt_integers milestones;   /* multi_step: the epochs that reduce, ascending, no default */
    double power;             /* polynomial: > 0, default 1 */
    double min_learning_rate; /* cosine, reduce_on_plateau: default 0 */
    double rise_fraction;     /* one_cycle: share of the steps before the peak, (0, 1], default 0.3 */
    double div_factor;        /* one_cycle: peak / first learning rate, default 25 */
    double final_div_factor;  /* one_cycle: first / last learning rate, default 10000 */
    int64_t patience;         /* reduce_on_plateau: epochs without a better loss that are put up with, default 10 */
    double threshold;         /* reduce_on_plateau: better is below (1 - threshold) best, default 1e-4 */
    int64_t cooldown;         /* reduce_on_plateau: epochs after a reduction that don't count, default 0 */
    double warmup;            /* all but one_cycle: epochs, or a fraction of one, of linear rise; default 0 */
    double warmup_factor;     /* from this share of the learning rate, default 1/3 */
} dt_schedule_spec;

/* Stops after `patience` epochs without a better `metric`: one that is better than the best so far by more than
 * min_delta. The weights are then the last ones; with restore_best, those of the best epoch. */
typedef struct dt_early_stopping_spec {
    int64_t patience;   /* epochs; 0: none, the default */
    const char *metric; /* a name of the table in src/train/metric.c; default "validation_loss" */
    double min_delta;   /* default 0 */
    bool restore_best;  /* default false */
} dt_early_stopping_spec;

typedef struct dt_training_spec {
    int64_t epochs;     /* default 10 */
    int64_t batch_size; /* default 128 */
    bool shuffle;       /* default true */
} dt_training_spec;

/* What is kept on disk to go on from: see dt_checkpoints in deltoid/record.h. */
typedef struct dt_checkpoint_spec {
    int64_t every;    /* epochs; default 1; 0: none but for a stop by a signal */
    int64_t keep;     /* the newest so many; default 2 */
    const char *best; /* a metric by which one more is kept: the best epoch's; NULL: none, the default */
} dt_checkpoint_spec;

typedef struct dt_parallel_spec {
    int64_t threads;       /* 0: auto, the processors this process may use, fewer for networks too small for them */
    int64_t shard_size;    /* 0: auto, dt_shard_size_auto(batch_size) */
    const char *reduction; /* default "tree" */
    int64_t groups;        /* of workers that share each shard and split its layers' units; 0: auto: as many
                              as workers; by a model of sizes with reduction "auto", or with fewer shards than workers.
                              At most `threads`, where these are given */
} dt_parallel_spec;

/* What can be captured; a set of bits. */
#define DT_QUANTITY_LIST(X)                                                                                            \
    X(DT_QUANTITY_W, "W")                                                                                              \
    X(DT_QUANTITY_B, "b")                                                                                              \
    X(DT_QUANTITY_Z, "z")                                                                                              \
    X(DT_QUANTITY_A, "a")                                                                                              \
    X(DT_QUANTITY_DELTA, "delta")                                                                                      \
    X(DT_QUANTITY_DW, "dW")                                                                                            \
    X(DT_QUANTITY_DB, "db")

typedef enum dt_quantity {
#define DT_QUANTITY_ENUM(id, name) id,
    DT_QUANTITY_LIST(DT_QUANTITY_ENUM)
#undef DT_QUANTITY_ENUM
        DT_QUANTITIES
} dt_quantity;

const char *dt_quantity_name(dt_quantity quantity);

/* What else a step can show of itself; a set of bits. */
#define DT_EXTRA_LIST(X)                                                                                               \
    X(DT_EXTRA_COST, "cost")                              /* C_i (sample) */                                           \
    X(DT_EXTRA_DW_NORM, "dW_norm_per_sample")             /* of each layer (sample) */                                 \
    X(DT_EXTRA_DB_NORM, "db_norm_per_sample")             /* of each layer (sample) */                                 \
    X(DT_EXTRA_GRADIENT_NORM, "gradient_norm_per_sample") /* of all parameters (sample) */                             \
    X(DT_EXTRA_DW_PARTIAL, "dW_partial")                  /* each worker's sum (worker, unit, input) */                \
    X(DT_EXTRA_DB_PARTIAL, "db_partial")                  /* each worker's sum (worker, unit) */                       \
    X(DT_EXTRA_STATE, "state")                            /* the optimizer's arrays, before the update */              \
    X(DT_EXTRA_NOISE_SCALE, "noise_scale")                /* McCandlish et al. 2018, from samples */                   \
    X(DT_EXTRA_NOISE_SCALE_SHARDS, "noise_scale_shards")  /* the same, from shards */

typedef enum dt_extra {
#define DT_EXTRA_ENUM(id, name) id,
    DT_EXTRA_LIST(DT_EXTRA_ENUM)
#undef DT_EXTRA_ENUM
        DT_EXTRAS
} dt_extra;

/* Statistics of a quantity over a layer: of z, a, delta over all samples of the minibatch (or the rule's rows of the
 * training set) and all units; of the others over all elements. record/statistics.h defines each. */
#define DT_STATISTIC_LIST(X)                                                                                           \
    X(DT_STATISTIC_MEAN, "mean")                                                                                       \
    X(DT_STATISTIC_STD, "std")                                                                                         \
    X(DT_STATISTIC_MIN, "min")                                                                                         \
    X(DT_STATISTIC_MAX, "max")                                                                                         \
    X(DT_STATISTIC_ABSMAX, "absmax")                                                                                   \
    X(DT_STATISTIC_ZEROS, "zeros")                                                                                     \
    X(DT_STATISTIC_NORM, "norm")                                                                                       \
    X(DT_STATISTIC_HISTOGRAM, "histogram")                                                                             \
    X(DT_STATISTIC_LOG_HISTOGRAM, "log_histogram")                                                                     \
    X(DT_STATISTIC_COSINE, "cosine")                                                                                   \
    X(DT_STATISTIC_UPDATE_RATIO, "update_ratio")

typedef enum dt_statistic {
#define DT_STATISTIC_ENUM(id, name) id,
    DT_STATISTIC_LIST(DT_STATISTIC_ENUM)
#undef DT_STATISTIC_ENUM
        DT_STATISTICS
} dt_statistic;

enum { DT_PER_UNIT_SHIFT = 16 }; /* 1u << (statistic + DT_PER_UNIT_SHIFT): the same for each unit */

/* Everything that `quantities:` can name: a quantity, an extra, or a statistic of a quantity ("z_mean",
 * "dW_norm_per_unit"). */
typedef enum dt_item_kind { DT_ITEM_QUANTITY, DT_ITEM_EXTRA, DT_ITEM_STATISTIC } dt_item_kind;

typedef struct dt_capture_item {
    const char *name;
    dt_item_kind kind;
    dt_quantity quantity;   /* not of an extra */
    dt_extra extra;         /* DT_ITEM_EXTRA */
    dt_statistic statistic; /* DT_ITEM_STATISTIC */
    bool per_unit;
} dt_capture_item;

const dt_capture_item *dt_capture_item_at(size_t i); /* NULL past the last */

typedef enum dt_capture_samples {
    DT_SAMPLES_FIRST, /* the first `sample_count` of the minibatch */
    DT_SAMPLES_BATCH, /* all of it */
    DT_SAMPLES_ROWS   /* fixed rows of the training set, the same at every captured step */
} dt_capture_samples;

enum { DT_COMPRESSION_NONE, DT_COMPRESSION_GZIP };

/* What happens to a step while the queue to the disk is full: training waits, or the step is left out. */
enum { DT_QUEUE_BLOCK, DT_QUEUE_DROP };
/* first .. last, both of them. */
typedef struct dt_unit_range {
    int64_t first, last;
} dt_unit_range;

/* Edges of the histograms. Both have a bin more at each end, for what lies outside. */
typedef struct dt_histogram_spec {
    double low, high; /* default -1, 1; bin n holds low + n w <= x < low + (n + 1) w, w = (high - low) / bins */
    int64_t bins;     /* default 64; 1 .. 200 */
    int64_t log_low, log_high; /* default -32, 8; bin n holds 2^(log_low + n) <= |x| < 2^(log_low + n + 1) */
} dt_histogram_spec;

typedef struct dt_capture_rule {
    const char *name;                   /* the HDF5 group; [A-Za-z0-9_-]{1,64} */
    unsigned quantities;                /* set of 1u << dt_quantity */
    unsigned extras;                    /* set of 1u << dt_extra */
    uint32_t statistics[DT_QUANTITIES]; /* of each quantity: set of 1u << dt_statistic, and the same per unit */
    dt_histogram_spec histogram;
    const dt_unit_range *units; /* NULL: all; else unit_count ranges, ascending and apart, of every captured layer */
    size_t unit_count;
    int64_t from, to;      /* of the steps that the cadence names, those from..to alone; to 0: the last */
    const int64_t *layers; /* NULL: all; else layer_count numbers in 0..L (0: the inputs, for `a` alone) */
    size_t layer_count;
    int64_t every;        /* steps, >= 1: captured where step % every == 0; 0 where `steps` decides */
    bool steps_log;       /* captured at 0, 1, 2, 4, 8, ... */
    const int64_t *steps; /* else: exactly these, ascending */
    size_t step_count;
    dt_capture_samples samples;
    int64_t sample_count; /* DT_SAMPLES_FIRST: how many (default 64); DT_SAMPLES_ROWS: the length of sample_rows */
    const int64_t *sample_rows; /* DT_SAMPLES_ROWS */
    unsigned compression;       /* DT_COMPRESSION_... */
    int64_t compression_level;  /* 1 .. 9; 0: a fast one */
    unsigned queue;             /* DT_QUEUE_... */
} dt_capture_rule;

typedef struct dt_experiment {
    const char *name; /* [A-Za-z0-9._-]{1,128}, no leading dot; default: the file's name without its ending */
    uint64_t seed;    /* default 1 */
    dt_precision precision;
    const char *initial_weights; /* a file of weights to begin with in place of drawn ones, which the program reads into
                                    its trainer by dt_weights_begin; NULL: none */
    dt_data_spec data;
    dt_layer_spec *network; /* layers[0] is layer 1 */
    size_t layer_count;     /* L, 1 .. 64 */
    const char *loss;       /* no default */
    dt_loss_options loss_options;
    dt_optimizer_spec optimizer;
    dt_schedule_spec schedule;
    dt_training_spec training;
    dt_early_stopping_spec early_stopping; /* training.early_stopping in a file */
    dt_parallel_spec parallel;
    dt_capture_rule *capture;
    size_t capture_count;
    int64_t capture_budget; /* bytes that the capture may take on disk; 0: any */
    dt_checkpoint_spec checkpoint;
    struct dt_arena *arena; /* owns what the parser put here; may be NULL */
} dt_experiment;

/* Does the rule capture item i? And: it does from now on. */
bool dt_capture_rule_has(const dt_capture_rule *rule, const dt_capture_item *item);
void dt_capture_rule_add(dt_capture_rule *rule, const dt_capture_item *item);

/* Every default; no network, no loss, no data. */
void dt_experiment_init(dt_experiment *experiment);

/* Name the optimizer, the schedule, and set all their keys to its defaults. An unknown name gets those of all; validate
 * says so. */
void dt_experiment_set_optimizer(dt_experiment *experiment, const char *name);
void dt_experiment_set_schedule(dt_experiment *experiment, const char *name);

/* Frees the arena and what lives in it. */
void dt_experiment_clear(dt_experiment *experiment);

/* Every range and every combination above, and every name against its table, DT_INVALID or DT_UNKNOWN_NAME with the
 * key's path in the message ("training.batch_size: must be ..."). What needs the data (a row number, layers against
 * features) is checked by the trainer. */
dt_status dt_experiment_validate(const dt_experiment *experiment, dt_error *error);

/* The documented function of the minibatch's size alone behind `shard_size: auto`: B for B <= 16, else the largest
 * power of two that is at most sqrt(8 B), so that shards grow with the root of the minibatch: 16 at 32, 32 at 128, 64
 * at 512. */
int64_t dt_shard_size_auto(int64_t batch_size);

#pragma GCC visibility pop

#endif
