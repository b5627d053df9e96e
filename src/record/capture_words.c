#include "record/capture_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char parameter_scaling[] = "none: the parameter itself";
static const char sample_scaling[] = "none: one sample's value";
static const char gradient_scaling[] = "mean over the minibatch's B samples: 1/B is in it; no regulariser's gradient";
static const char z_equation[] = "(1) z^l_j = sum_k w^l_jk a^{l-1}_k + b^l_j";

static const struct {
    const char *long_name, *equation, *scaling;
    const char *last_long_name, *last_equation; /* for layer L where they differ, else NULL */
} facts[DT_QUANTITIES] = {
    [DT_QUANTITY_W] = {"weights, before the step's update", z_equation, parameter_scaling, NULL, NULL},
    [DT_QUANTITY_B] = {"biases, before the step's update", z_equation, parameter_scaling, NULL, NULL},
    [DT_QUANTITY_Z] = {"weighted inputs of the units", z_equation, sample_scaling, NULL, NULL},
    [DT_QUANTITY_A] = {"activations of the units", "(2) a^l_j = sigma(z^l_j)", sample_scaling,
                       "outputs of the network: a^L is z^L, which the cost sees", "(2) a^L_j = z^L_j"},
    [DT_QUANTITY_DELTA] = {"derivative of the sample's cost by z",
                           "(4) delta^l_j = sigma'(z^l_j) * (delta^{l+1})^T w^{l+1}_{.j}",
                           "dC_i/dz of the sample's own cost C_i, without 1/B", NULL, "(3) delta^L_j = dC/dz^L_j"},
    [DT_QUANTITY_DW] = {"gradient of the minibatch's mean cost by the weights", "(5) dC/dw^l_jk = delta^l_j a^{l-1}_k",
                        gradient_scaling, NULL, NULL},
    [DT_QUANTITY_DB] = {"gradient of the minibatch's mean cost by the biases", "(6) dC/db^l_j = delta^l_j",
                        gradient_scaling, NULL, NULL},
};

static const char *const statistics[DT_STATISTICS][2] = {
    [DT_STATISTIC_MEAN] = {"mean", "m = sum x / n"},
    [DT_STATISTIC_STD] = {"standard deviation", "sqrt(sum x^2 / n - m^2)"},
    [DT_STATISTIC_MIN] = {"smallest", "min x"},
    [DT_STATISTIC_MAX] = {"largest", "max x"},
    [DT_STATISTIC_ABSMAX] = {"largest magnitude", "max |x|"},
    [DT_STATISTIC_ZEROS] = {"share of zeros", "#{x = 0} / n"},
    [DT_STATISTIC_NORM] = {"Euclidean norm", "sqrt(sum x^2)"},
    [DT_STATISTIC_HISTOGRAM] = {"histogram",
                                "#{x in bin}; bins of equal width, the attribute edges, and one at each end"},
    [DT_STATISTIC_LOG_HISTOGRAM] = {"histogram of magnitudes",
                                    "#{|x| in bin}; 0: zeros; then below the first of the attribute edges, between "
                                    "them, from the last on"},
    [DT_STATISTIC_COSINE] = {"cosine with the gradient that this rule captured before", "g.g' / (|g| |g'|)"},
    [DT_STATISTIC_UPDATE_RATIO] = {"update beside the parameters",
                                   "|x_after - x_before| / |x_before|, as the step did it"},
};

static const char *const noise[DT_NOISE_PARTS][2] = {
    [DT_NOISE_SCALE] = {"gradient noise scale", "B_simple = S / |G|^2"},
    [DT_NOISE_GRADIENT] = {"square of the true gradient's norm, estimated",
                           "|G|^2 = (|g_B|^2 / b - |g_b|^2 / B) / (1/b - 1/B)"},
    [DT_NOISE_TRACE] = {"trace of the covariance of samples' gradients, estimated",
                        "S = (|g_b|^2 - |g_B|^2) / (1/b - 1/B)"},
};

static void describe_statistic(const dt_capture_layout *layout, const dt_capture_set *set, dt_capture_words *words)
{
    const bool of_samples =
        set->quantity == DT_QUANTITY_Z || set->quantity == DT_QUANTITY_A || set->quantity == DT_QUANTITY_DELTA;
    const char *const *statistic = statistics[set->item->statistic];
    snprintf(words->long_name, sizeof words->long_name, "%s of %s%s%s", statistic[0], dt_quantity_name(set->quantity),
             set->item->per_unit ? " of each unit" : "",
             !of_samples                                ? ""
             : layout->rule->samples == DT_SAMPLES_ROWS ? ", over the rule's rows of the training set"
                                                        : ", over all the minibatch's samples");
    snprintf(words->equation, sizeof words->equation, "%s", statistic[1]);
    words->scaling = facts[set->quantity].scaling;
}

static void describe_norm(const dt_capture_set *set, dt_capture_words *words)
{
    static const struct {
        dt_extra extra;
        const char *long_name, *equation;
    } norms[] = {
        {DT_EXTRA_DW_NORM, "norm of the sample's gradient by the layer's weights", "|dC_i/dW^l| = |delta^l| |a^{l-1}|"},
        {DT_EXTRA_DB_NORM, "norm of the sample's gradient by the layer's biases", "|dC_i/db^l| = |delta^l|"},
        {DT_EXTRA_GRADIENT_NORM, "norm of the sample's gradient by all parameters",
         "sqrt(sum_l |delta^l|^2 (|a^{l-1}|^2 + 1))"},
    };
    for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
        if ((int)norms[i].extra == set->part) {
            snprintf(words->long_name, sizeof words->long_name, "%s", norms[i].long_name);
            snprintf(words->equation, sizeof words->equation, "%s", norms[i].equation);
        }
    words->scaling = "of the sample's own cost C_i, without 1/B";
}

static void describe_noise(const dt_capture_set *set, dt_capture_words *words)
{
    const bool shards = set->part >= DT_NOISE_PARTS;
    const char *const *part = noise[set->part % DT_NOISE_PARTS];
    snprintf(words->long_name, sizeof words->long_name, "%s, of %s, from the minibatch and its %s", part[0],
             set->layer < 0 ? "all layers" : "the layer", shards ? "shards" : "samples");
    snprintf(words->equation, sizeof words->equation, "%s, %s (McCandlish et al. 2018, arXiv 1812.06162, appendix A)",
             part[1], shards ? "|g_b|^2 the mean of the shards', 1/b that of their samples'" : "b = 1");
    words->scaling = "of mean costs";
}

void dt_capture_describe(const dt_capture_layout *layout, const dt_capture_set *set, dt_capture_words *words)
{
    const dt_quantity q = set->quantity;
    const char *long_name = facts[q].long_name, *equation = facts[q].equation;
    *words = (dt_capture_words){.units = "1", .scaling = facts[q].scaling};
    switch (set->source) {
    case DT_FROM_MOMENTS:
        describe_statistic(layout, set, words);
        return;
    case DT_FROM_NORMS:
        describe_norm(set, words);
        return;
    case DT_FROM_NOISE:
        describe_noise(set, words);
        return;
    case DT_FROM_COSTS:
        long_name = "cost of the sample";
        equation = "C_i";
        words->scaling = sample_scaling;
        break;
    case DT_FROM_PARTIALS:
        long_name = q == DT_QUANTITY_DW ? "sum of the worker's shards before the reduction, by the weights"
                                        : "sum of the worker's shards before the reduction, by the biases";
        words->scaling =
            "sum over the samples of the worker's shards, not divided by B; which those are depends on the "
            "number of threads";
        break;
    case DT_FROM_STATE:
        long_name = "state of the optimizer, before the step's update";
        equation = "as the optimizer keeps it";
        words->scaling = "the optimizer's own";
        break;
    case DT_FROM_INDEX:
    case DT_FROM_SAMPLES:
    case DT_FROM_SLICES:
        if (set->layer == layout->layers && facts[q].last_long_name)
            long_name = facts[q].last_long_name;
        if (set->layer == layout->layers && facts[q].last_equation)
            equation = facts[q].last_equation;
        if (set->layer == 0) {
            long_name = "inputs x of the network, scaled as the experiment says";
            equation = "(1) a^0 = x";
        }
        break;
    }
    snprintf(words->long_name, sizeof words->long_name, "%s", long_name);
    snprintf(words->equation, sizeof words->equation, "%s", equation);
}

int64_t dt_capture_edges(const dt_histogram_spec *spec, dt_statistic statistic, double edges[DT_CAPTURE_EDGES])
{
    if (statistic == DT_STATISTIC_HISTOGRAM) {
        for (int64_t i = 0; i <= spec->bins; i++)
            edges[i] = spec->low + (double)i * ((spec->high - spec->low) / (double)spec->bins);
        return spec->bins + 1;
    }
    for (int64_t i = spec->log_low; i <= spec->log_high; i++)
        edges[i - spec->log_low] = ldexp(1, (int)i);
    return spec->log_high - spec->log_low + 1;
}
