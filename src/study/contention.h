/* Whether something else disturbed a measurement. Rules 9 and 10 (study/rules.h): what the machine did meanwhile is
 * part of what is measured, and a disturbed sample is flagged, counted and repeated, not silently left out.
 *
 *     dt_witness before, after;
 *     dt_witness_take(&before);
 *     ... a chunk of steps ...
 *     dt_witness_take(&after);
 *     unsigned flags = dt_contention_judge(&before, &after, workers, true);
 *
 * What is looked at, where Linux tells it (elsewhere 0, and nothing is flagged):
 *
 *     switches    this process was put off a processor that it wanted: getrusage's involuntary switches
 *     pressure    a task waited for a processor: /proc/pressure/cpu "some" (here: of this process's cgroup where it has
 *                 one, else of the system)
 *     throttled   the cgroup's quota was used up: cpu.stat's throttled_usec
 *     steal       the hypervisor ran something else: /proc/stat
 *     load        other processes' processor time: /proc/stat without this process's own
 *
 * Figures come in steps (steal and load in hundredths of a second), so that short chunks are judged by the first three.
 */
#ifndef DT_STUDY_CONTENTION_H
#define DT_STUDY_CONTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dt_witness {
    double seconds;     /* monotonic */
    double cpu;         /* processor seconds of this process */
    double busy, steal; /* of all processors: seconds that somebody ran; that the hypervisor took */
    int64_t voluntary, involuntary, throttled_us, pressure_us, page_faults;
} dt_witness;

/* Never fails: what isn't told stays 0. Takes some microseconds; `thorough` reads /proc, too. */
void dt_witness_take(dt_witness *witness, bool thorough);

typedef enum dt_disturbance {
    DT_DISTURBED_SWITCHES = 1,
    DT_DISTURBED_PRESSURE = 2,
    DT_DISTURBED_THROTTLED = 4,
    DT_DISTURBED_STEAL = 8,
    DT_DISTURBED_LOAD = 16,
    /* found elsewhere, named here */
    DT_DISTURBED_MOVED = 32, /* the processors' placement changed meanwhile */
    DT_DISTURBED_SLOW = 64   /* the core ran slower than the machine's best by more than DT_SLOW_CORE */
} dt_disturbance;

enum { DT_DISTURBANCES = 7 };

/* Limits, each well over what an idle machine shows and well under what a competing process does. */
#define DT_LIMIT_SWITCHES 25.0 /* a second and worker; and DT_LIMIT_SWITCHES_LEAST in any case */
#define DT_LIMIT_PRESSURE 0.04 /* of the time */
#define DT_LIMIT_STEAL    0.01 /* of the workers' time */
#define DT_LIMIT_LOAD     0.10 /* of one processor */
#define DT_SLOW_CORE      0.15
enum { DT_LIMIT_SWITCHES_LEAST = 3 };

/* Between two witnesses: flags of dt_disturbance. `whole`: a whole visit, long enough for steal and load. Processors
 * that this process leaves idle may be used by others: more than a tenth of one is load all the same, as caches and
 * bandwidth are shared. */
unsigned dt_contention_judge(const dt_witness *before, const dt_witness *after, int64_t workers, bool whole);

/* Processors that others were busy on, and this process's share of what its workers could have had. */
double dt_contention_others(const dt_witness *before, const dt_witness *after);
double dt_contention_share(const dt_witness *before, const dt_witness *after, int64_t workers);

/* "switches,steal"; "" for none. Of `size` bytes, 64 are enough. */
const char *dt_contention_names(unsigned flags, char *names, size_t size);

#endif
