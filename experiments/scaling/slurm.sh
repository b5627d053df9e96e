#!/usr/bin/env bash
#SBATCH --job-name=deltoid-scaling
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --hint=nomultithread
#SBATCH --time=08:00:00
#SBATCH --signal=B:INT@300
#SBATCH --output=deltoid-scaling-%j.log
# The studies of this folder on a whole node of many cores. Submit it from the top folder of the source:
#
#     sbatch experiments/scaling/slurm.sh                          # strong, weak and strategies
#     sbatch --partition=P --export=ALL,STUDIES='strong placement',BUDGET='1 h' experiments/scaling/slurm.sh
#
#     STUDIES   which ones (strong weak strategies)
#     BUDGET    the most time of each (2 h): a large node has more points than a laptop
#     DATA      a folder with Fashion-MNIST's four .gz files (/usr/share/datasets/fashion-mnist)
#     MODULES   environment modules to load, as 'gcc/12 cmake hdf5 hwloc gnuplot'
#
# It builds for the node that it runs on, in the node's own scratch folder, measures there (no shared file system
# disturbs a visit), and copies results back to results/scaling-JOB in the folder that it was submitted from, also
# where the time limit ends it: the studies in there go on with `deltoid scale STUDY --out FOLDER --resume`.
set -euo pipefail

source_folder=${SLURM_SUBMIT_DIR:?submit this with sbatch}
studies=${STUDIES:-strong weak strategies}
budget=${BUDGET:-2 h}
data=${DATA:-/usr/share/datasets/fashion-mnist}
results=$source_folder/results/scaling-$SLURM_JOB_ID
[[ -f $source_folder/experiments/scaling/strong.yaml ]] || {
    echo "slurm.sh: $source_folder isn't deltoid's source; submit it from there" >&2
    exit 2
}
[[ -f $data/train-images-idx3-ubyte.gz ]] || { echo "slurm.sh: no Fashion-MNIST in $data; set DATA" >&2 && exit 2; }

if [[ -n ${MODULES-} ]]; then
    read -ra modules <<<"$MODULES"
    module load "${modules[@]}"
fi
# The study places its workers itself, and a count of threads from outside would only confuse.
unset OMP_NUM_THREADS OMP_PLACES OMP_PROC_BIND GOMP_CPU_AFFINITY KMP_AFFINITY
export LC_ALL=C.UTF-8

work=$(mktemp -d "${SLURM_TMPDIR:-${TMPDIR:-/tmp}}/deltoid-XXXXXX")
bring_back() {
    mkdir -p "$results"
    cp -r "$work"/studies/. "$results"/ 2>/dev/null || true
    rm -rf -- "$work"
    echo "results   $results"
}
trap bring_back EXIT
mkdir "$work/studies"

cp -r "$source_folder"/{CMakeLists.txt,CMakePresets.json,cmake,include,src,plots,tests,experiments} "$work/"
[[ ! -d $source_folder/.git ]] || cp -r "$source_folder/.git" "$work/" # the commit, for the provenance
cd -- "$work"
cores=$(nproc)
if ! { cmake --preset release && cmake --build --preset release --parallel "$cores" --target deltoid; } >build.log 2>&1; then
    tail -n 30 build.log >&2
    exit 1
fi
deltoid=$work/build/release/deltoid
"$deltoid" machine | tee "$work/studies/machine.txt"

# Data and budget are this machine's; everything else is as in the files.
for file in experiments/performance/W?.yaml experiments/quickstart/experiment.yaml; do
    sed -i "s|/usr/share/datasets/fashion-mnist|$data|" "$file"
done
child=
stop() { # the time limit: the study at hand finishes its visit and stops
    [[ -z $child ]] || kill -INT "$child" 2>/dev/null || true
}
trap stop INT TERM
status=0
for study in $studies; do
    sed -i "s|budget: [^,}]*|budget: $budget|" "experiments/scaling/$study.yaml"
    "$deltoid" scale "experiments/scaling/$study.yaml" --out "studies/$study" >"studies/$study.txt" &
    child=$!
    # the first wait ends with the signal, the second with the study
    wait "$child" || { wait "$child" || status=$?; }
    child=
    ((status == 0)) || break
    cat "studies/$study.txt"
    "$deltoid" plot "studies/$study" || true
    "$deltoid" report "studies/$study" || true
done
(exit "$status")
