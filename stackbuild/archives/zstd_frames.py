"""Where the frames of a zstd file are (RFC 8878), found from headers and block sizes, without decompressing.

Stream decoders do not report a file that ends in the middle of a frame, and the frames of a file can be decompressed in
parallel only when their borders are known. A seek table at the end of a file is not used: it may be wrong.
"""

import io
import os
from dataclasses import dataclass

import zstandard

from stackbuild.errors import ArchiveError

_MAX_FRAMES = 1 << 16
_SKIPPABLE = 0x184D2A50  # the first of sixteen magic numbers
_MAX_HEADER = 18
_BLOCK_HEADER, _CHECKSUM, _SKIPPABLE_HEADER = 3, 4, 8
_RLE, _RESERVED = 1, 3  # types of blocks; the size of the first counts its decompressed bytes, one byte is stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame with compressed data: its start, its size in the file, and the size of its content (None: unknown)."""

    offset: int
    size: int
    content_size: int | None


def find_frames(file: io.FileIO) -> list[Frame]:
    """The frames of a zstd file in order, without skippable ones.

    Raises `ArchiveError` unless the file consists of complete frames, at most 65,536.
    """
    end = file.seek(0, os.SEEK_END)
    frames = []
    offset = 0
    while offset < end:
        header = _read(file, offset, _MAX_HEADER)
        if int.from_bytes(header[:4], "little") & ~0xF == _SKIPPABLE:
            size = _SKIPPABLE_HEADER + int.from_bytes(header[4:8], "little")
        else:
            frame = _measure(file, offset, header)
            frames.append(frame)
            if len(frames) > _MAX_FRAMES:
                raise ArchiveError(f"it consists of more than {_MAX_FRAMES} zstd frames")
            size = frame.size
        offset += size
        if offset > end:
            raise ArchiveError("it is cut off: its last zstd frame is not complete")
    return frames


def _read(file: io.FileIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _measure(file: io.FileIO, offset: int, header: bytes) -> Frame:
    try:
        parameters = zstandard.get_frame_parameters(header)
        position = offset + zstandard.frame_header_size(header)
    except zstandard.ZstdError as error:
        raise ArchiveError(f"there is no zstd frame at its byte {offset}, or only the start of one") from error
    last = False
    while not last:
        block = _read(file, position, _BLOCK_HEADER)
        described = int.from_bytes(block, "little")
        last, kind, size = bool(described & 1), described >> 1 & 3, described >> 3
        if len(block) < _BLOCK_HEADER or kind == _RESERVED:
            raise ArchiveError(f"it is cut off or damaged at its byte {position}")
        position += _BLOCK_HEADER + (1 if kind == _RLE else size)
    if parameters.has_checksum:
        position += _CHECKSUM
    content_size: int | None = parameters.content_size
    if content_size == zstandard.CONTENTSIZE_UNKNOWN:
        content_size = None
    return Frame(offset=offset, size=position - offset, content_size=content_size)
