"""How far something is."""

from dataclasses import dataclass

from stackbuild.quantities import format_size

_SECONDS_OF_A_RATE = 0.5
"""What a rate is told after: before, it is mostly of buffers."""


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How far something is: bytes that are done, bytes that there are, and the seconds since it began.

    As a text `downloading 2.0 MB of 8.0 MB, 4.0 MB/s: scipy`; the rate as soon as there is one. things: may be empty.
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
