/* What the room itself needs of a dt_capture_reader (deltoid/capture.h). */
#ifndef DT_RECORD_CAPTURE_READ_H
#define DT_RECORD_CAPTURE_READ_H

#include "record/hdf5_reader.h"

/* The number of a segment by its file name; -1: it is none. *unfinished: ".seg-000003.h5.part". */
long dt_segment_number(const char *name, bool *unfinished);

/* The child that reads for it, and a file that has the tree's attributes (NULL where there is none). */
dt_hdf5_reader *dt_capture_reader_hdf5(dt_capture_reader *reader);
const char *dt_capture_reader_sound(const dt_capture_reader *reader);

/* A reader of one plain file, whatever its rules' data sets say of their steps: for salvage, which then says how many
 * there are. steps[i] is of the i-th rule, in the order of dt_capture_reader_rule. */
dt_status dt_capture_reader_open_plain(dt_capture_reader **reader, const char *path, dt_error *error);
void dt_capture_reader_limit(dt_capture_reader *reader, const int64_t *steps);

/* Takes part `i` in, whatever it was, as the plain file that `plain` reads, with the data sets and steps that that
 * sees; joins again. */
dt_status dt_capture_reader_admit(dt_capture_reader *reader, size_t i, const dt_capture_reader *plain, dt_error *error);

/* Leaves part `i` out, joins again. */
dt_status dt_capture_reader_leave_out(dt_capture_reader *reader, size_t i, const char *why, dt_error *error);

/* "/probe" of "/probe/layer01/z", into room of DT_DATASET_NAME. */
void dt_rule_of(const char *set, char *rule);

#endif
