"""What a user may set beside the specification is checked as the specification is."""

from pathlib import Path

import pytest

from stackbuild.errors import StackbuildError
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options


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
    ],
)
def test_an_unknown_choice_is_told_in_the_words_of_the_specification(
    tmp_path: Path, options: Options, environ: dict[str, str], message: str
) -> None:
    (tmp_path / "venvstacks.toml").write_text("")
    with pytest.raises(StackbuildError) as told:
        open_project(tmp_path / "venvstacks.toml", options, environ)
    assert told.value.message == message
