#!/usr/bin/env bash
# Whether a disturbed study says so, and an undisturbed one doesn't. See --help.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$here/../.."

usage() {
    cat <<END
usage: experiments/scaling/contention.sh [--out DIR]

Measures experiments/scaling/contention.yaml twice, about two minutes in all: first as the machine is, which should be idle,
then with a process that keeps one processor busy. Prints a table of both, and exits 1 unless every visit with all
processors was flagged beside the disturber and none was before. What a hypervisor did (took time, moved the processors or
made them slower) is no false alarm; such visits are counted, in the column "host". --out keeps the two studies (DIR must
not exist).

The program is build/release/deltoid, made where it isn't there; or \$DELTOID.
END
}

out=
case ${1-} in
-h | --help) usage && exit 0 ;;
--out) out=${2:?--out needs a folder} ;;
'') ;;
*) echo "contention.sh: unknown argument '$1'; see --help" >&2 && exit 2 ;;
esac
# shellcheck source-path=SCRIPTDIR source=program.sh
source "$here/program.sh"

work=$(mktemp -d)
disturber=
finish() {
    [[ -z $disturber ]] || kill "$disturber" 2>/dev/null || true
    rm -rf -- "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
[[ -z $out ]] || mkdir -- "$out"
folder=${out:-$work}

allowed=$(taskset -cp $$ | sed 's/.*: //')
core=${allowed##*[,-]}
"$deltoid" scale "$here/contention.yaml" --out "$folder/undisturbed" --quiet
taskset -c "$core" sh -c 'while :; do :; done' &
disturber=$!
"$deltoid" scale "$here/contention.yaml" --out "$folder/disturbed" --quiet

# The visits of a study by their number of workers: how many, how many of them flagged, and of these for what the
# hypervisor did alone, what was seen.
table() { # NAME
    awk -F '\t' -v name="$1" '
        FNR == 1 { delete column; for (i = 1; i <= NF; i++) column[$i] = i; next }
        FILENAME ~ /points/ { workers[$column["point"]] = $column["workers"]; next }
        { w = workers[$column["point"]]; n[w]++; flagged[w] += $column["flagged"]
          delay[w] += $column["delay"]; others[w] += $column["others"]
          switches[w] += $column["involuntary"]; if (w > most) most = w
          split($column["reasons"], parts, ","); for (i in parts) if (parts[i] != "-") seen[w, parts[i]]++
          host[w] += $column["flagged"] && $column["reasons"] ~ /^(moved|slow|steal)(,(moved|slow|steal))*$/ }
        END { for (w = 1; w <= most; w++) if (n[w]) {
                  reasons = ""; for (key in seen) { split(key, k, SUBSEP); if (k[1] == w) reasons = reasons " " k[2] ":" seen[key] }
                  printf "%s\t%d\t%d\t%d\t%d\t%.2f %%\t%.2f\t%.0f\t%s\n", name, w, n[w], flagged[w], host[w], 100 * delay[w] / n[w], others[w] / n[w], switches[w] / n[w], reasons } }
    ' "$folder/$1/points.tsv" "$folder/$1/visits.tsv"
}
{
    printf 'study\tworkers\tvisits\tflagged\thost\tdelay\tothers\tswitches\treasons\n'
    table undisturbed
    table disturbed
} >"$work/table.tsv"
column -t -s $'\t' "$work/table.tsv"
[[ -z $out ]] || cp "$work/table.tsv" "$out/table.tsv"
awk -F '\t' '
    NR > 1 && $1 == "undisturbed" { false_alarms += $4 - $5; host += $5 }
    NR > 1 && $1 == "disturbed" { missed = $3 - $4 } # the last line: all processors
    END { if (host) print host " undisturbed visits flagged for what the hypervisor did"
          print (false_alarms ? false_alarms " false alarms" : "no false alarm") ", " (missed ? missed " disturbed visits missed" : "no disturbed visit missed")
          exit false_alarms || missed }' "$work/table.tsv"
