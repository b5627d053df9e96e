/* Who disturbs a measurement: figures of an undisturbed machine and of disturbed ones, and a real disturber.
 *
 * The figures are of T = 2 on two processors of a virtual machine, where undisturbed the kernel's own threads switch
 * each worker off some 60 times a second; 40 microseconds are allowed for each, more than they take. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "study/contention.h"

/* A visit's timed part of 1.2 s; what is said of it are differences. */
typedef struct figures {
    double cpu, others, steal;
    int64_t involuntary, pressure_us, throttled_us;
    int64_t processors, online;
    int64_t threads;
    double ran[4], waited[4];
} figures;

static const double seconds = 1.2;
static dt_witness before, after;

static void make(const figures *f)
{
    memset(&before, 0, sizeof before);
    before.seconds = 5000;
    before.cpu = 3;
    before.busy = 4000;
    before.steal = 12;
    before.involuntary = 17;
    before.pressure_us = 1000000;
    before.throttled_us = 70;
    before.processors = f->processors;
    before.online = f->online;
    before.thread_count = f->threads;
    for (int64_t i = 0; i < f->threads; i++)
        before.threads[i] = (dt_witness_thread){900 + i, 700000000, 200000000};
    after = before;
    after.seconds += seconds;
    after.cpu += f->cpu;
    after.busy += f->cpu + f->others;
    after.steal += f->steal;
    after.involuntary += f->involuntary;
    after.pressure_us += f->pressure_us;
    after.throttled_us += f->throttled_us;
    for (int64_t i = 0; i < f->threads; i++) {
        after.threads[i].cpu_ns += (int64_t)(1e9 * f->ran[i]);
        after.threads[i].delay_ns += (int64_t)(1e9 * f->waited[i]);
    }
}

static const char *judge(const figures *f, int64_t workers)
{
    static char names[80];
    make(f);
    return dt_contention_names(dt_contention_judge(&before, &after, workers, true), names, sizeof names);
}

static const figures quiet = {.cpu = 2.394,
                              .others = 0.006,
                              .involuntary = 144,
                              .pressure_us = 6000,
                              .processors = 2,
                              .online = 2,
                              .threads = 2,
                              .ran = {1.197, 1.197},
                              .waited = {0.003, 0.003}};

static const figures shared_core = {.cpu = 1.8,
                                    .others = 0.6,
                                    .involuntary = 290,
                                    .pressure_us = 1180000,
                                    .processors = 2,
                                    .online = 2,
                                    .threads = 2,
                                    .ran = {1.2, 0.6},
                                    .waited = {0, 0.6}};

static void the_kernel_s_own_threads_are_no_disturbance(void **state)
{
    (void)state;
    assert_string_equal(judge(&quiet, 2), "");
    assert_true(dt_contention_delay(&before, &after, 2) <= 0.0031);
    /* nor is pressure that others feel, as our workers leave them no processor */
    figures f = quiet;
    f.pressure_us = 600000;
    assert_string_equal(judge(&f, 2), "");
}

static void a_process_on_one_core_is(void **state)
{
    (void)state;
    assert_string_equal(judge(&shared_core, 2), "switches,pressure,load,delay");
    assert_true(dt_contention_delay(&before, &after, 2) > 0.59);
    /* one that takes 4 % of one worker's core, for which the load alone would be too little */
    const figures light = {.cpu = 2.352,
                           .others = 0.048,
                           .involuntary = 20,
                           .processors = 2,
                           .online = 2,
                           .threads = 2,
                           .ran = {1.2, 1.152},
                           .waited = {0, 0.048}};
    assert_string_equal(judge(&light, 2), "delay");
}

/* Four workers of two processors wait for each other, 1.2 s each, and nobody else has anything. */
static void workers_don_t_disturb_each_other(void **state)
{
    (void)state;
    figures f = {.cpu = 2.39,
                 .others = 0.01,
                 .involuntary = 5000,
                 .pressure_us = 1200000,
                 .processors = 2,
                 .online = 2,
                 .threads = 4,
                 .ran = {0.6, 0.6, 0.6, 0.59},
                 .waited = {0.6, 0.6, 0.6, 0.6}};
    assert_string_equal(judge(&f, 4), "");
    f.cpu = 1.8, f.others = 0.6; /* a disturber shows all the same */
    for (int i = 0; i < 4; i++)
        f.ran[i] = 0.45, f.waited[i] = 0.75;
    assert_string_equal(judge(&f, 4), "switches,pressure,load,delay");
}

/* The thread that writes a capture runs on a worker's processor; the other worker waits at the barrier, asleep. */
static void a_capture_s_writer_is_part_of_the_measurement(void **state)
{
    (void)state;
    figures f = {
        .cpu = 2.2, .processors = 2, .online = 2, .threads = 3, .ran = {0.1, 1.0, 1.1}, .waited = {0.02, 0.1, 0}};
    assert_string_equal(judge(&f, 2), "");
    f.ran[0] = 0.02; /* it didn't run, and the worker waited */
    f.cpu = 2.12;
    assert_string_equal(judge(&f, 2), "delay");
}

static void threads_come_and_go(void **state)
{
    (void)state;
    make(&quiet);
    before.thread_count = 1; /* the second began since: what it waited before counts, there was no before */
    after.threads[1].delay_ns = 3000000;
    assert_int_equal(dt_contention_judge(&before, &after, 2, true), 0);
    make(&shared_core); /* the first ended */
    after.threads[0] = after.threads[1];
    after.thread_count = 1;
    assert_true(dt_contention_judge(&before, &after, 2, true) & DT_DISTURBED_DELAY);
}

static void without_delays_switches_and_pressure_decide(void **state)
{
    (void)state;
    figures f = quiet;
    f.threads = 0;
    assert_string_equal(judge(&f, 2), "switches");
    f.involuntary = 40;
    f.pressure_us = 60000;
    assert_string_equal(judge(&f, 2), "pressure");
}

static void quota_steal_and_load(void **state)
{
    (void)state;
    figures f = quiet;
    f.throttled_us = 1;
    assert_string_equal(judge(&f, 2), "throttled");
    f = quiet;
    f.steal = 0.03;
    assert_string_equal(judge(&f, 2), "steal");
    assert_int_equal(dt_contention_judge(&before, &after, 2, false), 0); /* too coarse for a chunk */
    f = quiet; /* one worker; somebody has a fifth of the other processor: caches and bandwidth are shared */
    f.cpu = 1.2, f.others = 0.24, f.ran[1] = f.waited[1] = 0;
    assert_string_equal(judge(&f, 1), "load");
    f.online = 128;
    assert_string_equal(judge(&f, 1), "");
}

/* --- a real one --- */

static void pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
}

static void a_real_process_on_our_core_is_seen(void **state)
{
    (void)state;
    static dt_witness a, b; /* large */
    volatile double sum = 0;
    dt_witness_take(&a, true);
    if (a.thread_count == 0)
        skip();
    assert_true(a.processors >= 1 && a.online >= a.processors);
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    int core = 0;
    while (!CPU_ISSET(core, &all))
        core++;
    pin(core);
    const pid_t disturber = fork();
    if (disturber == 0)
        for (;;)
            sum = sum + 1;
    assert_true(disturber > 0);
    dt_witness_take(&a, true);
    do { /* a twentieth of a second on a processor takes at least twice as long */
        for (int i = 0; i < 100000; i++)
            sum = sum + 1;
        dt_witness_take(&b, true);
    } while (b.cpu - a.cpu < 0.05);
    kill(disturber, SIGKILL);
    waitpid(disturber, NULL, 0);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_true(dt_contention_judge(&a, &b, 1, false) & DT_DISTURBED_DELAY);
    const double wall = b.seconds - a.seconds, delay = dt_contention_delay(&a, &b, 1);
    assert_true(delay > 0.2 * wall && delay <= wall);
    assert_true(b.processors == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_s_own_threads_are_no_disturbance),
        cmocka_unit_test(a_process_on_one_core_is),
        cmocka_unit_test(workers_don_t_disturb_each_other),
        cmocka_unit_test(a_capture_s_writer_is_part_of_the_measurement),
        cmocka_unit_test(threads_come_and_go),
        cmocka_unit_test(without_delays_switches_and_pressure_decide),
        cmocka_unit_test(quota_steal_and_load),
        cmocka_unit_test(a_real_process_on_our_core_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
