#!/usr/bin/env bash
# What `cmake --install` leaves: programs build against it and run, it exports what its headers declare and nothing else, its
# manual pages and completion are sound, and the headers make Doxygen pages without a warning. Usage:
#     check_library.sh BUILD SOURCE      a built tree and the sources
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "check_library: $1" >&2
    exit 1
}

cmake --install "$build" --prefix "$work/first" >"$work/install.log" || { cat "$work/install.log" && fail "can't be installed"; }
mv "$work/first" "$work/prefix" # as a user may move it
"$source/experiments/library/run.sh" --prefix "$work/prefix" --work "$work/programs" | tee "$work/said"
grep -q 'accuracy 1.000 .* weights f634fbe8aee3efaf' "$work/said" || fail "train: other weights than ever before"
grep -q 'right 4 of 4' "$work/said" || fail "own_activation: XOR isn't learnt"

# Each header alone, and beside those of the system that begin names with DT_, too.
for header in "$work"/prefix/include/deltoid/*.h; do
    printf '#include <dirent.h>\n#include <elf.h>\n#include <deltoid/%s>\n' "${header##*/}" |
        "${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I"$work/prefix/include" -xc - || fail "${header##*/} doesn't compile"
done

# Every function that a public header declares, and no other.
library=$(find "$work/prefix" -name libdeltoid.so)
cat "$work"/prefix/include/deltoid/*.h | sed 's#/\*.*\*/##; /\/\*/,/\*\//d' |
    grep -oE '^([a-z].*[ *])?dt_[a-z0-9_]+\(' | grep -v '^static\|^typedef' | grep -oE 'dt_[a-z0-9_]+\($' | tr -d '(' | sort -u >"$work/declared"
# gcc names the lock of a critical section for the whole process.
nm -D --defined-only "$library" | awk '$3 !~ /^\.gomp_critical_user_dt_/ {print $3}' | sort -u >"$work/exported"
diff "$work/declared" "$work/exported" >"$work/diff" ||
    { cat "$work/diff" && fail "declared (<) and exported (>) differ; is a header without '#pragma GCC visibility push(default)'?"; }
readelf -d "$library" | grep -q 'SONAME.*libdeltoid\.so\.[0-9]' || fail "the library has no soname"

manual=$(dirname "$(find "$work/prefix" -name deltoid.1)")
[[ -s $manual/../man5/deltoid-experiment.5 ]] || fail "no page of the experiment file"
for command in $("$build/deltoid" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    [[ -s $manual/deltoid-$command.1 ]] || fail "no page of $command"
done
if command -v groff >/dev/null; then
    for page in "$manual"/*.1 "$manual"/../man5/*.5; do
        said=$(groff -ww -man -Tutf8 -z "$page" 2>&1)
        [[ -z $said ]] || fail "$page: $said"
    done
fi

# As bash does it when somebody presses Tab.
complete_words() {
    bash -c 'source "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); compopt() { :; }; _deltoid; printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$work/prefix/share/bash-completion/completions/deltoid" "$@"
}
[[ $(complete_words deltoid tr) == train ]] || fail "bash: deltoid tr<Tab>"
[[ $(complete_words deltoid train --dry) == --dry-run ]] || fail "bash: deltoid train --dry<Tab>"
[[ $(complete_words deltoid train x.yaml training.epo) == training.epochs= ]] || fail "bash: training.epo<Tab>"
for shell in zsh fish; do
    file=$(find "$work/prefix" -name "$([[ $shell == zsh ]] && echo _deltoid || echo deltoid.fish)")
    ! command -v "$shell" >/dev/null || "$shell" -n "$file" || fail "$shell doesn't read its completion"
done

if command -v doxygen >/dev/null && [[ -e $build/Doxyfile ]]; then
    sed "s#^OUTPUT_DIRECTORY.*#OUTPUT_DIRECTORY = $work/doc#" "$build/Doxyfile" >"$work/Doxyfile"
    (cd "$work" && doxygen Doxyfile >doxygen.log 2>&1) || { cat "$work/doxygen.log" && fail "Doxygen warns"; }
    grep -q 'dt_trainer_create' "$work"/doc/html/trainer_8h.html || fail "Doxygen knows nothing of the trainer"
else
    echo "doxygen isn't installed: its pages were not made"
fi
