/* Text files, plain or gzipped, character by character, and lists that grow while they are read: what csv and libsvm
 * share.
 *
 * A byte order mark is skipped; \r\n and \r are line ends like \n. A NUL byte is refused, for it is no text.
 */
#ifndef DT_DATA_LINES_H
#define DT_DATA_LINES_H

#include "data/stream.h"
#include "deltoid/dataset.h"

enum { DT_LINE_MAX = 16 << 20, DT_LINES_BUFFER = 64 << 10 };

typedef struct dt_lines {
    dt_stream stream;
    const char *name; /* of the file, for messages */
    int64_t line;     /* of the character that comes next, from 1 */
    unsigned char *buffer;
    size_t at, end;
    bool after_return;
} dt_lines;

/* Close it also when this fails. dt_stream_open's statuses. */
dt_status dt_lines_open(dt_lines *lines, const char *path, dt_error *error);
void dt_lines_close(dt_lines *lines);

/* The next character, DT_LINES_END at the end, DT_LINES_FAILED with an error. */
enum { DT_LINES_END = -1, DT_LINES_FAILED = -2 };
int dt_lines_next(dt_lines *lines, dt_error *error);

/* A number as text files have it: decimal, with or without point and exponent, finite. */
typedef enum dt_text_number { DT_TEXT_NUMBER, DT_TEXT_NO_NUMBER, DT_TEXT_NOT_FINITE } dt_text_number;
dt_text_number dt_text_number_of(const char *text, double *value);

/* The smallest type that holds every number exactly: bytes, float, double. Starts at DT_U8. */
dt_element dt_element_for(dt_element least, double value);

/* Stores `value` at place i of an array of that type, and takes it out. */
void dt_element_store(dt_element element, void *array, size_t i, double value);

double dt_element_load(dt_element element, const void *array, size_t i);

/* A list of items of one size that grows. Zero-initialise with `size`; `items` is the caller's to release. */
typedef struct dt_list {
    void *items;
    size_t count, room, size;
} dt_list;

/* A place for `count` more items at the end, which count from now on; NULL when memory is out. */
void *dt_list_add(dt_list *list, size_t count);

#endif
