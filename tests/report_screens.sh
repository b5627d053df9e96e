#!/usr/bin/env bash
# Screenshots of a report, to be looked at: at the widths of a phone and a desk, in light and in dark, and printed.
#     tests/report_screens.sh REPORT.html FOLDER
# leaves FOLDER/phone.png desk.png phone-dark.png desk-dark.png print.pdf, and print-1.png ... where pdftoppm is there.
# Needs Chromium (Debian: apt-get install chromium), which fetches nothing: the page's own policy forbids it.
set -euo pipefail

if [ $# -ne 2 ] || [ ! -f "$1" ]; then
    echo "usage: tests/report_screens.sh REPORT.html FOLDER" >&2
    exit 2
fi
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "report_screens: no chromium here; apt-get install chromium" >&2
    exit 2
}
page=file://$(realpath "$1")
mkdir -p "$2"
folder=$(realpath "$2")
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
# A browser gives no window under 500 pixels: a phone's page stands in a frame of its width.
frame=$profile/phone.html
cat >"$frame" <<HTML
<!DOCTYPE html><meta charset="utf-8"><style>body{margin:0;background:#888}iframe{border:0;width:390px;height:${HEIGHT:-12000}px}</style>
<iframe src="$page"></iframe>
HTML

shoot() { # shoot NAME WIDTH URL [OPTION ...]
    local name=$1 width=$2 url=$3
    shift 3
    "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile/data" "$@" \
        --window-size="$width,${HEIGHT:-12000}" --screenshot="$folder/$name.png" "$url" >"$profile/log" 2>&1 ||
        { cat "$profile/log" >&2 && exit 3; }
    echo "$folder/$name.png"
}

dark=--blink-settings=preferredColorScheme=0
shoot desk 1280 "$page"
shoot desk-dark 1280 "$page" "$dark"
shoot phone 500 "file://$frame"
shoot phone-dark 500 "file://$frame" "$dark"
"$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$profile/data" --no-pdf-header-footer \
    --print-to-pdf="$folder/print.pdf" "$page" >"$profile/log" 2>&1
echo "$folder/print.pdf"
if command -v pdftoppm >/dev/null; then
    pdftoppm -r 60 -png "$folder/print.pdf" "$folder/print"
fi
