"""A stack as a `dodo.py` or another program has it: what doit needs, and what can be asked of its layers."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from doit.exceptions import InvalidDodoFile

from stackbuild.engine.tasks import TaskCreator, TaskDict, doit_name, relative_path
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import LayerStep
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.task_names import APPLICATION, StepKind, task_name
from stackbuild.spec.models import ApplicationLayer, RuntimeLayer
from stackbuild.spec.problems import unknown_word
from stackbuild.steps.planned_archive import planned_archive, planned_install_target


class UnknownLayer(StackbuildError, InvalidDodoFile):  # type: ignore[misc]  # doit has no type information
    """A stack has no such layer, or a layer no such task. doit prints the message without a traceback."""


@dataclass(frozen=True, kw_only=True)
class StackLayer:
    """A layer of a stack on one platform.

    Paths are relative to the folder that was current when the stack was loaded, as in doit's file dependencies and
    targets, and the same before their files are there. Versions and build numbers in them are those of the last lock
    and of the archive that there is, or would be made now.
    """

    _build: LayerStep
    _stack: "Stack"

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} for {self.platform}>"

    @property
    def _layer(self) -> ProjectLayer:
        return self._build.layer

    @property
    def kind(self) -> str:
        """`runtime`, `framework` or `application`."""
        return self._layer.kind

    @property
    def name(self) -> str:
        """The name in the specification."""
        return self._layer.declared.name

    @property
    def build_name(self) -> str:
        """The name in task names and folders, such as `app-hello`."""
        return self._layer.build_name

    @property
    def platform(self) -> str:
        """The platform that its environment, archive and export are for."""
        return str(self._layer.platform)

    @property
    def platforms(self) -> tuple[str, ...]:
        """All platforms that the layer is for, sorted."""
        return tuple(map(str, self._layer.linked.platforms))

    @property
    def requirements(self) -> tuple[str, ...]:
        """Its own requirements, as the specification has them."""
        return tuple(map(str, self._layer.declared.requirements))

    @property
    def lower(self) -> "tuple[StackLayer, ...]":
        """The layers below: frameworks in import order, then the runtime. Empty for a runtime."""
        return tuple(self._stack.layer(lower.build_name, self.platform) for lower in self._layer.lower)

    @property
    def packages(self) -> Mapping[str, str]:
        """Name and version of the packages that its lock has for the platform, without those of the layers below.

        Raises `LockError` if it is not locked.
        """
        return {package.name: package.version for package in self._layer.packages.packages if not package.is_shared}

    @property
    def environment(self) -> Path:
        """The folder of its build environment."""
        return relative_path(self._layer.environment)

    @property
    def archive(self) -> Path:
        """Its archive: a target of its `archive` task."""
        return relative_path(planned_archive(self._layer))

    @property
    def export(self) -> Path:
        """The folder of its export. As a file dependency, take `record("export")`."""
        return relative_path(self._layer.project.exports.root / planned_install_target(self._layer))

    @property
    def python(self) -> Path:
        """The Python of its export."""
        return self.export / self._layout.python

    @property
    def launch_command(self) -> tuple[str, ...] | None:
        """The command that runs the exported application; `None` for other layers."""
        declared = self._layer.declared
        if not isinstance(declared, ApplicationLayer):
            return None
        from stackbuild.environments.generated_files import launch_command  # slow to import

        return launch_command(os.fspath(self.export), self._layout, declared.launch_name)

    def task(self, kind: str) -> str:
        """The name of one of its tasks: `lock`, `build`, `archive` or `export`; `app` for applications."""
        if kind == APPLICATION and self.kind == "application":
            return task_name(APPLICATION, doit_name(self.name), self._build.platform, prefix=self._layer.project.prefix)
        return self._step(kind).task_name

    def record(self, kind: str) -> Path:
        """The record that one of its tasks writes last: `lock`, `build`, `archive` or `export`.

        It changes when the result does: the file dependency for tasks that use an environment or an export.
        """
        return relative_path(self._step(kind).record)

    @property
    def metadata(self) -> Mapping[str, Any] | None:
        """The metadata of its archive, as in the manifest; `None` as long as there is no archive."""
        found = self._layer.archive_metadata
        return None if found is None else found.model_dump(mode="json", exclude_none=True)

    def _step(self, kind: str) -> LayerStep:
        kinds = [str(it) for it in StepKind if it is not StepKind.MANIFEST]
        if kind not in kinds:
            raise UnknownLayer(unknown_word("task of a layer", kind, kinds))
        platform = None if kind == StepKind.LOCK else self._build.platform
        step = self._stack.graph.steps[
            task_name(StepKind(kind), self.build_name, platform, prefix=self._layer.project.prefix)
        ]
        assert isinstance(step, LayerStep)
        return step

    @property
    def _layout(self) -> EnvironmentLayout:
        if self._layer.known_pin is not None:
            return self._layer.layout
        runtime = self._layer.runtime.declared
        assert isinstance(runtime, RuntimeLayer)
        request = runtime.python_request
        return EnvironmentLayout(
            python_version=request.highest_named,
            platform=self._layer.platform,
            is_runtime=self.kind == "runtime",
            kind=request.kind,
        )


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack on the platforms of a run: doit's configuration and tasks, and its layers.

    It can be unpacked into the two that a `dodo.py` needs: `DOIT_CONFIG, task_stack = load_stack(…)`.
    """

    graph: StackGraph
    _configure: Callable[[], TaskDict]
    tasks: TaskCreator
    """Creates the tasks; doit looks for it under a name that begins with `task_`."""

    @cached_property
    def doit_config(self) -> TaskDict:
        """For `DOIT_CONFIG`. It opens doit's database, of which several stacks in one file need only one."""
        return self._configure()

    def __repr__(self) -> str:
        return f"<stack {self.graph.project.workspace.spec}>"

    def __iter__(self) -> Iterator[Any]:
        yield from (self.doit_config, self.tasks)

    @property
    def platform(self) -> str:
        """The platform of `layers`: the first one that the run is for, by default this machine's."""
        return str(next(iter(self.graph.projects)))

    @property
    def layers(self) -> tuple[StackLayer, ...]:
        """The layers for `platform`, lower ones first."""
        return tuple(self._on(self.platform).values())

    @property
    def applications(self) -> tuple[StackLayer, ...]:
        """The applications among `layers`."""
        return tuple(layer for layer in self.layers if layer.kind == "application")

    def layer(self, build_name: str, platform: str | None = None) -> StackLayer:
        """The layer with this build name (`app-hello`), by default for the stack's `platform`.

        Raises `UnknownLayer`: there is none, it is not for that platform, or the run is not.
        """
        layers = self._on(platform or self.platform)
        if build_name not in layers:
            told = unknown_word("layer", build_name, layers) if layers else "there are no layers"
            raise UnknownLayer(f"{told} (for {platform or self.platform})")
        return layers[build_name]

    def _on(self, platform: str) -> dict[str, StackLayer]:
        steps = (step for step in self.graph.steps.values() if isinstance(step, LayerStep))
        builds = (step for step in steps if step.kind is StepKind.BUILD and step.layer.platform == platform)
        return {step.name: StackLayer(_build=step, _stack=self) for step in builds}
