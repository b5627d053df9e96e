#include "base/names.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b; LONGEST for names too long to be compared. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n >= LONGEST || m >= LONGEST)
        return LONGEST;
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
        size_t *oldest = before;
        before = last, last = now, now = oldest;
    }
    return last[m];
}

const char *dt_nearest_name(const char *name, dt_name_at at, const void *context)
{
    const char *nearest = NULL, *candidate;
    size_t best = strlen(name) / 3 + 2; /* farther is no slip of the finger */
    for (size_t i = 0; (candidate = at(context, i)); i++) {
        size_t d = distance(name, candidate);
        if (d < best) {
            best = d;
            nearest = candidate;
        }
    }
    return nearest;
}

dt_status dt_fail_unknown(dt_error *error, const char *what, const char *name, dt_name_at at, const void *context)
{
    char list[DT_MESSAGE_SIZE / 2] = "";
    size_t used = 0;
    const char *valid;
    for (size_t i = 0; (valid = at(context, i)); i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", valid);
        if (n < 0 || (size_t)n >= sizeof list - used)
            break;
        used += (size_t)n;
    }
    const char *nearest = dt_nearest_name(name, at, context);
    if (nearest)
        return dt_fail(error, DT_UNKNOWN_NAME, "unknown %s '%.64s'; did you mean '%s'? valid: %s", what, name, nearest,
                       list);
    return dt_fail(error, DT_UNKNOWN_NAME, "unknown %s '%.64s'; valid: %s", what, name, list);
}
