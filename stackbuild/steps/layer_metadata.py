"""The metadata of a layer, as archives and exports have it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stackbuild.archives.format import ArchiveFormat
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.modules import module_hash
from stackbuild.project.paths import OutputPaths
from stackbuild.project.records import LayerMetadata, ModuleMetadata, NativeFileList, OutputRecord
from stackbuild.spec.models import ApplicationLayer, BuildName, InstallTarget
from stackbuild.steps.outlines import write_kept
from stackbuild.system.files import remove_file

if TYPE_CHECKING:
    from stackbuild.environments.generated_files import LayerSurroundings


def surroundings(
    layer: ProjectLayer, *, deployed: bool, needed: Mapping[BuildName, tuple[str, ...]] | None = None
) -> "LayerSurroundings":
    """What the generated files of a layer depend on. Other layers have their install targets if `deployed`.

    needed: what is needed of the layers below, as in `Peer`.
    """
    from stackbuild.environments.generated_files import (  # slow to import, and no digest needs it
        LayerSurroundings,
        Peer,
    )

    def target(lower: ProjectLayer) -> InstallTarget | BuildName:
        return lower.install_target if deployed else lower.build_name

    declared = layer.declared
    runs_here = layer.platform.is_windows and not (deployed or layer.project.is_foreign)
    return LayerSurroundings(
        layout=layer.layout,
        python_version=layer.python.version,
        lower=tuple(
            Peer(target=target(lower), layout=lower.layout, needed=(needed or {}).get(lower.build_name, ()))
            for lower in layer.lower
        ),
        launch_module=declared.launch_name if isinstance(declared, ApplicationLayer) else None,
        home=str(layer.runtime.environment) if runs_here else None,
    )


def layer_metadata(layer: ProjectLayer) -> LayerMetadata:
    """The metadata of a layer, without what only its archive has."""
    record, declared = layer.lock.record, layer.declared
    is_runtime = layer.kind == "runtime"
    frameworks = [lower for lower in layer.lower if lower.kind == "framework"]
    is_application = isinstance(declared, ApplicationLayer)
    support = declared.support_modules if isinstance(declared, ApplicationLayer) else ()
    return LayerMetadata(
        layer_name=layer.build_name,
        install_target=layer.install_target,
        requirements_hash=record.requirements_hash,
        lock_version=record.lock_version if declared.versioned else 1,
        locked_at=record.locked_at,
        runtime_layer=layer.runtime.install_target,
        python_implementation=layer.pin.python_implementation,
        bound_to_implementation=is_runtime or layer.platform.is_windows,
        required_layers=None if is_runtime else tuple(lower.install_target for lower in frameworks),
        app_launch_module=declared.launch_name if isinstance(declared, ApplicationLayer) else None,
        app_launch_module_hash=module_hash(declared.launch_module) if isinstance(declared, ApplicationLayer) else None,
        app_support_modules=tuple(ModuleMetadata(name=path.stem, hash=module_hash(path)) for path in support)
        if is_application and support
        else None,
        **_origin(layer),
    )


def _origin(layer: ProjectLayer) -> dict[str, str | None]:
    """Further metadata of a runtime copied from an interpreter of this machine, which may need a newer system."""
    pin = layer.pin
    if layer.kind != "runtime" or pin.source != "interpreter":
        return {}
    native = native_file_list(layer)
    macos = native.minimum_of("macos")
    return {
        "runtime_source": pin.source,
        "minimum_libc": native.minimum_of("glibc", "musl"),
        "minimum_macos": macos.partition("@")[2] if macos else None,
    }


def native_file_list(layer: ProjectLayer) -> NativeFileList:
    """The native files of a layer's build environment; empty when there is no list of them."""
    return NativeFileList.read(layer.native_files_path) or NativeFileList()


def replace_metadata(paths: OutputPaths, metadata: LayerMetadata) -> None:
    """Write the metadata of a finished output again, and its record, which must exist. Raises `OSError`."""
    name = BuildName(metadata.layer_name)
    record = OutputRecord.read(paths.record(name))
    assert record is not None
    remove_file(paths.record(name), durable=True)
    kept = {**record.kept, "metadata": write_kept(metadata, paths.layer_metadata(name))}
    record.model_copy(update={"kept": kept}).write_last(paths.record(name))


def next_archive(layer: ProjectLayer, metadata: LayerMetadata) -> tuple[int, str]:
    """The build number and the file name of a layer's archive if it is made now."""
    previous = layer.archive_metadata
    number = previous.archive_build + 1 if previous and previous.lock_version == metadata.lock_version else 1
    return number, archive_name(layer, metadata.install_target, number)


def archive_name(layer: ProjectLayer, install_target: str, number: int) -> str:
    """The file name of a layer's archive with this build number."""
    tag = f"-{layer.platform}-{number}" if layer.project.tag_outputs else ""
    return f"{install_target}{tag}{ArchiveFormat(layer.project.archive_format).suffix}"
