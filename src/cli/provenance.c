#include "cli/provenance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/paths.h"
#include "cli/yaml.h"
#include "data/stream.h"
#include "deltoid/interchange.h"

dt_status dt_provenance_open(const dt_node **root, const char *run, dt_arena *arena, dt_error *error)
{
    const char *path = dt_path_join(arena, run, "provenance.json");
    const dt_origin *origin = path ? dt_origin_file(arena, path, run) : NULL;
    char *text;
    size_t size;
    dt_node *map = NULL;
    if (!origin)
        return dt_fail_memory(error, "the run's provenance");
    dt_status status = dt_file_read(path, DT_YAML_SIZE_MAX, arena, &text, &size, error);
    if (status == DT_OK)
        status = dt_yaml_read(&map, text, size, origin, arena, error);
    if (status == DT_OK && (!map || map->kind != DT_NODE_MAP))
        status = dt_fail(error, DT_MALFORMED, "%s: no provenance; give the folder of a run", path);
    *root = map;
    return status;
}

const char *dt_provenance_text(const dt_node *root, const char *path)
{
    size_t followed = 0;
    const dt_node *node = dt_node_follow(root, path, &followed);
    return node && followed == strlen(path) && node->kind == DT_NODE_SCALAR ? node->text : "";
}

static bool differs(const char *was, const char *is)
{
    return strlen(was) == 64 && is && strcmp(was, is) != 0;
}

static dt_status check_data(const dt_node *root, const dt_trainer_data *data, dt_error *error)
{
    const struct {
        const char *part;
        const dt_dataset *set;
    } parts[] = {{"train", data->train}, {"validation", data->validation}, {"test", data->test}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char inputs[64], labels[64];
        snprintf(inputs, sizeof inputs, "data.%s.inputs_sha256", parts[i].part);
        snprintf(labels, sizeof labels, "data.%s.labels_sha256", parts[i].part);
        if (parts[i].set && (differs(dt_provenance_text(root, inputs), parts[i].set->inputs_sha256) ||
                             differs(dt_provenance_text(root, labels), parts[i].set->labels_sha256)))
            return dt_fail(
                error, DT_INVALID,
                "data.%s: isn't what the run was made with (its SHA-256 differs from provenance.json's); put "
                "the same files back",
                parts[i].part);
    }
    return DT_OK;
}

static dt_status check_initial_weights(const dt_node *root, const dt_experiment *experiment, dt_error *error)
{
    const char *file;
    int64_t layer;
    for (size_t i = 0; (file = dt_weights_file(experiment, i, &layer)); i++) {
        char path[48], sha256[65];
        snprintf(path, sizeof path, "initial_weights.%zu.sha256", i);
        const dt_status status = dt_stream_hash_file(file, sha256, error);
        if (status != DT_OK)
            return status;
        if (differs(dt_provenance_text(root, path), sha256))
            return dt_fail(error, DT_INVALID,
                           "%s: isn't what the run began with (its SHA-256 differs from provenance.json's); put the "
                           "same file back",
                           file);
    }
    return DT_OK;
}

dt_status dt_provenance_check(const dt_node *root, const dt_experiment *experiment, const dt_trainer_data *data,
                              dt_error *error)
{
    dt_status status = check_data(root, data, error);
    return status == DT_OK ? check_initial_weights(root, experiment, error) : status;
}
