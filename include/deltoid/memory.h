/* The one way in which the library gets memory, so that a program can count it, limit it, or make it fail.
 *
 * The hook is process-wide: set it before the first other call, from one thread. It must be thread-safe itself.
 */
#ifndef DELTOID_MEMORY_H
#define DELTOID_MEMORY_H

#include <stddef.h>

#pragma GCC visibility push(default)

/* Gives `size` bytes (> 0) aligned to `alignment` (a power of two, at least sizeof(void *)), or NULL. */
typedef void *(*dt_allocate_fn)(void *context, size_t alignment, size_t size);
typedef void (*dt_release_fn)(void *context, void *memory);

/* Replaces the allocator; NULL, NULL restores the default (posix_memalign and free). */
void dt_memory_hook(dt_allocate_fn allocate, dt_release_fn release, void *context);

#pragma GCC visibility pop

#endif
