#!/usr/bin/env python3
"""xarray: all layers of a capture as one tree, with named dimensions and the step as a coordinate.

    with_xarray.py RUN PICTURE

A capture is netCDF-4 as well: rules and layers are groups, so that it opens as a DataTree. What is computed for every
layer is put together along a new dimension `layer`. The picture: the root mean square of delta by layer and step, and
between which layers it shrinks on the way back.
"""
import sys

import numpy as np
import xarray as xr

import style


def main(run, picture):
    with xr.open_datatree(f"{run}/capture.h5", engine="h5netcdf") as tree:
        rule = tree["steps"]
        layers = [1, 2, 3]
        rms = xr.concat([np.sqrt((rule[f"layer{layer:02d}/delta"] ** 2).mean(["sample", "unit"])) for layer in layers],
                        dim=xr.Variable("layer", layers)).assign_coords(step=rule["step"]).load()

    print(f"dimensions {dict(rms.sizes)}")
    figure, (left, right) = style.panels(2)
    for layer in layers:
        style.layer_line(left, layer, rms.step, rms.sel(layer=layer))
        print(f"layer {layer}  root mean square of delta: step 0 {rms.sel(layer=layer, step=0).item():.4f}, "
              f"from step 1000 on {rms.sel(layer=layer, step=slice(1000, None)).mean('step').item():.4f}")
    left.set(xlabel="step (minibatches)", ylabel="root mean square of δ", title="δ by layer")
    style.plain_log(left)
    left.legend(frameon=False)

    back = rms.sel(layer=[1, 2]).values / rms.sel(layer=[2, 3]).values
    for layer in (1, 2):
        style.layer_line(right, layer, rms.step, back[layer - 1])
    right.axhline(1, color="#333333", linewidth=0.8)
    right.set(xlabel="step (minibatches)", ylabel="δ of the layer / δ of the next", ylim=(0, None),
              title="What one layer back leaves of δ")
    right.legend(frameon=False, loc="lower right")
    style.save(figure, picture)


main(*sys.argv[1:])
