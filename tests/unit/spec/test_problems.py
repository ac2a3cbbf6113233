"""Problems as sentences and as their parts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.spec.faults import FaultySpec, problem_lines
from stackbuild.spec.problems import Code, Problem, did_you_mean, quote, unknown_word, without_guess
from stackbuild.spec.stack import read_stack

ON_RUNTIME = (
    '[[runtimes]]\nname = "base"\npython_implementation = "cpython@3.11"\nrequirements = []\n'
    '[[frameworks]]\nname = "a"\nrequirements = []\n'
)


@given(st.text(), st.text())
def test_a_guess_is_taken_from_the_end_of_a_sentence_only(told: str, meant: str) -> None:
    sentence = f"unknown word {quote(told)}"
    assert without_guess(sentence) == (sentence, None)
    guess = f"did you mean {quote(meant)}?"
    assert without_guess(f"{sentence} — {guess}") == (sentence, guess)


def test_message_and_hint_together_are_the_sentence() -> None:
    sentence = unknown_word("runtime", "bse", ["base"])
    message, hint = without_guess(sentence)
    assert (message, hint) == ('unknown runtime "bse"', did_you_mean("bse", ["base"]).removeprefix(" — "))
    assert str(Problem(key_path=(), message=message, hint=hint)) == sentence
    assert str(Problem(key_path=("a", 0), message="too old", hint="remove it")) == "a[0]: too old: remove it"


def test_a_problem_of_no_place_has_one_line() -> None:
    problem = Problem(key_path=("tool",), message="no table", file=Path("/x/s.toml"))
    assert [*problem_lines(problem, columns=80)] == ["/x/s.toml: tool: no table"]
    assert [*problem_lines(Problem(key_path=(), message="no"), columns=80)] == ["no"]


@pytest.mark.parametrize(
    ("lines", "code", "hint"),
    [
        ('runtime = "bse"', Code.UNKNOWN_NAME, 'did you mean "base"?'),
        ('frameworks = ["base"]', Code.INCONSISTENT_LAYERS, 'write runtime = "base"'),
        (
            'frameworks = ["b"]\n[[frameworks]]\nname = "b"\nruntime = "base"\nrequirements = []',
            Code.INCONSISTENT_LAYERS,
            "move it up",
        ),
        ("", Code.MISSING_FIELD, None),
        ("runtime = 3", Code.WRONG_TYPE, None),
        ('runtime = "base"\nplatform = []', Code.UNKNOWN_FIELD, 'did you mean "platforms"?'),
        ('runtime = "base"\nplatforms = ["linux_x86"]', Code.INVALID_VALUE, 'did you mean "linux_x86_64"?'),
        ('runtime = "base"\nsupport_modules = ["x"]', Code.UNKNOWN_FIELD, None),
        ('runtime = "base"\nexclude_packages = ["x"]', Code.UNSUPPORTED, None),
        ('runtime = "base"\nscripts = 3', Code.WRONG_TYPE, None),
        ('runtime = "base"\noverrides = ["a @ https://h/?token=x"]', Code.SECRET_IN_URL, None),
        ('runtime = "base"\npackage_indexes = { a-b = "x", a_b = "x" }', Code.NAME_CLASH, None),
        ('runtime = "base"\npriority_indexes = ["x"]', Code.UNKNOWN_NAME, None),
        ('runtime = "base"\n[[frameworks]]\nname = "a"\nruntime = "base"\nrequirements = []', Code.NAME_CLASH, None),
        ('runtime = "base"\n[tool.uv]\nindex-url = 3', Code.WRONG_TYPE, None),
        ('runtime = "base"\n[tool.uv]\nindex-url = "https://h/?token=x"', Code.SECRET_IN_URL, None),
        ('runtime = "base"\n[tool.uv.sources]\na = { index = "x" }', Code.UNKNOWN_NAME, None),
        ('runtime = "base"\n[tool.stackbuilt]', Code.UNKNOWN_FIELD, 'did you mean "tool.stackbuild"?'),
        ('runtime = "base"\n[application]', Code.UNKNOWN_FIELD, 'did you mean "applications"?'),
        ('runtime = "base"\n[applications]', Code.WRONG_TYPE, "write [[applications]]"),
    ],
)
def test_a_problem_has_a_code_and_the_hint_apart(tmp_path: Path, lines: str, code: Code, hint: str | None) -> None:
    path = tmp_path / "venvstacks.toml"
    path.write_text(ON_RUNTIME + lines + "\n", encoding="utf-8")
    with pytest.raises(FaultySpec) as caught:
        read_stack(path)
    assert {(problem.code, problem.hint) for problem in caught.value.problems} == {(code, hint)}


def test_every_code_is_explained() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "reference", "cli.md").read_text(encoding="utf-8")
    assert [code for code in Code if f"| `{code}` | " not in page] == []
