"""Whether a layer's lock is valid, and everything that decides it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stackbuild.errors import StackbuildError
from stackbuild.locking.pylock import LowerPackage, hash_strings, lower_packages, pin_changes, requirements_hash
from stackbuild.locking.record import LockRecord
from stackbuild.locking.validity import (
    LockInputs,
    constraints_hash,
    declared_hash,
    lock_settings,
    locked_inputs,
    needs_new_version,
    other_inputs,
    reasons_to_relock,
)
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.modules import module_hash
from stackbuild.project.record_files import LayerLock
from stackbuild.spec.exclude_newer import exclude_newer_time
from stackbuild.spec.models import ApplicationLayer, BuildName, RuntimeLayer
from stackbuild.spec.stack import LinkedLayer
from stackbuild.system.files import read_file
from stackbuild.system.json_file import digest_of
from stackbuild.targets.runtime_pin import RuntimePin

if TYPE_CHECKING:
    from stackbuild.locking.refinement import LockTarget


@dataclass(frozen=True, kw_only=True)
class LockStatus:
    """Whether a layer's lock is valid: it is when there are no `problems`."""

    reasons: tuple[str, ...]
    """Why it must be resolved again."""
    needs_version: bool = False
    """Whether its version has to rise."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that keeps the lock from being valid, as sentences; empty when it is."""
        return (*self.reasons, _NEEDS_VERSION) if self.needs_version else self.reasons


_MOST_BYTES = 16_000_000
_NEEDS_VERSION = "its version has to rise: one of its modules changed, or whether it is versioned"


def lock_status(layer: ProjectLayer) -> LockStatus:
    """Whether the lock of a layer is valid for the locks below it as they are on disk.

    Whether those are valid themselves is not checked here: for a whole stack, use `lock_problems`.
    """
    record, pin = layer.lock_record, layer.known_pin
    if record is None or pin is None:
        return LockStatus(reasons=("it has not been locked yet",))
    if layer.kind == "runtime" and (reason := _pin_misfit(layer, pin)):
        return LockStatus(reasons=(reason,))
    try:
        lock = layer.found_lock
        lower = [below.lock for below in layer.lower]
        inputs = lock_inputs(layer, pin, now=datetime.now(UTC))
        needs_version = needs_new_version(record, inputs)  # reads modules
    except StackbuildError as error:
        return LockStatus(reasons=(error.message,))
    if record.tools is None and any(below.record.tools is not None for below in lower):
        # A lock by venvstacks does not record the locks below it: venvstacks locks every layer above a new lock again.
        return LockStatus(reasons=("a layer below it was locked again",))
    reasons = reasons_to_relock(
        record,
        inputs=inputs,
        locked_hash=None if lock is None else requirements_hash(lock.packages),
        declared_before=_declared_before(layer, record),
        pinned_otherwise=() if lock is None else _pinned_otherwise(layer, lock),
    )
    return LockStatus(reasons=reasons, needs_version=needs_version)


def lock_problems(layers: Mapping[BuildName, ProjectLayer]) -> dict[BuildName, tuple[str, ...]]:
    """Why the lock of each layer is not valid, lower layers first; an empty tuple for a valid one."""
    problems: dict[BuildName, tuple[str, ...]] = {}
    for name, layer in layers.items():
        below = [lower.build_name for lower in layer.lower if problems[lower.build_name]]
        inherited = (f"no valid lock below it: {', '.join(below)}",) if below else ()
        problems[name] = lock_status(layer).problems or inherited
    return problems


def lock_inputs(layer: ProjectLayer, pin: RuntimePin, *, now: datetime) -> LockInputs:
    """Everything that the lock of a layer depends on when its Python is `pin`; the layers below must be locked."""
    exclude_newer, spec, linked = layer.project.exclude_newer, layer.project.stack.spec, layer.linked
    settings = lock_settings(linked, spec.uv, folder=spec.folder)
    return LockInputs(
        readable=locked_inputs(linked, short_version=pin.python.short_version, settings=settings),
        lock_input_hash=declared_hash(layer.declared.requirements),
        lock_input_hash_with_secrets=declared_hash(layer.declared.requirements, with_secrets=True),
        other_inputs_hash=hash_strings(other_inputs(linked, short_version=pin.python.short_version)),
        version_inputs=lambda: hash_strings(version_inputs(layer.linked)),
        settings_hash=digest_of(settings) if settings else None,
        constraints_hash=constraints_hash(packages_below(layer)),
        versioned=layer.declared.versioned,
        python_version=pin.python.release,
        newest_allowed=None if exclude_newer is None else exclude_newer_time(exclude_newer, now=now),
    )


def packages_below(layer: ProjectLayer) -> tuple[LowerPackage, ...]:
    """What the locks of the layers below pin, nearest layer first. Raises `LockError` when one has no lock."""
    return lower_packages(tuple((lower.build_name, lower.lock.packages) for lower in layer.lower))


def lock_target(layer: ProjectLayer, pin: RuntimePin) -> "LockTarget":
    """What the wheels of a layer must fit when its Python is `pin`."""
    from stackbuild.locking.refinement import LockTarget  # slow to import, and not needed to check a lock

    return LockTarget(
        platforms=layer.linked.platforms,
        python_version=pin.python.version,
        kind=pin.python.kind,
        linux_target=layer.declared.parsed_linux_target,
        macos_target=layer.declared.parsed_macosx_target,
    )


def _pin_misfit(runtime: ProjectLayer, pin: RuntimePin) -> str | None:
    declared, sources = runtime.declared, runtime.project.runtime_sources
    assert isinstance(declared, RuntimeLayer)
    if not declared.python_request.fits(pin.python):
        return f"python_implementation changed: {pin.python_implementation} -> {declared.python_implementation}"
    if pin.source not in sources:
        return f"the runtime source changed: {pin.source} -> {', '.join(sources)}"
    return None


def _pinned_otherwise(layer: ProjectLayer, lock: LayerLock) -> Iterator[str]:
    """How the pins of lower layers differ from those in a lock; computed only when a message needs it."""
    yield from pin_changes(lock.packages, packages_below(layer))


def _declared_before(layer: ProjectLayer, record: LockRecord) -> tuple[str, ...] | None:
    """The requirements that a lock by venvstacks was made from, according to the file beside the lock."""
    try:
        text = read_file(layer.lock_paths.declared, most=_MOST_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return None
    lines = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return lines if hash_strings(sorted(lines)) == record.lock_input_hash else None


def version_inputs(linked: LinkedLayer) -> list[str]:
    """The parts of `version_inputs_hash`, in order."""
    parts = [f"env_name={linked.build_name}", f"is_versioned_layer={linked.layer.versioned}"]
    if isinstance(linked.layer, ApplicationLayer):
        parts.append(module_hash(linked.layer.launch_module))
        parts.extend(module_hash(path) for path in linked.layer.support_modules)
    return parts
