"""The marker that limits a resolution to one release of Python, and markers without it. Pure.

A lock is for the one release that its runtime is pinned to. uv's `requires-python` cannot say so: uv refuses it when
the Python that it is run with is another release.
"""

import re

from packaging.version import Version

_RELEASE = re.compile(r"python_full_version == '([^']+)'")
_CONJUNCT = re.compile(rf"{_RELEASE.pattern} and | and {_RELEASE.pattern}")


def release_marker(version: str) -> str:
    """The marker that holds for this version of Python only. As in uv, a pre-release counts as its release."""
    return f"python_full_version == '{Version(version).base_version}'"


def without_release(marker: str, version: str) -> str:
    """A marker that uv wrote without the conditions that `release_marker` adds. `''` when nothing is left."""
    release = Version(Version(version).base_version)

    def left(match: re.Match[str]) -> str:
        return "" if Version(match[1] or match[2]) == release else match[0]

    whole = _RELEASE.fullmatch(marker)
    if whole and Version(whole[1]) == release:
        return ""
    return _CONJUNCT.sub(left, marker)
