"""The time of every file in a layer's archive: a property of what is in it, not of when it was locked or packed."""

import re
from datetime import UTC, datetime

from stackbuild.project.layer import ProjectLayer

_WITHOUT_TIMES = datetime(2020, 1, 1, tzinfo=UTC)
"""For layers of which nothing says when it was made. Any time that each format and file system can hold would do."""
_EARLIEST, _LATEST = datetime(1980, 1, 2, tzinfo=UTC), datetime(2107, 12, 30, tzinfo=UTC)
"""The range of zip files, in every time zone."""
_RELEASE = re.compile(r"\+(\d{8})(?!\d)")


def archive_time(layer: ProjectLayer) -> int:
    """Seconds since 1970, even, as in all archives of the same packages.

    It is when the newest wheel for the platform was uploaded, as far as the lock says so; for a runtime also when its
    distribution was released, if its file name says that. With `compatible_with = "venvstacks"` it is the time of the
    lock. Raises `LockError`.
    """
    if layer.project.like_venvstacks:
        found = datetime.fromisoformat(layer.lock.record.locked_at)
    else:
        times = [layer.packages.newest_upload, _release_time(layer)]
        found = max((time for time in times if time is not None), default=_WITHOUT_TIMES)
    seconds = int(min(max(found, _EARLIEST), _LATEST).timestamp())
    return seconds - seconds % 2  # zip files hold even seconds only, and all formats shall agree


def _release_time(layer: ProjectLayer) -> datetime | None:
    """When the distribution of a runtime was released: `20251014` in `cpython-3.12.12+20251014-x86_64-….tar.gz`."""
    file = layer.pin.file(layer.platform) if layer.kind == "runtime" else None
    named = _RELEASE.search(file.name.replace("%2B", "+")) if file is not None else None
    try:
        return datetime.strptime(named[1], "%Y%m%d").replace(tzinfo=UTC) if named else None
    except ValueError:  # no date
        return None
