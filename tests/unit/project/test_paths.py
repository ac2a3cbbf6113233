"""Paths as arithmetic: nothing here needs to exist."""

from pathlib import Path, PurePosixPath

import pytest

from stackbuild.environments.layout import EnvironmentLayout, in_peer
from stackbuild.project.paths import LockPaths, OutputPaths, Workspace, lexical_path
from stackbuild.spec.models import BuildName, InstallTarget
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PythonKind

WEB = BuildName("framework-web2.0")


def workspace() -> Workspace:
    return Workspace.of_spec(Path("/project/sub/../venvstacks.toml"))


def test_workspace_lies_beside_the_specification() -> None:
    assert workspace() == Workspace(
        spec=Path("/project/venvstacks.toml"),
        locks=Path("/project/requirements"),
        build=Path("/project/_build"),
        artifacts=Path("/project/_artifacts"),
        export=Path("/project/_export"),
    )


def test_relative_folders_are_relative_to_the_specification_not_to_the_current_folder() -> None:
    found = Workspace.of_spec(
        Path("/project/venvstacks.toml"), build_dir="../b", artifacts_dir="/out", export_dir="x/y"
    )
    assert (found.build, found.artifacts, found.export) == (Path("/b"), Path("/out"), Path("/project/x/y"))


def test_relative_specification_is_relative_to_the_current_folder() -> None:
    assert Workspace.of_spec(Path("venvstacks.toml")).spec == Path.cwd() / "venvstacks.toml"


def test_paths_of_the_build_folder() -> None:
    found = workspace()
    assert found.state_database == Path("/project/_build/.doit.db")
    assert found.run_lock == Path("/project/_build/.stackbuild/run.lock")
    assert found.environment(WEB) == Path("/project/_build/framework-web2.0")
    assert found.build_record(WEB) == Path("/project/_build/.stackbuild/framework-web2.0.build.json")
    assert found.resolution_folder(WEB) == Path("/project/_build/.stackbuild/resolve/framework-web2.0")


def test_lock_files_have_no_further_dots_in_their_names() -> None:
    folder = Path("/project/requirements/framework-web2.0")
    assert LockPaths.of_layer(workspace(), WEB) == LockPaths(
        folder=folder,
        pylock=folder / "pylock.framework-web2_0.toml",
        record=folder / "pylock.framework-web2_0.meta.json",
        summary=folder / "packages-framework-web2.0.txt",
        declared=folder / "requirements-framework-web2_0.in",
    )


@pytest.mark.parametrize(("tag", "suffix"), [(None, ""), (TargetPlatform.WIN_AMD64, "-win_amd64")])
def test_output_metadata_is_tagged_with_the_platform(tag: TargetPlatform | None, suffix: str) -> None:
    paths = OutputPaths(root=Path("/out"), tag=tag)
    folder = Path("/out/__venvstacks__")
    assert paths.manifest == folder / f"venvstacks{suffix}.json"
    assert paths.layer_metadata(WEB) == folder / "env_metadata" / f"framework-web2.0{suffix}.json"
    assert paths.file_manifest(WEB) == folder / "file_manifests" / f"framework-web2.0{suffix}.json"
    assert paths.record(WEB) == folder / "records" / f"framework-web2.0{suffix}.json"
    assert paths.manifest_record == folder / "records" / f"manifest{suffix}.json"


@pytest.mark.parametrize(
    ("platform", "is_runtime", "expected"),
    [
        (
            TargetPlatform.LINUX_X86_64,
            True,
            ("lib/python3.11/site-packages", "bin", "bin/python", "share/venv/dynlib"),
        ),
        (
            TargetPlatform.MACOSX_ARM64,
            False,
            ("lib/python3.11/site-packages", "bin", "bin/python", "share/venv/dynlib"),
        ),
        (TargetPlatform.WIN_AMD64, True, ("Lib/site-packages", "Scripts", "python.exe", "Library/bin")),
        (TargetPlatform.WIN_AMD64, False, ("Lib/site-packages", "Scripts", "Scripts/python.exe", "Library/bin")),
    ],
)
def test_environment_paths(platform: TargetPlatform, is_runtime: bool, expected: tuple[str, ...]) -> None:
    layout = EnvironmentLayout(python_version="3.11.13", platform=platform, is_runtime=is_runtime)
    found = (layout.site_packages, layout.scripts, layout.python, layout.dynamic_libraries)
    assert found == tuple(map(PurePosixPath, expected))
    assert layout.short_version == "3.11"


@pytest.mark.parametrize(
    ("kind", "site_packages"),
    [
        (PythonKind.FREETHREADED_CPYTHON, "lib/python3.13t/site-packages"),
        (PythonKind.PYPY, "lib/pypy3.13/site-packages"),
        (PythonKind.GRAALPY, "lib/python3.13/site-packages"),
    ],
)
def test_packages_lie_where_the_kind_of_python_looks(kind: PythonKind, site_packages: str) -> None:
    def layout(platform: TargetPlatform) -> EnvironmentLayout:
        return EnvironmentLayout(python_version="3.13.2", platform=platform, is_runtime=False, kind=kind)

    assert layout(TargetPlatform.LINUX_X86_64).site_packages == PurePosixPath(site_packages)
    assert layout(TargetPlatform.LINUX_X86_64).python == PurePosixPath("bin/python")
    assert layout(TargetPlatform.WIN_AMD64).site_packages == PurePosixPath("Lib/site-packages")


def test_path_in_a_peer_goes_over_the_folder_of_both() -> None:
    assert in_peer(InstallTarget("framework-web@2"), PurePosixPath("bin/python")) == PurePosixPath(
        "../framework-web@2/bin/python"
    )


def test_lexical_path_leaves_links_alone_and_expands_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to("/")
    assert lexical_path("link/../x", base=tmp_path) == tmp_path / "x"
    assert lexical_path("~/x", base=Path("/elsewhere")) == tmp_path / "x"
    assert lexical_path("/a/./b/..", base=tmp_path) == Path("/a")
