import gzip
import hashlib
import io
import lzma
import os
import signal
import stat
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.archives import streams as archive_streams
from stackbuild.archives.tar_headers import MAX_TIME, MemberKind, end_of_archive, member_header, padding
from stackbuild.archives.writer import (
    ArchiveEntry,
    ArchiveFormat,
    PackedFile,
    WrittenArchive,
    list_folder,
    write_archive,
)
from stackbuild.errors import ArchiveError, Interrupted
from stackbuild.system import process

MTIME = 1_700_000_000  # 2023-11-14 22:13:20 UTC
TAR_FORMATS = [ArchiveFormat.TAR, ArchiveFormat.TAR_GZ, ArchiveFormat.TAR_XZ, ArchiveFormat.TAR_ZST]
LONG = "a-rather-long-folder-name/" * 9 + "file.txt"  # fits into the ustar prefix and name
TOO_LONG = "n" * 101
NON_ASCII = "größe/データ.txt"
SMALL = [
    ArchiveEntry(path="bin"),
    ArchiveEntry(path="bin/run", data=b"#!/bin/sh\n", mode=0o777),
    ArchiveEntry(path="bin/python", target="../lib/python"),
    ArchiveEntry(path="lib/empty", data=b"", mode=0o600),
]
UNUSUAL = [
    ArchiveEntry(path=LONG, data=b"long"),
    ArchiveEntry(path=TOO_LONG, data=b"too long"),
    ArchiveEntry(path=f"folders/{TOO_LONG}"),
    ArchiveEntry(path=NON_ASCII, data="Größe".encode()),
    ArchiveEntry(path="far", target="../" * 40 + "target"),
    ArchiveEntry(path="fern", target="größe"),
]


def write(path: Path, entries: list[ArchiveEntry], **options: object) -> WrittenArchive:
    chosen = {"format": ArchiveFormat.TAR, "mtime": MTIME, **options}
    return write_archive(path, entries, **chosen)  # type: ignore[arg-type]


def unpacked(path: Path, archive_format: ArchiveFormat) -> bytes:
    """The tar stream inside, by the reader of its compression."""
    packed = path.read_bytes()
    match archive_format:
        case ArchiveFormat.TAR_ZST:
            return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()
        case ArchiveFormat.TAR_XZ:
            return lzma.decompress(packed)
        case ArchiveFormat.TAR_GZ:
            return gzip.decompress(packed)
    return packed


def read_tar(path: Path, archive_format: ArchiveFormat = ArchiveFormat.TAR) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(unpacked(path, archive_format)), mode="r:") as archive:
        found = {}
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            found[member.name] = member, content.read() if content else b""
    return found


def disk_entry(path: Path, *, content: bytes, size: int | None = None) -> ArchiveEntry:
    path.write_bytes(content)
    return ArchiveEntry(path=path.name, source=path, size=len(content) if size is None else size)


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same ones each time."""
    return b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(-(-size // 32)))[:size]


# Bytes


def test_a_small_tar_file_has_exactly_these_bytes(tmp_path: Path) -> None:
    written = write(tmp_path / "small.tar", SMALL)
    assert written.sha256 == "f24b67f9699e68fc4732f79818f4533c0e8ab9ab959d7ab2019b38a6f1a8f09e"
    assert written.content_sha256 == written.sha256 == hashlib.sha256((tmp_path / "small.tar").read_bytes()).hexdigest()
    assert written.size == 10_240


def test_a_tar_file_with_extended_headers_has_exactly_these_bytes(tmp_path: Path) -> None:
    assert (
        write(tmp_path / "unusual.tar", UNUSUAL).sha256
        == "5cb2f54386992d6505ff7a7ae002fabcb52b573fab5aa57dc3b9d40cbe4b7c98"
    )


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_neither_the_order_of_entries_nor_the_clock_nor_the_zone_nor_the_umask_nor_the_place_changes_the_bytes(
    archive_format: ArchiveFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_source, second_source = tmp_path / "one", tmp_path / "two"
    first_source.write_bytes(b"the same")
    second_source.write_bytes(b"the same")
    os.utime(second_source, (1, 1))

    def entries(source: Path) -> list[ArchiveEntry]:
        return [*SMALL, *UNUSUAL, ArchiveEntry(path="from/disk", source=source, size=8)]

    first = write(tmp_path / "first", entries(first_source), format=archive_format)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    old_umask = os.umask(0o077)
    try:
        second = write(tmp_path / "second", entries(second_source)[::-1], format=archive_format)
    finally:
        os.umask(old_umask)
        monkeypatch.undo()
        time.tzset()
    assert first == second
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("level", [1, 3, 9])
def test_the_number_of_threads_does_not_change_a_zstd_archive(level: int, tmp_path: Path) -> None:
    # More than one job of the compressor, with matches across their borders.
    content = noise(3 << 20) + bytes(5 << 20) + noise(5 << 20)
    entries = [ArchiveEntry(path="noise", data=content), ArchiveEntry(path="again", data=content[1 << 20 :])]
    written = [
        write(tmp_path / "a.tar.zst", entries, format=ArchiveFormat.TAR_ZST, level=level, threads=threads)
        for threads in (1, 2, 4, 0, None)
    ]
    assert len({archive.sha256 for archive in written}) == 1


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_the_sizes_in_which_content_is_handed_over_do_not_change_the_bytes(
    archive_format: ArchiveFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = noise(200_000) + bytes(100_000)
    entries = [*SMALL, disk_entry(tmp_path / "content", content=content)]
    expected = write(tmp_path / "a", entries, format=archive_format)
    monkeypatch.setattr(archive_streams, "_CHUNK", 1000)
    assert write(tmp_path / "b", entries, format=archive_format) == expected


def test_the_content_hash_is_the_same_for_every_compression_and_level(tmp_path: Path) -> None:
    hashes = {
        write(tmp_path / "a", SMALL, format=tar, level=level).content_sha256 for tar in TAR_FORMATS for level in (1, 22)
    }
    assert hashes == {write(tmp_path / "small.tar", SMALL).sha256}
    assert write(tmp_path / "a.zip", SMALL, format=ArchiveFormat.ZIP).content_sha256 is None


def test_a_gzip_header_names_no_file_time_or_system(tmp_path: Path) -> None:
    write(tmp_path / "small.tar.gz", SMALL, format=ArchiveFormat.TAR_GZ)
    assert (tmp_path / "small.tar.gz").read_bytes()[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def test_a_zstd_window_is_no_larger_than_the_content_needs(tmp_path: Path) -> None:
    entries = [ArchiveEntry(path="noise", data=noise(3 << 20))]
    write(tmp_path / "a.tar.zst", entries, format=ArchiveFormat.TAR_ZST)
    write(tmp_path / "b.tar.zst", SMALL, format=ArchiveFormat.TAR_ZST)
    windows = [
        zstandard.get_frame_parameters((tmp_path / name).read_bytes()).window_size
        for name in ("a.tar.zst", "b.tar.zst")
    ]
    assert windows == [4 << 20, 1 << 20]


# What is in the archive


@pytest.mark.parametrize("archive_format", TAR_FORMATS)
def test_a_tar_file_holds_the_entries_sorted_and_owned_by_root_with_the_time_given(
    archive_format: ArchiveFormat, tmp_path: Path
) -> None:
    write(tmp_path / "a", SMALL[::-1], format=archive_format)
    found = read_tar(tmp_path / "a", archive_format)
    assert [(name, member.type, member.mode, content) for name, (member, content) in found.items()] == [
        ("bin", tarfile.DIRTYPE, 0o755, b""),
        ("bin/python", tarfile.SYMTYPE, 0o777, b""),
        ("bin/run", tarfile.REGTYPE, 0o755, b"#!/bin/sh\n"),
        ("lib/empty", tarfile.REGTYPE, 0o644, b""),
    ]
    for member, _ in found.values():
        assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "root", "root", MTIME)
        assert member.pax_headers == {}
    assert found["bin/python"][0].linkname == "../lib/python"


def test_long_and_non_ascii_names_and_targets_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", UNUSUAL)
    found = read_tar(tmp_path / "a.tar")
    assert found[LONG][1] == b"long"
    assert found[LONG][0].pax_headers == {}
    assert found[TOO_LONG][1] == b"too long"
    assert found[f"folders/{TOO_LONG}"][0].isdir()
    assert found[NON_ASCII][1].decode() == "Größe"
    assert found["far"][0].linkname == "../" * 40 + "target"
    assert found["fern"][0].linkname == "größe"
    assert len(found) == len(UNUSUAL)


@pytest.mark.parametrize("length", range(95, 105))
@pytest.mark.parametrize("kind", [MemberKind.FILE, MemberKind.FOLDER])
def test_names_around_the_limits_of_the_header_are_kept(length: int, kind: MemberKind, tmp_path: Path) -> None:
    data = b"" if kind is MemberKind.FILE else None
    names = [
        "x" * length,
        f"f/{'y' * length}",
        f"{'p' * (length + 53)}/z",
        f"{'q' * 155}/{'w' * length}",
        f"é{'v' * length}",
    ]
    write(tmp_path / "a.tar", [ArchiveEntry(path=name, data=data) for name in names])
    assert sorted(read_tar(tmp_path / "a.tar")) == sorted(names)


def test_a_zip_file_holds_files_links_and_folders_with_their_unix_modes(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", SMALL + UNUSUAL, format=ArchiveFormat.ZIP)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        infos = {info.filename: info for info in archive.infolist()}
        contents = {name: archive.read(name) for name in infos}
    assert list(infos) == [
        f"{e.path}/" if e.kind is MemberKind.FOLDER else e.path for e in sorted(SMALL + UNUSUAL, key=lambda e: e.path)
    ]
    assert {(info.create_system, info.date_time) for info in infos.values()} == {(3, (2023, 11, 14, 22, 13, 20))}
    assert infos["bin/"].is_dir()
    assert infos["bin/"].external_attr == (stat.S_IFDIR | 0o755) << 16 | 0x10
    assert infos["bin/run"].external_attr == (stat.S_IFREG | 0o755) << 16
    assert infos["bin/python"].external_attr == (stat.S_IFLNK | 0o777) << 16
    assert contents["bin/python"] == b"../lib/python"
    assert contents["bin/run"] == b"#!/bin/sh\n"
    assert contents[NON_ASCII].decode() == "Größe"


@pytest.mark.parametrize(("mtime", "expected"), [(0, (1980, 1, 1, 0, 0, 0)), (MAX_TIME, (2107, 12, 31, 23, 59, 58))])
def test_a_zip_file_takes_the_nearest_time_that_it_can_store(
    mtime: int, expected: tuple[int, ...], tmp_path: Path
) -> None:
    write(tmp_path / "a.zip", SMALL, format=ArchiveFormat.ZIP, mtime=mtime)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.infolist()[0].date_time == expected


@pytest.mark.parametrize("archive_format", [ArchiveFormat.ZIP, ArchiveFormat.TAR_GZ, ArchiveFormat.TAR_XZ])
def test_a_higher_level_makes_a_smaller_archive_up_to_the_formats_highest(
    archive_format: ArchiveFormat, tmp_path: Path
) -> None:
    words = b" ".join(b"%x" % (number * number) for number in range(20_000))
    sizes = [
        write(tmp_path / "a", [ArchiveEntry(path="words", data=words)], format=archive_format, level=level).size
        for level in (1, 9, 19)
    ]
    assert sizes[0] > sizes[1] == sizes[2]


def test_the_result_describes_what_was_packed(tmp_path: Path) -> None:
    entries = [*SMALL, disk_entry(tmp_path / "from-disk", content=b"disk")]
    for archive_format in ArchiveFormat:
        written = write(tmp_path / "a", entries, format=archive_format)
        assert written.sha256 == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()
        assert written.size == (tmp_path / "a").stat().st_size
        run = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
        empty = hashlib.sha256().hexdigest()
        disk = hashlib.sha256(b"disk").hexdigest()
        assert written.files == (
            PackedFile(path="bin", size=0, mode=0o755, sha256=None, target=None),
            PackedFile(path="bin/python", size=0, mode=0o777, sha256=None, target="../lib/python"),
            PackedFile(path="bin/run", size=10, mode=0o755, sha256=run, target=None),
            PackedFile(path="from-disk", size=4, mode=0o644, sha256=disk, target=None),
            PackedFile(path="lib/empty", size=0, mode=0o644, sha256=empty, target=None),
        )


@pytest.mark.parametrize(
    ("archive_format", "name"),
    [
        (ArchiveFormat.TAR_ZST, "libzstd 1."),
        (ArchiveFormat.TAR_XZ, "liblzma"),
        (ArchiveFormat.TAR_GZ, "zlib 1."),
        (ArchiveFormat.ZIP, "zlib 1."),
        (ArchiveFormat.TAR, "none"),
    ],
)
def test_the_result_names_the_compressor(archive_format: ArchiveFormat, name: str, tmp_path: Path) -> None:
    assert write(tmp_path / "a", SMALL, format=archive_format).compressor.startswith(name)


def test_an_archive_may_be_empty(tmp_path: Path) -> None:
    assert write(tmp_path / "a.tar", []).size == 10_240
    assert read_tar(tmp_path / "a.tar") == {}
    assert write(tmp_path / "a.zip", [], format=ArchiveFormat.ZIP).files == ()


def test_suffixes_are_the_file_name_extensions() -> None:
    assert [archive_format.suffix for archive_format in ArchiveFormat] == [
        ".tar.zst",
        ".tar.xz",
        ".tar.gz",
        ".tar",
        ".zip",
    ]


names = st.text(st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda name: name not in {".", ".."}
)
trees = st.recursive(
    st.one_of(
        st.binary(max_size=1500),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=120),
    ),
    lambda children: st.dictionaries(names, children, max_size=4),
    max_leaves=12,
)


def tree_entries(prefix: str, tree: object) -> Iterator[ArchiveEntry]:
    if isinstance(tree, dict):
        if prefix:
            yield ArchiveEntry(path=prefix)
        for name, child in tree.items():
            yield from tree_entries(f"{prefix}/{name}" if prefix else name, child)
    elif isinstance(tree, bytes):
        yield ArchiveEntry(path=prefix, data=tree)
    elif isinstance(tree, str):
        yield ArchiveEntry(path=prefix, target=tree)


@given(tree=st.dictionaries(names, trees, max_size=4), archive_format=st.sampled_from(TAR_FORMATS))
def test_any_tree_comes_back_as_it_was(
    tree: dict[str, object], archive_format: ArchiveFormat, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tree") / "a"
    entries = list(tree_entries("", tree))
    written = write(path, entries, format=archive_format)
    expected = {e.path: (e.kind.value, e.data or b"", e.target or "") for e in entries}
    found = read_tar(path, archive_format)
    assert {name: (member.type, content, member.linkname) for name, (member, content) in found.items()} == expected
    assert list(found) == [packed.path for packed in written.files] == sorted(expected, key=str.encode)


# Headers


def test_a_size_beyond_the_header_field_is_kept() -> None:
    size = 9 << 30
    header = member_header("huge", kind=MemberKind.FILE, mode=0o644, size=size, mtime=MTIME)
    with tarfile.open(fileobj=io.BytesIO(header + end_of_archive(len(header))), mode="r:") as archive:
        member = archive.next()  # no more can be read: the content is not there
    assert member is not None
    assert (member.name, member.size, member.isreg()) == ("huge", size, True)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 10_240])
def test_members_fill_blocks_and_archives_fill_records(size: int) -> None:
    whole = size + len(padding(size))
    assert whole % 512 == 0
    assert 0 <= whole - size < 512
    end = end_of_archive(whole)
    assert (whole + len(end)) % 10_240 == 0
    assert 1024 <= len(end) < 1024 + 10_240
    assert not any(end)


# Refusals


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/.", "a/", "a\\b", "a\0b"], ids=repr
)
@pytest.mark.parametrize("archive_format", [ArchiveFormat.TAR, ArchiveFormat.ZIP])
def test_unsafe_paths_are_refused(path: str, archive_format: ArchiveFormat, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError) as caught:
        write(tmp_path / "a", [ArchiveEntry(path=path, data=b"")], format=archive_format)
    assert str(caught.value) == f"unsafe path for an archive: {path!r}"
    assert list(tmp_path.iterdir()) == []


def test_paths_that_collide_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"^two entries of the archive have the path bin/run$"):
        write(tmp_path / "a", [*SMALL, ArchiveEntry(path="bin/run", data=b"")])
    with pytest.raises(ArchiveError, match=r"^bin/run/x/y cannot be packed: bin/run is not a folder$"):
        write(tmp_path / "a", [*SMALL, ArchiveEntry(path="bin/run/x/y", data=b"")])
    with pytest.raises(ArchiveError, match=r"^bin/python/x cannot be packed: bin/python is not a folder$"):
        write(tmp_path / "a", [*SMALL, ArchiveEntry(path="bin/python/x")])


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    for entry in (ArchiveEntry(path="a\udce9"), ArchiveEntry(path="a", target="\udce9")):
        with pytest.raises(ArchiveError, match="is not UTF-8, so that it cannot be packed"):
            write(tmp_path / "a", [entry])


@pytest.mark.parametrize("target", ["", "a\0b"])
def test_unusable_link_targets_are_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="the link has the unusable target"):
        write(tmp_path / "a", [ArchiveEntry(path="link", target=target)])


@pytest.mark.parametrize("mtime", [-1, MAX_TIME + 1])
def test_times_that_no_header_can_store_are_refused(mtime: int, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=f"the modification time {mtime} cannot be stored"):
        write(tmp_path / "a", SMALL, mtime=mtime)


def test_an_entry_with_two_contents_is_refused() -> None:
    with pytest.raises(ValueError, match="only one of source, data and target"):
        ArchiveEntry(path="a", data=b"", target="b")


# Failures


@pytest.mark.parametrize("archive_format", ArchiveFormat)
@pytest.mark.parametrize(
    "content", [b"", b"12345", b"1234567", b"1" * 3_000_000], ids=["gone", "shorter", "longer", "much longer"]
)
def test_a_file_that_changed_while_it_was_packed_is_named(
    archive_format: ArchiveFormat, content: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    entry = disk_entry(tmp_path / "changing", content=content, size=6)
    with pytest.raises(ArchiveError) as caught:
        write(out / "a", [*SMALL, entry], format=archive_format)
    assert caught.value.message == f"{tmp_path / 'changing'} changed while it was packed: its size is no longer 6"
    assert caught.value.hint
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 20) - 512])
def test_large_files_are_packed_and_measured_to_the_byte(size: int, tmp_path: Path) -> None:
    content = noise(size)
    told: list[int] = []
    written = write(tmp_path / "a", [disk_entry(tmp_path / "large", content=content)], on_bytes=told.append)
    assert written.files[0].sha256 == hashlib.sha256(content).hexdigest()
    assert read_tar(tmp_path / "a")["large"][1] == content
    assert sum(told) == size
    with pytest.raises(ArchiveError, match=f"its size is no longer {size - 1}\n"):
        write(tmp_path / "b", [ArchiveEntry(path="large", source=tmp_path / "large", size=size - 1)])


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_progress_adds_up_to_the_content_and_comes_a_mebibyte_or_more_at_a_time(
    archive_format: ArchiveFormat, tmp_path: Path
) -> None:
    entries = [ArchiveEntry(path=f"f{number}", data=bytes(300_000)) for number in range(10)]
    told: list[int] = []
    write(tmp_path / "a", entries, format=archive_format, on_bytes=told.append)
    assert sum(told) == 3_000_000
    assert all(count >= 1 << 20 for count in told[:-1])
    assert len(told) == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(ArchiveError) as caught:
        write(tmp_path / "a.tar", [ArchiveEntry(path="a", source=missing)])
    assert str(caught.value) == f"cannot pack a file ({missing}): No such file or directory"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_error_names_the_archive_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: object, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive_streams.Output, "write", full)
    for archive_format in ArchiveFormat:
        with pytest.raises(ArchiveError) as caught:
            write(tmp_path / "a", SMALL, format=archive_format)
        assert caught.value.message == f"cannot write {tmp_path / 'a'}: No space left on device"
        assert caught.value.hint == "free some space and run the same command again: it goes on where it stopped"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_an_interruption_keeps_the_old_archive_and_leaves_no_temporary_file(
    archive_format: ArchiveFormat, tmp_path: Path
) -> None:
    def interrupt(_count: int) -> None:
        assert len(list(tmp_path.iterdir())) == 2
        signal.raise_signal(signal.SIGINT)

    (tmp_path / "a").write_bytes(b"old")
    content = [ArchiveEntry(path="f", data=noise((1 << 20) + 1))]
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", content, format=archive_format, on_bytes=interrupt)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_stop_of_the_run_ends_packing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = threading.Event()
    stopping.set()
    monkeypatch.setattr(process, "_stopping", stopping)
    for archive_format in ArchiveFormat:
        with pytest.raises(Interrupted):
            write(tmp_path / "a", SMALL, format=archive_format)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_archive_is_replaced_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.tar"
    write(path, SMALL)
    write(path, SMALL[:1])
    assert list(read_tar(path)) == ["bin"]
    assert list(path.parent.iterdir()) == [path]


# Listing


def test_a_listing_has_an_entry_for_everything_but_caches_and_what_is_skipped(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "pkg/__pycache__").mkdir(parents=True)
    (root / "pkg/__pycache__/mod.pyc").write_bytes(b"")
    (root / "pkg/mod.py").write_bytes(b"mod")
    (root / "pkg/mod.py").chmod(0o750)
    (root / "skipped/deep").mkdir(parents=True)
    (root / "skipped/deep/file").write_bytes(b"")
    (root / "empty").mkdir(0o700)
    (root / "notes.txt").write_bytes(b"")
    (root / "link").symlink_to("pkg")
    (root / "broken").symlink_to(".//nowhere")
    asked: list[str] = []

    def skip(path: str) -> bool:
        asked.append(path)
        return path in {"skipped", "notes.txt"}

    found = {entry.path: entry for entry in list_folder(root, skip=skip)}
    assert found == {
        "pkg": ArchiveEntry(path="pkg", mode=stat.S_IMODE((root / "pkg").stat().st_mode)),
        "pkg/mod.py": ArchiveEntry(path="pkg/mod.py", source=str(root / "pkg/mod.py"), mode=0o750, size=3),
        "empty": ArchiveEntry(path="empty", mode=0o700),
        "link": ArchiveEntry(path="link", target="pkg"),
        "broken": ArchiveEntry(path="broken", target=".//nowhere"),
    }
    assert sorted(asked) == ["broken", "empty", "link", "notes.txt", "pkg", "pkg/mod.py", "skipped"]


def test_a_listed_folder_packs_to_what_is_on_disk(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "größe").mkdir(parents=True)
    (root / "größe/a").write_bytes(noise(70_000))
    os.link(root / "größe/a", root / "same")  # a hard link is stored as a file of its own
    (root / "link").symlink_to("größe/a")
    write(tmp_path / "a.tar", list_folder(root, skip=lambda _: False))
    found = read_tar(tmp_path / "a.tar")
    assert {name: (member.type, content) for name, (member, content) in found.items()} == {
        "größe": (tarfile.DIRTYPE, b""),
        "größe/a": (tarfile.REGTYPE, noise(70_000)),
        "link": (tarfile.SYMTYPE, b""),
        "same": (tarfile.REGTYPE, noise(70_000)),
    }


def test_a_listing_refuses_what_no_archive_can_hold(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveError) as caught:
        list_folder(tmp_path, skip=lambda _: False)
    assert (
        str(caught.value) == f"cannot pack {tmp_path / 'pipe'}: it is neither a file nor a folder nor a symbolic link"
    )


def test_a_listing_of_a_missing_folder_names_it(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"^cannot list .*/missing: No such file or directory$"):
        list_folder(tmp_path / "missing", skip=lambda _: False)
