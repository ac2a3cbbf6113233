"""What each step's result depends on, as digests that records carry. Reads locks and module sources, writes nothing.

A digest has no path, no time and no name of this machine in it: a record made elsewhere is good here.
"""

from collections.abc import Iterable
from typing import Any

from stackbuild.errors import BuildError
from stackbuild.project.locks import Locks
from stackbuild.project.modules import module_content
from stackbuild.project.paths import OutputPaths
from stackbuild.project.project import Project
from stackbuild.project.records import BuildRecord
from stackbuild.spec.models import ApplicationLayer
from stackbuild.spec.stack import LinkedLayer
from stackbuild.system.json_file import digest_of

BUILD_FORMAT = 4
"""Raised when environments are built differently from the same inputs."""


OUTPUT_FORMAT = 4
"""Raised when archives or exports are made differently from the same environment."""


def build_inputs(project: Project, locks: Locks, linked: LinkedLayer) -> str:
    """The digest of what a build environment is made from. Raises as `looks_for_libraries` does."""
    layer, pin = linked.layer, locks.pin(linked)
    file = pin.file(project.platform)
    has_files_of_python = linked.kind == "runtime" or project.platform.is_windows  # launchers
    inputs: dict[str, Any] = {
        "format": BUILD_FORMAT,
        "name": linked.build_name,
        "platform": project.platform,
        "python": [pin.python_implementation, pin.source],
        "distribution": file.model_dump(exclude={"url"}) if file is not None and has_files_of_python else None,
        "requirements": locks.get(linked).record.requirements_hash,
        # a target that the layer states itself is checked more severely
        "linux_target": [layer.linux_target, layer.states("linux_target")] if project.platform.is_linux else None,
        "macosx_target": [layer.macosx_target, layer.states("macosx_target")] if project.platform.is_macos else None,
        "dynlib_exclude": sorted(layer.dynlib_exclude),
        "looks_for_libraries": looks_for_libraries(project, linked),
        # build names are in the environment's links, install targets in its layer config
        "lower": [[lower.build_name, locks.install_target(lower)] for lower in project.linked_dependencies(linked)],
    }
    if isinstance(layer, ApplicationLayer):
        inputs["modules"] = [module_content(module) for module in (layer.launch_module, *layer.support_modules)]
    return digest_of(inputs)


def looks_for_libraries(project: Project, linked: LinkedLayer) -> bool:
    """Whether the Python of a layer's build environment looks for dynamic libraries of the layers below.

    An environment and the frameworks below it are built in parallel, so that only the runtime's record can be asked:
    above frameworks Python always looks. Raises `BuildError` when a runtime that must be asked is not built.
    """
    if project.platform.is_windows:
        return False
    lower = project.linked_dependencies(linked)
    return len(lower) > 1 or libraries_below(project, linked)


def libraries_below(project: Project, linked: LinkedLayer) -> bool:
    """Whether a layer below offers dynamic libraries, as the records of their builds say.

    Raises `BuildError` when one of them is not built.
    """
    records = [_build_record(project, lower) for lower in project.linked_dependencies(linked)]
    return any(record.dynamic_libraries for record in records)


def _build_record(project: Project, linked: LinkedLayer) -> BuildRecord:
    record = BuildRecord.read(project.workspace.build_record(linked.build_name))
    if record is None:
        raise not_built(linked, "is not built")
    return record


def not_built(linked: LinkedLayer, why: str) -> BuildError:
    """The error that an environment is not what it must be, with the task that makes it so."""
    return BuildError(
        f"{linked.build_name} {why}", hint=f"build it: doit build:{linked.build_name}, or stackbuild build"
    )


def _output_inputs(project: Project, locks: Locks, linked: LinkedLayer, built: str) -> dict[str, Any]:
    record = locks.get(linked).record
    return {
        "format": OUTPUT_FORMAT,
        "environment": built,
        "target": locks.install_target(linked),
        "lower": [locks.install_target(lower) for lower in project.linked_dependencies(linked)],
        "libraries_below": libraries_below(project, linked),
        "lock_version": record.lock_version if linked.layer.versioned else 1,
        "locked_at": record.locked_at,
    }


def archive_inputs(project: Project, locks: Locks, linked: LinkedLayer, *, built: str) -> str:
    """The digest of what a layer's archive is made from. `built`: the digest of its environment's inputs."""
    inputs = _output_inputs(project, locks, linked, built)
    choices = {"archive_format": project.archive_format, "tagged": project.tag_outputs}
    return digest_of({**inputs, **choices, "byte_code": project.has_byte_code("archives")})


def export_inputs(
    project: Project, locks: Locks, linked: LinkedLayer, *, built: str, with_byte_code: bool = True
) -> str:
    """The digest of what a layer's local export is made from. with_byte_code: whether it has it if it should."""
    inputs = _output_inputs(project, locks, linked, built)
    return digest_of({**inputs, "byte_code": with_byte_code and project.has_byte_code("exports")})


def manifest_inputs(paths: OutputPaths, layers: Iterable[LinkedLayer]) -> str | None:
    """The digest of the metadata of `layers`, which a manifest is made from; `None` when some of it is missing."""
    try:
        return digest_of({str(linked.build_name): _read(paths, linked) for linked in layers})
    except OSError:
        return None


def _read(paths: OutputPaths, linked: LinkedLayer) -> str:
    return paths.layer_metadata(linked.build_name).read_text(encoding="utf-8", errors="replace")
