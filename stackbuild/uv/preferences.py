"""What uv should keep: the packages of an earlier lock, as the `uv.lock` that uv takes its preferences from."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from stackbuild.locking.pylock import NO_INDEX, LockedPackage
from stackbuild.uv.resolution import ResolutionProject

_OPTIONS = {
    "exclude-newer": "exclude-newer",
    "fork-strategy": "fork-strategy",
    "prerelease": "prerelease-mode",
    "resolution": "resolution-mode",
}
"""Settings that uv notes in its locks, and what it calls them there. Some releases ignore a lock with other values."""


def preferences(packages: Iterable[LockedPackage], project: ResolutionProject) -> dict[str, Any]:
    """The table of a `uv.lock` that names versions only, so that uv resolves again and prefers these.

    uv takes a preferred version wherever the requirements, the index and its other settings still allow it. A package
    with several versions has them for the platforms of their markers. `project`: what uv is going to resolve.
    """
    tool, config = project.pyproject["tool"]["uv"], project.config
    urls = {index["name"]: index["url"] for index in tool.get("index", ()) if "name" in index}
    sources = {name: urls.get(source["index"]) for name, source in tool.get("sources", {}).items()}
    versions: dict[str, dict[str, list[LockedPackage]]] = defaultdict(lambda: defaultdict(list))
    for package in packages:
        if package.version:
            versions[package.name][package.version].append(package)
    tables = [
        _preference(entries, source=sources.get(name), several=len(by_version) > 1)
        for name, by_version in versions.items()
        for entries in by_version.values()
    ]
    options = {noted: config[name] for name, noted in _OPTIONS.items() if name in config}
    requires_python = project.pyproject["project"]["requires-python"]
    return {"version": 1, "requires-python": requires_python, "options": options, "package": tables}


def _preference(entries: Sequence[LockedPackage], *, source: str | None, several: bool) -> dict[str, Any]:
    """One version of a package, which may have several entries with markers.

    `source`: the index that the package is said to come from. uv prefers no version from another one, and locks do not
    name folders.
    """
    package = entries[0]
    # for uv a package must come from somewhere
    index = (source or ".") if package.index == NO_INDEX else package.index
    table: dict[str, Any] = {"name": package.name, "version": package.version, "source": {"registry": index}}
    markers = [entry.marker for entry in entries]
    if several and all(markers):
        table["resolution-markers"] = markers
    return table
