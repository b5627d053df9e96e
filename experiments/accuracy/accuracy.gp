# A panel for each data set: above, both programs' runs as points, moved apart, over a box from the first quartile to the third with the median
# across, from low[i]; below, the difference of each of the splits' means (deltoid less scikit-learn), at most most[i], with the mean of them and
# its 95 % interval, mean[i] +- half[i].

left = 84
gap = 76
panel_width = (width - left - 20 - gap * (sets - 1)) / (1.0 * sets)
own = 0x0072B2
other = 0xD55E00
apart = 0.46

# In one place on every machine: a hash of the row moves points apart.
moved(i) = apart * (i * 0.6180339887 - floor(i * 0.6180339887) - 0.5)

set multiplot
unset key
set grid noxtics ytics
set style boxplot nooutliers fraction 1
set style fill solid 0.16 border
set boxwidth 0.6
do for [i = 1:sets] {
    set lmargin at screen X(left + (i - 1) * (panel_width + gap))
    set rmargin at screen X(left + (i - 1) * (panel_width + gap) + panel_width)
    set xrange [0.45:2.55]
    set xtics scale 0 ('deltoid' 1, 'scikit-learn' 2)
    set tmargin at screen Y(height - 44)
    set bmargin at screen Y(214)
    set title name[i] noenhanced font ',18' offset 0,-0.4 textcolor rgb ink
    set ylabel (i == 1 ? 'test accuracy' : '') offset 0.5,0 textcolor rgb ink
    set yrange [low[i]:1 + 0.04 * (1 - low[i])]
    set ytics nice(1 - low[i], 5) format digits(nice(1 - low[i], 5))
    plot 'runs.tsv' using (1):(strcol('set') eq name[i] ? column('deltoid') : NaN) with boxplot linecolor rgb own linewidth 1.8, \
        '' using (2):(strcol('set') eq name[i] ? column('sklearn') : NaN) with boxplot linecolor rgb other linewidth 1.8, \
        '' using (strcol('set') eq name[i] ? 1 + moved($0) : NaN):'deltoid' with points pointtype 7 pointsize 0.32 linecolor rgb own, \
        '' using (strcol('set') eq name[i] ? 2 + moved($0) : NaN):'sklearn' with points pointtype 6 pointsize 0.38 linecolor rgb other

    set tmargin at screen Y(166)
    set bmargin at screen Y(56)
    unset title
    set ylabel (i == 1 ? 'difference (%)' : '') offset 0.5,0 textcolor rgb ink
    set xlabel 'split' offset 0,0.4 textcolor rgb ink
    set xrange [0.3:splits + 2.5]
    set yrange [-1.15 * most[i]:1.15 * most[i]]
    set ytics nice(2.3 * most[i], 4) format digits(nice(2.3 * most[i], 4))
    set xtics scale 0.5 1,1
    set xtics (1)
    do for [split = 3:splits:2] { set xtics add (split) }
    set xtics add ('mean' splits + 1.6)
    set arrow 1 from graph 0, first 0 to graph 1, first 0 nohead linewidth 1 linecolor rgb ink back
    plot 'splits.tsv' using (strcol('set') eq name[i] ? column('split') : NaN):(100 * column('difference')) \
            with points pointtype 7 pointsize 0.7 linecolor rgb own, \
        '+' using (splits + 1.6):(mean[i]):(half[i]) every ::0::0 with yerrorbars pointtype 5 pointsize 0.7 linewidth 1.8 linecolor rgb ink
    unset arrow 1
    unset xlabel
}
unset multiplot
unset output
