#!/usr/bin/env bash
# Models out and in, against PyTorch and onnxruntime. See --help.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)

# shellcheck source-path=SCRIPTDIR source=../python.sh
source "$here/../python.sh"

usage() {
    cat <<END
usage: experiments/interchange/run.sh [--check] [--python PYTHON] [pytorch|activations]...

Runs pytorch.py and activations.py, or those that are named, in a folder of their own. The packages of requirements.txt go into
results/interchange/venv from PyPI, unless PYTHON is one that has them. Exit status 1 where something differs.

With --check nothing is installed: exit status 77 where PYTHON (python3) lacks a package.

The program is build/release/deltoid, or \$DELTOID. experiments/quickstart.sh builds it and installs what it needs.
END
}

check='' python='' parts=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --check) check=--check ;;
    --python)
        (($# > 1)) || {
            echo "run.sh: --python wants a value; see $0 --help" >&2
            exit 2
        }
        python=$2
        shift
        ;;
    pytorch | activations) parts+=("$1") ;;
    *)
        echo "run.sh: '$1' is no option and no part; see $0 --help" >&2
        exit 2
        ;;
    esac
    shift
done
((${#parts[@]})) || parts=(pytorch activations)

DELTOID=$(realpath -- "${DELTOID:-$root/build/release/deltoid}")
export DELTOID PYTHONDONTWRITEBYTECODE=1
if [[ ! -x $DELTOID ]]; then
    echo "run.sh: no program at $DELTOID; run experiments/quickstart.sh, or set DELTOID" >&2
    exit 2
fi

if [[ $check ]]; then
    python=${python:-python3}
    need_packages "$python" 'import numpy, onnx, onnxruntime, torch'
else
    [[ $python ]] || mkdir -p -- "$root/results/interchange"
    python=$(python_in "$root/results/interchange" "$here/requirements.txt" "$python")
fi

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
for part in "${parts[@]}"; do
    mkdir "$work/$part"
    "$python" "$here/$part.py" "$work/$part"
done
