"""What a project made: the proof without which nothing is replaced or removed.

Beside the records of each folder there is a note for each layer: what was made there for the layer, and for which
specification. It is written before anything is made and outlives records, so it also proves what a killed run leaves.
Names in notes and metadata are never followed as paths: one counts only if the layer's outputs can have it.
"""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from stackbuild.archives.format import ArchiveFormat
from stackbuild.environments.layout import LAYER_CONFIG, POSTINSTALL
from stackbuild.errors import StackbuildError
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.paths import OutputPaths, Workspace
from stackbuild.project.records import ArchiveMetadata, BuildRecord, LayerMetadata, NameInFolder, OutputRecord
from stackbuild.spec.models import BuildName
from stackbuild.system.files import remove_file, remove_unfinished
from stackbuild.system.json_file import JsonFile
from stackbuild.targets.platforms import TargetPlatform


class OwnershipNote(JsonFile):
    """What was made in a folder for a layer."""

    layer_name: str
    """The layer's build name."""
    specification: str
    """The specification that it was made for, relative to the folder, with `/`."""
    outputs: tuple[NameInFolder, ...]
    """Names in the folder, the last one made last."""


@dataclass(frozen=True, kw_only=True)
class LayerPlace:
    """A folder in which outputs of a layer are made: environments, archives or exports."""

    folder: Path
    layer: BuildName
    """Its build name."""
    specification: Path
    note_path: Path
    described: tuple[Path, ...]
    """The files that describe what is current, the record last."""
    metadata: Path | None
    """Of archives and exports."""

    @classmethod
    def of_environment(cls, workspace: Workspace, layer: BuildName) -> Self:
        """Where the environment of a layer is built."""
        environment = workspace.environment(layer)
        return cls(
            folder=environment.parent,
            layer=layer,
            specification=workspace.spec,
            note_path=workspace.ownership(layer),
            described=(*workspace.beside_environment(layer).values(), workspace.build_record(layer)),
            metadata=None,
        )

    @classmethod
    def of_outputs(cls, paths: OutputPaths, layer: BuildName, *, specification: Path) -> Self:
        """Where archives or exports of a layer are made."""
        return cls(
            folder=paths.root,
            layer=layer,
            specification=specification,
            note_path=paths.ownership(layer),
            described=(*paths.beside_output(layer).values(), paths.record(layer)),
            metadata=paths.layer_metadata(layer),
        )

    @cached_property
    def note(self) -> OwnershipNote | None:
        """The note of the layer, if there is one."""
        note = OwnershipNote.read(self.note_path)
        return note if note is not None and note.layer_name == self.layer else None

    @property
    def names(self) -> tuple[str, ...]:
        """What is proved to have been made here for the layer, by its note or by the record of what is current."""
        noted = () if self.note is None else self.note.outputs
        current = self.current
        known = dict.fromkeys(noted)
        if current is not None and self.is_recorded:
            known[current] = None
        return tuple(name for name in known if self.may_have(name))

    @property
    def is_recorded(self) -> bool:
        """Whether there is a record that can be read of what is current."""
        model = BuildRecord if self.metadata is None else OutputRecord
        return model.read(self.described[-1]) is not None

    @property
    def current(self) -> str | None:
        """The name of the environment, or that of the archive or export that the metadata describes."""
        if self.metadata is None:
            return self.layer
        found = ArchiveMetadata.read(self.metadata) or LayerMetadata.read(self.metadata)
        if found is None or found.layer_name != self.layer:
            return None
        return found.archive_name if isinstance(found, ArchiveMetadata) else found.install_target

    def may_have(self, name: str) -> bool:
        """Whether an output of the layer here can have this name."""
        if self.metadata is None:
            return name == self.layer
        return re.fullmatch(re.escape(self.layer) + _OUTPUT, name) is not None

    def take(self, name: str, kind: type[StackbuildError]) -> tuple[str, ...]:
        """Note that `name` is about to be made here; return warnings about what it replaces.

        Raises an error of `kind` if something that stackbuild did not make has its place.
        """
        path = self.folder / name
        if os.path.lexists(path) and name not in self.names and not self._is_replaceable(path):
            raise kind(
                f"{path} is in the way, and stackbuild did not make it",
                hint="move it away, or choose another folder with --build-dir or --output-dir",
            )
        others = [other for other in self.names if other != name and os.path.lexists(self.folder / other)]
        maker = self._other_maker() if os.path.lexists(path) else None
        self._write((*others, name))
        if maker is None:
            return ()
        return (f"{self.layer}: replaces {path}, which was made for {maker}: give each project a folder of its own",)

    def _other_maker(self) -> Path | None:
        """The specification of another project that the note names, if it is still there."""
        if self.note is None or self.is_of_this_specification:
            return None
        noted = Path(os.path.normpath(self.folder / self.note.specification))
        return noted if noted.exists() and noted.parent != self.specification.parent else None

    def give_up(self, name: str) -> None:
        """Note that `name` is no longer here."""
        others = tuple(other for other in self.names if other != name)
        if others:
            self._write(others)
        else:
            remove_file(self.note_path)
            self.__dict__.pop("note", None)

    def _write(self, names: tuple[str, ...]) -> None:
        note = OwnershipNote(
            layer_name=self.layer, specification=_relative(self.specification, self.folder), outputs=names
        )
        if note != self.note:
            remove_unfinished(self.note_path)
            note.write(self.note_path)
            self.__dict__["note"] = note

    def _is_replaceable(self, path: Path) -> bool:
        """Whether something without a note may be replaced: by venvstacks, by its metadata, or when it is empty."""
        if path.is_dir():
            if not any(path.iterdir()):
                return True
            if self.metadata is None:  # as built: a deployed layer has its postinstall.py
                return (path / LAYER_CONFIG).is_file() and not (path / POSTINSTALL).exists()
        if self.metadata is None or path.is_symlink() or self.current != path.name:
            return False
        found = ArchiveMetadata.read(self.metadata)
        return path.is_dir() if found is None else found.archive_size == path.stat().st_size

    @property
    def is_of_this_specification(self) -> bool:
        """Whether the note says so. A specification that was renamed in its folder counts as this one."""
        if self.note is None:
            return False
        noted = Path(os.path.normpath(self.folder / self.note.specification))
        if noted.exists():
            return noted.samefile(self.specification)
        return noted.parent == self.specification.parent


_PLATFORMS = "|".join(re.escape(platform) for platform in TargetPlatform)
_SUFFIXES = "|".join(re.escape(it.suffix) for it in ArchiveFormat)
_OUTPUT = rf"(@[0-9]+)?((-({_PLATFORMS})-[0-9]+)?({_SUFFIXES}))?"
"""What follows the build name of a layer in the names of its exports and archives."""


def install_target_of(layer: str, name: str) -> str:
    """The install target in the name of an export or archive of a layer."""
    match = re.fullmatch(re.escape(layer) + _OUTPUT, name)
    return name if match is None else layer + (match[1] or "")


def environment_place(layer: ProjectLayer) -> LayerPlace:
    """Where the environment of a layer is built."""
    return LayerPlace.of_environment(layer.project.workspace, layer.build_name)


def output_place(layer: ProjectLayer, paths: OutputPaths) -> LayerPlace:
    """Where archives or exports of a layer are made."""
    return LayerPlace.of_outputs(paths, layer.build_name, specification=layer.project.workspace.spec)


def _relative(path: Path, folder: Path) -> str:
    try:
        return os.path.relpath(path, folder).replace(os.sep, "/")
    except ValueError:  # another drive of Windows
        return path.as_posix()
