"""A C library in one layer, an extension module linked to it in the layer above: compiled, built, packed, run."""

import base64
import csv
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from pathlib import Path

import pytest

from stackbuild.environments.generated_files import LayerSurroundings, Peer, environment_files
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.runtimes.interpreters import Interpreter, find_interpreters
from stackbuild.runtimes.relocation import copy_interpreter
from stackbuild.spec.models import BuildName
from stackbuild.steps.build import write_generated
from stackbuild.system.process import run
from stackbuild.targets.platforms import TargetPlatform
from tests.integration.small_stack import application, framework, runtime, settings, small_stack
from tests.integration.stack_project import PYTHON_REQUEST, StackProject, copy_project, make_wheel, module

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="environments are built on Linux only"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler"),
]

LIBRARY = 'const char *greeting(void) {{ return "{words}"; }}\n'

EXTENSION = """
#include <Python.h>
extern const char *greeting(void);
static PyObject *say(PyObject *self, PyObject *unused) { return PyUnicode_FromString(greeting()); }
static PyMethodDef methods[] = {{"say", say, METH_NOARGS, NULL}, {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_speak", NULL, -1, methods};
PyMODINIT_FUNC PyInit__speak(void) { return PyModule_Create(&definition); }
"""

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
platforms = ["linux_{platform.machine()}"]
requirements = ["basic"]

[[frameworks]]
name = "native"
runtime = "py"
requirements = ["greetlib"]
dynlib_exclude = ["greetlib/other/**"]

[[frameworks]]
name = "quiet"
runtime = "py"
requirements = ["quietlib"]

[[applications]]
name = "speaker"
launch_module = "speaker.py"
frameworks = ["quiet", "native"]
requirements = ["speak"]

[[applications]]
name = "mute"
launch_module = "mute.py"
frameworks = ["quiet"]
requirements = []
"""

# An application that starts Python again in every way, with nothing but `sys.executable`.
CHILDREN = """
import multiprocessing, os, subprocess, sys
import speak

CODE = "import speak, sys; print(speak.say(), sys.executable)"

def said(*arguments, **options):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, **options)
    return done.stdout.rstrip("\\n")

def say(queue):
    queue.put(f"{speak.say()} {sys.executable}")

if __name__ == "__main__":
    own = f"{speak.say()} {sys.executable}"
    layer = os.path.dirname(os.path.dirname(sys.executable))
    assert sys.prefix == sys.exec_prefix == layer, (sys.prefix, layer)
    assert sys.base_prefix == os.path.join(os.path.dirname(layer), "py"), sys.base_prefix
    for arguments in (("-c", CODE), ("-I", "-c", CODE), ("-I", "-m", "speak"), ("-m", "speak")):
        assert said(*arguments, env={}) == own, arguments
        assert said(*arguments) == own, arguments
    assert said(input=CODE) == said("-", input=CODE, env={}) == own
    for method in ("spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        process = context.Process(target=say, args=(queue,))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert queue.get() == own, method
    print(own)
"""

SPEAK = """
import sys
from speak._speak import say
"""

SPEAK_MAIN = """
from speak import say, sys
print(say(), sys.executable)
"""

FILES_OF_ALL = """
import importlib.metadata, sys
distributions = list(importlib.metadata.distributions())
missing = [file for it in distributions for file in it.files if not file.locate().exists()]
print(sorted(it.name for it in distributions), missing)
"""


def compiled(folder: Path, name: str, source: str, *arguments: str) -> bytes:
    """The content of a shared object."""
    (folder / "source.c").write_text(source, encoding="utf-8")
    command = ["gcc", "-shared", "-fPIC", "-o", str(folder / name), str(folder / "source.c"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (folder / name).read_bytes()


def make_native_wheels(wheels: Path, folder: Path) -> None:
    tag = f"py3-none-linux_{platform.machine()}"
    other = compiled(folder, "libother.so", LIBRARY.format(words="the other one"))
    greet = compiled(folder, "libgreet.so", LIBRARY.format(words="hello"))
    extension = compiled(folder, "_speak.so", EXTENSION, f"-I{sysconfig.get_path('include')}", f"-L{folder}", "-lgreet")
    cached = f"__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    library: dict[str, str | bytes] = {
        "greetlib/__init__.py": "",
        f"greetlib/{cached}": b"code",
        "greetlib/lib/libgreet.so": greet,
        "greetlib/also/libgreet.so": greet,
        "greetlib/other/libgreet.so": other,
        "greetlib/lib/libgreet.so.dSYM/Contents/Resources/DWARF/libgreet.so": b"symbols",
    }
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    speak: dict[str, str | bytes] = {
        "speak/__init__.py": SPEAK,
        "speak/__main__.py": SPEAK_MAIN,
        f"speak/_speak{suffix}": extension,
    }
    make_wheel(wheels, "greetlib", "1.0", library, tag=tag, scripts=("greetlib",), data={".hidden/x": "x"})
    make_wheel(wheels, "speak", "1.0", speak, tag=tag)


@pytest.fixture(scope="module")
def native(clean_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> StackProject:
    """A project after a whole run. Tests must not change it."""
    root = tmp_path_factory.mktemp("native") / "project"
    wheels = root / "wheels"
    make_native_wheels(wheels, tmp_path_factory.mktemp("compiled"))
    make_wheel(wheels, "basic", "1.0", module("basic", "1.0"), data={"share/basic/data.txt": "data\n"})
    make_wheel(wheels, "quietlib", "1.0", module("quietlib", "1.0"))
    (root / "venvstacks.toml").write_text(SPEC, encoding="utf-8")
    (root / "speaker.py").write_text(CHILDREN, encoding="utf-8")
    (root / "mute.py").write_text("import quietlib\nprint(quietlib.layer())\n", encoding="utf-8")
    (root / "dodo.py").write_text(
        'from stackbuild.tasks import load_stack\nDOIT_CONFIG, task_stack = load_stack("venvstacks.toml")\n',
        encoding="utf-8",
    )
    project = StackProject(root, clean_env)
    project.doit()
    return project


@pytest.fixture
def changed(native: StackProject, tmp_path: Path) -> StackProject:
    """A copy of the project for a test to change."""
    return copy_project(native, tmp_path / "copy")


def unpack_all(project: StackProject, destination: Path) -> Path:
    """The layers of all archives, unpacked side by side."""
    destination.mkdir(parents=True)
    for archive in (project.root / "_artifacts").glob("*.tar"):
        with tarfile.open(archive) as layer:
            layer.extractall(destination, filter="tar")
    return destination


def said(python: Path | str, *arguments: str, cwd: str = "/", **env: str) -> str:
    done = subprocess.run(
        [python, "-B", *arguments], env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def speaks(root: Path) -> None:
    """The application finds the library, in itself and in every child process."""
    python = root / "app-speaker/bin/python"
    assert said(python, "-m", "speaker") == f"hello {python}"


@pytest.mark.parametrize("folder", ["_build", "_export"])
def test_the_library_of_a_layer_below_is_found(native: StackProject, folder: str) -> None:
    speaks(native.root / folder)
    assert said(native.root / folder / "app-mute/bin/python", "-m", "mute") == "framework-quiet"


@pytest.mark.parametrize(
    "name",
    [
        "elsewhere",
        pytest.param(
            ' a:b;c $HOME it\'s "q" * -x \\ ü 数\n\n',
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 cannot start below a colon"),
            id="any characters",
        ),
        pytest.param(' it\'s "q" * -x \\ ü 数\nb\n\n', id="any characters but those of the linker"),
    ],
)
def test_unpacked_archives_find_the_library_in_any_folder(native: StackProject, tmp_path: Path, name: str) -> None:
    root = unpack_all(native, tmp_path / name)
    speaks(root)
    (tmp_path / "launcher").symlink_to(root / "app-speaker/bin/python3")
    assert said(tmp_path / "launcher", "-m", "speak") == f"hello {root}/app-speaker/bin/python"


@pytest.mark.parametrize("shell", ["dash", "busybox"])
def test_any_shell_starts_python(native: StackProject, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    python = native.root / "_export/app-speaker/bin/python"
    command = [shell, *(["sh"] if shell == "busybox" else []), str(python), "-B", "-m", "speak"]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"hello {python}\n", "")


def test_only_layers_above_libraries_have_a_script(native: StackProject) -> None:
    linked = {
        layer: (native.root / "_export" / layer / "bin/python").is_symlink()
        for layer in ("framework-native", "framework-quiet", "app-speaker", "app-mute")
    }
    assert linked == {"framework-native": True, "framework-quiet": True, "app-speaker": False, "app-mute": True}
    assert not (native.root / "_build/framework-native/bin/python_").is_symlink()


def test_equal_copies_are_linked_once_and_excluded_ones_not(native: StackProject) -> None:
    folder = native.root / "_export/framework-native/share/venv/dynlib"
    assert {path.name: os.readlink(path) for path in folder.iterdir()} == {
        "libgreet.so": f"../../../lib/{python_folder()}/site-packages/greetlib/also/libgreet.so"
    }


def python_folder() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def test_folders_of_the_user_come_first(native: StackProject, tmp_path: Path) -> None:
    compiled(tmp_path, "libgreet.so", LIBRARY.format(words="mine"))
    python = native.root / "_export/app-speaker/bin/python"
    assert said(python, "-m", "speak", LD_LIBRARY_PATH=str(tmp_path)) == f"mine {python}"


def test_different_libraries_of_one_name_fail_the_build_until_the_hint_is_followed(changed: StackProject) -> None:
    given = 'dynlib_exclude = ["greetlib/other/**"]'
    changed.replace("venvstacks.toml", given, "")
    done = changed.doit("build:framework-native", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for folder in ("also", "lib", "other"):
        assert f"    lib/{python_folder()}/site-packages/greetlib/{folder}/libgreet.so\n" in done.stderr
    hint = next(line for line in done.stderr.splitlines() if "dynlib_exclude = " in line)
    line = hint[hint.index("dynlib_exclude = ") :]
    assert tomllib.loads(line) == {"dynlib_exclude": ["site-packages/greetlib/other/libgreet.so"]}
    changed.replace("venvstacks.toml", 'name = "native"\n', f'name = "native"\n{line}\n')
    changed.doit()
    speaks(changed.root / "_export")


def test_without_the_library_links_and_script_vanish(changed: StackProject) -> None:
    changed.replace("venvstacks.toml", '["greetlib"]', '["quietlib"]')
    assert "archive:app-speaker" in changed.ran()
    for folder in ("_build", "_export"):
        assert not (changed.root / folder / "framework-native/share/venv/dynlib").exists()
    assert os.readlink(changed.root / "_export/app-speaker/bin/python").startswith("../share/venv/runtime/bin/python3.")
    assert not os.path.lexists(changed.root / "_export/app-speaker/bin/python_")
    assert changed.ran() == set()


def test_a_library_of_the_runtime_is_found_by_every_layer(changed: StackProject) -> None:
    library = 'requirements = ["greetlib"]\ndynlib_exclude = ["greetlib/other/**"]'
    changed.replace("venvstacks.toml", library, "requirements = []")
    changed.replace("venvstacks.toml", 'requirements = ["basic"]', library)
    changed.doit()
    for folder in ("_build", "_export"):
        speaks(changed.root / folder)
        code = 'import ctypes; ctypes.CDLL("libgreet.so")'
        assert said(changed.root / folder / "framework-quiet/bin/python", "-c", code) == ""


def untruthful(site_packages: Path) -> list[str]:
    """The RECORD entries below a folder that name no file, or have another hash or size than the file."""
    wrong = []
    for record in site_packages.glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as file:
            for path, digest, size in csv.reader(file):
                content = (site_packages / path).read_bytes() if (site_packages / path).is_file() else None
                encoded = base64.urlsafe_b64encode(hashlib.sha256(content or b"").digest()).rstrip(b"=").decode()
                if content is None or digest not in ("", f"sha256={encoded}") or size not in ("", str(len(content))):
                    wrong.append(f"{record.parent.name}: {path}")
    return wrong


def test_records_of_packages_tell_the_truth_wherever_a_layer_lies(native: StackProject, tmp_path: Path) -> None:
    unpacked = unpack_all(native, tmp_path / "unpacked")
    for root in (native.root / "_build", native.root / "_export", unpacked):
        for layer in ("py", "framework-native", "framework-quiet", "app-speaker"):
            site_packages = root / layer / "lib" / python_folder() / "site-packages"
            records = list(site_packages.glob("*.dist-info/RECORD"))
            assert len(records) == 1
            assert untruthful(site_packages) == []
            listed = records[0].read_text("utf-8")
            for dropped in ("__pycache__", "direct_url.json", "uv_cache.json", "bin/", ".hidden"):
                assert dropped not in listed
        expected = "['basic', 'greetlib', 'quietlib', 'speak'] []"
        assert said(root / "app-speaker/bin/python", "-c", FILES_OF_ALL) == expected


def test_the_post_install_script_finishes_a_layer_with_a_script(native: StackProject, tmp_path: Path) -> None:
    root = unpack_all(native, tmp_path / "unpacked")
    layer = root / "app-speaker"
    for python in (layer / "bin/python", Path(sys.executable)):
        said(python, str(layer / "postinstall.py"))
    assert list(layer.rglob("__pycache__/speaker.*.pyc"))
    speaks(root)


SERVING = [it for it in find_interpreters(run=run, environ=os.environ) if it.obstacle is None]


@pytest.mark.parametrize("interpreter", SERVING, ids=[it.version for it in SERVING])
def test_every_supported_python_is_the_layers_own_when_the_script_starts_it(
    interpreter: Interpreter, native: StackProject, tmp_path: Path
) -> None:
    version, root = interpreter.version, tmp_path / "a;b $c"
    names = (BuildName("framework-native"), BuildName("py"))
    layout = EnvironmentLayout(
        python_version=version, platform=TargetPlatform(f"linux_{platform.machine()}"), is_runtime=False
    )
    plan = LayerSurroundings(
        layout=layout, python_version=version, lower=[Peer(target=name, layout=layout) for name in names]
    )
    write_generated(root / "layer", environment_files(plan, wrapped=True))
    (root / "py").mkdir()
    copy_interpreter(interpreter, root / "py", run=run)
    (root / "framework-native" / layout.site_packages).mkdir(parents=True)
    libraries = native.root / "_export/framework-native/share/venv/dynlib"
    (root / "framework-native/share/venv").mkdir(parents=True)
    (root / "framework-native/share/venv/dynlib").symlink_to(libraries)
    python = root / "layer/bin/python"
    load = "import ctypes, sys; from os.path import normpath; ctypes.CDLL('libgreet.so')"
    code = f"{load}; print(sys.executable, sys.prefix, normpath(sys.base_prefix), sys._base_executable, sep='|')"
    expected = f"{python}|{root}/layer|{root}/py|{root}/py/bin/{interpreter.name}"
    assert said(python, "-c", code) == said(python, "-I", "-c", code) == expected
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], env={{}}, check=True)"
    assert said(python, "-c", nested) == expected


BINDING = """
import ctypes, pathlib
for name in ("libown.so", "libcross.so"):
    print(ctypes.CDLL(str(pathlib.Path(__file__).with_name(name))).answer())
"""


def test_own_libraries_come_first_and_versioned_ones_are_found_below(tmp_path: Path, clean_env: dict[str, str]) -> None:
    def library(name: str, source: str, *arguments: str, at: str = "") -> bytes:
        return compiled(folder(at), name, source, f"-Wl,-soname,{name}", *arguments)

    def folder(name: str) -> Path:
        place = tmp_path / "compiled" / name
        place.mkdir(parents=True, exist_ok=True)
        return place

    use, run_path = "int {0}(void); int answer(void) {{ return {0}(); }}", "-Wl,--enable-new-dtags,-rpath,$ORIGIN"
    old = library("libfoo.so", "int old(void) { return 0; }", at="old")
    far = library("libfar.so.1", "int far_one(void) { return 2; }")
    library("libgone.so.4", "int gone(void) { return 3; }")
    binding: dict[str, str | bytes] = {
        "binding/__init__.py": BINDING,
        "binding/libfoo.so": library("libfoo.so", "int fresh(void) { return 1; }"),
        "binding/libown.so": library("libown.so", use.format("fresh"), str(folder("") / "libfoo.so"), run_path),
        "binding/libcross.so": library(
            "libcross.so", use.format("far_one"), str(folder("") / "libfar.so.1"), f"{run_path}/../far/lib"
        ),
        "binding/libbad.so": library("libbad.so", use.format("gone"), str(folder("") / "libgone.so.4")),
    }
    project = small_stack(
        tmp_path / "project",
        clean_env,
        settings("no-index = true", 'find-links = ["wheels"]'),
        runtime(more=f'platforms = ["linux_{platform.machine()}"]'),
        framework("low", "far"),
        application("top", "binding", on='frameworks = ["low"]'),
    )
    tag, wheels = f"py3-none-linux_{platform.machine()}", project.root / "wheels"
    make_wheel(wheels, "far", "1.0", {"far/lib/libfar.so.1": far, "far/libfoo.so": old}, tag=tag)
    make_wheel(wheels, "binding", "1.0", binding, tag=tag)
    (project.root / "top.py").write_text("import binding\n", encoding="utf-8")
    project.stackbuild("lock", "-q")
    told = project.stackbuild("local-export", "-q").stderr
    assert project.launch("app-top", "top") == "1\n2\n"
    assert told.count("libgone.so.4 (for ") == told.count("binding/libbad.so of binding 1.0)") == 1
    assert "app-top: the libfoo.so of app-top is found before that of framework-low, which differs" in told
    assert "libfar" not in told
