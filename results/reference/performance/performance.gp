if (!exists('term')) term = 'svg'
stem = 'performance'
height = 608
columns = 10
tools = 9
array label[10]
array name[9]
array number[9]
array own[9]
array group_of[10]
label[1] = 'W1, 1'; group_of[1] = 1
label[2] = 'W1, 2'; group_of[2] = 2
label[3] = 'W2, 1'; group_of[3] = 1
label[4] = 'W2, 2'; group_of[4] = 2
label[5] = 'W3, 1'; group_of[5] = 1
label[6] = 'W3, 2'; group_of[6] = 2
label[7] = 'W4, 1'; group_of[7] = 1
label[8] = 'W4, 2'; group_of[8] = 2
label[9] = 'W5, 1'; group_of[9] = 1
label[10] = 'W5, 2'; group_of[10] = 2
name[1] = 'deltoid tree'; number[1] = 1; own[1] = 1
name[2] = 'deltoid owner'; number[2] = 2; own[2] = 1
name[3] = 'deltoid split'; number[3] = 3; own[3] = 1
name[4] = 'PyTorch eager'; number[4] = 4; own[4] = 0
name[5] = 'PyTorch by hand'; number[5] = 5; own[5] = 0
name[6] = 'JAX scan'; number[6] = 6; own[6] = 0
name[7] = 'numpy'; number[7] = 7; own[7] = 0
name[8] = 'scikit-learn'; number[8] = 8; own[8] = 0
name[9] = 'FANN'; number[9] = 9; own[9] = 0
lowest = 0.0274
highest = 3.8671
highest_share = 0.9181
data = 'performance.tsv'
# What all pictures share: the format (term), colours, symbols, grid, tics. Lengths are in pixels of a picture 'width' wide, 960 where the settings say nothing.

if (!exists('width')) width = 960
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

# So much of a colour on white.
tint(c, share) = int(share * (int(c) / 65536) + 255 * (1 - share)) * 65536 + int(share * (int(c) / 256 % 256) + 255 * (1 - share)) * 256 + \
    int(share * (int(c) % 256) + 255 * (1 - share))

# Above, each tool's samples a second over those of the best rival, on a logarithmic axis; below, its share of the processors' FMA peak.
# One column a workload and number of threads, label[c]; tool i is number[i] in the numbers; deltoid's own are filled and blue.

key_rows = ceil(tools / 5.0)
left = 84
right = width - 20
top = height - 24 - 24 * key_rows
bottom = 58
gap_y = 20
panel_height = (top - bottom - gap_y) / 2.0

# deltoid's strategies in one blue and black with filled symbols, rivals with open ones in the other colours.
array own_symbol[4] = [7, 5, 9, 13]
array own_colour[4] = [0x0072B2, 0x0072B2, 0x56B4E9, 0x000000]
array rival_symbol[8] = [4, 6, 8, 12, 2, 1, 10, 3]
array rival_colour[8] = [0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x000000, 0x56B4E9, 0xD55E00, 0x009E73]
array symbol[tools]
array tint[tools]
mine = 0
theirs = 0
do for [i = 1:tools] {
    if (own[i]) { mine = mine + 1; symbol[i] = own_symbol[1 + (mine - 1) % 4]; tint[i] = own_colour[1 + (mine - 1) % 4] } \
    else { theirs = theirs + 1; symbol[i] = rival_symbol[1 + (theirs - 1) % 8]; tint[i] = rival_colour[1 + (theirs - 1) % 8] }
}
# Side by side where they would cover each other.
shift_of(i) = tools > 1 ? 0.6 * (i - 1.0) / (tools - 1) - 0.3 : 0

set multiplot
set lmargin at screen X(left)
set rmargin at screen X(right)
set xrange [0.5:columns + 0.5]
unset xtics
set grid noxtics ytics
do for [c = 1:columns - 1] { set arrow c from c + 0.5, graph 0 to c + 0.5, graph 1 nohead linewidth 0.7 linecolor rgb '#E4E4E4' back }

set tmargin at screen Y(top)
set bmargin at screen Y(top - panel_height)
set logscale y
eval log_tics(lowest / 1.2, highest * 1.2)
set yrange [lowest / 1.2:highest * 1.2]
set ylabel 'samples/s over the best rival' offset 0.7,0 textcolor rgb ink
set arrow 1000 from graph 0, first 1 to graph 1, first 1 nohead linewidth 1 linecolor rgb ink back
plot for [i = 1:tools] data using (column('number') == number[i] ? column('column') + shift_of(i) : NaN):'relative' notitle \
    with points pointtype symbol[i] pointsize 0.95 linewidth 1.6 linecolor rgb tint[i]
unset arrow 1000

set tmargin at screen Y(bottom + panel_height)
set bmargin at screen Y(bottom)
unset logscale y
set xtics scale 0 ()
do for [c = 1:columns] { set xtics add (label[c] c) }
set ytics 0.2 format '%.1f'
set yrange [0:highest_share > 0.95 ? 1.1 * highest_share : 1]
set ylabel 'share of FMA peak' offset 0.7,0 textcolor rgb ink
set xlabel 'workload, threads' offset 0,0.4 textcolor rgb ink
plot for [i = 1:tools] data using (column('number') == number[i] ? column('column') + shift_of(i) : NaN):'share' notitle \
    with points pointtype symbol[i] pointsize 0.95 linewidth 1.6 linecolor rgb tint[i]

# The key, above the panels.
unset arrow
unset border
unset tics
unset xlabel
unset ylabel
set tmargin at screen Y(height - 8)
set bmargin at screen Y(top)
set yrange [0:1]
set key at screen 0.5, Y(height - 10) center top horizontal maxcolumns 5 Left reverse samplen 1 width 1 textcolor rgb ink
plot NaN notitle, for [i = 1:tools] keyentry with points pointtype symbol[i] pointsize 0.95 linewidth 1.6 linecolor rgb tint[i] \
    title name[i] noenhanced
unset multiplot
unset output
