/* Where the visits that are compared lay: study/places.h says why. */
#include "study/analysis_own.h"

dt_status dt_analyse_places(dt_analysing *a)
{
    dt_analysis *all = a->analysis;
    const dt_study *study = a->study;
    dt_placed *placed = dt_analysing_allocate(a, (int64_t)study->visit_count, sizeof *placed);
    size_t count = 0;
    if (!placed)
        return DT_NO_MEMORY;
    for (size_t i = 0; i < study->visit_count; i++) {
        const dt_study_visit *visit = &study->visits[i];
        const dt_analysis_point *p = &all->points[visit->point];
        if (!dt_visit_failed(visit) && !visit->flagged && p->workers > 1 && visit->place_before)
            placed[count++] = (dt_placed){.level = p->point->placement, .place = visit->place_before};
    }
    for (int64_t i = 0; i < all->point_count; i++)
        if (all->points[i].workers > 1)
            all->points[i].place = dt_place_commonest(placed, count, all->points[i].point->placement);
    for (size_t v = 0; v < study->visit_count; v++) {
        const dt_study_visit *visit = &study->visits[v];
        if (dt_visit_elsewhere(all, visit)) {
            all->points[visit->point].elsewhere++;
            all->elsewhere++;
        }
    }
    return DT_OK;
}
