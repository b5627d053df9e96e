#!/usr/bin/env bash
# Pages of runs and studies in Chromium, as wide as a phone and as a desk: none scrolls sideways, no word of a picture is cut, too small or on
# another, hostile names stay text; and printed.
#     tests/report_pages.sh PROGRAM MAKE_STUDY [FOLDER]
# PROGRAM is deltoid, MAKE_STUDY build/dev/tests/make_study. With FOLDER the pages and their screenshots stay there, to be looked at.
# Exits with 77 without Chromium (Debian: apt-get install chromium) or gnuplot.
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    echo "usage: tests/report_pages.sh PROGRAM MAKE_STUDY [FOLDER]" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1")
make_study=$(realpath "$2")
for tool in chromium gnuplot; do
    command -v "$tool" >/dev/null || { echo "report_pages: no $tool here" && exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kept=
if [ $# -eq 3 ]; then
    mkdir -p "$3"
    kept=$(realpath "$3")
fi
cd "$work"

# Two runs, one of a hostile name; four studies, one of hostile names, one with a number at the end of an axis; one that is measured here, as far as a second goes.
# shellcheck source=tests/tiny_run.sh
. "$here/tiny_run.sh"
run="a run <script>alert(1)<'\"&\`ls\`"
"$program" train e.yaml --out plain --quiet
"$program" train e.yaml parallel.threads=2 --out "$run" --profile --quiet
"$make_study" .
cat >study.yaml <<'YAML'
name: measured
kind: strong
experiment: e.yaml
factors: {threads: [1, 2], reduction: [tree, owner]}
measure: {visits: {least: 1, most: 1}, chunk: 1 ms, chunks: 4, budget: 2 s, attempts: 1, first_steps: 2}
YAML
"$program" scale study.yaml --out measured --quiet >scale.out

pages=()
page() { # page NAME PICTURES FOLDER ...: how many pictures it must have; "": as many as it has
    local name=$1
    "$program" report "${@:3}" --out "$name.html" >/dev/null
    pages+=("$name $2")
}
page run 3 plain
page runs 1 plain "$run"
page strong 6 strong
page batch 7 batch
page edge 6 edge
page hostile 6 "<script>alert(1)<b> '&\"\`ls\`"
page measured "" measured

if [ -n "$kept" ]; then
    for one in "${pages[@]}"; do
        cp "${one% *}.html" "$kept"
        "$here/report_screens.sh" "$kept/${one% *}.html" "$kept/${one% *}"
    done
fi
{
    echo '<!DOCTYPE html><meta charset="utf-8"><style>iframe{border:0;height:3000px}</style>'
    for width in 390 1280; do
        for one in "${pages[@]}"; do
            echo "<iframe data-name=\"${one% *}\" data-pictures=\"${one#* }\" style=\"width:${width}px\" src=\"${one% *}.html\"></iframe>"
        done
    done
    echo "<pre id=\"found\"></pre><script src=\"file://$here/report_probe.js\"></script>"
} >probe.html

browse() { chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files --user-data-dir="$work/profile" "$@" 2>>browser.log; }
look() {
    browse --dump-dom "file://$work/probe.html" >seen.html
    found=$(tr '\n' '\r' <seen.html | sed -n 's/.*<pre id="found">\([^<]*\)<.*/\1/p' | tr '\r' '\n')
    [ -n "$found" ]
}
print_strong() { browse --no-pdf-header-footer --print-to-pdf=strong.pdf "file://$work/strong.html" >/dev/null && [ -s strong.pdf ]; }
persist() { # a browser that dies, on a machine short of memory, has not looked at the pages: another one does
    "$@" || "$@" || "$@" || { tail -n 20 browser.log >&2 && return 1; }
}
persist look
if [ "$found" != "$((2 * ${#pages[@]})) pages" ]; then
    printf '%s\n' "$found" >&2
    exit 1
fi

persist print_strong
if command -v pdftotext >/dev/null; then
    pdftotext -layout strong.pdf strong.txt
    grep -q 'This page is one file: it loads nothing' strong.txt || { echo "report_pages: the printed page has no end" >&2 && exit 1; }
fi

echo "$found"
