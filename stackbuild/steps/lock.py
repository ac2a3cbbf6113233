"""Lock a layer: resolve its requirements on top of the layers below and write its lock files, the record last."""

import functools
import os
import tomllib
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w
from packaging.utils import canonicalize_name

from stackbuild.errors import LockError
from stackbuild.locking.file_changes import file_changes, moved_versions
from stackbuild.locking.missing_wheels import missing_wheels_error
from stackbuild.locking.platform_packages import platform_packages
from stackbuild.locking.pylock import LockedPackage, LowerPackage, package_summary, read_packages, requirements_hash
from stackbuild.locking.record import LockRecord
from stackbuild.locking.refinement import LockTarget, RefinedLock, refine
from stackbuild.locking.validity import LockInputs
from stackbuild.project.layer import ProjectLayer, installed_on
from stackbuild.project.lock_status import lock_inputs, lock_status, lock_target, packages_below
from stackbuild.runtimes.source import RuntimeSource, WantedRuntime
from stackbuild.spec.launch_modules import launch_notices
from stackbuild.spec.models import RuntimeLayer
from stackbuild.steps.index_questions import index_questions
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.system.files import disk_errors, private_folder, remove_unfinished, write_atomic
from stackbuild.system.process import Runner
from stackbuild.system.quantities import counted
from stackbuild.system.toml import parse_toml
from stackbuild.system.urls import secret_parameter, without_secrets
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PinnedPython
from stackbuild.targets.runtime_pin import RuntimePin
from stackbuild.uv import commands as uv_commands
from stackbuild.uv.conflicts import Resolution
from stackbuild.uv.failures import resolution_error
from stackbuild.uv.lacking_platforms import lacking_platforms
from stackbuild.uv.preferences import preferences
from stackbuild.uv.report import warnings_of
from stackbuild.uv.resolution import ResolutionProject, resolution_project


@dataclass(frozen=True, kw_only=True)
class LockTools:
    """What locking needs from outside: the process runner, where runtimes come from, uv's version, the clock."""

    run: Runner
    runtimes: Callable[[], RuntimeSource]
    """Opens the source of runtimes. That is slow, and only some layers need it."""
    uv_version: str
    now: Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class _LockJob:
    """What is to be locked: a layer, its Python, everything that its lock depends on, and the pins below it."""

    layer: ProjectLayer
    pin: RuntimePin
    inputs: LockInputs
    lower: tuple[LowerPackage, ...]
    old: tuple[LockedPackage, ...]
    """The packages of the lock on disk."""
    keeps_versions: bool
    """Whether they stay at their versions where that is possible."""
    upgrade: tuple[str, ...] = ()
    """Requirements for packages that may have other versions."""
    refresh: bool = False
    """Whether indexes are asked for everything again."""

    @property
    def target(self) -> LockTarget:
        return lock_target(self.layer, self.pin)


def lock_layer(
    layer: ProjectLayer,
    tools: LockTools,
    *,
    forced: bool = False,
    reset: bool = False,
    upgrade: Sequence[str] = (),
    report: Report,
) -> Outcome:
    """Lock `layer`. The layers below must be locked.

    Packages stay at the versions that they are locked to, as far as that is still possible, except those in `upgrade`
    (names, or requirements such as `numpy<3`). A resolution that changes nothing keeps the recorded time and version.
    When only the version has to rise, nothing is resolved unless `forced`. With `reset`, nothing of the old lock has
    influence: the Python of a runtime is chosen again, and uv asks the indexes for everything again.

    Raises `LockError`, `RuntimeSourceError` or `ToolError`. The old lock is then still there.
    """
    status, record = lock_status(layer), layer.lock_record
    if record is not None and not forced and not status.reasons and status.needs_version:
        return _raise_version(layer, record)
    report("looking for a Python")
    pin = _choose_python(layer, None if reset else record, tools)
    old = _old_packages(layer)
    inputs = lock_inputs(layer, pin, now=tools.now())
    job = _LockJob(
        layer=layer,
        pin=pin,
        inputs=inputs,
        lower=packages_below(layer),
        old=old,
        keeps_versions=not reset and _keeps_versions(layer, record, inputs),
        upgrade=tuple(upgrade),
        refresh=reset,
    )
    report(f"resolving {counted(len(layer.declared.requirements), 'requirement')}")
    resolved, warnings = _resolve(job, tools)
    refined = refine(
        resolved,
        target=job.target,
        lower=job.lower,
        relative_path=lambda location: _relative_wheel(location, layer),
    )
    if refined.missing_wheels:
        raise missing_wheels_error(
            layer.build_name, job.target, refined.missing_wheels, declared=layer.declared.requirements
        )
    outcome = _write(job, refined, record, tools)
    new = read_packages(refined.document, origin=layer.build_name)
    changed = file_changes(old, new, fits=lambda wheel: bool(job.target.fitting([wheel])))
    notices = (
        *warnings,
        *changed,
        *_lost_releases(job, new, tools),
        *_urls_with_secrets(resolved, new),
        *launch_notices(layer.declared, pin.python.version),
    )
    return replace(outcome, notices=tuple(f"{layer.build_name}: {notice}" for notice in notices))


def _urls_with_secrets(resolved: Mapping[str, Any], new: Sequence[LockedPackage]) -> list[str]:
    """A sentence if servers need secrets in URLs of wheels, as far as URLs tell."""
    own = {package.name for package in new if not package.is_shared}
    names = [
        table["name"]
        for table in resolved.get("packages", ())
        if table["name"] in own and any(secret_parameter(wheel.get("url", "")) for wheel in table.get("wheels", ()))
    ]
    told = ", ".join(dict.fromkeys(names))
    return (
        [f"the index gives URLs with secrets, which are not locked; without them, servers may refuse: {told}"]
        if told
        else []
    )


def _lost_releases(job: _LockJob, new: Sequence[LockedPackage], tools: LockTools) -> list[str]:
    """A sentence for each package that has another version now because no index has the old one any more."""
    layer = job.layer
    if job.upgrade or not job.keeps_versions:
        return []
    by_url = {canonicalize_name(it.name) for it in layer.declared.requirements if it.url}
    old = [package for package in job.old if package.name not in by_url]
    moved = moved_versions(old, new, declared=map(str, layer.declared.requirements))
    if not moved:
        return []
    generated = generated_project(layer, job.pin, job.inputs)
    python = tools.runtimes().python(job.pin)
    with index_questions(layer, generated, python=python, run=tools.run) as asked:
        offered = asked.newest([f"{name}=={old}" for name, (old, _) in moved.items()], with_limit=False)
    return [
        f"{name} {old}, which was locked, is no longer offered: {now} took its place"
        for name, (old, now) in moved.items()
        if name not in offered
    ]


def _old_packages(layer: ProjectLayer) -> tuple[LockedPackage, ...]:
    """The packages of the layer's lock as it is on disk; none if there is no lock that can be read."""
    try:
        return layer.found_lock.packages if layer.found_lock else ()
    except LockError:  # it is replaced
        return ()


_STRATEGIES = ("resolution", "prerelease", "fork-strategy", "index-strategy")
"""Settings that say which versions are preferred: when one of them changes, those of the old lock are not any more."""


def _keeps_versions(layer: ProjectLayer, record: LockRecord | None, inputs: LockInputs) -> bool:
    """Whether packages stay at the versions of the old lock where they can."""
    before = record.inputs.settings if record is not None and record.inputs else None
    changed = before is not None and any(before.get(it) != inputs.readable.settings.get(it) for it in _STRATEGIES)
    return not (changed or layer.project.like_venvstacks)


def _choose_python(layer: ProjectLayer, record: LockRecord | None, tools: LockTools) -> RuntimePin:
    """The pinned Python of the layer's runtime, chosen now if there is no pin that fits."""
    declared = layer.declared
    if not isinstance(declared, RuntimeLayer):
        return layer.pin
    request = declared.python_request
    kept = record.runtime if record is not None and record.runtime and request.fits(record.runtime.python) else None
    wanted = WantedRuntime(
        request=request,
        platforms=layer.linked.platforms,
        libc=declared.parsed_linux_target.variant,
        kept=kept,
    )
    return tools.runtimes().choose(wanted)


def generated_project(layer: ProjectLayer, pin: RuntimePin, inputs: LockInputs) -> ResolutionProject:
    """The project that uv resolves to lock a layer."""
    project, newest = layer.project, inputs.newest_allowed
    return resolution_project(
        layer.linked,
        settings=project.stack.spec.uv,
        lower=packages_below(layer),
        python_version=pin.python.version,
        # as a point in time: uv reads a date in the local time zone
        exclude_newer=None if newest is None else newest.isoformat(),
        folder=project.stack.spec.folder,
        local_wheels=project.local_wheels,
        query_index=project.query_index,
    )


def _resolve(job: _LockJob, tools: LockTools) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Uv's universal resolution of the layer as a PEP 751 document, and what uv warned of."""
    layer, project = job.layer, job.layer.project
    short = job.pin.python.short_version
    if not layer.declared.requirements:
        return {"lock-version": "1.0", "requires-python": f"=={short}.*", "packages": []}, ()
    settings, generated = project.stack.spec.uv, generated_project(layer, job.pin, job.inputs)
    resolution = Resolution(
        linked=layer.linked,
        settings=settings,
        lower=job.lower,
        target=job.target,
        files={"pyproject.toml": tomli_w.dumps(generated.pyproject), "uv.toml": tomli_w.dumps(generated.config)},
        query_index=project.query_index,
    )
    earlier = tomli_w.dumps(preferences(job.old, generated)) if job.old and job.keeps_versions else None
    folder = project.workspace.resolution_folder(layer.build_name)
    try:
        return _run_uv(job, resolution, folder, tools, environ=generated.environ(project.environ), earlier_lock=earlier)
    finally:
        _forget_secrets(folder)


def _run_uv(
    job: _LockJob,
    resolution: Resolution,
    folder: Path,
    tools: LockTools,
    *,
    environ: Mapping[str, str],
    earlier_lock: str | None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    layer = job.layer.build_name
    exported = folder / "pylock.toml"
    files = {**resolution.files, **({} if earlier_lock is None else {"uv.lock": earlier_lock})}
    with disk_errors(f"write uv's inputs for {layer}", LockError):
        private_folder(folder)  # an index may give URLs with secrets, which uv writes
        for old in (exported, folder / "uv.lock"):  # what an earlier run left has no influence
            old.unlink(missing_ok=True)
        remove_unfinished(*(folder / name for name in files))
        for name, text in files.items():
            write_atomic(folder / name, text)
    python = tools.runtimes().python(job.pin)
    locking = functools.partial(uv_commands.lock_command, folder, python=python, environ=environ, upgrade=job.upgrade)
    locked = tools.run(locking(refresh=job.refresh))
    if not job.refresh and locked.status > 0 and uv_commands.found_no_solution(locked.said):
        again = tools.run(locking(refresh=True))  # a release may be newer than uv's cache
        locked = again if again.status == 0 or uv_commands.found_no_solution(again.said) else locked
    result = locked
    if locked.status == 0:
        result = tools.run(uv_commands.export_command(folder, python=python, output=exported, environ=environ))
    if result.status > 0:

        def resolve(asked: Resolution) -> str:
            with disk_errors(f"write uv's inputs for {layer}", LockError):
                write_atomic(folder / "pyproject.toml", asked.files["pyproject.toml"])
            return tools.run(locking(refresh=False)).said

        raise resolution_error(resolution, result.said, lacking=lacking_platforms(resolution, result.said, resolve))
    result.check()
    try:
        return tomllib.loads(exported.read_text(encoding="utf-8")), warnings_of(locked.said)
    except (OSError, ValueError) as error:
        raise LockError(f"{layer}: uv wrote no lock that can be read: {error}") from error


def _forget_secrets(folder: Path) -> None:
    """Remove secrets that an index put into URLs of files from what uv wrote, which may end up in a build cache."""
    with disk_errors("remove secrets from uv's working files", LockError):
        for path in (folder / name for name in ("uv.lock", "pylock.toml")):
            if path.is_file() and (safe := without_secrets(text := path.read_text("utf-8"))) != text:
                write_atomic(path, safe)


def _relative_wheel(location: str, layer: ProjectLayer) -> str:
    """The path of a local wheel relative to the lock file's folder, with `/`."""
    if location.startswith("file:"):
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(location).path))
    else:
        path = layer.project.workspace.resolution_folder(layer.build_name) / location
    try:
        relative = os.path.relpath(path, layer.lock_paths.folder)
    except ValueError as error:  # another drive of Windows
        raise LockError(
            f"{layer.build_name}: the wheel {path} lies on another drive than its lock file",
            hint="move the wheels next to the specification",
        ) from error
    return relative.replace(os.sep, "/")


def _write(job: _LockJob, refined: RefinedLock, old: LockRecord | None, tools: LockTools) -> Outcome:
    layer, paths, inputs = job.layer, job.layer.lock_paths, job.inputs
    text = (
        f"# Locked requirements for {layer.build_name} (DO NOT EDIT)\n"
        f"#     Auto-generated by stackbuild: lock the layer again to change them\n{tomli_w.dumps(refined.document)}"
    )
    packages = read_packages(tomllib.loads(text), origin=os.fspath(paths.pylock))
    locked_hash = requirements_hash(packages)
    same = old is not None and old.requirements_hash == locked_hash and not _has_other_python(job, old)
    record = LockRecord(
        requirements_hash=locked_hash,
        lock_input_hash=inputs.lock_input_hash,
        other_inputs_hash=inputs.other_inputs_hash,
        version_inputs_hash=inputs.version_inputs_hash,
        lock_version=_next_version(old, inputs, changed=not same and _changes_a_platform(job, old, packages)),
        locked_at=_lock_time(old if same else None, inputs, tools.now()),
        tools={"uv": tools.uv_version},
        runtime=job.pin if layer.kind == "runtime" else None,
        settings_hash=inputs.settings_hash,
        constraints_hash=inputs.constraints_hash,
        python_version=inputs.python_version,
        inputs=inputs.readable,
    )
    with disk_errors(f"write the lock of {layer.build_name}", LockError):
        if _document_on_disk(paths.pylock) != tomllib.loads(text):
            write_atomic(paths.pylock, text, durable=True)
        summary = package_summary(layer.build_name, packages)
        if _text_on_disk(paths.summary) != summary:
            write_atomic(paths.summary, summary, durable=True)
        if record != old:
            record.write_last(paths.record)
    own = sum(not package.is_shared for package in packages)
    shared = len(packages) - own
    what = counted(own, "package") + (f", {shared} shared" if shared else "")
    return Outcome(done=f"kept: nothing changed ({what})" if same else what)


def _has_other_python(job: _LockJob, old: LockRecord) -> bool:
    """Whether a layer was locked for another Python: a runtime for another release or file, others for another X.Y."""
    is_runtime, locked_for = job.layer.kind == "runtime", job.inputs.python_version
    if is_runtime and old.runtime is not None and job.pin.differs_from(old.runtime):
        return True
    if old.python_version is None or locked_for is None:
        return False
    before, now = (PinnedPython.parse_release(it) for it in (old.python_version, locked_for))
    if is_runtime:
        return before != now
    return before.feature_release != now.feature_release


def _changes_a_platform(job: _LockJob, old: LockRecord | None, packages: Sequence[LockedPackage]) -> bool:
    """Whether something else is installed than before on a platform that the old lock was for, too."""
    layer = job.layer
    if old is None or old.inputs is None or layer.project.like_venvstacks or _has_other_python(job, old):
        return True
    if requirements_hash(job.old) != old.requirements_hash:  # edited by hand, or missing
        return True
    named = old.inputs.settings.get("platforms")
    before = named if isinstance(named, list) else list(TargetPlatform)
    places = [installed_on(layer, job.pin, platform) for platform in layer.linked.platforms if platform in before]
    return not places or any(
        platform_packages(job.old, place).content_hash != platform_packages(packages, place).content_hash
        for place in places
    )


def _document_on_disk(pylock: Path) -> dict[str, Any] | None:
    """The lock file as it is on disk, perhaps edited by hand; `None` when it cannot be read."""
    text = _text_on_disk(pylock)
    try:
        return None if text is None else parse_toml(text)
    except ValueError:
        return None


def _text_on_disk(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return None


def _next_version(old: LockRecord | None, inputs: LockInputs, *, changed: bool) -> int:
    if not inputs.versioned or old is None:
        return 1
    return old.lock_version + (changed or old.version_inputs_hash != inputs.version_inputs_hash)


def _lock_time(unchanged: LockRecord | None, inputs: LockInputs, now: datetime) -> str:
    """When an unchanged lock was recorded, unless that is later than allowed; else the limit or now, in UTC."""
    newest = inputs.newest_allowed
    if unchanged is not None:
        recorded = datetime.fromisoformat(unchanged.locked_at).astimezone(UTC)
        if newest is None or recorded <= newest:
            return unchanged.locked_at
    return (newest or now).astimezone(UTC).replace(microsecond=0).isoformat()


def _raise_version(layer: ProjectLayer, record: LockRecord) -> Outcome:
    """Give a valid lock the next version: only what the version stands for changed, such as a module."""
    inputs = lock_inputs(layer, layer.pin, now=datetime.now(UTC))
    version = record.lock_version + 1
    updated = record.model_copy(update={"lock_version": version, "version_inputs_hash": inputs.version_inputs_hash})
    with disk_errors(f"write the lock of {layer.build_name}", LockError):
        updated.write_last(layer.lock_paths.record)
    return Outcome(done=f"version {version}: same packages")
