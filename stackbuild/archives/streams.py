"""The stages of bytes on their way into an archive: read and hashed, gathered, compressed, hashed, written."""

import contextlib
import hashlib
import io
import lzma
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import zstandard

from stackbuild.errors import ArchiveError
from stackbuild.system.files import disk_errors
from stackbuild.system.process import check_stopping

_CHUNK = 1 << 20  # bytes passed to the compressor at once; large enough that Python's part does not matter
_MAX_LEVEL = 9  # of zlib and liblzma
_MIN_WINDOW_LOG, _MAX_WINDOW_LOG = 20, 27  # zstd; decoders refuse a larger window unless they are told to accept it


class Output:
    """The file that is being written; it is hashed and measured on the way."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.sha256 = hashlib.sha256()
        self.size = 0
        self._file = file

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """`zipfile` calls this after each member; it is not needed."""


class Meter:
    """Reports the content that was read, a mebibyte or more at a time, and checks whether the run is being stopped."""

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self._on_bytes = on_bytes
        self._untold = 0

    def add(self, count: int) -> None:
        self._untold += count
        if self._untold >= _CHUNK:
            self.report()

    def report(self) -> None:
        check_stopping()
        if self._untold:
            self._on_bytes(self._untold)
        self._untold = 0


class Gathered:
    """A buffer that passes its content on, a full mebibyte at a time; `take` must not keep what it gets."""

    def __init__(self, take: Callable[[memoryview], object]) -> None:
        self._take = take
        self._buffer = memoryview(bytearray(_CHUNK))
        self._used = 0

    def room(self) -> memoryview:
        """The free part of the buffer, never empty: fill it from its start, then call `filled`."""
        return self._buffer[self._used :]

    def filled(self, count: int) -> None:
        self._used += count
        if self._used == _CHUNK:
            self.drain()

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            count = min(len(rest), _CHUNK - self._used)
            self._buffer[self._used : self._used + count] = rest[:count]
            self.filled(count)
            rest = rest[count:]

    def drain(self) -> None:
        """Pass on what is in the buffer."""
        used, self._used = self._used, 0
        self._take(self._buffer[:used])


def copy_file(source: str | Path, size: int, gathered: Gathered, meter: Meter) -> str:
    """Put the file `source` of `size` bytes into `gathered`; its SHA-256.

    Raises `ArchiveError` when it cannot be opened or has another size.
    """
    sha256 = hashlib.sha256()
    left = size
    with disk_errors("pack a file", ArchiveError):
        file = io.FileIO(source)
    with file:
        while True:
            room = gathered.room()
            asked = min(left + 1, len(room))  # one byte more than expected, to notice a file that grew
            count = file.readinto(room[:asked])
            if count > left or (left and not count):
                hint = "leave the build environment alone while its archive is written, and run the same command again"
                raise ArchiveError(f"{source} changed while it was packed: its size is no longer {size}", hint=hint)
            sha256.update(room[:count])
            gathered.filled(count)
            meter.add(count)
            left -= count
            if not left and count < asked:
                return sha256.hexdigest()


class Compressor(Protocol):
    """What `zstandard`, `lzma` and `zlib` call a compressor: a stream in pieces, then its end."""

    def compress(self, data: memoryview, /) -> bytes: ...

    def flush(self) -> bytes: ...


class StoringCompressor:
    """No compression."""

    def compress(self, data: memoryview, /) -> bytes:
        return bytes(data)

    def flush(self) -> bytes:
        return b""


class GzipCompressor:
    """A gzip file (RFC 1952) without name and time, for an unknown system: zlib would write the machine's own."""

    def __init__(self, level: int) -> None:
        self._deflate = zlib.compressobj(min(level, _MAX_LEVEL), zlib.DEFLATED, -zlib.MAX_WBITS)
        self._pending = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
        self._checksum = 0
        self._size = 0

    def compress(self, data: memoryview, /) -> bytes:
        self._checksum = zlib.crc32(data, self._checksum)
        self._size += len(data)
        header, self._pending = self._pending, b""
        return header + self._deflate.compress(data)

    def flush(self) -> bytes:
        return self._pending + self._deflate.flush() + struct.pack("<LL", self._checksum, self._size % (1 << 32))


def zstd_compressor(level: int, threads: int, size: int) -> Compressor:
    """One zstd frame with a checksum, for about `size` bytes.

    The window spans all of it, up to 128 MiB; unpacking takes as much memory. The bytes do not depend on `threads`.
    """
    parameters = zstandard.ZstdCompressionParameters.from_level(
        min(level, zstandard.MAX_COMPRESSION_LEVEL),
        window_log=min(max(size.bit_length(), _MIN_WINDOW_LOG), _MAX_WINDOW_LOG),
        enable_ldm=True,
        threads=max(threads, 1),  # 0 gives other bytes: then zstd does not cut into jobs
        write_checksum=True,
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj()


def xz_compressor(level: int) -> Compressor:
    """One xz stream of one block."""
    return lzma.LZMACompressor(preset=min(level, _MAX_LEVEL))


def zstd_name() -> str:
    """The name and version of the library behind `zstd_compressor`."""
    return "libzstd " + ".".join(map(str, zstandard.ZSTD_VERSION))


def zlib_name() -> str:
    """The name and version of the library behind `GzipCompressor` and `zipfile`."""
    return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"


def xz_name() -> str:
    """The name of the library behind `xz_compressor`, with its version if that is known.

    The standard library does not have it. A shared library can be asked, but not one linked into the interpreter.
    """
    import ctypes  # slow to load and needed for this alone

    with contextlib.suppress(AttributeError, OSError, TypeError):
        version = ctypes.CDLL(sys.modules["_lzma"].__file__).lzma_version_string
        version.restype = ctypes.c_char_p
        return f"liblzma {version().decode()}"
    return "liblzma"
