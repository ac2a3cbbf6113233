"""The files of a built layer as it is deployed, in an archive or an export. Writes nothing."""

from pathlib import PurePosixPath

from stackbuild.archives.writer import ArchiveEntry, list_folder
from stackbuild.environments.data_files import link_target
from stackbuild.environments.generated_files import Generated, GeneratedFile, GeneratedLink, published_files
from stackbuild.project.layer import ProjectLayer
from stackbuild.steps.data_links import data_notices, links_to_data
from stackbuild.steps.digests import needed_below
from stackbuild.steps.freshness import why_build
from stackbuild.steps.layer_metadata import surroundings
from stackbuild.steps.library_links import library_links, library_notices, link_targets, not_built


def built_inputs(layer: ProjectLayer) -> str:
    """The digest of the inputs of a layer's environment, which must be built from its current lock and sources.

    So must the environments below: their records say whether they offer dynamic libraries. Raises `BuildError` for one
    that is not, with the task that builds it, and `LockError` for one that cannot be built before it is locked.
    """
    for needed in (*layer.lower, layer):
        why = why_build(needed)
        if why is not None:
            _ = needed.packages  # raises when it is the lock that is missing or damaged
            raise not_built(needed, why)
    record = layer.build_record
    if record is None:
        raise not_built(layer, "it is not built")
    return record.inputs  # of the environment itself: modules may be edited from here on


def deployed_entries(layer: ProjectLayer) -> list[ArchiveEntry]:
    """Every file, link and folder of the deployed layer, relative to it, in no fixed order.

    These are the entries of the build environment, without byte code and hidden entries at the top. Generated files
    are replaced by versions that use the deployed names of the other layers.
    """
    around = surroundings(layer, deployed=True, needed=needed_below(layer))
    libraries = library_links(layer)
    links = link_targets(libraries, layer=layer.install_target, folder=around.layout.dynamic_libraries)
    generated = (
        *published_files(around, wrapped=libraries.wrapped, own_libraries=libraries.own_first),
        *(GeneratedLink(path=path, target=target) for path, target in links.items()),
    )
    replaced = {str(item.path) for wrapped in (True, False) for item in published_files(around, wrapped=wrapped)}
    root = layer.environment
    entries = list_folder(root, skip=lambda path: path in replaced or path.startswith("."))
    folders = {entry.path for entry in entries}
    entries.extend(_generated_entry(item) for item in generated)
    from_below = links_to_data(layer)
    entries.extend(ArchiveEntry(path=path, target=link_target(it, path)) for path, it in from_below.items())
    added = (*(item.path for item in generated), *map(PurePosixPath, from_below))
    missing = {str(parent) for path in added for parent in path.parents} - folders - {"."}
    entries.extend(ArchiveEntry(path=folder, mode=0o755) for folder in missing)
    return entries


def deployment_notices(layer: ProjectLayer) -> tuple[str, ...]:
    """Warnings about what a deployed layer and those below do not find of each other."""
    from stackbuild.steps.hidden_packages import hidden_package_notices  # slow to import, and few runs deploy

    return (*library_notices(layer), *data_notices(layer), *hidden_package_notices(layer))


def _generated_entry(item: Generated) -> ArchiveEntry:
    if isinstance(item, GeneratedFile):
        return ArchiveEntry(path=str(item.path), data=item.text.encode(), mode=item.mode)
    return ArchiveEntry(path=str(item.path), target=str(item.target))
