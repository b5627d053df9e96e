#include "train/profile.h"

#include <stdbool.h>
#include <time.h>

#include "base/memory.h"

/* One worker's, in cache lines of its own. Steps either fill buffers and join them, or form slices. */
typedef struct sheet {
    _Alignas(DT_CACHE_LINE) dt_laps laps;
    double part; /* of its group's units and buffers */
    dt_profile_slice slice;
    int64_t steps, busy, samples;   /* all; those with rows of its own; these rows */
    int64_t filled, filled_samples; /* steps that filled a buffer; its own rows in them */
    int64_t joined, buffers;        /* steps that joined; buffers joined */
    int64_t sliced, sliced_samples; /* steps that formed slices; samples of whole minibatches */

    /* Of sparse rows: inputs of its own and of whole minibatches; rows of weights read forward, and stepped. */
    int64_t batches, numbers, batch_numbers, rows_read, rows_stepped;
} sheet;

/* A moment on both clocks: two of them say how long a tick is. */
typedef struct moment {
    uint64_t ticks;
    double seconds;
} moment;

struct dt_profile {
    dt_profile_shape shape;
    sheet *sheets;
    moment began;
};

static const struct {
    const char *name, *help;
} phases[] = {
#define DT_PHASE_TEXT(id, name, help) {name, help},
    DT_PHASE_LIST(DT_PHASE_TEXT)
#undef DT_PHASE_TEXT
};

const char *dt_phase_name(dt_phase phase)
{
    return phases[phase].name;
}

const char *dt_phase_help(dt_phase phase)
{
    return phases[phase].help;
}

/* The closest of a few readings: a thread may lose its processor between the clocks. */
static moment now(void)
{
    moment best = {0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        struct timespec t;
        const uint64_t before = dt_ticks();
        clock_gettime(CLOCK_MONOTONIC, &t);
        const uint64_t apart = dt_ticks() - before;
        if (apart < least) {
            least = apart;
            best = (moment){before + apart / 2, (double)t.tv_sec + 1e-9 * (double)t.tv_nsec};
        }
    }
    return best;
}

static bool sheet_create(sheet *s, int64_t layers, int64_t members)
{
    const size_t line = DT_CACHE_LINE / sizeof(uint64_t);
    const size_t cells = ((size_t)(DT_PHASES * (layers + 1)) + line - 1) / line * line; /* no line is another's, too */
    s->laps.layers = layers + 1;
    s->part = 1 / (double)members;
    s->laps.ticks = dt_allocate_zeroed(cells, sizeof *s->laps.ticks);
    s->slice.parameters = dt_allocate_zeroed((size_t)layers + 1, sizeof *s->slice.parameters);
    return s->laps.ticks && s->slice.parameters;
}

/* Workers of worker t's group. */
static int64_t members_of(const dt_profile_shape *shape, int64_t t)
{
    return dt_span_count(dt_split(shape->workers, shape->groups, dt_split_part(shape->workers, shape->groups, t)));
}

dt_status dt_profile_create(dt_profile **profile, const dt_profile_shape *shape, dt_error *error)
{
    *profile = NULL;
    dt_profile *p = dt_allocate_zeroed(1, sizeof *p);
    if (!p)
        return dt_fail_memory(error, "the profile");
    p->shape = *shape;
    bool made = (p->sheets = dt_allocate_zeroed((size_t)shape->workers, sizeof *p->sheets)) != NULL;
    for (int64_t t = 0; made && t < shape->workers; t++)
        made = sheet_create(&p->sheets[t], shape->layers, members_of(shape, t));
    if (!made) {
        dt_profile_destroy(p);
        return dt_fail_memory(error, "the profile");
    }
    p->began = now();
    *profile = p;
    return DT_OK;
}

void dt_profile_destroy(dt_profile *profile)
{
    if (!profile)
        return;
    for (int64_t t = 0; profile->sheets && t < profile->shape.workers; t++) {
        dt_release(profile->sheets[t].laps.ticks);
        dt_release(profile->sheets[t].slice.parameters);
    }
    dt_release(profile->sheets);
    dt_release(profile);
}

dt_profile_slice *dt_profile_slice_of(dt_profile *profile, int64_t worker)
{
    return &profile->sheets[worker].slice;
}

dt_laps *dt_profile_laps(dt_profile *profile, int64_t worker)
{
    return &profile->sheets[worker].laps;
}

void dt_profile_begin(dt_profile *profile)
{
    const uint64_t began = dt_ticks();
    for (int64_t t = 0; t < profile->shape.workers; t++)
        profile->sheets[t].laps.last = began;
}

void dt_profile_end(dt_profile *profile)
{
    for (int64_t t = 0; t < profile->shape.workers; t++)
        dt_lap(&profile->sheets[t].laps, DT_PHASE_WAIT, 0);
}

static void count_inputs(sheet *s, int64_t batch, int64_t features, const dt_profile_inputs *inputs)
{
    s->batches += batch;
    s->numbers += inputs->own;
    s->batch_numbers += inputs->batch;
    s->rows_read += dt_min(inputs->own + 1, inputs->columns);
    s->rows_stepped += inputs->in_place ? inputs->columns : features + 1;
}

void dt_profile_count(dt_profile *profile, int64_t worker, int64_t own, int64_t batch, const dt_profile_inputs *inputs)
{
    const dt_profile_shape *shape = &profile->shape;
    const int64_t shards = dt_ceil_div(batch, shape->shard_size);
    sheet *s = &profile->sheets[worker];
    s->steps++;
    s->busy += own > 0;
    s->samples += own;
    if (inputs)
        count_inputs(s, batch, shape->units[0], inputs);
    if (shape->free || (shape->buffers && shards > 1)) { /* one shard is one group's: nothing to join */
        s->filled += own > 0;
        s->filled_samples += own;
        s->joined += !shape->free;
        s->buffers += shape->free ? 0 : shape->shared ? 1 : dt_min(shape->groups, shards);
    } else {
        s->sliced++;
        s->sliced_samples += batch;
    }
}

/* --- operations and bytes of a row (deltoid/profile.h) --- */

/* Weights and biases of layer l. */
static double parameters(const dt_profile_shape *shape, int64_t l)
{
    return (double)shape->units[l] * ((double)shape->units[l - 1] + 1);
}

/* Numbers that the optimizer's step reads and writes for each parameter: itself, its states, its transposed copy. */
static double stepped(const sheet *s, int64_t l)
{
    return 2 + 2 * (double)s->slice.states + (l > 1);
}

/* Layer 1 of sparse rows: slices, whatever becomes of other layers. */
static void add_sparse(const dt_profile_shape *shape, const sheet *s, dt_profile_row *row)
{
    const double real = (double)shape->real, out = (double)shape->units[1], index = sizeof(int32_t);
    const double share = (double)s->slice.parameters[1] / parameters(shape, 1);
    switch (row->phase) {
    case DT_PHASE_GATHER:
        row->bytes = (double)s->numbers * (real + (double)shape->element + 2 * index);
        break;
    case DT_PHASE_FORWARD:
        row->flop = 2 * (double)(s->numbers + s->samples) * out;
        row->bytes = (double)s->numbers * (real + index) + real * (double)(s->rows_read + s->samples) * out;
        break;
    case DT_PHASE_GRADIENT:
        row->samples = s->slice.parameters[1] ? s->batches : 0;
        row->flop = 2 * (double)(s->batch_numbers + s->batches) * out * share;
        row->bytes = (double)s->batch_numbers * (real + index) +
                     real * out * share * ((double)s->batches + (double)s->rows_stepped * stepped(s, 1));
        break;
    default:
        break;
    }
}

static void add_gradient(const dt_profile_shape *shape, const sheet *s, dt_profile_row *row)
{
    const int64_t l = row->l, sliced = s->slice.parameters[l] ? s->sliced_samples : 0;
    const double in = (double)shape->units[l - 1], out = (double)shape->units[l];
    const double mine = (double)s->slice.parameters[l], all = parameters(shape, l);
    const double filled = (double)s->filled_samples;
    const double kept = shape->free ? 3 + (double)(row->l > 1) : 1; /* the worker's copy of the weights, too */
    row->samples = s->filled_samples + sliced;
    row->flop = 2 * (filled * all + (double)sliced * mine);
    row->bytes =
        (double)shape->real * (filled * (in + out) + kept * (double)s->filled * all * s->part +
                               (double)sliced * (in + out * mine / all) + mine * (double)s->sliced * stepped(s, l));
}

/* Buffers joined, and stepped. A step that is watched reads and writes no more: blocks are shown in the nearest cache.
 */
static void add_update(const dt_profile_shape *shape, const sheet *s, dt_profile_row *row)
{
    const double added = shape->shared ? 3 * (double)s->filled * parameters(shape, row->l) * s->part : 0;
    row->bytes = (double)shape->real * (added + (double)s->slice.parameters[row->l] *
                                                    ((double)s->buffers + (double)s->joined * stepped(s, row->l)));
}

static void add_work(const dt_profile_shape *shape, const sheet *s, dt_profile_row *row)
{
    const int64_t *units = shape->units, l = row->l;
    const double real = (double)shape->real, samples = (double)s->samples, busy = (double)s->busy;
    row->steps = s->steps;
    row->samples = row->phase <= DT_PHASE_BACKWARD ? s->samples : 0;
    if (shape->sparse && (row->phase == DT_PHASE_GATHER || (l == 1 && row->phase != DT_PHASE_BACKWARD))) {
        add_sparse(shape, s, row);
        return;
    }
    switch (row->phase) {
    case DT_PHASE_GATHER:
        row->bytes = samples * (double)units[0] * (real + (double)shape->element);
        break;
    case DT_PHASE_FORWARD:
        row->flop = 2 * samples * parameters(shape, l);
        row->bytes = real * (busy * parameters(shape, l) * s->part + samples * (double)(units[l - 1] + units[l]));
        break;
    case DT_PHASE_COST:
        row->bytes = real * samples * 2 * (double)units[shape->layers];
        break;
    case DT_PHASE_BACKWARD:
        row->flop = 2 * samples * (double)units[l] * (double)units[l + 1];
        row->bytes = real * (busy * (double)units[l] * (double)units[l + 1] * s->part +
                             samples * (double)(units[l + 1] + 2 * units[l]));
        break;
    case DT_PHASE_GRADIENT:
        add_gradient(shape, s, row);
        break;
    case DT_PHASE_UPDATE:
        add_update(shape, s, row);
        break;
    default:
        break;
    }
}

bool dt_profile_row_at(const dt_profile *profile, size_t i, dt_profile_row *row)
{
    const int64_t cells = profile->shape.layers + 1;
    for (int64_t t = 0; t < profile->shape.workers; t++)
        for (int phase = 0; phase < DT_PHASES; phase++)
            for (int64_t l = 0; l < cells; l++) {
                const sheet *s = &profile->sheets[t];
                const uint64_t spent = s->laps.ticks[phase * cells + l];
                if (!spent || i-- > 0)
                    continue;
                const moment m = now();
                const double tick = (m.seconds - profile->began.seconds) / (double)(m.ticks - profile->began.ticks);
                *row = (dt_profile_row){.worker = t, .phase = (dt_phase)phase, .l = l, .seconds = (double)spent * tick};
                add_work(&profile->shape, s, row);
                return true;
            }
    return false;
}
