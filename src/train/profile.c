#include "train/profile.h"

#include <stdbool.h>
#include <time.h>

#include "base/memory.h"

/* One worker's, in cache lines of its own. */
typedef struct sheet {
    _Alignas(DT_CACHE_LINE) dt_laps laps;
    int64_t steps, own, batch; /* samples of its rows, of whole minibatches */
} sheet;

struct dt_profile {
    dt_profile_shape shape;
    sheet *sheets;
    uint64_t began_ticks;
    double began_seconds; /* together: how long a tick is */
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

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

dt_status dt_profile_create(dt_profile **profile, const dt_profile_shape *shape, dt_error *error)
{
    *profile = NULL;
    dt_profile *p = dt_allocate_zeroed(1, sizeof *p);
    if (!p)
        return dt_fail_memory(error, "the profile");
    p->shape = *shape;
    const size_t cells = (size_t)(DT_PHASES * (shape->layers + 1));
    p->sheets = dt_allocate_zeroed((size_t)shape->workers, sizeof *p->sheets);
    for (int64_t t = 0; p->sheets && t < shape->workers; t++) {
        p->sheets[t].laps.layers = shape->layers + 1;
        if (!(p->sheets[t].laps.ticks = dt_allocate_zeroed(cells, sizeof(uint64_t)))) {
            dt_profile_destroy(p);
            return dt_fail_memory(error, "the profile");
        }
    }
    if (!p->sheets) {
        dt_profile_destroy(p);
        return dt_fail_memory(error, "the profile");
    }
    p->began_ticks = dt_ticks();
    p->began_seconds = seconds();
    *profile = p;
    return DT_OK;
}

void dt_profile_destroy(dt_profile *profile)
{
    if (!profile)
        return;
    for (int64_t t = 0; profile->sheets && t < profile->shape.workers; t++)
        dt_release(profile->sheets[t].laps.ticks);
    dt_release(profile->sheets);
    dt_release(profile);
}

dt_laps *dt_profile_laps(dt_profile *profile, int64_t worker)
{
    return &profile->sheets[worker].laps;
}

void dt_profile_count(dt_profile *profile, int64_t worker, int64_t own, int64_t batch)
{
    sheet *s = &profile->sheets[worker];
    s->steps++;
    s->own += own;
    s->batch += batch;
}

/* Weights and biases of layer l. */
static double parameters(const dt_profile_shape *shape, int64_t l)
{
    return (double)shape->units[l] * ((double)shape->units[l - 1] + 1);
}

/* Operations and bytes of a row (deltoid/profile.h). */
static void add_work(const dt_profile *profile, const sheet *s, dt_profile_row *row)
{
    const dt_profile_shape *shape = &profile->shape;
    const int64_t *units = shape->units, l = row->l, L = shape->layers;
    const double real = (double)shape->real, own = (double)s->own, steps = (double)s->steps;
    const double share = shape->formed_in_slices ? 1 / (double)shape->workers : 1;
    const double formed = shape->formed_in_slices ? (double)s->batch : own; /* samples whose dW it forms */
    switch (row->phase) {
    case DT_PHASE_GATHER:
        row->bytes = own * (double)units[0] * (real + (double)shape->element);
        break;
    case DT_PHASE_FORWARD:
        row->flop = 2 * own * parameters(shape, l);
        row->bytes = real * (steps * parameters(shape, l) + own * (double)(units[l - 1] + units[l]));
        break;
    case DT_PHASE_COST:
        row->bytes = real * own * 2 * (double)units[L];
        break;
    case DT_PHASE_BACKWARD:
        row->flop = 2 * own * (double)units[l] * (double)units[l + 1];
        row->bytes =
            real * (steps * (double)units[l] * (double)units[l + 1] + own * (double)(units[l + 1] + 2 * units[l]));
        break;
    case DT_PHASE_GRADIENT:
        row->flop = 2 * share * formed * parameters(shape, l);
        row->bytes = real * (formed * (double)(units[l - 1] + units[l]) +
                             steps * share * parameters(shape, l) * (shape->formed_in_slices ? 2 : 1));
        break;
    case DT_PHASE_UPDATE:
        for (int64_t k = 1; k <= L; k++)
            row->bytes += real * steps * parameters(shape, k) * ((double)shape->workers + 2) / (double)shape->workers;
        break;
    default:
        break;
    }
}

bool dt_profile_row_at(const dt_profile *profile, size_t i, dt_profile_row *row)
{
    const double ticks = (double)(dt_ticks() - profile->began_ticks);
    const double tick = ticks > 0 ? (seconds() - profile->began_seconds) / ticks : 0;
    const int64_t cells = profile->shape.layers + 1;
    for (int64_t t = 0; t < profile->shape.workers; t++)
        for (int phase = 0; phase < DT_PHASES; phase++)
            for (int64_t l = 0; l < cells; l++) {
                const sheet *s = &profile->sheets[t];
                const uint64_t spent = s->laps.ticks[phase * cells + l];
                if (!spent || i-- > 0)
                    continue;
                *row = (dt_profile_row){.worker = t, .phase = (dt_phase)phase, .l = l, .seconds = (double)spent * tick};
                add_work(profile, s, row);
                return true;
            }
    return false;
}
