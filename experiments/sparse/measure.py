"""Sparse products beside dense ones: run.sh's work, see its --help."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REDUCTIONS = ("tree", "owner", "split", "serial")
DENSE_ROWS = 1024  # of the dense runs, which are a hundred times as long: samples a second don't depend on how many


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh", add_help=False)
    parser.add_argument("--program", required=True)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--features", type=int, default=50000)
    parser.add_argument("--units", type=int, default=784)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--out", default="results/sparse")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


class Experiment:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.data = os.path.join(folder, "data")
        os.makedirs(self.data, exist_ok=True)
        self.runs = 0

    def make(self, name, rows, first):
        path = os.path.join(self.data, name)
        per_row = max(1, self.args.features // 1000)
        subprocess.run([sys.executable, os.path.join(HERE, "make_data.py"), str(rows), str(self.args.features),
                        str(per_row), path, str(first)], check=True)
        return path

    def command(self, train, test, keys):
        keys = {"data.features": self.args.features, "network.0.units": self.args.units, "data.train.file": train,
                "data.test.file": test, **keys}
        return [self.args.program, "train", os.path.join(HERE, "experiment.yaml"),
                *(f"{key}={os.path.abspath(value) if key.endswith('.file') else value}" for key, value in keys.items())]

    def planned(self, train, test, keys):
        """Bytes by --dry-run."""
        text = subprocess.run([*self.command(train, test, keys), "--dry-run", "--json"], check=True,
                              capture_output=True, text=True).stdout
        return json.loads(text)["memory"]["all"]

    def train(self, train, test, keys):
        """Samples a second (the median of the epochs), peak of resident memory in bytes, test accuracy, weights."""
        with tempfile.TemporaryDirectory(dir=self.folder) as room:
            run = os.path.join(room, "run")
            process = subprocess.Popen([*self.command(train, test, keys), "--quiet", "--out", run])
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                sys.exit(f"run.sh: the program ended with status {process.returncode}")
            self.runs += 1
            with open(os.path.join(run, "metrics.tsv"), encoding="utf-8") as file:
                head, *rows = (line.rstrip("\n").split("\t") for line in file)
            with open(os.path.join(run, "provenance.json"), encoding="utf-8") as file:
                weights = json.load(file)["weights_sha256"]
        speed = statistics.median(float(row[head.index("samples_per_second")]) for row in rows)
        return speed, usage.ru_maxrss * 1024, float(rows[-1][head.index("test_accuracy")]), weights


def same_bits(experiment, train, test):
    """One hash for sparse and dense, threads and strategies."""
    weights = {}
    for sparse in ("true", "false"):
        for threads in (1, 2):
            for reduction in REDUCTIONS if sparse == "true" or threads == 2 else REDUCTIONS[:1]:
                keys = {"data.sparse": sparse, "parallel.threads": threads, "parallel.reduction": reduction,
                        "training.epochs": 2}
                weights[sparse, threads, reduction] = experiment.train(train, test, keys)[3]
    if len(set(weights.values())) != 1:
        for case, digest in weights.items():
            print(*case, digest, sep="\t", file=sys.stderr)
        sys.exit(1)
    return next(iter(weights.values()))


def check(args):
    args.features, args.units = 3000, 40
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(args, folder)
        digest = same_bits(experiment, experiment.make("train.svm", 600, 0), experiment.make("test.svm", 50, 1 << 40))
    print(f"sparse and dense: {experiment.runs} runs, one hash, {digest[:16]}")


def measure(args):
    experiment = Experiment(args, args.out)
    train = experiment.make("train.svm", args.rows, 0)
    test = experiment.make("test.svm", max(1, args.rows // 10), 1 << 40)
    few = experiment.make("few.svm", min(args.rows, DENSE_ROWS), 0)
    header = ("products", "threads", "reduction", "samples_per_second", "peak_bytes", "planned_bytes", "test_accuracy")
    rows = []
    for threads in (1, 2):
        for reduction in REDUCTIONS[: 1 if threads == 1 else None]:
            keys = {"parallel.threads": threads, "parallel.reduction": reduction}
            dense_keys = {**keys, "data.sparse": "false", "training.epochs": 1}
            turns = [(experiment.train(train, test, keys), experiment.train(few, few, dense_keys))
                     for _ in range(args.pairs)]
            same = experiment.train(few, few, {**keys, "data.sparse": "true", "training.epochs": 1})
            if {same[3], *(dense[3] for _, dense in turns)} != {same[3]}:
                sys.exit(1)
            for name, index, run in (("sparse", 0, (train, test, keys)), ("dense", 1, (few, few, dense_keys))):
                results = [turn[index] for turn in turns]
                rows.append((name, threads, reduction, round(statistics.median(r[0] for r in results)),
                             max(r[1] for r in results), experiment.planned(*run),
                             results[0][2] if name == "sparse" else "nan"))
                print("{:7} {} {:7} {:>9,} samples/s  peak {:6.1f} MiB, planned {:6.1f} MiB".format(
                    *rows[-1][:4], rows[-1][4] / 2**20, rows[-1][5] / 2**20), flush=True)
    print(f"test accuracy {rows[0][6]}; dense over {min(args.rows, DENSE_ROWS)} rows, whose weights are the same bits")
    path = os.path.join(args.out, "table.tsv")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines("\t".join(map(str, row)) + "\n" for row in (header, *rows))
    print(f"table {path}")


if __name__ == "__main__":
    parsed = arguments()
    (check if parsed.check else measure)(parsed)
