#include "cli/overrides.h"

#include <stdio.h>
#include <string.h>

#include "cli/yaml.h"

enum { PATH_MAX_LENGTH = 255, PATTERN_SIZE = 2 * PATH_MAX_LENGTH + 2 };

bool dt_is_override(const char *argument)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t n = strspn(argument, letters);
    return n > 0 && *argument != '-' && argument[n] == '=';
}

/* "network", "0" -> "network.#"; "capture", "probe" -> "capture.*". */
static void step_pattern(char *pattern, size_t size, const char *name)
{
    size_t n = strlen(pattern);
    static const char wild[] = "#*";
    for (const char *w = wild; *w; w++) {
        snprintf(pattern + n, size - n, "%s%c", n ? "." : "", *w);
        if (dt_key_is_section(pattern))
            return;
    }
    snprintf(pattern + n, size - n, "%s%s", n ? "." : "", name);
}

const dt_key *dt_override_key(const char *path)
{
    char name[PATH_MAX_LENGTH + 1], pattern[PATTERN_SIZE] = "";
    if (strlen(path) > PATH_MAX_LENGTH)
        return NULL;
    for (; *path; path += *path == '.') {
        const size_t length = strcspn(path, ".");
        memcpy(name, path, length);
        name[length] = '\0';
        step_pattern(pattern, sizeof pattern, name);
        path += length;
    }
    return dt_key_find(pattern);
}

static bool is_list(const char *pattern)
{
    char under[PATTERN_SIZE + 2];
    snprintf(under, sizeof under, "%s.#", pattern);
    return dt_key_is_section(under);
}

/* A place in a list: digits alone, no larger than the list's length; SIZE_MAX otherwise. */
static size_t position(const char *name, size_t count)
{
    size_t i = 0;
    if (!*name)
        return SIZE_MAX;
    for (const char *c = name; *c; c++) {
        if (*c < '0' || *c > '9')
            return SIZE_MAX;
        i = i * 10 + (size_t)(*c - '0');
        if (i > count)
            return SIZE_MAX;
    }
    return i;
}

static void append(dt_node *parent, dt_node *child)
{
    dt_node **end = &parent->first;
    while (*end)
        end = &(*end)->next;
    *end = child;
    parent->count++;
}

/* The child `name` of `parent`, made where there is none. What is newly made, and a value that nothing was written for,
 * becomes what the schema says of it. */
static dt_status descend(dt_pool *pool, dt_node *parent, const char *name, const char *pattern, const dt_origin *origin,
                         dt_node **found, dt_error *error)
{
    dt_node place = {.origin = origin};
    if (parent->kind == DT_NODE_LIST) {
        size_t i = position(name, parent->count);
        if (i == SIZE_MAX)
            return dt_fail_at(error, &place, DT_INVALID,
                              "'%.64s' is no place in the list; give 0 to %zu, where %zu adds an entry", name,
                              parent->count, parent->count);
        *found = dt_node_item(parent, i);
    } else if (parent->kind == DT_NODE_MAP) {
        *found = dt_node_child(parent, name);
    } else {
        return dt_fail_at(error, &place, DT_INVALID,
                          "'%.64s' lies under a key that holds a single value; see deltoid help experiment", name);
    }
    if (*found && !((*found)->kind == DT_NODE_SCALAR && !*(*found)->text && dt_key_is_section(pattern)))
        return DT_OK;
    dt_node *made = *found ? *found : dt_pool_allocate(pool, sizeof *made);
    char *key = made ? dt_pool_text(pool, name, strlen(name)) : NULL;
    if (!key)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
    if (!*found) {
        append(parent, made);
        made->origin = origin;
        made->key = parent->kind == DT_NODE_MAP ? key : NULL;
        made->text = "";
    }
    made->kind = is_list(pattern) ? DT_NODE_LIST : DT_NODE_MAP;
    *found = made;
    return DT_OK;
}

/* A choice written as its name alone, "loss: huber", becomes the section that a parameter can be put into. */
static dt_status open_choice(dt_pool *pool, dt_node *at, const char *pattern, dt_error *error)
{
    const dt_key *key = dt_key_find(pattern);
    if (!key || !dt_key_is_choice(key) || at->kind != DT_NODE_SCALAR || !*at->text)
        return DT_OK;
    dt_node *name = dt_pool_allocate(pool, sizeof *name);
    const char *word = dt_pool_text(pool, "name", strlen("name"));
    if (!name || !word)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
    *name = *at;
    name->key = word;
    name->next = NULL;
    at->kind = DT_NODE_MAP;
    at->text = "";
    at->first = name;
    at->count = 1;
    return DT_OK;
}

static dt_status read_value(dt_node **value, const char *text, const dt_origin *origin, dt_pool *pool, dt_error *error)
{
    dt_node place = {.origin = origin};
    size_t size = strlen(text);
    if (size > DT_YAML_SIZE_MAX)
        return dt_fail_at(error, &place, DT_INVALID, "longer than 1 MiB; put it into the experiment file");
    dt_status status = dt_yaml_read(value, text, size, origin, pool->arena, error);
    if (status == DT_OK && !*value) {
        *value = dt_pool_allocate(pool, sizeof **value);
        if (!*value)
            return dt_fail(error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
        **value = (dt_node){.kind = DT_NODE_SCALAR, .text = "", .origin = origin};
    }
    return status;
}

dt_status dt_override_apply(dt_node *root, const char *argument, const char *folder, dt_arena *arena, dt_error *error)
{
    dt_pool pool = {.arena = arena};
    const dt_origin *origin = dt_origin_argument(arena, argument, folder);
    if (!origin)
        return dt_fail(error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
    dt_node place = {.origin = origin};
    size_t length = strcspn(argument, "=");
    if (length > PATH_MAX_LENGTH || argument[length] != '=')
        return dt_fail_at(error, &place, DT_INVALID, "no key of an experiment; write KEY=VALUE");

    dt_node *value, *at = root;
    dt_status status = read_value(&value, argument + length + 1, origin, &pool, error);
    char path[PATH_MAX_LENGTH + 1], pattern[PATTERN_SIZE] = "";
    memcpy(path, argument, length);
    path[length] = '\0';
    for (char *name = path, *next; status == DT_OK && name; name = next) {
        next = strchr(name, '.');
        if (next)
            *next++ = '\0';
        if (!*name)
            return dt_fail_at(error, &place, DT_INVALID,
                              "an empty name between dots; write the key's path, as in training.epochs=3");
        status = open_choice(&pool, at, pattern, error);
        if (status != DT_OK)
            break;
        step_pattern(pattern, sizeof pattern, name);
        status = descend(&pool, at, name, pattern, origin, &at, error);
    }
    if (status != DT_OK)
        return status;
    dt_node *next = at->next;
    const char *key = at->key;
    *at = *value;
    at->next = next;
    at->key = key;
    at->key_line = at->key_column = 0;
    return DT_OK;
}
