#include "plot/studied.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

dt_status dt_studied_open(dt_studied *s, dt_picture *picture, const dt_plot_run *folder, const dt_plot_options *options,
                          const char *title, const char *what, dt_arena *arena, dt_error *error)
{
    *s = (dt_studied){
        .arena = arena, .picture = picture, .analysis = folder->analysis, .study = folder->analysis->study};
    const dt_status status = dt_chart_begin(picture, title, &s->chart, arena, error);
    if (status == DT_OK) {
        s->chart->narrow = options->narrow;
        dt_chart_head(s->chart, folder->label, what);
    }
    return status;
}

void dt_studied_name(const dt_studied *s, int64_t series, char name[DT_CHART_TEXT])
{
    const dt_analysis_series *one = &s->analysis->series[series];
    /* A panel says which work it is of: the key needn't. */
    const char *label = one->label, *work = s->analysis->works[one->work].label;
    const size_t length = strlen(work);
    if (s->analysis->work_count > 1 && strncmp(label, work, length) == 0 && strncmp(label + length, ", ", 2) == 0)
        label += length + 2;
    snprintf(name, DT_CHART_TEXT, "%.90s%s",
             s->analysis->work_count > 1 && strcmp(label, work) == 0 ? "measured" : label,
             one->deterministic ? "" : " (not reproducible)");
}

void dt_studied_short(const dt_studied *s, int64_t series, char name[DT_CHART_TEXT])
{
    dt_studied_name(s, series, name);
    char *mark = strstr(name, " (not reproducible)");
    if (mark)
        strcpy(mark, "*");
}

void dt_studied_title(const dt_studied *s, int64_t work, char title[DT_CHART_TEXT])
{
    const dt_analysis_work *w = &s->analysis->works[work];
    static const char same[] = "same answer at every T";
    const bool is_same = w->hashed > 1 && w->hashes == 1;
    char name[DT_CHART_TEXT] = "";
    if (s->analysis->work_count > 1)
        dt_chart_cut(name, w->label, is_same ? DT_CHART_TITLE - sizeof same - 1 : DT_CHART_TITLE);
    snprintf(title, DT_CHART_TEXT, "%.80s%s%s", name, *name && is_same ? ": " : "", is_same ? same : "");
}

int dt_studied_rank(const dt_studied *s, int64_t series)
{
    char name[DT_CHART_TEXT], other[DT_CHART_TEXT];
    int rank = 1;
    dt_studied_name(s, series, name);
    for (int64_t i = 0; i < series; i++) { /* the same strategy of another workload has the same colour */
        bool seen = false;
        dt_studied_name(s, i, other);
        if (strcmp(other, name) == 0)
            return dt_studied_rank(s, i);
        for (int64_t j = 0; j < i && !seen; j++) {
            char before[DT_CHART_TEXT];
            dt_studied_name(s, j, before);
            seen = strcmp(before, other) == 0;
        }
        rank += !seen;
    }
    return rank;
}

double dt_studied_most(const dt_studied *s, int64_t work)
{
    int64_t most = 1;
    for (int64_t i = 0; i < s->analysis->point_count; i++)
        if (s->analysis->points[i].work == work && s->analysis->points[i].workers > most)
            most = s->analysis->points[i].workers;
    return (double)most;
}

void dt_studied_worker_tics(dt_studied *s, int64_t work, double most)
{
    const int64_t last = (int64_t)most;
    for (int64_t t = 1; t <= last; t++) {
        bool wanted = (t & (t - 1)) == 0;
        for (int64_t i = 0; i < s->analysis->point_count && !wanted && last <= 16; i++)
            wanted = s->analysis->points[i].work == work && s->analysis->points[i].workers == t;
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)t);
        if (wanted)
            dt_chart_add_text(s->chart, DT_CHART_TIC_X, (double)t, 0, text);
    }
}

dt_status dt_studied_done(const dt_studied *s, const dt_plot_run *folder, const char *lacks, dt_error *error)
{
    if (s->status != DT_OK)
        return dt_fail_memory(error, "a picture of a study");
    if (s->chart->panel_count == 0)
        return dt_fail(error, DT_NOT_FOUND, "%s: %s", folder->path, lacks);
    return DT_OK;
}
