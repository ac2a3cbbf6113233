"""A small stack in a folder, with fakes in place of uv and of the Pythons of this machine."""

import os
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w

from stackbuild.project.layer import ProjectLayer, project_layers
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.project.project import Project
from stackbuild.project.record_files import RecordFiles
from stackbuild.runtimes.source import WantedRuntime
from stackbuild.spec.models import BuildName
from stackbuild.steps.archive import archive_layer
from stackbuild.steps.build import BuildTools, build_layer
from stackbuild.steps.export import export_layer
from stackbuild.steps.layer_byte_code import OutputTools
from stackbuild.steps.lock import LockTools, lock_layer
from stackbuild.steps.outcome import Outcome
from stackbuild.system.process import Command, Result, run
from stackbuild.system.quantities import Amount
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import PinnedPython
from stackbuild.targets.runtime_pin import RuntimeFile, RuntimePin

SPECIFICATION = """
[tool.stackbuild]
runtime_source = "interpreter"

[[runtimes]]
name = "base"
python_implementation = "cpython@3.11.13"
platforms = ["linux_x86_64"]
requirements = ["low"]

[[frameworks]]
name = "web"
runtime = "base"
versioned = true
requirements = ["mid"]

[[applications]]
name = "shop"
frameworks = ["web"]
requirements = ["top"]
launch_module = "shop.py"
support_modules = ["helpers"]
"""


@dataclass
class FakeUv:
    """Plays uv: resolves every declared requirement to version 1.0, and installs wheels as a module each.

    versions: other versions, by name; also: further packages that a layer's resolution has, by build name; files:
    further files of a package, by name and path; wheels: those of a package instead of one for all; lost: packages
    whose old releases are gone; failing: the verb that fails, and what it then says; warns: what it says otherwise;
    commands: those that were run.
    """

    versions: dict[str, str] = field(default_factory=dict)
    also: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    wheels: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    failing: str | None = None
    says: str = "error: it is broken"
    warns: str = ""
    commands: list[Command] = field(default_factory=list)

    def __call__(self, command: Command, /) -> Result:
        self.commands.append(command)
        verb = command.argv[1]
        if verb == "-s":  # the layer's Python is to compile modules: this one does
            return run(replace(command, argv=(sys.executable, *command.argv[1:])))
        if verb == self.failing:
            return Result(command=command, status=2, stdout="", stderr=self.says)
        match verb:
            case "export":
                self._export(command)
            case "pip" if command.argv[2] == "compile":
                return self._offer(command)
            case "pip":
                prefix = Path(command.argv[command.argv.index("--prefix") + 1])
                self._install(prefix, Path(command.argv[4]), Path(command.argv[-1]))
        return Result(command=command, status=0, stdout="", stderr=self.warns)

    @property
    def verbs(self) -> list[str]:
        return [command.argv[1] for command in self.commands]

    def package(self, name: str, **keys: Any) -> dict[str, Any]:
        version = self.versions.get(name, "1.0")
        url = f"https://files.example/{name}-{version}-py3-none-any.whl"
        wheel = {"url": url, "hashes": {"sha256": f"{name}-{version}"}}
        return {
            "name": name,
            "version": version,
            "index": "https://index.example/simple",
            "wheels": self.wheels.get(name, [wheel]),
            "sdist": {"url": f"https://files.example/{name}-{version}.tar.gz", "hashes": {"sha256": "00"}},
            **keys,
        }

    def _export(self, command: Command) -> None:
        assert command.cwd is not None
        project = tomllib.loads((command.cwd / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        packages = [self.package(name) for name in project["dependencies"]] + self.also.get(command.cwd.name, [])
        document = {
            "lock-version": "1.0",
            "created-by": "uv",
            "requires-python": project["requires-python"],
            "packages": packages,
        }
        output = Path(command.argv[command.argv.index("--output-file") + 1])
        output.write_text(tomli_w.dumps(document), encoding="utf-8")

    def _offer(self, command: Command) -> Result:
        """Say which of the asked releases there are: all but those that are lost."""
        assert command.cwd is not None
        project = tomllib.loads((command.cwd / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        asked = [requirement.partition("==") for requirement in project["dependencies"]]
        packages = [{"name": name, "version": version or self.versions.get(name, "1.0")} for name, _, version in asked]
        output = Path(command.argv[command.argv.index("--output-file") + 1])
        output.write_text(tomli_w.dumps({"packages": packages}), encoding="utf-8")
        lost = self.lost & {name for name, _, _ in asked}
        return Result(command=command, status=1 if lost else 0, stdout="", stderr="")

    def _install(self, root: Path, python: Path, pylock: Path) -> None:
        assert not root.exists()
        base = Path(os.path.realpath(python)).parent.parent
        libraries = [path.name for path in base.glob("lib/*") if (path / "site-packages").is_dir()]
        site_packages = root / "lib" / (libraries or ["python3.11"])[0] / "site-packages"
        site_packages.mkdir(parents=True)
        (root / ".lock").touch()
        for package in tomllib.loads(pylock.read_text(encoding="utf-8"))["packages"]:
            if "from_lower_layer" in package.get("marker", ""):
                continue
            name, version = package["name"], package["version"]
            info = site_packages / f"{name}-{version}.dist-info"
            files = {
                site_packages / f"{name}.py": f"version = '{version}'\n",
                info / "METADATA": f"Name: {name}\nVersion: {version}\n",
                info / "uv_cache.json": "{}",
                root / "bin" / f"{name}-tool": "#!/pythons/bin/python3\n",
            }
            further = self.files.get(name, {}).items()
            files |= {Path(os.path.normpath(site_packages / name / path)): content for path, content in further}
            record = [f"{os.path.relpath(path, site_packages)},sha256=x,{len(text)}" for path, text in files.items()]
            files[info / "RECORD"] = "\n".join([*record, f"{info.name}/RECORD,,", ""])
            for path, text in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            cache = site_packages / "__pycache__" / f"{name}.cpython-311.pyc"
            cache.parent.mkdir(exist_ok=True)
            cache.write_bytes(os.urandom(8))


@dataclass
class FakeRuntimes:
    """Pythons of a machine: `versions` are there, `asked` is what was asked for."""

    versions: Sequence[str] = ("3.11.13",)
    asked: list[str] = field(default_factory=list)
    files: dict[str, RuntimeFile] | None = None
    """When set, they come as distributions."""

    def choose(self, wanted: WantedRuntime, /) -> RuntimePin:
        request = PythonRequest.parse(wanted.kept.python_implementation) if wanted.kept else wanted.request
        self.asked.append(request.text)
        version = next(version for version in self.versions if request.accepts(version))
        pinned = PinnedPython(kind=request.kind, version=version)
        if self.files is not None:
            return RuntimePin(python_implementation=str(pinned), source="standalone", files=self.files)
        return RuntimePin(python_implementation=str(pinned), source="interpreter")

    def python(self, pin: RuntimePin, /) -> Path:
        return Path("/pythons", pin.python_implementation.partition("@")[2], "bin", "python3")

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        del libc
        self.asked.append(f"{pin.python_implementation} for {platform}")
        if platform.is_windows:
            launchers = destination / "Lib" / "venv" / "scripts" / "nt"
            launchers.mkdir(parents=True)
            for path in (destination / "python.exe", launchers / "python.exe", launchers / "pythonw.exe"):
                path.write_text(f"{path.parent.name}: {path.name}\n", encoding="utf-8")
            (destination / "Lib" / "site-packages").mkdir()
            return
        name = pin.python.kind.library("3.11")
        (destination / "bin").mkdir()
        (destination / "bin" / name).write_text("an interpreter\n", encoding="utf-8")
        (destination / "bin" / name).chmod(0o755)
        (destination / "bin" / "python").symlink_to(name)
        (destination / "lib" / name / "site-packages").mkdir(parents=True)
        (destination / "lib" / name / "os.py").write_text("name = 'posix'\n", encoding="utf-8")


@dataclass
class World:
    """A project in `folder` and everything outside of it. Change the fields, then let steps run."""

    folder: Path
    specification: str = SPECIFICATION
    options: Options = field(default_factory=lambda: Options(archive_format="tar"))
    environ: dict[str, str] = field(default_factory=dict)
    uv: FakeUv = field(default_factory=FakeUv)
    runtimes: FakeRuntimes = field(default_factory=FakeRuntimes)
    platform: TargetPlatform = TargetPlatform.LINUX_X86_64
    """What environments are built for, on a machine that is `linux_x86_64`."""
    now: datetime = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    reports: list[str | Amount] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "helpers").mkdir(parents=True)
        (self.folder / "shop.py").write_text("print('shop')\n", encoding="utf-8")
        (self.folder / "helpers" / "__init__.py").write_text("", encoding="utf-8")
        (self.folder / "helpers" / "tool.py").write_text("answer = 42\n", encoding="utf-8")

    @property
    def project(self) -> Project:
        spec = self.folder / "venvstacks.toml"
        spec.write_text(self.specification, encoding="utf-8")
        here = TargetPlatform.LINUX_X86_64
        environ = {"STACKBUILD_CACHE_DIR": f"{self.folder}-cache", **self.environ}
        project = replace(open_project(spec, self.options, environ), platform=here, here=here)
        return project if self.platform is here else project.for_platform(self.platform)

    def layer(self, name: str) -> ProjectLayer:
        return self.layers[BuildName(name)]

    @property
    def layers(self) -> Mapping[BuildName, ProjectLayer]:
        return layers_of(self.project)

    def replace(self, old: str, new: str) -> None:
        """Edit the specification."""
        assert old in self.specification
        self.specification = self.specification.replace(old, new)

    def lock(self, *names: str, forced: bool = False, reset: bool = False, upgrade: Sequence[str] = ()) -> Outcome:
        """Lock the layers in this order; the outcome of the last one."""
        tools = LockTools(run=self.uv, runtimes=lambda: self.runtimes, uv_version="1.2.3", now=lambda: self.now)
        return self._each(
            names,
            lambda layer: lock_layer(
                layer, tools, report=self.reports.append, forced=forced, reset=reset, upgrade=upgrade
            ),
        )

    def build(self, *names: str) -> Outcome:
        """Build the layers, whose locks must be valid."""
        tools = BuildTools(run=self.uv, runtimes=lambda: self.runtimes, uv_version="1.2.3")
        return self._each(names, lambda layer: build_layer(layer, tools, report=self.reports.append))

    def archive(self, *names: str) -> Outcome:
        """Archive the layers, whose environments must be built."""
        return self._each(names, lambda layer: archive_layer(layer, self.output_tools, report=self.reports.append))

    def export(self, *names: str) -> Outcome:
        """Export the layers, whose environments must be built."""
        return self._each(names, lambda layer: export_layer(layer, self.output_tools, report=self.reports.append))

    @property
    def output_tools(self) -> OutputTools:
        return OutputTools(run=self.uv, runtimes=lambda: self.runtimes)

    def _each(self, names: Sequence[str], step: Callable[[ProjectLayer], Outcome]) -> Outcome:
        for name in names:
            outcome = step(self.layer(name))
        return outcome


def layers_of(project: Project) -> Mapping[BuildName, ProjectLayer]:
    """The layers of a project, whose locks are read anew."""
    return project_layers(project, RecordFiles())


ALL = ("base", "framework-web", "app-shop")


def forget(world: World) -> World:
    """`world`, with nothing asked of its fakes so far."""
    world.uv.commands.clear()
    world.runtimes.asked.clear()
    world.reports.clear()
    return world


def tree(root: Path) -> list[str]:
    """Every file and link below `root`, relative to it, sorted; links with their targets; folders only if empty."""
    found = []
    for path in root.rglob("*"):
        relative = path.relative_to(root).as_posix()
        if path.is_symlink():
            found.append(f"{relative} -> {os.readlink(path)}")
        elif not path.is_dir() or not any(path.iterdir()):
            found.append(relative)
    return sorted(found)


def contents(root: Path) -> dict[str, bytes]:
    """The content of every file below `root`, by relative path."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
