"""What the headers of ELF, Mach-O and PE files say, and that nothing in a file can break its reader."""

import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.native.binary import Content, Malformed, Minimum, NativeBinary, highest
from stackbuild.native.elf import Linking, parse_elf, read_linking
from stackbuild.native.mach_o import parse_mach_o
from stackbuild.native.pe import parse_pe
from tests.native_bytes import elf, java_class, mach_o, pe, universal


def summary(binary: NativeBinary | None) -> tuple[str, list[tuple[str, str | None]]] | None:
    """StepKind, and machine with the oldest system of each part."""
    if binary is None:
        return None
    return binary.kind.value, [(code.machine, str(code.minimum) if code.minimum else None) for code in binary.code]


# ELF


@pytest.mark.parametrize(
    ("machine", "bits", "order"),
    [("x86_64", 64, "<"), ("aarch64", 64, "<"), ("i686", 32, "<"), ("s390x", 64, ">")],
)
def test_elf_tells_its_highest_glibc_version_without_section_headers(machine: str, bits: int, order: str) -> None:
    content = elf(("GLIBC_2.2.5", "GLIBC_2.28", "GLIBC_2.9"), machine=machine, bits=bits, order=order)
    assert summary(parse_elf(content)) == ("library", [(machine, "glibc@2.28")])


def test_elf_of_32_bits_and_big_endian_is_read_too() -> None:
    content = elf(("GLIBC_2.17",), machine="arm or so", bits=32, order=">")
    assert summary(parse_elf(content)) == ("library", [("elf-0", "glibc@2.17")])


@pytest.mark.parametrize(
    ("versions", "needed", "minimum"),
    [
        ((), (), None),
        ((), ("libc.so.6",), "glibc"),
        (("GLIBCXX_3.4.30", "GLIBC_PRIVATE"), (), None),
        (("GLIBC_2.4", "GLIBC_ABI_DT_RELR"), ("libc.so.6",), "glibc@2.36"),
        ((), ("libm.so", "libc.musl-x86_64.so.1"), "musl"),
        ((), ("libc.so",), "musl"),
    ],
)
def test_elf_tells_which_c_library_it_needs(
    versions: tuple[str, ...], needed: tuple[str, ...], minimum: str | None
) -> None:
    assert summary(parse_elf(elf(versions, needed=needed))) == ("library", [("x86_64", minimum)])


DT_RPATH, DT_RUNPATH = 15, 29


@pytest.mark.parametrize(
    ("run_paths", "expected"),
    [
        ((), ""),
        (((DT_RPATH, "/old:$ORIGIN"),), "/old:$ORIGIN"),
        (((DT_RUNPATH, "/new"),), "/new"),
        (((DT_RPATH, "/old"), (DT_RUNPATH, "/new")), "/new"),
        (((DT_RUNPATH, "/new"), (DT_RPATH, "/old")), "/new"),
        (((DT_RUNPATH, "/first"), (DT_RUNPATH, "/second")), "/first"),
    ],
)
def test_run_path_is_the_one_that_the_dynamic_linker_follows(
    run_paths: tuple[tuple[int, str], ...], expected: str
) -> None:
    for bits, order in ((64, "<"), (32, ">")):
        content = elf(needed=("libz.so.1", "libc.so.6"), run_paths=run_paths, bits=bits, order=order)
        assert read_linking(content) == Linking(needed=frozenset({"libz.so.1", "libc.so.6"}), run_path=expected)


def test_version_that_the_dynamic_linker_does_without_is_not_needed() -> None:
    assert summary(parse_elf(elf(("GLIBC_2.38",), weak=True))) == ("library", [("x86_64", None)])


def test_elf_program_is_told_by_its_type_its_flag_or_its_interpreter() -> None:
    linker = "/lib64/ld-linux-x86-64.so.2"
    programs = [elf(kind=2), elf(flags=0x08000000), elf(interpreter=linker)]
    assert [summary(parse_elf(it)) for it in programs] == [("executable", [("x86_64", None)])] * 3
    library_that_can_be_run = elf(interpreter=linker, name="libc.so.6")
    assert summary(parse_elf(library_that_can_be_run)) == ("library", [("x86_64", None)])


def test_program_for_the_linker_of_musl_needs_musl() -> None:
    assert summary(parse_elf(elf(interpreter="/lib/ld-musl-aarch64.so.1", machine="aarch64"))) == (
        "executable",
        [("aarch64", "musl")],
    )


@pytest.mark.parametrize("kind", [0, 1, 4])
def test_object_files_and_core_dumps_are_not_native_files(kind: int) -> None:
    assert parse_elf(elf(kind=kind)) is None


def test_list_of_versions_that_leads_back_into_itself_ends() -> None:
    content = bytearray(elf(("GLIBC_2.4", "GLIBC_2.5")))
    table = content.find(struct.pack("<HHI", 1, 2, 1))
    struct.pack_into("<I", content, table + 12, 2**32 - 1)
    started = time.monotonic()
    with pytest.raises(Malformed):
        parse_elf(bytes(content))
    assert time.monotonic() - started < 1


# Mach-O


@pytest.mark.parametrize(("order", "bits"), [("<", 64), ("<", 32), (">", 64), (">", 32)])
def test_mach_o_tells_its_oldest_macos(order: str, bits: int) -> None:
    content = mach_o("11.3", order=order, bits=bits)
    assert summary(parse_mach_o(content)) == ("library", [("arm64", "macos@11.3")])


def test_mach_o_with_the_old_load_command_is_read_too_and_the_higher_one_counts() -> None:
    assert summary(parse_mach_o(mach_o(old_minimum="10.9", machine="x86_64"))) == (
        "library",
        [("x86_64", "macos@10.9")],
    )
    assert summary(parse_mach_o(mach_o("11.0", old_minimum="10.15"))) == ("library", [("arm64", "macos@11.0")])


def test_mach_o_for_another_system_of_apple_says_nothing_of_macos() -> None:
    assert summary(parse_mach_o(mach_o("17.0", system=2))) == ("library", [("arm64", None)])


def test_machine_with_pointer_authentication_has_a_name_of_its_own() -> None:
    content = mach_o("13.0", subtype=2 | 0x80000000)
    assert summary(parse_mach_o(content)) == ("library", [("arm64e", "macos@13.0")])


@pytest.mark.parametrize("wide", [False, True])
def test_universal_file_has_code_for_each_machine_with_a_minimum_of_its_own(wide: bool) -> None:
    content = universal(
        mach_o("10.13", machine="x86_64", kind="bundle"), mach_o("11.0", machine="arm64", kind="bundle"), wide=wide
    )
    assert summary(parse_mach_o(content)) == ("bundle", [("x86_64", "macos@10.13"), ("arm64", "macos@11.0")])


@pytest.mark.parametrize("kind", ["object", "symbols"])
def test_object_files_and_debug_symbols_of_macos_are_not_native_files(kind: str) -> None:
    assert parse_mach_o(mach_o("11.0", kind=kind)) is None
    assert parse_mach_o(universal(mach_o("11.0", kind=kind))) is None


def test_universal_archive_of_object_files_is_not_a_native_file() -> None:
    assert parse_mach_o(universal(b"!<arch>\n" + bytes(60), b"!<arch>\n" + bytes(60))) is None


@pytest.mark.parametrize("major", [45, 52, 61, 70])
def test_java_class_is_not_mach_o(major: int) -> None:
    with pytest.raises(Malformed):
        parse_mach_o(java_class(major))


def test_load_command_of_no_length_ends_the_reading() -> None:
    content = bytearray(mach_o("11.0"))
    struct.pack_into("<I", content, 36, 0)
    with pytest.raises(Malformed):
        parse_mach_o(bytes(content))


# PE


@pytest.mark.parametrize("machine", ["win32", "amd64", "arm64"])
def test_pe_tells_its_machine_and_kind(machine: str) -> None:
    assert summary(parse_pe(pe(machine))) == ("library", [(machine, None)])
    assert summary(parse_pe(pe(machine, flags=0x0022))) == ("executable", [(machine, None)])


def test_program_of_dos_and_object_file_are_not_native_files() -> None:
    assert parse_pe(b"MZ" + bytes(200)) is None
    assert parse_pe(pe(flags=0)) is None


# whatever the bytes

PARSERS: list[Callable[[Content], NativeBinary | None]] = [parse_elf, parse_mach_o, parse_pe]
GOOD = [
    elf(("GLIBC_2.17", "GLIBC_2.3"), needed=("libc.so.6",), interpreter="/lib/ld.so"),
    elf(("GLIBC_2.17",), bits=32, order=">", machine="i686"),
    mach_o("11.0", old_minimum="10.9"),
    universal(mach_o("11.0"), mach_o("10.9", machine="x86_64")),
    universal(mach_o("11.0"), wide=True),
    pe(),
]


def survives(content: bytes) -> None:
    for parse in PARSERS:
        try:
            found = parse(content)
        except Malformed:
            continue
        assert found is None or len(found.code) > 0


@pytest.mark.parametrize("content", GOOD)
def test_file_that_is_cut_off_anywhere_is_at_most_malformed(content: bytes) -> None:
    for length in range(len(content)):
        survives(content[:length])
    assert any(cut_off_is_noticed(content, parse) for parse in PARSERS)


def cut_off_is_noticed(content: bytes, parse: Callable[[Content], NativeBinary | None]) -> bool:
    try:
        parse(content[:32])
    except Malformed:
        return True
    return False


@given(
    content=st.sampled_from(GOOD),
    changes=st.lists(st.tuples(st.integers(4, 700), st.binary(min_size=1, max_size=8)), max_size=6),
)
def test_damaged_file_is_at_most_malformed(content: bytes, changes: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(content)
    for place, put in changes:
        damaged[place : place + len(put)] = put
    survives(bytes(damaged))


@given(start=st.sampled_from([content[:8] for content in GOOD]), rest=st.binary(max_size=400))
def test_garbage_behind_a_good_beginning_is_at_most_malformed(start: bytes, rest: bytes) -> None:
    survives(start + rest)


def test_highest_minimum_is_that_of_the_newest_system() -> None:
    libraries = [parse_elf(elf((version,))) for version in ("GLIBC_2.9", "GLIBC_2.17")]
    found = [code.minimum for binary in libraries if binary for code in binary.code]
    assert str(highest([None, *found])) == "glibc@2.17"
    assert highest([None]) is None


def test_highest_minimum_of_mixed_systems_is_that_of_the_system_that_decides() -> None:
    mixed = [Minimum("glibc", (2, 17)), Minimum("musl"), None, Minimum("glibc", (2, 28))]
    assert str(highest(mixed, system="glibc")) == "glibc@2.28"
    assert str(highest(mixed, system="musl")) == "musl"
    assert str(highest([Minimum("musl")], system="glibc")) == "musl"
