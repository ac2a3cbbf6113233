"""The error for packages without a wheel for some platforms of a layer: what is lacking, why, what would work. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stackbuild.errors import LockError
from stackbuild.locking.refinement import LockTarget, MissingWheels, wheel_tags
from stackbuild.targets.platforms import TargetPlatform, oldest_needed
from stackbuild.targets.pythons import PinnedPython, PythonKind

_SHOWN_PYTHONS = 6


def missing_wheels_error(
    layer: str, target: LockTarget, missing: Sequence[MissingWheels], *, declared: Iterable[Requirement] = ()
) -> LockError:
    """One error for all missing wheels of a layer. `declared`: the requirements of the layer itself."""
    python = PinnedPython(kind=target.kind, version=target.python_version).feature_release
    with_python = "" if target.kind is PythonKind.CPYTHON else f", with {python}"
    lines = [f"{layer}: no wheels for some of the platforms that this layer targets{with_python}"]
    lines += [f"  {package}: none for {', '.join(_gaps(package, target))}" for package in missing]
    hints = [*_raised_targets(missing, target), *_limits(missing, target), *_markers(missing, target, declared)]
    return LockError("\n".join(lines), hint="\nhint: ".join(hints))


def _gaps(package: MissingWheels, target: LockTarget) -> list[str]:
    """The platforms that lack a wheel; those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for platform in sorted(package.platforms):
        by_reason.setdefault(_reason(package, platform, target), []).append(platform)
    return [f"{', '.join(platforms)}{reason}" for reason, platforms in by_reason.items()]


def _reason(package: MissingWheels, platform: TargetPlatform, target: LockTarget) -> str:
    """What the wheels of a package are for instead; empty when there is none that is nearly right."""
    fitting = target.platform_tags(package.wheels)
    if raised := _raised_target(package, platform, target):
        return f" (its wheels need {raised[1]})"
    if others := oldest_needed(fitting, platform):
        return f" (its wheels need {_system(next(iter(others.items())))})"
    if not target.without_wheel([platform], package.wheels, any_python=True):
        return f" (its wheels are for {_pythons(package, platform, target)})"
    return ""


def _pythons(package: MissingWheels, platform: TargetPlatform, target: LockTarget) -> str:
    """The interpreter tags of the wheels for a platform, in the order of versions."""
    for_it = [wheel for wheel in package.wheels if not target.without_wheel([platform], [wheel], any_python=True)]
    names = {tag.interpreter for tag in wheel_tags(for_it)}
    ordered = sorted(names, key=lambda name: (re.sub(r"\d", "", name), len(name), name))
    return ", ".join(ordered[:_SHOWN_PYTHONS]) + (", …" if len(ordered) > _SHOWN_PYTHONS else "")


def _system(needed: tuple[str, tuple[int, int]]) -> str:
    system, (major, minor) = needed
    return f"macOS {major}.{minor}" if system == "macos" else f"{system} {major}.{minor}"


# A newer system


def _raised_target(
    package: MissingWheels, platform: TargetPlatform, target: LockTarget
) -> tuple[str, str, tuple[int, int]] | None:
    """The field, the system in words, and the version to which the field must be raised for wheels to fit."""
    needed = oldest_needed(target.platform_tags(package.wheels), platform)
    system = target.linux_target.variant if platform.is_linux else "macos"
    if system not in needed:
        return None
    if not platform.is_linux:
        return "macosx_target", _system((system, needed[system])), needed[system]
    raised = target.linux_target.raised_to(needed[system])
    return None if raised is None else ("linux_target", _system((system, needed[system])), raised.version)


def _raised_targets(missing: Sequence[MissingWheels], target: LockTarget) -> Iterator[str]:
    """The line for each field that has to be raised, with the packages that want it."""
    versions: dict[str, tuple[int, int]] = {}
    wanted_by: dict[str, list[str]] = {}
    for package in missing:
        for platform in package.platforms:
            if raised := _raised_target(package, platform, target):
                field, _, version = raised
                versions[field] = max(versions.get(field, version), version)
                wanted_by.setdefault(field, []).append(str(package))
    for field, (major, minor) in versions.items():
        packages = ", ".join(dict.fromkeys(wanted_by[field]))
        prefix = f"{target.linux_target.variant}@" if field == "linux_target" else ""
        yield f'if the layer need not run on older systems, write {field} = "{prefix}{major}.{minor}" ({packages})'


# Other platforms


def _limits(missing: Sequence[MissingWheels], target: LockTarget) -> Iterator[str]:
    """The `platforms` line that works for what no newer system can mend."""
    lacking = {
        platform
        for package in missing
        for platform in package.platforms
        if not _raised_target(package, platform, target)
    }
    if not lacking:
        return
    if complete := sorted(set(target.platforms) - lacking):
        yield f"limit the layer to the platforms that have all wheels: platforms = [{_listed(complete)}]"
        return
    others = sorted(
        platform
        for platform in TargetPlatform
        if not any(target.without_wheel([platform], package.wheels) for package in missing)
    )
    elsewhere = f", only {', '.join(others)}" if others else ""
    yield (
        f"no platform of the layer has wheels for all of them{elsewhere}: build the missing wheels beforehand "
        'and offer them, for example with `find-links = ["wheels"]` in [tool.uv]'
    )


def _listed(platforms: Iterable[TargetPlatform]) -> str:
    return ", ".join(f'"{platform}"' for platform in platforms)


_SYSTEM_MARKERS = {"linux": "linux", "macosx": "darwin", "win": "win32"}


def _markers(missing: Sequence[MissingWheels], target: LockTarget, declared: Iterable[Requirement]) -> Iterator[str]:
    """The marker for a requirement of the layer itself that exists for some systems only, such as `pywin32`.

    What other packages require cannot be left out here.
    """
    unconditional = {canonicalize_name(item.name): item for item in declared if item.marker is None and not item.url}
    for package in missing:
        requirement = unconditional.get(canonicalize_name(package.name))
        if requirement is not None and not _is_raised(package, target):
            yield from marker_hint(requirement, package.platforms, target.platforms)


def marker_hint(
    requirement: Requirement, lacking: Iterable[TargetPlatform], platforms: Iterable[TargetPlatform]
) -> Iterator[str]:
    """The requirement with a marker, if its package lacks wheels for whole systems. `platforms`: all of the layer."""
    without = set(lacking)
    systems = {platform.system for platform in without}
    having = {platform.system for platform in set(platforms) - without}
    if having and not systems & having:
        marker = " and ".join(f"sys_platform != '{_SYSTEM_MARKERS[system]}'" for system in sorted(systems))
        if len(having) == 1:
            marker = f"sys_platform == '{_SYSTEM_MARKERS[having.pop()]}'"
        yield f'if {requirement.name} is not needed elsewhere, require it as "{requirement} ; {marker}"'


def _is_raised(package: MissingWheels, target: LockTarget) -> bool:
    return any(_raised_target(package, platform, target) for platform in package.platforms)
