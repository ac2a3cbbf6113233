"""Mach-O, the native files of macOS: which machines they are for, and the oldest macOS that they run on.

Formats: the headers `mach-o/loader.h` and `mach-o/fat.h` of Apple's SDK.
"""

from collections.abc import Iterator

from stackbuild.native.binary import (
    Code,
    Content,
    Malformed,
    Minimum,
    NativeBinary,
    NativeFormat,
    NativeKind,
    highest,
    text_at,
    unpack,
)

MAGICS = {
    b"\xce\xfa\xed\xfe": "<",
    b"\xcf\xfa\xed\xfe": "<",
    b"\xfe\xed\xfa\xce": ">",
    b"\xfe\xed\xfa\xcf": ">",
}
"""The first bytes of a file for one machine, and its byte order."""
UNIVERSAL_MAGICS = {b"\xca\xfe\xba\xbe": ">IIIII", b"\xca\xfe\xba\xbf": ">IIQQII"}
"""The first bytes of a file for several machines, and the layout of its table; Java classes begin like the first."""

_WIDE = (b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf")
_MACHINES = {7: "i386", 12: "arm", 18: "ppc", 0x01000007: "x86_64", 0x0100000C: "arm64", 0x01000012: "ppc64"}
_ARM64, _ARM64E, _SUBTYPE_BITS = 0x0100000C, 2, 0x00FFFFFF
_KINDS = {
    2: NativeKind.EXECUTABLE,
    6: NativeKind.LIBRARY,
    7: NativeKind.LIBRARY,  # the dynamic linker
    8: NativeKind.BUNDLE,
    11: NativeKind.BUNDLE,  # a kernel extension
}
_MOST_MACHINES = 30  # a Java class has its version there, which is 45 or more
_MOST_COMMANDS = 4096
_MINIMUM_VERSION, _BUILD_VERSION = 0x24, 0x32
_NEEDED, _REEXPORTED, _NAME = 0xC, 0x8000001F, 0xD
_MACOS = 1


def parse_mach_o(content: Content) -> NativeBinary | None:
    """A program, library or bundle; `None` for other kinds, such as object files. Raises `Malformed`."""
    found = [slice_ for start in _starts(content) if (slice_ := _slice(content, start)) is not None]
    if not found:
        return None
    return NativeBinary(format=NativeFormat.MACH_O, kind=found[0][0], code=tuple(code for _, code in found))


def _starts(content: Content) -> Iterator[int]:
    """Where the code for each machine begins."""
    table = UNIVERSAL_MAGICS.get(content[:4])
    if table is None:
        yield 0
        return
    (count,) = unpack(">I", content, 4)
    if count > _MOST_MACHINES:
        raise Malformed("a Java class")
    size = 20 if table == ">IIIII" else 32
    for number in range(count):
        start = unpack(table, content, 8 + number * size)[2]
        if content[start : start + 4] in MAGICS:  # else it is an archive of object files
            yield start


def _slice(content: Content, start: int) -> tuple[NativeKind, Code] | None:
    magic = content[start : start + 4]
    order = MAGICS.get(magic)
    if order is None:
        raise Malformed("no Mach-O")
    machine, subtype, kind, count, _, _ = unpack(f"{order}IIIIII", content, start + 4)
    if kind not in _KINDS:
        return None
    commands = start + (32 if magic in _WIDE else 28)
    count = min(count, _MOST_COMMANDS)
    minimum = highest(_minimums(content, order, commands, count))
    libraries = list(_libraries(content, order, commands, count))
    name = _MACHINES.get(machine, f"mach-o-{machine}")
    if machine == _ARM64 and subtype & _SUBTYPE_BITS == _ARM64E:
        name = "arm64e"
    return _KINDS[kind], Code(
        machine=name,
        minimum=minimum,
        name=next((library for command, library in libraries if command == _NAME), None),
        needed=tuple(library for command, library in libraries if command != _NAME),
    )


def _commands(content: Content, order: str, command: int, count: int) -> Iterator[tuple[int, int]]:
    """The kind of each load command, and where it is."""
    for _ in range(count):
        kind, size = unpack(f"{order}II", content, command)
        if size < 8:  # noqa: PLR2004 (it contains at least these two numbers)
            raise Malformed("a load command without an end")
        yield kind, command
        command += size


def _libraries(content: Content, order: str, command: int, count: int) -> Iterator[tuple[int, str]]:
    """Each command that names a library, and the name; those that may be missing (weak) are left out."""
    for kind, place in _commands(content, order, command, count):
        if kind in (_NEEDED, _REEXPORTED, _NAME):
            (start,) = unpack(f"{order}I", content, place + 8)
            yield kind, text_at(content, place + start)


def _minimums(content: Content, order: str, first: int, count: int) -> Iterator[Minimum]:
    """The oldest macOS, from the old or the new load command; files for other Apple systems have none."""
    for kind, command in _commands(content, order, first, count):
        if kind == _MINIMUM_VERSION:
            yield _macos(*unpack(f"{order}I", content, command + 8))
        elif kind == _BUILD_VERSION:
            system, version = unpack(f"{order}II", content, command + 8)
            if system == _MACOS:
                yield _macos(version)


def _macos(version: int) -> Minimum:
    return Minimum("macos", (version >> 16, version >> 8 & 0xFF))
