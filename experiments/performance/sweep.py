"""How a sample's cost grows with the minibatch and with the width of 784-W-W-10; sweep.sh builds what is needed and starts it."""
import argparse
import csv
import datetime
import os
import sys

import measure
import report
import run
import summary
from measure import say

COLUMNS = ("width", "batch", "threads", "tool", "samples_per_second", "low", "high", "chunks", "placement", "microseconds_a_sample", "gflops",
           "share_of_peak", "workers")
RATE = 0.001  # of learning: small, so that every cell trains and none diverges


def powers(low, high):
    return [2 ** n for n in range(low.bit_length() - 1, high.bit_length()) if low <= 2 ** n <= high]


def network(width, batch):
    return run.Workload(f"{width}x{batch}", [784, width, width, 10], batch, "relu", "he_normal", RATE)


def cells_of(options):
    """(width, batch) of every curve, once each, small ones first."""
    cells = {(w, b) for w in options.widths_shown for b in options.batches} | {(w, b) for w in options.widths for b in options.batches_shown}
    return sorted(cells, key=lambda cell: cell[0] ** 2 * cell[1])


def measure_cell(width, batch, threads, probe, options, errors):
    """Rows of the table, for one cell and number of threads."""
    workload, chunks, commands = network(width, batch), [], []
    for name in options.names:
        command, _ = run.command_of(name, workload, threads, options)
        if command:
            commands.append((name, command))

    def failed(tool, why):
        say(f"{width} wide, minibatches of {batch}, {threads} threads: {tool} {why}")

    tools = measure.start_tools(commands, threads, batch, options.chunk, errors, failed)
    try:
        measure.rounds(workload.name, threads, tools, probe, options.rounds, options.chunk, chunks.append, failed)
    finally:
        for tool in tools:
            tool.close()
    return chunks, {tool.name: tool.facts.get("workers", "") for tool in tools}


def rows_of(measured, peak):
    for (width, batch, threads), (chunks, workers) in measured.items():
        if not chunks:
            continue
        group, flops = summary.Group(chunks, peak), summary.flops([784, width, width, 10])
        for tool in group.tools:
            rate = group.rate(tool)
            gflops = rate.median * flops * 1e-9
            yield dict(zip(COLUMNS, (width, batch, threads, tool, f"{rate.median:.1f}", f"{rate.low:.1f}", f"{rate.high:.1f}", rate.chunks,
                                     rate.placement, f"{1e6 / rate.median:.4f}", f"{gflops:.2f}", f"{gflops / (threads * peak):.4f}",
                                     workers.get(tool, ""))))


def write_figure(folder, tool, rows, options, peak):
    """Blocks of the numbers: a curve each, first those against the minibatch, then those against the width; and the figure's script."""
    stem = "sweep-" + tool.replace(" ", "-").lower()
    at = {(r["width"], r["batch"], r["threads"]): r for r in rows if r["tool"] == tool}
    curves = [("batch", w, t, [(b, at.get((w, b, t))) for b in options.batches]) for w in options.widths_shown for t in options.threads]
    curves += [("width", b, t, [(w, at.get((w, b, t))) for w in options.widths]) for b in options.batches_shown for t in options.threads]
    curves = [(axis, fixed, t, [(x, r) for x, r in points if r]) for axis, fixed, t, points in curves]
    curves = [c for c in curves if c[3]]
    if not curves:
        return
    with open(os.path.join(folder, stem + ".tsv"), "w") as file:
        for axis, fixed, threads, points in curves:
            print(f"# against {axis}; {'width' if axis == 'batch' else 'batch'} {fixed}, {threads} threads", file=file)
            print(axis, "microseconds_a_sample", "gflops", sep="\t", file=file)
            for x, r in points:
                print(x, r["microseconds_a_sample"], r["gflops"], sep="\t", file=file)
            print("\n", file=file)
    times = [float(r["microseconds_a_sample"]) for r in rows]
    shown = {"batch": options.widths_shown, "width": options.batches_shown}
    lines = ["height = 760", f"curves = {len(curves)}", "array side[curves]", "array kind[curves]", "array team[curves]", "array name[curves]",
             f"heading = {report.gnuplot_string(f'784-W-W-10, {tool}')}", f"data = {report.gnuplot_string(stem + '.tsv')}",
             f"shortest = {min(times)}", f"longest = {max(times)}", f"highest = {max(float(r['gflops']) for r in rows)}", f"peak = {peak:.2f}",
             f"batch_low = {options.batches[0]}; batch_high = {options.batches[-1]}",
             f"width_low = {options.widths[0]}; width_high = {options.widths[-1]}"]
    for i, (axis, fixed, threads, _) in enumerate(curves, 1):
        name = f"{'W' if axis == 'batch' else 'B'} = {fixed:,}, {threads} thread{'s' * (threads > 1)}"
        lines.append(f"side[{i}] = {1 if axis == 'batch' else 2}; kind[{i}] = {1 + shown[axis].index(fixed)}; "
                     f"team[{i}] = {1 + options.threads.index(threads)}; name[{i}] = {report.gnuplot_string(name)}")
    report.run_gnuplot(folder, stem, "\n".join(lines), "sweep.gp")


def parse(arguments):
    processors = len(os.sched_getaffinity(0))
    p = argparse.ArgumentParser(prog="sweep.sh", formatter_class=argparse.ArgumentDefaultsHelpFormatter,
                                description="Time of a sample against the minibatch and the width of 784-W-W-10, trained on Fashion-MNIST.")
    p.add_argument("--batches", type=run.number_list, default=powers(1, 4096), metavar="LIST")
    p.add_argument("--widths", type=run.number_list, default=powers(16, 4096), metavar="LIST")
    p.add_argument("--widths-shown", type=run.number_list, default=[64, 512, 2048], metavar="LIST", help="curves against the minibatch")
    p.add_argument("--batches-shown", type=run.number_list, default=[16, 128, 1024], metavar="LIST", help="curves against the width")
    p.add_argument("--threads", type=run.number_list, default=sorted({1, min(2, processors)}), metavar="LIST")
    p.add_argument("--strategies", default="tree", help="deltoid's reductions, with commas between")
    p.add_argument("--exact-workers", action="store_true", help="as many workers as threads, in place of deltoid's own choice among them")
    p.add_argument("--rivals", nargs="?", const="PyTorch eager,JAX scan,numpy", default="", metavar="LIST",
                   help="measure these too, or of " + ", ".join(run.RIVALS))
    p.add_argument("--rounds", type=int, default=3, help="chunks of each cell")
    p.add_argument("--chunk", type=float, default=0.1, help="seconds of a chunk; at least a minibatch")
    p.add_argument("--seed", type=int, default=1, help="of initial weights and minibatches")
    p.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of Fashion-MNIST's four files")
    p.add_argument("--out", help="the folder to write; without it, results/performance/<UTC time>-sweep")
    p.add_argument("--python", help="the Python that has the rivals; without it, build/rivals/bin/python, or python3")
    p.add_argument("--programs", default=os.path.join(run.ROOT, "build/release/experiments/performance"), help=argparse.SUPPRESS)
    p.add_argument("--compiler", help=argparse.SUPPRESS)
    options = p.parse_args(arguments)
    options.bench = os.path.join(options.programs, "performance_bench")
    if not options.python:
        own = os.path.join(run.ROOT, "build/rivals/bin/python")
        options.python = own if os.path.exists(own) else sys.executable
    if min(options.threads) < 1 or max(options.threads) > processors:
        p.error(f"--threads: there are processors for 1 to {processors}")
    rivals = [name for name in options.rivals.split(",") if name]
    for name in rivals:
        if name not in run.RIVALS:
            p.error(f"--rivals: no tool {name!r}; there are {', '.join(run.RIVALS)}")
    options.names = ["deltoid " + s for s in options.strategies.split(",")] + rivals
    return options


def main(arguments):
    options = parse(arguments)
    out = options.out or os.path.join(run.ROOT, "results/performance",
                                      datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ-sweep"))
    os.makedirs(out)
    run.describe_machine(out, options)
    probe = measure.Probe([os.path.join(options.programs, "performance_probe")])
    measured, stopped = {}, False
    cells = [(w, b, t) for w, b in cells_of(options) for t in options.threads]
    with open(os.path.join(out, "errors.log"), "w") as errors:
        try:
            probe.read()
            for n, (width, batch, threads) in enumerate(cells, 1):
                measured[width, batch, threads] = measure_cell(width, batch, threads, probe, options, errors)
                say(f"{n}/{len(cells)}  width {width}, minibatches of {batch}, {threads} thread{'s' * (threads > 1)}")
        except KeyboardInterrupt:
            stopped = True
            say("stopped; what was measured is kept")
        finally:
            probe.close()
    peak = summary.peak([c for chunks, _ in measured.values() for c in chunks])
    rows = sorted(rows_of(measured, peak), key=lambda r: (r["tool"], r["threads"], r["width"], r["batch"]))
    with open(os.path.join(out, "sweep.tsv"), "w") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for tool in options.names:
        write_figure(out, tool, rows, options, peak)
    say(f"results   {os.path.relpath(out)}")
    return 130 if stopped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
