/* Profiles: which rows there are, their operations and bytes against counts written out here, their times against the
 * wall's; and that watching time changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <math.h>

#include "counting_memory.h"
#include "small.h"

/* 200 rows in minibatches of 61, 61, 61 and 17, in shards of 5: 13 shards, and 4 in the short one. Worker 0 of 2 has 7
 * of 13 (35 samples of 61) and 2 of 4 (10 of 17): 115 samples an epoch; worker 1 has 85. */
enum { ROWS = 200, STEPS = 4, LAYERS = 3 };
static const int64_t units[] = {20, 33, 7, 10}, own[2] = {115, 85};

/* Parameters of the slices of 2 workers. In blocks of 16 x 16 layer 1 has 3 panels of 2 (33 units; 20 inputs and the
 * bias), layer 2 one of 3, layer 3 one of 1: 10 blocks, of which worker 0 has the first 5: two panels of 16 units and
 * 21 rows, and of unit 32 the first 16 rows. */
static const int64_t slice[2][LAYERS + 1] = {{0, 16 * 21 + 16 * 21 + 16, 0, 0}, {0, 5, 7 * 34, 10 * 8}};
static const int64_t whole[LAYERS + 1] = {0, 33 * 21, 7 * 34, 10 * 8};

static dt_trainer *make(small *s, int64_t workers, const char *reduction)
{
    small_make(s, 5, ROWS, units, LAYERS, "relu");
    s->experiment.optimizer.learning_rate = 0.01;
    s->experiment.training.batch_size = 61;
    s->experiment.training.epochs = 1;
    s->experiment.parallel = (dt_parallel_spec){workers, 5, reduction, 0};
    const dt_trainer_data data = small_data(s);
    dt_trainer *t;
    dt_error error = {0};
    if (dt_trainer_create(&t, &s->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    return t;
}

static dt_trainer *make_profiled(small *s, int64_t workers, const char *reduction)
{
    dt_trainer *t = make(s, workers, reduction);
    assert_int_equal(dt_trainer_profile(t, NULL), DT_OK);
    return t;
}

/* The row of a worker's phase and layer; NULL where there is none. */
static const dt_profile_row *find(const dt_trainer *t, int64_t worker, dt_phase phase, int64_t l)
{
    static dt_profile_row row;
    for (size_t i = 0; dt_trainer_profile_row(t, i, &row); i++)
        if (row.worker == worker && row.phase == phase && row.l == l)
            return &row;
    return NULL;
}

static void expect(const dt_trainer *t, int64_t worker, dt_phase phase, int64_t l, int64_t samples, int64_t flop,
                   int64_t numbers)
{
    const dt_profile_row *row = find(t, worker, phase, l);
    if (!row)
        fail_msg("worker %d: no row of %s, layer %d", (int)worker, dt_phase_name(phase), (int)l);
    const int64_t bytes = 4 * numbers; /* float32 */
    if (row->samples != samples || row->flop != (double)flop || row->bytes != (double)bytes)
        fail_msg("worker %d, %s, layer %d: %lld samples, %.0f operations, %.0f bytes; not %lld, %lld, %lld",
                 (int)worker, dt_phase_name(phase), (int)l, (long long)row->samples, row->flop, row->bytes,
                 (long long)samples, (long long)flop, (long long)bytes);
    assert_true(row->seconds > 0);
    assert_int_equal(row->steps, dt_trainer_step(t));
}

/* Gather, forward, cost and backward of a worker with `rows` samples in 4 steps. */
static void expect_passes(const dt_trainer *t, int64_t worker, int64_t rows)
{
    expect(t, worker, DT_PHASE_GATHER, 0, rows, 0, rows * 20 * (1 + 2)); /* a float and a double of the data set */
    expect(t, worker, DT_PHASE_FORWARD, 1, rows, 2 * rows * 33 * 21, STEPS * 33 * 21 + rows * (20 + 33));
    expect(t, worker, DT_PHASE_FORWARD, 2, rows, 2 * rows * 7 * 34, STEPS * 7 * 34 + rows * (33 + 7));
    expect(t, worker, DT_PHASE_FORWARD, 3, rows, 2 * rows * 10 * 8, STEPS * 10 * 8 + rows * (7 + 10));
    expect(t, worker, DT_PHASE_COST, 0, rows, 0, rows * 2 * 10);
    expect(t, worker, DT_PHASE_BACKWARD, 2, rows, 2 * rows * 7 * 10, STEPS * 7 * 10 + rows * (10 + 2 * 7));
    expect(t, worker, DT_PHASE_BACKWARD, 1, rows, 2 * rows * 33 * 7, STEPS * 33 * 7 + rows * (7 + 2 * 33));
    assert_null(find(t, worker, DT_PHASE_BACKWARD, 3)); /* delta^L is the cost's */
    assert_null(find(t, worker, DT_PHASE_GATHER, 1));
    expect(t, worker, DT_PHASE_WAIT, 0, 0, 0, 0);
    expect(t, worker, DT_PHASE_REST, 0, 0, 0, 0);
    assert_null(find(t, worker, DT_PHASE_WATCH, 0));
}

/* Numbers that the step of a parameter of layer l reads and writes: itself, and its transposed copy above layer 1. */
static int64_t stepped(int64_t l)
{
    return l == 1 ? 2 : 3;
}

static void test_one_worker(void **state)
{
    (void)state;
    static small s;
    static const char *const reductions[] = {"tree", "owner", "serial"};
    for (size_t r = 0; r < 3; r++) {
        dt_trainer *t = make_profiled(&s, 1, reductions[r]);
        assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
        assert_int_equal(dt_trainer_step(t), STEPS);
        expect_passes(t, 0, ROWS);
        for (int64_t l = 1; l <= LAYERS; l++) { /* the weights change where their gradient is formed */
            expect(t, 0, DT_PHASE_GRADIENT, l, ROWS, 2 * ROWS * whole[l],
                   ROWS * (units[l - 1] + units[l]) + STEPS * whole[l] * stepped(l));
            assert_null(find(t, 0, DT_PHASE_UPDATE, l));
        }
        assert_null(find(t, 1, DT_PHASE_FORWARD, 1));
        dt_trainer_destroy(t);
    }
}

static void test_buffers_of_two_workers(void **state)
{
    (void)state;
    static small s;
    dt_trainer *t = make_profiled(&s, 2, "tree");
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    for (int64_t w = 0; w < 2; w++) {
        expect_passes(t, w, own[w]);
        for (int64_t l = 1; l <= LAYERS; l++) {
            expect(t, w, DT_PHASE_GRADIENT, l, own[w], 2 * own[w] * whole[l],
                   own[w] * (units[l - 1] + units[l]) + STEPS * whole[l]);
            if (slice[w][l])
                expect(t, w, DT_PHASE_UPDATE, l, 0, 0, STEPS * slice[w][l] * (2 + stepped(l)));
        }
    }
    dt_trainer_destroy(t);

    t = make_profiled(&s, 2, "serial");
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    for (int64_t l = 1; l <= LAYERS; l++) {
        expect(t, 0, DT_PHASE_UPDATE, l, 0, 0, STEPS * whole[l] * (2 + stepped(l)));
        const dt_profile_row *row = find(t, 1, DT_PHASE_UPDATE, l);
        assert_true(!row || row->bytes == 0);
    }
    dt_trainer_destroy(t);
}

static void test_slices_of_two_workers(void **state)
{
    (void)state;
    static small s;
    dt_trainer *t = make_profiled(&s, 2, "owner");
    double flop = 0;
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    for (int64_t w = 0; w < 2; w++) {
        expect_passes(t, w, own[w]);
        for (int64_t l = 1; l <= LAYERS; l++) {
            const dt_profile_row *row = find(t, w, DT_PHASE_GRADIENT, l);
            assert_true(row || !slice[w][l]);
            if (row) {
                assert_true(row->flop == (double)(2 * ROWS * slice[w][l]));
                assert_int_equal(row->samples, slice[w][l] ? ROWS : 0);
                flop += row->flop;
            }
            assert_null(find(t, w, DT_PHASE_UPDATE, l));
        }
    }
    assert_true(flop == (double)(2 * ROWS * (whole[1] + whole[2] + whole[3])));
    dt_trainer_destroy(t);
}

/* A minibatch of one shard has nothing to join: slices, though the strategy has buffers. */
static void test_a_single_shard(void **state)
{
    (void)state;
    static small s;
    small_make(&s, 5, 40, units, LAYERS, "relu");
    s.experiment.training.batch_size = 8;
    s.experiment.optimizer.momentum = 0.5;
    s.experiment.parallel = (dt_parallel_spec){2, 16, "tree", 0};
    const dt_trainer_data data = small_data(&s);
    dt_trainer *t;
    assert_int_equal(dt_trainer_create(&t, &s.experiment, &data, NULL), DT_OK);
    assert_int_equal(dt_trainer_profile(t, NULL), DT_OK);
    assert_int_equal(dt_trainer_steps(t, 5, NULL), DT_OK);
    expect(t, 0, DT_PHASE_FORWARD, 1, 40, 2 * 40 * 33 * 21, 5 * 33 * 21 + 40 * (20 + 33));
    expect(t, 1, DT_PHASE_FORWARD, 1, 0, 0, 0);
    expect(t, 1, DT_PHASE_GRADIENT, 2, 40, 2 * 40 * 7 * 34,
           40 * (33 + 7) + 5 * 7 * 34 * (stepped(2) + 2)); /* momentum */
    assert_null(find(t, 1, DT_PHASE_UPDATE, 2));
    dt_trainer_destroy(t);
}

static bool watches_odd_steps(const void *self, int64_t step, int64_t epoch)
{
    (void)self;
    (void)epoch;
    return step % 2;
}

/* A watched step shows each block and updates it at once: the same bytes as if nobody watched. */
static void test_watched_steps(void **state)
{
    (void)state;
    static small s;
    for (int64_t workers = 1; workers <= 2; workers++) {
        dt_trainer *t = make_profiled(&s, workers, "tree");
        assert_int_equal(dt_trainer_observe(t, &(dt_observer){.watches = watches_odd_steps}, NULL), DT_OK);
        assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
        for (int64_t w = 0; w < workers; w++) {
            assert_non_null(find(t, w, DT_PHASE_WATCH, 0));
            assert_null(find(t, w, DT_PHASE_UPDATE, 0));
            for (int64_t l = 1; l <= LAYERS; l++) {
                const int64_t mine = workers == 1 ? whole[l] : slice[w][l];
                if (workers == 1) {
                    expect(t, w, DT_PHASE_GRADIENT, l, ROWS, 2 * ROWS * mine,
                           ROWS * (units[l - 1] + units[l]) + STEPS * mine * stepped(l));
                    assert_null(find(t, w, DT_PHASE_UPDATE, l));
                } else if (mine) {
                    expect(t, w, DT_PHASE_UPDATE, l, 0, 0, STEPS * mine * (2 + stepped(l)));
                }
            }
        }
        dt_trainer_destroy(t);
    }
}

/* Of any strategy and division of the team, the workers' operations are together those of the equations. */
static void check_work(const dt_trainer *t, const char *name, int64_t groups)
{
    double flop[DT_PHASES][LAYERS + 1] = {{0}};
    dt_profile_row row;
    for (size_t i = 0; dt_trainer_profile_row(t, i, &row); i++)
        flop[row.phase][row.l] += row.flop;
    for (int64_t l = 1; l <= LAYERS; l++) {
        const double parts = 2.0 * ROWS * (double)whole[l],
                     back = 2.0 * ROWS * (double)(l < LAYERS ? units[l] * units[l + 1] : 0);
        if (flop[DT_PHASE_FORWARD][l] != parts || flop[DT_PHASE_BACKWARD][l] != back ||
            flop[DT_PHASE_GRADIENT][l] != parts)
            fail_msg("%s, %d groups, layer %d: %.0f, %.0f and %.0f operations, not %.0f, %.0f and %.0f", name,
                     (int)groups, (int)l, flop[DT_PHASE_FORWARD][l], flop[DT_PHASE_BACKWARD][l],
                     flop[DT_PHASE_GRADIENT][l], parts, back, parts);
    }
}

static void test_all_divisions(void **state)
{
    (void)state;
    static small s;
    const dt_entry *reduction;
    for (size_t r = 0; (reduction = dt_table_at(DT_REDUCTIONS, r)); r++)
        for (int64_t groups = 1; groups <= 5; groups += 2) {
            if (strcmp(reduction->name, "hogwild") == 0 && groups < 5)
                continue;
            small_make(&s, 5, ROWS, units, LAYERS, "relu");
            s.experiment.training = (dt_training_spec){.epochs = 1, .batch_size = 61};
            s.experiment.parallel = (dt_parallel_spec){5, 5, reduction->name, groups};
            const dt_trainer_data data = small_data(&s);
            dt_trainer *t;
            assert_int_equal(dt_trainer_create(&t, &s.experiment, &data, NULL), DT_OK);
            assert_int_equal(dt_trainer_profile(t, NULL), DT_OK);
            assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
            check_work(t, reduction->name, groups);
            dt_trainer_destroy(t);
        }
}

/* --- time --- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double sum_of(const dt_trainer *t, int64_t worker)
{
    double sum = 0;
    dt_profile_row row;
    for (size_t i = 0; dt_trainer_profile_row(t, i, &row); i++)
        sum += row.worker == worker ? row.seconds : 0;
    return sum;
}

/* A worker's rows together are the calls they were measured in, however late readers come. Other load may take the
 * processor between this clock and the profile's: of several calls, one where it doesn't is enough. */
static void test_time_is_the_walls(void **state)
{
    (void)state;
    enum { CALLS = 40, STEPS_EACH = 40 };
    static small s;
    for (int64_t workers = 1; workers <= 3; workers++) {
        dt_trainer *t = make_profiled(&s, workers, "tree");
        double before[3] = {0}, best = 0;
        for (int i = 0; i < CALLS; i++) {
            const double began = seconds();
            assert_int_equal(dt_trainer_steps(t, STEPS_EACH, NULL), DT_OK);
            const double wall = seconds() - began;
            double least = INFINITY;
            if (i % 8 == 0)
                nanosleep(&(struct timespec){0, 2000000}, NULL);
            for (int64_t w = 0; w < workers; w++) {
                const double sum = sum_of(t, w), more = sum - before[w];
                if (!(more > 0 && more <= 1.01 * wall + 1e-4))
                    fail_msg("worker %d of %d: %g s in phases, %g s in all", (int)w, (int)workers, more, wall);
                least = fmin(least, more / wall);
                before[w] = sum;
            }
            best = fmax(best, least);
        }
        if (best < 0.99)
            fail_msg("%d workers: phases never add up to more than %g of the time", (int)workers, best);
        dt_profile_row row, last = {0};
        size_t count = 0;
        for (; dt_trainer_profile_row(t, count, &row); count++) {
            assert_true(row.seconds > 0 && row.steps == CALLS * STEPS_EACH);
            assert_true(count == 0 || row.worker > last.worker || row.phase > last.phase || row.l > last.l);
            last = row;
        }
        assert_true(count > 0 && last.worker == workers - 1);
        dt_trainer_destroy(t);
    }
}

/* --- what it leaves alone --- */

static void test_no_profile_has_no_rows(void **state)
{
    (void)state;
    static small s;
    dt_profile_row row;
    dt_trainer *t = make(&s, 2, "tree");
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    assert_false(dt_trainer_profile_row(t, 0, &row));
    dt_trainer_destroy(t);
    t = make_profiled(&s, 2, "tree");
    assert_false(dt_trainer_profile_row(t, 0, &row)); /* nothing was done */
    assert_int_equal(dt_trainer_steps(t, 2, NULL), DT_OK);
    assert_int_equal(dt_trainer_profile(t, NULL), DT_OK); /* goes on with the one there is */
    assert_int_equal(dt_trainer_steps(t, 2, NULL), DT_OK);
    expect(t, 0, DT_PHASE_FORWARD, 2, own[0], 2 * own[0] * 7 * 34, STEPS * 7 * 34 + own[0] * (33 + 7));
    dt_trainer_destroy(t);
}

static void weights(small *s, int64_t workers, const char *reduction, bool profiled, bool watched, char hex[65])
{
    dt_trainer *t = profiled ? make_profiled(s, workers, reduction) : make(s, workers, reduction);
    if (watched)
        assert_int_equal(dt_trainer_observe(t, &(dt_observer){.watches = watches_odd_steps}, NULL), DT_OK);
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, NULL), DT_OK);
    dt_trainer_destroy(t);
}

static void test_the_same_bits(void **state)
{
    (void)state;
    static small s;
    const dt_entry *reduction;
    char plain[65], profiled[65];
    weights(&s, 1, "tree", false, false, plain);
    for (int64_t workers = 1; workers <= 3; workers++)
        for (size_t r = 0; (reduction = dt_table_at(DT_REDUCTIONS, r)); r++)
            for (int watched = 0; watched < 2; watched++) {
                weights(&s, workers, reduction->name, true, watched, profiled);
                if (workers == 1 || !strstr(reduction->note, "not reproducible"))
                    assert_string_equal(profiled, plain);
            }
}

static void test_no_allocation_in_a_step(void **state)
{
    (void)state;
    static small s;
    counting_memory memory;
    dt_profile_row row;
    count_memory(&memory, 0);
    dt_trainer *t = make_profiled(&s, 2, "tree");
    assert_int_equal(dt_trainer_steps(t, 1, NULL), DT_OK);
    const long before = memory.calls;
    assert_int_equal(dt_trainer_steps(t, 30, NULL), DT_OK);
    for (size_t i = 0; dt_trainer_profile_row(t, i, &row); i++)
        ;
    assert_int_equal(memory.calls, before);
    dt_trainer_destroy(t);
    assert_int_equal(memory.blocks, 0);
    count_no_more();
}

/* Without memory there is no profile, and training goes on. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static small s;
    dt_profile_row row;
    dt_status status = DT_NO_MEMORY;
    for (long n = 1; status != DT_OK; n++) {
        counting_memory memory;
        dt_error error = {0};
        count_memory(&memory, 0);
        dt_trainer *t = make(&s, 2, "tree");
        const long blocks = memory.blocks;
        memory.fail_at = memory.calls + n;
        status = dt_trainer_profile(t, &error);
        memory.fail_at = 0;
        if (status != DT_OK) {
            assert_int_equal(status, DT_NO_MEMORY);
            assert_string_not_equal(error.message, "");
            assert_int_equal(memory.blocks, blocks);
        } else {
            assert_true(n > 4); /* the profile, its sheets, and what is in each */
        }
        assert_int_equal(dt_trainer_steps(t, 3, NULL), DT_OK);
        assert_int_equal(dt_trainer_profile_row(t, 0, &row), status == DT_OK);
        dt_trainer_destroy(t);
        assert_int_equal(memory.blocks, 0);
        count_no_more();
    }
}

/* --- runs that end early --- */

static void stop_after_three(void *self, int64_t done, int64_t total, double loss)
{
    (void)total;
    (void)loss;
    if (done == 2)
        dt_trainer_stop(self); /* takes effect after the step that comes */
}

static void test_a_stopped_run(void **state)
{
    (void)state;
    static small s;
    for (int64_t workers = 1; workers <= 2; workers++) {
        dt_trainer *t = make_profiled(&s, workers, "tree");
        assert_int_equal(dt_trainer_observe(t, &(dt_observer){.self = t, .progress = stop_after_three}, NULL), DT_OK);
        assert_int_equal(dt_trainer_run(t, NULL), DT_STOPPED);
        assert_int_equal(dt_trainer_step(t), 3);
        const int64_t rows = workers == 1 ? 3 * 61 : 3 * 35; /* the last step is counted as well */
        expect(t, 0, DT_PHASE_FORWARD, 3, rows, 2 * rows * 10 * 8, 3 * 10 * 8 + rows * (7 + 10));
        dt_trainer_destroy(t);
    }
}

static void test_a_run_that_diverges(void **state)
{
    (void)state;
    static small s;
    for (int64_t workers = 1; workers <= 2; workers++) {
        dt_trainer *t = make(&s, workers, "tree");
        dt_trainer_destroy(t);
        s.experiment.optimizer.learning_rate = 1e6;
        s.experiment.training.epochs = 50;
        s.experiment.loss = "squared_error";
        for (int l = 0; l < LAYERS; l++)
            s.layers[l].activation = "linear";
        const dt_trainer_data data = small_data(&s);
        assert_int_equal(dt_trainer_create(&t, &s.experiment, &data, NULL), DT_OK);
        assert_int_equal(dt_trainer_profile(t, NULL), DT_OK);
        assert_int_equal(dt_trainer_run(t, NULL), DT_DIVERGED);
        const dt_profile_row *row = find(t, workers - 1, DT_PHASE_COST, 0);
        assert_non_null(row);
        assert_int_equal(row->steps, dt_trainer_step(t));
        dt_trainer_destroy(t);
    }
}

static void test_phases_have_names(void **state)
{
    (void)state;
    for (dt_phase p = 0; p < DT_PHASES; p++) {
        assert_string_not_equal(dt_phase_name(p), "");
        assert_string_not_equal(dt_phase_help(p), "");
        for (dt_phase q = 0; q < p; q++)
            assert_string_not_equal(dt_phase_name(p), dt_phase_name(q));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_worker),
        cmocka_unit_test(test_buffers_of_two_workers),
        cmocka_unit_test(test_slices_of_two_workers),
        cmocka_unit_test(test_a_single_shard),
        cmocka_unit_test(test_watched_steps),
        cmocka_unit_test(test_all_divisions),
        cmocka_unit_test(test_time_is_the_walls),
        cmocka_unit_test(test_no_profile_has_no_rows),
        cmocka_unit_test(test_the_same_bits),
        cmocka_unit_test(test_no_allocation_in_a_step),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_a_stopped_run),
        cmocka_unit_test(test_a_run_that_diverges),
        cmocka_unit_test(test_phases_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
