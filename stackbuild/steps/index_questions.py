"""What the indexes of a layer offer: single releases, whatever they need."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from packaging.version import Version

from stackbuild.errors import LockError
from stackbuild.locking.pylock import LockedPackage, read_packages
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.lock_status import lock_target
from stackbuild.system.files import disk_errors, private_folder, remove_tree, write_atomic
from stackbuild.system.process import Runner
from stackbuild.uv import commands as uv_commands
from stackbuild.uv.resolution import ResolutionProject

_SETTINGS = ("workspace", "index", "sources", "environments")
"""Settings of a project that say where releases come from, and for which Python and platforms."""


@dataclass(frozen=True, kw_only=True)
class IndexQuestions:
    """Asks uv, in a folder of its own. `generated`: the project that is resolved to lock the layer."""

    folder: Path
    layer: ProjectLayer
    generated: ResolutionProject
    python: Path
    run: Runner

    def newest(self, requirements: Sequence[str], *, with_limit: bool) -> dict[str, LockedPackage]:
        """The newest release for each requirement by itself, by name; without those for which there is none.

        `with_limit`: as of `exclude-newer`.
        """
        found = self._newest(requirements, with_limit=with_limit)
        if found is None and len(requirements) > 1:  # one of them is the reason
            each = [self._newest([requirement], with_limit=with_limit) or {} for requirement in requirements]
            found = {name: package for packages in each for name, package in packages.items()}
        return found or {}

    def _newest(self, requirements: Sequence[str], *, with_limit: bool) -> dict[str, LockedPackage] | None:
        given = self.generated.pyproject
        tool = {key: value for key, value in given["tool"]["uv"].items() if key in _SETTINGS}
        config = dict(self.generated.config)
        if not with_limit:
            config.pop("exclude-newer", None)
        self.write({"project": {**given["project"], "dependencies": [*requirements]}, "tool": {"uv": tool}}, config)
        command = uv_commands.newest_command(
            self.folder,
            python=self.python,
            python_version=self.layer.python.version,
            output=self.answer,
            environ=self.generated.environ(self.layer.project.environ),
        )
        if self.run(command).status:
            return None
        # uv answers for later Pythons, too, under markers
        target = lock_target(self.layer, self.layer.pin)
        packages = [package for package in self.read() if target.matching(package.marker)]
        packages.sort(key=lambda package: Version(package.version))
        return {package.name: package for package in packages}

    @property
    def answer(self) -> Path:
        """Where uv's answer goes, a PEP 751 file."""
        return self.folder / "pylock.toml"

    def write(self, pyproject: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """Write the project that uv is asked about, in the place of earlier ones."""
        with disk_errors("write uv's inputs", LockError):
            for name in ("uv.lock", "pylock.toml"):
                (self.folder / name).unlink(missing_ok=True)
            write_atomic(self.folder / "pyproject.toml", tomli_w.dumps(pyproject))
            write_atomic(self.folder / "uv.toml", tomli_w.dumps(config))

    def read(self) -> tuple[LockedPackage, ...]:
        """The packages of the answer. Raises `LockError`."""
        with disk_errors("read what uv resolved", LockError):
            return read_packages(tomllib.loads(self.answer.read_text("utf-8")), origin="uv's answer")


@contextmanager
def index_questions(
    layer: ProjectLayer, generated: ResolutionProject, *, python: Path, run: Runner
) -> Iterator[IndexQuestions]:
    """In the block, uv can be asked; its files are removed afterwards."""
    folder = layer.project.workspace.resolution_folder(layer.build_name) / "questions"
    with disk_errors("write uv's inputs", LockError):
        private_folder(folder)
    try:
        yield IndexQuestions(folder=folder, layer=layer, generated=generated, python=python, run=run)
    finally:
        with disk_errors("remove uv's inputs", LockError):
            remove_tree(folder)
