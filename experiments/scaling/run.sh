#!/usr/bin/env bash
# Measures one or more of this folder's studies, draws and reports them. See --help.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$here/../.."
studies=(strong weak strategies batch-size placement capture precision)

usage() {
    cat <<END
usage: experiments/scaling/run.sh NAME|all ... [--reference] [--resume] [--dry-run]

Measures experiments/scaling/NAME.yaml (${studies[*]})
into results/scaling/NAME, prints what came of it (kept in summary.txt there), draws its pictures, and writes report.html.
The machine should have nothing else to do: what is disturbed is flagged and repeated. On two cores strategies takes
11 minutes, each other 4 at most.

  --resume      go on with studies that were stopped; else results/scaling/NAME must not exist
  --reference   put the small tables and the pictures into results/reference/scaling/NAME, too
  --dry-run     print the points and the time they will take

The program is build/release/deltoid, made where it isn't there; or \$DELTOID.
END
}

names=() options=() reference=0
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --reference) reference=1 ;;
    --resume | --dry-run) options+=("$1") ;;
    all) names+=("${studies[@]}") ;;
    -*) echo "run.sh: unknown option '$1'; see --help" >&2 && exit 2 ;;
    *)
        [[ -f $here/$1.yaml ]] || { echo "run.sh: there is no study '$1'; there are: ${studies[*]}" >&2 && exit 2; }
        names+=("$1")
        ;;
    esac
    shift
done
((${#names[@]})) || { usage >&2 && exit 2; }
[[ -d /usr/share/datasets/fashion-mnist ]] || {
    echo "run.sh: no Fashion-MNIST; run experiments/quickstart.sh (Debian's package dataset-fashion-mnist)" >&2
    exit 2
}
# shellcheck source-path=SCRIPTDIR source=program.sh
source "$here/program.sh"

printed=$(mktemp)
trap 'rm -f -- "$printed"' EXIT

# What a document quotes: no raw samples, which results/scaling keeps.
keep() { # NAME
    local from=results/scaling/$1 to=results/reference/scaling/$1 file
    mkdir -p "$to"
    rm -f -- "$to"/*
    for file in study.yaml summary.txt points.tsv visits.tsv machine.tsv targets.tsv analysis.tsv fits.tsv model.tsv \
        provenance.json; do
        [[ ! -s $from/$file ]] || sed "s|$PWD/||g" -- "$from/$file" >"$to/$file" # paths as they are from here
    done
    for file in "$from"/plots/*.svg; do
        [[ ! -e $file ]] || cp -- "$file" "$to/"
    done
    echo "kept      $to"
}

for name in "${names[@]}"; do
    if [[ " ${options[*]-} " == *" --dry-run "* ]]; then
        "$deltoid" scale "$here/$name.yaml" --dry-run
        continue
    fi
    mkdir -p results/scaling
    out=results/scaling/$name
    "$deltoid" scale "$here/$name.yaml" --out "$out" "${options[@]}" | tee "$printed"
    cp -- "$printed" "$out/summary.txt"
    "$deltoid" plot "$out"
    "$deltoid" report "$out"
    ((!reference)) || keep "$name"
done
