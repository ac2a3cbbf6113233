"""Annotations of GitHub Actions: where they point to, and that no text can break out of its place."""

from pathlib import Path

from stackbuild.reporting.annotations import annotation
from stackbuild.spec.problems import Code, Place, Problem

FOLDER = Path("/repository")


def test_an_annotation_points_to_the_place_relative_to_the_folder() -> None:
    problem = Problem(
        code=Code.UNKNOWN_FIELD,
        key_path=("frameworks", 0, "requirments"),
        message="unknown field",
        hint='did you mean "requirements"?',
        subject='framework "a"',
        file=FOLDER / "stacks" / "venvstacks.toml",
        place=Place(line=12, column=5, source="requirments = []", marked=(0, 11)),
    )
    assert annotation("error", problem, folder=FOLDER) == (
        "::error file=stacks/venvstacks.toml,line=12,col=5,title=unknown-field::"
        'framework "a": frameworks[0].requirments: unknown field — did you mean "requirements"?'
    )
    assert annotation("warning", problem, folder=FOLDER / "docs").startswith("::warning file=../stacks/venv")


def test_an_annotation_without_a_place_or_a_file_leaves_them_out() -> None:
    problem = Problem(code=Code.INVALID_PROJECT, key_path=(), message="no")
    assert annotation("error", problem, folder=FOLDER) == "::error title=invalid-project::no"


def test_texts_are_escaped_as_github_reads_them() -> None:
    problem = Problem(
        key_path=(),
        message="50%,\n::error::a: b\x1b[31m https://me:hidden@h/s",
        file=FOLDER / "a,b:c%" / "x.toml",
    )
    assert annotation("error", problem, folder=FOLDER) == (
        "::error file=a%2Cb%3Ac%25/x.toml,title=invalid-value::50%25,%0A::error::a: b\\u001b[31m https://h/s"
    )
