"""Names of tasks: the kinds of steps, and the names that doit and people use."""

from enum import StrEnum

from stackbuild.targets.platforms import TargetPlatform


class StepKind(StrEnum):
    """The steps, in the order in which a layer goes through them."""

    LOCK = "lock"
    BUILD = "build"
    ARCHIVE = "archive"
    EXPORT = "export"
    MANIFEST = "manifest"


APPLICATION = "app"
"""The group of tasks that make applications runnable."""

TASK_GROUPS = (*map(str, StepKind), APPLICATION)
"""The names that the tasks of a stack begin with, without prefix and platform."""


def task_group(kind: StepKind | str, platform: TargetPlatform | None = None, *, prefix: str = "") -> str:
    """The name that tasks of one kind have in common: `build`, or `build@win_amd64` with a platform.

    `prefix` is that of their stack.
    """
    group = str(kind) if platform is None else f"{kind}@{platform}"
    return f"{prefix}:{group}" if prefix else group


def task_name(kind: StepKind | str, name: str, platform: TargetPlatform | None = None, *, prefix: str = "") -> str:
    """The name of one task."""
    return f"{task_group(kind, platform, prefix=prefix)}:{name}"
