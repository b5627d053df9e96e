#!/usr/bin/env bash
# usage: scaling_studies.sh DELTOID FOLDER: every study in the folder has a plan, and a line in README.md.
set -euo pipefail

deltoid=$1 folder=$2
[[ -d /usr/share/datasets/fashion-mnist ]] || { echo "no Fashion-MNIST" && exit 77; }
(($(nproc) >= 2)) || { echo "one processor: placement.yaml names two" && exit 77; }
for study in "$folder"/*.yaml; do
    name=$(basename "$study" .yaml)
    grep -q '^factors:' "$study" || continue # an experiment that studies use
    plan=$("$deltoid" scale "$study" --dry-run)
    [[ $plan =~ ^[1-9][0-9]*\ points\ of\ .*\(prediction\) ]] || { echo "$name: $plan" && exit 1; }
    [[ $name == contention ]] || grep -q "($name.yaml)" "$folder/README.md" || { echo "README.md: no $name" && exit 1; }
    echo "$name: ${plan%%$'\n'*}"
done
