/* auto: the deterministic strategy, and the number of groups, whose step is the shortest by a model of what must be
 * computed and moved. Sizes alone go into it, never the clock; and which it picks changes no bit.
 *
 * The time of a step is that of a worker of the group with most samples a member:
 *
 *     compute    operations of equations (1), (4), (5) and (6) on its part, at a core's usual rate
 *     moved      bytes that another worker wrote last: weights that it doesn't update itself; of the samples that it
 * shares with others, activations and deltas of their units; buffers that it joins, or the samples of other groups that
 * it forms its slice from own        bytes of buffers, and of copies of x, that it writes and reads itself barriers of
 * the team and of its group
 *
 * A strategy that the experiment names has a group for each worker, unless it names their number, too, or has fewer
 * shards than workers, of whom some would have nothing to do: then the model chooses the groups. Strategies that aren't
 * deterministic are never picked.
 *
 * The rates are those of a server's cores of about 2020. They needn't be this machine's: what decides is mostly a
 * factor of two and more. `deltoid scale` measures what the model only guesses, and src/study/model.h predicts by a
 * machine's own probes, with lines that others wrote and lines that others have read apart: at one rate, as here, what
 * moves weighs the same.
 */
#include <stdio.h>
#include <string.h>

#include "parallel/reduction.h"

static const double operations_a_ns = 320.0 / sizeof(dt_real), moved_a_ns = 6, own_a_ns = 20, barrier_ns = 800;

typedef struct cost {
    double compute, moved, own, barriers; /* ns */
} cost;

static double whole(cost c)
{
    return c.compute + c.moved + c.own + c.barriers;
}

/* The largest part of `panels` that one of `parts` has. */
static double share_of(int64_t panels, int64_t parts)
{
    return (double)dt_ceil_div(panels, parts) / (double)panels;
}

/* The group that has most samples a member. */
typedef struct load {
    double samples;
    int64_t members;
} load;

static load busiest(const dt_reduction_sizes *s, int64_t groups)
{
    const int64_t shards = dt_shards_of(s->samples, s->shard_size);
    load most = {0, 1};
    for (int64_t g = 0; g < groups; g++) {
        const int64_t own = dt_span_count(dt_group_shards(shards, s->workers, groups, g));
        const load l = {(double)dt_min(own * s->shard_size, s->samples),
                        dt_span_count(dt_split(s->workers, groups, g))};
        if (l.samples * (double)most.members > most.samples * (double)l.members)
            most = l;
    }
    return most;
}

/* A worker's step with `strategy` and so many groups. */
static cost cost_of(const dt_reduction *strategy, int64_t groups, const dt_reduction_sizes *s)
{
    const double T = (double)s->workers, B = (double)s->samples, others = (T - 1) / T;
    const load most = busiest(s, groups);
    const double R = most.samples;
    const int64_t m = most.members;
    const double partners = (double)(m - 1) / (double)m;
    const int64_t shards = dt_shards_of(s->samples, s->shard_size);
    const bool adds = strategy->buffers && dt_min(groups, shards) > 1;
    double operations = 0, moved = 0, own = 0;
    int64_t barriers = s->workers > 1 ? 2 : 0, before = 0; /* before: the layer below went by the whole team's units */
    for (int64_t l = 1; l <= s->layers; l++) {
        const double in = (double)s->units[l - 1], out = (double)s->units[l], weights = out * (in + 1);
        const int64_t panels = dt_whole_panels(s->units[l]) / DT_LANES;
        const bool units = dt_reduction_by_units(strategy, s->units[l], s->samples, s->workers);
        const bool copies = l == 1 && units;                                               /* of x */
        const bool stays = units || (groups == 1 && dt_shares_evenly(panels, s->workers)); /* W^l, with its worker */
        const double part = share_of(panels, m), forward = units ? share_of(panels, s->workers) : part;
        operations += 2 * (units ? B : R) * weights * forward;
        moved += stays ? 0 : weights * part * others;
        moved += copies ? 0 : units ? B * in * others : R * in * (before ? others : partners);
        own += copies ? 2 * B * in : 0;
        barriers += copies ? 0 : units || before || m > 1;
        if (l < s->layers) { /* (4): delta^{l+1} and the weights above */
            const double above = (double)s->units[l + 1];
            operations += 2 * R * out * above * part;
            moved += out * above * part * others + R * above * partners;
            barriers += m > 1;
        }
        operations += adds ? 2 * R * weights / (double)m : 2 * B * weights / T;
        if (adds) {
            moved += R * (in + out) * partners + weights / T * (double)(dt_min(groups, shards) - 1);
            own += weights / (double)m + weights / T;
        } else {
            moved += B * ((copies ? 0 : in) + out) * others;
        }
        before = units;
    }
    barriers += before || m > 1 ? 1 + (m > 1) : 0; /* before the cost, and behind it */
    return (cost){.compute = operations / operations_a_ns,
                  .moved = moved * sizeof(dt_real) / moved_a_ns,
                  .own = own * sizeof(dt_real) / own_a_ns,
                  .barriers = (double)barriers * barrier_ns};
}

/* --- choosing --- */

typedef struct candidate {
    const dt_reduction *strategy;
    int64_t groups;
    cost cost;
} candidate;

/* The best number of groups for a strategy: of halves of the workers, and one for each shard. */
static candidate best_groups(const dt_reduction *strategy, int64_t groups, const dt_reduction_sizes *s)
{
    candidate best = {strategy, groups ? groups : s->workers, cost_of(strategy, groups ? groups : s->workers, s)};
    const int64_t shards = dt_shards_of(s->samples, s->shard_size);
    for (int64_t g = s->workers / 2; g >= 1 && !groups; g /= 2) {
        const cost c = cost_of(strategy, g, s);
        if (whole(c) < whole(best.cost))
            best = (candidate){strategy, g, c};
    }
    if (!groups && shards < s->workers && whole(cost_of(strategy, shards, s)) < whole(best.cost))
        best = (candidate){strategy, shards, cost_of(strategy, shards, s)};
    return best;
}

static void add_words(char *text, const char *words)
{
    const size_t n = strlen(text);
    snprintf(text + n, DT_CHOICE_TEXT - n, "%s", words);
}

/* "23.4 us a step by the model: compute 20.0, moved 2.4, own buffers 0, barriers 1.0" */
static void tell(dt_choice *choice, const candidate *best)
{
    char words[DT_CHOICE_TEXT];
    const cost *c = &best->cost;
    snprintf(words, sizeof words,
             "%.0f us a step by a model: %.0f to compute, %.0f to move, %.0f for own buffers, %.0f at barriers",
             whole(*c) / 1e3, c->compute / 1e3, c->moved / 1e3, c->own / 1e3, c->barriers / 1e3);
    add_words(choice->why, words);
}

static void tell_other(dt_choice *choice, const candidate *other, bool groups)
{
    char words[80];
    if (groups)
        snprintf(words, sizeof words, "; %lld group%s %.0f", (long long)other->groups, other->groups > 1 ? "s" : "",
                 whole(other->cost) / 1e3);
    else
        snprintf(words, sizeof words, "; %s %.0f", other->strategy->entry.name, whole(other->cost) / 1e3);
    add_words(choice->why, words);
}

/* A strategy is given, and more workers than shards. */
static void choose_groups(dt_choice *choice, const dt_reduction_sizes *sizes)
{
    const dt_reduction *strategy = choice->strategy;
    const candidate best = best_groups(strategy, 0, sizes);
    choice->groups = best.groups;
    if (best.groups == sizes->workers) /* as ever: no words */
        return;
    const candidate data = {strategy, sizes->workers, cost_of(strategy, sizes->workers, sizes)};
    tell(choice, &best);
    tell_other(choice, &data, true);
}

static void choose_strategy(dt_choice *choice, int64_t groups, const dt_reduction_sizes *sizes)
{
    static const dt_reduction *const strategies[] = {&dt_reduction_tree, &dt_reduction_owner, &dt_reduction_split};
    candidate best[3];
    int first = 0;
    for (int i = 0; i < 3; i++) {
        best[i] = best_groups(strategies[i], groups, sizes);
        if (whole(best[i].cost) < whole(best[first].cost))
            first = i;
    }
    choice->strategy = best[first].strategy;
    choice->groups = best[first].groups;
    if (sizes->workers == 1) {
        add_words(choice->why, "one worker has nothing to add");
        return;
    }
    tell(choice, &best[first]);
    for (int i = 0; i < 3; i++)
        if (i != first)
            tell_other(choice, &best[i], false);
}

dt_choice dt_reduction_choose(const char *name, int64_t groups, const dt_reduction_sizes *sizes)
{
    dt_choice choice = {.groups = groups ? dt_min(groups, sizes->workers) : sizes->workers};
    for (size_t i = 0; (choice.strategy = dt_reduction_at(i)); i++)
        if (strcmp(choice.strategy->entry.name, name) == 0)
            break;
    if (!choice.strategy)
        return choice;
    if (choice.strategy->chosen)
        choose_strategy(&choice, groups ? choice.groups : 0, sizes);
    else if (!groups && choice.strategy->deterministic &&
             dt_shards_of(sizes->samples, sizes->shard_size) < sizes->workers)
        choose_groups(&choice, sizes);
    return choice;
}

const dt_reduction dt_reduction_auto = {
    .entry = {"auto", "tree, owner or split, whichever a model of their steps finds the shortest", "deterministic"},
    .deterministic = true,
    .chosen = true,
};
