/* The pairs of processors that the team's workers may be on, and what is seen of them. */
#include "base/memory.h"
#include "base/split.h"
#include "machine/measure.h"
#include "machine/processors.h"

enum { PAIRS_ALL = 8 }; /* up to so many processors every pair is looked at */

static void mark(dt_worker *worker, void *context)
{
    (void)worker;
    dt_processors_mark(context);
}

static void add_pair(dt_machine *machine, int first, int second)
{
    if (machine->pair_count < DT_MACHINE_PAIRS_MAX)
        machine->pairs[machine->pair_count++].last = (dt_placement){.first = first, .second = second};
}

/* Those that the team's workers may be on, and the pairs among them. */
dt_status dt_measure_find_pairs(dt_measuring *m, dt_error *error)
{
    dt_machine *machine = m->machine;
    dt_processor_set *set = dt_allocate_zeroed(1, sizeof *set);
    int *numbers = dt_allocate(DT_PROCESSORS_MAX, sizeof *numbers);
    dt_status status = DT_OK;
    if (set && numbers) {
        dt_team_run(m->all, mark, set);
        const int count = dt_processors_list(set, 0, DT_PROCESSORS_MAX, numbers);
        machine->processors = dt_max(1, count);
        for (int i = 0; machine->workers > 1 && i < count; i++)
            for (int j = i + 1; j < count && (count <= PAIRS_ALL || j == i + 1); j++)
                add_pair(machine, numbers[i], numbers[j]);
    } else {
        status = dt_fail_memory(error, "the list of processors");
    }
    dt_release(set);
    dt_release(numbers);
    return status;
}

/* Looks at every pair once. */
dt_status dt_measure_look(dt_measuring *m, dt_error *error)
{
    dt_machine *machine = m->machine;
    const double peak = machine->fma[DT_FLOAT32].one.best;
    for (int i = 0; i < machine->pair_count; i++) {
        dt_machine_pair *pair = &machine->pairs[i];
        const dt_status status = dt_machine_placement(pair->last.first, pair->last.second, peak, &pair->last, error);
        if (status != DT_OK)
            return status;
        pair->seen[pair->last.place]++;
        m->pair_ns[i * DT_MEASURE_PARTS + m->looks] = pair->last.ns;
        m->pair_both[i * DT_MEASURE_PARTS + m->looks] = pair->last.both;
    }
    m->looks++;
    return DT_OK;
}

void dt_measure_sum_up_pairs(dt_measuring *m)
{
    for (int i = 0; i < m->machine->pair_count; i++) {
        m->machine->pairs[i].ns = dt_reading_of(m->pair_ns + i * DT_MEASURE_PARTS, m->looks, true);
        m->machine->pairs[i].both = dt_reading_of(m->pair_both + i * DT_MEASURE_PARTS, m->looks, false);
    }
}
