"""What a run changed in a layer: packages, the Python, the published version, sizes. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackbuild.quantities import format_size

_TOLD = 3
"""How many changes of packages are told in a line."""


@dataclass(frozen=True, kw_only=True)
class LayerState:
    """A layer at one moment. `None` where there is nothing: not locked, not built, not packed.

    packages: versions by name, of its own packages only (environments that differ may lock several of one name);
    python: of a runtime; target: its folder when deployed, `name@3` with a version; sizes: in bytes.
    """

    packages: Mapping[str, tuple[str, ...]] | None = None
    python: str | None = None
    target: str | None = None
    environment: int | None = None
    archive: int | None = None


@dataclass(frozen=True, kw_only=True)
class LayerChange:
    """What is otherwise than before: packages and names as `<old> -> <new>`, sizes as (before, now) in bytes."""

    packages: tuple[str, ...] = ()
    python: str | None = None
    target: str | None = None
    environment: tuple[int, int] | None = None
    archive: tuple[int, int] | None = None

    @property
    def line(self) -> str:
        """The change in a few words: `scipy 1.14.0 -> 1.15.1, archive +2.1 MB`."""
        more = len(self.packages) - _TOLD
        told = [*filter(None, (self.target, self.python)), *self.packages[:_TOLD]]
        told += [f"{more} more packages" if more > 1 else self.packages[_TOLD]] if more > 0 else []
        sizes = {"environment": self.environment, "archive": self.archive}
        told += [f"{name} {format_difference(*size)}" for name, size in sizes.items() if size is not None]
        return ", ".join(told)


def layer_change(before: LayerState, now: LayerState) -> LayerChange | None:
    """What changed between two states; `None` when nothing did. What was not there before is new, not changed."""
    change = LayerChange(
        packages=_package_changes(before.packages, now.packages),
        python=_changed(before.python, now.python),
        target=_changed(before.target, now.target),
        environment=_changed_size(before.environment, now.environment),
        archive=_changed_size(before.archive, now.archive),
    )
    return None if change == LayerChange() else change


def format_difference(before: int, now: int) -> str:
    """How much larger something has become: `+2.1 MB`, `-500 B`."""
    return f"{'-' if now < before else '+'}{format_size(abs(now - before))}"


def versions_by_name(packages: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """(name, version) pairs as `LayerState` has them; the version is empty for packages that have none."""
    versions: dict[str, set[str]] = {}
    for name, version in packages:
        versions.setdefault(name, set()).add(version)
    return {name: tuple(sorted(found)) for name, found in sorted(versions.items())}


def _package_changes(
    before: Mapping[str, tuple[str, ...]] | None, now: Mapping[str, tuple[str, ...]] | None
) -> tuple[str, ...]:
    if before is None or now is None:
        return ()
    updated = [f"{name} {_told(before[name])} -> {_told(now[name])}" for name in before if _differs(name, before, now)]
    added = [f"+ {name} {_told(now[name])}".rstrip() for name in now if name not in before]
    removed = [f"- {name} {_told(before[name])}".rstrip() for name in before if name not in now]
    return (*sorted(updated), *sorted(added), *sorted(removed))


def _differs(name: str, before: Mapping[str, tuple[str, ...]], now: Mapping[str, tuple[str, ...]]) -> bool:
    return name in now and before[name] != now[name]


def _told(versions: tuple[str, ...]) -> str:
    return " or ".join(versions)


def _changed(before: str | None, now: str | None) -> str | None:
    return f"{before} -> {now}" if before is not None and now is not None and before != now else None


def _changed_size(before: int | None, now: int | None) -> tuple[int, int] | None:
    return (before, now) if before is not None and now is not None and before != now else None
