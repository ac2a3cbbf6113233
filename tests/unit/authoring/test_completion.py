"""What Tab offers for layer names, and that it never disturbs the line that is being typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from stackbuild.authoring.completion import _PREFIXES, complete_layer_names
from stackbuild.spec.layer_draft import LAYER_TYPES

STACK = """
[[runtimes]]
name = "py"
[[applications]]
name = "web"
[[frameworks]]
name = "sklearn"
[[frameworks]]
name = "flask"
"""


@dataclass(frozen=True)
class Line:
    params: Mapping[str, Any] = field(default_factory=dict)
    args: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_build_names_that_fit_are_offered(folder: Path) -> None:
    (folder / "venvstacks.toml").write_text(STACK)
    assert complete_layer_names(Line(), "") == ["py", "framework-sklearn", "framework-flask", "app-web"]
    assert complete_layer_names(Line(), "fr") == ["framework-sklearn", "framework-flask"]
    assert complete_layer_names(Line(), "sk") == []


@pytest.mark.parametrize("parameter", ["spec", "spec_option"])
def test_specification_given_on_the_line_is_read(folder: Path, parameter: str) -> None:
    (folder / "other.toml").write_text(STACK)
    assert complete_layer_names(Line({parameter: folder / "other.toml"}), "app") == ["app-web"]
    assert complete_layer_names(Line({"spec": None, "spec_option": None}), "app") == []


def test_a_word_before_an_option_without_its_value_yet_is_the_specification(folder: Path) -> None:
    (folder / "other.toml").write_text(STACK)
    assert complete_layer_names(Line({"spec": None}, ("other.toml",)), "app") == ["app-web"]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"not toml", b"\xff", b"runtimes = 1", b"runtimes = [1]", b"[[runtimes]]\nname = 3", b"[[runtimes]]"),
        b"a = " + b"[" * 5000,
    ],
)
def test_nothing_is_offered_and_nothing_said_for_a_file_without_names(
    folder: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "venvstacks.toml").write_bytes(content)
    assert complete_layer_names(Line(), "") == []
    assert capfd.readouterr() == ("", "")


def test_sound_layers_beside_a_faulty_one_are_offered(folder: Path) -> None:
    (folder / "venvstacks.toml").write_text(STACK + "[[frameworks]]\nname = 3\n")
    assert complete_layer_names(Line(), "framework-") == ["framework-sklearn", "framework-flask"]


def test_prefixes_are_those_of_the_models() -> None:
    assert {category: model.build_prefix for category, model in LAYER_TYPES.items()} == _PREFIXES
