/* How a kind of picture is made. To add one, write a file like curves.c that ends in a `const dt_plot_maker`, its
 * script in plots/, and add a line to the table in plot.c.
 *
 * The maker reads runs into a sheet of numbers, says what its script needs to know, and can draw the same in letters.
 * Naming files, writing them and starting gnuplot is plot.c's.
 */
#ifndef DT_PLOT_MAKER_H
#define DT_PLOT_MAKER_H

#include "base/buffer.h"
#include "base/memory.h"
#include "deltoid/status.h"
#include "plot/plot.h"
#include "plot/run.h"
#include "plot/sheet.h"
#include "plot/text.h"

typedef struct dt_picture {
    dt_sheet sheet;
    void *own; /* what the maker knows beyond it */
} dt_picture;

typedef struct dt_plot_maker {
    const char *script; /* what follows the settings */

    /* Fills the picture; everything lives in the arena. `count` is 1 for kinds that don't compare. DT_NOT_FOUND where
     * the runs don't have the numbers: then the kind doesn't apply. */
    dt_status (*load)(dt_picture *picture, const dt_plot_run *runs, size_t count, const dt_plot_options *options,
                      dt_arena *arena, dt_error *error);

    /* Assignments for the script: heading, height (pixels of 960 wide), and its own. */
    void (*settings)(const dt_picture *picture, dt_buffer *out);

    dt_status (*text)(const dt_picture *picture, dt_text_style style, dt_buffer *out, dt_error *error);
} dt_plot_maker;

extern const dt_plot_maker dt_curves_maker, dt_layers_maker, dt_deltas_maker, dt_activations_maker, dt_histograms_maker,
    dt_noise_scale_maker, dt_units_maker, dt_sweep_keys_maker, dt_sweep_curves_maker;

/* Of studies: the first run is the study's folder. */
extern const dt_plot_maker dt_speedup_maker, dt_efficiency_maker, dt_attribution_maker, dt_roofline_maker,
    dt_strategies_maker, dt_batch_maker, dt_samples_maker;

#endif
