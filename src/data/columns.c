#include "data/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
    [DT_COLUMN_NUMBER] = "number", [DT_COLUMN_WORDS] = "words", [DT_COLUMN_LABEL] = "label"};

void dt_columns_clear(dt_columns *columns)
{
    dt_arena_clear(&columns->arena);
    *columns = (dt_columns){.classes = NULL};
}

int64_t dt_columns_features(const dt_columns *columns)
{
    int64_t features = 0;
    for (size_t c = 0; c < columns->count; c++) {
        const dt_column *column = &columns->column[c];
        features += column->kind == DT_COLUMN_NUMBER ? 1 : (int64_t)column->word_count;
    }
    return features;
}

/* --- lists of words --- */

int64_t dt_word_find(const char *const *words, size_t count, const char *word)
{
    size_t first = 0, last = count;
    while (first < last) {
        const size_t middle = first + (last - first) / 2;
        const int order = strcmp(words[middle], word);
        if (order == 0)
            return (int64_t)middle;
        if (order < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return -1;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t dt_words_sort(const char **words, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort((void *)words, count, sizeof *words, compare);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(words[kept - 1], words[i]) != 0)
            words[kept++] = words[i];
    return kept;
}

const char *const *dt_label_names(const char *const *names, size_t count)
{
    size_t bytes = count * sizeof *names;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(names[i]) + 1;
    const char **copy = dt_allocate(bytes, 1);
    char *at = copy ? (char *)(copy + count) : NULL;
    for (size_t i = 0; copy && i < count; i++) {
        const size_t size = strlen(names[i]) + 1;
        copy[i] = memcpy(at, names[i], size);
        at += size;
    }
    return copy;
}

/* --- to text --- */

/* Twice: first without `to`, which gives the size. */
typedef struct writer {
    char *to;
    size_t size;
} writer;

static void put(writer *w, char c)
{
    if (w->to)
        w->to[w->size] = c;
    w->size++;
}

static void put_plain(writer *w, const char *text)
{
    for (; *text; text++)
        put(w, *text);
}

static void put_part(writer *w, const char *text)
{
    put(w, '\t');
    for (; *text; text++) {
        const char *special = strchr("\t\n\\", *text);
        if (special)
            put(w, '\\');
        put(w, !special ? *text : *text == '\t' ? 't' : *text == '\n' ? 'n' : '\\');
    }
}

static void put_column(writer *w, const dt_column *column)
{
    char fill[32] = "";
    put_plain(w, kinds[column->kind]);
    put_part(w, column->name);
    if (column->kind == DT_COLUMN_NUMBER) {
        if (column->fills)
            snprintf(fill, sizeof fill, "%.17g", column->fill);
        put_part(w, fill);
    }
    for (size_t i = 0; column->kind == DT_COLUMN_WORDS && i < column->word_count; i++)
        put_part(w, column->words[i]);
    put(w, '\n');
}

static void put_all(writer *w, const dt_columns *columns)
{
    for (size_t i = 0; i < columns->class_count; i++) {
        put_plain(w, "class");
        put_part(w, columns->classes[i]);
        put(w, '\n');
    }
    for (size_t c = 0; c < columns->count; c++)
        put_column(w, &columns->column[c]);
    put(w, '\0');
}

char *dt_columns_text(const dt_columns *columns)
{
    writer w = {NULL, 0};
    put_all(&w, columns);
    w.to = dt_allocate(w.size, 1);
    w.size = 0;
    if (w.to)
        put_all(&w, columns);
    return w.to;
}

/* --- from text --- */

/* The next part of a line into the arena's memory that `text` is: *text moves behind it. Undoes the escapes in place.
 */
static char *take_part(char **text, char *end_of_part)
{
    char *part = *text, *to = *text, *from = *text;
    while (*from && *from != '\t' && *from != '\n') {
        if (*from == '\\' && from[1])
            *to++ = *++from == 't' ? '\t' : *from == 'n' ? '\n' : *from;
        else
            *to++ = *from;
        from++;
    }
    *end_of_part = *from;
    *text = *from ? from + 1 : from;
    *to = '\0';
    return part;
}

static size_t count_char(const char *text, char c)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

static bool take_column(dt_columns *columns, dt_column_kind kind, char **text, char end)
{
    dt_column *column = &columns->column[columns->count++];
    column->kind = kind;
    column->name = end == '\t' ? take_part(text, &end) : NULL;
    if (!column->name)
        return false;
    if (kind == DT_COLUMN_NUMBER) {
        char *after, *fill = end == '\t' ? take_part(text, &end) : NULL;
        column->fills = fill && *fill;
        column->fill = column->fills ? strtod(fill, &after) : 0;
        return fill && (!column->fills || (!*after && isfinite(column->fill))) && end != '\t';
    }
    if (kind == DT_COLUMN_LABEL)
        return end != '\t';
    size_t tabs = 0;
    for (const char *c = *text; *c && *c != '\n'; c++)
        tabs += *c == '\t';
    column->words = dt_arena_allocate(&columns->arena, tabs + 1, sizeof *column->words);
    if (!column->words)
        return false;
    while (end == '\t') {
        column->words[column->word_count] = take_part(text, &end);
        if (column->word_count && strcmp(column->words[column->word_count - 1], column->words[column->word_count]) >= 0)
            return false;
        column->word_count++;
    }
    return column->word_count > 0;
}

static bool take_line(dt_columns *columns, char **text)
{
    char end;
    const char *kind = take_part(text, &end);
    if (strcmp(kind, "class") == 0 && end == '\t') {
        columns->classes[columns->class_count++] = take_part(text, &end);
        return end != '\t';
    }
    for (dt_column_kind k = DT_COLUMN_NUMBER; k <= DT_COLUMN_LABEL; k++)
        if (strcmp(kind, kinds[k]) == 0)
            return take_column(columns, k, text, end);
    return false;
}

dt_status dt_columns_parse(dt_columns *columns, const char *text, const char *name, dt_error *error)
{
    const size_t lines = count_char(text, '\n') + 1;
    char *at = dt_arena_duplicate(&columns->arena, text);
    columns->classes = dt_arena_allocate(&columns->arena, lines, sizeof *columns->classes);
    columns->column = dt_arena_allocate(&columns->arena, lines, sizeof *columns->column);
    if (!at || !columns->classes || !columns->column)
        return dt_fail_memory(error, "the columns of a table");
    while (*at)
        if (!take_line(columns, &at))
            return dt_fail(error, DT_MALFORMED,
                           "%s: what it says of the data's columns is damaged; use a copy that is sound", name);
    return DT_OK;
}
