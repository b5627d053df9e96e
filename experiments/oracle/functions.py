#!/usr/bin/env python3
"""Values and derivatives of activations and costs in float64, as the C header that the tests compare with:

    functions.py ../../tests/data          writes functions.h
    build/release/tests/test_functions     prints the table: each function's largest difference from these

PyTorch's own (torch.nn.functional, autograd); what PyTorch hasn't, from its definition, differentiated by autograd.
Where a cost of the library is PyTorch's times a number, the last column of CASES says which. Needs torch; the header is
kept, so that the tests don't.
"""

import os
import sys

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)

# z: around 0, the kinks and far out, off the places where PyTorch has another convention or leaves the formula
# (softplus is z above 20: there both are compared on their own side of it).
Z = [-700, -50, -20.5, -10, -6.5, -4, -3, -2.25, -1.5, -1, -0.75, -0.5, -0.25, -0.1, -1e-3, -1e-9, 0, 1e-9, 1e-3, 0.1,
     0.25, 0.5, 0.75, 1, 1.5, 2.25, 3, 4, 6, 6.5, 10, 15.5, 19.75]

ACTIVATIONS = [  # name, its parameter (0: the default), PyTorch's, more z
    ("linear", 0, lambda z: z * 1, []),
    ("sigmoid", 0, torch.sigmoid, [700]),
    ("tanh", 0, torch.tanh, [700]),
    ("relu", 0, F.relu, [700]),
    ("leaky_relu", 0, F.leaky_relu, [700]),
    ("leaky_relu", 0.2, lambda z: F.leaky_relu(z, 0.2), [700]),
    ("softsign", 0, F.softsign, [700]),
    ("elu", 0, F.elu, [700]),
    ("elu", 0.5, lambda z: F.elu(z, 0.5), [700]),
    ("selu", 0, F.selu, [700]),
    ("gelu", 0, F.gelu, [700]),
    ("gelu_tanh", 0, lambda z: F.gelu(z, approximate="tanh"), [700]),
    ("silu", 0, F.silu, [700]),
    ("softplus", 0, F.softplus, [700]),
    ("softplus", 0.5, lambda z: F.softplus(z, 0.5), [700]),
    ("mish", 0, F.mish, [700]),
    ("hard_tanh", 0, F.hardtanh, [700]),
    # Not F.hardsigmoid: its derivative in float64 is float32's 1/6.
    ("hard_sigmoid", 0, lambda z: F.hardtanh(z + 3, 0, 6) / 6, [700]),
    ("relu6", 0, F.relu6, [700]),
    ("exp", 0, torch.exp, []),
    ("sine", 0, torch.sin, [1e5, 1e15, 1e22, 1.7976931348623157e308]),
    ("sine", 30, lambda z: torch.sin(30 * z), [1e5]),
]

# What each was computed by: "of PyTorch" or a definition. The tests print it with the differences.
ORIGINS = {
    "linear": "definition", "sigmoid": "torch.sigmoid", "tanh": "torch.tanh", "relu": "F.relu", "leaky_relu": "F.leaky_relu",
    "softsign": "F.softsign", "elu": "F.elu", "selu": "F.selu", "gelu": "F.gelu", "gelu_tanh": "F.gelu(approximate='tanh')",
    "silu": "F.silu", "softplus": "F.softplus", "mish": "F.mish", "hard_tanh": "F.hardtanh", "hard_sigmoid": "F.hardtanh(z + 3, 0, 6) / 6",
    "relu6": "F.relu6", "exp": "torch.exp", "sine": "torch.sin",
    "cross_entropy": "F.cross_entropy", "multiclass_svm": "n F.multi_margin_loss", "multiclass_svm_squared": "n F.multi_margin_loss(p=2)",
    "multiclass_svm_max": "definition (Crammer, Singer 2001)", "squared_error": "n/2 F.mse_loss", "mean_squared_error": "F.mse_loss",
    "mean_absolute_error": "F.l1_loss", "huber": "F.huber_loss", "binary_cross_entropy": "F.binary_cross_entropy_with_logits",
    "kl_divergence": "F.kl_div of log_softmax",
}

UNITS = 5
OUTPUTS = [[0.5, -1.25, 2, 0.125, -3], [0, 0.25, -0.75, 1.5, 0.625], [30, -40, 5, -2, 12], [-1, -2, -3, -4, -5.5]]
WEIGHTS = [0.5, 2, 1, 0.25, 3]
MANY = [[1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 0, 1], [0, 1, 0.25, 0.5, 1]]
NUMBERS = [[0.25, -1, 2.75, 0, -3.5], [4, -4, 0.5, 1.25, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5], [1, 0, -2, 30, -5.5]]
SHARES = [[0.1, 0.2, 0.3, 0.4, 0], [0, 0, 1, 0, 0], [0.2] * 5, [0.05, 0.05, 0.8, 0.05, 0.05]]


def weight(w):
    return torch.tensor(w)


def svm_max(z, y):
    others = torch.cat([z[:, :y], z[:, y + 1:]], 1)
    return torch.clamp(others.max() - z[0, y] + 1, min=0)


def ce(**more):
    return lambda z, y: F.cross_entropy(z, torch.tensor([y]), reduction="sum", **more)


def margin(**more):
    return lambda z, y: F.multi_margin_loss(z, torch.tensor([y]), **more)


def onehot(f):
    return lambda z, y: f(z, F.one_hot(torch.tensor([y]), UNITS).double())


# name, options, kind, targets, PyTorch's cost of one sample, what it is multiplied by to be the library's
CASES = [
    ("cross_entropy", {}, 0, None, ce(), 1),
    ("cross_entropy", {"label_smoothing": 0.1}, 0, None, ce(label_smoothing=0.1), 1),
    ("cross_entropy", {"class_weights": 1}, 0, None, ce(weight=weight(WEIGHTS)), 1),
    ("cross_entropy", {"class_weights": 1, "label_smoothing": 0.25}, 0, None,
     ce(weight=weight(WEIGHTS), label_smoothing=0.25), 1),
    ("multiclass_svm", {}, 0, None, margin(), UNITS),
    ("multiclass_svm", {"margin": 0.5, "class_weights": 1}, 0, None, margin(margin=0.5, weight=weight(WEIGHTS)), UNITS),
    ("multiclass_svm_squared", {}, 0, None, margin(p=2), UNITS),
    ("multiclass_svm_squared", {"margin": 2, "class_weights": 1}, 0, None,
     margin(p=2, margin=2, weight=weight(WEIGHTS)), UNITS),
    ("multiclass_svm_max", {}, 0, None, svm_max, 1),  # Crammer and Singer's definition
    ("squared_error", {}, 0, None, onehot(F.mse_loss), UNITS / 2),
    ("squared_error", {}, 1, NUMBERS, F.mse_loss, UNITS / 2),
    ("mean_squared_error", {}, 0, None, onehot(F.mse_loss), 1),
    ("mean_squared_error", {}, 1, NUMBERS, F.mse_loss, 1),
    ("mean_absolute_error", {}, 0, None, onehot(F.l1_loss), 1),
    ("mean_absolute_error", {}, 1, NUMBERS, F.l1_loss, 1),
    ("huber", {}, 0, None, onehot(F.huber_loss), 1),
    ("huber", {"delta": 0.375}, 1, NUMBERS, lambda z, t: F.huber_loss(z, t, delta=0.375), 1),
    ("binary_cross_entropy", {}, 0, None, onehot(F.binary_cross_entropy_with_logits), 1),
    ("binary_cross_entropy", {}, 2, MANY, F.binary_cross_entropy_with_logits, 1),
    ("kl_divergence", {}, 1, SHARES, lambda z, t: F.kl_div(F.log_softmax(z, 1), t, reduction="batchmean"), 1),
    ("kl_divergence", {}, 0, None, onehot(lambda z, t: F.kl_div(F.log_softmax(z, 1), t, reduction="batchmean")), 1),
]


def numbers(values):
    return "{" + ", ".join(float(v).hex() for v in values) + "}"


def activation_rows():
    for name, parameter, f, more in ACTIVATIONS:
        z = torch.tensor([float(v) for v in Z + more], requires_grad=True)
        a = f(z)
        a.sum().backward()
        yield f'    {{"{name}", "{ORIGINS[name]}", {float(parameter).hex()}, {len(z)},\n     {numbers(z.tolist())},\n' \
              f"     {numbers(a.tolist())},\n     {numbers(z.grad.tolist())}}},"


def loss_rows():
    for name, options, kind, targets, f, factor in CASES:
        for i, z_row in enumerate(OUTPUTS):
            for y in range(UNITS) if kind == 0 else [0]:
                z = torch.tensor([z_row], dtype=torch.float64, requires_grad=True)
                cost = f(z, y if kind == 0 else torch.tensor([targets[i]], dtype=torch.float64)) * factor
                cost.backward()
                yield f'    {{"{name}", "{ORIGINS[name]}", {options.get("margin", 1)}, {options.get("delta", 1)}, ' \
                      f'{options.get("label_smoothing", 0)}, {options.get("class_weights", 0)}, {kind}, {y},\n' \
                      f"     {numbers(targets[i] if targets else [0] * UNITS)},\n     {numbers(z_row)},\n" \
                      f"     {cost.item().hex()}, {numbers(z.grad[0].tolist())}}},"


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        sys.exit(0 if len(sys.argv) == 2 else 2)
    points = len(Z) + max(len(more) for *_, more in ACTIVATIONS)
    with open(os.path.join(sys.argv[1], "functions.h"), "w", encoding="ascii") as out:
        out.write(f"""/* clang-format off */
/* Written by experiments/oracle/functions.py with PyTorch {torch.__version__}: activations and costs, and their
 * derivatives, in float64. */
static const struct {{
    const char *name, *origin;
    double parameter; /* 0: the default */
    int count;
    double z[{points}], a[{points}], slope[{points}];
}} torch_activations[] = {{
""" + "\n".join(activation_rows()) + f"""
}};

static const double torch_weights[{UNITS}] = {numbers(WEIGHTS)};

static const struct {{
    const char *name, *origin;
    double margin, delta, label_smoothing;
    int weighted, kind; /* dt_targets */
    int y;
    double t[{UNITS}], z[{UNITS}], cost, slope[{UNITS}];
}} torch_losses[] = {{
""" + "\n".join(loss_rows()) + "\n};\n")


if __name__ == "__main__":
    main()
