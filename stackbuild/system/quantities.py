"""Sizes, times and amounts for people."""

from collections.abc import Sequence
from dataclasses import dataclass


def format_size(size: int) -> str:
    """Bytes for people, decimal: `38.1 MB`, `4.0 kB`."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004 (decimal units)
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def format_seconds(seconds: float) -> str:
    """Seconds for people: `0.4 s`, `2 min 5 s`."""
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def counted(number: int, noun: str) -> str:
    """A number of things: `1 layer`, `2 layers`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def first_few(things: Sequence[str], most: int = 5) -> str:
    """The first of several things, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return f"{', '.join(things[:most])}{more}"


_SECONDS_OF_A_RATE = 0.5
"""Seconds after which a rate is shown: before, it mostly measures buffers."""


@dataclass(frozen=True, kw_only=True)
class Amount:
    """The progress of something: bytes done, bytes in total, and the seconds since it began.

    As a text `downloading 2.0 MB of 8.0 MB, 4.0 MB/s: scipy`; the rate only once there is one. things: may be empty.
    """

    what: str
    done: int
    total: int
    seconds: float
    things: str = ""

    def __str__(self) -> str:
        has_rate = self.done and self.seconds >= _SECONDS_OF_A_RATE
        rate = f", {format_size(int(self.done / self.seconds))}/s" if has_rate else ""
        things = f": {self.things}" if self.things else ""
        return f"{self.what} {format_size(self.done)} of {format_size(self.total)}{rate}{things}"
