/* Tables as text, plain or gzipped: RFC 4180, with the delimiters and line ends that there are in practice.
 *
 * - Fields may stand in double quotes, with "" for a quote in them, and then hold delimiters and line ends. Spaces
 *   around a field without quotes don't count; empty lines are no rows.
 * - Delimiter: given, or the most frequent of tab ; , | in the first line.
 * - Header: given, or the first line is one if it names a column of `label`, or has a word over a column of numbers.
 * - Columns hold numbers, or words: then each different word becomes an input that is 1 where the field holds it (one
 *   hot), in ascending order of bytes. One that mixes both is refused unless `one_hot` names it.
 * - A missing field (empty, ?, NA, nan, ...) is refused, or filled as `missing` says; among words all its inputs are 0.
 * - Labels: whole numbers from 0 on stay; words and other whole numbers become classes 0, 1, ... in ascending order.
 *
 * The file is read twice: first to see what its columns are, then for the numbers. Memory holds those alone, in the
 * smallest type that keeps them exactly.
 */
#ifndef DT_DATA_CSV_H
#define DT_DATA_CSV_H

#include "deltoid/dataset.h"

/* DT_MALFORMED with line and column; dt_stream_open's statuses; DT_NO_MEMORY. */
dt_status dt_csv_open(dt_dataset *dataset, const dt_opening *opening, dt_error *error);

#endif
