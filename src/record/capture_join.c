/* Data sets of all parts, joined along their steps. */
#include "record/capture_reader.h"

#include <stdio.h>
#include <string.h>

const dt_capture_dataset *dt_part_find(const dt_capture_part *part, size_t near, const char *name)
{
    if (near < part->set_count && strcmp(part->sets[near].name, name) == 0)
        return &part->sets[near];
    for (size_t i = 0; i < part->set_count; i++)
        if (strcmp(part->sets[i].name, name) == 0)
            return &part->sets[i];
    return NULL;
}

static dt_capture_dataset *find_joined(const dt_capture_reader *r, size_t near, const char *name)
{
    for (size_t i = 0; i < r->set_count; i++) {
        dt_capture_dataset *set = &r->sets[(near + i) % r->set_count];
        if (strcmp(set->name, name) == 0)
            return set;
    }
    return NULL;
}

static bool alike(const dt_capture_dataset *a, const dt_capture_dataset *b)
{
    bool same = a->rank == b->rank && a->real == b->real && a->has_sign == b->has_sign && a->element == b->element &&
                a->has_steps == b->has_steps;
    for (int i = a->has_steps; i < a->rank && same; i++)
        same = a->size[i] == b->size[i];
    return same;
}

/* A part may lack a rule of which it has no step, but has nothing of its own. */
static bool fits(dt_capture_reader *r, dt_capture_part *part)
{
    for (size_t s = 0; s < part->set_count; s++) {
        const dt_capture_dataset *d = &part->sets[s], *joined = find_joined(r, s, d->name);
        int64_t size;
        if (joined && alike(d, joined) && !__builtin_add_overflow(d->size[0], joined->size[0], &size))
            continue;
        part->damaged = true;
        snprintf(part->why, sizeof part->why, "%s is not as in the rest of the capture", d->name);
        return false;
    }
    return true;
}

/* The steps of a rule's data sets must be equal in number: else what is the step of a row? */
static bool is_even(dt_capture_part *part)
{
    char rule[DT_DATASET_NAME], step[DT_DATASET_NAME + 8];
    for (size_t s = 0; s < part->set_count; s++) {
        dt_rule_of(part->sets[s].name, rule);
        snprintf(step, sizeof step, "%s/step", rule);
        const dt_capture_dataset *d = &part->sets[s], *steps = dt_part_find(part, part->set_count, step);
        if (!d->has_steps || (steps && steps->size[0] == d->size[0]))
            continue;
        part->damaged = true;
        snprintf(part->why, sizeof part->why, "%s has not as many steps as its rule", d->name);
        return false;
    }
    return true;
}

/* Starts from what the index has, without its steps; without one, from all that the parts have. */
static dt_status make_joined(dt_capture_reader *r, dt_error *error)
{
    const bool indexed = r->is_index && r->has_index;
    size_t room = indexed ? r->index_count : 0;
    for (size_t i = 0; i < r->part_count && !indexed; i++)
        room += dt_part_is_read(&r->parts[i]) ? r->parts[i].set_count : 0;
    r->sets = dt_allocate(room + 1, sizeof *r->sets);
    if (!r->sets)
        return dt_fail_memory(error, "a list of data sets");
    if (indexed && room)
        memcpy(r->sets, r->index, room * sizeof *r->sets);
    r->set_count = indexed ? room : 0;
    for (size_t i = 0; i < r->part_count && !indexed; i++)
        for (size_t s = 0; dt_part_is_read(&r->parts[i]) && s < r->parts[i].set_count; s++)
            if (!find_joined(r, s, r->parts[i].sets[s].name))
                r->sets[r->set_count++] = r->parts[i].sets[s];
    for (size_t s = 0; s < r->set_count; s++)
        if (r->sets[s].has_steps) {
            r->sets[s].size[0] = r->sets[s].stored = 0;
            r->sets[s].is_virtual = true; /* until a part is found to have it */
        }
    return DT_OK;
}

static void add_steps(dt_capture_dataset *joined, const dt_capture_dataset *d)
{
    joined->size[0] += d->size[0];
    joined->stored += d->stored;
    if (!joined->is_virtual)
        return;
    joined->is_virtual = false;
    memcpy(joined->chunk, d->chunk, sizeof joined->chunk);
    joined->gzip = d->gzip;
    joined->shuffle = d->shuffle;
}

dt_status dt_parts_join(dt_capture_reader *r, dt_error *error)
{
    for (size_t i = 0; i < r->part_count; i++)
        (void)(r->uneven || !dt_part_is_read(&r->parts[i]) || is_even(&r->parts[i]));
    dt_status status = make_joined(r, error);
    for (size_t i = 0; i < r->part_count && status == DT_OK; i++) {
        dt_capture_part *part = &r->parts[i];
        const bool taken = dt_part_is_read(part) && fits(r, part);
        for (size_t s = 0; taken && s < part->set_count; s++)
            if (part->sets[s].has_steps)
                add_steps(find_joined(r, s, part->sets[s].name), &part->sets[s]);
    }
    for (size_t s = 0; s < r->set_count && r->rule_count < DT_READER_RULES_MAX; s++) {
        if (r->sets[s].is_virtual && !r->sets[s].fault[0]) { /* in no part: no step was captured */
            r->sets[s].is_virtual = false;
            for (int i = 0; i < r->sets[s].rank; i++)
                r->sets[s].chunk[i] = i && r->sets[s].size[i] ? r->sets[s].size[i] : 1;
        }
        if (dt_is_step(&r->sets[s]))
            snprintf(r->rules[r->rule_count++], DT_DATASET_NAME, "%.*s", (int)strcspn(r->sets[s].name + 1, "/"),
                     r->sets[s].name + 1);
    }
    return status;
}
