"""What is locked: reads the lock files of layers and says whether they are still good. Writes nothing."""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stackbuild.errors import LockError, StackbuildError
from stackbuild.locking.pylock import (
    LockedPackage,
    hash_strings,
    lower_packages,
    pin_changes,
    read_packages,
    requirements_hash,
)
from stackbuild.locking.record import LockRecord
from stackbuild.locking.validity import (
    LockInputs,
    constraints_hash,
    declared_hash,
    exclude_newer_time,
    lock_settings,
    locked_inputs,
    needs_new_version,
    other_inputs,
    reasons_to_relock,
)
from stackbuild.project.modules import module_hash
from stackbuild.project.project import Project
from stackbuild.spec.models import ApplicationLayer, BuildName, InstallTarget, RuntimeLayer
from stackbuild.spec.stack import LinkedLayer
from stackbuild.system.json_file import digest_of
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import PinnedPython
from stackbuild.targets.runtime_pin import RuntimePin

if TYPE_CHECKING:
    from stackbuild.locking.refinement import LockTarget


@dataclass(frozen=True, kw_only=True)
class LayerLock:
    """A layer's lock as it is on disk, good or not."""

    record: LockRecord
    packages: tuple[LockedPackage, ...]

    @property
    def locked_at(self) -> datetime:
        return datetime.fromisoformat(self.record.locked_at).astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class LockStatus:
    """Whether a layer's lock is good: `reasons` to resolve it again, or only its version has to rise."""

    reasons: tuple[str, ...]
    needs_version: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that keeps the lock from being good, as sentences; empty when it is."""
        return (*self.reasons, _NEEDS_VERSION) if self.needs_version else self.reasons

    @property
    def is_good(self) -> bool:
        return not self.problems


_NEEDS_VERSION = "its version has to rise: one of its modules changed, or whether it is versioned"


class Locks:
    """The locks of a project, each read once for as long as its files stay the same."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._records: dict[BuildName, tuple[bytes, LockRecord | None]] = {}
        self._read: dict[BuildName, tuple[bytes, LayerLock]] = {}

    def find(self, linked: LinkedLayer) -> LayerLock | None:
        """The lock of a layer, or `None` when it has none or its record does not fit the lock file."""
        record, pylock = self._record(linked), self._project.lock_paths(linked).pylock
        if record is None:
            return None
        try:
            content = pylock.read_bytes()
        except OSError:
            return None
        seen = self._read.get(linked.build_name)
        if seen is not None and seen[0] == content and seen[1].record is record:
            return seen[1]
        lock = LayerLock(record=record, packages=_packages(content, os.fspath(pylock)))
        self._read[linked.build_name] = (content, lock)
        return lock

    def _record(self, linked: LinkedLayer) -> LockRecord | None:
        """The record of a layer's lock; the same object for as long as its file stays the same."""
        try:
            content = self._project.lock_paths(linked).record.read_bytes()
        except OSError:
            return None
        seen = self._records.get(linked.build_name)
        if seen is None or seen[0] != content:
            seen = self._records[linked.build_name] = (content, LockRecord.parse(content))
        return seen[1]

    def get(self, linked: LinkedLayer) -> LayerLock:
        """The lock of a layer that must have one. Raises `LockError` naming the task that makes it."""
        lock = self.find(linked)
        if lock is None:
            raise LockError(
                f"{linked.build_name} has no usable lock in {self._project.lock_paths(linked).folder}",
                hint=f"lock it first: doit lock:{linked.build_name}, or stackbuild lock",
            )
        return lock

    def pin(self, linked: LinkedLayer) -> RuntimePin:
        """The Python that a layer's runtime is locked to. Raises `LockError` when it is not."""
        runtime = self._project.linked(linked.runtime.build_name)
        pin = self._known_pin(runtime)
        if pin is None:
            raise LockError(
                f"{runtime.build_name}: its lock does not say which Python it was made for",
                hint=f"lock it again: doit lock:{runtime.build_name}",
            )
        return pin

    def _known_pin(self, runtime: LinkedLayer) -> RuntimePin | None:
        layer = runtime.layer
        assert isinstance(layer, RuntimeLayer)
        record = self._record(runtime)
        if record is not None and record.runtime is not None:
            return record.runtime
        request = layer.python_request
        if request.exact_version is None:
            return None
        python = PinnedPython(kind=request.kind, version=request.exact_version)
        return RuntimePin(python_implementation=str(python), source=self._project.runtime_sources[0])

    def install_target(self, linked: LinkedLayer) -> InstallTarget:
        """The deployed name of a layer. Raises `LockError` when it is versioned and not locked."""
        if not linked.layer.versioned:
            return InstallTarget(linked.build_name)
        return InstallTarget(f"{linked.build_name}@{self.get(linked).record.lock_version}")

    def python(self, linked: LinkedLayer) -> PinnedPython:
        """The Python that a layer is locked for. Raises `LockError` when its runtime is not locked to one."""
        return self.pin(linked).python

    def lower(self, linked: LinkedLayer) -> tuple[tuple[str, tuple[LockedPackage, ...]], ...]:
        """(build name, packages) of the layers below, nearest first."""
        return tuple(
            (lower.build_name, self.get(lower).packages) for lower in self._project.linked_dependencies(linked)
        )

    def target(self, linked: LinkedLayer, pin: RuntimePin) -> "LockTarget":
        """What the wheels of a layer must fit when its Python is `pin`."""
        from stackbuild.locking.refinement import LockTarget  # noqa: PLC0415 (slow to import; checking locks needs it not)

        return LockTarget(
            platforms=linked.platforms,
            python_version=pin.python.version,
            kind=pin.python.kind,
            linux_target=linked.layer.parsed_linux_target,
            macos_target=linked.layer.parsed_macosx_target,
        )

    def inputs(self, linked: LinkedLayer, pin: RuntimePin, *, now: datetime) -> LockInputs:
        """Everything that the lock of a layer depends on; the layers below must be locked."""
        exclude_newer = self._project.exclude_newer
        spec = self._project.stack.spec
        settings = lock_settings(linked, spec.uv, folder=spec.folder)
        return LockInputs(
            readable=locked_inputs(linked, short_version=pin.python.short_version, settings=settings),
            lock_input_hash=declared_hash(linked.layer.requirements),
            other_inputs_hash=hash_strings(other_inputs(linked, short_version=pin.python.short_version)),
            version_inputs=lambda: hash_strings(version_inputs(linked)),
            settings_hash=digest_of(settings) if settings else None,
            constraints_hash=constraints_hash(lower_packages(self.lower(linked))),
            versioned=linked.layer.versioned,
            python_version=pin.python.release,
            newest_allowed=None if exclude_newer is None else exclude_newer_time(exclude_newer, now=now),
        )

    def status(self, linked: LinkedLayer) -> LockStatus:
        """Whether the lock of a layer is good, the layers below being taken as they are.

        Who asks for a whole stack goes from the bottom up: a layer above one without a good lock has none either.
        """
        record = self._record(linked)
        runtime = self._project.linked(linked.runtime.build_name)
        pin = self._known_pin(runtime)
        if record is None or pin is None:
            return LockStatus(reasons=("it has not been locked yet",))
        if linked.kind == "runtime" and (reason := self._pin_misfit(runtime, pin)):
            return LockStatus(reasons=(reason,))
        try:
            lock = self.find(linked)
            lower = [self.get(dependency) for dependency in self._project.linked_dependencies(linked)]
            inputs = self.inputs(linked, pin, now=datetime.now(UTC))
            needs_version = needs_new_version(record, inputs)  # reads modules
        except StackbuildError as error:
            return LockStatus(reasons=(error.message,))
        if record.tools is None and any(below.record.tools is not None for below in lower):
            # The peer tool's locks do not say what they stand on; it locks anew whatever stands on a new lock.
            return LockStatus(reasons=("a layer below it was locked again",))
        locked_hash = None if lock is None else requirements_hash(lock.packages)
        reasons = reasons_to_relock(
            record,
            inputs=inputs,
            locked_hash=locked_hash,
            declared_before=self._declared_before(linked, record),
            pinned_otherwise=() if lock is None else self._pinned_otherwise(linked, lock),
        )
        return LockStatus(reasons=reasons, needs_version=needs_version)

    def _pinned_otherwise(self, linked: LinkedLayer, lock: LayerLock) -> Iterator[str]:
        """How the pins of lower layers differ from those in a lock; found out only when that is told."""
        yield from pin_changes(lock.packages, lower_packages(self.lower(linked)))

    def _declared_before(self, linked: LinkedLayer, record: LockRecord) -> tuple[str, ...] | None:
        """The requirements that a lock of the peer tool was made from, as the file says that it writes beside it."""
        try:
            text = self._project.lock_paths(linked).declared.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        lines = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
        return lines if hash_strings(sorted(lines)) == record.lock_input_hash else None

    def _pin_misfit(self, runtime: LinkedLayer, pin: RuntimePin) -> str | None:
        layer = runtime.layer
        assert isinstance(layer, RuntimeLayer)
        if not pin_fits(pin, layer.python_request):
            return f"python_implementation changed: {pin.python_implementation} -> {layer.python_implementation}"
        if pin.source not in self._project.runtime_sources:
            return f"the runtime source changed: {pin.source} -> {', '.join(self._project.runtime_sources)}"
        return None


def _packages(pylock: bytes, origin: str) -> tuple[LockedPackage, ...]:
    try:
        return read_packages(tomllib.loads(pylock.decode()), origin=origin)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LockError(f"{origin} cannot be read: {error}", hint="remove it and lock the layer again") from error


def pin_fits(pin: RuntimePin, request: PythonRequest) -> bool:
    """Whether the pinned Python is one that `python_implementation` asks for."""
    return pin.python.kind is request.kind and request.accepts(pin.python.version)


def version_inputs(linked: LinkedLayer) -> list[str]:
    """The parts of `version_inputs_hash`, in order."""
    parts = [f"env_name={linked.build_name}", f"is_versioned_layer={linked.layer.versioned}"]
    if isinstance(linked.layer, ApplicationLayer):
        parts.append(module_hash(linked.layer.launch_module))
        parts.extend(module_hash(path) for path in linked.layer.support_modules)
    return parts
