"""Links the layers of a draft, as far as they can be linked, and collects every problem.

What is unknown because of a problem reported elsewhere is None, and checks that depend on it report nothing: one
mistake is one problem.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import NormalizedName

from stackbuild.spec.draft import StackDraft
from stackbuild.spec.index_merge import merge_indexes
from stackbuild.spec.layer_draft import LAYER_TYPES, DraftLayer
from stackbuild.spec.linearization import InconsistentOrder, linearize
from stackbuild.spec.models import ApplicationLayer, FrameworkLayer, RuntimeLayer
from stackbuild.spec.problems import Code, Problem, quote, unknown_word
from stackbuild.system.toml import KeyPath
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """What a layer depends on: its runtime (None for a runtime itself) and its frameworks in import order."""

    runtime: "Link | None" = None
    frameworks: tuple["Link", ...] = ()

    @property
    def layers(self) -> tuple["Link", ...]:
        """Nearest first."""
        return self.frameworks if self.runtime is None else (*self.frameworks, self.runtime)


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A draft layer with what is known about its place in the stack; what is unknown is None."""

    draft: DraftLayer
    foundation: Foundation | None
    platforms: tuple[TargetPlatform, ...] | None
    package_indexes: Mapping[NormalizedName, str] | None

    @property
    def name(self) -> str:
        return self.draft.name or ""


class Linker:
    """Links one draft; `problems` contains what is wrong with it."""

    def __init__(self, draft: StackDraft) -> None:
        self.problems: list[Problem] = []
        self._draft = draft
        self._links: dict[str, dict[str, Link]] = {category: {} for category in LAYER_TYPES}
        self._index_names = draft.uv.named_indexes

    def link(self) -> tuple[Link, ...]:
        """The links, in the order of the draft."""
        return tuple(self._link(draft) for draft in self._draft.layers)

    def _link(self, draft: DraftLayer) -> Link:
        self._check_name(draft)
        foundation = self._foundation(draft)
        if foundation is not None:
            self._check_libc(draft, foundation)
        link = Link(
            draft=draft,
            foundation=foundation,
            platforms=self._platforms(draft, foundation),
            package_indexes=self._package_indexes(draft, foundation),
        )
        if draft.name is not None:
            self._links[draft.category].setdefault(draft.name, link)
        return link

    def _report(
        self,
        draft: DraftLayer,
        sentence: str,
        *key_path: str | int,
        code: Code = Code.INCONSISTENT_LAYERS,
        hint: str | None = None,
    ) -> None:
        self.problems.append(draft.problem(sentence, *key_path, code=code, hint=hint))

    # Names

    def _check_name(self, draft: DraftLayer) -> None:
        if draft.name is None:
            return
        if first := self._links[draft.category].get(draft.name):
            taken = f"the name is taken by {draft.category}[{first.draft.position}]"
            self._report(draft, taken, "name", code=Code.NAME_CLASH)
        if draft.category != RuntimeLayer.category:
            return
        for upper in (FrameworkLayer, ApplicationLayer):
            if not draft.name.startswith(upper.build_prefix):
                continue
            message = f"a runtime may not start with {quote(upper.build_prefix)}"
            name = draft.name.removeprefix(upper.build_prefix)
            if position := self._positions(upper.category, name):
                message += f": {upper.kind} {quote(name)} ({upper.category}[{position[0]}]) has this build name"
            self._report(draft, message, "name", code=Code.NAME_CLASH)

    def _positions(self, category: str, name: str) -> tuple[int, ...]:
        return tuple(draft.position for draft in self._draft.layers if (draft.category, draft.name) == (category, name))

    # What a layer depends on

    def _foundation(self, draft: DraftLayer) -> Foundation | None:
        layer = draft.layer
        if isinstance(layer, RuntimeLayer):
            return Foundation()
        if draft.faulty & {"runtime", "frameworks"}:
            return None
        if layer.runtime is not None and layer.frameworks is not None:
            self._report(draft, 'give either "runtime" or "frameworks", not both', "frameworks")
        elif layer.runtime is not None:
            runtime = self._lower_layer(draft, layer.runtime, RuntimeLayer.category, "runtime")
            return Foundation(runtime=runtime) if runtime else None
        elif layer.frameworks:
            return self._framework_foundation(draft, layer.frameworks)
        elif layer.frameworks is not None:
            self._report(draft, "must name at least one framework", "frameworks")
        else:
            needed = 'needs either runtime = "<name>" or frameworks = ["<name>", …]'
            self._report(draft, needed, code=Code.MISSING_FIELD)
        return None

    def _lower_layer(self, draft: DraftLayer, name: str, category: str, *key_path: str | int) -> Link | None:
        if link := self._links[category].get(name):
            return link
        if why := self._unknown_layer(draft, name, category):
            sentence, hint, code = why
            self._report(draft, sentence, *key_path, code=code, hint=hint)
        return None

    def _unknown_layer(self, draft: DraftLayer, name: str, category: str) -> tuple[str, str | None, Code] | None:
        """Why `name` is not a layer of `category` that this layer may depend on; None when it may be one."""
        if draft.category == category:
            positions = self._positions(category, name)
            if draft.position in positions:
                return f"{quote(name)} depends on itself", None, Code.INCONSISTENT_LAYERS
            if positions:
                return f"{quote(name)} is defined later in the file", "move it up", Code.INCONSISTENT_LAYERS
        if category != RuntimeLayer.category and self._positions(RuntimeLayer.category, name):
            other = f"{quote(name)} is a runtime, not a framework"
            return other, f"write runtime = {quote(name)}", Code.INCONSISTENT_LAYERS
        if category != FrameworkLayer.category and self._positions(FrameworkLayer.category, name):
            other = f"{quote(name)} is a framework, not a runtime"
            return other, f"write frameworks = [{quote(name)}]", Code.INCONSISTENT_LAYERS
        if self._positions(ApplicationLayer.category, name):
            return f"{quote(name)} is an application, on which no layer can stand", None, Code.INCONSISTENT_LAYERS
        if category in self._draft.unnamed:
            return None
        return unknown_word(LAYER_TYPES[category].kind, name, self._links[category]), None, Code.UNKNOWN_NAME

    def _framework_foundation(self, draft: DraftLayer, names: tuple[str, ...]) -> Foundation | None:
        found: dict[str, Link | None] = {}
        for position, name in enumerate(names):
            if name in found:
                twice = f"names {quote(name)} twice"
                self._report(draft, twice, "frameworks", position, code=Code.NAME_CLASH)
            else:
                found[name] = self._lower_layer(draft, name, FrameworkLayer.category, "frameworks", position)
        pairs = [(link, link.foundation) for link in found.values() if link and link.foundation]
        if len(pairs) < len(names):
            return None
        runtimes = {foundation.runtime for _, foundation in pairs}
        if len(runtimes) > 1:
            stands = (f"{quote(link.name)} on {quote(on.runtime.name)}" for link, on in pairs if on.runtime)
            self._report(draft, f"the frameworks stand on different runtimes: {', '.join(stands)}", "frameworks")
            return None
        order = self._import_order(draft, [(link.name, [f.name for f in on.frameworks]) for link, on in pairs])
        if order is None:
            return None
        return Foundation(
            runtime=runtimes.pop(), frameworks=tuple(self._links[FrameworkLayer.category][name] for name in order)
        )

    def _import_order(self, draft: DraftLayer, parents: list[tuple[str, list[str]]]) -> tuple[str, ...] | None:
        try:
            return linearize(parents)
        except InconsistentOrder as error:
            demands = [_demand(remaining, parents) for remaining in error.remaining if len(remaining) > 1]
            self._report(draft, f"no import order fits: {', but '.join(demands)}", "frameworks")
            return None

    # What follows from it

    def _check_libc(self, draft: DraftLayer, foundation: Foundation) -> None:
        # All layers of a stack have one runtime: if they agree with it, they agree with each other.
        runtime = foundation.runtime
        if runtime is None or "linux_target" in draft.faulty | runtime.draft.faulty:
            return
        mine, theirs = draft.layer, runtime.draft.layer
        if mine.parsed_linux_target.variant == theirs.parsed_linux_target.variant:
            return
        if not mine.states("linux_target"):
            place = f"{runtime.draft.category}[{runtime.draft.position}] ({quote(runtime.name)})"
            variant, target = theirs.parsed_linux_target.variant, quote(theirs.linux_target)
            self._report(draft, f"stands on {place}, which is for {variant}", hint=f"write linux_target = {target}")
        else:
            message = f"{quote(mine.linux_target)} differs in libc from {quote(theirs.linux_target)} of"
            self._report(draft, f"{message} {runtime.draft.label}; a stack has one libc", "linux_target")

    def _platforms(self, draft: DraftLayer, foundation: Foundation | None) -> tuple[TargetPlatform, ...] | None:
        if "platforms" in draft.faulty:
            return None
        declared = draft.layer.platforms
        lower = [(link, link.platforms) for link in foundation.layers] if foundation else []
        known = [(link, platforms) for link, platforms in lower if platforms is not None]
        if foundation is None or len(known) < len(lower):
            return None if declared is None else tuple(sorted(set(declared)))
        common = set(TargetPlatform).intersection(*(platforms for _, platforms in known))
        if declared is None:
            return tuple(sorted(common))
        too_wide = sorted(set(declared) - common)
        if not too_wide:
            return tuple(sorted(set(declared)))
        for platform in too_wide:
            lacking = ", ".join(str(link.draft.label) for link, platforms in known if platform not in platforms)
            self._report(draft, f"{quote(platform)} is not a platform of {lacking}", "platforms")
        return None

    def _package_indexes(self, draft: DraftLayer, foundation: Foundation | None) -> Mapping[NormalizedName, str] | None:
        layer = draft.layer
        named: list[tuple[KeyPath, str]] = [
            *((("package_indexes", package), index) for package, index in layer.package_indexes.items()),
            *((("priority_indexes", position), index) for position, index in enumerate(layer.priority_indexes)),
        ]
        unknown = [(key_path, index) for key_path, index in named if index not in self._index_names]
        if self._draft.index_names_known:
            for key_path, index in unknown:
                unknown_index = unknown_word("index", index, self._index_names)
                self._report(draft, unknown_index, *key_path, code=Code.UNKNOWN_NAME)
        if unknown or foundation is None or draft.faulty & {"package_indexes", "index_overrides"}:
            return None
        # Frameworks pass on what their runtime says, unless they override it.
        lower = foundation.frameworks or foundation.layers
        tables = [(str(link.draft.label), link.package_indexes) for link in lower]
        known = [(label, table) for label, table in tables if table is not None]
        if len(known) < len(tables):
            return None
        merge = merge_indexes(layer.package_indexes, known, layer.index_overrides)
        if merge.problem is not None:
            self._report(draft, merge.problem, "index_overrides")
            return None
        return merge.indexes


def _demand(remaining: tuple[str, ...], parents: list[tuple[str, list[str]]]) -> str:
    """`framework "D" has "B" before "C"` for a remaining sequence, with the parent that has this order."""
    owner = next((name for name, order in parents if (name, *order)[-len(remaining) :] == remaining), None)
    who = "this layer" if owner is None else f"framework {quote(owner)}"
    return f"{who} has {' before '.join(map(quote, remaining))}"
