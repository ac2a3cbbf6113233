"""Finish a deployed layer: run this file with any Python from 3.10 on, as often as you like.

It reads `share/venv/metadata/venvstacks_layer.json` beside it, checks that everything it refers to lies in the folder
that holds this layer, that the layers below are there and are the ones that the layer was made for, and compiles the
layer's modules to byte code. On Windows it also
writes where the layer's runtime lies, which a layer there needs in order to run: run it again when layers have moved.
Elsewhere a layer runs without this step: modules are then compiled when they are first imported, if the layer can be
written to.

Exit status 0: finished; 1: the layer is not usable, with the reason on standard error.
"""

import compileall
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

CONFIG = Path("share", "venv", "metadata", "venvstacks_layer.json")

CHECKED_HASH = (3).to_bytes(4, "little")
"""PEP 552: byte code that is good as long as the source has the recorded hash, whatever time a copy of it has."""


COMPILE = "--compile"
TESTS = {"test", "tests"}


class UnusableLayer(Exception):
    """The layer is not complete, refers to places outside the layers' folder, or its Python does not run here."""


def load_config(layer: Path) -> "dict[str, Path]":
    """The layer's own paths made absolute, all paths of its configuration checked. Raises `UnusableLayer`."""
    try:
        config = read_config(layer)
        for entry in config["dynlib_dirs"]:
            resolve(layer, entry)
        paths = {key: resolve(layer, config[key]) for key in ("python", "base_python", "site_dir")}
        problems = [problem_of_lower_layer(layer, config, entry) for entry in config["pylib_dirs"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnusableLayer(f"cannot use {layer / CONFIG}: {error!r}") from error
    if any(problems):
        raise UnusableLayer(f"\n{layer.name}: ".join(filter(None, problems)))
    return paths


def read_config(layer: Path) -> "dict[str, Any]":
    """The configuration of a layer. Raises `OSError` or `ValueError`."""
    config: dict[str, Any] = json.loads((layer / CONFIG).read_text(encoding="utf-8"))
    return config


def problem_of_lower_layer(layer: Path, config: "dict[str, Any]", packages: str) -> "str | None":
    """What is wrong with the layer below that has this entry in `pylib_dirs`.

    It may be missing, or not the one that this layer was made for: with another Python, or without a package in the
    version that this layer was locked with.
    """
    folder = resolve(layer, packages)
    lower = layer.parent / folder.relative_to(layer.parent).parts[0]
    if not lower.exists():
        return f"there is no {lower}: put it beside this layer first"
    other = f"{lower.name} is not the layer that this one was made for"
    try:
        found = os.listdir(folder)
    except OSError as error:
        return f"{other}: cannot read {folder}: {error.strerror}"
    missing = sorted(set(config.get("pylib_needs", {}).get(packages, ())).difference(found))
    if missing:
        return f"{other}: there is no {missing[0]} in {folder}"
    versions = [feature_release(config), feature_release(read_config(lower))]
    return f"{other}: it has Python {versions[1]}, not {versions[0]}" if versions[0] != versions[1] else None


def feature_release(config: "dict[str, Any]") -> str:
    """`3.11` of a layer for Python 3.11.13."""
    return ".".join(str(config["py_version"]).split(".")[:2])


def resolve(layer: Path, relative: object) -> Path:
    """An absolute path, symbolic links not followed, inside the folder that holds the layer."""
    if not isinstance(relative, str) or os.path.isabs(relative):
        raise UnusableLayer(f"{relative!r} is not a relative path")
    path = Path(os.path.abspath(layer / relative))
    if layer.parent not in path.parents:
        raise UnusableLayer(f"{relative!r} leads out of {layer.parent}")
    return path


def compile_modules(layer: Path, config: "dict[str, Path]") -> None:
    """Compile the layer's modules with the layer's own Python: byte code of another version would be useless.

    That Python does not see the layer's packages, so that it executes nothing of them.

    Raises `UnusableLayer` when that Python does not run.
    """
    library = str(config["site_dir"].parent if config["python"] != config["base_python"] else layer / "lib")
    if not os.access(library, os.W_OK):
        return
    command = [str(config["python"]), "-I", "-S", "-X", "utf8", __file__, COMPILE, library]
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise UnusableLayer(f"cannot run {config['python']}: {error.strerror}; is it for this platform?") from error
    if status != 0:
        raise UnusableLayer(f"cannot run {config['python']}: it ended with status {status}; is it for this platform?")


def compile_folder(folder: str) -> None:
    """Compile the modules below a folder with this Python, on every core. What is compiled already is left alone.

    A module of a package may be for another Python: that is no error.
    """
    try:
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 (it may fail)

        processes = ProcessPoolExecutor()
    except (ImportError, NotImplementedError, OSError):  # no semaphores here
        for module in modules_to_compile(folder):
            compile_module(module)
        return
    with processes:
        for _ in processes.map(compile_module, modules_to_compile(folder), chunksize=16):
            pass


def modules_to_compile(folder: str) -> "Iterator[str]":
    """The module files below a folder that have no byte code of this Python, or that of another source.

    Those of tests are left out: applications do not import them, and they take two fifths of the time.
    """
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - TESTS)
        for name in sorted(files):
            if name.endswith(".py") and not is_compiled(os.path.join(parent, name)):
                yield os.path.join(parent, name)


def is_compiled(module: str) -> bool:
    """Whether a module's byte code is there, is of its source, and stays good when the module is copied."""
    try:
        with open(importlib.util.cache_from_source(module), "rb") as file:
            header = file.read(16)
        with open(module, "rb") as file:
            return header == importlib.util.MAGIC_NUMBER + CHECKED_HASH + importlib.util.source_hash(file.read())
    except OSError:
        return False


def compile_module(module: str) -> None:
    """Compile one module file. What is nested too deeply for this Python is left as it is."""
    with suppress(ValueError, RecursionError, MemoryError):
        compileall.compile_file(module, quiet=2, force=True, invalidation_mode=PycInvalidationMode.CHECKED_HASH)


def set_home(layer: Path, home: Path) -> None:
    """Write the folder of the runtime's Python into the layer's `pyvenv.cfg`, for the launchers of Windows."""
    path = layer / "pyvenv.cfg"
    old = path.read_text(encoding="utf-8").splitlines()
    new = [f"home = {home}", *(line for line in old if line.partition("=")[0].strip() != "home")]
    if new != old:
        temporary = path.with_name("pyvenv.cfg.new")
        temporary.write_text("\n".join([*new, ""]), encoding="utf-8", newline="\n")
        os.replace(temporary, path)


def finish(layer: Path) -> None:
    """Do all that there is to do. Raises `UnusableLayer`."""
    config = load_config(layer)
    if not config["base_python"].exists():
        raise UnusableLayer(f"there is no {config['base_python']}: put its runtime beside it first")
    if os.name == "nt" and config["python"] != config["base_python"]:
        try:
            set_home(layer, config["base_python"].parent)
        except OSError as error:
            raise UnusableLayer(f"cannot tell the layer where its runtime is: {error}") from error
    compile_modules(layer, config)


def main() -> int:
    """Finish the layer that this file lies in; return the exit status. This is also what the layer's Python runs."""
    if sys.argv[1:2] == [COMPILE]:
        compile_folder(sys.argv[2])
        return 0
    layer = Path(__file__).absolute().parent
    if layer.is_symlink():  # from elsewhere than the folder of the layers
        layer = layer.resolve()
    try:
        finish(layer)
    except UnusableLayer as error:
        print(f"{layer.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
