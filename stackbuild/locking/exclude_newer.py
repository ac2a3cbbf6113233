"""What `exclude-newer` means as a point in time: a time, a date, or a duration back from now."""

import re
from datetime import UTC, datetime, timedelta

from stackbuild.errors import LockError

_DURATION_UNITS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "m": 60, "hour": 3600, "hr": 3600, "h": 3600}
_DURATION_UNITS |= {"day": 86400, "d": 86400, "week": 604800, "wk": 604800, "w": 604800}
_FRIENDLY = re.compile(r"\s*(\d+)\s*([a-z]+?)s?\s*(?:,|ago$|$|(?=\d))", re.IGNORECASE)
_ISO_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE)


def exclude_newer_time(text: str, *, now: datetime) -> datetime:
    """The point in time that uv's `exclude-newer` means, in UTC.

    Takes an RFC 3339 time, a date (its first moment in UTC, so that it means the same everywhere), or a duration back
    from `now`: `7 days`, `1 week 2 days`, `P7D`, `PT12H`. Raises `LockError` for anything else.
    """
    try:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return (now - _duration(text)).replace(microsecond=0)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise LockError(f"exclude-newer: {text!r} is before the first year or after the last") from None


def _duration(text: str) -> timedelta:
    iso = _ISO_DURATION.fullmatch(text.strip())
    if iso is not None and any(iso.groups()):
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
        return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    total, position = 0, 0
    while position < len(text) or not text:
        part = _FRIENDLY.match(text, position)
        if part is None or part[2].lower() not in _DURATION_UNITS:
            raise LockError(
                f"exclude-newer: {text!r} is not a time, a date or a duration",
                hint='write it like "2026-11-01T00:00:00Z", "2026-11-01" or "7 days"',
            )
        total += int(part[1]) * _DURATION_UNITS[part[2].lower()]
        position = part.end()
    return timedelta(seconds=total)
