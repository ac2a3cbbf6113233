"""What a user asks for, as values: operations on layers, places and settings, and how much is shown.

The command line is made of these before it knows what it is asked, so nothing that is slow to import belongs here.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path


class Kind(StrEnum):
    """The steps, in the order in which a layer goes through them."""

    LOCK = "lock"
    BUILD = "build"
    ARCHIVE = "archive"
    EXPORT = "export"
    MANIFEST = "manifest"


class Wish(Enum):
    """What is to become of one operation on one layer."""

    NO = "no"
    IF_NEEDED = "if-needed"
    YES = "yes"


@dataclass(frozen=True, kw_only=True)
class Related:
    """Whether an operation on the included layers extends to their relatives."""

    lock_dependencies: bool = False
    build_dependencies: bool = False
    publish_dependencies: bool = False
    build_derived: bool = False
    publish_derived: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a command asks for. `include` and `reset_lock` are fnmatch patterns of build names (no include: all layers).

    lock, build, publish: the wishes for included layers; may_lock: whether dependencies of included layers are locked
    where that is needed; may_build: whether whatever the others need is built where it is not.
    """

    lock: Wish = Wish.NO
    build: Wish = Wish.NO
    publish: bool = False
    may_lock: bool = False
    may_build: bool = False
    include: tuple[str, ...] = ()
    reset_lock: tuple[str, ...] = ()
    related: Related = Related()


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


@dataclass(frozen=True, kw_only=True)
class Where:
    """The specification that a command is about, and the options of the run."""

    spec: Path
    options: Options


@dataclass(frozen=True, kw_only=True)
class Showing:
    """How much a command prints. show_only, and json without show: only the selection is shown, nothing is done."""

    quiet: bool = False
    verbose: int = 0
    show: bool = False
    show_only: bool = False
    json: bool = False
    timings: bool = False
    report: Path | None = None
    events: Path | None = None

    @property
    def shows(self) -> bool:
        return self.show or self.show_only or self.json

    @property
    def only_shows(self) -> bool:
        return self.show_only or (self.json and not self.show)
