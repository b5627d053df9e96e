#!/usr/bin/env bash
# What capture costs. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
pairs=15
epochs=3
experiment=$root/experiments/quickstart/experiment.yaml

usage() {
    cat <<END
usage: experiments/performance/capture.sh [--pairs N] [--epochs N] [--experiment FILE] [KEY=VALUE ...]

Trains 784-256-128-100-10 on Fashion-MNIST (experiments/quickstart), or that experiment on data of 60,000 rows, by turns
without a capture and with z, a and delta of 64 samples of every layer every 100 steps, and compares the seconds that
training took, evaluation left out: the median of the pairs' ratios, and their quartiles. Default: $pairs pairs of $epochs
epochs. KEY=VALUE changes both.
END
}

overrides=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --pairs) pairs=$2 && shift ;;
    --epochs) epochs=$2 && shift ;;
    --experiment) experiment=$2 && shift ;;
    [a-z]*=*) overrides+=("$1") ;;
    *) echo "capture.sh: unknown argument '$1'; see --help" >&2 && exit 2 ;;
    esac
    shift
done

deltoid=$root/build/release/deltoid
[[ -x $deltoid ]] || { echo "capture.sh: $deltoid is missing; run experiments/quickstart.sh first" >&2 && exit 2; }
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# Seconds of training steps: samples over samples a second, epoch by epoch.
seconds() { # CAPTURE
    rm -rf -- "$work/run"
    "$deltoid" train "$experiment" training.epochs="$epochs" "${overrides[@]}" "capture=$1" \
        --out "$work/run" --quiet
    awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "samples_per_second") c = i } NR > 1 { s += 60000 / $c } END { print s }' \
        "$work/run/metrics.tsv"
}

none='{}'
probe='{probe: {quantities: [z, a, delta], every: 100, samples: 64}}'
for ((i = 0; i < pairs; i++)); do
    if ((i % 2)); then
        with=$(seconds "$probe") without=$(seconds "$none")
    else
        without=$(seconds "$none") with=$(seconds "$probe")
    fi
    echo "$without $with"
done | awk '{ print $2 / $1, $1, $2 }' | sort -n >"$work/pairs"
awk '{ r[NR] = $1; a += $2; b += $3 }
     END { q = int((NR + 3) / 4); m = int((NR + 1) / 2)
           printf "without %.2f s, with %.2f s (means of %d)\nwith / without: median %.3f, quartiles %.3f and %.3f\n", a / NR, b / NR, NR, r[m], r[q], r[NR + 1 - q] }' "$work/pairs"
