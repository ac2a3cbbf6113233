"""What a step reports while it is at work, and when it has finished."""

from collections.abc import Callable
from dataclasses import dataclass

from stackbuild.system.quantities import Amount

Report = Callable[[str | Amount], None]
"""Reports what a step is doing, in a few words, or how far it has got."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a finished step did, for the line and the table that people read."""

    done: str
    """In a few words."""
    size: int | None = None
    """The size of its result in bytes, if it has one."""
    notices: tuple[str, ...] = ()
    """Warnings of one line each."""
