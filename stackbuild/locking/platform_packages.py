"""What a lock has for one platform: the packages that are needed there, with the wheels that fit it. Pure.

A layer's environment and its archive are made from this, so nothing else of a lock may make them out of date.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from packaging.markers import Marker

from stackbuild.locking.pylock import LockedPackage, LockedWheel, hash_strings
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform, tag_fits


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Where packages are to be installed. `environment`: that of PEP 508 markers; `macos_target`: (major, minor)."""

    platform: TargetPlatform
    environment: Mapping[str, str]
    linux_target: LinuxTarget
    macos_target: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class PlatformPackages:
    """The packages of a lock that are needed on one platform, in file order, with their wheels that fit it."""

    packages: tuple[LockedPackage, ...]

    @cached_property
    def content_hash(self) -> str:
        """A hash of names, versions and wheels, and nothing else: not of where the wheels come from."""
        return hash_strings(sorted(self._parts()))

    def _parts(self) -> Iterator[str]:
        for package in self.packages:
            yield f"{package.name}=={package.version}{' below' if package.is_shared else ''}\n"
            for wheel in package.wheels:
                yield from (f"{wheel.name}:{algorithm}:{value}\n" for algorithm, value in wheel.hashes.items())

    @property
    def newest_upload(self) -> datetime | None:
        """When the newest of the wheels was uploaded, as far as the lock says so."""
        return max((wheel.uploaded for it in self.packages for wheel in it.wheels if wheel.uploaded), default=None)


def platform_packages(packages: Iterable[LockedPackage], where: Installed) -> PlatformPackages:
    """What a lock with these packages has for one platform."""
    fits: dict[str, bool] = {}  # most wheels have one of a few tags

    def is_fitting(wheel: LockedWheel) -> bool:
        tags = wheel.name.removesuffix(".whl").rpartition("-")[2]
        if tags not in fits:
            fits[tags] = any(
                tag_fits(
                    tag, where.platform, linux_target=where.linux_target.installable, macos_target=where.macos_target
                )
                for tag in tags.split(".")
            )
        return fits[tags]

    return PlatformPackages(
        packages=tuple(
            LockedPackage(
                name=package.name,
                version=package.version,
                wheels=tuple(filter(is_fitting, package.wheels)),
                is_shared=package.is_shared,
            )
            for package in packages
            if not package.marker or Marker(package.marker).evaluate(dict(where.environment))
        )
    )
