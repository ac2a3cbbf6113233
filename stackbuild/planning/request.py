"""What a command asks for, as values: operations on layers.

The command line imports this module at its start, whatever the command, so nothing that is slow to import belongs here.
"""

from dataclasses import dataclass
from enum import Enum


class Wish(Enum):
    """Whether an operation is carried out on a layer."""

    NO = "no"
    IF_NEEDED = "if-needed"
    YES = "yes"


@dataclass(frozen=True, kw_only=True)
class Related:
    """Whether operations on the included layers extend to their dependencies and to the layers derived from them."""

    lock_dependencies: bool = False
    build_dependencies: bool = False
    publish_dependencies: bool = False
    build_derived: bool = False
    publish_derived: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a command asks for."""

    lock: Wish = Wish.NO
    """Whether included layers are locked."""
    build: Wish = Wish.NO
    """Whether included layers are built."""
    publish: bool = False
    """Whether included layers are archived or exported."""
    may_lock: bool = False
    """Whether dependencies of included layers are locked if needed."""
    may_build: bool = False
    """Whether environments that other layers need are built if needed."""
    include: tuple[str, ...] = ()
    """`fnmatch` patterns of build names; without any, all layers are included."""
    reset_lock: tuple[str, ...] = ()
    """`fnmatch` patterns of build names: these layers are locked as if they had no lock."""
    upgrade: tuple[str, ...] = ()
    """Requirements for packages that may change their version in the layers that are locked."""
    related: Related = Related()
