"""The script that starts Python where dynamic libraries are found: real shells, and a Python that tells of itself."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from stackbuild.environments.python_wrapper import python_wrapper
from stackbuild.targets.platforms import TargetPlatform

TELL = r"""#!/bin/sh
printf '%s\000' "$0" "${LD_LIBRARY_PATH-unset}" "${DYLD_LIBRARY_PATH-unset}" "$@"
exit ${STATUS:-0}
"""

LIBRARIES = "share/venv/dynlib"
FRAMEWORKS = ("framework-it's", "framework-near@2")

AWKWARD_NAMES = {
    "colon": "a:b",
    "semicolon": "a;b",
    "dollar": "$HOME",
    "origin": "$ORIGIN",
    "command": "$(exit 3)",
}
PLAIN_NAMES = {
    "spaces": " two  spaces ",
    "quotes": 'it\'s "quoted"',
    "newline": "two\nlines",
    "newline at the end": "line\n\n",
    "star": "*",
    "dash": "-rf",
    "other letters": "ü 数据",
    "not UTF-8": os.fsdecode(b"\xff\xfe"),
    "backslash": "a\\b",
    "backquotes": "`exit 3`",
    "tilde": "~",
    "format": "%s%n",
    "comment": "#",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """How the program was run, and how it ended."""

    started: str
    libraries: str
    macos_libraries: str
    arguments: tuple[str, ...]
    status: int


@dataclass(frozen=True, kw_only=True)
class Layers:
    """A folder with a runtime, frameworks and a layer that has the script."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / "layer/bin/python"

    def libraries(self, *names: str) -> str:
        return ":".join(f"{self.root}/{name}/{LIBRARIES}" for name in names)


def make_layers(
    root: Path,
    *,
    shell: str = "/bin/sh",
    platform: TargetPlatform = TargetPlatform.LINUX_X86_64,
    own: PurePosixPath | None = None,
) -> Layers:
    layers = Layers(root=root)
    for name in FRAMEWORKS:
        (root / name / LIBRARIES).mkdir(parents=True)
    (root / "base/bin").mkdir(parents=True)
    (root / "base/bin/python").write_text(TELL, encoding="utf-8")
    (root / "base/bin/python").chmod(0o755)
    text = python_wrapper(
        platform,
        base_python=PurePosixPath("base/bin/python"),
        folders=[PurePosixPath(name, LIBRARIES) for name in (*FRAMEWORKS, "base")],
        own=own,
    )
    assert text.startswith("#!/bin/sh -\n")
    layers.python.parent.mkdir(parents=True)
    layers.python.write_text(text.replace("/bin/sh", shell, 1), encoding="utf-8")
    layers.python.chmod(0o755)
    (layers.python.parent / "python3").symlink_to("python")
    (layers.python.parent / "python_").symlink_to("../../base/bin/python")
    return layers


def start(
    program: str | Path, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program, *arguments], env=env or {}, cwd=cwd, capture_output=True, check=False, timeout=20)


def told(program: str | Path, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Told:
    done = start(program, *arguments, env=env, cwd=cwd)
    assert done.stderr == b""
    started, libraries, macos_libraries, *rest, end = map(os.fsdecode, done.stdout.split(b"\0"))
    assert end == ""
    return Told(
        started=started,
        libraries=libraries,
        macos_libraries=macos_libraries,
        arguments=tuple(rest),
        status=done.returncode,
    )


@pytest.fixture(params=["dash", "busybox", "bash"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The path of a shell that is called `sh`."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "shell").mkdir()
    (tmp_path / "shell/sh").symlink_to(found)
    return str(tmp_path / "shell/sh")


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return make_layers(tmp_path / "layers")


@pytest.mark.parametrize("name", [pytest.param(name, id=word) for word, name in PLAIN_NAMES.items()])
def test_any_shell_finds_the_layers_whatever_the_name_of_their_folder(shell: str, tmp_path: Path, name: str) -> None:
    layers = make_layers(tmp_path / name, shell=shell)
    expected = Told(
        started=f"{layers.root}/layer/bin/python_",
        libraries=layers.libraries(*FRAMEWORKS),
        macos_libraries="unset",
        arguments=("-c", "", "two words", "*", "$HOME"),
        status=0,
    )
    arguments = expected.arguments
    (tmp_path / "link").symlink_to(layers.python)
    assert told(layers.python, *arguments) == expected
    assert told(f"{name}/layer/bin/python3", *arguments, cwd=tmp_path) == expected
    assert told(tmp_path / "link", *arguments) == expected


@pytest.mark.parametrize("name", [pytest.param(name, id=word) for word, name in AWKWARD_NAMES.items()])
def test_characters_that_the_linux_linker_treats_specially_are_not_spelt_out(
    shell: str, tmp_path: Path, name: str
) -> None:
    layers = make_layers(tmp_path / name, shell=shell)
    answer = told(layers.python)
    assert answer.started == f"{layers.root}/layer/bin/python_"
    assert answer.libraries == ":".join(f"$ORIGIN/../../{framework}/{LIBRARIES}" for framework in FRAMEWORKS)
    inner = told(layers.python, env={"LD_LIBRARY_PATH": answer.libraries})
    assert inner.libraries == answer.libraries


def test_it_is_found_through_links_of_every_kind(layers: Layers, tmp_path: Path) -> None:
    expected = told(layers.python)
    elsewhere = tmp_path / "else\nwhere\n" / "deep"
    elsewhere.mkdir(parents=True)
    (elsewhere / "relative\n").symlink_to("../../layers/layer/bin/python3")
    (elsewhere / "absolute").symlink_to(layers.python)
    (elsewhere / "-chained").symlink_to("relative\n")
    (elsewhere / "twice").symlink_to(elsewhere / "-chained")
    (tmp_path / "folder").symlink_to(layers.root)
    for link in ("relative\n", "absolute", "-chained", "twice"):
        assert told(elsewhere / link) == expected
        assert told(f"./{link}", cwd=elsewhere) == expected
    assert told(tmp_path / "folder/layer/bin/python") == expected


@pytest.mark.parametrize("path", ["{bin}", "{bin}/../bin/", "bin", ":", "."])
def test_it_is_found_by_name(layers: Layers, path: str) -> None:
    folder = layers.python.parent
    cwd = folder if path in (":", ".") else folder.parent
    command = f'PATH="{path.format(bin=folder)}:/usr/bin:/bin"; exec python "$@"'
    assert told("/bin/sh", "-c", command, "sh", "-V", cwd=cwd).started == f"{folder}/python_"


def test_it_may_be_given_to_a_shell(shell: str, layers: Layers) -> None:
    assert told(shell, "python", "-V", cwd=layers.python.parent).arguments == ("-V",)


def test_exit_status_is_that_of_python(layers: Layers) -> None:
    assert told(layers.python, env={"STATUS": "42"}).status == 42


@pytest.mark.parametrize(
    ("given", "first"), [("/mine", "/mine:"), ("/a dir:/b", "/a dir:/b:"), ("", "")], ids=["one", "two", "empty"]
)
def test_folders_of_the_user_stay_first(shell: str, tmp_path: Path, given: str, first: str) -> None:
    layers = make_layers(tmp_path / "layers", shell=shell)
    answer = told(layers.python, env={"LD_LIBRARY_PATH": given})
    assert answer.libraries == first + layers.libraries(*FRAMEWORKS)


def test_folders_are_not_added_twice(layers: Layers) -> None:
    once = told(layers.python, env={"LD_LIBRARY_PATH": "/mine"}).libraries
    assert told(layers.python, env={"LD_LIBRARY_PATH": once}).libraries == once
    last = layers.libraries(FRAMEWORKS[1])
    assert told(layers.python, env={"LD_LIBRARY_PATH": last}).libraries == f"{last}:{layers.libraries(FRAMEWORKS[0])}"


def test_folders_that_are_not_there_are_left_out(layers: Layers) -> None:
    (layers.root / "base" / LIBRARIES).mkdir(parents=True)
    shutil.rmtree(layers.root / FRAMEWORKS[0] / LIBRARIES)
    assert told(layers.python).libraries == layers.libraries(FRAMEWORKS[1], "base")


def test_without_any_folder_the_variable_is_left_alone(layers: Layers) -> None:
    for name in FRAMEWORKS:
        shutil.rmtree(layers.root / name)
    assert told(layers.python).libraries == "unset"
    assert told(layers.python, env={"LD_LIBRARY_PATH": "/mine:"}).libraries == "/mine:"


def test_other_variables_are_left_alone(layers: Layers) -> None:
    shutil.copy("/usr/bin/env", layers.root / "base/bin/python")
    env = {"CDPATH": "/", "__layer_bin": "x", "PATH": "/nowhere", "PWD": "/", "UMLAUT": "ü\n"}
    done = start(layers.python, "-0", env=env, cwd=Path("/"))
    after = dict(entry.split("=", 1) for entry in os.fsdecode(done.stdout).rstrip("\0").split("\0"))
    del after["LD_LIBRARY_PATH"]
    assert after == env | {"__layer_bin": str(layers.python.parent)}


def test_a_missing_runtime_is_told(shell: str, tmp_path: Path) -> None:
    layers = make_layers(tmp_path / "lay\ners", shell=shell)
    shutil.rmtree(layers.root / "base")
    done = start(layers.python, "-V")
    assert (done.returncode, done.stdout) == (127, b"")
    assert done.stderr.decode() == (
        f"{layers.python}: its runtime is missing: there is no {layers.root}/base/bin/python\n"
    )


def test_a_link_that_cannot_be_followed_is_told(layers: Layers, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(layers.python)
    done = start(tmp_path / "link", env={"PATH": "/nowhere"})
    assert done.returncode == 127
    assert f"{tmp_path}/link: cannot follow the link {tmp_path}/link\n" in done.stderr.decode()
    assert told(layers.python.with_name("python3"), env={"PATH": "/nowhere"}).status == 0


def test_macos_has_a_variable_of_its_own_and_no_way_to_name_a_folder_with_a_colon(tmp_path: Path) -> None:
    layers = make_layers(tmp_path / "$a;b", platform=TargetPlatform.MACOSX_ARM64)
    answer = told(layers.python, env={"DYLD_LIBRARY_PATH": "/mine"})
    assert (answer.libraries, answer.macos_libraries) == ("unset", f"/mine:{layers.libraries(*FRAMEWORKS)}")
    colon = make_layers(tmp_path / "a:b", platform=TargetPlatform.MACOSX_ARM64)
    assert told(colon.python).macos_libraries == "unset"


@pytest.mark.parametrize("name", ["plain", ' it\'s "q" * -x \\ \n'])
def test_libraries_of_the_layer_itself_come_first(tmp_path: Path, shell: str, name: str) -> None:
    layers = make_layers(tmp_path / name, shell=shell, own=PurePosixPath(LIBRARIES))
    assert told(layers.python).libraries == layers.libraries(*FRAMEWORKS)  # it has none
    (layers.root / "layer" / LIBRARIES).mkdir(parents=True)
    assert told(layers.python).libraries == layers.libraries("layer", *FRAMEWORKS)
