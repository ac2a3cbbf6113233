"""What real resolutions with markers, extras and wheels for several platforms become in layers' locks."""

import platform
import tomllib
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from tests.integration.small_stack import document, framework, lock_of, locked, runtime, settings, small_stack
from tests.integration.stack_project import PYTHON_REQUEST, StackProject, make_wheel, module

PLATFORM_TAGS = (
    "manylinux_2_17_x86_64",
    "manylinux_2_17_aarch64",
    "macosx_11_0_arm64",
    "macosx_10_13_x86_64",
    "win_amd64",
    "win_arm64",
)
OFFLINE = settings("no-index = true", 'find-links = ["wheels"]')
WINDOWS, MACOS, LINUX = (f"sys_platform == '{name}'" for name in ("win32", "darwin", "linux"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, clean_env: dict[str, str]) -> StackProject:
    """Layers over all six platforms, locked."""
    root = tmp_path_factory.mktemp("markers")
    for name in ("plain", "winonly", "maconly", "never", "opt", "optional"):
        make_wheel(root / "wheels", name, "1.0", module(name, "1.0"))
    for tag in PLATFORM_TAGS:
        make_wheel(root / "wheels", "native", "1.0", module("native", "1.0"), tag=f"py3-none-{tag}")
    make_wheel(root / "wheels", "kit", "1.0", module("kit", "1.0"), extras={"more": ("optional",)})
    project = small_stack(
        root,
        clean_env,
        OFFLINE,
        runtime(
            "native",
            "kit",
            "plain",
            f"winonly ; {WINDOWS}",
            f"maconly ; {MACOS} or {WINDOWS}",
            "never ; sys_platform == 'emscripten'",
            "opt ; python_version >= '3'",
        ),
        framework("same", "native", "plain", f"winonly ; {WINDOWS}", f"maconly ; {MACOS}"),
        framework("wider", "winonly", "kit[more]"),
        framework("linux", "plain", f"winonly ; {WINDOWS}", "native", more='platforms = ["linux_x86_64"]'),
        framework("top", "winonly", "maconly", "optional", on='frameworks = ["wider"]'),
        framework("above", f"maconly ; {LINUX}", "winonly", on='frameworks = ["same"]'),
    )
    project.doit("lock")
    return project


def markers(project: StackProject, layer: str) -> dict[str, tuple[str, bool]]:
    """Marker of each package of a lock, and whether it is shared."""
    return {package.name: (package.marker, package.is_shared) for package in lock_of(project, layer).packages}


def test_markers_are_dropped_where_they_hold_everywhere_and_packages_where_they_hold_nowhere(
    stack: StackProject,
) -> None:
    assert markers(stack, "py") == {
        "kit": ("", False),
        "maconly": (f"{MACOS} or {WINDOWS}", False),
        "native": ("", False),
        "opt": ("", False),
        "plain": ("", False),
        "winonly": (WINDOWS, False),
    }
    assert len(next(entry for entry in document(stack)["packages"] if entry["name"] == "native")["wheels"]) == 6


def test_what_a_lower_layer_provides_under_its_marker_is_shared(stack: StackProject) -> None:
    assert markers(stack, "framework-same") == {
        "maconly": (MACOS, True),  # needed on fewer platforms than it is provided on
        "native": ("", True),
        "plain": ("", True),
        "winonly": (WINDOWS, True),
    }


def test_what_a_lower_layer_provides_on_too_few_platforms_is_the_layers_own(stack: StackProject) -> None:
    found = markers(stack, "framework-wider")
    assert found["kit"] == ("", True)
    assert found["optional"] == ("", False)  # an extra of a shared package
    assert [found[name] for name in found if name == "winonly"] == [("", False)]
    assert markers(stack, "framework-top")["winonly"] == ("", True)
    assert markers(stack, "framework-top")["optional"] == ("", True)
    assert not markers(stack, "framework-top")["maconly"][1]


def test_a_layer_of_one_platform_drops_what_others_need(stack: StackProject) -> None:
    assert markers(stack, "framework-linux") == {"native": ("", True), "plain": ("", True)}


def test_a_package_needed_where_no_lower_layer_has_it_is_the_layers_own(stack: StackProject) -> None:
    assert markers(stack, "framework-above") == {"maconly": (LINUX, False), "winonly": ("", False)}


def test_every_lock_is_a_valid_lock_file(stack: StackProject) -> None:
    files = sorted(stack.root.glob("requirements/*/pylock.*.toml"))
    assert len(files) == 6
    for path in files:
        Pylock.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))


def test_a_conditional_package_of_a_near_framework_stands_before_those_of_farther_layers(
    tmp_path: Path, clean_env: dict[str, str]
) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "mixed", version, module("mixed", version))
    project = small_stack(
        tmp_path,
        clean_env,
        OFFLINE,
        runtime("mixed==1.0"),
        framework("far", f"mixed ; {WINDOWS}"),
        framework("near", f"mixed ; {MACOS}", on='frameworks = ["far"]'),
        framework("top", "mixed", on='frameworks = ["near"]'),
    )
    project.doit("lock")
    assert markers(project, "framework-near") == {"mixed": (MACOS, True)}
    assert markers(project, "framework-top") == {"mixed": ("", True)}
    (entry,) = document(project, "framework-top")["packages"]
    assert entry["directory"] == {"path": "../py"}
    assert locked(project, "framework-top") == {}


def test_a_lock_is_for_the_release_of_its_python(tmp_path: Path, clean_env: dict[str, str]) -> None:
    version = platform.python_version_tuple()
    this, next_one = ".".join(version), f"{version[0]}.{version[1]}.{int(version[2]) + 1}"
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "recent", "1.0", module("recent", "1.0"), requires_python=f">={this}")
    make_wheel(wheels, "recent", "2.0", module("recent", "2.0"), requires_python=f">={next_one}")
    needs = (f"recent ; python_full_version >= '{this}'", f"nowhere ; python_full_version != '{this}'")
    make_wheel(wheels, "user", "1.0", module("user", "1.0"), requires=needs)
    required = f"user ; {WINDOWS} or {LINUX}"
    project = small_stack(tmp_path, clean_env, OFFLINE, runtime(required).replace(PYTHON_REQUEST, f"cpython@{this}"))
    project.doit("lock")
    marker = f"{LINUX} or {WINDOWS}"
    assert markers(project, "py") == {"recent": (marker, False), "user": (marker, False)}
    assert locked(project)["recent"] == "1.0"
    assert document(project)["requires-python"] == f"=={version[0]}.{version[1]}.*"
