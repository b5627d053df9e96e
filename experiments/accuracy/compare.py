#!/usr/bin/env python3
"""compare.py FOLDER [--check]: the sweeps' summary.tsv and theirs.tsv as one table of runs, figures of them, and a picture.

runs.tsv has a row a run of both programs, splits.tsv a row a split, accuracy.tsv a row a data set. Pairs are splits: the mean over seeds of the one less that of the other
on the same rows, tested by the signs of the differences and by Wilcoxon's signed ranks (ties in the differences kept: Pratt).
Exit status 1 where deltoid's median accuracy is below scikit-learn's on a data set; with --check, which is for few runs, where its mean is by
0.015 or more.
"""
import csv
import os
import statistics
import subprocess
import sys

import scipy.stats

from splits import SETS

HERE = os.path.dirname(os.path.abspath(__file__))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def pairs(folder):
    """(set, split, seed): our epochs and accuracy, then theirs."""
    theirs = {(r["set"], int(r["split"]), int(r["seed"])): r for r in read(os.path.join(folder, "theirs.tsv"))}
    runs = {}
    for name in SETS:
        for r in read(os.path.join(folder, name + "-sweep", "summary.tsv")):
            if r["state"] != "complete":
                sys.exit(f"compare.py: {name}: run {r['run']} is {r['state']}")
            key = name, int(r["point"]) + 1, int(r["seed"])
            runs[key] = int(r["epoch"]), float(r["test_accuracy"]), int(theirs[key]["epochs"]), float(theirs[key]["accuracy"])
    return runs


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3


def describe(runs, name):
    own = {key: run for key, run in runs.items() if key[0] == name}
    splits = sorted({split for _, split, _ in own})
    differences = []
    for split in splits:
        of = [run for key, run in own.items() if key[1] == split]
        differences.append(statistics.mean(r[1] for r in of) - statistics.mean(r[3] for r in of))
    wins, losses = sum(d > 1e-12 for d in differences), sum(d < -1e-12 for d in differences)
    sign = scipy.stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    rank = scipy.stats.wilcoxon(differences, zero_method="pratt").pvalue if wins + losses else 1.0
    return {"set": name, "runs": len(own), "splits": len(splits),
            "ours": quartiles([r[1] for r in own.values()]), "theirs": quartiles([r[3] for r in own.values()]),
            "least": min(min(r[1], r[3]) for r in own.values()) - 0.003,
            "our_mean": statistics.mean(r[1] for r in own.values()), "their_mean": statistics.mean(r[3] for r in own.values()),
            "our_epochs": statistics.median(r[0] for r in own.values()), "their_epochs": statistics.median(r[2] for r in own.values()),
            "differences": differences, "wins": wins, "ties": len(splits) - wins - losses, "losses": losses, "sign": sign, "rank": rank}


def write_tables(folder, runs, figures):
    write(os.path.join(folder, "runs.tsv"), ["set", "split", "seed", "deltoid_epochs", "deltoid", "sklearn_epochs", "sklearn"],
          [[*key, run[0], f"{run[1]:.9g}", run[2], f"{run[3]:.9g}"] for key, run in sorted(runs.items())])
    write(os.path.join(folder, "splits.tsv"), ["set", "split", "difference"],
          [[f["set"], split, f"{d:.9g}"] for f in figures for split, d in enumerate(f["differences"], 1)])
    header = ["set", "runs", *(f"{who}_{what}" for who in ("deltoid", "sklearn") for what in ("q1", "median", "q3", "mean", "epochs")),
              "difference_mean", "difference_low", "difference_high", "wins", "ties", "losses", "sign_p", "wilcoxon_p"]
    rows = []
    for f in figures:
        n, d = len(f["differences"]), f["differences"]
        half = scipy.stats.t.ppf(0.975, n - 1) * statistics.stdev(d) / n ** 0.5 if n > 1 else float("nan")
        f["mean"], f["half"] = statistics.mean(d), half
        rows.append([f["set"], f["runs"], *(f"{v:.6g}" for v in (*f["ours"], f["our_mean"], f["our_epochs"], *f["theirs"], f["their_mean"],
                     f["their_epochs"], f["mean"], f["mean"] - half, f["mean"] + half)), f["wins"], f["ties"], f["losses"],
                     f"{f['sign']:.3g}", f"{f['rank']:.3g}"])
    write(os.path.join(folder, "accuracy.tsv"), header, rows)


def print_table(figures):
    def spread(q):
        return f"{q[1]:.4f} ({q[0]:.4f} to {q[2]:.4f})"
    lines = [["test accuracy: median (quartiles)", "deltoid", "scikit-learn", "difference of means, 95 % interval", "splits won, even, lost",
              "sign p", "Wilcoxon p"]]
    for f in figures:
        lines.append([f["set"], spread(f["ours"]), spread(f["theirs"]), f"{f['mean']:+.4f} +- {f['half']:.4f}",
                      f"{f['wins']}, {f['ties']}, {f['losses']}", f"{f['sign']:.2f}", f"{f['rank']:.2f}"])
    width = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for i, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(line, width)) + " |")
        if i == 0:
            print("| " + " | ".join("-" * w for w in width) + " |")


def draw(folder, figures):
    """accuracy.gp with its numbers, drawn as accuracy.svg and accuracy.png."""
    with open(os.path.join(HERE, "..", "..", "plots", "style.gp")) as file:
        style = file.read()
    with open(os.path.join(HERE, "accuracy.gp")) as file:
        drawing = file.read()
    lines = ["# Drawn by experiments/accuracy/run.sh. To draw it again, in this folder:  gnuplot accuracy.gp   or   gnuplot -e \"term='png'\" accuracy.gp",
             "if (!exists('term')) term = 'svg'", "stem = 'accuracy'", "height = 520", f"sets = {len(figures)}"]
    lines.append(f"array name[{len(figures)}] = [{', '.join(repr(f['set']) for f in figures)}]")
    lines.append(f"splits = {figures[0]['splits']}")
    numbers = {"mean": [100 * f["mean"] for f in figures], "half": [100 * f["half"] for f in figures],
               "most": [100 * max(map(abs, f["differences"])) or 1 for f in figures], "low": [f["least"] for f in figures]}
    for array, values in numbers.items():
        lines.append(f"array {array}[{len(figures)}] = [{', '.join(f'{v:#.6g}' for v in values)}]")
    with open(os.path.join(folder, "accuracy.gp"), "w") as file:
        file.write("\n".join(lines) + "\n\n" + style + "\n" + drawing)
    for term in ("svg", "png"):
        subprocess.run(["gnuplot", "-e", f"term='{term}'", "accuracy.gp"], cwd=folder, check=True)


def main():
    folder, check = sys.argv[1], "--check" in sys.argv[2:]
    runs = pairs(folder)
    figures = [describe(runs, name) for name in SETS]
    write_tables(folder, runs, figures)
    print_table(figures)
    draw(folder, figures)
    worse = [f["set"] for f in figures if (f["mean"] <= -0.015 if check else f["ours"][1] < f["theirs"][1])]
    if worse:
        sys.exit(f"compare.py: deltoid's accuracy is below scikit-learn's on {', '.join(worse)}")


if __name__ == "__main__":
    main()
