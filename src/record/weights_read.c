/* Weights that others trained. An archive's names say by which convention they lie there; the arrays are read as data
 * sets of format npy (src/data/npy.c), which refuses whatever is no array of finite numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/zip.h"
#include "deltoid/interchange.h"
#include "deltoid/record.h"
#include "record/layer_weights.h"
#include "record/weights_array.h"

enum { LAYERS_MAX = 64, LIST_SIZE = 200 };

/* How names end, and whether the matrix is (input, unit), as weights_begin.c has it too. The first is the project's
 * own. To add one, add a line. */
typedef struct convention {
    const char *W, *b;
    bool transposed;
} convention;

static const convention conventions[] = {
    {".W.npy", ".b.npy", false},        {".weight.npy", ".bias.npy", false},    {"/kernel.npy", "/bias.npy", true},
    {".kernel.npy", ".bias.npy", true}, {"/kernel:0.npy", "/bias:0.npy", true},
};

typedef struct reader {
    const char *path;
    dt_trainer *trainer;
    dt_error *error;
    char *names;                  /* of all members, as dt_zip_names has them */
    const char *at[LAYERS_MAX];   /* the name of each layer's W */
    int64_t found;                /* layers in the file; at most LAYERS_MAX are in `at` */
    const convention *convention; /* NULL: none */
    char *block;                  /* of the numbers of all layers */
} reader;

/* --- names --- */

static bool ends_with(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);
    return n > m && strcmp(name + n - m, ending) == 0;
}

static const char *next(const char *name)
{
    return name + strlen(name) + 1;
}

static int64_t find_layers(reader *r, const convention *c)
{
    int64_t found = 0;
    for (const char *name = r->names; *name; name = next(name))
        if (ends_with(name, c->W)) {
            if (found < LAYERS_MAX)
                r->at[found] = name;
            found++;
        }
    return found;
}

/* "dense/kernel, dense/bias, ...", for messages: names without ".npy", as many as fit. */
static void list_names(const reader *r, char list[LIST_SIZE])
{
    size_t used = 0;
    *list = '\0';
    for (const char *name = r->names; *name; name = next(name)) {
        const size_t length = strlen(name) - (ends_with(name, ".npy") ? 4 : 0);
        if (used + length + 8 > LIST_SIZE) {
            snprintf(list + used, LIST_SIZE - used, ", ...");
            return;
        }
        used += (size_t)snprintf(list + used, LIST_SIZE - used, "%s%.*s", used ? ", " : "", (int)length, name);
    }
}

/* By the project's own names the order is that of the numbers in them. */
static dt_status order_own(reader *r)
{
    char wanted[24];
    for (int64_t l = 1; l <= r->found; l++) {
        snprintf(wanted, sizeof wanted, DT_WEIGHTS_W ".npy", (int)l);
        const char *name = r->names;
        while (*name && strcmp(name, wanted) != 0)
            name = next(name);
        if (!*name)
            return dt_fail(r->error, DT_INVALID, "%s: has %" PRId64 " matrices but no " DT_WEIGHTS_W, r->path, r->found,
                           (int)l);
        r->at[l - 1] = name;
    }
    return DT_OK;
}

static dt_status recognise(reader *r)
{
    char list[LIST_SIZE];
    const int64_t L = (int64_t)dt_trainer_experiment(r->trainer)->layer_count;
    for (size_t i = 0; i < sizeof conventions / sizeof *conventions && !r->convention; i++) {
        r->found = find_layers(r, &conventions[i]);
        r->convention = r->found ? &conventions[i] : NULL;
    }
    list_names(r, list);
    if (!r->convention)
        return dt_fail(
            r->error, DT_INVALID,
            "%s: its arrays are no layers (%s); name them layer01.W, layer01.b, ..., or 0.weight, 0.bias, ... "
            "as PyTorch, or dense/kernel, dense/bias, ... as Keras",
            r->path, *list ? list : "none");
    if (r->found != L)
        return dt_fail(r->error, DT_INVALID,
                       "%s: has %" PRId64 " layers (%s), the experiment's network %" PRId64
                       "; use the network that the weights are of",
                       r->path, r->found, list, L);
    return r->convention == conventions ? order_own(r) : DT_OK;
}

/* --- arrays --- */

/* The array of that name, (rows, columns) in the file; rank 1 has one column. */
static dt_status read_array(reader *r, const char *name, int64_t rows, int64_t columns, bool transposed, void *to)
{
    const size_t length = strlen(name) - strlen(".npy");
    char *which = dt_allocate(length + 2, 1);
    if (!which)
        return dt_fail_memory(r->error, r->path);
    snprintf(which, length + 2, "/%s", name); /* without .npy */
    const dt_array_source array = {.file = r->path,
                                   .name = which,
                                   .format = "npy",
                                   .rows = rows,
                                   .columns = columns,
                                   .transposed = transposed,
                                   .precision = dt_trainer_experiment(r->trainer)->precision};
    const dt_status status = dt_weights_array_read(&array, to, r->error);
    dt_release(which);
    return status;
}

/* The bias that belongs to a matrix of that name: the same name with the other ending. */
static dt_status bias_name(const reader *r, const char *W, const char **b)
{
    const size_t stem = strlen(W) - strlen(r->convention->W);
    for (const char *name = r->names; *name; name = next(name))
        if (strlen(name) == stem + strlen(r->convention->b) && strncmp(name, W, stem) == 0 &&
            strcmp(name + stem, r->convention->b) == 0) {
            *b = name;
            return DT_OK;
        }
    return dt_fail(r->error, DT_INVALID, "%s: has %.*s but no %.*s%.*s; layers have biases here, so add zeros", r->path,
                   (int)(strlen(W) - 4), W, (int)stem, W, (int)(strlen(r->convention->b) - 4), r->convention->b);
}

/* --- all --- */

static size_t layer_bytes(const reader *r, int64_t l)
{
    return (size_t)(dt_trainer_units(r->trainer, l) * (dt_trainer_units(r->trainer, l - 1) + 1)) *
           dt_precision_size(dt_trainer_experiment(r->trainer)->precision);
}

static dt_status read_layer(reader *r, int64_t l, char *to)
{
    const int64_t units = dt_trainer_units(r->trainer, l), inputs = dt_trainer_units(r->trainer, l - 1);
    const bool transposed = r->convention->transposed;
    const size_t W_bytes = layer_bytes(r, l) / (size_t)(inputs + 1) * (size_t)inputs;
    const char *b = NULL;
    dt_status status = bias_name(r, r->at[l - 1], &b);
    if (status == DT_OK)
        status = read_array(r, r->at[l - 1], transposed ? inputs : units, transposed ? units : inputs, transposed, to);
    return status == DT_OK ? read_array(r, b, units, 1, false, to + W_bytes) : status;
}

static dt_status read_archive(reader *r)
{
    const int64_t L = (int64_t)dt_trainer_experiment(r->trainer)->layer_count;
    size_t bytes = 0;
    dt_status status = dt_zip_names(&r->names, r->path, r->error);
    if (status == DT_OK)
        status = recognise(r);
    for (int64_t l = 1; l <= L; l++)
        bytes += layer_bytes(r, l);
    if (status == DT_OK && !(r->block = dt_allocate_array(bytes, 1)))
        status = dt_fail_memory(r->error, "the weights");
    char *to = r->block;
    for (int64_t l = 1; status == DT_OK && l <= L; to += layer_bytes(r, l++))
        status = read_layer(r, l, to);
    to = r->block;
    for (int64_t l = 1; status == DT_OK && l <= L; to += layer_bytes(r, l++)) {
        const size_t inputs = (size_t)dt_trainer_units(r->trainer, l - 1);
        dt_trainer_set_weights(r->trainer, l, to, to + layer_bytes(r, l) / (inputs + 1) * inputs);
    }
    dt_release(r->block);
    dt_release(r->names);
    return status;
}

dt_status dt_weights_read(const char *path, dt_trainer *trainer, dt_error *error)
{
    dt_weights_format format;
    const dt_status status = dt_weights_format_of(path, "name a model.h5, a checkpoint or a .npz", &format, error);
    if (status != DT_OK)
        return status;
    if (format == DT_WEIGHTS_HDF5)
        return dt_model_read(path, trainer, error);
    if (format == DT_WEIGHTS_ARCHIVE)
        return read_archive(&(reader){.path = path, .trainer = trainer, .error = error});
    return dt_fail(error, DT_MALFORMED,
                   "%s: is neither HDF5 nor a NumPy archive; name a model.h5, a checkpoint or a .npz", path);
}
