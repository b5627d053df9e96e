/* Lines that experiments/oracle/run.sh makes its table of: what an entry of a table was held against, and by how much
 * it differs at most. */
#ifndef DT_TESTS_ORACLE_H
#define DT_TESTS_ORACLE_H

#include <math.h>
#include <stdio.h>

/* `slope`: NaN where nothing is differentiated. */
static inline void oracle_line(const char *kind, const char *name, const char *origin, int numbers, double value,
                               double slope)
{
    printf("oracle\t%s\t%s\t%s\t%d\t%.1e\t", kind, name, origin, numbers, value);
    printf(isnan(slope) ? "-\n" : "%.1e\n", slope);
}

#endif
