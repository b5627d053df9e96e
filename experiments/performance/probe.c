/* Where are this process's processors right now, and how fast? For virtual machines whose cores move.
 *
 * Answers each line `probe T` on stdin, T >= 1, about the first T processors it may run on (the last one for T = 1):
 *
 *     probe gflops=G crossing_ns=C
 *
 * G is the slowest of the T processors' rate of float32 fused multiply-adds (as mul and add) while all of them compute:
 * hyperthreads of one core share its units, so the rate halves. C is the nanoseconds in which a cache line crosses from
 * the first processor to another and back, halved, the slowest other one: about 30 within one L3, 150 between two
 * (0 for T = 1).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
typedef float vector __attribute__((vector_size(64)));
#elif defined(__AVX__)
typedef float vector __attribute__((vector_size(32)));
#else
typedef float vector __attribute__((vector_size(16)));
#endif
#if defined(__x86_64__)
#define IN_REGISTER "+x"
#elif defined(__aarch64__)
#define IN_REGISTER "+w"
#else
#define IN_REGISTER "+m"
#endif

enum { LANES = (int)(sizeof(vector) / sizeof(float)), CHAINS = 12, SPINS = 20000, BURSTS = 4 };
enum { ROUND_TRIPS = 100, TRIES = 16, PROCESSORS_MAX = 1024 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* where it fails the scheduler decides */
}

/* The best of a few bursts, each of a tenth of a millisecond: long enough to time, short enough not to be interrupted.
 * Twelve chains hide the latency of two units; the empty assembly keeps each in its register. */
static double fma_gflops(void)
{
    vector x, y, a[CHAINS];
    for (int i = 0; i < LANES; i++) {
        x[i] = 0.999999f;
        y[i] = 1e-9f;
    }
    for (int c = 0; c < CHAINS; c++)
        a[c] = y;
    vector a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3], a4 = a[4], a5 = a[5], a6 = a[6], a7 = a[7], a8 = a[8], a9 = a[9],
           a10 = a[10], a11 = a[11];
    double best = 0;
    for (int burst = 0; burst < BURSTS; burst++) {
        const double began = seconds();
        for (int n = 0; n < SPINS; n++) {
#define ADVANCE(chain)                                                                                                 \
    chain = chain * x + y;                                                                                             \
    __asm__ volatile("" : IN_REGISTER(chain));
            ADVANCE(a0)
            ADVANCE(a1)
            ADVANCE(a2)
            ADVANCE(a3)
            ADVANCE(a4)
            ADVANCE(a5)
            ADVANCE(a6)
            ADVANCE(a7)
            ADVANCE(a8)
            ADVANCE(a9)
            ADVANCE(a10)
            ADVANCE(a11)
        }
        const double rate = 2.0 * LANES * CHAINS * SPINS / (seconds() - began) * 1e-9;
        if (rate > best)
            best = rate;
    }
    return best;
}

/* One thread a processor. Thread 0 throws a line to each other in turn; then all compute at once. */
typedef struct court {
    int players;
    const int *processor;
    _Alignas(128) atomic_int ball; /* whose turn it is: 0, or the number of the other player */
    _Alignas(128) atomic_int arrived;
    double crossing_ns, gflops[PROCESSORS_MAX];
} court;

typedef struct player {
    court *court;
    int number;
} player;

static double crossing(court *c, int other)
{
    double best = 1e9;
    for (int i = 0; i < TRIES; i++) {
        const double began = seconds();
        for (int trip = 0; trip < ROUND_TRIPS; trip++) {
            atomic_store_explicit(&c->ball, other, memory_order_release);
            while (atomic_load_explicit(&c->ball, memory_order_acquire) != 0)
                ;
        }
        const double ns = (seconds() - began) / (2 * ROUND_TRIPS) * 1e9;
        if (ns < best)
            best = ns;
    }
    return best;
}

static void wait_for_all(court *c, int round)
{
    atomic_fetch_add(&c->arrived, 1);
    while (atomic_load_explicit(&c->arrived, memory_order_acquire) < round * c->players)
        sched_yield();
}

static void *play(void *argument)
{
    const player *p = argument;
    court *c = p->court;
    pin(c->processor[p->number]);
    wait_for_all(c, 1);
    if (p->number == 0) {
        for (int other = 1; other < c->players; other++) {
            const double ns = crossing(c, other);
            if (ns > c->crossing_ns)
                c->crossing_ns = ns;
        }
        atomic_store(&c->ball, -1);
    } else {
        for (int ball; (ball = atomic_load_explicit(&c->ball, memory_order_acquire)) != -1;)
            if (ball == p->number)
                atomic_store_explicit(&c->ball, 0, memory_order_release);
    }
    wait_for_all(c, 2);
    c->gflops[p->number] = fma_gflops();
    return NULL;
}

static void probe(int threads, const int *processor, int processors)
{
    static court c;
    static player players[PROCESSORS_MAX];
    static pthread_t thread[PROCESSORS_MAX];
    memset(&c, 0, sizeof c);
    c.players = threads < processors ? threads : processors;
    c.processor = c.players == 1 ? processor + processors - 1 : processor;
    int started = 0;
    for (; started < c.players; started++) {
        players[started] = (player){&c, started};
        if (pthread_create(&thread[started], NULL, play, &players[started]) != 0) {
            puts("error no thread");
            exit(3); /* those that have begun wait for ever */
        }
    }
    double slowest = 0;
    for (int i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
        if (i == 0 || c.gflops[i] < slowest)
            slowest = c.gflops[i];
    }
    printf("probe gflops=%.2f crossing_ns=%.1f\n", slowest, c.crossing_ns);
}

int main(void)
{
    static int processor[PROCESSORS_MAX];
    int processors = 0;
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        CPU_SET(0, &allowed);
    for (int i = 0; i < CPU_SETSIZE && processors < PROCESSORS_MAX; i++)
        if (CPU_ISSET(i, &allowed))
            processor[processors++] = i;
    printf("ready processors=%d lanes=%d\n", processors, LANES);
    char line[64];
    int threads;
    while (fflush(stdout) == 0 && fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0)
        if (sscanf(line, "probe %d", &threads) == 1 && threads >= 1)
            probe(threads, processor, processors);
        else
            puts("error there are probe T and quit");
    return 0;
}
