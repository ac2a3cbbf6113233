"""Stacks of a few layers with tiny wheels, to be locked by real uv, and what their locks say."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stackbuild.locking.pylock import read_packages
from stackbuild.locking.record import LockRecord
from stackbuild.project.record_files import LayerLock
from tests.integration.stack_project import PYTHON_REQUEST, StackProject

HEAD = """
[tool.stackbuild]
runtime_source = "interpreter"
archive_format = "tar"

"""
DODO = """\
from stackbuild.tasks import load_stack
DOIT_CONFIG, task_stack = load_stack("venvstacks.toml", {options})
"""


def runtime(*requirements: str, more: str = "") -> str:
    """The runtime `py`."""
    return _layer("runtimes", "py", requirements, f'python_implementation = "{PYTHON_REQUEST}"', more)


def framework(name: str, *requirements: str, on: str = 'runtime = "py"', more: str = "") -> str:
    """A framework, on the runtime unless `on` says otherwise."""
    return _layer("frameworks", name, requirements, on, more)


def application(name: str, *requirements: str, on: str, more: str = "") -> str:
    """An application whose launch module has its name."""
    return _layer("applications", name, requirements, on, f'launch_module = "{name}.py"', more)


def _layer(category: str, name: str, requirements: Iterable[str], *lines: str) -> str:
    listed = json.dumps(list(requirements))
    return "\n".join([f"[[{category}]]", f'name = "{name}"', f"requirements = {listed}", *lines, "\n"])


def index(name: str | None, url: str, *more: str) -> str:
    """A package index of `[tool.uv]`."""
    return "\n".join(["[[tool.uv.index]]", f'url = "{url}"', *([f'name = "{name}"'] if name else []), *more, "\n"])


def settings(*lines: str) -> str:
    """The table `[tool.uv]`."""
    return "\n".join(["[tool.uv]", *lines, "\n"])


def small_stack(root: Path, env: Mapping[str, str], *parts: str, options: str = "") -> StackProject:
    """A project whose specification has these parts; `options` are arguments of `load_stack` in its dodo.py."""
    root.mkdir(parents=True, exist_ok=True)
    project = StackProject(root, dict(env))
    specify(project, *parts)
    (root / "dodo.py").write_text(DODO.format(options=options), encoding="utf-8")
    return project


def specify(project: StackProject, *parts: str) -> None:
    """Give a project another specification."""
    (project.root / "venvstacks.toml").write_text(HEAD + "".join(parts), encoding="utf-8")


def lock_of(project: StackProject, layer: str = "py") -> LayerLock:
    """The lock of a layer."""
    record = LockRecord.read(project.root / "requirements" / layer / f"pylock.{layer}.meta.json")
    assert record is not None
    return LayerLock(record=record, packages=read_packages(document(project, layer), origin=layer))


def document(project: StackProject, layer: str = "py") -> dict[str, Any]:
    """The lock file of a layer."""
    path = project.root / "requirements" / layer / f"pylock.{layer}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def locked(project: StackProject, layer: str = "py") -> dict[str, str]:
    """Version of each package of a layer's lock by name; shared ones are left out."""
    return {package.name: package.version for package in lock_of(project, layer).packages if not package.is_shared}


def entry(project: StackProject, package: str, layer: str = "py") -> dict[str, Any]:
    """The one entry of a package in a layer's lock file."""
    (found,) = (table for table in document(project, layer)["packages"] if table["name"] == package)
    return dict(found)


def why_locked(project: StackProject, layer: str = "py", **env: str) -> str:
    """Why doit would lock a layer, empty when it would not."""
    told = project.doit("info", f"lock:{layer}", check=False, **env).stdout
    return "" if "up-to-date" in told else told
