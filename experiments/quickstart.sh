#!/usr/bin/env bash
# From nothing to a trained network, its capture and its plots. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
run=results/quickstart/run

usage() {
    cat <<END
usage: experiments/quickstart.sh [--fresh] [KEY=VALUE ...]

Installs the packages that are missing (Debian 12), builds deltoid, trains 784-256-128-100-10 on the 60,000 images of
Fashion-MNIST on all cores with every layer's z, a, delta and dW captured, draws the plots, and says where everything is.
What is done already is skipped.

    --fresh     train again; the run that is there is kept beside the new one
    KEY=VALUE   overrides a key of experiments/quickstart/experiment.yaml: training.epochs=3 seed=2

Exit status: 0 done; 2 bad arguments, or packages missing; else that of the step that failed.
END
}

fail() { # STATUS MESSAGE
    echo "quickstart: $2" >&2
    exit "$1"
}

fresh=false
overrides=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --fresh) fresh=true ;;
    [a-z]*=*) overrides+=("$1") ;;
    *) fail 2 "unknown argument '$1'; see experiments/quickstart.sh --help" ;;
    esac
    shift
done

cd -- "$root"

# shellcheck source-path=SCRIPTDIR/.. source=cmake/packages.sh
source cmake/packages.sh
packages_install build/packages.log all || exit 2

log=build/release.log
deltoid=build/release/deltoid
echo "build     $deltoid"
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release --target deltoid --parallel "$(nproc)"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    fail 1 "the build failed (whole log: $root/$log)"
fi

experiment=experiments/quickstart/experiment.yaml
wanted=$("$deltoid" train "$experiment" "${overrides[@]}" --print-config)

# A finished run of this very experiment: the final provenance is the last thing that a run writes.
is_done() {
    [[ -r $run/experiment.yaml ]] && [[ $(<"$run/experiment.yaml") == "$wanted" ]] &&
        grep -q '"weights_sha256": *"[0-9a-f]\{64\}"' "$run/provenance.json" 2>/dev/null
}

if ! $fresh && is_done; then
    echo "train     done before, in $run (--fresh trains again)"
else
    if [[ -e $run ]]; then
        kept=$run-$(date -u -r "$run" +%Y%m%dT%H%M%SZ)
        mv --no-target-directory -- "$run" "$kept"
        echo "train     the run that was here is now $kept"
    fi
    echo "train     $experiment${overrides[*]:+ ${overrides[*]}}"
    mkdir -p "$(dirname "$run")"
    "$deltoid" train "$experiment" "${overrides[@]}" --out "$run" || fail $? "training ended early (status $?); what it wrote is in $root/$run"
fi

echo "plot      $run/plots"
"$deltoid" plot "$run" >/dev/null || fail $? "drawing the plots failed"

# The last value of a column of metrics.tsv.
metric() { # COLUMN
    awk -F '\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i } END { print $column }' "$run/metrics.tsv"
}

size() { # FILE
    du -h --apparent-size -- "$run/$1" | cut -f 1
}

LC_NUMERIC=C printf '\nTest accuracy %.4f after %d epochs.\n\n' "$(metric test_accuracy)" "$(metric epoch)"
cat <<END
In $root/$run:
  plots/           loss, accuracy and the layers' norms, with the gnuplot scripts that redraw them
  metrics.tsv      one row an epoch
  capture.h5       z, a, delta and dW, layer by layer: an index over the $(size capture) in capture/
  model.h5         the weights
  experiment.yaml  trains the same weights again
  provenance.json  what made them, and their SHA-256
END
