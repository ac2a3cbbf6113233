"""What `exclude-newer` means as a point in time."""

from datetime import UTC, datetime

import pytest

from stackbuild.spec.exclude_newer import EARLIEST, exclude_newer_time

NOW = datetime(2026, 3, 10, 12, 0, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05+00:00"),
        ("2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.500000+00:00"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02", "2026-01-02T00:00:00+00:00"),
        ("7 days", "2026-03-03T12:00:00+00:00"),
        ("1 day", "2026-03-09T12:00:00+00:00"),
        ("1 week 2 days", "2026-03-01T12:00:00+00:00"),
        ("1 week, 2 days", "2026-03-01T12:00:00+00:00"),
        ("7 days ago", "2026-03-03T12:00:00+00:00"),
        ("2 Weeks", "2026-02-24T12:00:00+00:00"),
        ("24 hours", "2026-03-09T12:00:00+00:00"),
        ("90 minutes", "2026-03-10T10:30:00+00:00"),
        ("1d12h", "2026-03-09T00:00:00+00:00"),
        ("30s", "2026-03-10T11:59:30+00:00"),
        ("P7D", "2026-03-03T12:00:00+00:00"),
        ("P1W", "2026-03-03T12:00:00+00:00"),
        ("P1DT12H", "2026-03-09T00:00:00+00:00"),
        ("PT90M", "2026-03-10T10:30:00+00:00"),
        ("pt30s", "2026-03-10T11:59:30+00:00"),
    ],
)
def test_limit_in_time_is_a_time_a_date_or_a_duration_back(text: str, expected: str) -> None:
    assert exclude_newer_time(text, now=NOW).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    ["yesterday", "7", "7 moons", "P", "PT", "", "2026-13-01", "7 days from now", "\N{ARABIC-INDIC DIGIT SEVEN} d"],
)
def test_other_limits_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time, a date or a duration: write it like") as caught:
        exclude_newer_time(text, now=NOW)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("digits", [13, 5000])
def test_numbers_without_end_are_no_durations(digits: int) -> None:
    with pytest.raises(ValueError, match="is not a time, a date or a duration") as caught:
        exclude_newer_time(f"{'9' * digits} days", now=NOW)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["1965-01-01", "0001-01-01T00:00:00+05:00", "9999-12-31", "9999-12-31T23:59:59-12:00"])
def test_times_that_archives_cannot_store_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not between 1970-01-01 and 9999-12-30"):
        exclude_newer_time(text, now=NOW)


@pytest.mark.parametrize("text", ["800000 days", "999999999999 days", "P2700W"])
def test_long_durations_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is more than 50 years"):
        exclude_newer_time(text, now=NOW)


def test_a_slow_clock_gives_the_earliest_time() -> None:
    assert exclude_newer_time("49 weeks", now=datetime(1970, 2, 1, tzinfo=UTC)) == EARLIEST
