"""What layers that are no longer in a specification left behind, and old versions of those that are in it.

Only what a project's own notes and records prove to be its own counts. The rest can only be told.
"""

import os
import shlex
import tomllib
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stackbuild.environments.layout import LAYER_CONFIG
from stackbuild.locking.record import LockRecord
from stackbuild.project.ownership import LayerPlace, OwnershipNote, install_target_of
from stackbuild.project.paths import LockPaths, OutputPaths, Workspace
from stackbuild.project.project import Project
from stackbuild.project.records import LayerMetadata
from stackbuild.spec.models import ApplicationLayer, BuildName, FrameworkLayer, RuntimeLayer
from stackbuild.system.files import read_file
from stackbuild.system.quantities import counted
from stackbuild.targets.platforms import TargetPlatform

GONE, OLD = "its layer is gone", "an old version"

_ANY = BuildName("*")
"""Stands for any layer in a path of which only the folder is used."""
_MOST_BYTES = 16_000_000


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """One thing that a layer left behind."""

    layer: BuildName
    what: str
    """`environment`, `archive`, `export`, `lock`, or `metadata` where nothing else is left."""
    why: str
    path: Path
    place: LayerPlace | None = None
    """Where it was made; `None` for a lock."""
    outputs: OutputPaths | None = None
    """The folder of an archive or export."""


class LeftoverSearch:
    """Looks for leftovers in the folders of a project, for every platform. Writes nothing."""

    def __init__(self, project: Project, *, outputs: Sequence[Path] = ()) -> None:
        """`outputs`: the folders with archives and exports; without any, those of the project."""
        self._project = project
        self._workspace = project.workspace
        self._declared = frozenset(layer.build_name for layer in project.stack.spec.layers)
        roots = outputs or (self._workspace.artifacts, self._workspace.export)
        self._roots = tuple(dict.fromkeys(root / part for root in roots for part in ("", *TargetPlatform)))
        self._workspaces = (
            self._workspace,
            *(self._workspace.for_platform(platform, artifacts_together=True) for platform in TargetPlatform),
        )

    @property
    def locks(self) -> Path:
        return self._workspace.locks

    def of_gone_layers(self) -> list[Leftover]:
        """What layers left that are neither in this specification nor in another one beside it.

        A layer that is switched off, or for other platforms than before, is not gone.
        """
        found: list[Leftover] = []
        for place, outputs in self._noted(skip=self._declared):
            if place.layer not in self._declared_beside and place.is_of_this_specification:
                paths = [path for name in place.names if os.path.lexists(path := place.folder / name)]
                found += [_leftover(place, outputs, path, GONE) for path in paths or [place.note_path]]
        return [*found, *self._locks_of_gone_layers()]

    def old_versions(self) -> list[Leftover]:
        """Archives and exports of layers of this specification that were followed by others with another name.

        A version that another layer beside it still needs is not old.
        """
        found: list[Leftover] = []
        for place, outputs in self._noted(skip=()):
            if outputs is None or place.layer not in self._declared or not place.is_of_this_specification:
                continue
            current = LayerMetadata.read(outputs.layer_metadata(place.layer))
            if current is None or current.layer_name != place.layer:
                continue
            needed = self._needed_beside(outputs) - {current.install_target}
            found += [
                _leftover(place, outputs, path, OLD)
                for name in place.names
                if name != place.current and install_target_of(place.layer, name) not in needed
                if os.path.lexists(path := place.folder / name)
            ]
        return found

    def unproven(self) -> list[Path]:
        """What layers that are gone seem to have left, though neither note nor record proves it."""
        found: list[tuple[str, Path]] = []
        for workspace in self._workspaces:
            folder = workspace.environment(_ANY).parent
            found += [(name, folder / name) for name in _names(folder) if (folder / name / LAYER_CONFIG).is_file()]
        for root in self._roots:
            folder = OutputPaths(root=root).layer_metadata(_ANY).parent
            for path in (folder / name for name in _names(folder)):
                if (described := LayerMetadata.read(path)) is not None:
                    found.append((described.layer_name, path))
        found += [(name, self.locks / name) for name in _names(self.locks) if self._lock_record(name) is not None]
        leftovers = self.of_gone_layers()
        proven = {leftover.path for leftover in leftovers}
        proven |= {path for leftover in leftovers if leftover.place for path in leftover.place.described}
        return [path for name, path in found if not self._is_declared(name) and path not in proven]

    def _noted(self, *, skip: Collection[str]) -> Iterator[tuple[LayerPlace, OutputPaths | None]]:
        """The places with a note, and the output folder of each, but those of the layers to skip."""
        for workspace in self._workspaces:
            for file in _names(workspace.ownership(_ANY).parent):
                layer = BuildName(file.removesuffix(".json"))
                if layer not in skip and (place := LayerPlace.of_environment(workspace, layer)).note is not None:
                    yield place, None
        for root in self._roots:
            folder = OutputPaths(root=root).ownership(_ANY).parent
            for file in _names(folder):
                if not _names_one_of(file, skip) and (outputs := _noted_outputs(root, folder / file)) is not None:
                    layer, paths = outputs
                    yield LayerPlace.of_outputs(paths, layer, specification=self._workspace.spec), paths

    def _locks_of_gone_layers(self) -> Iterator[Leftover]:
        for name in _names(self.locks):
            if name in self._declared or self._is_declared(name):
                continue
            record = self._lock_record(name)
            if record is not None and record.tools is not None:  # venvstacks records no tools
                yield Leftover(layer=BuildName(name), what="lock", why=GONE, path=self.locks / name)

    def _lock_record(self, name: str) -> LockRecord | None:
        return LockRecord.read(LockPaths.of_layer(self._workspace, BuildName(name)).record)

    def _needed_beside(self, outputs: OutputPaths) -> set[str]:
        """The install targets that the layers of the specification need in a folder, by their metadata."""
        needed: set[str] = set()
        for layer in self._declared:
            if (described := LayerMetadata.read(outputs.layer_metadata(layer))) is not None:
                needed |= {described.runtime_layer, *(described.required_layers or ())}
        return needed

    def _is_declared(self, name: str) -> bool:
        return name in self._declared or name in self._declared_beside

    @cached_property
    def _declared_beside(self) -> Collection[str]:
        """The layers of other specifications in the same folder, which may share everything with this one."""
        names: set[str] = set()
        for path in self._workspace.spec.parent.glob("*.toml"):
            if path != self._workspace.spec:
                declared = _declared_in(path)
                if declared is None:
                    return _Everything()  # better keep too much
                names |= declared
        return names


def _leftover(place: LayerPlace, outputs: OutputPaths | None, path: Path, why: str) -> Leftover:
    if path == place.note_path:
        what = "metadata"
    elif outputs is None:
        what = "environment"
    else:
        what = "export" if install_target_of(place.layer, path.name) == path.name else "archive"
    return Leftover(layer=place.layer, what=what, why=why, path=path, place=place, outputs=outputs)


class _Everything(frozenset[str]):
    """A set that contains every name."""

    def __contains__(self, name: object) -> bool:
        return True


def _declared_in(path: Path) -> set[str] | None:
    """The build names of the layers in a TOML file; `None` if it seems to have some and cannot be read."""
    kinds = (RuntimeLayer, FrameworkLayer, ApplicationLayer)
    try:
        text = read_file(path, most=_MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return set()
    if not any(f"[[{kind.category}]]" in text for kind in kinds):
        return set()
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    return {
        f"{kind.build_prefix}{layer['name']}"
        for kind in kinds
        for layer in content.get(kind.category, ())
        if isinstance(layer, dict) and isinstance(layer.get("name"), str)
    }


def _names(folder: Path) -> list[str]:
    """The names in a folder, sorted; none if it is missing or cannot be read."""
    with suppress(OSError):
        return sorted(os.listdir(folder))
    return []


def _names_one_of(file: str, layers: Collection[str]) -> bool:
    """Whether the name of a note, with or without the platform in it, is that of one of the layers."""
    stem = file.removesuffix(".json")
    return stem in layers or any(stem.removesuffix(f"-{tag}") in layers for tag in TargetPlatform)


def _noted_outputs(root: Path, note: Path) -> tuple[BuildName, OutputPaths] | None:
    """The layer of a note in an output folder, and where its outputs are; `None` if the note has another's name."""
    read = OwnershipNote.read(note)
    for tag in (None, *TargetPlatform):
        paths = OutputPaths(root=root, tag=tag)
        if read is not None and note.name == f"{read.layer_name}{'' if tag is None else f'-{tag}'}.json":
            return BuildName(read.layer_name), paths
    return None


def leftovers_notice(project: Project) -> str | None:
    """A warning about what gone layers left in the folders of a run; `None` when there is nothing."""
    leftovers = LeftoverSearch(project).of_gone_layers()
    if not leftovers:
        return None
    names = list(dict.fromkeys(leftover.layer for leftover in leftovers))
    listed = ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
    count = counted(len(leftovers), "output")
    return f"{count} of layers that are no longer there ({listed}): `{_prune_command(project.workspace)}`"


_LISTED = 3


def _prune_command(workspace: Workspace) -> str:
    """The command that removes leftovers from the folders of a run."""
    default = Workspace.of_spec(workspace.spec)
    folders = [("--build-dir", workspace.build)] if workspace.build != default.build else []
    outputs = (workspace.artifacts, workspace.export)
    if outputs != (default.artifacts, default.export):
        folders += [("--output-dir", folder) for folder in outputs]
    options = [text for option, folder in folders for text in (option, os.fspath(folder))]
    spec = os.path.relpath(workspace.spec)
    return shlex.join(["stackbuild", "prune", *options, *([] if spec == "venvstacks.toml" else [spec])])
