"""What each step's result depends on, as digests that records carry. Reads locks and module sources, writes nothing.

A digest has no path, no time and no name of this machine in it: a record made elsewhere is good here.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stackbuild.archive_format import ArchiveFormat
from stackbuild.errors import BuildError
from stackbuild.graph import LinkedLayer
from stackbuild.layout import OutputPaths
from stackbuild.locks import Locks
from stackbuild.metadata import ArchiveMetadata, BuildRecord, LayerMetadata, ModuleMetadata, NativeFileList, digest_of
from stackbuild.modules import module_content, module_hash
from stackbuild.project import Project
from stackbuild.spec import ApplicationLayer, BuildName, InstallTarget

if TYPE_CHECKING:
    from stackbuild.deployment import Deployment

BUILD_FORMAT = 4
"""Raised when environments are built differently from the same inputs."""
OUTPUT_FORMAT = 4
"""Raised when archives or exports are made differently from the same environment."""


def deployment(project: Project, locks: Locks, linked: LinkedLayer, *, deployed: bool) -> "Deployment":
    """What the generated files of a layer depend on; peers by install target (`deployed`) or by build name."""
    from stackbuild.deployment import Deployment, Peer  # noqa: PLC0415 (slow to import, and no digest needs it)

    def target(lower: LinkedLayer) -> InstallTarget | BuildName:
        return locks.install_target(lower) if deployed else lower.build_name

    python = locks.python(linked)
    layer = linked.layer
    runs_here = project.platform.is_windows and not (deployed or project.is_foreign)
    return Deployment(
        layout=project.layout(linked, python),
        python_version=python.version,
        lower=tuple(
            Peer(target=target(lower), layout=project.layout(lower, python))
            for lower in project.linked_dependencies(linked)
        ),
        launch_module=layer.launch_name if isinstance(layer, ApplicationLayer) else None,
        home=str(project.workspace.environment(linked.runtime.build_name)) if runs_here else None,
    )


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


def layer_metadata(project: Project, locks: Locks, linked: LinkedLayer) -> LayerMetadata:
    """What is published of a layer, before anything is known of an archive."""
    record, layer = locks.get(linked).record, linked.layer
    is_runtime = linked.kind == "runtime"
    frameworks = [lower for lower in project.linked_dependencies(linked) if lower.kind == "framework"]
    is_application = isinstance(layer, ApplicationLayer)
    support = layer.support_modules if isinstance(layer, ApplicationLayer) else ()
    return LayerMetadata(
        layer_name=linked.build_name,
        install_target=locks.install_target(linked),
        requirements_hash=record.requirements_hash,
        lock_version=record.lock_version if layer.versioned else 1,
        locked_at=record.locked_at,
        runtime_layer=locks.install_target(project.linked(linked.runtime.build_name)),
        python_implementation=locks.pin(linked).python_implementation,
        bound_to_implementation=is_runtime or project.platform.is_windows,
        required_layers=None if is_runtime else tuple(locks.install_target(lower) for lower in frameworks),
        app_launch_module=layer.launch_name if isinstance(layer, ApplicationLayer) else None,
        app_launch_module_hash=module_hash(layer.launch_module) if isinstance(layer, ApplicationLayer) else None,
        app_support_modules=tuple(ModuleMetadata(name=path.stem, hash=module_hash(path)) for path in support)
        if is_application and support
        else None,
        **_origin(project, locks, linked),
    )


def _origin(project: Project, locks: Locks, linked: LinkedLayer) -> dict[str, str | None]:
    """What is published of a runtime that is made from an interpreter of this machine: it may need a newer system."""
    pin = locks.pin(linked)
    if linked.kind != "runtime" or pin.source != "interpreter":
        return {}
    native = native_file_list(project, linked)
    macos = native.minimum_of("macos")
    return {
        "runtime_source": pin.source,
        "minimum_libc": native.minimum_of("glibc", "musl"),
        "minimum_macos": macos.partition("@")[2] if macos else None,
    }


def native_file_list(project: Project, linked: LinkedLayer) -> NativeFileList:
    """The native files of a layer's build environment; none when there is no list of them."""
    return NativeFileList.read(project.workspace.native_files(linked.build_name)) or NativeFileList()


def archive_paths(project: Project) -> OutputPaths:
    """Where archives and their metadata go."""
    return OutputPaths(root=project.workspace.artifacts, tag=project.platform if project.tag_outputs else None)


def export_paths(project: Project) -> OutputPaths:
    """Where exports and their metadata go."""
    return OutputPaths(root=project.workspace.export)


def previous_archive(project: Project, linked: LinkedLayer) -> ArchiveMetadata | None:
    """The metadata of the layer's last archive, for its build number."""
    return ArchiveMetadata.read(archive_paths(project).layer_metadata(linked.build_name))


def next_archive(project: Project, metadata: LayerMetadata, previous: ArchiveMetadata | None) -> tuple[int, str]:
    """The build number and the file name of a layer's archive when it is packed now."""
    number = previous.archive_build + 1 if previous and previous.lock_version == metadata.lock_version else 1
    tag = f"-{project.platform}-{number}" if project.tag_outputs else ""
    return number, f"{metadata.install_target}{tag}{ArchiveFormat(project.archive_format).suffix}"


def manifest_inputs(paths: OutputPaths, layers: Iterable[LinkedLayer]) -> str | None:
    """The digest of the metadata of `layers`, which a manifest is made from; `None` when some of it is missing."""
    try:
        return digest_of({str(linked.build_name): _read(paths, linked) for linked in layers})
    except OSError:
        return None


def _read(paths: OutputPaths, linked: LinkedLayer) -> str:
    return paths.layer_metadata(linked.build_name).read_text(encoding="utf-8", errors="replace")
