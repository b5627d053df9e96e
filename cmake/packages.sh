# shellcheck shell=bash
# The Debian 12 packages that deltoid stands on, and their installation. Sourced by experiments/quickstart.sh and
# tests/run.sh.
#
#     packages_install LOG all                   # what building, training and plotting need
#     packages_install LOG all tests sanitizers  # and what the tests read captures with; and what the clang presets need
#
# Says on stdout what it does. Returns 2, with the missing packages named on stderr, when it can't install them. When nothing
# is missing, neither apt nor sudo is called.

# group, package, and what shows that it is here where dpkg doesn't know it: a command, a pkg-config module, a header that the
# C compiler finds, a Python module, a flag that clang compiles and links with, a file.
packages_table='
all         gcc                    command  cc
all         libc6-dev              header   stdio.h
all         make                   command  make
all         cmake                  command  cmake
all         pkg-config             command  pkg-config
all         libhdf5-dev            command  h5cc
all         libfyaml-dev           module   libfyaml
all         librandom123-dev       header   Random123/philox.h
all         libhwloc-dev           module   hwloc
all         libssl-dev             header   openssl/evp.h
all         zlib1g-dev             header   zlib.h
all         libdeflate-dev         header   libdeflate.h
all         libcmocka-dev          header   cmocka.h
all         gnuplot-nox            command  gnuplot
all         dataset-fashion-mnist  file     /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz
tests       python3-h5py           python   h5py
tests       python3-netcdf4        python   netCDF4
tests       hdf5-tools             command  h5dump
tests       doxygen                command  doxygen
tests       groff-base             command  groff
sanitizers  clang                  command  clang
sanitizers  libclang-rt-dev        flag     -fsanitize=address
sanitizers  libomp-dev             flag     -fopenmp
sanitizers  llvm                   command  llvm-symbolizer
'

package_is_here() { # PACKAGE KIND NAME
    local package=$1 kind=$2 name=$3
    if command -v dpkg-query >/dev/null &&
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed* ]]; then
        return 0
    fi
    case $kind in
    command) command -v "$name" >/dev/null ;;
    module) pkg-config --exists "$name" 2>/dev/null ;;
    header) cc -E -include "$name" -x c /dev/null >/dev/null 2>&1 ;;
    python) python3 -c "import $name" 2>/dev/null ;;
    flag) clang "$name" -x c - -o /dev/null <<<'int main(void) { return 0; }' 2>/dev/null ;;
    file) [[ -r $name ]] ;;
    esac
}

# Those of the groups that are not here, one "PACKAGE KIND NAME" a line.
packages_missing() { # GROUP...
    local group package kind name
    while read -r group package kind name; do
        if [[ -n $group && " $* " == *" $group "* ]] && ! package_is_here "$package" "$kind" "$name"; then
            printf '%s %s %s\n' "$package" "$kind" "$name"
        fi
    done <<<"$packages_table"
}

packages_name_missing() { # REASON MISSING
    local package kind name
    printf 'packages  missing, and %s:\n' "$1"
    while read -r package kind name; do
        printf '            %-22s %s %s\n' "$package" "$kind" "$name"
    done <<<"$2"
}

packages_install() { # LOG GROUP...
    local log=$1 missing names as_root=()
    shift
    missing=$(packages_missing "$@")
    if [[ -z $missing ]]; then
        echo "packages  all here"
        return 0
    fi
    mapfile -t names < <(cut -d ' ' -f 1 <<<"$missing")

    if ! command -v apt-get >/dev/null; then
        packages_name_missing "there is no apt-get to install them (names are Debian 12's)" "$missing" >&2
        echo "packages  install what this system calls them, then run this again" >&2
        return 2
    fi
    if [[ $(id -u) -ne 0 ]]; then
        if ! command -v sudo >/dev/null || ! sudo true; then
            packages_name_missing "installing them needs root or sudo" "$missing" >&2
            echo "packages  as root: apt-get install --no-install-recommends ${names[*]}" >&2
            return 2
        fi
        as_root=(sudo)
    fi

    echo "packages  installing ${names[*]}"
    mkdir -p "$(dirname "$log")"
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    # A package list that can't be renewed may still serve.
    "${as_root[@]}" update >"$log" 2>&1 || echo "packages  apt-get update failed, going on with the lists that are here" >&2
    if ! "${as_root[@]}" install --yes --no-install-recommends "${names[@]}" >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        packages_name_missing "apt-get failed (whole log: $log)" "$missing" >&2
        return 2
    fi
}
