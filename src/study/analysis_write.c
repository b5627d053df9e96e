/* An analysis as tables: for other programs, a file each; for people, lines. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "deltoid/record.h"
#include "study/analysis.h"

static void real(dt_buffer *out, double value)
{
    dt_buffer_format(out, isnan(value) ? "\tnan" : "\t%.9g", value);
}

static void interval(dt_buffer *out, dt_interval i)
{
    real(out, i.low);
    real(out, i.high);
}

/* A cell must not hold what ends one. */
static void text(dt_buffer *out, const char *cell)
{
    for (; *cell; cell++)
        dt_buffer_add_bytes(out, *cell == '\t' || *cell == '\n' || *cell == '\r' ? " " : cell, 1);
}

static void cell(dt_buffer *out, const char *words)
{
    dt_buffer_add(out, "\t");
    text(out, words);
}

/* --- analysis.tsv: a row a point --- */

static void add_speedup(dt_buffer *out, const dt_speedup *s, int64_t base)
{
    const dt_interval none = {NAN, NAN, NAN};
    dt_buffer_format(out, base < 0 ? "\tnan" : "\t%lld", (long long)base);
    real(out, base < 0 ? NAN : s->speedup);
    interval(out, base < 0 ? none : s->speedup_interval);
    real(out, base < 0 ? NAN : s->efficiency);
    interval(out, base < 0 ? none : s->efficiency_interval);
    real(out, base < 0 ? NAN : s->serial_fraction);
}

/* Whether it is the best deterministic strategy of its work at its number of workers, and its time over that of the
 * best of all. */
static void add_best(dt_buffer *out, const dt_analysis_best *best)
{
    dt_buffer_add(out, best ? "\ttrue" : "\tfalse");
    real(out, best ? best->cost : NAN);
    interval(out, best ? best->interval : (dt_interval){NAN, NAN, NAN});
}

static void add_point(dt_buffer *out, const dt_analysis *a, const dt_analysis_point *p)
{
    dt_buffer_format(out, "%lld", (long long)p->point->point);
    for (size_t f = 0; f < a->study->factor_count; f++)
        cell(out, p->point->values[f]);
    cell(out, a->series[p->series].label);
    dt_buffer_format(out, "\t%lld\t%s\t%s\t%lld\t%lld\t%lld", (long long)p->workers,
                     p->point->deterministic ? "true" : "false", p->point->oversubscribed ? "true" : "false",
                     (long long)p->visits, (long long)p->flagged, (long long)p->failed);
    dt_buffer_format(out, "\t%lld\t%s", (long long)p->elsewhere, p->place ? p->place : "");
    real(out, p->median);
    interval(out, p->interval);
    real(out, p->quartile_low);
    real(out, p->quartile_high);
    real(out, p->p90);
    real(out, p->rate);
    add_speedup(out, &p->one, p->one_point);
    add_speedup(out, &p->best, p->best_point);
    real(out, p->attributed ? p->attribution.covered : NAN);
    real(out, p->attributed ? p->attribution.imbalance : NAN);
    real(out, p->attributed ? p->attribution.waiting : NAN);
    for (int phase = 0; phase < DT_PHASES; phase++)
        real(out, p->attributed ? p->attribution.phase[phase].share : NAN);
    cell(out, p->attributed ? p->limiter.words : "");
    cell(out, p->hash);
    dt_buffer_format(out, "\t%lld", (long long)p->hashes);
    add_best(out, dt_analysis_best_of(a, p - a->points));
    dt_buffer_add(out, "\n");
}

static void add_points(dt_buffer *out, const dt_analysis *a)
{
    dt_buffer_add(out, "point");
    for (size_t f = 0; f < a->study->factor_count; f++)
        cell(out, a->study->factors[f].name);
    dt_buffer_add(out, "\tseries\tworkers\tdeterministic\toversubscribed\tvisits\tflagged\tfailed\telsewhere\tplace\t"
                       "median\tmedian_low\tmedian_high\tquartile_low\tquartile_high\tp90\tsamples_per_second");
    static const char *const bases[] = {"one", "best"};
    for (int b = 0; b < 2; b++)
        dt_buffer_format(out,
                         "\t%s_point\t%s_speedup\t%s_speedup_low\t%s_speedup_high\t%s_efficiency\t"
                         "%s_efficiency_low\t%s_efficiency_high\t%s_serial_fraction",
                         bases[b], bases[b], bases[b], bases[b], bases[b], bases[b], bases[b], bases[b]);
    dt_buffer_add(out, "\tcovered\timbalance\twaiting");
    for (int phase = 0; phase < DT_PHASES; phase++)
        dt_buffer_format(out, "\tshare_%s", dt_phase_name((dt_phase)phase));
    dt_buffer_add(out, "\tlimiter\tweights_sha256\thashes\tbest_deterministic\tdeterminism_cost\tdeterminism_cost_low\t"
                       "determinism_cost_high\n");
    for (int64_t i = 0; i < a->point_count; i++)
        add_point(out, a, &a->points[i]);
}

/* --- fits.tsv: a row a law of a series --- */

static void add_fits(dt_buffer *out, const dt_analysis *a)
{
    dt_buffer_add(out, "series\tlaw\tfitted\tpoints\tleast\tmost\tgamma\tgamma_low\tgamma_high\tsigma\tsigma_low\t"
                       "sigma_high\tkappa\tkappa_low\tkappa_high\tpeak_workers\tpeak_workers_low\tpeak_workers_high\t"
                       "peak_speedup\tresidual\tat_bound\twhy\n");
    const dt_interval none = {NAN, NAN, NAN};
    for (int64_t s = 0; s < a->series_count; s++)
        for (int i = 0; i < a->series[s].fit_count; i++) {
            const dt_analysis_fit *f = &a->series[s].fits[i];
            const bool kappa = f->fitted && f->law->kappa;
            text(out, a->series[s].label);
            dt_buffer_format(out, "\t%s\t%s\t%lld\t%lld\t%lld", f->law->name, f->fitted ? "true" : "false",
                             (long long)f->fit.points, (long long)f->fit.least, (long long)f->fit.most);
            real(out, f->fitted ? f->fit.gamma : NAN);
            interval(out, f->fitted ? f->fit.gamma_interval : none);
            real(out, f->fitted ? f->fit.sigma : NAN);
            interval(out, f->fitted ? f->fit.sigma_interval : none);
            real(out, kappa ? f->fit.kappa : NAN);
            interval(out, kappa ? f->fit.kappa_interval : none);
            real(out, f->fitted ? f->fit.peak_workers : NAN);
            interval(out, f->fitted ? f->fit.peak_workers_interval : none);
            real(out, f->fitted ? f->fit.peak_speedup : NAN);
            real(out, f->fitted ? f->fit.residual : NAN);
            dt_buffer_format(out, "\t%s", f->fitted && f->fit.at_bound ? "true" : "false");
            cell(out, f->why);
            dt_buffer_add(out, "\n");
        }
}

/* --- roofline.tsv, model.tsv --- */

static void add_roofs(dt_buffer *out, const dt_analysis *a)
{
    dt_buffer_add(out,
                  "point\tseries\tworkers\tphase\tlayer\tseconds\tshare\tflops\tbytes_per_second\tintensity\troof\t"
                  "of_roof\tbound\n");
    for (int64_t i = 0; i < a->roof_count; i++) {
        const dt_analysis_roof *r = &a->roofs[i];
        const dt_analysis_point *p = &a->points[r->point];
        dt_buffer_format(out, "%lld", (long long)p->point->point);
        cell(out, a->series[p->series].label);
        dt_buffer_format(out, "\t%lld\t%s\t%lld", (long long)p->workers, dt_phase_name(r->phase), (long long)r->l);
        real(out, r->seconds);
        real(out, r->share);
        real(out, r->flops);
        real(out, r->bandwidth);
        real(out, r->intensity);
        real(out, r->roof);
        real(out, r->of_roof);
        cell(out, r->bound);
        dt_buffer_add(out, "\n");
    }
}

static void add_predictions(dt_buffer *out, const dt_analysis *a, const dt_analysis_prediction *p, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const dt_interval none = {NAN, NAN, NAN};
        dt_buffer_add(out, p[i].point < 0 ? dt_model_label : "held_out");
        cell(out, a->series[p[i].series].label);
        dt_buffer_format(out, "\t%lld", (long long)p[i].workers);
        dt_buffer_format(out, p[i].point < 0 ? "\tnan" : "\t%lld", (long long)p[i].point);
        dt_buffer_format(out, p[i].from < 0 ? "\tnan" : "\t%lld", (long long)p[i].from);
        real(out, p[i].predicted);
        real(out, p[i].measured);
        real(out, p[i].error);
        real(out, p[i].speedup);
        dt_buffer_format(out, "\t%s\t%s", p[i].idle ? "true" : "false", dt_prediction_kind_name(p[i].kind));
        interval(out, p[i].point < 0 ? none : a->points[p[i].point].interval);
        real(out, p[i].compute);
        real(out, p[i].memory);
        real(out, p[i].moved);
        real(out, p[i].barrier);
        dt_buffer_add(out, "\n");
    }
}

static void add_model(dt_buffer *out, const dt_analysis *a)
{
    dt_buffer_add(out, "kind\tseries\tworkers\tpoint\tcalibrated_at\tpredicted\tmeasured\terror\tspeedup\tidle\tfrom\t"
                       "measured_low\tmeasured_high\tcompute\tmemory\tmoved\tbarrier\n");
    add_predictions(out, a, a->predictions, a->prediction_count);
    add_predictions(out, a, a->plans, a->plan_count);
}

dt_status dt_analysis_write(const dt_analysis *analysis, const char *folder, dt_error *error)
{
    static const struct {
        const char *name;
        void (*add)(dt_buffer *, const dt_analysis *);
    } tables[] = {
        {"analysis.tsv", add_points}, {"fits.tsv", add_fits}, {"roofline.tsv", add_roofs}, {"model.tsv", add_model}};
    dt_status status = DT_OK;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && status == DT_OK; i++) {
        dt_buffer out = {0}, path = {0};
        dt_buffer_format(&path, "%s/%s", folder, tables[i].name);
        tables[i].add(&out, analysis);
        status = out.failed || path.failed ? dt_fail_memory(error, "the analysis of a study")
                                           : dt_file_write(path.bytes, out.bytes, out.length, error);
        dt_buffer_clear(&out);
        dt_buffer_clear(&path);
    }
    return status;
}
