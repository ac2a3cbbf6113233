"""What the header of a native file says: the values that the parsers of ELF, Mach-O and PE return.

The parsers take the content of a file as something that can be sliced, bytes or a memory map, and read only what they
need: headers, and the tables that these point to. For any bytes a parser ends soon and raises only `Malformed`.
"""

import mmap
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

Content = bytes | mmap.mmap
"""The bytes of a file, whole or mapped."""


class Malformed(Exception):
    """The bytes do not match their beginning: they are truncated or damaged."""


class NativeFormat(StrEnum):
    """The three formats of native files."""

    ELF = "elf"
    MACH_O = "mach-o"
    PE = "pe"


class NativeKind(StrEnum):
    """What a native file is for. Only Mach-O has bundles: libraries that are only loaded at run time."""

    EXECUTABLE = "executable"
    LIBRARY = "library"
    BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class Minimum:
    """The oldest system that code runs on: `system` is `glibc`, `musl` or `macos`; no version: any of that system."""

    system: str
    version: tuple[int, int] | None = None

    def __str__(self) -> str:
        """`glibc@2.28`, `macos@11.0` or `musl`."""
        return self.system if self.version is None else f"{self.system}@{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code that a file has for one machine; `machine` is spelled as in the wheel tags of the format's systems.

    name: what others need the library by, if it says so. needed: the libraries that it needs, as it names them; those
    that it can do without are left out.
    """

    machine: str
    minimum: Minimum | None = None
    name: str | None = None
    needed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeBinary:
    """What the headers of a native file say. Only universal Mach-O files have code for several machines, in order."""

    format: NativeFormat
    kind: NativeKind
    code: tuple[Code, ...]


def highest(minimums: Iterable[Minimum | None], *, system: str | None = None) -> Minimum | None:
    """The newest one; `None` when none is given. `system`: whose minimums decide, if there are any of that system.

    Versions of different systems cannot be compared: without `system` all must be of the same.
    """
    given = [minimum for minimum in minimums if minimum is not None]
    decisive = [minimum for minimum in given if minimum.system == system] or given
    return max(decisive, key=_version, default=None)


def _version(minimum: Minimum) -> tuple[int, int]:
    return minimum.version or (0, 0)


def unpack(layout: str, content: Content, offset: int) -> tuple[int, ...]:
    """The numbers at `offset`, with the layout of `struct`. Raises `Malformed` when the content ends too early."""
    try:
        return struct.unpack_from(layout, content, offset)
    except (struct.error, OverflowError):
        raise Malformed(f"there is nothing at {offset}") from None


def text_at(content: Content, offset: int, *, longest: int = 4096) -> str:
    """The text at `offset` up to the next NUL. Raises `Malformed` when there is none within `longest` bytes."""
    end = content.find(b"\0", offset, offset + longest) if 0 <= offset < len(content) else -1
    if end < 0:
        raise Malformed(f"there is no text at {offset}")
    return content[offset:end].decode("utf-8", errors="replace")
