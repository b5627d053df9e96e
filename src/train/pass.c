#include "train/pass.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/random.h"
#include "kernels/sparse.h"
#include "train/gather.h"

/* Numbers from row to row: the units, the 1 behind them, whole panels; and off powers of two, which would make all rows
 * share a few cache sets. */
static int64_t stride_of(int64_t units)
{
    const int64_t n = dt_whole_panels(units + 1);
    return n % (16 * DT_LANES) == 0 ? n + DT_LANES : n;
}

/* Of layer 0: the copies of a, none of sparse inputs; of l: a, delta and z, and with dropout the mask and sigma; of
 * layer L, where z = a: a and delta. */
static int64_t arrays_of(int64_t l, int64_t L, int64_t copies, bool drops)
{
    return l == 0 ? copies : l == L ? 2 : drops ? 5 : 3;
}

/* Rows from one copy to the next: a gap is left behind each, as a processor that goes down a column asks for rows
 * behind the last one too, and would take them from the worker whose copy they are. */
static int64_t rows_of(int64_t capacity, int64_t copies)
{
    return copies > 1 ? capacity + 32 : capacity;
}

bool dt_pass_measure(int64_t layers, const int64_t *units, const dt_layer_spec *specs, int64_t capacity, int64_t copies,
                     const dt_sparse_sizes *sparse, size_t *bytes)
{
    size_t sum = 0, inputs = 0;
    if (sparse && !dt_sparse_measure(sparse, capacity, &inputs))
        return false;
    copies = sparse ? 0 : copies;
    for (int64_t l = 0; l <= layers; l++) {
        size_t layer;
        const bool drops = specs && l > 0 && specs[l - 1].dropout > 0;
        if (__builtin_mul_overflow((size_t)(stride_of(units[l]) * arrays_of(l, layers, copies, drops)) *
                                       sizeof(dt_real),
                                   (size_t)rows_of(capacity, l == 0 ? copies : 1), &layer) ||
            __builtin_add_overflow(sum, layer, &sum))
            return false;
    }
    if (sum > PTRDIFF_MAX)
        return false;
    return !__builtin_add_overflow(dt_hot_bytes(sum), inputs, bytes);
}

static bool drops(const dt_pass *p, int64_t l)
{
    return l > 0 && p->network->layer[l].dropout > 0;
}

/* All layers' arrays in one block, so that huge pages hold them. */
static dt_status allocate_layers(dt_pass *p, bool training, dt_error *error)
{
    const int64_t L = p->network->layers, copies = p->sparse ? 0 : p->copies;
    size_t numbers = 0;
    for (int64_t l = 0; l <= L; l++)
        numbers += (size_t)(arrays_of(l, L, copies, training && drops(p, l)) * p->stride[l] *
                            rows_of(p->capacity, l == 0 ? p->copies : 1));
    dt_real *at = p->block = dt_allocate_hot(numbers, sizeof(dt_real));
    if (!at)
        return dt_fail_memory(error, "activations");
    for (int64_t l = 0; l <= L; l++) {
        dt_real **const arrays[] = {&p->a[l], &p->delta[l], &p->z[l], &p->mask[l], &p->sigma[l]};
        for (int64_t i = 0; i < arrays_of(l, L, copies, training && drops(p, l)); i++) {
            if (l > 0 || i == 0)
                *arrays[i] = at;
            at += rows_of(p->capacity, l == 0 ? p->copies : 1) * p->stride[l];
        }
    }
    return DT_OK;
}

dt_status dt_pass_create(dt_pass **pass, const dt_network *network, const dt_loss *loss, const dt_loss_options *options,
                         bool training, int64_t capacity, int64_t copies, const dt_sparse_sizes *sparse,
                         dt_error *error)
{
    *pass = NULL;
    const size_t layers = (size_t)network->layers + 1;
    dt_pass *p = dt_allocate_zeroed(1, sizeof *p);
    if (!p)
        return dt_fail_memory(error, "activations");
    p->network = network;
    p->loss = loss;
    p->options = options;
    p->threshold = loss->traits.threshold;
    p->capacity = capacity;
    p->copies = copies;
    p->stride = dt_allocate_zeroed(layers, sizeof *p->stride);
    p->z = dt_allocate_zeroed(layers, sizeof *p->z);
    p->a = dt_allocate_zeroed(layers, sizeof *p->a);
    p->delta = dt_allocate_zeroed(layers, sizeof *p->delta);
    p->mask = dt_allocate_zeroed(layers, sizeof *p->mask);
    p->sigma = dt_allocate_zeroed(layers, sizeof *p->sigma);
    p->rows = dt_allocate_zeroed(layers, sizeof *p->rows);
    p->cost = dt_allocate_zeroed((size_t)capacity, sizeof *p->cost);
    p->right = dt_allocate_zeroed((size_t)capacity, sizeof *p->right);
    dt_status status = DT_NO_MEMORY;
    const bool inputs = !sparse || dt_sparse_create(&p->sparse, sparse, capacity, error) == DT_OK;
    if (inputs && p->stride && p->z && p->a && p->delta && p->mask && p->sigma && p->rows && p->cost && p->right) {
        for (int64_t l = 0; l <= network->layers; l++)
            p->stride[l] = stride_of(l ? network->layer[l].units : network->layer[1].inputs);
        status = allocate_layers(p, training, error);
    }
    if (status != DT_OK) {
        dt_pass_destroy(p);
        return dt_fail_memory(error, "activations");
    }
    for (int64_t l = 1; l <= network->layers; l++)
        p->rows[l] = (dt_layer_rows){p->a[l - 1], p->delta[l], p->stride[l - 1], p->stride[l], 0, NULL};
    p->rows[1].a_apart = copies > 1 ? rows_of(capacity, copies) * p->stride[0] : 0;
    p->rows[1].columns = p->sparse ? p->sparse->columns : NULL;
    p->z[network->layers] = p->a[network->layers];
    *pass = p;
    return DT_OK;
}

void dt_pass_destroy(dt_pass *pass)
{
    if (!pass)
        return;
    if (pass->sparse && pass->a)
        dt_release(pass->a[0]);
    dt_sparse_destroy(pass->sparse);
    dt_release(pass->block);
    dt_release(pass->stride);
    dt_release(pass->z);
    dt_release(pass->a);
    dt_release(pass->delta);
    dt_release(pass->mask);
    dt_release(pass->sigma);
    dt_release(pass->rows);
    dt_release(pass->cost);
    dt_release(pass->right);
    dt_release(pass);
}

dt_status dt_pass_show_inputs(dt_pass *pass, dt_error *error)
{
    if (pass->a[0])
        return DT_OK;
    pass->a[0] = dt_allocate((size_t)pass->capacity, (size_t)pass->stride[0] * sizeof(dt_real));
    return pass->a[0] ? DT_OK : dt_fail_memory(error, "sparse inputs written out");
}

/* Zeroes rows of an array of layer l; the bias gate's 1 behind a. */
static void touch_rows(dt_pass *pass, int64_t l, dt_real *array, dt_span rows, bool one)
{
    const int64_t stride = pass->stride[l], units = l ? pass->network->layer[l].units : pass->network->layer[1].inputs;
    memset(array + rows.first * stride, 0, (size_t)(dt_span_count(rows) * stride) * sizeof(dt_real));
    for (int64_t i = rows.first; i < rows.last && one; i++)
        array[i * stride + units] = 1;
}

void dt_pass_touch(dt_pass *pass, int64_t worker, dt_span rows)
{
    const int64_t L = pass->network->layers;
    if (pass->copies > 1)
        touch_rows(pass, 0, pass->a[0] + worker * pass->rows[1].a_apart, (dt_span){0, pass->capacity}, true);
    else if (!pass->sparse)
        touch_rows(pass, 0, pass->a[0], rows, true);
    for (int64_t l = 1; l <= L; l++) {
        touch_rows(pass, l, pass->a[l], rows, l < L);
        touch_rows(pass, l, pass->delta[l], rows, false);
        if (l < L)
            touch_rows(pass, l, pass->z[l], rows, false);
        if (pass->mask[l]) {
            touch_rows(pass, l, pass->mask[l], rows, false);
            touch_rows(pass, l, pass->sigma[l], rows, false);
        }
    }
}

/* Where z of layer l stands in a forward: apart from a, or in its place. */
static dt_real *place_of_z(const dt_pass *pass, int64_t l, bool keep_z)
{
    return keep_z || pass->network->layer[l].activation->needs_z ? pass->z[l] : pass->a[l];
}

void dt_pass_prefetch(const dt_dataset *data, const int64_t *sample, dt_span rows)
{
    for (int64_t i = rows.first; i < rows.last; i++)
        dt_gather_prefetch(data, sample[i]);
}

void dt_pass_gather(dt_pass *pass, int64_t copy, const dt_dataset *data, dt_real scale, const int64_t *sample,
                    dt_span rows)
{
    if (pass->sparse) {
        dt_sparse_gather(pass->sparse, pass->network->products, data, scale, sample, rows);
        return;
    }
    for (int64_t i = rows.first; i < rows.last; i++)
        dt_gather_row(pass->network->products, data, scale, sample[i],
                      pass->a[0] + copy * pass->rows[1].a_apart + i * pass->stride[0]);
}

/* The numbers of layer l for sample i of the minibatch: 2^20 of them, for up to 2^20 samples. */
static dt_stream stream_of(const dt_draws *draws, dt_purpose purpose, int64_t l, int64_t i)
{
    const uint64_t step = (uint64_t)draws->step;
    return (dt_stream){draws->seed, step << (20 + DT_STREAM_BITS) | (uint64_t)i << DT_STREAM_BITS, (uint32_t)purpose,
                       (uint32_t)(step >> (64 - 20 - DT_STREAM_BITS) << 7 | (uint64_t)l)};
}

void dt_pass_noise(dt_pass *pass, int64_t copy, dt_real deviation, const dt_draws *draws, dt_span rows)
{
    const dt_randoms *randoms = DT_SELECT(dt_randoms, dt_randoms, &);
    for (int64_t i = rows.first; i < rows.last; i++) {
        const dt_stream stream = stream_of(draws, DT_FOR_NOISE, 0, i);
        randoms->noise(&stream, 0, pass->network->layer[1].inputs, deviation,
                       pass->a[0] + copy * pass->rows[1].a_apart + i * pass->stride[0]);
    }
}

/* a = mask sigma for n units from unit `first` on, of row i; without draws nothing is dropped. */
static void drop(dt_pass *pass, int64_t l, const dt_draws *draws, int64_t i, int64_t first, int64_t n)
{
    const dt_randoms *randoms = DT_SELECT(dt_randoms, dt_randoms, &);
    const double p = pass->network->layer[l].dropout;
    const int64_t at = i * pass->stride[l] + first;
    dt_real *restrict mask = pass->mask[l] + at, *restrict a = pass->a[l] + at;
    const dt_real *restrict sigma = pass->sigma[l] + at;
    if (draws) {
        const dt_stream stream = stream_of(draws, DT_FOR_DROPOUT, l, i);
        randoms->mask(&stream, first, n, p, (dt_real)(1 / (1 - p)), mask);
    }
    for (int64_t j = 0; j < n && !draws; j++)
        mask[j] = 1;
    for (int64_t j = 0; j < n; j++)
        a[j] = mask[j] * sigma[j];
}

/* (1) z^l_j = sum_k w^l_jk a^{l-1}_k + b^l_j: the bias is the weight of the 1 behind a^{l-1}. W and z at the first of
 * the panels. */
static void weigh(const dt_pass *pass, int64_t l, int64_t copy, dt_span rows, int64_t panels, const dt_real *W,
                  dt_real *z)
{
    const dt_layer *layer = &pass->network->layer[l];
    const int64_t stride = pass->stride[l], below = pass->stride[l - 1], panel = layer->column * DT_BLOCK;
    if (l == 1 && pass->sparse)
        DT_SELECT(dt_sparse_products, dt_sparse_products, &)
            ->product(&pass->sparse->rows, rows, layer->inputs, panels, W, panel, z, stride);
    else
        pass->network->products->product(dt_span_count(rows), panels, layer->inputs + 1,
                                         pass->rows[l].a + copy * pass->rows[l].a_apart + rows.first * below, below, W,
                                         panel, z + rows.first * stride, stride);
}

void dt_pass_forward_units(dt_pass *pass, int64_t l, int64_t copy, dt_span rows, dt_span panels, bool keep_z,
                           const dt_draws *draws)
{
    const dt_network *network = pass->network;
    const dt_layer *layer = &network->layer[l];
    const int64_t stride = pass->stride[l];
    const int64_t first = panels.first * DT_LANES, n = dt_min(panels.last * DT_LANES, layer->units) - first;
    if (panels.first == panels.last)
        return;
    dt_real *z = place_of_z(pass, l, keep_z) + first, *a = pass->a[l] + first;
    dt_real *sigma = pass->mask[l] ? pass->sigma[l] + first : a;
    weigh(pass, l, copy, rows, dt_span_count(panels),
          network->parameters + (layer->first_block + panels.first * layer->column) * DT_BLOCK, z); /* (1) */
    for (int64_t i = rows.first; i < rows.last && l < network->layers; i++) { /* no activation on layer L */
        /* (2) a^l_j = sigma(z^l_j) */
        layer->activation->value(n, layer->parameter, z + i * stride, sigma + i * stride);
        if (pass->mask[l])
            drop(pass, l, draws, i, first, n);
        if (panels.last == layer->panels)
            a[i * stride + n] = 1;
    }
}

void dt_pass_forward(dt_pass *pass, dt_span rows, bool keep_z, dt_laps *laps)
{
    for (int64_t l = 1; l <= pass->network->layers; l++) {
        dt_pass_forward_units(pass, l, 0, rows, (dt_span){0, pass->network->layer[l].panels}, keep_z, NULL);
        dt_lap(laps, DT_PHASE_FORWARD, l);
    }
}

const dt_real *dt_pass_output(const dt_pass *pass, int64_t i)
{
    const int64_t L = pass->network->layers;
    return pass->z[L] + i * pass->stride[L];
}

int64_t dt_pass_answer(const dt_pass *pass, int64_t i)
{
    const int64_t L = pass->network->layers, units = pass->network->layer[L].units;
    const dt_real *z = pass->z[L] + i * pass->stride[L];
    int64_t best = 0;
    dt_real most = z[0];
    for (int64_t j = 1; j < units; j++) { /* without branches, which nobody could predict */
        const int64_t better = -(int64_t)(z[j] > most);
        best = (best & ~better) | (j & better);
        most = z[j] > most ? z[j] : most;
    }
    return best;
}

/* delta's padding must be zero: (5) forms whole panels. */
static void clear_padding(dt_real *delta, int64_t units)
{
    for (int64_t j = units; j < dt_whole_panels(units); j++)
        delta[j] = 0;
}

/* Of several labels all are right: those that z^L says are there, above the threshold, and those that aren't. */
static bool labels_right(const dt_pass *pass, int64_t units, const dt_real *z, const double *t)
{
    int64_t right = 0;
    for (int64_t j = 0; j < units; j++)
        right += ((double)z[j] > pass->threshold) == (t[j] > 0.5);
    return right == units;
}

void dt_pass_cost(dt_pass *pass, const dt_dataset *data, const int64_t *sample, dt_span rows)
{
    const int64_t L = pass->network->layers, units = pass->network->layer[L].units, stride = pass->stride[L];
    for (int64_t i = rows.first; i < rows.last; i++) {
        const dt_target target = data->targets ? (dt_target){-1, data->targets + sample[i] * data->outputs}
                                               : (dt_target){data->labels[sample[i]], NULL};
        const dt_real *z = pass->z[L] + i * stride;
        dt_real *delta = pass->delta[L] + i * stride;
        pass->cost[i] = pass->loss->cost(pass->options, units, z, target, delta); /* (3) delta^L_j = dC/dz^L_j */
        clear_padding(delta, units);
        pass->right[i] = target.t ? data->kind == DT_TARGETS_MULTILABEL && labels_right(pass, units, z, target.t)
                                  : dt_pass_answer(pass, i) == target.y;
    }
}

void dt_pass_backward_units(dt_pass *pass, int64_t l, dt_span rows, dt_span panels, bool keep_z)
{
    const dt_network *network = pass->network;
    const dt_layer *layer = &network->layer[l], *next = &network->layer[l + 1];
    const int64_t stride = pass->stride[l], first = panels.first * DT_LANES, column = next->transposed_rows * DT_LANES;
    const int64_t n = dt_min(panels.last * DT_LANES, layer->units) - first;
    if (panels.first == panels.last)
        return;
    const dt_real *z = place_of_z(pass, l, keep_z) + first, *mask = pass->mask[l];
    const dt_real *a = (mask ? pass->sigma[l] : pass->a[l]) + first;
    dt_real *delta = pass->delta[l] + first;
    /* (4) delta^l_j = sigma'(z^l_j) sum_i delta^{l+1}_i w^{l+1}_ij */
    network->products->product(dt_span_count(rows), dt_span_count(panels), next->units,
                               pass->delta[l + 1] + rows.first * pass->stride[l + 1], pass->stride[l + 1],
                               next->transposed + panels.first * column, column, delta + rows.first * stride, stride);
    for (int64_t i = rows.first; i < rows.last; i++) {
        for (int64_t j = 0; mask && j < n; j++)
            delta[i * stride + j] *= mask[i * stride + first + j];
        layer->activation->derivative(n, layer->parameter, z + i * stride, a + i * stride, delta + i * stride);
        clear_padding(delta + i * stride, n);
    }
}

void dt_pass_backward(dt_pass *pass, dt_span rows, bool keep_z, dt_laps *laps)
{
    for (int64_t l = pass->network->layers - 1; l >= 1; l--) {
        dt_pass_backward_units(pass, l, rows, (dt_span){0, pass->network->layer[l].panels}, keep_z);
        dt_lap(laps, DT_PHASE_BACKWARD, l);
    }
}

dt_matrix_view dt_pass_samples(const dt_pass *pass, dt_quantity quantity, int64_t l, dt_span rows)
{
    dt_real *const *array = quantity == DT_QUANTITY_Z ? pass->z : quantity == DT_QUANTITY_A ? pass->a : pass->delta;
    const int64_t units = l ? pass->network->layer[l].units : pass->network->layer[1].inputs;
    for (int64_t i = rows.first; i < rows.last && l == 0 && pass->sparse; i++)
        dt_sparse_write_row(pass->sparse, i, units, pass->a[0] + i * pass->stride[0]);
    return (dt_matrix_view){array[l] + rows.first * pass->stride[l], dt_span_count(rows), units, pass->stride[l]};
}

void dt_pass_copy_slice(const dt_pass *pass, dt_quantity quantity, int64_t l, const dt_slice *slice, void *out)
{
    const bool gradient = quantity == DT_QUANTITY_DW || quantity == DT_QUANTITY_DB;
    const bool weights = quantity == DT_QUANTITY_W || quantity == DT_QUANTITY_DW;
    if (l != slice->l || (gradient && !slice->gradient))
        return;
    for (int64_t block = slice->first; block < slice->last; block++) {
        const int64_t at = (block - slice->first) * DT_BLOCK;
        const dt_real *from =
            gradient ? (const dt_real *)slice->gradient + at : pass->network->parameters + block * DT_BLOCK;
        dt_network_export_block(pass->network, from, block, weights ? out : NULL, weights ? NULL : out);
    }
}
