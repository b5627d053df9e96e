#!/bin/sh
# What a run does when the system fails it: every STRIDE-th call of write, fsync, rename, open, and of the library's
# own allocations fails, one a run; of a run that reads its inputs while it trains, every STRIDE-th read; and disks of
# LEVELS sizes are full. Each failure must be exit status 3 and one line, no signal; and --resume must go on from what
# is there, to the bits of a run without a failure.
#
#     tests/faults.sh PROGRAM SHIM [STRIDE [LEVELS]]       1 and 200: all of it, some minutes; the test takes 29 and 6
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 shim=$2 stride=${3:-1} levels=${4:-200}
home=$(mktemp -d "${TMPDIR:-/tmp}/deltoid-faults-XXXXXX")
trap 'rm -rf "$home"' EXIT
cd "$home"

# shellcheck source=tests/tiny_run.sh
. "$here/tiny_run.sh"

failures=0 runs=0 hits=0 signals=0 lost=0
bad() {
  failures=$((failures + 1))
  echo "FAILED $1: $2 (status $status): $(cat err)"
}

"$program" train e.yaml --quiet --out whole
"$program" data convert x d.h5 --labels y > convert.log
sed 's|format: .*scale|format: hdf5, train: {file: d.h5, inputs: /inputs, labels: /labels}, stream: true, window: 16, block: 4, scale|
  s/batch_size: 48/batch_size: 8/' e.yaml > s.yaml
grep -q 'stream: true' s.yaml

experiment=e.yaml
whole=$(weights whole)

# One run of the experiment under a fault, then what is left of it goes on. Sets `status` of the first.
try() {
  rm -rf run
  status=0
  DELTOID_FAULT=$1 LD_PRELOAD=$shim "$program" train $experiment --quiet --out run 2> err || status=$?
  runs=$((runs + 1))
  [ $status -lt 126 ] || signals=$((signals + 1))
  case $status in
    0) ;;
    3) [ "$(wc -l < err)" -eq 1 ] || bad "$1" "not one line" ;;
    *) bad "$1" "neither done nor status 3" ;;
  esac
  [ $status -eq 0 ] || hits=$((hits + 1))
  [ -d run ] || return 0
  resumed=0
  "$program" train --resume run --quiet 2> err.resume || resumed=$?
  if [ $resumed -eq 0 ]; then
    [ "$(weights run)" = "$whole" ] || { lost=$((lost + 1)); bad "$1" "other weights after --resume"; }
  elif [ -e run/experiment.yaml ]; then
    lost=$((lost + 1))
    bad "$1" "--resume ended with $resumed: $(cat err.resume)"
  fi
}

# Every STRIDE-th call of that name.
try_calls() {
  n=1 misses=0
  while [ $misses -lt 2 ]; do
    try "$1:$n"
    if [ $status -eq 0 ]; then misses=$((misses + 1)); else misses=0; fi
    n=$((n + stride))
  done
}

for call in write fsync rename open memory; do
  try_calls $call
done
echo "failing calls: $runs runs, $hits failed, $signals ended by a signal, $lost that can't go on"

runs=0 hits=0 signals=0 lost=0 experiment=s.yaml
"$program" train s.yaml --quiet --out read
whole=$(weights read)
try_calls read
echo "failing reads: $runs runs, $hits failed, $signals ended by a signal, $lost that can't go on"
runs=0 hits=0 signals=0 lost=0 experiment=e.yaml
whole=$(weights whole)

size=$(du -sb whole | cut -f1)
level=1
while [ $level -le "$levels" ]; do
  try space:$((2 * size * level / levels))
  level=$((level + 1))
done
echo "with full disks: $runs runs, $hits failed, $signals ended by a signal, $lost that can't go on"
[ $failures -eq 0 ]
