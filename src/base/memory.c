#define _GNU_SOURCE
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *default_allocate(void *context, size_t alignment, size_t size)
{
    (void)context;
    void *memory = NULL;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

static void default_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static struct {
    dt_allocate_fn allocate;
    dt_release_fn release;
    void *context;
} hook = {default_allocate, default_release, NULL};

void dt_memory_hook(dt_allocate_fn allocate, dt_release_fn release, void *context)
{
    hook.allocate = allocate ? allocate : default_allocate;
    hook.release = release ? release : default_release;
    hook.context = context;
}

bool dt_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

static void *aligned(size_t alignment, size_t count, size_t size)
{
    size_t bytes;
    if (!dt_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX - alignment)
        return NULL;
    return hook.allocate(hook.context, alignment, bytes ? bytes : 1);
}

void *dt_allocate(size_t count, size_t size)
{
    return aligned(DT_CACHE_LINE, count, size);
}

void *dt_allocate_zeroed(size_t count, size_t size)
{
    void *memory = dt_allocate(count, size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

void *dt_allocate_array(size_t count, size_t size)
{
    size_t bytes;
    if (!dt_multiply(count, size, &bytes))
        return NULL;
    if (bytes < DT_HUGE_PAGE)
        return dt_allocate(count, size);
    void *memory = aligned(DT_HUGE_PAGE, count, size);
    if (memory)
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* advice only: a kernel without huge pages says no */
    return memory;
}

size_t dt_hot_bytes(size_t bytes)
{
    if (bytes < DT_HUGE_PAGE / 8)
        return bytes;
    return (bytes + DT_HUGE_PAGE - 1) / DT_HUGE_PAGE * DT_HUGE_PAGE; /* a part of a page can't be huge */
}

void *dt_allocate_hot(size_t count, size_t size)
{
    size_t bytes;
    if (!dt_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX)
        return NULL;
    return dt_allocate_array(dt_hot_bytes(bytes), 1);
}

void dt_release(void *memory)
{
    if (memory)
        hook.release(hook.context, memory);
}

char *dt_duplicate(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = dt_allocate(size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

dt_status dt_fail_memory(dt_error *error, const char *what)
{
    return dt_fail(error, DT_NO_MEMORY, "out of memory for %s; use a smaller network, minibatch or data set", what);
}

struct dt_arena_block {
    struct dt_arena_block *next;
    max_align_t memory[];
};

void *dt_arena_allocate(dt_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!dt_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX - sizeof(struct dt_arena_block))
        return NULL;
    struct dt_arena_block *block = dt_allocate_zeroed(1, sizeof *block + bytes);
    if (!block)
        return NULL;
    block->next = arena->blocks;
    arena->blocks = block;
    return block->memory;
}

char *dt_arena_duplicate(dt_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = dt_arena_allocate(arena, size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

void dt_arena_clear(dt_arena *arena)
{
    while (arena->blocks) {
        struct dt_arena_block *next = arena->blocks->next;
        dt_release(arena->blocks);
        arena->blocks = next;
    }
}
