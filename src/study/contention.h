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
 *     delay       a worker was ready to run and waited for a processor that somebody else had: nanoseconds in
 *                 /proc/self/task/ID/schedstat, exact, of each thread
 *     switches    this process was put off a processor that it wanted: getrusage's involuntary switches
 *     pressure    a task waited for a processor, anyone's: /proc/pressure/cpu
 *     throttled   the cgroup's quota was used up: cpu.stat's throttled_usec
 *     steal       the hypervisor ran something else: /proc/stat
 *     load        other processes' processor time: /proc/stat without this process's own
 *
 * The delay decides. Switches and pressure count events, not what they cost: where all processors are busy the kernel's
 * own threads switch a worker off some 60 times a second, for microseconds each; a worker that yields at a barrier
 * counts as switched off, too; and pressure is that of everybody who waits, for our workers as well. So both are
 * recorded, name a disturbance that the delay has found, and decide only where the system tells no delays. Steal and
 * load come in hundredths of a second, so that short chunks are judged without them.
 */
#ifndef DT_STUDY_CONTENTION_H
#define DT_STUDY_CONTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DT_WITNESS_THREADS_MAX = 512 };

/* One thread of this process: nanoseconds that it ran, and that it was ready and waited. */
typedef struct dt_witness_thread {
    int64_t id, cpu_ns, delay_ns;
} dt_witness_thread;

typedef struct dt_witness {
    double seconds;     /* monotonic */
    double cpu;         /* processor seconds of this process */
    double busy, steal; /* of all processors: seconds that somebody ran; that the hypervisor took */
    int64_t voluntary, involuntary, throttled_us, pressure_us, page_faults;
    int64_t online;       /* processors there are */
    int64_t processors;   /* that any of its threads may use; 0: not known */
    int64_t thread_count; /* 0: delays aren't told */
    dt_witness_thread threads[DT_WITNESS_THREADS_MAX];
} dt_witness;

/* Never fails: what isn't told stays 0. Takes some microseconds; `thorough` reads /proc, too, some ten microseconds and
 * as many for each thread. */
void dt_witness_take(dt_witness *witness, bool thorough);

/* The processors that one or other thread of this process may use, "0-3,8": where placement has put its workers. */
void dt_witness_processors(char *text, size_t size);

typedef enum dt_disturbance {
    DT_DISTURBED_SWITCHES = 1,
    DT_DISTURBED_PRESSURE = 2,
    DT_DISTURBED_THROTTLED = 4,
    DT_DISTURBED_STEAL = 8,
    DT_DISTURBED_LOAD = 16,
    /* found elsewhere, named here */
    DT_DISTURBED_MOVED = 32, /* the processors' placement changed meanwhile */
    DT_DISTURBED_SLOW = 64,  /* the core ran slower than the machine's best by more than DT_SLOW_CORE */
    DT_DISTURBED_DELAY = 128
} dt_disturbance;

enum { DT_DISTURBANCES = 8 };

/* Limits, each well over what an idle machine shows and well under what a competing process does. */
#define DT_LIMIT_DELAY    0.02 /* of the time */
#define DT_LIMIT_SWITCHES 25.0 /* a second and worker; and DT_LIMIT_SWITCHES_LEAST in any case */
#define DT_LIMIT_PRESSURE 0.04 /* of the time */
#define DT_LIMIT_STEAL    0.01 /* of the workers' time */
#define DT_LIMIT_LOAD     0.10 /* of one processor, */
#define DT_LIMIT_LOAD_ALL 0.01 /* or of all there are, if that is more */
#define DT_SLOW_CORE      0.15
enum { DT_LIMIT_SWITCHES_LEAST = 3 };

/* Between two witnesses: flags of dt_disturbance. `whole`: a whole visit, long enough for steal and load. Processors
 * that this process leaves idle may be used by others: more than a tenth of one is load all the same, as caches and
 * bandwidth are shared. */
unsigned dt_contention_judge(const dt_witness *before, const dt_witness *after, int64_t workers, bool whole);

/* Seconds that others kept this process's workers waiting, the least of
 *
 *     what its most delayed thread waited,
 *     what all its threads waited, less what its own further threads (that write a capture) ran meanwhile,
 *     what its processors can do, less what it got: with more workers than processors its workers wait for each other,
 *
 * so that nothing this process does to itself counts. */
double dt_contention_delay(const dt_witness *before, const dt_witness *after, int64_t workers);

/* Processors that others were busy on, and this process's share of what its workers could have had. */
double dt_contention_others(const dt_witness *before, const dt_witness *after);
double dt_contention_share(const dt_witness *before, const dt_witness *after, int64_t workers);

/* "switches,steal"; "" for none. Of `size` bytes, 64 are enough. */
const char *dt_contention_names(unsigned flags, char *names, size_t size);

#endif
