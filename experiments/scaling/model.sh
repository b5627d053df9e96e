#!/usr/bin/env bash
# How far the planning model is off at points that it didn't see. See --help.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$here/../.."

usage() {
    cat <<END
usage: experiments/scaling/model.sh [--out DIR]

Measures experiments/scaling/model.yaml, about four minutes on a machine with nothing else to do, and prints for every
point that the model is held against what it said, what was measured with its interval, and the error; then the median
and the worst error of each kind. What is predicted from what: experiments/scaling/MODEL.md. --out keeps the study (DIR
must not exist); deltoid report DIR draws it.

The program is build/release/deltoid, made where it isn't there; or \$DELTOID.
END
}

out=
case ${1-} in
-h | --help) usage && exit 0 ;;
--out) out=${2:?--out needs a folder} ;;
'') ;;
*) echo "model.sh: unknown argument '$1'; see --help" >&2 && exit 2 ;;
esac
# shellcheck source-path=SCRIPTDIR source=program.sh
source "$here/program.sh"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
folder=${out:-$work/study}
"$deltoid" scale "$here/model.yaml" --out "$folder" --quiet

# Milliseconds and percent from model.tsv; the rows of a kind by the size of the error, least first.
awk -F '\t' '
    FNR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    $column["kind"] == "held_out" {
        e = 100 * $column["error"]
        low = $column["measured_low"]
        interval = low == "nan" ? "-" : sprintf("%.4f-%.4f", 1e3 * low, 1e3 * $column["measured_high"])
        printf "%s\t%.3f\t%s\t%s\t%.4f\t%.4f\t%s\t%+.1f %%\n", $column["from"], e < 0 ? -e : e, $column["series"],
            $column["workers"], 1e3 * $column["predicted"], 1e3 * $column["measured"], interval, e
    }
' "$folder/model.tsv" | sort -t $'\t' -k1,1 -k2,2n >"$work/errors.tsv"
{
    printf 'from\tpoint\tT\tpredicted ms\tmeasured ms\tinterval ms\terror\n'
    cut -f 1,3- "$work/errors.tsv"
} | column -t -s $'\t'
echo
awk -F '\t' '
    { if (!($1 in n)) order[++kinds] = $1; size[$1, ++n[$1]] = $2 }
    END {
        for (k = 1; k <= kinds; k++) {
            name = order[k]; m = n[name]
            median = m % 2 ? size[name, (m + 1) / 2] : (size[name, m / 2] + size[name, m / 2 + 1]) / 2
            printf "%-8s %3d points, off by %.1f %% in the median, %.1f %% at most\n", name, m, median, size[name, m]
        }
    }
' "$work/errors.tsv"
