#!/usr/bin/env bash
# Installs what run.sh and kernels.sh measure deltoid beside. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
python_packages=(numpy jax torch scikit-learn)
debian_packages=(libfann-dev libopenblas0-pthread libdnnl2 python3-venv)

usage() {
    cat <<END
usage: experiments/performance/install.sh [PYTHON-PACKAGE ...]

Makes a virtual environment in build/rivals with ${python_packages[*]} from PyPI (or with the packages that are
named, "torch==2.4.0" for one), and installs ${debian_packages[*]} from Debian, as root or through sudo.
What is here already is left alone. PyTorch and JAX take 1 to 6 GB.

Whatever can't be installed is named, and run.sh goes without it. Exit status: 0 all is here; 1 something is missing.
END
}

case ${1-} in -h | --help) usage && exit 0 ;; esac
(($#)) && python_packages=("$@")
cd -- "$root"
status=0
log=build/rivals.log
mkdir -p build

missing=()
for package in "${debian_packages[@]}"; do
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed* ]] || missing+=("$package")
done
if ((${#missing[@]})); then
    echo "debian    ${missing[*]}"
    as_root=(env DEBIAN_FRONTEND=noninteractive)
    [[ $(id -u) -eq 0 ]] || as_root=(sudo "${as_root[@]}")
    "${as_root[@]}" apt-get update >"$log" 2>&1 || true # lists that can't be renewed may still serve
    if ! "${as_root[@]}" apt-get install --yes --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
        echo "debian    not installed: ${missing[*]} (log: $root/$log)" >&2
        status=1
    fi
fi

if [[ ! -x build/rivals/bin/pip ]] && ! python3 -m venv build/rivals >>"$log" 2>&1; then
    echo "python    no virtual environment: needs python3 with venv (log: $root/$log)" >&2
    exit 1
fi
for package in "${python_packages[@]}"; do
    echo "pypi      $package"
    if ! build/rivals/bin/pip install --quiet --disable-pip-version-check "$package" >>"$log" 2>&1; then
        echo "pypi      not installed: $package (log: $root/$log)" >&2
        status=1
    fi
done
exit $status
