#!/usr/bin/env python3
"""h5py: the size of each layer's gradient, and how many dimensions its activations fill.

    with_h5py.py RUN PICTURE

A capture is plain HDF5: data sets by name, a step at a time, whatever their size. The gradient's norm is that of dW, the
minibatch's mean. The dimension is the participation ratio (sum of v)^2 / (sum of v^2) of the variances v of a along its
principal axes, over 100 images that are the same at every captured step: 1 where all lie on a line, the number of units
where they fill all directions alike.
"""
import sys

import h5py
import numpy as np

import style


def participation(a):
    """(sample, unit) -> the participation ratio, from the singular values of the centred matrix."""
    variances = np.linalg.svd(a - a.mean(axis=0), compute_uv=False) ** 2
    return variances.sum() ** 2 / (variances**2).sum()


def main(run, picture):
    with h5py.File(f"{run}/capture.h5") as file:
        steps = file["steps/step"][:]
        norms = {layer: np.array([np.linalg.norm(dW) for dW in file[f"steps/layer{layer:02d}/dW"]]) for layer in (1, 2, 3)}
        tracked = file["tracked/step"][:]
        ratios = {layer: np.array([participation(a.astype(float)) for a in file[f"tracked/layer{layer:02d}/a"]])
                  for layer in (1, 2)}

    figure, (left, right) = style.panels(2)
    for layer, norm in norms.items():
        style.layer_line(left, layer, steps, norm)
        print(f"layer {layer}  |dW| first {norm[0]:.3f}, median {np.median(norm):.3f}")
    left.set(xlabel="step (minibatches)", ylabel="norm of the gradient |dW|", title="Gradients")
    style.plain_log(left)
    for layer, ratio in ratios.items():
        style.layer_line(right, layer, tracked, ratio)
        print(f"layer {layer}  dimensions of a: first {ratio[0]:.2f}, last {ratio[-1]:.2f}")
    right.set(xlabel="step (minibatches)", ylabel="participation ratio of a", title="Dimensions that 100 images fill")
    right.set_xscale("symlog", linthresh=1)
    left.legend(frameon=False)
    right.legend(frameon=False)
    style.save(figure, picture)


main(*sys.argv[1:])
