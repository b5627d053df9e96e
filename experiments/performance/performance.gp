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
