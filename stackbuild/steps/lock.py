"""Lock a layer: resolve its requirements on top of the layers below and write its lock files, the record last."""

import functools
import os
import tomllib
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from stackbuild.errors import LockError
from stackbuild.locking.pylock import LowerPackage, lower_packages, package_summary, read_packages, requirements_hash
from stackbuild.locking.record import LockRecord
from stackbuild.locking.refinement import LockTarget, RefinedLock, missing_wheels_error, refine
from stackbuild.locking.validity import LockInputs
from stackbuild.project.locks import Locks, pin_fits
from stackbuild.project.paths import LockPaths
from stackbuild.project.project import Project
from stackbuild.runtimes.source import RuntimeSource, WantedRuntime
from stackbuild.spec.models import RuntimeLayer
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.system.files import disk_errors, private_folder, write_atomic
from stackbuild.system.process import Runner
from stackbuild.system.urls import without_credentials
from stackbuild.targets.pythons import PinnedPython
from stackbuild.targets.runtime_pin import RuntimePin
from stackbuild.uv import commands as uv_commands
from stackbuild.uv import resolution as uv_resolution
from stackbuild.uv.conflicts import Resolution
from stackbuild.uv.failures import resolution_error


@dataclass(frozen=True, kw_only=True)
class LockTools:
    """What locking needs from outside: the process runner, where runtimes come from, uv's version, the clock.

    runtimes: opens the source, which is slow, and which only some layers need.
    """

    run: Runner
    runtimes: Callable[[], RuntimeSource]
    uv_version: str
    now: Callable[[], datetime]


def lock_layer(
    project: Project,
    locks: Locks,
    linked: LinkedLayer,
    tools: LockTools,
    *,
    forced: bool = False,
    reset: bool = False,
    report: Report,
) -> Outcome:
    """Make the lock of `linked` anew; the layers below must be locked.

    A resolution that changes nothing keeps the recorded time and version. When only the version has to rise, nothing
    is resolved unless it is `forced`. `reset`: the Python of a runtime is chosen afresh, whatever the lock says, and
    the indexes are asked for everything again.

    Raises `LockError`, `RuntimeSourceError`, `ToolError`; nothing of the old lock is lost then.
    """
    paths = project.lock_paths(linked)
    status = locks.status(linked)
    record = LockRecord.read(paths.record)
    if record is not None and not forced and not status.reasons and status.needs_version:
        return _raise_version(locks, linked, paths, record)
    report("looking for a Python")
    pin = _choose_python(locks, linked, None if reset else record, tools)
    inputs = locks.inputs(linked, pin, now=tools.now())
    lower = lower_packages(locks.lower(linked))
    report(f"resolving {_count(len(linked.layer.requirements), 'requirement')}")
    target = locks.target(linked, pin)
    exported = _resolve(project, linked, lower, inputs, target, pin, tools, refresh=reset)
    refined = refine(
        exported,
        target=target,
        lower=lower,
        relative_path=lambda location: _relative_wheel(location, project, linked, paths),
    )
    if refined.missing_wheels:
        raise missing_wheels_error(linked.build_name, target, refined.missing_wheels)
    return _write(linked, paths, refined, record, inputs, pin, tools)


def _choose_python(locks: Locks, linked: LinkedLayer, record: LockRecord | None, tools: LockTools) -> RuntimePin:
    """The pinned Python of the layer's runtime, chosen now if it has no fitting pin."""
    layer = linked.layer
    if not isinstance(layer, RuntimeLayer):
        return locks.pin(linked)
    request = layer.python_request
    kept = record.runtime if record is not None and record.runtime and pin_fits(record.runtime, request) else None
    wanted = WantedRuntime(
        request=request, platforms=linked.platforms, libc=layer.parsed_linux_target.variant, kept=kept
    )
    return tools.runtimes().choose(wanted)


def _resolve(
    project: Project,
    linked: LinkedLayer,
    lower: tuple[LowerPackage, ...],
    inputs: LockInputs,
    target: LockTarget,
    pin: RuntimePin,
    tools: LockTools,
    *,
    refresh: bool,
) -> dict[str, Any]:
    """Uv's universal resolution of the layer as a PEP 751 document."""
    short = ".".join(target.python_version.split(".")[:2])
    if not linked.layer.requirements:
        return {"lock-version": "1.0", "requires-python": f"=={short}.*", "packages": []}
    settings = project.stack.spec.uv
    generated = uv_resolution.resolution_project(
        linked,
        settings=settings,
        lower=lower,
        short_version=short,
        # as a point in time: a date alone means another one to uv in each time zone
        exclude_newer=None if inputs.newest_allowed is None else inputs.newest_allowed.isoformat(),
        folder=project.stack.spec.folder,
        local_wheels=project.local_wheels,
        query_index=project.query_index,
    )
    asked = Resolution(
        linked=linked,
        settings=settings,
        lower=lower,
        target=target,
        files={"pyproject.toml": tomli_w.dumps(generated.pyproject), "uv.toml": tomli_w.dumps(generated.config)},
        query_index=project.query_index,
    )
    folder = project.workspace.resolution_folder(linked.build_name)
    try:
        return _run_uv(project, asked, folder, tools.runtimes().python(pin), tools, refresh=refresh)
    finally:
        _forget_credentials(folder)


def _run_uv(
    project: Project, asked: Resolution, folder: Path, python: Path, tools: LockTools, *, refresh: bool
) -> dict[str, Any]:
    layer = asked.linked.build_name
    exported = folder / "pylock.toml"
    with disk_errors(f"write uv's inputs for {layer}", LockError):
        private_folder(folder)  # URLs may bring credentials, until uv has read them
        for old in (exported, folder / "uv.lock"):  # each resolution starts afresh
            old.unlink(missing_ok=True)
        for name, text in asked.files.items():
            write_atomic(folder / name, text)
    locking = functools.partial(uv_commands.lock_command, folder, python=python, environ=project.environ)
    result = tools.run(locking(refresh=refresh))
    if not refresh and result.status > 0 and uv_commands.found_no_solution(result.said):
        again = tools.run(locking(refresh=True))  # it may have been published since uv's cache was asked last
        result = again if again.status == 0 or uv_commands.found_no_solution(again.said) else result
    if result.status == 0:
        result = tools.run(uv_commands.export_command(folder, python=python, output=exported, environ=project.environ))
    if result.status > 0:
        raise resolution_error(asked, result.said)
    result.check()
    try:
        return tomllib.loads(exported.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LockError(f"{layer}: uv wrote no lock that can be read: {error}") from error


def _forget_credentials(folder: Path) -> None:
    """Leave no user names and passwords of URLs in uv's working files, which may end up in a cache of builds."""
    with disk_errors("remove credentials from uv's working files", LockError):
        for path in (folder / name for name in ("pyproject.toml", "uv.toml", "uv.lock", "pylock.toml")):
            if path.is_file() and (safe := without_credentials(text := path.read_text("utf-8"))) != text:
                write_atomic(path, safe)


def _relative_wheel(location: str, project: Project, linked: LinkedLayer, paths: LockPaths) -> str:
    """The place of a local wheel relative to the lock file, with `/`."""
    if location.startswith("file:"):
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(location).path))
    else:
        path = project.workspace.resolution_folder(linked.build_name) / location
    try:
        relative = os.path.relpath(path, paths.folder)
    except ValueError as error:  # another drive of Windows
        raise LockError(
            f"{linked.build_name}: the wheel {path} lies on another drive than its lock file",
            hint="move the wheels next to the specification",
        ) from error
    return relative.replace(os.sep, "/")


def _write(
    linked: LinkedLayer,
    paths: LockPaths,
    refined: RefinedLock,
    old: LockRecord | None,
    inputs: LockInputs,
    pin: RuntimePin,
    tools: LockTools,
) -> Outcome:
    text = (
        f"# Locked requirements for {linked.build_name} (DO NOT EDIT)\n"
        f"#     Auto-generated by stackbuild: lock the layer again to change them\n{tomli_w.dumps(refined.document)}"
    )
    packages = read_packages(tomllib.loads(text), origin=os.fspath(paths.pylock))
    locked_hash = requirements_hash(packages)
    same = old is not None and old.requirements_hash == locked_hash and not _has_other_python(linked, old, inputs, pin)
    record = LockRecord(
        requirements_hash=locked_hash,
        lock_input_hash=inputs.lock_input_hash,
        other_inputs_hash=inputs.other_inputs_hash,
        version_inputs_hash=inputs.version_inputs_hash,
        lock_version=_next_version(old, inputs, changed=not same),
        locked_at=_lock_time(old if same else None, inputs, tools.now()),
        tools={"uv": tools.uv_version},
        runtime=pin if linked.kind == "runtime" else None,
        settings_hash=inputs.settings_hash,
        constraints_hash=inputs.constraints_hash,
        python_version=inputs.python_version,
        inputs=inputs.readable,
    )
    with disk_errors(f"write the lock of {linked.build_name}", LockError):
        if _document_on_disk(paths.pylock) != tomllib.loads(text):
            write_atomic(paths.pylock, text)
        write_atomic(paths.summary, package_summary(linked.build_name, packages))
        record.write(paths.record)
    own = sum(not package.is_shared for package in packages)
    shared = len(packages) - own
    counted = f"{_count(own, 'package')}" + (f", {shared} shared" if shared else "")
    return Outcome(done=f"kept: nothing changed ({counted})" if same else counted)


def _has_other_python(linked: LinkedLayer, old: LockRecord, inputs: LockInputs, pin: RuntimePin) -> bool:
    """Whether a layer was locked for another Python: for a runtime, which is that Python, another file, else X.Y."""
    if linked.kind == "runtime" and old.runtime is not None and pin.differs_from(old.runtime):
        return True
    if old.python_version is None or inputs.python_version is None:
        return False
    before, now = (PinnedPython.parse_release(it) for it in (old.python_version, inputs.python_version))
    if linked.kind == "runtime":
        return before != now
    return before.feature_release != now.feature_release


def _document_on_disk(pylock: Path) -> dict[str, Any] | None:
    """The lock file as it is, perhaps changed by hand; `None` when it cannot be read."""
    try:
        return tomllib.loads(pylock.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _next_version(old: LockRecord | None, inputs: LockInputs, *, changed: bool) -> int:
    if not inputs.versioned or old is None:
        return 1
    return old.lock_version + (changed or old.version_inputs_hash != inputs.version_inputs_hash)


def _lock_time(unchanged: LockRecord | None, inputs: LockInputs, now: datetime) -> str:
    """The recorded time of an unchanged lock unless it is too late, else the lock time, in UTC."""
    newest = inputs.newest_allowed
    if unchanged is not None:
        recorded = datetime.fromisoformat(unchanged.locked_at).astimezone(UTC)
        if newest is None or recorded <= newest:
            return unchanged.locked_at
    return (newest or now).astimezone(UTC).replace(microsecond=0).isoformat()


def _raise_version(locks: Locks, linked: LinkedLayer, paths: LockPaths, record: LockRecord) -> Outcome:
    """A good lock under the next version: only what the version stands for changed (a module, say)."""
    inputs = locks.inputs(linked, locks.pin(linked), now=datetime.now(UTC))
    version = record.lock_version + 1
    updated = record.model_copy(update={"lock_version": version, "version_inputs_hash": inputs.version_inputs_hash})
    with disk_errors(f"write the lock of {linked.build_name}", LockError):
        updated.write(paths.record)
    return Outcome(done=f"version {version}: same packages")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
