"""A project with wheels made here, a copy of a local Python, real uv. No network."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PYTHON_REQUEST = f"cpython@{sys.version_info.major}.{sys.version_info.minor}"


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    *,
    requires: tuple[str, ...] = (),
    scripts: tuple[str, ...] = (),
    data: Mapping[str, str] | None = None,
    tag: str = "py3-none-any",
    requires_python: str | None = None,
    extras: Mapping[str, tuple[str, ...]] | None = None,
) -> Path:
    """Write a wheel; `data` goes to the environment's root, `scripts` are console scripts.

    `tag` may name any platform: nothing in the wheel depends on it. `extras`: requirements by extra.
    """
    info = f"{name}-{version}.dist-info"
    content: dict[str, str | bytes] = dict(files)
    content |= {f"{name}-{version}.data/data/{path}": text for path, text in (data or {}).items()}
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    metadata += [f"Requires-Python: {requires_python}"] if requires_python else []
    for extra, requirements in (extras or {}).items():
        metadata += [f"Provides-Extra: {extra}"]
        metadata += [f"Requires-Dist: {requirement} ; extra == '{extra}'" for requirement in requirements]
    content[f"{info}/METADATA"] = "\n".join(metadata) + "\n"
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    if scripts:
        lines = [f"{script} = {name}:main" for script in scripts]
        content[f"{info}/entry_points.txt"] = "[console_scripts]\n" + "\n".join(lines) + "\n"
    record = []
    for path, text in content.items():
        data_bytes = text.encode() if isinstance(text, str) else text
        digest = base64.urlsafe_b64encode(hashlib.sha256(data_bytes).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(data_bytes)}")
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return wheel


WHERE = """
from pathlib import Path

VERSION = "{version}"
{imports}

def layer():
    parts = Path(__file__).parts
    return parts[parts.index("lib") - 1]

def main():
    print("{name}", VERSION)
"""


def module(name: str, version: str, *imports: str) -> dict[str, str]:
    """A package that tells its version and the layer it lies in."""
    lines = "\n".join(f"import {other}" for other in imports)
    return {f"{name}/__init__.py": WHERE.format(name=name, version=version, imports=lines)}


SPEC = f"""
[tool.stackbuild]
runtime_source = "interpreter"
archive_format = "tar"

[tool.uv]
no-index = true
find-links = ["wheels"]

[[runtimes]]
name = "py"
python_implementation = "{PYTHON_REQUEST}"
requirements = ["basic"]

[[frameworks]]
name = "web"
runtime = "py"
requirements = ["webby==1.0"]

[[frameworks]]
name = "data"
runtime = "py"
requirements = ["tables"]

[[applications]]
name = "hello"
launch_module = "hello.py"
frameworks = ["web"]
requirements = ["greeting"]

[[applications]]
name = "site"
launch_module = "site_app"
support_modules = ["helper.py"]
frameworks = ["web", "data"]
requirements = []
"""

HELLO = """
import basic, greeting, webby
for module in (greeting, webby, basic):
    print(module.__name__, module.VERSION, module.layer())
"""

SITE = """
import helper, tables, webby
print(helper.WORD, tables.layer(), webby.layer())
"""


@dataclass
class StackProject:
    """A project folder with a specification, its modules and its wheels."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *argv: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the project's folder and return what it printed."""
        done = subprocess.run(
            argv, cwd=self.root, env={**self.env, **env}, capture_output=True, text=True, check=False, timeout=300
        )
        if check:
            assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def doit(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "doit", *arguments, check=check, **env)

    def stackbuild(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "stackbuild", *arguments, check=check, **env)

    def ran(self, *arguments: str) -> set[str]:
        """The tasks that `doit` with these arguments carried out."""
        return tasks_run(self.doit(*arguments).stdout)

    def launch(self, layer: str, module: str, *, root: str = "_export") -> str:
        """What an application prints, run with an empty environment."""
        python = self.root / root / layer / "bin" / "python"
        done = subprocess.run([python, "-m", module], env={}, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a text file of the project."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")


def tasks_run(output: str) -> set[str]:
    """The task names in the progress lines of a run."""
    lines = [line for line in output.splitlines() if line.startswith("[")]
    return {line.partition("]")[2].split()[0] for line in lines}


def tree_digests(root: Path, pattern: str) -> dict[str, str]:
    """SHA-256 of each file below `root` that fits `pattern`, by relative path."""
    found = sorted(path for path in root.glob(pattern) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


_LARGE = 100_000
"""Bytes of a file from which copies of a project share it; tests write into smaller ones only."""


def copy_project(project: StackProject, root: Path) -> StackProject:
    """The same project elsewhere: links stay links, modification times are of now but for large files."""

    def copy(source: str, destination: str) -> None:
        status = os.stat(source)
        if status.st_size >= _LARGE:
            os.link(source, destination)
        else:
            shutil.copyfile(source, destination)
            os.chmod(destination, status.st_mode)

    shutil.copytree(project.root, root, symlinks=True, copy_function=copy)
    return StackProject(root, project.env)


def linked_by_copies(project: StackProject) -> dict[str, str]:
    """SHA-256 of each file that copies of a project share, by relative path."""
    large = (path for path in project.root.rglob("*") if not path.is_symlink() and path.is_file())
    return {
        str(path.relative_to(project.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in large
        if path.stat().st_size >= _LARGE
    }
