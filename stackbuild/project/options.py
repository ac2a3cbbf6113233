"""What a user may set for a run, besides the specification."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may set for a run. `None`: the specification or the default decides."""

    build_dir: str = "_build"
    artifacts_dir: str = "_artifacts"
    export_dir: str = "_export"
    archive_format: str | None = None
    runtime_source: str | None = None
    """One, or several separated by commas."""
    compatible_with: str | None = None
    """A tool to do as, also where the defaults differ: `venvstacks`."""
    tag_outputs: bool = False
    local_wheels: tuple[str, ...] = ()
    """Folders of wheels for this run, relative to the specification's folder. Locks stay valid without them."""
    query_index: bool = True
    """Whether this run may ask package indexes. It makes no difference to whether locks are valid."""
    platforms: tuple[str, ...] = ()
    """The platforms that layers are built for in this run; empty for this machine's."""
    prefix: str = ""
    """What the names of tasks begin with, where one `dodo.py` has several stacks."""
    named_platforms: tuple[str, ...] = ()
    """Further platforms, which appear in the names of requested tasks."""
