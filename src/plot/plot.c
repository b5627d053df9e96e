#include "plot/plot.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/names.h"
#include "deltoid/record.h"
#include "deltoid/version.h"
#include "plot/gnuplot.h"
#include "plot/maker.h"
#include "study/analysis.h"

static const dt_plot_kind kinds[] = {
    {"curves", "loss and accuracy against epochs and time; several runs in one picture", true, true, false,
     &dt_curves_maker},
    {"layers", "per layer, over the captured steps: norms of delta and dW, share of zero activations", false, true,
     false, &dt_layers_maker},
    {"deltas", "heat map of |delta| by layer and step", false, false, false, &dt_deltas_maker},
    {"activations", "per layer: share of dead and of saturated units; mean and deviation of a", false, false, false,
     &dt_activations_maker},
    {"histograms", "per layer: how a quantity's numbers are distributed, over the steps", false, false, false,
     &dt_histograms_maker},
    {"noise_scale", "gradient noise scale by layer and of the whole network", false, false, false,
     &dt_noise_scale_maker},
    {"units", "one unit's z, a, delta over the captured samples, and its weights", false, false, false,
     &dt_units_maker},
    {"sweep_keys", "a sweep's loss and accuracy against each swept key, mean and interval over seeds", false, true,
     true, &dt_sweep_keys_maker},
    {"sweep_curves", "a sweep's loss and accuracy against epochs, a line with its interval for each setting", false,
     true, true, &dt_sweep_curves_maker},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static const char TEXT[] = "text", ALL[] = "all";

const dt_plot_kind *dt_plot_kind_at(size_t i)
{
    return i < KINDS ? &kinds[i] : NULL;
}

const char *dt_plot_term_at(size_t i)
{
    size_t formats = 0;
    while (dt_gnuplot_format_at(formats))
        formats++;
    return i < formats ? dt_gnuplot_format_at(i) : i == formats ? TEXT : NULL;
}

/* All names, those of studies after those of runs. */
static const char *kind_name(const void *context, size_t i)
{
    (void)context;
    if (i < KINDS)
        return kinds[i].name;
    const dt_plot_kind *kind = dt_plot_study_kind_at(i - KINDS);
    if (kind)
        return kind->name;
    return i == KINDS || dt_plot_study_kind_at(i - KINDS - 1) ? ALL : NULL;
}

/* The kinds for a folder. */
typedef const dt_plot_kind *(*kinds_at)(size_t i);

static bool is_of(kinds_at at, const char *name)
{
    const dt_plot_kind *kind;
    for (size_t i = 0; (kind = at(i)); i++)
        if (strcmp(kind->name, name) == 0)
            return true;
    return strcmp(name, ALL) == 0;
}

static const char *quantity_name(const void *context, size_t i)
{
    (void)context;
    return dt_plot_quantity_at(i);
}

static const char *term_name(const void *context, size_t i)
{
    (void)context;
    return dt_plot_term_at(i);
}

static bool is_listed(dt_name_at at, const char *name)
{
    const char *listed;
    for (size_t i = 0; (listed = at(NULL, i)); i++)
        if (strcmp(listed, name) == 0)
            return true;
    return false;
}

/* --- files --- */

/* The script: what is particular to this picture, then what all share, then how its kind is drawn. */
static void add_script(const dt_picture *picture, const dt_plot_maker *maker, const char *stem, const char *term,
                       dt_buffer *out)
{
    dt_buffer_format(out,
                     "# Drawn by deltoid %s. To draw it again from %s.tsv, in this folder:\n"
                     "#     gnuplot %s.gp\n"
                     "#     gnuplot -e \"term='pdf'\" %s.gp       (or svg, or png)\n\n"
                     "if (!exists('term')) term = '%s'\nstem = '%s'\ndata = '%s.tsv'\n",
                     dt_version(), stem, stem, stem, term, stem, stem);
    maker->settings(picture, out);
    dt_buffer_format(out, "\n");
    dt_buffer_add(out, dt_script_style);
    dt_buffer_format(out, "\n");
    dt_buffer_add(out, maker->script);
}

static dt_status write_text(const dt_buffer *text, const char *folder, const char *stem, const char *ending,
                            dt_error *error)
{
    dt_buffer path = {0};
    dt_status status = DT_NO_MEMORY;
    dt_buffer_format(&path, "%s/%s.%s", folder, stem, ending);
    if (path.failed)
        dt_fail(error, status, "%s: out of memory for what goes there", folder);
    else
        status = dt_file_write(path.bytes, text->bytes, text->length, error);
    dt_buffer_clear(&path);
    return status;
}

static dt_status make_folder(const char *folder, dt_error *error)
{
    struct stat facts;
    if (mkdir(folder, 0777) == 0 || (errno == EEXIST && stat(folder, &facts) == 0 && S_ISDIR(facts.st_mode)))
        return DT_OK;
    if (errno == EEXIST)
        return dt_fail(error, DT_EXISTS, "%s: is no folder; pictures are written there, so move it away", folder);
    return dt_fail_errno(error, errno, folder, "make the folder");
}

static dt_status draw_files(const dt_picture *picture, const dt_plot_maker *maker, const char *folder, const char *stem,
                            const dt_plot_options *options, dt_error *error)
{
    dt_buffer numbers = {0}, script = {0}, path = {0};
    dt_sheet_write(&picture->sheet, &numbers);
    add_script(picture, maker, stem, options->term, &script);
    dt_buffer_format(&path, "%s/%s.%s", folder, stem, options->term);
    dt_status status = DT_OK;
    if (numbers.failed || script.failed || path.failed)
        status = dt_fail(error, DT_NO_MEMORY, "%s: out of memory for what goes there", folder);
    if (status == DT_OK)
        status = make_folder(folder, error);
    if (status == DT_OK)
        status = write_text(&numbers, folder, stem, "tsv", error);
    if (status == DT_OK)
        status = write_text(&script, folder, stem, "gp", error);
    if (status == DT_OK)
        status = dt_gnuplot_run(folder, stem, options->term, error);
    if (status == DT_OK && options->picture)
        options->picture(options->context, path.bytes);
    dt_buffer_clear(&numbers);
    dt_buffer_clear(&script);
    dt_buffer_clear(&path);
    return status;
}

/* An empty line before all but the first. */
static dt_status draw_text(const dt_picture *picture, const dt_plot_maker *maker, bool first,
                           const dt_plot_options *options, dt_error *error)
{
    dt_buffer drawing = {0};
    dt_buffer_add(&drawing, first ? "" : "\n");
    dt_status status = maker->text(picture, dt_text_style_of(options), &drawing, error);
    if (status == DT_OK && drawing.failed)
        status = dt_fail(error, DT_NO_MEMORY, "out of memory for a drawing");
    if (status == DT_OK && options->text)
        options->text(options->context, drawing.bytes);
    dt_buffer_clear(&drawing);
    return status;
}

/* --- one picture after the other --- */

static dt_status draw(const dt_plot_kind *kind, const dt_plot_run *runs, size_t count, bool first,
                      const dt_plot_options *options, dt_error *error)
{
    dt_arena arena = {0};
    dt_picture picture = {0};
    char stem[64];
    snprintf(stem, sizeof stem, "%s%s", kind->name, count > 1 ? "-compare" : "");
    dt_status status = kind->maker->load(&picture, runs, count, options, &arena, error);
    if (status == DT_OK && strcmp(options->term, TEXT) == 0) {
        status = draw_text(&picture, kind->maker, first, options, error);
    } else if (status == DT_OK) {
        const char *folder = options->folder ? options->folder : dt_plot_run_file(&runs[0], "plots", &arena, error);
        status = folder ? draw_files(&picture, kind->maker, folder, stem, options, error) : DT_NO_MEMORY;
    }
    dt_arena_clear(&arena);
    return status;
}

/* All pictures of a kind. Those that don't apply are passed over where `passing`; *drawn counts the others. */
static dt_status draw_kind(const dt_plot_kind *kind, const dt_plot_run *runs, size_t count, bool passing,
                           const dt_plot_options *options, size_t *drawn, dt_error *first_miss, dt_error *error)
{
    size_t step = kind->compares ? count : 1;
    for (size_t i = 0; i < count; i += step) {
        dt_error now;
        dt_error_clear(&now);
        dt_status status = draw(kind, runs + i, step, *drawn == 0, options, &now);
        if (status == DT_NOT_FOUND && passing) {
            dt_fail(first_miss, status, "%s", now.message);
            continue;
        }
        if (status != DT_OK)
            return dt_fail(error, status, "%s", now.message);
        ++*drawn;
    }
    return DT_OK;
}

/* Runs, or studies, by the files that are there; not both in one call. */
static dt_status find_kinds(const char *const *paths, size_t count, const dt_plot_options *options, kinds_at *at,
                            dt_error *error)
{
    const bool studies = dt_is_study(paths[0]);
    *at = studies ? dt_plot_study_kind_at : dt_plot_kind_at;
    for (size_t i = 1; i < count; i++)
        if (dt_is_study(paths[i]) != studies)
            return dt_fail(error, DT_INVALID, "%s is a %s and %s is not; draw them one after the other",
                           paths[studies ? 0 : i], "study", paths[studies ? i : 0]);
    if (options->kind && !is_of(*at, options->kind))
        return dt_fail(error, DT_INVALID, "%s: kind %s is of %s, and this is a %s; see deltoid help plot", paths[0],
                       options->kind, studies ? "runs" : "scaling studies", studies ? "study" : "run");
    return DT_OK;
}

/* The study's analysis, once for all pictures; its tables are written where the pictures go, in the study's folder. */
static dt_status analyse(dt_plot_run *run, const dt_plot_options *options, dt_arena *arena, dt_error *error)
{
    dt_study *study = dt_arena_allocate(arena, 1, sizeof *study);
    dt_analysis *analysis = NULL;
    run->analysis = options->analysis;
    if (run->analysis) {
        run->label = *run->analysis->study->name ? run->analysis->study->name : run->label;
        return DT_OK;
    }
    dt_status status = study ? dt_study_open(study, run->path, arena, error) : dt_fail_memory(error, "a study");
    if (status == DT_OK)
        status = dt_study_analyse(study, arena, &analysis, error);
    if (status == DT_OK && !options->folder && strcmp(options->term, TEXT) != 0)
        status = dt_analysis_write(analysis, run->path, error);
    if (status == DT_OK && *study->name)
        run->label = study->name;
    run->analysis = analysis;
    return status;
}

static dt_status plot(const char *const *paths, size_t count, const dt_plot_options *options, dt_arena *arena,
                      dt_error *error)
{
    dt_plot_run *runs;
    dt_error miss;
    size_t drawn = 0;
    dt_error_clear(&miss);
    kinds_at at = dt_plot_kind_at;
    const dt_plot_kind *kind;
    dt_status status = dt_plot_runs_open(paths, count, arena, &runs, error);
    if (status == DT_OK)
        status = find_kinds(paths, count, options, &at, error);
    for (size_t i = 0; i < count && status == DT_OK && at == dt_plot_study_kind_at; i++)
        status = analyse(&runs[i], options, arena, error);
    const bool all = options->kind && strcmp(options->kind, ALL) == 0, passing = all || !options->kind;
    const bool studies = status == DT_OK && at == dt_plot_study_kind_at;
    const bool sweeps = status == DT_OK && !studies && runs[0].is_sweep;
    for (size_t i = 0; status == DT_OK && !studies && i < count; i++)
        if (runs[i].is_sweep != sweeps)
            status = dt_fail(error, DT_INVALID, "%s is a sweep, %s is a run; draw them by a call each",
                             paths[sweeps ? 0 : i], paths[sweeps ? i : 0]);
    for (size_t k = 0; !studies && k < KINDS && status == DT_OK && options->kind && !all; k++)
        if (strcmp(options->kind, kinds[k].name) == 0 && kinds[k].of_sweeps != sweeps)
            status = dt_fail(error, DT_INVALID,
                             sweeps ? "%s: is a sweep, and kind '%s' is drawn of runs; name runs below %s/runs"
                                    : "%s: is a run, and kind '%s' is drawn of sweeps; name the folder of one",
                             paths[0], options->kind, paths[0]);
    for (size_t k = 0; status == DT_OK && (kind = at(k)); k++)
        if (kind->of_sweeps == sweeps &&
            (all || (options->kind ? strcmp(options->kind, kind->name) == 0 : kind->overview)))
            status = draw_kind(kind, runs, count, passing, options, &drawn, &miss, error);
    if (status == DT_OK && drawn == 0)
        status = dt_fail(error, DT_NOT_FOUND, "%s", miss.message);
    return status;
}

dt_status dt_plot(const char *const *runs, size_t run_count, const dt_plot_options *options, dt_error *error)
{
    dt_plot_options chosen = *options;
    chosen.term = chosen.term ? chosen.term : dt_plot_term_at(0);
    if (run_count == 0)
        return dt_fail(error, DT_INVALID, "no run to draw; name a run folder");
    if (run_count > DT_PLOT_RUNS_MAX)
        return dt_fail(error, DT_INVALID, "%zu runs are too many for one picture; name at most %d", run_count,
                       DT_PLOT_RUNS_MAX);
    if (chosen.kind && !is_listed(kind_name, chosen.kind))
        return dt_fail_unknown(error, "kind of plot", chosen.kind, kind_name, NULL);
    if (chosen.quantity && !is_listed(quantity_name, chosen.quantity))
        return dt_fail_unknown(error, "quantity", chosen.quantity, quantity_name, NULL);
    if (!is_listed(term_name, chosen.term))
        return dt_fail_unknown(error, "format", chosen.term, term_name, NULL);

    /* Numbers are read and written with a point, whatever the program's locale is. */
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!plain)
        return dt_fail(error, DT_NO_MEMORY, "out of memory to draw");
    locale_t before = uselocale(plain);
    dt_arena arena = {0};
    dt_status status = plot(runs, run_count, &chosen, &arena, error);
    dt_arena_clear(&arena);
    uselocale(before);
    freelocale(plain);
    return status;
}
