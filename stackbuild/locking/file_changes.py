"""What an index changed: files of packages that stay at their version, and packages that could not stay. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from stackbuild.locking.newer_releases import excluding
from stackbuild.locking.pylock import LockedPackage

_SHOWN = 16
"""Hexadecimal digits of a hash that tell two of them apart for a reader."""


def file_changes(
    before: Iterable[LockedPackage], now: Iterable[LockedPackage], *, fits: Callable[[str], bool]
) -> Iterator[str]:
    """A sentence for each locked wheel that is gone or has other content, although its package has the same version.

    `fits`: whether a layer can still use a wheel with this file name; uv leaves out the others. New wheels of a release
    are not told: they are common, and take nothing away.
    """
    old, new = _wheels(before), _wheels(now)
    for (name, version), wheels in sorted(new.items()):
        for wheel, hashes in sorted(old.get((name, version), {}).items()):
            if wheel not in wheels and fits(wheel):
                yield f"{wheel}, which was locked, is no longer offered"
            found = wheels.get(wheel, {})
            for algorithm in sorted(hashes.keys() & found.keys()):
                if hashes[algorithm] != found[algorithm]:
                    yield (
                        f"{wheel} has other content than when it was locked: {algorithm} was "
                        f"{hashes[algorithm][:_SHOWN]}…, is {found[algorithm][:_SHOWN]}…; find out why before "
                        "you commit the lock"
                    )


def moved_versions(
    before: Iterable[LockedPackage], now: Iterable[LockedPackage], *, declared: Iterable[str]
) -> dict[str, tuple[str, str]]:
    """The old and the new version of each package that moved, by name, though its layer's requirements allow the old.

    Only packages with one version in both locks, and their own wheels.
    """
    old, new = (dict(_versions(it)) for it in (before, now))
    requirements = list(declared)
    return {
        name: (old[name], new[name])
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name] and not list(excluding(requirements, name, old[name]))
    }


def _versions(packages: Iterable[LockedPackage]) -> Iterator[tuple[str, str]]:
    found: dict[str, set[str]] = {}
    for package in packages:
        if not package.is_shared and package.version:
            found.setdefault(package.name, set()).add(package.version)
    yield from ((name, min(versions)) for name, versions in found.items() if len(versions) == 1)


def _wheels(packages: Iterable[LockedPackage]) -> Mapping[tuple[str, str], dict[str, Mapping[str, str]]]:
    """The hashes of each wheel by file name, for each package and version that is not shared."""
    found: dict[tuple[str, str], dict[str, Mapping[str, str]]] = {}
    for package in packages:
        if not package.is_shared:
            by_name = found.setdefault((package.name, package.version), {})
            by_name.update((wheel.name, wheel.hashes) for wheel in package.wheels)
    return found
