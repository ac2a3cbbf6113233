"""The launchers that layers for Windows need."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from stackbuild.errors import BuildError

_LAUNCHERS = PurePosixPath("Lib/venv/scripts/nt")
"""Where Python's `venv` keeps the programs that start a virtual environment's Python through its base."""

_NAMES = {
    "python.exe": ("venvlauncher.exe", "python.exe"),
    "pythonw.exe": ("venvwlauncher.exe", "pythonw.exe"),
}
"""Their names: since 3.13 the first ones. A free-threaded Python has its own, `venvlaunchert.exe`."""


def windows_launchers(runtime: Path, *, layer: str, freethreaded: bool) -> Mapping[str, Path]:
    """The programs of a layered environment, by name, in the environment of its runtime.

    They read `home`, the folder of the runtime, from the layer's `pyvenv.cfg`. `postinstall.py` writes it there. Raises
    `BuildError` when the runtime does not have them.
    """
    found: dict[str, Path] = {}
    for name, plain in _NAMES.items():
        sources = (plain[0].replace("launcher", "launchert"), *plain) if freethreaded else plain
        source = next((path for path in (runtime / _LAUNCHERS / source for source in sources) if path.is_file()), None)
        if source is None:
            raise BuildError(
                f"{layer}: its runtime has no {sources[-1]} in {runtime / _LAUNCHERS}, which starts the layer's Python",
                hint="take the runtime from python-build-standalone, whose distributions for Windows have it",
            )
        found[name] = source
    return found
