/* How the words of a text file became numbers: the classes' names, and of a table each column's kind. The training set
 * makes it, other sets and model.h5 share it.
 *
 * As text, a line each, its parts separated by tabs (in parts, tab, newline and backslash are \t, \n and \\):
 *
 *     class    NAME                   class 0, 1, ... are called so; without any, labels are their own numbers
 *     number   NAME  FILL             a column of numbers; FILL stands for a missing one, empty where none may be
 *     words    NAME  WORD WORD ...    a column of words: one input each, 1 where the field holds it
 *     label    NAME                   a column that is no input
 */
#ifndef DT_DATA_COLUMNS_H
#define DT_DATA_COLUMNS_H

#include "base/memory.h"
#include "deltoid/dataset.h"

typedef enum dt_column_kind { DT_COLUMN_NUMBER, DT_COLUMN_WORDS, DT_COLUMN_LABEL } dt_column_kind;

typedef struct dt_column {
    const char *name;
    dt_column_kind kind;
    bool fills; /* a missing number becomes `fill` */
    double fill;
    const char **words; /* (word_count), ascending */
    size_t word_count;
} dt_column;

/* Zero-initialise; everything lives in `arena`. */
typedef struct dt_columns {
    dt_arena arena;
    const char **classes; /* (class_count) */
    size_t class_count;
    dt_column *column; /* (count) */
    size_t count;
} dt_columns;

void dt_columns_clear(dt_columns *columns);

/* Inputs that they give. */
int64_t dt_columns_features(const dt_columns *columns);

/* To text, which the caller releases; NULL when memory is out. And from text: DT_MALFORMED with `name` in the message
 * for what no dt_columns_text gave. Clear also after a failure. */
char *dt_columns_text(const dt_columns *columns);
dt_status dt_columns_parse(dt_columns *columns, const char *text, const char *name, dt_error *error);

/* Position of `word` in an ascending list, or -1. */
int64_t dt_word_find(const char *const *words, size_t count, const char *word);

/* Sorts in the order of bytes and drops doubles; what is left of `count`. */
size_t dt_words_sort(const char **words, size_t count);

/* The classes' names as a data set holds them: one block, which the caller releases. NULL when memory is out. */
const char *const *dt_label_names(const char *const *names, size_t count);

#endif
