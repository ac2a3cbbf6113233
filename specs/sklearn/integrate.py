"""Integrate a Gaussian with SciPy and tell which layers took part."""

from pathlib import Path

import numpy as np
import scipy
from scipy import integrate

LAYERS = {
    module.__name__: Path(str(module.__file__)).parts[Path(str(module.__file__)).parts.index("lib") - 1]
    for module in (np, scipy)
}

if __name__ == "__main__":
    value, error = integrate.quad(lambda x: np.exp(-(x**2)), -np.inf, np.inf)
    print(f"integral of exp(-x²) = {value:.6f} ± {error:.1e}   (√π = {np.sqrt(np.pi):.6f})")
    for name, layer in LAYERS.items():
        print(f"{name:<8} from {layer}")
