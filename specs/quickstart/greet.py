"""Say hello, and tell which layer each import came from."""

import sys
from pathlib import Path
from types import ModuleType

import cowsay
import rich
from rich.panel import Panel


def layer_of(module: ModuleType) -> str:
    """The name of the layer that a module was imported from: the folder above `lib`."""
    parts = Path(str(module.__file__)).parts
    return parts[parts.index("lib") - 1]


if __name__ == "__main__":
    rich.print(Panel(cowsay.get_output_string("cow", "Hello from a stack!"), expand=False))
    for module in (cowsay, rich):
        print(f"{module.__name__:<10} from {layer_of(module)}")
    print(f"{'python':<10} {sys.version.split()[0]} from {Path(sys.base_prefix).resolve().name}")
