/* Activations and costs in float64 against PyTorch's values and its autograd's derivatives: tests/data/functions.h,
 * which experiments/oracle/functions.py writes. Prints the largest difference of each, relative to the larger of 1 and
 * the number itself; experiments/oracle/run.sh makes a table of them. */
#include "variants.h"

#include "oracle.h"

#include "data/functions.h"
#include "deltoid/experiment.h"
#include "nn/activation.h"
#include "nn/loss.h"

static const dt_activation *const activations[DT_ISAS] = VARIANTS(dt_activations, );
static const dt_loss *const losses[DT_ISAS] = VARIANTS(dt_losses, );

enum { TORCH_UNITS = sizeof torch_weights / sizeof *torch_weights };

/* PyTorch's own results are right to a few of the last places. */
static const double TOLERANCE = 4e-15;

static const dt_activation *activation_named(const char *name)
{
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++)
        if (strcmp(activations[dt_isa_current()][i].entry.name, name) == 0)
            return &activations[dt_isa_current()][i];
    fail_msg("no activation '%s'", name);
    return NULL;
}

static const dt_loss *loss_named(const char *name)
{
    for (int i = 0; i < DT_LOSS_COUNT; i++)
        if (strcmp(losses[dt_isa_current()][i].entry.name, name) == 0)
            return &losses[dt_isa_current()][i];
    fail_msg("no loss '%s'", name);
    return NULL;
}

static double difference(double got, double want)
{
    return got == want || (isnan(got) && isnan(want)) ? 0 : fabs(got - want) / fmax(1, fabs(want));
}

/* Every entry has its cases, and is right: false, told of, where not. The others are gone through all the same. */
static bool report(const char *kind, const char *name, const char *origin, double value, double slope, int numbers)
{
    if (numbers)
        oracle_line(kind, name, origin, numbers, value, slope);
    else
        print_error("%s '%s' has no reference; add it to experiments/oracle/functions.py\n", kind, name);
    if (numbers && !(value <= TOLERANCE && slope <= TOLERANCE))
        print_error("%s '%s' is not PyTorch's\n", kind, name);
    return numbers && value <= TOLERANCE && slope <= TOLERANCE;
}

static void test_activations(void **state)
{
    (void)state;
    bool right = true;
    for (int i = 0; i < DT_ACTIVATION_COUNT; i++) {
        const dt_activation *s = &activations[dt_isa_current()][i];
        const char *origin = "";
        double value = 0, slope = 0;
        int numbers = 0;
        for (size_t k = 0; k < sizeof torch_activations / sizeof *torch_activations; k++)
            for (int j = 0; j < torch_activations[k].count && strcmp(torch_activations[k].name, s->entry.name) == 0;
                 j++, numbers++) {
                const double given = torch_activations[k].parameter, z = torch_activations[k].z[j];
                const double parameter =
                    given != 0 ? given : dt_activation_parameter(&(dt_layer_spec){.activation = s->entry.name});
                double a, delta = 1;
                origin = torch_activations[k].origin;
                s->value(1, parameter, &z, &a);
                s->derivative(1, parameter, &z, &a, &delta);
                value = fmax(value, difference(a, torch_activations[k].a[j]));
                slope = fmax(slope, difference(delta, torch_activations[k].slope[j]));
            }
        right = report("activation", s->entry.name, origin, value, slope, numbers) && right;
    }
    assert_true(right);
    for (size_t k = 0; k < sizeof torch_activations / sizeof *torch_activations; k++)
        activation_named(torch_activations[k].name);
}

static void test_losses(void **state)
{
    (void)state;
    bool right = true;
    for (int i = 0; i < DT_LOSS_COUNT; i++) {
        const dt_loss *c = &losses[dt_isa_current()][i];
        const char *origin = "";
        double value = 0, slope = 0;
        int numbers = 0;
        for (size_t k = 0; k < sizeof torch_losses / sizeof *torch_losses; k++) {
            if (strcmp(torch_losses[k].name, c->entry.name) != 0)
                continue;
            const dt_loss_options options = {.margin = torch_losses[k].margin,
                                             .delta = torch_losses[k].delta,
                                             .label_smoothing = torch_losses[k].label_smoothing,
                                             .class_weights = torch_losses[k].weighted ? torch_weights : NULL,
                                             .class_weight_count = TORCH_UNITS};
            const dt_target target = {torch_losses[k].y, torch_losses[k].kind ? torch_losses[k].t : NULL};
            double z[DT_LANES] = {0}, delta[DT_LANES];
            origin = torch_losses[k].origin;
            assert_true(c->traits.takes & 1u << torch_losses[k].kind);
            memcpy(z, torch_losses[k].z, sizeof torch_losses[k].z);
            value = fmax(value, difference(c->cost(&options, TORCH_UNITS, z, target, delta), torch_losses[k].cost));
            for (int j = 0; j < TORCH_UNITS; j++, numbers++)
                slope = fmax(slope, difference(delta[j], torch_losses[k].slope[j]));
        }
        right = report("cost", c->entry.name, origin, value, slope, numbers) && right;
    }
    assert_true(right);
    for (size_t k = 0; k < sizeof torch_losses / sizeof *torch_losses; k++)
        loss_named(torch_losses[k].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_activations), cmocka_unit_test(test_losses)};
    return cmocka_run_group_tests(tests, all_isas, NULL);
}
