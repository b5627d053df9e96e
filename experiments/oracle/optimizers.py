#!/usr/bin/env python3
"""Reference trajectories of optimizers and schedules, in float64, as the C headers that the tests compare with:

    optimizers.py ../../tests/data          writes optimizers.h and schedules.h

PyTorch's own (torch.optim, torch.optim.lr_scheduler, torch.nn.utils), on gradients that are exact in every precision;
lamb and lars, which PyTorch has not, from their papers' algorithms. Needs torch; the headers are kept, so that the
tests don't.
"""

import math
import os
import sys

import torch

torch.set_default_dtype(torch.float64)  # else NAdam keeps its product of momenta in float32

PARAMETERS, STEPS, RATE = 6, 100, 0.05
KEPT = [1, 2, 3, 4, 5] + list(range(10, STEPS + 1, 10))

# Name of the case, deltoid's keys, PyTorch's class and arguments (None: written out below).
SGD, ADAM, ADAMW, NADAM = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam
RMS = torch.optim.RMSprop
CASES = [
    ("sgd", {}, SGD, {}),
    ("sgd weight_decay", {"weight_decay": 0.01}, SGD, {"weight_decay": 0.01}),
    ("sgd momentum", {"momentum": 0.9}, SGD, {"momentum": 0.9}),
    ("sgd dampening", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}, SGD,
     {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("sgd nesterov", {"momentum": 0.9, "nesterov": True}, SGD, {"momentum": 0.9, "nesterov": True}),
    ("sgd nesterov weight_decay", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, SGD,
     {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("sgd clip_value", {"momentum": 0.9, "clip_value": 0.4}, SGD, {"momentum": 0.9}),
    ("sgd l1", {"momentum": 0.9, "l1": 0.02}, SGD, {"momentum": 0.9}),
    ("adagrad", {"epsilon": 1e-10}, torch.optim.Adagrad, {}),
    ("adagrad learning_rate_decay", {"epsilon": 1e-10, "learning_rate_decay": 0.02, "weight_decay": 0.01},
     torch.optim.Adagrad, {"lr_decay": 0.02, "weight_decay": 0.01}),
    ("adadelta", {"rho": 0.9, "epsilon": 1e-6}, torch.optim.Adadelta, {}),
    ("adadelta weight_decay", {"rho": 0.8, "epsilon": 1e-5, "weight_decay": 0.01}, torch.optim.Adadelta,
     {"rho": 0.8, "eps": 1e-5, "weight_decay": 0.01}),
    ("rmsprop", {"rho": 0.99, "epsilon": 1e-8}, RMS, {}),
    ("rmsprop momentum", {"rho": 0.9, "epsilon": 1e-8, "momentum": 0.8}, RMS, {"alpha": 0.9, "momentum": 0.8}),
    ("rmsprop centered", {"rho": 0.9, "epsilon": 1e-6, "centered": True, "weight_decay": 0.01}, RMS,
     {"alpha": 0.9, "eps": 1e-6, "centered": True, "weight_decay": 0.01}),
    ("rmsprop centered momentum", {"rho": 0.9, "epsilon": 1e-6, "centered": True, "momentum": 0.8}, RMS,
     {"alpha": 0.9, "eps": 1e-6, "centered": True, "momentum": 0.8}),
    ("rprop", {"eta_minus": 0.5, "eta_plus": 1.2, "step_min": 1e-6, "step_max": 50}, torch.optim.Rprop, {}),
    ("rprop limits", {"eta_minus": 0.4, "eta_plus": 1.5, "step_min": 0.03, "step_max": 0.08}, torch.optim.Rprop,
     {"etas": (0.4, 1.5), "step_sizes": (0.03, 0.08)}),
    ("adam", {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, ADAM, {}),
    ("adam weight_decay", {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6, "weight_decay": 0.01}, ADAM,
     {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.01}),
    ("adam amsgrad", {"beta1": 0.9, "beta2": 0.9, "epsilon": 1e-8, "amsgrad": True}, ADAM,
     {"betas": (0.9, 0.9), "amsgrad": True}),
    ("adam l1 clip_value", {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "l1": 0.02, "clip_value": 0.4}, ADAM, {}),
    ("adamw", {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}, ADAMW, {}),
    ("adamw amsgrad", {"beta1": 0.9, "beta2": 0.9, "epsilon": 1e-8, "weight_decay": 0.1, "amsgrad": True}, ADAMW,
     {"betas": (0.9, 0.9), "amsgrad": True, "weight_decay": 0.1}),
    ("nadam", {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "momentum_decay": 0.004}, NADAM, {}),
    ("nadam weight_decay", {"beta1": 0.95, "beta2": 0.99, "epsilon": 1e-6, "momentum_decay": 0.1, "weight_decay": 0.01},
     NADAM, {"betas": (0.95, 0.99), "eps": 1e-6, "momentum_decay": 0.1, "weight_decay": 0.01}),
    ("lamb", {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-6, "weight_decay": 0.01}, None, {}),
    ("lamb without weight_decay", {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-6}, None, {}),
    ("lars", {"momentum": 0.9, "trust_coefficient": 0.5, "weight_decay": 0.01}, None, {}),
    ("lars without momentum", {"trust_coefficient": 0.001}, None, {}),
]


PAPERS = {"lamb": "You et al. 2020", "lars": "You, Gitman, Ginsburg 2017"}


def first_weight(i):
    return ((5 * i) % 17 - 8) / 8


def gradient(i, t):
    return ((7 * i + 13 * t) % 31 - 15) / 16


def torch_trajectory(keys, optimizer, arguments):
    w = torch.tensor([first_weight(i) for i in range(PARAMETERS)], dtype=torch.float64, requires_grad=True)
    o = optimizer([w], lr=RATE, **arguments)
    rows = []
    for t in range(STEPS):
        w.grad = torch.tensor([gradient(i, t) for i in range(PARAMETERS)], dtype=torch.float64)
        if "clip_value" in keys:
            torch.nn.utils.clip_grad_value_([w], keys["clip_value"])
        if "l1" in keys:
            w.grad += torch.autograd.grad(keys["l1"] * w.abs().sum(), w)[0]
        o.step()
        rows.append(w.detach().tolist())
    return rows


def norm(x):
    return math.sqrt(math.fsum(v * v for v in x))


def lamb_trajectory(k):
    """You et al. 2020, algorithm 2, phi the identity; a ratio of 1 where a norm is 0."""
    b1, b2, eps, decay = k["beta1"], k["beta2"], k["epsilon"], k.get("weight_decay", 0)
    w, m, v = [first_weight(i) for i in range(PARAMETERS)], [0.0] * PARAMETERS, [0.0] * PARAMETERS
    rows = []
    for t in range(1, STEPS + 1):
        g = [gradient(i, t - 1) for i in range(PARAMETERS)]
        m = [b1 * a + (1 - b1) * b for a, b in zip(m, g)]
        v = [b2 * a + (1 - b2) * b * b for a, b in zip(v, g)]
        r = [a / (1 - b1**t) / (math.sqrt(b / (1 - b2**t)) + eps) + decay * c for a, b, c in zip(m, v, w)]
        w_norm, r_norm = norm(w), norm(r)
        ratio = w_norm / r_norm if w_norm > 0 and r_norm > 0 else 1
        w = [a - RATE * ratio * b for a, b in zip(w, r)]
        rows.append(w)
    return rows


def lars_trajectory(k):
    """You, Gitman, Ginsburg 2017, algorithm 1."""
    momentum, decay, eta = k.get("momentum", 0), k.get("weight_decay", 0), k["trust_coefficient"]
    w, v = [first_weight(i) for i in range(PARAMETERS)], [0.0] * PARAMETERS
    rows = []
    for t in range(STEPS):
        g = [gradient(i, t) for i in range(PARAMETERS)]
        w_norm, g_norm = norm(w), norm(g)
        local = eta * w_norm / (g_norm + decay * w_norm) if w_norm > 0 and g_norm > 0 else 1
        v = [momentum * a + RATE * local * (b + decay * c) for a, b, c in zip(v, g, w)]
        w = [a - b for a, b in zip(w, v)]
        rows.append(w)
    return rows


def c_number(x):
    return ("true" if x else "false") if isinstance(x, bool) else repr(x)


def c_list(values):
    return "{" + ", ".join(float(x).hex() for x in values) + "}"


def head(out):
    out.write("/* Made by experiments/oracle/optimizers.py with PyTorch " + torch.__version__.split("+")[0] + ". */\n")
    out.write("/* clang-format off */\n")


def write_optimizers(path):
    with open(path, "w") as out:
        head(out)
        out.write(f"enum {{ REFERENCE_PARAMETERS = {PARAMETERS}, REFERENCE_ROWS = {len(KEPT)} }};\n")
        out.write("static const int reference_steps[REFERENCE_ROWS] = {" + ", ".join(map(str, KEPT)) + "};\n")
        out.write("static const struct reference {\n    const char *name, *origin;\n    dt_optimizer_spec spec;\n"
                  "    double W[REFERENCE_ROWS][REFERENCE_PARAMETERS]; /* after so many steps */\n} references[] = {\n")
        for name, keys, optimizer, arguments in CASES:
            kind = name.split()[0]
            written = {"lamb": lamb_trajectory, "lars": lars_trajectory}
            rows = torch_trajectory(keys, optimizer, arguments) if optimizer else written[kind](keys)
            spec = "".join(f", .{k} = {c_number(v)}" for k, v in keys.items())
            origin = "torch.optim." + optimizer.__name__ if optimizer else f"definition ({PAPERS[kind]})"
            out.write(f'    {{"{name}", "{origin}", {{.name = "{kind}", .learning_rate = {RATE}{spec}}},\n     {{\n')
            for t in KEPT:
                out.write("      " + c_list(rows[t - 1]) + ",\n")
            out.write("     }},\n")
        out.write("};\n")


EPOCHS, PER_EPOCH, BASE = 20, 5, 0.3
TOTAL = EPOCHS * PER_EPOCH
LOSSES = [1 / (1 + 0.4 * e) if e < 7 else 0.3 + 0.01 * (e % 3) for e in range(EPOCHS)]
S = torch.optim.lr_scheduler


def scheduled(make, by_step):
    """The learning rate of every step, with a scheduler stepped after each minibatch, or after each epoch."""
    w = torch.zeros(1, requires_grad=True)
    o = torch.optim.SGD([w], lr=BASE, momentum=0.9)
    s = make(o)
    rates = []
    for step in range(TOTAL):
        rates.append(o.param_groups[0]["lr"])
        w.grad = torch.zeros(1)
        o.step()
        epoch_ends = (step + 1) % PER_EPOCH == 0
        if isinstance(s, S.ReduceLROnPlateau):
            if epoch_ends:
                s.step(LOSSES[step // PER_EPOCH])
        elif (by_step or epoch_ends) and step + 1 < TOTAL:
            s.step()
    return rates


def warmed(o, steps, after):
    """A linear rise, then another schedule of its own."""
    rise = S.LinearLR(o, start_factor=1 / 3, total_iters=steps)
    return S.SequentialLR(o, [rise, after], milestones=[steps])


SCHEDULES = [
    ("constant", {}, lambda o: S.ConstantLR(o, factor=1, total_iters=1), False),
    ("constant", {"warmup": 2.4, "warmup_factor": 0.25}, lambda o: S.LinearLR(o, start_factor=0.25, total_iters=12), True),
    ("step", {"every": 3, "factor": 0.4}, lambda o: S.StepLR(o, 3, 0.4), False),
    ("multi_step", {"milestones": [2, 3, 11], "factor": 0.2}, lambda o: S.MultiStepLR(o, [2, 3, 11], 0.2), False),
    ("exponential", {"factor": 0.9}, lambda o: S.ExponentialLR(o, 0.9), False),
    ("cosine", {}, lambda o: S.CosineAnnealingLR(o, TOTAL), True),
    ("cosine", {"min_learning_rate": 0.02, "warmup": 3.0, "warmup_factor": 1 / 3},
     lambda o: warmed(o, 15, S.CosineAnnealingLR(o, TOTAL - 15, eta_min=0.02)), True),
    ("polynomial", {"power": 1.0}, lambda o: S.PolynomialLR(o, TOTAL, 1.0), True),
    ("polynomial", {"power": 2.5, "warmup": 1.0, "warmup_factor": 1 / 3},
     lambda o: warmed(o, 5, S.PolynomialLR(o, TOTAL - 5, 2.5)), True),
    ("one_cycle", {"rise_fraction": 0.3, "div_factor": 25.0, "final_div_factor": 1e4},
     lambda o: S.OneCycleLR(o, max_lr=BASE, total_steps=TOTAL, cycle_momentum=False), True),
    ("one_cycle", {"rise_fraction": 0.45, "div_factor": 10.0, "final_div_factor": 100.0},
     lambda o: S.OneCycleLR(o, max_lr=BASE, total_steps=TOTAL, pct_start=0.45, div_factor=10.0, final_div_factor=100.0,
                            cycle_momentum=False), True),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 2, "threshold": 1e-4, "cooldown": 1, "min_learning_rate": 0.04},
     lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=2, threshold=1e-4, cooldown=1, min_lr=0.04), False),
    ("reduce_on_plateau", {"factor": 0.1, "patience": 1, "threshold": 0.2},
     lambda o: S.ReduceLROnPlateau(o, factor=0.1, patience=1, threshold=0.2), False),
]


ORIGINS = {"constant": "ConstantLR", "step": "StepLR", "multi_step": "MultiStepLR", "exponential": "ExponentialLR",
           "cosine": "CosineAnnealingLR", "polynomial": "PolynomialLR", "one_cycle": "OneCycleLR",
           "reduce_on_plateau": "ReduceLROnPlateau"}  # of torch.optim.lr_scheduler; a warm-up is its LinearLR


def write_schedules(path):
    with open(path, "w") as out:
        head(out)
        out.write(f"enum {{ REFERENCE_EPOCHS = {EPOCHS}, REFERENCE_PER_EPOCH = {PER_EPOCH} }};\n")
        out.write(f"static const double reference_base = {BASE};\n")
        out.write("static const double reference_losses[REFERENCE_EPOCHS] = " + c_list(LOSSES) + ";\n")
        out.write("static const struct {\n    const char *origin;\n    dt_schedule_spec spec;\n"
                  "    double rate[REFERENCE_EPOCHS * REFERENCE_PER_EPOCH]; /* of each step */\n"
                  "} reference_schedules[] = {\n")
        for name, keys, make, by_step in SCHEDULES:
            fields = []
            for k, v in keys.items():
                if k == "milestones":
                    v = "{(const int64_t[]){" + ", ".join(map(str, v)) + f"}}, {len(v)}}}"
                fields.append(f", .{k} = {v}")
            rates = scheduled(make, by_step)
            out.write(f'    {{"{ORIGINS[name]}", {{.name = "{name}"{"".join(fields)}}},\n     {{\n')
            for i in range(0, TOTAL, PER_EPOCH):
                out.write("      " + ", ".join(float(x).hex() for x in rates[i:i + PER_EPOCH]) + ",\n")
            out.write("     }},\n")
        out.write("};\n")


def main():
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(__doc__)
    write_optimizers(os.path.join(sys.argv[1], "optimizers.h"))
    write_schedules(os.path.join(sys.argv[1], "schedules.h"))


main()
