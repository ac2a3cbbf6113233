"""Exporting a layer: the folder, hard links, metadata, and what a failure leaves."""

import json
import os
import sys
from pathlib import Path

import pytest

from stackbuild.errors import BuildError, DeployError
from stackbuild.project.records import OutputRecord
from stackbuild.steps.export import export_layer
from stackbuild.steps.freshness import why_export
from tests.unit.steps.world import ALL, World, contents, forget, tree

SITE = "lib/python3.11/site-packages"
BYTE_CODE = f"{SITE}/__pycache__/{{}}.{sys.implementation.cache_tag}.pyc"


def output(world: World, *parts: str) -> Path:
    return world.folder.joinpath("_export", *parts)


def record_file(world: World, name: str) -> Path:
    return output(world, "__venvstacks__", "records", f"{name}.json")


def why(world: World, name: str) -> str | None:
    return why_export(world.layer(name))


def test_export_is_the_deployed_layer_named_by_its_install_target(built: World) -> None:
    outcome = built.export("framework-web")
    assert tree(output(built, "framework-web@1")) == [
        "bin/python -> ../share/venv/runtime/bin/python3.11",
        "bin/python3 -> python",
        "bin/python3.11 -> python",
        f"{SITE}/00_layers_below.pth",
        BYTE_CODE.format("mid"),
        BYTE_CODE.format("sitecustomize"),
        f"{SITE}/mid-1.0.dist-info/METADATA",
        f"{SITE}/mid-1.0.dist-info/RECORD",
        f"{SITE}/mid.py",
        f"{SITE}/sitecustomize.py",
        "postinstall.py",
        "pyvenv.cfg",
        "share/venv/metadata/venvstacks_layer.json",
        "share/venv/runtime -> ../../../base",
    ]
    assert (outcome.done, built.reports) == (
        "23 files",
        ["compiling modules: 0 of 2", "compiling modules: 2 of 2", "linking 23 files"],
    )


def compiled(world: World, layer: str) -> list[str]:
    return [path for path in tree(output(world, layer)) if path.endswith(".pyc")]


def test_modules_of_packages_applications_and_the_standard_library_are_compiled(built: World) -> None:
    built.export(*ALL)
    tag = sys.implementation.cache_tag
    assert compiled(built, "base") == [f"lib/python3.11/__pycache__/os.{tag}.pyc", BYTE_CODE.format("low")]
    assert compiled(built, "app-shop") == [
        *(BYTE_CODE.format(name) for name in ("shop", "sitecustomize", "top")),
        f"{SITE}/helpers/__pycache__/__init__.{tag}.pyc",
        f"{SITE}/helpers/__pycache__/tool.{tag}.pyc",
    ]


def test_byte_code_is_linked_from_the_cache_so_that_it_is_made_and_stored_once(built: World) -> None:
    built.export("framework-web")
    byte_code = output(built, "framework-web@1", BYTE_CODE.format("mid"))
    assert byte_code.stat().st_nlink == 2
    forget(built)
    record_file(built, "framework-web").unlink()
    built.export("framework-web")
    assert built.uv.commands == []
    assert byte_code.stat().st_nlink == 2


def test_byte_code_can_be_left_out(built: World) -> None:
    built.export("base")
    built.replace('runtime_source = "interpreter"', 'runtime_source = "interpreter"\nbyte_code = []')
    assert why(built, "base") is not None
    built.export("base")
    assert compiled(built, "base") == []
    assert why(built, "base") is None


def test_cache_that_cannot_be_written_is_told_and_tried_again_next_time(built: World) -> None:
    cache = Path(f"{built.folder}-cache")
    cache.write_text("a file where the folder belongs", encoding="utf-8")
    (notice,) = built.export("base").notices
    assert notice.startswith("base: exported without byte code: cannot compile the modules of base")
    assert str(cache) in notice
    assert compiled(built, "base") == []
    assert why(built, "base") is not None
    cache.unlink()
    assert built.export("base").notices == ()
    assert why(built, "base") is None


def test_links_lead_to_the_exported_runtime(built: World) -> None:
    built.export(*ALL)
    python = output(built, "app-shop", "bin", "python")
    assert python.resolve() == output(built, "base", "bin", "python3.11").resolve()
    assert f"'framework-web@1/{SITE}'" in output(built, "app-shop", SITE, "sitecustomize.py").read_text("utf-8")


def test_files_are_hard_links_into_the_build_environment_and_generated_ones_are_not(built: World) -> None:
    built.export("app-shop")
    build = built.folder / "_build" / "app-shop"
    exported = output(built, "app-shop")
    assert os.path.samefile(build / SITE / "top.py", exported / SITE / "top.py")
    for generated in (f"{SITE}/sitecustomize.py", "pyvenv.cfg", "share/venv/metadata/venvstacks_layer.json"):
        assert not os.path.samefile(build / generated, exported / generated)


def test_metadata_has_no_archive_fields(built: World) -> None:
    built.export("framework-web")
    assert json.loads(output(built, "__venvstacks__", "env_metadata", "framework-web.json").read_bytes()) == {
        "layer_name": "framework-web",
        "install_target": "framework-web@1",
        "requirements_hash": built.layer("framework-web").lock.record.requirements_hash,
        "lock_version": 1,
        "locked_at": "2026-01-02T03:04:05+00:00",
        "runtime_layer": "base",
        "python_implementation": "cpython@3.11.13",
        "bound_to_implementation": False,
        "required_layers": [],
    }


def test_record_makes_the_export_fresh(built: World) -> None:
    assert why(built, "framework-web") == "it is not exported"
    built.export("framework-web")
    assert why(built, "framework-web") is None
    record = OutputRecord.read(record_file(built, "framework-web"))
    assert record is not None
    assert (record.content_sha256, record.tools) == (None, {})
    os.rename(output(built, "framework-web@1"), output(built, "elsewhere"))
    assert why(built, "framework-web") == "its exported folder is missing"


def test_new_version_of_a_lower_layer_makes_the_export_stale(built: World) -> None:
    built.export(*ALL)
    built.uv.versions["mid"] = "2.0"
    built.lock("framework-web", "app-shop")
    assert why(built, "base") is None
    assert why(built, "framework-web") == "its exported folder is missing"
    assert why(built, "app-shop") == "framework-web is deployed as framework-web@2, no longer as framework-web@1"


def test_exporting_again_replaces_the_folder(built: World) -> None:
    built.export("framework-web")
    output(built, "framework-web@1", "stray").touch()
    built.export("framework-web")
    assert not output(built, "framework-web@1", "stray").exists()
    assert sorted(path.name for path in output(built).iterdir()) == ["__venvstacks__", "framework-web@1"]


def test_layer_must_be_built(locked: World) -> None:
    with pytest.raises(BuildError, match="base: it is not built"):
        locked.export("base")
    assert not output(locked).exists()


def test_failing_export_leaves_the_old_one_without_a_record(built: World) -> None:
    built.export("base")
    before = contents(output(built, "base"))
    vanishing = built.folder / "_build" / "base" / SITE / "low.py"
    with pytest.raises(DeployError) as caught:
        export_layer(built.layer("base"), built.output_tools, report=lambda _: vanishing.unlink())
    assert caught.value.message == f"cannot export base ({vanishing}): No such file or directory"
    assert contents(output(built, "base")) == before
    assert not record_file(built, "base").exists()
    assert sorted(path.name for path in output(built).iterdir()) == ["__venvstacks__", "base"]


def test_record_is_written_last(built: World) -> None:
    (output(built, "__venvstacks__", "env_metadata", "base.json") / "in the way").mkdir(parents=True)
    with pytest.raises(DeployError, match="cannot export base"):
        built.export("base")
    assert not record_file(built, "base").exists()


def test_export_whose_metadata_is_damaged_is_made_again(built: World) -> None:
    built.export("base")
    linked = built.layer("base")
    assert why_export(linked) is None
    built.project.exports.layer_metadata(linked.build_name).write_bytes(b"\xff")
    assert why_export(linked) == "it is not exported"


def test_folder_that_somebody_else_made_is_not_replaced(built: World) -> None:
    mine = built.folder / "_export" / "base" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(DeployError, match="is in the way, and stackbuild did not make it"):
        built.export("base")
    assert mine.read_text(encoding="utf-8") == "mine"
    mine.unlink()
    built.export("base")
    built.export("base")  # its own may be replaced
