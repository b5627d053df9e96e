#include <float.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "deltoid/dataset.h"

/* floor(rows * fraction), at least 1. A fraction is meant as it is written: 0.29 of 100 rows are 29, though the product
 * of the doubles is 28.999999999999996. */
static int64_t part_of(int64_t rows, double fraction)
{
    const double part = (double)rows * fraction * (1 + 4 * DBL_EPSILON);
    return part < 1 ? 1 : part < (double)rows ? (int64_t)part : rows;
}

/* Selection sampling (Knuth, The Art of Computer Programming 2, algorithm 3.4.2 S): row i is taken with probability
 * wanted / left, so that every set of `wanted` rows is as likely as any other, and both lists come out ascending. One
 * 64-bit number a row. */
static void select_rows(int64_t rows, int64_t wanted, uint64_t seed, int64_t *rest, int64_t *taken)
{
    dt_random128 random = {{0, 0}};
    for (int64_t i = 0; i < rows; i++) {
        if (i % 2 == 0)
            random = dt_philox(seed, DT_FOR_SPLIT, 0, (uint64_t)i / 2);
        if (dt_uniform_below(random.u[i % 2], (uint64_t)(rows - i)) < (uint64_t)wanted) {
            *taken++ = i;
            wanted--;
        } else {
            *rest++ = i;
        }
    }
}

dt_status dt_rows_split(int64_t rows, double fraction, uint64_t seed, dt_rows *train, dt_rows *validation,
                        dt_error *error)
{
    *train = *validation = (dt_rows){0, NULL};
    if (!(fraction > 0 && fraction < 1))
        return dt_fail(
            error, DT_INVALID,
            "a validation fraction of %g leaves nothing to train or to validate on; give one between 0 and 1",
            fraction);
    if (rows < 2)
        return dt_fail(error, DT_INVALID, "%lld rows can't be split into training and validation; it takes at least 2",
                       (long long)rows);
    const int64_t wanted = part_of(rows, fraction);
    if (wanted >= rows)
        return dt_fail(error, DT_INVALID,
                       "a validation fraction of %.17g takes all %lld rows and leaves none to train on; give less",
                       fraction, (long long)rows);
    int64_t *index = dt_allocate_array((size_t)rows, sizeof *index);
    if (!index)
        return dt_fail_memory(error, "the split into training and validation rows");
    select_rows(rows, wanted, seed, index, index + (rows - wanted));
    *train = (dt_rows){rows - wanted, index};
    *validation = (dt_rows){wanted, index + (rows - wanted)};
    return DT_OK;
}

void dt_rows_release(dt_rows *rows)
{
    dt_release((void *)(uintptr_t)rows->index); /* const to those who read the rows */
    *rows = (dt_rows){0, NULL};
}
