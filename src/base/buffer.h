/* Text that grows. Appending never fails at the call: `failed` says afterwards whether memory ran out, and what was
 * appended is then incomplete. Zero-initialise; clear to free. */
#ifndef DT_BASE_BUFFER_H
#define DT_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct dt_buffer {
    char *bytes; /* terminated; NULL while nothing was appended */
    size_t length, room;
    bool failed;
} dt_buffer;

void dt_buffer_add(dt_buffer *buffer, const char *text);
void dt_buffer_add_bytes(dt_buffer *buffer, const char *bytes, size_t size);
void dt_buffer_repeat(dt_buffer *buffer, const char *text, int times);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void dt_buffer_format(dt_buffer *buffer, const char *format, ...);

/* One line of what came from outside, fit for a comment, a title or a terminal: control characters and what is not
 * UTF-8 become '?', a backquote an apostrophe, and more than `most` characters end in "..". Returns the number of
 * characters. */
size_t dt_buffer_add_outside(dt_buffer *buffer, const char *text, size_t most);

/* Characters (code points) of UTF-8 text; of other text, some number. */
size_t dt_characters(const char *text);

/* Bytes of the UTF-8 character at `text`: 0 where there is none, it is overlong, a surrogate or beyond U+10FFFF. And
 * whether it is one that moves a cursor or turns a line's direction: C0, DEL, C1, U+2028 .. U+202E. */
size_t dt_character_bytes(const char *text);
bool dt_character_is_control(const char *text, size_t bytes);

void dt_buffer_clear(dt_buffer *buffer);

#endif
