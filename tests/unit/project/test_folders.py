"""Folders of a run that would destroy what lies in another one."""

from pathlib import Path

import pytest

from stackbuild.errors import StackbuildError
from stackbuild.project import folders
from stackbuild.project.folders import check_folders
from stackbuild.project.options import Options
from stackbuild.project.paths import Workspace

LAYERS = ("py", "framework-Web", "app-a")


def check(folder: Path, **options: str) -> None:
    workspace = Workspace.of_spec(folder / "project" / "venvstacks.toml", **options)
    check_folders(workspace, Options(**options), LAYERS)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder that a project lies in."""
    (tmp_path / "project").mkdir()
    return tmp_path


def test_folders_beside_and_within_each_other_are_good(project: Path) -> None:
    check(project)
    check(project, artifacts_dir="_build/out", export_dir="_build/out/export")
    check(project, artifacts_dir="..", build_dir="/")
    check(project, artifacts_dir="_build/app-b", export_dir="_build/win_amd64")


@pytest.mark.parametrize(
    "folder",
    [
        *("_build/app-a/out", "_build/py", "_build/linux_x86_64/py/x", "_build/FRAMEWORK-web", "_build/.stackbuild/x"),
        *("_export/app-a@3/out", "_export/__venvstacks__", "requirements/py"),
    ],
)
def test_a_folder_inside_of_what_is_made_for_a_layer_is_refused(project: Path, folder: str) -> None:
    with pytest.raises(StackbuildError, match=r"the archives would lie in .*, where .* are made and removed") as caught:
        check(project, artifacts_dir=folder)
    assert caught.value.hint == "choose another folder with --output-dir (artifacts_dir in a dodo.py)"


def test_a_project_inside_of_what_is_made_for_a_layer_is_refused(project: Path) -> None:
    (project / "project").rename(project / "app-a")
    workspace = Workspace.of_spec(project / "app-a" / "venvstacks.toml", export_dir="..")
    with pytest.raises(StackbuildError, match="where the exports are made and removed"):
        check_folders(workspace, Options(export_dir=".."), LAYERS)


@pytest.mark.parametrize(
    "given", ["_build", "link", "link/../_build", "requirements", ".", "../alias", "alias-of-missing"]
)
def test_one_folder_under_several_names_is_refused(project: Path, given: str) -> None:
    (project / "project" / "_build").mkdir()
    (project / "project" / "link").symlink_to("_build")
    (project / "alias").symlink_to("project")
    (project / "project" / "alias-of-missing").symlink_to("_export")
    with pytest.raises(StackbuildError, match="would both lie in"):
        check(project, artifacts_dir=given)


def test_a_link_into_an_environment_is_refused(project: Path) -> None:
    (project / "project" / "_build" / "py").mkdir(parents=True)
    (project / "project" / "out").symlink_to("_build/py")
    with pytest.raises(StackbuildError, match="would lie in"):
        check(project, artifacts_dir="out/archives")


def test_names_in_other_letters_are_one_folder_where_the_file_system_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(project, artifacts_dir="_BUILD")
    monkeypatch.setattr(folders, "_ignores_case", lambda _folder: True)
    with pytest.raises(StackbuildError, match="would both lie in"):
        check(project, artifacts_dir="_BUILD")
