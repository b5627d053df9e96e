/* HTML that is also well-formed XML: every element is closed, every text escaped.
 *
 * What comes from outside goes through dt_html_text alone. Elements are written by the functions here or as literals of
 * the sources. Nothing fails at the call (plot/buffer.h).
 */
#ifndef DT_REPORT_HTML_H
#define DT_REPORT_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Text of an element, or of an attribute in double quotes: & < > " ' escaped; what is not UTF-8, and control characters
 * but tab and newline, become U+FFFD. */
void dt_html_text(dt_buffer *out, const char *text);

/* The same for a text in printf's way; `most` bytes of it at most 1023. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void dt_html_format(dt_buffer *out, const char *format, ...);

/* The same for a sentence, whose first letter becomes a capital where it is one of ASCII. */
void dt_html_sentence(dt_buffer *out, const char *text);

/* <name>text</name> */
void dt_html_element(dt_buffer *out, const char *name, const char *text);

/* --- tables: a caption, a row of heads, rows of cells; they scroll sideways on a narrow screen --- */

typedef struct dt_html_column {
    const char *name;
    bool number; /* to the right */
} dt_html_column;

void dt_html_table_begin(dt_buffer *out, const char *caption, const dt_html_column *columns, size_t count);
void dt_html_table_end(dt_buffer *out);

/* A row: the first cell may be its head. */
void dt_html_row_begin(dt_buffer *out);
void dt_html_row_end(dt_buffer *out);
void dt_html_head(dt_buffer *out, const char *text);
void dt_html_cell(dt_buffer *out, const char *text);
void dt_html_words(dt_buffer *out, const char *text); /* a cell of a sentence, which needs room */
void dt_html_code(dt_buffer *out, const char *text);  /* a cell in a fixed width: a hash, a file's name */

/* A number with so many digits after its point, or (digits < 0) -digits in all; "–" where it is not a number. */
void dt_html_number(dt_buffer *out, int digits, double value);

/* The digits alone, as text; returns `text`, of which DT_NUMBER_TEXT bytes may be written. */
enum { DT_NUMBER_TEXT = 32 };
const char *dt_number_text(char *text, int digits, double value);

/* Two columns without heads, name and value: facts. An empty or NULL value makes no row. */
void dt_html_facts_begin(dt_buffer *out, const char *caption);
void dt_html_fact(dt_buffer *out, const char *name, const char *value);
void dt_html_fact_code(dt_buffer *out, const char *name, const char *value);

/* A word of a POSIX shell, quoted where it has to be; not escaped for HTML yet. Within single quotes nothing but they
 * themselves means anything. */
void dt_html_shell_word(dt_buffer *out, const char *text);

/* Commands or files, as they are. */
void dt_html_pre(dt_buffer *out, const char *label, const char *text);

#endif
