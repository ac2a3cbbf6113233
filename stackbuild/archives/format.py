"""Formats of archives: those of layers, and how archives made by others are packed."""

from enum import Enum, StrEnum
from typing import Self


class ArchiveFormat(StrEnum):
    """A format of layers' archives; the value is the file name extension without the leading dot."""

    TAR_ZST = "tar.zst"
    TAR_XZ = "tar.xz"
    TAR_GZ = "tar.gz"
    TAR = "tar"
    ZIP = "zip"

    @property
    def suffix(self) -> str:
        """The file name extension, with the leading dot."""
        return f".{self.value}"

    @property
    def packing(self) -> "Packing":
        """How the bytes of such an archive are packed."""
        return _PACKINGS[self]


class Packing(Enum):
    """How an archive stores its members; the value is what such a file starts with."""

    ZIP = b"PK"
    ZSTD = b"\x28\xb5\x2f\xfd"
    XZ = b"\xfd7zXZ\0"
    GZIP = b"\x1f\x8b"
    BZIP2 = b"BZh"
    STORED = b""  # a tar file that is not compressed, or no archive at all

    @classmethod
    def of(cls, start: bytes) -> Self:
        """How a file with these first bytes is packed."""
        return next(packing for packing in cls if start.startswith(packing.value))


_PACKINGS = {
    ArchiveFormat.TAR_ZST: Packing.ZSTD,
    ArchiveFormat.TAR_XZ: Packing.XZ,
    ArchiveFormat.TAR_GZ: Packing.GZIP,
    ArchiveFormat.TAR: Packing.STORED,
    ArchiveFormat.ZIP: Packing.ZIP,
}
