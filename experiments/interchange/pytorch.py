#!/usr/bin/env python3
"""PyTorch trains, deltoid goes on: the same accuracy before, the same weights after the same steps. Then back by NumPy.

usage: pytorch.py FOLDER      (an empty one; the program is $DELTOID)
"""

import sys

from common import clusters, deltoid, last_line_of_metrics, need, write_experiment

np, torch = need("numpy", "torch")

BATCH, RATE, MOMENTUM = 50, 0.05, 0.9


def data_of(rows, seed):
    x, y = clusters(np, rows, seed)
    return 0.1 * x, y


def make_network(dtype):
    torch.manual_seed(1)
    layers = [torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 3)]
    return torch.nn.Sequential(*layers).to(dtype)


def train(network, x, y, epochs):
    """Minibatches in the order of the rows, as deltoid's with shuffle: false."""
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM)
    for _ in range(epochs):
        for first in range(0, len(x), BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[first : first + BATCH]), y[first : first + BATCH]).backward()
            optimizer.step()


def accuracy(network, x, y):
    with torch.no_grad():
        return (network(x).argmax(1) == y).double().mean().item()


def arrays_of(network):
    return {name: tensor.detach().numpy().copy() for name, tensor in network.state_dict().items()}


def keras_names(arrays):
    """The same weights as Keras keeps them: kernels (input, unit)."""
    renamed = {}
    for i, layer in enumerate(sorted({int(name.split(".")[0]) for name in arrays})):
        stem = "dense" if i == 0 else f"dense_{i}"
        renamed[f"{stem}/kernel"] = np.ascontiguousarray(arrays[f"{layer}.weight"].T)
        renamed[f"{stem}/bias"] = arrays[f"{layer}.bias"]
    return renamed


def check(what, found, wanted, limit):
    difference = max(np.abs(f - w).max() for f, w in zip(found, wanted, strict=True))
    print(f"{what:60}{difference:10.2e}")
    if not difference <= limit:
        sys.exit(f"{what}: differs by more than {limit}")


def run(folder, dtype, precision, limit):
    (x, y), (test_x, test_y) = data_of(1500, 1), data_of(500, 2)
    for name, array in (("x", x), ("test_x", test_x)):
        np.save(f"{folder}/{name}.npy", array.astype(precision))
    for name, array in (("y", y), ("test_y", test_y)):
        np.save(f"{folder}/{name}.npy", array)
    x, test_x = (torch.tensor(np.load(f"{folder}/{name}.npy")) for name in ("x", "test_x"))
    y, test_y = torch.tensor(y), torch.tensor(test_y)

    network = make_network(dtype)
    train(network, x, y, 10)
    before = accuracy(network, test_x, test_y)
    arrays = arrays_of(network)
    np.savez(f"{folder}/torch-{precision}.npz", **arrays)
    np.savez_compressed(f"{folder}/keras-{precision}.npz", **keras_names(arrays))

    write_experiment(
        f"{folder}/{precision}.yaml",
        precision=precision,
        data={
            "format": "npy",
            "train": {"inputs": "x.npy", "labels": "y.npy"},
            "test": {"inputs": "test_x.npy", "labels": "test_y.npy"},
        },
        network=[{"units": 32, "activation": "tanh"}, {"units": 32, "activation": "tanh"}, {"units": 3}],
        loss="cross_entropy",
        optimizer={"name": "sgd", "learning_rate": RATE, "momentum": MOMENTUM},
        training={"epochs": 5, "batch_size": BATCH, "shuffle": False},
    )
    experiment = f"{folder}/{precision}.yaml"

    # No step moves a weight: the test set sees PyTorch's network.
    for by in ("torch", "keras"):
        still = f"{folder}/still-{by}-{precision}"
        weights = f"initial_weights={folder}/{by}-{precision}.npz"
        deltoid("train", experiment, weights, "optimizer.learning_rate=1e-300", "training.epochs=1", "--out", still, "--quiet")
        same = float(last_line_of_metrics(still)["test_accuracy"])
        print(f"{precision}: test accuracy {before:.4f} in PyTorch, {same:.4f} in deltoid, from {by}'s names")
        if abs(same - before) > 1e-9:
            sys.exit("the accuracies differ")
        deltoid("export", still, "--out", f"{still}.npz")
        check(f"{precision}: weights there and back", np.load(f"{still}.npz").values(), arrays.values(), 0)

    on = f"{folder}/on-{precision}"
    deltoid("train", experiment, f"initial_weights={folder}/torch-{precision}.npz", "--out", on, "--quiet")
    train(network, x, y, 5)
    deltoid("export", on, "--out", f"{on}.npz")
    check(f"{precision}: weights after 150 more steps of both", np.load(f"{on}.npz").values(), arrays_of(network).values(), limit)
    after = float(last_line_of_metrics(on)["test_accuracy"])
    print(f"{precision}: test accuracy {accuracy(network, test_x, test_y):.4f} in PyTorch, {after:.4f} in deltoid, after them")

    # And into PyTorch again.
    back = make_network(dtype)
    exported = np.load(f"{on}.npz")
    names = list(back.state_dict())
    back.load_state_dict({name: torch.tensor(array) for name, array in zip(names, exported.values(), strict=True)})
    if abs(accuracy(back, test_x, test_y) - after) > 1e-9:
        sys.exit("PyTorch's accuracy with deltoid's weights is another")


for case in ((torch.float64, "float64", 1e-13), (torch.float32, "float32", 1e-5)):
    run(sys.argv[1], *case)
