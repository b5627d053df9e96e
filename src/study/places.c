#include "study/places.h"

#include <string.h>

#include "study/statistics.h"

static bool is_at(const dt_placed *visit, const char *level)
{
    return visit->level && *visit->place && strcmp(visit->level, level) == 0;
}

/* How many visits from `first` on are at the place of visit `first`; 0 where an earlier one was there, too. */
static size_t count_alike(const dt_placed *visits, size_t count, size_t first, const char *level)
{
    size_t alike = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_at(&visits[i], level) || strcmp(visits[i].place, visits[first].place) != 0)
            continue;
        if (i < first)
            return 0;
        alike++;
    }
    return alike;
}

const char *dt_place_commonest(const dt_placed *visits, size_t count, const char *level)
{
    const char *place = NULL;
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t alike = is_at(&visits[i], level) ? count_alike(visits, count, i, level) : 0;
        if (alike > most) {
            most = alike;
            place = visits[i].place;
        }
    }
    return place;
}

bool dt_place_differs(const char *place, const char *of_visit)
{
    return place && of_visit && *of_visit && strcmp(place, of_visit) != 0;
}

int64_t dt_place_alike(const dt_placed *visits, size_t count, int64_t point, double *seconds)
{
    const char *level = NULL;
    for (size_t i = 0; i < count && !level; i++)
        if (visits[i].point == point)
            level = visits[i].level;
    const char *place = level ? dt_place_commonest(visits, count, level) : NULL;
    int64_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (visits[i].point == point && !dt_place_differs(place, visits[i].place))
            seconds[n++] = visits[i].seconds;
    dt_samples_sort(seconds, n);
    return n;
}
