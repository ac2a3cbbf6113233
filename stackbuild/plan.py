"""Steps by name, and what one run is to do with them. Pure: tasks, sessions and the command line speak in these."""

from collections.abc import Iterable
from dataclasses import dataclass

from stackbuild.graph import LinkedLayer
from stackbuild.request import Kind, Wish
from stackbuild.selection import Selection
from stackbuild.spec import BuildName


@dataclass(frozen=True, kw_only=True, repr=False)
class Step:
    """One task: a step on a layer, or the manifest of an output folder (then `linked` is None)."""

    kind: Kind
    name: str
    linked: LinkedLayer | None = None

    @property
    def task_name(self) -> str:
        """`build:app-hello`."""
        return f"{self.kind}:{self.name}"

    def __repr__(self) -> str:
        return f"<step {self.task_name}>"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one run is to do beyond bringing tasks up to date.

    tasks: the names of the tasks that are asked for, None for the engine's default; forced: tasks that run once even
    if their results are good; frozen: tasks that must not run, so that it is an error when their results are not good;
    reset: layers that are locked as if they had no lock; published: the layers of the manifest, None for all.
    """

    tasks: tuple[str, ...] | None = None
    forced: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()
    reset: frozenset[BuildName] = frozenset()
    published: frozenset[BuildName] | None = None


def make_plan(
    selection: Selection,
    layers: Iterable[LinkedLayer],
    *,
    output: Kind | None,
    may_build: bool,
    clean: bool = False,
    force: bool = False,
) -> Plan:
    """The plan that carries out a selection among `layers`.

    output: `Kind.ARCHIVE` or `Kind.EXPORT` when the selected layers are published. may_build: environments that the
    others need are built where they are not good. clean: environments are built anew, and packed again; force: outputs
    are made again. A lock is made only where the selection says so.
    """
    names = [linked.build_name for linked in layers]
    locked = [name for name, chosen in selection.items() if chosen.lock is not Wish.NO]
    built = [name for name, chosen in selection.items() if chosen.build is not Wish.NO]
    published = [name for name, chosen in selection.items() if chosen.publish] if output else []
    tasks = [f"{Kind.LOCK}:{name}" for name in locked] + [f"{Kind.BUILD}:{name}" for name in built]
    forced = {
        f"{Kind.LOCK}:{name}"
        for name, chosen in selection.items()
        if chosen.lock is Wish.YES or (chosen.reset_lock and chosen.lock is not Wish.NO)
    }
    frozen = {f"{Kind.LOCK}:{name}" for name in names if name not in locked}
    if not may_build:
        frozen |= {f"{Kind.BUILD}:{name}" for name in names if name not in built}
    if clean:
        forced |= {f"{Kind.BUILD}:{name}" for name, chosen in selection.items() if chosen.build is Wish.YES}
    if published:
        tasks += [f"{output}:{name}" for name in published] + [f"{Kind.MANIFEST}:{output}"]
        if clean or force:
            forced |= {f"{output}:{name}" for name in published}
    return Plan(
        tasks=tuple(tasks),
        forced=frozenset(forced),
        frozen=frozenset(frozen),
        reset=frozenset(name for name, chosen in selection.items() if chosen.reset_lock),
        published=frozenset(published) if output else None,
    )
