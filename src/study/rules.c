#include "study/rules.h"

static const dt_study_rule table[] = {
    {1, "say what a speed-up is against, and how fast that is",
     "each speed-up names its base (one worker of the same program, or the best serial one) and the base's seconds"},
    {2, "say why benchmarks or resources were left out",
     "all points of the crossed factors are listed; those left out of fits (oversubscribed) are marked"},
    {3, "arithmetic mean for costs, harmonic mean for rates",
     "times are summarised as times; rates of several workloads by the harmonic mean"},
    {4, "no means of ratios",
     "a speed-up is the ratio of two medians; its interval comes from resampling both samples of times"},
    {5, "intervals of measurements that are not deterministic",
     "medians have intervals from order statistics, everything else from the bootstrap; the weights' hash shows what "
     "is "
     "deterministic"},
    {6, "no normality without a check",
     "no interval or test assumes a distribution; independence is looked at by the Ljung-Box test"},
    {7, "comparisons that are statistically sound",
     "Mann-Whitney test, Cliff's delta, and the Hodges-Lehmann shift with its interval"},
    {8, "other measures than mean and median where they matter",
     "any quantile has an interval; raw samples are kept, outliers flagged and never removed"},
    {9, "all factors, levels and the setup written down",
     "the study file lists factors and levels; provenance records the rest"},
    {10, "how was measured, synchronised and summarised",
     "blocks in seeded random order, warm-up found by MSER-5, repeated until the interval is narrow or the budget "
     "ends"},
    {11, "upper bounds beside measurements",
     "linear speed-up, the laws' limits, and the machine's measured peak and bandwidth"},
    {12, "lines only where interpolation means something",
     "points are drawn with intervals; fits beyond the measured range are dashed and labelled, models are labelled as "
     "predictions"},
};

const dt_study_rule *dt_study_rule_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}
