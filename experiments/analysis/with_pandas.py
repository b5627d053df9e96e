#!/usr/bin/env python3
"""pandas: the table of epochs, and a table of units.

    with_pandas.py RUN PICTURE

metrics.tsv is a table already. From the capture comes one with a row a layer, unit and step: the share of the minibatch
on which the unit is active, and the norm of its weights. Both are a line of pandas from there on.
"""
import sys

import h5py
import numpy as np
import pandas as pd

import style


def units(run, layers):
    """One row a (layer, step, unit)."""
    tables = []
    with h5py.File(f"{run}/capture.h5") as file:
        steps = file["steps/step"][:]
        for layer in layers:
            group = file[f"steps/layer{layer:02d}"]
            for i, step in enumerate(steps):
                a = group["a"][i]
                a = a[~np.isnan(a).all(axis=1)]  # samples that an epoch's short last minibatch doesn't have
                tables.append(pd.DataFrame({"layer": layer, "step": step, "unit": np.arange(a.shape[1]),
                                            "active": (a > 0).mean(axis=0), "weights": np.linalg.norm(group["W"][i], axis=1)}))
    return pd.concat(tables, ignore_index=True)


def main(run, picture):
    metrics = pd.read_csv(f"{run}/metrics.tsv", sep="\t").set_index("epoch")
    table = units(run, (1, 2))
    last = table[table.step == table.step.max()]
    silent = (table.assign(silent=table.active == 0).groupby(["layer", "step"]).silent.mean().unstack("layer"))

    figure, (left, middle, right) = style.panels(3, width=12)
    for name, colour, line in (("train", "#0072B2", "-"), ("validation", "#D55E00", "--"), ("test", "#009E73", ":")):
        left.plot(metrics.index, metrics[f"{name}_accuracy"], line, color=colour, marker="o", markersize=4, label=name)
    left.set(xlabel="epoch", ylabel="accuracy", title="Accuracy", xticks=metrics.index)
    left.legend(frameon=False)
    for layer in (1, 2):
        style.layer_line(middle, layer, silent.index, silent[layer])
        of_layer = last[last.layer == layer]
        right.scatter(of_layer.active, of_layer.weights, s=16, alpha=0.7, color=style.COLOURS[layer - 1],
                      marker=style.MARKERS[layer - 1], linewidths=0, label=f"layer {layer}")
        print(f"layer {layer}  silent units: step 0 {silent[layer].iloc[0]:.3f}, last {silent[layer].iloc[-1]:.3f}; "
              f"correlation of activity and weights {of_layer.active.corr(of_layer.weights):+.2f}")
    middle.set(xlabel="step (minibatches)", ylabel="share of silent units", ylim=(0, None), title="Units silent on a minibatch")
    right.set(xlabel="share of samples on which active", ylabel="norm of the unit's weights",
              title=f"Units at step {table.step.max()}")
    middle.legend(frameon=False)
    right.legend(frameon=False)
    best = metrics.validation_accuracy.idxmax()
    print(f"best epoch {best} of {len(metrics)}  test accuracy {metrics.test_accuracy[best]:.4f}")
    style.save(figure, picture)


main(*sys.argv[1:])
