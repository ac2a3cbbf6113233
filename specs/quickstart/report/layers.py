"""Where a module lies."""

from pathlib import Path


def layer_of(path: Path) -> str:
    """The name of the layer that holds `path`: the folder above `lib`."""
    return path.parts[path.parts.index("lib") - 1]
