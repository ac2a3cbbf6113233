"""ELF, the native files of Linux: which machine they are for, and the oldest C library that they run with.

Like the dynamic linker, it finds everything from the program headers, because section headers may be stripped. Formats:
System V ABI, chapters 4 and 5; symbol versions: Linux Standard Base, "Symbol Versioning".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

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

MAGIC = b"\x7fELF"

_EXECUTABLE_TYPE, _SHARED_TYPE = 2, 3
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3  # program headers
_NO_MORE, _NEEDED, _STRINGS, _NAME, _FLAGS, _VERSIONS = 0, 1, 5, 14, 0x6FFFFFFB, 0x6FFFFFFE  # dynamic entries
_RPATH, _RUNPATH = 15, 29
_IS_PROGRAM = 0x08000000  # DF_1_PIE
_WEAK = 0x2  # VER_FLG_WEAK: the linker lets the program start without it

_MACHINES = {
    (3, 32): "i686",
    (20, 32): "ppc",
    (22, 64): "s390x",
    (40, 32): "armv7l",
    (62, 64): "x86_64",
    (183, 64): "aarch64",
    (190, 64): "cuda",
    (224, 64): "amdgpu",
    (243, 64): "riscv64",
    (258, 64): "loongarch64",
}
_POWER = 21

_MOST_ENTRIES = 4096
"""No file in use has more program headers, dynamic entries or symbol versions."""

_GLIBC_VERSION = re.compile(r"GLIBC_(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?")
_GLIBC_FEATURES = {"GLIBC_ABI_DT_RELR": (2, 36)}  # a version that stands for a feature of the dynamic linker
_GLIBC = "libc.so.6"
# What links against musl itself has its file name there; Alpine names the library by machine.
_MUSL_LIBRARY = re.compile(r"libc\.musl-.+\.so\.\d+|libc\.so")
_MUSL_LINKER = re.compile(r"(?:.*/)?ld-musl-[^/]+")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How `struct` reads the tables of a file: 32 or 64 bits, either order of bytes."""

    header: str
    segment: str
    pair: str
    is_wide: bool
    order: str

    @classmethod
    def of(cls, content: Content) -> Self:
        bits, order = unpack("BB", content, 4)
        if bits not in (1, 2) or order not in (1, 2):
            raise Malformed("neither 32 nor 64 bits")
        sign = "<" if order == 1 else ">"
        if bits == 1:
            return cls(
                header=f"{sign}HHIIIIIHHH", segment=f"{sign}IIIIIIII", pair=f"{sign}iI", is_wide=False, order=sign
            )
        return cls(header=f"{sign}HHIQQQIHHH", segment=f"{sign}IIQQQQQQ", pair=f"{sign}qQ", is_wide=True, order=sign)


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def parse_elf(content: Content) -> NativeBinary | None:
    """A program or library; `None` for other kinds of ELF, such as object files. Raises `Malformed`."""
    layout = _Layout.of(content)
    kind, machine, _, _, segments_at, _, _, _, segment_size, count = unpack(layout.header, content, 16)
    if kind not in (_EXECUTABLE_TYPE, _SHARED_TYPE):
        return None
    segments = list(_segments(content, layout, segments_at, segment_size, min(count, _MOST_ENTRIES)))
    dynamic = list(_dynamic_entries(content, layout, segments))
    interpreter = next((text_at(content, it.offset) for it in segments if it.kind == _INTERPRETER), None)
    tags = {tag for tag, _ in dynamic}
    is_program = (
        kind == _EXECUTABLE_TYPE
        or any(tag == _FLAGS and value & _IS_PROGRAM for tag, value in dynamic)
        or (interpreter is not None and _NAME not in tags)  # libraries that can be run have a name
    )
    needed = list(_needed_libraries(content, segments, dynamic))
    if any(map(_MUSL_LIBRARY.fullmatch, needed)) or (interpreter and _MUSL_LINKER.fullmatch(interpreter)):
        minimum: Minimum | None = Minimum("musl")
    else:
        minimum = highest(_glibc(content, layout, segments, dynamic, needed))
    return NativeBinary(
        format=NativeFormat.ELF,
        kind=NativeKind.EXECUTABLE if is_program else NativeKind.LIBRARY,
        code=(
            Code(
                machine=_machine(machine, layout),
                minimum=minimum,
                name=_own_name(content, segments, dynamic),
                needed=tuple(needed),
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """What a file says to the dynamic linker: the names of the libraries it needs, and the folders to search first.

    run_path: as in the file, separated by `:`; DT_RUNPATH where there is one, else DT_RPATH, which it overrides.
    """

    needed: frozenset[str]
    run_path: str


def read_linking(content: Content) -> Linking:
    """How a program or library is linked. If it is linked statically, it needs nothing. Raises `Malformed`."""
    layout = _Layout.of(content)
    _, _, _, _, segments_at, _, _, _, segment_size, count = unpack(layout.header, content, 16)
    segments = list(_segments(content, layout, segments_at, segment_size, min(count, _MOST_ENTRIES)))
    dynamic = list(_dynamic_entries(content, layout, segments))
    paths = dict(reversed(dynamic))  # of several the first counts
    place = paths.get(_RUNPATH, paths.get(_RPATH))
    return Linking(
        needed=frozenset(_needed_libraries(content, segments, dynamic)),
        run_path="" if place is None else text_at(content, _table(segments, dynamic, _STRINGS) + place),
    )


def _machine(number: int, layout: _Layout) -> str:
    if number == _POWER:
        return "ppc64le" if layout.order == "<" else "ppc64"
    return _MACHINES.get((number, 64 if layout.is_wide else 32), f"elf-{number}")


def _segments(content: Content, layout: _Layout, start: int, size: int, count: int) -> Iterator[_Segment]:
    for number in range(count):
        numbers = unpack(layout.segment, content, start + number * size)
        if layout.is_wide:
            kind, _, offset, address, _, length, _, _ = numbers
        else:
            kind, offset, address, _, length, _, _, _ = numbers
        yield _Segment(kind, offset, address, length)


def _dynamic_entries(content: Content, layout: _Layout, segments: list[_Segment]) -> Iterator[tuple[int, int]]:
    """Tag and value of each entry of the dynamic segment; statically linked files have none."""
    start = next((it.offset for it in segments if it.kind == _DYNAMIC and it.size), None)
    if start is None:
        return
    for number in range(_MOST_ENTRIES):
        tag, value = unpack(layout.pair, content, start + number * (16 if layout.is_wide else 8))
        if tag == _NO_MORE:
            return
        yield tag, value


def _place(segments: list[_Segment], address: int) -> int:
    """The position in the file of what is at `address` when the file is loaded."""
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise Malformed(f"nothing is loaded at {address}")


def _table(segments: list[_Segment], dynamic: list[tuple[int, int]], tag: int) -> int:
    """The position in the file of the table whose address is in the dynamic entry `tag`."""
    address = next((value for found, value in dynamic if found == tag), None)
    if address is None:
        raise Malformed(f"a table is missing: {tag}")
    return _place(segments, address)


def _needed_libraries(content: Content, segments: list[_Segment], dynamic: list[tuple[int, int]]) -> Iterator[str]:
    names = [value for tag, value in dynamic if tag == _NEEDED]
    if names:
        strings = _table(segments, dynamic, _STRINGS)
        yield from (text_at(content, strings + name) for name in names)


def _own_name(content: Content, segments: list[_Segment], dynamic: list[tuple[int, int]]) -> str | None:
    place = next((value for tag, value in dynamic if tag == _NAME), None)
    return None if place is None else text_at(content, _table(segments, dynamic, _STRINGS) + place)


def _glibc(
    content: Content,
    layout: _Layout,
    segments: list[_Segment],
    dynamic: list[tuple[int, int]],
    needed: list[str],
) -> Iterator[Minimum]:
    """Every version of glibc from which a symbol is used, and glibc itself when the file is linked with it."""
    if _GLIBC in needed:
        yield Minimum("glibc")
    if all(tag != _VERSIONS for tag, _ in dynamic):
        return
    strings = _table(segments, dynamic, _STRINGS)
    for name in _needed_versions(content, layout, _table(segments, dynamic, _VERSIONS)):
        version = text_at(content, strings + name)
        if version in _GLIBC_FEATURES:
            yield Minimum("glibc", _GLIBC_FEATURES[version])
        elif match := _GLIBC_VERSION.fullmatch(version):
            yield Minimum("glibc", (int(match[1]), int(match[2])))


def _needed_versions(content: Content, layout: _Layout, library: int) -> Iterator[int]:
    """The position in the string table of the name of each needed symbol version, library by library."""
    left = _MOST_ENTRIES
    while left:
        _, _, _, first, next_library = unpack(f"{layout.order}HHIII", content, library)
        version = library + first
        while left:
            left -= 1
            _, flags, _, name, next_version = unpack(f"{layout.order}IHHII", content, version)
            if not flags & _WEAK:
                yield name
            if not next_version:
                break
            version += next_version
        if not next_library:
            return
        library += next_library
