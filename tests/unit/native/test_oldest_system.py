"""Which native files need a newer system than a layer is for."""

import pytest

from stackbuild.native.binary import Content, Minimum, NativeBinary
from stackbuild.native.elf import parse_elf
from stackbuild.native.files import NativeFile
from stackbuild.native.mach_o import parse_mach_o
from stackbuild.native.oldest_system import beyond_target, listed_offenders, oldest_system, target_line, way_out
from stackbuild.native.pe import parse_pe
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from tests.native_bytes import elf, mach_o, pe, universal


def file(path: str, content: Content) -> NativeFile:
    parsers = {b"\x7fELF": parse_elf, b"MZ\0\0": parse_pe}
    binary: NativeBinary | None = parsers.get(content[:4], parse_mach_o)(content)
    assert binary is not None
    return NativeFile(path=path, binary=binary)


FILES = [
    file("old.so", elf(("GLIBC_2.17",))),
    file("exact.so", elf(("GLIBC_2.28",))),
    file("new.so", elf(("GLIBC_2.34",))),
    file("arm.so", elf(("GLIBC_2.35",), machine="aarch64")),
    file("alpine.so", elf(needed=("libc.musl-x86_64.so.1",))),
    file("static", elf(kind=2)),
    file("any.so", elf(needed=("libc.so.6",))),
    file("both.so", universal(mach_o("10.9", machine="x86_64"), mach_o("12.3"))),
    file("mac.dylib", mach_o("14.1")),
    file("helper.exe", pe("arm64", flags=0x22)),
]


def offenders(platform: TargetPlatform, *, linux: str = "glibc@2.28", macos: tuple[int, int] = (13, 0)) -> list[str]:
    oldest = oldest_system(platform, linux_target=LinuxTarget.parse(linux), macos_target=macos)
    return [f"{found.path} {needed}" for found, needed in beyond_target(FILES, platform, oldest)]


def test_files_that_need_a_newer_glibc_or_another_c_library_are_beyond_the_target() -> None:
    assert offenders(TargetPlatform.LINUX_X86_64) == ["new.so glibc@2.34", "alpine.so musl"]
    assert offenders(TargetPlatform.LINUX_X86_64, linux="glibc@2.34") == ["alpine.so musl"]


def test_only_code_for_the_machine_of_the_layer_counts() -> None:
    assert offenders(TargetPlatform.LINUX_AARCH64) == ["arm.so glibc@2.35"]
    assert offenders(TargetPlatform.WIN_AMD64) == offenders(TargetPlatform.WIN_ARM64) == []


def test_files_for_glibc_are_beyond_every_version_of_musl() -> None:
    found = offenders(TargetPlatform.LINUX_X86_64, linux="musl@1.2")
    assert found == ["new.so glibc@2.34", "exact.so glibc@2.28", "old.so glibc@2.17", "any.so glibc"]


@pytest.mark.parametrize(
    ("platform", "target", "found"),
    [
        (TargetPlatform.MACOSX_ARM64, (12, 3), ["mac.dylib macos@14.1"]),
        (TargetPlatform.MACOSX_ARM64, (12, 0), ["mac.dylib macos@14.1", "both.so macos@12.3"]),
        (TargetPlatform.MACOSX_X86_64, (10, 9), []),
    ],
)
def test_on_macos_the_minimum_of_the_machine_counts(
    platform: TargetPlatform, target: tuple[int, int], found: list[str]
) -> None:
    assert offenders(platform, macos=target) == found


def test_line_of_the_specification_names_the_target() -> None:
    assert target_line(Minimum("glibc", (2, 34))) == 'linux_target = "glibc@2.34"'
    assert target_line(Minimum("macos", (14, 1))) == 'macosx_target = "14.1"'


def test_way_out_is_a_newer_target_unless_files_are_for_another_c_library() -> None:
    glibc = Minimum("glibc", (2, 28))
    new, alpine = (FILES[2], Minimum("glibc", (2, 34))), (FILES[4], Minimum("musl"))
    assert way_out([new], glibc) == 'write linux_target = "glibc@2.34" in its table, or take wheels for older systems'
    assert way_out([new, alpine], glibc) == "take wheels that are made for glibc"


def test_long_list_of_offenders_ends_in_a_count() -> None:
    lines = listed_offenders([(FILES[2], Minimum("glibc", (2, 34)))] * 23)
    assert len(lines) == 21
    assert (lines[0], lines[-1]) == ("new.so: needs glibc@2.34", "… and 3 more")
