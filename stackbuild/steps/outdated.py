"""Look for newer releases of the packages of a locked layer. Changes no lock."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

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
from stackbuild.locking.pylock import LockedPackage
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.lock_status import lock_inputs, lock_target, packages_below
from stackbuild.steps.index_questions import IndexQuestions, index_questions
from stackbuild.steps.lock import LockTools, generated_project
from stackbuild.uv import commands as uv_commands
from stackbuild.uv.conflicts import Resolution
from stackbuild.uv.failures import resolution_error

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
    pin = layer.pin
    generated = generated_project(layer, pin, lock_inputs(layer, pin, now=tools.now()))
    with index_questions(layer, generated, python=tools.runtimes().python(pin), run=tools.run) as asked:
        return _compared(asked, own)


def _resolved(asked: IndexQuestions, *extra: str, with_lower: bool = True) -> tuple[LockedPackage, ...] | str:
    """The resolution of the layer without the old lock, with further requirements; or what uv said instead."""
    layer, environ = asked.layer, asked.generated.environ(asked.layer.project.environ)
    pyproject = copy.deepcopy(asked.generated.pyproject)
    pyproject["project"]["dependencies"] += extra
    if not with_lower:
        given = layer.project.stack.spec.uv.other.get("constraint-dependencies", ())
        pyproject["tool"]["uv"]["constraint-dependencies"] = list(given)
    asked.write(pyproject, asked.generated.config)
    commands = [
        uv_commands.lock_command(asked.folder, python=asked.python, environ=environ),
        uv_commands.export_command(asked.folder, python=asked.python, output=asked.answer, environ=environ),
    ]
    for command in commands:
        result = asked.run(command)
        if result.status:
            return result.said
    return asked.read()


def _compared(asked: IndexQuestions, own: list[LockedPackage]) -> LayerReleases:
    locked = versions_of(own)
    newest = asked.newest(list(locked), with_limit=False)
    is_limited = "exclude-newer" in asked.generated.config
    allowed = asked.newest(list(locked), with_limit=True) if is_limited else newest
    candidates = [name for name in locked if name in newest and is_newer(newest[name].version, locked[name])]
    # without any answer, this tells why: the index cannot be reached, for example
    upgraded = _resolved(asked) if candidates or not newest else ()
    if isinstance(upgraded, str):
        raise resolution_error(_question(asked), upgraded)
    versions, target = versions_of(upgraded), lock_target(asked.layer, asked.layer.pin)
    incomplete = {(it.name, it.version) for it in upgraded if lacking_wheels(it, [it], target)}
    found = []
    for name in candidates:
        best = versions.get(name, ())
        holders = []
        if name not in allowed or newest[name].version != allowed[name].version:
            holders.append(Holder(kind=HolderKind.EXCLUDE_NEWER))
        if name in allowed and is_newer(allowed[name].version, locked[name]):
            entries = [package for package in own if package.name == name]
            holders += _holders(asked, allowed[name], entries, best=best)
        better = [it for it in best if it not in locked[name] and (name, it) not in incomplete]
        found.append(
            Outdated(
                name=name,
                locked=locked[name],
                newest=newest[name].version,
                upgrade=better[-1] if better and is_newer(better[-1], locked[name]) else None,
                held_by=tuple(holders),
            )
        )
    return LayerReleases(outdated=tuple(found), unknown=tuple(name for name in locked if name not in newest))


def _holders(
    asked: IndexQuestions, release: LockedPackage, entries: list[LockedPackage], *, best: tuple[str, ...]
) -> Iterator[Holder]:
    """What keeps the layer from having a release that exclude-newer allows, on some platform at least.

    `best`: the versions that an upgrade would take, oldest first.
    """
    layer = asked.layer
    gaps = lacking_wheels(release, entries, lock_target(layer, layer.pin))
    if gaps:
        yield Holder(kind=HolderKind.PLATFORM, what=", ".join(gaps))
    if release.version in best and release.version not in versions_of(entries)[release.name] and not gaps:
        yield Holder(kind=HolderKind.LOCK, what=release.name)
    if best == (release.version,):
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
    if not best and not declared:
        yield Holder(kind=HolderKind.OTHER_PACKAGES, what="an upgrade of the layer does without it")
    elif release.version not in best and not (gaps or declared or set_):
        yield from _held_by_others(asked, release)


def _held_by_others(asked: IndexQuestions, release: LockedPackage) -> Iterator[Holder]:
    wanted = f"{release.name}=={release.version}"
    lower = packages_below(asked.layer)
    if lower:
        without = _resolved(asked, wanted, with_lower=False)
        if not isinstance(without, str):
            pins = list(other_pins(lower, versions_of(without)))
            yield from (Holder(kind=HolderKind.LOWER_LAYER, what=text) for text in pins)
            if pins:
                return
    said = _resolved(asked, wanted)
    told = str(resolution_error(_question(asked), said)).splitlines() if isinstance(said, str) else []
    reason = " ".join(line.strip() for line in told[1:] if not line.startswith("hint:"))
    yield Holder(kind=HolderKind.OTHER_PACKAGES, what=reason or "an upgrade prefers other versions")


def _question(asked: IndexQuestions) -> Resolution:
    layer = asked.layer
    return Resolution(
        linked=layer.linked,
        settings=layer.project.stack.spec.uv,
        lower=packages_below(layer),
        target=lock_target(layer, layer.pin),
        files={},
        query_index=layer.project.query_index,
    )
