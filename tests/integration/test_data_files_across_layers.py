"""Data files of packages in one layer, read by an application of a layer above, exported and unpacked."""

import shutil
import subprocess
from pathlib import Path

from stackbuild.archive_reader import unpack_archive
from tests.integration.small_stack import application, framework, runtime, settings, small_stack
from tests.integration.stack_project import make_wheel, module

READER = """
import pathlib, sys
print(*sorted(path.read_text() for path in pathlib.Path(sys.prefix, "share/notes").iterdir()))
print(pathlib.Path(sys.prefix, "etc/notes/conf.d/notes.cfg").read_text())
"""


def _data(name: str, version: str, path: str) -> dict[str, str | bytes]:
    return {**module(name, version), f"{name}-{version}.data/data/{path}": f"{name} {version}"}


def test_applications_find_the_data_files_of_the_layers_below(tmp_path: Path, clean_env: dict[str, str]) -> None:
    stack = small_stack(
        tmp_path / "project",
        clean_env,
        settings("no-index = true", 'find-links = ["wheels"]'),
        runtime("base-notes"),
        framework("low", "low-notes", "config"),
        application("reader", "own-notes", on='frameworks = ["low"]'),
    )
    for name in ("base_notes", "low_notes", "own_notes"):
        make_wheel(stack.root / "wheels", name, "1.0", _data(name, "1.0", f"share/notes/{name}.txt"))
    make_wheel(stack.root / "wheels", "config", "1.0", _data("config", "1.0", "etc/notes/conf.d/notes.cfg"))
    (stack.root / "reader.py").write_text(READER, encoding="utf-8")
    stack.doit()
    unpacked = tmp_path / "unpacked"
    for archive in stack.root.glob("_artifacts/*.tar*"):
        unpack_archive(archive, unpacked)
    moved = tmp_path / "moved"
    shutil.copytree(unpacked, moved, symlinks=True)
    for place in (stack.root / "_export", unpacked, moved):
        said = subprocess.check_output([place / "app-reader/bin/python", "-I", "-m", "reader"], text=True)
        assert said == "base_notes 1.0 low_notes 1.0 own_notes 1.0\nconfig 1.0\n"
    assert (unpacked / "app-reader/etc").readlink() == Path("../framework-low/etc")
    assert "0 tasks run" in stack.doit().stdout
    stack.stackbuild("verify")
