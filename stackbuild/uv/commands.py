"""uv: the commands we run, as values, and the files they read.

uv never sees the user's or the system's configuration: settings come from a generated file, the environment is cleaned
of `UV_*` variables, except those that say *how* to reach things (credentials, proxies, cache, TLS). `environ` contains
what the specification says about that.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stackbuild.spec.models import UvSettings
from stackbuild.spec.stack import LinkedLayer
from stackbuild.system.process import Command
from stackbuild.system.urls import has_credentials, is_remote
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform, uv_platform
from stackbuild.uv.program import clean_environment, executable


def found_no_solution(said: str) -> bool:
    """Whether `uv lock` failed because requirements conflict, according to its output."""
    return "No solution found" in said


def _is_offline(environ: Mapping[str, str]) -> bool:
    """Whether uv may not use the network: then it refuses to refresh."""
    return environ.get("UV_OFFLINE", "").lower() in ("1", "true", "t", "yes", "y", "on")


def lock_command(
    folder: Path, *, python: Path, environ: Mapping[str, str], refresh: bool = False, upgrade: Sequence[str] = ()
) -> Command:
    """Resolve the project in `folder` to its `uv.lock`. If there is one, its versions are preferred.

    uv uses its cache for as long as the index allows, and metadata of wheels forever. `refresh`: the index is asked for
    everything again, as with uv's `--upgrade`. `upgrade`: requirements for packages whose versions are not preferred.
    """
    return _project_command(
        "lock",
        folder,
        python,
        environ,
        *(["--refresh"] if refresh and not _is_offline(environ) else []),
        *(f"--upgrade-package={requirement}" for requirement in upgrade),
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
        "--quiet",  # otherwise it would print the file, too
    )


def newest_command(
    folder: Path, *, python: Path, python_version: str, output: Path, environ: Mapping[str, str]
) -> Command:
    """Find the newest release of each dependency of the project in `folder`, whatever these need, as a PEP 751 file."""
    return Command(
        argv=(
            *(executable(), "pip", "compile", "pyproject.toml", "--config-file", os.fspath(folder / "uv.toml")),
            *("--python", os.fspath(python), "--python-version", python_version, "--no-python-downloads"),
            *("--universal", "--no-deps", "--format", "pylock.toml", "--output-file", os.fspath(output)),
            *("--no-header", "--no-annotate", "--quiet"),
        ),
        cwd=folder,
        env=clean_environment(environ),
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
    they are passed in a variable, because everyone on a machine can read the arguments of a process.
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
        # In uv, relative wheel paths of a lock are relative to its folder; the working folder must not matter.
        cwd=pylock.parent,
        env=env,
    )


def servers(linked: LinkedLayer, settings: UvSettings) -> tuple[str, ...]:
    """The servers whose credentials an installation may need, in the form of `UV_INDEX`; no package is looked up there.

    Named indexes, whose credentials may come from variables, and every URL with credentials: locks have none.
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
