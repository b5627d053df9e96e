# Both sides of the four equations, from the numbers of `deltoid circuit xor.yaml --sample 2 --format tsv`: class 1 is right.
{ value[$1, $2, $3, $4] = $5; gradient[$1, $2, $3, $4] = $6 }
END {
    for (j = 0; j < 2; j++) {
        delta[j] = gradient["z", 2, j, "-"]
        e[j] = exp(value["z", 2, j, "-"])
        back += delta[j] * value["w", 2, j, 0]
    }
    a = value["a", 1, 0, "-"]
    printf "%-20s %24s %18s\n", "", "in the table", "by the equation"
    show("(3) delta^2_1", delta[1], e[1] / (e[0] + e[1]) - 1)
    show("(4) delta^1_0", gradient["z", 1, 0, "-"], (1 - a * a) * back)
    show("(5) dC/dw^2_{1,0}", gradient["w", 2, 1, 0], delta[1] * a)
    show("(6) dC/db^1_0", gradient["b", 1, 0, "-"], gradient["z", 1, 0, "-"])
}
function show(name, left, right) { printf "%-20s %24.12f %18.12f\n", name, left, right }
