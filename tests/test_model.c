/* model.h5: what is written comes back; what is hostile or broken is refused, and the weights stay as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <hdf5.h>

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

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_a_model_comes_back(void **state)
{
    (void)state;
    for (int precision = DT_FLOAT32; precision <= DT_FLOAT64; precision++) {
        static small m, other;
        scratch files;
        dt_error error = {0};
        char before[65], after[65];
        scratch_make(&files);
        dt_trainer *t = make_trainer(&m, 3, (dt_precision)precision);
        assert_int_equal(dt_trainer_run(t, NULL), DT_OK);
        const char *path = scratch_path(&files, "model.h5");
        for (int i = 0; i < 2; i++) /* over the one that is there */
            if (dt_model_write(path, t, "name: small\n", "{}", &error) != DT_OK)
                fail_msg("%s", error.message);
        dt_trainer_weights_sha256(t, before, NULL);
        dt_trainer_destroy(t);

        t = make_trainer(&other, 4, (dt_precision)precision);
        dt_trainer_weights_sha256(t, after, NULL);
        assert_string_not_equal(after, before);
        if (dt_model_read(path, t, &error) != DT_OK)
            fail_msg("%s", error.message);
        dt_trainer_weights_sha256(t, after, NULL);
        assert_string_equal(after, before);
        dt_trainer_destroy(t);
        assert_int_equal(scratch_files(&files), 1);

        hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT); /* by the names of the manual */
        assert_true(file >= 0 && H5Lexists(file, "/layer01/W", H5P_DEFAULT) > 0 &&
                    H5Lexists(file, "/layer02/b", H5P_DEFAULT) > 0);
        static const char *const attributes[] = {"format",     "format_version", "precision", "experiment",
                                                 "provenance", "weights_sha256", "step"};
        for (size_t i = 0; i < COUNT(attributes); i++)
            assert_true(H5Aexists(file, attributes[i]) > 0);
        assert_true(H5Aexists_by_name(file, "/layer01", "activation", H5P_DEFAULT) > 0);
        assert_true(H5Aexists_by_name(file, "/layer01", "init", H5P_DEFAULT) > 0);
        H5Fclose(file);
        scratch_remove(&files);
    }
}

/* A file made by somebody else: everything right, but for what a case spoils. */
typedef enum spoil {
    SOUND,
    SOFT_LINK,
    EXTERNAL_LINK,
    GROUP_LINK,
    EXTERNAL_STORAGE,
    VIRTUAL,
    COMPACT,
    INTEGERS,
    BIG_ENDIAN_NUMBERS,
    OTHER_PRECISION,
    THREE_DIMENSIONS,
    TOO_WIDE,
    HUGE_EXTENT,
    UNKNOWN_FILTER,
    A_GROUP,
    NO_FORMAT,
    OTHER_FORMAT,
    NEWER_VERSION,
    MORE_LAYERS,
    NO_HASH,
    WRONG_HASH,
    LONG_HASH,
    SPOILS
} spoil;

static const struct {
    dt_status status;
    const char *words;
} answers[SPOILS] = {
    [SOUND] = {DT_OK, ""},
    [SOFT_LINK] = {DT_MALFORMED, "/layer01/W is missing or a link"},
    [EXTERNAL_LINK] = {DT_MALFORMED, "/layer01/W is missing or a link"},
    [GROUP_LINK] = {DT_MALFORMED, "/layer02 is missing or a link"},
    [EXTERNAL_STORAGE] = {DT_MALFORMED, "another file"},
    [VIRTUAL] = {DT_MALFORMED, "a way that is not allowed"},
    [COMPACT] = {DT_MALFORMED, "a way that is not allowed"},
    [INTEGERS] = {DT_MALFORMED, "precision"},
    [BIG_ENDIAN_NUMBERS] = {DT_MALFORMED, "precision"},
    [OTHER_PRECISION] = {DT_INVALID, "holds precision 'float64', the experiment says float32"},
    [THREE_DIMENSIONS] = {DT_MALFORMED, "dimensions"},
    [TOO_WIDE] = {DT_INVALID, "/layer01/W is 5 x 7, the experiment's network needs 5 x 6"},
    [HUGE_EXTENT] = {DT_INVALID, "needs 5 x 6"},
    [UNKNOWN_FILTER] = {DT_MALFORMED, "filter"},
    [A_GROUP] = {DT_MALFORMED, "no data set"},
    [NO_FORMAT] = {DT_MALFORMED, "format"},
    [OTHER_FORMAT] = {DT_MALFORMED, "format"},
    [NEWER_VERSION] = {DT_UNSUPPORTED, "format_version 2"},
    [MORE_LAYERS] = {DT_INVALID, "has 3 layers, the experiment's network 2"},
    [NO_HASH] = {DT_MALFORMED, "weights_sha256"},
    [WRONG_HASH] = {DT_MALFORMED, "SHA-256"},
    [LONG_HASH] = {DT_MALFORMED, "weights_sha256"},
};

static void put_text(hid_t object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1); /* fixed length, as other writers choose */
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, type, text) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static void put_integer(hid_t object, const char *name, int value)
{
    hid_t space = H5Screate(H5S_SCALAR),
          attribute = H5Acreate2(object, name, H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
}

/* W of layer 1 as the case wants it. */
static void put_spoilt(hid_t file, spoil how, const float *W, const char *elsewhere)
{
    static const float wide[5 * 7];
    hsize_t size[3] = {5, how == TOO_WIDE ? 7 : how == HUGE_EXTENT ? (hsize_t)1 << 40 : 6, 1}, chunk[3] = {5, 6, 1};
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(how == THREE_DIMENSIONS ? 3 : 2, size, NULL);
    hid_t type = how == INTEGERS ? H5T_STD_I32LE : how == BIG_ENDIAN_NUMBERS ? H5T_IEEE_F32BE : H5T_IEEE_F32LE;
    if (how == SOFT_LINK) {
        H5Lcreate_soft("/layer01/b", file, "/layer01/W", H5P_DEFAULT, H5P_DEFAULT);
    } else if (how == EXTERNAL_LINK) {
        H5Lcreate_external(elsewhere, "/layer01/W", file, "/layer01/W", H5P_DEFAULT, H5P_DEFAULT);
    } else if (how == A_GROUP) {
        H5Gclose(H5Gcreate2(file, "/layer01/W", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    } else {
        if (how == EXTERNAL_STORAGE)
            H5Pset_external(creation, "/etc/passwd", 0, 5 * 6 * sizeof(float));
        if (how == VIRTUAL)
            H5Pset_virtual(creation, space, elsewhere, "/layer01/W", space);
        if (how == COMPACT)
            H5Pset_layout(creation, H5D_COMPACT);
        if (how == UNKNOWN_FILTER || how == HUGE_EXTENT)
            H5Pset_chunk(creation, 2, chunk);
        if (how == UNKNOWN_FILTER)
            H5Pset_filter(creation, 32001, H5Z_FLAG_OPTIONAL, 0, NULL);
        hid_t set = H5Dcreate2(file, "/layer01/W", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        assert_true(set >= 0);
        if (how != EXTERNAL_STORAGE && how != VIRTUAL && how != HUGE_EXTENT)
            assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, how == TOO_WIDE ? wide : W) >=
                        0);
        H5Dclose(set);
    }
    H5Sclose(space);
    H5Pclose(creation);
}

static void put_array(hid_t file, const char *name, int rank, hsize_t rows, hsize_t columns, const float *numbers)
{
    hsize_t size[2] = {rows, columns};
    hid_t space = H5Screate_simple(rank, size, NULL);
    hid_t set = H5Dcreate2(file, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void make_model(const char *path, spoil how, const float *numbers, const char *elsewhere)
{
    const float *W1 = numbers, *b1 = W1 + 30, *W2 = b1 + 5, *b2 = W2 + 15;
    char hex[80];
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    assert_int_equal(dt_sha256(&(dt_bytes){numbers, 53 * sizeof *numbers}, 1, hex, NULL), DT_OK);
    if (how == WRONG_HASH)
        hex[5] = hex[5] == '0' ? '1' : '0';
    if (how == LONG_HASH)
        strcat(hex, "00");
    if (how != NO_FORMAT)
        put_text(file, "format", how == OTHER_FORMAT ? "deltoid-capture" : "deltoid-model");
    put_integer(file, "format_version", how == NEWER_VERSION ? 2 : 1);
    put_text(file, "precision", how == OTHER_PRECISION ? "float64" : "float32");
    put_integer(file, "layers", how == MORE_LAYERS ? 3 : 2);
    if (how != NO_HASH)
        put_text(file, "weights_sha256", hex);
    H5Gclose(H5Gcreate2(file, "/layer01", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    put_spoilt(file, how, W1, elsewhere);
    put_array(file, "/layer01/b", 1, 5, 0, b1);
    const char *second = how == GROUP_LINK ? "/elsewhere" : "/layer02";
    H5Gclose(H5Gcreate2(file, second, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    if (how == GROUP_LINK)
        H5Lcreate_soft("/elsewhere", file, "/layer02", H5P_DEFAULT, H5P_DEFAULT);
    put_array(file, how == GROUP_LINK ? "/elsewhere/W" : "/layer02/W", 2, 3, 5, W2);
    put_array(file, how == GROUP_LINK ? "/elsewhere/b" : "/layer02/b", 1, 3, 0, b2);
    assert_true(H5Fclose(file) >= 0);
}

static void test_hostile_models_are_refused(void **state)
{
    (void)state;
    static small m;
    scratch files;
    float numbers[53];
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32);
    char before[65], after[65];
    dt_trainer_weights_sha256(t, before, NULL);
    for (size_t i = 0; i < COUNT(numbers); i++)
        numbers[i] = (float)i / 8;
    const char *elsewhere = scratch_path(&files, "elsewhere.h5");
    make_model(elsewhere, SOUND, numbers, "");
    for (int how = SPOILS - 1; how >= 0; how--) { /* the sound one last */
        dt_error error = {0};
        const char *path = scratch_path(&files, "model.h5");
        make_model(path, (spoil)how, numbers, elsewhere);
        dt_status status = dt_model_read(path, t, &error);
        if (status != answers[how].status || !strstr(error.message, answers[how].words))
            fail_msg("case %d: %s, \"%s\" instead of \"%s\"", how, dt_status_text(status), error.message,
                     answers[how].words);
        dt_trainer_weights_sha256(t, after, NULL);
        assert_int_equal(strcmp(before, after) == 0, how != SOUND);
    }
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

static void test_what_is_no_model_is_refused(void **state)
{
    (void)state;
    static small m;
    scratch files;
    dt_error error = {0};
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32);
    assert_int_equal(dt_model_read(scratch_path(&files, "none.h5"), t, &error), DT_NOT_FOUND);
    assert_non_null(strstr(error.message, "none.h5"));
    assert_int_equal(dt_model_read(files.folder, t, NULL), DT_INVALID);
    assert_int_equal(mkfifo(scratch_path(&files, "pipe"), 0600), 0);
    assert_int_equal(dt_model_read(scratch_path(&files, "pipe"), t, NULL), DT_INVALID);
    const char *path = scratch_path(&files, "text.h5");
    write_file(path, "no model\n", 9);
    dt_error_clear(&error);
    assert_int_equal(dt_model_read(path, t, &error), DT_MALFORMED);
    assert_non_null(strstr(error.message, "text.h5"));
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

/* Cut short anywhere, bytes overwritten anywhere: never a crash, and never weights whose hash is not the file's. */
static void test_broken_models_are_refused(void **state)
{
    (void)state;
    enum { MOST = 1 << 16, CASES = 150 };
    static small m, other;
    static char sound[MOST], broken[MOST];
    scratch files;
    char hash[65], start[65], after[65];
    int refused = 0;
    scratch_make(&files);
    dt_trainer *t = make_trainer(&m, 3, DT_FLOAT32);
    const char *path = scratch_path(&files, "model.h5");
    assert_int_equal(dt_model_write(path, t, "name: small\n", "{}", NULL), DT_OK);
    dt_trainer_weights_sha256(t, hash, NULL);
    dt_trainer_destroy(t);
    t = make_trainer(&other, 4, DT_FLOAT32);
    dt_trainer_weights_sha256(t, start, NULL);
    size_t size = read_file(path, sound, sizeof sound);
    for (uint64_t i = 0; i < CASES; i++) {
        dt_random128 r = dt_philox(1, DT_FOR_TEST, 7, i);
        size_t length = i % 3 == 0 ? (size_t)dt_uniform_below(r.u[0], size) : size;
        memcpy(broken, sound, size);
        for (uint64_t k = 0; i % 3 != 0 && k < 1 + i % 8; k++) {
            dt_random128 b = dt_philox(1, DT_FOR_TEST, 8 + i, k);
            broken[dt_uniform_below(b.u[0], size)] = (char)(k % 2 ? 0xff : b.u[1] & 0xff);
        }
        write_file(path, broken, length);
        dt_status status = dt_model_read(path, t, NULL);
        dt_trainer_weights_sha256(t, after, NULL);
        if (status == DT_OK) /* what was hit is not part of the weights */
            assert_string_equal(after, hash);
        assert_true(strcmp(after, start) == 0 || strcmp(after, hash) == 0);
        refused += status != DT_OK;
    }
    assert_true(refused > CASES / 3);
    dt_trainer_destroy(t);
    scratch_remove(&files);
}

int main(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_model_comes_back),
        cmocka_unit_test(test_hostile_models_are_refused),
        cmocka_unit_test(test_what_is_no_model_is_refused),
        cmocka_unit_test(test_broken_models_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
