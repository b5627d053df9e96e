# A row of panels for each swept key: loss (left) and accuracy (right) against its values, with a dot and whiskers for each setting. Row r shows
# blocks first[r] to last[r] of the numbers; families[r]: each block is one
# that agrees in all other keys, and has a colour; joined[r]: and a line.

longest = 4
do for [p = 1:panels] {
    now = logarithmic[p] ? log_letters(low[p], high[p]) : letters(nice(high[p] - low[p], 5), high[p])
    if (now > longest) { longest = now }
}
left = 58 + 9.5 * longest
right = width - 24
gap = 58 + 9.5 * longest
panel_width = (right - left - gap * (panels - 1)) / (1.0 * panels)
array word[2] = ['loss', 'accuracy']
tint_of(r, b) = families[r] ? colour_of(b - first[r] + 1, last[r] - first[r] + 1) : colours[1]

set multiplot title heading noenhanced font ',18' textcolor rgb ink
do for [r = 1:rows] {
    y_top = height - 52 - row_top[r] - 23 * key_rows[r]
    row_height = 300 + 60 * slanted[r]
    set tmargin at screen Y(y_top)
    set bmargin at screen Y(y_top - row_height + 76 + 60 * slanted[r])
    do for [p = 1:panels] {
        x_left = left + (p - 1) * (panel_width + gap)
        set lmargin at screen X(x_left)
        set rmargin at screen X(x_left + panel_width)
        unset logscale
        if (log_x[r]) { set logscale x }
        if (logarithmic[p]) {
            set logscale y
            eval log_tics(low[p], high[p])
        } else {
            set ytics nice(high[p] - low[p], 5) format digits(nice(high[p] - low[p], 5))
        }
        set yrange [low[p]:high[p]]
        set xrange [x_low[r]:x_high[r]]
        if (slanted[r]) { set xtics noenhanced rotate by 20 right offset 0,0 } else { set xtics noenhanced norotate center offset 0,0.2 }
        if (tics[r]) {
            set xtics ()
            eval tics_of(r)
        } else {
            set xtics enhanced autofreq format (log_x[r] ? '10^{%T}' : '%g')
        }
        set label 1 key_name[r] noenhanced at screen X(x_left + panel_width / 2), screen Y(y_top - row_height + 34) center textcolor rgb ink
        set ylabel part.' '.word[p] offset 0.7,0 textcolor rgb ink
        plot for [b = first[r]:last[r]] data index b using (joined[r] ? column(3) : NaN):2 * p + 2 notitle \
                with lines linewidth 1.6 linecolor rgb tint_of(r, b), \
            for [b = first[r]:last[r]] data index b using 3:(column(2 * p + 2)):(intervals ? column(2 * p + 3) : 0) notitle \
                with yerrorbars linewidth 1.4 linecolor rgb tint_of(r, b) \
                pointtype symbol_of(1 + (b - first[r]) % 7) pointsize 0.8
    }

    # The key of the row, above it.
    if (keyed[r]) {
        set lmargin at screen X(left)
        set rmargin at screen X(right)
        set tmargin at screen Y(y_top + 23 * key_rows[r])
        set bmargin at screen Y(y_top)
        unset logscale
        set xrange [0:1]
        set yrange [0:1]
        unset border
        unset tics
        unset label 1
        unset ylabel
        set key at screen 0.5, Y(y_top + 10 + 23 * key_rows[r]) center top horizontal maxcolumns key_columns[r] Left reverse samplen 3.5 \
            textcolor rgb ink
        plot NaN notitle, for [b = first[r]:last[r]] keyentry with linespoints linewidth 1.6 linecolor rgb tint_of(r, b) \
            pointtype symbol_of(1 + (b - first[r]) % 7) pointsize 0.8 title name[b + 1] noenhanced
        unset key
        set border 3
        set xtics out nomirror scale 0.5 textcolor rgb ink
        set ytics out nomirror scale 0.5 textcolor rgb ink
    }
}
unset multiplot
unset output
