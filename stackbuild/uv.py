"""uv: the commands we run, as values, and the files they read.

uv never sees the user's or the system's configuration: settings come from a generated file, the environment is
cleaned of `UV_*` variables except those that say *how* to reach things (credentials, proxies, cache, TLS).
"""

import copy
import functools
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stackbuild.graph import LinkedLayer
from stackbuild.platforms import LinuxTarget, TargetPlatform, uv_platform
from stackbuild.process import Command
from stackbuild.pylock import LowerPackage
from stackbuild.spec import UvSettings
from stackbuild.spec_fields import absolute_path
from stackbuild.urls import has_credentials, is_remote

_KEPT_VARIABLES = frozenset(
    {
        "UV_ASTRAL_MIRROR_URL",
        "UV_CACHE_DIR",
        "UV_NO_CACHE",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_CONCURRENT_INSTALLS",
        "UV_CREDENTIALS_DIR",
        "UV_GITHUB_TOKEN",
        "UV_HTTP_CONNECT_TIMEOUT",
        "UV_HTTP_TIMEOUT",
        "UV_HTTP_RETRIES",
        "UV_INSECURE_HOST",
        "UV_KEYRING_PROVIDER",
        "UV_LINK_MODE",
        "UV_NATIVE_TLS",
        "UV_SYSTEM_CERTS",
        "UV_OFFLINE",
        "UV_PYTHON_INSTALL_MIRROR",
        "UV_PYPY_INSTALL_MIRROR",
        "UV_PYTHON_DOWNLOADS_JSON_URL",
        "UV_REQUEST_TIMEOUT",
    }
)
_DROPPED_VARIABLES = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP"})

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
"""Settings that uv takes from the project, never from a configuration file."""


@functools.cache
def executable() -> str:
    """The uv that comes with stackbuild's own environment."""
    import uv  # noqa: PLC0415 (looks for files at import)

    return os.fspath(uv.find_uv_bin())


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: nothing in it changes what is resolved or where it is installed."""
    kept = {
        name: value
        for name, value in environ.items()
        if name not in _DROPPED_VARIABLES
        and (not name.startswith("UV_") or name in _KEPT_VARIABLES or _is_credential(name))
    }
    if kept.get("UV_LINK_MODE") == "symlink":
        del kept["UV_LINK_MODE"]  # layers must not lead into the cache of this machine
    return {**kept, "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PREVIEW_FEATURES": "pylock"}


def _is_credential(name: str) -> bool:
    return name.startswith("UV_INDEX_") and name.endswith(("_USERNAME", "_PASSWORD"))


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
    """What uv is asked to resolve for a layer.

    `short_version`: the `X.Y` of its runtime's Python; `folder`: what relative paths in requirements are relative to;
    `local_wheels`: folders of wheels, to come after those of the settings; `query_index`: False to ask no index.
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
    tool["workspace"] = {}  # its own, so that uv looks for none in the folders above
    tool["constraint-dependencies"] = [
        *tool.get("constraint-dependencies", ()),
        *(lower_package.package.pin for lower_package in lower),
    ]
    if "environments" not in tool and set(linked.platforms) < set(TargetPlatform):
        # With every platform targeted the resolution stays universal, and the lock the same as the peer tool's.
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
    """The requirement with an absolute URL where it names a file by a path or `file:` URL relative to `folder`."""
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


def found_no_solution(said: str) -> bool:
    """Whether `uv lock` failed because requirements cannot be fulfilled together, by what it said."""
    return "No solution found" in said


def _is_offline(environ: Mapping[str, str]) -> bool:
    """Whether uv may not use the network: then it refuses to be told to refresh."""
    return environ.get("UV_OFFLINE", "").lower() in ("1", "true", "t", "yes", "y", "on")


def lock_command(folder: Path, *, python: Path, environ: Mapping[str, str], refresh: bool = False) -> Command:
    """Resolve the project in `folder` to its `uv.lock`, which must not be there to have no influence.

    What uv has in its cache counts for as long as the index lets it, metadata of wheels for ever; `refresh`: the index
    is asked for all of it again. (uv's `--upgrade` does that too.)
    """
    return _project_command(
        "lock", folder, python, environ, *(["--refresh"] if refresh and not _is_offline(environ) else [])
    )


def export_command(folder: Path, *, python: Path, output: Path, environ: Mapping[str, str]) -> Command:
    """Write the project's `uv.lock` as a PEP 751 file. Asks an index only for wheels that it lists without hashes."""
    return _project_command(
        "export",
        folder,
        python,
        environ,
        *("--frozen", "--format", "pylock.toml", "--output-file", os.fspath(output)),
        *("--no-emit-project", "--no-header", "--no-annotate"),
        "--quiet",  # it would print the file as well
    )


def _project_command(verb: str, folder: Path, python: Path, environ: Mapping[str, str], *arguments: str) -> Command:
    return Command(
        argv=(
            *(executable(), verb, "--project", os.fspath(folder), "--config-file", os.fspath(folder / "uv.toml")),
            *("--python", os.fspath(python), "--no-managed-python", "--no-python-downloads"),
            *arguments,
        ),
        cwd=folder,
        env=clean_environment(environ),
    )


def sync_command(
    python: Path,
    *,
    prefix: Path,
    pylock: Path,
    python_version: str,
    platform: TargetPlatform,
    linux_target: LinuxTarget,
    macos_target: str,
    environ: Mapping[str, str],
    servers: Sequence[str] = (),
) -> Command:
    """Install exactly the wheels of `pylock` that fit a platform into the empty folder `prefix`.

    The folder is laid out as a virtual environment of this machine. `python`: of the same implementation and feature
    release as the one that will use the packages, whose full version is `python_version`. `servers`: see `servers`;
    told in a variable, for everyone on a machine can read the arguments of a process.
    """
    env = clean_environment(environ)
    env["MACOSX_DEPLOYMENT_TARGET"] = macos_target
    if servers:
        env["UV_INDEX"] = " ".join(servers)
    return Command(
        argv=(
            *(executable(), "pip", "sync", "--python", os.fspath(python), "--prefix", os.fspath(prefix)),
            *("--python-version", python_version, "--python-platform", uv_platform(platform, linux_target)),
            *("--no-config", "--no-build", "--no-python-downloads"),
            *("--break-system-packages", "--allow-empty-requirements", os.fspath(pylock)),
        ),
        # uv takes the relative wheel paths of a lock from its folder; the working folder must not matter.
        cwd=pylock.parent,
        env=env,
    )


def servers(linked: LinkedLayer, settings: UvSettings) -> tuple[str, ...]:
    """The servers whose credentials an installation may need, as uv's `UV_INDEX` has them; no package is looked up.

    Named indexes, whose credentials may come from variables, and every URL that brings its own: locks have none.
    """
    named = [f"{index.name}={index.url}" for index in settings.indexes if index.name and is_remote(index.url)]
    unnamed = [index.url for index in settings.indexes if not index.name]
    others = [*unnamed, *_other_locations(settings), *(item.url or "" for item in linked.layer.requirements)]
    found = [*named, *(url.partition("#")[0] for url in others if has_credentials(url))]
    return tuple(dict.fromkeys(location.replace(" ", "%20") for location in found))


def _other_locations(settings: UvSettings) -> Iterator[str]:
    for key in ("index-url", "extra-index-url", "find-links"):
        value = settings.other.get(key, ())
        yield from [value] if isinstance(value, str) else value
