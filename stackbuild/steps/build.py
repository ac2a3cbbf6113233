"""Build a layer's environment from its lock, in a new folder that then replaces the old one."""

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stackbuild.environments.data_files import data_files
from stackbuild.environments.dynamic_libraries import offered_libraries
from stackbuild.environments.generated_files import (
    Generated,
    GeneratedFile,
    GeneratedLink,
    environment_files,
    layer_config,
)
from stackbuild.environments.installed_packages import installed_distributions, make_portable, tree_size
from stackbuild.environments.layout import LAYER_CONFIG, EnvironmentLayout
from stackbuild.environments.placement import Placement, move_packages
from stackbuild.environments.windows_launchers import windows_launchers
from stackbuild.errors import BuildError
from stackbuild.locking.local_wheels import unusable_wheels
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.lock_status import lock_target
from stackbuild.project.modules import module_files
from stackbuild.project.ownership import environment_place
from stackbuild.project.records import BuildRecord, NeededLibraryEntry
from stackbuild.project.task_names import StepKind, task_name
from stackbuild.spec.launch_modules import launch_notices
from stackbuild.spec.models import ApplicationLayer
from stackbuild.steps.built_checks import check_built
from stackbuild.steps.digests import build_inputs, looks_for_libraries
from stackbuild.steps.file_manifests import built_files
from stackbuild.steps.input_facts import build_facts
from stackbuild.steps.isolated_python import isolated_python
from stackbuild.steps.layer_metadata import surroundings
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.steps.outlines import outline_of, write_kept
from stackbuild.steps.shared_files import (
    file_and_folder_error,
    settle_shared_files,
    shared_file_notices,
    shared_files_error,
)
from stackbuild.system.files import (
    copy_file,
    disk_errors,
    link_or_copy,
    make_folders,
    make_link,
    remove_file,
    remove_if_empty,
    remove_leftovers,
    remove_unfinished,
    replacing_tree,
    write_atomic,
)
from stackbuild.system.process import Runner
from stackbuild.system.quantities import counted
from stackbuild.uv import commands as uv_commands

if TYPE_CHECKING:
    from stackbuild.runtimes.source import RuntimeSource


@dataclass(frozen=True, kw_only=True)
class BuildTools:
    """What building needs from outside: the process runner, where runtimes come from, uv's version."""

    run: Runner
    runtimes: "Callable[[], RuntimeSource]"
    """Opens the source of runtimes. That is slow, and only some layers need it."""
    uv_version: str


def build_layer(layer: ProjectLayer, tools: BuildTools, *, report: Report) -> Outcome:
    """Build the environment of `layer`. Its lock must be valid, and its runtime's environment must be built.

    Raises `BuildError`, `RuntimeSourceError` or `ToolError`. The old environment is then still there, but may no longer
    have a record.
    """
    _check_machine(layer)
    _check_environments(layer)
    record_path = layer.build_record_path
    environment = layer.environment
    inputs = build_inputs(layer)
    with disk_errors(f"build {layer.build_name}", BuildError):
        environment_place(layer).take(environment.name, BuildError)
        remove_file(record_path, durable=True)
        remove_leftovers(environment.parent, environment.name)
        remove_unfinished(record_path, *layer.beside_environment.values())
        with replacing_tree(environment) as fresh:
            _start_environment(layer, fresh, tools, report)
            packages, told = _install(layer, fresh, tools, report)
            _add_generated(layer, fresh)
            libraries = _link_libraries(layer, fresh)
            _add_modules(layer, fresh)
            if build_inputs(layer) != inputs:
                raise BuildError(
                    f"{layer.build_name}: what it is made from changed while it was built", hint="run the same again"
                )
            report("checking the environment")
            checked = check_built(layer, fresh)
            files, size = tree_size(fresh)
            distributions = installed_distributions(fresh / layer.layout.site_packages)
            data = data_files(fresh, layer.layout)
            manifest, outline = built_files(layer, fresh), outline_of(fresh, layer.layout)
        kept = {
            "native_files": write_kept(checked.native_files, layer.native_files_path, durable=False),
            "file_manifest": write_kept(manifest, layer.built_files_path, durable=False),
        }
        record = BuildRecord(
            inputs=inputs,
            facts=build_facts(layer),
            packages=packages,
            files=files,
            size=size,
            dynamic_libraries=libraries,
            libraries=checked.libraries.by_name,
            hidden_libraries=checked.libraries.hidden,
            needed_libraries=tuple(
                NeededLibraryEntry(name=it.name, file=it.file, package=it.package) for it in checked.libraries.needed
            ),
            data_files=data,
            distributions=distributions,
            tools={"uv": tools.uv_version},
            kept=kept,
            outline=outline,
        )
        record.write(record_path, durable=False)  # the files of the environment are not, either
    launching = launch_notices(layer.declared, layer.python.version)
    notices = (*told, *checked.notices, *(f"{layer.build_name}: {notice}" for notice in launching))
    return Outcome(done=f"{counted(packages, 'package')}, {files} files", size=size, notices=notices)


def _check_machine(layer: ProjectLayer) -> None:
    """Raise `BuildError` when this machine cannot store the files of layers for the platform."""
    if layer.project.here.is_windows and not layer.platform.is_windows:
        raise BuildError(
            f"{layer.build_name}: layers for {layer.platform} cannot be built on Windows, whose files have no "
            "executable bits",
            hint="build them on Linux or macOS, where layers for Windows can be built as well",
        )


def _check_environments(layer: ProjectLayer) -> None:
    """Raise `BuildError` when the lock was resolved for other platforms only: it would install too little."""
    given = layer.project.stack.spec.uv.other.get("environments", ())
    markers = [given] if isinstance(given, str) else given
    if not markers:
        return
    target = lock_target(layer, layer.pin)
    if not any(layer.platform in target.matching(marker) for marker in markers):
        raise BuildError(
            f"{layer.build_name}: `environments` in [tool.uv] leaves out {layer.platform}, which it is built for",
            hint="add an environment for this platform, or limit the layer with `platforms`",
        )


def _start_environment(layer: ProjectLayer, fresh: Path, tools: BuildTools, report: Report) -> None:
    """Make what must be there before packages: the Python of a runtime, or the empty folders of another layer."""
    around = surroundings(layer, deployed=False)
    if around.runtime is None:
        pin = layer.pin
        report(f"copying {pin.python_implementation.replace('@', ' ')}")
        libc = layer.declared.parsed_linux_target.variant
        tools.runtimes().unpack(pin, fresh, platform=layer.platform, libc=libc)
        return
    runtime, workspace = layer.runtime.environment, layer.project.workspace
    if not os.path.lexists(runtime / around.runtime.layout.python):
        task = task_name(StepKind.BUILD, layer.runtime.build_name, workspace.platform, prefix=layer.project.prefix)
        raise BuildError(
            f"{layer.build_name}: its runtime is not built: there is no {runtime}",
            hint=f"build it first: doit {task}",
        )
    (fresh / around.layout.site_packages).mkdir(parents=True)
    if layer.platform.is_windows:
        for name, source in windows_launchers(
            runtime, layer=layer.build_name, freethreaded=around.layout.kind.freethreaded
        ).items():
            (fresh / around.layout.scripts).mkdir(exist_ok=True)
            link_or_copy(source, fresh / around.layout.scripts / name)


def _generated(layer: ProjectLayer) -> tuple[Generated, ...]:
    """The generated files of a build environment. The layer's configuration is already that of the deployed layer."""
    around, published = (surroundings(layer, deployed=deployed) for deployed in (False, True))
    return (
        *environment_files(around, wrapped=looks_for_libraries(layer), own_libraries=True),
        GeneratedFile(path=LAYER_CONFIG, text=layer_config(published).to_json()),
    )


def write_generated(root: Path, generated: Iterable[Generated]) -> None:
    """Write files and links below `root`."""
    for item in generated:
        if isinstance(item, GeneratedFile):
            write_atomic(root / item.path, item.text)
            (root / item.path).chmod(item.mode)
        else:
            make_link(root / item.path, str(item.target))


def _install(layer: ProjectLayer, fresh: Path, tools: BuildTools, report: Report) -> tuple[int, tuple[str, ...]]:
    """Install the layer's own wheels exactly as locked; return the number of packages, and warnings about them."""
    own = [package for package in layer.lock.packages if not package.is_shared]
    if not own:
        return 0, ()
    python = layer.python
    layout = layer.layout
    installing = f"installing {counted(len(own), 'package')}"
    report(installing)
    prefix, pylock = fresh / ".packages", layer.lock_paths.pylock
    filled = EnvironmentLayout(
        python_version=python.version, platform=layer.project.here, is_runtime=False, kind=python.kind
    )
    scripts = {filled.scripts, layout.scripts}
    with _installing_python(layer, fresh, tools) as installing_python:

        def install(lock: Path, folder: Path) -> None:
            _run_uv(layer, tools, installing_python, pylock=lock, prefix=folder, site_packages=filled.site_packages)

        install(pylock, prefix)
        shared = settle_shared_files(
            prefix, install, pylock=pylock, site_packages=filled.site_packages, scripts=scripts
        )
    report(installing)  # in between, the display showed uv's downloads
    placement = Placement.of(filled, layout)
    packages = make_portable(prefix, site_packages=filled.site_packages, scripts=scripts, placement=placement)
    prefix.mkdir(exist_ok=True)  # markers may have left nothing to install
    (prefix / ".lock").unlink(missing_ok=True)  # uv's own
    remove_if_empty(prefix / filled.scripts)
    move_packages(prefix, fresh, placement)
    placed = [replace(file, path=placement.place(file.path)) for file in shared]
    if placed and layer.project.stack.spec.settings.shared_files == "error":
        raise shared_files_error(layer.build_name, placed)
    return packages, shared_file_notices(layer.build_name, placed)


def _run_uv(
    layer: ProjectLayer, tools: BuildTools, python: Path, *, pylock: Path, prefix: Path, site_packages: PurePosixPath
) -> None:
    """Install the packages of a lock into an empty folder. Raises `BuildError` or `ToolError`."""
    command = uv_commands.sync_command(
        python,
        prefix=prefix,
        python_version=layer.python.version,
        pylock=pylock,
        platform=layer.platform,
        linux_target=layer.declared.parsed_linux_target,
        macos_target=layer.declared.macosx_target,
        environ=layer.project.environ,
        servers=uv_commands.servers(layer.linked, layer.project.stack.spec.uv),
    )
    result = tools.run(command)
    if result.status > 0:
        from stackbuild.uv.failures import installation_error  # hardly any build needs it

        if error := file_and_folder_error(layer.build_name, result.said, prefix, site_packages):
            raise error
        bad_wheels = unusable_wheels(pylock, named_in=result.said)
        raise installation_error(
            layer.linked, result.said, settings=layer.project.stack.spec.uv, bad_wheels=tuple(bad_wheels)
        )
    result.check()


def _installing_python(layer: ProjectLayer, fresh: Path, tools: BuildTools) -> AbstractContextManager[Path]:
    """The layer's own Python if it runs here, else a similar one that does; neither sees packages of layers."""
    if not layer.runs_here:
        return nullcontext(tools.runtimes().python(layer.pin))
    if layer.kind == "runtime":  # nothing is installed yet
        return nullcontext(fresh / layer.layout.python)
    return isolated_python(layer)


def _add_generated(layer: ProjectLayer, fresh: Path) -> None:
    """Write the generated files. Raises `BuildError` when packages have files in their place."""
    generated = _generated(layer)
    taken = [str(item.path) for item in generated if os.path.lexists(fresh / item.path)]
    if taken:
        raise BuildError(
            f"{layer.build_name}: a package of it has files where the layer needs its own: {', '.join(taken)}",
            hint="leave that package out of the requirements",
        )
    write_generated(fresh, generated)


def _link_libraries(layer: ProjectLayer, fresh: Path) -> tuple[str, ...]:
    """Link the dynamic libraries of the layer's packages where the layers above find them; return their names."""
    if layer.platform.is_windows:
        return ()  # DLLs are found beside the extension modules, and in folders that `sitecustomize` adds
    layout = layer.layout
    libraries = offered_libraries(
        fresh,
        layout.site_packages,
        layer=layer.build_name,
        excluded=layer.declared.dynlib_exclude,
        may_clash=isinstance(layer.declared, ApplicationLayer),
    )
    folder = layout.dynamic_libraries
    upwards = PurePosixPath(*[".."] * len(folder.parts))
    links = [GeneratedLink(path=folder / name, target=upwards / path) for name, path in libraries.items()]
    if links and layer.platform.is_linux and not {";", "$"}.isdisjoint(layer.declared.name):
        raise BuildError(
            f"{layer.build_name}: it offers dynamic libraries ({', '.join(libraries)}), which the linker cannot find "
            "in a folder whose name has a `;` or a `$`",
            hint="rename the layer, or leave the libraries out with `dynlib_exclude`",
        )
    write_generated(fresh, links)
    return tuple(libraries)


def _add_modules(layer: ProjectLayer, fresh: Path) -> None:
    """Copy an application's launch and support modules into its site-packages."""
    declared = layer.declared
    if not isinstance(declared, ApplicationLayer):
        return
    site_packages = fresh / layer.layout.site_packages
    for module in (declared.launch_module, *declared.support_modules):
        hides = site_packages / (module.stem if module.is_file() else f"{module.stem}.py")
        if hides.exists():
            raise BuildError(
                f"{layer.build_name}: {module.name} has the import name of an installed package",
                hint=f"rename {os.fspath(module)}, or leave the package out of the requirements",
            )
        files = list(module_files(module))
        if not any(source.is_file() for source, _ in files):
            raise BuildError(
                f"{layer.build_name}: its module {module} has no files that count",
                hint="check that no .gitignore excludes it",
            )
        for source, relative in files:
            destination = site_packages / relative
            if destination.exists():
                raise BuildError(
                    f"{layer.build_name}: {relative} of its own modules is also a file of an installed package",
                    hint=f"rename {os.fspath(module)}, or leave the package out of the requirements",
                )
            if relative.endswith("/"):
                make_folders(destination)
            else:
                make_folders(destination.parent)
                copy_file(source, destination)
