# Loss (row 1) and accuracy (row 2) against epochs (left) and against time (right). Line i is column loss[i], and for the accuracy the one
# after it, of block block[i] of the numbers.

rows = last_row - first_row + 1
longest = 4
do for [row = first_row:last_row] {
    now = logarithmic[row] ? log_letters(low[row], high[row]) : letters(nice(high[row] - low[row], 5), high[row])
    if (now > longest) { longest = now }
}
left = 53 + 9.5 * longest
right = width - 24
top = height - 60 - 23 * key_rows
bottom = 66
gap_x = 30 + 9.5 * longest
gap_y = 50
panel_width = (right - left - gap_x) / 2.0
panel_height = (top - bottom - gap_y * (rows - 1)) / (1.0 * rows)

set multiplot title heading noenhanced font ',18' textcolor rgb ink
do for [row = first_row:last_row] {
    y_top = top - (row - first_row) * (panel_height + gap_y)
    set tmargin at screen Y(y_top)
    set bmargin at screen Y(y_top - panel_height)
    if (logarithmic[row]) {
        set logscale y
        eval log_tics(low[row], high[row])
    } else {
        unset logscale y
        set ytics nice(high[row] - low[row], 5) format digits(nice(high[row] - low[row], 5))
    }
    set yrange [low[row]:high[row]]
    do for [side = 1:2] {
        x_left = left + (side - 1) * (panel_width + gap_x)
        set lmargin at screen X(x_left)
        set rmargin at screen X(x_left + panel_width)
        last = (side == 1 ? last_epoch : last_second) * (last_epoch > 1 ? 1.03 : 2)
        step = side == 1 && last < 5 ? 1 : spaced(last)
        set xrange [0:last]
        set xtics step format digits(step)
        set xlabel (row < last_row ? '' : side == 1 ? 'epoch' : 'time (s)') offset 0,0.4 textcolor rgb ink
        set ylabel (side == 2 ? '' : row == 1 ? loss_label : 'accuracy') noenhanced offset 0.7,0 textcolor rgb ink
        plot for [i = 1:lines] data index block[i] using side:(column(loss[i] + row - 1)) notitle \
            with linespoints linewidth weight[i] linecolor rgb colour_of(colour[i], colours_needed) dashtype dash[i] \
            pointtype symbol_of(symbol[i]) pointsize size[i] pointnumber 16
    }
}

# The key, above the panels.
set lmargin at screen X(left)
set rmargin at screen X(right)
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
plot NaN notitle, for [i = 1:lines] keyentry with linespoints linewidth weight[i] \
    linecolor rgb colour_of(colour[i], colours_needed) dashtype dash[i] pointtype symbol_of(symbol[i]) pointsize size[i] \
    title name[i] noenhanced
unset multiplot
unset output
