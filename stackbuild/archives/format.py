"""The kinds of archives that layers are packed as."""

from enum import StrEnum


class ArchiveFormat(StrEnum):
    """A kind of archive; the value is its file name extension without the leading dot."""

    TAR_ZST = "tar.zst"
    TAR_XZ = "tar.xz"
    TAR_GZ = "tar.gz"
    TAR = "tar"
    ZIP = "zip"

    @property
    def suffix(self) -> str:
        """The file name extension, with the leading dot."""
        return f".{self.value}"
