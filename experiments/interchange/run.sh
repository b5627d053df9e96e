#!/usr/bin/env bash
# Models out and in, against PyTorch and onnxruntime. See --help.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

usage() {
    cat <<END
usage: experiments/interchange/run.sh [pytorch|activations]...

Runs pytorch.py and activations.py, or those that are named, in a folder of their own, with \$PYTHON (python3), which needs the packages
of requirements.txt. The program is build/release/deltoid, or \$DELTOID. Exit status 77 where a package is missing.
END
}

parts=()
for part in "$@"; do
    case $part in
    -h | --help) usage && exit 0 ;;
    pytorch | activations) parts+=("$part") ;;
    *)
        echo "run.sh: '$part' is no part; see $0 --help" >&2
        exit 2
        ;;
    esac
done
((${#parts[@]})) || parts=(pytorch activations)

DELTOID=$(realpath -- "${DELTOID:-$here/../../build/release/deltoid}")
export DELTOID PYTHONDONTWRITEBYTECODE=1
if [[ ! -x $DELTOID ]]; then
    echo "run.sh: no program at $DELTOID; run experiments/quickstart.sh, or set DELTOID" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
for part in "${parts[@]}"; do
    mkdir "$work/$part"
    "${PYTHON:-python3}" "$here/$part.py" "$work/$part"
done
