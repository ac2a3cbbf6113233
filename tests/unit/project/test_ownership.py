"""What proves that something was made by a project, and may be replaced or removed."""

import json
from pathlib import Path

import pytest

from stackbuild.errors import ArchiveError
from stackbuild.project.ownership import LayerPlace
from stackbuild.project.paths import OutputPaths, Workspace
from stackbuild.spec.models import BuildName

X = BuildName("x")
RECORD = '{"inputs": "sha256:0", "packages": 1, "files": 2, "size": 3}'


def outputs(folder: Path, layer: str = "x", *, spec: str = "venvstacks.toml") -> LayerPlace:
    """The place of a layer's archives and exports, in `out` beside the specification."""
    (folder / spec).touch()
    paths = OutputPaths(root=folder / "out")
    return LayerPlace.of_outputs(paths, BuildName(layer), specification=folder / spec)


def environments(folder: Path) -> LayerPlace:
    return LayerPlace.of_environment(Workspace.of_spec(folder / "venvstacks.toml"), X)


def describe(place: LayerPlace, **fields: object) -> None:
    """Write metadata of the layer."""
    assert place.metadata is not None
    place.metadata.parent.mkdir(parents=True, exist_ok=True)
    given = {"layer_name": "x", "install_target": "x", "requirements_hash": "", "lock_version": 1, "locked_at": ""}
    given |= {"runtime_layer": "py", "python_implementation": "cpython@3.11", "bound_to_implementation": False}
    place.metadata.write_text(json.dumps({**given, **fields}), encoding="utf-8")


def archived(name: str, size: int = 3) -> dict[str, object]:
    hashes = {"sha256": "0"}
    build = {"archive_build": 1, "target_platform": "linux_x86_64"}
    return {"archive_name": name, "archive_size": size, "archive_hashes": hashes, **build}


def test_what_is_taken_is_noted_for_its_specification_and_may_be_taken_again(tmp_path: Path) -> None:
    place = outputs(tmp_path)
    place.take("x@1", ArchiveError)
    (tmp_path / "out" / "x@1").mkdir()
    (tmp_path / "out" / "x@1" / "file").touch()
    again = outputs(tmp_path)
    again.take("x@2", ArchiveError)
    again.take("x@1", ArchiveError)
    note = json.loads((tmp_path / "out/__venvstacks__/owned/x.json").read_text(encoding="utf-8"))
    assert note == {"layer_name": "x", "outputs": ["x@1"], "specification": "../venvstacks.toml"}  # no x@2 was made
    assert again.is_of_this_specification


@pytest.mark.parametrize("kind", ["file", "folder", "link", "layer"])
def test_what_nobody_noted_is_not_taken(tmp_path: Path, kind: str) -> None:
    place, path = outputs(tmp_path), tmp_path / "out" / "x.tar"
    path.parent.mkdir()
    match kind:
        case "file":
            path.write_text("mine", encoding="utf-8")
        case "folder":
            (path / "mine").mkdir(parents=True)
        case "link":
            path.symlink_to("missing")
        case "layer":
            (path / "share/venv/metadata").mkdir(parents=True)
            (path / "share/venv/metadata/venvstacks_layer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArchiveError, match=r"x\.tar is in the way, and stackbuild did not make it") as caught:
        place.take("x.tar", ArchiveError)
    assert caught.value.hint == "move it away, or choose another folder with --build-dir or --output-dir"
    assert place.names == ()
    assert place.note is None


def test_an_empty_folder_may_be_taken(tmp_path: Path) -> None:
    (tmp_path / "out" / "x").mkdir(parents=True)
    outputs(tmp_path).take("x", ArchiveError)


@pytest.mark.parametrize("name", ["..", ".", "", "/etc", "../x", "a/b", "precious.txt", "y", "x.old", "x@1/..", "X"])
def test_names_that_no_output_of_the_layer_has_prove_nothing(tmp_path: Path, name: str) -> None:
    place = outputs(tmp_path)
    describe(place, install_target=name)
    place.described[-1].parent.mkdir()
    place.described[-1].write_text(RECORD, encoding="utf-8")
    place.note_path.parent.mkdir()
    note = {"layer_name": "x", "specification": "../venvstacks.toml", "outputs": [name]}
    place.note_path.write_text(json.dumps(note), encoding="utf-8")
    assert place.names == ()


@pytest.mark.parametrize(
    "name", ["x", "x@12", "x.tar", "x@3.tar.zst", "x-linux_x86_64-4.tar.xz", "x@1-win_amd64-1.zip"]
)
def test_names_of_every_output_are_known(tmp_path: Path, name: str) -> None:
    assert outputs(tmp_path).may_have(name)
    assert not outputs(tmp_path, "x2").may_have(name)


def test_an_archive_of_venvstacks_may_be_replaced_but_is_not_ours(tmp_path: Path) -> None:
    place = outputs(tmp_path)
    describe(place, **archived("x.tar.xz"))
    (tmp_path / "out" / "x.tar.xz").write_bytes(b"123")
    assert place.names == ()
    place.take("x.tar.xz", ArchiveError)


def test_a_file_of_another_size_than_the_metadata_says_is_in_the_way(tmp_path: Path) -> None:
    place = outputs(tmp_path)
    describe(place, **archived("x.tar.xz"))
    (tmp_path / "out" / "x.tar.xz").write_bytes(b"precious")
    with pytest.raises(ArchiveError, match="in the way"):
        place.take("x.tar.xz", ArchiveError)


def test_a_record_proves_what_the_metadata_describes(tmp_path: Path) -> None:
    place = outputs(tmp_path)
    describe(place, **archived("x.tar"))
    assert not place.names
    place.described[-1].parent.mkdir()
    place.described[-1].write_text(RECORD, encoding="utf-8")
    assert place.names == ("x.tar",)


@pytest.mark.parametrize("content", ["", "\0" * 20, "[]", "{}", '{"inputs": 1}', None])
def test_a_damaged_record_proves_nothing(tmp_path: Path, content: str | None) -> None:
    for place in (outputs(tmp_path), environments(tmp_path)):
        if place.metadata is not None:
            describe(place, **archived("x.tar"))
        record = place.described[-1]
        record.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            record.mkdir()
        else:
            record.write_text(content, encoding="utf-8")
        assert place.names == ()


def test_the_record_of_a_build_proves_an_environment(tmp_path: Path) -> None:
    place = environments(tmp_path)
    place.described[-1].parent.mkdir(parents=True)
    place.described[-1].write_text(RECORD, encoding="utf-8")
    assert place.names == ("x",)


@pytest.mark.parametrize(("more", "taken"), [("", True), ("postinstall.py", False)])
def test_an_environment_without_record_is_replaced_and_a_deployed_layer_is_not(
    tmp_path: Path, more: str, taken: bool
) -> None:
    place = environments(tmp_path)
    config = tmp_path / "_build/x/share/venv/metadata/venvstacks_layer.json"
    config.parent.mkdir(parents=True)
    config.write_text("{}", encoding="utf-8")
    if more:
        (tmp_path / "_build/x" / more).touch()
    try:
        place.take("x", ArchiveError)
    except ArchiveError:
        assert not taken
    else:
        assert taken


def test_what_is_given_up_is_no_longer_noted(tmp_path: Path) -> None:
    place = outputs(tmp_path)
    for name in ("x@1", "x@2"):
        place.take(name, ArchiveError)
        (tmp_path / "out" / name).mkdir()
    place.give_up("x@1")
    assert outputs(tmp_path).names == ("x@2",)
    place.give_up("x@2")
    assert outputs(tmp_path).names == ()
    assert not place.note_path.exists()


def test_a_note_belongs_to_the_specification_that_it_names_or_to_a_renamed_one(tmp_path: Path) -> None:
    outputs(tmp_path, spec="first.toml").take("x", ArchiveError)
    assert not outputs(tmp_path, spec="second.toml").is_of_this_specification
    (tmp_path / "first.toml").unlink()
    assert outputs(tmp_path, spec="second.toml").is_of_this_specification
    (tmp_path / "elsewhere").mkdir()
    place = LayerPlace.of_outputs(OutputPaths(root=tmp_path / "out"), X, specification=tmp_path / "elsewhere/v.toml")
    assert not place.is_of_this_specification


def test_replacing_what_another_project_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "v.toml").touch()
    paths = OutputPaths(root=tmp_path / "out")
    other = LayerPlace.of_outputs(paths, X, specification=tmp_path / "other" / "v.toml")
    assert other.take("x", ArchiveError) == ()
    (tmp_path / "out" / "x").mkdir()
    (notice,) = outputs(tmp_path).take("x", ArchiveError)
    made = f"x: replaces {tmp_path}/out/x, which was made for {tmp_path}/other/v.toml"
    assert notice == f"{made}: give each project a folder of its own"
    assert outputs(tmp_path).take("x", ArchiveError) == ()
