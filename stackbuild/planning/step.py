"""A step: one task of the graph."""

from dataclasses import dataclass

from stackbuild.project.task_names import Kind, task_name
from stackbuild.spec.stack import LinkedLayer
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True, repr=False)
class Step:
    """One task: a step on a layer, or the manifest of an output folder (then `linked` is None)."""

    kind: Kind
    name: str
    linked: LinkedLayer | None = None
    platform: TargetPlatform | None = None
    """`None` for locks, which are for all platforms, and for this machine's unless the run names its platforms."""

    @property
    def task_name(self) -> str:
        """`build:app-hello`, or `build@win_amd64:app-hello` with a platform."""
        return task_name(self.kind, self.name, self.platform)

    def __repr__(self) -> str:
        return f"<step {self.task_name}>"
