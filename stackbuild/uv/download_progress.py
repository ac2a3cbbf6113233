"""The progress of uv's downloads, from the lines that it writes. Pure.

uv reports each download of a megabyte or more when it begins, with its size, and when it has ended, even without a
terminal; smaller ones take no time. All its releases do that, and in the output that is read anyway. uv's progress bars
have more figures, but need a terminal, and then error messages would have to be separated from the bars. uv's cache
shows less: wheels are unpacked while they are downloaded, and other processes may use it.
"""

import re
from dataclasses import dataclass, field

from stackbuild.system.quantities import Amount

_BEGUN = re.compile(r"\s*Downloading (\S+)(?: \(download\))? \(([\d.]+) ?([KMGT]?)(i?)B\)")
_ENDED = re.compile(r"\s*Download(?:ed|ing) (\S+)(?: \(download\))?$")
"""uv 0.9.0 says the same at the end as at the beginning, but without the size."""
_NAMES_TOLD = 2


@dataclass(kw_only=True)
class Downloads:
    """The downloads of one command: bytes by name, of the current ones and of those that have ended.

    Sizes are as uv rounds them, to a tenth of a KiB, MiB or GiB.
    """

    under_way: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    def read(self, line: str) -> bool:
        """Read a line of uv's output; return whether it was about a download."""
        if begun := _BEGUN.match(line):
            name, number, prefix, binary = begun.groups()
            self.under_way[name] = int(float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix or " "))
        elif (ended := _ENDED.match(line)) and ended[1] in self.under_way:
            self.ended[ended[1]] = self.under_way.pop(ended[1])
        else:
            return False
        return True

    @property
    def received(self) -> int:
        """Bytes of all downloads that have ended."""
        return sum(self.ended.values())

    @property
    def total(self) -> int:
        """Bytes of all downloads that have begun."""
        return self.received + sum(self.under_way.values())

    def amount(self, *, seconds: float, received: int | None = None) -> Amount:
        """Their progress. seconds: since the first one began; received: bytes, if more is known than from uv."""
        names = list(self.under_way)
        more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
        return Amount(
            what="downloading" if names else "downloaded",
            done=self.received if received is None else min(received, self.total),
            total=self.total,
            seconds=seconds,
            things=f"{', '.join(names[:_NAMES_TOLD])}{more}",
        )
