#!/usr/bin/env python3
"""splits.py FOLDER SPLITS SEEDS: scikit-learn's data sets as CSV files, and a sweep over them for each.

FOLDER/digits/train01.csv, test01.csv, train02.csv, ...: a quarter of the rows, drawn by the split's number, tests; classes keep their shares.
FOLDER/digits-sweep.yaml trains digits.yaml on every split with every seed.
"""
import os
import sys

import sklearn.datasets
import sklearn.model_selection

SETS = {"digits": sklearn.datasets.load_digits, "breast_cancer": sklearn.datasets.load_breast_cancer, "wine": sklearn.datasets.load_wine}


def split(name, number):
    """Inputs to train and to test with, then labels of both."""
    data = SETS[name]()
    return sklearn.model_selection.train_test_split(data.data, data.target, test_size=0.25, stratify=data.target, random_state=number)


def write_csv(path, x, y):
    names = [f"x{k}" for k in range(x.shape[1])] + ["class"]
    with open(path, "w") as file:
        print(",".join(names), file=file)
        for row, label in zip(x, y):
            print(",".join([repr(float(v)) for v in row] + [str(label)]), file=file)


def main():
    folder, splits, seeds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for name in SETS:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        files = {"train": [], "test": []}
        for number in range(1, splits + 1):
            x_train, x_test, y_train, y_test = split(name, number)
            for part, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
                files[part].append(f"{name}/{part}{number:02d}.csv")
                write_csv(os.path.join(folder, files[part][-1]), x, y)
        with open(os.path.join(folder, name + "-sweep.yaml"), "w") as file:
            print(f"experiment: {name}.yaml\ntogether:\n  data.train.file: [{', '.join(files['train'])}]", file=file)
            print(f"  data.test.file: [{', '.join(files['test'])}]", file=file)
            print(f"seeds: [{', '.join(map(str, range(1, seeds + 1)))}]\nparallel: {{runs: 1, threads: 1}}", file=file)


if __name__ == "__main__":
    main()
