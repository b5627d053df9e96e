#include "record/snapshot.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "record/model_file.h"
#include "record/sha256.h"

/* To add a number that a run needs to go on: a field in dt_trainer_position, and a line here, at the end. */
static const struct {
    const char *name;
    size_t offset;
    dt_part_kind kind;
} numbers[] = {
    {"step", offsetof(dt_trainer_position, step), DT_PART_INTEGER},
    {"epochs", offsetof(dt_trainer_position, epochs), DT_PART_INTEGER},
    {"epoch_step", offsetof(dt_trainer_position, epoch_step), DT_PART_INTEGER},
    {"loss_sum", offsetof(dt_trainer_position, loss_sum), DT_PART_DOUBLE},
    {"right", offsetof(dt_trainer_position, right), DT_PART_INTEGER},
    {"seen", offsetof(dt_trainer_position, seen), DT_PART_INTEGER},
    {"seconds", offsetof(dt_trainer_position, seconds), DT_PART_DOUBLE},
    {"epoch_seconds", offsetof(dt_trainer_position, epoch_seconds), DT_PART_DOUBLE},
    {"best", offsetof(dt_trainer_position, best), DT_PART_DOUBLE},
    {"best_epoch", offsetof(dt_trainer_position, best_epoch), DT_PART_INTEGER},
    {"restored", offsetof(dt_trainer_position, restored), DT_PART_INTEGER},
    {"schedule_factor", offsetof(dt_trainer_position, schedule.factor), DT_PART_DOUBLE},
    {"schedule_best", offsetof(dt_trainer_position, schedule.best), DT_PART_DOUBLE},
    {"schedule_bad_epochs", offsetof(dt_trainer_position, schedule.bad_epochs), DT_PART_INTEGER},
    {"schedule_cooldown", offsetof(dt_trainer_position, schedule.cooldown), DT_PART_INTEGER},
    {"done", offsetof(dt_trainer_position, done), DT_PART_INTEGER},
};

enum { NUMBERS = sizeof numbers / sizeof *numbers, NUMBER_BYTES = 8 };

/* --- the list of parts --- */

/* false on overflow. */
static bool add_part(dt_snapshot *s, dt_part part)
{
    const size_t element = part.kind == DT_PART_REAL ? dt_precision_size(s->experiment->precision) : NUMBER_BYTES;
    size_t bytes = element;
    for (int i = 0; i < part.rank; i++)
        if (!dt_multiply(bytes, (size_t)part.size[i], &bytes))
            return false;
    part.offset = s->block_bytes;
    part.bytes = bytes;
    /* Each at a multiple of 8; weights alone stand without gaps, for their hash: their sizes are told by `bytes`. */
    if (bytes > SIZE_MAX / 2 - 8 || __builtin_add_overflow(s->block_bytes, (bytes + 7) / 8 * 8, &s->block_bytes))
        return false;
    s->parts[s->count++] = part;
    return true;
}

static bool add_arrays(dt_snapshot *s, const char *prefix)
{
    for (int64_t l = 1; l <= (int64_t)s->experiment->layer_count; l++) {
        const int64_t units = dt_trainer_units(s->trainer, l), inputs = dt_trainer_units(s->trainer, l - 1);
        dt_part W = {.kind = DT_PART_REAL, .rank = 2, .size = {units, inputs}};
        dt_part b = {.kind = DT_PART_REAL, .rank = 1, .size = {units}};
        snprintf(W.path, sizeof W.path, "%s" DT_MODEL_LAYER "/W", prefix, (int)l);
        snprintf(b.path, sizeof b.path, "%s" DT_MODEL_LAYER "/b", prefix, (int)l);
        if (!add_part(s, W) || !add_part(s, b))
            return false;
    }
    return true;
}

static bool list_parts(dt_snapshot *s)
{
    const char *name;
    bool good = add_arrays(s, "");
    s->weights = s->count;
    for (int i = 0; good && (name = dt_trainer_state_name(s->trainer, i)); i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "/state/%.48s", name);
        good = add_arrays(s, prefix);
    }
    for (size_t i = 0; good && i < NUMBERS; i++) {
        dt_part part = {.kind = numbers[i].kind, .rank = 0};
        snprintf(part.path, sizeof part.path, "/state/%s", numbers[i].name);
        good = add_part(s, part);
    }
    return good;
}

dt_status dt_snapshot_create(dt_snapshot **snapshot, const dt_trainer *trainer, dt_error *error)
{
    *snapshot = NULL;
    dt_snapshot *s = dt_allocate_zeroed(1, sizeof *s);
    if (!s)
        return dt_fail_memory(error, "a checkpoint");
    s->trainer = trainer;
    s->experiment = dt_trainer_experiment(trainer);
    size_t arrays = 1;
    for (int i = 0; dt_trainer_state_name(trainer, i); i++)
        arrays++;
    s->parts = dt_allocate(2 * arrays * s->experiment->layer_count + NUMBERS, sizeof *s->parts);
    bool good = s->parts && list_parts(s);
    s->block = good ? dt_allocate_array(s->block_bytes, 1) : NULL;
    if (!s->block) {
        dt_snapshot_destroy(s);
        return dt_fail_memory(error, "a checkpoint");
    }
    memset(s->block, 0, s->block_bytes); /* here and not while steps wait */
    *snapshot = s;
    return DT_OK;
}

void dt_snapshot_destroy(dt_snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->kept_count; i++)
        dt_release(s->kept[i].bytes);
    dt_release(s->block);
    dt_release(s->parts);
    dt_release(s);
}

dt_status dt_snapshot_keep(dt_snapshot *s, const char *name, size_t size, dt_error *error)
{
    if (s->kept_count == DT_BYTES_MAX || strlen(name) >= DT_BYTES_NAME)
        return dt_fail(error, DT_INVALID, "'%.80s': a checkpoint has no room for it; it keeps %d states of short names",
                       name, DT_BYTES_MAX);
    dt_kept_bytes kept = {.size = size, .bytes = dt_allocate_zeroed(size ? size : 1, 1)};
    if (!kept.bytes)
        return dt_fail_memory(error, "a checkpoint");
    snprintf(kept.name, sizeof kept.name, "%s", name);
    size_t i = s->kept_count++;
    for (; i > 0 && strcmp(s->kept[i - 1].name, name) > 0; i--) /* as a file lists them, and the hash */
        s->kept[i] = s->kept[i - 1];
    s->kept[i] = kept;
    return DT_OK;
}

dt_kept_bytes *dt_snapshot_kept(dt_snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->kept_count; i++)
        if (strcmp(s->kept[i].name, name) == 0)
            return &s->kept[i];
    return NULL;
}

/* --- out of a trainer and back --- */

static void take_number(dt_snapshot *s, size_t i)
{
    const dt_part *part = &s->parts[s->count - NUMBERS + i];
    memcpy(s->block + part->offset, (const char *)&s->position + numbers[i].offset, NUMBER_BYTES);
}

void dt_snapshot_take(dt_snapshot *s)
{
    const dt_part *part = s->parts;
    for (int i = -1; i < 0 || dt_trainer_state_name(s->trainer, i); i++)
        for (int64_t l = 1; l <= (int64_t)s->experiment->layer_count; l++, part += 2) {
            void *W = s->block + part[0].offset, *b = s->block + part[1].offset;
            if (i < 0)
                dt_trainer_weights(s->trainer, l, W, b);
            else
                dt_trainer_state(s->trainer, i, l, W, b);
        }
    dt_trainer_position_of(s->trainer, &s->position);
    for (size_t i = 0; i < NUMBERS; i++)
        take_number(s, i);
}

void dt_snapshot_read_position(dt_snapshot *s)
{
    for (size_t i = 0; i < NUMBERS; i++)
        memcpy((char *)&s->position + numbers[i].offset, s->block + s->parts[s->count - NUMBERS + i].offset,
               NUMBER_BYTES);
}

dt_status dt_snapshot_give(const dt_snapshot *s, dt_trainer *trainer, dt_error *error)
{
    dt_status status = dt_trainer_set_position(trainer, &s->position, error);
    if (status != DT_OK)
        return status;
    const dt_part *part = s->parts;
    for (int i = -1; i < 0 || dt_trainer_state_name(trainer, i); i++)
        for (int64_t l = 1; l <= (int64_t)s->experiment->layer_count; l++, part += 2) {
            const void *W = s->block + part[0].offset, *b = s->block + part[1].offset;
            if (i < 0)
                dt_trainer_set_weights(trainer, l, W, b);
            else
                dt_trainer_set_state(trainer, i, l, W, b);
        }
    return DT_OK;
}

/* --- what it is worth --- */

bool dt_snapshot_is_finite(const dt_snapshot *s)
{
    for (size_t p = 0; p < s->weights; p++) {
        const void *bytes = s->block + s->parts[p].offset;
        const double *wide = bytes;
        const float *narrow = bytes;
        const bool is_wide = s->experiment->precision == DT_FLOAT64;
        const size_t n = s->parts[p].bytes / (is_wide ? sizeof *wide : sizeof *narrow);
        double sum = 0; /* 0 x is NaN where x is not finite, and stays */
        for (size_t i = 0; i < n; i++)
            sum += 0 * (is_wide ? wide[i] : (double)narrow[i]);
        if (isnan(sum))
            return false;
    }
    return true;
}

dt_status dt_snapshot_sha256(const dt_snapshot *s, char weights[65], char all[65], dt_error *error)
{
    const size_t others = s->count - s->weights, most = 2 * others + 3 * s->kept_count + 3;
    dt_bytes *pieces = dt_allocate(most > s->weights ? most : s->weights, sizeof *pieces);
    if (!pieces)
        return dt_fail_memory(error, "a checkpoint's hash");
    for (size_t i = 0; i < s->weights; i++)
        pieces[i] = (dt_bytes){s->block + s->parts[i].offset, s->parts[i].bytes};
    dt_status status = dt_sha256(pieces, s->weights, weights, error);
    size_t n = 0;
    pieces[n++] = (dt_bytes){weights, 65};
    pieces[n++] = (dt_bytes){s->experiment_id, 65};
    pieces[n++] = (dt_bytes){s->data_id, 65};
    for (size_t i = s->weights; i < s->count; i++) {
        pieces[n++] = (dt_bytes){s->parts[i].path, strlen(s->parts[i].path) + 1};
        pieces[n++] = (dt_bytes){s->block + s->parts[i].offset, s->parts[i].bytes};
    }
    for (size_t i = 0; i < s->kept_count; i++) {
        pieces[n++] = (dt_bytes){s->kept[i].name, strlen(s->kept[i].name) + 1};
        pieces[n++] = (dt_bytes){&s->kept[i].size, sizeof s->kept[i].size};
        pieces[n++] = (dt_bytes){s->kept[i].bytes, s->kept[i].size};
    }
    if (status == DT_OK)
        status = dt_sha256(pieces, n, all, error);
    dt_release(pieces);
    return status;
}
