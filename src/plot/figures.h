/* One data set of a capture that may be hostile, and the figures of one of its steps. For the confined child of
 * capture.c: needs no memory but what it is given. */
#ifndef DT_PLOT_FIGURES_H
#define DT_PLOT_FIGURES_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "deltoid/status.h"

/* Numbers by (step), or by (step, row, column): extents 1 where the rank is less. id < 0: not there. */
typedef struct dt_number_set {
    hid_t id, space;
    hsize_t extent[3];
} dt_number_set;

/* Room for the name of a rule, a group at the root. */
enum { DT_RULE_NAME = 65 };
bool dt_is_rule_name(const char *name);

/* The rules of a file, by name; further ones are left out. */
enum { DT_RULES_MAX = 64 };
typedef struct dt_rule_list {
    char name[DT_RULES_MAX][DT_RULE_NAME];
    int count;
} dt_rule_list;
bool dt_rule_list_read(hid_t file, dt_rule_list *rules);

/* DT_MALFORMED: what is wrong with a set of the file. */
dt_status dt_fail_set(const char *path, const char *set, const char *why, dt_error *error);

/* A link of that name that leads nowhere else: not soft, not external. */
bool dt_number_set_exists(hid_t file, const char *name);

/* Opens what is stored in this file itself, plainly or by HDF5's own filters, with numbers of that class (H5T_INTEGER,
 * H5T_FLOAT) and that rank, 1 to 3. Returns what is wrong with it, NULL where nothing is. */
const char *dt_number_set_open(hid_t file, const char *name, H5T_class_t class, int rank, dt_number_set *set);
void dt_number_set_close(dt_number_set *set);

/* Numbers start .. start + count - 1 of each dimension, as doubles or int64_t; false where they can't be read. */
bool dt_number_set_read(const dt_number_set *set, const hsize_t start[3], const hsize_t count[3], double *to);
bool dt_number_set_read_integers(const dt_number_set *set, const hsize_t start[3], const hsize_t count[3], int64_t *to);

/* Element `step` of an integer set; false where it can't be read. */
bool dt_number_set_integer(const dt_number_set *set, int64_t step, int64_t *value);

/* The numbers of an attribute of the set, at most `most`; how many, 0 where there is none, it has more, or is of
 * another kind. */
int dt_number_set_attribute(const dt_number_set *set, const char *name, double *to, int most);

enum { DT_NUMBERS_MAX = 1 << 20 };

/* Of one step. */
typedef struct dt_tally {
    double squares;     /* sum of the squares of all numbers */
    double norms;       /* sum of the norms of the rows that are there */
    int64_t rows;       /* that are there: a sample that a short minibatch doesn't have is NaN throughout */
    int64_t zeros, all; /* numbers that are exactly 0, and all, of those rows */
    double absolutes;   /* sum of the absolute values of those rows, NaN left out */
    int64_t counted;    /* numbers in it */
    double largest;     /* absolute value */
    double row_squares; /* of the row at hand */
    int64_t row_zeros, row_nans;
} dt_tally;

/* Goes through all rows of a step; `numbers` has room for DT_NUMBERS_MAX. False where it can't be read. */
bool dt_tally_step(const dt_number_set *set, int64_t step, double *numbers, dt_tally *tally);

#endif
