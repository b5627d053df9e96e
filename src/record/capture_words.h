/* What a captured data set is, in words: its attributes. */
#ifndef DT_RECORD_CAPTURE_WORDS_H
#define DT_RECORD_CAPTURE_WORDS_H

#include "record/capture_layout.h"

typedef struct dt_capture_words {
    char long_name[256], equation[256];
    const char *units, *scaling;
} dt_capture_words;

void dt_capture_describe(const dt_capture_layout *layout, const dt_capture_set *set, dt_capture_words *words);

/* The edges between a histogram's bins, its first and its last alone having none beyond; returns how many. */
enum { DT_CAPTURE_EDGES = 256 };
int64_t dt_capture_edges(const dt_histogram_spec *spec, dt_statistic statistic, double edges[DT_CAPTURE_EDGES]);

#endif
