/* deltoid data info: what a file of data holds. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/data_command.h"
#include "cli/format.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "data/scan.h"

enum { FEATURES_SHOWN = 40, CLASSES_SHOWN = 40 };

typedef struct summary {
    const dt_data_file *file;
    double *row, *least, *most, *mean; /* (features), one block */
    int64_t *count;                    /* (classes) */
} summary;

static const char *element_name(const dt_dataset *d)
{
    static const char *const names[] = {[DT_U8] = "bytes", [DT_F32] = "float32", [DT_F64] = "float64"};
    return names[d->element];
}

static dt_status summarize(summary *s, dt_error *error)
{
    const dt_dataset *d = s->file->dataset;
    const size_t n = (size_t)d->features;
    s->row = dt_allocate_zeroed(n, 4 * sizeof *s->row);
    s->count = dt_allocate_zeroed((size_t)d->classes, sizeof *s->count);
    if (!s->row || !s->count)
        return dt_fail_memory(error, s->file->path);
    s->least = s->row + n;
    s->most = s->least + n;
    s->mean = s->most + n;
    dt_scan scan;
    dt_status status = dt_scan_begin(&scan, d, (dt_rows){d->rows, NULL}, error);
    for (int64_t i = 0; i < d->rows && status == DT_OK; i++) {
        status = dt_scan_row(&scan, i, s->row, error);
        for (size_t k = 0; k < n; k++) {
            s->least[k] = i == 0 || s->row[k] < s->least[k] ? s->row[k] : s->least[k];
            s->most[k] = i == 0 || s->row[k] > s->most[k] ? s->row[k] : s->most[k];
            s->mean[k] += s->row[k];
        }
        if (d->labels)
            s->count[d->labels[i]]++;
    }
    dt_scan_end(&scan);
    for (size_t k = 0; k < n; k++)
        s->mean[k] /= (double)d->rows;
    return status;
}

static void add_text(dt_text *text, const summary *s)
{
    const dt_dataset *d = s->file->dataset;
    char number[DT_FORMAT_SIZE], room[24];
    dt_text_add(text, "file      %s\nformat    %s\nrows      %s\n", s->file->path, s->file->format,
                dt_format_count(d->rows, number));
    dt_text_add(text, "inputs    %s, %s%s\n", dt_format_count(d->features, number), element_name(d),
                d->start ? ", sparse" : "");
    if (d->start)
        dt_text_add(text, "not zero  %s (%.3g %%)\n", dt_format_count(d->start[d->rows], number),
                    100.0 * (double)d->start[d->rows] / (double)d->rows / (double)d->features);
    if (d->missing)
        dt_text_add(text, "missing   %s fields, filled as data.missing says\n", dt_format_count(d->missing, number));
    if (d->targets)
        dt_text_add(text, "targets   %" PRId64 ", %s\n", d->outputs, dt_targets_name(d->kind));
    if (d->labels)
        dt_text_add(text, "classes   %s\n", dt_format_count(d->classes, number));
    for (int64_t c = 0; d->labels && c < d->classes && c < CLASSES_SHOWN; c++)
        dt_text_add(text, "  %-20s %10" PRId64 "\n", dt_dataset_label_name(d, c, room), s->count[c]);
    dt_text_add(text, "\n%-24s  %12s  %12s  %12s\n", "input", "least", "largest", "mean");
    for (int64_t k = 0; k < d->features && k < FEATURES_SHOWN; k++)
        dt_text_add(text, "%-24s  %12.6g  %12.6g  %12.6g\n", s->file->names[k], s->least[k], s->most[k], s->mean[k]);
    if (d->features > FEATURES_SHOWN)
        dt_text_add(text, "... and %s more (--json has all)\n", dt_format_count(d->features - FEATURES_SHOWN, number));
}

static void add_json(dt_text *text, const summary *s)
{
    const dt_dataset *d = s->file->dataset;
    char room[24];
    dt_text_add(text, "{\"file\": ");
    dt_text_add_json(text, s->file->path);
    dt_text_add(text,
                ", \"format\": \"%s\", \"rows\": %" PRId64 ", \"features\": %" PRId64
                ", \"type\": \"%s\", \"sparse\": %s, \"missing\": %" PRId64 ", \"targets\": ",
                s->file->format, d->rows, d->features, element_name(d), d->start ? "true" : "false", d->missing);
    if (d->labels || d->targets)
        dt_text_add_json(text, dt_targets_name(d->kind));
    else
        dt_text_add(text, "null");
    dt_text_add(text, ", \"outputs\": %" PRId64 ", \"classes\": [", d->labels ? d->classes : d->outputs);
    for (int64_t c = 0; d->labels && c < d->classes; c++) {
        dt_text_add(text, "%s{\"name\": ", c ? ", " : "");
        dt_text_add_json(text, dt_dataset_label_name(d, c, room));
        dt_text_add(text, ", \"rows\": %" PRId64 "}", s->count[c]);
    }
    dt_text_add(text, "], \"inputs\": [");
    for (int64_t k = 0; k < d->features; k++) {
        dt_text_add(text, "%s{\"name\": ", k ? ", " : "");
        dt_text_add_json(text, s->file->names[k]);
        dt_text_add(text, ", \"least\": ");
        dt_text_add_json_real(text, s->least[k]);
        dt_text_add(text, ", \"largest\": ");
        dt_text_add_json_real(text, s->most[k]);
        dt_text_add(text, ", \"mean\": ");
        dt_text_add_json_real(text, s->mean[k]);
        dt_text_add(text, "}");
    }
    dt_text_add(text, "]}\n");
}

dt_status dt_data_info(const dt_data_file *file, const dt_arguments *arguments, dt_error *error)
{
    summary s = {.file = file};
    dt_text text = {0};
    dt_status status = summarize(&s, error);
    if (status == DT_OK) {
        (dt_argument(arguments, "json") ? add_json : add_text)(&text, &s);
        status = text.failed ? dt_fail_memory(error, file->path) : DT_OK;
    }
    if (status == DT_OK)
        fputs(text.bytes, stdout);
    dt_text_clear(&text);
    dt_release(s.row);
    dt_release(s.count);
    return status == DT_OK ? dt_terminal_flush(error) : status;
}
