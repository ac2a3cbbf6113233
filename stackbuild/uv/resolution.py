"""The project that is generated for uv to resolve one layer."""

import copy
import os
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stackbuild.locking.pylock import LowerPackage
from stackbuild.locking.release_marker import release_marker
from stackbuild.spec.fields import absolute_path
from stackbuild.spec.models import BuildName, UvSettings
from stackbuild.spec.stack import LinkedLayer
from stackbuild.spec.uv_settings import UvSource
from stackbuild.system.urls import Login, taken_out
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import short_version

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

_LOCATION_SETTINGS = frozenset({"extra-index-url", "find-links", "index-url"})


@dataclass(frozen=True, kw_only=True)
class ResolutionProject:
    """The generated project that uv resolves for one layer: its `pyproject.toml` and its `uv.toml`, as tables."""

    pyproject: dict[str, Any]
    config: dict[str, Any]
    logins: tuple[Login, ...] = ()
    """What was taken out of URLs. uv finds each under the name of an index of its own, from which no package comes."""

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ` with the variables of the logins; `${NAME}` is filled in as uv does in URLs."""
        added: dict[str, str] = {}
        named = {index["url"]: index["name"] for index in self._indexes() if "name" in index}
        for place, login in enumerate(self.logins):
            given = index_variable(named.get(login.url, ""))
            if not {f"{given}_USERNAME", f"{given}_PASSWORD"} & environ.keys():  # which come first in uv
                variable = index_variable(_login_index(place))
                added[f"{variable}_USERNAME"] = _filled_in(login.user, environ)
                added[f"{variable}_PASSWORD"] = _filled_in(login.password, environ)
        return {**environ, **added}

    def _indexes(self) -> list[dict[str, Any]]:
        indexes = self.config.get("index", ())
        return [index for index in indexes if not index.get("name", "").startswith(_LOGINS)]


def resolution_project(
    linked: LinkedLayer,
    *,
    settings: UvSettings,
    lower: Sequence[LowerPackage],
    python_version: str,
    exclude_newer: str | None,
    folder: Path,
    local_wheels: Sequence[Path] = (),
    query_index: bool = True,
) -> ResolutionProject:
    """The project to resolve for a layer.

    `python_version`: the full version of its runtime's Python; `folder`: the base of relative paths in requirements;
    `local_wheels`: folders of wheels, after those of the settings; `query_index`: False to ask no index.
    """
    given = dict(settings.other)
    config = {key: value for key, value in given.items() if key not in _PROJECT_SETTINGS}
    config["no-build"] = True
    if local_wheels:
        config["find-links"] = [*config.get("find-links", ()), *map(os.fspath, local_wheels)]
    config |= {key: _as_urls(config[key]) for key in _LOCATION_SETTINGS & config.keys()}
    if not query_index:
        config["no-index"] = True
    config["cache-keys"] = [{"file": "pyproject.toml"}]
    if exclude_newer is not None:
        config["exclude-newer"] = exclude_newer
    tool = {key: value for key, value in given.items() if key in _PROJECT_SETTINGS}
    tool["workspace"] = {}  # its own workspace, so that uv looks for none in the folders above
    by_url = _wheels_by_url(linked, lower, folder)
    tool["constraint-dependencies"] = [
        *tool.get("constraint-dependencies", ()),
        *(by_url.get(item.package.pin, item.package.pin) for item in lower),
    ]
    tool["environments"] = _environments(tool.get("environments", ()), linked.platforms, python_version)
    of_layer = {name: (UvSource(index=index),) for name, index in linked.package_indexes.items()}
    sources = {**settings.sources, **of_layer}
    for item in lower:
        if item.package.pin in by_url:  # uv would rather ask the index than take the wheel
            sources.pop(canonicalize_name(item.package.name), None)
    indexes = _layer_indexes(linked, settings, used={entry.index for entries in sources.values() for entry in entries})
    if indexes:
        tool["index"] = config["index"] = indexes
    if sources:
        tool["sources"] = {name: _source(entries) for name, entries in sorted(sources.items()) if entries}
    project = {
        "name": project_name(linked.build_name),
        "version": "0",
        "dependencies": sorted(str(absolute_requirement(item, folder)) for item in linked.layer.requirements),
        "requires-python": f"=={short_version(python_version)}.*",
    }
    return _without_logins(ResolutionProject(pyproject={"project": project, "tool": {"uv": tool}}, config=config))


_LOGINS = "stackbuild-login-"
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


def index_variable(name: str) -> str:
    """How the variables with the user name and the password of an index begin."""
    return f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', name.upper())}"


def _login_index(place: int) -> str:
    return f"{_LOGINS}{place + 1}"


def _filled_in(text: str, environ: Mapping[str, str]) -> str:
    return urllib.parse.unquote(_VARIABLE.sub(lambda found: environ.get(found[1], found[0]), text))


def _without_logins(project: ResolutionProject) -> ResolutionProject:
    """The project with all logins of URLs apart, so that no file has them."""
    found: dict[str, Login] = {}

    def apart(value: Any) -> Any:  # noqa: ANN401 (any TOML value)
        match value:
            case str():
                text, logins = taken_out(value)
                for login in logins:
                    found.setdefault(login.url, login)
                return text
            case dict():
                return {key: apart(item) for key, item in value.items()}
            case list():
                return [*map(apart, value)]
            case _:
                return value

    pyproject, config = apart(project.pyproject), apart(project.config)
    logins = tuple(found.values())
    added = [{"name": _login_index(place), "url": login.url, "explicit": True} for place, login in enumerate(logins)]
    if added:
        indexes = [*config.get("index", ()), *added]
        config["index"] = pyproject["tool"]["uv"]["index"] = indexes
    return ResolutionProject(pyproject=pyproject, config=config, logins=logins)


def _as_url(location: str) -> str:
    """A location as uv reads any: in a path that is no URL, it would take `#`, `?` and `%` for parts of one."""
    return Path(location).as_uri() if os.path.isabs(location) else location


def _as_urls(given: str | Sequence[str]) -> str | list[str]:
    return _as_url(given) if isinstance(given, str) else [*map(_as_url, given)]


def _source(entries: Sequence[UvSource]) -> dict[str, str] | list[dict[str, str]]:
    tables = [entry.to_toml() for entry in entries]
    return tables[0] if len(tables) == 1 else tables


def _environments(given: str | Sequence[str], platforms: Sequence[TargetPlatform], python_version: str) -> list[str]:
    """The parts of the resolution: what uv is to resolve for one release of Python, and for which platforms."""
    markers = [given] if isinstance(given, str) else list(given)
    if not markers and set(platforms) < set(TargetPlatform):
        # If every platform is targeted, the resolution stays universal, and the lock the same as that of venvstacks.
        markers = [platform.environment_marker() for platform in platforms]
    release = release_marker(python_version)
    return [f"({marker}) and {release}" for marker in markers] or [release]


def _wheels_by_url(linked: LinkedLayer, lower: Sequence[LowerPackage], folder: Path) -> dict[str, str]:
    """Requirements by URL, by pin, for the packages that a layer below has from a wheel that it names by path or URL.

    No index may have these. A layer that names a wheel of the same package itself only gets the pin.
    """
    declared = {layer.build_name: layer.requirements for layer in linked.dependencies}
    own = {canonicalize_name(item.name) for item in linked.layer.requirements if item.url}
    found: dict[str, str] = {}
    for item in lower:
        for requirement in declared.get(BuildName(item.provider), ()):
            if canonicalize_name(requirement.name) not in own and _is_locked_wheel(requirement, item):
                url = absolute_requirement(requirement, folder).url
                marker = f" ; {item.package.marker}" if item.package.marker else ""
                found[item.package.pin] = f"{item.package.name} @ {url}{marker}"
    return found


def _is_locked_wheel(requirement: Requirement, item: LowerPackage) -> bool:
    """Whether a requirement names, by path or URL, the wheel that a lower package is locked to."""
    if requirement.url is None or canonicalize_name(requirement.name) != item.package.name:
        return False
    path = urllib.parse.urlsplit(requirement.url).path
    return [wheel.name for wheel in item.package.wheels] == [urllib.parse.unquote(path.rpartition("/")[2])]


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
    tables = [*first, *(index.to_toml() for index in rest)]
    return [{**table, "url": _as_url(table["url"])} for table in tables]
