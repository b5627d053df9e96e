#!/usr/bin/env bash
# Trains experiment.yaml over seeds and says how accurate the networks are. See --help.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
deltoid=${DELTOID:-$root/build/release/deltoid}

usage() {
    cat <<END
usage: experiments/fashion-mlp/run.sh [SEED ...] [-- KEY=VALUE ...]

Trains 784-512-512-10 on Fashion-MNIST once for each seed (1 2 3 without any) into results/fashion-mlp/, draws its plots, and
prints each run's test accuracy and weights, and the median accuracy. KEY=VALUE overrides a key of experiment.yaml.

The program is build/release/deltoid, or \$DELTOID. experiments/quickstart.sh builds it and installs what it needs.
END
}

seeds=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --) shift && break ;;
    *[!0-9]* | '')
        echo "run.sh: '$1' is no seed; see $0 --help" >&2
        exit 2
        ;;
    *) seeds+=("$1") ;;
    esac
    shift
done
((${#seeds[@]})) || seeds=(1 2 3)

if [[ ! -x $deltoid ]]; then
    echo "run.sh: no program at $deltoid; run experiments/quickstart.sh, or set DELTOID" >&2
    exit 2
fi

cd -- "$root"
accuracies=()
for seed in "${seeds[@]}"; do
    # The last object of --json tells where the run is and what came of it.
    last=$("$deltoid" train "$here/experiment.yaml" "seed=$seed" "$@" --json | tail -n 1)
    [[ $last =~ \"run\":\ \"([^\"]*)\".*\"weights_sha256\":\ \"([0-9a-f]*)\".*\"test_accuracy\":\ ([0-9.]+) ]] || {
        echo "run.sh: no test accuracy in: $last" >&2
        exit 1
    }
    run=${BASH_REMATCH[1]} weights=${BASH_REMATCH[2]} accuracy=${BASH_REMATCH[3]}
    "$deltoid" plot "$run" >/dev/null
    echo "seed $seed  test accuracy $accuracy  weights $weights  $run"
    accuracies+=("$accuracy")
done
mapfile -t sorted < <(printf '%s\n' "${accuracies[@]}" | sort -n)
echo "median  test accuracy ${sorted[(${#sorted[@]} - 1) / 2]}"
