/* What a study's measurements say: the record (study/record.h) made into medians, speed-ups, fits, attributions, a
 * roofline, a model with its error, and the sentences that go with them.
 *
 *     dt_analysis *a;
 *     dt_study_analyse(&study, &arena, &a, &error);
 *     dt_analysis_write(a, folder, &error);             analysis.tsv, fits.tsv, roofline.tsv, model.tsv
 *     dt_analysis_print(a, width, line, context);       the same as tables for people
 *
 * A visit is a fresh process and counts as one value, the median of its chunks that are neither warm-up nor flagged; a
 * point's sample is its visits' values, so that they are independent. Flagged and failed visits are counted and left
 * out, and so are visits of several workers whose processors lay otherwise than in most of them (study/places.h).
 * Every decision is a rule of study/rules.h.
 *
 * Points with all factors equal but the number of workers are a series; series with the same work (workload, batch
 * size, precision, ... all factors but how it is computed: threads, reduction, groups, placement, isa) are comparable:
 * the best one-worker point among them is the best serial program, and deterministic ones among them have one answer.
 *
 * Everything lives in the caller's arena, and borrows the study's texts. Pure: the same study gives the same analysis.
 */
#ifndef DT_STUDY_ANALYSIS_H
#define DT_STUDY_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "study/attribution.h"
#include "study/law.h"
#include "study/model.h"
#include "study/record.h"
#include "study/scaling.h"

enum { DT_ANALYSIS_LAWS = 3, DT_ANALYSIS_LEVELS = 8, DT_ANALYSIS_LABEL = 160, DT_ANALYSIS_REASON = 200 };

/* --- a point --- */

typedef struct dt_analysis_point {
    const dt_study_point *point;                     /* the record's */
    int64_t series, work;                            /* numbers of dt_analysis.series and works */
    int64_t workers, visits;                         /* visits that count */
    int64_t flagged, failed;                         /* that don't */
    int64_t elsewhere;                               /* nor do these, whose processors didn't lie as `place` says */
    const char *place;                               /* of the visits that count; NULL: one worker, or nobody looked */
    double *seconds;                                 /* (visits) of a step, ascending */
    double median, quartile_low, quartile_high, p90; /* NAN without visits */
    dt_interval interval;                            /* of the median; NAN where the visits are too few for one */
    double rate;                                     /* samples a second, at the median */

    dt_speedup one, best;          /* against T = 1 of the series; against the best one-worker point of the work */
    int64_t one_point, best_point; /* indices of dt_analysis.points; -1: none was measured, and no speed-up */

    bool attributed; /* phases were recorded */
    dt_attribution attribution;
    dt_limiter limiter;
    double wall; /* mean seconds a step of the visits that the phases are of; NAN where it isn't known */

    const char *hash; /* of the weights, of the first visit with the work's least steps; "" unknown */
    int64_t hashes;   /* different ones, at equal steps: 1 where the point reproduces itself */
} dt_analysis_point;

/* |covered - 1| over this is said: what the phases add up to isn't the time of a step. */
#define DT_ANALYSIS_COVERED 0.02

/* --- a series: points by workers --- */

typedef struct dt_analysis_fit {
    const dt_law *law;
    bool fitted;
    dt_fit fit;                   /* intervals NAN where samples are too few */
    char why[DT_ANALYSIS_REASON]; /* not fitted */
} dt_analysis_fit;

typedef struct dt_analysis_series {
    char label[DT_ANALYSIS_LABEL]; /* the factors that vary in the study, but threads: "W2, owner"; "all" */
    int64_t work;
    int64_t *points; /* (count) indices, by workers */
    int64_t count;
    bool deterministic;
    dt_scaling scaling;
    dt_analysis_fit fits[DT_ANALYSIS_LAWS]; /* those of the kind of scaling */
    int fit_count;
    bool serial_grows; /* Karp and Flatt's fraction grows over the workers: overhead, not serial work */
} dt_analysis_series;

/* --- the same work: strategies beside each other --- */

typedef struct dt_analysis_best {
    int64_t workers;
    int64_t any, deterministic; /* the fastest points; -1: none */
    double cost;                /* median of the deterministic one / median of any: the price of the same bits */
    dt_interval interval;
    double efficiency; /* of the deterministic one, against the best serial program */
    dt_interval efficiency_interval;
} dt_analysis_best;

typedef struct dt_analysis_work {
    char label[DT_ANALYSIS_LABEL];
    int64_t serial;         /* the best one-worker point; -1 */
    dt_analysis_best *best; /* (best_count) by workers */
    int64_t best_count;
    int64_t hashed, hashes; /* deterministic points that have a hash; different hashes among them, at equal steps and
                               batch size; 1 is "the same answer at every T" */
} dt_analysis_work;

/* --- what the machine can do --- */

/* Operations a second in one precision, of one worker and of all; NAN: not measured. */
typedef struct dt_analysis_rates {
    double fma_one, fma_all, product_one, product_all;
} dt_analysis_rates;

/* How far a kind of probes moved from the study's start to its end. */
typedef struct dt_analysis_drift {
    double most;    /* largest |end / start - 1|; NAN: none was measured twice */
    char which[64]; /* that one */
} dt_analysis_drift;

/* Probes at the study's start (machine.tsv): the best readings. */
typedef struct dt_analysis_ceilings {
    dt_analysis_rates rates[2];                              /* by dt_precision */
    int levels;                                              /* of memory: caches from the nearest, memory last */
    int level[DT_ANALYSIS_LEVELS];                           /* 1, 2, 3, 0 (memory) */
    double one[DT_ANALYSIS_LEVELS], all[DT_ANALYSIS_LEVELS]; /* bytes a second, the better of read and triad */
    int64_t workers;                                         /* of `all` */
    double cache;                                            /* bytes of the last cache for each worker; 0: not known */
    dt_analysis_drift alone, between;                        /* of cores and memory; of what passes between cores */
} dt_analysis_ceilings;

/* Of a point, in its own precision: with its workers, between one's and all's by their number, all's beyond. */
dt_bounds dt_ceilings_at(const dt_analysis_ceilings *ceilings, dt_precision precision, int64_t workers);

/* Bytes a second of a level, of that many workers; in the same way. */
double dt_ceilings_level(const dt_analysis_ceilings *ceilings, int level, int64_t workers);

/* A phase of a layer of a point, all workers together. */
typedef struct dt_analysis_roof {
    int64_t point;
    dt_phase phase;
    int64_t l;
    double seconds, share;   /* of a step, mean over workers; of all time */
    double flops, bandwidth; /* a second */
    double intensity;        /* operations a byte; 0 of phases that only move */
    double roof;             /* min(peak, intensity * memory's bandwidth): the bound from memory */
    double of_roof;          /* over 1: the data came from caches */
    const char *bound;       /* "compute", "memory", "cache"; "" where nothing was measured to compare with */
} dt_analysis_roof;

/* --- the model --- */

/* What a prediction is made from and held against: nothing of several workers goes into any. */
typedef enum dt_prediction_kind {
    DT_PREDICTION_WORKERS, /* a point of several workers, from its series' point of one */
    DT_PREDICTION_BATCH,   /* one worker, from a point of the same network with another minibatch */
    DT_PREDICTION_SIZES,   /* one worker, from other networks alone */
    DT_PREDICTION_BEYOND,  /* more cores than there are */
    DT_PREDICTION_KINDS
} dt_prediction_kind;

/* "workers", "batch", "sizes", "prediction" */
const char *dt_prediction_kind_name(dt_prediction_kind kind);

typedef struct dt_analysis_prediction {
    dt_prediction_kind kind;
    int64_t point; /* measured; -1: of a machine with more cores */
    int64_t series, workers;
    int64_t from;                           /* the point that it was calibrated at; -1: all of other works */
    double compute, memory, moved, barrier; /* parts of `predicted` */
    double predicted, measured, error;      /* seconds a step; (predicted - measured) / measured; NAN without */
    double speedup;                         /* against T = 1 of the same */
    bool idle;                              /* more workers than shards */
} dt_analysis_prediction;

typedef struct dt_analysis {
    const dt_study *study;
    dt_analysis_point *points; /* as the study's */
    dt_analysis_series *series;
    dt_analysis_work *works;
    dt_analysis_roof *roofs;
    dt_analysis_prediction *predictions, *plans; /* held-out points; more workers than there are, in powers of two */
    int64_t point_count, series_count, work_count, roof_count, prediction_count, plan_count;
    dt_analysis_ceilings ceilings;
    dt_model_error error;                       /* of predictions; points 0: there are none */
    dt_model_error errors[DT_PREDICTION_KINDS]; /* of each kind */
    char model_why[DT_ANALYSIS_REASON];         /* why there is no model; "" */
    double worst_covered;                       /* largest |covered - 1|; NAN without phases */
    double timer_share;                         /* largest share of a step that timers took; NAN */
    int64_t visits, flagged, failed, elsewhere;
    double confidence;
} dt_analysis;

/* Whether a visit of the study is among those that its point's figures are of. */
bool dt_analysis_counts(const dt_analysis *analysis, const dt_study_visit *visit);

/* DT_NOT_FOUND where nothing was measured yet, DT_INVALID for times that can't be, DT_NO_MEMORY. */
dt_status dt_study_analyse(const dt_study *study, dt_arena *arena, dt_analysis **analysis, dt_error *error);

/* analysis.tsv, fits.tsv, roofline.tsv and model.tsv, each replaced as a whole. DT_IO, DT_NO_MEMORY. */
dt_status dt_analysis_write(const dt_analysis *analysis, const char *folder, dt_error *error);

/* Tables and sentences for a terminal, through `add`, whole lines with their newline; the strings are borrowed. */
dt_status dt_analysis_print(const dt_analysis *analysis, void (*add)(void *context, const char *line), void *context,
                            dt_error *error);

/* The best deterministic strategy of the point's work at its number of workers, if the point is it; else NULL. */
const dt_analysis_best *dt_analysis_best_of(const dt_analysis *analysis, int64_t point);

/* Sentences that stand in a report as well; whole, without newline. */
enum { DT_SENTENCE = 640 };
void dt_analysis_say_answer(const dt_analysis *analysis, int64_t work, char sentence[DT_SENTENCE]);
/* Of works[work].best[best]: the best deterministic strategy at that many workers, its efficiency against the best
 * serial program, and what determinism costs: its time over that of the best of all. */
void dt_analysis_say_best(const dt_analysis *analysis, int64_t work, int64_t best, char sentence[DT_SENTENCE]);
void dt_analysis_say_attribution(const dt_analysis *analysis, char sentence[DT_SENTENCE]);
void dt_analysis_say_model(const dt_analysis *analysis, char sentence[DT_SENTENCE]);
void dt_analysis_say_contention(const dt_analysis *analysis, char sentence[DT_SENTENCE]);

#endif
