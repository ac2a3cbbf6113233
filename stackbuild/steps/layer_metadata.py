"""What is published of a layer, before and after it is packed."""

from typing import TYPE_CHECKING

from stackbuild.archives.format import ArchiveFormat
from stackbuild.project.locks import Locks
from stackbuild.project.modules import module_hash
from stackbuild.project.project import Project, archive_paths
from stackbuild.project.records import ArchiveMetadata, LayerMetadata, ModuleMetadata, NativeFileList
from stackbuild.spec.models import ApplicationLayer, BuildName, InstallTarget
from stackbuild.spec.stack import LinkedLayer

if TYPE_CHECKING:
    from stackbuild.environments.generated_files import Deployment


def deployment(project: Project, locks: Locks, linked: LinkedLayer, *, deployed: bool) -> "Deployment":
    """What the generated files of a layer depend on; peers by install target (`deployed`) or by build name."""
    from stackbuild.environments.generated_files import Deployment, Peer  # noqa: PLC0415 (slow to import, and no digest needs it)

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


def previous_archive(project: Project, linked: LinkedLayer) -> ArchiveMetadata | None:
    """The metadata of the layer's last archive, for its build number."""
    return ArchiveMetadata.read(archive_paths(project).layer_metadata(linked.build_name))


def next_archive(project: Project, metadata: LayerMetadata, previous: ArchiveMetadata | None) -> tuple[int, str]:
    """The build number and the file name of a layer's archive when it is packed now."""
    number = previous.archive_build + 1 if previous and previous.lock_version == metadata.lock_version else 1
    tag = f"-{project.platform}-{number}" if project.tag_outputs else ""
    return number, f"{metadata.install_target}{tag}{ArchiveFormat(project.archive_format).suffix}"
