"""PE, the native files of Windows: which machine they are for, and what they need. Format: Microsoft's "PE Format"."""

from collections.abc import Iterator

from stackbuild.native.binary import Code, Content, Malformed, NativeBinary, NativeFormat, NativeKind, text_at, unpack

MAGIC = b"MZ"

_POINTER = 0x3C  # to the actual header, from that of DOS
_SIGNATURE = b"PE\0\0"
_MACHINES = {0x014C: "win32", 0x01C4: "arm32", 0x8664: "amd64", 0xA641: "arm64", 0xA64E: "arm64", 0xAA64: "arm64"}
_IS_COMPLETE, _IS_LIBRARY = 0x0002, 0x2000
_WIDE = 0x020B
_MOST_IMPORTS = 1024
"""No file in use needs more libraries."""


def parse_pe(content: Content) -> NativeBinary | None:
    """A program or library; `None` for DOS programs and object files. Raises `Malformed`."""
    (header,) = unpack("<I", content, _POINTER)
    if content[header : header + 4] != _SIGNATURE:
        return None
    (machine,) = unpack("<H", content, header + 4)
    (flags,) = unpack("<H", content, header + 22)
    if not flags & _IS_COMPLETE:
        return None
    return NativeBinary(
        format=NativeFormat.PE,
        kind=NativeKind.LIBRARY if flags & _IS_LIBRARY else NativeKind.EXECUTABLE,
        code=(Code(machine=_MACHINES.get(machine, f"pe-{machine}"), needed=_imported(content, header)),),
    )


def _imported(content: Content, header: int) -> tuple[str, ...]:
    """The libraries that must be there when the file is loaded; none where the table of these is damaged."""
    try:
        return tuple(_imports(content, header))
    except Malformed:
        return ()


def _imports(content: Content, header: int) -> Iterator[str]:
    (sections,) = unpack("<H", content, header + 6)
    (optional_size,) = unpack("<H", content, header + 20)
    optional = header + 24
    if optional_size < 2:  # noqa: PLR2004 (the two bytes that say which kind it is)
        return
    (magic,) = unpack("<H", content, optional)
    directory = optional + (112 if magic == _WIDE else 96) + 8  # the second one
    if directory + 8 > optional + optional_size:
        return
    (table,) = unpack("<I", content, directory)
    table_of_sections = optional + optional_size
    placed = [unpack("<IIII", content, table_of_sections + 40 * number + 8) for number in range(min(sections, 96))]
    for number in range(_MOST_IMPORTS if table else 0):
        (name,) = unpack("<I", content, _place(placed, table) + 20 * number + 12)
        if not name:
            return
        yield text_at(content, _place(placed, name))


def _place(sections: list[tuple[int, ...]], address: int) -> int:
    """The position in the file of what is at `address` when the file is loaded."""
    for size, start, stored, position in sections:
        if start <= address < start + max(size, stored):
            return position + address - start
    raise Malformed(f"nothing is loaded at {address}")
