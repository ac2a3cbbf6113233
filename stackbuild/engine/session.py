"""What the stacks of one `dodo.py` share, as doit runs them together."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from doit.exceptions import InvalidDodoFile

from stackbuild.engine.continuing import ContinueLocking
from stackbuild.errors import StackbuildError
from stackbuild.project.project import Project
from stackbuild.reporting.display import RunDisplay
from stackbuild.reporting.outputs import RunOutputs
from stackbuild.run.results import RunResults


class StacksCollide(StackbuildError, InvalidDodoFile):  # type: ignore[misc]  # doit has no type information
    """Two stacks of a `dodo.py` would have the same tasks or files. doit prints the message without a traceback."""


@dataclass(kw_only=True, eq=False)
class Session:
    """One run of doit. A `dodo.py` that loads several stacks has one for all of them."""

    results: RunResults
    display: RunDisplay
    continuing: ContinueLocking = field(default_factory=ContinueLocking)
    default_tasks: list[str] = field(default_factory=list)
    """What doit runs when no task is named: doit reads it when all tasks have been created."""
    _projects: list[Project] = field(default_factory=list)

    @classmethod
    def current(cls) -> Self:
        """The session of this process, which lasts until a run is over. Raises as `RunOutputs.of_environment`."""
        if not _current:
            results = RunResults()
            display = RunDisplay(results, outputs=RunOutputs.of_environment(os.environ))
            _current.append(cls(results=results, display=display))
        session = _current[0]
        assert isinstance(session, cls)
        return session

    def end(self) -> None:
        """A run is over. What is loaded after it belongs to another one."""
        if self in _current:
            _current.remove(self)

    def add(self, project: Project, default_tasks: list[str]) -> None:
        """The tasks of a project are created. Raises `StacksCollide` if they cannot run together with others."""
        for other in self._projects:
            if other.prefix == project.prefix:
                raise StacksCollide(
                    f"the tasks of {_shown(other)} and {_shown(project)} have the same names",
                    hint='give each stack a prefix of its own: load_stack(…, prefix="a")',
                )
            for what in ("build", "artifacts", "export"):
                if getattr(other.workspace, what) == getattr(project.workspace, what):
                    raise StacksCollide(
                        f"{_shown(other)} and {_shown(project)} would make layers in the same folder: "
                        f"{getattr(project.workspace, what)}",
                        hint="give each stack folders of its own: load_stack(…, build_dir=…, artifacts_dir=…, "
                        "export_dir=…)",
                    )
        self._projects.append(project)
        self.default_tasks.extend(default_tasks)


_current: list[Session] = []


def _shown(project: Project) -> Path:
    return project.workspace.spec
