#include "cli/node.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_BLOCK = 16 << 10, LABEL_MAX = 300 };

void *dt_pool_allocate(dt_pool *pool, size_t size)
{
    enum { ALIGN = sizeof(max_align_t) };
    if (size > SIZE_MAX - ALIGN)
        return NULL;
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (size > POOL_BLOCK / 4)
        return dt_arena_allocate(pool->arena, 1, size);
    if (size > pool->left) {
        pool->block = dt_arena_allocate(pool->arena, 1, POOL_BLOCK);
        pool->left = pool->block ? POOL_BLOCK : 0;
        if (!pool->block)
            return NULL;
    }
    void *memory = pool->block;
    pool->block += size;
    pool->left -= size;
    return memory;
}

char *dt_pool_text(dt_pool *pool, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? dt_pool_allocate(pool, length + 1) : NULL;
    return copy ? memcpy(copy, text, length) : NULL;
}

dt_node *dt_node_child(const dt_node *map, const char *key)
{
    dt_node *child = map->kind == DT_NODE_MAP ? map->first : NULL;
    while (child && strcmp(child->key, key) != 0)
        child = child->next;
    return child;
}

dt_node *dt_node_item(const dt_node *list, size_t i)
{
    dt_node *item = list->kind == DT_NODE_LIST ? list->first : NULL;
    while (item && i--)
        item = item->next;
    return item;
}

const dt_node *dt_node_follow(const dt_node *root, const char *path, size_t *followed)
{
    const dt_node *node = root;
    const char *rest = path;
    while (*rest) {
        size_t length = strcspn(rest, ".");
        char name[256], *end;
        if (length >= sizeof name)
            break;
        memcpy(name, rest, length);
        name[length] = '\0';
        const dt_node *next;
        if (node->kind == DT_NODE_LIST) {
            size_t i = (size_t)strtoul(name, &end, 10);
            next = *end ? NULL : dt_node_item(node, i);
        } else {
            next = dt_node_child(node, name);
        }
        if (!next)
            break;
        node = next;
        rest += length + (rest[length] == '.');
    }
    if (followed)
        *followed = (size_t)(rest - path);
    return node;
}

/* The last LABEL_MAX bytes of a file's name, the first of an argument: whole characters, and "..." for what is left
 * out. */
static char *shortened(dt_arena *arena, const char *before, const char *text, const char *after, bool keep_end)
{
    size_t n = strlen(text), kept = n, skip = 0;
    if (n > LABEL_MAX) {
        kept = LABEL_MAX;
        skip = keep_end ? n - kept : 0;
        while (keep_end && skip < n && ((unsigned char)text[skip] & 0xc0) == 0x80)
            skip++, kept--;
        while (!keep_end && kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
            kept--;
    }
    size_t size = strlen(before) + kept + strlen(after) + 4;
    char *label = dt_arena_allocate(arena, size, 1);
    if (label)
        snprintf(label, size, "%s%s%.*s%s%s", before, skip ? "..." : "", (int)kept, text + skip,
                 n > kept && !skip ? "..." : "", after);
    return label;
}

static const dt_origin *origin(dt_arena *arena, char *label, const char *folder, bool positions)
{
    dt_origin *made = label ? dt_arena_allocate(arena, 1, sizeof *made) : NULL;
    if (made)
        *made = (dt_origin){label, folder, positions};
    return made;
}

const dt_origin *dt_origin_file(dt_arena *arena, const char *file, const char *folder)
{
    return origin(arena, shortened(arena, "", file, "", true), folder, true);
}

const dt_origin *dt_origin_argument(dt_arena *arena, const char *argument, const char *folder)
{
    return origin(arena, shortened(arena, "command line: key '", argument, "'", false), folder, false);
}

static void place(char *out, size_t size, const dt_origin *from, int line, int column)
{
    if (from->positions)
        snprintf(out, size, "%s:%d:%d", from->label, line, column);
    else
        snprintf(out, size, "%s", from->label);
}

void dt_error_place(dt_error *error, const dt_node *node)
{
    char text[LABEL_MAX + 64];
    place(text, sizeof text, node->origin, node->line, node->column);
    dt_error_prefix(error, text);
}

#if defined(__GNUC__)
__attribute__((format(printf, 6, 0)))
#endif
static dt_status
fail(dt_error *error, const dt_origin *from, int line, int column, dt_status status, const char *format,
     va_list arguments)
{
    char text[LABEL_MAX + 64], message[DT_MESSAGE_SIZE];
    place(text, sizeof text, from, line, column);
    vsnprintf(message, sizeof message, format, arguments);
    return dt_fail(error, status, "%s: %s", text, message);
}

dt_status dt_fail_at(dt_error *error, const dt_node *node, dt_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fail(error, node->origin, node->line, node->column, status, format, arguments);
    va_end(arguments);
    return status;
}

dt_status dt_fail_at_key(dt_error *error, const dt_node *node, dt_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool keyed = node->key_line > 0;
    fail(error, node->origin, keyed ? node->key_line : node->line, keyed ? node->key_column : node->column, status,
         format, arguments);
    va_end(arguments);
    return status;
}
