#!/usr/bin/env bash
# What a capture costs: training with one beside training without, in pairs; and what is written beside what dd writes.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$root/experiments/performance
kinds=samples,statistics,full
pairs=15
epochs=3
work=${TMPDIR:-/tmp}

usage() {
    cat <<END
usage: experiments/performance/capture.sh [--kinds KINDS] [--pairs N] [--epochs N] [--folder DIR] [KEY=VALUE ...]

Fashion-MNIST by turns without a capture and with one, and the median of the pairs' ratios, with quartiles. Seconds are
those of training steps, without evaluation. Kinds, of $kinds:

  samples     z, a and delta of 64 samples of every layer every 100 steps; 784-256-128-100-10 (experiments/quickstart)
  statistics  every statistic of every quantity of every layer at every step; 784-512-512-10, minibatches of 128 (W2.yaml)
  moments     the same without histograms, cosine and update_ratio
  full        every quantity of every sample at every step of 90 steps of the same, in bytes a second until all is on the
              disk, beside dd with conv=fsync of as many bytes to the same folder

Default: $pairs pairs of $epochs epochs (of W2: one), in a temporary folder in --folder DIR ($work), of which full needs
2 GB. KEY=VALUE changes both of a pair: parallel.threads=1.
END
}

overrides=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --kinds) kinds=$2 && shift ;;
    --pairs) pairs=$2 && shift ;;
    --epochs) epochs=$2 && shift ;;
    --folder) work=$2 && shift ;;
    [a-z]*=*) overrides+=("$1") ;;
    *) echo "capture.sh: unknown argument '$1'; see --help" >&2 && exit 2 ;;
    esac
    shift
done

deltoid=${DELTOID:-$root/build/release/deltoid}
[[ -x $deltoid ]] || { echo "capture.sh: $deltoid is missing; run experiments/quickstart.sh first" >&2 && exit 2; }
work=$(mktemp -d -p "$work")
trap 'rm -rf -- "$work"' EXIT

statistics() { # STATISTIC...: of all quantities
    local quantity statistic list=
    for quantity in W b z a delta dW db; do
        for statistic in "$@"; do list+=${list:+, }${quantity}_$statistic; done
    done
    echo "{all: {quantities: [$list], every: 1}}"
}

capture_of() { # KIND
    case $1 in
    samples) echo '{probe: {quantities: [z, a, delta], every: 100, samples: 64}}' ;;
    statistics) echo '{all: {quantities: [statistics], every: 1}}' ;;
    moments) statistics mean std min max absmax zeros norm ;;
    full) echo '{full: {quantities: [W, b, z, a, delta, dW, db], every: 1, samples: batch}}' ;;
    *) echo "capture.sh: unknown kind '$1'; see --help" >&2 && exit 2 ;;
    esac
}

train() { # KIND CAPTURE
    local experiment=$folder/W2.yaml options=(training.epochs=1)
    case $1 in
    samples) experiment=$root/experiments/quickstart/experiment.yaml options=("training.epochs=$epochs") ;;
    full) options+=(data.validation.fraction=0.808) ;;
    esac
    rm -rf -- "$work/run"
    "$deltoid" train "$experiment" "${options[@]}" "${overrides[@]}" "capture=$2" --out "$work/run" --quiet
}

# Samples over samples a second, epoch by epoch.
seconds() { # KIND CAPTURE
    train "$1" "$2"
    awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
                 { s += ($column["step"] - before) / $column["samples_per_second"]; before = $column["step"] }
                 END { printf "%.6f\n", 128 * s }' "$work/run/metrics.tsv"
}

now() { date +%s.%N; }

# MB a second: captured, over the training steps and until all is on the disk; and by dd.
rates() {
    local times=() steps bytes
    times+=("$(now)") && steps=$(seconds full '{}')
    times+=("$(now)") && train full "$(capture_of full)"
    times+=("$(now)") && bytes=$(du -sb "$work/run/capture" | cut -f 1)
    rm -rf -- "$work/run"
    times+=("$(now)") && dd if=/dev/zero of="$work/dd" bs=1M count=$((bytes >> 20)) conv=fsync status=none
    times+=("$(now)") && rm -- "$work/dd"
    echo "$bytes $steps ${times[*]}" | awk '{ print $1 / ($5 - $4 - ($4 - $3 - $2)) / 1e6, $1 / ($7 - $6) / 1e6 }'
}

pair() { # KIND INDEX: the two that are compared
    local capture with without
    capture=$(capture_of "$1")
    if [[ $1 == full ]]; then
        rates
    elif (($2 % 2)); then
        with=$(seconds "$1" "$capture") without=$(seconds "$1" '{}')
        echo "$with $without"
    else
        without=$(seconds "$1" '{}') with=$(seconds "$1" "$capture")
        echo "$with $without"
    fi
}

IFS=, read -ra kinds <<<"$kinds"
for kind in "${kinds[@]}"; do capture_of "$kind" >/dev/null; done
for ((i = 0; i < pairs; i++)); do
    for kind in "${kinds[@]}"; do
        pair "$kind" "$i" | awk '{ print $1 / $2, $1, $2 }' >>"$work/$kind"
    done
done
for kind in "${kinds[@]}"; do
    sort -n "$work/$kind" | awk -v kind="$kind" '
        { r[NR] = $1; a += $2; b += $3 }
        END { q = int((NR + 3) / 4); m = int((NR + 1) / 2)
              full = kind == "full"
              printf "%-10s %s / %s: median %.3f, quartiles %.3f and %.3f (means %.4g and %.4g %s, %d pairs)\n", kind, \
                  full ? "captured" : "with", full ? "dd" : "without", r[m], r[q], r[NR + 1 - q], a / NR, b / NR, \
                  full ? "MB/s" : "s", NR }'
done
