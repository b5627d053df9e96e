#!/bin/sh
# What a run does on a disk that is full: one of memory (tmpfs) in LEVELS sizes, which the kernel refuses to fill
# further, not a library to preload as in faults.sh. Each run must end with status 0, or with 3 and one line; its files
# must be whole; and once there is room, --resume must go on from what is there, to the bits of a run that had it.
#
# And on one that nothing may be written to: a new run, a run to go on and a plot end with status 3 and one line, what
# only reads works, and once writing is allowed --resume goes on.
#
#     sudo tests/disk_full.sh PROGRAM [LEVELS]             200: about a minute
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 levels=${2:-200}
home=$(mktemp -d "${TMPDIR:-/tmp}/deltoid-disk-XXXXXX")
mounted=no
finish() {
  [ $mounted = no ] || umount "$home/disk"
  rm -rf "$home"
}
trap finish EXIT
trap 'exit 130' INT TERM
cd "$home"
# shellcheck source=tests/tiny_run.sh
. "$here/tiny_run.sh"

failures=0 runs=0 full=0 signals=0 anew=0
bad() {
  failures=$((failures + 1))
  echo "FAILED with $1: $2 (status $status): $(cat err)"
}

"$program" train e.yaml --quiet --out whole
whole=$(weights whole)
mkdir disk

# One run on a disk of so many KiB, then what is left of it goes on on one of 64 MiB.
try() {
  mount -t tmpfs -o "size=${1}k" tmpfs disk
  mounted=yes status=0
  "$program" train e.yaml --quiet --out disk/run 2> err || status=$?
  runs=$((runs + 1))
  [ $status -lt 126 ] || signals=$((signals + 1))
  case $status in
    0) ;;
    3)
      full=$((full + 1))
      [ "$(wc -l < err)" -eq 1 ] || bad "$1 KiB" "not one line"
      ;;
    *) bad "$1 KiB" "neither done nor status 3" ;;
  esac
  mount -o remount,size=64m disk
  if [ -e disk/run/experiment.yaml ]; then
    resumed=0
    "$program" train --resume disk/run --quiet 2> err.resume || resumed=$?
    if [ $resumed -ne 0 ]; then
      bad "$1 KiB" "--resume ended with $resumed: $(cat err.resume)"
    elif [ "$(weights disk/run)" != "$whole" ]; then
      bad "$1 KiB" "other weights after --resume"
    elif ! "$program" capture info disk/run > listed || grep -q missing listed; then
      bad "$1 KiB" "the capture lacks steps"
    fi
  else
    anew=$((anew + 1))
  fi
  umount disk
  mounted=no
}

# The read-only disk: what is refused, and what goes on working.
refused() { # COMMAND ...
  status=0
  "$program" "$@" > out 2> err || status=$?
  [ "$status $(wc -l < err)" = "3 1" ] || bad "a read-only disk" "$1: not status 3 and one line"
}
read_only() {
  mount -t tmpfs -o size=64m tmpfs disk
  mounted=yes
  "$program" train e.yaml training.epochs=1 --quiet --out disk/run
  mount -o remount,ro disk
  refused train e.yaml --quiet --out disk/new
  refused train --resume disk/run training.epochs=9 --quiet
  refused plot disk/run
  for command in verify 'capture info'; do
    status=0
    # shellcheck disable=SC2086
    "$program" $command disk/run > out 2> err || status=$?
    [ $status -eq 0 ] || bad "a read-only disk" "$command"
  done
  mount -o remount,rw disk
  status=0
  "$program" train --resume disk/run training.epochs=2 --quiet 2> err || status=$?
  [ $status -eq 0 ] || bad "a disk that was read-only" "--resume"
  umount disk
  mounted=no
}
read_only

size=$(du -sk whole | cut -f1)
level=1
while [ $level -le "$levels" ]; do
  try $((4 + 3 * size * level / levels / 2))
  level=$((level + 1))
done
echo "$runs runs, $full on a full disk, $signals ended by a signal, $anew that left nothing to go on from, $failures failures"
[ $failures -eq 0 ]
