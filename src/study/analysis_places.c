/* Like with like. A hypervisor, or a scheduler that nobody told where to put the workers, may run a program's threads
 * on processors of one last-level cache in one visit and of two in the next: two distributions, whose common median is
 * that of neither. So of all visits with several workers those count whose processors lay as in most of them, by the
 * probe of lines between the first two (deltoid/machine.h); the others are kept, counted and shown. Where `placement`
 * is a factor, each of its levels has a place of its own. Rules 2 and 9 of study/rules.h. */
#include "study/analysis_own.h"

static bool has_place(const dt_analysis *a, const dt_study_visit *visit, const char *placement)
{
    return !dt_visit_failed(visit) && !visit->flagged && a->points[visit->point].workers > 1 && visit->place_before &&
           *visit->place_before && strcmp(a->points[visit->point].point->placement, placement) == 0;
}

/* Where most visits at this level of placement were; of equally many the first. NULL: nobody looked. */
static const char *commonest(const dt_analysis *a, const char *placement)
{
    const dt_study *study = a->study;
    const char *place = NULL;
    int64_t most = 0;
    for (size_t i = 0; i < study->visit_count; i++) {
        int64_t count = 0;
        if (!has_place(a, &study->visits[i], placement))
            continue;
        for (size_t j = 0; j < study->visit_count; j++)
            count += has_place(a, &study->visits[j], placement) &&
                     strcmp(study->visits[i].place_before, study->visits[j].place_before) == 0;
        if (count > most) {
            most = count;
            place = study->visits[i].place_before;
        }
    }
    return place;
}

void dt_analyse_places(dt_analysis *a)
{
    for (int64_t i = 0; i < a->point_count; i++) {
        const char *placement = a->points[i].point->placement;
        if (a->points[i].workers < 2 || a->points[i].place)
            continue;
        const char *place = commonest(a, placement);
        for (int64_t j = i; j < a->point_count; j++)
            if (a->points[j].workers > 1 && strcmp(a->points[j].point->placement, placement) == 0)
                a->points[j].place = place;
    }
    for (size_t v = 0; v < a->study->visit_count; v++) {
        const dt_study_visit *visit = &a->study->visits[v];
        if (dt_visit_elsewhere(a, visit)) {
            a->points[visit->point].elsewhere++;
            a->elsewhere++;
        }
    }
}
