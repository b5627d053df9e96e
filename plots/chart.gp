# Panels of marks with intervals (shape 0; hollow 1), lines (2; dashed 3), marks with horizontal intervals (4) and stacked bars (5). Item i is
# block i of the numbers, columns x, y, low and high; panel p shows items first_item[p] to last_item[p].

# Words at the y axis need their room.
y_letters = 0
do for [k = 1:words] { if (word_where[k] == 2 && strlen(word[k]) > y_letters) { y_letters = strlen(word[k]) } }
plain_left = width < 500 ? 84 : 92
left = plain_left
if (9 * y_letters + 24 > left) { left = 9 * y_letters + 24 }
# Numbers, too, with a label beside them.
do for [p = 1:panels] {
    y_letters = y_logarithmic[p] ? 0 : letters(nice(y_high[p] - y_low[p], 5), y_high[p])
    if (9 * y_letters + 46 > left) { left = 9 * y_letters + 46 }
}
# And half of the last number at the x axis, which may stand at the axis' end.
right_room = width < 500 ? 14 : 20
do for [p = 1:panels] {
    x_letters = x_logarithmic[p] ? strlen(sprintf('%.0f', x_high[p])) : letters(nice(x_high[p] - x_low[p], 8), x_high[p])
    if (4.5 * x_letters + 3 > right_room) { right_room = 4.5 * x_letters + 3 }
}
right = width - right_room
top = height - 54 - 23 * key_rows
bottom = 6
gap_x = left - 8
grey = 0x8A8A8A
most_rank = 1
do for [i = 1:items] { if (rank[i] > most_rank) { most_rank = rank[i] } }
line_of(r) = r == 0 ? grey : r < 0 ? 0xCFCFCF : colour_of(r, most_rank)
# Full ones: what is hollow means something.
array full[7] = [7, 5, 9, 13, 11, 15, 3]
mark_of(r) = r < 1 ? 7 : full[1 + (r - 1) % 7]
# As few_tics of the style, of the x axis.
few_x = 'set xtics (1); do for [k = floor(log10(a)):floor(log10(b))] { do for [m = 1:5] { v = m * 10.0 ** k; '. \
    'if (m < 3 || m == 5) { if (v >= a && v <= b) { set xtics add (sprintf(''%g'', v) v) } } } }'
tics_x(a, b) = sprintf('a = %g; b = %g; ', a, b).(b / a >= 200 ? 'set xtics autofreq format ''10^{%T}''' : few_x)
is(i, s, v) = shape[i] == s ? v : NaN
# Marks of different colours at one place stand side by side.
aside(i, x) = !stand_beside || rank[i] < 2 ? x : x_is_logarithmic ? x * (1 + 0.014 * (rank[i] - 1)) : x + 0.012 * (rank[i] - 1) * x_span
# A bar is not wider than its place.
bar = 0.38
key_dash(k) = key_shape[k] == 3 ? 2 : 1

set multiplot title heading noenhanced font (width < 500 ? ',15' : ',17') textcolor rgb ink
set style fill solid noborder
panel_width = (right - left - gap_x * (panel_columns - 1)) / (1.0 * panel_columns)
rows = (panels + panel_columns - 1) / panel_columns
row_height = (top - bottom) / (1.0 * rows)
x_parts = panel_width > 400 ? 8 : 4
do for [p = 1:panels] {
    x_left = left + ((p - 1) % panel_columns) * (panel_width + gap_x)
    y_top = top - ((p - 1) / panel_columns) * row_height
    set lmargin at screen X(x_left)
    set rmargin at screen X(x_left + panel_width)
    set tmargin at screen Y(y_top - 26)
    unset logscale
    x_is_logarithmic = x_logarithmic[p]
    stand_beside = beside[p]
    x_span = x_high[p] - x_low[p]
    x_named = 0
    y_named = 0
    x_longest = 0
    do for [k = 1:words] {
        if (word_panel[k] == p && word_where[k] == 1) { x_named = x_named + 1; if (strlen(word[k]) > x_longest) { x_longest = strlen(word[k]) } }
        if (word_panel[k] == p && word_where[k] == 2) { y_named = 1 }
    }
    # Names that don't fit side by side stand upright.
    upright = x_longest > 3 && x_named * (x_longest + 1.5) * 8.5 > panel_width
    plot_height = row_height - 26 - (upright ? 108 : 76)
    set bmargin at screen Y(y_top - row_height + (upright ? 108 : 76))
    if (x_logarithmic[p]) {
        set logscale x
        if (!x_named) { eval tics_x(x_low[p], x_high[p]) }
    } else {
        set xtics autofreq nice(x_high[p] - x_low[p], x_parts) format digits(nice(x_high[p] - x_low[p], x_parts))
    }
    if (y_logarithmic[p]) {
        set logscale y
        eval log_tics(y_low[p], y_high[p])
    } else {
        set ytics autofreq nice(y_high[p] - y_low[p], 5) format digits(nice(y_high[p] - y_low[p], 5))
    }
    if (x_named) { set xtics () format '%g' }
    if (upright) { set xtics rotate by 90 right font ',12' } else { set xtics norotate center font '' }
    if (y_named) { set ytics () format '%g' }
    unset label
    do for [k = 1:words] {
        if (word_panel[k] == p) {
            if (word_where[k] == 3) { set label word[k] noenhanced at word_x[k],word_y[k] center offset 0,0.7 font ',12' textcolor rgb ink front }
            if (word_where[k] == 4) { set label word[k] noenhanced at word_x[k],word_y[k] center offset 0,-0.75 font ',12' textcolor rgb ink front }
            if (word_where[k] == 7) { set label word[k] noenhanced at word_x[k],word_y[k] center offset 0,1.5 font ',12' textcolor rgb ink front }
            if (word_where[k] == 5) { set label word[k] noenhanced at word_x[k],word_y[k] left offset 0,0.5 font ',12' textcolor rgb ink front }
            if (word_where[k] == 6) {
                slope = atan2(plot_height / log10(y_high[p] / y_low[p]), panel_width / log10(x_high[p] / x_low[p]))
                set label word[k] noenhanced at word_x[k],word_y[k] left rotate by slope * 180 / pi \
                    offset -1.1 * sin(slope) + 0.6 * cos(slope),0.55 * cos(slope) + 0.3 * sin(slope) font ',12' textcolor rgb ink front
            }
            if (word_where[k] == 1) { set xtics add (word[k] word_x[k]) }
            if (word_where[k] == 2) { set ytics add (word[k] word_y[k]) }
        }
    }
    set xrange [x_low[p]:x_high[p]]
    set yrange [y_low[p]:y_high[p]]
    set xlabel (upright ? '' : x_label[p]) noenhanced offset 0,0.4 textcolor rgb ink
    set ylabel (y_named ? '' : y_label[p]) noenhanced offset 0.7,0 textcolor rgb ink
    if (strlen(panel_title[p])) { set label panel_title[p] noenhanced at screen X(x_left - left + plain_left),graph 1 left offset 0,0.8 font ',13' textcolor rgb ink front }
    plot for [i = first_item[p]:last_item[p]] data index i - 1 using (is(i, 5, column(1))):((column(3) + column(4)) / 2):(bar):(abs(column(4) - column(3)) / 2) notitle \
            with boxxyerror fillcolor rgb line_of(rank[i]) fillstyle solid noborder, \
        for [i = first_item[p]:last_item[p]] data index i - 1 using (is(i, 2, column(1))):2 notitle \
            with lines linewidth 1.8 linecolor rgb line_of(rank[i]), \
        for [i = first_item[p]:last_item[p]] data index i - 1 using (is(i, 3, column(1))):2 notitle \
            with lines linewidth 1.5 linecolor rgb line_of(rank[i]) dashtype 2, \
        for [i = first_item[p]:last_item[p]] data index i - 1 using (shape[i] < 2 ? aside(i, column(1)) : NaN):2:3:4 notitle \
            with yerrorbars linewidth 1.4 linecolor rgb line_of(rank[i]) pointtype -1, \
        for [i = first_item[p]:last_item[p]] data index i - 1 using (is(i, 4, column(1))):2:3:4 notitle \
            with xerrorbars linewidth 1.6 linecolor rgb line_of(rank[i]) pointtype -1, \
        for [i = first_item[p]:last_item[p]] data index i - 1 using (shape[i] == 0 ? aside(i, column(1)) : is(i, 4, column(1))):2 notitle \
            with points pointtype mark_of(rank[i]) pointsize 0.9 linewidth 1.5 linecolor rgb line_of(rank[i]), \
        for [i = first_item[p]:last_item[p]] data index i - 1 using (is(i, 1, aside(i, column(1)))):2 notitle \
            with points pointtype 6 pointsize 1.1 linewidth 1.5 linecolor rgb line_of(rank[i])
}

# The key, above the panels.
if (keys) {
    set lmargin at screen X(20)
    set rmargin at screen X(width - 20)
    set tmargin at screen Y(height - 38)
    set bmargin at screen Y(top)
    unset logscale
    set xrange [0:1]
    set yrange [0:1]
    unset label
    unset border
    unset tics
    unset xlabel
    unset ylabel
    set key at screen 0.5, Y(height - 38) center top horizontal maxcolumns key_columns Left reverse samplen 2 font ',13' textcolor rgb ink
    plot NaN notitle, for [k = 1:keys] keyentry with linespoints \
        linewidth (key_shape[k] == 5 ? 11 : key_shape[k] == 2 || key_shape[k] == 3 ? 1.8 : 0.01) \
        linecolor rgb line_of(key_rank[k]) dashtype key_dash(k) \
        pointtype (key_shape[k] == 0 || key_shape[k] == 4 ? mark_of(key_rank[k]) : key_shape[k] == 1 ? 6 : -1) pointsize 0.9 \
        title key_name[k] noenhanced
}
unset multiplot
unset output
