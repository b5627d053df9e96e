/* Whose is what, and what goes from worker to worker. */
#include "base/split.h"
#include "study/model_own.h"

static int64_t lanes_of(const dt_model_network *n)
{
    return dt_max(1, 64 / n->real);
}

static int64_t panels_of(const dt_model_network *n, int64_t l)
{
    return dt_ceil_div(n->units[l], lanes_of(n));
}

/* Blocks of the parameter vector, as kernels/products.h lays it out. */
static int64_t blocks_of(const dt_model_network *n, int64_t l)
{
    return panels_of(n, l) * dt_ceil_div(n->units[l - 1] + 1, lanes_of(n));
}

bool dt_model_by_units(const dt_model_network *n, dt_model_strategy strategy, int64_t workers, int64_t l)
{
    const int64_t panels = panels_of(n, l);
    const int64_t most = dt_ceil_div(panels, workers) * workers; /* in use, if all had as many as the busiest */
    return strategy == DT_MODEL_SPLIT && workers > 1 && panels >= workers && n->units[l] > n->samples &&
           8 * most <= 9 * panels;
}

static double part_of(dt_span own, dt_span all)
{
    const int64_t first = dt_max(own.first, all.first), last = dt_min(own.last, all.last);
    return (double)dt_max(0, last - first) / (double)dt_span_count(all);
}

double dt_model_slice(const dt_model_network *n, dt_model_strategy strategy, int64_t workers, int64_t l, int64_t worker)
{
    if (strategy == DT_MODEL_SERIAL)
        return worker == 0;
    if (strategy == DT_MODEL_SPLIT) {
        const int64_t parts = dt_model_by_units(n, strategy, workers, l) ? panels_of(n, l) : blocks_of(n, l);
        return part_of(dt_split(parts, workers, worker), (dt_span){0, parts});
    }
    int64_t first = 0, all = 0;
    for (int64_t k = 1; k <= n->layers; k++) {
        first += k < l ? blocks_of(n, k) : 0;
        all += blocks_of(n, k);
    }
    return part_of(dt_split(all, workers, worker), (dt_span){first, first + blocks_of(n, l)});
}

int64_t dt_model_barriers(const dt_model_network *network, dt_model_strategy strategy, int64_t workers)
{
    int64_t barriers = workers > 1 ? 2 : 0;
    bool whole = dt_model_by_units(network, strategy, workers, 1);
    for (int64_t l = 1; l <= network->layers; l++) {
        const bool units = dt_model_by_units(network, strategy, workers, l);
        barriers += units ? 1 + !whole : 0;
        whole = units;
    }
    return barriers;
}

double dt_model_rows(const dt_model_parts *p, int64_t worker)
{
    const dt_model_network *n = p->network;
    const dt_span own = dt_split(dt_ceil_div(n->samples, n->shard_size), p->workers, worker);
    return (double)(dt_min(own.last * n->shard_size, n->samples) - dt_min(own.first * n->shard_size, n->samples));
}

/* --- phases; numbers, not bytes --- */

static bool by_units(const dt_model_parts *p, int64_t l)
{
    return l > 0 && dt_model_by_units(p->network, p->strategy, p->workers, l);
}

static double slice_of(const dt_model_parts *p, int64_t l, int64_t worker)
{
    return dt_model_slice(p->network, p->strategy, p->workers, l, worker);
}

/* Another worker forms some of layer l's gradient from all rows. */
static bool others_form(const dt_model_parts *p, int64_t l, int64_t worker)
{
    for (int64_t other = 0; other < p->workers && dt_model_has_slices(p->strategy); other++)
        if (other != worker && slice_of(p, l, other) > 0)
            return true;
    return false;
}

/* Of a^l in the worker's own rows and in those of others, what others wrote. */
typedef struct foreign {
    double own, others;
} foreign;

static foreign foreign_of(const dt_model_parts *p, int64_t l, int64_t worker)
{
    const double rows = dt_model_rows(p, worker), rest = (double)p->network->samples - rows;
    const double units = (double)p->network->units[l];
    if (!by_units(p, l))
        return (foreign){0, rest * units};
    const double part = units * (1 - slice_of(p, l, worker));
    return (foreign){rows * part, rest * part};
}

static dt_model_traffic forward(const dt_model_parts *p, int64_t l, int64_t worker)
{
    const dt_model_network *n = p->network;
    const double rows = dt_model_rows(p, worker), slice = slice_of(p, l, worker);
    const foreign below = foreign_of(p, l - 1, worker);
    const bool last = l == n->layers;
    if (by_units(p, l)) /* of z^L others read their own rows alone */
        return (dt_model_traffic){l == 1 ? 0 : below.own + below.others,
                                  (double)n->units[l] * slice * ((double)n->samples - (last ? rows : 0))};
    return (dt_model_traffic){dt_model_parameters(n, l) * (rows > 0 ? 1 - slice : 0) + below.own,
                              !last && others_form(p, l + 1, worker) ? rows * (double)n->units[l] : 0};
}

/* Transposed copies are read whole, and written by those who step the weights. */
static dt_model_traffic backward(const dt_model_parts *p, int64_t l, int64_t worker)
{
    const dt_model_network *n = p->network;
    const double rows = dt_model_rows(p, worker);
    if (l == 0 || l == n->layers)
        return (dt_model_traffic){0};
    return (dt_model_traffic){
        (double)n->units[l] * (double)n->units[l + 1] * (rows > 0 ? 1 - slice_of(p, l + 1, worker) : 0),
        others_form(p, l, worker) ? rows * (double)n->units[l] * (1 - slice_of(p, l, worker)) : 0};
}

/* The weights of a slice, which others have read, and their transposed copy. */
static double stepped(const dt_model_parts *p, int64_t l, int64_t worker)
{
    return dt_model_parameters(p->network, l) * slice_of(p, l, worker) * (!by_units(p, l) + (l > 1));
}

static dt_model_traffic gradient(const dt_model_parts *p, int64_t l, int64_t worker)
{
    const dt_model_network *n = p->network;
    const double rows = dt_model_rows(p, worker), others = (double)n->samples - rows, slice = slice_of(p, l, worker);
    if (!dt_model_has_slices(p->strategy)) /* of its buffer all but its own slice is read by others */
        return (dt_model_traffic){0, rows > 0 ? dt_model_parameters(n, l) * (1 - slice) : 0};
    if (!(slice > 0))
        return (dt_model_traffic){0};
    const double a = by_units(p, l) ? 0 : foreign_of(p, l - 1, worker).others; /* by units: it came forward */
    return (dt_model_traffic){a + others * (double)n->units[l] * slice, stepped(p, l, worker)};
}

static dt_model_traffic cost(const dt_model_parts *p, int64_t worker)
{
    const int64_t L = p->network->layers;
    const double rows = dt_model_rows(p, worker), units = (double)p->network->units[L];
    return (dt_model_traffic){foreign_of(p, L, worker).own,
                              others_form(p, L, worker) ? rows * units * (1 - slice_of(p, L, worker)) : 0};
}

static dt_model_traffic numbers_of(const dt_model_parts *p, dt_phase phase, int64_t l, int64_t worker)
{
    const dt_model_network *n = p->network;
    switch (phase) {
    case DT_PHASE_GATHER:
        return (dt_model_traffic){0, l == 0 && !by_units(p, 1) && others_form(p, 1, worker)
                                         ? dt_model_rows(p, worker) * (double)n->units[0]
                                         : 0};
    case DT_PHASE_FORWARD:
        return l > 0 ? forward(p, l, worker) : (dt_model_traffic){0};
    case DT_PHASE_COST:
        return l == 0 ? cost(p, worker) : (dt_model_traffic){0};
    case DT_PHASE_BACKWARD:
        return backward(p, l, worker);
    case DT_PHASE_GRADIENT:
        return l > 0 ? gradient(p, l, worker) : (dt_model_traffic){0};
    case DT_PHASE_UPDATE:
        if (l > 0 && !dt_model_has_slices(p->strategy))
            return (dt_model_traffic){dt_model_parameters(n, l) * slice_of(p, l, worker) * (double)(p->workers - 1),
                                      stepped(p, l, worker)};
        return (dt_model_traffic){0};
    default:
        return (dt_model_traffic){0};
    }
}

dt_model_traffic dt_model_phase_traffic(const dt_model_parts *p, dt_phase phase, int64_t l, int64_t worker)
{
    if (p->workers == 1)
        return (dt_model_traffic){0};
    const dt_model_traffic t = numbers_of(p, phase, l, worker);
    return (dt_model_traffic){t.read * (double)p->network->real, t.written * (double)p->network->real};
}

dt_model_traffic dt_model_traffic_of(const dt_model_network *network, dt_model_strategy strategy, int64_t workers,
                                     int64_t worker)
{
    const dt_model_parts parts = {network, strategy, workers};
    dt_model_traffic sum = {0};
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int64_t l = 0; l <= network->layers; l++) {
            const dt_model_traffic t = dt_model_phase_traffic(&parts, (dt_phase)phase, l, worker);
            sum.read += t.read;
            sum.written += t.written;
        }
    return sum;
}
