"""Every layer's Python does what a Python does: virtual environments, child processes, links, every release."""

import os
import platform
import subprocess
import sys
import zipapp
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from stackbuild.environments.generated_files import LayerSurroundings, Peer, environment_files
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.runtimes.interpreters import Interpreter, find_interpreters
from stackbuild.runtimes.relocation import copy_interpreter
from stackbuild.spec.models import BuildName
from stackbuild.steps.build import write_generated
from stackbuild.system.process import run
from stackbuild.targets.platforms import TargetPlatform
from tests.integration.small_stack import application, framework, runtime, settings, small_stack
from tests.integration.stack_project import make_wheel, module

SERVING = [it for it in find_interpreters(run=run, environ=os.environ) if it.obstacle is None]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Layers on a copy of one interpreter: `linked` and `wrapped`, whose `python` is a link or a script."""

    root: Path

    def python(self, layer: str) -> Path:
        return self.root / layer / "bin" / "python"


@pytest.fixture(scope="module", params=SERVING, ids=[it.version for it in SERVING])
def layers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Layers:
    interpreter: Interpreter = request.param
    root = tmp_path_factory.mktemp("layers") / "the layers"
    here = TargetPlatform(f"linux_{platform.machine()}")
    own, base = (
        EnvironmentLayout(
            python_version=interpreter.version, platform=here, is_runtime=is_runtime, kind=interpreter.python.kind
        )
        for is_runtime in (False, True)
    )
    lower = (Peer(target=BuildName("framework"), layout=own), Peer(target=BuildName("py"), layout=base))
    around = LayerSurroundings(layout=own, python_version=interpreter.version, lower=lower)
    for name in ("linked", "wrapped"):
        write_generated(root / name, environment_files(around, wrapped=name == "wrapped"))
    packages = root / "framework" / own.site_packages
    packages.mkdir(parents=True)
    (packages / "of_framework.py").write_text("import sys\nprint(sys.prefix)\n", encoding="utf-8")
    (root / "py").mkdir()
    copy_interpreter(interpreter, root / "py", run=run)
    return Layers(root=root)


def said(*command: object, cwd: object = "/") -> str:
    """What a program writes, started without any variable."""
    done = subprocess.run(
        list(map(str, command)), env={}, cwd=str(cwd), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


BOTH = pytest.mark.parametrize("layer", ["linked", "wrapped"])
PREFIXES = "import os, sys; print(sys.prefix, os.path.realpath(sys.base_prefix))"


@pytest.mark.parametrize("layer", ["linked", "wrapped", "py"])
def test_virtual_environment_starts_and_belongs_to_the_runtime(layers: Layers, tmp_path: Path, layer: str) -> None:
    environment = tmp_path / "made"
    said(layers.python(layer), "-I", "-m", "venv", "--without-pip", environment)
    for options in ((), ("-I",)):
        assert said(environment / "bin/python", *options, "-c", PREFIXES) == f"{environment} {layers.root}/py"
    home = (environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()[0]
    assert home == f"home = {layers.root}/py/bin"


@BOTH
def test_virtual_environment_is_given_the_packages_of_the_layer_by_one_line(
    layers: Layers, tmp_path: Path, layer: str
) -> None:
    environment = tmp_path / "made"
    said(layers.python(layer), "-I", "-m", "venv", "--without-pip", environment)
    (own,) = (layers.root / layer).glob("lib/*/site-packages")
    (packages,) = environment.glob("lib/*/site-packages")
    unseen = subprocess.run([environment / "bin/python", "-I", "-m", "of_framework"], capture_output=True, check=False)
    assert unseen.returncode == 1
    (packages / "layer.pth").write_text(f"{own}\n", encoding="utf-8")
    assert said(environment / "bin/python", "-I", "-m", "of_framework") == str(environment)


@BOTH
def test_uv_makes_an_environment_that_starts(layers: Layers, tmp_path: Path, layer: str) -> None:
    environment = tmp_path / "made"
    uv = [find_uv_bin(), "venv", "--quiet", "--no-config", "--cache-dir", tmp_path / "cache", "--no-python-downloads"]
    said(*uv, "--python", layers.python(layer), environment)
    assert said(environment / "bin/python", "-I", "-c", PREFIXES) == f"{environment} {layers.root}/py"


@BOTH
def test_layer_starts_through_links_of_other_names_and_places(layers: Layers, tmp_path: Path, layer: str) -> None:
    (tmp_path / "all").symlink_to(layers.root)
    (tmp_path / "current").symlink_to(layers.root / layer)
    for folder in (tmp_path / "all" / layer, tmp_path / "current"):
        for name in ("python", "python3"):
            prefix = said(folder / "bin" / name, "-I", "-m", "of_framework")
            assert Path(prefix).resolve() == layers.root / layer


CHILDREN = """
import multiprocessing, os, subprocess, sys

def me():
    import of_framework
    return sys.executable, sys.prefix

def tell(queue):
    queue.put(me())

def main():
    if len(sys.argv) == 1:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:], "again"], {})
    own = me()
    for method in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        process = context.Process(target=tell, args=(queue,))
        process.start()
        process.join()
        assert process.exitcode == 0, method
        assert queue.get() == own, method
    code = "import of_framework, sys; assert (sys.executable, sys.prefix) == " + repr(own)
    subprocess.run([sys.executable, "-c", code], env={}, check=True, stdout=subprocess.DEVNULL)
    print(*own, sep="|")
"""


@BOTH
def test_child_processes_and_programs_started_again_are_of_the_layer(
    layers: Layers, tmp_path: Path, layer: str
) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "work.py").write_text(CHILDREN, encoding="utf-8")
    (folder / "__main__.py").write_text("import work\nif __name__ == '__main__': work.main()\n", encoding="utf-8")
    archive = tmp_path / "program.pyz"
    zipapp.create_archive(folder, archive)
    python, prefix = layers.python(layer), layers.root / layer
    for program in (folder / "__main__.py", archive):
        assert said(python, program).splitlines()[-1] == f"{python}|{prefix}"


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["linked", "wrapped", "py"])
def test_plain_venv_has_a_working_pip(layers: Layers, tmp_path: Path, layer: str) -> None:
    said(layers.python(layer), "-I", "-m", "venv", tmp_path / "made")
    assert said(tmp_path / "made/bin/pip", "--version").startswith("pip ")


# a whole stack


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, clean_env: dict[str, str]) -> Path:
    """The exports of a stack whose packages would leave a trace if their code were executed."""
    root = tmp_path_factory.mktemp("stack")
    trace = {"x.pth": f"import os; open({str(root / 'executed')!r}, 'w').close()\n"}
    for name, version in (("low", "1.0"), ("mid", "1.0"), ("top", "1.0")):
        more = trace if name in ("low", "mid") else {}
        imports = {"mid": ["low"], "top": ["mid"]}.get(name, [])
        make_wheel(root / "wheels", name, version, {**module(name, version, *imports), **more}, requires=tuple(imports))
    (root / "shop.py").write_text("import top\nprint(top.VERSION)\n", encoding="utf-8")
    project = small_stack(
        root,
        clean_env,
        settings("no-index = true", 'find-links = ["wheels"]'),
        runtime("low"),
        framework("web", "mid"),
        application("shop", "top", on='frameworks = ["web"]'),
    )
    project.stackbuild("lock")
    project.stackbuild("local-export")
    assert not (root / "executed").exists()
    return root / "_export"


def deployed(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exports."""
    root = tmp_path / "deployed"
    subprocess.run(["cp", "-a", exported, root], check=True)
    return root


def failed(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), env={}, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def site_packages() -> str:
    return f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def test_missing_layer_below_is_told_at_start_and_by_the_post_install_script(exported: Path, tmp_path: Path) -> None:
    root = deployed(exported, tmp_path)
    python = root / "app-shop/bin/python"
    assert said(python, "-I", "-m", "shop") == "1.0"
    (root / "framework-web").rename(root / "framework-wob")
    missing = root / "framework-web"
    assert failed(python, "-I", "-m", "shop") == (
        f"app-shop: a layer below it is missing: {missing}/{site_packages()}: No such file or directory\n"
    )
    script = root / "app-shop/postinstall.py"
    assert failed(sys.executable, script) == f"app-shop: there is no {missing}: put it beside this layer first\n"


def test_other_layer_below_is_told_at_start_and_by_the_post_install_script(exported: Path, tmp_path: Path) -> None:
    root = deployed(exported, tmp_path)
    packages = root / "framework-web" / site_packages()
    (packages / "mid-1.0.dist-info").rename(packages / "mid-1.1.dist-info")
    there_is_no = f"there is no mid-1.0.dist-info in {packages}\n"
    command: list[str | Path] = [root / "app-shop/bin/python", "-I", "-m", "shop"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1.0\n")
    assert done.stderr == f"app-shop: framework-web is not the layer that it was made for: {there_is_no}"
    assert failed(sys.executable, root / "app-shop/postinstall.py") == (
        f"app-shop: framework-web is not the layer that this one was made for: {there_is_no}"
    )
