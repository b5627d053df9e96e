/* The section of profile.tsv: phases and layers, summed over workers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "deltoid/profile.h"
#include "report/html.h"
#include "report/sections.h"

enum { LAYERS_MOST = 256, TEXT_MOST = 16 << 20, FIELDS = 8 };

static const char *const fields[FIELDS] = {"worker", "phase", "layer", "seconds", "flop", "bytes", "steps", "samples"};

typedef struct sums {
    double seconds[DT_PHASES][LAYERS_MOST + 1], flop[DT_PHASES][LAYERS_MOST + 1], bytes[DT_PHASES][LAYERS_MOST + 1];
    double all, steps;
    int64_t workers;
} sums;

static int phase_of(const char *name)
{
    for (int p = 0; p < DT_PHASES; p++)
        if (strcmp(dt_phase_name((dt_phase)p), name) == 0)
            return p;
    return -1;
}

/* Cuts the line at its tabs; false where it has another number of fields. */
static bool split(char *line, char *field[FIELDS])
{
    size_t n = 0;
    for (char *rest = line, *tab; n < FIELDS; rest = tab + 1) {
        field[n++] = rest;
        tab = strchr(rest, '\t');
        if (!tab)
            break;
        *tab = '\0';
    }
    return n == FIELDS && !strchr(field[FIELDS - 1], '\t');
}

static bool number(const char *text, double most, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return *text && *end == '\0' && *value >= 0 && *value <= most;
}

static bool add_row(sums *s, char *const field[FIELDS])
{
    double worker, layer, seconds, flop, bytes, steps;
    const int phase = phase_of(field[1]);
    if (phase < 0 || !number(field[0], 1e6, &worker) || !number(field[2], LAYERS_MOST, &layer) ||
        !number(field[3], 1e12, &seconds) || !number(field[4], 1e300, &flop) || !number(field[5], 1e300, &bytes) ||
        !number(field[6], 1e15, &steps) || layer != floor(layer) || steps < 1)
        return false;
    s->seconds[phase][(int)layer] += seconds;
    s->flop[phase][(int)layer] += flop;
    s->bytes[phase][(int)layer] += bytes;
    s->all += seconds;
    s->steps = steps;
    s->workers = worker >= (double)s->workers ? (int64_t)worker + 1 : s->workers;
    return true;
}

static dt_status read_profile(const dt_reported *r, sums *s, dt_error *error)
{
    const dt_plot_run folder = {.path = r->run->path};
    char *path = dt_plot_run_file(&folder, "profile.tsv", r->arena, error), *text, *rest;
    dt_status status = path ? dt_file_read(path, TEXT_MOST, r->arena, &text, NULL, error) : DT_NO_MEMORY;
    if (status != DT_OK)
        return status;
    size_t lines = 0;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        char *field[FIELDS];
        bool fits = split(line, field);
        for (size_t f = 0; f < FIELDS && fits && lines == 0; f++)
            fits = strcmp(field[f], fields[f]) == 0;
        if (!fits || (lines > 0 && !add_row(s, field)))
            return dt_fail(error, DT_MALFORMED, "%s:%zu: no line of a profile; delete the file to report without it",
                           path, lines + 1);
        lines++;
    }
    return DT_OK;
}

static void add_phase(const sums *s, int phase, int l, dt_page *page)
{
    const double seconds = s->seconds[phase][l], workers = (double)s->workers;
    char layer[16] = "";
    if (l > 0)
        snprintf(layer, sizeof layer, "%d", l);
    dt_html_row_begin(&page->body);
    dt_html_head(&page->body, dt_phase_name((dt_phase)phase));
    dt_html_cell(&page->body, layer);
    dt_html_number(&page->body, 2, 1e6 * seconds / workers / s->steps);
    dt_html_number(&page->body, 1, 100 * seconds / s->all);
    dt_html_number(&page->body, 1, s->flop[phase][l] > 0 ? s->flop[phase][l] / seconds * workers / 1e9 : NAN);
    dt_html_number(&page->body, 1, s->bytes[phase][l] > 0 ? s->bytes[phase][l] / seconds * workers / 1e9 : NAN);
    dt_html_row_end(&page->body);
}

dt_status dt_section_profile(const dt_reported *r, dt_page *page, dt_error *error)
{
    static const dt_html_column columns[] = {{"phase", false},    {"layer", false},  {"µs a step", true},
                                             {"% of step", true}, {"GFLOP/s", true}, {"GB/s", true}};
    dt_error now;
    sums *s = dt_arena_allocate(r->arena, 1, sizeof *s);
    char caption[128];
    if (!s)
        return dt_fail_memory(error, "a profile");
    dt_error_clear(&now);
    const dt_status status = read_profile(r, s, &now);
    if (status != DT_OK && status != DT_NOT_FOUND)
        return dt_fail(error, status, "%s", now.message);
    if (status == DT_NOT_FOUND || !(s->all > 0))
        return DT_OK;
    snprintf(caption, sizeof caption, "Profile of %.0f steps: mean of %lld worker%s; rates of all together", s->steps,
             (long long)s->workers, s->workers == 1 ? "" : "s");
    dt_html_table_begin(&page->body, caption, columns, sizeof columns / sizeof *columns);
    for (int phase = 0; phase < DT_PHASES; phase++)
        for (int l = 0; l <= LAYERS_MOST; l++)
            if (s->seconds[phase][l] > 0)
                add_phase(s, phase, l, page);
    dt_html_table_end(&page->body);
    dt_page_paragraph(page, "GB/s count what a phase must move at least, each number once. Waiting is for other "
                            "workers, at the step's barriers.");
    return DT_OK;
}
