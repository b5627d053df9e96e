#!/usr/bin/env bash
# Builds and runs the measurement of every matrix product beside oneDNN and OpenBLAS. See --help and README.md.
set -euo pipefail

usage() {
    cat <<END
usage: experiments/performance/kernels.sh [--rounds N] [--seconds S] [--only TEXT] [--shard-size N] [--out FOLDER]

Measures forward, backward and weight gradient on one thread, over the layers of W1-W5 and a few others, in GFLOP/s,
with the sgemm of oneDNN and OpenBLAS in turn, where install.sh has put them ("-" where not). Prints the table, and
writes it to FOLDER/kernels.tsv (results/performance/<UTC time>-kernels). --only W2: shapes with that in their name.
END
}

out=results/performance/$(date -u +%Y%m%dT%H%M%SZ)-kernels
options=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --out) out=${2?--out wants a folder} && shift 2 ;;
    *) options+=("$1") && shift ;;
    esac
done

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
[[ $out == /* || $out == results/* ]] || out=$PWD/$out
cd -- "$here/../.."
# shellcheck source-path=SCRIPTDIR source=build.sh
source "$here/build.sh"
build_programs performance_kernels
mkdir -p "$out"
build/release/experiments/performance/performance_kernels --tsv "$out/kernels.tsv" "${options[@]}"
echo "results   $out/kernels.tsv" >&2
