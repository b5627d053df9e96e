/* Kinds of pictures of scaling studies. To add one: its maker in a file like study_scaling.c, and a line here. */
#include "plot/maker.h"
#include "plot/plot.h"

static const dt_plot_kind kinds[] = {
    {"speedup", "speed-up by workers with intervals, ideal line and fitted laws (dashed where nothing was measured)",
     false, true, false, &dt_speedup_maker},
    {"efficiency", "speed-up over workers, with intervals", false, true, false, &dt_efficiency_maker},
    {"attribution", "where the time of a step goes: phases stacked, by strategy and workers", false, true, false,
     &dt_attribution_maker},
    {"roofline", "every phase of every layer under the machine's measured ceilings", false, true, false,
     &dt_roofline_maker},
    {"strategies", "seconds a step of every strategy, with intervals", false, true, false, &dt_strategies_maker},
    {"batch", "steps and seconds to the target against the batch size", false, true, false, &dt_batch_maker},
    {"samples", "all visits in the order they were measured: drift, disturbances", false, true, false,
     &dt_samples_maker},
};

const dt_plot_kind *dt_plot_study_kind_at(size_t i)
{
    return i < sizeof kinds / sizeof *kinds ? &kinds[i] : NULL;
}
