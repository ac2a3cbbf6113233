"""PE, the native files of Windows: which machine they are for. Format: Microsoft's "PE Format"."""

from stackbuild.native.binary import Code, Content, NativeBinary, NativeFormat, NativeKind, unpack

MAGIC = b"MZ"

_POINTER = 0x3C  # to the actual header, from that of DOS
_SIGNATURE = b"PE\0\0"
_MACHINES = {0x014C: "win32", 0x01C4: "arm32", 0x8664: "amd64", 0xA641: "arm64", 0xA64E: "arm64", 0xAA64: "arm64"}
_IS_COMPLETE, _IS_LIBRARY = 0x0002, 0x2000


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
        code=(Code(machine=_MACHINES.get(machine, f"pe-{machine}")),),
    )
