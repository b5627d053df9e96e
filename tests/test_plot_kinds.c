/* Kinds of pictures of captures: their numbers against values computed here from the definitions, by other ways where
 * there are some; what is missing, wrong options, damaged files.
 */
#include "plot_drawing.h"

#include "counting_memory.h"
#include "plot/capture.h"

enum { STEPS = 7, SAMPLES = 5, INPUTS = 3, LAYERS = 2, UNITS = 4, ABSENT = 3 /* step without samples */ };

/* Some numbers, with zeros; step ABSENT has none, and the last one lacks the last sample. */
static double number(char what, int layer, int step, int row, int column)
{
    const int seed = what * 7 + layer * 5 + step * 3 + row * 11 + column * 2;
    if (what != 'W' && (step == ABSENT || (step == STEPS - 1 && row == SAMPLES - 1)))
        return NAN;
    if (what == 'a' && layer == 1 && (column == 1 || seed % 3 == 0))
        return 0; /* unit 1 is dead */
    return what == 'd' ? (0.2 + sin(seed)) / (1 + step) : sin(seed) * 1.1;
}

static int units_of(int layer)
{
    return layer == 0 ? INPUTS : UNITS;
}

static void put_numbers(hid_t file, char what, int layer, const char *name)
{
    static double numbers[STEPS * SAMPLES * UNITS];
    const int rows = what == 'W' ? UNITS : SAMPLES, columns = what == 'W' ? units_of(layer - 1) : units_of(layer);
    char path[64];
    for (int i = 0; i < STEPS * rows * columns; i++)
        numbers[i] = number(what, layer, i / columns / rows, i / columns % rows, i % columns);
    snprintf(path, sizeof path, "probe/layer%02d/%s", layer, name);
    put(file, path, H5T_NATIVE_DOUBLE, 3, (hsize_t[]){STEPS, (hsize_t)rows, (hsize_t)columns}, numbers);
}

static const char *make_run(const char *name)
{
    const char *run = folder(name);
    write_text(
        run, "experiment.yaml",
        "name: small\nnetwork:\n  - units: 4\n    activation: relu\n  - units: 4\n    activation: sigmoid\nloss: x\n");
    hid_t file = new_capture(run);
    put_steps(file, "probe", STEPS, 10);
    for (int layer = 0; layer <= LAYERS; layer++) {
        put_numbers(file, 'a', layer, "a");
        if (layer == 0)
            continue;
        put_numbers(file, 'z', layer, "z");
        put_numbers(file, 'd', layer, "delta");
        put_numbers(file, 'W', layer, "W");
    }
    H5Fclose(file);
    return run;
}

/* The numbers of a picture's layer, a block, and how many rows. */
static size_t draw_block(const char *run, const char *kind, int block, int columns, double *numbers)
{
    char name[64];
    draw_files(&run, 1, kind, "svg");
    snprintf(name, sizeof name, "plots/%s.tsv", kind);
    char *text = read_text(run, name);
    const size_t rows = read_block(text, block, columns, numbers);
    free(text);
    return rows;
}

static void test_deltas_are_means_norms_and_extremes(void **state)
{
    (void)state;
    double got[STEPS][10];
    const char *run = make_run("deltas");
    for (int layer = 1; layer <= LAYERS; layer++) {
        assert_int_equal(draw_block(run, "deltas", layer - 1, 10, got[0]), STEPS);
        for (int i = 0; i < STEPS; i++) {
            double sum = 0, norms = 0, most = 0;
            int samples = 0;
            for (int r = 0; r < SAMPLES; r++) {
                double square = 0;
                if (isnan(number('d', layer, i, r, 0)))
                    continue;
                for (int c = 0; c < UNITS; c++) {
                    const double v = fabs(number('d', layer, i, r, c));
                    sum += v;
                    square += v * v;
                    most = fmax(most, v);
                }
                norms += sqrt(square);
                samples++;
            }
            assert_near(got[i][0], layer);
            assert_near(got[i][1], 10 * i);
            assert_near(got[i][3], samples ? sum / (samples * UNITS) : NAN);
            assert_near(got[i][4], samples ? norms / samples : NAN);
            assert_near(got[i][5], samples ? most : NAN);
            assert_near(got[i][8], 10 * i - 5);
            assert_near(got[i][9], 10 * i + 5);
        }
    }
    assert_non_null(strstr(draw_text(run, "deltas", DT_LETTERS_ASCII), "\nmean |delta_ij|"));
}

static void test_activations_are_counted(void **state)
{
    (void)state;
    double got[STEPS][15];
    const char *run = make_run("activations");
    for (int layer = 1; layer <= LAYERS; layer++) {
        assert_int_equal(draw_block(run, "activations", layer - 1, 15, got[0]), STEPS);
        for (int i = 0; i < STEPS; i++) {
            double sum = 0, squares = 0;
            int all = 0, above = 0, below = 0, dead = 0;
            for (int c = 0; c < UNITS; c++) {
                int zeros = 0, there = 0;
                for (int r = 0; r < SAMPLES; r++) {
                    const double v = number('a', layer, i, r, c);
                    if (isnan(v))
                        continue;
                    sum += v;
                    squares += v * v;
                    above += fabs(v) > 0.97;
                    below += fabs(v) < 1 - 0.97;
                    zeros += v == 0;
                    there++;
                }
                all += there;
                dead += there && zeros == there;
            }
            const double mean = sum / all, deviation = sqrt(squares / all - mean * mean);
            assert_near(got[i][3], all ? mean : NAN);
            assert_near(got[i][4], all ? deviation : NAN);
            assert_near(got[i][5], all ? (double)dead / UNITS : NAN);
            assert_near(got[i][6], all ? (double)above / all : NAN);
            assert_near(got[i][7], all ? (double)below / all : NAN);
            assert_near(got[i][12], all && layer == 2 ? (double)(above + below) / all : NAN); /* sigmoid, not relu */
            assert_near(got[i][13], all ? mean - deviation : NAN);
        }
        if (layer == 1)
            assert_true(got[0][5] >= 0.25);
    }
    const char *drawing = draw_text(run, "activations", DT_LETTERS_ASCII);
    assert_non_null(strstr(drawing, "\nshare saturated"));
    assert_non_null(strstr(drawing, "\na, layer 2, sigmoid"));
}

/* The gradients of each sample formed outright: W's by (5), b's by (6). */
static void sample_gradients(int layer, int step, double *own, double *mean, int *count)
{
    double total[UNITS][UNITS + 1] = {{0}};
    const int inputs = units_of(layer - 1);
    *own = *mean = *count = 0;
    for (int r = 0; r < SAMPLES; r++) {
        if (isnan(number('d', layer, step, r, 0)))
            continue;
        ++*count;
        for (int j = 0; j < UNITS; j++)
            for (int k = 0; k <= inputs; k++) {
                const double g = number('d', layer, step, r, j) * (k < inputs ? number('a', layer - 1, step, r, k) : 1);
                *own += g * g;
                total[j][k] += g;
            }
    }
    for (int j = 0; j < UNITS; j++)
        for (int k = 0; k <= inputs; k++)
            *mean += total[j][k] * total[j][k];
    *own /= *count;
    *mean /= (double)*count * *count;
}

/* The unbiased estimates, from the sample covariance. NaN where |G|^2's isn't above 0. */
static double noise_scale(double own, double mean, int n)
{
    const double trace = (own - mean) * n / (n - 1), square = mean - trace / n;
    return square > 0 ? trace / square : NAN;
}

static void test_noise_scale_is_that_of_formed_gradients(void **state)
{
    (void)state;
    double got[STEPS][10], sum_own[STEPS] = {0}, sum_mean[STEPS] = {0}, own, mean;
    const char *run = make_run("noise");
    int n = 0, known = 0;
    for (int layer = 1; layer <= LAYERS; layer++) {
        assert_int_equal(draw_block(run, "noise_scale", layer - 1, 10, got[0]), STEPS);
        for (int i = 0; i < STEPS; i++) {
            sample_gradients(layer, i, &own, &mean, &n);
            assert_int_equal(n, i == ABSENT ? 0 : i == STEPS - 1 ? SAMPLES - 1 : SAMPLES);
            if (n == 0) {
                assert_near(got[i][3], NAN);
                continue;
            }
            sum_own[i] += own;
            sum_mean[i] += mean;
            assert_near(got[i][5], n);
            assert_near(got[i][6], own);
            assert_near(got[i][7], mean);
            assert_near(got[i][3], noise_scale(own, mean, n));
            known += isfinite(got[i][3]);
        }
    }
    assert_true(known > 3);                                                      /* the test tells something */
    assert_int_equal(draw_block(run, "noise_scale", LAYERS, 10, got[0]), STEPS); /* the network */
    for (int i = 0; i < STEPS; i++) {
        assert_near(got[i][0], 0);
        assert_near(got[i][1], 10 * i);
        if (i != ABSENT)
            assert_near(got[i][3], noise_scale(sum_own[i], sum_mean[i], i == STEPS - 1 ? SAMPLES - 1 : SAMPLES));
    }
    assert_non_null(strstr(draw_text(run, "noise_scale", DT_LETTERS_ASCII), "\nnoise scale (samples), whole network"));
}

/* Statistics are preferred; the median counts a scale that isn't known as larger than all. */
static void test_noise_scale_from_statistics(void **state)
{
    (void)state;
    enum { MANY = 13 };
    double got[MANY][10], of_layer[MANY], of_network[MANY], of_shards[MANY];
    const char *run = folder("statistics");
    hid_t file = new_capture(run);
    for (int i = 0; i < MANY; i++) {
        of_layer[i] = i < 3 ? NAN : (i * 5) % MANY + 1;
        of_network[i] = i < 7 ? -1 : i;
        of_shards[i] = 100 + i;
    }
    put_steps(file, "probe", MANY, 1);
    put(file, "probe/layer01/noise_scale", H5T_NATIVE_DOUBLE, 1, (hsize_t[]){MANY}, of_layer);
    put(file, "probe/noise_scale", H5T_NATIVE_DOUBLE, 1, (hsize_t[]){MANY}, of_network);
    put(file, "probe/noise_scale_shards", H5T_NATIVE_DOUBLE, 1, (hsize_t[]){MANY}, of_shards);
    H5Fclose(file);
    assert_int_equal(draw_block(run, "noise_scale", 0, 10, got[0]), MANY); /* layer 0, the network, is first */
    for (int i = 0; i < MANY; i++) {
        assert_near(got[i][0], 0);
        assert_near(got[i][3], i < 7 ? NAN : i);
        assert_near(got[i][4], 100 + i);
    }
    assert_near(got[6][8], NAN); /* rows 1 to 11: six aren't known */
    assert_near(got[7][8], 12);  /* rows 2 to 12: five aren't, then 7 .. 12 */
    assert_near(got[12][8], 9.5);
    assert_near(got[6][9], 106);
    assert_int_equal(draw_block(run, "noise_scale", 1, 10, got[0]), MANY);
    assert_near(got[12][3], of_layer[12]);
}

static void test_units_are_quartiles_over_samples(void **state)
{
    (void)state;
    double got[STEPS][20];
    dt_error error;
    const char *run = make_run("units");
    const dt_status status =
        draw_with(&run, 1, &(dt_plot_options){.kind = "units", .unit = "2:3", .term = "svg"}, &error);
    assert_true(status == (has_gnuplot() ? DT_OK : DT_UNSUPPORTED));
    char *text = read_text(run, "plots/units.tsv");
    assert_int_equal(read_block(text, 0, 20, got[0]), STEPS);
    for (int i = 0; i < STEPS; i++) {
        const char what[] = {'z', 'a', 'd'};
        for (int q = 0; q < 3; q++) {
            double v[SAMPLES];
            int n = 0;
            for (int r = 0; r < SAMPLES; r++) {
                const double x = number(what[q], 2, i, r, 3);
                int at = n;
                if (isnan(x))
                    continue;
                for (; at > 0 && v[at - 1] > x; at--)
                    v[at] = v[at - 1];
                v[at] = x;
                n++;
            }
            const double *g = got[i] + 3 + 5 * q;
            assert_near(g[0], n ? v[0] : NAN);
            assert_near(g[4], n ? v[n - 1] : NAN);
            if (n == SAMPLES) { /* 5: the quartiles are numbers of it */
                assert_near(g[1], v[1]);
                assert_near(g[2], v[2]);
                assert_near(g[3], v[3]);
            } else if (n == SAMPLES - 1) {
                assert_near(g[1], v[0] + 0.75 * (v[1] - v[0]));
                assert_near(g[2], (v[1] + v[2]) / 2);
            }
        }
        double square = 0;
        for (int k = 0; k < UNITS; k++)
            square += pow(number('W', 2, i, 3, k), 2);
        assert_near(got[i][18], sqrt(square));
        assert_near(got[i][19], NAN); /* dW: not captured */
    }
    free(text);
}

static void test_histograms_count_every_number(void **state)
{
    (void)state;
    static double many[40][64];
    double got[64][8];
    const char *run = folder("histograms");
    hid_t file = new_capture(run);
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < 64; k++)
            many[i][k] = i == 39 ? 2.5 : k == 63 ? NAN : k + 100 * i;
    put_steps(file, "probe", 40, 1);
    put(file, "probe/layer01/W", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){40, 8, 8}, many);
    H5Fclose(file);
    /* 12 of 40 steps, the first and the last among them; 63 numbers in 16 bins. */
    draw_files(&run, 1, "histograms", "svg");
    char *text = read_text(run, "plots/histograms.tsv");
    for (int block = 0; block < 11; block++) {
        assert_int_equal(read_block(text, block, 8, got[0]), 16);
        const int step = (int)got[0][1];
        assert_int_equal(step, (int)(39.0 * block / 11 + 0.5));
        double all = 0, area = 0, most = 0;
        for (int b = 0; b < 16; b++) {
            int count = 0;
            for (int k = 0; k < 63; k++)
                count += k >= b * 62 / 16.0 && (k < (b + 1) * 62 / 16.0 || b == 15);
            assert_near(got[b][3], 100 * step + b * 62 / 16.0);
            assert_near(got[b][4], 100 * step + (b + 1) * 62 / 16.0);
            assert_near(got[b][5], count);
            all += got[b][5];
            area += got[b][6] * (got[b][4] - got[b][3]);
            most = fmax(most, got[b][7]);
        }
        assert_near(all, 63);
        assert_true(fabs(area - 1) < 1e-6);
        assert_near(most, 1);
    }
    assert_int_equal(read_block(text, 11, 8, got[0]), 1); /* all of a size: one bin about it */
    free(text);
    assert_near(got[0][1], 39);
    assert_near(got[0][5], 64);
    assert_true(got[0][3] < 2.5 && got[0][4] > 2.5);
    draw_text(run, "histograms", DT_LETTERS_ASCII);
}

static void refuse_with(const char *run, const dt_plot_options *how, dt_status wanted, const char *words)
{
    dt_error error;
    const dt_status status = draw_with(&run, 1, how, &error);
    if (status != wanted || !strstr(error.message, words) || strchr(error.message, '\n'))
        fail_msg("wanted %d and '%s', got %d: %s", (int)wanted, words, (int)status, error.message);
}

static void put_edges(hid_t file, const char *path, int count, const double *edges)
{
    hid_t set = H5Dopen2(file, path, H5P_DEFAULT), space = H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL);
    hid_t attribute = H5Acreate2(set, "edges", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_DOUBLE, edges) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Dclose(set);
}

/* Between the edges alone; what is outside counts for the density. */
static void test_histograms_from_statistics(void **state)
{
    (void)state;
    double got[8][8];
    const int64_t linear[2][5] = {{10, 1, 2, 3, 4}, {0, 0, 0, 0, 9}},
                  magnitudes[2][5] = {{7, 5, 1, 3, 0}, {0, 0, 8, 2, 0}};
    const char *run = folder("counts");
    hid_t file = new_capture(run);
    put_steps(file, "probe", 2, 1);
    put(file, "probe/layer01/z_histogram", H5T_NATIVE_INT64, 2, (hsize_t[]){2, 5}, linear);
    put_edges(file, "probe/layer01/z_histogram", 4, (const double[]){-1, -0.5, 0, 1});
    put(file, "probe/layer01/delta_log_histogram", H5T_NATIVE_INT64, 2, (hsize_t[]){2, 5}, magnitudes);
    put_edges(file, "probe/layer01/delta_log_histogram", 3, (const double[]){0.125, 0.25, 2});
    H5Fclose(file);
    assert_int_equal(draw_block(run, "histograms", 0, 8, got[0]), 3); /* step 1 has nothing between the edges */
    const double wanted[3][3] = {{-1, -0.5, 1}, {-0.5, 0, 2}, {0, 1, 3}};
    for (int b = 0; b < 3; b++) {
        assert_near(got[b][3], wanted[b][0]);
        assert_near(got[b][4], wanted[b][1]);
        assert_near(got[b][5], wanted[b][2]);
        assert_near(got[b][6], wanted[b][2] / 20 / (wanted[b][1] - wanted[b][0]));
        assert_near(got[b][7], sqrt(wanted[b][2] / 3));
    }
    dt_error error;
    const dt_plot_options how = {.kind = "histograms", .quantity = "delta", .term = "svg"};
    assert_true(draw_with(&run, 1, &how, &error) == (has_gnuplot() ? DT_OK : DT_UNSUPPORTED));
    char *text = read_text(run, "plots/histograms.tsv"), *script = read_text(run, "plots/histograms.gp");
    assert_int_equal(read_block(text, 0, 8, got[0]), 2);
    assert_near(got[0][3], -3);
    assert_near(got[0][4], -2);
    assert_near(got[1][4], 1);
    assert_near(got[1][5], 3);
    assert_near(got[1][6], 3.0 / 16 / 3);
    assert_non_null(strstr(script, "\nquantity = 'log2 |δ|'\n"));
    free(script);
    free(text);
    file = new_capture(run); /* edges that don't fit the bins */
    put_steps(file, "probe", 2, 1);
    put(file, "probe/layer01/z_histogram", H5T_NATIVE_INT64, 2, (hsize_t[]){2, 5}, linear);
    put_edges(file, "probe/layer01/z_histogram", 3, (const double[]){-1, 0, 1});
    H5Fclose(file);
    refused(run, "histograms", DT_MALFORMED, "can't be read to its end");
}

static void test_activations_from_statistics(void **state)
{
    (void)state;
    double got[2][15];
    const char *run = folder("moments");
    hid_t file = new_capture(run);
    put_steps(file, "probe", 2, 1);
    put(file, "probe/layer01/a_mean", H5T_NATIVE_DOUBLE, 1, (hsize_t[]){2}, (const double[]){1, 2});
    put(file, "probe/layer01/a_std", H5T_NATIVE_DOUBLE, 1, (hsize_t[]){2}, (const double[]){0.5, 0.25});
    put(file, "probe/layer01/a_zeros_per_unit", H5T_NATIVE_DOUBLE, 2, (hsize_t[]){2, 4},
        (const double[]){1, 0.99, 0, 1, 0, 0, NAN, 1});
    H5Fclose(file);
    assert_int_equal(draw_block(run, "activations", 0, 15, got[0]), 2);
    assert_near(got[0][11], 0.5);
    assert_near(got[1][11], 1.0 / 3);
    assert_near(got[0][13], 0.5);
    assert_near(got[1][14], 2.25);
    assert_non_null(strstr(draw_text(run, "activations", DT_LETTERS_ASCII), "share of dead units"));
}

/* A rule that shows some units says which in `unit`. */
static void test_units_are_found_by_their_numbers(void **state)
{
    (void)state;
    double got[2][20];
    dt_error error;
    const char *run = folder("some");
    hid_t file = new_capture(run);
    put_steps(file, "probe", 2, 1);
    put(file, "probe/layer01/unit", H5T_NATIVE_INT64, 1, (hsize_t[]){2}, (const int64_t[]){3, 17});
    put(file, "probe/layer01/z", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){2, 1, 2}, (const double[]){1, 2, 3, 4});
    H5Fclose(file);
    dt_plot_options how = {.kind = "units", .unit = "1:17", .term = "svg"};
    assert_true(draw_with(&run, 1, &how, &error) == (has_gnuplot() ? DT_OK : DT_UNSUPPORTED));
    char *text = read_text(run, "plots/units.tsv");
    assert_int_equal(read_block(text, 0, 20, got[0]), 2);
    assert_near(got[0][5], 2);
    assert_near(got[1][5], 4);
    how.unit = "1:1";
    refuse_with(run, &how, DT_NOT_FOUND, "has no unit 1");
    free(text);
}

/* --- what is wrong --- */

static void test_options_are_checked(void **state)
{
    (void)state;
    const char *run = make_run("options");
    static const char *const wrong[] = {"",    "1",    "1:",   ":1",   "0:1",  "65:0",
                                        "1:x", "1:1x", "-1:1", "1:-1", " 1:1", "1:99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuse_with(run, &(dt_plot_options){.kind = "units", .unit = wrong[i], .term = "text"}, DT_INVALID,
                    "LAYER:UNIT");
    refuse_with(run, &(dt_plot_options){.kind = "units", .term = "text"}, DT_NOT_FOUND, "--unit LAYER:UNIT");
    refuse_with(run, &(dt_plot_options){.kind = "units", .unit = "1:4", .term = "text"}, DT_NOT_FOUND,
                "layer 1 has no unit 4");
    refuse_with(run, &(dt_plot_options){.kind = "units", .unit = "3:0", .term = "text"}, DT_NOT_FOUND,
                "capture z, a, delta or W");
    refuse_with(run, &(dt_plot_options){.kind = "histograms", .quantity = "x", .term = "text"}, DT_UNKNOWN_NAME,
                "quantity");
    refuse_with(run, &(dt_plot_options){.kind = "histograms", .quantity = "db", .term = "text"}, DT_NOT_FOUND,
                "quantities: [db]");
    dt_error error; /* all kinds that apply */
    assert_int_equal(draw_with(&run, 1, &(dt_plot_options){.kind = "all", .unit = "1:0", .term = "text"}, &error),
                     DT_OK);
    assert_non_null(strstr(now.text, "share of dead units"));
    assert_non_null(strstr(now.text, "unit 0 of layer 1"));
}

static void test_what_is_missing_is_named(void **state)
{
    (void)state;
    const char *run = folder("empty");
    hid_t file = new_capture(run);
    put_steps(file, "probe", 3, 1);
    put(file, "probe/layer01/db", H5T_NATIVE_DOUBLE, 2, (hsize_t[]){3, 2}, NULL);
    put(file, "probe/layer02/delta", H5T_NATIVE_DOUBLE, 3, (hsize_t[]){3, 2, 2}, NULL); /* a of layer 1 isn't there */
    H5Fclose(file);
    refused(run, "activations", DT_NOT_FOUND, "capture a (for example quantities: [a]");
    refused(run, "noise_scale", DT_NOT_FOUND, "quantities: [a, delta], layers: all, samples: batch");
    const char *other = folder("other");
    file = new_capture(other);
    put_steps(file, "probe", 3, 1);
    put(file, "probe/layer01/db", H5T_NATIVE_DOUBLE, 2, (hsize_t[]){3, 2}, NULL);
    H5Fclose(file);
    refused(other, "deltas", DT_NOT_FOUND, "quantities: [delta]");
    refuse_with(other, &(dt_plot_options){.kind = "histograms", .quantity = "z", .term = "text"}, DT_NOT_FOUND,
                "has no z; capture it");
    draw_text(other, "histograms", DT_LETTERS_ASCII); /* of db */
    const char *none = folder("none");
    refused(none, "deltas", DT_NOT_FOUND, "capture.h5");
}

/* Every kind with numbers at the ends of what doubles are, and none at all. */
static void test_extreme_numbers_are_drawn(void **state)
{
    (void)state;
    enum { FINITE, INFINITE, HOLES };
    static const double extremes[3][8] = {{1e308, -1e308, 5e-324, 0, NAN, 1, -1, 1e-300},
                                          {1e308, -INFINITY, INFINITY, 0, NAN, 1, -1, 1},
                                          {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN}};
    static double numbers[4 * 2 * 2];
    for (int which = FINITE; which <= HOLES; which++) {
        static const char *const names_of[] = {"finite", "infinite", "holes"};
        const char *run = folder(names_of[which]);
        hid_t file = new_capture(run);
        for (int i = 0; i < 16; i++)
            numbers[i] = extremes[which][(i * 5) % 8];
        put_steps(file, "probe", 4, INT64_MAX / 4);
        for (int layer = 0; layer <= 2; layer++)
            for (int q = 0; q < 4; q++) {
                static const char *const names[] = {"z", "a", "delta", "W"};
                char path[64];
                snprintf(path, sizeof path, "probe/layer%02d/%s", layer, names[q]);
                put(file, path, H5T_NATIVE_DOUBLE, 3, (hsize_t[]){4, 2, 2}, numbers);
            }
        H5Fclose(file);
        for (size_t k = 2; dt_plot_kind_at(k); k++) {
            if (dt_plot_kind_at(k)->of_sweeps)
                continue;
            const dt_plot_options how = {.kind = dt_plot_kind_at(k)->name, .unit = "1:1", .term = "svg"};
            dt_error error;
            const dt_status status = draw_with(&run, 1, &how, &error);
            const bool drawn = status == (has_gnuplot() ? DT_OK : DT_UNSUPPORTED), passed = status == DT_NOT_FOUND;
            const bool noise = strcmp(how.kind, "noise_scale") == 0; /* overflows */
            if (which == FINITE ? !drawn && !(noise && passed) : which == INFINITE ? !drawn && !passed : !passed)
                fail_msg("%s: %d: %s", how.kind, (int)status, error.message);
        }
    }
}

/* What the experiment says of activations can't get out of a string, nor to the terminal. */
static void test_hostile_activations_are_left_out(void **state)
{
    (void)state;
    const char *run = make_run("hostile");
    write_text(
        run, "experiment.yaml",
        "name: x\nnetwork:\n  - units: 4\n    activation: '`touch hit`'\n  - units: 4\n    activation: \033[31mtanh\n");
    draw_files(&run, 1, "activations", "svg");
    assert_false(exists(run, "hit") || exists(run, "plots/hit"));
    char *script = read_text(run, "plots/activations.gp");
    assert_null(strstr(script, "touch"));
    assert_null(strchr(draw_text(run, "activations", DT_LETTERS_ASCII), '\033'));
    free(script);
}

static void damage(const char *kind, const char *set, hid_t type, int rank, const char *words)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%s", kind, set);
    const char *run = folder(name);
    hid_t file = new_capture(run);
    char path[64];
    snprintf(path, sizeof path, "probe/layer01/%s", set);
    put_steps(file, "probe", 3, 1);
    put(file, path, type, rank, (hsize_t[]){3, 2, 2}, NULL);
    put(file, "probe/layer00/a", H5T_NATIVE_DOUBLE, 2, (hsize_t[]){3, 2}, NULL);
    H5Fclose(file);
    refused(run, kind, DT_MALFORMED, words);
}

static void test_damaged_sets_are_refused(void **state)
{
    (void)state;
    damage("deltas", "delta_norm", H5T_NATIVE_DOUBLE, 2, "delta_norm has the wrong number of dimensions");
    damage("activations", "a", H5T_NATIVE_INT, 3, "a does not hold numbers of the kind");
    damage("noise_scale", "noise_scale", H5T_NATIVE_INT, 1, "noise_scale does not hold numbers");
    damage("noise_scale", "delta", H5T_NATIVE_DOUBLE, 3, "layer00/a has the wrong number of dimensions");
    damage("histograms", "z", H5T_NATIVE_DOUBLE, 1, "z has the wrong number of dimensions");
}

static void test_failing_memory_is_survived(void **state)
{
    (void)state;
    const char *run = make_run("memory");
    for (size_t k = 2; dt_plot_kind_at(k); k++) {
        if (dt_plot_kind_at(k)->of_sweeps)
            continue;
        dt_status status = DT_NO_MEMORY;
        dt_error error;
        const dt_plot_options how = {.kind = dt_plot_kind_at(k)->name, .unit = "1:0", .term = "text"};
        counting_memory memory;
        for (long n = 1; status == DT_NO_MEMORY && n < 1000; n++) {
            count_memory(&memory, n);
            status = draw_with(&run, 1, &how, &error);
            count_no_more();
            assert_int_equal(memory.blocks, 0);
            assert_true(status == DT_OK || status == DT_NO_MEMORY);
        }
        assert_int_equal(status, DT_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deltas_are_means_norms_and_extremes),
        cmocka_unit_test(test_activations_are_counted),
        cmocka_unit_test(test_noise_scale_is_that_of_formed_gradients),
        cmocka_unit_test(test_noise_scale_from_statistics),
        cmocka_unit_test(test_units_are_quartiles_over_samples),
        cmocka_unit_test(test_histograms_count_every_number),
        cmocka_unit_test(test_histograms_from_statistics),
        cmocka_unit_test(test_activations_from_statistics),
        cmocka_unit_test(test_units_are_found_by_their_numbers),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_extreme_numbers_are_drawn),
        cmocka_unit_test(test_hostile_activations_are_left_out),
        cmocka_unit_test(test_damaged_sets_are_refused),
        cmocka_unit_test(test_failing_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
