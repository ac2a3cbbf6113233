"""Tests of `environments/data_files.py`: what counts as data, and which links layers above have."""

import posixpath
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.environments.data_files import data_files, data_links, link_target
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.targets.platforms import TargetPlatform

LAYOUT = EnvironmentLayout(python_version="3.11.7", platform=TargetPlatform.LINUX_X86_64, is_runtime=False)


def _record(environment: Path, package: str, *paths: str) -> None:
    record = environment / LAYOUT.site_packages / f"{package}.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    record.write_text("".join(f"{path},,\n" for path in paths))


def test_data_is_outside_of_packages_programs_and_headers(tmp_path: Path) -> None:
    _record(
        tmp_path,
        "notes-1.0",
        "notes.py",
        "../../../share/notes/b.txt",
        "../../../etc/notes.cfg",
        "../../../bin/notes",
        "../../../include/site/python3.11/notes/notes.h",
        "../../../../outside",
    )
    _record(tmp_path, "plain-1.0", "plain.py")
    assert data_files(tmp_path, LAYOUT) == {"notes 1.0": ("etc/notes.cfg", "share/notes/b.txt")}


def test_a_folder_of_one_layer_is_linked_as_a_whole() -> None:
    assert data_links(LAYOUT, [], [("low", ["etc/a", "etc/b/c"])]) == {"etc": "low"}


def test_a_folder_of_several_layers_has_links() -> None:
    links = data_links(LAYOUT, [], [("near", ["share/x/a"]), ("far", ["share/x/a", "share/x/b", "share/y/c"])])
    assert links == {"share/x/a": "near", "share/x/b": "far", "share/y": "far"}


def test_own_files_and_those_of_the_nearest_layer_win() -> None:
    own = ["share/x", "share/y/a"]
    links = data_links(LAYOUT, own, [("near", ["share/x/a", "share/z"]), ("far", ["share/y/a", "share/z/deep"])])
    assert links == {"share/z": "near"}


def test_folders_of_the_layer_itself_stay_folders() -> None:
    links = data_links(LAYOUT, [], [("low", ["lib/python3.11/notes.py", "lib/notes/a", "share/venv/x", "share/notes"])])
    assert links == {"lib/notes": "low", "lib/python3.11/notes.py": "low", "share/notes": "low"}


@pytest.mark.parametrize(("path", "target"), [("etc", "../low/etc"), ("share/x/a", "../../../low/share/x/a")])
def test_links_lead_to_the_same_path_beside(path: str, target: str) -> None:
    assert link_target("low", path) == target


_PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3)


@st.composite
def _files(draw: st.DrawFn) -> list[str]:
    """Paths of files that one folder can have."""
    paths = {"share/" + "/".join(parts) for parts in draw(st.lists(_PARTS, max_size=6))}
    return sorted(path for path in paths if not any(other.startswith(f"{path}/") for other in paths))


@given(own=_files(), below=st.lists(_files(), max_size=3))
def test_every_path_is_that_of_the_nearest_layer(own: list[str], below: list[list[str]]) -> None:
    named = [(str(number), files) for number, files in enumerate(below)]
    links = data_links(LAYOUT, own, named)

    def found(path: str) -> str | None:
        """The layer whose file is at `path` of the deployed layer."""
        if path in own:
            return "own"
        link = next((it for it in (path, *_parents(path)) if it in links), None)
        return links[link] if link is not None and path in below[int(links[link])] else None

    assert not any(link in own or any(file.startswith(f"{link}/") for file in own) for link in links)
    for path in {path for files in below for path in files}:
        expected = _expected(path, [("own", own), *named])
        assert found(path) == expected, path


def _parents(path: str) -> list[str]:
    return [path[:at] for at in range(len(path)) if path[at] == "/"]


def _expected(path: str, layers: list[tuple[str, list[str]]]) -> str | None:
    """The nearest layer with a file at `path`, unless a nearer one has a file in the place of one of its folders, or a
    folder in its place."""
    for name, files in layers:
        if path in files:
            return name
        if any(file.startswith(f"{path}/") for file in files):
            return None
        if any(parent in files for parent in _parents(path)):
            return None
    return None


def test_posix_paths_join() -> None:
    assert posixpath.normpath(posixpath.join("share/x", link_target("low", "share/x/a"))) == "../low/share/x/a"
