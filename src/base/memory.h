/* Allocation inside the library: through the hook of deltoid/memory.h, overflow-checked, cache-line aligned. */
#ifndef DT_BASE_MEMORY_H
#define DT_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "deltoid/memory.h"
#include "deltoid/status.h"

enum { DT_CACHE_LINE = 64, DT_HUGE_PAGE = 2 << 20 };

/* count * size bytes, aligned to a cache line, contents undefined. NULL on overflow or when memory is out. count or
 * size 0 gives a block that may be released but not used. */
void *dt_allocate(size_t count, size_t size);

/* The same, zeroed. */
void *dt_allocate_zeroed(size_t count, size_t size);

/* For large numeric arrays: aligned to a huge page where it is at least one, advised to use them, and not touched, so
 * that the first worker that writes a page decides where it lives. */
void *dt_allocate_array(size_t count, size_t size);

/* The same for what every step goes through: from an eighth of a huge page on in whole ones, which spares the processor
 * looking up many small pages (a fifth of the time of a gradient as large as the second-level cache). */
void *dt_allocate_hot(size_t count, size_t size);

/* The bytes that it takes for `bytes`, of which there are at most PTRDIFF_MAX. */
size_t dt_hot_bytes(size_t bytes);

/* Gives it back; NULL is allowed. */
void dt_release(void *memory);

/* A copy of the string, or NULL. */
char *dt_duplicate(const char *text);

/* *product = a * b; false on overflow. */
bool dt_multiply(size_t a, size_t b, size_t *product);

/* Records DT_NO_MEMORY with what was wanted. */
dt_status dt_fail_memory(dt_error *error, const char *what);

/* Many small allocations that live and die together: an experiment's names and lists. Zero-initialise; clear to free
 * all. */
typedef struct dt_arena {
    struct dt_arena_block *blocks;
} dt_arena;

void *dt_arena_allocate(dt_arena *arena, size_t count, size_t size); /* zeroed; NULL when memory is out */
char *dt_arena_duplicate(dt_arena *arena, const char *text);
void dt_arena_clear(dt_arena *arena);

#endif
