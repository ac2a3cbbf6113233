"""Typer sees single options where a command has groups of them, and a command gets groups where typer has values."""

from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Annotated

import pytest

from stackbuild.cli.grouped import grouped

Colour = Annotated[str, "the colour"]


@dataclass(frozen=True, kw_only=True)
class Paint:
    colour: Colour = "red"
    layers: Annotated[int, "how many"] = 2
    gloss: Annotated[bool, "shining"] = False


def test_a_group_is_replaced_by_its_fields_in_their_order() -> None:
    @grouped
    def paint(wall: str, *, paint: Paint, dry: bool = False) -> None:
        """Paint a wall."""

    parameters = signature(paint).parameters
    assert list(parameters) == ["wall", "colour", "layers", "gloss", "dry"]
    assert parameters["colour"] == Parameter("colour", Parameter.KEYWORD_ONLY, default="red", annotation=Colour)
    assert (paint.__name__, paint.__doc__) == ("paint", "Paint a wall.")


def test_a_command_may_take_some_options_of_a_group() -> None:
    called = []

    @grouped
    def paint(*, paint: Annotated[Paint, "gloss", "colour"], dry: bool = False) -> None:
        called.append((paint, dry))

    assert list(signature(paint).parameters) == ["gloss", "colour", "dry"]
    paint(gloss=True, colour="blue", dry=True)
    assert called == [(Paint(colour="blue", layers=2, gloss=True), True)]


def test_an_option_that_the_group_does_not_have_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="smell"):

        @grouped
        def paint(*, paint: Annotated[Paint, "smell"]) -> None:
            """Never called."""
