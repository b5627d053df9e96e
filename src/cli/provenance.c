#include "cli/provenance.h"

#include <string.h>

#include "base/file.h"
#include "cli/paths.h"
#include "cli/yaml.h"

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
