"""Read the members of a tar file: ustar blocks with pax headers (POSIX.1-2001), and GNU tar's long names and sizes.

What layers never need is refused, whoever made the file: devices, sparse files, global headers.
"""

from collections.abc import Generator, Iterator

from stackbuild.archives.admission import Member, OddMember
from stackbuild.archives.decompression import ByteStream
from stackbuild.archives.tar_headers import BLOCK, MAX_TIME, MemberKind
from stackbuild.errors import ArchiveError

_ZEROS = bytes(BLOCK)
_MAX_FILL = 1 << 20  # zeros after the end: some programs fill records of many blocks
_MAX_EXTENSION = 1 << 16  # bytes of a header that describes the next one
_MAX_DIGITS = 20  # of a number in a pax header, as 2**64 has
_POSIX, _GNU = b"ustar\x0000", b"ustar  \0"
_CHECKSUM = slice(148, 156)
_BLANK_SUM = 8 * 0x20  # the checksum is computed with blanks in place of itself
_BASE_256 = 0x80
_PAX, _GNU_NAME, _GNU_LINK = b"x", b"L", b"K"
_KINDS = {
    b"0": MemberKind.FILE,
    b"\0": MemberKind.FILE,
    b"1": MemberKind.HARD_LINK,
    b"2": MemberKind.LINK,
    b"5": MemberKind.FOLDER,
}
_REFUSED = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"7": "a contiguous file",
    b"S": "a sparse file",
    b"g": "a header for all members",
}


def tar_contents(stream: ByteStream) -> Generator[tuple[Member, Iterator[memoryview]], None, None]:
    """Each member with the pieces of its content, which must be taken before the next member is asked for.

    Raises `ArchiveError` for members of refused types, damaged headers and anything but zeros after the end.
    """
    while (member := _next_member(stream)) is not None:
        yield member, stream.pieces(member.size)
        stream.exactly(-member.size % BLOCK)
    _check_end(stream)


def _next_member(stream: ByteStream) -> Member | None:
    """The member that the next headers describe; `None` at the end of the archive."""
    described: dict[bytes, bytes] = {}
    while (block := stream.exactly(BLOCK)) != _ZEROS:
        flag = block[156:157]
        if flag not in (_PAX, _GNU_NAME, _GNU_LINK):
            return _member(block, described)
        _check_block(block)
        more = _extension(flag, _extension_data(block, stream))
        if not described.keys().isdisjoint(more):
            raise ArchiveError(f"{_shown(block)}: more than one header describes the same member")
        described.update(more)
    if described:
        raise ArchiveError("a header that describes a member is followed by none")
    return None


def _extension_data(block: bytes, stream: ByteStream) -> bytes:
    size = _number(block, 124, 136)
    if size > _MAX_EXTENSION:
        raise ArchiveError(f"{_shown(block)}: a header of {size} bytes")
    data = stream.exactly(size)
    stream.exactly(-size % BLOCK)
    return data


def _extension(flag: bytes, data: bytes) -> dict[bytes, bytes]:
    if flag == _PAX:
        return _pax_records(data)
    return {b"path" if flag == _GNU_NAME else b"linkpath": data.removesuffix(b"\0")}


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """The records `length key=value` of a pax header; the last one of a key counts, as POSIX says."""
    records = {}
    start = 0
    while start < len(data):
        length, _, _ = data[start : start + _MAX_DIGITS].partition(b" ")
        end = start + int(length) if length.isdigit() else 0
        key, separator, value = data[start + len(length) + 1 : end].partition(b"=")
        if not separator or not value.endswith(b"\n") or end > len(data):
            raise ArchiveError("an extended header is damaged")
        if key.startswith(b"GNU.sparse."):
            raise ArchiveError("it holds a sparse file, which no layer needs")
        records[key] = value[:-1]
        start = end
    return records


def _member(block: bytes, described: dict[bytes, bytes]) -> Member:
    _check_block(block)
    flag = block[156:157]
    kind = _KINDS.get(flag)
    name = described.get(b"path") or _name(block)
    if kind is None:
        raise OddMember(_decoded(name), _REFUSED.get(flag, f"a member of the unknown type {flag!r}"))
    size = _pax_size(described[b"size"]) if b"size" in described else _number(block, 124, 136)
    link = described.get(b"linkpath") or _until_zero(block[157:257])
    if size and kind is not MemberKind.FILE:
        raise ArchiveError(f"{_decoded(name)}: a folder or link with content")
    return Member(
        path=_decoded(name.removesuffix(b"/") if kind is MemberKind.FOLDER else name),
        kind=kind,
        size=size,
        mode=_number(block, 100, 108),
        mtime=min(_number(block, 136, 148), MAX_TIME),
        target=_decoded(link) if kind in (MemberKind.LINK, MemberKind.HARD_LINK) else None,
    )


def _check_block(block: bytes) -> None:
    if block[257:265] not in (_POSIX, _GNU):
        raise ArchiveError("it is damaged, or no tar file: there is no header where one must be")
    if sum(block) - sum(block[_CHECKSUM]) + _BLANK_SUM != _number(block, 148, 156):
        raise ArchiveError(f"{_shown(block)}: the header is damaged, its checksum is wrong")


def _name(block: bytes) -> bytes:
    name = _until_zero(block[:100])
    prefix = _until_zero(block[345:500]) if block[257:265] == _POSIX else b""
    return b"%b/%b" % (prefix, name) if prefix else name


def _until_zero(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _shown(block: bytes) -> str:
    return _name(block).decode(errors="backslashreplace")


def _decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise ArchiveError(f"the name {name!r} is not UTF-8") from error


def _number(block: bytes, start: int, end: int) -> int:
    """A number field: octal digits, or base 256 as GNU tar writes what does not fit."""
    if block[start] == _BASE_256:
        return int.from_bytes(block[start + 1 : end])
    digits = block[start:end].strip(b" \0")
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:  # `int` takes signs, blanks and underscores too
        raise ArchiveError(f"{_shown(block)}: the header holds the unusable number {digits!r}")
    return int(digits, 8)


def _pax_size(value: bytes) -> int:
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        raise ArchiveError(f"an extended header holds the unusable size {value[:_MAX_DIGITS]!r}")
    return int(value)


def _check_end(stream: ByteStream) -> None:
    """Check the second zero block and the fill of the last record. The first zero block has been read."""
    if stream.exactly(BLOCK) != _ZEROS:
        raise ArchiveError("it is damaged: a lone zero block lies between its members")
    fill = 0
    for piece in stream.remaining():
        fill += len(piece)
        if fill > _MAX_FILL or piece.tobytes().strip(b"\0"):
            raise ArchiveError("something follows the end of its tar file")
