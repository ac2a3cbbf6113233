"""One verb each: read inputs, call pure code, do the effects, write the record last. Steps never import steps."""

from collections.abc import Callable
from dataclasses import dataclass

from stackbuild.system.quantities import Amount

Report = Callable[[str | Amount], None]
"""Tells whoever watches what a step is at, in a few words, or how far it is."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a finished step did, for the line and the table that a person reads.

    size: bytes, where it made some; notices: warnings, a line each.
    """

    done: str
    size: int | None = None
    notices: tuple[str, ...] = ()
