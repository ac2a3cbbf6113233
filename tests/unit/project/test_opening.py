"""What a user may set beside the specification is checked as the specification is."""

from pathlib import Path

import pytest

from stackbuild.errors import StackbuildError
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.targets.platforms import TargetPlatform


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        (Options(runtime_source="standalon"), {}, 'unknown runtime source "standalon" — did you mean "standalone"?'),
        (
            Options(),
            {"STACKBUILD_RUNTIME_SOURCE": "interpreter, moon"},
            'unknown runtime source "moon", expected one of "interpreter", "standalone"',
        ),
        (Options(archive_format="tar.zs"), {}, 'unknown archive format "tar.zs" — did you mean "tar.zst"?'),
        (
            Options(),
            {"STACKBUILD_ARCHIVE_FORMAT": "tarzst"},
            'unknown archive format "tarzst" — did you mean "tar.zst"?',
        ),
        (Options(), {"STACKBUILD_COMPATIBLE_WITH": "pdm"}, 'unknown tool "pdm", expected "venvstacks"'),
    ],
)
def test_an_unknown_choice_is_told_in_the_words_of_the_specification(
    tmp_path: Path, options: Options, environ: dict[str, str], message: str
) -> None:
    (tmp_path / "venvstacks.toml").write_text("")
    with pytest.raises(StackbuildError) as told:
        open_project(tmp_path / "venvstacks.toml", options, environ)
    assert told.value.message == message


@pytest.mark.parametrize(
    ("settings", "options", "environ", "formats"),
    [
        ("", Options(), {}, ("tar.zst", "zip")),
        ('compatible_with = "venvstacks"', Options(), {}, ("tar.xz", "zip")),
        ("", Options(compatible_with="venvstacks"), {}, ("tar.xz", "zip")),
        ("", Options(), {"STACKBUILD_COMPATIBLE_WITH": "venvstacks"}, ("tar.xz", "zip")),
        ("", Options(), {"STACKBUILD_COMPATIBLE_WITH": ""}, ("tar.zst", "zip")),
        ('compatible_with = "venvstacks"\narchive_format = "tar"', Options(), {}, ("tar", "tar")),
    ],
)
def test_the_default_format_is_that_of_the_tool_to_be_compatible_with(
    tmp_path: Path, settings: str, options: Options, environ: dict[str, str], formats: tuple[str, str]
) -> None:
    (tmp_path / "venvstacks.toml").write_text(f"[tool.stackbuild]\n{settings}\n")
    project = open_project(tmp_path / "venvstacks.toml", options, environ)
    platforms = (TargetPlatform.LINUX_X86_64, TargetPlatform.WIN_AMD64)
    assert tuple(project.for_platform(platform).archive_format for platform in platforms) == formats
    assert project.like_venvstacks is (formats[0] == "tar.xz" or "compatible" in settings)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (Options(build_dir="requirements"), "choose another folder with --build-dir (build_dir in a dodo.py)"),
        (Options(export_dir="_build"), "choose another folder with --output-dir (export_dir in a dodo.py)"),
    ],
)
def test_the_hint_of_folders_in_conflict_names_the_options_that_were_given(
    tmp_path: Path, options: Options, hint: str
) -> None:
    (tmp_path / "venvstacks.toml").write_text("")
    with pytest.raises(StackbuildError) as told:
        open_project(tmp_path / "venvstacks.toml", options, {})
    assert told.value.hint == hint


def test_connection_settings_are_part_of_the_environment_with_paths_relative_to_the_specification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "venvstacks.toml").write_text(
        '[tool.uv]\ncache-dir = "kept"\npypy-install-mirror = "pypys"\npython-downloads-json-url = "list.json"\n'
    )
    environ = open_project(tmp_path / "venvstacks.toml", Options(), {"UV_OFFLINE": "1"}).environ
    assert environ == {
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(tmp_path / "kept"),
        "UV_PYPY_INSTALL_MIRROR": (tmp_path / "pypys").as_uri(),
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(tmp_path / "list.json"),
    }
