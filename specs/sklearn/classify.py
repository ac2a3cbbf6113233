"""Train a small classifier on scikit-learn's digits and tell which layers took part."""

from pathlib import Path

import numpy as np
import scipy
import sklearn
import tabulate
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def layer_of(module_file: str) -> str:
    """The name of the layer that a file lies in: the folder above `lib`."""
    parts = Path(module_file).parts
    return parts[parts.index("lib") - 1]


if __name__ == "__main__":
    train_x, test_x, train_y, test_y = train_test_split(*load_digits(return_X_y=True), random_state=0)
    score = LogisticRegression(max_iter=5000).fit(train_x, train_y).score(test_x, test_y)
    print(f"digits recognised: {score:.1%}")
    rows = [(module.__name__, module.__version__, layer_of(module.__file__)) for module in (np, scipy, sklearn)]
    print(tabulate.tabulate(rows, headers=("package", "version", "layer")))
