/* metrics.tsv, provenance.json and whole small files: what is written is read back, what fails leaves nothing behind.
 */
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <libfyaml.h>

#include "counting_memory.h"
#include "record/sha256.h"
#include "scratch.h"
#include "small.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const int64_t units[] = {6, 5, 3};

static dt_trainer *make_trainer(small *m, uint64_t seed, dt_precision precision)
{
    dt_trainer *t;
    dt_error error = {0};
    small_make(m, seed, 40, units, 2, "relu");
    m->experiment.precision = precision;
    m->experiment.training = (dt_training_spec){3, 16, true};
    const dt_trainer_data data = small_data(m);
    if (dt_trainer_create(&t, &m->experiment, &data, &error) != DT_OK)
        fail_msg("%s", error.message);
    return t;
}

static size_t read_file(const char *path, char *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, size - 1, file);
    fclose(file);
    bytes[n] = '\0';
    return n;
}

/* --- whole small files, hashes --- */

static void test_files_appear_whole(void **state)
{
    (void)state;
    scratch files;
    char bytes[64];
    struct stat status;
    scratch_make(&files);
    const char *path = scratch_path(&files, "notes.txt");
    mode_t before = umask(027);
    assert_int_equal(dt_file_write(path, "one", 3, NULL), DT_OK);
    umask(before);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640); /* what the umask leaves of 0666, as for any new file */
    assert_int_equal(dt_file_write(path, "second", 6, NULL), DT_OK);
    assert_int_equal(read_file(path, bytes, sizeof bytes), 6);
    assert_string_equal(bytes, "second");
    assert_int_equal(scratch_files(&files), 1);

    dt_error error = {0};
    assert_int_equal(dt_file_write(scratch_path(&files, "no/notes.txt"), "one", 3, &error), DT_IO);
    assert_non_null(strstr(error.message, "no/notes.txt"));
    scratch_remove(&files);
}

/* A limit on the size of files stands in for a full disk. */
static void test_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    static char large[1 << 16];
    scratch files;
    char bytes[64];
    struct rlimit before, limit;
    dt_error error = {0};
    scratch_make(&files);
    const char *path = scratch_path(&files, "notes.txt");
    assert_int_equal(dt_file_write(path, "one", 3, NULL), DT_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 1 << 12;
    setrlimit(RLIMIT_FSIZE, &limit);
    dt_status status = dt_file_write(path, large, sizeof large, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, DT_IO);
    assert_non_null(strstr(error.message, "File too large"));
    read_file(path, bytes, sizeof bytes);
    assert_string_equal(bytes, "one");
    assert_int_equal(scratch_files(&files), 1);
    scratch_remove(&files);
}

static void test_sha256(void **state)
{
    (void)state;
    char hex[65];
    const dt_bytes pieces[] = {{"a", 1}, {"", 0}, {"bc", 2}}; /* FIPS 180-2, appendix B.1 */
    assert_int_equal(dt_sha256(pieces, COUNT(pieces), hex, NULL), DT_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* --- metrics.tsv --- */

static void test_metrics_have_a_row_an_epoch(void **state)
{
    (void)state;
    static small m;
    scratch files;
    dt_metrics *metrics;
    dt_error error = {0};
    char text[4096], header[512];
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32);
    const char *path = scratch_path(&files, "metrics.tsv");
    assert_int_equal(dt_metrics_create(&metrics, path, t, &error), DT_OK);
    dt_metrics *again;
    assert_int_equal(dt_metrics_create(&again, path, t, NULL), DT_EXISTS);
    assert_int_equal(dt_trainer_run(t, &error), DT_OK);
    assert_int_equal(dt_metrics_close(metrics, &error), DT_OK);
    dt_trainer_destroy(t);

    read_file(path, text, sizeof text);
    char *line = strtok(text, "\n");
    snprintf(header, sizeof header, "%s", line);
    assert_string_equal(header,
                        "epoch\tstep\tseconds\ttrain_loss\ttrain_accuracy\tvalidation_loss\tvalidation_accuracy\t"
                        "test_loss\ttest_accuracy\tlearning_rate\tsamples_per_second");
    for (int epoch = 1; epoch <= 3; epoch++) {
        line = strtok(NULL, "\n");
        assert_non_null(line);
        double seconds, loss, accuracy, rate, speed;
        int e, step, n = 0;
        /* no validation and no test data: nan */
        int found = sscanf(line, "%d\t%d\t%lf\t%lf\t%lf\tnan\tnan\tnan\tnan\t%lf\t%lf%n", &e, &step, &seconds, &loss,
                           &accuracy, &rate, &speed, &n);
        assert_int_equal(found, 7);
        assert_int_equal(line[n], '\0');
        assert_int_equal(e, epoch);
        assert_int_equal(step, 3 * epoch);
        assert_true(loss > 0 && accuracy >= 0 && accuracy <= 1 && rate == 0.01 && speed > 0 && seconds > 0);
    }
    assert_null(strtok(NULL, "\n"));
    scratch_remove(&files);
}

static void test_metrics_survive_odd_numbers_and_locales(void **state)
{
    (void)state;
    static small m;
    scratch files;
    dt_metrics *metrics;
    char text[4096];
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32);
    m.experiment.optimizer.learning_rate = 1. / 3;
    const char *path = scratch_path(&files, "metrics.tsv");
    assert_int_equal(dt_metrics_create(&metrics, path, t, NULL), DT_OK);
    (void)setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* with a decimal comma, where it is installed */
    assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
    setlocale(LC_NUMERIC, "C");
    assert_int_equal(dt_metrics_close(metrics, NULL), DT_OK);
    dt_trainer_destroy(t);
    read_file(path, text, sizeof text);
    assert_null(strchr(text, ','));
    assert_non_null(strstr(text, "\t0.333333333\t"));
    scratch_remove(&files);
}

/* --- provenance.json --- */

static const char *find(struct fy_document *json, const char *path, char *room, size_t size)
{
    struct fy_node *node = fy_node_by_path(fy_document_root(json), path, FY_NT, FYNWF_DONT_FOLLOW);
    size_t length = 0;
    const char *text = node && fy_node_is_scalar(node) ? fy_node_get_scalar(node, &length) : NULL;
    if (!text)
        fail_msg("no %s", path);
    snprintf(room, size, "%.*s", (int)length, text);
    return room;
}

static struct fy_document *parse(const char *json)
{
    const struct fy_parse_cfg config = {.flags = FYPCF_JSON_FORCE | FYPCF_QUIET};
    struct fy_document *document = fy_document_build_from_string(&config, json, FY_NT);
    if (!document)
        fail_msg("not JSON: %s", json);
    return document;
}

static void test_provenance_tells_all(void **state)
{
    (void)state;
    static small m;
    dt_error error = {0};
    char *json, value[512], sha256[65];
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32);
    memset(m.data.inputs_sha256, 'a', 64);
    setenv("OMP_SCHEDULE", "a \"quoted\" \\ \n \x01 \xff\xc0\xaf \xed\xa0\x80 δ", 1);
    const dt_trainer_data data = small_data(&m);
    m.experiment.data.train.inputs = "in\"puts";

    if (dt_provenance_json(&json, t, &data, "abc", false, &error) != DT_OK)
        fail_msg("%s", error.message);
    assert_null(strstr(json, "weights_sha256"));
    assert_null(strstr(json, "finished"));
    fy_document_destroy(parse(json));
    dt_text_release(json);

    assert_int_equal(dt_provenance_json(&json, t, &data, "abc", true, &error), DT_OK);
    struct fy_document *document = parse(json);
    dt_trainer_weights_sha256(t, sha256, NULL);
    assert_string_equal(find(document, "/weights_sha256", value, sizeof value), sha256);
    assert_string_equal(find(document, "/experiment_sha256", value, sizeof value),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(find(document, "/data/train/inputs", value, sizeof value), "in\"puts");
    assert_string_equal(find(document, "/data/train/inputs_sha256", value, sizeof value), m.data.inputs_sha256);
    assert_string_equal(find(document, "/parallel/denormals/flushed_to_zero", value, sizeof value), "true");
    assert_string_equal(
        find(document, "/parallel/environment/OMP_SCHEDULE", value, sizeof value),
        "a \"quoted\" \\ \n \x01 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd δ");
    static const char *const must[] = {"/started",          "/finished",
                                       "/deltoid/version",  "/deltoid/git_commit",
                                       "/deltoid/compiler", "/deltoid/flags",
                                       "/libraries/hdf5",   "/libraries/openmp",
                                       "/parallel/threads", "/parallel/instruction_set",
                                       "/machine/hostname", "/machine/processor",
                                       "/machine/cores",    "/machine/affinity"};
    for (size_t i = 0; i < COUNT(must); i++)
        assert_string_not_equal(find(document, must[i], value, sizeof value), "");
    int year, month, day, hour, minute, second;
    assert_int_equal(sscanf(find(document, "/finished", value, sizeof value), "%4d-%2d-%2dT%2d:%2d:%2dZ", &year, &month,
                            &day, &hour, &minute, &second),
                     6);
    fy_document_destroy(document);
    dt_text_release(json);
    unsetenv("OMP_SCHEDULE");
    dt_trainer_destroy(t);
}

/* --- failing memory --- */

typedef dt_status (*deed)(dt_trainer *t, scratch *files, dt_error *error);

static dt_status write_model(dt_trainer *t, scratch *files, dt_error *error)
{
    return dt_model_write(scratch_path(files, "new.h5"), t, "", "", error);
}

static dt_status read_model(dt_trainer *t, scratch *files, dt_error *error)
{
    return dt_model_read(scratch_path(files, "model.h5"), t, error);
}

static dt_status make_metrics(dt_trainer *t, scratch *files, dt_error *error)
{
    dt_metrics *metrics;
    dt_status status = dt_metrics_create(&metrics, scratch_path(files, "metrics.tsv"), t, error);
    return status == DT_OK ? dt_metrics_close(metrics, error) : status;
}

static dt_status make_provenance(dt_trainer *t, scratch *files, dt_error *error)
{
    (void)files;
    char *json;
    dt_status status = dt_provenance_json(&json, t, NULL, "", true, error);
    if (status == DT_OK)
        dt_text_release(json);
    return status;
}

static dt_status make_file(dt_trainer *t, scratch *files, dt_error *error)
{
    (void)t;
    return dt_file_write(scratch_path(files, "notes.txt"), "one", 3, error);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static const deed deeds[] = {write_model, read_model, make_metrics, make_provenance, make_file};
    static small m;
    for (size_t d = 0; d < COUNT(deeds); d++) {
        scratch files;
        counting_memory memory;
        scratch_make(&files);
        dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32);
        assert_int_equal(dt_model_write(scratch_path(&files, "model.h5"), t, "", "", NULL), DT_OK);
        for (long n = 1;; n++) {
            dt_error error = {0};
            count_memory(&memory, n);
            dt_status status = deeds[d](t, &files, &error);
            count_no_more();
            if (memory.blocks != 0)
                fail_msg("deed %zu, allocation %ld: %ld blocks are not given back", d, n, memory.blocks);
            if (memory.calls < n) {
                assert_int_equal(status, DT_OK);
                assert_true(n > 1);
                break;
            }
            if (deeds[d] != make_provenance || status != DT_OK) { /* it can do without what it can't find out */
                assert_int_equal(status, DT_NO_MEMORY);
                assert_string_not_equal(error.message, "");
            }
            assert_int_equal(scratch_files(&files), 1);
        }
        dt_trainer_destroy(t);
        scratch_remove(&files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_appear_whole),
        cmocka_unit_test(test_full_disk_leaves_the_old_file),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_metrics_have_a_row_an_epoch),
        cmocka_unit_test(test_metrics_survive_odd_numbers_and_locales),
        cmocka_unit_test(test_provenance_tells_all),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
