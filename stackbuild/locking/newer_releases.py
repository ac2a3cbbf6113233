"""Newer releases of locked packages, and what keeps a layer from having them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from stackbuild.locking.pylock import LockedPackage, LowerPackage
from stackbuild.locking.refinement import LockTarget


class HolderKind(StrEnum):
    """What can hold a package at its version."""

    LOCK = "lock"
    """Nothing but the lock: an upgrade takes the newest release."""
    REQUIREMENT = "requirement"
    """A requirement of the layer."""
    SETTING = "setting"
    """A constraint or an override in the settings for uv."""
    LOWER_LAYER = "lower-layer"
    """What a lower layer pins."""
    OTHER_PACKAGES = "other-packages"
    """Requirements of other packages, or several requirements together."""
    PLATFORM = "platform"
    """A platform of the layer for which the release has no wheels."""
    EXCLUDE_NEWER = "exclude-newer"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Something that holds a package at its version; `what` is empty when there is no more to say."""

    kind: HolderKind
    what: str = ""

    def __str__(self) -> str:
        texts = {
            HolderKind.LOCK: "the lock only",
            HolderKind.REQUIREMENT: "the requirement",
            HolderKind.SETTING: "the setting",
            HolderKind.LOWER_LAYER: "the layer below,",
            HolderKind.OTHER_PACKAGES: "other requirements:",
            HolderKind.PLATFORM: "a platform without wheels:",
            HolderKind.EXCLUDE_NEWER: "exclude-newer",
        }
        return texts[self.kind] if self.kind is HolderKind.LOCK else f"{texts[self.kind]} {self.what}".strip()


@dataclass(frozen=True, kw_only=True)
class Outdated:
    """A package of a layer of which there are newer releases."""

    name: str
    locked: tuple[str, ...]
    """Its versions, oldest first: several if platforms differ."""
    newest: str
    """The newest release with wheels for the layer's Python."""
    upgrade: str | None
    """The newest version that an upgrade of the whole layer would lock, if it is newer than what is locked."""
    held_by: tuple[Holder, ...]


def versions_of(packages: Iterable[LockedPackage]) -> Mapping[str, tuple[str, ...]]:
    """The versions of each package, oldest first."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in packages:
        if package.version:
            found[package.name].add(package.version)
    return {name: tuple(sorted(versions, key=Version)) for name, versions in found.items()}


def is_newer(version: str, locked: Sequence[str]) -> bool:
    """Whether a version is newer than one of those that are locked."""
    return any(Version(version) > Version(other) for other in locked)


def excluding(requirements: Iterable[str], name: str, version: str) -> Iterator[str]:
    """The requirements for a package that a version does not meet."""
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # uv has another word for it
            continue
        if canonicalize_name(requirement.name) == name and not requirement.specifier.contains(
            version, prereleases=True
        ):
            yield text


def lacking_wheels(release: LockedPackage, locked: Iterable[LockedPackage], target: LockTarget) -> tuple[str, ...]:
    """The platforms on which a package is needed, and for which its release has no wheels."""
    needed = {platform for package in locked for platform in target.matching(package.marker)}
    return tuple(sorted(target.without_wheel(needed, [wheel.name for wheel in release.wheels])))


def other_pins(lower: Iterable[LowerPackage], resolved: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The pins of lower layers that a resolution without them does not meet: `numpy==1.26.4 of framework-a`."""
    for item in lower:
        versions = resolved.get(item.package.name)
        if versions is not None and item.package.version not in versions:
            yield f"which pins {item.package.name}=={item.package.version} ({item.provider})"
