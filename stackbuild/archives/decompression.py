"""The content of a compressed tar file as a stream of bytes, decompressed ahead of the reader by other threads.

Memory stays bounded whatever the file contains: only a few pieces are held at once, and nothing is decompressed in one
go unless it declares that its content is small. A file that is cut off, or goes on after its end, is refused.
"""

import bz2
import io
import lzma
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import repeat

import zstandard

from stackbuild.archives.format import Packing
from stackbuild.archives.zstd_frames import Frame, find_frames
from stackbuild.errors import ArchiveError

_CHUNK = 1 << 20
_CHUNKS_AHEAD = 16  # large files are written faster than decompressed, small ones slower: this evens it out
_MAX_WHOLE_FRAME = 20 << 20  # zstd frames of more bytes than this, compressed or not, are decompressed as a stream
_MAX_WINDOW = 1 << 27  # of zstd: what decoders accept by default
_MAX_XZ_MEMORY = 1 << 27  # preset 9 needs half of it
_MAX_THREADS = 4  # these are faster than files are written; more would only use memory
_GZIP = 16 + zlib.MAX_WBITS
_DAMAGE = zstandard.ZstdError, lzma.LZMAError, zlib.error

_Job = Callable[[], bytes | None]


class ByteStream:
    """Reads chunks of bytes as one stream. Raises `ArchiveError` if it ends too early."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def pieces(self, size: int) -> Iterator[memoryview]:
        """The next `size` bytes as pieces, in order. Take them all before you read anything else."""
        while size:
            if not self._more():
                raise ArchiveError("it is cut off: its tar file ends too early")
            piece = self._rest[:size]
            self._rest = self._rest[len(piece) :]
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size <= len(self._rest):
            data = bytes(self._rest[:size])
            self._rest = self._rest[size:]
            return data
        return b"".join(self.pieces(size))

    def remaining(self) -> Iterator[memoryview]:
        """Everything up to the end, as pieces."""
        while self._more():
            rest, self._rest = self._rest, memoryview(b"")
            yield rest

    def _more(self) -> bool:
        """Whether something is left; then `_rest` holds a part of it."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._rest = memoryview(chunk)
        return True


@contextmanager
def decompressed(file: io.FileIO, packing: Packing, *, threads: int) -> Iterator[ByteStream]:
    """The content of `file`, a tar file that is packed like this, as one stream.

    One thread decompresses, or up to `threads` if `file` consists of several zstd frames. `ArchiveError` is raised when
    the reader reaches the place at which the file is damaged, is cut off, or goes on after its end.
    """
    jobs, workers, ahead = _jobs(file, packing, min(max(threads, 1), _MAX_THREADS))
    with closing(_ahead(jobs, workers, ahead)) as chunks:
        yield ByteStream(chunks)


def _jobs(file: io.FileIO, packing: Packing, threads: int) -> tuple[Iterator[_Job], int, int]:
    """The calls that give the chunks of the content (`None`: the end), how many threads, and how far to go ahead."""
    match packing:
        case Packing.ZSTD:
            frames = find_frames(file)
            if len(frames) > 1 and all(_is_small(frame) for frame in frames):
                return _frame_jobs(file, frames), threads, threads + 1
            chunks = _zstd_chunks(file)
        case Packing.XZ:
            chunks = _chunks(file, lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY))
        case Packing.BZIP2:
            chunks = _chunks(file, bz2.BZ2Decompressor())
        case Packing.GZIP:
            chunks = _gzip_chunks(file)
        case _:
            chunks = _stored_chunks(file)
    return repeat(partial(next, chunks, None)), 1, _CHUNKS_AHEAD


def _ahead(jobs: Iterator[_Job], workers: int, ahead: int) -> Generator[bytes, None, None]:
    """The results of `jobs` in order, up to the first `None`. Up to `ahead` of them are computed in advance."""
    waiting: deque[Future[bytes | None]] = deque()
    with ThreadPoolExecutor(workers, "decompress") as pool:
        try:
            while True:
                while len(waiting) < ahead and (job := next(jobs, None)) is not None:
                    waiting.append(pool.submit(job))
                if not waiting or (chunk := waiting.popleft().result()) is None:
                    return
                yield chunk
        except _DAMAGE as error:
            raise ArchiveError(f"it is damaged: {error}") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _is_small(frame: Frame) -> bool:
    return frame.content_size is not None and max(frame.content_size, frame.size) <= _MAX_WHOLE_FRAME


def _frame_jobs(file: io.FileIO, frames: list[Frame]) -> Iterator[_Job]:
    for frame in frames:
        file.seek(frame.offset)
        yield partial(_whole_frame, file.read(frame.size))


def _whole_frame(packed: bytes) -> bytes:
    return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompress(packed)


def _zstd_chunks(file: io.FileIO) -> Iterator[bytes]:
    file.seek(0)
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    with decompressor.stream_reader(file, read_size=_CHUNK, read_across_frames=True, closefd=False) as reader:
        yield from iter(partial(reader.read, _CHUNK), b"")


def _stored_chunks(file: io.FileIO) -> Iterator[bytes]:
    file.seek(0)
    yield from iter(partial(file.read, _CHUNK), b"")


def _chunks(file: io.FileIO, decompressor: lzma.LZMADecompressor | bz2.BZ2Decompressor) -> Iterator[bytes]:
    file.seek(0)
    while not decompressor.eof:
        packed = _packed(file) if decompressor.needs_input else b""
        try:
            chunk = decompressor.decompress(packed, _CHUNK)
        except OSError as error:  # from bzip2: no file is read here
            raise ArchiveError(f"it is damaged: {error}") from error
        yield chunk
    _check_end(file, decompressor.unused_data)


def _gzip_chunks(file: io.FileIO) -> Iterator[bytes]:
    file.seek(0)
    inflate = zlib.decompressobj(_GZIP)
    chunk = b""
    while not inflate.eof:
        # after a full chunk, there may be more output without further input
        packed = inflate.unconsumed_tail or (b"" if len(chunk) == _CHUNK else _packed(file))
        chunk = inflate.decompress(packed, _CHUNK)
        yield chunk
    _check_end(file, inflate.unused_data)


def _packed(file: io.FileIO) -> bytes:
    packed = file.read(_CHUNK)
    if not packed:
        raise ArchiveError("it is cut off: its compressed data ends too early")
    return packed


def _check_end(file: io.FileIO, unused: bytes) -> None:
    if unused or file.read(1):
        raise ArchiveError("something follows the end of its compressed data")
