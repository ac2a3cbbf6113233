"""Target platforms: their names, marker environments, and the wheel tags that fit them.

Follows the platform compatibility tags specification and PEP 508 environment markers. Everything here is
arithmetic on strings; only `current_platform` asks the running interpreter.
"""

import os
import re
import sys
import sysconfig
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from stackbuild.targets.pythons import short_version

DEFAULT_MACOS_TARGET = "13.0"
"""Oldest macOS that wheels may need when neither the layer nor `MACOSX_DEPLOYMENT_TARGET` says otherwise."""


class TargetPlatform(StrEnum):
    """A platform that layers can be built for, named by its plain wheel platform tag."""

    LINUX_X86_64 = "linux_x86_64"
    LINUX_AARCH64 = "linux_aarch64"
    MACOSX_ARM64 = "macosx_arm64"
    MACOSX_X86_64 = "macosx_x86_64"
    WIN_AMD64 = "win_amd64"
    WIN_ARM64 = "win_arm64"

    @property
    def system(self) -> str:
        """`linux`, `macosx` or `win`."""
        return self.value.partition("_")[0]

    @property
    def machine(self) -> str:
        """The processor as wheel tags spell it: `x86_64`, `aarch64`, `arm64` or `amd64`."""
        return self.value.partition("_")[2]

    @property
    def uv_machine(self) -> str:
        """The processor as uv spells it on every system: `x86_64` or `aarch64`."""
        return {"amd64": "x86_64", "arm64": "aarch64"}.get(self.machine, self.machine)

    @property
    def is_linux(self) -> bool:
        return self.system == "linux"

    @property
    def is_macos(self) -> bool:
        return self.system == "macosx"

    @property
    def is_windows(self) -> bool:
        return self.system == "win"

    def marker_environment(self, *, python_version: str, implementation: str) -> dict[str, str]:
        """The PEP 508 marker environment of a Python on this platform.

        `python_version` is the full `X.Y.Z`; `implementation` is the lower-case name (`cpython`, `pypy`).
        `platform_release`, `platform_version` and `implementation_version` are not emulated: `packaging` fills
        them with the running interpreter's values, which no lock should depend on.
        """
        return {
            **_SYSTEM_MARKERS[self.system],
            "platform_machine": _MARKER_MACHINES.get(self.machine, self.machine) if self.is_windows else self.machine,
            "implementation_name": implementation,
            "platform_python_implementation": _IMPLEMENTATION_NAMES[implementation],
            "python_version": short_version(python_version),
            "python_full_version": python_version,
        }

    def environment_marker(self) -> str:
        """A marker expression that is true on this platform only, for uv's `environments` setting."""
        markers = _SYSTEM_MARKERS[self.system]
        machine = _MARKER_MACHINES.get(self.machine, self.machine) if self.is_windows else self.machine
        return f"sys_platform == '{markers['sys_platform']}' and platform_machine == '{machine}'"


_OTHER_SYSTEMS = re.compile(
    r"(?P<linux>(?:many|musl)?linux.*)|(?P<macosx>mac.*|osx.*|darwin.*|apple.*)|(?P<win>win.*)", re.IGNORECASE
)
_OTHER_MACHINES = re.compile(r"(?P<x86>x86[-_]?64|x64|amd64|intel)|(?P<arm>arm64|aarch64|arm64e)", re.IGNORECASE)


def meant_platform(text: str) -> TargetPlatform | None:
    """The platform that another name for it means: `linux_amd64`, `macos-arm64`, `windows_x64`; else `None`."""
    words = re.fullmatch(rf"(?P<system>[a-z0-9_.-]*?)[-_]?(?P<machine>{_OTHER_MACHINES.pattern})", text, re.IGNORECASE)
    system = _OTHER_SYSTEMS.fullmatch(words["system"]) if words else None
    if words is None or system is None:
        return None
    is_arm = words["arm"] is not None
    machines = {"linux": ("x86_64", "aarch64"), "macosx": ("x86_64", "arm64"), "win": ("amd64", "arm64")}
    name = str(system.lastgroup)
    return TargetPlatform(f"{name}_{machines[name][is_arm]}")


_SYSTEM_MARKERS = {
    "linux": {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"},
    "macosx": {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"},
    "win": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"},
}
_MARKER_MACHINES = {"amd64": "AMD64", "arm64": "ARM64"}  # as Windows itself spells them
_IMPLEMENTATION_NAMES = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalVM"}

PYTHON_IMPLEMENTATIONS: Collection[str] = tuple(_IMPLEMENTATION_NAMES)

_LONGEST_TARGET = 40
"""How many characters a `linux_target` or `macosx_target` may have."""
_LIBC_TAGS = {"glibc": "manylinux", "musl": "musllinux"}
_LIBC_OF_TAG = {tag: libc for libc, tag in _LIBC_TAGS.items()}
_LIBC_DEFAULTS = {"glibc": (2, 28), "musl": (1, 2)}
_LIBC_OF_UV = {"glibc": ((2, 17), (2, 28), *((2, minor) for minor in range(31, 41))), "musl": ((1, 2),)}
"""The versions that uv can choose wheels for, oldest first."""


@dataclass(frozen=True, kw_only=True)
class LinuxTarget:
    """The oldest libc that the wheels of a layer may need: variant (`glibc` or `musl`) and version."""

    variant: str
    version: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `glibc`, `glibc@X.Y`, `musl` or `musl@X.Y`. Raises `ValueError` with a sentence for the user."""
        if len(text) > _LONGEST_TARGET:
            raise ValueError(f"longer than {_LONGEST_TARGET} characters: write for example 'glibc@2.28'")
        variant, has_version, version = text.partition("@")
        if variant not in _LIBC_TAGS:
            raise ValueError(f"unknown libc {variant!r}, expected one of {', '.join(sorted(_LIBC_TAGS))}")
        if not has_version:
            return cls(variant=variant, version=_LIBC_DEFAULTS[variant])
        match = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})", version)
        if match is None:
            raise ValueError(f"libc version {version!r} is not of the form X.Y")
        return cls(variant=variant, version=(int(match[1]), int(match[2])))

    @property
    def is_too_old(self) -> bool:
        """Whether wheels cannot be installed for it, because uv has no option that is as old."""
        return self.version < _LIBC_OF_UV[self.variant][0]

    @property
    def installable(self) -> Self:
        """The newest target, not newer than this one, that uv chooses wheels for; itself when it is too old."""
        offered = [version for version in _LIBC_OF_UV[self.variant] if version <= self.version]
        return replace(self, version=offered[-1]) if offered else self

    def raised_to(self, version: tuple[int, int]) -> Self | None:
        """The oldest target of this libc, at least `version`, that uv chooses wheels for; `None` when it has none."""
        offered = (offer for offer in _LIBC_OF_UV[self.variant] if offer >= version)
        raised = next(offered, None)
        return None if raised is None else replace(self, version=raised)

    @property
    def oldest(self) -> Self:
        """The oldest target of this libc that wheels can be installed for."""
        return replace(self, version=_LIBC_OF_UV[self.variant][0])

    def __str__(self) -> str:
        return "{}@{}.{}".format(self.variant, *self.version)

    @property
    def wheel_tag(self) -> str:
        """The family of wheel platform tags: `manylinux` or `musllinux`."""
        return _LIBC_TAGS[self.variant]


def parse_macos_target(text: str) -> tuple[int, int]:
    """Read a macOS version, `14` or `14.1`; a third number is ignored. Raises `ValueError`."""
    if len(text) > _LONGEST_TARGET:
        raise ValueError(f"longer than {_LONGEST_TARGET} characters: write for example '14.0'")
    match = re.fullmatch(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.[0-9]{1,4})?", text)
    if match is None:
        raise ValueError(f"macOS version {text!r} is not of the form X or X.Y")
    return int(match[1]), int(match[2] or 0)


def uv_platform(platform: TargetPlatform, linux_target: LinuxTarget) -> str:
    """The value of uv's `--python-platform` for a platform; on Linux for the `installable` libc."""
    if platform.is_linux:
        if linux_target.variant == "musl":
            return f"{platform.uv_machine}-unknown-linux-musl"  # 1.2
        major, minor = linux_target.installable.version
        return f"{platform.uv_machine}-{linux_target.wheel_tag}_{major}_{minor}"
    return f"{platform.uv_machine}-{'apple-darwin' if platform.is_macos else 'pc-windows-msvc'}"


_LEGACY_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_LIBC_TAG = re.compile(r"(manylinux|musllinux)_([0-9]{1,4})_([0-9]{1,4})_(.+)")
_LEGACY_TAG = re.compile(r"(manylinux1|manylinux2010|manylinux2014)_(.+)")
_MACOS_TAG = re.compile(r"macosx_([0-9]{1,4})_([0-9]{1,4})_(.+)")
_MACOS_FAT = {"arm64": {"arm64", "universal2"}, "x86_64": {"x86_64", "universal2", "intel", "fat64"}}


def _needed_system(tag: str, platform: TargetPlatform) -> tuple[str, tuple[int, int]] | None:
    """The system (`glibc`, `musl` or `macos`) and its oldest version on which a wheel with the tag `tag` runs.

    `None` when the wheel is for another platform, or does not say.
    """
    if platform.is_linux:
        if legacy := _LEGACY_TAG.fullmatch(tag):
            libc, needed, machine = "glibc", _LEGACY_MANYLINUX[legacy[1]], legacy[2]
        elif modern := _LIBC_TAG.fullmatch(tag):
            libc, needed, machine = _LIBC_OF_TAG[modern[1]], (int(modern[2]), int(modern[3])), modern[4]
        else:
            return None
        return (libc, needed) if machine == platform.machine else None
    if platform.is_macos and (macos := _MACOS_TAG.fullmatch(tag)) and macos[3] in _MACOS_FAT[platform.machine]:
        return "macos", (int(macos[1]), int(macos[2]))
    return None


def tag_fits(tag: str, platform: TargetPlatform, *, linux_target: LinuxTarget, macos_target: tuple[int, int]) -> bool:
    """Whether a wheel with the platform tag `tag` runs on `platform` at the given oldest libc or macOS.

    A plain tag (`linux_x86_64`, as in simple local builds) fits its platform whatever the target.
    """
    if tag in ("any", platform.value):
        return True
    needed = _needed_system(tag, platform)
    if needed is None:
        return False
    system, version = (linux_target.variant, linux_target.version) if platform.is_linux else ("macos", macos_target)
    return needed[0] == system and needed[1] <= version


def oldest_needed(tags: Iterable[str], platform: TargetPlatform) -> dict[str, tuple[int, int]]:
    """The oldest version of each system on which some wheel with these platform tags runs, for one platform."""
    found: dict[str, tuple[int, int]] = {}
    for tag in tags:
        if needed := _needed_system(tag, platform):
            system, version = needed
            found[system] = min(found.get(system, version), version)
    return found


def platforms_without_wheel(
    platforms: Iterable[TargetPlatform],
    tags: Collection[str],
    *,
    linux_target: LinuxTarget,
    macos_target: tuple[int, int],
) -> tuple[TargetPlatform, ...]:
    """The `platforms` that none of the wheel platform `tags` fits, in the order given."""
    return tuple(
        platform
        for platform in platforms
        if not any(tag_fits(tag, platform, linux_target=linux_target, macos_target=macos_target) for tag in tags)
    )


def current_platform() -> TargetPlatform:
    """The platform of the running interpreter. Raises `ValueError` when stackbuild does not know it."""
    name = sysconfig.get_platform().lower().replace("-", "_")
    if name.startswith("macosx"):
        machine = os.uname().machine if sys.platform != "win32" else ""
        return TargetPlatform(f"macosx_{machine}")
    return TargetPlatform(name)


def current_libc() -> str:
    """The C library of this machine: `glibc` or `musl` (also `musl` where it does not matter, without Linux)."""
    try:
        return "glibc" if os.confstr("CS_GNU_LIBC_VERSION") else "musl"
    except (AttributeError, ValueError, OSError):
        return "musl"


def default_macos_target() -> str:
    """`MACOSX_DEPLOYMENT_TARGET` of the process when set, else `DEFAULT_MACOS_TARGET`."""
    return os.environ.get("MACOSX_DEPLOYMENT_TARGET") or DEFAULT_MACOS_TARGET
