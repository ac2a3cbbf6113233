"""Runs the command line of venvstacks under its own Python: `driver.py RUNTIME PRESET ARGUMENT…`.

RUNTIME is a folder with a relocatable Python: every base runtime becomes a copy of it instead of a download. PRESET is
xz's level; that of venvstacks is 6, which takes minutes on the one core that it uses.
"""

import functools
import shutil
import sys
import tarfile
from pathlib import Path

import venvstacks.cli
import venvstacks.stacks

_RUNTIME, _PRESET, *_ARGUMENTS = sys.argv[1:]


def _copy_runtime(target_path: Path, request: str) -> Path:
    """As the function that it stands for: the folder below `target_path` that holds the Python asked for."""
    destination = target_path / request.rpartition("@")[2]
    shutil.copytree(_RUNTIME, destination, symlinks=True)
    return destination


venvstacks.stacks._pdm_python_install = _copy_runtime
_xzopen = functools.partial(tarfile.TarFile.xzopen, preset=int(_PRESET))
tarfile.TarFile.xzopen = _xzopen  # type: ignore[method-assign]
venvstacks.cli.main(_ARGUMENTS)
