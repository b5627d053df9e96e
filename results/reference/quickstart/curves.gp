# Drawn by deltoid 0.1.0. To draw it again from curves.tsv, in this folder:
#     gnuplot curves.gp
#     gnuplot -e "term='pdf'" curves.gp       (or svg, or png)

if (!exists('term')) term = 'svg'
stem = 'curves'
data = 'curves.tsv'
heading = 'quickstart: test accuracy 0.8954 after 20 epochs'
loss_label = 'loss (nats)'
key_rows = 1
key_columns = 2
height = 720
lines = 2
array name[2] = ['train', 'test']
array block[2] = [0, 0]
array loss[2] = [3, 7]
array colour[2] = [1, 2]
array dash[2] = [2, 1]
array symbol[2] = [2, 1]
array size[2] = [0.6, 0.6]
array weight[2] = [2.0, 2.0]
colours_needed = 3
last_epoch = 20.0
last_second = 8.07459219
array low[2] = [0.1479695041, 0.7965375004]
array high[2] = [0.5590986599, 0.9445791666]
array logarithmic[2] = [0, 0]
first_row = 1
last_row = 2

# What all pictures share: the format (term), colours, symbols, grid, tics. Lengths are in pixels of a picture 960 wide.

width = 960
set encoding utf8
# The same sizes in all formats: svg counts pixels, pngcairo points, pdfcairo points of its own.
if (term eq 'svg') {
    set terminal svg size width,height font 'sans-serif,15' background 'white'
} else { if (term eq 'png') {
    set terminal pngcairo size width,height font 'sans-serif,15' fontscale 0.75 pointscale 1.5 dashlength 1.4 background 'white'
} else { if (term eq 'pdf') {
    set terminal pdfcairo size width / 96.0, height / 96.0 font 'sans-serif,15' fontscale 0.56 pointscale 1.1 linewidth 1.4 \
        background 'white'
} else {
    exit error 'term must be svg, png or pdf'
} } }
set output stem.'.'.term

# Okabe and Ito's colours, which are told apart without full colour vision; without their yellow, which is lost on white.
array colours[7] = [0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x000000]
# More lines than those run through viridis, again without its yellow end.
set palette defined (0 '#440154', 0.22 '#414487', 0.44 '#2A788E', 0.66 '#22A884', 0.88 '#7AD151', 1 '#A8DB34')
set cbrange [0:1]
unset colorbox
colour_of(i, n) = n <= 7 ? colours[i] : palette((i - 1.0) / (n - 1))

# What is told apart by colour is told apart without: 1 solid, 2 dashed, 3 dash and dot, 4 dotted, 5 long dashes; and by symbols, 0 none.
set dashtype 2 (8,4)
set dashtype 3 (8,3,2,3)
set dashtype 4 (2,3)
set dashtype 5 (16,4)
array symbols[8] = [-1, 7, 6, 9, 5, 13, 8, 4]
symbol_of(i) = symbols[1 + i]

ink = '#333333'
set border 3 linecolor rgb ink linewidth 1
set tics out nomirror scale 0.5 textcolor rgb ink
set xtics offset 0,0.2
set grid linetype 1 linewidth 0.7 linecolor rgb '#E4E4E4'

set datafile separator tab
set datafile missing 'nan'

# Pixels from the picture's left and bottom edge, as screen coordinates.
X(px) = px / (1.0 * width)
Y(px) = px / (1.0 * height)

# A step of 1, 2 or 5 times a power of ten that cuts a range into about so many parts, and a format with the digits it needs.
power(r) = 10.0 ** floor(log10(r))
rounded(f) = f < 1.5 ? 1 : f < 3.5 ? 2 : f < 7.5 ? 5 : 10
nice(range, parts) = power(range / parts) * rounded(range / parts / power(range / parts))
digits(step) = step < 1e-4 || step >= 1e6 ? '%g' : step >= 1 ? '%.0f' : sprintf('%%.%df', ceil(-log10(step) - 1e-9))
# About five of them on an axis from 0 on, fewer where they are long.
letters(step, last) = strlen(sprintf(digits(step), last))
spaced(last) = letters(nice(last, 5), last) > 4 ? nice(last, 3) : nice(last, 5)

# The tics of a logarithmic axis from a to b, for eval: at powers of ten, or also at 2 and 5 times them where there are few.
log_tics(a, b) = sprintf('a = %g; b = %g; ', a, b).(b / a >= 200 ? 'set ytics autofreq format ''10^{%T}''' : few_tics)
log_letters(a, b) = b / a >= 200 ? 4 : strlen(sprintf('%g', power(a)))
few_tics = 'set ytics (1); do for [k = floor(log10(a)):floor(log10(b))] { do for [m = 1:5] { v = m * 10.0 ** k; '. \
    'if (m < 3 || m == 5) { if (v >= a && v <= b) { set ytics add (sprintf(''%g'', v) v) } } } }'

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
