"""Unpacking distributions of Python: as they are, without installers, and never outside of the folder."""

import gzip
import io
import os
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any, Literal

import pytest
import zstandard

from stackbuild.errors import RuntimeSourceError
from stackbuild.runtimes.distributions import find_executable, is_left_out, unpack_python
from tests.unit.steps.world import contents

Member = tuple[str, bytes | str, int]
"""Path, content (text: where a link leads, with `=` before it a hard link), mode."""
PYTHON: list[Member] = [
    ("python/bin/python3.12", b"program", 0o755),
    ("python/bin/python", "python3.12", 0o777),
    ("python/lib/python3.12/os.py", b"os", 0o664),
]


def pack(path: Path, members: list[Member], *, mode: Literal["w:", "w:gz", "w:bz2", "w:xz"] = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content, permissions in members:
            member = tarfile.TarInfo(name)
            member.mode = permissions
            if isinstance(content, bytes):
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
                continue
            member.type = tarfile.LNKTYPE if content.startswith("=") else tarfile.SYMTYPE
            member.linkname = content.removeprefix("=")
            tar.addfile(member)
    return path


def test_files_are_as_packed_with_modes_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    archive = pack(tmp_path / "a.tar.gz", [*PYTHON, ("python/bin/hard", "=python/bin/python3.12", 0o755)])
    unpack_python(archive, tmp_path / "new")
    assert contents(tmp_path / "new") == {
        "bin/hard": b"program",
        "bin/python": b"program",
        "bin/python3.12": b"program",
        "lib/python3.12/os.py": b"os",
    }
    assert os.readlink(tmp_path / "new/bin/python") == "python3.12"
    assert [(tmp_path / "new" / name).stat().st_mode & 0o777 for name in ("bin/hard", "lib/python3.12/os.py")] == [
        0o755,
        0o644,
    ]
    assert find_executable(tmp_path / "new") == tmp_path / "new/bin/python3.12"


@pytest.mark.parametrize(
    "member",
    [
        ("python/../../out", b"", 0o644),
        ("python/lib/../../out", b"", 0o644),
        ("python/..\\out", b"", 0o644),
        ("python/link", "/etc/passwd", 0o777),
        ("python/link", "../out", 0o777),
        ("python/lib/link", "../../../out", 0o777),
        ("python/hard", "=python/../../out", 0o644),
        ("python/hard", "=/etc/passwd", 0o644),
        ("python/hard", "=python/hard", 0o644),
        ("python/hard", "=python/bin/python", 0o644),
        ("python/link", "bin/../../new/bin/python3.12", 0o777),
        ("python/bin/python/inner", b"", 0o644),
        ("python/bin/python", b"", 0o644),
    ],
)
def test_what_leads_out_is_an_error(tmp_path: Path, member: Member) -> None:
    inner = tmp_path / "deep" / "new"
    inner.mkdir(parents=True)
    with pytest.raises(RuntimeSourceError, match="cannot be unpacked safely"):
        unpack_python(pack(tmp_path / "a.tar.gz", [*PYTHON, member]), inner)
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["new"]
    assert (inner / "bin" / "python3.12").read_bytes() == b"program"


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_first_bytes_tell_how_an_archive_is_packed(
    tmp_path: Path, mode: Literal["w:", "w:gz", "w:bz2", "w:xz"]
) -> None:
    archive = pack(tmp_path / "python.tgz", PYTHON, mode=mode)
    packed = bytearray(archive.read_bytes())
    (tmp_path / "new").mkdir()
    unpack_python(archive, tmp_path / "new")
    assert (tmp_path / "new/lib/python3.12/os.py").read_bytes() == b"os"
    packed[len(packed) // 3] ^= 0x10
    archive.write_bytes(packed)
    (tmp_path / "damaged").mkdir()
    with pytest.raises(RuntimeSourceError, match=r"python\.tgz is no archive that can be read: "):
        unpack_python(archive, tmp_path / "damaged")


def test_names_with_dots_and_doubled_slashes_are_taken(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    unpack_python(
        pack(tmp_path / "a.tar.gz", [(f"./{name}".replace("/bin/", "//bin/./"), *rest) for name, *rest in PYTHON]),  # type: ignore[misc]
        tmp_path / "new",
    )
    assert sorted(contents(tmp_path / "new")) == ["bin/python", "bin/python3.12", "lib/python3.12/os.py"]


def test_files_are_dated_now(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    before = int(time.time())
    unpack_python(pack(tmp_path / "a.tar.gz", PYTHON), tmp_path / "new")
    assert (tmp_path / "new/bin/python3.12").stat().st_mtime >= before


def test_folders_that_the_file_system_takes_for_one_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for function in ("open", "mkdir", "chmod", "stat"):
        real = getattr(os, function)

        def folding(path: object, *arguments: object, real: Any = real, **options: object) -> object:
            folded = path.replace("/terminfo/X", "/terminfo/x") if isinstance(path, str) else path
            return real(folded, *arguments, **options)

        monkeypatch.setattr(os, function, folding)
    files: list[Member] = [(f"python/share/terminfo/{name}", name.encode(), 0o644) for name in ("x/xterm", "X/X-hp")]
    (tmp_path / "new").mkdir()
    unpack_python(pack(tmp_path / "a.tar.gz", [*PYTHON, *files]), tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new/share/terminfo/x").iterdir()) == ["X-hp", "xterm"]


def test_device_is_an_error(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        device = tarfile.TarInfo("python/null")
        device.type = tarfile.CHRTYPE
        tar.addfile(device)
    (tmp_path / "new").mkdir()
    with pytest.raises(RuntimeSourceError, match="python/null, neither a file nor a folder nor a link"):
        unpack_python(tmp_path / "a.tar", tmp_path / "new")


def test_zip_file_is_unpacked_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pypy.zip", "w") as packed:
        packed.writestr("pypy/", "")
        packed.writestr("pypy/python.exe", "program")
        packed.writestr("pypy/Lib/os.py", "text")
        packed.writestr("pypy/Scripts/pip.exe", "installer")
    new = tmp_path / "new"
    new.mkdir()
    unpack_python(tmp_path / "pypy.zip", new)
    found = {path.relative_to(new).as_posix(): path.stat().st_mode & 0o777 for path in new.rglob("*.*")}
    assert found == {"python.exe": 0o755, "Lib/os.py": 0o644}


def test_zip_file_that_leads_outside_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pypy.zip", "w") as packed:
        packed.writestr("pypy/../../escaped", "text")
    (tmp_path / "new").mkdir()
    with pytest.raises(RuntimeSourceError, match="cannot be unpacked safely"):
        unpack_python(tmp_path / "pypy.zip", tmp_path / "new")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("cut", [0, 20, 150])
def test_damaged_archive_is_an_error(tmp_path: Path, cut: int) -> None:
    archive = pack(tmp_path / "a.tar.gz", [("python/bin/python3.12", os.urandom(5000), 0o755)])
    archive.write_bytes(archive.read_bytes()[:cut])
    (tmp_path / "new").mkdir()
    with pytest.raises(RuntimeSourceError, match=r"a\.tar\.gz is no archive that can be read"):
        unpack_python(archive, tmp_path / "new")


def test_archive_without_a_python_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(RuntimeSourceError, match=r"a\.tar\.gz: there is no Python in this archive"):
        unpack_python(pack(tmp_path / "a.tar.gz", [("python/README", b"", 0o644)]), tmp_path / "new")


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("bin/pip3.12", True),
        ("Scripts/pip.exe", True),
        ("lib/python3.12/site-packages/pip/__init__.py", True),
        ("Lib/site-packages/setuptools-70.0.dist-info/RECORD", True),
        ("lib/python3.12/site-packages/README.txt", False),
        ("lib/python3.12/ensurepip/__init__.py", False),
        ("lib/python3.12/__pycache__/os.pyc", True),
        ("lib/python3.12/test/test_os.py", False),
        ("lib/python3.12/config-3.12/libpython3.12.a", False),
        ("share/terminfo/x/xterm", False),
    ],
)
def test_only_installers_and_byte_code_are_left_out(path: str, left_out: bool) -> None:
    assert is_left_out(path) is left_out


@pytest.mark.parametrize(
    ("program", "name", "link"),
    [("bin/python3.13t", "bin/python", "python3.13t"), ("python3.13t.exe", "python.exe", None)],
)
def test_python_of_another_name_is_called_python_as_well(
    tmp_path: Path, program: str, name: str, link: str | None
) -> None:
    (tmp_path / "new").mkdir()
    unpack_python(pack(tmp_path / "a.tar.gz", [(f"python/{program}", b"program", 0o755)]), tmp_path / "new")
    assert (tmp_path / "new" / name).read_bytes() == b"program"
    assert link is None or os.readlink(tmp_path / "new" / name) == link


def test_full_archive_is_unpacked_from_its_installation(tmp_path: Path) -> None:
    members: list[Member] = [
        ("python/PYTHON.json", b"{}", 0o644),
        ("python/build/lib/a.o", b"object", 0o644),
        ("python/install/bin/python3.13t", b"program", 0o755),
        ("python/install/lib/python3.13t/os.py", b"os", 0o644),
    ]
    plain = gzip.decompress(pack(tmp_path / "plain", members).read_bytes())
    (tmp_path / "full.tar.zst").write_bytes(zstandard.ZstdCompressor().compress(plain))
    (tmp_path / "new").mkdir()
    unpack_python(tmp_path / "full.tar.zst", tmp_path / "new")
    assert sorted(contents(tmp_path / "new")) == ["bin/python", "bin/python3.13t", "lib/python3.13t/os.py"]
    (tmp_path / "full.tar.zst").write_bytes(b"nothing of the kind")
    with pytest.raises(RuntimeSourceError, match=r"full\.tar\.zst is no archive that can be read"):
        unpack_python(tmp_path / "full.tar.zst", tmp_path / "new")


@pytest.mark.parametrize("order", [1, -1])
def test_links_that_lead_out_by_way_of_others_are_an_error(tmp_path: Path, order: int) -> None:
    links: list[Member] = [("python/lib/up", "..", 0o777), ("python/out", "lib/up/..", 0o777)]
    inner = tmp_path / "deep" / "new"
    inner.mkdir(parents=True)
    with pytest.raises(RuntimeSourceError, match="cannot be unpacked safely"):
        unpack_python(pack(tmp_path / "a.tar.gz", [*PYTHON, *links[::order]]), inner)


def test_hard_link_by_way_of_a_link_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    links: list[Member] = [("python/lib/up", "../..", 0o777), ("python/stolen", "=python/lib/up/secret", 0o644)]
    (tmp_path / "new").mkdir()
    with pytest.raises(RuntimeSourceError, match="cannot be unpacked safely"):
        unpack_python(pack(tmp_path / "a.tar.gz", [*PYTHON, *links]), tmp_path / "new")
    assert not (tmp_path / "new" / "stolen").exists()
