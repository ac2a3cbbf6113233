"""Where problems are in their files, what is shown of the line, and how the mark is drawn."""

from pathlib import Path

import pytest

from stackbuild.spec.faults import FaultySpec, excerpt_lines
from stackbuild.spec.places import Places
from stackbuild.spec.problems import Code, Place, Problem
from stackbuild.spec.source_text import place_of_syntax_error
from stackbuild.spec.stack import read_stack
from stackbuild.system.toml import KeyPath

SPEC = Path("/stack/venvstacks.toml")


def place(text: str, *key_path: str | int, code: Code = Code.INVALID_VALUE) -> Place:
    found = Places(SPEC, {SPEC: text}).of(Problem(code=code, key_path=key_path, message="wrong")).place
    assert found is not None
    return found


def marked(found: Place) -> str:
    assert found.source is not None
    return found.source[slice(*found.marked)]


TEXT = """\
[[runtimes]]
name = "base"
requirements = ["a",
    "b"]
uv = { index = [{ url = 3 }] }
"""


@pytest.mark.parametrize(
    ("key_path", "code", "line", "column", "text"),
    [
        (("runtimes", 0, "name"), Code.WRONG_TYPE, 2, 8, '"base"'),
        (("runtimes", 0, "name"), Code.UNKNOWN_FIELD, 2, 1, "name"),
        (("runtimes", 0, "requirements", 1), Code.INVALID_VALUE, 4, 5, '"b"'),
        (("runtimes", 0, "requirements"), Code.WRONG_TYPE, 3, 16, '["a",'),
        (("runtimes", 0, "uv", "index", 0, "url"), Code.WRONG_TYPE, 5, 25, "3"),
        (("runtimes", 0, "uv", "index", 0, "nmae"), Code.MISSING_FIELD, 5, 17, "{ url = 3 }"),
        (("runtimes", 0, "uv", "sources"), Code.MISSING_FIELD, 5, 1, "uv"),
        (("runtimes", 0, "launch_module"), Code.MISSING_FIELD, 1, 3, "runtimes"),
        (("runtimes", 0), Code.WRONG_TYPE, 1, 3, "runtimes"),
    ],
)
def test_a_place_is_that_of_the_value_or_of_what_the_problem_is_about(
    key_path: KeyPath, code: Code, line: int, column: int, text: str
) -> None:
    found = place(TEXT, *key_path, code=code)
    assert (found.line, found.column, marked(found)) == (line, column, text)


def test_a_package_is_found_however_it_is_spelt() -> None:
    text = '[[runtimes]]\npackage_indexes = { a = "x", "My.Pkg" = "y" }\n'
    assert marked(place(text, "runtimes", 0, "package_indexes", "my-pkg")) == '"y"'


def test_what_is_in_no_file_has_no_place() -> None:
    places = Places(SPEC, {SPEC: TEXT})
    variable = Problem(code=Code.INVALID_PROJECT, key_path=("MACOSX_DEPLOYMENT_TARGET",), message="wrong")
    assert places.of(variable) == variable
    absent = places.of(Problem(key_path=("applications",), message="wrong"))
    assert (absent.file, absent.place) == (SPEC, None)
    other = Problem(key_path=("runtimes",), message="wrong", file=Path("/other.toml"))
    assert places.of(other) == other


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('x = ["https://me:hidden@h/s", 3] # é', 'x = ["https://h/s", 3] # é'),
        ("x = [1, 3] # https://h/?token=hidden", "x = [1, 3] # https://h/"),
        ('x = ["https://me:hid\\u0064en\\u0040h/s", 3]', None),
        ('x = ["""https://me:\\\n  hidden@h/s""", 3]', None),
        ('x = ["https://h/s?a=1&sig=x hidden", 3]', None),
        ('x = ["https://h/\\u0073", 3]', 'x = ["https://h/\\u0073", 3]'),
    ],
)
def test_a_line_has_no_secrets(text: str, shown: str | None) -> None:
    found = place(text, "x", 1)
    assert found.source == shown
    assert found.column == text.rpartition("\n")[2].rindex("3") + 1
    if shown:
        assert marked(found) == "3"


def test_a_secret_itself_is_marked_as_far_as_it_is_shown() -> None:
    assert marked(place('x = "https://me:hidden@h/s"', "x")) == '"https://h/s"'


@pytest.mark.parametrize(
    ("message", "text", "line", "column", "source"),
    [
        ("No (at line 2, column 3)", "a = 1\r\nb  = 2\r\n", 2, 3, "b  = 2"),
        ("No (at end of document)", "a = [\n\n  1,  \n\n", 3, 5, "  1,"),
        ("No (at end of document)", "", 1, 1, ""),
        ("No (at line 1, column 3)", 'a = "https://me:hidden@h', 1, 3, None),
        ("No (at line 1, column 3)", 'a = "https://me:hidden\\u0040h', 1, 3, None),
        ("No (at line 2, column 3)", 'a = """https://me:\\\nhidden@h', 2, 3, None),
    ],
)
def test_a_syntax_error_has_its_place(message: str, text: str, line: int, column: int, source: str | None) -> None:
    told, found = place_of_syntax_error(message, text)
    assert found is not None
    assert (told, found.line, found.column, found.source) == ("No", line, column, source)
    assert place_of_syntax_error("nested too deeply", text) == ("nested too deeply", None)


def excerpt(source: str, begin: int, end: int, *, columns: int = 120) -> list[str]:
    return [*excerpt_lines(Place(line=12, column=begin + 1, source=source, marked=(begin, end)), columns=columns)]


def test_the_mark_is_below_what_it_marks() -> None:
    assert excerpt("a = 1", 4, 5) == ["   |", "12 | a = 1", "   |     ^"]
    assert excerpt("\ta = 1", 1, 2) == ["   |", "12 |     a = 1", "   |     ^"]
    assert excerpt("日本 = e\u0301é", 5, 8) == ["   |", "12 | 日本 = e\u0301é", "   |        ^^"]
    assert excerpt("a = [", 5, 6) == ["   |", "12 | a = [", "   |      ^"]
    assert excerpt('a = "\x1b[31m" + b', 14, 15)[1:] == ['12 | a = "\\u001b[31m" + b', f"   | {' ' * 19}^"]


@pytest.mark.parametrize("begin", [0, 3, 30, 60, 190, 199])
@pytest.mark.parametrize("columns", [10, 40, 80])
def test_a_long_line_is_cut_around_the_mark(begin: int, columns: int) -> None:
    source = "".join(chr(ord("a") + number % 26) for number in range(200))
    _, line, mark = excerpt(source, begin, begin + 4, columns=columns)
    assert len(line) <= max(columns, 25)
    assert len(mark) <= len(line)
    assert line[mark.index("^") : mark.rindex("^") + 1] == source[begin : begin + 4]
    assert line.endswith("…") is not line.endswith(source[-1])


def test_only_a_specification_with_problems_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    monkeypatch.setattr("stackbuild.spec.source_text.SourceText.__init__", looked.append)
    (tmp_path / "venvstacks.toml").write_text(
        '[[runtimes]]\nname = "x"\nfully_versioned_name = "cpython@3.11"\nrequirements = []\n'
    )
    stack = read_stack(tmp_path / "venvstacks.toml")
    assert len(stack.spec.notices) == 1
    assert looked == []


def test_problems_of_the_uv_file_have_their_places_there(tmp_path: Path) -> None:
    (tmp_path / "venvstacks.toml").write_text("nothing = 1\n")
    (tmp_path / "venvstacks.uv.toml").write_text("\n[[index]]\nurl = 3\n")
    with pytest.raises(FaultySpec) as caught:
        read_stack(tmp_path / "venvstacks.toml")
    of_spec, of_uv = caught.value.problems
    assert (of_spec.file, of_spec.code) == (tmp_path / "venvstacks.toml", Code.UNKNOWN_FIELD)
    assert (of_uv.file, of_uv.code) == (tmp_path / "venvstacks.uv.toml", Code.WRONG_TYPE)
    assert of_uv.place == Place(line=3, column=7, source="url = 3", marked=(6, 7))
    assert "\n\nvenvstacks.uv.toml:3:7: index[0].url: expected" in str(caught.value).replace(f"{tmp_path}/", "")
    assert str(of_uv) == "venvstacks.uv.toml: index[0].url: expected a string, got an integer"


def test_a_missing_support_module_is_marked_in_its_list(tmp_path: Path) -> None:
    for name in ("main.py", "b.py"):
        (tmp_path / name).touch()
    (tmp_path / "venvstacks.toml").write_text(
        '[[runtimes]]\nname = "x"\npython_implementation = "cpython@3.11"\nrequirements = []\n'
        '[[applications]]\nname = "y"\nruntime = "x"\nrequirements = []\nlaunch_module = "main.py"\n'
        'support_modules = [\n  "c.py",\n  "b.py",\n  "a.py",\n]\n'
    )
    with pytest.raises(FaultySpec) as caught:
        read_stack(tmp_path / "venvstacks.toml")
    assert [marked(problem.place) for problem in caught.value.problems if problem.place] == ['"c.py"', '"a.py"']


def test_a_field_with_its_legacy_name_is_marked(tmp_path: Path) -> None:
    (tmp_path / "venvstacks.toml").write_text('[[runtimes]]\nname = "x"\nfully_versioned_name = 3\nrequirements = []\n')
    with pytest.raises(FaultySpec) as caught:
        read_stack(tmp_path / "venvstacks.toml")
    (problem,) = caught.value.problems
    assert problem.place == Place(line=3, column=24, source="fully_versioned_name = 3", marked=(23, 24))
