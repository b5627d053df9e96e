/* provenance.json of a study: as a run's, with what is a study's own. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/data.h"
#include "cli/paths.h"
#include "cli/provenance.h"
#include "cli/scale_run.h"
#include "deltoid/record.h"
#include "record/machine.h"
#include "record/sha256.h"

/* --- sessions: a study is one, or several that went on with it --- */

static dt_status add_session(dt_scale *s, const char *started, const char *host, int64_t from_visit, dt_error *error)
{
    dt_scale_session *more = dt_arena_allocate(s->arena, s->session_count + 1, sizeof *more);
    if (!more)
        return dt_fail_memory(error, "the study");
    if (s->session_count)
        memcpy(more, s->sessions, s->session_count * sizeof *more);
    more[s->session_count++] =
        (dt_scale_session){dt_arena_duplicate(s->arena, started), dt_arena_duplicate(s->arena, host), from_visit};
    s->sessions = more;
    return more[s->session_count - 1].started && more[s->session_count - 1].host ? DT_OK
                                                                                 : dt_fail_memory(error, "the study");
}

static const char *text_of(const dt_node *map, const char *key)
{
    const dt_node *node = dt_node_child(map, key);
    return node && node->kind == DT_NODE_SCALAR ? node->text : "";
}

dt_status dt_scale_sessions(dt_scale *s, dt_error *error)
{
    const dt_node *root, *list;
    char started[32] = "", host[256] = "";
    const time_t now = time(NULL);
    struct tm parts;
    dt_status status = DT_OK;
    /* a study whose provenance is lost goes on all the same */
    if (dt_provenance_open(&root, s->folder, s->arena, NULL) == DT_OK && (list = dt_node_child(root, "sessions")) &&
        list->kind == DT_NODE_LIST)
        for (const dt_node *n = list->first; status == DT_OK && n; n = n->next)
            if (n->kind == DT_NODE_MAP)
                status = add_session(s, text_of(n, "started"), text_of(n, "host"),
                                     strtoll(text_of(n, "from_visit"), NULL, 10), error);
    if (gmtime_r(&now, &parts))
        (void)strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    return status == DT_OK ? add_session(s, started, host, s->next_visit, error) : status;
}

static void put_sessions(dt_json *json, const dt_scale *s)
{
    dt_json_text(json, "started", s->session_count ? s->sessions[0].started : NULL);
    dt_json_open_list(json, "sessions");
    for (size_t i = 0; i < s->session_count; i++) {
        dt_json_open(json, NULL);
        dt_json_text(json, "started", s->sessions[i].started);
        dt_json_text(json, "host", s->sessions[i].host);
        dt_json_integer(json, "from_visit", s->sessions[i].from_visit);
        dt_json_close(json);
    }
    dt_json_close(json);
}

/* --- what was measured, and how --- */

static void put_design(dt_json *json, const dt_scale_plan *plan)
{
    dt_json_open(json, "design");
    dt_json_integer(json, "points", (int64_t)plan->study.point_count);
    dt_json_open(json, "factors");
    for (size_t f = 0; f < plan->study.factor_count; f++) {
        dt_json_open_list(json, plan->factors[f].name);
        for (int64_t i = 0; i < plan->factors[f].level_count; i++)
            dt_json_text(json, NULL, plan->factors[f].levels[i].shown);
        dt_json_close(json);
    }
    dt_json_close(json);
    dt_json_integer(json, "seed", plan->study.seed);
    dt_json_text(json, "order",
                 "blocks that visit each point once, each in a random permutation of its own (Durstenfeld's shuffle by "
                 "Philox counters keyed by seed and block); visits.tsv has the order that was measured");
    dt_json_text(json, "statistic",
                 "a visit is a process; its value is the median seconds a step of its chunks that are neither warm-up "
                 "(MSER-5) nor disturbed; a point's sample are its visits");
    dt_json_close(json);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What looking at the clock cost; unknown while nothing is measured. */
static void put_timer(dt_json *json, const dt_study *study, dt_arena *arena)
{
    double *ns = study ? dt_arena_allocate(arena, study->visit_count + 1, sizeof *ns) : NULL, share = NAN;
    size_t count = 0;
    for (size_t i = 0; ns && i < study->visit_count; i++) {
        if (isfinite(study->visits[i].timer_ns))
            ns[count++] = study->visits[i].timer_ns;
        share = fmax(share, study->visits[i].timer_share);
    }
    if (count)
        qsort(ns, count, sizeof *ns, compare);
    dt_json_open(json, "timer");
#if defined(__x86_64__)
    dt_json_text(json, "phases", "time-stamp counter, its rate calibrated against CLOCK_MONOTONIC by each visit");
#elif defined(__aarch64__)
    dt_json_text(json, "phases", "cntvct_el0, its rate calibrated against CLOCK_MONOTONIC by each visit");
#else
    dt_json_text(json, "phases", "CLOCK_MONOTONIC");
#endif
    dt_json_text(json, "chunks", "CLOCK_MONOTONIC");
    dt_json_real(json, "look_ns", count ? ns[count / 2] : NAN);
    dt_json_real(json, "largest_share_of_a_step", share);
    dt_json_close(json);
}

static dt_status put_workload(dt_json *json, const dt_scale_workload *w, dt_error *error)
{
    dt_config config;
    dt_data data = {0};
    dt_trainer_info info;
    char sha256[65];
    dt_status status = dt_config_open(&config, w->file, NULL, 0, error);
    if (status != DT_OK)
        return status;
    status = dt_sha256(&(dt_bytes){w->text, w->text_size}, 1, sha256, error);
    if (status == DT_OK)
        status = dt_data_open_all(&data, &config, error);
    const dt_trainer_data view = dt_data_view(&data);
    if (status == DT_OK)
        status = dt_trainer_plan(&config.experiment, &view, &info, error);
    if (status == DT_OK) {
        dt_json_open(json, w->name);
        dt_json_text(json, "file", w->file);
        dt_json_text(json, "experiment_sha256", sha256);
        dt_data_json(json, &config.experiment, &view, &info);
        dt_json_close(json);
    }
    dt_data_close(&data);
    dt_config_clear(&config);
    return status;
}

dt_status dt_scale_provenance(const dt_scale *s, const dt_study *study, char **text, dt_error *error)
{
    const dt_scale_plan *plan = s->plan;
    dt_json json = {0};
    char sha256[65];
    dt_status status = dt_sha256(&(dt_bytes){plan->text, strlen(plan->text)}, 1, sha256, error);
    dt_json_open(&json, NULL);
    dt_json_text(&json, "name", plan->study.name);
    dt_json_text(&json, "kind", plan->study.kind);
    dt_json_text(&json, "study_sha256", sha256);
    put_sessions(&json, s);
    if (study)
        dt_time_json(&json, "finished", (int64_t)time(NULL));
    put_design(&json, plan);
    put_timer(&json, study, s->arena);
    dt_json_open(&json, "workloads");
    for (size_t w = 0; status == DT_OK && w < plan->workload_count; w++)
        status = put_workload(&json, &plan->workloads[w], error);
    dt_json_close(&json);
    dt_build_json(&json);
    dt_environment_json(&json);
    dt_machine_json(&json);
    dt_json_close(&json);
    const dt_status finished = dt_json_finish(&json, text, status == DT_OK ? error : NULL);
    if (status == DT_OK || finished != DT_OK)
        return status == DT_OK ? finished : status;
    dt_text_release(*text);
    return status;
}
