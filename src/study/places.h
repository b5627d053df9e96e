/* Like with like. A hypervisor, or a scheduler that nobody told where to put the workers, may run a program's threads
 * on processors of one last-level cache in one visit and of two in the next: two distributions, whose common median is
 * that of neither. So of all visits with several workers those count whose processors lay as in most of them, by the
 * probe of lines between the first two (deltoid/machine.h); the others are kept, counted and shown. Where `placement`
 * is a factor, each of its levels has a place of its own. Rules 2 and 9 of study/rules.h.
 */
#ifndef DT_STUDY_PLACES_H
#define DT_STUDY_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A visit that ended well and was not disturbed. */
typedef struct dt_placed {
    int64_t point;
    double seconds;    /* a step took */
    const char *level; /* of placement; NULL: of one worker, which lies nowhere */
    const char *place; /* "": nobody looked */
} dt_placed;

/* Where most visits at this level of placement were; of equally many the first. NULL: nobody looked. */
const char *dt_place_commonest(const dt_placed *visits, size_t count, const char *level);

/* Whether a visit's processors lay otherwise than `place`; not where one of the two isn't known. */
bool dt_place_differs(const char *place, const char *of_visit);

/* The seconds of a point's visits but those that lay otherwise than most at its level, ascending: at most `count`.
 * Returns how many. */
int64_t dt_place_alike(const dt_placed *visits, size_t count, int64_t point, double *seconds);

#endif
