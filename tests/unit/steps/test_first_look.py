"""What is noticed of a changed result without reading it, and what is left to `verify`."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.environments.layout import LAYER_CONFIG
from stackbuild.steps.freshness import why_archive, why_build, why_export, why_manifest
from stackbuild.steps.manifest import archive_manifest
from tests.unit.steps.world import ALL, World

SITE = "lib/python3.11/site-packages"
Change = Callable[[Path], object]


def cut(*parts: str) -> Change:
    return lambda folder: os.truncate(folder.joinpath(*parts), 0)


def replaced(folder: Path) -> None:
    """Another folder in its place, which has everything that a layer has."""
    shutil.rmtree(folder)
    (folder / LAYER_CONFIG).parent.mkdir(parents=True)
    (folder / LAYER_CONFIG).write_text("{}", encoding="utf-8")


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


CHANGES = {
    "emptied": emptied,
    "replaced": replaced,
    "configuration cut": cut(str(LAYER_CONFIG)),
    "pyvenv.cfg cut": cut("pyvenv.cfg"),
    "sitecustomize cut": cut(SITE, "sitecustomize.py"),
    "python gone": lambda folder: (folder / "bin/python").unlink(),
    "package removed": lambda folder: (folder / SITE / "top.py").unlink(),
    "package added": lambda folder: (folder / SITE / "other.py").touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_environment_or_export_that_was_changed_is_made_again(built: World, change: Change) -> None:
    built.export(*ALL)
    layer = built.layer("app-shop")
    assert (why_build(layer), why_export(layer)) == (None, None)
    exported = built.folder / "_export" / "app-shop"
    change(exported)
    assert why_export(layer) is not None
    if exported.joinpath(SITE, "top.py").exists():  # else a hard link of the environment is the same file
        shutil.rmtree(exported)
    change(layer.environment)
    assert why_build(layer) is not None
    built.build("app-shop")
    built.export("app-shop")
    assert (why_build(layer), why_export(layer)) == (None, None)


def test_a_runtime_whose_interpreter_was_cut_is_built_again(built: World) -> None:
    layer = built.layer("base")
    assert why_build(layer) is None
    os.truncate(layer.environment / "bin/python3.11", 0)
    assert why_build(layer) == "python in it was changed"


def test_what_running_a_layer_leaves_in_it_changes_nothing(built: World) -> None:
    built.export(*ALL)
    layer = built.layer("app-shop")
    for folder in (layer.environment, built.folder / "_export" / "app-shop"):
        (folder / SITE / "__pycache__").mkdir(exist_ok=True)
        (folder / SITE / "__pycache__" / "new.pyc").touch()
        (folder / SITE / ".DS_Store").touch()
        for path in (folder, *folder.rglob("*")):
            os.utime(path, (1, 1), follow_symlinks=False)
    assert (why_build(layer), why_export(layer)) == (None, None)


def instead(make: Change) -> Change:
    """Remove a file and make something else in its place."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


DAMAGES: dict[str, Change] = {
    "empty": lambda path: os.truncate(path, 0),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another shape": lambda path: path.write_text("[]", encoding="utf-8"),
    "missing": lambda path: path.unlink(),
    "folder": instead(Path.mkdir),
    "pipe": instead(os.mkfifo),
    "loop": instead(lambda path: path.symlink_to(path.name)),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_every_file_beside_a_result_is_made_again_when_it_is_damaged(built: World, damage: Change) -> None:
    built.archive(*ALL)
    built.export(*ALL)
    archive_manifest(built.project, tuple(built.layers.values()))
    layer, project = built.layer("base"), built.project
    archives, exports = project.archives, project.exports
    for path in (layer.build_record_path, *layer.beside_environment.values()):
        damage(path)
        assert why_build(layer) is not None, path
        built.build("base")
        assert why_build(layer) is None, path
    for path in (archives.record(layer.build_name), *archives.beside_output(layer.build_name).values()):
        damage(path)
        assert why_archive(layer) is not None, path
        built.archive("base")
        assert why_archive(layer) is None, path
    for path in (exports.record(layer.build_name), *exports.beside_output(layer.build_name).values()):
        damage(path)
        assert why_export(layer) is not None, path
        built.export("base")
        assert why_export(layer) is None, path
    for path in (archives.manifest_record, archives.manifest):
        archive_manifest(project, tuple(built.layers.values()))
        damage(path)
        assert why_manifest(archives, tuple(built.layers.values())) is not None, path
