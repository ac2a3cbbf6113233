"""Sizes and times as people read them."""

from dataclasses import replace

import pytest

from stackbuild.system.quantities import Amount, counted, first_few, format_seconds, format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (4_000, "4.0 kB"), (38_140_000, "38.1 MB"), (2_345_000_000, "2.35 GB")],
)
def test_sizes_have_the_unit_in_which_they_are_not_zero(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (59.9, "59.9 s"), (125.9, "2 min 5 s")])
def test_times_above_a_minute_are_told_in_minutes(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_things_are_counted_in_the_plural_unless_there_is_one() -> None:
    assert [counted(number, "layer") for number in (0, 1, 2)] == ["0 layers", "1 layer", "2 layers"]


def test_amounts_are_told_with_a_rate_as_soon_as_there_is_one() -> None:
    amount = Amount(what="packing", done=2_000_000, total=8_000_000, seconds=0.5)
    assert str(amount) == "packing 2.0 MB of 8.0 MB, 4.0 MB/s"
    assert str(replace(amount, things="scipy")) == "packing 2.0 MB of 8.0 MB, 4.0 MB/s: scipy"
    assert str(replace(amount, done=0)) == "packing 0 B of 8.0 MB"
    assert str(replace(amount, seconds=0.1, things="scipy")) == "packing 2.0 MB of 8.0 MB: scipy"


def test_a_few_of_many_are_told() -> None:
    assert first_few(["a", "b"], 2) == "a, b"
    assert first_few(["a", "b", "c"], 2) == "a, b and 1 more"
