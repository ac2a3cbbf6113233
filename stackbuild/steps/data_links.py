"""How a deployed layer has the data files of the layers below, which programs look for below `sys.prefix`.

On Windows layers have no links: there it is told instead. Reads the records of built layers.
"""

from collections.abc import Mapping

from stackbuild.project.layer import ProjectLayer
from stackbuild.project.records import BuildRecord
from stackbuild.steps.library_links import required_build_record
from stackbuild.system.quantities import first_few

_DOCUMENTATION = ("share/doc/", "share/man/")  # no program looks for it


def links_to_data(layer: ProjectLayer) -> Mapping[str, str]:
    """The install target of a layer below, for each path of a deployed layer that is a link to its data files there.

    Raises `BuildError` when the layer or one below is not built.
    """
    below = [(lower.install_target, _data_files(required_build_record(lower))) for lower in layer.lower]
    if layer.platform.is_windows or not any(files for _, files in below):
        return {}
    from stackbuild.environments.data_files import data_links  # hardly any run needs it

    return data_links(layer.layout, _data_files(required_build_record(layer)), below)


def _data_files(record: BuildRecord) -> list[str]:
    return [path for paths in record.data_files.values() for path in paths]


def data_notices(layer: ProjectLayer) -> tuple[str, ...]:
    """A warning when the layers above do not find the data files of a layer's packages."""
    if not layer.platform.is_windows:
        return ()
    above = [it for it in layer.project.stack.layers if layer.platform in it.platforms]
    if not any(layer.declared in it.dependencies for it in above):
        return ()
    folders = {
        package: sorted({path.rpartition("/")[0] for path in paths if not path.startswith(_DOCUMENTATION)})
        for package, paths in required_build_record(layer).data_files.items()
    }
    told = [f"{package} ({found[0]})" for package, found in folders.items() if found]
    if not told:
        return ()
    notice = (
        f"{layer.build_name}: programs of the layers above do not find the data files of {first_few(told)}: "
        "layers for Windows have no links to those below; if an application needs them, move the package to "
        "it, or set what tells the package where they are"
    )
    return (notice,)
