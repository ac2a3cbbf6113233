"""Build a layer's environment from its lock, in a fresh folder that then takes the place of the old one."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stackbuild.environments.dynamic_libraries import offered_libraries
from stackbuild.environments.generated_files import (
    Generated,
    GeneratedFile,
    GeneratedLink,
    environment_files,
    layer_config,
)
from stackbuild.environments.installed_packages import make_portable, tree_size
from stackbuild.environments.layout import LAYER_CONFIG, EnvironmentLayout
from stackbuild.environments.placement import Placement, move_packages
from stackbuild.environments.windows_launchers import windows_launchers
from stackbuild.errors import BuildError
from stackbuild.locking.local_wheels import unusable_wheels
from stackbuild.project.locks import Locks
from stackbuild.project.modules import module_files
from stackbuild.project.project import Project
from stackbuild.project.records import BuildRecord
from stackbuild.project.task_names import Kind, task_name
from stackbuild.spec.models import ApplicationLayer
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.built_checks import check_built
from stackbuild.steps.digests import build_inputs, looks_for_libraries
from stackbuild.steps.layer_metadata import deployment
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.steps.publication import check_replaceable
from stackbuild.system.files import (
    copy_file,
    disk_errors,
    link_or_copy,
    make_link,
    remove_leftovers,
    remove_tree,
    replacing_tree,
    write_atomic,
)
from stackbuild.system.process import Runner
from stackbuild.uv import commands as uv_commands

if TYPE_CHECKING:
    from stackbuild.runtimes.source import RuntimeSource


@dataclass(frozen=True, kw_only=True)
class BuildTools:
    """What building needs from outside: the process runner, where runtimes come from, uv's version.

    runtimes: opens the source, which is slow, and which only some layers need.
    """

    run: Runner
    runtimes: "Callable[[], RuntimeSource]"
    uv_version: str


def build_layer(project: Project, locks: Locks, linked: LinkedLayer, tools: BuildTools, *, report: Report) -> Outcome:
    """Build the environment of `linked`, whose lock must be good; a layered one needs its runtime's environment.

    Raises `BuildError`, `RuntimeSourceError`, `ToolError`; the old environment is then still there, its record not.
    """
    _check_machine(project, linked)
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
            _add_generated(project, locks, linked, fresh)
            libraries = _link_libraries(project, locks, linked, fresh)
            _add_modules(project, locks, linked, fresh)
            if build_inputs(project, locks, linked) != inputs:
                raise BuildError(
                    f"{linked.build_name}: what it is made from changed while it was built", hint="run the same again"
                )
            report("checking the environment")
            checked = check_built(project, locks, linked, fresh)
            files, size = tree_size(fresh)
        checked.native_files.write(project.workspace.native_files(linked.build_name))
        record = BuildRecord(
            inputs=inputs,
            packages=packages,
            files=files,
            size=size,
            dynamic_libraries=libraries,
            tools={"uv": tools.uv_version},
        )
        record.write(record_path)
    return Outcome(
        done=f"{packages} package{'' if packages == 1 else 's'}, {files} files", size=size, notices=checked.notices
    )


def _check_machine(project: Project, linked: LinkedLayer) -> None:
    """Raise `BuildError` when this machine cannot hold the files of layers for the platform."""
    if project.here.is_windows and not project.platform.is_windows:
        raise BuildError(
            f"{linked.build_name}: layers for {project.platform} cannot be built on Windows, whose files have no "
            "executable bits",
            hint="build them on Linux or macOS, where layers for Windows can be built as well",
        )


def _check_environments(project: Project, locks: Locks, linked: LinkedLayer) -> None:
    """Raise `BuildError` when the lock was resolved for other platforms only: it would install too little."""
    given = project.stack.spec.uv.other.get("environments", ())
    markers = [given] if isinstance(given, str) else given
    if not markers:
        return
    target = locks.target(linked, locks.pin(linked))
    if not any(project.platform in target.matching(marker) for marker in markers):
        raise BuildError(
            f"{linked.build_name}: `environments` in [tool.uv] leaves out {project.platform}, which it is built for",
            hint="add an environment for this platform, or limit the layer with `platforms`",
        )


def _start_environment(
    project: Project, locks: Locks, linked: LinkedLayer, fresh: Path, tools: BuildTools, report: Report
) -> None:
    """What the environment has before its packages: the runtime's files; nothing of a layer that stands on one."""
    plan = deployment(project, locks, linked, deployed=False)
    if plan.runtime is None:
        pin = locks.pin(linked)
        report(f"copying {pin.python_implementation.replace('@', ' ')}")
        libc = linked.layer.parsed_linux_target.variant
        tools.runtimes().unpack(pin, fresh, platform=project.platform, libc=libc)
        return
    runtime = project.workspace.environment(linked.runtime.build_name)
    if not os.path.lexists(runtime / plan.runtime.layout.python):
        raise BuildError(
            f"{linked.build_name}: its runtime is not built: there is no {runtime}",
            hint=f"build it first: doit {task_name(Kind.BUILD, linked.runtime.build_name, project.workspace.platform)}",
        )
    (fresh / plan.layout.site_packages).mkdir(parents=True)
    if project.platform.is_windows:
        for name, source in windows_launchers(
            runtime, layer=linked.build_name, freethreaded=plan.layout.kind.freethreaded
        ).items():
            (fresh / plan.layout.scripts).mkdir(exist_ok=True)
            link_or_copy(source, fresh / plan.layout.scripts / name)


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
    python = locks.python(linked)
    layout = project.layout(linked, python)
    installing = f"installing {len(own)} package{'' if len(own) == 1 else 's'}"
    report(installing)
    prefix = fresh / ".packages"
    command = uv_commands.sync_command(
        _installing_python(project, locks, linked, fresh, tools),
        prefix=prefix,
        python_version=python.version,
        pylock=project.lock_paths(linked).pylock,
        platform=project.platform,
        linux_target=linked.layer.parsed_linux_target,
        macos_target=linked.layer.macosx_target,
        environ=project.environ,
        servers=uv_commands.servers(linked, project.stack.spec.uv),
    )
    result = tools.run(command)
    if result.status > 0:
        from stackbuild.uv.failures import installation_error  # noqa: PLC0415 (hardly any build needs it)

        bad_wheels = unusable_wheels(project.lock_paths(linked).pylock, named_in=result.said)
        raise installation_error(linked, result.said, settings=project.stack.spec.uv, bad_wheels=tuple(bad_wheels))
    result.check()
    report(installing)  # what uv downloaded was told meanwhile
    filled = EnvironmentLayout(python_version=python.version, platform=project.here, is_runtime=False, kind=python.kind)
    placement = Placement.of(filled, layout)
    packages = make_portable(
        prefix, site_packages=filled.site_packages, scripts={filled.scripts, layout.scripts}, placement=placement
    )
    prefix.mkdir(exist_ok=True)  # markers may have left nothing to install
    (prefix / ".lock").unlink(missing_ok=True)  # uv's own
    remove_tree(prefix / filled.scripts)
    move_packages(prefix, fresh, placement)
    return packages


def _installing_python(project: Project, locks: Locks, linked: LinkedLayer, fresh: Path, tools: BuildTools) -> Path:
    """A Python that runs here and is like the one that will use the packages: itself, where that is possible."""
    if not project.runs_here(linked):
        return tools.runtimes().python(locks.pin(linked))
    runtime = project.linked(linked.runtime.build_name)
    root = fresh if linked.kind == "runtime" else project.workspace.environment(runtime.build_name)
    return root / project.layout(runtime, locks.python(linked)).python


def _add_generated(project: Project, locks: Locks, linked: LinkedLayer, fresh: Path) -> None:
    """Write the generated files. Raises `BuildError` when packages have put files of their own in their place."""
    generated = _generated(project, locks, linked)
    taken = [str(item.path) for item in generated if os.path.lexists(fresh / item.path)]
    if taken:
        raise BuildError(
            f"{linked.build_name}: a package of it has files where the layer needs its own: {', '.join(taken)}",
            hint="leave that package out of the requirements",
        )
    write_generated(fresh, generated)


def _link_libraries(project: Project, locks: Locks, linked: LinkedLayer, fresh: Path) -> tuple[str, ...]:
    """Link the dynamic libraries of the layer's packages where those above find them; return their names."""
    if project.platform.is_windows:
        return ()  # DLLs are found beside the extension modules, and in folders that `sitecustomize` adds
    layout = project.layout(linked, locks.python(linked))
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
    site_packages = fresh / project.layout(linked, locks.python(linked)).site_packages
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
