/* Where time goes, and the model to plan past this machine: sums and words by hand-made profiles, what strategies move
 * by counting who reads what, predictions in cases where the answer is known. */
#define DT_PRECISION 32 /* parallel/reduction.h is compiled in both */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/split.h"
#include "parallel/reduction.h"
#include "study/attribution.h"
#include "study/model.h"

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* --- attribution --- */

static dt_profile_row row(int64_t worker, dt_phase phase, int64_t l, double seconds, double flop, double bytes)
{
    return (dt_profile_row){worker, phase, l, seconds, flop, bytes, 10, 0};
}

/* Two workers, ten steps: worker 0 busy 6 s and waiting 2, worker 1 busy 8 s. */
static const dt_profile_row *two_workers(void)
{
    static dt_profile_row rows[7];
    rows[0] = row(0, DT_PHASE_FORWARD, 1, 1, 40e9, 1e9);
    rows[1] = row(0, DT_PHASE_FORWARD, 2, 2, 60e9, 1e9);
    rows[2] = row(0, DT_PHASE_UPDATE, 1, 3, 0, 24e9);
    rows[3] = row(0, DT_PHASE_WAIT, 0, 2, 0, 0);
    rows[4] = row(1, DT_PHASE_FORWARD, 1, 4, 100e9, 2e9);
    rows[5] = row(1, DT_PHASE_UPDATE, 1, 3, 0, 24e9);
    rows[6] = row(1, DT_PHASE_UPDATE, 2, 1, 0, 8e9);
    return rows;
}

static void test_attribution(void **state)
{
    (void)state;
    const dt_bounds bounds = {100e9, 20e9};
    dt_attribution a;
    dt_limiter limiter;
    assert_int_equal(dt_attribute(two_workers(), 7, 0.81, &bounds, &a, NULL), DT_OK);
    assert_int_equal(a.workers, 2);
    assert_near(a.step_seconds, 0.8, 1e-15);
    assert_near(a.covered, 0.8 / 0.81, 1e-15);
    double shares = 0;
    for (int phase = 0; phase < DT_PHASES; phase++)
        shares += a.phase[phase].share;
    assert_near(shares, 1, 1e-15);
    assert_near(a.phase[DT_PHASE_FORWARD].share, 7 / 16.0, 1e-15);
    assert_near(a.phase[DT_PHASE_FORWARD].flops, 2 * 200e9 / 7, 1e-14);
    assert_near(a.phase[DT_PHASE_FORWARD].of_peak, 4 / 7.0, 1e-14);
    assert_near(a.phase[DT_PHASE_UPDATE].bandwidth, 16e9, 1e-14);
    assert_near(a.phase[DT_PHASE_UPDATE].of_bandwidth, 0.8, 1e-14);
    assert_true(isnan(a.phase[DT_PHASE_UPDATE].of_peak) && isnan(a.phase[DT_PHASE_WAIT].of_bandwidth));
    assert_near(a.imbalance, 8 / 7.0, 1e-15);
    assert_near(a.waiting, 2 / 16.0, 1e-15);
    assert_near(a.uneven, 2 / 16.0, 1e-15); /* all of it: 8 s - 7 s of 8 */
    dt_limiter_of(&a, NULL, &limiter);
    assert_int_equal(limiter.phase, DT_PHASE_FORWARD);
    assert_string_equal(limiter.words, "forward 44 %, compute-bound at 57 % of measured peak");
}

static void test_limiter(void **state)
{
    (void)state;
    const dt_bounds bounds = {100e9, 20e9}, narrow = {100e9, 10e9}, none = {0, NAN};
    dt_profile_row alone[2];
    dt_attribution a, base;
    dt_limiter limiter;
    alone[0] = row(0, DT_PHASE_FORWARD, 1, 6.5, 200e9, 3e9);
    alone[1] = row(0, DT_PHASE_UPDATE, 1, 2, 0, 20e9);
    assert_int_equal(dt_attribute(alone, 2, NAN, &bounds, &base, NULL), DT_OK);
    assert_true(isnan(base.covered) && base.imbalance == 1);
    /* 16 s of two workers, 8.5 of one: forward grew by 0.5, update by 5, wait by 2 */
    assert_int_equal(dt_attribute(two_workers(), 7, NAN, &bounds, &a, NULL), DT_OK);
    dt_limiter_of(&a, &base, &limiter);
    assert_int_equal(limiter.phase, DT_PHASE_UPDATE);
    assert_int_equal(limiter.bound, DT_BOUND_MEMORY);
    assert_near(limiter.lost, 5 / 16.0, 1e-14);
    assert_string_equal(limiter.words, "reduction 67 % of the time lost, memory-bound at 80 % of measured bandwidth");
    assert_int_equal(dt_attribute(two_workers(), 7, NAN, &narrow, &a, NULL), DT_OK);
    dt_limiter_of(&a, &base, &limiter);
    assert_string_equal(
        limiter.words,
        "reduction 67 % of the time lost, moving 1.6 times the measured bandwidth of memory, from caches");
    /* lines between cores: counted where they take more of the phase than the other bounds */
    assert_true(isnan(a.phase[DT_PHASE_UPDATE].of_exchange));
    assert_int_equal(dt_attribute(two_workers(), 7, NAN, &bounds, &a, NULL), DT_OK);
    a.phase[DT_PHASE_UPDATE].of_exchange = 0.35; /* of 7 s that grew by 5: 2.45 s */
    dt_limiter_of(&a, &base, &limiter);
    assert_int_equal(limiter.bound, DT_BOUND_MEMORY);
    a.phase[DT_PHASE_UPDATE].of_exchange = 0.94;
    dt_limiter_of(&a, &base, &limiter);
    assert_int_equal(limiter.bound, DT_BOUND_EXCHANGE);
    assert_string_equal(limiter.words,
                        "reduction 67 % of the time lost, to lines between cores, which take 94 % of it at "
                        "their measured rate");
    a.phase[DT_PHASE_UPDATE].of_exchange = 0.36; /* 2.52 s: half of what it lost */
    dt_limiter_of(&a, &base, &limiter);
    assert_int_equal(limiter.bound, DT_BOUND_EXCHANGE);
    a.phase[DT_PHASE_FORWARD].of_exchange = 0.9;
    dt_limiter_of(&a, NULL, &limiter);
    assert_string_equal(limiter.words,
                        "forward 44 %, bound by lines between cores, which take 90 % of it at their measured rate");
    dt_profile_row waits[4];
    waits[0] = row(0, DT_PHASE_FORWARD, 1, 4, 0, 0);
    waits[1] = row(0, DT_PHASE_WAIT, 0, 4, 0, 0);
    waits[2] = row(1, DT_PHASE_FORWARD, 1, 6, 0, 0);
    waits[3] = row(1, DT_PHASE_WAIT, 0, 2, 0, 0);
    assert_int_equal(dt_attribute(waits, 4, NAN, &none, &a, NULL), DT_OK);
    assert_near(a.waiting, 6 / 16.0, 1e-15);
    assert_near(a.uneven, 1 / 8.0, 1e-14); /* of 8 s each, the larger is 1 s busier than the mean */
    waits[0] = row(0, DT_PHASE_FORWARD, 1, 1, 1e9, 1e9);
    waits[1] = row(0, DT_PHASE_WAIT, 0, 3, 0, 0);
    waits[2] = row(1, DT_PHASE_FORWARD, 1, 1, 1e9, 1e9);
    waits[3] = row(1, DT_PHASE_WAIT, 0, 3, 0, 0);
    assert_int_equal(dt_attribute(waits, 4, NAN, &none, &a, NULL), DT_OK);
    dt_limiter_of(&a, NULL, &limiter);
    assert_string_equal(limiter.words, "waiting 75 %, at barriers: workers are evenly busy");
    waits[2].seconds = 3.9;
    waits[3].seconds = 0.1;
    assert_int_equal(dt_attribute(waits, 2, NAN, &none, &a, NULL), DT_OK);
    assert_int_equal(dt_attribute(waits, 4, NAN, &none, &a, NULL), DT_OK);
    dt_limiter_of(&a, NULL, &limiter);
    assert_string_equal(limiter.words, "forward 61 %");
    waits[0].seconds = 0.5;
    waits[1].seconds = 8;
    waits[2].seconds = 8.5;
    waits[3].seconds = 0;
    assert_int_equal(dt_attribute(waits, 4, NAN, &none, &a, NULL), DT_OK);
    a.phase[DT_PHASE_FORWARD].share = 0.3; /* waiting leads */
    dt_limiter_of(&a, NULL, &limiter);
    assert_int_equal(limiter.bound, DT_BOUND_IMBALANCE);
    assert_string_equal(limiter.words, "waiting 47 %, for uneven work: the busiest worker has 1.89 times the mean");
}

static void test_attribution_refused(void **state)
{
    (void)state;
    const dt_bounds bounds = {100e9, 20e9};
    dt_attribution a;
    dt_profile_row rows[2] = {row(0, DT_PHASE_COST, 0, 1, 0, 0), row(0, DT_PHASE_REST, 0, 1, 0, 0)};
    assert_int_equal(dt_attribute(rows, 0, 1, &bounds, &a, NULL), DT_INVALID);
    assert_int_equal(dt_attribute(rows, 2, 1, &bounds, &a, NULL), DT_OK);
    rows[1].steps = 9;
    assert_int_equal(dt_attribute(rows, 2, 1, &bounds, &a, NULL), DT_INVALID);
    rows[1].steps = 10;
    rows[1].seconds = NAN;
    assert_int_equal(dt_attribute(rows, 2, 1, &bounds, &a, NULL), DT_INVALID);
    rows[1].seconds = 1;
    rows[1].worker = DT_ATTRIBUTION_WORKERS_MAX;
    assert_int_equal(dt_attribute(rows, 2, 1, &bounds, &a, NULL), DT_INVALID);
    rows[0].steps = rows[1].steps = 0;
    rows[1].worker = 0;
    assert_int_equal(dt_attribute(rows, 2, 1, &bounds, &a, NULL), DT_INVALID);
}

/* --- what moves --- */

/* W2 of the performance experiments: 784-512-512-10, minibatches of 128 in shards of 32. */
static const int64_t units[] = {784, 512, 512, 10};
static const dt_model_network w2 = {3, units, 128, 32, 4, 1, 0};
static const double parameters = 512.0 * 785 + 512.0 * 513 + 10.0 * 513;

static void test_barriers(void **state)
{
    (void)state;
    assert_int_equal(dt_model_barriers(&w2, DT_MODEL_TREE, 1), 0);
    assert_int_equal(dt_model_barriers(&w2, DT_MODEL_TREE, 2), 2);
    assert_int_equal(dt_model_barriers(&w2, DT_MODEL_SPLIT, 2), 4); /* as x is there, one after each of two layers */
    for (int i = 0; i < DT_MODEL_STRATEGIES; i++)
        assert_non_null(dt_model_strategy_name((dt_model_strategy)i));
    assert_null(dt_model_strategy_name(DT_MODEL_STRATEGIES));
}

/* The model goes by units where the engine does: barriers tell. */
static void test_by_units(void **state)
{
    (void)state;
    for (int64_t width = 1; width < 1200; width += 7)
        for (int64_t samples = 1; samples <= 512; samples *= 8)
            for (int64_t workers = 1; workers <= 9; workers++) {
                const int64_t sizes[] = {100, width};
                const dt_model_network n = {1, sizes, samples, 1, 4, 1, 0};
                const bool units_split = dt_reduction_by_units(&dt_reduction_split, width, samples, workers);
                assert_int_equal(dt_model_barriers(&n, DT_MODEL_SPLIT, workers), workers == 1  ? 0
                                                                                 : units_split ? 3
                                                                                               : 2);
            }
}

/* --- predictions --- */

static const dt_model_machine ideal = {.cores = 128,
                                       .slowdown = 1,
                                       .bandwidth_one = 1e30,
                                       .bandwidth_all = 1e32,
                                       .near = {1e30, 1e30},
                                       .beyond = {1e30, 1e30},
                                       .latency = 0,
                                       .network = 1e30};

static dt_model_costs costs_of_w2(void)
{
    dt_model_costs c = {0};
    c.seconds[DT_PHASE_GATHER][0] = 36e-6;
    c.seconds[DT_PHASE_COST][0] = 22e-6;
    for (int l = 1; l <= 3; l++) {
        c.seconds[DT_PHASE_FORWARD][l] = 1e-3 / l;
        c.seconds[DT_PHASE_GRADIENT][l] = 1.1e-3 / l;
        c.seconds[DT_PHASE_BACKWARD][l] = l < 3 ? 0.9e-3 / l : 0;
    }
    return c;
}

static double total(const dt_model_costs *c)
{
    double sum = 0;
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int l = 0; l <= 3; l++)
            sum += c->seconds[phase][l];
    return sum;
}

static dt_model_step predicted(const dt_model_network *n, const dt_model_machine *m, dt_model_strategy strategy,
                               int64_t workers, int64_t ranks)
{
    const dt_model_costs costs = costs_of_w2();
    const dt_model_measured from = {n, &costs};
    dt_model_step step;
    dt_error error = {0};
    if (dt_model_predict(n, &from, NULL, m, &(dt_model_plan){strategy, workers, ranks}, &step, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_string_equal(step.label, "prediction");
    assert_near(step.seconds, step.compute + step.memory + step.moved + step.barrier + step.network, 1e-14);
    assert_near(step.speedup, total(&costs) / step.seconds, 1e-12);
    return step;
}

/* A machine where nothing costs but arithmetic. */
static void test_limits(void **state)
{
    (void)state;
    const dt_model_costs costs = costs_of_w2();
    for (int s = 0; s < DT_MODEL_STRATEGIES; s++) {
        const dt_model_strategy strategy = (dt_model_strategy)s;
        /* one worker is what was measured, whatever the machine */
        const dt_model_machine slow = {.cores = 1, .slowdown = 1, .bandwidth_one = 1, .bandwidth_all = 1};
        assert_near(predicted(&w2, &slow, strategy, 1, 1).seconds, total(&costs), 1e-12);
        assert_near(predicted(&w2, &ideal, strategy, 1, 4).seconds, total(&costs) / 4, 1e-9);
    }
    /* rows: T workers, T times as fast */
    assert_near(predicted(&w2, &ideal, DT_MODEL_TREE, 4, 1).seconds, total(&costs) / 4, 1e-9);
    assert_near(predicted(&w2, &ideal, DT_MODEL_SERIAL, 4, 1).seconds, total(&costs) / 4, 1e-9);
    /* split: each gathers all of x; W^3, which has 33 blocks, goes in 9, 8, 8 and 8 */
    const double gradient3 = costs.seconds[DT_PHASE_GRADIENT][3];
    assert_near(predicted(&w2, &ideal, DT_MODEL_SPLIT, 4, 1).seconds,
                (total(&costs) - 36e-6 - gradient3) / 4 + 36e-6 + gradient3 * 9 / 33, 1e-9);
    /* owner: of 2689 blocks the first worker's quarter is 673 of layer 1's 1600, the last one's all of layer 3 */
    double gradient[4] = {0}, slowest = 0, rest = total(&costs);
    for (int l = 1; l <= 3; l++)
        rest -= costs.seconds[DT_PHASE_GRADIENT][l];
    for (int w = 0; w < 4; w++) {
        for (int l = 1; l <= 3; l++)
            gradient[w] += costs.seconds[DT_PHASE_GRADIENT][l] * dt_model_slice(&w2, DT_MODEL_OWNER, 4, l, w);
        slowest = fmax(slowest, gradient[w]);
    }
    assert_near(dt_model_slice(&w2, DT_MODEL_OWNER, 4, 1, 0), 673 / 1600.0, 1e-12);
    assert_near(predicted(&w2, &ideal, DT_MODEL_OWNER, 4, 1).seconds, rest / 4 + slowest, 1e-9);
    /* four shards: of three workers one has two */
    const dt_model_step three = predicted(&w2, &ideal, DT_MODEL_TREE, 3, 1),
                        eight = predicted(&w2, &ideal, DT_MODEL_TREE, 8, 1);
    assert_near(three.speedup, 2, 1e-9);
    assert_near(eight.speedup, 4, 1e-9);
    assert_true(eight.idle && !three.idle);
}

static void test_barriers_and_slow_cores(void **state)
{
    (void)state;
    dt_model_machine m = ideal;
    m.barrier_base = 1e-6;
    m.barrier_doubling = 2e-6;
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 4, 1).barrier, 2 * 5e-6, 1e-12);
    m.slowdown = 2; /* hyperthreads */
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 2, 1).compute, predicted(&w2, &m, DT_MODEL_TREE, 1, 1).compute,
                1e-12);
    /* bookkeeping is one worker's, with few instructions: neither shared nor slowed */
    dt_model_costs rest = {0};
    const dt_model_measured from = {&w2, &rest};
    dt_model_step step;
    rest.seconds[DT_PHASE_REST][0] = 3e-6;
    assert_int_equal(dt_model_predict(&w2, &from, NULL, &m, &(dt_model_plan){DT_MODEL_OWNER, 4, 1}, &step, NULL),
                     DT_OK);
    assert_true(step.compute >= 3e-6 && step.compute < 7e-6);
}

/* What tree writes over: half of the buffers hides behind arithmetic but for a quarter, the update doesn't hide. */
static void test_lines(void **state)
{
    (void)state;
    const dt_model_costs costs = costs_of_w2();
    dt_model_machine m = ideal;
    const double P[] = {0, 512 * 785.0, 512 * 513.0, 10 * 513.0};
    m.beyond = (dt_model_exchange){1e30, 1e9};
    double update[2] = {0}, fill[2] = {0}, later[2] = {0};
    for (int w = 0; w < 2; w++)
        for (int l = 1; l <= 3; l++) {
            const double slice = dt_model_slice(&w2, DT_MODEL_TREE, 2, l, w), buffer = 4 * P[l] * (1 - slice) / 1e9;
            const double compute = costs.seconds[DT_PHASE_GRADIENT][l] / 2;
            update[w] += 4 * P[l] * slice * (l > 1 ? 2 : 1) / 1e9;
            fill[w] += fmax(compute, buffer) + fmin(compute, buffer) / 4 - compute;
        }
    const dt_model_step two = predicted(&w2, &m, DT_MODEL_TREE, 2, 1);
    assert_near(two.moved, fmax(update[0], update[1]) + fmax(fill[0], fill[1]), 1e-9);
    /* of more data than the last cache holds only a part of the lines is still with their reader: a fourth. A
     * worker comes by weights, buffers and transposed copies, and half of the rows */
    const double data = 4 * (2 * P[1] + 3 * (P[2] + P[3]) + 64 * (784 + 2 * (512 + 512 + 10)));
    m.cache = data / 4;
    m.bandwidth_one = m.bandwidth_all = 1e30;
    const dt_model_step part = predicted(&w2, &m, DT_MODEL_TREE, 2, 1);
    for (int w = 0; w < 2; w++)
        for (int l = 1; l <= 3; l++) {
            const double slice = dt_model_slice(&w2, DT_MODEL_TREE, 2, l, w), buffer = 4 * P[l] * (1 - slice) / 4e9;
            const double compute = costs.seconds[DT_PHASE_GRADIENT][l] / 2;
            later[w] += fmax(compute, buffer) + fmin(compute, buffer) / 4 - compute;
        }
    assert_near(part.moved, fmax(update[0], update[1]) / 4 + fmax(later[0], later[1]), 1e-9);
    m.cache = 0;
    /* fewer data than a core's own cache: the other rates */
    m.own_cache = 1e9;
    assert_true(predicted(&w2, &m, DT_MODEL_TREE, 2, 1).moved < 1e-12);
    m.near.read = 100e9; /* reading: forward all hides, of the update nothing */
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 2, 1).moved, 4 * (P[1] + P[2] + P[3]) * 0.5 / 100e9, 0.02);
    m.own_cache = 0;
    m.line = 50e-9;
    dt_model_machine far = m;
    dt_model_place(&far, 200e-9);
    assert_near(far.beyond.write, 0.25e9, 1e-12);
    assert_near(far.line, 200e-9, 1e-12);
    far = m;
    dt_model_place(&far, NAN);
    assert_near(far.beyond.write, 1e9, 1e-12);
}

/* Seconds of all workers' lines: tree's update reads the other buffers and writes its weights and their copies. */
static void test_exchange_seconds(void **state)
{
    (void)state;
    double seconds[DT_PHASES];
    dt_model_machine m = ideal;
    m.beyond = (dt_model_exchange){20e9, 2e9};
    dt_model_exchange_seconds(&w2, DT_MODEL_TREE, 2, &m, seconds);
    assert_near(seconds[DT_PHASE_UPDATE], 4 * parameters / 20e9 + 4 * (parameters + 512.0 * 513 + 10.0 * 513) / 2e9,
                1e-12);
    assert_near(seconds[DT_PHASE_GRADIENT], 4 * parameters / 2e9, 1e-12);
    assert_near(seconds[DT_PHASE_FORWARD], 4 * parameters / 20e9, 1e-12);
    assert_true(seconds[DT_PHASE_GATHER] == 0 && seconds[DT_PHASE_WAIT] == 0);
}

static void test_memory_and_network(void **state)
{
    (void)state;
    dt_model_machine m = ideal;
    m.bandwidth_one = 1e9;
    m.bandwidth_all = 2e9;
    const dt_model_step two = predicted(&w2, &m, DT_MODEL_TREE, 2, 1), four = predicted(&w2, &m, DT_MODEL_TREE, 4, 1);
    assert_true(two.memory > 0 && four.memory > two.memory); /* saturated: more workers, less for each */
    m.cache = 64e6; /* the data fit: what's left is the pass over the buffers, at memory's rate if no other is known */
    const double own = 1345 / 1600.0, passes = 4 * (512 * 785.0 * (1 - own) * 3 + 512 * 513.0 * 4 + 10 * 513.0 * 4);
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 2, 1).memory, passes / 1e9, 1e-9); /* the second worker's */
    m.cached = 10e9;
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 2, 1).memory, passes / 10e9, 1e-9);
    assert_true(predicted(&w2, &m, DT_MODEL_SERIAL, 2, 1).memory > passes / 10e9); /* one worker's are all */
    assert_true(predicted(&w2, &m, DT_MODEL_OWNER, 2, 1).memory == 0);
    m = ideal;
    m.latency = 1e-6;
    m.network = 1e9;
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 1, 4).network, 2 * 2e-6 + 2 * 0.75 * 4 * parameters / 1e9, 1e-12);
    assert_true(predicted(&w2, &m, DT_MODEL_TREE, 4, 1).network == 0);
    assert_true(predicted(&w2, &m, DT_MODEL_SERIAL, 1, 2).seconds >
                predicted(&w2, &ideal, DT_MODEL_SERIAL, 1, 2).seconds);
}

/* --- sizes --- */

/* Seconds by a law that is known: a call, an operation, a weight, a number of rows each cost something. */
static double known(const dt_model_network *n, dt_phase phase, int64_t l, double rows, double weights)
{
    const double in = (double)n->units[l - 1], out = (double)n->units[l],
                 above = l < n->layers ? (double)n->units[l + 1] : 0;
    switch (phase) {
    case DT_PHASE_FORWARD:
        return 1e-6 + 2e-11 * 2 * rows * out * (in + 1) + 3e-10 * out * (in + 1) + 1e-10 * rows * (in + out);
    case DT_PHASE_BACKWARD:
        return above > 0 ? 5e-7 + 2e-11 * 2 * rows * out * above + 2e-10 * out * above : 0;
    case DT_PHASE_GRADIENT:
        return 2.5e-11 * 2 * rows * out * (in + 1) + 1e-10 * out * (in + 1) * weights;
    default:
        return 0;
    }
}

static void make_costs(const dt_model_network *n, dt_model_costs *c)
{
    *c = (dt_model_costs){0};
    for (int64_t l = 1; l <= n->layers; l++)
        for (int phase = DT_PHASE_FORWARD; phase <= DT_PHASE_GRADIENT; phase++)
            c->seconds[phase][l] = known(n, (dt_phase)phase, l, (double)n->samples, 2 + (l > 1));
    c->seconds[DT_PHASE_GATHER][0] = 1e-6 + 1e-10 * (double)(n->samples * n->units[0]);
    c->seconds[DT_PHASE_REST][0] = 2e-6;
}

static const int64_t sizes[3][4] = {{256, 512, 128, 16}, {64, 128, 128, 32}, {784, 256, 64, 16}};

static void test_law_is_found(void **state)
{
    (void)state;
    dt_model_network networks[6];
    dt_model_costs costs[6], said, truth;
    dt_model_measured points[6];
    dt_model_law law;
    for (int i = 0; i < 6; i++) {
        networks[i] = (dt_model_network){3, sizes[i / 2], i % 2 ? 256 : 32, 16, 4, 1, 0};
        make_costs(&networks[i], &costs[i]);
        points[i] = (dt_model_measured){&networks[i], &costs[i]};
    }
    assert_int_equal(dt_model_fit(points, 6, &law, NULL), DT_OK);
    assert_int_equal(law.points, 6);
    /* a network and a minibatch that it didn't see */
    static const int64_t other[] = {300, 400, 48, 80};
    const dt_model_network n = {3, other, 100, 10, 4, 1, 0};
    make_costs(&n, &truth);
    assert_int_equal(dt_model_costs_of(&law, &n, &said, NULL), DT_OK);
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int l = 0; l <= 3; l++)
            assert_near(said.seconds[phase][l], truth.seconds[phase][l], 1e-6);
    /* half the rows take more than half the time: two workers of tree, whose buffers don't step weights */
    const dt_model_measured from = {&n, &truth};
    dt_model_step step;
    double two = 2e-6 + 1e-6 + 1e-10 * 50 * 300;
    for (int64_t l = 1; l <= 3; l++)
        for (int phase = DT_PHASE_FORWARD; phase <= DT_PHASE_GRADIENT; phase++)
            two += known(&n, (dt_phase)phase, l, 50, 1);
    assert_int_equal(dt_model_predict(&n, &from, &law, &ideal, &(dt_model_plan){DT_MODEL_TREE, 2, 1}, &step, NULL),
                     DT_OK);
    assert_near(step.compute, two, 1e-6);
    /* another minibatch from this one's costs */
    dt_model_network more = n;
    more.samples = 400;
    make_costs(&more, &truth);
    dt_model_costs at_hundred;
    make_costs(&n, &at_hundred);
    assert_int_equal(dt_model_predict(&more, &(dt_model_measured){&n, &at_hundred}, &law, &ideal,
                                      &(dt_model_plan){DT_MODEL_TREE, 1, 1}, &step, NULL),
                     DT_OK);
    assert_near(step.compute, total(&truth), 1e-6);
}

/* Where sizes can't tell features apart time is in proportion to work. */
static void test_law_of_little(void **state)
{
    (void)state;
    const dt_model_costs costs = costs_of_w2();
    const dt_model_measured one = {&w2, &costs};
    dt_model_law law;
    dt_model_costs said;
    dt_model_network twice = w2;
    twice.samples = 256;
    assert_int_equal(dt_model_fit(&one, 1, &law, NULL), DT_OK);
    assert_int_equal(dt_model_costs_of(&law, &twice, &said, NULL), DT_OK);
    for (int phase = 0; phase < DT_PHASES; phase++) {
        int terms = 0;
        for (int i = 0; i < DT_MODEL_FEATURES; i++)
            terms += law.of[phase][i] > 0;
        assert_true(terms <= 1);
    }
    dt_model_costs same;
    assert_int_equal(dt_model_costs_of(&law, &w2, &same, NULL), DT_OK);
    assert_near(total(&said), 2 * total(&same), 1e-9);
    dt_model_network bad = w2;
    bad.samples = 0;
    assert_int_equal(dt_model_fit(&(dt_model_measured){&bad, &costs}, 1, &law, NULL), DT_INVALID);
    assert_int_equal(dt_model_fit(&one, 0, &law, NULL), DT_INVALID);
    assert_int_equal(dt_model_costs_of(&law, &bad, &said, NULL), DT_INVALID);
}

static void test_calibrate(void **state)
{
    (void)state;
    dt_profile_row rows[3] = {row(0, DT_PHASE_FORWARD, 1, 2, 0, 0), row(0, DT_PHASE_FORWARD, 2, 1, 0, 0),
                              row(0, DT_PHASE_GATHER, 0, 0.5, 0, 0)};
    dt_model_costs costs;
    assert_int_equal(dt_model_calibrate(rows, 3, &costs, NULL), DT_OK);
    assert_near(costs.seconds[DT_PHASE_FORWARD][1], 0.2, 1e-15);
    assert_near(costs.seconds[DT_PHASE_GATHER][0], 0.05, 1e-15);
    rows[1].worker = 1;
    assert_int_equal(dt_model_calibrate(rows, 3, &costs, NULL), DT_INVALID);
    assert_int_equal(dt_model_calibrate(rows, 0, &costs, NULL), DT_INVALID);
    rows[1].worker = 0;
    rows[1].l = DT_MODEL_LAYERS_MAX + 1;
    assert_int_equal(dt_model_calibrate(rows, 3, &costs, NULL), DT_INVALID);
}

static void test_machine(void **state)
{
    (void)state;
    static dt_machine probes;
    dt_model_machine m;
    assert_int_equal(dt_model_machine_of(&probes, DT_FLOAT32, &m, NULL), DT_INVALID);
    probes.workers = probes.processors = 8;
    probes.fma[DT_FLOAT32] = (dt_machine_rate){{.best = 100}, {.best = 640}};
    probes.memory_count = 2;
    probes.memory[1].read = (dt_machine_rate){{.best = 12}, {.best = 40}};
    probes.topology.cores = 8;
    probes.topology.cache_count = 2;
    probes.topology.caches[0] = (dt_machine_cache){2, 1000000, 64, 8};
    probes.topology.caches[1] = (dt_machine_cache){3, 32000000, 64, 2};
    probes.memory[0].triad.all.best = 80;
    probes.exchange_count = 2;
    probes.exchange[0] = (dt_machine_exchange){2, 100, {.best = 30}, {.best = 3}};
    probes.exchange[1] = (dt_machine_exchange){3, 100, {.best = 20}, {.best = 2}};
    probes.pair_count = 1;
    probes.pairs[0].ns.median = 90;
    probes.barrier_count = 3;
    for (int i = 0; i < 3; i++) /* 50 + 100 log2 T */
        probes.barriers[i] = (dt_machine_barrier){2 << i, {.best = 150 + 100 * i}};
    assert_int_equal(dt_model_machine_of(&probes, DT_FLOAT32, &m, NULL), DT_OK);
    assert_int_equal(m.cores, 8);
    assert_near(m.slowdown, 1.25, 1e-15);
    assert_near(m.bandwidth_all, 40e9, 1e-15);
    assert_near(m.near.read, 30e9, 1e-15);
    assert_near(m.near.write, 3e9, 1e-15);
    assert_near(m.beyond.read, 20e9, 1e-15);
    assert_near(m.beyond.write, 2e9, 1e-15);
    assert_near(m.line, 90e-9, 1e-15);
    assert_near(m.cached, 10e9, 1e-15);
    assert_near(m.own_cache, 1e6, 1e-15);
    assert_near(m.cache, 8e6, 1e-15);
    assert_near(m.barrier_base, 50e-9, 1e-9);
    assert_near(m.barrier_doubling, 100e-9, 1e-9);
    probes.barrier_count = 1;
    assert_int_equal(dt_model_machine_of(&probes, DT_FLOAT32, &m, NULL), DT_OK);
    assert_true(m.barrier_base == 0);
    assert_near(m.barrier_doubling, 150e-9, 1e-12);
}

static void test_predict_refused(void **state)
{
    (void)state;
    const dt_model_costs costs = costs_of_w2();
    const dt_model_measured from = {&w2, &costs};
    dt_model_machine m = ideal;
    dt_model_network n = w2;
    dt_model_step step;
    dt_error error = {0};
    const dt_model_plan plans[] = {
        {DT_MODEL_TREE, 0, 1}, {DT_MODEL_TREE, 129, 1}, {DT_MODEL_TREE, 1, 5}, {DT_MODEL_TREE, 1, 0}};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        assert_int_equal(dt_model_predict(&n, &from, NULL, &m, &plans[i], &step, NULL), DT_INVALID);
    assert_int_equal(dt_model_predict(&n, &from, NULL, &m, &(dt_model_plan){DT_MODEL_STRATEGIES, 1, 1}, &step, NULL),
                     DT_UNKNOWN_NAME);
    m.network = 0;
    assert_int_equal(dt_model_predict(&n, &from, NULL, &m, &(dt_model_plan){DT_MODEL_TREE, 1, 2}, &step, &error),
                     DT_INVALID);
    assert_string_equal(error.message, "a prediction for 2 ranks without a network; give its latency and bandwidth");
    m.bandwidth_one = 0;
    assert_int_equal(dt_model_predict(&n, &from, NULL, &m, &(dt_model_plan){DT_MODEL_TREE, 1, 1}, &step, NULL),
                     DT_INVALID);
    n.layers = DT_MODEL_LAYERS_MAX + 1;
    assert_int_equal(dt_model_predict(&n, &from, NULL, &ideal, &(dt_model_plan){DT_MODEL_TREE, 1, 1}, &step, NULL),
                     DT_INVALID);
    n = w2;
    n.samples = 0;
    assert_int_equal(dt_model_predict(&n, &from, NULL, &ideal, &(dt_model_plan){DT_MODEL_TREE, 1, 1}, &step, NULL),
                     DT_INVALID);
}

static void test_held_out(void **state)
{
    (void)state;
    dt_model_error e;
    const double predicted_seconds[] = {0.9, 2.2, 2.4}, measured[] = {1, 2, 3};
    assert_int_equal(dt_model_error_of(predicted_seconds, measured, 3, &e, NULL), DT_OK);
    assert_near(e.median, 0.1, 1e-12);
    assert_near(e.most, 0.2, 1e-12);
    assert_near(e.bias, -0.1, 1e-12);
    assert_int_equal(dt_model_error_of(predicted_seconds, measured, 0, &e, NULL), DT_INVALID);
    assert_int_equal(dt_model_error_of((const double[]){0}, measured, 1, &e, NULL), DT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attribution),
        cmocka_unit_test(test_limiter),
        cmocka_unit_test(test_attribution_refused),
        cmocka_unit_test(test_barriers),
        cmocka_unit_test(test_by_units),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_barriers_and_slow_cores),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_exchange_seconds),
        cmocka_unit_test(test_memory_and_network),
        cmocka_unit_test(test_law_is_found),
        cmocka_unit_test(test_law_of_little),
        cmocka_unit_test(test_calibrate),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_predict_refused),
        cmocka_unit_test(test_held_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
