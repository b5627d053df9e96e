/* A study in short: what it found, what it measured; training to a target by batch size. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/study.h"
#include "study/statistics.h"

/* --- the answer --- */

/* "W1, owner with 2 workers", or the workload alone where nothing else varies. */
static const char *point_text(const dt_analysis *a, int64_t point, char text[DT_ANALYSIS_LABEL + 40])
{
    const dt_analysis_point *p = &a->points[point];
    snprintf(text, DT_ANALYSIS_LABEL + 40, "%s with %lld worker%s", a->series[p->series].label, (long long)p->workers,
             p->workers == 1 ? "" : "s");
    return text;
}

static void say_fastest(const dt_analysis *a, int64_t work, dt_page *page)
{
    const dt_analysis_work *w = &a->works[work];
    const int64_t fastest = dt_study_fastest(a, work);
    char which[DT_ANALYSIS_LABEL + 40], base[DT_ANALYSIS_LABEL + 40], seconds[DT_NUMBER_TEXT],
        base_seconds[DT_NUMBER_TEXT];
    if (fastest < 0)
        return;
    const dt_analysis_point *p = &a->points[fastest];
    dt_buffer words = {0};
    dt_buffer_format(&words, "The fastest program whose bits don't depend on the workers is %s: %s a step",
                     point_text(a, fastest, which), dt_study_seconds(p->median, seconds));
    if (w->serial >= 0 && w->serial != fastest && p->best_point >= 0) {
        dt_buffer_format(&words, ", %.2f", p->best.speedup);
        if (p->best.intervals)
            dt_buffer_format(&words, " [%.2f, %.2f]", p->best.speedup_interval.low, p->best.speedup_interval.high);
        dt_buffer_format(&words, " times%s the best serial program's rate (%s: %s a step), an efficiency of %.2f",
                         a->series[p->series].scaling == DT_SCALING_WEAK ? ", scaled," : "",
                         point_text(a, w->serial, base), dt_study_seconds(a->points[w->serial].median, base_seconds),
                         p->best.efficiency);
    } else if (w->serial == fastest) {
        dt_buffer_add(&words, ". It is the best serial program, too: more workers didn't make it faster");
    }
    if (p->attributed && p->limiter.words[0])
        dt_buffer_format(&words, ". It is limited by: %s", p->limiter.words);
    dt_buffer_add(&words, ".");
    dt_page_paragraph(page, words.bytes ? words.bytes : "");
    page->body.failed = page->body.failed || words.failed;
    dt_buffer_clear(&words);
}

dt_status dt_study_write_answer(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    const dt_analysis *a = s->analysis;
    char sentence[DT_SENTENCE];
    (void)error;
    for (int64_t w = 0; w < a->work_count; w++) {
        const dt_analysis_work *work = &a->works[w];
        dt_analysis_say_answer(a, w, sentence);
        dt_buffer_add(&page->body, work->hashes == 1 ? "<p class=\"good\">"
                                   : work->hashed    ? "<p class=\"warn\">"
                                                     : "<p>");
        if (a->work_count > 1)
            dt_html_text(&page->body, sentence); /* which begins with a name */
        else
            dt_html_sentence(&page->body, sentence);
        dt_buffer_add(&page->body, "</p>\n");
        say_fastest(a, w, page);
    }
    dt_analysis_say_contention(a, sentence);
    dt_page_paragraph(page, sentence);
    return DT_OK;
}

/* --- what was measured --- */

static const char *question_of(const char *kind)
{
    static const struct {
        const char *kind, *question;
    } questions[] = {
        {"strong", "How much faster is a step of the same work with more workers, and what limits it?"},
        {"weak", "How does the time of a step grow when each worker brings its own share of the minibatch?"},
        {"batch", "How many steps and seconds does training to the target take at each batch size?"},
        {"free", "How does the time of a step depend on the factors below?"},
    };
    const size_t count = sizeof questions / sizeof *questions;
    for (size_t i = 0; i < count; i++)
        if (strcmp(questions[i].kind, kind) == 0)
            return questions[i].question;
    return questions[count - 1].question;
}

/* Levels in the order of the points, each once. */
static void add_levels(const dt_study *study, size_t factor, dt_page *page)
{
    size_t shown = 0;
    dt_buffer_add(&page->body, "<td class=\"words\">");
    for (size_t p = 0; p < study->point_count; p++) {
        bool seen = false;
        for (size_t q = 0; q < p && !seen; q++)
            seen = strcmp(study->points[q].values[factor], study->points[p].values[factor]) == 0;
        if (seen)
            continue;
        dt_buffer_add(&page->body, shown++ ? ", " : "");
        dt_html_text(&page->body, study->points[p].values[factor]);
    }
    dt_buffer_add(&page->body, "</td>");
}

static void add_factors(const dt_study *study, dt_page *page)
{
    static const dt_html_column columns[] = {{"factor", false}, {"levels", false}};
    dt_html_table_begin(&page->body, "Factors, which are crossed", columns, 2);
    for (size_t f = 0; f < study->factor_count; f++) {
        dt_html_row_begin(&page->body);
        dt_html_head(&page->body, study->factors[f].name);
        add_levels(study, f, page);
        dt_html_row_end(&page->body);
    }
    dt_html_table_end(&page->body);
}

static void add_point(const dt_analysis *a, const dt_analysis_point *p, dt_page *page)
{
    dt_html_row_begin(&page->body);
    dt_study_cells_point(page, a, p->series, p->workers);
    dt_html_number(&page->body, 0, (double)p->point->batch_size);
    dt_html_number(&page->body, 0, (double)p->visits);
    dt_html_number(&page->body, 0, (double)p->flagged);
    dt_html_number(&page->body, 0, (double)p->elsewhere);
    dt_study_cell_seconds(page, p->median);
    dt_study_cell_percent(page, 1,
                          isfinite(p->interval.low) ? (p->interval.high - p->interval.low) / 2 / p->median : NAN);
    dt_html_number(&page->body, 0, p->rate);
    dt_buffer_add(&page->body, "<td>");
    if (!p->point->deterministic)
        dt_study_label(page, "not reproducible", true);
    if (p->point->oversubscribed)
        dt_study_label(page, "oversubscribed", false);
    if (p->failed)
        dt_study_label(page, "failed visits", true);
    if (p->visits == 0)
        dt_study_label(page, "no visit counts", true);
    dt_buffer_add(&page->body, "</td>");
    dt_html_row_end(&page->body);
}

dt_status dt_study_write_measured(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    const dt_analysis *a = s->analysis;
    const dt_study *study = a->study;
    (void)error;
    dt_page_paragraph(page, question_of(study->kind));
    add_factors(study, page);
    dt_study_say(
        page,
        "%zu points, measured in %lld visits, each a fresh process, on %lld processors. Intervals are of %g %% "
        "confidence; a point was measured until that of its median was within ± %g %%, or the visits or the "
        "budget ended.",
        study->point_count, (long long)a->visits, (long long)study->processors, 100 * a->confidence,
        100 * study->epsilon);
    return DT_OK;
}

dt_status dt_study_write_points(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {
        {"series", false},   {"T", true},      {"batch size", true},  {"visits", true},    {"flagged", true},
        {"elsewhere", true}, {"a step", true}, {"interval, ±", true}, {"samples/s", true}, {"", false}};
    const dt_analysis *a = s->analysis;
    (void)error;
    dt_html_table_begin(
        &page->body,
        "Every point: the visits that count, those that were flagged as disturbed and those whose processors lay "
        "otherwise than in most, both left out, and the "
        "median time of a step",
        columns, sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < a->point_count; i++)
        add_point(a, &a->points[i], page);
    dt_html_table_end(&page->body);
    return DT_OK;
}

/* --- training to a target --- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add_batch(const dt_studied_page *s, const dt_analysis_point *p, double *steps, double *seconds,
                      dt_page *page)
{
    const dt_study *study = s->analysis->study;
    int64_t reached = 0, all = 0;
    for (size_t i = 0; i < study->target_count; i++)
        if (study->targets[i].point == p->point->point) {
            all++;
            if (!study->targets[i].reached)
                continue;
            steps[reached] = (double)study->targets[i].steps;
            seconds[reached++] = study->targets[i].seconds;
        }
    if (all == 0)
        return;
    qsort(steps, (size_t)reached, sizeof *steps, compare);
    qsort(seconds, (size_t)reached, sizeof *seconds, compare);
    dt_html_row_begin(&page->body);
    dt_study_cells_point(page, s->analysis, p->series, p->workers);
    dt_html_number(&page->body, 0, (double)p->point->batch_size);
    dt_html_number(&page->body, 0, (double)all);
    dt_html_number(&page->body, 0, (double)reached);
    dt_html_number(&page->body, 0, reached ? dt_median(steps, reached) : NAN);
    dt_study_cell_seconds(page, reached ? dt_median(seconds, reached) : NAN);
    dt_study_cell_seconds(page, reached ? seconds[0] : NAN);
    dt_study_cell_seconds(page, reached ? seconds[reached - 1] : NAN);
    dt_html_row_end(&page->body);
}

dt_status dt_study_write_batch(const dt_studied_page *s, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {{"series", false},   {"T", true},       {"batch size", true},
                                             {"trainings", true}, {"reached", true}, {"steps", true},
                                             {"seconds", true},   {"least", true},   {"most", true}};
    const dt_study *study = s->analysis->study;
    char caption[256];
    if (study->target_count == 0)
        return DT_OK;
    double *steps = dt_arena_allocate(s->arena, study->target_count, sizeof *steps);
    double *seconds = dt_arena_allocate(s->arena, study->target_count, sizeof *seconds);
    if (!steps || !seconds)
        return dt_fail_memory(error, "a study's targets");
    const dt_status status =
        dt_study_picture(s, page, "batch",
                         "Steps and seconds of training to the target, by batch size: medians of the "
                         "trainings that reached it, least and most",
                         error);
    if (status != DT_OK)
        return status;
    snprintf(caption, sizeof caption, "Training to %.100s %g: medians of the trainings that reached it",
             study->targets[0].metric, study->targets[0].target);
    dt_html_table_begin(&page->body, caption, columns, sizeof columns / sizeof *columns);
    for (int64_t i = 0; i < s->analysis->point_count; i++)
        add_batch(s, &s->analysis->points[i], steps, seconds, page);
    dt_html_table_end(&page->body);
    return DT_OK;
}
