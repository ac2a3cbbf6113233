"""The project that is generated for uv to resolve one layer."""

import copy
import os
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stackbuild.locking.pylock import LowerPackage
from stackbuild.spec.fields import absolute_path
from stackbuild.spec.models import UvSettings
from stackbuild.spec.stack import LinkedLayer
from stackbuild.targets.platforms import TargetPlatform

_PROJECT_SETTINGS = frozenset(
    {
        "build-constraint-dependencies",
        "conflicts",
        "constraint-dependencies",
        "environments",
        "exclude-dependencies",
        "override-dependencies",
        "required-environments",
    }
)
"""Settings that uv reads from the project, never from a configuration file."""


@dataclass(frozen=True, kw_only=True)
class ResolutionProject:
    """The generated project that uv resolves for one layer: its `pyproject.toml` and its `uv.toml`, as tables."""

    pyproject: dict[str, Any]
    config: dict[str, Any]


def resolution_project(
    linked: LinkedLayer,
    *,
    settings: UvSettings,
    lower: Sequence[LowerPackage],
    short_version: str,
    exclude_newer: str | None,
    folder: Path,
    local_wheels: Sequence[Path] = (),
    query_index: bool = True,
) -> ResolutionProject:
    """The project to resolve for a layer.

    `short_version`: the `X.Y` of its runtime's Python; `folder`: the base of relative paths in requirements;
    `local_wheels`: folders of wheels, after those of the settings; `query_index`: False to ask no index.
    """
    given = dict(settings.other)
    config = {key: value for key, value in given.items() if key not in _PROJECT_SETTINGS}
    config["no-build"] = True
    if local_wheels:
        config["find-links"] = [*config.get("find-links", ()), *map(os.fspath, local_wheels)]
    if not query_index:
        config["no-index"] = True
    config["cache-keys"] = [{"file": "pyproject.toml"}]
    if exclude_newer is not None:
        config["exclude-newer"] = exclude_newer
    tool = {key: value for key, value in given.items() if key in _PROJECT_SETTINGS}
    tool["workspace"] = {}  # its own workspace, so that uv looks for none in the folders above
    tool["constraint-dependencies"] = [
        *tool.get("constraint-dependencies", ()),
        *(lower_package.package.pin for lower_package in lower),
    ]
    if "environments" not in tool and set(linked.platforms) < set(TargetPlatform):
        # If every platform is targeted, the resolution stays universal, and the lock the same as that of venvstacks.
        tool["environments"] = [platform.environment_marker() for platform in linked.platforms]
    sources = {**settings.sources, **linked.package_indexes}
    indexes = _layer_indexes(linked, settings, used=sources.values())
    if indexes:
        tool["index"] = config["index"] = indexes
    if sources:
        tool["sources"] = {name: {"index": index} for name, index in sorted(sources.items())}
    project = {
        "name": project_name(linked.build_name),
        "version": "0",
        "dependencies": sorted(str(absolute_requirement(item, folder)) for item in linked.layer.requirements),
        "requires-python": f"=={short_version}.*",
    }
    return ResolutionProject(pyproject={"project": project, "tool": {"uv": tool}}, config=config)


def project_name(build_name: str) -> str:
    """A valid project name that no requirement of the layer can be confused with."""
    safe = "".join(character if character.isascii() and character.isalnum() else "-" for character in build_name)
    return canonicalize_name(f"stackbuild-layer-{safe.strip('-') or 'unnamed'}")


_ELSEWHERE = re.compile(r"\$\{|file:/|(?!file:)[A-Za-z][A-Za-z0-9+.-]+:")


def absolute_requirement(requirement: Requirement, folder: Path) -> Requirement:
    """The requirement with an absolute URL, if it has a path or `file:` URL that is relative to `folder`."""
    url = requirement.url
    if url is None or _ELSEWHERE.match(url):
        return requirement
    path, has_fragment, fragment = url.partition("#")
    if path.startswith("file:"):
        path = urllib.parse.unquote(path.removeprefix("file:"))
    absolute = copy.copy(requirement)
    absolute.url = f"{absolute_path(path, folder).as_uri()}{has_fragment}{fragment}"
    return absolute


def _layer_indexes(linked: LinkedLayer, settings: UvSettings, *, used: Iterable[str]) -> list[dict[str, Any]]:
    """The indexes of a layer in order: its priority indexes, no longer explicit, then those that apply or are used."""
    used_names = set(used)
    priority = linked.layer.priority_indexes
    first = [{**settings.named_indexes[name].to_toml(), "explicit": False} for name in priority]
    rest = [
        index
        for index in settings.indexes
        if index.name not in priority and (index.default or not index.explicit or index.name in used_names)
    ]
    rest.sort(key=lambda index: not index.explicit)  # stable: the given order within each kind
    return [*first, *(index.to_toml() for index in rest)]
