# Ridges: a panel a layer, in it a ridge a step, the first behind. Panel p has ridges[p] blocks of the numbers from first_block[p] on; a row is
# a bin: its edges in columns 4 and 5, its height in 8.

left = 100
right = width - 24
top = height - 62
gap_x = 100
gap_y = 62
overlap = 2.2
panel_width = (right - left - gap_x * (across - 1)) / (1.0 * across)
panel_height = (top - 66 - gap_y * (down - 1)) / (1.0 * down)
shade(k, n) = n > 1 ? palette(0.9 * k / (n - 1.0)) : palette(0)

set multiplot title heading noenhanced font ',18' textcolor rgb ink
do for [p = 1:panels] {
    x_left = left + ((p - 1) % across) * (panel_width + gap_x)
    y_top = top - ((p - 1) / across) * (panel_height + gap_y)
    n = ridges[p]
    set lmargin at screen X(x_left)
    set rmargin at screen X(x_left + panel_width)
    set tmargin at screen Y(y_top)
    set bmargin at screen Y(y_top - panel_height)
    set xrange [low[p]:high[p]]
    step = nice(high[p] - low[p], across > 2 ? 3 : across > 1 ? 4 : 7)
    set xtics step format digits(step)
    set yrange [-0.2 : n - 1 + overlap + 0.1]
    set ytics scale 0 ()
    do for [k = 0:n - 1] { set ytics add (sprintf('%d', step_of[1 + first_block[p] + k]) n - 1 - k) }
    set xlabel (p + across > panels ? quantity.'   (height: root of density)' : '') noenhanced offset 0,0.4 textcolor rgb ink
    set ylabel ((p - 1) % across == 0 ? 'step (minibatches)' : '') offset 0.2,0 textcolor rgb ink
    unset label
    set label 1 sprintf('layer %d', layer[p]) at graph 0.02,1.04 left font ',13' textcolor rgb ink
    plot for [k = 0:n - 1] data index (first_block[p] + k) \
            using (0.5 * (column(4) + column(5))):(n - 1.0 - k):(n - 1.0 - k + overlap * column(8)) notitle \
            with filledcurves fillcolor rgb shade(k, n) fillstyle transparent solid 0.55 noborder, \
        for [k = 0:n - 1] data index (first_block[p] + k) \
            using (0.5 * (column(4) + column(5))):(n - 1.0 - k + overlap * column(8)) notitle \
            with lines linewidth 1 linecolor rgb shade(k, n)
}
unset multiplot
unset output
