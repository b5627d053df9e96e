# Left against the minibatch, right against the width; above the time of a sample, below the rate of floating-point operations. Curve i is
# block i - 1 of the numbers; its colour and symbol say which width or minibatch (kind), its dashes how many threads (team).

left = 84
right = width - 20
gap_x = 74
gap_y = 24
bottom = 60
# The key of each side stands above its panels.
rows_left = 0
rows_right = 0
do for [i = 1:curves] { if (side[i] == 1) { rows_left = rows_left + 1 } else { rows_right = rows_right + 1 } }
rows = rows_left > rows_right ? rows_left : rows_right
top = height - 48 - 18 * rows
panel_width = (right - left - gap_x) / 2.0
panel_height = (top - bottom - gap_y) / 2.0

# Tics at a times powers of four, for eval; without numbers in the upper panels.
tics_of(a, b, numbers) = sprintf('set xtics (" " %d); do for [k = 0:12] { v = %d * 4 ** k; if (v <= %d) { set xtics add (%s v) } }', \
    a, a, b, numbers ? 'sprintf("%d", v)' : '""')

set multiplot title heading noenhanced font ',18' textcolor rgb ink
set logscale x
do for [s = 1:2] {
    x_left = left + (s - 1) * (panel_width + gap_x)
    set lmargin at screen X(x_left)
    set rmargin at screen X(x_left + panel_width)
    low = s == 1 ? batch_low : width_low
    high = s == 1 ? batch_high : width_high
    set xrange [low / 1.15:high * 1.15]
    do for [p = 1:2] {
        y_top = top - (p - 1) * (panel_height + gap_y)
        set tmargin at screen Y(y_top)
        set bmargin at screen Y(y_top - panel_height)
        eval tics_of(low, high, p == 2)
        if (p == 1) {
            set logscale y
            eval log_tics(shortest / 1.2, longest * 1.2)
            set yrange [shortest / 1.2:longest * 1.2]
        } else {
            unset logscale y
            set ytics nice(highest, 5) format '%.0f'
            set yrange [0:1.08 * highest]
        }
        set xlabel (p == 1 ? '' : s == 1 ? 'samples in a minibatch' : 'units in a hidden layer, W') offset 0,0.4 textcolor rgb ink
        set ylabel (s == 2 ? '' : p == 1 ? 'µs a sample' : 'GFLOP/s') offset 0.7,0 textcolor rgb ink
        plot for [i = 1:curves] data index i - 1 using 1:(side[i] == s ? column(p + 1) : NaN) notitle with linespoints linewidth 1.8 \
            linecolor rgb colours[kind[i]] dashtype team[i] pointtype symbol_of(1 + (kind[i] - 1) % 7) pointsize 0.7
    }
}

unset logscale
unset border
unset tics
unset xlabel
unset ylabel
set xrange [0:1]
set yrange [0:1]
do for [s = 1:2] {
    x_left = left + (s - 1) * (panel_width + gap_x)
    set lmargin at screen X(x_left)
    set rmargin at screen X(x_left + panel_width)
    set tmargin at screen Y(height - 34)
    set bmargin at screen Y(top)
    set key at screen X(x_left + 20), Y(height - 38) left top Left reverse maxcolumns 1 samplen 4 textcolor rgb ink
    plot NaN notitle, for [i = 1:curves] (side[i] == s ? NaN : NaN) title (side[i] == s ? name[i] : '') noenhanced \
        with linespoints linewidth 1.8 linecolor rgb colours[kind[i]] dashtype team[i] pointtype symbol_of(1 + (kind[i] - 1) % 7) pointsize 0.7
}
unset multiplot
unset output
