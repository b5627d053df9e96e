/* Text that grows, and numbers and strings as YAML and JSON write them.
 *
 * Appending never fails at the call: `failed` says afterwards whether memory ran out.
 */
#ifndef DT_CLI_TEXT_H
#define DT_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dt_text {
    char *bytes; /* terminated; NULL while nothing was appended */
    size_t length, room;
    bool failed;
} dt_text;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void dt_text_add(dt_text *text, const char *format, ...);
void dt_text_clear(dt_text *text);

/* The shortest decimal that reads back as the same number: "0.1", "1.0e-05". */
void dt_text_add_real(dt_text *text, double value);

/* A YAML scalar that reads back as this string: plain where it can be, else in double quotes. */
void dt_text_add_yaml(dt_text *text, const char *string);

/* Length of the UTF-8 character at `text`, of which `left` bytes (at least 1) are there; 0 where there is none. */
size_t dt_utf8_length(const char *text, size_t left);

/* A JSON string in quotes (what is not UTF-8 becomes U+FFFD), and a JSON number: null where it is not finite. */
void dt_text_add_json(dt_text *text, const char *string);
void dt_text_add_json_real(dt_text *text, double value);

#endif
