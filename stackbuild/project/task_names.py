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


def task_group(kind: StepKind, platform: TargetPlatform | None = None) -> str:
    """The name that tasks of one kind have in common: `build`, or `build@win_amd64` with a platform."""
    return str(kind) if platform is None else f"{kind}@{platform}"


def task_name(kind: StepKind, name: str, platform: TargetPlatform | None = None) -> str:
    """The name of one task."""
    return f"{task_group(kind, platform)}:{name}"
