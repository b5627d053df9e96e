"""The table and the figure of a run's folder, from its raw.tsv. `report.py FOLDER` makes them anew."""
import csv
import dataclasses
import os
import shutil
import subprocess
import sys

import measure
import summary

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FACTS = ("version", "workers", "accuracy", "note")
JAX, NUMPY, EAGER, TREE = "JAX scan", "numpy", "PyTorch eager", "deltoid tree"


def rows_of(folder, name):
    with open(os.path.join(folder, name)) as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_chunks(folder):
    types = {f.name: f.type for f in dataclasses.fields(measure.Chunk)}
    return [measure.Chunk(**{name: types[name](value) for name, value in row.items()}) for row in rows_of(folder, "raw.tsv")]


class Run:
    """What a folder holds."""

    def __init__(self, folder):
        self.folder = folder
        chunks = read_chunks(folder)
        self.peak, self.groups = summary.peak(chunks), summary.groups(chunks)
        self.tools = {(r["workload"], int(r["threads"]), r["tool"]): r for r in rows_of(folder, "tools.tsv")}
        self.workloads = {r["workload"]: r for r in rows_of(folder, "workloads.tsv")}
        with open(os.path.join(folder, "machine.tsv")) as file:
            self.machine = dict(line.rstrip("\n").split("\t", 1) for line in file)

    def keys(self):
        """(workload, threads) in order, those without a chunk too."""
        return list(dict.fromkeys((w, t) for w, t, _ in self.tools))

    def names(self):
        return list(dict.fromkeys(tool for _, _, tool in self.tools))

    def deltoid(self):
        return [name for name in self.names() if name.startswith("deltoid ")]

    def rate(self, workload, threads, tool):
        group = self.groups.get((workload, threads))
        return group.rate(tool) if group and tool in group.tools else None

    def gflops(self, workload, rate):
        return rate.median * summary.flops([int(n) for n in self.workloads[workload]["units"].split(",")]) * 1e-9

    def accuracy(self, workload, tool):
        """At any number of threads; and whether it is out of line."""
        values = {name: float(r["accuracy"]) for (w, _, name), r in self.tools.items() if w == workload and r["accuracy"]}
        return values.get(tool), tool in summary.out_of_line(values)


# --- table.tsv, comparison.tsv ---

def table(run):
    """A row a tool, workload and number of threads."""
    for (workload, threads, tool), facts in run.tools.items():
        rate = run.rate(workload, threads, tool)
        row = {"workload": workload, "threads": threads, "tool": tool, "version": facts["version"], "workers": facts["workers"]}
        if rate:
            gflops = run.gflops(workload, rate)
            row.update(samples_per_second=f"{rate.median:.0f}", low=f"{rate.low:.0f}", high=f"{rate.high:.0f}", chunks=rate.chunks,
                       dirt=rate.dirt, placement=rate.placement, gflops=f"{gflops:.1f}", share_of_peak=f"{gflops / (threads * run.peak):.3f}")
        _, odd = run.accuracy(workload, tool)
        notes = [n for n in (facts["note"], "accuracy out of line" if odd and facts["accuracy"] else "") if n]
        row.update(accuracy=facts["accuracy"], note="; ".join(notes))
        yield row


TABLE = ("workload", "threads", "tool", "version", "workers", "samples_per_second", "low", "high", "chunks", "dirt", "placement", "gflops",
         "share_of_peak", "accuracy", "note")


def comparison(run):
    """deltoid's fastest strategy, and its default, over rivals."""
    aims = {(r["workload"], int(r["threads"]), r["over"]): r["aim"] for r in rows_of(HERE, "aims.tsv")}
    rivals = [name for name in run.names() if not name.startswith("deltoid ")]
    for (workload, threads), group in run.groups.items():
        best = group.fastest(run.deltoid())
        if not best:
            continue
        others = {JAX: JAX, "better of JAX and numpy": group.fastest((JAX, NUMPY)), EAGER: EAGER, "best rival": group.fastest(rivals),
                  TREE: TREE if best != TREE else None}
        start = {"workload": workload, "threads": threads, "strategy": best.split()[1]}
        for over, tool in others.items():
            if tool not in group.tools:
                continue
            ratio, tree = (group.ratio(mine, tool) if mine in group.tools and mine != tool else None for mine in (best, TREE))
            row = {**start, "over": over, "tool": tool, "ratio": f"{ratio.median:.3f}", "first_quartile": f"{ratio.first_quartile:.3f}",
                   "third_quartile": f"{ratio.third_quartile:.3f}", "rounds": ratio.rounds, "placement": ratio.placement,
                   "aim": aims.get((workload, threads, over), "")}
            if tree:
                row.update(tree=f"{tree.median:.3f}", tree_first_quartile=f"{tree.first_quartile:.3f}",
                           tree_third_quartile=f"{tree.third_quartile:.3f}")
            yield row
        if (workload, threads, "share of peak") in aims:
            share = {tool: f"{run.gflops(workload, group.rate(tool)) / (threads * run.peak):.3f}" for tool in (best, TREE) if tool in group.tools}
            yield {**start, "over": "share of peak", "tool": "", "ratio": share[best], "tree": share.get(TREE, ""),
                   "rounds": group.rate(best).chunks, "placement": group.rate(best).placement, "aim": aims[workload, threads, "share of peak"]}


COMPARISON = ("workload", "threads", "over", "tool", "strategy", "ratio", "first_quartile", "third_quartile", "tree", "tree_first_quartile",
              "tree_third_quartile", "rounds", "placement", "aim")


def write_tsv(path, columns, rows):
    with open(path, "w") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)


# --- table.md ---

def thousands(value):
    return f"{value / 1000:.0f}k" if value >= 99_500 else f"{value / 1000:.1f}k" if value >= 9_950 else f"{value:,.0f}"


def markdown(header, rows):
    """An aligned table: the first column to the left, the others to the right."""
    cells = [header] + [[str(c) for c in row] for row in rows]
    width = [max(3, *(len(row[i]) for row in cells)) for i in range(len(header))]

    def line(row):
        return "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, width))) + " |"

    rule = "| " + " | ".join("-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(width)) + " |"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])]) + "\n"


def cell(run, workload, threads, tool, best):
    rate = run.rate(workload, threads, tool)
    if not rate:
        return "-"
    text = thousands(rate.median)
    if tool == best:
        text = f"**{text}**"
    return text if rate.placement == run.groups[workload, threads].placement else f"{text} ({rate.placement})"


def samples_table(run, threads):
    workloads = [w for w, t in run.keys() if t == threads]
    best = {w: run.groups[w, threads].fastest(run.names()) if (w, threads) in run.groups else None for w in workloads}
    rows = []
    for tool in run.names():
        if any((w, threads, tool) in run.tools for w in workloads):
            version = next((r["version"] for (_, _, name), r in run.tools.items() if name == tool and r["version"]), "")
            rows.append([f"{tool} {version}".strip(), *(cell(run, w, threads, tool, best[w]) for w in workloads)])
    rows.append(["placement", *(run.groups[w, threads].placement or "loaded" if (w, threads) in run.groups else "-" for w in workloads)])
    return markdown([f"{threads} thread{'s' * (threads > 1)}", *workloads], rows)


def share_table(run):
    rows = []
    for threads in dict.fromkeys(t for _, t in run.keys()):
        for tool in run.deltoid():
            cells = []
            for w in run.workloads:
                rate = run.rate(w, threads, tool)
                cells.append(f"{run.gflops(w, rate) / (threads * run.peak):.2f}" if rate else "-")
            rows.append([f"{tool}, {threads} thread{'s' * (threads > 1)}", *cells])
    return markdown(["share of FMA peak", *run.workloads], rows)


def accuracy_table(run):
    rows = []
    for tool in run.names():
        cells = []
        for w in run.workloads:
            value, odd = run.accuracy(w, tool)
            cells.append("-" if value is None else f"{value:.4f}" + " (!)" * odd)
        rows.append([tool, *cells])
    return markdown(["test accuracy", *run.workloads], rows)


def with_spread(row, prefix=""):
    name = prefix + "_" if prefix else ""
    value = row.get(prefix or "ratio", "")
    low, high = row.get(name + "first_quartile"), row.get(name + "third_quartile")
    return f"{float(value):.2f}" + (f" ({float(low):.2f}-{float(high):.2f})" if low else "") if value else ""


def ratio_table(run):
    rows = []
    for r in comparison(run):
        if r["over"] == "best rival" and r["tool"] in (JAX, NUMPY):
            continue  # that is the row before
        over = r["over"] if r["tool"] in ("", r["over"]) else f"{r['over']}: {r['tool']}"
        verdict = "" if not r["aim"] or r["placement"] == "loaded" else "reached" if float(r["ratio"]) >= float(r["aim"]) else "short"
        rows.append([f"{r['workload']}, {r['threads']}: over {over}".replace("over share", "share"), r["strategy"], with_spread(r),
                     with_spread(r, "tree"), r["rounds"], r["placement"], r["aim"], verdict])
    return markdown(["workload, threads: deltoid", "fastest", "its ratio", "tree's ratio", "rounds", "placement", "aim", "fastest is"], rows)


def spread_table(run):
    rows = []
    for r in table(run):
        if "low" in r:
            rows.append([f"{r['workload']}, {r['threads']}: {r['tool']}", thousands(float(r["samples_per_second"])), thousands(float(r["low"])),
                         thousands(float(r["high"])), r["chunks"], r["dirt"] or 0, r["placement"], r["gflops"], r["workers"]])
    return markdown(["workload, threads: tool", "median", "low", "high", "clean", "dirty", "placement", "GFLOP/s", "workers"], rows)


def notes(run):
    said = {}
    for (workload, threads, tool), facts in run.tools.items():
        if facts["note"]:
            said.setdefault((tool, facts["note"]), []).append(f"{workload} at {threads}")
    return "".join(f"- {tool}: {note} ({', '.join(where)})\n" for (tool, note), where in said.items())


PROSE = """# Speed beside other tools

{processor}, {processors} processors; {system}; deltoid at {commit}, {compiler}; {python}; {time}.
FMA peak of a core, float32, by the probe: {peak:.0f} GFLOP/s.

Samples a second while training: median of {chunk_seconds} s chunks, up to {rounds} of each tool, all tools in turn in one run. A chunk
counts where the probe sees the same placement before and after it and nobody else uses the processors. Numbers of one column are from one
placement, which the last line names (one thread: full or slow core; more: near, far, or smt, the hyperthreads of one core), or are marked.
"""


def write_markdown(run, path):
    parts = [PROSE.format(peak=run.peak, **run.machine)]
    parts += [samples_table(run, threads) for threads in dict.fromkeys(t for _, t in run.keys())]
    parts.append("Ratios are medians over rounds of the ratio within a round, both tools in the same placement; the quartiles stand behind them.\n")
    parts += [ratio_table(run), share_table(run)]
    parts.append("Trained from initial weights for the check's epochs; (!) marks what is more than 0.06 from the median of all.\n")
    parts.append(accuracy_table(run))
    if notes(run):
        parts.append("Not measured, or not in full:\n\n" + notes(run))
    parts += ["Every median with its spread:\n", spread_table(run)]
    with open(path, "w") as file:
        file.write("\n".join(parts))


# --- figure ---

def gnuplot_string(text):
    return "'" + str(text).replace("'", "''") + "'"


def figure_data(run):
    """A row a (workload, threads, tool): its column in the figure, speed relative to the best rival, share of peak."""
    rivals = [name for name in run.names() if not name.startswith("deltoid ")]
    for column, (workload, threads) in enumerate((k for k in run.keys() if k in run.groups), 1):
        group = run.groups[workload, threads]
        best = group.fastest(rivals)
        for number, tool in enumerate(run.names(), 1):
            rate = run.rate(workload, threads, tool)
            if rate:
                relative = f"{rate.median / run.rate(workload, threads, best).median:.4f}" if best else "nan"
                yield {"column": column, "workload": workload, "threads": threads, "number": number, "tool": tool, "relative": relative,
                       "share": f"{run.gflops(workload, rate) / (threads * run.peak):.4f}"}


def run_gnuplot(folder, stem, variables, script):
    """FOLDER/STEM.gp with its variables, then STEM.svg and STEM.png. It runs again by `gnuplot STEM.gp`, in the folder."""
    with open(os.path.join(ROOT, "plots/style.gp")) as file:
        style = file.read()
    with open(os.path.join(HERE, script)) as file:
        body = file.read()
    with open(os.path.join(folder, stem + ".gp"), "w") as file:
        file.write(f"if (!exists('term')) term = 'svg'\nstem = {gnuplot_string(stem)}\n{variables}\n{style}\n{body}")
    if not shutil.which("gnuplot"):
        measure.say("gnuplot is not installed: no picture, but its script and numbers are there")
        return
    for term in ("svg", "png"):
        done = subprocess.run(["gnuplot", "-e", f"term='{term}'", stem + ".gp"], cwd=folder, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            measure.say(f"gnuplot failed: {done.stderr.strip()}")


def write_figure(run):
    data = list(figure_data(run))
    if not data:
        return
    write_tsv(os.path.join(run.folder, "performance.tsv"), list(data[0]), data)
    columns = list(dict.fromkeys((r["column"], r["workload"], r["threads"]) for r in data))
    names = run.names()
    shown = [n for n in range(1, len(names) + 1) if any(r["number"] == n for r in data)]
    lines = [f"height = {560 + 24 * -(-len(shown) // 5)}", f"columns = {len(columns)}", f"tools = {len(shown)}", f"array label[{len(columns)}]", f"array name[{len(shown)}]",
             f"array number[{len(shown)}]", f"array own[{len(shown)}]", f"array group_of[{len(columns)}]"]
    lines += [f"label[{c}] = {gnuplot_string(f'{w}, {t}')}; group_of[{c}] = {t}" for c, w, t in columns]
    for i, n in enumerate(shown, 1):
        lines.append(f"name[{i}] = {gnuplot_string(names[n - 1])}; number[{i}] = {n}; own[{i}] = {int(names[n - 1].startswith('deltoid '))}")
    relative = [float(r["relative"]) for r in data if r["relative"] != "nan"] or [1.0]
    lines += [f"lowest = {min(relative)}", f"highest = {max(relative)}", f"highest_share = {max(float(r['share']) for r in data)}",
              f"data = {gnuplot_string('performance.tsv')}"]
    run_gnuplot(run.folder, "performance", "\n".join(lines), "performance.gp")


def write(folder):
    run = Run(folder)
    write_tsv(os.path.join(folder, "table.tsv"), TABLE, table(run))
    write_tsv(os.path.join(folder, "comparison.tsv"), COMPARISON, comparison(run))
    write_markdown(run, os.path.join(folder, "table.md"))
    write_figure(run)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: report.py FOLDER")
    write(sys.argv[1])
