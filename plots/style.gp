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
