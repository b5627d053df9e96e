#!/usr/bin/env python3
"""Writes a sparse data set in LIBSVM's format, the same bytes everywhere: make_data.py ROWS FEATURES PER_ROW FILE [FIRST].

A row has PER_ROW different inputs of FEATURES that are not 0; input k is drawn as FEATURES u^2, u uniform, so that low
ones are frequent, as words of a language are. Values are 0.25, 0.5, .. 2. The teacher is sparse, too: the first
fiftieth of the inputs have a class each, 0 .. 9, by a hash; the label is the class with the largest sum of values, the
first of equals, and of a row that has none of these inputs class 0. FIRST is the number of the first row: rows FIRST ..
FIRST + ROWS - 1 of one endless set.

Only Python's standard library. Random numbers are splitmix64 (Steele, Lea, Flood 2014) of row and draw.
"""
import sys

CLASSES = 10
MASK = (1 << 64) - 1


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def make_row(row, features, per_row, teacher):
    inputs = {}
    state = mix(row + 1)
    while len(inputs) < per_row:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        random = mix(state)
        u = random >> 32  # below 2^32: products below are exact
        k = (features * u * u) >> 64
        inputs.setdefault(k, 1 + (random & 7))  # quarters
    sums = [0] * CLASSES
    for k, value in inputs.items():
        if k < len(teacher):
            sums[teacher[k]] += value
    return sums.index(max(sums)), sorted(inputs.items())


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__.splitlines()[0])
    rows, features, per_row = (int(text) for text in sys.argv[1:4])
    first = int(sys.argv[5]) if len(sys.argv) == 6 else 0
    if not 1 <= per_row <= features // 2:
        sys.exit("make_data.py: PER_ROW must be between 1 and half of FEATURES")
    teacher = [mix(k + (1 << 40)) % CLASSES for k in range(features // 50)]
    with open(sys.argv[4], "w", encoding="ascii") as file:
        for row in range(first, first + rows):
            label, inputs = make_row(row, features, per_row, teacher)
            file.write(f"{label} {' '.join(f'{k + 1}:{value / 4:g}' for k, value in inputs)}\n")


if __name__ == "__main__":
    main()
