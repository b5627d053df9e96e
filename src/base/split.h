/* Who owns what: contiguous, balanced runs. Pure functions, so that any thread can know any other's part. */
#ifndef DT_BASE_SPLIT_H
#define DT_BASE_SPLIT_H

#include <stdint.h>

/* first .. last-1 */
typedef struct dt_span {
    int64_t first, last;
} dt_span;

/* Part `part` of `parts` of 0 .. n-1: the first n % parts parts get one more. Empty parts come last when n < parts.
 *
 *     n = 7, parts = 3:  [0,3) [3,5) [5,7)         n = 2, parts = 3:  [0,1) [1,2) [2,2)
 */
static inline dt_span dt_split(int64_t n, int64_t parts, int64_t part)
{
    int64_t each = n / parts, more = n % parts;
    int64_t first = part * each + (part < more ? part : more);
    return (dt_span){first, first + each + (part < more)};
}

/* The part that holds i: dt_split's way back. */
static inline int64_t dt_split_part(int64_t n, int64_t parts, int64_t i)
{
    const int64_t each = n / parts, more = n % parts, larger = more * (each + 1);
    return i < larger ? i / (each + 1) : more + (i - larger) / each;
}

static inline int64_t dt_span_count(dt_span s)
{
    return s.last - s.first;
}

/* ceil(a / b) for a >= 0, b > 0 */
static inline int64_t dt_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t dt_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t dt_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
