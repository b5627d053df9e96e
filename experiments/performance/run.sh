#!/usr/bin/env bash
# Builds deltoid's and the rivals' programs, measures W1-W5 side by side, writes table and figure. See --help and README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$here/../.."
# shellcheck source-path=SCRIPTDIR source=build.sh
source "$here/build.sh"

command -v python3 >/dev/null || {
    echo "run.sh: needs python3 (its standard library is enough)" >&2
    exit 2
}
build_programs performance_bench performance_probe
! build_knows performance_fann || build_programs performance_fann
exec python3 "$here/run.py" --compiler "$(build_compiler)" "$@"
