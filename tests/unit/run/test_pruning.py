"""`prune`: what gone layers and old versions left goes; what is not proved to be the project's own stays."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.planning.leftovers import GONE, OLD, LeftoverSearch, leftovers_notice
from stackbuild.project.options import Options
from stackbuild.run import cleaning, pruning
from stackbuild.run.pruning import is_as_made, remove_leftovers_of
from stackbuild.steps.manifest import archive_manifest, export_manifest
from stackbuild.system import files
from tests.unit.steps.world import ALL, World, tree

SHOP = "[[applications]]"


def make(world: World, *names: str) -> None:
    world.lock(*names)
    world.build(*names)
    world.archive(*names)
    world.export(*names)
    archive_manifest(world.project, tuple(world.layers.values()))
    export_manifest(world.project, tuple(world.layers.values()))


@pytest.fixture
def made(tmp_path: Path) -> World:
    """A project with environments, archives, exports and manifests."""
    world = World(tmp_path / "project")
    make(world, *ALL)
    return world


def drop_shop(world: World) -> None:
    """Take the application out of the specification."""
    world.specification = world.specification.partition(SHOP)[0]


def left(world: World) -> list[tuple[str, str, str]]:
    """What is found: what it is, why, and where."""
    search = LeftoverSearch(world.project)
    found = [*search.of_gone_layers(), *search.old_versions()]
    return [(it.what, it.why, it.path.relative_to(world.folder).as_posix()) for it in found]


def unproven(world: World) -> list[str]:
    return [path.relative_to(world.folder).as_posix() for path in LeftoverSearch(world.project).unproven()]


def prune(world: World) -> None:
    search = LeftoverSearch(world.project)
    found = [*search.of_gone_layers(), *search.old_versions()]
    remove_leftovers_of(world.project.workspace, [it for it in found if is_as_made(it)])


OF_SHOP = [
    ("environment", GONE, "_build/app-shop"),
    ("archive", GONE, "_artifacts/app-shop.tar"),
    ("export", GONE, "_export/app-shop"),
    ("lock", GONE, "requirements/app-shop"),
]


def test_a_stack_whose_layers_are_all_there_has_left_nothing(made: World) -> None:
    assert left(made) == []
    assert unproven(made) == []
    assert leftovers_notice(made.project) is None


def test_everything_that_a_gone_layer_left_is_found_and_removed(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.folder)
    drop_shop(made)
    assert left(made) == OF_SHOP
    assert unproven(made) == []
    assert leftovers_notice(made.project) == (
        "4 outputs of layers that are no longer there (app-shop): `stackbuild prune`"
    )
    others = [path for path in tree(made.folder) if "app-shop" not in path]
    prune(made)
    assert [path for path in tree(made.folder) if "app-shop" in path] == []
    assert tree(made.folder) == others
    assert left(made) == []
    manifest = json.loads((made.folder / "_export/__venvstacks__/venvstacks.json").read_text(encoding="utf-8"))
    assert {kind: [it["layer_name"] for it in layers] for kind, layers in manifest["layers"].items()} == {
        "applications": [],
        "frameworks": ["framework-web"],
        "runtimes": ["base"],
    }


def test_the_notice_names_the_folders_and_the_specification(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.folder.parent)
    drop_shop(made)
    made.options = Options(artifacts_dir="dist")
    notice = leftovers_notice(made.project)
    folder = made.folder
    assert notice is not None
    assert notice.endswith(
        f"`stackbuild prune --output-dir {folder}/dist --output-dir {folder}/_export project/venvstacks.toml`"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.replace('name = "shop"', 'name = "shop"\nplatforms = []'),
        lambda world: (world.folder / "other.toml").write_text('[[applications]]\nname = "shop"\n', encoding="utf-8"),
        lambda world: (world.folder / "other.toml").write_text("[[applications]]\nname = ", encoding="utf-8"),
    ],
    ids=["switched off", "in another specification", "perhaps in another specification"],
)
def test_a_layer_that_is_still_somewhere_is_not_gone(made: World, change: Callable[[World], object]) -> None:
    if (made.folder / "other.toml").exists() or "platforms" not in made.specification.partition(SHOP)[2]:
        change(made)
    if (made.folder / "other.toml").exists():
        drop_shop(made)
    assert left(made) == []


def test_outputs_for_another_platform_are_found_too(made: World) -> None:
    folder = made.folder
    for root, part in (("_export", "win_amd64"), ("_build/.stackbuild", "win_amd64")):
        source = folder / root / ("__venvstacks__/owned" if root == "_export" else "owned")
        target = folder / root / part / ("__venvstacks__/owned" if root == "_export" else "owned")
        shutil.copytree(source, target)
        for note in target.iterdir():
            text = json.loads(note.read_text(encoding="utf-8"))
            text["specification"] = "../" + text["specification"]
            note.write_text(json.dumps(text), encoding="utf-8")
    shutil.copytree(folder / "_export/app-shop", folder / "_export/win_amd64/app-shop", symlinks=True)
    shutil.copytree(folder / "_build/app-shop", folder / "_build/win_amd64/app-shop", symlinks=True)
    assert left(made) == []
    drop_shop(made)
    assert ("export", GONE, "_export/win_amd64/app-shop") in left(made)
    assert ("environment", GONE, "_build/win_amd64/app-shop") in left(made)
    prune(made)
    assert [path for path in tree(folder) if "app-shop" in path] == []


def test_what_another_specification_made_is_not_ours(made: World) -> None:
    drop_shop(made)
    (made.folder.parent / "venvstacks.toml").touch()
    for note in made.folder.rglob("owned/app-shop.json"):
        text = json.loads(note.read_text(encoding="utf-8"))
        text["specification"] = "../" + text["specification"]
        note.write_text(json.dumps(text), encoding="utf-8")
    assert left(made) == [("lock", GONE, "requirements/app-shop")]


def test_what_venvstacks_made_is_told_and_stays(made: World) -> None:
    drop_shop(made)
    for note in made.folder.rglob("owned/app-shop.json"):
        note.unlink()
    record = made.folder / "requirements/app-shop/pylock.app-shop.meta.json"
    kept = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({key: value for key, value in kept.items() if key != "tools"}), encoding="utf-8")
    before = tree(made.folder)
    assert left(made) == []
    assert unproven(made) == [
        "_build/app-shop",
        "_artifacts/__venvstacks__/env_metadata/app-shop.json",
        "_export/__venvstacks__/env_metadata/app-shop.json",
        "requirements/app-shop",
    ]
    prune(made)
    assert tree(made.folder) == before


def test_what_took_the_place_of_an_output_stays_with_its_note(made: World) -> None:
    drop_shop(made)
    shutil.rmtree(made.folder / "_export/app-shop")
    (made.folder / "_export/app-shop").mkdir()
    (made.folder / "_export/app-shop/mine").touch()
    shutil.rmtree(made.folder / "_build/app-shop")
    (made.folder / "_build/app-shop").symlink_to(made.folder / "helpers")
    prune(made)
    assert (made.folder / "_export/app-shop/mine").exists()
    assert (made.folder / "helpers/tool.py").exists()
    assert (made.folder / "_build/app-shop").is_symlink()
    assert not (made.folder / "_artifacts/app-shop.tar").exists()


def test_a_hostile_note_leads_nowhere(made: World) -> None:
    drop_shop(made)
    precious = made.folder / "_export" / "precious"
    precious.mkdir()
    for note in made.folder.rglob("owned/app-shop.json"):
        text = json.loads(note.read_text(encoding="utf-8"))
        text["outputs"] = ["precious", "base", "__venvstacks__"]
        note.write_text(json.dumps(text), encoding="utf-8")
        other = {**text, "layer_name": "../../helpers", "outputs": ["helpers"]}
        note.with_name("helpers.json").write_text(json.dumps(other), encoding="utf-8")
    prune(made)
    assert precious.is_dir()
    assert (made.folder / "_export/base").is_dir()
    assert (made.folder / "helpers/tool.py").exists()


def test_old_versions_are_found_unless_a_layer_needs_them(made: World) -> None:
    made.uv.versions["mid"] = "2.0"
    for step in (made.lock, made.build, made.export, made.archive):
        step("framework-web", **({"forced": True} if step == made.lock else {}))
    assert (made.folder / "_export/framework-web@2").is_dir()
    assert left(made) == []  # app-shop was exported for framework-web@1
    make(made, *ALL)
    old = [
        ("archive", OLD, "_artifacts/framework-web@1.tar"),
        ("export", OLD, "_export/framework-web@1"),
    ]
    assert left(made) == old
    prune(made)
    assert left(made) == []
    assert not (made.folder / "_export/framework-web@1").exists()
    assert (made.folder / "_export/framework-web@2").is_dir()
    assert leftovers_notice(made.project) is None


def test_archives_in_another_format_are_old(made: World) -> None:
    made.options = Options(archive_format="zip")
    made.archive("base")
    assert left(made) == [("archive", OLD, "_artifacts/base.tar")]


@pytest.mark.parametrize("calls", range(0, 27, 2))
def test_killed_pruning_is_completed_by_the_next_one(made: World, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    remaining = calls

    def counted(module: object, name: str) -> None:
        effect = getattr(module, name)

        def stops(*arguments: object) -> None:
            nonlocal remaining
            if remaining == 0:
                raise KeyboardInterrupt
            remaining -= 1
            effect(*arguments)

        monkeypatch.setattr(module, name, stops)

    for module, names in {
        cleaning: ("discard", "remove_leftovers"),
        files: ("remove_tree",),  # of what is moved aside
        pruning: ("remove_file", "remove_leftovers", "remove_tree", "remove_unfinished"),
    }.items():
        for name in names:
            counted(module, name)
    drop_shop(made)
    with pytest.raises(KeyboardInterrupt):
        prune(made)
    monkeypatch.undo()
    prune(made)
    assert [path for path in tree(made.folder) if "app-shop" in path] == []
