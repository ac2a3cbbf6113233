"""What a look at a result tells for nothing: sizes of a few files, and the number of packages.

Times and inodes tell nothing, since results may be restored from a cache. The files beside a result are written here,
too, since its record says what they contain.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from stackbuild.environments.layout import LAYER_CONFIG, POSTINSTALL, PYVENV_CFG, EnvironmentLayout
from stackbuild.project.records import KeptFile, Outline
from stackbuild.system.files import read_file, sha256_bytes, write_atomic
from stackbuild.system.json_file import JsonFile

_READ_UP_TO = 64_000
"""Bytes of a file that is compared by its content, which takes no longer than the look at its size."""


def outline_of(folder: Path, layout: EnvironmentLayout) -> Outline:
    """The outline of a layer's folder, complete or not."""
    site_packages, python = folder / layout.site_packages, str(layout.python)
    paths = [str(path) for path in (LAYER_CONFIG, POSTINSTALL, layout.site_packages / "sitecustomize.py")]
    if not layout.platform.is_windows:  # there, `postinstall.py` writes the path of the runtime into it
        paths.append(str(PYVENV_CFG))
    sizes = {path: size for path in (*paths, python) if (size := _size(folder / path, follow=False)) is not None}
    if layout.is_runtime and (size := _size(folder / python, follow=True)) is not None:
        sizes["python"] = size
    return Outline(sizes=sizes, packages=_number_of_packages(site_packages))


def _size(path: Path, *, follow: bool) -> int | None:
    try:
        return os.stat(path, follow_symlinks=follow).st_size
    except (OSError, ValueError):
        return None


def _number_of_packages(site_packages: Path) -> int:
    try:
        names = os.listdir(site_packages)
    except OSError:
        return 0
    return sum(name != "__pycache__" and not name.startswith(".") for name in names)


def outline_problem(recorded: Outline | None, folder: Path, layout: EnvironmentLayout) -> str | None:
    """What of a layer's folder is not as it was made, at a first look; `None` if nothing is.

    `stackbuild verify` looks at every file.
    """
    if recorded is None:
        return "what was in it is not recorded"
    now = outline_of(folder, layout)
    if now == recorded:
        return None
    changed = [path for path in {**recorded.sizes, **now.sizes} if recorded.sizes.get(path) != now.sizes.get(path)]
    return f"{changed[0]} in it was changed" if changed else "packages in it were added or removed"


def write_kept(file: JsonFile, path: Path, *, durable: bool = True) -> KeptFile:
    """Write a file beside a result, and return what the result's record says of it."""
    content = file.to_json().encode()
    write_atomic(path, content, durable=durable)
    return KeptFile(size=len(content), sha256=sha256_bytes(content))


def kept_problem(recorded: Mapping[str, KeptFile], paths: Mapping[str, Path], *, whole: bool = False) -> str | None:
    """Which of the files beside a result is not as it was written; `None` if all are. `paths`: by the recorded names.

    Large ones are compared by their sizes, unless the `whole` content is asked for.
    """
    for name, path in paths.items():
        expected = recorded.get(name)
        if expected is None:
            return f"{path.name} is not recorded"
        try:
            if os.stat(path).st_size != expected.size:
                return f"{path.name} was changed"
            if (whole or expected.size <= _READ_UP_TO) and sha256_bytes(
                read_file(path, most=expected.size)
            ) != expected.sha256:
                return f"{path.name} was changed"
        except FileNotFoundError:
            return f"{path.name} is missing"
        except OSError as error:
            return f"{path.name} cannot be read: {error.strerror or error}"
    return None
