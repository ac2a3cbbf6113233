"""The folders that a run works with: none may be where something of another is made, and later removed.

Folders are compared as the file system does it, so links and names in other letters make no difference.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from stackbuild.errors import StackbuildError
from stackbuild.project.options import Options
from stackbuild.project.paths import METADATA_FOLDER, Workspace
from stackbuild.targets.platforms import TargetPlatform

_FOLDERS = {"build_dir": "--build-dir", "artifacts_dir": "--output-dir", "export_dir": "--output-dir"}
"""The options of a `dodo.py` for folders, and those of the command line."""


def check_names(*folders: Path) -> None:
    """Raise `StackbuildError` for a path that is not UTF-8: it cannot be written into the files that uv reads."""
    for folder in folders:
        try:
            os.fsencode(folder).decode()
        except UnicodeDecodeError:
            shown = os.fsencode(folder).decode(errors="backslashreplace")
            raise StackbuildError(
                f"the path {shown} is not UTF-8", hint="rename the folder, or use another one"
            ) from None


def check_folders(workspace: Workspace, options: Options, layers: Collection[str]) -> None:
    """Raise `StackbuildError` when two folders are the same, or one lies where something of a layer is made.

    layers: the build names of all layers.
    """
    made = {
        "the locks": workspace.locks,
        "the environments (--build-dir)": workspace.build,
        "the archives": workspace.artifacts,
        "the exports": workspace.export,
    }
    folders = {**made, "the specification": workspace.spec.parent}
    seen: dict[object, str] = {}
    for what, folder in folders.items():
        place = _place(folder)
        if place in seen:
            raise StackbuildError(f"{what} and {seen[place]} would both lie in {folder}", hint=_hint(options))
        seen[place] = what
    owners = {_place(folder): what for what, folder in made.items()}
    taken = {name.casefold() for name in layers}
    for what, folder in folders.items():
        for owner, inner in _inside(folder, owners):
            if _is_taken(inner, taken):
                raise StackbuildError(
                    f"{what} would lie in {folder}, where {owners[owner]} are made and removed",
                    hint=_hint(options),
                )


def _hint(options: Options) -> str:
    given = [name for name in _FOLDERS if getattr(options, name) != getattr(Options, name)] or list(_FOLDERS)
    return "choose another folder with " + " or ".join(f"{_FOLDERS[it]} ({it} in a dodo.py)" for it in given)


def _inside(folder: Path, owners: Collection[object]) -> Iterator[tuple[object, tuple[str, ...]]]:
    """The owners that a folder lies in, each with the names that lead from there to the folder."""
    for path in {folder, Path(os.path.realpath(folder))}:
        for parent in path.parents:
            if (place := _place(parent)) in owners:
                yield place, path.relative_to(parent).parts


def _is_taken(parts: tuple[str, ...], layers: Collection[str]) -> bool:
    """Whether these names lead to what is made for a layer, or kept beside layers."""
    name = parts[0].casefold()
    if name in (".stackbuild", METADATA_FOLDER):
        return True
    if name in layers or name.rpartition("@")[0] in layers:
        return True
    return name in tuple(TargetPlatform) and len(parts) > 1 and _is_taken(parts[1:], layers)


def _place(path: Path) -> object:
    """What identifies a folder, whatever it is called: of a missing one, the folder above and the names from there."""
    missing: list[str] = []
    path = Path(os.path.realpath(path))  # a link may lead to a missing folder
    for folder in (path, *path.parents):
        try:
            found = folder.stat()
        except OSError:
            missing.append(folder.name)
            continue
        names = tuple(name.casefold() for name in missing) if missing and _ignores_case(folder) else tuple(missing)
        return found.st_dev, found.st_ino, names
    return path


def _ignores_case(folder: Path) -> bool:
    """Whether the file system takes names in other letters for the same, as far as a folder's own name can tell."""
    other = folder.with_name(folder.name.swapcase()) if folder.name else folder
    try:
        return other.name != folder.name and other.samefile(folder)
    except OSError:
        return False
