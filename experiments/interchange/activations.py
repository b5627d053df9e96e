#!/usr/bin/env python3
"""Every activation in both precisions: deltoid trains, exports to ONNX and predicts; onnxruntime gets the same numbers.

usage: activations.py FOLDER      (an empty one; the program is $DELTOID)
"""

import sys

from common import clusters, deltoid, need, scores, write_experiment

np, onnx, ort = need("numpy", "onnx", "onnxruntime")
from onnx.reference import ReferenceEvaluator  # noqa: E402

ACTIVATIONS = [
    "linear", "sigmoid", "tanh", "relu", {"name": "leaky_relu", "negative_slope": 0.2}, "softsign", {"name": "elu", "alpha": 0.7},
    "selu", "gelu", "gelu_tanh", "silu", {"name": "softplus", "beta": 2}, "mish", "hard_tanh", "hard_sigmoid", "relu6", "exp",
    {"name": "sine", "omega": 3},
]  # fmt: skip
TOLERANCE = {"float32": 1e-6, "float64": 1e-14}


def outputs_of(model, inputs):
    """onnxruntime's, or where it has no operator for the type (Erf of float64), those of onnx's own evaluator, whose Erf
    is one of float32."""
    try:
        return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"inputs": inputs})[0], "onnxruntime"
    except Exception as e:  # its errors have no common class
        if "NOT_IMPLEMENTED" not in str(e):
            raise
        return ReferenceEvaluator(onnx.load(model)).run(None, {"inputs": inputs})[0], "onnx.reference"


def compare(folder, activation, precision, loss, data):
    """The largest difference, as a share of the largest output."""
    name = activation if isinstance(activation, str) else activation["name"]
    init = {"name": "normal", "std": 0.1} if name == "exp" else "he_normal"  # exp of exp overflows soon
    stem = f"{folder}/{name}-{precision}-{loss}"
    write_experiment(
        f"{stem}.yaml",
        name=name,
        precision=precision,
        data={"format": "npy", "train": {"inputs": "x.npy", "labels": "y.npy"}, **data},
        network=[
            {"units": 16, "activation": activation, "init": init},
            {"units": 16, "activation": activation, "init": init},
            {"units": 3},
        ],
        loss=loss,
        optimizer={"name": "sgd", "learning_rate": 0.01},
        training={"epochs": 3, "batch_size": 64},
    )
    deltoid("train", f"{stem}.yaml", "--out", stem, "--quiet")
    deltoid("export", stem, "--out", f"{stem}.onnx", *(["--probabilities"] if loss == "cross_entropy" else []))
    onnx.checker.check_model(f"{stem}.onnx", full_check=True)
    x = np.load(f"{folder}/x.npy").astype(precision)
    found, by = outputs_of(f"{stem}.onnx", x)
    wanted = scores(np, stem, f"{folder}/x.npy")
    assert found.dtype == precision and found.shape == wanted.shape and np.isfinite(wanted).all()
    return np.abs(found - wanted).max() / max(1, np.abs(wanted).max()), by


def main(folder):
    x, y = clusters(np, 600, 1)
    np.save(f"{folder}/x.npy", x.astype("float32"))
    np.save(f"{folder}/y.npy", y)
    worst = {"float32": 0, "float64": 0}
    plain, whole = {"scale": 0.1}, {"standardize": True}
    for activation in ACTIVATIONS:
        for precision, limit in TOLERANCE.items():
            for loss, data in (("multiclass_svm", plain), ("cross_entropy", whole)):
                difference, by = compare(folder, activation, precision, loss, data)
                if by == "onnxruntime":
                    worst[precision] = max(worst[precision], difference)
                print(f"{str(activation):48}{precision}  {loss:16}{difference:10.2e}  {by}")
                if not difference <= (limit if by == "onnxruntime" else 1e-6):
                    sys.exit(f"{activation}: differs by too much")
    print(f"largest difference: {worst['float32']:.2e} float32, {worst['float64']:.2e} float64")


main(sys.argv[1])
