"""Sizes and times as people read them."""

import pytest

from stackbuild.quantities import format_seconds, format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (4_000, "4.0 kB"), (38_140_000, "38.1 MB"), (2_345_000_000, "2.35 GB")],
)
def test_sizes_have_the_unit_in_which_they_are_not_zero(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (59.9, "59.9 s"), (125.9, "2 min 5 s")])
def test_times_above_a_minute_are_told_in_minutes(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
