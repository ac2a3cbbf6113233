"""The native files of a folder, whatever system they are for: programs, libraries, extension modules.

They are recognized by content, not by name. Only the beginning of each file is read, and of native files what their
parser needs.
"""

import contextlib
import mmap
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stackbuild.native import elf, mach_o
from stackbuild.native import pe as portable_executable
from stackbuild.native.binary import Content, Malformed, Minimum, NativeBinary, NativeFormat, NativeKind, highest
from stackbuild.system.process import check_stopping
from stackbuild.targets.platforms import TargetPlatform

_BYTE_CODE = "__pycache__"
_SMALLEST = 28  # bytes: no header of a native file is shorter

Parser = Callable[[Content], NativeBinary | None]
_PARSERS: dict[bytes, Parser] = {
    elf.MAGIC: elf.parse_elf,
    **dict.fromkeys((*mach_o.MAGICS, *mach_o.UNIVERSAL_MAGICS), mach_o.parse_mach_o),
}

_FORMATS = {"linux": NativeFormat.ELF, "macosx": NativeFormat.MACH_O, "win": NativeFormat.PE}


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeFile:
    """A native file: its path, `/`-separated and relative to the root folder, and what its headers say."""

    path: str
    binary: NativeBinary

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines that it has code for."""
        return tuple(code.machine for code in self.binary.code)

    @property
    def minimum(self) -> Minimum | None:
        """The oldest system on which all of its code runs, where the file says so."""
        return highest(code.minimum for code in self.binary.code)

    def is_for(self, platform: TargetPlatform) -> bool:
        """Whether some of its code is for the platform's system and machine."""
        return is_for(self.binary, platform)

    def minimum_on(self, platform: TargetPlatform) -> Minimum | None:
        """The oldest system on which the code for this platform runs; `None` when there is none, or it does not say."""
        if not self.is_for(platform):
            return None
        return highest(code.minimum for code in self.binary.code if code.machine == platform.machine)


def is_for(binary: NativeBinary, platform: TargetPlatform) -> bool:
    """Whether some of a file's code is for the platform's system and machine."""
    return binary.format is _FORMATS[platform.system] and any(code.machine == platform.machine for code in binary.code)


def native_files(root: Path) -> tuple[NativeFile, ...]:
    """Every native file below the folder `root`, sorted by path; links are not followed, object files are left out.

    A file that cannot be read or is damaged does not count as native. Raises `OSError` when a folder cannot be listed.
    """
    found = []
    for path, place in _files(os.fspath(root)):
        binary = read_native(place)
        if binary is not None:
            found.append(NativeFile(path=path, binary=binary))
    return tuple(sorted(found, key=lambda file: file.path))


def _files(root: str) -> Iterator[tuple[str, str]]:
    """Each regular file: its path relative to `root`, `/`-separated, and its path on disk."""
    pending = [("", root)]
    while pending:
        check_stopping()
        prefix, folder = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != _BYTE_CODE:
                        pending.append((f"{prefix}{entry.name}/", entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield prefix + entry.name, entry.path


def read_native(place: str | os.PathLike[str]) -> NativeBinary | None:
    """What a file's headers say; `None` when it is not a native file or cannot be read."""
    with contextlib.suppress(OSError, ValueError, Malformed):
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            parser = _parser(os.read(descriptor, _SMALLEST))
            if parser is not None:
                with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
                    return parser(content)
        finally:
            os.close(descriptor)
    return None


def _parser(beginning: bytes) -> Parser | None:
    if len(beginning) < _SMALLEST:
        return None
    if beginning.startswith(portable_executable.MAGIC):
        return portable_executable.parse_pe
    return _PARSERS.get(beginning[:4])


def signing_order(files: tuple[NativeFile, ...]) -> tuple[NativeFile, ...]:
    """The files from the inside out, as macOS requires them to be signed: the parts of something before the whole.

    Deepest folders first; in one folder libraries and bundles before programs; and the main program of a bundle
    (`X.app/Contents/MacOS/X`, `X.framework/Versions/A/X`) after everything in the bundle, because its signature covers
    it.
    """
    return tuple(sorted(files, key=_signing_key))


_BUNDLES = {".app", ".framework", ".bundle", ".plugin", ".xpc", ".appex", ".kext"}


def _signing_key(file: NativeFile) -> tuple[int, bool, bool, str]:
    path = PurePosixPath(file.path)
    bundle = next((it for it in path.parents if it.suffix in _BUNDLES and it.stem == path.name), None)
    depth = len(path.parts) if bundle is None else len(bundle.parts) + 1
    return -depth, bundle is not None, file.binary.kind is NativeKind.EXECUTABLE, file.path
