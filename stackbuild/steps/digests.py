"""What the result of each step depends on, as digests for records. Reads locks and module sources, writes nothing.

Digests contain nothing about this machine, such as paths or file times: a record made elsewhere is valid here.
"""

import contextlib
from collections.abc import Iterable
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from stackbuild.project.layer import ProjectLayer
from stackbuild.project.modules import module_content
from stackbuild.project.paths import OutputPaths
from stackbuild.project.records import LayerMetadata
from stackbuild.spec.models import ApplicationLayer, BuildName
from stackbuild.steps.archive_time import archive_time
from stackbuild.steps.data_links import links_to_data
from stackbuild.steps.library_links import library_links, required_build_record
from stackbuild.system.files import read_file
from stackbuild.system.json_file import digest_of

BUILD_FORMAT = 5
"""To be increased when the same inputs give a different environment."""


OUTPUT_FORMAT = 5
"""To be increased when the same environment gives a different archive or export."""


def build_inputs(layer: ProjectLayer) -> str:
    """The digest of what a build environment is made from. Raises like `looks_for_libraries`."""
    declared, pin = layer.declared, layer.pin
    file = pin.file(layer.platform)
    has_files_of_python = layer.kind == "runtime" or layer.platform.is_windows  # launchers
    inputs: dict[str, Any] = {
        "format": BUILD_FORMAT,
        "name": layer.build_name,
        "platform": layer.platform,
        "python": [pin.python_implementation, pin.source],
        "distribution": file.model_dump(exclude={"url"}) if file is not None and has_files_of_python else None,
        "packages": layer.packages.content_hash,
        # a target that the layer itself declares is checked more strictly
        "linux_target": [str(declared.parsed_linux_target), declared.states("linux_target")]
        if layer.platform.is_linux
        else None,
        "macosx_target": [*declared.parsed_macosx_target, declared.states("macosx_target")]
        if layer.platform.is_macos
        else None,
        "dynlib_exclude": sorted(declared.dynlib_exclude),
        "looks_for_libraries": looks_for_libraries(layer),
        # build names are in the environment's links, install targets in its layer config
        "lower": [[lower.build_name, lower.install_target] for lower in layer.lower],
    }
    if layer.project.stack.spec.settings.shared_files != "warn":
        inputs["shared_files"] = layer.project.stack.spec.settings.shared_files
    if isinstance(declared, ApplicationLayer):
        inputs["modules"] = [module_content(module) for module in (declared.launch_module, *declared.support_modules)]
    return digest_of(inputs)


def looks_for_libraries(layer: ProjectLayer) -> bool:
    """Whether the Python of a layer's build environment looks for dynamic libraries of the layers below.

    An environment and the frameworks below it are built in parallel, so only the runtime's record can be read: above
    frameworks, Python always looks. Raises `BuildError` when the record of the runtime is needed and missing.
    """
    if layer.platform.is_windows:
        return False
    return len(layer.lower) > 1 or any(required_build_record(lower).dynamic_libraries for lower in layer.lower)


def needed_below(layer: ProjectLayer) -> dict[BuildName, tuple[str, ...]]:
    """The packages of each layer below that the layer's lock shares, by the names of their `.dist-info` folders.

    Raises `BuildError` when a layer below is not built.
    """
    shared = {(package.name, package.version) for package in layer.lock.packages if package.is_shared}
    return {
        lower.build_name: tuple(
            name for name in required_build_record(lower).distributions if _distribution(name) in shared
        )
        for lower in layer.lower
    }


def _distribution(folder: str) -> tuple[str, str]:
    """The canonical name and version of the package that a `.dist-info` folder belongs to."""
    name, _, version = folder.removesuffix(".dist-info").rpartition("-")
    with contextlib.suppress(InvalidVersion):
        version = str(Version(version))
    return canonicalize_name(name), version


def _output_inputs(layer: ProjectLayer, built: str) -> dict[str, Any]:
    libraries = library_links(layer)
    return {
        "format": OUTPUT_FORMAT,
        "environment": built,
        "target": layer.install_target,
        "lower": [lower.install_target for lower in layer.lower],
        "libraries": [libraries.wrapped, libraries.own_first, libraries.added],
        "data_links": links_to_data(layer),
        "needed_below": needed_below(layer),
        "lock_version": layer.lock.record.lock_version if layer.declared.versioned else 1,
    }


def archive_inputs(layer: ProjectLayer, *, built: str) -> str:
    """The digest of what a layer's archive is made from. `built` is the digest of its environment's inputs."""
    inputs = {**_output_inputs(layer, built), **archive_settings(layer)}
    return digest_of({**inputs, "byte_code": layer.project.has_byte_code("archives")})


def archive_settings(layer: ProjectLayer) -> dict[str, Any]:
    """What an archive depends on that an export does not."""
    return {
        "archive_format": layer.project.archive_format,
        "tagged": layer.project.tag_outputs,
        "time": archive_time(layer),
    }


def export_inputs(layer: ProjectLayer, *, built: str, with_byte_code: bool = True) -> str:
    """The digest of what an export is made from. `with_byte_code`: whether it has the byte code that it should have."""
    inputs = _output_inputs(layer, built)
    return digest_of({**inputs, "byte_code": with_byte_code and layer.project.has_byte_code("exports")})


def manifest_inputs(paths: OutputPaths, layers: Iterable[ProjectLayer]) -> str | None:
    """The digest of the metadata of `layers`, which a manifest is made from; `None` when some of it is missing."""
    try:
        return digest_of({str(layer.build_name): _read(paths, layer) for layer in layers})
    except OSError:
        return None


def _read(paths: OutputPaths, layer: ProjectLayer) -> str:
    content = read_file(paths.layer_metadata(layer.build_name), most=LayerMetadata.most_bytes)
    return content.decode(errors="replace")
