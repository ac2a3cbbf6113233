"""Makes small native files by hand: only what a reader of headers looks at, and no section headers."""

import struct
from collections.abc import Sequence

ELF_MACHINES = {"i686": 3, "s390x": 22, "x86_64": 62, "aarch64": 183}
MACH_O_MACHINES = {"i386": 7, "x86_64": 0x01000007, "arm64": 0x0100000C}
PE_MACHINES = {"win32": 0x014C, "amd64": 0x8664, "arm64": 0xAA64}
MACH_O_KINDS = {"object": 1, "executable": 2, "library": 6, "bundle": 8, "symbols": 10}

BASE = 0x10000  # where the one segment is loaded, so that addresses are no offsets


def elf(
    versions: Sequence[str] = (),
    *,
    needed: Sequence[str] = (),
    interpreter: str | None = None,
    machine: str = "x86_64",
    bits: int = 64,
    order: str = "<",
    kind: int = 3,
    weak: bool = False,
    name: str | None = None,
    flags: int = 0,
    run_paths: Sequence[tuple[int, str]] = (),
) -> bytes:
    """An ELF file that needs the symbol `versions` of one library, and the libraries `needed`. `kind` 3: shared.

    `run_paths`: dynamic entries for them, as tag and text.
    """
    wide = bits == 64
    texts = [*versions, *needed, *([name] if name else []), *(text for _, text in run_paths)]
    strings, places = b"\0", {}
    for text in texts:
        places[text] = len(strings)
        strings += text.encode() + b"\0"
    header_size, segment_size, pair = (64, 56, "qQ") if wide else (52, 32, "iI")
    segments_size = 3 * segment_size
    strings_at = header_size + segments_size
    interpreter_at = strings_at + len(strings)
    interpreter_text = (interpreter or "").encode() + b"\0"
    versions_at = interpreter_at + len(interpreter_text)
    table = _version_needs([places[text] for text in versions], order, weak=weak) if versions else b""
    dynamic_at = versions_at + len(table)
    entries = [*((1, places[text]) for text in needed), (5, BASE + strings_at)]
    entries += [(14, places[name])] if name else []
    entries += [(tag, places[text]) for tag, text in run_paths]
    entries += [(0x6FFFFFFB, flags)] if flags else []
    entries += [(0x6FFFFFFE, BASE + versions_at), (0x6FFFFFFF, 1)] if versions else []
    dynamic = b"".join(struct.pack(order + pair, *entry) for entry in [*entries, (0, 0)])
    size = dynamic_at + len(dynamic)

    def segment(number: int, offset: int, length: int) -> bytes:
        if wide:
            return struct.pack(order + "IIQQQQQQ", number, 4, offset, BASE + offset, 0, length, length, 8)
        return struct.pack(order + "IIIIIIII", number, offset, BASE + offset, 0, length, length, 4, 8)

    segments = segment(1, 0, size) + segment(2, dynamic_at, len(dynamic))
    segments += segment(3 if interpreter else 4, interpreter_at, len(interpreter_text))
    identity = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (kind, ELF_MACHINES.get(machine, 0), 1, 0, header_size, 0, 0, header_size, segment_size, 3, 0, 0, 0)
    header = struct.pack(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), *fields)
    return identity + header + segments + strings + interpreter_text + table + dynamic


def _version_needs(places: Sequence[int], order: str, *, weak: bool) -> bytes:
    table = struct.pack(order + "HHIII", 1, len(places), places[0], 16, 0)
    for number, place in enumerate(places):
        following = 16 if number < len(places) - 1 else 0
        table += struct.pack(order + "IHHII", 0, 2 if weak else 0, 2 + number, place, following)
    return table


def version(text: str) -> int:
    """A version as Mach-O has it."""
    major, minor, patch = (*map(int, text.split(".")), 0, 0)[:3]
    return major << 16 | minor << 8 | patch


def mach_o(
    minimum: str | None = None,
    *,
    machine: str = "arm64",
    subtype: int = 0,
    kind: str = "library",
    old_minimum: str | None = None,
    system: int = 1,
    order: str = "<",
    bits: int = 64,
    name: str | None = None,
    needed: Sequence[str] = (),
) -> bytes:
    """A Mach-O file for one machine; `minimum` in the load command of today, `old_minimum` in that of before 2018."""
    commands = [struct.pack(order + "II8x", 0x1B, 16)]
    for kind_of_command, library in [*([(0xD, name)] if name else []), *((0xC, it) for it in needed)]:
        text = library.encode() + b"\0"
        commands.append(struct.pack(order + "IIIIII", kind_of_command, 24 + len(text), 24, 0, 0, 0) + text)
    if old_minimum is not None:
        commands.append(struct.pack(order + "IIII", 0x24, 16, version(old_minimum), version("12.0")))
    if minimum is not None:
        commands.append(struct.pack(order + "IIIIII", 0x32, 24, system, version(minimum), version("14.0"), 0))
    size = sum(map(len, commands))
    fields = (MACH_O_MACHINES[machine], subtype, MACH_O_KINDS[kind], len(commands), size, 0)
    magic = struct.pack(order + "I", 0xFEEDFACF if bits == 64 else 0xFEEDFACE)
    return magic + struct.pack(order + "IIIIII", *fields) + (bytes(4) if bits == 64 else b"") + b"".join(commands)


def universal(*slices: bytes, wide: bool = False) -> bytes:
    """A universal file of these Mach-O files."""
    entry = ">IIQQII" if wide else ">IIIII"
    start = 8 + len(slices) * struct.calcsize(entry)
    table, content = b"", b""
    for item in slices:
        place = start + len(content)
        fields = (0, 0, place, len(item), 0, 0) if wide else (0, 0, place, len(item), 0)
        table += struct.pack(entry, *fields)
        content += item
    return struct.pack(">II", 0xCAFEBABF if wide else 0xCAFEBABE, len(slices)) + table + content


def java_class(major: int = 61) -> bytes:
    return struct.pack(">IHH", 0xCAFEBABE, 0, major) + bytes(range(200))


def pe(machine: str = "amd64", *, flags: int = 0x2022, header_at: int = 0x80, needed: Sequence[str] = ()) -> bytes:
    """A DLL that imports from those `needed`, or with other `flags` (0x0022) a program."""
    start = b"MZ" + bytes(0x3A) + struct.pack("<I", header_at)
    optional = struct.pack("<H", 0x20B) + bytes(110) + bytes(8) + struct.pack("<II", BASE, 20 * (len(needed) + 1))
    section_at = header_at + 24 + len(optional) + 40
    names_at, names, table = BASE + 20 * (len(needed) + 1), b"", b""
    for library in needed:
        table += struct.pack("<IIIII", 0, 0, 0, names_at + len(names), 0)
        names += library.encode() + b"\0"
    content = table + bytes(20) + names
    header = b"PE\0\0" + struct.pack("<HHIIIHH", PE_MACHINES[machine], 1, 0, 0, 0, len(optional), flags)
    section = b".idata\0\0" + struct.pack("<IIII", len(content), BASE, len(content), section_at) + bytes(16)
    return start.ljust(header_at, b"\0") + header + optional + section + content
