/* A run that is killed at any instant goes on to the bits of one that was never interrupted: weights, metrics, and what
 * was captured. The argument says how many kills (30 without one); the second one seeds their instants.
 *
 *     build/dev/tests/test_kill 1000
 *
 * Each run trains the same experiment and is killed by SIGKILL after a random time, from before its first file on, and
 * resumed, and killed, until it ends. */
#include <math.h>
#include <time.h>

#include "base/philox.h"
#include "run_reading.h"

static int kills = 30;
static uint64_t seed = 1;

/* 640 random images of 8 x 8 in 4 classes. */
static void write_data(void)
{
    enum { ROWS = 640, PIXELS = 64 };
    unsigned char images[16 + ROWS * PIXELS] = {0, 0, 8, 3, 0, 0, ROWS >> 8, ROWS & 255, 0, 0, 0, 8, 0, 0, 0, 8};
    unsigned char labels[8 + ROWS] = {0, 0, 8, 1, 0, 0, ROWS >> 8, ROWS & 255};
    for (int i = 0; i < ROWS * PIXELS; i++)
        images[16 + i] = (unsigned char)dt_philox(1, DT_FOR_TEST, 0, (uint64_t)i).u[0];
    for (int i = 0; i < ROWS; i++)
        labels[8 + i] = (unsigned char)(dt_philox(1, DT_FOR_TEST, 1, (uint64_t)i).u[0] % 4);
    write_bytes("x", images, sizeof images);
    write_bytes("y", labels, sizeof labels);
}

static const char experiment[] = "name: kill\n"
                                 "data:\n"
                                 "  format: idx\n"
                                 "  train: {inputs: x, labels: y}\n"
                                 "  validation: {fraction: 0.2}\n"
                                 "  scale: 0.00392156862745098\n"
                                 "network:\n"
                                 "  - {units: 24, activation: tanh}\n"
                                 "  - {units: 4}\n"
                                 "loss: cross_entropy\n"
                                 "optimizer: {learning_rate: 0.05, momentum: 0.9}\n"
                                 "training: {epochs: 12, batch_size: 16}\n"
                                 "capture:\n"
                                 "  probe: {quantities: [z, delta, dW, dW_cosine, db_cosine, W_update_ratio, "
                                 "noise_scale, a_mean], every: 7, samples: 5}\n"
                                 "  weights: {quantities: [W, b], steps: log}\n";

/* All of metrics.tsv but seconds (column 3) and samples_per_second (the last). */
static void metrics_of(const char *run, char *out, size_t size)
{
    char path[64], text[1 << 16];
    size_t used = 0;
    snprintf(path, sizeof path, "%s/metrics.tsv", run);
    read_into(path, text, sizeof text);
    int column = 1;
    for (const char *c = text; *c && used + 1 < size; c++) {
        if (*c == '\t' || *c == '\n')
            column = *c == '\n' ? 1 : column + 1;
        if ((column != 3 && column < 11) || *c == '\n')
            out[used++] = *c;
    }
    out[used] = '\0';
}

static void remove_run(const char *name)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", name);
    assert_int_equal(system(command), 0);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void sleep_for(double time)
{
    struct timespec t = {(time_t)time, (long)(fmod(time, 1) * 1e9)};
    while (nanosleep(&t, &t) != 0)
        assert_int_equal(errno, EINTR);
}

/* The first line on standard error, without what may differ. */
static void complain(const char *what, int killed)
{
    fail_msg("%s: exit status %d after %d kills (seed %llu), stderr: %s", what, last.status, killed,
             (unsigned long long)seed, last.err);
}

static void killed_runs_go_on_to_the_same_bits(void **state)
{
    static const char *const train[] = {"train", "e.yaml", "--out", "run", "parallel.threads=2", NULL};
    static const char *const counts[] = {"parallel.threads=1", "parallel.threads=2", "parallel.threads=3",
                                         "parallel.threads=5"};
    static const char *const reference[] = {"train", "e.yaml", "--out", "whole", NULL};
    char weights[65], again[65], metrics[1 << 15], same[1 << 15];
    size_t size, other;
    (void)state;
    const double began = seconds();
    run_program(reference);
    if (last.status != 0)
        complain("the whole run", 0);
    const double whole = seconds() - began;
    weights_of("whole", weights);
    metrics_of("whole", metrics, sizeof metrics);
    char *captured = captured_in("whole", &size);

    for (int n = 0; n < kills;) {
        bool exists = false, ended = false;
        while (!ended) {
            const dt_random128 random = dt_philox(seed, DT_FOR_TEST, 2, (uint64_t)n);
            const char *resume[] = {"train", "--resume", "run", counts[random.u[1] % 4], NULL};
            struct stat there;
            const pid_t pid = start_program(exists ? resume : train);
            double time = dt_uniform01(random.u[0]) * (n % 3 ? 1 : 0.1) * whole; /* a third at a run's begin */
            if (n < kills)
                sleep_for(time);
            if (n++ < kills)
                kill(pid, SIGKILL);
            wait_program(pid);
            if (last.status == 0)
                ended = true;
            else if (last.status == 2 &&
                     stat("run/experiment.yaml", &there) != 0) /* one line says what to do: done here */
                remove_run("run");
            else if (last.status != 128 + SIGKILL)
                complain("a run that goes on", n);
            exists = stat("run", &there) == 0;
        }
        weights_of("run", again);
        metrics_of("run", same, sizeof same);
        char *copy = captured_in("run", &other);
        assert_string_equal(weights, again);
        assert_string_equal(metrics, same);
        if (size != other || memcmp(captured, copy, size) != 0)
            fail_msg("what was captured differs after %d kills (seed %llu)", n, (unsigned long long)seed);
        free(copy);
        remove_run("run");
    }
    free(captured);
}

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    write_data();
    write_bytes("e.yaml", experiment, sizeof experiment - 1);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_runs_go_on_to_the_same_bits)};
    if (argc > 1)
        kills = atoi(argv[1]);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, set_up, home_remove);
}
