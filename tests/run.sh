#!/usr/bin/env bash
# Packages, build, every test. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
presets=(release dev dev-clang asan-ubsan tsan)

usage() {
    cat <<END
usage: tests/run.sh [PRESET ... | all] [-- CTEST-OPTION ...]

Installs the packages that are missing, builds, and runs every test. PRESET is one of
${presets[*]} (see CONTRIBUTING.md); without one, dev.

    tests/run.sh                     dev: warnings are errors
    tests/run.sh asan-ubsan tsan     under the sanitizers
    tests/run.sh dev -- -R capture   tests whose name matches

Exit status: 0 all passed; 1 the build or a test failed; 2 bad arguments, or packages missing.
END
}

die() { # STATUS MESSAGE
    echo "tests/run.sh: $2" >&2
    exit "$1"
}

chosen=()
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --) shift && break ;;
    all) chosen=("${presets[@]}") ;;
    *)
        [[ " ${presets[*]} " == *" $1 "* ]] || die 2 "no preset '$1'; there are: ${presets[*]} all"
        chosen+=("$1")
        ;;
    esac
    shift
done
((${#chosen[@]})) || chosen=(dev)

cd -- "$root"
# shellcheck source-path=SCRIPTDIR/.. source=cmake/packages.sh
source cmake/packages.sh
groups=(all tests)
[[ " ${chosen[*]} " =~ \ (dev-clang|asan-ubsan|tsan)\  ]] && groups+=(sanitizers)
packages_install build/packages.log "${groups[@]}" || exit 2

# With many bits of address randomisation the sanitizers of older compilers don't find room for their shadow.
fixed_addresses=()
setarch "$(uname -m)" --addr-no-randomize true 2>/dev/null && fixed_addresses=(setarch "$(uname -m)" --addr-no-randomize)

jobs=$(nproc)
failed=()
for preset in "${chosen[@]}"; do
    log=build/$preset.log
    mkdir -p build
    echo "build     $preset, in build/$preset"
    if ! { cmake --preset "$preset" && cmake --build --preset "$preset" --parallel "$jobs"; } >"$log" 2>&1; then
        tail -n 100 "$log" >&2
        echo "build     $preset failed (whole log: $root/$log)" >&2
        failed+=("$preset")
        continue
    fi
    echo "test      $preset"
    launcher=()
    [[ $preset == *san* ]] && launcher=("${fixed_addresses[@]}")
    "${launcher[@]}" ctest --preset "$preset" --parallel "$jobs" "$@" || failed+=("$preset")
done
((${#failed[@]} == 0)) || die 1 "failed: ${failed[*]}"
