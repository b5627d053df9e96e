/* From labels as text files have them, words or numbers, to classes 0, 1, ... */
#ifndef DT_DATA_LABELS_H
#define DT_DATA_LABELS_H

#include "data/columns.h"
#include "data/lines.h"

/* The different labels of a training set while it is read. Zero-initialise; the words live in `arena`. */
typedef struct dt_label_set {
    dt_arena *arena;
    const char **words; /* (count), in ascending order of bytes */
    size_t count, room;
    bool has_word; /* one of them is no whole number */
} dt_label_set;

enum { DT_WORDS_MAX = 10000 }; /* different words of one column, or of labels */

/* Adds one; whole numbers in one spelling: "1.0" is "1". False when memory is out or there are more than DT_WORDS_MAX.
 * *place, which may be NULL: its word, in the arena. */
bool dt_label_set_add(dt_label_set *set, const char *label);

/* The spelling that labels are compared in: `text` itself, or a whole number's digits written to `room`. */
const char *dt_label_spelling(const char *text, char room[32]);

/* Is it 0, 1, ... 1,048,575? */
bool dt_label_number(const char *text, int64_t *number);

/* The classes' names in their order, into `columns`: none where the labels are whole numbers from 0 on and `gaps`
 * allows those that don't occur, or none is missing; numbers in ascending order of value, words of bytes. */
dt_status dt_label_set_classes(dt_label_set *set, bool gaps, dt_columns *columns, dt_error *error);

/* Finds classes by name, in whatever order they are. */
typedef struct dt_class_index {
    const char **sorted; /* (count) */
    int32_t *class_of;   /* (count): of sorted[i] */
    size_t count;
} dt_class_index;

/* In the columns' arena. False when memory is out. */
bool dt_class_index_make(dt_class_index *index, dt_columns *columns);

/* The class, or its own number without names; -1 where there is none. */
int64_t dt_class_of(const dt_class_index *index, const char *label);

#endif
