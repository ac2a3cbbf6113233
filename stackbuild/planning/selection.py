"""Which operations a command carries out on each layer, by the selection rules of venvstacks. Pure.

A command says what happens to the layers that it includes. Rules decide about the layers that depend on them (derived
layers) and those that they depend on (dependencies): locking a layer also locks all layers derived from it, and a
dependency may be locked and built when an included layer needs that.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from stackbuild.errors import StackbuildError
from stackbuild.planning.request import Related, Request, Wish
from stackbuild.spec.models import BuildName
from stackbuild.spec.stack import LinkedLayer
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True)
class Operations:
    """What is done with one layer."""

    lock: Wish = Wish.NO
    build: Wish = Wish.NO
    publish: bool = False
    """Whether it is archived or exported."""
    reset_lock: bool = False
    """Whether it is locked as if it had no lock."""

    @property
    def names(self) -> tuple[str, ...]:
        """`("reset-lock", "lock", "build-if-needed", "publish")` and the like, in this order."""
        named = [("lock", self.lock), ("build", self.build)]
        return (
            *(["reset-lock"] if self.reset_lock else []),
            *(name if wish is Wish.YES else f"{name}-if-needed" for name, wish in named if wish is not Wish.NO),
            *(["publish"] if self.publish else []),
        )


Selection = Mapping[BuildName, Operations]
"""The operations of each selected layer; a layer that is not selected is absent."""


def match_layers(
    layers: Iterable[LinkedLayer], patterns: Sequence[str]
) -> tuple[frozenset[BuildName], tuple[str, ...]]:
    """The build names that match a pattern, and the patterns that match no layer."""
    names = [linked.build_name for linked in layers]
    matched = frozenset(name for name in names if any(fnmatch(name, pattern) for pattern in patterns))
    unmatched = tuple(pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in names))
    return matched, unmatched


def unmatched_patterns(layers: Iterable[LinkedLayer], request: Request) -> tuple[str, ...]:
    """The patterns of a request that match no layer."""
    return match_layers(layers, (*request.include, *request.reset_lock))[1]


def select_layers(
    layers: Sequence[LinkedLayer], request: Request, *, platforms: Collection[TargetPlatform]
) -> Selection:
    """The operations on each layer. Only layers that target one of `platforms` are built, archived or exported.

    Raises `StackbuildError` when a layer is both derived from an included layer and a dependency of another one, and
    the request treats these two differently.
    """
    included = match_layers(layers, request.include or ("*",))[0]
    reset = match_layers(layers, request.reset_lock)[0]
    related = _effective(request)
    derived, dependencies = _relatives(layers, included, follow=_has_derived(request, related))
    _check_conflicts(derived & dependencies, request, related)
    selection: dict[BuildName, Operations] = {}
    for linked in layers:
        name = linked.build_name
        if name in included:
            chosen = _included(request)
        elif name in dependencies:
            chosen = _dependency(request, related)
        elif name in derived:
            chosen = _derived(request, related)
        else:
            continue
        here = not set(platforms).isdisjoint(linked.platforms)
        selection[name] = Operations(
            lock=chosen.lock,
            build=chosen.build if here else Wish.NO,
            publish=chosen.publish and here,
            reset_lock=name in reset and (chosen.lock is Wish.YES or (name in included and chosen.lock is not Wish.NO)),
        )
    return selection


def _effective(request: Request) -> Related:
    """The relatives that operations extend to: a later operation extends no further than an earlier one."""
    asked = request.related
    locks, builds = request.lock is Wish.YES, request.build is Wish.YES
    build_dependencies = builds and asked.build_dependencies and (not locks or asked.lock_dependencies)
    publish_dependencies = asked.publish_dependencies and (not locks or asked.lock_dependencies)
    if builds:
        publish_dependencies = publish_dependencies and build_dependencies
    return Related(
        lock_dependencies=locks and asked.lock_dependencies,
        build_dependencies=build_dependencies,
        publish_dependencies=request.publish and publish_dependencies,
        build_derived=builds and asked.build_derived,
        publish_derived=request.publish and asked.publish_derived and (not builds or asked.build_derived),
    )


def _has_derived(request: Request, related: Related) -> bool:
    return request.lock is Wish.YES or related.build_derived or related.publish_derived


def _relatives(
    layers: Iterable[LinkedLayer], included: frozenset[BuildName], *, follow: bool
) -> tuple[frozenset[BuildName], frozenset[BuildName]]:
    """The layers that depend on included ones (with `follow`), and those that included ones depend on."""
    derived: set[BuildName] = set()
    dependencies: set[BuildName] = set()
    for linked in layers:
        below = {lower.build_name for lower in linked.dependencies}
        if linked.build_name in included:
            dependencies |= below - included
        elif follow and below & included:
            derived.add(linked.build_name)
    return frozenset(derived), frozenset(dependencies)


def _check_conflicts(both: frozenset[BuildName], request: Request, related: Related) -> None:
    if not both:
        return
    differing = {
        "lock": (request.lock is Wish.YES) != related.lock_dependencies,
        "build": related.build_derived != related.build_dependencies,
        "publish": related.publish_derived != related.publish_dependencies,
    }
    operation = next((name for name, differs in differing.items() if differs), None)
    if operation is None:
        return
    below = f"--{operation}-dependencies"
    above = "locking a layer locks again what stands on it" if operation == "lock" else f"--{operation}-derived"
    raise StackbuildError(
        f"conflicting instructions whether to {operation} {', '.join(sorted(both))}: each stands on one included layer "
        f"and is a dependency of another",
        hint=f"include {'it' if len(both) == 1 else 'them'} as well, or make {below} agree ({above})",
    )


def _included(request: Request) -> Operations:
    return Operations(lock=request.lock, build=request.build, publish=request.publish)


def _derived(request: Request, related: Related) -> Operations:
    return Operations(
        lock=Wish.YES if request.lock is Wish.YES else Wish.NO,
        build=Wish.YES if related.build_derived else Wish.NO,
        publish=related.publish_derived,
    )


def _dependency(request: Request, related: Related) -> Operations:
    def wish(asked: bool, allowed: bool) -> Wish:
        if asked:
            return Wish.YES
        return Wish.IF_NEEDED if allowed else Wish.NO

    return Operations(
        lock=wish(related.lock_dependencies, request.may_lock),
        build=wish(related.build_dependencies, request.may_build),
        publish=related.publish_dependencies,
    )
