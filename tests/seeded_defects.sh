#!/usr/bin/env bash
# Breaks the engine on purpose, a defect an equation, and sees `deltoid check` find each. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    cat <<END
usage: tests/seeded_defects.sh [DEFECT ...]

Copies the sources to a temporary folder, builds the program there, and sees that \`deltoid check\` finds nothing wrong with an
experiment of four shards on two workers. Then, for each defect, changes one place in the copy, builds, checks again, and wants
exit status 1 and the first line that says WRONG to be of the layer and quantity that the defect spoils. Prints each change and
that line.

    dropped-derivative      (4) without sigma'(z)
    transposed-weights      (4) with w_ji in place of w_ij, between layers of equal size
    missing-bias-gradient   (6) left out, of the layers above the first
    wrong-batch             the sum divided by B + 1
    shard-twice             a shard of another worker counted again

Exit status: 0 all were found; 1 one was not; 2 bad arguments, or a place that is no longer in the sources: change it here too.
END
}

die() { # STATUS MESSAGE
    echo "tests/seeded_defects.sh: $2" >&2
    exit "$1"
}

# NAME|FILE|WHAT IS THERE|WHAT IT BECOMES|LAYER QUANTITY AGAINST
defects=(
    'dropped-derivative|src/train/pass.c|layer->activation->derivative(n, layer->parameter, z + i * stride, a + i * stride, delta + i * stride);|(void)z, (void)a;|1 delta gate circuit'
    'transposed-weights|src/train/pass.c|next->transposed + panels.first * column, column,|next->units == n ? network->parameters + next->first_block * DT_BLOCK : next->transposed, next->units == n ? next->column * DT_BLOCK : column,|1 delta gate circuit'
    'missing-bias-gradient|src/train/pass.c|clear_padding(delta + i * stride, n);|clear_padding(delta + i * stride, n), pass->a[l][i * stride + n] = 0;|2 db plain sum'
    'wrong-batch|src/train/engine.c|(1.0 / (double)s->batch)|(1.0 / (double)(s->batch + 1))|1 dW plain sum'
    'shard-twice|src/parallel/reduction.c|{dt_min(shards.first * reducer->shard_size,|{dt_min((shards.first - (shards.first > 0)) * reducer->shard_size,|1 dW plain sum'
)

chosen=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    *)
        known=0
        for defect in "${defects[@]}"; do [[ ${defect%%|*} == "$1" ]] && known=1; done
        ((known)) || die 2 "no defect '$1'; see --help"
        chosen+=("$1")
        ;;
    esac
    shift
done

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
mkdir -p "$work/tree/experiments"
cp -r "$root"/{CMakeLists.txt,cmake,include,src,plots} "$work/tree"
cp -r "$root/experiments/performance" "$work/tree/experiments"

build() {
    cmake --build "$work/build" --target deltoid --parallel "${JOBS:-$(nproc)}" >"$work/log" 2>&1 || {
        tail -n 40 "$work/log" >&2
        die 2 "the program can't be built"
    }
}

# 64 rows of 6 numbers in 3 classes; layers of equal size, a last one of another, more shards than workers.
experiment() {
    local i
    {
        printf '\0\0\10\2\0\0\0\100\0\0\0\6'
        for ((i = 0; i < 384; i++)); do printf %b "\\x$(printf %x $((i * 37 % 251)))"; done
    } >"$work/x"
    {
        printf '\0\0\10\1\0\0\0\100'
        for ((i = 0; i < 64; i++)); do printf %b "\\x$(printf %x $((i * 7 % 3)))"; done
    } >"$work/y"
    cat >"$work/experiment.yaml" <<END
name: seeded
precision: float64
data: {format: idx, train: {inputs: x, labels: y}, scale: 0.004}
network: [{units: 8, activation: tanh}, {units: 8, activation: tanh}, {units: 3}]
loss: cross_entropy
training: {batch_size: 16}
parallel: {threads: 2, shard_size: 4}
END
}

# Sets `status` and `said`.
check() {
    status=0
    said=$("$work/build/deltoid" check "$work/experiment.yaml" --samples 16 2>&1) || status=$?
}

# FILE OLD NEW: OLD must be there exactly once.
change() {
    local file=$work/tree/$1 text rest
    text=$(<"$file")
    rest=${text#*"$2"}
    [[ $rest != "$text" ]] || die 2 "$1 has no '$2' any more; change the place in this script"
    [[ $rest == "${rest#*"$2"}" ]] || die 2 "$1 has '$2' more than once; make the place in this script longer"
    printf '%s\n' "${text%%"$2"*}$3$rest" >"$file"
}

experiment
cmake -S "$work/tree" -B "$work/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DDELTOID_TESTS=OFF >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    die 2 "the copy can't be configured"
}
build
check
((status == 0)) || die 1 "without a defect the check says: $said"
echo "no defect: ${said##*$'\n'}"

count=0 found=0
for defect in "${defects[@]}"; do
    IFS='|' read -r name file old new wanted <<<"$defect"
    ((${#chosen[@]} == 0)) || [[ " ${chosen[*]} " == *" $name "* ]] || continue
    count=$((count + 1))
    change "$file" "$old" "$new"
    build
    check
    cp "$root/$file" "$work/tree/$file"
    first=$(grep -m 1 WRONG <<<"$said" || true)
    printf '\n%s\n  %s\n  -  %s\n  +  %s\n  exit status %s: %s\n' "$name" "$file" "$old" "$new" "$status" "$first"
    read -r layer quantity against kind _ <<<"$first"
    if ((status == 1)) && [[ "$layer $quantity $against $kind" == "$wanted" ]]; then
        found=$((found + 1))
    else
        echo "  NOT FOUND: wanted exit status 1 and $wanted"
    fi
done
printf '\n%s of %s found\n' "$found" "$count"
((found == count))
