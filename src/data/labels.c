#include "data/labels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/numbers.h"

/* Whole, and small enough that a double counts it. */
static bool whole(const char *text, double *value)
{
    return dt_text_number_of(text, value) == DT_TEXT_NUMBER && *value == floor(*value) && fabs(*value) < 0x1p53;
}

const char *dt_label_spelling(const char *text, char room[32])
{
    double value;
    if (!whole(text, &value))
        return text;
    snprintf(room, 32, "%.0f", value == 0 ? 0 : value);
    return room;
}

bool dt_label_number(const char *text, int64_t *number)
{
    double value;
    if (!whole(text, &value) || value < 0 || value > DT_LABEL_MAX)
        return false;
    *number = (int64_t)value;
    return true;
}

bool dt_label_set_add(dt_label_set *set, const char *label)
{
    char room[32];
    double value;
    const char *word = dt_label_spelling(label, room);
    size_t first = 0, last = set->count;
    while (first < last) {
        const size_t middle = first + (last - first) / 2;
        const int order = strcmp(set->words[middle], word);
        if (order == 0)
            return true;
        if (order < 0)
            first = middle + 1;
        else
            last = middle;
    }
    if (set->count == DT_WORDS_MAX)
        return false;
    if (set->count == set->room) {
        const size_t larger_room = set->room ? 2 * set->room : 32;
        const char **larger = dt_arena_allocate(set->arena, larger_room, sizeof *larger);
        if (!larger)
            return false;
        if (set->count)
            memcpy((void *)larger, (const void *)set->words, set->count * sizeof *larger);
        set->words = larger;
        set->room = larger_room;
    }
    const char *kept = dt_arena_duplicate(set->arena, word);
    if (!kept)
        return false;
    memmove((void *)(set->words + first + 1), (const void *)(set->words + first),
            (set->count - first) * sizeof *set->words);
    set->words[first] = kept;
    set->count++;
    set->has_word = set->has_word || !whole(word, &value);
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = strtod(*(const char *const *)a, NULL), y = strtod(*(const char *const *)b, NULL);
    return (x > y) - (x < y);
}

dt_status dt_label_set_classes(dt_label_set *set, bool gaps, dt_columns *columns, dt_error *error)
{
    if (set->count == 0)
        return DT_OK;
    const char **names = dt_arena_allocate(&columns->arena, set->count, sizeof *names);
    if (!names)
        return dt_fail_memory(error, "the classes' names");
    memcpy((void *)names, (const void *)set->words, set->count * sizeof *names);
    if (!set->has_word) {
        qsort((void *)names, set->count, sizeof *names, compare_numbers);
        const double least = strtod(names[0], NULL), most = strtod(names[set->count - 1], NULL);
        if (least == 0 && most <= DT_LABEL_MAX && (gaps || most == (double)(set->count - 1)))
            return DT_OK; /* they are their own numbers */
    }
    columns->classes = names;
    columns->class_count = set->count;
    return DT_OK;
}

typedef struct named_class {
    const char *name;
    int32_t number;
} named_class;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const named_class *)a)->name, ((const named_class *)b)->name);
}

bool dt_class_index_make(dt_class_index *index, dt_columns *columns)
{
    const size_t n = columns->class_count;
    *index = (dt_class_index){.count = n};
    if (n == 0)
        return true;
    named_class *named = dt_arena_allocate(&columns->arena, n, sizeof *named);
    index->sorted = dt_arena_allocate(&columns->arena, n, sizeof *index->sorted);
    index->class_of = dt_arena_allocate(&columns->arena, n, sizeof *index->class_of);
    if (!named || !index->sorted || !index->class_of)
        return false;
    for (size_t i = 0; i < n; i++)
        named[i] = (named_class){columns->classes[i], (int32_t)i};
    qsort(named, n, sizeof *named, compare_names);
    for (size_t i = 0; i < n; i++) {
        index->sorted[i] = named[i].name;
        index->class_of[i] = named[i].number;
    }
    return true;
}

int64_t dt_class_of(const dt_class_index *index, const char *label)
{
    char room[32];
    int64_t number;
    if (index->count == 0)
        return dt_label_number(label, &number) ? number : -1;
    const int64_t found = dt_word_find(index->sorted, index->count, dt_label_spelling(label, room));
    return found < 0 ? -1 : index->class_of[found];
}
