"""Checks of a finished environment: that it is complete, and that it runs on the oldest system it is for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackbuild.environments.layer_check import ExpectedLayer, layer_problems
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.environments.needed_libraries import LayerLibraries, layer_libraries
from stackbuild.environments.wheel_check import files_of_pure_wheels
from stackbuild.errors import BuildError
from stackbuild.native.binary import Minimum, highest
from stackbuild.native.files import NativeFile, native_files, signing_order
from stackbuild.native.oldest_system import beyond_target, listed_offenders, oldest_system, target_line, way_out
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.lock_status import lock_target
from stackbuild.project.records import NativeFileEntry, NativeFileList
from stackbuild.spec.models import Layer
from stackbuild.system.quantities import counted
from stackbuild.targets.platforms import TargetPlatform

_MOST_PROBLEMS = 20


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The result of checking an environment that may be used."""

    native_files: NativeFileList
    libraries: LayerLibraries
    notices: tuple[str, ...]
    """Warnings about its native files."""


def check_built(layer: ProjectLayer, environment: Path) -> Checked:
    """Check the finished environment of a layer.

    Raises `BuildError` with every problem, or with the files that need a newer system than the layer promises. Other
    layers are not looked at: another thread may be building them.
    """
    target = lock_target(layer, layer.pin)
    layout = layer.layout
    expected = ExpectedLayer(layout=layout, libc=layer.declared.parsed_linux_target.variant)
    problems = layer_problems(environment, expected, peers=False)
    if problems:
        raise _not_sound(layer, problems)
    files = native_files(environment)
    oldest = oldest_system(layer.platform, linux_target=target.linux_target, macos_target=target.macos_target)
    offenders = beyond_target(files, layer.platform, oldest)
    of_python = tuple(item for item in offenders if not _is_of_packages(item[0], layout))
    of_packages = tuple(item for item in offenders if _is_of_packages(item[0], layout))
    helpers = files_of_pure_wheels(environment, str(layout.site_packages)) if files else frozenset()
    of_packages = tuple(item for item in of_packages if item[0].path not in helpers)
    return Checked(
        native_files=file_list(files, layer.platform, system=oldest.system),
        libraries=layer_libraries(
            environment,
            [file for file in files if _is_of_packages(file, layout) and file.path not in helpers],
            layout,
            libc=expected.libc,
            layer=layer.build_name,
            excluded=layer.declared.dynlib_exclude,
        ),
        notices=(
            *target_notices(layer.declared, of_packages, oldest),
            *python_notices(layer.declared, of_python, oldest, copied=layer.pin.source == "interpreter"),
        ),
    )


def _is_of_packages(file: NativeFile, layout: EnvironmentLayout) -> bool:
    """Whether a file is one of packages, not of a runtime's interpreter."""
    return not layout.is_runtime or file.path.startswith(f"{layout.site_packages}/")


def _not_sound(layer: ProjectLayer, problems: tuple[str, ...]) -> BuildError:
    lines = [f"  {problem}" for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"  … and {len(problems) - _MOST_PROBLEMS} more")
    return BuildError(
        "\n".join([f"{layer.build_name}: its environment is not what a layer must be", *lines]),
        hint="if a package brings this, leave it out of the requirements or take another release of it",
    )


def target_notices(layer: Layer, offenders: Sequence[tuple[NativeFile, Minimum]], oldest: Minimum) -> tuple[str, ...]:
    """A warning when there are files that cannot run on `oldest`, the oldest system that the layer is for.

    Raises `BuildError` instead when the layer itself declares that system.
    """
    if not offenders:
        return ()
    field = _target_field(oldest)
    count = f"{counted(len(offenders), 'native file')} of its packages"
    if layer.states(field):
        lines = [f"{layer.build_name}: {count} cannot run on {oldest}, which its {field} promises"]
        lines += [f"  {line}" for line in listed_offenders(offenders)]
        raise BuildError("\n".join(lines), hint=way_out(offenders, oldest))
    worst, needed = offenders[0]
    told = f"{layer.build_name}: {count} cannot run on {oldest}, the default of {field}"
    return (f"{told}: {worst.path} needs {needed}; {way_out(offenders, oldest)}",)


def python_notices(
    layer: Layer, offenders: Sequence[tuple[NativeFile, Minimum]], oldest: Minimum, *, copied: bool
) -> tuple[str, ...]:
    """A warning when the Python of a runtime cannot run on `oldest`. Its source determines that, so it is no error."""
    if not offenders:
        return ()
    (worst, needed), field = offenders[0], _target_field(oldest)
    which = "Python, copied from this machine," if copied else "Python"
    cure = ", or copy one that was built on an older system, or download one" if copied else ""
    promise = f"which its {field} promises" if layer.states(field) else f"the default of {field}"
    told = f"{layer.build_name}: its {which} cannot run on {oldest}, {promise}: {worst.path} needs {needed}"
    if needed.system != oldest.system:
        return (f"{told}; take a Python that is made for {oldest.system}",)
    return (f"{told}; write {target_line(needed)} in its table{cure}",)


def _target_field(oldest: Minimum) -> str:
    return "macosx_target" if oldest.system == "macos" else "linux_target"


def file_list(files: tuple[NativeFile, ...], platform: TargetPlatform, *, system: str) -> NativeFileList:
    """The list of an environment's native files, as it is recorded. `system` is the one that the layer is for.

    Files for another C library do not count for the minimum of all, unless there are no others.
    """
    minimum = highest((file.minimum_on(platform) for file in files), system=system)
    return NativeFileList(
        files=tuple(_entry(file) for file in signing_order(files)), minimum=None if minimum is None else str(minimum)
    )


def _entry(file: NativeFile) -> NativeFileEntry:
    return NativeFileEntry(
        path=file.path,
        format=file.binary.format,
        machines=file.machines,
        kind=file.binary.kind,
        minimum=None if file.minimum is None else str(file.minimum),
    )
