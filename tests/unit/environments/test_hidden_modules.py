"""Tests of `environments/hidden_modules.py`, compared with what Python itself imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from stackbuild.environments.hidden_modules import HiddenModules, hidden_modules

EXTEND = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
CODE = "x = 1\n"


def _folders(root: Path, *layers: dict[str, str]) -> list[Path]:
    for number, files in enumerate(layers):
        (root / str(number)).mkdir()
        for path, text in files.items():
            file = root / str(number) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return [root / str(number) for number in range(len(layers))]


def _imports(folders: list[Path], module: str) -> bool:
    """Whether Python with these folders on its path, in this order, imports a module from a file."""
    code = (
        f"import sys; sys.path[:0] = {[str(folder) for folder in folders]!r}; import {module}; assert {module}.__file__"
    )
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        pytest.param({"p/__init__.py": ""}, {"p/__init__.py": "", "p/a.py": CODE}, ["p/a.py"], id="two packages"),
        pytest.param({"p/b.py": CODE}, {"p/a.py": CODE}, [], id="two namespace folders"),
        pytest.param({"p/__init__.py": EXTEND}, {"p/__init__.py": EXTEND, "p/a.py": CODE}, [], id="extended path"),
        pytest.param(
            {"p/a.py": CODE}, {"p/__init__.py": "", "p/b.py": CODE}, ["p/a.py"], id="namespace before package"
        ),
        pytest.param({"p.py": CODE}, {"p/__init__.py": "", "p/a.py": CODE}, ["p/a.py"], id="module before package"),
        pytest.param({"p.py": CODE}, {"p/a.py": CODE}, ["p/a.py"], id="module before namespace folder"),
        pytest.param(
            {"p/__init__.py": "", "p/a.py": CODE}, {"p/__init__.py": "", "p/a.py": CODE}, [], id="same modules"
        ),
        pytest.param({"n/p/__init__.py": ""}, {"n/p/a.py": CODE}, ["n/p/a.py"], id="package in namespace folders"),
        pytest.param({"p/__init__.py": EXTEND, "p/q.py": CODE}, {"p/q/a.py": CODE}, ["p/q/a.py"], id="inside extended"),
        pytest.param({"p.py": CODE, "p/__init__.py": "", "p/a.py": CODE}, {"p/a.py": CODE}, [], id="both forms"),
    ],
)
def test_what_is_hidden_is_what_python_does_not_import(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], hidden: list[str]
) -> None:
    folders = _folders(tmp_path, first, second)
    found = [path for it in hidden_modules(folders) for path in it.files]
    assert found == hidden
    for files in (first, second):
        for path in files:
            if not path.endswith("__init__.py") and path != "p.py":
                assert _imports(folders, path.removesuffix(".py").replace("/", ".")) == (path not in hidden)


def test_layers_and_packages_are_named(tmp_path: Path) -> None:
    package = {"n/p/__init__.py": CODE}
    folders = _folders(tmp_path, {"x.py": CODE}, package, {**package, "n/p/b.py": CODE, "n/p/a.py": CODE})
    expected = HiddenModules(layer=2, winner=1, package="n.p", files=("n/p/a.py", "n/p/b.py"))
    assert hidden_modules(folders) == (expected,)


def test_nothing_that_nobody_imports_counts(tmp_path: Path) -> None:
    files = {
        "tests/__init__.py": "",
        "sitecustomize.py": CODE,
        "p/__init__.py": "",
        "a-1.0.dist-info/RECORD": "",
        "a.libs/lib.so": "",
    }
    more = {"tests/test_a.py": CODE, "p/empty/__init__.py": "", "p/data/x.txt": "text", "p/__pycache__/a.pyc": ""}
    assert hidden_modules(_folders(tmp_path, files, {**files, **more})) == ()


def test_an_extension_module_is_the_same_module_whatever_its_suffix(tmp_path: Path) -> None:
    first, second = (
        {f"p/_core{suffix}": "x", "p/__init__.py": ""} for suffix in (".abi3.so", ".cpython-311-darwin.so")
    )
    assert hidden_modules(_folders(tmp_path, first, second)) == ()
