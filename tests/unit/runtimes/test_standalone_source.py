"""What is pinned, downloaded and refused, with a runner that plays uv."""

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from stackbuild.errors import RuntimeSourceError, RuntimeUnavailable
from stackbuild.runtimes.downloads import Download, download_error
from stackbuild.runtimes.interpreters import Interpreter
from stackbuild.runtimes.offers import PythonSystem
from stackbuild.runtimes.source import WantedRuntime
from stackbuild.runtimes.standalone_source import StandaloneSource
from stackbuild.system.process import Command, Result
from stackbuild.system.user_cache import cache_folder
from stackbuild.targets.platforms import TargetPlatform, current_libc
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import PinnedPython
from stackbuild.targets.runtime_pin import RuntimeFile, RuntimePin

LINUX, MAC = TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_ARM64
LIBC = current_libc()
_SYSTEMS = {LINUX: ("linux", "x86_64", {"glibc": "gnu", "musl": "musl"}[LIBC]), MAC: ("macos", "aarch64", "none")}


def content(text: str) -> bytes:
    """An archive of a Python."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("python/bin/python3.12")
        member.size, member.mode = len(text), 0o755
        tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@dataclass
class FakeUv:
    """Offers Pythons and downloads them. offered: (version, platform, build); says: how it fails to install."""

    offered: list[tuple[str, TargetPlatform, str]]
    archive: bytes = field(default_factory=lambda: content("program"))
    says: str | None = None
    commands: list[Command] = field(default_factory=list)

    def __call__(self, command: Command, /) -> Result:
        self.commands.append(command)
        if command.argv[2] == "list":
            text = json.dumps([self._listed(*offer) for offer in self.offered])
            return Result(command=command, status=0, stdout=text, stderr="")
        if self.says is not None:
            return Result(command=command, status=1, stdout="", stderr=self.says)
        assert command.env is not None
        listed = command.env.get("UV_PYTHON_DOWNLOADS_JSON_URL", "")
        entries = json.loads(Path(listed).read_text(encoding="utf-8")) if listed.endswith("downloads.json") else {}
        url = entries[command.argv[-1]]["url"] if entries else self._url(command.argv[-1])
        name = url.rpartition("/")[2].replace("%2B", "-")
        Path(command.env["UV_PYTHON_CACHE_DIR"], f"123456789-{name}").write_bytes(self.archive)
        return Result(command=command, status=0, stdout="", stderr="")

    @property
    def installed(self) -> list[str]:
        """The keys that were asked for."""
        return [command.argv[-1] for command in self.commands if command.argv[2] == "install"]

    def _listed(self, version: str, platform: TargetPlatform, build: str) -> dict[str, Any]:
        system, machine, libc = _SYSTEMS[platform]
        key = f"cpython-{version}-{system}-{machine}-{libc}"
        return {
            "key": key,
            "version": version,
            "url": f"https://user:secret@files.example/{build}/{file_name(version, platform, build, quoted=True)}",
            "os": system,
            "variant": "default",
            "implementation": "cpython",
            "arch": machine,
            "libc": libc,
        }

    def _url(self, key: str) -> str:
        listed = (self._listed(*offer) for offer in self.offered)
        return next(str(item["url"]) for item in listed if item["key"] == key)


def file_name(version: str, platform: TargetPlatform, build: str = "20240107", *, quoted: bool = False) -> str:
    libc = "-musl" if platform is LINUX and LIBC == "musl" else ""
    return f"cpython-{version}{'%2B' if quoted else '+'}{build}-{platform}{libc}.tar.gz"


@dataclass
class World:
    folder: Path
    uv: FakeUv
    environ: dict[str, str] = field(default_factory=dict)
    interpreters: tuple[Interpreter, ...] = ()

    @property
    def source(self) -> StandaloneSource:
        environ = {"STACKBUILD_CACHE_DIR": str(self.folder / "cache"), **self.environ}
        return StandaloneSource(run=self.uv, environ=environ, here=LINUX, interpreters=lambda: self.interpreters)

    def choose(
        self, request: str = "cpython@3.12", kept: RuntimePin | None = None, *more: TargetPlatform
    ) -> RuntimePin:
        wanted = WantedRuntime(
            request=PythonRequest.parse(request), platforms=(LINUX, MAC, *more), libc=LIBC, kept=kept
        )
        return self.source.choose(wanted)

    def unpack(self, pin: RuntimePin, platform: TargetPlatform = LINUX) -> Path:
        destination = self.folder / f"layer {len(list(self.folder.iterdir()))}"
        destination.mkdir()
        self.source.unpack(pin, destination, platform=platform, libc=LIBC)
        return destination


@pytest.fixture
def world(tmp_path: Path) -> World:
    offered = [("3.12.1", LINUX, "20240107"), ("3.12.1", MAC, "20240107"), ("3.11.7", LINUX, "20240107")]
    return World(tmp_path, FakeUv(offered))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pinned(**files: RuntimeFile) -> RuntimePin:
    return RuntimePin(python_implementation="cpython@3.12.1", source="standalone", files=files)


# Choosing


def test_pin_has_a_file_for_each_platform_and_the_hash_of_the_one_that_was_downloaded(world: World) -> None:
    assert world.choose() == pinned(
        linux_x86_64=RuntimeFile(
            name=file_name("3.12.1", LINUX),
            url=f"https://files.example/20240107/{file_name('3.12.1', LINUX, quoted=True)}",
            sha256=sha256(world.uv.archive),
        ),
        macosx_arm64=RuntimeFile(
            name=file_name("3.12.1", MAC),
            url=f"https://files.example/20240107/{file_name('3.12.1', MAC, quoted=True)}",
        ),
    )


def test_complete_pin_is_kept_and_nothing_is_asked(world: World) -> None:
    pin = world.choose()
    world.uv.commands.clear()
    assert world.choose(kept=pin) == pin
    assert world.uv.commands == []


def test_kept_pin_keeps_its_files_and_gets_those_of_new_platforms(world: World) -> None:
    file = RuntimeFile(name="an old one", url="https://old.example/x", sha256="12")
    added = world.choose(kept=pinned(linux_x86_64=file))
    assert added.file(LINUX) == file
    assert added.file(MAC) is not None


def test_kept_version_stays_although_a_newer_one_is_offered(world: World) -> None:
    pin = world.choose().model_copy(update={"files": None})
    world.uv.offered.append(("3.12.2", LINUX, "20250101"))
    assert world.choose(kept=pin).python_implementation == "cpython@3.12.1"


def test_hash_of_a_kept_file_is_added_once_it_is_downloaded(world: World) -> None:
    kept = pinned(linux_x86_64=RuntimeFile(name=file_name("3.12.1", LINUX)), macosx_arm64=RuntimeFile(name="as it was"))
    found = world.choose(kept=kept)
    assert found.file(LINUX) == RuntimeFile(name=file_name("3.12.1", LINUX), sha256=sha256(world.uv.archive))
    assert found.file(MAC) == kept.file(MAC)


def test_what_does_not_fit_is_told_with_what_is_offered(world: World) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        world.choose("cpython@3.13")
    assert caught.value.message == (
        "cpython@3.13: no such Python can be downloaded for linux_x86_64, macosx_arm64; "
        "the nearest on offer are 3.11.7, 3.12.1"
    )


def test_python_that_cannot_serve_is_never_chosen(world: World) -> None:
    world.uv.offered += [("3.99.0", LINUX, "20990101"), ("3.9.1", LINUX, "20240107")]
    assert world.choose("cpython@>=3.9").python_implementation == "cpython@3.12.1"


# Unpacking


def test_locked_file_is_fetched_from_its_url_and_checked_by_its_hash(world: World) -> None:
    pin = world.choose()
    world.uv.offered.clear()
    other = replace(world, folder=world.folder / "elsewhere")
    other.folder.mkdir()
    layer = other.unpack(pin)
    assert (layer / "bin/python3.12").read_text() == "program"


def test_hash_that_a_build_has_learnt_is_recorded_when_it_is_locked_again(world: World) -> None:
    pin = world.choose()
    assert pin.file(MAC) == RuntimeFile(
        name=file_name("3.12.1", MAC), url=f"https://files.example/20240107/{file_name('3.12.1', MAC, quoted=True)}"
    )
    world.unpack(pin, MAC)
    again = world.choose(kept=pin).file(MAC)
    assert again is not None
    assert again.sha256 == sha256(world.uv.archive)
    assert len(world.uv.installed) == 2


def test_file_without_recorded_hash_that_is_another_than_the_kept_one_is_refused(world: World) -> None:
    pin = world.choose()
    world.unpack(pin, MAC)
    world.uv.archive = content("changed upstream")
    with pytest.raises(RuntimeSourceError, match="is another file now: its SHA-256 is not the expected one"):
        world.unpack(pin, MAC)


def test_file_for_another_libc_is_neither_kept_nor_unpacked(world: World) -> None:
    name = "cpython-3.12.1-linux-gnu.tar.gz" if LIBC == "musl" else "cpython-3.12.1-linux-musl.tar.gz"
    other = pinned(linux_x86_64=RuntimeFile(name=name, sha256="0"))
    chosen = world.choose(kept=other).file(LINUX)
    assert chosen is not None
    assert chosen.name == file_name("3.12.1", LINUX)
    with pytest.raises(RuntimeSourceError, match=f"the lock pins {name}, which is not for {LIBC}"):
        world.unpack(other)


def test_archive_is_downloaded_once(world: World) -> None:
    pin = world.choose()
    world.unpack(pin)
    world.unpack(pin)
    assert len(world.uv.installed) == 1


def test_damaged_archive_is_downloaded_again(world: World) -> None:
    pin = world.choose()
    (kept,) = world.folder.glob("cache/pythons/archives/*/*")
    kept.write_bytes(b"damaged")
    layer = world.unpack(pin)
    assert (layer / "bin/python3.12").read_text() == "program"
    assert len(world.uv.installed) == 2


def test_locked_name_that_is_offered_no_more_is_an_error_when_its_hash_is_unknown(world: World) -> None:
    pin = pinned(macosx_arm64=RuntimeFile(name=file_name("3.12.1", MAC, "20230101"), url="https://files.example/x"))
    with pytest.raises(RuntimeSourceError) as caught:
        world.unpack(pin, MAC)
    assert caught.value.message == (
        f"cpython@3.12.1 for macosx_arm64: the lock pins {file_name('3.12.1', MAC, '20230101')} "
        "(it came from files.example), "
        f"uv now offers {file_name('3.12.1', MAC)}"
    )
    assert "stackbuild lock --upgrade" in str(caught.value.hint)


def test_pin_without_files_takes_what_is_offered_for_its_version(world: World) -> None:
    layer = world.unpack(RuntimePin(python_implementation="cpython@3.12.1", source="standalone"), MAC)
    assert (layer / "bin/python3.12").is_file()
    assert world.uv.installed == ["cpython-3.12.1-macos-aarch64-none"]


def test_platform_without_an_offer_is_named_with_the_way_out(world: World) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        world.unpack(RuntimePin(python_implementation="cpython@3.11.7", source="standalone"), MAC)
    assert caught.value.message == "cpython@3.11.7 cannot be downloaded for macosx_arm64: it is not offered for it"
    assert "platforms = […]" in str(caught.value.hint)


def test_own_list_of_downloads_says_where_a_locked_file_lies_now(world: World) -> None:
    pin = world.choose()
    world.environ["UV_PYTHON_DOWNLOADS_JSON_URL"] = "https://own.example/list.json"
    for archive in world.folder.glob("cache/pythons/archives/*/*"):
        archive.unlink()
    seen: list[str] = []

    def run(command: Command, /) -> Result:
        if command.argv[2] == "install":
            assert command.env is not None
            (entry,) = json.loads(Path(command.env["UV_PYTHON_DOWNLOADS_JSON_URL"]).read_text()).values()
            seen.append(entry["url"])
        return uv(command)

    uv, world.uv = world.uv, run  # type: ignore[assignment]
    world.unpack(pin)
    assert seen == [f"https://user:secret@files.example/20240107/{file_name('3.12.1', LINUX, quoted=True)}"]


# A Python to work with


def interpreter(**changes: Any) -> Interpreter:
    places = dict.fromkeys(("prefix", "stdlib", "extensions", "headers"), Path("/usr"))
    values = {"executable": Path("/usr/bin/python3.12"), "implementation": "cpython", "version": "3.12.9"}
    return Interpreter(**{**places, **values, **changes})


def test_pinned_python_itself_is_run_where_it_can_be_had(world: World) -> None:
    pin = world.choose()
    executable = world.source.python(pin)
    assert executable == world.folder / "cache/pythons/unpacked" / sha256(world.uv.archive) / "bin/python3.12"
    assert os.access(executable, os.X_OK)


def test_like_python_of_this_machine_does_where_the_pinned_one_cannot_be_had(world: World) -> None:
    world.uv.says = "error: Failed to download it"
    pin = RuntimePin(python_implementation="cpython@3.12.1", source="standalone")
    world.interpreters = (
        interpreter(version="3.13.1"),
        interpreter(implementation="pypy"),
        interpreter(freethreaded=True),
        interpreter(executable=Path("/opt/python3.12")),
    )
    assert world.source.python(pin) == Path("/opt/python3.12")
    world.interpreters = world.interpreters[:3]
    with pytest.raises(RuntimeUnavailable, match="cannot be downloaded"):
        world.source.python(pin)


# What uv is told, and says


def test_uv_works_in_folders_of_our_own_and_soon_gives_up(world: World) -> None:
    world.environ |= {"UV_PYTHON_INSTALL_DIR": "/mine", "UV_PYTHON_BIN_DIR": "/mine/bin", "UV_HTTP_RETRIES": "7"}
    world.choose()
    command = next(command for command in world.uv.commands if command.argv[2] == "install")
    assert {"--no-bin", "--no-registry", "--no-config"} <= set(command.argv)
    env = dict(command.env or {})
    assert env["UV_PYTHON_INSTALL_DIR"].startswith(str(world.folder / "cache"))
    assert env["UV_PYTHON_CACHE_DIR"].startswith(str(world.folder / "cache"))
    assert "UV_PYTHON_BIN_DIR" not in env
    assert (env["UV_HTTP_TIMEOUT"], env["UV_HTTP_CONNECT_TIMEOUT"], env["UV_HTTP_RETRIES"]) == ("5", "4", "7")


def test_nothing_of_a_failed_download_is_left(world: World) -> None:
    world.uv.says = "error: Failed to install\n  cause: Failed to download `https://a:b@files.example/x`"
    with pytest.raises(RuntimeUnavailable) as caught:
        world.choose()
    assert "a:b" not in caught.value.message
    left = [path for path in world.folder.glob("cache/pythons/**/*") if path.is_file() and path.suffix != ".lock"]
    assert left == []


DOWNLOAD = Download(
    python=PinnedPython.parse("cpython@3.12.1"), system=PythonSystem.of_platform(LINUX, "glibc"), name="x.tar.gz"
)


def test_wrong_hash_is_told_with_both_and_is_no_reason_for_another_source() -> None:
    error = download_error(
        DOWNLOAD,
        "error: Failed to install cpython-3.12.1\n  cause: Hash mismatch for `cpython-3.12.1`\n\n"
        "         Expected:\n         aa11\n\n         Computed:\n         bb22\n",
    )
    assert not isinstance(error, RuntimeUnavailable)
    assert error.message == (
        "x.tar.gz is another file now: its SHA-256 is not the expected one\n  expected: aa11\n  received: bb22"
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            (
                "Downloading cpython (download) (41.5MiB)\nerror: Failed to install cpython-3.12.1\n"
                "  cause: Failed to download `http://x.example/y`\n  cause: error sending request\n"
                "  cause: Connection refused (os error 111)\n"
            ),
            "Failed to download `http://x.example/y`: Connection refused (os error 111)",
        ),
        (
            "error: Failed to install cpython-3.12.1\n  cause: An offline Python installation was requested\n",
            "An offline Python installation was requested",
        ),
    ],
)
def test_unreachable_download_is_told_in_short(said: str, told: str) -> None:
    error = download_error(DOWNLOAD, said)
    assert isinstance(error, RuntimeUnavailable)
    assert error.message == f"x.tar.gz cannot be downloaded: {told}"
    for way in ("UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL", 'runtime_source = "interpreter"'):
        assert way in str(error.hint)


def test_cache_folder_is_the_one_that_is_named_or_the_users(tmp_path: Path) -> None:
    assert cache_folder({"STACKBUILD_CACHE_DIR": str(tmp_path)}) == tmp_path
    assert cache_folder({}).name == "stackbuild"
