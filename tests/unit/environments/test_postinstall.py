"""The script that travels with a layer: finishes it, as often as one likes, and refuses what is not a layer."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stackbuild.environments.generated_files import postinstall_script

PYTHON = os.path.realpath(sys.executable)
SITE = "lib/python3.11/site-packages"
CONFIG: dict[str, Any] = {
    "python": "bin/python",
    "py_version": "3.11.13",
    "base_python": "../base/bin/python",
    "site_dir": SITE,
    "pylib_dirs": [f"../base/{SITE}"],
    "dynlib_dirs": ["../base/share/venv/dynlib"],
}


class Layer:
    """A deployed layer beside its runtime."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "app-shop"
        self.config = self.folder / "share" / "venv" / "metadata" / "venvstacks_layer.json"
        self.site_packages = self.folder / SITE
        self.base = root / "base"
        self.base_packages = self.base / SITE
        base_config = self.base / self.config.relative_to(self.folder)
        for folder in (self.config.parent, self.site_packages, self.folder / "bin", self.base / "bin"):
            folder.mkdir(parents=True)
        self.base_packages.mkdir(parents=True)
        base_config.parent.mkdir(parents=True)
        base_config.write_text(json.dumps({"py_version": "3.11.9"}), encoding="utf-8")
        (root / "base" / "bin" / "python").symlink_to(PYTHON)
        (self.folder / "bin" / "python").symlink_to("../../base/bin/python")
        (self.site_packages / "shop.py").write_text("answer = 42\n", encoding="utf-8")
        (self.folder / "postinstall.py").write_text(postinstall_script(), encoding="utf-8")
        self.configure()

    def configure(self, **changes: object) -> None:
        config = {**CONFIG, **changes}
        self.config.write_text(json.dumps({key: it for key, it in config.items() if it is not None}), encoding="utf-8")

    def script(self) -> ModuleType:
        """The layer's own script as a module that is not run yet."""
        found = importlib.util.spec_from_file_location("postinstall_of_layer", self.folder / "postinstall.py")
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module

    def finish(self) -> int:
        status = self.script().main()
        assert isinstance(status, int)
        return status

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layer:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Layer(tmp_path)


def test_modules_are_compiled(layer: Layer, capsys: pytest.CaptureFixture[str]) -> None:
    before = layer.files()
    assert layer.finish() == 0
    made = set(layer.files()) - set(before)
    assert made == {f"{SITE}/__pycache__/shop.{sys.implementation.cache_tag}.pyc"}
    assert capsys.readouterr() == ("", "")


def test_finishing_again_changes_nothing(layer: Layer) -> None:
    layer.finish()
    before = {name: (layer.folder / name).read_bytes() for name in layer.files()}
    assert layer.finish() == 0
    assert {name: (layer.folder / name).read_bytes() for name in layer.files()} == before


@pytest.fixture
def byte_code(layer: Layer) -> Path:
    """The byte code of the layer's module, made by finishing it."""
    layer.finish()
    return Path(importlib.util.cache_from_source(str(layer.site_packages / "shop.py")))


def test_byte_code_stays_good_when_the_layer_is_copied_with_other_times(layer: Layer, byte_code: Path) -> None:
    made = byte_code.read_bytes()
    os.utime(layer.site_packages / "shop.py", (1, 1))
    found = subprocess.run(
        [layer.folder / "bin" / "python", "-v", "-B", "-c", "import shop"],
        cwd=layer.site_packages,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{byte_code.name} matches" in found.stderr
    assert byte_code.read_bytes() == made


def test_byte_code_that_is_good_is_left_alone(layer: Layer, byte_code: Path) -> None:
    before = byte_code.stat()
    layer.finish()
    assert (byte_code.stat().st_ino, byte_code.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_byte_code_of_an_older_source_is_made_anew(layer: Layer, byte_code: Path) -> None:
    before = byte_code.read_bytes()
    (layer.site_packages / "shop.py").write_text("answer = 43\n", encoding="utf-8")
    layer.finish()
    assert byte_code.read_bytes() != before


def test_one_process_compiles_where_several_are_not_supported(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported() -> None:
        raise NotImplementedError("this platform lacks a functioning sem_open implementation")

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", unsupported)
    layer.script().compile_folder(str(layer.site_packages))
    assert Path(importlib.util.cache_from_source(str(layer.site_packages / "shop.py"))).is_file()


def test_module_that_is_nested_too_deeply_is_no_error(layer: Layer, capsys: pytest.CaptureFixture[str]) -> None:
    (layer.site_packages / "deep.py").write_text("x = " + "-" * 30000 + "1\n", encoding="utf-8")
    assert layer.finish() == 0
    assert capsys.readouterr() == ("", "")


def test_modules_of_tests_are_not_compiled(layer: Layer) -> None:
    for name in ("tests", "test"):
        (layer.site_packages / "shop_parts" / name).mkdir(parents=True)
        (layer.site_packages / "shop_parts" / name / "test_shop.py").write_text("import shop\n", encoding="utf-8")
    layer.finish()
    compiled = [name for name in layer.files() if name.endswith(".pyc")]
    assert compiled == [f"{SITE}/__pycache__/shop.{sys.implementation.cache_tag}.pyc"]


def test_module_for_another_python_is_no_error(layer: Layer, capsys: pytest.CaptureFixture[str]) -> None:
    (layer.site_packages / "broken.py").write_text("print 'two'\n", encoding="utf-8")
    assert layer.finish() == 0
    assert capsys.readouterr() == ("", "")


def test_runtime_compiles_its_whole_library(layer: Layer) -> None:
    (layer.folder / "bin" / "python").unlink()
    (layer.folder / "bin" / "python").symlink_to(PYTHON)
    (layer.folder / "lib" / "python3.11" / "os.py").touch()
    layer.configure(base_python="bin/python", pylib_dirs=[], dynlib_dirs=[])
    assert layer.finish() == 0
    compiled = [name for name in layer.files() if name.endswith(".pyc")]
    assert [name.rpartition("/")[0] for name in compiled] == [
        "lib/python3.11/__pycache__",
        f"{SITE}/__pycache__",
    ]


def test_paths_of_the_configuration_are_made_absolute(layer: Layer) -> None:
    assert layer.script().load_config(layer.folder) == {
        "python": layer.folder / "bin" / "python",
        "base_python": layer.folder.parent / "base" / "bin" / "python",
        "site_dir": layer.site_packages,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"python": "/usr/bin/python3"}, "'/usr/bin/python3' is not a relative path"),
        ({"base_python": "/usr/bin/python3"}, "'/usr/bin/python3' is not a relative path"),
        ({"base_python": "../../usr/bin/python3"}, "'../../usr/bin/python3' leads out of {parent}"),
        ({"base_python": "x/../../../python"}, "'x/../../../python' leads out of {parent}"),
        ({"base_python": ".."}, "'..' leads out of {parent}"),
        ({"site_dir": "../../elsewhere"}, "'../../elsewhere' leads out of {parent}"),
        ({"pylib_dirs": ["../base", "../../lib"]}, "'../../lib' leads out of {parent}"),
        ({"pylib_dirs": ["/lib"]}, "'/lib' is not a relative path"),
        ({"dynlib_dirs": ["/lib"]}, "'/lib' is not a relative path"),
        ({"python": 3}, "3 is not a relative path"),
        ({"pylib_dirs": [["x"]]}, "['x'] is not a relative path"),
        ({"python": None}, "cannot use {config}: KeyError('python')"),
        ({"base_python": None}, "cannot use {config}: KeyError('base_python')"),
        ({"site_dir": None}, "cannot use {config}: KeyError('site_dir')"),
        ({"pylib_dirs": None}, "cannot use {config}: KeyError('pylib_dirs')"),
        ({"dynlib_dirs": None}, "cannot use {config}: KeyError('dynlib_dirs')"),
        ({"dynlib_dirs": 3}, "cannot use {config}: TypeError(\"'int' object is not iterable\")"),
    ],
)
def test_configuration_that_leads_out_or_lacks_something_is_refused(
    layer: Layer, capsys: pytest.CaptureFixture[str], changes: dict[str, object], message: str
) -> None:
    layer.configure(**changes)
    before = layer.files()
    assert layer.finish() == 1
    expected = message.format(parent=layer.folder.parent, config=layer.config)
    assert capsys.readouterr() == ("", f"app-shop: {expected}\n")
    assert layer.files() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "FileNotFoundError(2, 'No such file or directory')"),
        (b"{", "JSONDecodeError("),
        (b"\xff", "UnicodeDecodeError("),
        (b"[]", "TypeError("),
        (b"null", "TypeError("),
    ],
)
def test_unreadable_configuration_is_refused(
    layer: Layer, capsys: pytest.CaptureFixture[str], content: bytes | None, reason: str
) -> None:
    if content is None:
        layer.config.unlink()
    else:
        layer.config.write_bytes(content)
    assert layer.finish() == 1
    assert capsys.readouterr().err.startswith(f"app-shop: cannot use {layer.config}: {reason}")


def test_missing_runtime_is_refused(layer: Layer, capsys: pytest.CaptureFixture[str]) -> None:
    python = layer.folder.parent / "base" / "bin" / "python"
    python.unlink()
    assert layer.finish() == 1
    assert capsys.readouterr().err == f"app-shop: there is no {python}: put its runtime beside it first\n"


def test_layers_below_that_are_missing_or_others_are_refused_all_at_once(
    layer: Layer, capsys: pytest.CaptureFixture[str]
) -> None:
    web = f"../framework-web/{SITE}"
    layer.configure(
        pylib_dirs=[web, f"../base/{SITE}"], pylib_needs={web: ["mid-1.0.dist-info"], f"../base/{SITE}": ["low-1.0.x"]}
    )
    assert layer.finish() == 1
    place, other = layer.folder.parent, "is not the layer that this one was made for"
    assert capsys.readouterr().err == (
        f"app-shop: there is no {place}/framework-web: put it beside this layer first\n"
        f"app-shop: base {other}: there is no low-1.0.x in {layer.base_packages}\n"
    )
    (layer.base_packages / "low-1.0.x").mkdir()
    (place / "framework-web").mkdir()
    assert layer.finish() == 1
    packages = place / "framework-web" / SITE
    assert capsys.readouterr().err == (
        f"app-shop: framework-web {other}: cannot read {packages}: No such file or directory\n"
    )


def test_runtime_of_another_feature_release_is_refused(layer: Layer, capsys: pytest.CaptureFixture[str]) -> None:
    layer.configure(py_version="3.12.1")
    assert layer.finish() == 1
    told = "app-shop: base is not the layer that this one was made for: it has Python 3.11, not 3.12\n"
    assert capsys.readouterr().err == told


def test_layer_is_finished_through_a_link_from_elsewhere(layer: Layer, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "current"
    link.parent.mkdir()
    link.symlink_to(layer.folder)
    done = subprocess.run([sys.executable, link / "postinstall.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert any(name.endswith(".pyc") for name in layer.files())


@pytest.mark.skipif(os.name != "posix", reason="a script as Python")
@pytest.mark.parametrize(
    ("python", "reason"),
    [
        (b"\x7fELF of another machine", "Exec format error"),
        (b"#!/no/such/shell\n", "No such file or directory"),
        (b'#!/bin/sh\nexec "$0_"\n', "it ended with status 127"),
        (b"#!/bin/sh\nexit 1\n", "it ended with status 1"),  # a Python without its standard library
        (b"#!/bin/sh\nkill -9 $$\n", "it ended with status -9"),
    ],
)
def test_python_that_does_not_run_is_refused(
    layer: Layer, capsys: pytest.CaptureFixture[str], python: bytes, reason: str
) -> None:
    program = layer.folder / "bin" / "python"
    base = layer.folder.parent / "base" / "bin" / "python"
    base.unlink()
    base.write_bytes(python)
    base.chmod(0o755)
    assert layer.finish() == 1
    told = f"app-shop: cannot run {program}: {reason}; is it for this platform?\n"
    assert capsys.readouterr() == ("", told)


def test_python_of_the_layer_compiles_what_it_can(layer: Layer) -> None:
    (layer.site_packages / "broken.py").write_text("print 'two'\n", encoding="utf-8")
    assert layer.finish() == 0
    compiled = [name for name in layer.files() if name.endswith(".pyc")]
    assert compiled == [f"{SITE}/__pycache__/shop.{sys.implementation.cache_tag}.pyc"]


def test_home_of_the_runtime_is_written_into_the_configuration_once(layer: Layer, tmp_path: Path) -> None:
    script = layer.script()
    config = tmp_path / "pyvenv.cfg"
    config.write_text("home = C:\\old\ninclude-system-site-packages = false\nversion = 3.11.13\n", encoding="utf-8")
    script.set_home(tmp_path, tmp_path / "base ü")
    expected = f"home = {tmp_path / 'base ü'}\ninclude-system-site-packages = false\nversion = 3.11.13\n"
    assert config.read_bytes().decode() == expected
    before = config.stat().st_ino
    script.set_home(tmp_path, tmp_path / "base ü")
    assert config.stat().st_ino == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("pyvenv")) == ["pyvenv.cfg"]
