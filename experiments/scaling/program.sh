# shellcheck shell=bash
# Sets $deltoid: $DELTOID, or build/release/deltoid, built where it is missing or old. Sourced from the top folder.
deltoid=${DELTOID:-}
if [[ -z $deltoid ]]; then
    # shellcheck source-path=SCRIPTDIR source=../performance/build.sh
    source experiments/performance/build.sh
    build_programs deltoid
    deltoid=build/release/deltoid
fi
[[ -x $deltoid ]] || { echo "$0: no program at $deltoid; run experiments/quickstart.sh, or set DELTOID" >&2 && exit 2; }
