#!/usr/bin/env bash
# Builds the programs of this folder against the installed library, with pkg-config and with CMake, and runs them.
set -euo pipefail

usage() {
    cat <<'END'
usage: experiments/library/run.sh [--prefix DIR] [--work DIR]
  --prefix DIR   where the library is installed; without it where pkg-config finds it
  --work DIR     where programs are built (build/library)
END
}

die() { # STATUS MESSAGE
    echo "experiments/library/run.sh: $2" >&2
    exit "$1"
}

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
prefix='' work=$here/../../build/library
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --prefix) prefix=$(cd -- "${2?--prefix wants a folder}" && pwd) && shift 2 ;;
    --work) work=${2?--work wants a folder} && shift 2 ;;
    *) die 2 "unknown argument '$1'; see --help" ;;
    esac
done
mkdir -p "$work"
work=$(cd -- "$work" && pwd)

if [[ $prefix ]]; then
    file=$(find "$prefix" -name deltoid.pc -print -quit)
    [[ $file ]] || die 2 "$prefix: no deltoid.pc under it; install the library first: cmake --install build/release --prefix $prefix"
    export PKG_CONFIG_PATH=${file%/*}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
fi
pkg-config --exists deltoid || die 2 "pkg-config finds no deltoid; install it, or name its --prefix"
LD_LIBRARY_PATH=$(pkg-config --variable=libdir deltoid)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

build_with_cmake() {
    cmake -S "$here" -B "$work/cmake" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$(pkg-config --variable=prefix deltoid)" &&
        cmake --build "$work/cmake"
}
if ! build_with_cmake >"$work/cmake.log" 2>&1; then
    cat "$work/cmake.log" >&2
    die 1 "can't be built with CMake"
fi
read -ra flags <<<"$(pkg-config --cflags --libs deltoid)"
for program in train own_activation own_observer; do
    "${CC:-cc}" -std=c11 -O2 -Wall -Wextra "$here/$program.c" -o "$work/$program" "${flags[@]}" -lm
    echo "$program"
    "$work/$program" | sed 's/^/    /'
    [[ $("$work/$program") == "$("$work/cmake/$program")" ]] || die 1 "$program: built with CMake it says something else"
done
