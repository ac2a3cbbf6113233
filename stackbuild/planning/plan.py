"""What one run is to do, in terms of task names. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackbuild.errors import BuildError, LockError, StackbuildError
from stackbuild.planning.request import Wish
from stackbuild.planning.selection import Selection
from stackbuild.planning.step import Step
from stackbuild.project.task_names import StepKind, task_name
from stackbuild.spec.models import BuildName
from stackbuild.spec.stack import LinkedLayer
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one run is to do beyond bringing tasks up to date."""

    tasks: tuple[str, ...] | None = None
    """The tasks to run; `None` for the engine's default tasks."""
    forced: frozenset[str] = frozenset()
    """Tasks that run once even if their results are valid."""
    frozen: frozenset[str] = frozenset()
    """Tasks that must not run. It is an error if one of their results is needed and not valid."""
    reset: frozenset[BuildName] = frozenset()
    """Layers that are locked as if they had no lock."""
    upgrade: tuple[str, ...] = ()
    """Requirements for packages that may change their version."""
    published: frozenset[BuildName] | None = None
    """The layers that manifests list; `None` for all."""


def make_plan(
    selections: Mapping[TargetPlatform | None, Selection],
    layers: Iterable[LinkedLayer],
    *,
    output: StepKind | None,
    may_build: bool,
    clean: bool = False,
    force: bool = False,
    upgrade: tuple[str, ...] = (),
) -> Plan:
    """The plan that carries out selections among `layers`, one for each platform (`None`: this machine's).

    `output` is `StepKind.ARCHIVE` or `StepKind.EXPORT` if selected layers are archived or exported. With `may_build`,
    environments that are needed but not selected are built if they are not valid. `clean` builds selected environments
    again, and with them their outputs; `force` makes only outputs again. Locks are made only where the selections say
    so, and all selections say the same about locks. `upgrade`: requirements for packages that may change their version.
    """
    names = [linked.build_name for linked in layers]
    plans = [_lock_plan(selection, names) for selection in selections.values()][:1]
    plans += [
        _platform_plan(
            selection, names, platform=platform, output=output, may_build=may_build, clean=clean, force=clean or force
        )
        for platform, selection in selections.items()
    ]
    published = {name for selection in selections.values() for name, chosen in selection.items() if chosen.publish}
    return Plan(
        tasks=tuple(task for plan in plans for task in plan.tasks or ()),
        forced=frozenset().union(*(plan.forced for plan in plans)),
        frozen=frozenset().union(*(plan.frozen for plan in plans)),
        reset=frozenset().union(*(plan.reset for plan in plans)),
        upgrade=upgrade,
        published=frozenset(published) if output else None,
    )


def _lock_plan(selection: Selection, names: Iterable[BuildName]) -> Plan:
    locked = [name for name, chosen in selection.items() if chosen.lock is not Wish.NO]
    forced = [name for name in locked if selection[name].lock is Wish.YES or selection[name].reset_lock]
    return Plan(
        tasks=tuple(task_name(StepKind.LOCK, name) for name in locked),
        forced=frozenset(task_name(StepKind.LOCK, name) for name in forced),
        frozen=frozenset(task_name(StepKind.LOCK, name) for name in names if name not in locked),
        reset=frozenset(name for name, chosen in selection.items() if chosen.reset_lock),
    )


def _platform_plan(
    selection: Selection,
    names: Iterable[BuildName],
    *,
    platform: TargetPlatform | None,
    output: StepKind | None,
    may_build: bool,
    clean: bool,
    force: bool,
) -> Plan:
    built = [name for name, chosen in selection.items() if chosen.build is not Wish.NO]
    tasks = [task_name(StepKind.BUILD, name, platform) for name in built]
    forced: set[str] = set()
    if clean:
        forced |= {task_name(StepKind.BUILD, name, platform) for name in built if selection[name].build is Wish.YES}
    published = [name for name, chosen in selection.items() if chosen.publish] if output else []
    if output:
        outputs = [task_name(output, name, platform) for name in published]
        tasks += [*outputs, task_name(StepKind.MANIFEST, output, platform)]
        forced |= set(outputs if force else ())
    frozen = [] if may_build else [task_name(StepKind.BUILD, name, platform) for name in names if name not in built]
    return Plan(tasks=tuple(tasks), forced=frozenset(forced), frozen=frozenset(frozen))


def not_good(steps: Iterable[tuple[Step, str]]) -> StackbuildError:
    """The error for steps that must not run although their results are not valid, each with the reason."""
    found = list(steps)
    lines = [f"  {step.name}: {why}" for step, why in found]
    if any(step.kind is StepKind.LOCK for step, _ in found):
        hint = "lock first: stackbuild lock --if-needed, or stackbuild build --lock-if-needed; commit what it changes"
        return LockError("\n".join(["these layers have no valid lock:", *lines]), hint=hint)
    platforms = dict.fromkeys(step.platform for step, _ in found if step.platform is not None)
    hint = "build first: stackbuild build" + "".join(f" --platform {platform}" for platform in platforms)
    return BuildError("\n".join(["these layers are not built, or were built from other inputs:", *lines]), hint=hint)
