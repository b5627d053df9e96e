#!/usr/bin/env python3
"""theirs.py SPLITS SEEDS: MLPClassifier() with its defaults on standardized inputs; prints set, split, seed, epochs and test accuracy."""
import sys
import warnings

import sklearn.exceptions
import sklearn.neural_network
import sklearn.pipeline
import sklearn.preprocessing
import threadpoolctl

from splits import SETS, split


def main():
    splits, seeds = int(sys.argv[1]), int(sys.argv[2])
    warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)  # 200 epochs are its default, and deltoid's here
    print("set\tsplit\tseed\tepochs\taccuracy")
    for name in SETS:
        for number in range(1, splits + 1):
            x_train, x_test, y_train, y_test = split(name, number)
            for seed in range(1, seeds + 1):
                network = sklearn.neural_network.MLPClassifier(random_state=seed)
                model = sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), network)
                with threadpoolctl.threadpool_limits(1):
                    model.fit(x_train, y_train)
                print(name, number, seed, network.n_iter_, f"{model.score(x_test, y_test):.9g}", sep="\t", flush=True)


if __name__ == "__main__":
    main()
