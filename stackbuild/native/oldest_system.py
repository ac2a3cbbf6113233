"""Whether native files run on the oldest system that a layer is for. Pure."""

from collections.abc import Iterable, Sequence

from stackbuild.native.binary import Minimum
from stackbuild.native.files import NativeFile
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform

_SHOWN = 20


def oldest_system(platform: TargetPlatform, *, linux_target: LinuxTarget, macos_target: tuple[int, int]) -> Minimum:
    """The oldest system of the platform according to the layer's targets. Windows has no target: any version."""
    if platform.is_linux:
        return Minimum(linux_target.variant, linux_target.version)
    return Minimum("macos", macos_target) if platform.is_macos else Minimum("windows")


def beyond_target(
    files: Iterable[NativeFile], platform: TargetPlatform, oldest: Minimum
) -> tuple[tuple[NativeFile, Minimum], ...]:
    """The files that need a newer system than `oldest`, each with what it needs; those that need the newest first.

    Code for other systems and machines is skipped: wheels contain it on purpose, such as launchers for Windows or code
    for both machines of macOS. Files do not say which version of musl they need.
    """
    found = [(file, needed) for file in files if (needed := file.minimum_on(platform)) and _is_beyond(needed, oldest)]
    return tuple(sorted(found, key=lambda item: (*(-part for part in item[1].version or (0, 0)), item[0].path)))


def _is_beyond(needed: Minimum, oldest: Minimum) -> bool:
    if needed.system != oldest.system:
        return True
    return needed.version is not None and oldest.version is not None and needed.version > oldest.version


def target_line(needed: Minimum) -> str:
    """The line of a layer's table that names this oldest system."""
    if needed.system == "macos" and needed.version is not None:
        return f'macosx_target = "{needed.version[0]}.{needed.version[1]}"'
    return f'linux_target = "{needed}"'


def listed_offenders(offenders: Sequence[tuple[NativeFile, Minimum]]) -> list[str]:
    """A line for each offender, and the number of those left out."""
    lines = [f"{file.path}: needs {needed}" for file, needed in offenders[:_SHOWN]]
    return [*lines, *([f"… and {len(offenders) - _SHOWN} more"] if len(offenders) > _SHOWN else [])]


def way_out(offenders: Sequence[tuple[NativeFile, Minimum]], oldest: Minimum) -> str:
    """What to do about offenders: raise the target, unless they are for another C library."""
    if any(needed.system != oldest.system for _, needed in offenders):
        return f"take wheels that are made for {oldest.system}"
    return f"write {target_line(offenders[0][1])} in its table, or take wheels for older systems"
