#include "cli/capture_holes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The first step from `from` on that the rule captures; INT64_MAX: none. */
static int64_t next_due(const dt_capture_rule *rule, int64_t from)
{
    if (rule->every > 0) {
        const int64_t beyond = from % rule->every;
        return beyond == 0 ? from : from > INT64_MAX - rule->every ? INT64_MAX : from + rule->every - beyond;
    }
    if (rule->steps_log) {
        int64_t step = from > 0 ? 1 : 0;
        while (step < from && step <= INT64_MAX / 2)
            step *= 2;
        return step < from ? INT64_MAX : step;
    }
    for (size_t i = 0; i < rule->step_count; i++)
        if (rule->steps[i] >= from)
            return rule->steps[i];
    return INT64_MAX;
}

static void add_hole(dt_holes *holes, int64_t step, bool follows)
{
    holes->steps++;
    if (follows && holes->runs <= DT_HOLES_MAX) {
        holes->last[holes->count - 1] = step;
    } else if (!follows && holes->runs++ < DT_HOLES_MAX) {
        holes->first[holes->count] = holes->last[holes->count] = step;
        holes->count++;
    }
}

void dt_holes_find(dt_holes *holes, const dt_capture_rule *rule, const int64_t *steps, int64_t count, int64_t went)
{
    int64_t at = 0;
    bool follows = false;
    memset(holes, 0, sizeof *holes);
    for (int64_t due = next_due(rule, 0); due < went; due = due == INT64_MAX ? due : next_due(rule, due + 1)) {
        holes->expected++;
        while (at < count && steps[at] < due)
            at++;
        const bool missing = at == count || steps[at] != due;
        if (missing)
            add_hole(holes, due, follows);
        follows = missing;
    }
}

int64_t dt_metrics_steps(const char *run)
{
    char path[4096], line[1024];
    int64_t epoch, step, last = 0;
    if (snprintf(path, sizeof path, "%s/metrics.tsv", run) >= (int)sizeof path)
        return 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%" SCNd64 "\t%" SCNd64, &epoch, &step) == 2 && step > last)
            last = step;
    if (file)
        fclose(file);
    return last;
}
