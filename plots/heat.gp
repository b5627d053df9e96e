# A heat map: a row a layer, the first at the bottom as signals go up; a cell a captured step, which reaches half way to its neighbours. Row i
# is block block[i] of the numbers, its value column column_of, the cell's edges the last two columns.

left = 100
right = width - 150
x(s) = log_x && s < 0.5 ? 0.5 : s
# A pixel more, so that no seam is seen between cells.
wider(s) = log_x ? s * (last_step / 0.5) ** (1.0 / (right - left)) : s + (last_step - first_step) / (right - left)
v(value) = logarithmic && value <= 0 ? NaN : value
set lmargin at screen X(left)
set rmargin at screen X(right)
set tmargin at screen Y(height - 50)
set bmargin at screen Y(66)
set title heading noenhanced font ',18' textcolor rgb ink offset 0,0.2
# viridis in full: a cell is an area, whose yellow is seen.
set palette defined (0 '#440154', 0.125 '#48186A', 0.25 '#3B528B', 0.375 '#2C718E', 0.5 '#21908D', 0.625 '#27AD81', 0.75 '#5DC863', 0.875 '#AADC32', 1 '#FDE725')
set colorbox user origin screen X(right + 22), Y(66) size screen X(18), Y(height - 116) noborder
if (logarithmic) {
    set logscale cb
    if (high / low >= 200) { set cbtics format '10^{%T}' } else {
        set cbtics (1)
        do for [k = floor(log10(low)):floor(log10(high))] {
            do for [m in '1 2 3 5 7'] { set cbtics add (sprintf('%g', m * 10.0 ** k) m * 10.0 ** k) }
        }
    }
} else {
    set cbtics nice(high - low, 4) format digits(nice(high - low, 4))
}
set cbrange [low:high]
set cbtics out nomirror scale 0.5 textcolor rgb ink
set mcbtics default
set cblabel label enhanced textcolor rgb ink offset 0.5,0
if (log_x) {
    set logscale x
    set xtics format '10^{%T}'
    set xrange [0.5:last_step]
} else {
    step = last_step < 5 ? 1 : nice(last_step, 8)
    set xtics step format digits(step)
    set xrange [first_step < 0 ? 0 : first_step : last_step]
}
set xlabel 'step (minibatches)' offset 0,0.4 textcolor rgb ink
set ylabel 'layer' offset -1.5,0 textcolor rgb ink
set yrange [0.5:rows + 0.5]
set ytics scale 0 ()
every_row = rows > 24 ? rows / 12 : 1
do for [i = 1:rows] { if ((i - 1) % every_row == 0) { set ytics add (sprintf('%d', layer[i]) i) } }
unset grid
plot for [i = 1:rows] data index block[i] \
    using (x(column(2))):(i):(x(column(9))):(wider(x(column(10)))):(i - 0.46):(i + 0.46):(v(column(column_of))) notitle \
    with boxxyerror linecolor palette fillstyle solid 1.0 noborder
unset output
