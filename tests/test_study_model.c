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

/* Who writes and who reads every number, counted one by one on a small network: rows, slices and units of dt_split. */
static double counted(const dt_model_network *n, dt_model_strategy strategy, int64_t workers)
{
    int64_t moved = 0, b = n->samples;
    const bool slices = strategy == DT_MODEL_OWNER || strategy == DT_MODEL_SPLIT;
    for (int64_t reader = 0; reader < workers; reader++)
        for (int64_t writer = 0; writer < workers; writer++) {
            if (reader == writer)
                continue;
            for (int64_t l = 1; l <= n->layers; l++) {
                const bool by_units = strategy == DT_MODEL_SPLIT && n->units[l] > b;
                const int64_t p = n->units[l] * (n->units[l - 1] + 1);
                const int64_t of_writer = dt_span_count(dt_split(p, workers, writer)),
                              of_reader = dt_span_count(dt_split(p, workers, reader)),
                              rows = dt_span_count(dt_split(b, workers, writer));
                moved += by_units ? 0 : of_writer;
                if (strategy == DT_MODEL_TREE)
                    moved += of_reader;
                if (slices)
                    moved += rows * ((l == 1 && by_units ? 0 : n->units[l - 1]) + n->units[l]);
            }
        }
    return (double)(n->real * moved) / (double)workers;
}

static void test_moved(void **state)
{
    (void)state;
    const int64_t small[] = {15, 64, 32, 8};
    const dt_model_network n = {3, small, 16, 4, 8, 8, 1};
    for (int64_t workers = 1; workers <= 4; workers *= 2) {
        assert_near(dt_model_moved(&n, DT_MODEL_TREE, workers), counted(&n, DT_MODEL_TREE, workers), 1e-14);
        assert_near(dt_model_moved(&n, DT_MODEL_OWNER, workers), counted(&n, DT_MODEL_OWNER, workers), 1e-14);
    }
    assert_near(dt_model_moved(&n, DT_MODEL_SPLIT, 2), counted(&n, DT_MODEL_SPLIT, 2), 1e-14);
    assert_near(dt_model_moved(&w2, DT_MODEL_SERIAL, 3), 4 * parameters * 3, 1e-14);
    assert_near(dt_model_moved(&w2, DT_MODEL_TREE, 2), 4 * parameters, 1e-14);
    assert_near(dt_model_moved(&w2, DT_MODEL_OWNER, 2), 4 * (parameters / 2 + 64 * (784 + 4 * 512 + 10)), 1e-14);
    /* by units: layers 1 and 2, whose weights stay */
    assert_near(dt_model_moved(&w2, DT_MODEL_SPLIT, 2), 4 * (513 * 10 / 2.0 + 64 * (4 * 512 + 10)), 1e-14);
    assert_true(dt_model_moved(&w2, DT_MODEL_SPLIT, 1) == 0);
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
                                       .exchange = 1e30,
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
    dt_model_step step;
    dt_error error = {0};
    if (dt_model_predict(n, &costs, m, &(dt_model_plan){strategy, workers, ranks}, &step, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_string_equal(step.label, "prediction");
    assert_near(step.seconds, step.compute + step.memory + step.moved + step.barrier + step.network, 1e-14);
    assert_near(step.speedup, total(&costs) / step.seconds, 1e-12);
    return step;
}

static void test_limits(void **state)
{
    (void)state;
    const dt_model_costs costs = costs_of_w2();
    for (int s = 0; s < DT_MODEL_STRATEGIES; s++) {
        const dt_model_strategy strategy = (dt_model_strategy)s;
        /* one worker is what was measured, whatever the machine */
        const dt_model_machine slow = {
            .cores = 1, .slowdown = 1, .bandwidth_one = 1, .bandwidth_all = 1, .exchange = 1};
        assert_near(predicted(&w2, &slow, strategy, 1, 1).seconds, total(&costs), 1e-12);
        /* a machine where nothing costs but arithmetic: T workers, T times as fast (split: each gathers all of x) */
        const double gather = strategy == DT_MODEL_SPLIT ? 36e-6 : 9e-6;
        assert_near(predicted(&w2, &ideal, strategy, 4, 1).seconds, (total(&costs) - 36e-6) / 4 + gather, 1e-9);
        assert_near(predicted(&w2, &ideal, strategy, 1, 4).seconds, total(&costs) / 4, 1e-9);
    }
    /* four shards: of three workers one has two */
    const dt_model_step three = predicted(&w2, &ideal, DT_MODEL_TREE, 3, 1),
                        eight = predicted(&w2, &ideal, DT_MODEL_TREE, 8, 1);
    assert_near(three.speedup, 2, 1e-9);
    assert_near(eight.speedup, 4, 1e-9);
    assert_true(eight.idle && !three.idle);
}

static void test_terms(void **state)
{
    (void)state;
    dt_model_machine m = ideal;
    m.barrier_base = 1e-6;
    m.barrier_doubling = 2e-6;
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 4, 1).barrier, 2 * 5e-6, 1e-12);
    m.exchange = 1e9;
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 4, 1).moved, 4 * parameters * 2 * 0.75 / 1e9, 1e-12);
    m.slowdown = 2; /* hyperthreads */
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 2, 1).compute, predicted(&w2, &m, DT_MODEL_TREE, 1, 1).compute,
                1e-12);
    m = ideal;
    m.bandwidth_one = 1e9;
    m.bandwidth_all = 2e9;
    const dt_model_step two = predicted(&w2, &m, DT_MODEL_TREE, 2, 1), four = predicted(&w2, &m, DT_MODEL_TREE, 4, 1);
    assert_true(two.memory > 0 && four.memory > two.memory); /* saturated: more workers, less for each */
    m.cache = 64e6; /* the data fit: what's left is the pass over the buffers */
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 2, 1).memory, 4 * parameters / 2 * 3 / 1e9, 1e-12);
    assert_near(predicted(&w2, &m, DT_MODEL_SERIAL, 2, 1).memory, 4 * parameters * 3 / 1e9, 1e-12); /* by one worker */
    assert_true(predicted(&w2, &m, DT_MODEL_OWNER, 2, 1).memory == 0);
    /* bookkeeping is one worker's, with few instructions: neither shared nor slowed */
    dt_model_costs rest = {0};
    dt_model_step step;
    rest.seconds[DT_PHASE_REST][0] = 3e-6;
    m.slowdown = 2;
    assert_int_equal(dt_model_predict(&w2, &rest, &m, &(dt_model_plan){DT_MODEL_OWNER, 4, 1}, &step, NULL), DT_OK);
    assert_near(step.compute, 3e-6, 1e-12);
    m = ideal;
    m.latency = 1e-6;
    m.network = 1e9;
    assert_near(predicted(&w2, &m, DT_MODEL_TREE, 1, 4).network, 2 * 2e-6 + 2 * 0.75 * 4 * parameters / 1e9, 1e-12);
    assert_true(predicted(&w2, &m, DT_MODEL_TREE, 4, 1).network == 0);
    /* a minibatch four times as large: the same network traffic against four times the work */
    assert_true(predicted(&w2, &m, DT_MODEL_SERIAL, 1, 2).seconds >
                predicted(&w2, &ideal, DT_MODEL_SERIAL, 1, 2).seconds);
}

static void test_transfer(void **state)
{
    (void)state;
    const dt_model_costs costs = costs_of_w2();
    dt_model_costs moved;
    dt_model_network twice = w2;
    twice.samples = 256;
    assert_int_equal(dt_model_transfer(&w2, &costs, &w2, &moved, NULL), DT_OK);
    assert_near(total(&moved), total(&costs), 1e-12);
    assert_int_equal(dt_model_transfer(&w2, &costs, &twice, &moved, NULL), DT_OK);
    assert_near(total(&moved), 2 * total(&costs), 1e-12); /* nothing here is constant */
    const int64_t wide[] = {784, 1024, 10};
    const dt_model_network other = {2, wide, 128, 32, 4, 1, 0};
    assert_int_equal(dt_model_transfer(&w2, &costs, &other, &moved, NULL), DT_OK);
    const double forward =
        costs.seconds[DT_PHASE_FORWARD][1] + costs.seconds[DT_PHASE_FORWARD][2] + costs.seconds[DT_PHASE_FORWARD][3];
    assert_near(moved.seconds[DT_PHASE_FORWARD][1], forward * 1024 * 785 / parameters, 1e-12);
    assert_near(moved.seconds[DT_PHASE_GATHER][0], 36e-6, 1e-12);
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
    probes.topology.cache_count = 1;
    probes.topology.caches[0] = (dt_machine_cache){3, 32000000, 64, 2};
    probes.barrier_count = 3;
    for (int i = 0; i < 3; i++) /* 50 + 100 log2 T */
        probes.barriers[i] = (dt_machine_barrier){2 << i, {.best = 150 + 100 * i}};
    assert_int_equal(dt_model_machine_of(&probes, DT_FLOAT32, &m, NULL), DT_OK);
    assert_int_equal(m.cores, 8);
    assert_near(m.slowdown, 1.25, 1e-15);
    assert_near(m.bandwidth_all, 40e9, 1e-15);
    assert_near(m.exchange, 5e9, 1e-15);
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
    dt_model_machine m = ideal;
    dt_model_network n = w2;
    dt_model_step step;
    dt_error error = {0};
    const dt_model_plan plans[] = {
        {DT_MODEL_TREE, 0, 1}, {DT_MODEL_TREE, 129, 1}, {DT_MODEL_TREE, 1, 5}, {DT_MODEL_TREE, 1, 0}};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        assert_int_equal(dt_model_predict(&n, &costs, &m, &plans[i], &step, NULL), DT_INVALID);
    assert_int_equal(dt_model_predict(&n, &costs, &m, &(dt_model_plan){DT_MODEL_STRATEGIES, 1, 1}, &step, NULL),
                     DT_UNKNOWN);
    m.network = 0;
    assert_int_equal(dt_model_predict(&n, &costs, &m, &(dt_model_plan){DT_MODEL_TREE, 1, 2}, &step, &error),
                     DT_INVALID);
    assert_string_equal(error.message, "a prediction for 2 ranks without a network; give its latency and bandwidth");
    m.exchange = 0;
    assert_int_equal(dt_model_predict(&n, &costs, &m, &(dt_model_plan){DT_MODEL_TREE, 1, 1}, &step, NULL), DT_INVALID);
    n.layers = DT_MODEL_LAYERS_MAX + 1;
    assert_int_equal(dt_model_predict(&n, &costs, &ideal, &(dt_model_plan){DT_MODEL_TREE, 1, 1}, &step, NULL),
                     DT_INVALID);
    n = w2;
    n.samples = 0;
    assert_int_equal(dt_model_predict(&n, &costs, &ideal, &(dt_model_plan){DT_MODEL_TREE, 1, 1}, &step, NULL),
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
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_by_units),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_calibrate),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_predict_refused),
        cmocka_unit_test(test_held_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
