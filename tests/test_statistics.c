/* Statistics in capture.h5: against plain sums in double over the raw values of the same run; per-sample norms and the
 * noise scale against gradients that are formed; the same bits for any number of workers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <hdf5.h>

#include "capture_reading.h"
#include "scratch.h"
#include "small.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Panels that are cut, blocks of biases alone, a short shard and a short minibatch. */
enum {
    LAYERS = 3,
    ROWS = 61,
    BATCH = 22,
    SHARD = 4,
    STEPS_PER_EPOCH = 3,
    EPOCHS = 2,
    STEPS = STEPS_PER_EPOCH * EPOCHS
};
static const int64_t units[LAYERS + 1] = {32, 37, 16, 3};
static const char *const letters[DT_QUANTITIES] = {"W", "b", "z", "a", "delta", "dW", "db"};

static scratch folder;

/* The capture of a run in a folder of its own. */
static const char *run_path(const char *run)
{
    char name[64];
    (void)mkdir(scratch_path(&folder, run), 0777);
    snprintf(name, sizeof name, "%s/capture.h5", run);
    return scratch_path(&folder, name);
}

static void add_everything(dt_capture_rule *rule, bool partials)
{
    const dt_capture_item *item;
    for (size_t i = 0; (item = dt_capture_item_at(i)); i++)
        if (partials || item->kind != DT_ITEM_EXTRA ||
            (item->extra != DT_EXTRA_DW_PARTIAL && item->extra != DT_EXTRA_DB_PARTIAL))
            dt_capture_rule_add(rule, item);
}

static dt_capture_rule rule_named(const char *name)
{
    return (dt_capture_rule){.name = name,
                             .every = 1,
                             .samples = DT_SAMPLES_BATCH,
                             .histogram = {.low = -0.5, .high = 0.5, .bins = 16, .log_low = -12, .log_high = 2}};
}

/* Relative to `scale`: the rounding of chains of 32 numbers in float32; in a run of float64, that of doubles. */
static double tolerance;

static void set_tolerance(dt_precision precision)
{
    tolerance = precision == DT_FLOAT64 ? 1e-12 : 32 * 0x1p-24;
}

static void make_run(small *m, dt_precision precision, int64_t workers, dt_capture_rule *rules, size_t count)
{
    small_make(m, 5, ROWS, units, LAYERS, "relu");
    dt_experiment *e = &m->experiment;
    set_tolerance(precision);
    e->precision = precision;
    e->optimizer.learning_rate = 0.2;
    e->optimizer.momentum = 0.5;
    e->training = (dt_training_spec){EPOCHS, BATCH, true};
    e->parallel.threads = workers;
    e->parallel.shard_size = SHARD;
    e->capture = rules;
    e->capture_count = count;
}

static void train(small *m, const char *path, char hex[65])
{
    dt_error error = {0};
    dt_trainer *t;
    dt_capture *capture = NULL;
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (path && dt_capture_create(&capture, path, t, "name: small\n", "{}\n", NULL, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (dt_trainer_run(t, &error) != DT_OK)
        fail_msg("%s", error.message);
    if (capture && dt_capture_close(capture, "complete", &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(dt_trainer_weights_sha256(t, hex, &error), DT_OK);
    dt_trainer_destroy(t);
}

static int64_t batch_of(int64_t s)
{
    const int64_t in_epoch = s % STEPS_PER_EPOCH;
    return in_epoch < STEPS_PER_EPOCH - 1 ? BATCH : ROWS - in_epoch * BATCH;
}

/* Relative to `scale`. */
static void near(double value, double wanted, double scale, const char *what, int64_t l, int64_t s)
{
    if (isnan(wanted) ? !isnan(value) : !(fabs(value - wanted) <= tolerance * scale))
        fail_msg("%s of layer %lld at step %lld: %.17g, should be %.17g", what, (long long)l, (long long)s, value,
                 wanted);
}

/* --- moments and histograms --- */

typedef struct numbers {
    int64_t count;
    const double *x;
    int64_t stride;
} numbers;

static double of(const numbers *n, int64_t i)
{
    return n->x[i * n->stride];
}

static int64_t key_of(double x, const dt_histogram_spec *h, bool log, dt_precision precision)
{
    if (log)
        return x == 0                                  ? 0
               : fabs(x) < ldexp(1, (int)h->log_low)   ? 1
               : fabs(x) >= ldexp(1, (int)h->log_high) ? h->log_high - h->log_low + 2
                                                       : ilogb(x) - h->log_low + 2;
    const double per = (double)h->bins / (h->high - h->low);
    const double at = precision == DT_FLOAT64 ? (x - h->low) * per : (double)(((float)x - (float)h->low) * (float)per);
    return at < 0 ? 0 : at >= (double)h->bins ? h->bins + 1 : 1 + (int64_t)floor(at);
}

static void check_numbers(const numbers *n, hid_t file, const char *base, int64_t l, int64_t s, int64_t unit,
                          const dt_histogram_spec *h, dt_precision precision)
{
    const char *const suffix = unit >= 0 ? "_per_unit" : "";
    const int64_t at_unit = unit < 0 ? 0 : unit;
    double sum = 0, square = 0, size = 0, min = INFINITY, max = -INFINITY, zeros = 0;
    for (int64_t i = 0; i < n->count; i++) {
        const double x = of(n, i);
        sum += x, square += x * x, size += fabs(x), zeros += x == 0;
        min = x < min ? x : min, max = x > max ? x : max;
    }
    const double count = (double)n->count, mean = sum / count;
    double variance = 0;
    for (int64_t i = 0; i < n->count; i++)
        variance += (of(n, i) - mean) * (of(n, i) - mean) / count;
    const struct {
        const char *name;
        double wanted, scale;
    } all[] = {
        {"mean", mean, size / count},
        {"min", min, 0},
        {"max", max, 0},
        {"absmax", fmax(fabs(min), fabs(max)), 0},
        {"zeros", zeros / count, 1},
        {"norm", sqrt(square), sqrt(square)},
    };
    for (size_t i = 0; i < COUNT(all); i++) {
        table t = read_table(file, "%s_%s%s", base, all[i].name, suffix);
        near(at(&t, s, at_unit, 0), all[i].wanted, all[i].scale, all[i].name, l, s);
        drop(&t);
    }
    table t = read_table(file, "%s_std%s", base, suffix); /* squared: what cancels is the squares' rounding */
    near(at(&t, s, at_unit, 0) * at(&t, s, at_unit, 0), variance, square / count, "std", l, s);
    drop(&t);
    for (int log = 0; log < 2; log++) {
        int64_t counts[256] = {0};
        for (int64_t i = 0; i < n->count; i++)
            counts[key_of(of(n, i), h, log, precision)]++;
        t = read_table(file, "%s_%s%s", base, log ? "log_histogram" : "histogram", suffix);
        const int64_t bins = (int64_t)t.size[t.rank - 1];
        assert_int_equal(bins, log ? h->log_high - h->log_low + 3 : h->bins + 2);
        for (int64_t i = 0; i < bins; i++)
            if (counts[i] != (int64_t)(unit < 0 ? at(&t, s, i, 0) : at(&t, s, unit, i)))
                fail_msg("%s %s%s at step %lld: bin %lld", base, log ? "log_histogram" : "histogram", suffix,
                         (long long)s, (long long)i);
        drop(&t);
    }
}

static void check_layer(hid_t file, int64_t l, int q, const dt_histogram_spec *h, dt_precision precision)
{
    char base[64];
    snprintf(base, sizeof base, "/s/layer%02lld/%s", (long long)l, letters[q]);
    table t = read_table(file, "%s", base);
    const bool samples = q == DT_QUANTITY_Z || q == DT_QUANTITY_A || q == DT_QUANTITY_DELTA;
    for (int64_t s = 0; s < STEPS; s++) {
        const int64_t rows = samples ? batch_of(s) : t.rank == 3 ? units[l] : 1;
        const int64_t columns = samples || t.rank == 2 ? units[l] : units[l - 1];
        const double *x = t.value + s * (int64_t)(t.size[1] * t.size[2]);
        check_numbers(&(numbers){rows * columns, x, 1}, file, base, l, s, -1, h, precision);
        for (int64_t j = 0; s % 2 && t.rank == 3 && j < units[l]; j += 5)
            check_numbers(samples ? &(numbers){rows, x + j, columns} : &(numbers){columns, x + j * columns, 1}, file,
                          base, l, s, j, h, precision);
    }
    drop(&t);
}

/* --- cosine, update_ratio --- */

static void check_changes(hid_t file, int64_t l, const char *letter, const char *gradient)
{
    table x = read_table(file, "/s/layer%02d/%s", (int)l, letter);
    table g = read_table(file, "/s/layer%02d/%s", (int)l, gradient);
    table ratio = read_table(file, "/s/layer%02d/%s_update_ratio", (int)l, letter);
    table cosine = read_table(file, "/s/layer%02d/%s_cosine", (int)l, gradient);
    const int64_t n = (int64_t)(x.size[1] * x.size[2]);
    for (int64_t s = 0; s < STEPS; s++) {
        double change = 0, square = 0, dot = 0, norms[2] = {0};
        for (int64_t i = 0; i < n; i++) {
            const double before = x.value[s * n + i], now = g.value[s * n + i];
            const double after = s + 1 < STEPS ? x.value[(s + 1) * n + i] : before;
            const double last = s > 0 ? g.value[(s - 1) * n + i] : 0;
            change += (after - before) * (after - before), square += before * before;
            dot += now * last, norms[0] += now * now, norms[1] += last * last;
        }
        if (s + 1 < STEPS)
            near(at(&ratio, s, 0, 0), square > 0 ? sqrt(change / square) : NAN, 1, "update_ratio", l, s);
        near(at(&cosine, s, 0, 0), s > 0 ? dot / sqrt(norms[0] * norms[1]) : NAN, 1, "cosine", l, s);
    }
    drop(&x), drop(&g), drop(&ratio), drop(&cosine);
}

static void statistics_are_those_of_the_raw_values(void **state)
{
    (void)state;
    for (dt_precision precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        set_tolerance(precision);
        static small m;
        char watched[65], alone[65];
        dt_capture_rule rule = rule_named("s");
        add_everything(&rule, true);
        const char *path = run_path(precision == DT_FLOAT32 ? "f32" : "f64");
        make_run(&m, precision, 3, &rule, 1);
        train(&m, path, watched);
        m.experiment.capture_count = 0;
        train(&m, NULL, alone);
        assert_string_equal(watched, alone);
        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        for (int64_t l = 0; l <= LAYERS; l++)
            for (int q = 0; q < DT_QUANTITIES; q++)
                if (l > 0 || q == DT_QUANTITY_A)
                    check_layer(file, l, q, &rule.histogram, precision);
        for (int64_t l = 1; l <= LAYERS; l++) {
            check_changes(file, l, "W", "dW");
            check_changes(file, l, "b", "db");
        }
        H5Fclose(file);
    }
}

/* --- norms of gradients, formed here --- */

/* |mean over samples first .. last-1 of delta (x) (a, 1)|^2, of weights and of biases. */
static void form(const table *a, const table *delta, int64_t s, int64_t first, int64_t last, double square[2])
{
    square[0] = square[1] = 0;
    for (int64_t j = 0; j < (int64_t)delta->size[2]; j++)
        for (int64_t k = 0; k <= (int64_t)a->size[2]; k++) {
            double g = 0;
            for (int64_t i = first; i < last; i++)
                g += at(delta, s, i, j) * (k < (int64_t)a->size[2] ? at(a, s, i, k) : 1) / (double)(last - first);
            square[k == (int64_t)a->size[2]] += g * g;
        }
}

/* Tolerances: the rounding of gradients and products in the run's precision, of which the estimates take differences.
 */
static void check_noise(hid_t file, const char *group, int64_t s, const char *suffix, double big, double parts,
                        double inverse, double epsilon)
{
    const double B = (double)batch_of(s), less = inverse - 1 / B;
    const double trace = (parts - big) / less, gradient = (big * inverse - parts / B) / less;
    table t[3] = {read_table(file, "%s/noise_scale%s", group, suffix),
                  read_table(file, "%s/gradient_norm_squared%s", group, suffix),
                  read_table(file, "%s/gradient_variance_trace%s", group, suffix)};
    const double scale = epsilon * (parts + big) / less;
    assert_true(fabs(at(&t[1], s, 0, 0) - gradient) <= scale);
    assert_true(fabs(at(&t[2], s, 0, 0) - trace) <= scale);
    const double ratio = at(&t[2], s, 0, 0) / at(&t[1], s, 0, 0);
    near(at(&t[0], s, 0, 0), ratio, fabs(ratio), "noise_scale", 0, s);
    drop(&t[0]), drop(&t[1]), drop(&t[2]);
}

static void norms_are_those_of_gradients_that_are_formed(void **state)
{
    (void)state;
    set_tolerance(DT_FLOAT32);
    hid_t file = H5Fopen(run_path("f32"), H5F_ACC_RDONLY, H5P_DEFAULT);
    table all = read_table(file, "/s/gradient_norm_per_sample"), cost = read_table(file, "/s/cost");
    table zL = read_table(file, "/s/layer%02d/z", LAYERS), dL = read_table(file, "/s/layer%02d/delta", LAYERS);
    for (int64_t s = 0; s < STEPS; s++) {
        const int64_t B = batch_of(s);
        double sums[BATCH] = {0}, big = 0, of_samples = 0, of_shards = 0, inverse = 0;
        for (int64_t l = 1; l <= LAYERS; l++) {
            char group[32];
            snprintf(group, sizeof group, "/s/layer%02lld", (long long)l);
            table a = read_table(file, "/s/layer%02d/a", (int)l - 1), delta = read_table(file, "%s/delta", group);
            table W = read_table(file, "%s/dW_norm_per_sample", group),
                  b = read_table(file, "%s/db_norm_per_sample", group);
            double square[2], samples = 0, shards = 0;
            inverse = 0;
            for (int64_t i = 0; i < BATCH; i++) {
                if (i >= B) {
                    assert_true(isnan(at(&W, s, i, 0)) && isnan(at(&b, s, i, 0)));
                    continue;
                }
                form(&a, &delta, s, i, i + 1, square);
                near(at(&W, s, i, 0), sqrt(square[0]), sqrt(square[0]), "dW_norm_per_sample", l, s);
                near(at(&b, s, i, 0), sqrt(square[1]), sqrt(square[1]), "db_norm_per_sample", l, s);
                sums[i] += square[0] + square[1];
                samples += (square[0] + square[1]) / (double)B;
            }
            const int64_t parts = (B + SHARD - 1) / SHARD;
            for (int64_t i = 0; i < B; i += SHARD) {
                const int64_t last = i + SHARD < B ? i + SHARD : B;
                form(&a, &delta, s, i, last, square);
                shards += (square[0] + square[1]) / (double)parts;
                inverse += 1 / (double)(last - i) / (double)parts;
            }
            form(&a, &delta, s, 0, B, square);
            check_noise(file, group, s, "", square[0] + square[1], samples, 1, 1e-6);
            check_noise(file, group, s, "_shards", square[0] + square[1], shards, inverse, 1e-5);
            big += square[0] + square[1], of_samples += samples, of_shards += shards;
            drop(&a), drop(&delta), drop(&W), drop(&b);
        }
        check_noise(file, "/s", s, "", big, of_samples, 1, 1e-6);
        check_noise(file, "/s", s, "_shards", big, of_shards, inverse, 1e-5);
        for (int64_t i = 0; i < B; i++) {
            near(at(&all, s, i, 0), sqrt(sums[i]), sqrt(sums[i]), "gradient_norm_per_sample", 0, s);
            double sum = 0, right = NAN; /* C = log sum exp z - z_y, where delta_y is the negative one */
            for (int64_t j = 0; j < units[LAYERS]; j++) {
                sum += exp(at(&zL, s, i, j));
                right = at(&dL, s, i, j) < 0 ? at(&zL, s, i, j) : right;
            }
            assert_true(fabs(at(&cost, s, i, 0) - (log(sum) - right)) < 1e-6);
        }
    }
    drop(&all), drop(&cost), drop(&zL), drop(&dL);
    H5Fclose(file);
}

static void partial_gradients_add_up(void **state)
{
    (void)state;
    hid_t file = H5Fopen(run_path("f64"), H5F_ACC_RDONLY, H5P_DEFAULT);
    for (int l = 1; l <= LAYERS; l++)
        for (int bias = 0; bias < 2; bias++) {
            table parts = read_table(file, "/s/layer%02d/%s_partial", l, bias ? "db" : "dW");
            table whole = read_table(file, "/s/layer%02d/%s", l, bias ? "db" : "dW");
            const int64_t n = (int64_t)(whole.size[1] * whole.size[2]);
            assert_int_equal(parts.rank, bias ? 3 : 4);
            assert_int_equal(parts.size[1], 3);
            for (int64_t s = 0; s < STEPS; s++)
                for (int64_t i = 0; i < n; i++) {
                    double sum = 0;
                    for (int64_t t = 0; t < 3; t++)
                        sum += parts.value[(s * 3 + t) * n + i];
                    assert_true(fabs(sum / (double)batch_of(s) - whole.value[s * n + i]) < 1e-15);
                }
            drop(&parts), drop(&whole);
        }
    table state_W = read_table(file, "/s/layer01/momentum_buffer_W"), dW = read_table(file, "/s/layer01/dW");
    const int64_t n = units[0] * units[1];
    for (int64_t i = 0; i < n; i++) /* PyTorch's: nothing, the first gradient, mu of it and the second */
        assert_true(state_W.value[i] == 0 && state_W.value[n + i] == dW.value[i] &&
                    fabs(state_W.value[2 * n + i] - (0.5 * dW.value[i] + dW.value[n + i])) < 1e-15);
    drop(&state_W), drop(&dW);
    H5Fclose(file);
}

/* --- bits --- */

typedef struct comparison {
    hid_t other;
    int sets;
} comparison;

static herr_t compare_set(hid_t file, const char *name, const H5L_info_t *info, void *context)
{
    (void)info;
    comparison *c = context;
    hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    if (H5Iget_type(object) == H5I_DATASET) {
        table a = read_table(file, "%s", name), b = read_table(c->other, "%s", name);
        const size_t n = (size_t)(a.size[0] * a.size[1] * a.size[2] * a.size[3]);
        if (memcmp(a.size, b.size, sizeof a.size) != 0 || memcmp(a.value, b.value, n * sizeof *a.value) != 0)
            fail_msg("%s differs", name);
        c->sets++;
        drop(&a), drop(&b);
    }
    H5Oclose(object);
    return 0;
}

static void any_number_of_workers_gives_the_same_bits(void **state)
{
    (void)state;
    static const int64_t workers[] = {1, 2, 3, 5, 8},
                         rows[] = {3, 60, 7, 7, 20, 41, 0, 1, 2, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    for (size_t i = 0; i < COUNT(workers); i++) {
        static small m;
        char hex[65], name[16];
        dt_capture_rule rules[2] = {rule_named("s"), rule_named("rows")};
        add_everything(&rules[0], false);
        add_everything(&rules[1], false);
        rules[1].extras &= ~(1u << DT_EXTRA_NOISE_SCALE | 1u << DT_EXTRA_NOISE_SCALE_SHARDS);
        rules[1].samples = DT_SAMPLES_ROWS;
        rules[1].sample_rows = rows;
        rules[1].sample_count = COUNT(rows);
        snprintf(name, sizeof name, "w%d", (int)workers[i]);
        make_run(&m, DT_FLOAT32, workers[i], rules, 2);
        train(&m, run_path(name), hex);
        hid_t first = H5Fopen(run_path("w1"), H5F_ACC_RDONLY, H5P_DEFAULT);
        comparison c = {H5Fopen(run_path(name), H5F_ACC_RDONLY, H5P_DEFAULT), 0};
        assert_true(H5Lvisit(first, H5_INDEX_NAME, H5_ITER_INC, compare_set, &c) >= 0);
        assert_true(c.sets > 500);
        H5Fclose(c.other);
        H5Fclose(first);
    }
}

/* --- what a resumed run needs --- */

static void the_cosine_goes_on(void **state)
{
    (void)state;
    static small m[2];
    dt_capture_rule rule = rule_named("s");
    dt_error error = {0};
    dt_trainer *t[2];
    dt_capture *capture[2];
    char *bytes[2] = {NULL, NULL};
    size_t size = 0;
    rule.quantities = 1u << DT_QUANTITY_DW;
    rule.statistics[DT_QUANTITY_DW] = 1u << DT_STATISTIC_COSINE;
    for (int i = 0; i < 2; i++) { /* the second starts from the first's weights, and its memory */
        make_run(&m[i], DT_FLOAT32, 2, &rule, 1);
        const dt_trainer_data data = small_data(&m[i]);
        assert_int_equal(dt_trainer_create(&t[i], &m[i].experiment, &data, &error), DT_OK);
        assert_int_equal(dt_capture_create(&capture[i], run_path(i ? "second" : "first"), t[i], "", "", NULL, &error),
                         DT_OK);
        size = dt_capture_state_size(capture[i]);
        assert_true(size > 8);
        bytes[i] = malloc(size);
        if (i > 0) {
            assert_int_equal(dt_capture_state_load(capture[1], bytes[0], size - 1, &error), DT_INVALID);
            assert_int_equal(dt_capture_state_load(capture[1], bytes[0], size, &error), DT_OK);
            dt_capture_state_save(capture[1], bytes[1]);
            assert_memory_equal(bytes[0], bytes[1], size);
            bytes[0][0] ^= 1;
            assert_int_equal(dt_capture_state_load(capture[1], bytes[0], size, &error), DT_INVALID);
        }
        assert_int_equal(dt_trainer_steps(t[i], 2, &error), DT_OK);
        dt_capture_state_save(capture[i], bytes[i]);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dt_capture_close(capture[i], "complete", &error), DT_OK);
        dt_trainer_destroy(t[i]);
        free(bytes[i]);
    }
    hid_t files[2] = {H5Fopen(run_path("first"), H5F_ACC_RDONLY, H5P_DEFAULT),
                      H5Fopen(run_path("second"), H5F_ACC_RDONLY, H5P_DEFAULT)};
    for (int l = 1; l <= LAYERS; l++) {
        table g[2] = {read_table(files[0], "/s/layer%02d/dW", l), read_table(files[1], "/s/layer%02d/dW", l)};
        table cosine = read_table(files[1], "/s/layer%02d/dW_cosine", l);
        const int64_t n = units[l] * units[l - 1];
        double dot = 0, squares[2] = {0};
        for (int64_t i = 0; i < n; i++) {
            const double a = g[0].value[n + i], b = g[1].value[i];
            dot += a * b, squares[0] += a * a, squares[1] += b * b;
        }
        near(at(&cosine, 0, 0, 0), dot / sqrt(squares[0] * squares[1]), 1, "cosine", l, 0);
        drop(&g[0]), drop(&g[1]), drop(&cosine);
    }
    H5Fclose(files[0]);
    H5Fclose(files[1]);
}

/* --- optimizers that keep the gradient --- */

/* Clipped, and with lamb's ratios: dW is what it was before any of that, and update_ratio what the step came to. */
static void kept_gradients_are_shown_too(void **state)
{
    (void)state;
    static small m;
    static const char *const names[] = {"plain", "clip", "lamb"};
    char hex[65];
    dt_capture_rule rule = rule_named("s");
    rule.quantities = 1u << DT_QUANTITY_W | 1u << DT_QUANTITY_DW | 1u << DT_QUANTITY_DB;
    rule.statistics[DT_QUANTITY_W] = 1u << DT_STATISTIC_UPDATE_RATIO;
    for (size_t n = 0; n < COUNT(names); n++) {
        make_run(&m, DT_FLOAT64, 2, &rule, 1);
        m.experiment.optimizer.clip_norm = n == 1 ? 0.01 : 0;
        if (n == 2)
            dt_experiment_set_optimizer(&m.experiment, "lamb");
        train(&m, run_path(names[n]), hex);
        hid_t files[2] = {H5Fopen(run_path("plain"), H5F_ACC_RDONLY, H5P_DEFAULT),
                          H5Fopen(run_path(names[n]), H5F_ACC_RDONLY, H5P_DEFAULT)};
        for (int l = 1; l <= LAYERS; l++) {
            table plain = read_table(files[0], "/s/layer%02d/dW", l), kept = read_table(files[1], "/s/layer%02d/dW", l);
            table W = read_table(files[1], "/s/layer%02d/W", l);
            table ratio = read_table(files[1], "/s/layer%02d/W_update_ratio", l);
            const int64_t count = units[l] * units[l - 1];
            assert_memory_equal(plain.value, kept.value, (size_t)count * sizeof(double)); /* of the first step */
            for (int64_t s = 0; s + 1 < STEPS; s++) {
                double changed = 0, square = 0;
                for (int64_t i = 0; i < count; i++) {
                    const double before = W.value[s * count + i], after = W.value[(s + 1) * count + i];
                    changed += (after - before) * (after - before), square += before * before;
                }
                assert_true(changed > 0);
                near(ratio.value[s], sqrt(changed / square), sqrt(changed / square), "update_ratio", l, s);
            }
            drop(&plain), drop(&kept), drop(&W), drop(&ratio);
        }
        H5Fclose(files[0]);
        H5Fclose(files[1]);
    }
}

/* --- selection --- */

static void units_are_chosen(void **state)
{
    (void)state;
    static small m;
    char hex[65];
    const dt_unit_range ranges[] = {{0, 1}, {15, 17}, {36, 40}};
    const int64_t chosen[] = {0, 1, 15, 16, 17, 36};
    dt_capture_rule rules[2] = {rule_named("s"), rule_named("u")};
    add_everything(&rules[0], true);
    add_everything(&rules[1], true);
    rules[1].units = ranges;
    rules[1].unit_count = COUNT(ranges);
    make_run(&m, DT_FLOAT32, 2, rules, 2);
    train(&m, run_path("units"), hex);
    hid_t file = H5Fopen(run_path("units"), H5F_ACC_RDONLY, H5P_DEFAULT);
    table numbers_ = read_table(file, "/u/layer01/unit");
    assert_int_equal(numbers_.size[0], COUNT(chosen));
    for (size_t i = 0; i < COUNT(chosen); i++)
        assert_true(numbers_.value[i] == (double)chosen[i]);
    drop(&numbers_);
    static const char *const sets[] = {"W",
                                       "z",
                                       "b",
                                       "dW_partial",
                                       "momentum_buffer_W",
                                       "z_mean_per_unit",
                                       "dW_std_per_unit",
                                       "delta_histogram_per_unit",
                                       "db_partial"};
    for (size_t n = 0; n < COUNT(sets); n++) {
        table all = read_table(file, "/s/layer01/%s", sets[n]), some = read_table(file, "/u/layer01/%s", sets[n]);
        int unit = 1; /* which dimension is cut */
        while (all.size[unit] == some.size[unit])
            unit++;
        assert_int_equal(some.size[unit], COUNT(chosen));
        int64_t inner = 1, outer = 1;
        for (int d = 0; d < 4; d++)
            *(d < unit ? &outer : d > unit ? &inner : &(int64_t){0}) *= d == unit ? 1 : (int64_t)all.size[d];
        for (int64_t o = 0; o < outer; o++)
            for (size_t i = 0; i < COUNT(chosen); i++)
                for (int64_t k = 0; k < inner; k++) {
                    const double a = all.value[(o * units[1] + chosen[i]) * inner + k];
                    const double b = some.value[(o * (int64_t)COUNT(chosen) + (int64_t)i) * inner + k];
                    assert_true(a == b || (isnan(a) && isnan(b)));
                }
        drop(&all), drop(&some);
    }
    table whole = read_table(file, "/s/layer01/z_mean"), part = read_table(file, "/u/layer01/z_mean");
    assert_memory_equal(whole.value, part.value, STEPS * sizeof(double)); /* of all units */
    drop(&whole), drop(&part);
    H5Fclose(file);
}

static void refused(const dt_capture_rule *rule, int64_t workers, const char *reduction, double momentum,
                    const char *message)
{
    static small m;
    dt_capture_rule copy = *rule;
    dt_error error = {0};
    dt_trainer_info info;
    dt_capture_size size;
    make_run(&m, DT_FLOAT32, workers, &copy, 1);
    m.experiment.parallel.reduction = reduction;
    m.experiment.optimizer.momentum = momentum;
    const dt_trainer_data data = small_data(&m);
    dt_status status = dt_trainer_plan(&m.experiment, &data, &info, &error);
    if (status == DT_OK)
        status = dt_capture_predict(&m.experiment, &info, units, 0, &size, &error);
    assert_int_equal(status, DT_INVALID);
    if (!strstr(error.message, message))
        fail_msg("'%s' doesn't say '%s'", error.message, message);
}

static void what_can_not_be_shown_is_refused(void **state)
{
    (void)state;
    const dt_unit_range none[] = {{40, 50}}, few[] = {{20, 30}};
    dt_capture_rule rule = rule_named("s");
    rule.extras = 1u << DT_EXTRA_DW_PARTIAL;
    refused(&rule, 1, "tree", 0.5, "capture.s.quantities: dW_partial and db_partial are what several workers add up");
    refused(&rule, 2, "owner", 0.5, "capture.s.quantities: there are no partial gradients: the reduction owner of 2");
    rule.extras = 1u << DT_EXTRA_STATE;
    refused(&rule, 2, "tree", 0, "capture.s.quantities: the optimizer sgd keeps no state with these settings");
    rule = rule_named("s");
    rule.quantities = 1u << DT_QUANTITY_Z;
    rule.units = none;
    rule.unit_count = 1;
    refused(&rule, 1, "tree", 0, "capture.s.units: layer 1 has none of them, its units are 0 to 36");
    rule.units = few;
    refused(&rule, 1, "tree", 0, "capture.s.units: layer 2 has none of them, its units are 0 to 15");
    rule = rule_named("s");
    rule.extras = 1u << DT_EXTRA_NOISE_SCALE;
    rule.samples = DT_SAMPLES_ROWS;
    rule.sample_rows = (const int64_t[]){1};
    rule.sample_count = 1;
    refused(&rule, 1, "tree", 0, "capture.s.samples: the noise scale is one of the minibatch");
}

/* Several cadences at once: the file has the steps that from, to, every, steps and log name, as predicted. */
static void cadences(void **state)
{
    (void)state;
    static small m;
    char hex[65];
    static const int64_t picked[] = {0, 2, 3, 5, 90};
    dt_capture_rule rules[6];
    static const struct {
        int64_t every, from, to, steps[7];
        bool log, list;
    } wanted[6] = {
        {.every = 2, .steps = {0, 2, 4, -1}},
        {.every = 2, .from = 1, .steps = {2, 4, -1}},
        {.every = 1, .from = 2, .to = 4, .steps = {2, 3, 4, -1}},
        {.log = true, .from = 1, .to = 3, .steps = {1, 2, -1}},
        {.list = true, .from = 2, .to = 4, .steps = {2, 3, -1}},
        {.every = 3, .from = 4, .steps = {-1}},
    };
    static const char *const names[] = {"r0", "r1", "r2", "r3", "r4", "r5"};
    for (int r = 0; r < 6; r++) {
        rules[r] = rule_named(names[r]);
        rules[r].statistics[DT_QUANTITY_DB] = 1u << DT_STATISTIC_NORM | 1u << DT_STATISTIC_COSINE;
        rules[r].every = wanted[r].every;
        rules[r].steps_log = wanted[r].log;
        rules[r].steps = wanted[r].list ? picked : NULL;
        rules[r].step_count = wanted[r].list ? COUNT(picked) : 0;
        rules[r].from = wanted[r].from;
        rules[r].to = wanted[r].to;
    }
    make_run(&m, DT_FLOAT64, 2, rules, 6);
    const dt_trainer_data data = small_data(&m);
    dt_trainer_info info;
    assert_int_equal(dt_trainer_plan(&m.experiment, &data, &info, NULL), DT_OK);
    train(&m, run_path("cadences"), hex);
    hid_t file = H5Fopen(run_path("cadences"), H5F_ACC_RDONLY, H5P_DEFAULT);
    for (int r = 0; r < 6; r++) {
        dt_capture_size size;
        table t = read_table(file, "/%s/step", names[r]);
        int64_t count = 0;
        while (wanted[r].steps[count] >= 0)
            count++;
        assert_int_equal(dt_capture_predict(&m.experiment, &info, units, r, &size, NULL), DT_OK);
        assert_int_equal(size.steps, count);
        assert_int_equal(t.size[0], count);
        for (int64_t i = 0; i < count; i++)
            assert_true(t.value[i] == (double)wanted[r].steps[i]);
        drop(&t);
    }
    H5Fclose(file);
}

/* Edges, dimensions and words that readers rely on. */
static void attributes(void **state)
{
    (void)state;
    hid_t file = H5Fopen(run_path("f32"), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, "/s/layer01/z_histogram", H5P_DEFAULT), attribute = H5Aopen(set, "edges", H5P_DEFAULT);
    double edges[17];
    assert_true(H5Aread(attribute, H5T_NATIVE_DOUBLE, edges) >= 0);
    for (int i = 0; i <= 16; i++)
        assert_true(edges[i] == -0.5 + i / 16.0);
    assert_text(set, "long_name", "histogram of z, over all the minibatch's samples");
    assert_text(set, "units", "1");
    H5Aclose(attribute);
    H5Dclose(set);
    set = H5Dopen2(file, "/s/layer01/dW_partial", H5P_DEFAULT);
    assert_text(set, "scaling",
                "sum over the samples of the worker's shards, not divided by B; which those are depends on the number "
                "of threads");
    H5Dclose(set);
    H5Fclose(file);
}

static int make_folder(void **state)
{
    (void)state;
    scratch_make(&folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    scratch_remove(&folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_those_of_the_raw_values),
        cmocka_unit_test(norms_are_those_of_gradients_that_are_formed),
        cmocka_unit_test(partial_gradients_add_up),
        cmocka_unit_test(any_number_of_workers_gives_the_same_bits),
        cmocka_unit_test(the_cosine_goes_on),
        cmocka_unit_test(kept_gradients_are_shown_too),
        cmocka_unit_test(units_are_chosen),
        cmocka_unit_test(what_can_not_be_shown_is_refused),
        cmocka_unit_test(cadences),
        cmocka_unit_test(attributes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
