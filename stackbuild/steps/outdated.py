"""Look for newer releases of the packages of a locked layer. Changes no lock."""

import copy
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from packaging.utils import canonicalize_name

from stackbuild.errors import LockError
from stackbuild.locking.newer_releases import (
    Holder,
    HolderKind,
    Outdated,
    excluding,
    is_newer,
    lacking_wheels,
    other_pins,
    versions_of,
)
from stackbuild.locking.pylock import LockedPackage, read_packages
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.lock_status import lock_inputs, lock_target, packages_below
from stackbuild.steps.lock import LockTools
from stackbuild.system.files import disk_errors, private_folder, remove_tree, write_atomic
from stackbuild.uv import commands as uv_commands
from stackbuild.uv.conflicts import Resolution
from stackbuild.uv.failures import resolution_error
from stackbuild.uv.resolution import ResolutionProject, resolution_project

_HOLDING_SETTINGS = ("override-dependencies", "constraint-dependencies")
"""Settings with requirements that can hold a package."""


@dataclass(frozen=True, kw_only=True)
class LayerReleases:
    """The packages of a layer with newer releases, and those of which no index has a release that could be used."""

    outdated: tuple[Outdated, ...]
    unknown: tuple[str, ...]


def newer_releases(layer: ProjectLayer, tools: LockTools) -> LayerReleases:
    """What an index has that is newer than the own packages of `layer`, which must be locked.

    Raises `LockError`, `RuntimeSourceError` or `ToolError`.
    """
    by_url = {canonicalize_name(it.name) for it in layer.declared.requirements if it.url}
    own = [it for it in layer.lock.packages if not it.is_shared and it.version and it.name not in by_url]
    if not own:
        return LayerReleases(outdated=(), unknown=())
    with _look(layer, tools) as look:
        return _compared(look, own)


@dataclass(frozen=True, kw_only=True)
class _Look:
    """Asks uv about a layer, in a folder of its own. `generated`: the project that would be resolved to lock it."""

    layer: ProjectLayer
    tools: LockTools
    folder: Path
    python: Path
    generated: ResolutionProject

    def newest(self, names: list[str], *, with_limit: bool) -> dict[str, LockedPackage]:
        """The newest release of each package by itself; without those that cannot be found."""
        found = self._newest(names, with_limit=with_limit)
        if found is None:  # one of them is the reason
            each = [self._newest([name], with_limit=with_limit) or {} for name in names] if len(names) > 1 else []
            return {name: package for packages in each for name, package in packages.items()}
        return found

    def _newest(self, names: list[str], *, with_limit: bool) -> dict[str, LockedPackage] | None:
        tool = {key: value for key, value in self.generated.pyproject["tool"]["uv"].items() if key in _INDEXES}
        config = dict(self.generated.config)
        if not with_limit:
            config.pop("exclude-newer", None)
        self._write({"project": {**self._project, "dependencies": names}, "tool": {"uv": tool}}, config)
        command = uv_commands.newest_command(
            self.folder,
            python=self.python,
            python_version=self.layer.python.version,
            output=self._pylock,
            environ=self.layer.project.environ,
        )
        if self.tools.run(command).status:
            return None
        return {package.name: package for package in self._read()}

    def resolved(self, *extra: str, with_lower: bool = True) -> tuple[LockedPackage, ...] | str:
        """The resolution of the layer without the old lock, with further requirements; or what uv said instead."""
        pyproject = copy.deepcopy(self.generated.pyproject)
        pyproject["project"]["dependencies"] += extra
        if not with_lower:
            given = self.layer.project.stack.spec.uv.other.get("constraint-dependencies", ())
            pyproject["tool"]["uv"]["constraint-dependencies"] = list(given)
        self._write(pyproject, self.generated.config)
        environ = self.layer.project.environ
        commands = [
            uv_commands.lock_command(self.folder, python=self.python, environ=environ),
            uv_commands.export_command(self.folder, python=self.python, output=self._pylock, environ=environ),
        ]
        for command in commands:
            result = self.tools.run(command)
            if result.status:
                return result.said
        return self._read()

    @property
    def _project(self) -> dict[str, Any]:
        return self.generated.pyproject["project"]  # type: ignore[no-any-return]  # a TOML table

    @property
    def _pylock(self) -> Path:
        return self.folder / "pylock.toml"

    def _write(self, pyproject: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        with disk_errors("write uv's inputs", LockError):
            for name in ("uv.lock", "pylock.toml"):
                (self.folder / name).unlink(missing_ok=True)
            write_atomic(self.folder / "pyproject.toml", tomli_w.dumps(pyproject))
            write_atomic(self.folder / "uv.toml", tomli_w.dumps(config))

    def _read(self) -> tuple[LockedPackage, ...]:
        with disk_errors("read what uv resolved", LockError):
            return read_packages(tomllib.loads(self._pylock.read_text("utf-8")), origin="uv's answer")


_INDEXES = ("workspace", "index", "sources")


@contextmanager
def _look(layer: ProjectLayer, tools: LockTools) -> Iterator[_Look]:
    project, pin = layer.project, layer.pin
    newest = lock_inputs(layer, pin, now=tools.now()).newest_allowed
    generated = resolution_project(
        layer.linked,
        settings=project.stack.spec.uv,
        lower=packages_below(layer),
        python_version=pin.python.version,
        exclude_newer=None if newest is None else newest.isoformat(),
        folder=project.stack.spec.folder,
        local_wheels=project.local_wheels,
        query_index=project.query_index,
    )
    folder = project.workspace.resolution_folder(layer.build_name) / "newer"
    with disk_errors("write uv's inputs", LockError):
        private_folder(folder)
    try:
        yield _Look(layer=layer, tools=tools, folder=folder, python=tools.runtimes().python(pin), generated=generated)
    finally:
        with disk_errors("remove uv's inputs", LockError):
            remove_tree(folder)


def _compared(look: _Look, own: list[LockedPackage]) -> LayerReleases:
    locked = versions_of(own)
    newest = look.newest(list(locked), with_limit=False)
    is_limited = "exclude-newer" in look.generated.config
    allowed = look.newest(list(locked), with_limit=True) if is_limited else newest
    if not newest:
        said = look.resolved()
        if isinstance(said, str):  # the index cannot be reached, for example
            raise resolution_error(_question(look), said)
    candidates = [name for name in locked if name in newest and is_newer(newest[name].version, locked[name])]
    upgraded = look.resolved() if candidates else ()
    resolved = () if isinstance(upgraded, str) else upgraded
    versions, target = versions_of(resolved), lock_target(look.layer, look.layer.pin)
    incomplete = {(it.name, it.version) for it in resolved if lacking_wheels(it, [it], target)}
    found = []
    for name in candidates:
        best = versions.get(name, ())[-1:]
        holders = []
        if name not in allowed or newest[name].version != allowed[name].version:
            holders.append(Holder(kind=HolderKind.EXCLUDE_NEWER))
        if name in allowed and is_newer(allowed[name].version, locked[name]):
            entries = [package for package in own if package.name == name]
            holders += _holders(look, allowed[name], entries, best=best)
        upgrade = next((it for it in best if is_newer(it, locked[name]) and (name, it) not in incomplete), None)
        found.append(
            Outdated(
                name=name,
                locked=locked[name],
                newest=newest[name].version,
                upgrade=upgrade,
                held_by=tuple(holders),
            )
        )
    return LayerReleases(outdated=tuple(found), unknown=tuple(name for name in locked if name not in newest))


def _holders(
    look: _Look, release: LockedPackage, entries: list[LockedPackage], *, best: tuple[str, ...]
) -> Iterator[Holder]:
    """What keeps the layer from having a release that exclude-newer allows. `best`: what an upgrade would take."""
    layer = look.layer
    gaps = lacking_wheels(release, entries, lock_target(layer, layer.pin))
    if gaps:
        yield Holder(kind=HolderKind.PLATFORM, what=", ".join(gaps))
    if best == (release.version,):
        if not gaps:
            yield Holder(kind=HolderKind.LOCK, what=release.name)
        return
    declared = list(excluding(map(str, layer.declared.requirements), release.name, release.version))
    settings = layer.project.stack.spec.uv.other
    set_ = [
        f"{key}: {text}"
        for key in _HOLDING_SETTINGS
        for text in excluding(settings.get(key, ()), release.name, release.version)
    ]
    yield from (Holder(kind=HolderKind.REQUIREMENT, what=text) for text in declared)
    yield from (Holder(kind=HolderKind.SETTING, what=text) for text in set_)
    if not declared and not set_:
        yield from _held_by_others(look, release)


def _held_by_others(look: _Look, release: LockedPackage) -> Iterator[Holder]:
    wanted = f"{release.name}=={release.version}"
    lower = packages_below(look.layer)
    if lower:
        without = look.resolved(wanted, with_lower=False)
        if not isinstance(without, str):
            pins = list(other_pins(lower, versions_of(without)))
            yield from (Holder(kind=HolderKind.LOWER_LAYER, what=text) for text in pins)
            if pins:
                return
    said = look.resolved(wanted)
    told = str(resolution_error(_question(look), said)).splitlines() if isinstance(said, str) else []
    reason = " ".join(line.strip() for line in told[1:] if not line.startswith("hint:"))
    yield Holder(kind=HolderKind.OTHER_PACKAGES, what=reason or "an upgrade prefers other versions")


def _question(look: _Look) -> Resolution:
    layer = look.layer
    return Resolution(
        linked=layer.linked,
        settings=layer.project.stack.spec.uv,
        lower=packages_below(layer),
        target=lock_target(layer, layer.pin),
        files={},
        query_index=layer.project.query_index,
    )
