"""What the rivals in Python share: arguments, Fashion-MNIST in memory, initial weights, minibatches, and the protocol of ../tool.h.

A rival defines `build(arguments)`, which sets the threads, imports its library, and gives its functions to `serve`; and calls `main`.
"""
import argparse
import contextlib
import gzip
import os
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description="A rival that run.sh measures; ../tool.h has the protocol.")
    parser.add_argument("--units", required=True, help="784,128,10")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--activation", choices=("relu", "sigmoid", "tanh"), default="relu")
    parser.add_argument("--init", choices=("he_normal", "lecun_normal"), default="he_normal")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--variant", default="")
    a = parser.parse_args()
    a.units = [int(n) for n in a.units.split(",")]
    a.layers = len(a.units) - 1
    return a


def set_threads(count):
    """What BLAS and OpenMP runtimes read when they are loaded."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)


def _idx(folder, name):
    import numpy
    path = os.path.join(folder, name)
    opened = open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz")
    with opened as file:
        raw = file.read()
    shape = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(raw[3])]
    return numpy.frombuffer(raw, numpy.uint8, offset=4 + 4 * raw[3]).reshape(shape)


class Data:
    """x (rows, inputs) float32 in [0, 1] and y (rows) int32; x_test, y_test."""

    def __init__(self, folder, inputs):
        import numpy
        sets = []
        for name in ("train", "t10k"):
            x = _idx(folder, f"{name}-images-idx3-ubyte").reshape(-1, inputs)
            sets += [x * numpy.float32(1 / 255), _idx(folder, f"{name}-labels-idx1-ubyte").astype(numpy.int32)]
        self.x, self.y, self.x_test, self.y_test = sets


def initial_weights(a):
    """W (inputs, units) and b of each layer, normal with variance 2/inputs (he_normal) or 1/inputs (lecun_normal); b = 0."""
    import numpy
    random = numpy.random.default_rng(a.seed)
    gain = 2.0 if a.init == "he_normal" else 1.0
    return [((random.standard_normal((n, m)) * (gain / n) ** 0.5).astype(numpy.float32), numpy.zeros(m, numpy.float32))
            for n, m in zip(a.units, a.units[1:])]


class Minibatches:
    """Rows of one minibatch after another, in an order drawn anew each epoch; the short last one is left out."""

    def __init__(self, a, rows):
        import numpy
        self.random, self.rows, self.size = numpy.random.default_rng(a.seed), rows, min(a.batch, rows)
        self.at = rows

    def next(self):
        if self.at + self.size > self.rows:
            self.order, self.at = self.random.permutation(self.rows), 0
        self.at += self.size
        return self.order[self.at - self.size:self.at]

    @property
    def an_epoch(self):
        return self.rows // self.size


def flops(units):
    """A sample's floating-point operations: forward, weight gradient, and but for layer 1 the gradient that goes on backward."""
    return sum(2 * n * m * (3 if l else 2) for l, (n, m) in enumerate(zip(units, units[1:])))


def serve(version, start, train, accuracy, **facts):
    """start() sets the initial weights; train(n) trains on about n minibatches and returns how many samples they were, done;
    accuracy(epochs) trains on and returns the test set's share of right answers."""
    answers = serve.answers
    start()
    print(f"ready version={version}", *(f"{k}={v}" for k, v in facts.items()), file=answers, flush=True)
    for line in sys.stdin:
        word, _, number = line.strip().partition(" ")
        try:
            if word == "quit":
                break
            if word == "go":
                count = max(1, round(float(number)))
                began = time.perf_counter()
                samples = train(count)
                print(f"done seconds={time.perf_counter() - began:.9f} samples={samples}", file=answers, flush=True)
            elif word == "accuracy":
                start()
                print(f"accuracy value={accuracy(int(number)):.6f}", file=answers, flush=True)
            else:
                print(f"error {word!r} is not understood; there are go, accuracy, quit", file=answers, flush=True)
        except Exception as error:  # whatever it is, the driver wants an answer
            print(f"error {type(error).__name__}: {' '.join(str(error).split())}", file=answers, flush=True)


def main(build, packages):
    """Answers on what was stdout; whatever libraries print goes to stderr. `packages` are what PyPI calls them."""
    serve.answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    a = arguments()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            build(a)
    except ImportError as error:
        print(f"missing not installed: pip install {packages} ({error})", file=serve.answers, flush=True)
        sys.exit(77)
