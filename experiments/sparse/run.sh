#!/usr/bin/env bash
# Makes the data, and measures sparse and dense products side by side. See --help and README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)

usage() {
    cat <<END
usage: experiments/sparse/run.sh [--rows N] [--features N] [--units N] [--pairs N] [--out DIR] [--check]

Makes a sparse data set (make_data.py), trains experiment.yaml on it by turns with the products that skip zeros and with
the dense ones, and prints samples a second of both, the peak of the memory that the program took, and what --dry-run had
said it would. The weights of both must be the same bits, for every strategy and 1 and 2 threads.

    --rows, --features, --units   20,000, 50,000, 784 without
    --pairs N                     turns of sparse and dense; 3 without
    --out DIR                     where data and table go; results/sparse without
    --check                       a small set in a folder of its own, which is removed: are the bits the same?

The program is build/release/deltoid, or \$DELTOID. Needs python3 (its standard library is enough). Exit status: 0 done; 1
weights differ; 2 bad arguments, or something is missing.
END
}

for argument; do
    case $argument in -h | --help) usage && exit 0 ;; esac
done
command -v python3 >/dev/null || {
    echo "run.sh: needs python3 (its standard library is enough)" >&2
    exit 2
}
DELTOID=${DELTOID:-$root/build/release/deltoid}
if [[ ! -x $DELTOID ]]; then
    echo "run.sh: no program at $DELTOID; run experiments/quickstart.sh, or set DELTOID" >&2
    exit 2
fi
cd -- "$root"
exec python3 "$here/measure.py" --program "$DELTOID" "$@"
