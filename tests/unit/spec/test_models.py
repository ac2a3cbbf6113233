"""What a specification's fields mean once read: layers, uv settings, our own settings, legacy fields."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pydantic import ValidationError

from stackbuild.spec.faults import FaultySpec
from stackbuild.spec.models import ApplicationLayer, FrameworkLayer, RuntimeLayer, StackSpec
from stackbuild.spec.problems import Problem, format_key_path, quote
from stackbuild.spec.stack import read_stack
from stackbuild.spec.uv_settings import UvSource
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform

RUNTIME = """
[[runtimes]]
name = "base"
python_implementation = "cpython@3.11.13"
requirements = []
"""


@pytest.fixture(autouse=True)
def no_deployment_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MACOSX_DEPLOYMENT_TARGET", raising=False)


def load(path: Path, text: str) -> StackSpec:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_stack(path).spec


# Layers


def test_layer_defaults_are_those_of_the_contract() -> None:
    layer = RuntimeLayer.model_validate(
        {"name": "base", "requirements": [], "python_implementation": "cpython@3.11.13"}
    )
    assert layer.model_dump() == {
        "name": "base",
        "requirements": (),
        "platforms": None,
        "linux_target": "glibc@2.28",
        "macosx_target": "13.0",
        "dynlib_exclude": (),
        "package_indexes": {},
        "index_overrides": {},
        "priority_indexes": (),
        "versioned": False,
        "exclude_packages": (),
        "exclude_files": (),
        "overrides": (),
        "scripts": False,
        "python_implementation": "cpython@3.11.13",
    }


def test_layer_fields_are_parsed() -> None:
    layer = FrameworkLayer.model_validate(
        {
            "name": "torch",
            "runtime": "base",
            "requirements": ["Torch[x]>=2; sys_platform == 'linux'", "a @ https://files.invalid/a-1-py3-none-any.whl"],
            "platforms": ["win_amd64", "linux_x86_64"],
            "linux_target": "musl",
            "macosx_target": "14.1",
            "package_indexes": {"Foo.Bar": "x"},
            "exclude_packages": ["Foo_Bar"],
            "overrides": ["numpy<2"],
            "scripts": ["torchrun"],
        }
    )
    assert layer.requirements == (
        Requirement("Torch[x]>=2; sys_platform == 'linux'"),
        Requirement("a @ https://files.invalid/a-1-py3-none-any.whl"),
    )
    assert layer.platforms == (TargetPlatform.WIN_AMD64, TargetPlatform.LINUX_X86_64)
    assert layer.parsed_linux_target == LinuxTarget(variant="musl", version=(1, 2))
    assert layer.parsed_macosx_target == (14, 1)
    assert layer.package_indexes == {"foo-bar": "x"}
    assert layer.exclude_packages == ("foo-bar",)
    assert layer.overrides == (Requirement("numpy<2"),)
    assert layer.scripts == ("torchrun",)


def test_layers_can_be_made_from_parsed_values(tmp_path: Path) -> None:
    layer = ApplicationLayer.model_validate(
        {
            "name": "web",
            "runtime": "base",
            "requirements": (Requirement("flask"),),
            "platforms": (TargetPlatform.LINUX_X86_64,),
            "launch_module": tmp_path / "main.py",
            "support_modules": (tmp_path / "b.py", tmp_path / "a.py"),
        }
    )
    assert layer.requirements == (Requirement("flask"),)
    assert layer.launch_module == tmp_path / "main.py"
    assert layer.support_modules == (tmp_path / "a.py", tmp_path / "b.py")


def test_relative_module_without_a_folder_is_refused() -> None:
    with pytest.raises(ValidationError, match=r'"main\.py" is not an absolute path'):
        ApplicationLayer.model_validate({"name": "web", "requirements": [], "launch_module": "main.py"})


def test_layers_are_frozen() -> None:
    layer = FrameworkLayer.model_validate({"name": "a", "requirements": []})
    with pytest.raises(ValidationError, match="frozen"):
        layer.name = "b"


def test_runtime_request_is_parsed() -> None:
    layer = RuntimeLayer.model_validate({"name": "b", "requirements": [], "python_implementation": "cpython@3.13"})
    assert layer.python_request.implementation == "cpython"
    assert layer.python_request.exact_version is None


def test_build_names_have_the_prefix_of_their_category(tmp_path: Path) -> None:
    fields = {"name": "x@1", "requirements": ()}
    runtime = RuntimeLayer.model_validate({**fields, "python_implementation": "cpython@3.13"})
    framework = FrameworkLayer.model_validate(fields)
    application = ApplicationLayer.model_validate({**fields, "launch_module": tmp_path / "pkg.mod.py"})
    layers = (runtime, framework, application)
    assert [layer.build_name for layer in layers] == ["x@1", "framework-x@1", "app-x@1"]
    assert application.launch_name == "pkg.mod"


@pytest.mark.parametrize("name", ["a b", "ünïcode", "a@1", "a.b", "a_b", "a...", "-x", "1", "a" * 200])
def test_name_that_is_one_path_segment_is_accepted(tmp_path: Path, name: str) -> None:
    spec = load(tmp_path / "s.toml", RUNTIME.replace("base", name))
    assert spec.runtimes[0].name == name


@pytest.mark.parametrize(("value", "read"), [("14", "14"), ("14.2", "14.2"), ('"14"', "14"), ('"13.0"', "13.0")])
def test_macos_target_may_be_a_bare_number(tmp_path: Path, value: str, read: str) -> None:
    spec = load(tmp_path / "s.toml", RUNTIME + f"macosx_target = {value}")
    assert spec.runtimes[0].macosx_target == read


# Paths


def test_module_paths_are_lexical_and_relative_to_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/tool.py").touch()
    (tmp_path / "main.py").touch()
    (tmp_path / "spec").symlink_to(tmp_path / "real/deep")
    spec = load(
        tmp_path / "spec/venvstacks.toml",
        RUNTIME
        + '[[applications]]\nname = "web"\nruntime = "base"\nrequirements = []\nlaunch_module = "./../main.py"\n'
        + 'support_modules = ["~/tool.py", "./venvstacks.toml"]',
    )
    assert spec.path == tmp_path / "spec/venvstacks.toml"
    assert spec.folder == tmp_path / "spec"
    (web,) = spec.applications
    assert web.launch_module == tmp_path / "main.py"
    assert web.support_modules == (tmp_path / "spec/venvstacks.toml", tmp_path / "home/tool.py")


def test_relative_path_of_the_specification_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(Path("sub/../s.toml"), RUNTIME).path == tmp_path / "s.toml"


# Settings


def test_settings_have_defaults_and_are_read(tmp_path: Path) -> None:
    settings = load(tmp_path / "s.toml", "").settings
    assert (settings.runtime_source, settings.archive_format) == (("standalone",), None)
    assert settings.build_from_source == ()
    settings = load(tmp_path / "s.toml", '[tool.stackbuild]\narchive_format = "zip"').settings
    assert settings.archive_format == "zip"


def test_runtime_sources_are_one_or_several(tmp_path: Path) -> None:
    one, several = (
        load(tmp_path / "s.toml", f"[tool.stackbuild]\nruntime_source = {text}").settings.runtime_source
        for text in ('"interpreter"', '["standalone", "interpreter", "standalone"]')
    )
    assert (one, several) == (("interpreter",), ("standalone", "interpreter"))


def test_tables_of_other_tools_are_left_alone(tmp_path: Path) -> None:
    spec = load(tmp_path / "s.toml", "[tool.ruff]\nline-length = 3\n[tool.build]\nx = 1\n[tool.stack]\ny = 2")
    assert (spec.uv.other, spec.notices) == ({}, ())


UV_TABLE = """
exclude-newer = "7 days"
environments = ["sys_platform == 'linux'"]
find-links = ["wheels", "../up", "https://index.invalid/links", "/abs"]
index-url = "simple"
extra-index-url = ["file:///simple", "more"]
no-build-package = ["x"]
sources = { My_Torch = { index = "gpu" } }
index = [
    { name = "gpu", url = "https://index.invalid/gpu", explicit = true, authenticate = "always" },
    { url = "./flat", format = "flat", default = true },
    { url = "${INDEX}/simple" },
]
"""


@pytest.mark.parametrize("inline", [True, False])
def test_uv_settings_are_read_from_either_place(tmp_path: Path, inline: bool) -> None:
    text = "[tool.uv]" + UV_TABLE if inline else ""
    if not inline:
        (tmp_path / "venvstacks.uv.toml").write_text(UV_TABLE, encoding="utf-8")
    uv = load(tmp_path / "s.toml", text).uv
    assert uv.path == tmp_path / ("s.toml" if inline else "venvstacks.uv.toml")
    assert uv.exclude_newer == "7 days"
    assert uv.sources == {"my-torch": (UvSource(index="gpu"),)}
    assert [index.to_toml() for index in uv.indexes] == [
        {"name": "gpu", "url": "https://index.invalid/gpu", "explicit": True, "authenticate": "always"},
        {"url": str(tmp_path / "flat"), "format": "flat", "default": True},
        {"url": "${INDEX}/simple"},
    ]
    assert uv.named_indexes == {"gpu": uv.indexes[0]}
    assert uv.other == {
        "environments": ["sys_platform == 'linux'"],
        "find-links": [str(tmp_path / "wheels"), str(tmp_path.parent / "up"), "https://index.invalid/links", "/abs"],
        "index-url": str(tmp_path / "simple"),
        "extra-index-url": ["file:///simple", str(tmp_path / "more")],
        "no-build-package": ["x"],
    }


def test_index_with_changed_fields_is_told_to_uv(tmp_path: Path) -> None:
    index = load(tmp_path / "s.toml", "[tool.uv]" + UV_TABLE).uv.named_indexes["gpu"]
    assert index.model_copy(update={"explicit": False}).to_toml()["explicit"] is False


def test_inline_uv_table_wins_over_the_file_even_when_empty(tmp_path: Path) -> None:
    (tmp_path / "venvstacks.uv.toml").write_text("no such = toml", encoding="utf-8")
    assert load(tmp_path / "s.toml", "[tool.uv]").uv.other == {}


def test_problems_in_the_uv_file_name_that_file(tmp_path: Path) -> None:
    (tmp_path / "venvstacks.uv.toml").write_text("[[index]]\nurl = 3", encoding="utf-8")
    with pytest.raises(FaultySpec) as caught:
        load(tmp_path / "s.toml", RUNTIME)
    assert tuple(map(str, caught.value.problems)) == (
        "venvstacks.uv.toml: index[0].url: expected a string, got an integer",
    )
    (tmp_path / "venvstacks.uv.toml").write_text("index = ", encoding="utf-8")
    with pytest.raises(FaultySpec) as caught:
        load(tmp_path / "s.toml", RUNTIME)
    assert tuple(map(str, caught.value.problems)) == ("venvstacks.uv.toml: not valid TOML: Invalid value",)


def test_no_uv_settings_are_none(tmp_path: Path) -> None:
    uv = load(tmp_path / "s.toml", RUNTIME).uv
    assert (uv.path, uv.indexes, uv.sources, uv.exclude_newer, uv.other) == (None, (), {}, None, {})


# Legacy fields


def test_legacy_fields_are_read_with_a_notice(tmp_path: Path) -> None:
    spec = load(
        tmp_path / "s.toml",
        '[[runtimes]]\nname = "base"\nfully_versioned_name = "cpython@3.11.13"\nrequirements = []\n'
        '[[frameworks]]\nname = "a"\nruntime = "base"\nrequirements = []\nbuild_requirements = ["x"]\n',
    )
    assert spec.runtimes[0].python_implementation == "cpython@3.11.13"
    assert tuple(map(str, spec.notices)) == (
        'runtime "base": runtimes[0].fully_versioned_name: a legacy name: write "python_implementation"',
        'framework "a": frameworks[0].build_requirements: a legacy field without effect: remove it',
    )


# Inputs seen in the wild


def test_specification_in_a_folder_of_its_own_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "main.py").touch()
    (tmp_path / "app").mkdir()
    spec = load(
        tmp_path / "packaging/linux/generated-stack.toml",
        '[[runtimes]]\nname = "cpython-3.11"\npython_implementation = "cpython@3.11.13"\n'
        "requirements = [\n"
        '    "numpy==2.1.3",\n'
        '    "mlx @ https://files.invalid/mlx-1-py3-none-any.whl#sha256=0123",\n'
        '    "local @ file:///wheels/local-1.0-py3-none-any.whl",\n'
        '    "remote @ https://files.invalid/remote-1.0-py3-none-any.whl#sha256=00ff",\n'
        "    \"pyobjc[x,y]>=10; sys_platform == 'darwin'\",\n"
        "]\n"
        '[[applications]]\nname = "server"\nruntime = "cpython-3.11"\nrequirements = []\nversioned = true\n'
        'launch_module = "../../main.py"\nplatforms = ["macosx_arm64"]\nmacosx_target = "14"\n'
        '[[applications]]\nname = "folder"\nruntime = "cpython-3.11"\nrequirements = []\nlaunch_module = "../../app"\n'
        "[tool.uv]\nenvironments = [\"sys_platform == 'darwin' and platform_machine == 'arm64'\"]\n"
        'exclude-newer = "2025-01-01T00:00:00Z"\noverride-dependencies = ["x<2"]\n'
        '[[tool.uv.dependency-metadata]]\nname = "x"\nversion = "1"\nrequires-dist = []\n',
    )
    assert [str(requirement) for requirement in spec.runtimes[0].requirements][2] == (
        "local @ file:///wheels/local-1.0-py3-none-any.whl"
    )
    assert [application.launch_module for application in spec.applications] == [tmp_path / "main.py", tmp_path / "app"]
    assert list(spec.uv.other) == ["environments", "override-dependencies", "dependency-metadata"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(RUNTIME, id="runtime only"),
        pytest.param(RUNTIME + '[[frameworks]]\nname="a"\nruntime="base"\nrequirements=[]', id="no application"),
        pytest.param('[[frameworks]]\nname="a"\nruntime="base"\nrequirements=[]\n' + RUNTIME, id="tables in any order"),
        pytest.param("# made by a script\r\n" + RUNTIME.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(RUNTIME + "index_overrides = { nowhere = 'nothing' }", id="override without a conflict"),
    ],
)
def test_unusual_but_sound_specification_is_accepted(tmp_path: Path, text: str) -> None:
    assert load(tmp_path / "s.toml", text).path == tmp_path / "s.toml"


def test_uv_file_in_a_template_with_markers_and_credentials_is_kept_as_given(tmp_path: Path) -> None:
    other = load(tmp_path / "s.toml", '[tool.uv]\nconflicts = [[{ extra = "a" }, { extra = "b" }]]').uv.other
    assert other == {"conflicts": [[{"extra": "a"}, {"extra": "b"}]]}


# Key paths and quotes


def test_key_path_is_spelt_as_in_toml() -> None:
    path = ("frameworks", 1, "package_indexes", "my pkg", "a-b_1")
    assert format_key_path(path) == 'frameworks[1].package_indexes."my pkg".a-b_1'


def test_quoted_values_are_short_and_on_one_line() -> None:
    assert quote('a\n"b"\x7f\x9b') == r'"a\n\"b\"\u007f\u009b"'
    assert len(quote("x" * 1000)) == 80


def test_problem_without_a_key_path_is_about_its_subject() -> None:
    assert str(Problem(key_path=(), message="gone", subject="venvstacks.uv.toml")) == "venvstacks.uv.toml: gone"


def test_a_package_may_come_from_an_index_per_platform(tmp_path: Path) -> None:
    markers = ("sys_platform == 'linux'", "sys_platform != 'linux'")
    entries = ", ".join(
        f'{{ index = "{name}", marker = "{marker}" }}' for name, marker in zip("ab", markers, strict=True)
    )
    indexes = "".join(f'[[tool.uv.index]]\nname = "{name}"\nurl = "wheels"\n' for name in "ab")
    uv = load(tmp_path / "s.toml", f"[tool.uv.sources]\nTorch = [{entries}]\nempty = []\n{indexes}{RUNTIME}").uv
    assert uv.sources == {
        "torch": (UvSource(index="a", marker=markers[0]), UvSource(index="b", marker=markers[1])),
        "empty": (),
    }


def test_keys_for_projects_have_no_effect_and_are_told(tmp_path: Path) -> None:
    settings = "[tool.uv]\npackage = true\nmanaged = 1\nworkspace = { members = [] }\nresolution = 'lowest'\n"
    spec = load(tmp_path / "s.toml", settings + RUNTIME)
    assert tuple(map(str, spec.notices)) == tuple(
        f"tool.uv.{key}: has no effect here: remove it" for key in ("package", "managed", "workspace")
    )
    assert spec.uv.given == spec.uv.other == {"resolution": "lowest"}


def test_the_cache_is_one_folder_wherever_uv_runs(tmp_path: Path) -> None:
    uv = load(tmp_path / "s.toml", f"[tool.uv]\ncache-dir = 'cache'\n{RUNTIME}").uv
    assert uv.other["cache-dir"] == str(tmp_path / "cache")
