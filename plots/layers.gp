# One panel a quantity, over the steps; one line a layer. Panel p shows column column_of[p] of the numbers in lines first_line[p] to
# last_line[p]; line i is block block[i], and looks like the others of its layer, layer[rank[i]].

longest = 4
do for [p = 1:panels] {
    now = logarithmic[p] ? log_letters(low[p], high[p]) : letters(nice(high[p] - low[p], 4), high[p])
    if (now > longest) { longest = now }
}
left = 53 + 9.5 * longest
right = width - 24
top = height - 60 - 23 * key_rows
bottom = 66
gap_y = 24
dash_of(r) = layers > 21 ? 1 : 1 + (r - 1) / 7
mark_of(r) = layers > 21 ? -1 : symbol_of(1 + (r - 1) % 7)
panel_height = (top - bottom - gap_y * (panels - 1)) / (1.0 * panels)

set multiplot title heading noenhanced font ',18' textcolor rgb ink
set lmargin at screen X(left)
set rmargin at screen X(right)
set xrange [last_step > 0 ? 0 : -1 : last_step > 0 ? 1.02 * last_step : 1]
step = last_step < 5 ? 1 : nice(last_step, 8)
do for [p = 1:panels] {
    y_top = top - (p - 1) * (panel_height + gap_y)
    set tmargin at screen Y(y_top)
    set bmargin at screen Y(y_top - panel_height)
    if (logarithmic[p]) {
        set logscale y
        eval log_tics(low[p], high[p])
    } else {
        unset logscale y
        set ytics nice(high[p] - low[p], 4) format digits(nice(high[p] - low[p], 4))
    }
    set yrange [low[p]:high[p]]
    set xtics step format (p < panels ? '' : digits(step))
    set xlabel (p < panels ? '' : 'step (minibatches)') offset 0,0.4 textcolor rgb ink
    set ylabel label[p] noenhanced offset 0.7,0 textcolor rgb ink
    plot for [i = first_line[p]:last_line[p]] data index block[i] using 2:(column(column_of[p])) notitle \
        with linespoints linewidth 1.8 linecolor rgb colour_of(rank[i], layers) dashtype dash_of(rank[i]) \
        pointtype mark_of(rank[i]) pointsize 0.6 pointnumber 12
}

# The key, above the panels.
set tmargin at screen Y(height - 42)
set bmargin at screen Y(top)
unset logscale y
set xrange [0:1]
set yrange [0:1]
unset border
unset tics
unset xlabel
unset ylabel
set key at screen 0.5, Y(height - 42) center top horizontal maxcolumns key_columns Left reverse samplen 3.5 textcolor rgb ink
plot NaN notitle, for [r = 1:layers] keyentry with linespoints linewidth 1.8 linecolor rgb colour_of(r, layers) \
    dashtype dash_of(r) pointtype mark_of(r) pointsize 0.6 title sprintf('layer %d', layer[r])
unset multiplot
unset output
