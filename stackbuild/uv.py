"""uv: the commands we run, as values, and the files they read.

uv never sees the user's or the system's configuration: settings come from a generated file, the environment is
cleaned of `UV_*` variables except those that say *how* to reach things (credentials, proxies, cache, TLS).
"""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from stackbuild.graph import LinkedLayer
from stackbuild.platforms import LinuxTarget, TargetPlatform, uv_platform
from stackbuild.process import Command
from stackbuild.pylock import LowerPackage
from stackbuild.spec import UvIndex, UvSettings

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
) -> ResolutionProject:
    """What uv is asked to resolve for a layer. `short_version` is the `X.Y` of its runtime's Python."""
    given = dict(settings.other)
    config = {key: value for key, value in given.items() if key not in _PROJECT_SETTINGS}
    config["no-build"] = True
    config["cache-keys"] = [{"file": "pyproject.toml"}]
    if exclude_newer is not None:
        config["exclude-newer"] = exclude_newer
    tool = {key: value for key, value in given.items() if key in _PROJECT_SETTINGS}
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
        "name": _project_name(linked.build_name),
        "version": "0",
        "dependencies": sorted(str(requirement) for requirement in linked.layer.requirements),
        "requires-python": f"=={short_version}.*",
    }
    return ResolutionProject(pyproject={"project": project, "tool": {"uv": tool}}, config=config)


def _project_name(build_name: str) -> str:
    """A valid project name that no requirement of the layer can be confused with."""
    safe = "".join(character if character.isascii() and character.isalnum() else "-" for character in build_name)
    return canonicalize_name(f"stackbuild-layer-{safe.strip('-') or 'unnamed'}")


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


def lock_command(folder: Path, *, python: Path, environ: Mapping[str, str]) -> Command:
    """Resolve the project in `folder` afresh to its `uv.lock`."""
    return _project_command("lock", folder, python, environ, "--upgrade")


def export_command(folder: Path, *, python: Path, output: Path, environ: Mapping[str, str]) -> Command:
    """Write the project's `uv.lock` as a PEP 751 file. Asks an index only for wheels that it lists without hashes."""
    return _project_command(
        "export",
        folder,
        python,
        environ,
        *("--frozen", "--format", "pylock.toml", "--output-file", os.fspath(output)),
        *("--no-emit-project", "--no-header", "--no-annotate"),
    )


def _project_command(verb: str, folder: Path, python: Path, environ: Mapping[str, str], *arguments: str) -> Command:
    return Command(
        argv=(
            *(executable(), verb, "--project", os.fspath(folder), "--config-file", os.fspath(folder / "uv.toml")),
            *("--python", os.fspath(python), "--no-managed-python", "--no-python-downloads"),
            *("--quiet", *arguments),
        ),
        cwd=folder,
        env=clean_environment(environ),
    )


def sync_command(
    environment_python: Path,
    *,
    pylock: Path,
    platform: TargetPlatform,
    linux_target: LinuxTarget,
    macos_target: str,
    environ: Mapping[str, str],
    indexes: Iterable[UvIndex] = (),
) -> Command:
    """Install exactly the wheels of `pylock` into the environment that `environment_python` belongs to.

    `indexes`: those that have a name are told to uv, whose credentials go by it; nothing is resolved with them.
    """
    named = [index for index in indexes if index.name and index.url.startswith(("http:", "https:"))]
    env = clean_environment(environ)
    env["MACOSX_DEPLOYMENT_TARGET"] = macos_target
    return Command(
        argv=(
            *(executable(), "pip", "sync", "--python", os.fspath(environment_python), "--no-config", "--no-build"),
            *("--python-platform", uv_platform(platform, linux_target), "--no-python-downloads"),
            *(argument for index in named for argument in ("--index", f"{index.name}={index.url}")),
            *("--break-system-packages", "--allow-empty-requirements", os.fspath(pylock)),
        ),
        # uv takes the relative wheel paths of a lock from its folder; the working folder must not matter.
        cwd=pylock.parent,
        env=env,
    )
