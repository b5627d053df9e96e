#include "study/analysis.h"

#include <math.h>
#include <stdio.h>

#include "study/analysis_own.h"

void *dt_analysing_allocate(dt_analysing *a, int64_t count, size_t size)
{
    void *memory = dt_arena_allocate(a->arena, count > 0 ? (size_t)count : 1, size);
    if (!memory)
        dt_fail_memory(a->error, "the analysis of a study");
    return memory;
}

static void count_visits(dt_analysis *a)
{
    a->timer_share = NAN;
    for (size_t i = 0; i < a->study->visit_count; i++) {
        const dt_study_visit *visit = &a->study->visits[i];
        a->visits++;
        a->failed += dt_visit_failed(visit);
        a->flagged += !dt_visit_failed(visit) && visit->flagged;
        if (isfinite(visit->timer_share) && !(a->timer_share > visit->timer_share))
            a->timer_share = visit->timer_share;
    }
}

bool dt_analysis_counts(const dt_analysis *analysis, const dt_study_visit *visit)
{
    return !dt_visit_failed(visit) && !visit->flagged && !dt_visit_elsewhere(analysis, visit);
}

dt_status dt_study_analyse(const dt_study *study, dt_arena *arena, dt_analysis **analysis, dt_error *error)
{
    dt_analysing a = {.study = study, .arena = arena, .error = error};
    a.analysis = dt_analysing_allocate(&a, 1, sizeof *a.analysis);
    if (!a.analysis)
        return DT_NO_MEMORY;
    a.analysis->study = study;
    a.analysis->worst_covered = NAN;
    a.analysis->confidence = study->confidence > 0 && study->confidence < 1 ? study->confidence : 0.95;
    count_visits(a.analysis);
    if (a.analysis->visits == 0)
        return dt_fail(error, DT_NOT_FOUND, "the study has no whole visit yet; let deltoid scale go on");
    dt_status (*const parts[])(dt_analysing *) = {dt_analyse_points, dt_analyse_scaling, dt_analyse_phases,
                                                  dt_analyse_model, dt_analyse_limits};
    dt_status status = DT_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == DT_OK; i++)
        status = parts[i](&a);
    *analysis = a.analysis;
    return status;
}

/* --- sentences --- */

void dt_analysis_say_answer(const dt_analysis *a, int64_t work, char s[DT_SENTENCE])
{
    const dt_analysis_work *w = &a->works[work];
    const char *of = a->work_count > 1 ? w->label : "", *colon = *of ? ": " : "";
    if (w->hashed == 0)
        snprintf(s, DT_SENTENCE, "%s%sno weights' hash was recorded.", of, colon);
    else if (w->hashed == 1)
        snprintf(s, DT_SENTENCE, "%s%sone reproducible point has a hash of the weights: none to compare it with.", of,
                 colon);
    else if (w->hashes == 1)
        snprintf(s, DT_SENTENCE,
                 "%s%sthe same answer at every T: one hash of the weights at all %lld reproducible points.", of, colon,
                 (long long)w->hashed);
    else
        snprintf(s, DT_SENTENCE, "%s%s%lld DIFFERENT hashes of the weights at %lld points that should have one answer.",
                 of, colon, (long long)w->hashes, (long long)w->hashed);
}

const dt_analysis_best *dt_analysis_best_of(const dt_analysis *a, int64_t point)
{
    const dt_analysis_work *w = &a->works[a->points[point].work];
    for (int64_t b = 0; b < w->best_count; b++)
        if (w->best[b].deterministic == point)
            return &w->best[b];
    return NULL;
}

const char *dt_analysis_ranged(double value, dt_interval i, int decimals, const char *missing, char text[48])
{
    if (isnan(value))
        snprintf(text, 48, "%s", missing);
    else if (isnan(i.low))
        snprintf(text, 48, "%.*f", decimals, value);
    else
        snprintf(text, 48, "%.*f [%.*f, %.*f]", decimals, value, decimals, i.low, decimals, i.high);
    return text;
}

void dt_analysis_say_best(const dt_analysis *a, int64_t work, int64_t best, char s[DT_SENTENCE])
{
    char efficiency[48], cost[48];
    const dt_analysis_work *w = &a->works[work];
    const dt_analysis_best *b = &w->best[best];
    const char *of = a->work_count > 1 ? w->label : "", *colon = *of ? ", " : "";
    if (b->deterministic < 0) {
        snprintf(s, DT_SENTENCE, "%s%sT = %lld: no deterministic strategy was measured.", of, colon,
                 (long long)b->workers);
        return;
    }
    const dt_analysis_point *p = &a->points[b->deterministic], *any = &a->points[b->any];
    const int n = snprintf(s, DT_SENTENCE, "%s%sT = %lld: the best deterministic strategy is %s, efficiency %s; ", of,
                           colon, (long long)b->workers, p->point->reduction,
                           dt_analysis_ranged(b->efficiency, b->efficiency_interval, 3, "not known", efficiency));
    if (any == p)
        snprintf(s + n, DT_SENTENCE - (size_t)n, "it is the best of all: cost of determinism 1.");
    else
        snprintf(s + n, DT_SENTENCE - (size_t)n, "cost of determinism %s, against %s.",
                 dt_analysis_ranged(b->cost, b->interval, 3, "not known", cost), any->point->reduction);
}

void dt_analysis_say_attribution(const dt_analysis *a, char s[DT_SENTENCE])
{
    if (isnan(a->worst_covered)) {
        snprintf(s, DT_SENTENCE, "No phases were recorded: where the time goes isn't known.");
        return;
    }
    const int n = snprintf(s, DT_SENTENCE, "Phases add up to the measured time of a step within %.1f %% at every point",
                           100 * a->worst_covered);
    const char *over = a->worst_covered > DT_ANALYSIS_COVERED ? " (over 2 %: phases and time don't fit)" : "";
    if (isnan(a->timer_share))
        snprintf(s + n, DT_SENTENCE - (size_t)n, "%s.", over);
    else
        snprintf(s + n, DT_SENTENCE - (size_t)n, "%s; timers took at most %.2f %% of it.", over, 100 * a->timer_share);
}

void dt_analysis_say_model(const dt_analysis *a, char s[DT_SENTENCE])
{
    if (a->error.points == 0)
        snprintf(s, DT_SENTENCE, "No model: %s.", a->model_why);
    else
        snprintf(
            s, DT_SENTENCE,
            "The model, calibrated at one worker and by the probes, was off by %.0f %% in the median and %.0f %% at "
            "most at %lld points that it didn't see (bias %+.0f %%: %s).",
            100 * a->error.median, 100 * a->error.most, (long long)a->error.points, 100 * a->error.bias,
            a->error.bias < 0 ? "it promises too much" : "it promises too little");
}

void dt_analysis_say_contention(const dt_analysis *a, char s[DT_SENTENCE])
{
    int n = snprintf(s, DT_SENTENCE,
                     "%lld visits: %lld flagged as disturbed and %lld failed, which are shown and left out.",
                     (long long)a->visits, (long long)a->flagged, (long long)a->failed);
    if (a->elsewhere && n < DT_SENTENCE)
        n += snprintf(s + n, DT_SENTENCE - (size_t)n,
                      " Of the others %lld had their processors otherwise placed than most and are left out, too, so "
                      "that like is compared with like.",
                      (long long)a->elsewhere);
    const dt_analysis_drift *alone = &a->ceilings.alone, *between = &a->ceilings.between;
    if (isfinite(alone->most) && n < DT_SENTENCE)
        n += snprintf(s + n, DT_SENTENCE - (size_t)n,
                      " The machine's probes of cores and memory moved by %.0f %% at most from start to end (%s)%s",
                      100 * alone->most, alone->which, isfinite(between->most) ? "" : ".");
    if (isfinite(alone->most) && isfinite(between->most) && n < DT_SENTENCE)
        snprintf(s + n, DT_SENTENCE - (size_t)n,
                 ", those between cores, which follow where these lie, by %.0f %% (%s).", 100 * between->most,
                 between->which);
}
