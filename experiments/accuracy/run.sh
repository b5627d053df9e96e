#!/usr/bin/env bash
# Test accuracy beside scikit-learn's MLPClassifier on three of its data sets. See --help and README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
deltoid=${DELTOID:-$root/build/release/deltoid}

# shellcheck source-path=SCRIPTDIR source=../python.sh
source "$here/../python.sh"

usage() {
    cat <<END
usage: experiments/accuracy/run.sh [--check] [--python PYTHON] [--out FOLDER] [--splits N] [--seeds N]

Trains digits.yaml, breast_cancer.yaml and wine.yaml and scikit-learn's MLPClassifier() on N splits (10) of each data set with N seeds (10),
prints a table, and leaves accuracy.tsv, runs.tsv and accuracy.svg in FOLDER (results/accuracy; what an older call left there is replaced).
The packages of requirements.txt go into FOLDER/venv from PyPI, unless PYTHON is one that has them. About five minutes. Exit status 1 where
deltoid's median accuracy is below scikit-learn's on a data set.

With --check: two splits and one seed; exit status 1 where deltoid's mean accuracy is lower by 0.015 or more, 77 where PYTHON lacks a package or
gnuplot is missing; nothing is installed, and all goes to a temporary folder.

The program is build/release/deltoid, or \$DELTOID. experiments/quickstart.sh builds it and installs what it needs.
END
}

check='' python='' out=$root/results/accuracy splits=10 seeds=10
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --check) check=--check splits=2 seeds=1 ;;
    --python | --out | --splits | --seeds)
        (($# > 1)) || {
            echo "run.sh: $1 wants a value; see $0 --help" >&2
            exit 2
        }
        case $1 in
        --python) python=$2 ;;
        --out) out=$2 ;;
        --splits) splits=$2 ;;
        --seeds) seeds=$2 ;;
        esac
        shift
        ;;
    *)
        echo "run.sh: '$1' is no option; see $0 --help" >&2
        exit 2
        ;;
    esac
    shift
done
if [[ ! $splits =~ ^[1-9][0-9]?$ || ! $seeds =~ ^[1-9][0-9]*$ ]]; then
    echo "run.sh: splits are 1 to 99, seeds 1 or more" >&2
    exit 2
fi
if [[ ! -x $deltoid ]]; then
    echo "run.sh: no program at $deltoid; run experiments/quickstart.sh, or set DELTOID" >&2
    exit 2
fi

export PYTHONDONTWRITEBYTECODE=1
if [[ $check ]]; then
    python=${python:-python3}
    need_packages "$python" 'import numpy, scipy, sklearn'
    command -v gnuplot >/dev/null || {
        echo "run.sh: gnuplot is not there" >&2
        exit 77
    }
    out=$(mktemp -d)
    trap 'rm -rf -- "$out"' EXIT
fi
mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)

python=$(python_in "$out" "$here/requirements.txt" "$python")

cp -- "$here"/*.yaml "$out"
"$python" "$here/splits.py" "$out" "$splits" "$seeds"
for set in digits breast_cancer wine; do
    rm -rf -- "$out/$set-sweep"
    "$deltoid" sweep "$out/$set-sweep.yaml" --out "$out/$set-sweep" --quiet
done
"$python" "$here/theirs.py" "$splits" "$seeds" >"$out/theirs.tsv"
"$python" "$here/compare.py" "$out" ${check:+"$check"}
[[ $check ]] || echo "picture  $out/accuracy.svg"
