"""What `exclude-newer` means as a point in time: a time, a date, or a duration back from now. Pure."""

import re
from datetime import UTC, datetime, timedelta

_DURATION_UNITS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "m": 60, "hour": 3600, "hr": 3600, "h": 3600}
_DURATION_UNITS |= {"day": 86400, "d": 86400, "week": 604800, "wk": 604800, "w": 604800}
_NUMBER = r"([0-9]{1,12})"
_FRIENDLY = re.compile(rf"\s*{_NUMBER}\s*([a-z]+?)s?\s*(?:,|ago$|$|(?=[0-9]))", re.IGNORECASE | re.ASCII)
_ISO_DURATION = re.compile(
    rf"P(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?", re.IGNORECASE
)
_LONGEST_TEXT = 100

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""The range of times of locks: every time zone can write them, and archives can store them."""
_LONGEST = timedelta(days=50 * 365)
"""Longer durations would end before `EARLIEST` on a machine whose clock is somewhat slow."""


def parse_exclude_newer(text: str) -> datetime | timedelta:
    """A time in UTC, or the duration back from now.

    Takes an RFC 3339 time, a date (its first moment in UTC, so that it means the same everywhere), or a duration:
    `7 days`, `1 week 2 days`, `P7D`, `PT12H`. Raises `ValueError` with a sentence for anything else.
    """
    moment = _moment(text) if len(text) <= _LONGEST_TEXT else None
    if moment is not None:
        if not EARLIEST <= moment <= LATEST:
            raise ValueError(f"{text!r} is not between {EARLIEST.date()} and {LATEST.date()}")
        return moment
    seconds = _duration(text) if len(text) <= _LONGEST_TEXT else None
    if seconds is None:
        shown = repr(text) if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]!r}…"
        raise ValueError(
            f'{shown} is not a time, a date or a duration: write it like "2026-11-01T00:00:00Z", "2026-11-01" '
            'or "7 days"'
        )
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is more than 50 years")
    return timedelta(seconds=seconds)


def exclude_newer_time(text: str, *, now: datetime) -> datetime:
    """The point in time that `exclude-newer` means, in UTC. Raises `ValueError` like `parse_exclude_newer`."""
    meaning = parse_exclude_newer(text)
    if isinstance(meaning, datetime):
        return meaning
    return max((now - meaning).replace(microsecond=0), EARLIEST)


def _moment(text: str) -> datetime | None:
    """A time or date, in UTC; far outside of what is allowed if it is beyond the calendar there."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _duration(text: str) -> int | None:
    """The seconds of a duration."""
    iso = _ISO_DURATION.fullmatch(text.strip())
    if iso is not None and any(iso.groups()):
        units = (_DURATION_UNITS[unit] for unit in ("week", "day", "hour", "minute", "second"))
        return sum(int(part or 0) * unit for part, unit in zip(iso.groups(), units, strict=True))
    total, position = 0, 0
    while position < len(text) or not text:
        part = _FRIENDLY.match(text, position)
        if part is None or part[2].lower() not in _DURATION_UNITS:
            return None
        total += int(part[1]) * _DURATION_UNITS[part[2].lower()]
        position = part.end()
    return total
