"""Measures the workloads of this folder; run.sh builds what is needed and starts it."""
import argparse
import csv
import dataclasses
import datetime
import gzip
import os
import platform
import re
import statistics
import subprocess
import sys

import measure
import report
from measure import say

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RIVALS = {  # name: script or program, its variant
    "PyTorch eager": ("torch_mlp.py", "eager"),
    "PyTorch by hand": ("torch_mlp.py", "hand"),
    "JAX scan": ("jax_mlp.py", ""),
    "numpy": ("numpy_mlp.py", ""),
    "scikit-learn": ("sklearn_mlp.py", ""),
    "FANN": ("performance_fann", ""),
}


@dataclasses.dataclass
class Workload:
    name: str
    units: list
    batch: int
    activation: str
    init: str
    rate: float

    def options(self, data, seed):
        return ["--units", ",".join(map(str, self.units)), "--batch", str(self.batch), "--activation", self.activation,
                "--init", self.init, "--rate", str(self.rate), "--data", data, "--seed", str(seed)]


def read_workload(path, inputs=784):
    """What the tools must know of an experiment file. Only the plain form of this folder's files is understood."""
    with open(path) as file:
        text = file.read()
    layers = re.findall(r"^  - \{units: (\d+)(?:, activation: (\w+))?, init: (\w+)\}$", text, re.M)
    batch, rate = re.search(r"batch_size: (\d+)", text), re.search(r"learning_rate: ([\d.]+)", text)
    if not layers or not batch or not rate or len({init for _, _, init in layers}) != 1:
        sys.exit(f"run.py: {path}: not in the form of {HERE}/W1.yaml")
    return Workload(os.path.splitext(os.path.basename(path))[0], [inputs] + [int(units) for units, _, _ in layers], int(batch[1]),
                    layers[0][1] or "relu", layers[0][2], float(rate[1]))


def count_rows(data):
    path = os.path.join(data, "train-labels-idx1-ubyte")
    try:
        with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as file:
            return int.from_bytes(file.read(8)[4:], "big")
    except OSError as error:
        sys.exit(f"run.py: {error}; --data FOLDER names another place")


def strategies_of(bench):
    return subprocess.run([bench, "--strategies"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def command_of(tool, workload, threads, options):
    """The command line of a tool, or None and why there is none."""
    common = workload.options(options.data, options.seed)
    if tool.startswith("deltoid "):
        workers = threads if options.exact_workers else 0
        return [options.bench, *common, "--threads", str(workers), "--reduction", tool.split()[1]], ""
    program, variant = RIVALS[tool]
    if not program.endswith(".py"):
        path = os.path.join(options.programs, program)
        if not os.path.exists(path):
            return None, "not installed: experiments/performance/install.sh, then build again"
        return ([path, *common], "") if threads == 1 else (None, "runs on one thread")
    if not options.python:
        return None, "not installed: experiments/performance/install.sh"
    script = os.path.join(HERE, "rivals", program)
    return [options.python, script, *common, "--threads", str(threads), *(["--variant", variant] if variant else [])], ""


class Folder:
    """The run's folder: raw.tsv and tools.tsv grow as things are known, the rest is made from them by report.py."""

    def __init__(self, path):
        os.makedirs(path)
        self.path = path
        self.raw = open(os.path.join(path, "raw.tsv"), "w")
        print(*(f.name for f in dataclasses.fields(measure.Chunk)), sep="\t", file=self.raw)
        self.errors = open(os.path.join(path, "errors.log"), "w")
        self.tools = {}  # (workload, threads, tool): {version, workers, accuracy, note}

    def keep(self, chunk):
        values = dataclasses.astuple(chunk)
        print(*(f"{v:.6g}" if isinstance(v, float) else v for v in values), sep="\t", file=self.raw, flush=True)

    def tell(self, workload, threads, tool, **facts):
        self.tools.setdefault((workload, threads, tool), {}).update(facts)
        with open(os.path.join(self.path, "tools.tsv"), "w") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(["workload", "threads", "tool", *report.FACTS])
            for key, known in self.tools.items():
                writer.writerow([*key, *(known.get(name, "") for name in report.FACTS)])


def measure_accuracy(tools, workload, rows, rates, options, tell):
    """Each trains its epochs from initial weights on, one after another; those that would take too long are left out."""
    for tool in tools:
        needs = options.epochs * rows / rates[tool.name]
        if needs > options.accuracy_limit:
            tell(tool.name, note=f"{options.epochs} epochs would take {needs / 60:.0f} minutes")
            continue
        try:
            value = float(tool.ask(f"accuracy {options.epochs}")["value"])
            tell(tool.name, accuracy=f"{value:.4f}")
            say(f"{workload.name:4} {tool.name:18} test accuracy {value:.4f} after {options.epochs} epochs")
        except measure.ToolFailed as error:
            tell(tool.name, note=str(error))


def measure_group(workload, threads, names, probe, rows, folder, options):
    def tell(tool, **facts):
        folder.tell(workload.name, threads, tool, **facts)

    def failed(tool, why):
        tell(tool, note=why)
        say(f"{workload.name:4} {tool:18} {why}")

    chunks, commands = [], []
    for name in names:
        command, why = command_of(name, workload, threads, options)
        if command:
            tell(name)  # its place in the table
            commands.append((name, command))
        else:
            tell(name, note=why)
    say(f"{workload.name}, {threads} thread{'s' * (threads > 1)}: starting {len(commands)} tools")
    tools = measure.start_tools(commands, threads, workload.batch, options.chunk, folder.errors, failed)
    for tool in tools:
        tell(tool.name, version=tool.facts.get("version", ""), workers=tool.facts.get("workers", ""))

    def keep(chunk):
        chunks.append(chunk)
        folder.keep(chunk)

    try:
        measure.rounds(workload.name, threads, tools, probe, options.rounds, options.chunk, keep, failed)
        rates = {t.name: statistics.median(c.rate for c in chunks if c.tool == t.name) for t in tools}
        for tool in tools:
            say(f"{workload.name:4} {tool.name:18} {rates[tool.name]:10.0f} samples/s")
        if options.accuracy == "each" or (options.accuracy == "once" and threads == max(options.threads)):
            measure_accuracy(tools, workload, rows, rates, options, tell)
        elif options.accuracy == "once" and "FANN" in rates and threads == 1:
            measure_accuracy([t for t in tools if t.name == "FANN"], workload, rows, rates, options, tell)
    finally:
        for tool in tools:
            tool.close()


def describe_machine(folder, options):
    def first(command):
        try:
            return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT).stdout.splitlines()[0]
        except (OSError, IndexError):
            return "unknown"

    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    facts = {
        "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": model[1] if model else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "commit": first(["git", "describe", "--always", "--dirty"]),
        "compiler": first([options.compiler, "--version"]) if options.compiler else "unknown",
        "python": first([options.python, "--version"]) if options.python else "none",
        "rounds": options.rounds,
        "chunk_seconds": options.chunk,
    }
    with open(os.path.join(folder, "machine.tsv"), "w") as file:
        for name, value in facts.items():
            print(name, value, sep="\t", file=file)


def number_list(text):
    return [int(n) for n in text.split(",")]


def parse(arguments):
    processors = len(os.sched_getaffinity(0))
    p = argparse.ArgumentParser(prog="run.sh", description="Measures deltoid beside other tools on the workloads of this folder.",
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--workloads", default="W1,W2,W3,W4,W5", help="names or YAML files, with commas between")
    p.add_argument("--threads", type=number_list, default=sorted({1, min(2, processors), processors}), metavar="LIST")
    p.add_argument("--tools", default="all", help="rivals to measure, with commas between: all, none, or of " + ", ".join(RIVALS))
    p.add_argument("--strategies", help="deltoid's reductions, with commas between; without it, all that are deterministic")
    p.add_argument("--exact-workers", action="store_true", help="as many workers as threads, in place of deltoid's own choice among them")
    p.add_argument("--rounds", type=int, default=15, help="chunks of each tool")
    p.add_argument("--chunk", type=float, default=0.2, help="seconds of a chunk")
    p.add_argument("--accuracy", choices=("once", "each", "none"), default="once", help="train each tool for the check at the largest number "
                   "of threads, at each, or not")
    p.add_argument("--epochs", type=int, default=2, help="of the check")
    p.add_argument("--seed", type=int, default=1, help="of initial weights and minibatches")
    p.add_argument("--accuracy-limit", type=float, default=300, help="seconds that a tool may take for the check")
    p.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of Fashion-MNIST's four files")
    p.add_argument("--out", help="the run's folder; without it, results/performance/<UTC time>")
    p.add_argument("--python", help="the Python that has the rivals; without it, build/rivals/bin/python, or python3")
    p.add_argument("--programs", default=os.path.join(ROOT, "build/release/experiments/performance"), help=argparse.SUPPRESS)
    p.add_argument("--compiler", help=argparse.SUPPRESS)
    options = p.parse_args(arguments)
    options.bench = os.path.join(options.programs, "performance_bench")
    if not options.python:
        own = os.path.join(ROOT, "build/rivals/bin/python")
        options.python = own if os.path.exists(own) else sys.executable
    options.threads = [t for t in dict.fromkeys(options.threads)]
    if min(options.threads) < 1 or max(options.threads) > processors:
        p.error(f"--threads: there are processors for 1 to {processors}")
    if options.rounds < 1 or options.chunk <= 0:
        p.error("--rounds and --chunk must be positive")
    rivals = [] if options.tools == "none" else list(RIVALS) if options.tools == "all" else options.tools.split(",")
    for name in rivals:
        if name not in RIVALS:
            p.error(f"--tools: no tool {name!r}; there are {', '.join(RIVALS)}")
    known = strategies_of(options.bench)
    strategies = options.strategies.split(",") if options.strategies else known
    options.names = ["deltoid " + s for s in strategies] + rivals
    return options


def main(arguments):
    options = parse(arguments)
    workloads = [read_workload(name if name.endswith(".yaml") else os.path.join(HERE, name + ".yaml")) for name in options.workloads.split(",")]
    rows = count_rows(options.data)
    out = options.out or os.path.join(ROOT, "results/performance", datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ"))
    folder = Folder(out)
    describe_machine(out, options)
    with open(os.path.join(out, "workloads.tsv"), "w") as file:
        print("workload", "units", "batch", "activation", sep="\t", file=file)
        for w in workloads:
            print(w.name, ",".join(map(str, w.units)), w.batch, w.activation, sep="\t", file=file)
    probe = measure.Probe([os.path.join(options.programs, "performance_probe")])
    stopped = False
    try:
        probe.read()
        for workload in workloads:
            for threads in options.threads:
                measure_group(workload, threads, options.names, probe, rows, folder, options)
    except KeyboardInterrupt:
        stopped = True
        say("stopped; what was measured goes into the table")
    finally:
        probe.close()
    report.write(out)
    say(f"results   {os.path.relpath(out)}")
    return 130 if stopped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
