"""Whether `python -m` starts the launch module of an application, and whether its support modules can be imported."""

import os
import sys
import warnings
from pathlib import Path

from stackbuild.spec.models import ApplicationLayer, Layer
from stackbuild.spec.problems import quote
from stackbuild.system.files import read_file
from stackbuild.targets.pythons import feature_numbers

_MAIN = "__main__.py"
_MOST_BYTES = 10_000_000


def import_problem(module: Path) -> str | None:
    """Why Python does not import a module, or another one instead. Does not read it."""
    name = module.name
    if not name.endswith(".py") and not module.is_dir():
        return f"{quote(name)} does not end with .py, so Python does not find it: rename it"
    stem = name.removesuffix(".py") if not module.is_dir() else name
    if "." in stem:
        return (
            f"{quote(name)} has a dot in its name, so Python looks for a package {quote(stem.split('.')[0])}: rename it"
        )
    if stem in sys.stdlib_module_names:  # nearly the same in all releases
        return f"{quote(name)} has the name of a module of Python, which is found instead: rename it"
    return None


def launch_problem(module: Path) -> str | None:
    """Why `python -m` does not start a launch module, or starts another one instead. Does not read it."""
    problem = import_problem(module)
    if problem is None and module.is_dir() and not os.path.lexists(module / _MAIN):
        problem = f"{quote(module.name)} has no {_MAIN}, so python -m cannot start it: add one"
    return problem


def launch_notices(layer: Layer, python_version: str) -> tuple[str, ...]:
    """A warning if what `python -m` runs has an error of syntax. Of an application only, which it reads.

    Nothing is said about files that cannot be read, or if the layer's Python is newer than the one that runs this.
    """
    if not isinstance(layer, ApplicationLayer) or feature_numbers(python_version) > sys.version_info[:2]:
        return ()
    module = layer.launch_module
    paths = [module / "__init__.py", module / _MAIN] if module.is_dir() else [module]
    found = next(filter(None, map(_syntax_error, paths)), None)
    return () if found is None else (f"Python cannot run its launch module: {found}",)


def _syntax_error(path: Path) -> str | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(read_file(path, most=_MOST_BYTES), os.fspath(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f" in line {error.lineno}" if error.lineno else ""
        return f"{path.name} has an error{line}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError):
        return None
    return None
