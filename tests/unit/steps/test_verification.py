"""Every difference between a result and what was recorded when it was made is found, and nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.steps.manifest import archive_manifest
from stackbuild.steps.verification import (
    Differences,
    verify_archive,
    verify_environment,
    verify_export,
    verify_manifest,
)
from tests.unit.steps.world import ALL, World

SITE = "lib/python3.11/site-packages"


def found(differences: Differences | None, root: Path) -> dict[str, str]:
    assert differences is not None
    return {os.path.relpath(it.path, root): it.problem for it in differences}


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file without changing those that it is hard-linked to."""
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("elsewhere")


def test_what_was_just_made_is_as_it_was_made(built: World) -> None:
    built.archive(*ALL)
    built.export(*ALL)
    archive_manifest(built.project, tuple(built.layers.values()))
    for name in ALL:
        layer = built.layer(name)
        assert (verify_environment(layer), verify_archive(layer), verify_export(layer)) == ([], [], [])
    assert verify_manifest(built.project.archives) == ()


def test_what_was_never_made_is_no_difference(locked: World) -> None:
    layer = locked.layer("base")
    assert (verify_environment(layer), verify_archive(layer), verify_export(layer)) == (None, None, None)
    assert verify_manifest(locked.project.archives) is None


CHANGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "same size": (f"{SITE}/top.py", lambda it: replace(it, bytes(it.stat().st_size)), "its content was changed"),
    "cut": (f"{SITE}/top.py", lambda it: replace(it, b""), "it has 0 bytes instead of 16"),
    "mode": (f"{SITE}/top.py", lambda it: replace(it, it.read_bytes(), 0o755), "it can be executed"),
    "removed": (f"{SITE}/top.py", Path.unlink, "it is missing"),
    "added": (f"{SITE}/new.py", Path.touch, "it was added"),
    "link": ("bin/python3", relink, "it is no link to python any more"),
    "byte code": (f"{SITE}/__pycache__/new.pyc", Path.touch, ""),
}


@pytest.mark.parametrize(("path", "change", "problem"), CHANGES.values(), ids=CHANGES)
def test_every_file_of_environments_and_exports_is_compared(
    built: World, path: str, change: Callable[[Path], object], problem: str
) -> None:
    built.export(*ALL)
    layer = built.layer("app-shop")
    for folder, verify in (
        (built.folder / "_export" / "app-shop", verify_export),
        (layer.environment, verify_environment),
    ):
        (folder / SITE / "__pycache__").mkdir(exist_ok=True)
        change(folder / path)
        assert found(verify(layer), folder) == ({path: problem} if problem else {})


def test_an_archive_is_compared_by_its_hash_and_its_metadata_by_theirs(built: World) -> None:
    built.archive("base")
    layer, paths = built.layer("base"), built.project.archives
    archive = paths.root / "base.tar"
    assert verify_archive(layer) == []
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + b"x")
    assert found(verify_archive(layer), paths.root) == {"base.tar": "its content was changed"}
    archive.write_bytes(content)
    manifest = paths.file_manifest(layer.build_name)
    manifest.write_bytes(bytes(manifest.stat().st_size))
    assert list(found(verify_archive(layer), manifest.parent)) == ["base.json"]


def test_a_result_without_a_record_that_can_be_read_is_a_difference(built: World) -> None:
    layer = built.layer("base")
    layer.build_record_path.write_text("{", encoding="utf-8")
    assert "no record" in found(verify_environment(layer), built.folder)["_build/base"]
    built.build("base")
    layer.built_files_path.unlink()
    assert found(verify_environment(layer), built.folder) == {
        "_build/.stackbuild/base.files.json": "base.files.json is missing"
    }
