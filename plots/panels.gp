# Panels of lines and bands over the steps, in rows from the top: wide ones, and small ones side by side. Panel p shows items first_item[p] to
# last_item[p]; item i is block block[i] of the numbers: a band (shape 0, within another 1) between columns lower[i] and upper[i], a line (2)
# or a pale thin line (3) of column lower[i], in the colour of rank[i].

left = 100
right = width - 24
top = height - 60 - 23 * key_rows
gap_x = 88
x(s) = log_x && s < 1 ? 0.5 : s
alpha(s) = s == 0 ? 0.2 : 0.38
# Ranks below 0 are no layer's: the whole network, black, and grey and dashed.
line_of(r) = r == -1 ? 0x000000 : r == -2 ? 0x808080 : colour_of(r, ranks)
dash_of(r) = r < 0 ? -r : ranks > 21 ? 1 : 1 + (r - 1) / 7
mark_of(r) = r < 0 ? -1 : ranks > 21 ? -1 : symbol_of(1 + (r - 1) % 7)
key_share(k) = key_shape[k] == 0 ? 0.2 : key_shape[k] == 2 ? 1.0 : 0.5
key_dash(k) = key_shape[k] == 2 ? dash_of(key_rank[k]) : 1
key_mark(k) = key_shape[k] == 2 ? mark_of(key_rank[k]) : -1

# What isn't known is a gap, not a straight line.
set datafile missing 'none'

set multiplot title heading noenhanced font ',18' textcolor rgb ink
if (log_x) {
    set logscale x
    set xrange [0.4 : 1.2 * last_step]
} else {
    set xrange [last_step > 0 ? 0 : -1 : last_step > 0 ? 1.02 * last_step : 1]
}
set style fill transparent solid 0.3 noborder
do for [p = 1:panels] {
    panel_width = (right - left - gap_x * (of_columns[p] - 1)) / (1.0 * of_columns[p])
    x_left = left + (at_column[p] - 1) * (panel_width + gap_x)
    y_top = top - row_top[p]
    set lmargin at screen X(x_left)
    set rmargin at screen X(x_left + panel_width)
    set tmargin at screen Y(y_top)
    set bmargin at screen Y(y_top - row_height[p] + (lowest[p] && of_columns[p] == 1 && p < panels ? 74 : 26))
    if (logarithmic[p]) {
        set logscale y
        eval log_tics(low[p], high[p])
    } else {
        unset logscale y
        set ytics nice(high[p] - low[p], 4) format digits(nice(high[p] - low[p], 4))
    }
    set yrange [low[p]:high[p]]
    if (log_x) {
        set xtics autofreq format (lowest[p] ? '10^{%T}' : '')
    } else {
        step = last_step < 5 ? 1 : nice(last_step, of_columns[p] == 1 ? 8 : of_columns[p] == 2 ? 4 : 2)
        set xtics step format (lowest[p] ? digits(step) : '')
    }
    set xlabel (lowest[p] ? 'step (minibatches)' : '') offset 0,0.4 textcolor rgb ink
    set ylabel label[p] noenhanced offset 0.7,0 textcolor rgb ink
    unset label
    if (strlen(inside[p])) { set label 1 inside[p] noenhanced at graph 0.02,1.06 left font ',13' textcolor rgb ink front }
    plot for [i = first_item[p]:last_item[p]] data index block[i] \
            using (shape[i] < 2 ? x(column(2)) : NaN):(column(lower[i])):(column(upper[i])) notitle \
            with filledcurves fillcolor rgb line_of(rank[i]) fillstyle transparent solid alpha(shape[i]) noborder, \
        for [i = first_item[p]:last_item[p]] data index block[i] \
            using (shape[i] == 3 ? x(column(2)) : NaN):(column(lower[i])) notitle \
            with lines linewidth 1.1 linecolor rgb tint(line_of(rank[i]), 0.5), \
        for [i = first_item[p]:last_item[p]] data index block[i] \
            using (shape[i] == 2 ? x(column(2)) : NaN):(column(lower[i])) notitle \
            with linespoints linewidth 1.8 linecolor rgb line_of(rank[i]) dashtype dash_of(rank[i]) \
            pointtype mark_of(rank[i]) pointsize 0.6 pointnumber 12
}

# The key, above the panels.
if (keys) {
    set lmargin at screen X(left)
    set rmargin at screen X(right)
    set tmargin at screen Y(height - 42)
    set bmargin at screen Y(top)
    unset logscale
    set xrange [0:1]
    set yrange [0:1]
    unset label
    unset border
    unset tics
    unset xlabel
    unset ylabel
    set key at screen 0.5, Y(height - 42) center top horizontal maxcolumns key_columns Left reverse samplen 3.5 textcolor rgb ink
    plot NaN notitle, for [k = 1:keys] keyentry \
        with linespoints linewidth (key_shape[k] == 0 ? 13 : key_shape[k] == 1 ? 9 : key_shape[k] == 2 ? 1.8 : 1.1) \
        linecolor rgb tint(line_of(key_rank[k]), key_share(k)) \
        dashtype key_dash(k) \
        pointtype key_mark(k) pointsize 0.6 title key_name[k] noenhanced
}
unset multiplot
unset output
