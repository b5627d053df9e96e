/* deltoid export: a finished run's model for other programs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/network.h"
#include "cli/paths.h"
#include "cli/terminal.h"
#include "deltoid/record.h"
#include "record/sha256.h"

typedef struct exporter {
    const char *out;
    bool onnx, probabilities;
    dt_config config;
    dt_network network;
    dt_transform *transform;
    dt_arena arena;
} exporter;

static bool ends_with(const char *text, const char *ending)
{
    const size_t n = strlen(text), m = strlen(ending);
    return n > m && strcmp(text + n - m, ending) == 0;
}

static dt_status read_arguments(exporter *x, const dt_arguments *arguments, dt_error *error)
{
    x->out = dt_argument(arguments, "out");
    x->probabilities = dt_argument(arguments, "probabilities") != NULL;
    if (!x->out)
        return dt_fail(error, DT_INVALID, "--out is missing; name a new file that ends in .onnx or .npz");
    x->onnx = ends_with(x->out, ".onnx");
    if (!x->onnx && !ends_with(x->out, ".npz"))
        return dt_fail(error, DT_INVALID, "%s: is no format to export to; end the name in .onnx or .npz", x->out);
    if (!x->onnx && x->probabilities)
        return dt_fail(error, DT_INVALID, "--probabilities has no use with .npz, which holds weights alone; remove it");
    return access(x->out, F_OK) != 0
               ? DT_OK
               : dt_fail(error, DT_EXISTS, "%s: is there already and is not overwritten; give another name", x->out);
}

static dt_status open_run(exporter *x, const dt_arguments *arguments, dt_error *error)
{
    const char *run = arguments->positional[0];
    const char *experiment = dt_path_join(&x->arena, run, "experiment.yaml");
    const char *model = dt_path_join(&x->arena, run, "model.h5");
    int64_t features = 0;
    if (!experiment || !model)
        return dt_fail_memory(error, "a path");
    if (access(experiment, F_OK) != 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: is not there; give the folder of a run", experiment);
    dt_status status = dt_config_open(&x->config, experiment, NULL, 0, error);
    if (status == DT_OK)
        status = dt_model_features(model, &features, error);
    if (status == DT_OK)
        status = dt_model_read_transform(model, &x->transform, error);
    return status == DT_OK ? dt_network_open(&x->network, &x->config, features, model, error) : status;
}

static dt_status write_onnx(const exporter *x, dt_error *error)
{
    const dt_config *config = &x->config;
    char sha256[65];
    const dt_output output = x->probabilities ? dt_network_output(config->experiment.loss) : DT_OUTPUT_SCORES;
    if (x->probabilities && output == DT_OUTPUT_SCORES)
        return dt_fail(error, DT_INVALID,
                       "--probabilities: %s gives none (cross_entropy, kl_divergence and binary_cross_entropy do); "
                       "leave it out",
                       config->experiment.loss);
    const dt_status status = dt_sha256(&(dt_bytes){config->text, config->text_size}, 1, sha256, error);
    return status == DT_OK
               ? dt_export_onnx(x->out, x->network.trainer, &(dt_onnx_options){x->transform, output, sha256}, error)
               : status;
}

static dt_status run_export(const dt_arguments *arguments, dt_error *error)
{
    exporter x = {.out = NULL};
    dt_status status = read_arguments(&x, arguments, error);
    if (status == DT_OK)
        status = open_run(&x, arguments, error);
    if (status == DT_OK)
        status = x.onnx ? write_onnx(&x, error) : dt_export_npz(x.out, x.network.trainer, error);
    dt_network_close(&x.network);
    dt_transform_destroy(x.transform);
    dt_config_clear(&x.config);
    dt_arena_clear(&x.arena);
    return status;
}

const dt_command dt_command_export = {
    .name = "export",
    .usage = "RUN --out FILE.onnx|FILE.npz [--probabilities]",
    .summary = "a run's network for other programs: ONNX, NumPy",
    .details =
        "FILE.onnx is a model of opset 13: inputs (sample, input), numbers as the data files have them; data.scale, or "
        "the\n"
        "transform of standardize and min_max; a Gemm for each layer and the operators of its activation; outputs "
        "(sample, unit),\n"
        "the scores z, or with --probabilities what predict prints. Numbers are of the experiment's precision. Words "
        "of tables\n"
        "are to be made into numbers before. The metadata have weights_sha256 and experiment_sha256.\n"
        "\n"
        "FILE.npz holds layer01.W (unit, input), layer01.b (unit), ... for numpy.load. The key initial_weights of an "
        "experiment\n"
        "reads it, and archives that PyTorch's or Keras' weights were saved in by numpy.savez.",
    .options = {{"out", "FILE", "the new file; its ending decides the format"},
                {"probabilities", NULL,
                 "of ONNX: softmax after cross_entropy and kl_divergence, sigmoid after binary_cross_entropy"}},
    .least = 1,
    .most = 1,
    .what = "a run folder",
    .run = run_export,
};
