#include "cli/scale_compare.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "cli/provenance.h"
#include "cli/terminal.h"
#include "study/compare_points.h"

/* FOLDER, or FOLDER:POINT. */
typedef struct side {
    const char *folder;
    dt_study study;
    size_t point; /* SIZE_MAX: all */
    const dt_node *provenance;
} side;

static dt_status open_side(side *s, const char *argument, dt_arena *arena, dt_error *error)
{
    struct stat facts;
    char *folder = dt_arena_duplicate(arena, argument), *colon = folder ? strrchr(folder, ':') : NULL, *end;
    *s = (side){.point = SIZE_MAX};
    if (!folder)
        return dt_fail_memory(error, "a study");
    if (colon && stat(folder, &facts) != 0) {
        errno = 0;
        const unsigned long long point = strtoull(colon + 1, &end, 10);
        if (colon[1] < '0' || colon[1] > '9' || *end || errno)
            return dt_fail(error, DT_INVALID, "%.300s: '%.40s' is no point; give its number, as in points.tsv",
                           argument, colon + 1);
        *colon = '\0';
        s->point = (size_t)point;
    }
    s->folder = folder;
    const dt_status status = dt_study_open(&s->study, folder, arena, error);
    if (status != DT_OK)
        return status;
    if (s->point != SIZE_MAX && s->point >= s->study.point_count)
        return dt_fail(error, DT_INVALID, "%s: has points 0 to %zu", folder, s->study.point_count - 1);
    if (dt_provenance_open(&s->provenance, folder, arena, NULL) != DT_OK)
        s->provenance = NULL; /* a study from before it was written, or one that was moved about */
    return DT_OK;
}

/* --- what else differs --- */

static const char *fact(const side *s, const char *path)
{
    const char *text = s->provenance ? dt_provenance_text(s->provenance, path) : "";
    return *text ? text : "not known";
}

/* The best of the study's own probes of one worker. */
static double peak_of(const side *s)
{
    double best = NAN;
    for (size_t i = 0; i < s->study.probe_count; i++) {
        const dt_study_probe *p = &s->study.probes[i];
        if (p->workers == 1 && strcmp(p->quantity, "fma_float32") == 0)
            best = fmax(best, p->best);
    }
    return best;
}

static void warn(const side *a, const side *b)
{
    static const char *const facts[][2] = {{"machine.processor", "other processors"},
                                           {"machine.hostname", "other machines"},
                                           {"machine.cores", "another number of cores"}};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (a->provenance && b->provenance && strcmp(fact(a, facts[i][0]), fact(b, facts[i][0])) != 0)
            fprintf(stderr, "deltoid: warning: %s: %.100s and %.100s\n", facts[i][1], fact(a, facts[i][0]),
                    fact(b, facts[i][0]));
    const double ratio = peak_of(b) / peak_of(a);
    if (fabs(ratio - 1) > 0.05)
        fprintf(stderr, "deltoid: warning: the second study's machine did %.3g times as many multiply-adds a second\n",
                ratio);
    if ((a->study.target_count > 0) != (b->study.target_count > 0))
        fprintf(stderr, "deltoid: warning: one study trains to a target, the other times steps\n");
}

/* --- in words, and as a table --- */

static const char *duration(double seconds, char text[32])
{
    if (seconds < 1e-3)
        snprintf(text, 32, "%.4g us", 1e6 * seconds);
    else if (seconds < 1)
        snprintf(text, 32, "%.4g ms", 1e3 * seconds);
    else
        snprintf(text, 32, "%.4g s", seconds);
    return text;
}

static void print_words(const dt_point_comparison *c, const char *name, const char *second, const char *unit)
{
    char a[32], b[32];
    printf("%s\n", name);
    if (!c->a.count || !c->b.count) {
        printf("  nothing to compare: %" PRId64 " and %" PRId64 " visits count\n", c->a.count, c->b.count);
        return;
    }
    printf("  %s and %s %s (medians of %" PRId64 " and %" PRId64 " visits)\n", duration(c->a.median, a),
           duration(c->b.median, b), unit, c->a.count, c->b.count);
    if (isnan(c->ratio_interval.low)) {
        printf("  %s takes %.4g times as long; of so few visits there is no interval\n", second, c->ratio);
        return;
    }
    const double percent = 100 * c->ratio_interval.level;
    printf("  %s takes %.4g times as long, %g %% interval %.4g to %.4g\n", second, c->ratio, percent,
           c->ratio_interval.low, c->ratio_interval.high);
    if (c->tested)
        printf("  pairs of visits: %.4g times, %.4g to %.4g; longer in %.3g %% of them; effect %s (Cliff's delta "
               "%+.2f, p %.2g)\n",
               c->pairs.shift, c->pairs.interval.low, c->pairs.interval.high, 50 * (1 + c->pairs.delta),
               dt_delta_name(c->pairs.delta), c->pairs.delta, c->pairs.p);
    printf("  %s\n", dt_point_differs(c) ? c->ratio > 1 ? "slower" : "faster" : "no difference is shown");
}

static void print_row(const dt_point_comparison *c, const char *name)
{
    const dt_comparison none = {.shift = NAN, .interval = {NAN, NAN, 0}, .delta = NAN, .p = NAN};
    const dt_comparison *p = c->tested ? &c->pairs : &none;
    printf("%s\t%" PRId64 "\t%" PRId64 "\t%.9g\t%.9g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.4g\t%.4g\t%s\n", name,
           c->a.count, c->b.count, c->a.median, c->b.median, c->ratio, c->ratio_interval.low, c->ratio_interval.high,
           p->shift, p->interval.low, p->interval.high, p->delta, p->p, c->tested ? dt_delta_name(p->delta) : "-");
}

static dt_status print_pair(const side *a, size_t i, const side *b, size_t j, bool table, dt_arena *arena,
                            dt_error *error)
{
    dt_point_comparison c;
    char name[1024], other[512];
    const double confidence = a->study.confidence;
    const dt_status status = dt_point_compare(&c, &a->study, i, &b->study, j, confidence, arena, error);
    if (status != DT_OK)
        return status;
    dt_point_text(&a->study, i, name, 512);
    dt_point_text(&b->study, j, other, sizeof other);
    if (strcmp(name, other) != 0)
        snprintf(name + strlen(name), sizeof name - strlen(name), " and %s", other);
    if (table)
        print_row(&c, name);
    else
        print_words(&c, name, strcmp(a->folder, b->folder) == 0 ? "the second" : b->folder,
                    a->study.target_count ? "to the target" : "a step");
    return DT_OK;
}

/* The point of b that point i of a is compared with; SIZE_MAX: none. */
static size_t partner(const side *a, size_t i, const side *b)
{
    if (a->point != SIZE_MAX && i != a->point)
        return SIZE_MAX;
    return b->point != SIZE_MAX ? b->point : dt_point_same(&a->study, i, &b->study);
}

static dt_status compare(const side *a, const side *b, bool table, dt_arena *arena, dt_error *error)
{
    size_t compared = 0;
    dt_status status = DT_OK;
    for (size_t i = 0; i < a->study.point_count; i++)
        compared += partner(a, i, b) != SIZE_MAX;
    if (!compared)
        return dt_fail(error, DT_INVALID,
                       "%s and %s have no point in common; name one of each by its number in points.tsv: A:0 B:3",
                       a->folder, b->folder);
    warn(a, b);
    if (table)
        printf("point\tvisits_a\tvisits_b\tmedian_a\tmedian_b\tratio\tratio_low\tratio_high\tshift\tshift_low\t"
               "shift_high\tdelta\tp\teffect\n");
    else
        printf("%s (build %.12s) and %s (build %.12s)\n", a->folder, fact(a, "deltoid.git_commit"), b->folder,
               fact(b, "deltoid.git_commit"));
    for (size_t i = 0; status == DT_OK && i < a->study.point_count; i++) {
        const size_t j = partner(a, i, b);
        if (j != SIZE_MAX)
            status = print_pair(a, i, b, j, table, arena, error);
    }
    return status == DT_OK ? dt_terminal_flush(error) : status;
}

dt_status dt_scale_compare(const dt_arguments *arguments, dt_error *error)
{
    static const char *const others[] = {"resume", "out", "dry-run", "quiet"};
    side a, b;
    dt_arena arena = {0};
    if (arguments->positional_count != 3)
        return dt_fail(error, DT_INVALID,
                       "deltoid scale compare takes two studies, or two points: deltoid scale compare A[:POINT] "
                       "B[:POINT] [--tsv]");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (dt_argument(arguments, others[i]))
            return dt_fail(error, DT_UNKNOWN_NAME, "deltoid scale compare takes no option --%s", others[i]);
    dt_status status = open_side(&a, arguments->positional[1], &arena, error);
    if (status == DT_OK)
        status = open_side(&b, arguments->positional[2], &arena, error);
    if (status == DT_OK && a.point == SIZE_MAX && b.point != SIZE_MAX)
        status = dt_fail(error, DT_INVALID, "%s: name its point, too", a.folder);
    if (status == DT_OK)
        status = compare(&a, &b, dt_argument(arguments, "tsv") != NULL, &arena, error);
    dt_arena_clear(&arena);
    return status;
}
