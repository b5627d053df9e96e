# shellcheck shell=bash
# Builds the programs that this folder's scripts measure with. Sourced by run.sh, sweep.sh and kernels.sh from the top folder.

build_programs() { # NAME...
    local log=build/performance.log
    mkdir -p build
    echo "build     $*" >&2
    if ! { cmake --preset release && cmake --build --preset release --parallel "$(nproc)" --target "$@"; } >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "build     failed (whole log: $PWD/$log)" >&2
        return 1
    fi
}

# Whether the build has such a target: a rival in C has none where it is not installed.
build_knows() { # NAME
    [[ -d build/release/experiments/performance/CMakeFiles/$1.dir ]]
}

build_compiler() {
    sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' build/release/CMakeCache.txt
}
