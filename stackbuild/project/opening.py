"""Open a specification for one run: read it, and combine it with the options and the environment variables."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from stackbuild.errors import StackbuildError
from stackbuild.project.folders import check_folders, check_names
from stackbuild.project.modules import counts
from stackbuild.project.options import Options
from stackbuild.project.paths import Workspace, lexical_path
from stackbuild.project.project import Project
from stackbuild.project.task_names import TASK_GROUPS
from stackbuild.spec.exclude_newer import parse_exclude_newer
from stackbuild.spec.fields import known_word
from stackbuild.spec.models import ARCHIVE_FORMATS, COMPATIBLE_TOOLS, RUNTIME_SOURCES, BuildName
from stackbuild.spec.stack import Stack, read_stack
from stackbuild.spec.uv_variables import with_connection_settings
from stackbuild.targets.platforms import TargetPlatform, current_platform, meant_platform


def open_project(spec: str | os.PathLike[str], options: Options, environ: Mapping[str, str]) -> Project:
    """Read and check a specification for one run. Raises `SpecError` with all its problems."""
    workspace = Workspace.of_spec(
        Path(spec),
        build_dir=options.build_dir,
        artifacts_dir=options.artifacts_dir,
        export_dir=options.export_dir,
    )
    check_names(workspace.spec, workspace.build, workspace.artifacts, workspace.export)
    stack = read_stack(workspace.spec)
    check_folders(workspace, options, [layer.build_name for layer in stack.spec.layers])
    _check_modules(stack, workspace)
    _check_exclude_newer(environ)
    settings = stack.spec.settings
    here = _platform()
    environ = _with_absolute_paths(with_connection_settings(stack.spec.uv, environ))
    return Project(
        stack=stack,
        workspace=workspace,
        platform=here,
        here=here,
        platforms=_platforms(options.platforms, stack, here) or (here,),
        named_platforms=_platforms(options.named_platforms, stack, here),
        names_platforms=bool(options.platforms or options.named_platforms),
        environ=environ,
        runtime_sources=_runtime_sources(
            options.runtime_source or environ.get("STACKBUILD_RUNTIME_SOURCE"), settings.runtime_source
        ),
        archive_choice=_archive_choice(
            options.archive_format or environ.get("STACKBUILD_ARCHIVE_FORMAT") or settings.archive_format
        ),
        like_venvstacks=_is_like_venvstacks(
            options.compatible_with or environ.get("STACKBUILD_COMPATIBLE_WITH") or settings.compatible_with
        ),
        tag_outputs=options.tag_outputs,
        local_wheels=_local_wheels(options.local_wheels, workspace.spec.parent),
        query_index=options.query_index,
        prefix=_prefix(options.prefix),
    )


def _prefix(given: str) -> str:
    """A prefix of task names. Raises `StackbuildError` if doit or people could take it for something else."""
    if given and (not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", given) or given in TASK_GROUPS):
        raise StackbuildError(
            f"{given!r} cannot be the prefix of tasks",
            hint=f"take letters and digits, and none of {', '.join(TASK_GROUPS)}",
        )
    return given


def _runtime_sources(given: str | None, specified: tuple[str, ...]) -> tuple[str, ...]:
    """The sources that the user gives, separated by commas, else those of the specification."""
    names = tuple(name.strip() for name in given.split(",")) if given else specified
    return tuple(dict.fromkeys(_choice("runtime source", name, RUNTIME_SOURCES) for name in names))


_PATHS_IN_ENVIRONMENT = (
    "STACKBUILD_CACHE_DIR",
    "UV_CACHE_DIR",
    "UV_CREDENTIALS_DIR",
    "UV_PYPY_INSTALL_MIRROR",
    "UV_PYTHON_DOWNLOADS_JSON_URL",
    "UV_PYTHON_INSTALL_MIRROR",
)


def _with_absolute_paths(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment variables with absolute paths: uv runs in other folders.

    A mirror in a folder becomes the URL that uv expects.
    """
    given = {name: environ[name] for name in _PATHS_IN_ENVIRONMENT if environ.get(name)}
    paths = {name: Path(os.path.abspath(value)) for name, value in given.items() if "://" not in value}
    return {
        **environ,
        **{name: path.as_uri() if name.endswith("MIRROR") else os.fspath(path) for name, path in paths.items()},
    }


def _local_wheels(given: tuple[str, ...], base: Path) -> tuple[Path, ...]:
    folders = tuple(lexical_path(text, base=base) for text in given)
    for folder in folders:
        if not folder.is_dir():
            raise StackbuildError(
                f"the folder of local wheels {folder} does not exist",
                hint="--local-wheels takes a folder, relative to the specification's folder",
            )
    return folders


def _check_modules(stack: Stack, workspace: Workspace) -> None:
    """Raise `StackbuildError` when a module contains a folder that layers are made in."""
    for layer in stack.spec.applications:
        for module in (layer.launch_module, *layer.support_modules):
            for folder in (workspace.build, workspace.artifacts, workspace.export):
                if counts(module, folder):
                    raise StackbuildError(
                        f"{layer.build_name}: its module {module} holds {folder}, where layers are made",
                        hint="choose a folder outside it (--build-dir, --output-dir), or have .gitignore exclude it",
                    )


def _check_exclude_newer(environ: Mapping[str, str]) -> None:
    if text := environ.get("UV_EXCLUDE_NEWER"):
        try:
            parse_exclude_newer(text)
        except ValueError as error:
            raise StackbuildError(f"UV_EXCLUDE_NEWER: {error}") from None


def _platform() -> TargetPlatform:
    try:
        return current_platform()
    except ValueError as error:
        raise StackbuildError(f"stackbuild has no target platform for this machine: {error}") from error


def _platforms(given: Iterable[str], stack: Stack, here: TargetPlatform) -> tuple[TargetPlatform, ...]:
    """The platforms with these names, each once. Raises `StackbuildError` for names that a run cannot be for."""
    names = list(dict.fromkeys(name.strip() for name in given))
    unknown = [name for name in names if name not in tuple(TargetPlatform)]
    if unknown:
        meant = [platform for name in unknown if (platform := meant_platform(name))]
        usable = meant if len(meant) == len(unknown) else list(TargetPlatform)
        raise StackbuildError(
            f"{', '.join(map(repr, unknown))}: no platform that is supported",
            hint=f"use {'some of ' if usable is not meant else ''}{', '.join(usable)}",
        )
    taken = [name for name in names if name != here and BuildName(name) in stack.by_build_name]
    if taken:
        raise StackbuildError(
            f"{', '.join(taken)} is the name of a layer as well, so that the folders of both would be one",
            hint="rename the layer",
        )
    targeted = {platform for linked in stack.layers for platform in linked.platforms}
    idle = [name for name in names if TargetPlatform(name) not in targeted]
    if idle:
        raise StackbuildError(
            f"no layer is for {', '.join(idle)}",
            hint=f"see `platforms` in the specification; the layers are for {', '.join(sorted(targeted)) or 'none'}",
        )
    return tuple(map(TargetPlatform, names))


def _archive_choice(given: str | None) -> str | None:
    return None if given is None else _choice("archive format", given, ARCHIVE_FORMATS)


def _is_like_venvstacks(given: str | None) -> bool:
    return given is not None and _choice("tool", given, COMPATIBLE_TOOLS) == "venvstacks"


def _choice(what: str, value: str, known: tuple[str, ...]) -> str:
    try:
        return known_word(what, value, known)
    except ValueError as error:
        raise StackbuildError(str(error)) from None
