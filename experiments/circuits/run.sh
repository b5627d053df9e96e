#!/usr/bin/env bash
# Runs every command of README.md, and writes what they print and draw into it. See --help.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
deltoid=${DELTOID:-$here/../../build/release/deltoid}

usage() {
    cat <<END
usage: experiments/circuits/run.sh [--check]

Runs the commands of this folder's README.md (lines that begin with \$ in its console blocks), in order, in a copy of the folder; then
puts what they printed into README.md, and the pictures they drew into figures/. With --check nothing is written: exit status 1, with the
differences, where a command fails or prints something else, or a picture isn't drawn.

The program is build/release/deltoid, or \$DELTOID; two_gates, one_unit and xor are in tests/ beside it.
END
}

check=0
case ${1-} in
-h | --help) usage && exit 0 ;;
--check) check=1 ;;
'') ;;
*)
    echo "run.sh: '$1' is no option; see $0 --help" >&2
    exit 2
    ;;
esac
if [[ ! -x $deltoid ]]; then
    echo "run.sh: no program at $deltoid; run experiments/quickstart.sh, or set DELTOID" >&2
    exit 2
fi
command -v gnuplot >/dev/null || {
    echo "run.sh: no gnuplot; install it (Debian: gnuplot-nox)" >&2
    exit 77
}

folder=$(cd -- "$(dirname -- "$deltoid")" && pwd)
export PATH=$folder:$folder/tests:$PATH LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cp -r "$here" "$work/copy"
rm -f "$work"/copy/figures/*
cd -- "$work/copy"

# README.md with the outputs of now.
block=0
while IFS= read -r line; do
    if [[ $line == '```console' ]]; then
        block=1
    elif ((block)) && [[ $line == '```' ]]; then
        block=0
    elif ((block)) && [[ $line != '$ '* ]]; then
        continue # what it printed before
    fi
    printf '%s\n' "$line"
    if ((!block)) || [[ $line != '$ '* ]]; then continue; fi
    bash -euo pipefail -c "${line:2}" 2>&1 </dev/null || {
        echo "run.sh: this command failed: ${line:2}" >&2
        exit 1
    }
done <"$here/README.md" >"$work/README.md"

rm -f figures/*.gp figures/*.tsv # gnuplot's scripts and the numbers lie beside each picture
if ((check)); then
    diff -u "$here/README.md" "$work/README.md" && diff <(ls "$here/figures") <(ls figures)
else
    cp "$work/README.md" "$here/README.md"
    mkdir -p "$here/figures"
    rm -f "$here"/figures/*.svg
    cp figures/*.svg "$here/figures/"
fi
