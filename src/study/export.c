#include "study/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deltoid/record.h"
#include "record/json.h"

static void put_sample(dt_json *json, const dt_study *study, const dt_study_sample *s)
{
    const dt_study_point *p = &study->points[s->point];
    dt_json_open(json, NULL);
    dt_json_text(json, "study", study->name);
    dt_json_integer(json, "visit", s->visit);
    dt_json_integer(json, "point", s->point);
    dt_json_open(json, "factors");
    for (size_t f = 0; f < study->factor_count; f++)
        dt_json_text(json, study->factors[f].name, p->values[f]);
    dt_json_close(json);
    dt_json_integer(json, "workers", p->workers);
    dt_json_text(json, "reduction", p->reduction);
    dt_json_truth(json, "deterministic", p->deterministic);
    dt_json_truth(json, "oversubscribed", p->oversubscribed);
    dt_json_integer(json, "chunk", s->chunk);
    dt_json_integer(json, "steps", s->steps);
    dt_json_integer(json, "samples", s->samples);
    dt_json_real(json, "seconds", s->seconds);
    dt_json_truth(json, "warmup", s->warmup);
    dt_json_truth(json, "flagged", s->flagged);
    dt_json_text(json, "reasons", s->reasons ? s->reasons : "");
    const dt_study_visit key = {.visit = s->visit};
    const dt_study_visit *visit = bsearch(&key, study->visits, study->visit_count, sizeof key, dt_study_visit_compare);
    dt_json_truth(json, "visit_flagged", visit && visit->flagged);
    dt_json_close(json);
}

dt_status dt_study_export_samples(const dt_study *study, const char *path, dt_error *error)
{
    dt_json json = {.lines = true};
    char *text;
    for (size_t i = 0; i < study->sample_count; i++)
        put_sample(&json, study, &study->samples[i]);
    dt_status status = dt_json_finish(&json, &text, error);
    if (status == DT_OK)
        status = dt_file_write(path, text ? text : "", json.used, error);
    dt_text_release(text);
    return status;
}

dt_status dt_study_export(const dt_study *study, const char *folder, const char *study_text, const char *provenance,
                          dt_error *error)
{
    static const char *const names[] = {"study.h5", "samples.jsonl", "extrap.jsonl", "extrap.txt"};
    enum { NAMES = sizeof names / sizeof *names, ROOM = 4096 };
    char path[NAMES][ROOM];
    for (int i = 0; i < NAMES; i++)
        if (snprintf(path[i], ROOM, "%s/%s", folder, names[i]) >= ROOM)
            return dt_fail(error, DT_INVALID, "%.200s...: the name of the study's folder is too long", folder);
    dt_status status = dt_study_export_tables(study, path[0], study_text, provenance, error);
    if (status == DT_OK)
        status = dt_study_export_samples(study, path[1], error);
    return status == DT_OK ? dt_study_export_extrap(study, path[2], path[3], error) : status;
}
