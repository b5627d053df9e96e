#!/usr/bin/env bash
# Every activation, cost, optimizer and schedule against PyTorch's, as a table. See --help and README.md.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
build=${BUILD:-$root/build/release}

usage() {
    cat <<END
usage: experiments/oracle/run.sh [--check] [--python PYTHON]

Goes through the program's own tables of activations, costs, optimizers and schedules, and writes for each its largest difference, in
float64, from PyTorch (or the definition, where PyTorch has none) to table.tsv and into README.md. What has no reference says so.

With --python, whose PYTHON has torch, the references are computed anew first; without, those of tests/data count. With --check nothing is
written: exit status 1 where an entry has no reference, is not its reference, or the table is another than table.tsv.

The programs are those of build/release, or of \$BUILD.
END
}

check=0 python=''
while (($#)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --check) check=1 ;;
    --python)
        (($# > 1)) || {
            echo "run.sh: --python wants a value; see $0 --help" >&2
            exit 2
        }
        python=$2
        shift
        ;;
    *)
        echo "run.sh: '$1' is no option; see $0 --help" >&2
        exit 2
        ;;
    esac
    shift
done
for program in deltoid tests/test_functions tests/test_optimizer_f64; do
    [[ -x $build/$program ]] || {
        echo "run.sh: no $build/$program; build it, or set BUILD" >&2
        exit 2
    }
done

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
status=0
if [[ $python ]]; then
    export PYTHONDONTWRITEBYTECODE=1
    "$python" "$here/functions.py" "$work"
    "$python" "$here/optimizers.py" "$work"
    for header in functions optimizers schedules; do
        if cmp -s "$work/$header.h" "$root/tests/data/$header.h"; then
            echo "references  $header.h, as before"
        elif ((check)); then
            echo "run.sh: PyTorch gives another $header.h" >&2
            status=1
        else
            cp -- "$work/$header.h" "$root/tests/data/$header.h"
            echo "references  $header.h, new: build, and call run.sh again"
        fi
    done
fi

# Names by the program's tables: the first word of a line behind two blanks.
for kind in activations losses optimizers schedules; do
    "$build/deltoid" help "$kind" | awk -v kind="$kind" '
        BEGIN { of["activations"] = "activation"; of["losses"] = "cost"; of["optimizers"] = "optimizer"; of["schedules"] = "schedule" }
        /^  [a-z]/ { print of[kind] "\t" $1 }'
done >"$work/names.tsv"

# A test that fails has printed its lines all the same.
"$build/tests/test_functions" >"$work/lines.txt" 2>"$work/said.txt" || status=1
"$build/tests/test_optimizer_f64" >>"$work/lines.txt" 2>>"$work/said.txt" || status=1
((status == 0)) || grep -a "has no reference\|is not PyTorch's\|, not " "$work/said.txt" "$work/lines.txt" | sed 's/^[^:]*:/run.sh: /' >&2 || true

# A row a name: the largest differences over its cases.
awk -F '\t' -v OFS='\t' '
    FILENAME ~ /lines.txt$/ {
        if ($1 != "oracle") next
        k = $2 OFS $3
        cases[k]++
        numbers[k] += $5
        if (index(", " origin[k] ", ", ", " $4 ", ") == 0) origin[k] = origin[k] (origin[k] == "" ? "" : ", ") $4
        if (!(k in value) || $6 + 0 > value[k] + 0) value[k] = $6
        if (!(k in slope) || $7 + 0 > slope[k] + 0) slope[k] = $7
        next
    }
    { k = $1 OFS $2; print $1, $2, k in cases ? origin[k] : "no reference", numbers[k] + 0, k in cases ? value[k] : "-", k in cases ? slope[k] : "-" }
' "$work/lines.txt" "$work/names.tsv" >"$work/rows.tsv"
{
    printf 'kind\tname\treference\tnumbers\tvalue_difference\tderivative_difference\n'
    cat "$work/rows.tsv"
} >"$work/table.tsv"

if grep -q $'\tno reference\t' "$work/table.tsv"; then
    awk -F '\t' '$3 == "no reference" { print "run.sh: " $1 " " $2 " has no reference" }' "$work/table.tsv" >&2
    status=1
fi
if ((check)); then
    diff -u "$here/table.tsv" "$work/table.tsv" || status=1
    exit "$status"
fi

cp -- "$work/table.tsv" "$here/table.tsv"
awk -F '\t' '
    BEGIN { print "| | | held against | numbers | value | derivative |\n| --- | --- | --- | ---: | ---: | ---: |" }
    { printf "| %s | %s | %s | %s | %s | %s |\n", $1 == last ? "" : $1, $2, $3, $4, $5, $6; last = $1 }
' "$work/rows.tsv" >"$work/table.md"
awk -v table="$work/table.md" '
    /^<!-- table -->$/ { print; print ""; while ((getline line < table) > 0) print line; print ""; inside = 1; next }
    /^<!-- end -->$/ { inside = 0 }
    !inside { print }
' "$here/README.md" >"$work/README.md"
cp -- "$work/README.md" "$here/README.md"
column -t -s $'\t' "$here/table.tsv"
exit "$status"
