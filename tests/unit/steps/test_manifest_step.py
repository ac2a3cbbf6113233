"""The manifest: the metadata of all layers in one file, its record last."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import ManifestStep
from stackbuild.project.options import Options
from stackbuild.steps.freshness import why_manifest
from stackbuild.steps.manifest import archive_manifest, export_manifest
from stackbuild.targets.platforms import TargetPlatform
from tests.unit.steps.world import ALL, World

WINDOWS = TargetPlatform.WIN_AMD64


def layer_files(output: Path) -> dict[str, object]:
    return {path.stem: json.loads(path.read_bytes()) for path in (output / "__venvstacks__/env_metadata").iterdir()}


def test_archive_manifest_has_the_metadata_of_every_layer_by_category(built: World) -> None:
    built.archive(*ALL)
    assert archive_manifest(built.project, tuple(built.layers.values())).done == "3 layers"
    output = built.folder / "_artifacts"
    layers = layer_files(output)
    assert json.loads((output / "__venvstacks__" / "venvstacks.json").read_bytes()) == {
        "layers": {
            "applications": [layers["app-shop"]],
            "frameworks": [layers["framework-web"]],
            "runtimes": [layers["base"]],
        }
    }


def test_export_manifest_has_no_archive_fields(built: World) -> None:
    built.export(*ALL)
    built.archive(*ALL)
    export_manifest(built.project, tuple(built.layers.values()))
    output = built.folder / "_export"
    text = (output / "__venvstacks__" / "venvstacks.json").read_text(encoding="utf-8")
    assert "archive" not in text
    assert json.loads(text)["layers"]["runtimes"] == [layer_files(output)["base"]]


def test_tagged_manifest_is_named_by_the_platform(built: World) -> None:
    built.options = Options(archive_format="tar", tag_outputs=True)
    built.archive(*ALL)
    archive_manifest(built.project, tuple(built.layers.values()))
    names = sorted(path.name for path in (built.folder / "_artifacts" / "__venvstacks__").glob("*.json"))
    assert names == ["venvstacks-linux_x86_64.json"]


def test_record_makes_the_manifest_fresh_until_a_layer_changes(built: World) -> None:
    built.archive(*ALL)
    paths = built.project.archives
    assert why_manifest(paths, tuple(built.layers.values())) == "it is not written"
    archive_manifest(built.project, tuple(built.layers.values()))
    assert why_manifest(paths, tuple(built.layers.values())) is None
    built.archive("base")
    assert why_manifest(paths, tuple(built.layers.values())) == "the metadata of a layer changed"


def test_missing_layer_is_an_error_that_leaves_the_old_manifest(built: World) -> None:
    built.export(*ALL)
    export_manifest(built.project, tuple(built.layers.values()))
    paths = built.project.exports
    before = paths.manifest.read_bytes()
    (built.folder / "_export" / "__venvstacks__" / "env_metadata" / "framework-web.json").unlink()
    with pytest.raises(StackbuildError) as caught:
        export_manifest(built.project, tuple(built.layers.values()))
    assert caught.value.message == f"framework-web has no usable metadata in {built.folder}/_export"
    assert paths.manifest.read_bytes() == before


def test_layers_of_other_platforms_are_left_out(built: World) -> None:
    project = replace(built.project, platform=WINDOWS, here=WINDOWS, platforms=(WINDOWS,))
    step = StackGraph.of(project).steps["manifest:export"]
    assert isinstance(step, ManifestStep)
    assert export_manifest(project, step.layers).done == "0 layers"
    manifest = built.folder / "_export" / "__venvstacks__" / "venvstacks.json"
    assert json.loads(manifest.read_bytes()) == {"layers": {"applications": [], "frameworks": [], "runtimes": []}}


def test_manifest_of_some_layers_lists_those_alone(built: World) -> None:
    built.archive("base", "framework-web")
    layers = [built.layer("framework-web")]
    assert archive_manifest(built.project, layers).done == "1 layer"
    paths = built.project.archives
    listed = json.loads(paths.manifest.read_bytes())["layers"]
    assert [[layer["layer_name"] for layer in listed[category]] for category in sorted(listed)] == [
        [], ["framework-web"], [],
    ]  # fmt: skip
    assert why_manifest(paths, layers) is None
    assert why_manifest(paths, [built.layer("base"), *layers]) == "the metadata of a layer changed"


def test_record_is_written_last(built: World) -> None:
    built.export(*ALL)
    paths = built.project.exports
    export_manifest(built.project, tuple(built.layers.values()))
    paths.manifest.unlink()
    (paths.manifest / "in the way").mkdir(parents=True)
    with pytest.raises(StackbuildError, match="cannot write"):
        export_manifest(built.project, tuple(built.layers.values()))
    assert not paths.manifest_record.exists()
