"""What a user may set beside the specification."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may set beside the specification; `None` leaves it to the specification or the default."""

    build_dir: str = "_build"
    artifacts_dir: str = "_artifacts"
    export_dir: str = "_export"
    archive_format: str | None = None
    runtime_source: str | None = None
    """One, or several separated by commas."""
    tag_outputs: bool = False
    local_wheels: tuple[str, ...] = ()
    """Folders of wheels for this run, relative to the specification's folder; no part of a lock's validity."""
    query_index: bool = True
    """Whether package indexes may be asked in this run; no part of a lock's validity."""
    platforms: tuple[str, ...] = ()
    """The platforms that layers are built for in this run; empty for this machine's."""
    named_platforms: tuple[str, ...] = ()
    """Further platforms that tasks are asked for by name."""
