"""Header blocks of a tar file as POSIX.1-2001 (pax) defines them, written by hand.

All functions are pure. `tarfile` takes eight times as long for the same headers, which is noticeable with ten thousand
files. What does not fit into a ustar block (long or non-ASCII names, sizes from 8 GiB) goes into a pax extended header
before it, which all tar programs of this century can read.
"""

from enum import Enum

BLOCK = 512
"""Everything in a tar file takes up whole blocks of this many bytes."""

MAX_TIME = 8**11 - 1
"""The latest modification time, in seconds since 1970, that a ustar block holds."""

_RECORD = 20 * BLOCK
_NAME, _PREFIX = 100, 155  # bytes that the ustar fields hold
_MAX_SIZE = 8**11 - 1
_PAX_NAME = b"././@PaxHeader"  # the name says nothing about the member: it is always the same, as in `tarfile`
_OWNER = b"0000000\0" * 2
_BLANK_CHECKSUM = b" " * 8  # the checksum is computed with blanks in place of itself
_ROOT = b"root".ljust(32, b"\0") * 2
_DEVICE_NUMBERS = b"0000000\0" * 2
_FILL = bytes(12)


class MemberKind(Enum):
    """What a member is: the type flag of its header. Hard links are never written, only read from other archives."""

    FILE = b"0"
    HARD_LINK = b"1"
    LINK = b"2"
    FOLDER = b"5"


def member_header(path: str, *, kind: MemberKind, mode: int, size: int, mtime: int, target: str = "") -> bytes:
    """The header of one member: a ustar block, with a pax header before it if the block cannot hold everything.

    `path` has no trailing slash, `mode` is at most 0o7777, `size` counts the bytes that follow (0 except for files),
    `mtime` lies between 0 and `MAX_TIME`. `path` and `target` are stored as UTF-8; the owner is always root.
    """
    name = path.encode() + (b"/" if kind is MemberKind.FOLDER else b"")
    link = target.encode()
    records = []
    fields = _split(name) if path.isascii() else None
    if fields is None:
        records.append(_pax_record(b"path", name))
        fields = b"", name[:_NAME]
    if len(link) > _NAME or not target.isascii():
        records.append(_pax_record(b"linkpath", link))
    if size > _MAX_SIZE:
        records.append(_pax_record(b"size", b"%d" % size))
    block = _block(fields, kind.value, (mode, 0 if size > _MAX_SIZE else size, mtime), link[:_NAME])
    if not records:
        return block
    extended = b"".join(records)
    return (
        _block((b"", _PAX_NAME), b"x", (0o644, len(extended), mtime), b"") + extended + padding(len(extended)) + block
    )


def padding(size: int) -> bytes:
    """The zeros that follow `size` bytes of content up to the next whole block."""
    return bytes(-size % BLOCK)


def end_of_archive(size: int) -> bytes:
    """The end of a tar file of `size` bytes: two zero blocks, then zeros up to a whole record of 10,240 bytes.

    POSIX only asks for the two blocks. GNU tar and `tarfile` fill the record as well, some readers complain about a
    short one, and the zeros cost nothing when they are compressed.
    """
    end = size + 2 * BLOCK
    return bytes(2 * BLOCK + -end % _RECORD)


def _block(fields: tuple[bytes, bytes], flag: bytes, numbers: tuple[int, int, int], link: bytes) -> bytes:
    prefix, name = fields
    mode, size, mtime = numbers
    front = b"%b%07o\0%b%011o\0%011o\0" % (name.ljust(_NAME, b"\0"), mode, _OWNER, size, mtime)
    rest = b"".join(
        (flag, link.ljust(_NAME, b"\0"), b"ustar\x0000", _ROOT, _DEVICE_NUMBERS, prefix.ljust(_PREFIX, b"\0"), _FILL)
    )
    checksum = sum(front) + sum(_BLANK_CHECKSUM) + sum(rest)
    return b"%b%06o\0 %b" % (front, checksum, rest)


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """`name` as the (prefix, name) fields of a ustar block, cut at a slash; None when it does not fit."""
    if len(name) <= _NAME:
        return b"", name
    # The first slash that leaves at most 100 bytes behind it; never the trailing one of a folder.
    cut = name.find(b"/", len(name) - _NAME - 1, len(name) - 1)
    if 0 < cut <= _PREFIX:
        return name[:cut], name[cut + 1 :]
    return None


def _pax_record(key: bytes, value: bytes) -> bytes:
    """One line `length key=value`; the length counts itself."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)
