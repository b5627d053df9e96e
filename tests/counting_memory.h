/* An allocator for dt_memory_hook that counts blocks and bytes, and fails the n-th call when asked to. One thread at a
 * time. */
#ifndef COUNTING_MEMORY_H
#define COUNTING_MEMORY_H

#include <stddef.h>
#include <stdlib.h>

#include "deltoid/memory.h"

typedef struct counting_memory {
    long calls, fail_at; /* fail_at: the call that fails, from 1; 0: none does */
    long blocks;         /* given and not yet given back */
    size_t bytes, peak;  /* in these blocks, now and at most */
} counting_memory;

/* Just before each block. */
typedef struct counting_head {
    void *start;
    size_t size;
} counting_head;

static void *counting_allocate(void *context, size_t alignment, size_t size)
{
    counting_memory *memory = context;
    const size_t front = alignment > sizeof(counting_head) ? alignment : sizeof(counting_head);
    void *start;
    if (++memory->calls == memory->fail_at || posix_memalign(&start, alignment, front + size) != 0)
        return NULL;
    counting_head *head = (counting_head *)(void *)((char *)start + front) - 1;
    *head = (counting_head){start, size};
    memory->blocks++;
    memory->bytes += size;
    if (memory->bytes > memory->peak)
        memory->peak = memory->bytes;
    return head + 1;
}

static void counting_release(void *context, void *block)
{
    counting_memory *memory = context;
    const counting_head *head = (const counting_head *)block - 1;
    memory->blocks--;
    memory->bytes -= head->size;
    free(head->start);
}

/* From here on the library's memory is counted in *memory, from zero. */
static inline void count_memory(counting_memory *memory, long fail_at)
{
    *memory = (counting_memory){.fail_at = fail_at};
    dt_memory_hook(counting_allocate, counting_release, memory);
}

static inline void count_no_more(void)
{
    dt_memory_hook(NULL, NULL, NULL);
}

#endif
