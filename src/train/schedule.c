#include "train/schedule.h"

#include <string.h>

static double constant(const dt_schedule_spec *spec, int64_t epoch)
{
    (void)spec, (void)epoch;
    return 1;
}

static double step(const dt_schedule_spec *spec, int64_t epoch)
{
    double factor = 1;
    for (int64_t i = epoch / spec->every; i > 0; i--)
        factor *= spec->factor;
    return factor;
}

static const dt_schedule table[] = {
    {{"constant", "1", ""}, constant},
    {{"step", "factor^floor(epoch / every)", "epochs count from 0"}, step},
};

const dt_schedule *dt_schedule_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

double dt_learning_rate(const dt_experiment *experiment, int64_t epoch)
{
    const dt_schedule *schedule;
    for (size_t i = 0; (schedule = dt_schedule_at(i)); i++)
        if (strcmp(schedule->entry.name, experiment->schedule.name) == 0)
            return experiment->optimizer.learning_rate * schedule->factor(&experiment->schedule, epoch);
    return experiment->optimizer.learning_rate;
}
