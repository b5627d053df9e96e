#!/usr/bin/env python3
"""Reads capture files as their users do: h5py, and, where they are installed, xarray (both engines), netCDF4 and h5dump.

    check_capture.py results/RUN/capture.h5 ...     every reader must see the same values, shapes and dimensions, and
                                                    what was captured must satisfy the equations it names
    check_capture.py --program build/deltoid
                                                    makes a small run first, and checks its capture

Exit status: 0 all is well, 1 something is wrong, 77 h5py is not installed.
"""
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

DIMENSIONS = {
    "step": ("step",), "epoch": ("step",), "sample_id": ("step", "sample"),
    "z": ("step", "sample", "unit"), "a": ("step", "sample", "unit"), "delta": ("step", "sample", "unit"),
    "W": ("step", "unit", "input"), "dW": ("step", "unit", "input"), "b": ("step", "unit"), "db": ("step", "unit"),
}


def datasets(group):
    """(path, dataset) of everything but the coordinates that only number a dimension."""
    for name in sorted(group):
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from datasets(item)
        elif name not in ("sample", "unit", "input"):
            yield item.name, item


def check_h5py(file):
    """Attributes, dimensions, lengths."""
    assert file.attrs["format"] == "deltoid-capture", "format"
    assert file.attrs["format_version"] == 1, "format_version"
    assert file.attrs["status"] in ("running", "complete", "interrupted", "recovered"), "status"
    json.loads(file.attrs["provenance"])
    assert isinstance(file.attrs["experiment"], str), "experiment"
    for rule in file.values():
        steps = rule["step"][:]
        assert (np.diff(steps) > 0).all(), f"{rule.name}: steps do not ascend"
        for name, data in datasets(rule):
            kind = name.rsplit("/", 1)[1]
            for attribute in ("long_name", "units", "equation", "scaling"):
                assert isinstance(data.attrs[attribute], str), f"{name}: {attribute}"
            assert data.shape[0] == len(steps), f"{name}: {data.shape[0]} steps of {len(steps)}"
            assert data.maxshape[0] is None, f"{name}: step is not unlimited"
            if kind == "step":
                assert h5py.h5ds.is_scale(data.id), f"{name}: no dimension scale"
                continue
            found = tuple(os.path.basename(data.dims[i][0].name) for i in range(data.ndim))
            assert found == DIMENSIONS[kind], f"{name}: dimensions {found}"


def check_xarray(path, file, engine):
    """The same values and dimensions through xarray, layer by layer and as one tree."""
    import xarray
    tree = xarray.open_datatree(path, engine=engine)
    for rule in file.values():
        for name, data in datasets(rule):
            kind = name.rsplit("/", 1)[1]
            variable = tree[name.lstrip("/")]
            assert variable.dims == DIMENSIONS[kind], f"{engine}: {name} has dimensions {variable.dims}"
            assert np.array_equal(variable.values, data[()], equal_nan=data.dtype.kind == "f"), f"{engine}: {name} differs"
            if kind in ("z", "a", "delta", "W", "dW"):
                assert set(DIMENSIONS[kind]) <= set(variable.coords), f"{engine}: {name} has no coordinates"
    tree.close()


def check_netcdf4(path, file):
    import netCDF4
    with netCDF4.Dataset(path) as data_set:
        for rule in file.values():
            for name, data in datasets(rule):
                variable = data_set[name]
                assert variable.dimensions == DIMENSIONS[name.rsplit("/", 1)[1]], f"netCDF4: {name}: {variable.dimensions}"
                assert np.array_equal(np.ma.filled(variable[:], np.nan if data.dtype.kind == "f" else -1), data[()],
                                      equal_nan=data.dtype.kind == "f"), f"netCDF4: {name} differs"


def check_h5dump(path, file):
    """h5dump exits with 0 even where it can't read, so the numbers it prints count."""
    for rule in file.values():
        name, data = next((n, d) for n, d in datasets(rule) if d.dtype.kind == "f")
        printed = subprocess.run(["h5dump", "-y", "-w", "65535", "-m", "%.17g", "-d", name, "-s", "0" + ",0" * (data.ndim - 1),
                                  "-c", "1" + ",1" * (data.ndim - 2) + f",{data.shape[-1]}", path],
                                 capture_output=True, text=True, check=True).stdout
        body = printed.split("DATA {", 1)[1].split("}", 1)[0].replace("\n", " ")
        numbers = np.array([float(word) for word in body.split(",") if word.strip()], dtype=data.dtype)
        wanted = data[(0,) * (data.ndim - 1)]
        assert np.array_equal(numbers, wanted, equal_nan=True), f"h5dump: {name} differs"


def near(what, found, wanted, tolerance):
    here = ~np.isnan(wanted)
    assert (np.isnan(found) == ~here).all(), f"{what}: NaN where there is a sample, or none where there is not"
    error = np.max(np.abs(found - wanted)[here] / (1 + np.abs(wanted[here])), initial=0)
    assert error < tolerance, f"{what}: off by {error:g}"


def check_equations(file):
    """(1), (5), (6) and a^L = z^L wherever what they need was captured."""
    for rule in file.values():
        ids = rule["sample_id"][:]
        layers = sorted(n for n in rule if n.startswith("layer"))
        for previous, layer in zip([None] + layers, layers):
            here = {n: rule[layer][n][:].astype(float) for n in rule[layer] if n not in ("unit", "input")}
            tolerance = 1e-4 if next(d for _, d in datasets(rule[layer])).dtype == np.float32 else 1e-11
            for name in ("z", "a", "delta"):
                if name in here:
                    assert (np.isnan(here[name]) == (ids < 0)[:, :, None]).all(), f"{layer}/{name}: NaN without id -1"
            if "(2) a^L" in (rule[layer]["a"].attrs["equation"] if "a" in here else "") and "z" in here:
                assert np.array_equal(here["a"], here["z"], equal_nan=True), f"{layer}: a^L is not z^L"
            if previous is None or int(previous[5:]) != int(layer[5:]) - 1 or "a" not in rule[previous]:
                continue
            before = rule[previous]["a"][:].astype(float)
            if {"z", "W", "b"} <= set(here):
                z = np.einsum("sik,sjk->sij", before, here["W"]) + here["b"][:, None, :]
                near(f"{layer}/z (1)", here["z"], z, tolerance)
            count = (ids >= 0).sum(1)
            if {"delta", "dW", "db"} <= set(here) and "samples: batch" in file.attrs["experiment"]:
                delta, before = np.nan_to_num(here["delta"]), np.nan_to_num(before)
                near(f"{layer}/dW (5)", here["dW"], np.einsum("sij,sik->sjk", delta, before) / count[:, None, None], tolerance)
                near(f"{layer}/db (6)", here["db"], delta.sum(1) / count[:, None], tolerance)


def check(path):
    readers = ["h5py"]
    with h5py.File(path, "r") as file:
        check_h5py(file)
        check_equations(file)
        for engine, module in (("h5netcdf", "h5netcdf"), ("netcdf4", "netCDF4")):
            try:
                __import__(module)
                from xarray import open_datatree  # noqa: F401 (2024.10 and later)
            except ImportError:
                continue
            check_xarray(path, file, engine)
            readers.append(f"xarray ({engine})")
        try:
            import netCDF4  # noqa: F401
            check_netcdf4(path, file)
            readers.append("netCDF4")
        except ImportError:
            pass
        if shutil.which("h5dump") and any(len(rule["step"]) for rule in file.values()):
            check_h5dump(path, file)
            readers.append("h5dump")
        steps = ", ".join(f"{name} {len(rule['step'])} steps" for name, rule in file.items())
        print(f"{path}: {file.attrs['status']}; {steps}; the same to {', '.join(readers)}")


EXPERIMENT = """
name: small
data:
  format: idx
  train: {inputs: inputs, labels: labels}
network:
  - {units: 9, activation: tanh}
  - {units: 4, activation: relu}
  - {units: 3}
loss: cross_entropy
training: {epochs: 3, batch_size: 16}
capture:
  everything: {quantities: [W, b, z, a, delta, dW, db], every: 1, samples: batch}
  rows: {quantities: [a, delta], steps: log, samples: [41, 0, 7]}
"""


def small_run(program, folder):
    """42 rows of 3 x 4 bytes: the last minibatch has 10 of 16 samples."""
    draw = random.Random(1)
    with open(os.path.join(folder, "inputs"), "wb") as out:
        out.write(struct.pack(">IIII", 0x803, 42, 3, 4) + bytes(draw.randrange(256) for _ in range(42 * 12)))
    with open(os.path.join(folder, "labels"), "wb") as out:
        out.write(struct.pack(">II", 0x801, 42) + bytes(draw.randrange(3) for _ in range(42)))
    experiment, run = os.path.join(folder, "small.yaml"), os.path.join(folder, "run")
    for precision in ("float32", "float64"):
        with open(experiment, "w") as out:
            out.write(EXPERIMENT + f"precision: {precision}\n")
        subprocess.run([program, "train", experiment, "data.scale=0.00392156862745098", "--out", run + precision, "--quiet"],
                       check=True)
        yield os.path.join(run + precision, "capture.h5")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--program":
        with tempfile.TemporaryDirectory() as folder:
            for path in small_run(arguments[1], folder):
                check(path)
    elif arguments and not arguments[0].startswith("-"):
        for path in arguments:
            check(path)
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except AssertionError as wrong:
        print(f"wrong: {wrong}")
        sys.exit(1)
