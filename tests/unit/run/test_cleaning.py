"""`doit clean`: it removes what is proved to be the project's own, and can be killed and repeated."""

import json
from pathlib import Path

import pytest

from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import Step
from stackbuild.run import cleaning
from stackbuild.run.cleaning import remove_result
from tests.unit.steps.world import ALL, World, contents, tree


@pytest.fixture
def made(tmp_path: Path) -> World:
    """A project with environments, archives and exports."""
    world = World(tmp_path / "project")
    world.lock(*ALL)
    world.build(*ALL)
    world.archive(*ALL)
    world.export(*ALL)
    return world


def steps(world: World) -> list[Step]:
    return list(StackGraph.of(world.project).steps.values())


def clean(world: World, *kinds: str) -> None:
    for step in steps(world):
        if not kinds or step.kind in kinds:
            remove_result(step)


def test_everything_that_steps_made_is_removed_but_locks(made: World) -> None:
    locks = contents(made.folder / "requirements")
    clean(made)
    left = [path.relative_to(made.folder) for path in made.folder.glob("_*/**/*") if not path.is_dir()]
    assert left == []
    assert contents(made.folder / "requirements") == locks
    clean(made)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../..", "precious"])
def test_what_metadata_names_is_not_believed(made: World, name: str) -> None:
    precious = made.folder / "_artifacts" / "precious"
    precious.write_text("mine", encoding="utf-8")
    for folder in ("_artifacts", "_export"):
        metadata = made.folder / folder / "__venvstacks__/env_metadata/base.json"
        described = json.loads(metadata.read_text(encoding="utf-8"))
        described |= {key: name for key in ("install_target", "archive_name") if key in described}
        metadata.write_text(json.dumps(described), encoding="utf-8")
    clean(made)
    assert precious.read_text(encoding="utf-8") == "mine"
    assert (made.folder / "shop.py").exists()
    assert not (made.folder / "_export" / "base").exists()
    assert not (made.folder / "_artifacts" / "base.tar").exists()


def test_what_was_not_made_here_stays(tmp_path: Path) -> None:
    world = World(tmp_path / "project")
    world.lock(*ALL)
    for path in (
        "_build/base/mine",
        "_export/base/mine",
        "_artifacts/base.tar",
        "_export/__venvstacks__/venvstacks.json",
    ):
        (world.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (world.folder / path).write_text("mine", encoding="utf-8")
    before = tree(world.folder / "_export"), tree(world.folder / "_artifacts"), tree(world.folder / "_build/base")
    clean(world, "build", "archive", "export", "manifest")
    assert before == (
        tree(world.folder / "_export"),
        tree(world.folder / "_artifacts"),
        tree(world.folder / "_build/base"),
    )


@pytest.mark.parametrize("kind", ["archive", "export"])
def test_without_note_and_record_an_output_stays_with_what_describes_it_and_can_be_made_again(
    made: World, kind: str
) -> None:
    folder = made.folder / {"archive": "_artifacts", "export": "_export"}[kind]
    note, record = (folder / "__venvstacks__" / part / "base.json" for part in ("owned", "records"))
    for path in (note, record):
        path.write_bytes(b"")
    output = folder / {"archive": "base.tar", "export": "base"}[kind]
    (step,) = (step for step in steps(made) if step.task_name == f"{kind}:base")
    remove_result(step)
    assert output.exists()
    {"archive": made.archive, "export": made.export}[kind]("base")
    remove_result(step)
    assert not output.exists()


@pytest.mark.parametrize("kind", ["build", "archive", "export"])
@pytest.mark.parametrize("calls", range(5))
def test_killed_cleaning_never_stands_in_the_way(
    made: World, monkeypatch: pytest.MonkeyPatch, kind: str, calls: int
) -> None:
    """Killed before its n-th effect, cleaning can be repeated, and so can what was cleaned."""
    left = calls

    def counted(name: str) -> None:
        effect = getattr(cleaning, name)

        def stops(*arguments: object) -> None:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            effect(*arguments)

        monkeypatch.setattr(cleaning, name, stops)

    for name in ("discard", "remove_leftovers", "remove_file", "remove_unfinished"):
        counted(name)
    (step,) = (step for step in steps(made) if step.task_name == f"{kind}:base")
    try:
        remove_result(step)
    except KeyboardInterrupt:
        assert left == 0
    monkeypatch.undo()
    {"build": made.build, "archive": made.archive, "export": made.export}[kind]("base")
    remove_result(step)
    remove_result(step)
    root = {"build": "_build", "archive": "_artifacts", "export": "_export"}[kind]
    assert [path for path in (made.folder / root).rglob("*base*") if "resolve" not in path.parts] == []
