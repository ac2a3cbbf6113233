"""Build a layer's environment from its lock, in a fresh folder that then takes the place of the old one."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stackbuild import uv
from stackbuild.deployment import Generated, GeneratedFile, GeneratedLink, environment_files, layer_config
from stackbuild.dynamic_libraries import offered_libraries
from stackbuild.errors import BuildError
from stackbuild.files import copy_file, disk_errors, make_link, remove_leftovers, replacing_tree, write_atomic
from stackbuild.graph import LinkedLayer
from stackbuild.inputs import build_inputs, deployment, looks_for_libraries
from stackbuild.installed import make_portable, tree_size
from stackbuild.layout import LAYER_CONFIG
from stackbuild.local_wheels import unusable_wheels
from stackbuild.locks import Locks
from stackbuild.metadata import BuildRecord
from stackbuild.modules import module_files
from stackbuild.process import Runner
from stackbuild.project import Project
from stackbuild.publication import check_replaceable
from stackbuild.runtime_sources import RuntimeSource
from stackbuild.spec import ApplicationLayer
from stackbuild.steps import Outcome, Report
from stackbuild.uv_failures import installation_error


@dataclass(frozen=True, kw_only=True)
class BuildTools:
    """What building needs from outside: the process runner, where runtimes come from, uv's version."""

    run: Runner
    runtimes: RuntimeSource
    uv_version: str


def build_layer(project: Project, locks: Locks, linked: LinkedLayer, tools: BuildTools, *, report: Report) -> Outcome:
    """Build the environment of `linked`, whose lock must be good; a layered one needs its runtime's environment.

    Raises `BuildError`, `RuntimeSourceError`, `ToolError`; the old environment is then still there, its record not.
    """
    if project.platform.is_windows:
        raise BuildError(
            f"{linked.build_name}: building environments for Windows is not supported yet",
            hint="build on Linux or macOS; locks for Windows can be made anywhere",
        )
    _check_environments(project, locks, linked)
    record_path = project.workspace.build_record(linked.build_name)
    environment = project.workspace.environment(linked.build_name)
    inputs = build_inputs(project, locks, linked)
    with disk_errors(f"build {linked.build_name}", BuildError):
        check_replaceable(environment, record=record_path, kind=BuildError)
        record_path.unlink(missing_ok=True)
        remove_leftovers(environment.parent, environment.name)
        with replacing_tree(environment) as fresh:
            _start_environment(project, locks, linked, fresh, tools, report)
            packages = _install(project, locks, linked, fresh, tools, report)
            libraries = _link_libraries(project, locks, linked, fresh)
            _add_modules(project, locks, linked, fresh)
            if build_inputs(project, locks, linked) != inputs:
                raise BuildError(
                    f"{linked.build_name}: what it is made from changed while it was built", hint="run the same again"
                )
            files, size = tree_size(fresh)
        record = BuildRecord(
            inputs=inputs,
            packages=packages,
            files=files,
            size=size,
            dynamic_libraries=libraries,
            tools={"uv": tools.uv_version},
        )
        record.write(record_path)
    return Outcome(done=f"{packages} package{'' if packages == 1 else 's'}, {files} files", size=size)


def _check_environments(project: Project, locks: Locks, linked: LinkedLayer) -> None:
    """Raise `BuildError` when the lock was resolved for other platforms only: it would install too little."""
    given = project.stack.spec.uv.other.get("environments", ())
    markers = [given] if isinstance(given, str) else given
    target = locks.target(linked, locks.pin(linked))
    if markers and not any(project.platform in target.matching(marker) for marker in markers):
        raise BuildError(
            f"{linked.build_name}: `environments` in [tool.uv] leaves out {project.platform}, which it is built for",
            hint="add an environment for this platform, or limit the layer with `platforms`",
        )


def _start_environment(
    project: Project, locks: Locks, linked: LinkedLayer, fresh: Path, tools: BuildTools, report: Report
) -> None:
    """A Python without packages: the runtime's files, or a skeleton that leads to the runtime beside it."""
    plan = deployment(project, locks, linked, deployed=False)
    if plan.runtime is None:
        pin = locks.pin(linked)
        report(f"copying {pin.python_implementation.replace('@', ' ')}")
        libc = linked.layer.parsed_linux_target.variant
        tools.runtimes.unpack(pin, fresh, platform=project.platform, libc=libc)
    else:
        runtime = project.workspace.environment(linked.runtime.build_name)
        if not (runtime / plan.runtime.layout.python).exists():
            raise BuildError(
                f"{linked.build_name}: its runtime is not built: there is no {runtime}",
                hint=f"build it first: doit build:{linked.runtime.build_name}",
            )
        (fresh / plan.layout.site_packages).mkdir(parents=True)
    write_generated(fresh, _generated(project, locks, linked))


def _generated(project: Project, locks: Locks, linked: LinkedLayer) -> tuple[Generated, ...]:
    """The generated files of a build environment. The layer's configuration is that of its deployed form already."""
    plan, published = (deployment(project, locks, linked, deployed=deployed) for deployed in (False, True))
    return (
        *environment_files(plan, wrapped=looks_for_libraries(project, linked)),
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


def _install(
    project: Project, locks: Locks, linked: LinkedLayer, fresh: Path, tools: BuildTools, report: Report
) -> int:
    """Install the layer's own wheels exactly as locked; return how many packages it has."""
    own = [package for package in locks.get(linked).packages if not package.is_shared]
    if not own:
        return 0
    layout = project.layout(linked, locks.python_version(linked))
    report(f"installing {len(own)} package{'' if len(own) == 1 else 's'}")
    command = uv.sync_command(
        fresh / layout.python,
        pylock=project.lock_paths(linked).pylock,
        platform=project.platform,
        linux_target=linked.layer.parsed_linux_target,
        macos_target=linked.layer.macosx_target,
        environ=project.environ,
        servers=uv.servers(linked, project.stack.spec.uv),
    )
    result = tools.run(command)
    if result.status > 0:
        bad_wheels = unusable_wheels(project.lock_paths(linked).pylock, named_in=result.said)
        raise installation_error(linked, result.said, settings=project.stack.spec.uv, bad_wheels=tuple(bad_wheels))
    result.check()
    (fresh / ".lock").unlink(missing_ok=True)  # uv's own
    packages = make_portable(fresh, site_packages=layout.site_packages, scripts=layout.scripts)
    _check_generated(fresh, _generated(project, locks, linked), linked)
    return packages


def _check_generated(root: Path, generated: Iterable[Generated], linked: LinkedLayer) -> None:
    """Raise `BuildError` when packages have put files of their own in the place of generated ones."""
    replaced = [str(item.path) for item in generated if not _is_there(root, item)]
    if replaced:
        raise BuildError(
            f"{linked.build_name}: a package of it has files where the layer needs its own: {', '.join(replaced)}",
            hint="leave that package out of the requirements",
        )


def _is_there(root: Path, item: Generated) -> bool:
    path = root / item.path
    if isinstance(item, GeneratedFile):
        return path.is_file() and path.read_bytes() == item.text.encode()
    return path.is_symlink() and os.readlink(path) == str(item.target)


def _link_libraries(project: Project, locks: Locks, linked: LinkedLayer, fresh: Path) -> tuple[str, ...]:
    """Link the dynamic libraries of the layer's packages where those above find them; return their names."""
    layout = project.layout(linked, locks.python_version(linked))
    libraries = offered_libraries(
        fresh, layout.site_packages, layer=linked.build_name, excluded=linked.layer.dynlib_exclude
    )
    folder = layout.dynamic_libraries
    upwards = PurePosixPath(*[".."] * len(folder.parts))
    links = [GeneratedLink(path=folder / name, target=upwards / path) for name, path in libraries.items()]
    if links and project.platform.is_linux and not {";", "$"}.isdisjoint(linked.name):
        raise BuildError(
            f"{linked.build_name}: it offers dynamic libraries ({', '.join(libraries)}), which the linker cannot find "
            "in a folder whose name has a `;` or a `$`",
            hint="rename the layer, or leave the libraries out with `dynlib_exclude`",
        )
    write_generated(fresh, links)
    return tuple(libraries)


def _add_modules(project: Project, locks: Locks, linked: LinkedLayer, fresh: Path) -> None:
    """Copy an application's launch and support modules into its site-packages."""
    layer = linked.layer
    if not isinstance(layer, ApplicationLayer):
        return
    site_packages = fresh / project.layout(linked, locks.python_version(linked)).site_packages
    for module in (layer.launch_module, *layer.support_modules):
        hides = site_packages / (module.stem if module.is_file() else f"{module.stem}.py")
        if hides.exists():
            raise BuildError(
                f"{linked.build_name}: {module.name} has the import name of an installed package",
                hint=f"rename {os.fspath(module)}, or leave the package out of the requirements",
            )
        files = list(module_files(module))
        if not files:
            raise BuildError(
                f"{linked.build_name}: its module {module} has no files that count",
                hint="check that no .gitignore excludes it",
            )
        for source, relative in files:
            destination = site_packages / relative
            if destination.exists():
                raise BuildError(
                    f"{linked.build_name}: {relative} of its own modules is also a file of an installed package",
                    hint=f"rename {os.fspath(module)}, or leave the package out of the requirements",
                )
            destination.parent.mkdir(parents=True, exist_ok=True)
            copy_file(source, destination)
