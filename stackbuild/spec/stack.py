"""From names to linked layers: their dependencies, import order, platforms and indexes."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.utils import NormalizedName

from stackbuild.spec.draft import read_draft
from stackbuild.spec.faults import FaultySpec
from stackbuild.spec.launch_modules import import_problem, launch_problem
from stackbuild.spec.linking import Link, Linker
from stackbuild.spec.models import ApplicationLayer, BuildName, FrameworkLayer, Layer, RuntimeLayer, StackSpec
from stackbuild.spec.places import Places
from stackbuild.spec.problems import Code, Problem, quote
from stackbuild.spec.uv_settings import UV_SETTINGS_FILE
from stackbuild.system.toml import KeyPath
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True)
class LinkedLayer:
    """A layer with everything that it depends on.

    runtime: the layer itself for a runtime; frameworks: in import order, nearest first, without the layer itself;
    platforms: resolved and sorted, empty when the layer is disabled; package_indexes: package → index name, merged
    with the layers below (but not with `[tool.uv.sources]`).
    """

    layer: Layer
    runtime: RuntimeLayer
    frameworks: tuple[FrameworkLayer, ...]
    platforms: tuple[TargetPlatform, ...]
    package_indexes: Mapping[NormalizedName, str]

    @property
    def name(self) -> str:
        """The declared name."""
        return self.layer.name

    @property
    def build_name(self) -> BuildName:
        return self.layer.build_name

    @property
    def kind(self) -> str:
        """`runtime`, `framework` or `application`."""
        return self.layer.kind

    @property
    def category(self) -> str:
        """`runtimes`, `frameworks` or `applications`."""
        return self.layer.category

    @property
    def dependencies(self) -> tuple[FrameworkLayer | RuntimeLayer, ...]:
        """The layers below: frameworks in import order, then the runtime; empty for a runtime."""
        return () if isinstance(self.layer, RuntimeLayer) else (*self.frameworks, self.runtime)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A specification with its layers linked: runtimes, then frameworks, then applications, each in file order.

    Every layer comes after those it depends on. Disabled layers are included, without platforms.
    """

    spec: StackSpec
    layers: tuple[LinkedLayer, ...]
    places: Places
    """Where in the files a notice of `spec` is."""

    @cached_property
    def by_build_name(self) -> Mapping[BuildName, LinkedLayer]:
        return {layer.build_name: layer for layer in self.layers}


def read_stack(path: Path) -> Stack:
    """Read, check and link the specification at `path`. Raises one `FaultySpec` with every problem of the file.

    Raises `SpecError` for a file that cannot be read.
    """
    draft = read_draft(path)
    linker = Linker(draft)
    links = linker.link()
    problems = [*draft.problems, *linker.problems, *_missing_modules(links)]
    if problems:
        raise FaultySpec(path, sorted(map(draft.places.of, problems), key=_file_order))
    spec = draft.to_spec()
    notices = (*spec.notices, *_useless_modules(links))
    return Stack(
        spec=spec.model_copy(update={"notices": notices}),
        layers=tuple(_linked_layer(link) for link in links),
        places=draft.places,
    )


def _file_order(problem: Problem) -> tuple[bool, int, int]:
    """Problems without a place first, then those of the specification, line by line, then those of other files."""
    place = problem.place
    return (False, 0, 0) if place is None else (problem.subject == UV_SETTINGS_FILE, place.line, place.column)


def _modules(links: tuple[Link, ...]) -> Iterator[tuple[Link, KeyPath, Path]]:
    """The modules of the layers that target some platform, each with its layer and its key path there."""
    for link in links:
        layer = link.draft.layer
        if isinstance(layer, ApplicationLayer) and link.platforms != ():
            yield link, ("launch_module",), layer.launch_module
            supporting = zip(link.draft.module_order, layer.support_modules, strict=False)  # none if they are faulty
            yield from ((link, ("support_modules", position), module) for position, module in supporting)


def _missing_modules(links: tuple[Link, ...]) -> Iterator[Problem]:
    for link, key_path, module in _modules(links):
        # os.path.exists says False, and does not raise, for a path that the system cannot take
        if key_path[0] not in link.draft.faulty and not os.path.exists(module):
            yield link.draft.problem(f"there is no {quote(module)}", *key_path, code=Code.MISSING_MODULE)


def _useless_modules(links: tuple[Link, ...]) -> Iterator[Problem]:
    """What is to be warned of: a package without `__main__` may be started in another way."""
    for link, key_path, module in _modules(links):
        message = launch_problem(module) if key_path[0] == "launch_module" else import_problem(module)
        if message is not None:
            yield link.draft.problem(message, *key_path, code=Code.UNUSABLE_MODULE)


def _linked_layer(link: Link) -> LinkedLayer:
    """The linked layer of a draft without problems, in which nothing is unknown."""
    layer, foundation = link.draft.layer, link.foundation
    assert foundation is not None
    assert link.platforms is not None
    assert link.package_indexes is not None
    runtime = layer if foundation.runtime is None else foundation.runtime.draft.layer
    assert isinstance(runtime, RuntimeLayer)
    below = (framework.draft.layer for framework in foundation.frameworks)
    return LinkedLayer(
        layer=layer,
        runtime=runtime,
        frameworks=tuple(framework for framework in below if isinstance(framework, FrameworkLayer)),
        platforms=link.platforms,
        package_indexes=link.package_indexes,
    )
