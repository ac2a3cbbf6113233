"""What the layers that a layer imports from hide from each other, where a package misses it.

Two layers may have two versions of a package, or one package folder with different modules. Python takes the first in
import order. This reads the records and environments of built layers, and packages only where two layers clash.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from typing import Self

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from stackbuild.environments.hidden_modules import HiddenModules, hidden_modules
from stackbuild.environments.record_file import owners
from stackbuild.project.layer import ProjectLayer, installed_on
from stackbuild.spec.models import BuildName
from stackbuild.steps.library_links import required_build_record
from stackbuild.system.quantities import first_few


@dataclass(frozen=True, kw_only=True)
class _Package:
    """An installed package of a layer. `folder` is its `.dist-info`."""

    name: str
    version: str
    folder: str
    layer: ProjectLayer

    def __str__(self) -> str:
        return f"{self.version} of {self.layer.build_name}"


@dataclass(frozen=True)
class _View:
    """The layers that a layer imports from, in import order, each with its packages by name."""

    packages: tuple[tuple[ProjectLayer, Mapping[str, _Package]], ...]

    @classmethod
    def of(cls, layer: ProjectLayer) -> Self:
        return cls(tuple((it, _packages(it)) for it in (layer, *layer.lower)))

    def find(self, name: str) -> _Package | None:
        """The package of this name that Python finds."""
        return next((installed[name] for _, installed in self.packages if name in installed), None)

    @property
    def several(self) -> frozenset[str]:
        """The names of packages of which there are several versions."""
        there = [package for _, installed in self.packages for package in installed.values()]
        return frozenset(it.name for it in there if (found := self.find(it.name)) and found.version != it.version)

    @property
    def found(self) -> Iterator[_Package]:
        """The packages that are not hidden themselves."""
        there = (package for _, installed in self.packages for package in installed.values())
        return (package for package in there if self.find(package.name) is package)


def _packages(layer: ProjectLayer) -> dict[str, _Package]:
    """The packages that a layer itself has, by name."""
    packages: dict[str, _Package] = {}
    for folder in required_build_record(layer).distributions:
        name, _, version = folder.removesuffix(".dist-info").rpartition("-")
        packages[canonicalize_name(name)] = _Package(
            name=canonicalize_name(name), version=version, folder=folder, layer=layer
        )
    return packages


@dataclass(frozen=True, kw_only=True)
class _Clash:
    """A requirement that is met in the layer of the package that has it, but not by the version that is found.

    found, hidden: that version, and the one that the layer was locked with, each with its layer.
    """

    package: str
    found: str
    hidden: str
    needed: str
    """Which package needs what."""


def hidden_package_notices(layer: ProjectLayer) -> tuple[str, ...]:
    """Warnings about what is hidden in a layer and those below, although a package needs it.

    What is hidden already from one of the layers below is told there. Raises `BuildError` when one is not built.
    """
    if not layer.lower:
        return ()
    return (*_version_notices(layer), *_module_notices(layer))


# versions


def _version_notices(layer: ProjectLayer) -> Iterator[str]:
    needed: dict[tuple[str, str, str], list[str]] = {}
    for clash in _clashes(layer):
        needed.setdefault((clash.package, clash.found, clash.hidden), []).append(clash.needed)
    for (package, found, hidden), needs in needed.items():
        yield (
            f"{layer.build_name}: {package} {found} is found before {hidden}, but {first_few(needs)}; let both layers "
            f"have a version that suits all, or a layer below both have {package}, or change the order of frameworks"
        )


def _clashes(layer: ProjectLayer) -> list[_Clash]:
    """The clashes in what a layer imports from, without those that one of the layers below has already."""
    clashes = list(_all_clashes(layer))
    told = {clash for lower in layer.lower[:-1] for clash in _all_clashes(lower)} if clashes else set()
    return [clash for clash in clashes if clash not in told]


def _all_clashes(layer: ProjectLayer) -> Iterator[_Clash]:
    view = _View.of(layer)
    several = view.several
    for package in view.found if several else ():
        own_view = _View.of(package.layer)
        for requirement in _requirements(package):
            name = canonicalize_name(requirement.name)
            found, locked = (it.find(name) if name in several else None for it in (view, own_view))
            if found and locked and _suits(requirement, locked) and not _suits(requirement, found):
                yield _Clash(
                    package=name,
                    found=str(found),
                    hidden=str(locked),
                    needed=f"{package.name} {package} needs {requirement.name}{requirement.specifier}",
                )


def _suits(requirement: Requirement, package: _Package) -> bool:
    return requirement.specifier.contains(package.version, prereleases=True)


def _requirements(package: _Package) -> Iterator[Requirement]:
    """What a package requires on its layer's platform, without its extras."""
    layer = package.layer
    environment = {**installed_on(layer, layer.pin).environment, "extra": ""}
    for text in PathDistribution(layer.environment / layer.layout.site_packages / package.folder).requires or ():
        with contextlib.suppress(InvalidRequirement):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                yield requirement


# modules


def _module_notices(layer: ProjectLayer) -> Iterator[str]:
    found = _hidden(layer)
    told = {it for lower in layer.lower[:-1] for it in _hidden(lower)} if found else set()
    for package, winner, hidden in sorted(found.keys() - told):
        missed = found[package, winner, hidden]
        yield (
            f"{layer.build_name}: the {package} of {winner} hides modules of {first_few(list(missed))} in {hidden}, "
            f"such as {next(iter(missed.values()))}: Python takes a package from one layer only; require both packages "
            "in the same layer"
        )


def _hidden(layer: ProjectLayer) -> dict[tuple[str, BuildName, BuildName], Mapping[str, str]]:
    """The modules that packages miss, one for each package; by import name, layer that has it, and layer that misses.

    A package that is hidden as a whole, by another version, misses none: whether that matters, requirements tell.
    """
    view = _View.of(layer)
    layers = [it for it, _ in view.packages]
    found: dict[tuple[str, BuildName, BuildName], Mapping[str, str]] = {}
    for item in hidden_modules([it.environment / it.layout.site_packages for it in layers]):
        hidden = layers[item.layer]
        if missed := _missed(item, hidden, view):
            found[item.package, layers[item.winner].build_name, hidden.build_name] = missed
    return found


def _missed(item: HiddenModules, layer: ProjectLayer, view: _View) -> dict[str, str]:
    owned = owners(layer.environment, layer.layout.site_packages)
    missed: dict[str, str] = {}
    for file in item.files:
        owner = owned.get(str(layer.layout.site_packages / file))
        if owner is None:
            missed.setdefault("its application", file)
            continue
        package = view.find(canonicalize_name(owner.rpartition(" ")[0]))
        if package and package.layer is layer:
            missed.setdefault(owner, file)
    return missed
