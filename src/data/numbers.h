/* Numbers as files hold them: integers and floats of any size and byte order, turned into what a data set keeps.
 *
 * Inputs keep their value exactly: bytes stay bytes; what a float holds becomes DT_F32, the rest DT_F64.
 */
#ifndef DT_DATA_NUMBERS_H
#define DT_DATA_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "deltoid/dataset.h"

typedef enum dt_number_kind { DT_NUMBER_UNSIGNED, DT_NUMBER_SIGNED, DT_NUMBER_FLOAT } dt_number_kind;

typedef struct dt_numbers {
    const char *name; /* in messages, of many: "unsigned bytes" */
    dt_number_kind kind;
    size_t size; /* bytes a number: 1, 2, 4, 8; floats 2, 4, 8 */
    bool big_endian;
} dt_numbers;

/* The last layer has at most 2^20 units. */
enum { DT_LABEL_MAX = (1 << 20) - 1 };

/* The type of that kind and size, with its name; NULL name where there is none. */
dt_numbers dt_numbers_of(dt_number_kind kind, size_t size, bool big_endian);

/* What inputs of this type become. */
dt_element dt_numbers_element(const dt_numbers *type);

/* Converts n numbers of a file to elements of the type above, to doubles, or to labels 0 .. DT_LABEL_MAX. Returns how
 * many of them, from the first, may stand in a data set: finite, below 2^53 in size, in the range of labels. The first
 * that may not is stored too where there is one, for the message. */
size_t dt_numbers_to_elements(const dt_numbers *type, size_t n, const unsigned char *from, void *to);
size_t dt_numbers_to_f64(const dt_numbers *type, size_t n, const unsigned char *from, void *to);
size_t dt_numbers_to_labels(const dt_numbers *type, size_t n, const unsigned char *from, void *to);

#endif
