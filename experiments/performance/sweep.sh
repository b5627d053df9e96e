#!/usr/bin/env bash
# Builds the programs, measures how the cost of a sample grows, draws it. See --help and README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$here/../.."
# shellcheck source-path=SCRIPTDIR source=build.sh
source "$here/build.sh"

command -v python3 >/dev/null || {
    echo "sweep.sh: needs python3 (its standard library is enough)" >&2
    exit 2
}
build_programs performance_bench performance_probe
! build_knows performance_fann || build_programs performance_fann
exec python3 "$here/sweep.py" --compiler "$(build_compiler)" "$@"
