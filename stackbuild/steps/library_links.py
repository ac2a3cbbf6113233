"""Which shared libraries a deployed layer finds, and where: its own first, and those of the layers below that it needs.

The libraries that a layer offers are linked in its folder of libraries when it is built. Once the layers below are
built, too, further links are added to the deployed layer:

- of libraries of the layers below that its files need by a name that those do not offer, such as `libx.so.1`;
- of its own libraries that have the name of one that the layers below offer.

Reads the records of built layers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from stackbuild.errors import BuildError
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.records import BuildRecord
from stackbuild.project.task_names import StepKind, task_name
from stackbuild.spec.models import BuildName
from stackbuild.system.files import sha256_file
from stackbuild.system.quantities import first_few


@dataclass(frozen=True, kw_only=True)
class LibraryLinks:
    """How a deployed layer finds libraries. On Windows they are found in other ways, and all of this is empty."""

    below: frozenset[str] = frozenset()
    """The names that it finds in the folders of the layers below."""
    added: tuple[tuple[str, str, str], ...] = ()
    """Further links of its folder of libraries: the name, the install target of a layer, the path in that layer."""
    own_first: bool = False
    """Whether its own folder of libraries is searched, before those of the layers below."""

    @property
    def wrapped(self) -> bool:
        """Whether its Python has to be told of folders."""
        return bool(self.below or self.added)


def required_build_record(layer: ProjectLayer) -> BuildRecord:
    """The record of a layer's build environment. Raises `BuildError` when it is not built."""
    record = layer.build_record
    if record is None:
        raise not_built(layer, "it is not built")
    return record


def not_built(layer: ProjectLayer, why: str) -> BuildError:
    """The error for an environment that is not up to date, with the task that builds it."""
    platform = layer.project.workspace.platform
    option = f" --platform {platform}" if platform else ""
    task = task_name(StepKind.BUILD, layer.build_name, platform, prefix=layer.project.prefix)
    return BuildError(f"{layer.build_name}: {why}", hint=f"build it: doit {task}, or stackbuild build{option}")


def library_links(layer: ProjectLayer) -> LibraryLinks:
    """How a layer finds libraries. Raises `BuildError` when it or a layer below is not built."""
    return _links(layer, {})


def _links(layer: ProjectLayer, known: dict[BuildName, LibraryLinks]) -> LibraryLinks:
    """As `library_links`; `known` has what was found out already, as most layers are below several others."""
    if layer.build_name not in known:
        known[layer.build_name] = _links_of(layer, known)
    return known[layer.build_name]


def _links_of(layer: ProjectLayer, known: dict[BuildName, LibraryLinks]) -> LibraryLinks:
    records = [(lower, required_build_record(lower)) for lower in layer.lower]
    if layer.platform.is_windows or not layer.lower:
        return LibraryLinks()
    own = required_build_record(layer)
    below = frozenset(name for lower, record in records for name in _offered(lower, record, known))
    found = {name: (layer, own.libraries[name]) for name in sorted(below) if name in own.libraries}
    for name in (needed.name for needed in own.needed_libraries if needed.name not in below):
        for lower, record in records:
            if name in record.libraries:
                found.setdefault(name, (lower, record.libraries[name]))
    added = ((name, it.install_target, path) for name, (it, path) in found.items() if name not in own.dynamic_libraries)
    return LibraryLinks(below=below, added=tuple(sorted(added)), own_first=bool(found))


def _offered(layer: ProjectLayer, record: BuildRecord, known: dict[BuildName, LibraryLinks]) -> set[str]:
    """The names in the deployed folder of libraries of a layer."""
    return {*record.dynamic_libraries, *(name for name, _, _ in _links(layer, known).added)}


def library_notices(layer: ProjectLayer) -> tuple[str, ...]:
    """Warnings about libraries that a deployed layer does not find, or of which it finds another one than its own."""
    links, own = library_links(layer), required_build_record(layer)
    records = [(lower, required_build_record(lower)) for lower in layer.lower]
    return (*_missing(layer, own, records, links), *_clashes(layer, own, records, links))


def _missing(
    layer: ProjectLayer, own: BuildRecord, records: list[tuple[ProjectLayer, BuildRecord]], links: LibraryLinks
) -> Iterator[str]:
    found = links.below | {name for name, _, _ in links.added}
    if layer.platform.is_windows:  # packages tell Windows themselves where their libraries are
        found |= {name for _, record in records for name in (*record.libraries, *record.hidden_libraries)}
    missing = [it for it in own.needed_libraries if it.name not in found]
    if not missing:
        return
    told = [f"{it.name} (for {it.file}{f' of {it.package}' if it.package else ''})" for it in missing]
    hidden = sorted({it.name for it in missing} & {name for _, record in records for name in record.hidden_libraries})
    cure = "add the packages that have them, or see to it that the target has them"
    if hidden:
        cure += f"; layers below have {', '.join(hidden)}, but exclude it, or have several that differ"
    yield (
        f"{layer.build_name}: its packages need libraries that neither it, nor the layers below, nor the system has: "
        f"{first_few(told)}; {cure}"
    )


def _clashes(
    layer: ProjectLayer, own: BuildRecord, records: list[tuple[ProjectLayer, BuildRecord]], links: LibraryLinks
) -> Iterator[str]:
    first: dict[str, tuple[ProjectLayer, str]] = {}
    if not layer.platform.is_windows:
        first = {name: (layer, path) for name, path in own.libraries.items() if name in links.below}
        yield from (
            f"{layer.build_name}: a layer below offers {name}, which is found instead of those that packages of this "
            "layer have beside them; exclude it there with dynlib_exclude"
            for name in own.hidden_libraries
            if name in links.below
        )
    for lower, record in records if links.wrapped else ():
        for name in record.dynamic_libraries:
            path = record.libraries.get(name)
            if path is None:
                continue
            winner, other = first.setdefault(name, (lower, path))
            if winner is not lower and _differ((winner, other), (lower, path)):
                yield (
                    f"{layer.build_name}: the {name} of {winner.build_name} is found before that of "
                    f"{lower.build_name}, which differs; to let each package load the one beside it, exclude it in "
                    f'{lower.build_name}: dynlib_exclude = ["{PurePosixPath(path).name}"]'
                )


def _differ(*places: tuple[ProjectLayer, str]) -> bool:
    return len({sha256_file(layer.environment / path) for layer, path in places}) > 1


def link_targets(links: LibraryLinks, *, layer: str, folder: PurePosixPath) -> Mapping[PurePosixPath, PurePosixPath]:
    """The links to add to the deployed `layer`, whose folder of libraries is `folder`: from paths to targets."""
    upwards = PurePosixPath(*[".."] * len(folder.parts))
    return {
        folder / name: upwards / path if target == layer else upwards / ".." / target / path
        for name, target, path in links.added
    }
