# Loss (above) and accuracy (below) of a sweep's settings against epochs. Line i is column column_of[i], and for the accuracy the one three after
# it, of block block[i] of the numbers, with dash[i] 2 where it is training; each is followed by the two ends of its interval.

longest = 4
do for [p = 1:panels] {
    now = logarithmic[p] ? log_letters(low[p], high[p]) : letters(nice(high[p] - low[p], 5), high[p])
    if (now > longest) { longest = now }
}
left = 58 + 9.5 * longest
right = width - 24
top = height - 60 - 23 * key_rows
bottom = 66
gap = 34
panel_height = (top - bottom - gap * (panels - 1)) / (1.0 * panels)
array word[2] = ['loss', 'accuracy']
# What isn't known is a gap, not a straight line.
set datafile missing 'none'

set multiplot title heading noenhanced font ',18' textcolor rgb ink
set lmargin at screen X(left)
set rmargin at screen X(right)
last = last_epoch * (last_epoch > 1 ? 1.02 : 2)
step = last < 5 ? 1 : nice(last, 8)
set xrange [0:last]
do for [p = 1:panels] {
    y_top = top - (p - 1) * (panel_height + gap)
    set tmargin at screen Y(y_top)
    set bmargin at screen Y(y_top - panel_height)
    if (logarithmic[p]) {
        set logscale y
        eval log_tics(low[p], high[p])
    } else {
        unset logscale y
        set ytics nice(high[p] - low[p], 5) format digits(nice(high[p] - low[p], 5))
    }
    set yrange [low[p]:high[p]]
    set xtics step format (p == panels ? digits(step) : '')
    set xlabel (p == panels ? 'epoch' : '') offset 0,0.4 textcolor rgb ink
    set ylabel word[p] offset 0.7,0 textcolor rgb ink
    plot for [i = 1:lines] data index block[i] \
            using (dash[i] == 2 ? NaN : column(1)):(column(column_of[i] + 3 * p - 2)):(column(column_of[i] + 3 * p - 1)) notitle \
            with filledcurves fillcolor rgb colour_of(block[i] + 1, settings) fillstyle transparent solid (settings > 3 ? 0.13 : 0.2) noborder, \
        for [i = 1:lines] data index block[i] using 1:(column(column_of[i] + 3 * p - 3)) notitle \
            with linespoints linewidth (dash[i] == 2 ? 1.3 : 2) linecolor rgb colour_of(block[i] + 1, settings) \
            dashtype dash[i] pointtype (dash[i] == 2 ? -1 : symbol_of(1 + block[i] % 7)) pointsize 0.6 pointnumber 16
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
plot NaN notitle, for [i = 1:settings] keyentry with linespoints linewidth 2 linecolor rgb colour_of(i, settings) \
    pointtype symbol_of(1 + (i - 1) % 7) pointsize 0.6 title name[i] noenhanced
unset multiplot
unset output
