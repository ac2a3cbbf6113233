"""Whether a layer's lock is valid, and if not, why.

`LockInputs` is everything that a lock depends on, as hashes; a `LockRecord` says what the lock on disk was made from.
The first four hashes are those of venvstacks, so that locks committed by its users stay valid. Settings that it does
not record have our own hashes, which are compared only for locks that stackbuild wrote (those have `tools`).
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from pydantic import JsonValue

from stackbuild.locking.input_changes import requirement_changes, value_changes
from stackbuild.locking.pylock import LowerPackage, hash_strings
from stackbuild.locking.record import LockedInputs, LockRecord
from stackbuild.spec.models import UvSettings
from stackbuild.spec.stack import LinkedLayer
from stackbuild.system.json_file import digest_of
from stackbuild.system.urls import without_secrets
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True)
class LockInputs:
    """Hashes of what a layer's lock depends on. `None`: nothing of that kind is set."""

    readable: LockedInputs
    lock_input_hash: str
    lock_input_hash_with_secrets: str | None = None
    """As venvstacks has it, if a requirement has a secret; valid, but not written."""
    other_inputs_hash: str
    version_inputs: Callable[[], str]
    """Computes `version_inputs_hash` from modules, which are not read for layers that are not versioned."""
    settings_hash: str | None
    constraints_hash: str | None
    versioned: bool
    python_version: str | None = None
    newest_allowed: datetime | None = None
    """`exclude-newer` as a point in time: a lock recorded later is not valid."""

    @property
    def version_inputs_hash(self) -> str:
        """The hash of what a layer's version depends on, besides its packages."""
        return self.version_inputs()


def declared_hash(requirements: Iterable[Requirement], *, with_secrets: bool = False) -> str:
    """`lock_input_hash`. As in venvstacks, what follows a `#` (the hash of a URL) is left out.

    `with_secrets`: of URLs, too, as in venvstacks. They could be guessed from the hash.
    """
    texts = [str(requirement).partition("#")[0].strip() for requirement in requirements]
    return hash_strings(sorted(texts if with_secrets else map(without_secrets, texts)))


def target_versions(linked: LinkedLayer, *, short_version: str) -> dict[str, str]:
    """The Python (`X.Y`) and the oldest systems that a layer is locked for, by name."""
    targets = {"py_version": short_version}
    if any(platform.is_linux for platform in linked.platforms):
        targets["linux_target"] = linked.layer.linux_target
    if any(platform.is_macos for platform in linked.platforms):
        targets["macosx_target"] = linked.layer.macosx_target
    return targets


def other_inputs(linked: LinkedLayer, *, short_version: str) -> list[str]:
    """The parts of `other_inputs_hash`, in order."""
    parts = [f"{name}={value}" for name, value in target_versions(linked, short_version=short_version).items()]
    if linked.kind != "runtime":
        parts.append(linked.runtime.build_name)
        parts.extend(framework.name for framework in linked.frameworks)
    return parts


def locked_inputs(linked: LinkedLayer, *, short_version: str, settings: Mapping[str, Any]) -> LockedInputs:
    """The readable form of what a layer's lock is made from."""
    targets = target_versions(linked, short_version=short_version)
    if linked.kind != "runtime":
        targets["runtime"] = linked.runtime.build_name
        targets["frameworks"] = ", ".join(framework.name for framework in linked.frameworks) or "none"
    declared = sorted(without_secrets(str(requirement)) for requirement in linked.layer.requirements)
    return LockedInputs(requirements=tuple(declared), targets=targets, settings=dict(settings))


def lock_settings(linked: LinkedLayer, uv: UvSettings, *, folder: Path) -> dict[str, JsonValue]:
    """Every setting of the specification beyond the declared requirements that can change a resolution, by name.

    Without credentials and without variables: a lock stays valid where they are not set. `folder`: that of the
    specification, on which no value may depend.
    """
    platforms = [platform.value for platform in linked.platforms]
    settings: dict[str, Any] = {
        # what is locked, and with which markers; an unset field means all platforms
        "platforms": platforms if len(platforms) < len(TargetPlatform) else None,
        **uv.given,  # paths as given: they have the same meaning in every checkout
        "package_indexes": dict(linked.package_indexes),
        "priority_indexes": list(linked.layer.priority_indexes),
        "url_hashes": sorted(str(item) for item in linked.layer.requirements if "#" in str(item)),
    }
    return {key: _portable(value, folder) for key, value in settings.items() if value not in (None, [], {})}


def _portable(value: Any, folder: Path) -> Any:  # noqa: ANN401 (any TOML value)
    """A TOML value in which paths below `folder` are relative to it, so that a lock is valid in every checkout."""
    match value:
        case dict():
            return {key: _portable(item, folder) for key, item in value.items()}
        case list():
            return [_portable(item, folder) for item in value]
        case str() if value == str(folder) or value.startswith(f"{folder}{os.sep}"):
            return os.path.relpath(value, folder).replace(os.sep, "/")
        case str():
            return without_secrets(value)
        case int() | float() | bool():
            return value
        case _:
            return str(value)  # dates


def constraints_hash(lower: Sequence[LowerPackage]) -> str | None:
    """A hash of what the layers below pin; `None` when they pin nothing."""
    if not lower:
        return None
    return hash_strings(f"{item.package.pin} in {item.provider}\n" for item in lower)


def reasons_to_relock(
    record: LockRecord | None,
    *,
    inputs: LockInputs,
    locked_hash: str | None,
    declared_before: Iterable[str] | None = None,
    pinned_otherwise: Iterable[str] = (),
) -> tuple[str, ...]:
    """Why a layer must be resolved again, with what changed (old -> new); empty when its lock is valid.

    `locked_hash`: the requirements hash of the lock file on disk, `None` when it is missing or cannot be read.
    `declared_before`: the requirements that the lock was made from, if something besides its record contains them.
    `pinned_otherwise`: how the pins of lower layers differ from those in the lock, for the message.
    """
    if locked_hash is None or record is None:
        return ("it has not been locked yet" if record is None else "its lock file is missing or unreadable",)
    ours = record.tools is not None  # locks of venvstacks do not say what else they depend on
    too_late = inputs.newest_allowed is not None and _recorded(record) > inputs.newest_allowed
    before, now = record.inputs, inputs.readable
    requirements = requirement_changes(before.requirements if before else declared_before, now.requirements)
    targets = value_changes(before.targets if before else None, now.targets)
    settings = value_changes(before.settings if before else None, now.settings)
    release = (f"{record.python_version} -> {inputs.python_version}",)
    checks: tuple[tuple[str, bool, Iterable[str]], ...] = (
        ("its lock file was changed by hand", record.requirements_hash != locked_hash, ()),
        (
            "its requirements changed",
            record.lock_input_hash not in {inputs.lock_input_hash, inputs.lock_input_hash_with_secrets} - {None},
            requirements,
        ),
        (
            "its Python, its targets or the layers below it changed",
            record.other_inputs_hash != inputs.other_inputs_hash,
            targets,
        ),
        ("platforms, uv or index settings changed", ours and _settings_differ(record, inputs), settings),
        ("the release of its Python changed", ours and record.python_version != inputs.python_version, release),
        (
            "a layer below it pins other packages",
            ours and record.constraints_hash != inputs.constraints_hash,
            pinned_otherwise,
        ),
        (f"it was locked at {record.locked_at}, after exclude-newer", too_late, ()),
    )
    return tuple(_with_details(reason, details) for reason, holds, details in checks if holds)


_WITHOUT_EFFECT = frozenset(
    {
        "allow-insecure-host",
        "cache-dir",
        "cache-keys",
        "check-url",
        "compile-bytecode",
        "concurrent-builds",
        "concurrent-downloads",
        "concurrent-installs",
        "http-proxy",
        "https-proxy",
        "keyring-provider",
        "link-mode",
        "native-tls",
        "no-build",
        "no-cache",
        "no-proxy",
        "offline",
        "publish-url",
        "pypy-install-mirror",
        "python-downloads",
        "python-downloads-json-url",
        "python-install-mirror",
        "python-preference",
        "reinstall",
        "reinstall-package",
        "system-certs",
        "trusted-publishing",
    }
)
"""Settings for uv that say how it works or what is always set, and never what a resolution contains."""
_IN_ANY_ORDER = frozenset(
    {
        "build-constraint-dependencies",
        "constraint-dependencies",
        "exclude-dependencies",
        "no-build-package",
        "override-dependencies",
        "required-environments",
    }
)
"""Settings with lists whose order means nothing."""


def _settings_differ(record: LockRecord, inputs: LockInputs) -> bool:
    """Whether a setting changed that can change a resolution. Hashes differ also if others did, or the order of lists.

    The settings themselves are compared only if the record has them as they were hashed.
    """
    if record.settings_hash == inputs.settings_hash:
        return False
    before = record.inputs.settings if record.inputs is not None else {}
    if record.settings_hash != (digest_of(before) if before else None):
        return True
    return _with_effect(before) != _with_effect(inputs.readable.settings)


def _with_effect(settings: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        name: sorted(value, key=str) if name in _IN_ANY_ORDER and isinstance(value, list) else value
        for name, value in settings.items()
        if name not in _WITHOUT_EFFECT
    }


def _with_details(reason: str, details: Iterable[str]) -> str:
    told = ", ".join(details)
    return f"{reason}: {told}" if told else reason


def needs_new_version(record: LockRecord, inputs: LockInputs) -> bool:
    """Whether a versioned layer with a valid lock must get a new version, because a version input changed."""
    return inputs.versioned and record.version_inputs_hash != inputs.version_inputs_hash


def _recorded(record: LockRecord) -> datetime:
    return datetime.fromisoformat(record.locked_at)
