/* What this machine is, what it can do at most, and where its processors are just now.
 *
 *     static dt_machine machine;
 *     dt_machine_measure(&machine, &(dt_machine_options){0}, &error);   // a few seconds
 *     machine.fma[DT_FLOAT32].one.best                                  // GFLOP/s of one core
 *
 * Every figure is measured by this build's own loops in the instruction set in use (DELTOID_ISA), several short runs of
 * each: `best` says what the machine can do, `median` and `spread` how far other load disturbed the reading. One fused
 * multiply-add of one number counts as two floating-point operations; GB are 10^9 bytes.
 *
 * Threads: each call uses the machine for itself, so figures are right when nothing else runs; calls on several threads
 * at once are safe and disturb each other. Nothing global is changed: no affinity, no signal, no rounding mode.
 */
#ifndef DELTOID_MACHINE_H
#define DELTOID_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "experiment.h"
#include "status.h"

#pragma GCC visibility push(default)

enum {
    DT_MACHINE_PRECISIONS = DT_FLOAT64 + 1,
    DT_MACHINE_CACHES_MAX = 4,
    DT_MACHINE_ISAS_MAX = 8,
    DT_MACHINE_BARRIERS_MAX = 16,
    DT_MACHINE_PAIRS_MAX = 64,
    DT_MACHINE_TEXT_MAX = 256
};

/* --- simple: one number --- */

/* GFLOP/s of fused multiply-adds on the core of the calling thread, in about 20 ms: what no product can exceed. Never
 * fails, allocates nothing. */
double dt_machine_peak(dt_precision precision);

/* GB/s that `workers` (0: the processors this process may use) read from memory together, and of the triad a = b + s c,
 * in which 3 numbers an element are counted as STREAM does. Takes about 0.2 s, and memory of four times
 * the last cache. Either pointer may be NULL. DT_INVALID, DT_UNKNOWN_NAME, DT_UNSUPPORTED, DT_NO_MEMORY, DT_SYSTEM. */
dt_status dt_machine_bandwidth(int64_t workers, double *read, double *triad, dt_error *error);

/* --- where two processors are --- */

/* How two of this system's processors lie to each other. On a virtual machine the topology doesn't tell, and it changes
 * within seconds: a reading is of its moment. */
typedef enum dt_place {
    DT_PLACE_ONE_CORE,     /* there is one processor alone */
    DT_PLACE_NEAR,         /* two cores, a line between them crosses in less than DT_FAR_NS */
    DT_PLACE_HYPERTHREADS, /* of one core: computing halves their rates */
    DT_PLACE_FAR           /* two cores without a cache in common, by the time a line takes */
} dt_place;

enum { DT_PLACES = DT_PLACE_FAR + 1, DT_FAR_NS = 80 };

typedef struct dt_placement {
    int first, second; /* the system's numbers of the processors */
    dt_place place;
    double ns;    /* for a cache line to go from one to the other, half a round trip; 0 of one core */
    double alone; /* GFLOP/s of float32 fused multiply-adds of `first` while `second` sleeps */
    double both;  /* of the slower while both compute; `alone` of one core */
} dt_placement;

/* "one core", "near", "hyperthreads", "far" */
const char *dt_place_name(dt_place place);

/* Where the two processors are, in about 10 ms (several times that where other threads run on them): put it around each
 * timed chunk and compare like with like. The time is that of two threads of its own, pinned; the rates are per second
 * of a thread's own processor time, so that threads that share a processor don't look like hyperthreads. `first` < 0:
 * the first two processors that the calling thread may use, one core if there is one. `peak`: GFLOP/s of an undisturbed
 * core where the caller knows it (dt_machine_peak), so that a disturbed `alone` doesn't hide hyperthreads; else 0.
 * Allocates nothing through the hook. DT_INVALID for a processor that threads can't be pinned to, DT_SYSTEM where there
 * are no threads. */
dt_status dt_machine_placement(int first, int second, double peak, dt_placement *placement, dt_error *error);

/* --- what the machine is --- */

typedef struct dt_machine_cache {
    int level;
    int64_t bytes, line_bytes; /* of one */
    int64_t count;             /* how many there are */
} dt_machine_cache;

/* As hwloc and the system tell it; on a virtual machine, what the hypervisor makes of it. Counts and sizes are 0 and
 * texts empty where nothing is known. */
typedef struct dt_machine_topology {
    char processor[DT_MACHINE_TEXT_MAX]; /* its name */
    int64_t packages, cores, pus, numa_nodes;
    int64_t memory_bytes;
    dt_machine_cache caches[DT_MACHINE_CACHES_MAX]; /* of data, the smallest first */
    int cache_count;
    char affinity[4096];   /* the processors (PUs) that the calling thread may use: "0-3,8" */
    double mhz;            /* as the system says */
    char huge_pages[32];   /* transparent ones: "always", "madvise" (large arrays ask for them), "never" */
    int64_t huge_reserved; /* explicit huge pages set aside */
} dt_machine_topology;

/* Never fails: what can't be found out stays unknown. */
void dt_machine_topology_read(dt_machine_topology *topology);

/* --- all of it --- */

/* Several short runs of one measurement. */
typedef struct dt_reading {
    double best, median; /* `best` is the largest rate, the least time */
    double spread;       /* (largest - least) / median */
    int64_t runs;        /* 0: not measured */
} dt_reading;

/* On one core, and on all workers together (their sum). With one worker the two are one reading. */
typedef struct dt_machine_rate {
    dt_reading one, all;
} dt_machine_rate;

/* A level of memory, by arrays that fit it and not the level before. */
typedef struct dt_machine_memory {
    int level;                       /* of cache; 0: memory */
    int64_t bytes_one, bytes_worker; /* of the arrays: of one core alone; of each worker when all run */
    dt_machine_rate read, triad;     /* GB/s */
} dt_machine_memory;

typedef struct dt_machine_barrier {
    int64_t workers;
    dt_reading ns;
} dt_machine_barrier;

/* Lines that go from core to core, by arrays of each worker's own that fit a level of cache and not the one before: the
 * rates of each worker while all do the same. Two things cost: reading what another worker wrote, which runs ahead of
 * itself; and writing what another has read since, as it must be told to forget each line, a few at a time. The second
 * is many times slower where the two have no cache in common, and free where lines have left the reader's own cache. */
typedef struct dt_machine_exchange {
    int level;
    int64_t bytes;          /* of a worker's array */
    dt_reading read, write; /* GB/s of a worker */
} dt_machine_exchange;

/* Two processors that workers may be on, looked at several times while the rest was measured. */
typedef struct dt_machine_pair {
    dt_placement last;       /* the last reading */
    int64_t seen[DT_PLACES]; /* readings, by what they said */
    dt_reading ns, both;     /* of dt_placement; both.best is the largest */
} dt_machine_pair;

typedef struct dt_machine {
    dt_machine_topology topology;
    const char *isa; /* in use */
    bool isa_pinned; /* by DELTOID_ISA; else it is the widest that runs here */
    const char *isas[DT_MACHINE_ISAS_MAX];
    int isa_count; /* those that run here, narrow to wide */

    int64_t workers;
    int64_t processors; /* that they may use */
    dt_reading clock;   /* GHz of one core while it computes, by a chain of additions of one cycle each */

    dt_machine_rate fma[DT_MACHINE_PRECISIONS];     /* GFLOP/s, by dt_precision */
    dt_machine_rate product[DT_MACHINE_PRECISIONS]; /* GFLOP/s of equation (1)'s kernel, each worker its own product */
    int64_t product_shape[3];                       /* rows, units, inputs: in cache, and no edge of a tile is wasted */

    dt_machine_memory memory[DT_MACHINE_CACHES_MAX + 1]; /* L1 first, memory last */
    int memory_count;

    dt_machine_barrier barriers[DT_MACHINE_BARRIERS_MAX]; /* of 2 .. 8 workers, then doubling, all last */
    int barrier_count;

    dt_machine_exchange exchange[DT_MACHINE_CACHES_MAX]; /* caches from the 2nd level on; none with one worker */
    int exchange_count;

    /* Every pair of the first 8 processors; of more processors, neighbours by number (at most DT_MACHINE_PAIRS_MAX
     * pairs). None where there is one processor. */
    dt_machine_pair pairs[DT_MACHINE_PAIRS_MAX];
    int pair_count;

    double seconds; /* that it took */
} dt_machine;

typedef struct dt_machine_options {
    int64_t workers; /* 0: the processors this process may use */
    double seconds;  /* about how long to measure, 0: 3; less gives shorter and fewer runs */
    int64_t
        memory_bytes; /* at most for arrays, 0: four times the last caches, 1 GiB and an eighth of the memory at most */
} dt_machine_options;

/* Measures everything. `options` may be NULL. On failure *machine is undefined. DT_INVALID (options), DT_UNKNOWN_NAME
 * and DT_UNSUPPORTED (DELTOID_ISA), DT_NO_MEMORY, DT_SYSTEM. */
dt_status dt_machine_measure(dt_machine *machine, const dt_machine_options *options, dt_error *error);

/* The largest spread among the rates and times of `machine` that were measured (not the placements, which move). *what:
 * which it was, in words ("L2 triad, all workers"); at most `size` bytes. */
double dt_machine_worst_spread(const dt_machine *machine, char *what, size_t size);

#pragma GCC visibility pop

#endif
