import functools
import gzip
import hashlib
import io
import lzma
import os
import signal
import stat
import tarfile
import tempfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.archives import admission as archive_members
from stackbuild.archives import decompression
from stackbuild.archives.admission import Admission, Member
from stackbuild.archives.reader import UnpackedMember, unpack_archive
from stackbuild.archives.tar_headers import MemberKind
from stackbuild.archives.writer import ArchiveEntry, ArchiveFormat, write_archive
from stackbuild.errors import ArchiveError, Interrupted
from stackbuild.system import process

MTIME = 1_700_000_000
LAYER = [
    ArchiveEntry(path="app"),
    ArchiveEntry(path="app/bin"),
    ArchiveEntry(path="app/bin/python", target="../../py/bin/python"),
    ArchiveEntry(path="app/bin/run", data=b"#!/bin/sh\n", mode=0o755),
    ArchiveEntry(path="app/empty", data=b""),
    ArchiveEntry(path="app/lib"),
    ArchiveEntry(path="app/lib/größe", data="Größe".encode()),
    ArchiveEntry(path="app/lib/" + "n" * 120, data=b"long name"),
    ArchiveEntry(path="app/lib/inner", target="../bin/run"),
]
PACK: dict[ArchiveFormat, Callable[[bytes], bytes]] = {
    ArchiveFormat.TAR: bytes,
    ArchiveFormat.TAR_GZ: gzip.compress,
    ArchiveFormat.TAR_XZ: lzma.compress,
    ArchiveFormat.TAR_ZST: zstandard.ZstdCompressor(write_checksum=True).compress,
}


def write(path: Path, entries: list[ArchiveEntry]) -> Path:
    archive_format = next(known for known in ArchiveFormat if path.name.endswith(known.suffix))
    write_archive(path, entries, format=archive_format, mtime=MTIME)
    return path


def snapshot(root: Path) -> dict[str, tuple[str, object]]:
    """Mode and content of everything under `root`."""
    found: dict[str, tuple[str, object]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: object = None
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found[path.relative_to(root).as_posix()] = (stat.filemode(status.st_mode), content)
    return found


def info(name: str, **values: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mtime = MTIME
    for key, value in values.items():
        setattr(member, key, value)
    return member


def tar_of(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], tar_format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar file by `tarfile`, which writes whatever it is given."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tar_format) as archive:
        for member in members:
            header, content = member if isinstance(member, tuple) else (member, b"")
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return file.getvalue()


FOLDER = info("app", type=tarfile.DIRTYPE)


def refusal(path: Path, **options: object) -> str:
    """The message with which the archive `path` is refused, without its own name. Nothing may be left behind."""
    out = path.parent / "out"
    with pytest.raises(ArchiveError) as caught:
        unpack_archive(path, out, **options)  # type: ignore[arg-type]
    assert not out.exists() or list(out.iterdir()) == []
    assert caught.value.hint
    start = f"cannot unpack {path}: "
    assert caught.value.message.startswith(start)
    return caught.value.message.removeprefix(start)


@pytest.fixture
def tar(tmp_path: Path) -> Callable[..., Path]:
    """Writes a tar file from members of `tarfile` (or bytes) and gives its path."""

    def make(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes] | bytes) -> Path:
        path = tmp_path / "a.tar"
        path.write_bytes(
            members[0] if isinstance(members[0], bytes) else tar_of(*members)  # type: ignore[arg-type]
        )
        return path

    return make


# What is unpacked


@pytest.mark.parametrize("archive_format", ArchiveFormat)
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_layer_is_unpacked_as_it_was_packed_whatever_the_umask(
    archive_format: ArchiveFormat, umask: int, tmp_path: Path
) -> None:
    archive = write(tmp_path / f"a{archive_format.suffix}", LAYER)
    old_umask = os.umask(umask)
    try:
        unpack_archive(archive, tmp_path / "out")
    finally:
        os.umask(old_umask)
    assert snapshot(tmp_path / "out") == {
        "app": ("drwxr-xr-x", None),
        "app/bin": ("drwxr-xr-x", None),
        "app/bin/python": ("lrwxrwxrwx", "../../py/bin/python"),
        "app/bin/run": ("-rwxr-xr-x", b"#!/bin/sh\n"),
        "app/empty": ("-rw-r--r--", b""),
        "app/lib": ("drwxr-xr-x", None),
        "app/lib/größe": ("-rw-r--r--", "Größe".encode()),
        "app/lib/inner": ("lrwxrwxrwx", "../bin/run"),
        "app/lib/" + "n" * 120: ("-rw-r--r--", b"long name"),
    }
    assert {path.lstat().st_mtime for path in (tmp_path / "out").rglob("*")} == {MTIME}


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_the_result_lists_the_members_with_hashes_only_when_asked(
    archive_format: ArchiveFormat, tmp_path: Path
) -> None:
    archive = write(tmp_path / f"a{archive_format.suffix}", LAYER[:4])

    def expected(sha256: str | None) -> tuple[UnpackedMember, ...]:
        common = {"size": 0, "target": None, "sha256": None}
        return (
            UnpackedMember(path="app", kind=MemberKind.FOLDER, mode=0o755, **common),  # type: ignore[arg-type]
            UnpackedMember(path="app/bin", kind=MemberKind.FOLDER, mode=0o755, **common),  # type: ignore[arg-type]
            UnpackedMember(
                path="app/bin/python",
                kind=MemberKind.LINK,
                size=0,
                mode=0o777,
                target="../../py/bin/python",
                sha256=None,
            ),
            UnpackedMember(path="app/bin/run", kind=MemberKind.FILE, size=10, mode=0o755, target=None, sha256=sha256),
        )

    assert unpack_archive(archive, tmp_path / "out") == expected(None)
    hashed = unpack_archive(archive, tmp_path / "out", hash_files=True)
    assert hashed == expected(hashlib.sha256(b"#!/bin/sh\n").hexdigest())


def test_a_folder_of_the_same_name_is_replaced_and_its_neighbours_stay(tmp_path: Path) -> None:
    for old in ("app/old", "py/old"):
        (tmp_path / "out" / old).parent.mkdir(parents=True)
        (tmp_path / "out" / old).touch()
    unpack_archive(write(tmp_path / "a.tar", LAYER[:2]), tmp_path / "out")
    assert list(snapshot(tmp_path / "out")) == ["app", "app/bin", "py", "py/old"]


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_by_tarfile_are_unpacked(tar_format: int, tmp_path: Path) -> None:
    deep = "app/" + "folder/" * 20
    members: list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]] = [
        FOLDER,
        (info(deep + "file", mode=0o4775), b"deep"),
        info("app/link", type=tarfile.SYMTYPE, linkname="folder"),
    ]
    if tar_format != tarfile.USTAR_FORMAT:
        members.append((info("app/" + "ü" * 100), b"long"))
        members.append(info("app/far", type=tarfile.SYMTYPE, linkname="folder/" * 30))
    (tmp_path / "a.tar").write_bytes(tar_of(*members, tar_format=tar_format))
    unpack_archive(tmp_path / "a.tar", tmp_path / "out")
    found = snapshot(tmp_path / "out")
    assert found[deep + "file"] == ("-rwxr-xr-x", b"deep")
    assert found["app/folder"] == ("drwxr-xr-x", None)
    assert found["app/link"][1] == "folder"
    if tar_format != tarfile.USTAR_FORMAT:
        assert found["app/" + "ü" * 100][1] == b"long"
        assert found["app/far"][1] == "folder/" * 30


def test_a_folder_may_be_named_after_what_lies_in_it(tar: Callable[..., Path], tmp_path: Path) -> None:
    folder = info("app/lib", type=tarfile.DIRTYPE)
    unpack_archive(tar((info("app/lib/file"), b"x"), folder, FOLDER), tmp_path / "out")
    assert list(snapshot(tmp_path / "out")) == ["app", "app/lib", "app/lib/file"]


def test_large_files_are_unpacked_from_several_pieces(tmp_path: Path) -> None:
    content = b"".join(b"%d\n" % number for number in range(900_000))
    archive = write(tmp_path / "a.tar.gz", [*LAYER, ArchiveEntry(path="app/large", data=content)])
    told: list[int] = []
    unpack_archive(archive, tmp_path / "out", on_bytes=told.append)
    assert (tmp_path / "out/app/large").read_bytes() == content
    assert sum(told) == len(content) + sum(entry.stored_size for entry in LAYER)
    assert len(told) > 3


@pytest.mark.parametrize("threads", [1, 2, 100])
def test_archives_of_many_zstd_frames_are_unpacked_by_any_number_of_threads(threads: int, tmp_path: Path) -> None:
    data = tar_of(FOLDER, *((info(f"app/{number}"), b"%d" % number * 500) for number in range(100)))
    compress = zstandard.ZstdCompressor().compress
    skipped = b"\x5e\x2a\x4d\x18\x03\x00\x00\x00any"
    frames = [compress(data[start : start + 10_000]) for start in range(0, len(data), 10_000)]
    (tmp_path / "a.tar.zst").write_bytes(compress(b"") + skipped + b"".join(frames) + skipped)
    unpack_archive(tmp_path / "a.tar.zst", tmp_path / "out", threads=threads)
    assert all((tmp_path / f"out/app/{n}").read_bytes() == b"%d" % n * 500 for n in range(100))


def test_frames_that_do_not_tell_their_size_are_unpacked_as_a_stream(tmp_path: Path) -> None:
    data = tar_of(FOLDER, (info("app/file"), b"content" * 1000))
    packed = b"".join(
        zstandard.ZstdCompressor(write_content_size=False).compress(part) for part in (data[:1000], data[1000:])
    )
    (tmp_path / "a.tar.zst").write_bytes(packed)
    unpack_archive(tmp_path / "a.tar.zst", tmp_path / "out")
    assert (tmp_path / "out/app/file").read_bytes() == b"content" * 1000


def test_sizes_in_base_256_are_read_as_gnu_tar_writes_them(tmp_path: Path) -> None:
    data = bytearray(tar_of(FOLDER, (info("app/file"), b"content"), tar_format=tarfile.GNU_FORMAT))
    data[512 + 124 : 512 + 136] = b"\x80" + (7).to_bytes(11)
    set_checksum(data, 512)
    (tmp_path / "a.tar").write_bytes(data)
    unpack_archive(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out/app/file").read_bytes() == b"content"


def set_checksum(data: bytearray, start: int) -> None:
    data[start + 148 : start + 156] = b" " * 8
    data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])


# Refused members


@pytest.mark.parametrize(
    "name", ["/app/x", "app/../x", "../x", "app//x", "app/./x", "./app/x", "app/x\\y", "C:/x", "app/c:x", ".", ".."]
)
def test_unsafe_paths_are_refused(name: str, tar: Callable[..., Path], tmp_path: Path) -> None:
    assert refusal(tar(FOLDER, (info(name), b""))) == f"unsafe path of a member: {name!r}"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("app")
        archive.writestr(zipfile.ZipInfo(name), "")
    if "\\" in name or not name.startswith("/"):
        assert refusal(tmp_path / "a.zip") == f"unsafe path of a member: {name!r}"


@pytest.mark.parametrize(
    "name", ["app/ab:c", "app/what?", "app/a.", "app/a ", "app/\x01", "app/NUL", "app/aux.py", "app/com1"]
)
def test_names_that_windows_takes_for_something_else_are_refused_there(name: str) -> None:
    member = Member(path=name, kind=MemberKind.FILE, size=0, mode=0o644, mtime=0, target=None)
    assert Admission(windows=False).admit(member) == ["app"]
    with pytest.raises(ArchiveError, match=r"^unsafe path of a member: "):
        Admission(windows=True).admit(member)
    good = Member(path="app/.a..b/console.d", kind=MemberKind.FILE, size=0, mode=0o644, mtime=0, target=None)
    assert Admission(windows=True).admit(good) == ["app", "app/.a..b"]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a character device"),
        (tarfile.BLKTYPE, "a block device"),
        (tarfile.FIFOTYPE, "a named pipe"),
        (tarfile.CONTTYPE, "a contiguous file"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"Z", "a member of the unknown type b'Z'"),
    ],
)
def test_members_that_are_no_files_folders_or_links_are_refused(
    kind: bytes, what: str, tar: Callable[..., Path]
) -> None:
    odd = info("app/odd", type=kind, linkname="app")
    assert refusal(tar(FOLDER, odd)) == f"app/odd is {what}, which no layer needs"


@pytest.mark.parametrize("file_type", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_devices_and_pipes_in_zip_files_are_refused(file_type: int, tmp_path: Path) -> None:
    odd = zipfile.ZipInfo("app/odd")
    odd.create_system, odd.external_attr = 3, (file_type | 0o644) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(odd, "")
    assert refusal(tmp_path / "a.zip") == "app/odd is neither a file nor a folder nor a symbolic link"


@pytest.mark.parametrize("target", ["/etc/passwd", "C:/x", "..\\x", "c:x"])
def test_links_with_unsafe_targets_are_refused(target: str, tar: Callable[..., Path]) -> None:
    link = info("app/link", type=tarfile.SYMTYPE, linkname=target)
    assert refusal(tar(FOLDER, link)) == f"app/link: the link has the unsafe target {target!r}"


LEAVES = "leads out of the folder that holds the layers"


@pytest.mark.parametrize(
    ("links", "why"),
    [
        ({"l": "../../x"}, f"app/l: the link to '../../x' {LEAVES}"),
        ({"d/l": "../../../x"}, f"app/d/l: the link to '../../../x' {LEAVES}"),
        ({"d/l": "./..//../../x"}, f"app/d/l: the link to './..//../../x' {LEAVES}"),
        ({"up": "d/../..", "l": "up/../x"}, f"app/l: the link to 'up/../x' {LEAVES}"),
        ({"d/up": "..", "l": "d/up/../../x"}, f"app/l: the link to 'd/up/../../x' {LEAVES}"),
        ({"l": "../py/../x"}, "app/l: the link to '../py/../x' goes up from py, no folder of the archive"),
        ({"l": "gone/../x"}, "app/l: the link to 'gone/../x' goes up from app/gone, no folder of the archive"),
        ({"a": "b", "b": "a"}, "app/a: the link to 'b' leads in a circle"),
        ({"a": "a/x"}, "app/a: the link to 'a/x' leads in a circle"),
    ],
)
def test_links_that_leave_the_layers_folder_are_refused(
    links: dict[str, str], why: str, tar: Callable[..., Path]
) -> None:
    members = [info(f"app/{name}", type=tarfile.SYMTYPE, linkname=target) for name, target in links.items()]
    assert refusal(tar(FOLDER, info("app/d", type=tarfile.DIRTYPE), *members)) == why


@pytest.mark.parametrize("target", ["d", "../py", "../py/bin/python", "..", "d/../gone", "d/../../py/x"])
def test_links_to_other_layers_and_inside_the_own_are_made(
    target: str, tar: Callable[..., Path], tmp_path: Path
) -> None:
    link = info("app/l", type=tarfile.SYMTYPE, linkname=target)
    unpack_archive(tar(FOLDER, link, info("app/d", type=tarfile.DIRTYPE)), tmp_path / "out")
    assert os.readlink(tmp_path / "out/app/l") == target


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE])
@pytest.mark.parametrize("second", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE])
def test_two_members_of_one_path_are_refused(kind: bytes, second: bytes, tar: Callable[..., Path]) -> None:
    members = [info("app/x", type=type_, linkname="y") for type_ in (kind, second)]
    assert refusal(tar(FOLDER, *members)) == "app/x: two members have this path"


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE])
def test_members_inside_a_file_or_link_are_refused(kind: bytes, tar: Callable[..., Path]) -> None:
    outer = info("app/x", type=kind, linkname="..")
    assert refusal(tar(FOLDER, outer, (info("app/x/y/z"), b""))) == (
        "app/x/y/z needs the folder app/x, which is a file or link"
    )
    assert refusal(tar(FOLDER, (info("app/x/y"), b""), outer)) == "app/x: two members have this path"


def test_names_that_the_file_system_takes_for_one_are_refused(
    tar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file system that folds case, as far as this matters: the second name finds the first one's file.
    for function, place in (("open", 0), ("mkdir", 0), ("chmod", 0), ("symlink", 1)):
        real = getattr(os, function)

        def folding(*arguments: object, real: Any = real, place: int = place, **options: object) -> object:
            changed = list(arguments)
            changed[place] = str(arguments[place]).replace("README", "readme").replace("Lib", "lib")
            return real(*changed, **options)

        monkeypatch.setattr(os, function, folding)
    taken = "this file system takes its name for that of another member"
    files = (info("app/README"), b""), (info("app/readme"), b"")
    assert refusal(tar(FOLDER, *files)) == f"app/readme: {taken}"
    link = info("app/README", type=tarfile.SYMTYPE, linkname="x")
    assert refusal(tar(FOLDER, link, files[1])) == f"app/README: {taken}"
    assert refusal(tar(FOLDER, (info("app/Lib/x"), b""), (info("app/lib/y"), b""))) == f"app/lib: {taken}"


def test_links_are_made_when_all_files_are_written(
    tar: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    for function, place in (("open", 0), ("symlink", 1)):
        real = getattr(os, function)

        def noting(*arguments: Any, real: Any = real, place: int = place) -> object:
            made.append(Path(arguments[place]).name)
            return real(*arguments)

        monkeypatch.setattr(os, function, noting)
    link = info("app/a", type=tarfile.SYMTYPE, linkname="b")
    unpack_archive(tar(FOLDER, link, (info("app/b"), b""), (info("app/c"), b"")), tmp_path / "out")
    assert made[:3] == ["b", "c", "a"]


def test_a_second_top_folder_a_file_at_the_top_and_an_unexpected_name_are_refused(tar: Callable[..., Path]) -> None:
    other = info("other", type=tarfile.DIRTYPE)
    must = "the one folder that the archive must hold"
    assert refusal(tar(FOLDER, other)) == f"other does not lie in app, {must}"
    assert refusal(tar(FOLDER), top_folder="py") == f"app does not lie in py, {must}"
    for kind in (tarfile.REGTYPE, tarfile.SYMTYPE):
        message = refusal(tar(info("app", type=kind, linkname="x")))
        assert message == "app is not a folder: an archive must hold one folder with all else in it"
    assert refusal(tar(tar_of())) == "it is empty"


def test_bits_of_the_mode_that_give_others_rights_are_dropped(tar: Callable[..., Path], tmp_path: Path) -> None:
    unpack_archive(
        tar(
            info("app", type=tarfile.DIRTYPE, mode=0o7777),
            info("app/locked", type=tarfile.DIRTYPE, mode=0),
            (info("app/program", mode=0o6777), b""),
            (info("app/data", mode=0o4666), b""),
            (info("app/others", mode=0o001), b""),
        ),
        tmp_path / "out",
    )
    assert {path: mode for path, (mode, _) in snapshot(tmp_path / "out").items()} == {
        "app": "drwxr-xr-x",
        "app/data": "-rw-r--r--",
        "app/locked": "drwxr-xr-x",
        "app/others": "-rw-r--r--",
        "app/program": "-rwxr-xr-x",
    }


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    data = bytearray(tar_of(FOLDER, (info("app/xy"), b"")))
    data[512 + 4] = 0xE9
    set_checksum(data, 512)
    (tmp_path / "a.tar").write_bytes(data)
    assert refusal(tmp_path / "a.tar") == r"the name b'app/\xe9y' is not UTF-8"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("app/xy", "")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes().replace(b"xy", b"\xe9y"))
    assert refusal(tmp_path / "a.zip") == "the name 'app/Θy' is not UTF-8"


def test_more_content_than_expected_is_refused_before_it_is_written(tar: Callable[..., Path], tmp_path: Path) -> None:
    members = FOLDER, (info("app/a"), bytes(600)), (info("app/b"), bytes(401))
    assert refusal(tar(*members), max_size=1000) == (
        "app/b: with this file of 401 bytes it becomes larger than expected"
    )
    unpack_archive(tar(*members), tmp_path / "out", max_size=1001)
    assert (tmp_path / "out/app/b").stat().st_size == 401


def test_a_huge_number_of_members_is_refused(tar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_members, "_MAX_MEMBERS", 3)
    files = [(info(f"app/{number}"), b"") for number in range(3)]
    assert refusal(tar(FOLDER, *files)) == "app/2: this is member 4, more than any layer has"


# Refused files


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_an_archive_cut_off_anywhere_is_refused(archive_format: ArchiveFormat, tmp_path: Path) -> None:
    archive = write(tmp_path / f"a{archive_format.suffix}", LAYER)
    packed = archive.read_bytes()
    for length in {0, 1, 10, len(packed) // 3, len(packed) // 2, len(packed) - 8, len(packed) - 1} - {10_239, 10_232}:
        archive.write_bytes(packed[:length])
        assert refusal(archive)


@pytest.mark.parametrize("archive_format", ArchiveFormat)
@pytest.mark.parametrize("more", [b"\0", b"x", b"PK\5\6" + bytes(18)], ids=["zero", "letter", "zip end"])
def test_an_archive_that_goes_on_after_its_end_is_refused(
    archive_format: ArchiveFormat, more: bytes, tmp_path: Path
) -> None:
    archive = write(tmp_path / f"a{archive_format.suffix}", LAYER)
    archive.write_bytes(archive.read_bytes() + more)
    if archive_format is ArchiveFormat.TAR and more == b"\0":
        unpack_archive(archive, tmp_path / "out")  # records may be filled with zeros
        return
    assert refusal(archive)


@pytest.mark.parametrize("archive_format", [f for f in ArchiveFormat if f is not ArchiveFormat.TAR])
def test_an_archive_with_a_changed_byte_is_refused(archive_format: ArchiveFormat, tmp_path: Path) -> None:
    words = b" ".join(b"%x" % (number * number) for number in range(3000))
    archive = write(tmp_path / f"a{archive_format.suffix}", [LAYER[0], ArchiveEntry(path="app/words", data=words)])
    packed = bytearray(archive.read_bytes())
    packed[len(packed) // 2] ^= 0x10
    archive.write_bytes(packed)
    assert refusal(archive)


@pytest.mark.parametrize("archive_format", list(PACK))
def test_data_after_the_end_of_the_tar_file_is_refused(archive_format: ArchiveFormat, tmp_path: Path) -> None:
    archive = tmp_path / f"a{archive_format.suffix}"
    whole = tar_of(FOLDER)
    archive.write_bytes(PACK[archive_format](whole + bytes(512) + b"more"))
    assert refusal(archive) == "something follows the end of its tar file"
    archive.write_bytes(PACK[archive_format](whole + bytes(2 << 20)))
    assert refusal(archive) == "something follows the end of its tar file"
    archive.write_bytes(PACK[archive_format](whole[:512] + bytes(512) + tar_of(FOLDER)))
    assert refusal(archive) == "it is damaged: a lone zero block lies between its members"
    archive.write_bytes(PACK[archive_format](whole[:1024]))
    assert refusal(archive) == "it is cut off: its tar file ends too early"


def test_headers_that_lie_or_are_damaged_are_refused(tar: Callable[..., Path]) -> None:
    whole = tar_of(FOLDER, (info("app/file"), b"content"))

    def changed(start: int, value: bytes, *, checksum: bool = True) -> str:
        data = bytearray(whole)
        data[512 + start : 512 + start + len(value)] = value
        if checksum:
            set_checksum(data, 512)
        return refusal(tar(bytes(data)))

    assert changed(0, b"APP", checksum=False) == "APP/file: the header is damaged, its checksum is wrong"
    assert changed(124, b"00000000008\0") == "app/file: the header holds the unusable number b'00000000008'"
    assert changed(124, b"-0000000001\0") == "app/file: the header holds the unusable number b'-0000000001'"
    assert changed(124, b"0x000000001\0") == "app/file: the header holds the unusable number b'0x000000001'"
    assert changed(124, b"\xff" * 12).startswith("app/file: the header holds the unusable number")
    assert changed(124, b"77777777777\0") == "it is cut off: its tar file ends too early"
    assert changed(257, b"USTAR") == "it is damaged, or no tar file: there is no header where one must be"
    assert changed(156, b"5") == "app/file: a folder or link with content"
    assert changed(156, b"g") == "app/file is a header for all members, which no layer needs"


def pax(*records: tuple[str, str]) -> bytes:
    """An extended header with these records."""
    lines = []
    for key, value in records:
        rest = len(f" {key}={value}\n".encode())
        length = rest + len(str(rest + 2))
        lines.append(f"{length} {key}={value}\n".encode())
    return pax_header(b"".join(lines))


def pax_header(data: bytes) -> bytes:
    header = info("pax", type=b"x", size=len(data)).tobuf(tarfile.USTAR_FORMAT)
    return header + data + bytes(-len(data) % 512)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (pax(("path", "/etc/passwd")), "unsafe path of a member: '/etc/passwd'"),
        (pax(("path", "app/\0x")), "unsafe path of a member: 'app/\\x00x'"),
        (pax(("size", "9999")), "it is cut off: its tar file ends too early"),
        (pax(("size", "-1")), "an extended header holds the unusable size b'-1'"),
        (pax(("GNU.sparse.major", "1")), "it holds a sparse file, which no layer needs"),
        (pax(("path", "app/x")) * 2, "pax: more than one header describes the same member"),
        (pax_header(b"99 path=x\n"), "an extended header is damaged"),
        (pax_header(b"nonsense"), "an extended header is damaged"),
        (pax_header(b"1" * 30), "an extended header is damaged"),
        (pax_header(bytes(70_000)), "pax: a header of 70000 bytes"),
        (pax(("path", "app/x"))[:1024] + bytes(1024), "a header that describes a member is followed by none"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_extended_headers_that_lie_or_are_damaged_are_refused(
    headers: bytes, why: str, tar: Callable[..., Path]
) -> None:
    assert refusal(tar(tar_of(FOLDER)[:512] + headers + tar_of((info("app/file"), b"content")))) == why


def test_the_last_record_of_an_extended_header_counts(tar: Callable[..., Path], tmp_path: Path) -> None:
    headers = pax(("path", "app/first"), ("comment", "a=b"), ("path", "app/last"))
    unpack_archive(tar(tar_of(FOLDER)[:512] + headers + tar_of((info("app/file"), b"content"))), tmp_path / "out")
    assert list(snapshot(tmp_path / "out")) == ["app", "app/last"]


def test_a_zip_file_must_hold_nothing_but_its_members(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", LAYER)
    packed = archive.read_bytes()
    archive.write_bytes(b"#!/bin/sh\n" + packed)
    assert refusal(archive) == "it holds something before its members or after its directory"
    archive.write_bytes(packed)
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = b"comment"
    assert refusal(archive) == "it holds something before its members or after its directory"


def test_zip_members_of_other_methods_and_lying_sizes_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("app/x", b"content")
    assert refusal(archive) == "app/x is encrypted, or compressed in a way that no layer needs"
    for size in (6, 8):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app/x", b"content")
        packed = archive.read_bytes()
        directory = packed.rindex(b"PK\1\2")
        lying = bytearray(packed)
        lying[directory + 24 : directory + 28] = size.to_bytes(4, "little")
        archive.write_bytes(lying)
        assert refusal(archive)
    with zipfile.ZipFile(archive, "w") as file:
        link = zipfile.ZipInfo("app/x")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, b"x" * 5000)
    assert refusal(archive) == "app/x: a link with a target of 5000 bytes"


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_an_archive_with_another_hash_than_expected_is_refused(archive_format: ArchiveFormat, tmp_path: Path) -> None:
    archive = write(tmp_path / f"a{archive_format.suffix}", LAYER)
    good = hashlib.sha256(archive.read_bytes()).hexdigest()
    unpack_archive(archive, tmp_path / "good", sha256=good.upper())
    assert (tmp_path / "good/app/empty").exists()
    assert refusal(archive, sha256="0" * 64) == "its SHA-256 is not the one expected"


def test_an_unknown_suffix_and_a_missing_archive_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar.bz2").touch()
    assert refusal(tmp_path / "a.tar.bz2") == "its name tells no format that can be unpacked"
    with pytest.raises(ArchiveError) as caught:
        unpack_archive(tmp_path / "a.tar", tmp_path / "out")
    assert caught.value.message == f"cannot unpack {tmp_path / 'a.tar'}: No such file or directory"


@pytest.mark.parametrize("archive_format", [f for f in ArchiveFormat if f is not ArchiveFormat.TAR])
def test_a_bomb_is_refused_while_little_memory_is_used(archive_format: ArchiveFormat, tmp_path: Path) -> None:
    archive, dictionary = tmp_path / f"a{archive_format.suffix}", 0
    if archive_format is ArchiveFormat.TAR_XZ:  # with the dictionary of our own archives, which are slow to write
        dictionary = 64 << 20
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}]
        archive.write_bytes(lzma.compress(tar_of(FOLDER, (info("app/zeros"), bytes(128 << 20))), filters=filters))
    else:
        write(archive, [LAYER[0], ArchiveEntry(path="app/zeros", data=bytes(64 << 20))])
    assert archive.stat().st_size < 100_000
    tracemalloc.start()
    try:
        assert "app/zeros" in refusal(archive, max_size=1 << 20)
        assert tracemalloc.get_traced_memory()[1] - dictionary < 24 << 20
    finally:
        tracemalloc.stop()


def test_a_huge_number_of_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar.zst").write_bytes(zstandard.ZstdCompressor().compress(b"") * 65_537)
    assert refusal(tmp_path / "a.tar.zst") == "it consists of more than 65536 zstd frames"


def test_a_window_larger_than_decoders_take_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=False)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "a.tar.zst").write_bytes(packed.compress(tar_of(FOLDER)) + packed.flush())
    assert refusal(tmp_path / "a.tar.zst").startswith("it is damaged: ")


# Failures


def test_an_interruption_keeps_the_old_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out/app").mkdir(parents=True)
    (tmp_path / "out/app/old").touch()
    archive = write(tmp_path / "a.tar.zst", [*LAYER, ArchiveEntry(path="app/zeros", data=bytes(5 << 20))])

    def interrupt(_count: int) -> None:
        assert len(list((tmp_path / "out").iterdir())) == 2
        signal.raise_signal(signal.SIGINT)

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        unpack_archive(archive, tmp_path / "out", on_bytes=interrupt)
    assert list(snapshot(tmp_path / "out")) == ["app", "app/old"]
    assert threading.active_count() == before


@pytest.mark.parametrize("archive_format", ArchiveFormat)
def test_a_stop_of_the_run_ends_unpacking(
    archive_format: ArchiveFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(tmp_path / f"a{archive_format.suffix}", LAYER)
    stopping = threading.Event()
    stopping.set()
    monkeypatch.setattr(process, "_stopping", stopping)
    with pytest.raises(Interrupted):
        unpack_archive(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_error_names_archive_and_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    archive = write(tmp_path / "a.tar", LAYER)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ArchiveError) as caught:
        unpack_archive(archive, tmp_path / "out")
    assert caught.value.message == f"cannot unpack {archive} ({tmp_path / 'out/app'}): No space left on device"
    assert caught.value.hint
    assert caught.value.hint.startswith("free some space")
    assert list((tmp_path / "out").iterdir()) == []


def test_writing_goes_on_after_a_part_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    archive = write(tmp_path / "a.tar", LAYER)
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    unpack_archive(archive, tmp_path / "out")
    assert (tmp_path / "out/app/bin/run").read_bytes() == b"#!/bin/sh\n"


# Any archive

names = st.text(st.characters(exclude_characters="/\\\0:", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda name: name not in {".", ".."}
)
trees = st.dictionaries(
    names,
    st.recursive(st.binary(max_size=700), lambda children: st.dictionaries(names, children, max_size=4), max_leaves=12),
    max_size=4,
)


def tree_entries(prefix: str, tree: object) -> Iterable[ArchiveEntry]:
    if isinstance(tree, dict):
        yield ArchiveEntry(path=prefix)
        for name, child in tree.items():
            yield from tree_entries(f"{prefix}/{name}", child)
    elif isinstance(tree, bytes):
        yield ArchiveEntry(path=prefix, data=tree, mode=0o755 if len(tree) % 2 else 0o644)


@given(tree=trees, archive_format=st.sampled_from(ArchiveFormat), chunk=st.sampled_from([1, 7, 512, 1 << 20]))
def test_any_tree_comes_back_as_it_was(
    tree: dict[str, object], archive_format: ArchiveFormat, chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    entries = list(tree_entries("app", tree))
    archive = write(folder / f"a{archive_format.suffix}", entries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decompression, "_CHUNK", chunk)
        unpacked = unpack_archive(archive, folder / "out", hash_files=True)
    assert {member.path: (member.mode, member.size) for member in unpacked} == {
        entry.path: (entry.stored_mode, entry.stored_size) for entry in entries
    }
    found = snapshot(folder / "out")
    assert {path: content for path, (_, content) in found.items()} == {entry.path: entry.data for entry in entries}
    assert all(
        member.sha256 == hashlib.sha256((folder / "out" / member.path).read_bytes()).hexdigest()
        for member in unpacked
        if member.kind is MemberKind.FILE
    )


@functools.cache
def packed_layer(archive_format: ArchiveFormat) -> bytes:
    """The archive of `LAYER`."""
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / f"a{archive_format.suffix}", LAYER).read_bytes()


@given(
    archive_format=st.sampled_from(ArchiveFormat),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_a_damaged_archive_is_refused_or_harmless_but_never_a_bug(
    archive_format: ArchiveFormat, changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    archive = folder / f"a{archive_format.suffix}"
    data = bytearray(packed_layer(archive_format))
    for place, value in changes:
        data[place % len(data)] = value
    archive.write_bytes(data)
    try:
        unpack_archive(archive, folder / "out")
    except ArchiveError as error:
        assert error.message.startswith(f"cannot unpack {archive}")
    assert {path.name for path in folder.iterdir()} <= {archive.name, "out"}
