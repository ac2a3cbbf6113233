"""What a person reads when real uv finds no resolution: the layer, uv's facts, the pins below, what to do."""

import io
import sys
import tarfile

import pytest

from tests.integration.small_stack import framework, runtime, settings, small_stack, specify
from tests.integration.stack_project import PYTHON_REQUEST, StackProject, make_wheel, module

OFFLINE = settings("no-index = true", 'find-links = ["wheels"]')


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, clean_env: dict[str, str]) -> StackProject:
    """A project with wheels that do not go together; each test specifies what it locks."""
    root = tmp_path_factory.mktemp("conflicts")
    wheels = root / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "lib", version, module("lib", version))
    make_wheel(wheels, "needs-two".replace("-", "_"), "1.0", module("needs_two", "1.0"), requires=("lib>=2",))
    make_wheel(wheels, "newer", "1.0", module("newer", "1.0"), requires_python=">=3.99")
    make_wheel(wheels, "onwindows", "1.0", module("onwindows", "1.0"), requires=("lib==1.0 ; sys_platform=='win32'",))
    with tarfile.open(wheels / "source-1.0.tar.gz", "w:gz") as archive:
        content = b"Metadata-Version: 2.1\nName: source\nVersion: 1.0\n"
        info = tarfile.TarInfo("source-1.0/PKG-INFO")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return small_stack(root, clean_env)


def failure(stack: StackProject, *parts: str) -> str:
    """What locking says, on one line."""
    specify(stack, OFFLINE, *parts)
    done = stack.doit("lock", check=False)
    assert done.returncode == 1
    told = " ".join(done.stderr.split())
    for jargon in ("stackbuild-layer", "your project", "Traceback", "we can conclude", "tool.uv.environments"):
        assert jargon not in told
    return told


def test_two_requirements_of_one_layer(stack: StackProject) -> None:
    told = failure(stack, runtime("lib==1.0", "lib==2.0"))
    assert "py: its requirements cannot be resolved Because py depends on lib==1.0 and lib==2.0" in told
    assert "hint: the requirements of py exclude each other: change one of them" in told


def test_a_layer_that_needs_another_version_than_the_layer_below(stack: StackProject) -> None:
    told = failure(stack, runtime("lib==1.0"), framework("f", "needs-two"))
    assert "needs-two depend on lib>=2 and lib==1.0 (pinned by py), all versions of needs-two cannot be used" in told
    assert "hint: layers below pin lib==1.0 (from py): change the requirement here or in that layer" in told


def test_a_pin_that_holds_on_some_platforms_only(stack: StackProject) -> None:
    told = failure(stack, runtime("onwindows"), framework("f", "lib==2.0"))
    assert "on win_amd64, win_arm64 (where sys_platform == 'win32'):" in told
    assert "lib==1.0 (pinned by py where sys_platform == 'win32')" in told


def test_a_package_that_exists_nowhere(stack: StackProject) -> None:
    told = failure(stack, runtime("nowhere-to-be-found"))
    assert "Because nowhere-to-be-found was not found" in told
    assert "hint: check its name; with no-index only the folders of find-links" in told


def test_a_package_with_its_source_alone(stack: StackProject) -> None:
    told = failure(stack, runtime("source"))
    assert "source==1.0 has no usable wheels" in told
    assert told.count("hint:") == 1
    assert "hint: only wheels are used, nothing is built from source" in told


@pytest.mark.parametrize(
    ("limit", "setting", "rest"),
    [
        (
            'platforms = ["linux_aarch64", "linux_x86_64", "win_amd64", "win_arm64"]',
            "",
            'leave out linux_aarch64, win_arm64, which lack some: platforms = ["linux_x86_64", "win_amd64"]',
        ),
        (
            "",
            "required-environments = [\"sys_platform == 'darwin'\", \"sys_platform == 'win32'\"]",
            "leave out linux_aarch64, macosx_arm64, macosx_x86_64, win_arm64, which lack some: platforms = [",
        ),
        ('platforms = ["linux_aarch64", "win_arm64"]', "", "no platform of the layer has all wheels"),
    ],
)
def test_all_platforms_that_lack_wheels_are_told(stack: StackProject, limit: str, setting: str, rest: str) -> None:
    for tag in ("manylinux_2_17_x86_64", "win_amd64"):
        make_wheel(stack.root / "wheels", "native", "1.0", module("native", "1.0"), tag=f"py3-none-{tag}")
    specify(stack, OFFLINE.replace("\n\n", f"\n{setting}\n\n"), runtime("native", more=limit))
    done = stack.doit("lock", check=False)
    assert rest in " ".join(done.stderr.split())
    assert done.returncode == 1


def test_a_package_of_some_systems_gets_a_marker_also_if_the_platforms_are_limited(stack: StackProject) -> None:
    for tag in ("manylinux_2_17_x86_64", "macosx_11_0_arm64"):
        make_wheel(stack.root / "wheels", "unixy", "1.0", module("unixy", "1.0"), tag=f"py3-none-{tag}")
    told = failure(
        stack, runtime("unixy", "lib", more='platforms = ["linux_x86_64", "macosx_arm64", "win_amd64", "win_arm64"]')
    )
    assert "leave out win_amd64, win_arm64, which lack some: platforms = [" in told
    assert "if unixy is not needed elsewhere, require it as \"unixy ; sys_platform != 'win32'\"" in told


def layers(*names: str) -> str:
    """Runtimes and the framework of each: only the framework on `good` has nothing wrong below."""
    python = f'python_implementation = "{PYTHON_REQUEST}"\n'
    parts = []
    for name in names:
        required = "[]" if name == "good" else f'["{name}"]'
        parts.append(f'[[runtimes]]\nname = "{name}"\n{python}requirements = {required}\n')
        parts.append(f'[[frameworks]]\nname = "on-{name}"\nruntime = "{name}"\nrequirements = ["nowhere"]\n')
    return "".join(parts)


@pytest.mark.parametrize("command", ["stackbuild lock -n 1", "doit -n 1 lock", "doit -n 0", "doit -n 1 -c lock"])
def test_everything_that_cannot_be_locked_is_told_in_one_run(stack: StackProject, command: str) -> None:
    specify(stack, OFFLINE, layers("bad1", "good", "bad2", "bad3"))
    done = stack.run(sys.executable, "-m", *command.split(), check=False)
    told = done.stderr.splitlines()
    assert sorted(line for line in told if line.startswith("error:")) == [
        "error: lock:bad1 failed",
        "error: lock:bad2 failed",
        "error: lock:bad3 failed",
        "error: lock:framework-on-bad1 was not tried because of lock:bad1",
        "error: lock:framework-on-bad2 was not tried because of lock:bad2",
        "error: lock:framework-on-bad3 was not tried because of lock:bad3",
        "error: lock:framework-on-good failed",
    ]
    assert "4 failed" in done.stdout
    assert "build:" not in done.stdout
    assert done.returncode == 1


def test_a_package_for_another_python(stack: StackProject) -> None:
    told = failure(stack, runtime("newer"))
    assert "newer==1.0 requires Python >=3.99" in told
    assert "hint: the layer is locked for cpython 3." in told
