"""Data files of a layer: linked in the deployed layers above, and told where there are no links."""

from pathlib import Path

import pytest

from stackbuild.project.options import Options
from stackbuild.spec.models import BuildName
from stackbuild.steps.data_links import data_notices
from stackbuild.steps.freshness import why_archive, why_export
from stackbuild.targets.platforms import TargetPlatform
from tests.unit.steps.world import ALL, World, forget


@pytest.fixture
def with_data(locked: World) -> World:
    """A built stack whose runtime and framework bring data files."""
    locked.uv.files = {
        "low": {"../../../../share/notes/low.txt": "low", "../../../../etc/low.cfg": "cfg"},
        "mid": {"../../../../share/notes/mid.txt": "mid"},
    }
    locked.build(*ALL)
    return locked


def exported(world: World, name: str) -> Path:
    world.export(name)
    return world.folder / "_export" / world.layer(name).install_target


def test_an_export_has_links_to_the_data_files_below(with_data: World) -> None:
    for name in ALL:
        exported(with_data, name)
    application = exported(with_data, "app-shop")
    assert (application / "etc").is_symlink()
    assert (application / "share/notes/low.txt").read_text("utf-8") == "low"
    assert (application / "share/notes/mid.txt").read_text("utf-8") == "mid"
    framework = exported(with_data, "framework-web")
    assert not (framework / "share/notes/mid.txt").is_symlink()
    assert (framework / "share/notes/low.txt").readlink() == Path("../../../base/share/notes/low.txt")


def test_outputs_are_made_again_when_the_links_change(with_data: World) -> None:
    with_data.archive(*ALL)
    with_data.export(*ALL)
    with_data.uv.files["mid"]["../../../../share/more/mid.txt"] = "more"
    with_data.layer("framework-web").build_record_path.unlink()
    forget(with_data).build("framework-web")
    layer = with_data.layer("app-shop")
    assert (why_archive(layer), why_export(layer)) == ("the data files of the layers below changed",) * 2
    with_data.export("framework-web", "app-shop")
    assert (with_data.folder / "_export/app-shop/share/more/mid.txt").read_text("utf-8") == "more"


def test_windows_has_no_links_and_it_is_told(world: World) -> None:
    world.replace('["linux_x86_64"]', '["linux_x86_64", "win_amd64"]')
    world.options = Options()
    world.uv.files = {
        "low": {"../../../../share/notes/low.txt": "low"},
        "mid": {"../../../../share/man/man1/mid.1": "nobody looks for it"},
        "top": {"../../../../share/notes/top.txt": "nothing stands on it"},
    }
    world.lock(*ALL)
    forget(world).platform = TargetPlatform.WIN_AMD64
    world.build(*ALL)
    (notice,) = world.archive("base").notices
    assert "base: programs of the layers above do not find the data files of low 1.0 (share/notes)" in notice
    assert [data_notices(world.layer(name)) for name in ALL if name != BuildName("base")] == [()] * (len(ALL) - 1)
    world.platform = TargetPlatform.LINUX_X86_64
    forget(world).build("base")
    assert data_notices(world.layer("base")) == ()
