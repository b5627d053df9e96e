#!/usr/bin/env python3
"""Checks experiments/performance: the statistics on made chunks, the programs' protocol and a whole small run on made data.

    check_performance.py --programs build/dev/experiments/performance
"""
import contextlib
import csv
import io
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "experiments/performance")
sys.path.insert(0, FOLDER)
sys.dont_write_bytecode = True

import measure  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import summary  # noqa: E402
import sweep  # noqa: E402

PROGRAMS = None
ROWS, BATCH = 50, 16  # four minibatches an epoch, the last one short
TINY = """name: tiny
network:
  - {units: 8, activation: relu, init: he_normal}
  - {units: 10, init: he_normal}
optimizer: {name: sgd, learning_rate: 0.1}
training: {epochs: 2, batch_size: 16}
"""


def chunk(tool, n, rate, threads=2, crossing=30.0, gflops=100.0, workload="W1", **more):
    facts = dict(own_cpu=0.2 * threads, idle_cpu=0.0, other_cpu=0.0, steal=0.0, gflops_before=gflops, gflops_after=gflops,
                 crossing_before=crossing, crossing_after=crossing)
    facts.update(more)
    return measure.Chunk(workload, threads, n, tool, round(rate * 0.2), 0.2, **facts)


class Statistics(unittest.TestCase):
    def test_places(self):
        self.assertEqual(summary.place(1, 100, 0, 100), "full")
        self.assertEqual(summary.place(1, 60, 0, 100), "slow")
        self.assertEqual(summary.place(2, 100, 30, 100), "near")
        self.assertEqual(summary.place(2, 100, 150, 100), "far")
        self.assertEqual(summary.place(2, 50, 20, 100), "smt")
        self.assertEqual(summary.place(8, 100, 150, 100), "far")

    def test_dirt(self):
        self.assertEqual(summary.dirt(chunk("a", 0, 1000), 100), "")
        self.assertEqual(summary.dirt(chunk("a", 0, 1000, crossing_after=160.0), 100), "moved")
        self.assertEqual(summary.dirt(chunk("a", 0, 1000, gflops_before=50.0), 100), "moved")
        self.assertEqual(summary.dirt(chunk("a", 0, 1000, steal=0.02), 100), "steal")
        self.assertEqual(summary.dirt(chunk("a", 0, 1000, other_cpu=0.02), 100), "")
        self.assertEqual(summary.dirt(chunk("a", 0, 1000, other_cpu=0.04), 100), "load")
        self.assertEqual(summary.dirt(chunk("a", 0, 1000, idle_cpu=0.1), 100), "restless")

    def test_median_of_clean_chunks(self):
        rates = [1000, 1100, 1200, 1300, 5000]
        group = summary.Group([chunk("a", n, r, other_cpu=0.1 if r == 5000 else 0.0) for n, r in enumerate(rates)], 100)
        rate = group.rate("a")
        self.assertEqual((rate.median, rate.low, rate.high, rate.chunks, rate.placement), (1150, 1000, 1300, 4, "near"))
        self.assertEqual(rate.dirt, "1 load")

    def test_placement_that_all_have(self):
        """a was near and far, b only far: both are compared far."""
        chunks = [chunk("a", n, 2000) for n in range(5)] + [chunk("a", n, 1000, crossing=150.0) for n in range(5, 10)]
        chunks += [chunk("b", n, 500, crossing=150.0) for n in range(10)]
        group = summary.Group(chunks, 100)
        self.assertEqual(group.placement, "far")
        self.assertEqual(group.rate("a").median, 1000)
        ratio = group.ratio("a", "b")
        self.assertEqual((ratio.median, ratio.rounds, ratio.placement), (2.0, 5, "far"))

    def test_ratio_is_of_rounds(self):
        """The machine's speed drifts by a factor of three, the ratio doesn't."""
        chunks = [c for n, speed in enumerate((1, 2, 3, 2, 1)) for c in (chunk("a", n, 3000 * speed), chunk("b", n, 1500 * speed))]
        ratio = summary.Group(chunks, 100).ratio("a", "b")
        self.assertEqual((ratio.median, ratio.first_quartile, ratio.third_quartile, ratio.rounds), (2.0, 2.0, 2.0, 5))

    def test_quartiles(self):
        chunks = [c for n, r in enumerate((1, 2, 3, 4, 5)) for c in (chunk("a", n, 1000 * r), chunk("b", n, 1000))]
        ratio = summary.Group(chunks, 100).ratio("a", "b")
        self.assertEqual((ratio.first_quartile, ratio.median, ratio.third_quartile), (2.0, 3.0, 4.0))

    def test_dirty_rounds_are_left_out(self):
        chunks = [c for n in range(6) for c in (chunk("a", n, 2000), chunk("b", n, 1000 if n else 10, other_cpu=0.0 if n else 0.3))]
        ratio = summary.Group(chunks, 100).ratio("a", "b")
        self.assertEqual((ratio.median, ratio.rounds), (2.0, 5))

    def test_nothing_clean(self):
        group = summary.Group([chunk(tool, n, 1000, other_cpu=0.3) for n in range(4) for tool in "ab"], 100)
        self.assertEqual((group.placement, group.rate("a").placement, group.rate("a").chunks), (None, "loaded", 0))
        self.assertEqual((group.ratio("a", "b").placement, group.ratio("a", "b").rounds), ("loaded", 0))

    def test_a_tool_that_failed(self):
        group = summary.Group([chunk("a", n, 1000) for n in range(4)] + [chunk("b", 0, 500)], 100)
        self.assertEqual(group.rate("b").median, 500)
        self.assertIsNone(group.ratio("a", "c"))
        self.assertEqual(group.fastest(["b", "a", "c"]), "a")
        self.assertIsNone(group.fastest(["c"]))

    def test_out_of_line(self):
        self.assertEqual(summary.out_of_line({"a": 0.84, "b": 0.85, "c": 0.10, "d": 0.83}), {"c"})
        self.assertEqual(summary.out_of_line({"deltoid tree": 0.7, "deltoid owner": 0.7, "deltoid serial": 0.7, "a": 0.8, "b": 0.81}),
                         {"deltoid tree", "deltoid owner", "deltoid serial"})
        self.assertEqual(summary.out_of_line({}), set())

    def test_flops(self):
        self.assertEqual(summary.flops([784, 128, 10]), 2 * 784 * 128 * 2 + 2 * 128 * 10 * 3)


class Workloads(unittest.TestCase):
    def test_files(self):
        read = {name: run.read_workload(os.path.join(FOLDER, name + ".yaml")) for name in ("W1", "W2", "W3", "W4", "W5")}
        self.assertEqual(read["W1"].units, [784, 128, 10])
        self.assertEqual(read["W3"].units, [784] + 8 * [128] + [10])
        self.assertEqual([w.batch for w in read.values()], [32, 128, 64, 512, 10])
        self.assertEqual((read["W5"].activation, read["W5"].init, read["W5"].rate), ("sigmoid", "lecun_normal", 0.1))

    def test_cells(self):
        options = sweep.argparse.Namespace(widths=[16, 32], batches=[1, 2], widths_shown=[16], batches_shown=[2])
        self.assertEqual(sweep.cells_of(options), [(16, 1), (16, 2), (32, 2)])
        self.assertEqual(sweep.powers(16, 128), [16, 32, 64, 128])


class Report(unittest.TestCase):
    def test_table(self):
        with tempfile.TemporaryDirectory() as parent:
            folder = run.Folder(os.path.join(parent, "r"))
            rates = {"deltoid tree": 3000, "deltoid owner": 3300, "JAX scan": 1500, "numpy": 1650, "PyTorch eager": 300}
            for tool, rate in rates.items():
                folder.tell("W1", 2, tool, version="9", accuracy="0.8400" if tool != "numpy" else "0.1000")
                for n in range(5):
                    folder.keep(chunk(tool, n, rate))
            folder.tell("W1", 2, "FANN", note="runs on one thread")
            for name, text in (("workloads", "workload\tunits\tbatch\tactivation\nW1\t784,128,10\t32\trelu\n"),
                               ("machine", "".join(f"{k}\tx\n" for k in ("processor", "processors", "system", "commit", "compiler", "python",
                                                                         "time", "chunk_seconds", "rounds")))):
                with open(os.path.join(folder.path, name + ".tsv"), "w") as file:
                    file.write(text)
            folder.raw.close()
            folder.errors.close()
            with contextlib.redirect_stderr(io.StringIO()):
                report.write(folder.path)
            rows = {r["over"]: r for r in report.rows_of(folder.path, "comparison.tsv")}
            self.assertEqual(rows["JAX scan"]["ratio"], "2.200")
            self.assertEqual((rows["better of JAX and numpy"]["tool"], rows["better of JAX and numpy"]["ratio"]), ("numpy", "2.000"))
            self.assertEqual((rows["PyTorch eager"]["ratio"], rows["PyTorch eager"]["tree"]), ("11.000", "10.000"))
            self.assertEqual((rows["deltoid tree"]["strategy"], rows["deltoid tree"]["ratio"]), ("owner", "1.100"))
            table = {r["tool"]: r for r in report.rows_of(folder.path, "table.tsv")}
            self.assertEqual(table["numpy"]["note"], "accuracy out of line")
            self.assertEqual((table["FANN"]["samples_per_second"], table["FANN"]["note"]), ("", "runs on one thread"))
            with open(os.path.join(folder.path, "table.md")) as file:
                text = file.read()
            self.assertIn("(!)", text)
            self.assertIn("FANN: runs on one thread", text)
            for block in text.split("\n\n"):  # aligned: all lines of a table are of one length
                lengths = {len(line) for line in block.splitlines() if line.startswith("|")}
                self.assertLessEqual(len(lengths), 1, block)


def write_idx(path, shape, values):
    with open(path, "wb") as file:
        file.write(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(values))


def write_data(folder):
    """Images with a bright band for each class."""
    draw = random.Random(1)
    for name, rows in (("train", ROWS), ("t10k", 20)):
        labels = [draw.randrange(10) for _ in range(rows)]
        pixels = [200 if k // 78 == y else draw.randrange(40) for y in labels for k in range(784)]
        write_idx(os.path.join(folder, f"{name}-images-idx3-ubyte"), (rows, 28, 28), pixels)
        write_idx(os.path.join(folder, f"{name}-labels-idx1-ubyte"), (rows,), labels)


class Programs(unittest.TestCase):
    def setUp(self):
        if not PROGRAMS:
            self.skipTest("no --programs")
        self.parent = tempfile.TemporaryDirectory()
        self.data = self.parent.name
        self.addCleanup(self.parent.cleanup)
        write_data(self.data)
        self.bench, self.probe = (os.path.join(PROGRAMS, "performance_" + name) for name in ("bench", "probe"))

    def talk(self, questions, *options):
        done = subprocess.run([self.bench, "--data", self.data, "--units", "784,8,10", "--batch", str(BATCH), *options],
                              input="".join(q + "\n" for q in questions), stdout=subprocess.PIPE, text=True)
        return done.returncode, done.stdout.splitlines()

    def test_protocol(self):
        for strategy in run.strategies_of(self.bench):
            status, lines = self.talk(["go 3", "go 1", "go 8", "accuracy 40", "go 0", "dance", "quit", "go 1"], "--reduction", strategy, "--threads", "2")
            self.assertEqual(status, 0)
            self.assertEqual(len(lines), 7, lines)
            self.assertIn("workers=2", lines[0])
            self.assertIn("deterministic=1", lines[0])
            self.assertEqual([line.split("samples=")[1] for line in lines[1:4]], [str(3 * BATCH), str(ROWS - 3 * BATCH), str(2 * ROWS)])
            self.assertTrue(lines[4].startswith("accuracy value="), lines)
            self.assertGreater(float(lines[4].split("=")[1]), 0.8)
            self.assertTrue(lines[5].startswith("error ") and lines[6].startswith("error "), lines)

    def test_strategies(self):
        self.assertIn("tree", run.strategies_of(self.bench))

    def test_refusals(self):
        self.assertEqual(self.talk([], "--reduction", "treee")[0], 2)
        self.assertEqual(self.talk([], "--batch", "none")[0], 2)
        self.assertEqual(self.talk([], "--data", "/nowhere")[0], 2)
        self.assertEqual(self.talk([], "--units", "30,10")[0], 2)

    def test_probe(self):
        probe = measure.Probe([self.probe])
        self.addCleanup(probe.close)
        self.assertGreaterEqual(int(probe.read()["processors"]), 1)
        gflops, crossing = probe.look(1)
        self.assertGreater(gflops, 0)
        self.assertEqual(crossing, 0)
        gflops, crossing = probe.look(2)
        self.assertGreater(gflops, 0)
        with self.assertRaises(measure.ToolFailed):
            probe.ask("jump")

    def test_run(self):
        """deltoid alone and a rival that isn't there, through the whole driver."""
        tiny, out = os.path.join(self.data, "tiny.yaml"), os.path.join(self.data, "out")
        with open(tiny, "w") as file:
            file.write(TINY)
        options = ["--workloads", tiny, "--threads", "1", "--tools", "numpy", "--strategies", "tree,owner", "--rounds", "3", "--chunk", "0.001",
                   "--data", self.data, "--out", out, "--programs", PROGRAMS, "--python", "/nowhere/python3"]
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(run.main(options), 0)
        chunks = report.read_chunks(out)
        self.assertEqual(len(chunks), 6)
        self.assertEqual({c.tool for c in chunks}, {"deltoid tree", "deltoid owner"})
        self.assertTrue(all(c.samples >= ROWS - 3 * BATCH and c.seconds > 0 for c in chunks))
        with open(os.path.join(out, "table.tsv")) as file:
            table = {r["tool"]: r for r in csv.DictReader(file, delimiter="\t")}
        self.assertEqual(table["deltoid tree"]["accuracy"], table["deltoid owner"]["accuracy"])
        self.assertNotEqual(table["deltoid tree"]["accuracy"], "")
        self.assertIn("nowhere", table["numpy"]["note"])


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--programs":
        PROGRAMS = os.path.abspath(sys.argv[2])
        del sys.argv[1:3]
    unittest.main()
