"""Data and calls that the scripts of this folder share."""

import csv
import io
import json
import os
import subprocess
import sys

SKIP = 77


def need(*names):
    """Imports modules, or ends with the status of a skipped test."""
    modules = []
    for name in names:
        try:
            modules.append(__import__(name))
        except ImportError as e:
            print(f"skipped: {e} (pip install -r requirements.txt)")
            sys.exit(SKIP)
    return modules


def deltoid(*arguments):
    """Runs the program; its standard output."""
    done = subprocess.run(
        [os.environ["DELTOID"], *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"deltoid {' '.join(map(str, arguments))}: exit status {done.returncode}")
    return done.stdout


def scores(np, run, inputs, *more):
    """What deltoid predict says of each row: one number a unit of the last layer."""
    rows = list(csv.reader(io.StringIO(deltoid("predict", run, inputs, *more)), delimiter="\t"))
    first = next(i for i, name in enumerate(rows[0]) if name.startswith(("score_", "probability_", "value_")))
    return np.array([[float(number) for number in row[first:]] for row in rows[1:]])


def clusters(np, rows, seed):
    """Three rings of eight clusters each in the plane, with labels 0, 1, 2: no straight line parts them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    angle = rng.integers(0, 8, rows) * (np.pi / 4) + labels * (np.pi / 12)
    centre = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 + 0.35 * labels[:, None])
    return (10 * (centre + 0.12 * rng.standard_normal((rows, 2)))), labels.astype(np.int64)


def write_experiment(path, **content):
    """YAML 1.2 contains JSON."""
    with open(path, "w", encoding="utf-8") as f:
        json.dump(content, f, indent=1)


def last_line_of_metrics(run):
    with open(f"{run}/metrics.tsv", encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t"))[-1]
