#include "cli/schema.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "cli/values.h"
#include "train/keys.h"

enum { PATTERN_SIZE = 64, PATH_SIZE = 160 };

/* A section: its pattern in the table, its path for people, the struct of its keys. */
typedef struct section {
    char pattern[PATTERN_SIZE], path[PATH_SIZE];
    void *base;
} section;

typedef struct reader {
    dt_experiment *experiment;
    dt_error *error;
} reader;

static dt_status no_memory(reader *r)
{
    return dt_fail(r->error, DT_NO_MEMORY, "out of memory for the experiment; free some memory");
}

/* Child `name` of a section: the names of both, joined. */
static void enter(section *to, const section *from, const char *name, const char *pattern_name)
{
    to->base = from->base;
    snprintf(to->pattern, sizeof to->pattern, "%.40s%s%.20s", from->pattern, *from->pattern ? "." : "", pattern_name);
    snprintf(to->path, sizeof to->path, "%.80s%s%.64s", from->path, *from->path ? "." : "", name);
}

enum { CHILDREN_MAX = 32 };

typedef struct child_names {
    char at[CHILDREN_MAX][DT_KEY_NAME_SIZE];
} child_names;

static const char *child_at(const void *context, size_t i)
{
    const child_names *names = context;
    return i < CHILDREN_MAX && *names->at[i] ? names->at[i] : NULL;
}

/* The last part of a key's path, for names that were written in the wrong section. */
static const char *leaf_at(const void *context, size_t i)
{
    const dt_key *key = dt_key_at(i);
    (void)context;
    return !key ? NULL : strrchr(key->pattern, '.') ? strrchr(key->pattern, '.') + 1 : key->pattern;
}

/* Its whole path, written into `path` with a place in a list and a rule's name filled in. NULL where none is near. */
static const char *nearest_elsewhere(const char *name, char path[PATTERN_SIZE])
{
    const char *leaf = dt_nearest_name(name, leaf_at, NULL);
    size_t i = 0;
    while (leaf && dt_key_at(i) && leaf_at(NULL, i) != leaf)
        i++;
    if (!leaf || !dt_key_at(i))
        return NULL;
    const char *pattern = dt_key_at(i)->pattern, *wild = pattern + strcspn(pattern, "#*");
    snprintf(path, PATTERN_SIZE, "%.*s%s%s", (int)(wild - pattern), pattern,
             *wild == '#'   ? "0"
             : *wild == '*' ? "RULE"
                            : "",
             *wild ? wild + 1 : "");
    return path;
}

static dt_status unknown_key(reader *r, const section *s, const dt_node *node)
{
    if (strchr(node->key, '.'))
        return dt_fail_at_key(
            r->error, node, DT_UNKNOWN_NAME,
            "unknown key '%.64s'; write a key with dots as keys under each other, as in training: {epochs: 3}",
            node->key);
    child_names names = {0};
    char list[(CHILDREN_MAX + 1) * (DT_KEY_NAME_SIZE + 2)] = "";
    const dt_key *choice = dt_key_find(s->pattern); /* else a plain section */
    size_t n = choice ? (size_t)snprintf(list, sizeof list, "name") : 0;
    for (size_t i = 0; i < CHILDREN_MAX && dt_key_child(s->pattern, i, names.at[i]); i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", names.at[i]);
    char elsewhere[PATTERN_SIZE];
    const char *nearest = dt_nearest_name(node->key, child_at, &names);
    if (!nearest)
        nearest = nearest_elsewhere(node->key, elsewhere);
    return dt_fail_at_key(r->error, node, DT_UNKNOWN_NAME, "%s%sunknown key '%.64s'%s%s%s valid here: %s", s->path,
                          *s->path ? ": " : "", node->key, nearest ? "; did you mean '" : ";", nearest ? nearest : "",
                          nearest ? "'?" : "", list);
}

static dt_status read_section(reader *r, const section *s, const dt_node *node);
static dt_status read_child(reader *r, const section *s, const dt_node *child);

static bool is_needed(const section *s, const dt_key *key)
{
    const dt_key *chooser = key->of == DT_OF_EXPERIMENT ? dt_key_chooser(key) : NULL;
    return dt_key_is_needed(key, chooser ? *(const char *const *)dt_key_field(chooser, s->base) : NULL);
}

/* What must be there: keys of this section, and sections that have such keys. */
static dt_status check_missing(reader *r, const section *s, const dt_node *node)
{
    char name[DT_KEY_NAME_SIZE];
    for (size_t i = 0; dt_key_child(s->pattern, i, name); i++) {
        if (dt_node_child(node, name))
            continue;
        section child;
        enter(&child, s, name, name);
        const dt_key *key = dt_key_find(child.pattern);
        bool required = key && is_needed(s, key);
        size_t n = strlen(child.pattern);
        for (size_t k = 0; !key && dt_key_at(k); k++)
            required |= dt_key_at(k)->required && strncmp(dt_key_at(k)->pattern, child.pattern, n) == 0 &&
                        dt_key_at(k)->pattern[n] == '.' && is_needed(s, dt_key_at(k)); /* of this section's struct */
        if (required)
            return dt_fail_at(r->error, node, DT_INVALID, "%s is missing; add it (deltoid help experiment explains it)",
                              child.path);
    }
    return DT_OK;
}

/* The name that a section gives, whose defaults then hold in it. */
static void choose_defaults(const section *s, const dt_node *node)
{
    section place;
    enter(&place, s, "name", "name");
    const dt_key *name = dt_key_find(place.pattern);
    const dt_node *child = dt_node_child(node, "name");
    if (*s->pattern && name && name->kind == DT_KEY_ENTRY && child && child->kind == DT_NODE_SCALAR)
        dt_key_named_defaults(name, child->text, s->base);
}

/* A key that another name of the section has no use for. */
static dt_status check_applies(reader *r, const section *s, const dt_node *node)
{
    for (const dt_node *child = node->first; child; child = child->next) {
        section place;
        enter(&place, s, child->key, child->key);
        const dt_key *key = dt_key_find(place.pattern), *chooser = key ? dt_key_chooser(key) : NULL;
        if (!chooser)
            continue;
        section name;
        enter(&name, s, "name", "name");
        const char *value = *(const char *const *)dt_key_field(chooser, s->base);
        size_t index;
        if (!value || dt_table_find(chooser->table, value, &index, NULL) != DT_OK)
            continue; /* that it is missing or unknown is what is wrong */
        char only[320];
        dt_key_only(key, only, sizeof only);
        if (!dt_key_applies(key, value) && strcmp(chooser->pattern, "data.format") == 0)
            return dt_fail_at_key(r->error, child, DT_INVALID,
                                  "%s: has no effect with data.format: %s; remove it, or set data.format: %s",
                                  place.path, value, only);
        if (!dt_key_applies(key, value))
            return dt_fail_at_key(r->error, child, DT_INVALID,
                                  "%s: has no effect with %s: %s; remove it (%s={name: %s} as an argument replaces the "
                                  "whole section), or set %s: %s",
                                  place.path, name.path, value, s->path, value, name.path, only);
    }
    return DT_OK;
}

static dt_status expected(reader *r, const char *path, const dt_node *node, const char *what)
{
    if (node->kind == DT_NODE_SCALAR && !*node->text)
        return dt_fail_at(r->error, node, DT_INVALID, "%s: nothing under it; write %s, or remove it", path, what);
    return dt_fail_at(r->error, node, DT_INVALID, "%s: can't be %s%.64s%s; write %s", path,
                      node->kind == DT_NODE_SCALAR ? "'" : "",
                      node->kind == DT_NODE_LIST  ? "a list"
                      : node->kind == DT_NODE_MAP ? "a section"
                                                  : node->text,
                      node->kind == DT_NODE_SCALAR ? "'" : "", what);
}

static dt_status read_network(reader *r, const section *s, const dt_node *node)
{
    dt_experiment *e = r->experiment;
    if (node->kind != DT_NODE_LIST)
        return expected(r, s->path, node, "a list of layers");
    if (node->count < 1 || node->count > DT_LAYERS_MAX)
        return dt_fail_at(r->error, node, DT_INVALID, "network: %zu layers; give 1 to %d", node->count, DT_LAYERS_MAX);
    e->network = dt_arena_allocate(e->arena, node->count, sizeof *e->network);
    if (!e->network)
        return no_memory(r);
    for (const dt_node *item = node->first; item; item = item->next) {
        char place[24];
        section layer;
        snprintf(place, sizeof place, "%zu", e->layer_count);
        enter(&layer, s, place, "#");
        layer.base = &e->network[e->layer_count++];
        dt_key_defaults(DT_OF_LAYER, layer.base);
        dt_status status = read_section(r, &layer, item);
        if (status != DT_OK)
            return status;
    }
    return DT_OK;
}

static dt_status read_capture(reader *r, const section *s, const dt_node *node)
{
    dt_experiment *e = r->experiment;
    if (node->kind != DT_NODE_MAP)
        return expected(r, s->path, node, "a section of rules by name");
    if (node->count > DT_RULES_MAX)
        return dt_fail_at(r->error, node, DT_INVALID, "capture: %zu rules; give at most %d", node->count, DT_RULES_MAX);
    e->capture = dt_arena_allocate(e->arena, node->count, sizeof *e->capture);
    if (!e->capture)
        return no_memory(r);
    for (const dt_node *child = node->first; child; child = child->next) {
        section place;
        enter(&place, s, child->key, "*");
        dt_capture_rule *rule = &e->capture[e->capture_count++];
        dt_key_defaults(DT_OF_RULE, rule);
        rule->name = child->key;
        if (!dt_is_name(rule->name, 64, false))
            return dt_fail_at_key(r->error, child, DT_INVALID,
                                  "capture: '%.80s' can't name a rule; use up to 64 letters, digits, '_' and '-'",
                                  rule->name);
        place.base = rule;
        dt_status status = read_section(r, &place, child);
        if (status != DT_OK)
            return status;
        if (child->kind == DT_NODE_MAP && dt_node_child(child, "every") && dt_node_child(child, "steps"))
            return dt_fail_at_key(r->error, dt_node_child(child, "steps"), DT_INVALID,
                                  "%s.steps: both every and steps are given; remove one of them", place.path);
    }
    return DT_OK;
}

/* A choice written as a section: its name, and parameters. */
static dt_status read_choice(reader *r, const section *s, const dt_key *choice, const dt_node *node)
{
    const dt_node *name = dt_node_child(node, "name");
    char path[PATH_SIZE + 8];
    snprintf(path, sizeof path, "%s.name", s->path);
    if (!name)
        return dt_fail_at(r->error, node, DT_INVALID, "%s is missing; add it (deltoid help experiment explains it)",
                          path);
    dt_status status = dt_value_read(choice, path, name, s->base, r->experiment->arena, r->error);
    for (const dt_node *child = node->first; status == DT_OK && child; child = child->next)
        if (child != name)
            status = read_child(r, s, child);
    return status == DT_OK ? check_applies(r, s, node) : status;
}

static dt_status read_child(reader *r, const section *s, const dt_node *child)
{
    section place;
    enter(&place, s, child->key, child->key);
    bool plain = !strpbrk(child->key, ".#*"); /* else it could pass for a pattern of the table */
    const dt_key *key = plain ? dt_key_find(place.pattern) : NULL;
    if (key && child->kind == DT_NODE_MAP && dt_key_is_choice(key))
        return read_choice(r, &place, key, child);
    if (key)
        return dt_value_read(key, place.path, child, place.base, r->experiment->arena, r->error);
    if (!plain || !dt_key_is_section(place.pattern))
        return unknown_key(r, s, child);
    if (strcmp(place.pattern, "network") == 0)
        return read_network(r, &place, child);
    if (strcmp(place.pattern, "capture") == 0)
        return read_capture(r, &place, child);
    return read_section(r, &place, child);
}

static dt_status read_section(reader *r, const section *s, const dt_node *node)
{
    if (node->kind != DT_NODE_MAP)
        return expected(r, s->path, node, "a section of keys (deltoid help experiment lists them)");
    choose_defaults(s, node);
    const dt_node *format = strcmp(s->pattern, "data") == 0 ? dt_node_child(node, "format") : NULL;
    dt_status status = format ? read_child(r, s, format) : DT_OK; /* first: it decides what the others mean */
    for (const dt_node *child = node->first; status == DT_OK && child; child = child->next)
        if (child != format)
            status = read_child(r, s, child);
    if (status == DT_OK)
        status = check_missing(r, s, node);
    return status == DT_OK ? check_applies(r, s, node) : status;
}

dt_status dt_schema_read(dt_experiment *experiment, const dt_node *root, dt_error *error)
{
    reader r = {experiment, error};
    section top = {.base = experiment};
    return read_section(&r, &top, root);
}

void dt_schema_place(dt_error *error, const dt_node *root)
{
    char path[PATH_SIZE];
    size_t n = error ? strcspn(error->message, ": ") : 0;
    if (n == 0 || n >= sizeof path || error->message[n] != ':')
        return;
    memcpy(path, error->message, n);
    path[n] = '\0';
    size_t followed;
    const dt_node *node = dt_node_follow(root, path, &followed);
    if (followed > 0)
        dt_error_place(error, node);
}
