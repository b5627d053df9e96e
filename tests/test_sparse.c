/* Training on sparse data: the weights, and all that a step shows, of the dense products over the same rows, bit for
 * bit; its own gradients against finite differences; no dense copy in memory; nothing allocated in a step. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/split.h"
#include "counting_memory.h"
#include "data/sparse.h"
#include "deltoid/check.h"
#include "small.h"
#include "train/step.h"

/* --- data --- */

enum { ROWS = 150 };

/* The same rows sparse, and written out. Every ninth row is empty, and so are the first 20, a whole minibatch; input 3
 * occurs nowhere, the last one in one row alone. */
typedef struct both {
    dt_dataset *sparse, *dense;
} both;

static double number(uint64_t stream, int64_t i)
{
    return dt_uniform01(dt_philox(91, DT_FOR_TEST, stream, (uint64_t)i).u[0]);
}

static both make_data(int64_t features, int64_t classes, double density)
{
    int64_t *start = calloc(ROWS + 1, sizeof *start), count = 0;
    int32_t *column = malloc((size_t)(ROWS * features) * sizeof *column), labels[ROWS];
    double *value = malloc((size_t)(ROWS * features) * sizeof *value);
    double *dense = calloc((size_t)(ROWS * features), sizeof *dense);
    both b;
    assert_true(start && column && value && dense);
    for (int64_t i = 0; i < ROWS; i++) {
        for (int64_t k = 0; k < features; k++) {
            const bool last = k == features - 1, empty = i < 20 || i % 9 == 0 || (k == 3 && features > 4);
            if (empty || (last ? i != 77 : number(1, i * features + k) >= density))
                continue;
            column[count] = (int32_t)k;
            value[count] = dense[i * features + k] = 2 * number(2, i * features + k) - 1;
            count++;
        }
        start[i + 1] = count;
        labels[i] = (int32_t)(number(3, i) * (double)classes);
    }
    assert_int_equal(
        dt_dataset_from_sparse(&b.sparse, ROWS, features, classes, DT_F64, start, column, value, labels, NULL), DT_OK);
    assert_int_equal(dt_dataset_from_arrays(&b.dense, ROWS, features, classes, DT_F64, dense, labels, NULL), DT_OK);
    free(start);
    free(column);
    free(value);
    free(dense);
    return b;
}

static void forget_data(both *b)
{
    dt_dataset_destroy(b->sparse);
    dt_dataset_destroy(b->dense);
}

/* --- experiments --- */

/* One for each way in which a step ends: in place; through the optimizer, block by block; from a kept gradient. */
typedef struct kind {
    const char *name, *optimizer;
    dt_precision precision;
    int64_t units[4], layers, batch, shard;
    double momentum, weight_decay, clip_norm, max_norm, dropout;
} kind;

static const kind kinds[] = {
    {"plain", "sgd", DT_FLOAT32, {60, 33, 10}, 2, 20, 3, 0, 0, 0, 0, 0},
    {"plain, float64", "sgd", DT_FLOAT64, {60, 33, 10}, 2, 20, 3, 0, 0, 0, 0, 0},
    {"one layer of ten", "sgd", DT_FLOAT32, {200, 10}, 1, 20, 1, 0, 0, 0, 0, 0},
    {"one input", "sgd", DT_FLOAT32, {1, 5, 3}, 2, 20, 4, 0, 0, 0, 0, 0},
    {"wide, by units", "sgd", DT_FLOAT32, {90, 150, 20, 10}, 3, 20, 4, 0, 0, 0, 0, 0.25},
    {"momentum", "sgd", DT_FLOAT32, {60, 40, 10}, 2, 20, 5, 0.9, 1e-3, 0, 0, 0},
    {"adam", "adam", DT_FLOAT64, {60, 40, 10}, 2, 32, 8, 0, 0, 0, 0, 0},
    {"clip_norm and max_norm", "sgd", DT_FLOAT32, {60, 40, 10}, 2, 20, 5, 0, 0, 0.5, 0.7, 0},
    {"lamb", "lamb", DT_FLOAT32, {60, 40, 10}, 2, 50, 0, 0, 0.01, 0, 0, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void make(small *m, const kind *k, const char *sparse, int64_t workers, const char *reduction)
{
    small_make(m, 7, 1, k->units, k->layers, "relu");
    dt_experiment *e = &m->experiment;
    e->precision = k->precision;
    dt_experiment_set_optimizer(e, k->optimizer);
    e->optimizer.learning_rate = 0.05;
    e->optimizer.momentum = k->momentum;
    e->optimizer.weight_decay = k->weight_decay;
    e->optimizer.clip_norm = k->clip_norm;
    m->layers[0].max_norm = k->max_norm;
    if (k->layers > 1)
        m->layers[0].dropout = k->dropout;
    e->training.epochs = 3;
    e->training.batch_size = k->batch;
    e->data.sparse = sparse;
    e->parallel = (dt_parallel_spec){.threads = workers, .shard_size = k->shard, .reduction = reduction};
}

static dt_trainer *trainer_of(const small *m, const dt_dataset *data)
{
    dt_trainer *t;
    dt_error error = {0};
    if (dt_trainer_create(&t, &m->experiment, &(dt_trainer_data){.train = data}, &error) != DT_OK)
        fail_msg("%s", error.message);
    return t;
}

static bool is_sparse(const dt_trainer *t)
{
    dt_trainer_info info;
    dt_trainer_describe(t, &info);
    return info.sparse;
}

static void train(const small *m, const dt_dataset *data, char hex[65])
{
    dt_error error = {0};
    dt_trainer *t = trainer_of(m, data);
    assert_true(is_sparse(t) == (data->start != NULL && strcmp(m->experiment.data.sparse, "true") == 0));
    if (dt_trainer_run(t, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, &error), DT_OK);
    dt_trainer_destroy(t);
}

/* --- the same bits --- */

/* Those that don't promise it take sparse inputs as any others, or not at all. */
static bool promises_bits(small *m, const kind *k, const dt_dataset *data, const char *reduction)
{
    dt_trainer_info info;
    make(m, k, "false", 2, reduction);
    return dt_trainer_plan(&m->experiment, &(dt_trainer_data){.train = data}, &info, NULL) == DT_OK &&
           info.deterministic;
}

static const int64_t teams[] = {1, 2, 3, 5, 8};
enum { TEAMS = sizeof teams / sizeof *teams };

/* The groups of a run: of one worker each, of all, and uneven ones. */
static int64_t groups_of(int64_t workers, int i)
{
    return i == 0 ? workers : i == 1 ? 1 : (workers + 1) / 2;
}

static void test_teams_and_strategies(void **state)
{
    (void)state;
    static small m;
    const dt_entry *reduction;
    int runs = 0;
    for (int i = 0; i < KINDS; i++) {
        both b = make_data(kinds[i].units[0], kinds[i].units[kinds[i].layers], 0.08);
        char dense[65], hex[65];
        make(&m, &kinds[i], "false", 1, "tree");
        train(&m, b.dense, dense);
        train(&m, b.sparse, hex);
        assert_string_equal(hex, dense);
        for (int t = 0; t < TEAMS; t++)
            for (size_t r = 0; (reduction = dt_table_at(DT_REDUCTIONS, r)); r++) {
                if (!promises_bits(&m, &kinds[i], b.dense, reduction->name))
                    continue;
                for (int g = 0; g < (teams[t] == 1 ? 1 : teams[t] == 2 ? 2 : 3); g++) {
                    make(&m, &kinds[i], "true", teams[t], reduction->name);
                    m.experiment.parallel.groups = groups_of(teams[t], g);
                    train(&m, b.sparse, hex);
                    if (strcmp(hex, dense) != 0)
                        fail_msg("%s, %d workers, %d groups, %s: weights %.16s, of dense products %.16s", kinds[i].name,
                                 (int)teams[t], (int)m.experiment.parallel.groups, reduction->name, hex, dense);
                    runs++;
                }
            }
        forget_data(&b);
    }
    print_message("%d runs of %d experiments: the dense products' hashes\n", runs, KINDS);
}

/* Strategies that promise no bits add layers 2 .. L in some order, and layer 1 in the tree's: weights as near as
 * rounding is. hogwild goes by dense products. */
static void test_strategies_without_bits(void **state)
{
    (void)state;
    static const char *const names[] = {"critical", "atomic", "omp", "hogwild"};
    static small m;
    static float want[33 * 60], got[33 * 60], bias[33];
    dt_error error = {0};
    both b = make_data(60, 10, 0.02);
    make(&m, &kinds[0], "true", 1, "tree");
    dt_trainer *t = trainer_of(&m, b.sparse);
    assert_int_equal(dt_trainer_steps(t, 20, &error), DT_OK);
    dt_trainer_weights(t, 1, want, bias);
    dt_trainer_destroy(t);
    for (int i = 0; i < 4; i++)
        for (int64_t workers = 1; workers <= 3; workers += 2) {
            const bool free = i == 3;
            make(&m, &kinds[0], free ? "auto" : "true", workers, names[i]);
            t = trainer_of(&m, b.sparse);
            assert_true(is_sparse(t) == !free);
            assert_int_equal(dt_trainer_steps(t, 20, &error), DT_OK);
            dt_trainer_weights(t, 1, got, bias);
            for (int k = 0; k < 33 * 60; k++)
                assert_true(fabsf(got[k] - want[k]) < (free && workers > 1 ? 0.1F : 1e-5F));
            dt_trainer_destroy(t);
        }
    make(&m, &kinds[0], "true", 2, "hogwild");
    assert_int_equal(dt_trainer_create(&t, &m.experiment, &(dt_trainer_data){.train = b.sparse}, &error), DT_INVALID);
    assert_non_null(strstr(error.message, "data.sparse: the reduction hogwild"));
    forget_data(&b);
}

/* In a process of its own, as the instruction set is read once: the hashes of all kinds, sparse and dense; nothing
 * where this processor doesn't run it. */
static bool run_with(const char *isa, char hex[2 * KINDS][65])
{
    int ends[2], status, got = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        static small m;
        dt_error error = {0};
        dt_trainer *t;
        setenv("DELTOID_ISA", isa, 1);
        for (int i = 0; i < 2 * KINDS; i++) {
            const kind *k = &kinds[i / 2];
            char own[65];
            both b = make_data(k->units[0], k->units[k->layers], 0.08);
            make(&m, k, i % 2 ? "false" : "true", 2, "tree");
            const dt_status made = dt_trainer_create(&t, &m.experiment, &(dt_trainer_data){.train = b.sparse}, &error);
            if (made != DT_OK)
                _exit(made == DT_UNSUPPORTED || made == DT_UNKNOWN_NAME ? 0 : 1);
            if (dt_trainer_run(t, &error) != DT_OK || dt_trainer_weights_sha256(t, own, &error) != DT_OK ||
                write(ends[1], own, sizeof own) != sizeof own)
                _exit(1);
            dt_trainer_destroy(t);
            forget_data(&b);
        }
        _exit(0);
    }
    close(ends[1]);
    while (got < 2 * KINDS && read(ends[0], hex[got], 65) == 65)
        got++;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(got == 0 || got == 2 * KINDS);
    return got > 0;
}

static void test_instruction_sets(void **state)
{
    (void)state;
    static const char *const isas[] = {"generic", "avx2", "avx512", "neon"};
    char first[2 * KINDS][65], hex[2 * KINDS][65];
    int ran = 0;
    for (size_t n = 0; n < sizeof isas / sizeof *isas; n++) {
        if (!run_with(isas[n], ran ? hex : first))
            continue;
        for (int i = 0; i < 2 * KINDS; i++) {
            if (ran)
                assert_string_equal(hex[i], first[i]);
            assert_string_equal(first[i], first[i ^ 1]);
        }
        ran++;
    }
    assert_true(ran >= 1);
}

/* --- what a step shows --- */

enum { LAYERS = 2, SEEN_BATCH = 20, SEEN_UNITS = 60, SEEN_WORKERS = 2, SEEN_BLOCKS = 64, BLOCK = 1024 };

/* All of one step, as bytes. */
typedef struct seen {
    int64_t target, units[LAYERS + 1], parts; /* parts: blocks whose partial sums were there */
    double rows[LAYERS + 1][3][SEEN_BATCH * SEEN_UNITS];
    double matrix[LAYERS + 1][4][SEEN_UNITS * SEEN_UNITS]; /* W, b, dW, db */
    char partial[SEEN_WORKERS][SEEN_BLOCKS][BLOCK];
    double norm[LAYERS + 1][SEEN_BATCH];
    char scratch[SEEN_WORKERS][1 << 16];
} seen;

static bool watches(const void *self, int64_t step, int64_t epoch)
{
    (void)epoch;
    return step == ((const seen *)self)->target;
}

static void see_samples(void *self, const dt_step_view *view, int64_t first, int64_t count)
{
    static const dt_quantity quantities[3] = {DT_QUANTITY_A, DT_QUANTITY_Z, DT_QUANTITY_DELTA};
    seen *s = self;
    assert_true(dt_step_norm_scratch(view->precision, view->layers, s->units, view->shard_size) <= sizeof *s->scratch);
    for (int64_t l = 0; l <= LAYERS; l++)
        for (int q = 0; q < (l ? 3 : 1); q++) {
            const dt_matrix_view v = dt_step_samples(view, quantities[q], l, first, count);
            assert_int_equal(v.columns, s->units[l]);
            for (int64_t i = 0; i < count; i++)
                memcpy((char *)s->rows[l][q] + (size_t)((first + i) * v.columns) * sizeof(float),
                       (const float *)v.data + i * v.stride, (size_t)v.columns * sizeof(float));
        }
    for (int64_t i = first; i < first + count; i += view->shard_size)
        for (int64_t l = 1; l <= LAYERS; l++)
            s->norm[l][i] =
                dt_step_norm_square(view, l, i, dt_min(view->shard_size, first + count - i), s->scratch[view->worker]);
}

static void see_slice(void *self, const dt_step_view *view, const dt_slice *slice)
{
    static const dt_quantity quantities[4] = {DT_QUANTITY_W, DT_QUANTITY_B, DT_QUANTITY_DW, DT_QUANTITY_DB};
    seen *s = self;
    for (int q = 0; q < 4; q++)
        dt_step_copy_slice(view, quantities[q], slice->l, slice, s->matrix[slice->l][q]);
    for (int64_t block = slice->first; block < slice->last; block++)
        for (int64_t t = 0; t < view->workers; t++) {
            const dt_slice one = {.first = block, .last = block + 1, .l = slice->l};
            assert_in_range(block, 0, SEEN_BLOCKS - 1);
            if (dt_step_partial(view, t, &one, s->partial[t][block]) && view->worker == 0)
                s->parts++;
        }
}

static void look(seen *s, const kind *k, const dt_dataset *data, const char *sparse, int64_t workers,
                 const int64_t *probe, int64_t count)
{
    static small m;
    dt_error error = {0};
    memset(s, 0, sizeof *s);
    s->target = 4;
    for (int64_t l = 0; l <= LAYERS; l++)
        s->units[l] = k->units[l];
    make(&m, k, sparse, workers, "tree");
    dt_trainer *t = trainer_of(&m, data);
    const dt_observer observer = {.self = s,
                                  .watches = watches,
                                  .samples = see_samples,
                                  .slice = see_slice,
                                  .probe_rows = probe,
                                  .probe_count = count};
    assert_int_equal(dt_trainer_observe(t, &observer, &error), DT_OK);
    if (dt_trainer_steps(t, 6, &error) != DT_OK)
        fail_msg("%s", error.message);
    dt_trainer_destroy(t);
    memset(s->scratch, 0, sizeof s->scratch);
}

static void test_what_a_step_shows(void **state)
{
    (void)state;
    static const kind shown[] = {{"in place", "sgd", DT_FLOAT32, {60, 40, 10}, 2, 20, 5, 0, 0, 0, 0, 0},
                                 {"momentum", "sgd", DT_FLOAT32, {60, 40, 10}, 2, 20, 3, 0.9, 0, 0, 0, 0}};
    static const int64_t probe[] = {70, 3, 149, 77, 18};
    static seen sparse, dense;
    for (int i = 0; i < 2; i++) {
        both b = make_data(60, 10, 0.08);
        for (int64_t workers = 1; workers <= SEEN_WORKERS; workers++)
            for (int probed = 0; probed < 2; probed++) {
                look(&sparse, &shown[i], b.sparse, "true", workers, probe, probed ? 5 : 0);
                look(&dense, &shown[i], b.dense, "auto", workers, probe, probed ? 5 : 0);
                assert_memory_equal(sparse.rows, dense.rows, sizeof sparse.rows);
                assert_memory_equal(sparse.matrix, dense.matrix, sizeof sparse.matrix);
                assert_memory_equal(sparse.norm, dense.norm, sizeof sparse.norm);
                assert_memory_equal(sparse.partial, dense.partial, sizeof sparse.partial);
                assert_true((dense.parts > 0) == (workers > 1) && sparse.parts == dense.parts);
            }
        forget_data(&b);
    }
}

/* --- evaluation --- */

/* A trainer of sparse data takes any data set: of fuller rows than it was made for, and dense ones. */
static void test_evaluation(void **state)
{
    (void)state;
    static small m;
    static float z[2][ROWS * 10];
    dt_error error = {0};
    both b = make_data(60, 10, 0.05), fuller = make_data(60, 10, 0.6);
    make(&m, &kinds[0], "true", 2, "owner");
    dt_trainer *t = trainer_of(&m, b.sparse);
    make(&m, &kinds[0], "true", 1, "owner");
    dt_trainer *other = trainer_of(&m, b.dense);
    assert_true(is_sparse(t) && !is_sparse(other));
    assert_int_equal(dt_trainer_steps(t, 5, &error), DT_OK);
    assert_int_equal(dt_trainer_steps(other, 5, &error), DT_OK);
    const dt_dataset *const sets[] = {b.sparse, b.dense, fuller.sparse, fuller.dense};
    for (int i = 0; i < 4; i++) {
        dt_evaluation got, want;
        assert_int_equal(dt_trainer_evaluate(t, sets[i], &got, NULL, &error), DT_OK);
        assert_int_equal(dt_trainer_evaluate(other, sets[i], &want, NULL, &error), DT_OK);
        assert_memory_equal(&got, &want, sizeof got);
        const dt_rows rows = {sets[i]->rows, NULL};
        assert_int_equal(dt_trainer_outputs(t, sets[i], rows, z[0], &error), DT_OK);
        assert_int_equal(dt_trainer_outputs(other, sets[i], rows, z[1], &error), DT_OK);
        assert_memory_equal(z[0], z[1], sizeof z[0]);
    }
    dt_trainer_destroy(t);
    dt_trainer_destroy(other);
    forget_data(&b);
    forget_data(&fuller);
}

/* --- the gradient --- */

static void note(void *context, const dt_check_result *r)
{
    int *results = context;
    (*results)++;
    if (!r->right || r->compared == 0)
        fail_msg("step %d, layer %d, %s against %s: off by %g at %s", (int)r->step, (int)r->l,
                 dt_quantity_name(r->quantity), dt_check_against_name(r->against), r->worst, r->where);
}

/* By finite differences, the gate circuit and a plain sum. */
static void test_gradients(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    both b = make_data(60, 10, 0.08);
    for (int i = 0; i < 2; i++) {
        bool right;
        int results = 0;
        make(&m, &kinds[i], "true", 2, "owner");
        m.layers[0].activation = "tanh"; /* empty rows put a relu on its kink */
        if (dt_check(&m.experiment, b.sparse, &(dt_check_options){.steps = 3}, note, &results, &right, &error) != DT_OK)
            fail_msg("%s", error.message);
        assert_true(right && results > 10);
    }
    forget_data(&b);
}

/* --- when, and how much memory --- */

static dt_trainer_info plan_of(const small *m, const dt_dataset *data)
{
    dt_trainer_info info;
    dt_error error = {0};
    if (dt_trainer_plan(&m->experiment, &(dt_trainer_data){.train = data}, &info, &error) != DT_OK)
        fail_msg("%s", error.message);
    return info;
}

static void test_when(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    both thin = make_data(60, 10, 0.03), full = make_data(60, 10, 0.5);
    make(&m, &kinds[0], NULL, 1, "tree");
    assert_true(plan_of(&m, thin.sparse).sparse);
    assert_false(plan_of(&m, full.sparse).sparse);
    assert_false(plan_of(&m, thin.dense).sparse);
    m.experiment.data.sparse = "auto";
    assert_true(plan_of(&m, thin.sparse).sparse);
    m.layers[0].units = 5; /* too few to pay for an index */
    assert_false(plan_of(&m, thin.sparse).sparse);
    m.layers[0].units = 33;
    m.experiment.data.sparse = "false";
    assert_false(plan_of(&m, thin.sparse).sparse);
    m.experiment.data.sparse = "true";
    assert_true(plan_of(&m, full.sparse).sparse);
    assert_false(plan_of(&m, thin.dense).sparse);
    assert_true(fabs(plan_of(&m, thin.sparse).density - dt_dataset_density(thin.sparse)) < 1e-15);

    m.experiment.data.noise = 0.1; /* of which no input stays 0 */
    dt_trainer_info info;
    assert_int_equal(dt_trainer_plan(&m.experiment, &(dt_trainer_data){.train = thin.sparse}, &info, &error),
                     DT_INVALID);
    assert_string_equal(error.message,
                        "data.sparse: data.noise makes numbers of inputs that are 0; remove one of them");
    m.experiment.data.sparse = "auto";
    assert_false(plan_of(&m, thin.sparse).sparse);
    m.experiment.data.noise = 0;

    const double shift[60] = {1}, factor[60] = {1};
    dt_dataset moved = *thin.sparse;
    dt_transform *transform;
    assert_int_equal(dt_transform_create(&transform, 60, shift, factor, NULL, NULL), DT_OK);
    moved.transform = transform;
    assert_false(plan_of(&m, &moved).sparse);
    dt_transform_destroy(transform);
    forget_data(&thin);
    forget_data(&full);
}

/* Wide data: what a trainer takes is what its plan says, and nowhere near dense rows. */
static void test_memory(void **state)
{
    (void)state;
    static small m;
    static const kind wide = {"wide", "sgd", DT_FLOAT32, {40000, 16, 10}, 2, 128, 0, 0, 0, 0, 0, 0};
    static const char *const reductions[] = {"tree", "owner", "split", "serial"};
    both b = make_data(40000, 10, 0.0005);
    for (int i = 0; i < 4; i++) {
        counting_memory memory;
        make(&m, &wide, "auto", 2, reductions[i]);
        const dt_trainer_info info = plan_of(&m, b.sparse);
        const size_t planned =
            info.parameter_bytes + (size_t)info.workers * info.bytes_per_worker + info.activation_bytes;
        const size_t weights = (size_t)40001 * 16 * sizeof(float), rows = (size_t)128 * 40000 * sizeof(float);
        count_memory(&memory, 0);
        dt_trainer *t = trainer_of(&m, b.sparse);
        assert_true(memory.peak <= planned + 65536 && planned <= memory.peak + memory.peak / 10);
        assert_true(info.sparse && planned < 2 * weights && planned < rows / 2);
        assert_true(info.bytes_of_buffers < weights / 10); /* layer 1 has none */
        dt_trainer_destroy(t);
        count_no_more();
        assert_int_equal(memory.blocks, 0);
    }
    forget_data(&b);
}

static void test_no_allocation_in_a_step(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    both b = make_data(60, 10, 0.08);
    for (int i = 0; i < KINDS; i++) {
        counting_memory memory;
        if (kinds[i].units[0] != 60)
            continue;
        make(&m, &kinds[i], "true", 1, "owner");
        dt_trainer *t = trainer_of(&m, b.sparse);
        assert_int_equal(dt_trainer_steps(t, 1, &error), DT_OK);
        count_memory(&memory, 0);
        assert_int_equal(dt_trainer_steps(t, 9, &error), DT_OK);
        count_no_more();
        assert_int_equal(memory.calls, 0);
        dt_trainer_destroy(t);
    }
    forget_data(&b);
}

/* Each allocation of a trainer and of a larger evaluation fails in turn: said, and nothing lost. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static small m;
    both b = make_data(60, 10, 0.08), fuller = make_data(60, 10, 0.6);
    make(&m, &kinds[0], "true", 2, "tree");
    long n = 0;
    for (bool through = false; !through;) {
        counting_memory memory;
        dt_trainer *t = NULL;
        dt_evaluation evaluation;
        dt_error error = {0};
        count_memory(&memory, ++n);
        dt_status status = dt_trainer_create(&t, &m.experiment, &(dt_trainer_data){.train = b.sparse}, &error);
        if (status == DT_OK)
            status = dt_trainer_evaluate(t, fuller.sparse, &evaluation, NULL, &error);
        through = status == DT_OK && memory.calls < n;
        assert_true(through || status == DT_NO_MEMORY);
        dt_trainer_destroy(t);
        count_no_more();
        assert_int_equal(memory.blocks, 0);
    }
    assert_true(n > 20);
    forget_data(&b);
    forget_data(&fuller);
}

/* --- data sets --- */

/* The fullest rows, by sorting. */
static int descending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

static void test_most(void **state)
{
    (void)state;
    both b = make_data(60, 10, 0.2);
    int64_t counts[ROWS], sum = 0;
    for (int64_t i = 0; i < ROWS; i++)
        counts[i] = b.sparse->start[i + 1] - b.sparse->start[i];
    qsort(counts, ROWS, sizeof *counts, descending);
    for (int64_t n = 0; n <= ROWS; n++) {
        assert_int_equal(dt_dataset_most(b.sparse, n), sum);
        assert_int_equal(dt_dataset_most(b.dense, n), n * 60);
        sum += n < ROWS ? counts[n] : 0;
    }
    assert_int_equal(dt_dataset_most(b.sparse, 10 * ROWS), b.sparse->start[ROWS]);
    forget_data(&b);
}

static void test_picked_rows_stay_sparse(void **state)
{
    (void)state;
    static const int64_t rows[] = {77, 3, 149, 77};
    double got[60], want[60];
    dt_dataset *picked;
    both b = make_data(60, 10, 0.2);
    assert_int_equal(dt_dataset_pick(&picked, b.sparse, rows, 4, NULL), DT_OK);
    assert_non_null(picked->start);
    for (int64_t i = 0; i < 4; i++) {
        dt_dataset_row(picked, i, got);
        dt_dataset_row(b.dense, rows[i], want);
        assert_memory_equal(got, want, sizeof got);
        assert_int_equal(picked->labels[i], b.dense->labels[rows[i]]);
    }
    dt_dataset_destroy(picked);
    forget_data(&b);
}

static void test_arrays_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        int64_t start[3];
        int32_t column[3], labels[2];
        const char *message;
    } wrong[] = {
        {{1, 2, 3}, {0, 1, 2}, {0, 1}, "start[0] is 1"},
        {{0, 2, 1}, {0, 1, 2}, {0, 1}, "row 1 of a sparse data set has -1 inputs"},
        {{0, 2, 3}, {1, 1, 2}, {0, 1}, "row 0 of a sparse data set: input 1;"},
        {{0, 2, 3}, {1, 0, 2}, {0, 1}, "row 0 of a sparse data set: input 0;"},
        {{0, 2, 3}, {0, 1, 4}, {0, 1}, "row 1 of a sparse data set: input 4;"},
        {{0, 2, 3}, {-1, 1, 2}, {0, 1}, "row 0 of a sparse data set: input -1;"},
        {{0, 2, 3}, {0, 1, 2}, {0, 2}, "the label of row 1 is 2"},
    };
    dt_dataset *d;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dt_error error = {0};
        assert_int_equal(
            dt_dataset_from_sparse(&d, 2, 4, 2, DT_U8, wrong[i].start, wrong[i].column, "abc", wrong[i].labels, &error),
            DT_INVALID);
        if (!strstr(error.message, wrong[i].message))
            fail_msg("%s", error.message);
    }
}

/* An input that is no number is named as a dense one is. */
static void test_diverged(void **state)
{
    (void)state;
    static small m;
    char message[2][DT_MESSAGE_SIZE];
    both b = make_data(60, 10, 0.2);
    for (int i = 0; i < 2; i++) {
        dt_error error = {0};
        make(&m, &kinds[0], i ? "false" : "true", 2, "tree");
        m.experiment.data.scale = 1e30;
        ((double *)(uintptr_t)b.sparse->inputs)[b.sparse->start[77]] = 1e20;
        dt_trainer *t = trainer_of(&m, b.sparse);
        assert_int_equal(dt_trainer_run(t, &error), DT_DIVERGED);
        snprintf(message[i], sizeof message[i], "%s", error.message);
        dt_trainer_destroy(t);
    }
    assert_string_equal(message[0], message[1]);
    forget_data(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instruction_sets), /* before any team: it forks */
        cmocka_unit_test(test_teams_and_strategies),
        cmocka_unit_test(test_strategies_without_bits),
        cmocka_unit_test(test_what_a_step_shows),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_no_allocation_in_a_step),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_most),
        cmocka_unit_test(test_picked_rows_stay_sparse),
        cmocka_unit_test(test_arrays_that_are_wrong),
        cmocka_unit_test(test_diverged),
    };
    return cmocka_run_group_tests_name("sparse", tests, NULL, NULL);
}
