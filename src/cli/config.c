#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/emit.h"
#include "cli/overrides.h"
#include "cli/paths.h"
#include "cli/schema.h"
#include "cli/text.h"
#include "cli/yaml.h"

static dt_status no_memory(dt_error *error)
{
    return dt_fail(error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
}

/* The file's name without folder and ending, with '-' for what can't be part of a name. */
static const char *default_name(dt_arena *arena, const char *label)
{
    const char *slash = strrchr(label, '/');
    char *name = dt_arena_duplicate(arena, slash ? slash + 1 : label);
    if (!name)
        return NULL;
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    if (strlen(name) > 128)
        name[128] = '\0';
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", *c) ||
            (c == name && *c == '.'))
            *c = '-';
    return *name ? name : "experiment";
}

static dt_status read_tree(dt_config *config, const char *text, size_t size, const char *label, const char *folder,
                           const char *const *overrides, size_t override_count, dt_error *error)
{
    dt_arena *arena = config->experiment.arena;
    const char *kept = dt_arena_duplicate(arena, folder);
    const dt_origin *origin = kept ? dt_origin_file(arena, label, kept) : NULL;
    if (!origin)
        return no_memory(error);
    dt_node *root, nowhere = {.origin = origin, .line = 1, .column = 1};
    dt_status status = dt_yaml_read(&root, text, size, origin, arena, error);
    if (status != DT_OK)
        return status;
    if (!root)
        return dt_fail_at(error, &nowhere, DT_MALFORMED,
                          "an empty file; write an experiment (see deltoid help experiment)");
    if (root->kind != DT_NODE_MAP)
        return dt_fail_at(error, root, DT_MALFORMED, "not an experiment; write keys and values, as in name: first");
    const char *here = "/";
    if (override_count)
        status = dt_path_here(arena, &here, error);
    for (size_t i = 0; status == DT_OK && i < override_count; i++)
        status = dt_override_apply(root, overrides[i], here, arena, error);
    config->root = root;
    return status;
}

static dt_status write_text(dt_config *config, dt_error *error)
{
    dt_text text = {0};
    dt_emit_experiment(&text, &config->experiment);
    char *copy = text.failed ? NULL : dt_arena_duplicate(config->experiment.arena, text.bytes);
    config->text = copy;
    config->text_size = text.length;
    dt_text_clear(&text);
    return copy ? DT_OK : no_memory(error);
}

dt_status dt_config_parse(dt_config *config, const char *text, size_t size, const char *label, const char *folder,
                          const char *const *overrides, size_t override_count, dt_error *error)
{
    memset(config, 0, sizeof *config);
    dt_experiment_init(&config->experiment);
    config->experiment.arena = dt_allocate_zeroed(1, sizeof *config->experiment.arena);
    dt_error own = {0};
    dt_status status = DT_NO_MEMORY;
    if (!config->experiment.arena) {
        no_memory(&own);
        goto fail;
    }
    config->experiment.name = default_name(config->experiment.arena, label);
    if (!config->experiment.name) {
        status = no_memory(&own);
        goto fail;
    }
    status = read_tree(config, text, size, label, folder, overrides, override_count, &own);
    if (status == DT_OK)
        status = dt_schema_read(&config->experiment, config->root, &own);
    if (status == DT_OK) {
        status = dt_experiment_validate(&config->experiment, &own);
        dt_schema_place(&own, config->root);
    }
    if (status == DT_OK)
        status = write_text(config, &own);
    if (status == DT_OK)
        return DT_OK;
fail:
    dt_config_clear(config);
    return dt_fail(error, status, "%s", own.message);
}

/* At most DT_YAML_SIZE_MAX bytes and one, so that a longer file is seen to be one. */
static dt_status read_file(const char *file, char *bytes, size_t *size, dt_error *error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return dt_fail(error, DT_NOT_FOUND, "%s: %s; %s", file, strerror(errno),
                       missing ? "give the name of an experiment file" : "make it readable");
    }
    *size = 0;
    ssize_t n = 1;
    while (n > 0 && *size <= DT_YAML_SIZE_MAX) {
        n = read(fd, bytes + *size, DT_YAML_SIZE_MAX + 1 - *size);
        if (n > 0)
            *size += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    int failure = errno;
    close(fd);
    if (n < 0 && failure == EISDIR)
        return dt_fail(error, DT_INVALID, "%s: a folder; give the name of an experiment file", file);
    if (n < 0)
        return dt_fail(error, DT_IO, "%s: %s; the file can't be read", file, strerror(failure));
    if (*size > DT_YAML_SIZE_MAX)
        return dt_fail(error, DT_MALFORMED, "%s: longer than 1 MiB; is this an experiment file?", file);
    return DT_OK;
}

dt_status dt_config_open(dt_config *config, const char *file, const char *const *overrides, size_t override_count,
                         dt_error *error)
{
    memset(config, 0, sizeof *config);
    dt_arena arena = {0};
    const char *folder;
    size_t size = 0;
    dt_status status = dt_path_folder(&arena, file, &folder, error);
    char *bytes = status == DT_OK ? dt_allocate(DT_YAML_SIZE_MAX + 1, 1) : NULL;
    if (status == DT_OK && !bytes)
        status = no_memory(error);
    if (status == DT_OK)
        status = read_file(file, bytes, &size, error);
    if (status == DT_OK)
        status = dt_config_parse(config, bytes, size, file, folder, overrides, override_count, error);
    dt_release(bytes);
    dt_arena_clear(&arena);
    return status;
}

void dt_config_clear(dt_config *config)
{
    dt_experiment_clear(&config->experiment);
    config->root = NULL;
    config->text = NULL;
    config->text_size = 0;
}

void dt_config_place(const dt_config *config, const char *path, dt_error *error)
{
    size_t followed;
    const dt_node *node = dt_node_follow(config->root, path, &followed);
    if (error && followed == strlen(path))
        dt_error_place(error, node);
}

void dt_config_hash(const dt_config *config, char hash[13])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)config->text, config->text_size, digest);
    for (size_t i = 0; i < 6; i++)
        snprintf(hash + 2 * i, 3, "%02x", digest[i]);
}
