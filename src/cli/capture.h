/* deltoid capture: its actions, one a file, and what they share. To add one, write its function and add a line to the
 * table in capture.c. */
#ifndef DT_CLI_CAPTURE_H
#define DT_CLI_CAPTURE_H

#include <stdint.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/command.h"
#include "deltoid/capture.h"

/* Each takes the command's arguments, of which positional[0] is the action's name and [1] the run. */
dt_status dt_capture_info(const dt_arguments *arguments, dt_error *error);
dt_status dt_capture_run_recover(const dt_arguments *arguments, dt_error *error);
dt_status dt_capture_csv(const dt_arguments *arguments, dt_error *error);
dt_status dt_capture_grad(const dt_arguments *arguments, dt_error *error);

/* --- where a table goes: standard output, or a file that appears whole --- */

typedef struct dt_sink {
    FILE *stream;
    dt_new_file file;
    const char *path; /* NULL: standard output */
} dt_sink;

dt_status dt_sink_open(dt_sink *sink, const char *path, dt_error *error);

/* Publishes the file where `status`, which is returned, is DT_OK; else leaves none. */
dt_status dt_sink_close(dt_sink *sink, dt_status status, dt_error *error);

/* A number of a data set so that it reads back to the same bits, NaN as "nan". */
void dt_sink_number(dt_sink *sink, const dt_capture_dataset *set, const void *number);

/* --- selections --- */

enum { DT_RANGES_MAX = 256 };

/* Whole numbers "3,17,20:29", both ends included; ":9" and "20:" are open. */
typedef struct dt_ranges {
    int count; /* 0: all */
    int64_t first[DT_RANGES_MAX], last[DT_RANGES_MAX];
} dt_ranges;

/* `text` NULL: all. DT_INVALID with the option's name. */
dt_status dt_ranges_parse(dt_ranges *ranges, const char *option, const char *text, dt_error *error);
bool dt_ranges_have(const dt_ranges *ranges, int64_t n);

/* The number of an option that must be there, at least 0. */
dt_status dt_capture_number(const dt_arguments *arguments, const char *option, int64_t *value, dt_error *error);

/* The first place in ascending steps that holds `step` or more. */
int64_t dt_steps_place(const int64_t *steps, int64_t count, int64_t step);

#endif
