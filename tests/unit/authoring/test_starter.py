"""The first project: what is in it, that each commented-out field is good as it stands, that nothing is replaced."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from stackbuild.authoring.schema import stack_schema
from stackbuild.authoring.starter import Started, starter_files, write_starter
from stackbuild.errors import StackbuildError
from stackbuild.runtimes.interpreters import Interpreter, choose_interpreter
from stackbuild.spec.layer_draft import LAYER_TYPES
from stackbuild.spec.stack import Stack, read_stack
from stackbuild.targets.python_request import PythonRequest

SPECIFICATION = starter_files()["venvstacks.toml"]
COMMENTED_OUT = re.compile(r"^#(?=[\w\[])(?:.+(?:\n#(?=\w).+)*)", re.MULTILINE)
"""A field or a table that is commented out: `#` with no space after it; lines that follow on belong to it."""


def load(folder: Path, text: str) -> Stack:
    write_starter(folder, {**starter_files(), "venvstacks.toml": text})
    return read_stack(folder / "venvstacks.toml")


def variants() -> Iterator[str]:
    """The specification with one field after the other taken in."""
    for field in COMMENTED_OUT.finditer(SPECIFICATION):
        taken_in = re.sub("^#", "", field[0], flags=re.MULTILINE)
        yield SPECIFICATION[: field.start()] + taken_in + SPECIFICATION[field.end() :]


def test_specification_shows_a_layer_of_each_kind(tmp_path: Path) -> None:
    stack = load(tmp_path, SPECIFICATION)
    assert [layer.build_name for layer in stack.layers] == ["python", "framework-text", "app-hello"]
    assert stack.spec.notices == ()


@pytest.mark.parametrize("text", [*variants()], ids=[field[0] for field in COMMENTED_OUT.finditer(SPECIFICATION)])
def test_each_commented_out_field_can_be_taken_in_as_it_stands(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)
    assert jsonschema.Draft7Validator(stack_schema()).is_valid(tomllib.loads(text))


def test_every_field_can_be_taken_in_together(tmp_path: Path) -> None:
    assert load(tmp_path, re.sub(r"^#(?=[\w\[])", "", SPECIFICATION, flags=re.MULTILINE)).layers


def test_every_supported_field_is_shown() -> None:
    definitions = stack_schema()["definitions"]
    settings = definitions["stackbuild_settings"]["properties"]
    described = {name: definitions[name] for model in LAYER_TYPES.values() for name in model.model_fields} | settings
    supported = {name for name, field in described.items() if "(not supported yet" not in field["description"]}
    assert supported - set(re.findall(r"^#?(\w+) = ", SPECIFICATION, re.MULTILINE)) == set()


def test_schema_of_the_first_line_lies_beside_the_specification() -> None:
    directive, _, _ = SPECIFICATION.partition("\n")
    assert directive.removeprefix("#:schema ./") in starter_files()


@pytest.mark.parametrize(
    ("implementation", "version", "request_text"),
    [
        ("cpython", (3, 11), "cpython@3.11"),
        ("cpython", (3, 13), "cpython@3.13"),
        ("cpython", (3, 14), "cpython@3.14"),
        ("cpython", (3, 16), "cpython@>=3.11,<3.14"),
        ("pypy", (3, 11), "cpython@>=3.11,<3.14"),
    ],
)
def test_runtime_is_the_running_python_when_that_can_serve(
    implementation: str, version: tuple[int, int], request_text: str
) -> None:
    text = starter_files(implementation=implementation, version=version)["venvstacks.toml"]
    assert tomllib.loads(text)["runtimes"][0]["python_implementation"] == request_text


@pytest.mark.parametrize("minor", range(9, 16))
def test_the_running_python_is_named_exactly_when_it_can_serve(tmp_path: Path, minor: int) -> None:
    running = Interpreter(
        executable=tmp_path / "python",
        implementation="cpython",
        version=f"3.{minor}.1",
        prefix=tmp_path,
        stdlib=tmp_path,
        extensions=tmp_path,
        headers=tmp_path,
    )
    text = starter_files(implementation="cpython", version=(3, minor))["venvstacks.toml"]
    asked = tomllib.loads(text)["runtimes"][0]["python_implementation"]
    assert (asked == f"cpython@3.{minor}") is (running.obstacle is None)
    if running.obstacle is None:
        assert choose_interpreter(PythonRequest.parse(asked), [running]) is running


# Writing


def test_files_are_written_into_a_new_folder(tmp_path: Path) -> None:
    files = starter_files()
    started = write_starter(tmp_path / "a" / "b", files)
    assert started == Started(folder=tmp_path / "a" / "b", written=tuple(files))
    assert {path.name: path.read_text() for path in (tmp_path / "a" / "b").iterdir()} == files


def test_every_file_that_is_there_already_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("mine")
    (tmp_path / "dodo.py").symlink_to("nowhere")
    with pytest.raises(StackbuildError) as caught:
        write_starter(tmp_path, starter_files())
    assert str(caught.value) == (
        f"there is already {tmp_path / 'hello.py'}, {tmp_path / 'dodo.py'}; nothing was written\n\n"
        "hint: start in another folder, or move these files away"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dodo.py", "hello.py"]
    assert (tmp_path / "hello.py").read_text() == "mine"


def test_lines_that_a_present_ignore_file_lacks_are_told_and_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n_build/\n")
    started = write_starter(tmp_path, starter_files())
    assert started.ignore_lines == ("__pycache__/", "_artifacts/", "_export/")
    assert ".gitignore" not in started.written
    assert (tmp_path / ".gitignore").read_text() == "*.log\n_build/\n"


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackbuildError, match="cannot start a project in "):
        write_starter(tmp_path / "file" / "project", starter_files())


def test_what_was_written_goes_away_when_the_rest_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(StackbuildError, match="cannot start a project in "):
        write_starter(tmp_path, {"a.txt": "a", "no-such-folder/b.txt": "b", ".gitignore": ""})
    assert list(tmp_path.iterdir()) == []


def test_what_was_done_is_told_with_the_next_step() -> None:
    here = Started(folder=Path(), written=("dodo.py",))
    assert here.lines() == [
        "wrote dodo.py",
        "build it with: doit",
        "or, without archives, with: stackbuild lock && stackbuild local-export",
    ]
    there = Started(folder=Path("my stack"), written=(), ignore_lines=("_build/",))
    assert there.lines() == [
        "add to my stack/.gitignore:",
        "  _build/",
        "build it with: cd 'my stack' && doit",
        "or, without archives, with: cd 'my stack' && stackbuild lock && stackbuild local-export",
    ]
