"""What a user asks for, as values: operations on layers, places and settings, and how much is shown.

The command line is made of these before it knows what it is asked, so nothing that is slow to import belongs here.
"""

from dataclasses import dataclass
from enum import Enum


class Wish(Enum):
    """What is to become of one operation on one layer."""

    NO = "no"
    IF_NEEDED = "if-needed"
    YES = "yes"


@dataclass(frozen=True, kw_only=True)
class Related:
    """Whether an operation on the included layers extends to their relatives."""

    lock_dependencies: bool = False
    build_dependencies: bool = False
    publish_dependencies: bool = False
    build_derived: bool = False
    publish_derived: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a command asks for. `include` and `reset_lock` are fnmatch patterns of build names (no include: all layers).

    lock, build, publish: the wishes for included layers; may_lock: whether dependencies of included layers are locked
    where that is needed; may_build: whether whatever the others need is built where it is not.
    """

    lock: Wish = Wish.NO
    build: Wish = Wish.NO
    publish: bool = False
    may_lock: bool = False
    may_build: bool = False
    include: tuple[str, ...] = ()
    reset_lock: tuple[str, ...] = ()
    related: Related = Related()
