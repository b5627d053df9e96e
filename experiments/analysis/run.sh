#!/usr/bin/env bash
# Trains experiment.yaml and draws the pictures of the three scripts. See --help and README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
deltoid=${DELTOID:-$root/build/release/deltoid}

# shellcheck source-path=SCRIPTDIR source=../python.sh
source "$here/../python.sh"

usage() {
    cat <<END
usage: experiments/analysis/run.sh [--check] [--python PYTHON] [--out FOLDER]

Trains 784-128-64-10 on Fashion-MNIST for four epochs (a second or two), with captures, into FOLDER/run (results/analysis/run; an older
one there is replaced), runs the three scripts on it, and leaves their pictures in FOLDER. The packages of requirements.txt go into
FOLDER/venv from PyPI, unless PYTHON is one that has them.

With --check: exit status 1, with the differences, where the scripts print something else than expected.txt; 77 where PYTHON
lacks a package or the data are not there; nothing is installed, and all goes to a temporary folder.

The program is build/release/deltoid, or \$DELTOID. experiments/quickstart.sh builds it and installs what it needs.
END
}

check=0 python='' out=$root/results/analysis
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --check) check=1 ;;
    --python | --out)
        (($# > 1)) || {
            echo "run.sh: $1 wants a value; see $0 --help" >&2
            exit 2
        }
        if [[ $1 == --python ]]; then python=$2; else out=$2; fi
        shift
        ;;
    *)
        echo "run.sh: '$1' is no option; see $0 --help" >&2
        exit 2
        ;;
    esac
    shift
done
if [[ ! -x $deltoid ]]; then
    echo "run.sh: no program at $deltoid; run experiments/quickstart.sh, or set DELTOID" >&2
    exit 2
fi

if ((check)); then
    python=${python:-python3}
    need_packages "$python" 'import h5netcdf, h5py, matplotlib, numpy, pandas, xarray; xarray.open_datatree'
    [[ -e /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ]] || {
        echo "run.sh: Fashion-MNIST is not there" >&2
        exit 77
    }
    out=$(mktemp -d)
    trap 'rm -rf -- "$out"' EXIT
fi
mkdir -p -- "$out"
out=$(cd -- "$out" && pwd)

python=$(python_in "$out" "$here/requirements.txt" "$python")

export PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=$out/matplotlib
rm -rf -- "$out/run"
"$deltoid" train "$here/experiment.yaml" --out "$out/run" --quiet
for script in with_h5py with_xarray with_pandas; do
    echo "$script"
    "$python" "$here/$script.py" "$out/run" "$out/$script.svg" | sed "s|^$out/||"
done >"$out/printed.txt"

if ((check)); then
    diff -u "$here/expected.txt" "$out/printed.txt"
    for script in with_h5py with_xarray with_pandas; do
        grep -q '</svg>' "$out/$script.svg"
    done
else
    cat "$out/printed.txt"
    echo "pictures  $out"
fi
