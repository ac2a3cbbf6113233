"""Loading and linking whole specifications: what is refused with which words, and what stands on what."""

import os
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.errors import SpecError
from stackbuild.spec.faults import FaultySpec
from stackbuild.spec.linearization import InconsistentOrder, linearize
from stackbuild.spec.models import ApplicationLayer, RuntimeLayer, StackbuildSettings, UvIndex
from stackbuild.spec.problems import quote
from stackbuild.spec.stack import LinkedLayer, Stack, read_stack
from stackbuild.targets.platforms import TargetPlatform

RUNTIME = """
[[runtimes]]
name = "base"
python_implementation = "cpython@3.11.13"
requirements = []
"""

INDEXES = """
[[tool.uv.index]]
name = "cpu"
url = "https://index.invalid/cpu"
explicit = true

[[tool.uv.index]]
name = "gpu"
url = "https://index.invalid/gpu"
explicit = true

[[tool.uv.index]]
name = "extra"
url = "https://index.invalid/extra"
"""


def runtime(name: str, *lines: str) -> str:
    return "\n".join(
        [
            "[[runtimes]]",
            f'name = "{name}"',
            'python_implementation = "cpython@3.11.13"',
            "requirements = []",
            *lines,
            "",
        ]
    )


def framework(name: str, *lines: str) -> str:
    return "\n".join(["[[frameworks]]", f'name = "{name}"', "requirements = []", *lines, ""])


def application(name: str, *lines: str) -> str:
    launch = () if any(line.startswith("launch_module") for line in lines) else ('launch_module = "main.py"',)
    return "\n".join(["[[applications]]", f'name = "{name}"', "requirements = []", *launch, *lines, ""])


ON_BASE = 'runtime = "base"'


@pytest.fixture(autouse=True)
def no_deployment_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MACOSX_DEPLOYMENT_TARGET", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a launch module, in which specifications are written."""
    (tmp_path / "main.py").touch()
    return tmp_path


def load(folder: Path, *parts: str) -> Stack:
    path = folder / "venvstacks.toml"
    path.write_text("\n".join(parts), encoding="utf-8")
    return read_stack(path)


def problems(folder: Path, *parts: str) -> tuple[str, ...]:
    with pytest.raises(FaultySpec) as caught:
        load(folder, *parts)
    return tuple(map(str, caught.value.problems))


def names(layer: LinkedLayer) -> list[str]:
    return [lower.name for lower in layer.dependencies]


# Malformed specifications: id, specification, and what the one problem line must contain.
MALFORMED: list[tuple[str, str, tuple[str, ...]]] = [
    (
        "misspelt field",
        RUNTIME + framework("ok", ON_BASE) + '[[frameworks]]\nname="sklearn"\nruntime="base"\nrequirments=[]',
        ('framework "sklearn"', 'frameworks[1].requirments: unknown field — did you mean "requirements"?'),
    ),
    ("unknown field", RUNTIME + "colour = 1", ('runtime "base"', "runtimes[0].colour: unknown field")),
    ("runtime field on a runtime", RUNTIME + 'runtime = "x"', ('runtime "base"', "runtimes[0].runtime: unknown field")),
    (
        "launch module on a framework",
        RUNTIME + framework("a", ON_BASE, 'launch_module = "main.py"'),
        ('framework "a"', "frameworks[0].launch_module: unknown field"),
    ),
    (
        "missing name",
        '[[runtimes]]\npython_implementation="cpython@3.11"\nrequirements=[]',
        ("runtimes[0].name: required",),
    ),
    (
        "missing requirements",
        '[[runtimes]]\nname="base"\npython_implementation="cpython@3.11"',
        ('runtime "base"', "runtimes[0].requirements: required, but missing"),
    ),
    (
        "missing Python",
        '[[runtimes]]\nname="base"\nrequirements=[]',
        ('runtime "base"', "runtimes[0].python_implementation: required, but missing"),
    ),
    (
        "missing launch module",
        RUNTIME + '[[applications]]\nname="web"\nruntime="base"\nrequirements=[]',
        ('application "web"', "applications[0].launch_module: required, but missing"),
    ),
    ("name of a wrong type", RUNTIME.replace('"base"', "3"), ("runtimes[0].name: expected a string, got an integer",)),
    (
        "requirements of a wrong type",
        RUNTIME.replace("[]", '"numpy"'),
        ('runtime "base"', "runtimes[0].requirements: expected a list of strings, got a string"),
    ),
    (
        "requirement of a wrong type",
        RUNTIME.replace("[]", '["numpy", ["scipy"]]'),
        ('runtime "base"', "runtimes[0].requirements[1]: expected a string, got a list"),
    ),
    (
        "invalid requirement",
        RUNTIME.replace("[]", '["numpy=>2"]'),
        ('runtime "base"', 'runtimes[0].requirements[0]: invalid requirement "numpy=>2": '),
    ),
    (
        "requirement nested too deeply",
        RUNTIME.replace("[]", f'["a; {"(" * 5000}"]'),
        ('runtime "base"', "runtimes[0].requirements[0]: invalid requirement"),
    ),
    (
        "flag of a wrong type",
        RUNTIME + 'versioned = "yes"',
        ('runtime "base"', "runtimes[0].versioned: expected true or false, got a string"),
    ),
    (
        "table of a wrong type",
        RUNTIME + "package_indexes = []",
        ('runtime "base"', "runtimes[0].package_indexes: expected a table, got a list"),
    ),
    (
        "date for a string",
        RUNTIME + "linux_target = 2020-01-01",
        ('runtime "base"', "runtimes[0].linux_target: expected a string, got a date or time"),
    ),
    ("empty name", RUNTIME.replace("base", ""), ("runtimes[0].name: a name must not be empty",)),
    ("name with a separator", RUNTIME.replace("base", "a/b"), ('"a/b"', "runtimes[0].name", 'it contains "/"')),
    (
        "name with a backslash",
        RUNTIME.replace("base", "a\\\\b"),
        ("runtimes[0].name", "cannot be the name of a folder"),
    ),
    ("name that is the parent folder", RUNTIME.replace("base", ".."), ("runtimes[0].name", '".." is not a name')),
    ("hidden name", RUNTIME.replace("base", ".old"), ("runtimes[0].name", "stackbuild uses such names itself")),
    ("name of the metadata", RUNTIME.replace("base", "__venvstacks__"), ("runtimes[0].name", "such names itself")),
    ("name with a control character", RUNTIME.replace("base", "a\\u0007"), ("runtimes[0].name", r"\u0007")),
    ("name that is too long", RUNTIME.replace("base", "a" * 201), ("runtimes[0].name", "longer than 200 bytes")),
    (
        "name taken",
        RUNTIME + framework("a", ON_BASE) + framework("a", ON_BASE),
        ('framework "a"', "frameworks[1].name: the name is taken by frameworks[0]"),
    ),
    (
        "reserved prefix",
        runtime("framework-x"),
        ('runtime "framework-x"', 'runtimes[0].name: a runtime may not start with "framework-"'),
    ),
    (
        "build name of another layer",
        RUNTIME + runtime("app-web") + application("web", ON_BASE),
        ('runtime "app-web"', "runtimes[1].name", 'application "web" (applications[0]) has this build name'),
    ),
    (
        "Python without a version",
        RUNTIME.replace("@3.11.13", ""),
        ('runtime "base"', "runtimes[0].python_implementation: ", "does not name a Python"),
    ),
    (
        "Python with an empty version",
        RUNTIME.replace("3.11.13", " +freethreaded"),
        ('runtime "base"', "runtimes[0].python_implementation: "),
    ),
    (
        "unknown Python",
        RUNTIME.replace("cpython@", "cpyton@"),
        ('runtime "base"', 'unknown Python implementation "cpyton" — did you mean "cpython"?'),
    ),
    (
        "unknown platform",
        RUNTIME + 'platforms = ["linux_x86"]',
        ('runtime "base"', 'runtimes[0].platforms[0]: unknown platform "linux_x86" — did you mean "linux_x86_64"?'),
    ),
    (
        "platform that a lower layer lacks",
        RUNTIME + 'platforms = ["linux_x86_64"]\n' + framework("a", ON_BASE, 'platforms = ["win_arm64"]'),
        ('framework "a"', 'frameworks[0].platforms: "win_arm64" is not a platform of runtime "base"'),
    ),
    ("unknown libc", RUNTIME + 'linux_target = "uclibc"', ('runtime "base"', "runtimes[0].linux_target: unknown libc")),
    (
        "libc version",
        RUNTIME + 'linux_target = "glibc@2"',
        ('runtime "base"', "runtimes[0].linux_target: libc version"),
    ),
    ("macOS version", RUNTIME + 'macosx_target = "x"', ('runtime "base"', "runtimes[0].macosx_target: macOS version")),
    (
        "neither runtime nor frameworks",
        RUNTIME + framework("a"),
        ('framework "a"', 'frameworks[0]: needs either runtime = "<name>" or frameworks = ["<name>", …]'),
    ),
    (
        "both runtime and frameworks",
        RUNTIME + framework("a", ON_BASE) + framework("b", ON_BASE, 'frameworks = ["a"]'),
        ('framework "b"', 'frameworks[1].frameworks: give either "runtime" or "frameworks", not both'),
    ),
    (
        "no frameworks named",
        RUNTIME + application("web", "frameworks = []"),
        ('application "web"', "applications[0].frameworks: must name at least one framework"),
    ),
    (
        "unknown runtime",
        RUNTIME + framework("a", 'runtime = "bas"'),
        ('framework "a"', 'frameworks[0].runtime: unknown runtime "bas" — did you mean "base"?'),
    ),
    (
        "unknown framework",
        RUNTIME + framework("sklearn", ON_BASE) + application("web", 'frameworks = ["sklern"]'),
        ('application "web"', 'applications[0].frameworks[0]: unknown framework "sklern" — did you mean "sklearn"?'),
    ),
    (
        "forward reference",
        RUNTIME + framework("a", 'frameworks = ["b"]') + framework("b", ON_BASE),
        ('framework "a"', 'frameworks[0].frameworks[0]: "b" is defined later in the file: move it up'),
    ),
    (
        "dependency on itself",
        RUNTIME + framework("a", 'frameworks = ["a"]'),
        ('framework "a"', 'frameworks[0].frameworks[0]: "a" depends on itself'),
    ),
    (
        "framework named twice",
        RUNTIME + framework("a", ON_BASE) + framework("b", 'frameworks = ["a", "a"]'),
        ('framework "b"', 'frameworks[1].frameworks[1]: names "a" twice'),
    ),
    (
        "framework as a runtime",
        RUNTIME + framework("a", ON_BASE) + application("web", 'runtime = "a"'),
        ('application "web"', '"a" is a framework, not a runtime: write frameworks = ["a"]'),
    ),
    (
        "runtime as a framework",
        RUNTIME + framework("a", 'frameworks = ["base"]'),
        ('framework "a"', '"base" is a runtime, not a framework: write runtime = "base"'),
    ),
    (
        "application as a framework",
        RUNTIME + application("web", ON_BASE) + application("api", 'frameworks = ["web"]'),
        ('application "api"', "applications[1].frameworks[0]", '"web" is an application'),
    ),
    (
        "different runtimes",
        RUNTIME
        + runtime("other")
        + framework("a", ON_BASE)
        + framework("b", 'runtime = "other"')
        + application("web", 'frameworks = ["a", "b"]'),
        ('application "web"', "applications[0].frameworks: ", '"a" on "base", "b" on "other"'),
    ),
    (
        "contradictory import orders",
        RUNTIME
        + framework("B", ON_BASE)
        + framework("C", ON_BASE)
        + framework("D", 'frameworks = ["B", "C"]')
        + framework("E", 'frameworks = ["C", "B"]')
        + application("web", 'frameworks = ["D", "E"]'),
        (
            'application "web"',
            "applications[0].frameworks: no import order fits: ",
            ': framework "D" has "B" before "C", but framework "E" has "C" before "B"',
        ),
    ),
    (
        "import order against the layer's own",
        RUNTIME
        + framework("A", ON_BASE)
        + framework("B", 'frameworks = ["A"]')
        + application("w", 'frameworks = ["A", "B"]'),
        ('application "w"', 'framework "B" has "B" before "A", but this layer has "A" before "B"'),
    ),
    (
        "unknown index of a package",
        RUNTIME + 'package_indexes = { torch = "gp" }' + INDEXES,
        ('runtime "base"', 'runtimes[0].package_indexes.torch: unknown index "gp" — did you mean "gpu"?'),
    ),
    (
        "unknown priority index",
        RUNTIME + 'priority_indexes = ["cpu", "gp"]' + INDEXES,
        ('runtime "base"', 'runtimes[0].priority_indexes[1]: unknown index "gp" — did you mean "gpu"?'),
    ),
    (
        "two spellings of one package",
        RUNTIME + 'package_indexes = { Foo_Bar = "gpu", foo-bar = "gpu" }' + INDEXES,
        ('runtime "base"', 'runtimes[0].package_indexes: "Foo_Bar" and "foo-bar" are the same package'),
    ),
    (
        "index against a lower layer",
        RUNTIME
        + framework("a", ON_BASE, 'package_indexes = { torch = "cpu" }')
        + framework("b", 'frameworks = ["a"]', 'package_indexes = { Torch = "gpu" }')
        + INDEXES,
        (
            'framework "b"',
            'frameworks[1].index_overrides: "torch" comes from index "gpu" in this layer but from "cpu" in framework "a"',  # noqa: E501
            'index_overrides = { cpu = "gpu" }',
        ),
    ),
    (
        "indexes of lower layers against each other",
        RUNTIME
        + framework("a", ON_BASE, 'package_indexes = { torch = "cpu" }')
        + framework("b", ON_BASE, 'package_indexes = { torch = "gpu" }')
        + application("web", 'frameworks = ["a", "b"]', 'index_overrides = { extra = "cpu" }')
        + INDEXES,
        (
            'application "web"',
            '"torch" comes from index "cpu" in framework "a" but from "gpu" in framework "b"',
            'index_overrides = { extra = "cpu", gpu = "cpu" }',
        ),
    ),
    (
        "support module with the launch module's name",
        RUNTIME + application("web", ON_BASE, 'support_modules = ["lib/main.py"]'),
        ('application "web"', 'applications[0].support_modules: "main" is the name of the launch module too'),
    ),
    (
        "two support modules of one name",
        RUNTIME + application("web", ON_BASE, 'support_modules = ["/x/lib.py", "/y/lib"]', "platforms = []"),
        ('application "web"', 'applications[0].support_modules: 2 modules are named "lib"'),
    ),
    (
        "launch module that is not there",
        RUNTIME + application("web", ON_BASE, 'launch_module = "nowhere.py"'),
        ('application "web"', 'applications[0].launch_module: there is no "/'),
    ),
    (
        "launch module that no system can have",
        RUNTIME + application("web", ON_BASE, 'launch_module = "a\\u0000"'),
        ('application "web"', "applications[0].launch_module", "is not a path"),
    ),
    (
        "support module that is not there",
        RUNTIME + application("web", ON_BASE, f'support_modules = ["{"long" * 100}.py"]'),
        ('application "web"', "applications[0].support_modules[0]: there is no "),
    ),
    (
        "different libc",
        RUNTIME + framework("a", ON_BASE, 'linux_target = "musl"'),
        ('framework "a"', 'frameworks[0].linux_target: "musl" differs in libc from "glibc@2.28" of runtime "base"'),
    ),
    (
        "libc that is not said",
        RUNTIME + 'linux_target = "musl"\n' + framework("a", ON_BASE),
        (
            'framework "a"',
            'frameworks[0]: stands on runtimes[0] ("base"), which is for musl: write linux_target = "musl"',
        ),
    ),
    (
        "legacy and current name of a field",
        RUNTIME + 'fully_versioned_name = "cpython@3.11"',
        ('runtime "base"', "runtimes[0].fully_versioned_name", '"python_implementation"'),
    ),
    ("misspelt array of tables", RUNTIME + "[[framework]]", ('framework: unknown table — did you mean "frameworks"?',)),
    ("table for an array of tables", '[runtimes]\nname = "x"', ("runtimes: expected a list of tables, got a table",)),
    ("layer that is no table", "runtimes = [3]", ("runtimes[0]: expected a table, got an integer",)),
    ("tool that is no table", "tool = 1", ("tool: expected a table, got an integer",)),
    ("misspelt tool", "[tool.stackbuilt]", ('tool.stackbuilt: unknown table — did you mean "tool.stackbuild"?',)),
    ("our settings as a string", '[tool]\nstackbuild = "x"', ("tool.stackbuild: expected a table, got a string",)),
    (
        "misspelt setting",
        '[tool.stackbuild]\narchive-format = "zip"',
        ('tool.stackbuild.archive-format: unknown field — did you mean "archive_format"?',),
    ),
    (
        "unknown archive format",
        '[tool.stackbuild]\narchive_format = "tar.zs"',
        ('tool.stackbuild.archive_format: unknown archive format "tar.zs" — did you mean "tar.zst"?',),
    ),
    (
        "unknown runtime source",
        '[tool.stackbuild]\nruntime_source = "moon"',
        ('unknown runtime source "moon", expected one of "interpreter", "standalone"',),
    ),
    (
        "unknown runtime source in a list",
        '[tool.stackbuild]\nruntime_source = ["interpreter", "standalon"]',
        ('runtime_source: unknown runtime source "standalon" — did you mean "standalone"?',),
    ),
    ("no runtime source", "[tool.stackbuild]\nruntime_source = []", ("name at least one runtime source",)),
    (
        "invalid package name",
        '[tool.stackbuild]\nbuild_from_source = ["a b"]',
        ("build_from_source[0]", "not a package name"),
    ),
    ("uv settings as a list", "[tool]\nuv = []", ("tool.uv: expected a table, got a list",)),
    ("index that is a table", "[tool.uv.index]", ("tool.uv.index: expected a list of tables, got a table",)),
    ("index without a URL", '[[tool.uv.index]]\nname="x"', ("tool.uv.index[0].url: required, but missing",)),
    (
        "index name taken",
        INDEXES + '[[tool.uv.index]]\nname="cpu"\nurl="x"',
        ('index[3].name: there is an index "cpu"',),
    ),
    (
        "source that is no index",
        '[tool.uv.sources]\ntorch = { git = "https://git.invalid" }',
        ('tool.uv.sources.torch: only { index = "<name>" } can be a source here, with a marker if need be',),
    ),
    (
        "source with a faulty marker",
        INDEXES + '[tool.uv.sources]\ntorch = { index = "cpu", marker = "os" }',
        ('tool.uv.sources.torch.marker: "os" is not a marker',),
    ),
    (
        "source from an unknown index",
        INDEXES + '[tool.uv.sources]\n"my torch" = { index = "cpuu" }',
        ('tool.uv.sources."my torch".index: unknown index "cpuu" — did you mean "cpu"?',),
    ),
    (
        "two sources of one package",
        INDEXES + '[tool.uv.sources]\ntorch = { index = "cpu" }\nTorch = { index = "gpu" }',
        ('tool.uv.sources: "torch" and "Torch" are the same package',),
    ),
    (
        "exclude-newer without quotes",
        "[tool.uv]\nexclude-newer = 2025-01-01",
        ("tool.uv.exclude-newer: expected a string, got a date or time: put it in quotes",),
    ),
    (
        "exclude-newer in words",
        '[tool.uv]\nexclude-newer = "soon"',
        ("tool.uv.exclude-newer", "is not a time, a date or a duration"),
    ),
    ("find-links as a string", '[tool.uv]\nfind-links = "x"', ("tool.uv.find-links: expected a list of strings",)),
    ("find-links as a table", "[tool.uv]\nfind-links = {}", ("tool.uv.find-links: expected a list of strings, got a",)),
    ("index-url as a number", "[tool.uv]\nindex-url = 3", ("tool.uv.index-url: expected a string, got an integer",)),
    (
        "constraints as a number",
        "[tool.uv]\nconstraint-dependencies = 7",
        ("tool.uv.constraint-dependencies: expected a list of strings, got an integer",),
    ),
    (
        "constraints as a string",
        '[tool.uv]\nconstraint-dependencies = "ab"',
        ("tool.uv.constraint-dependencies: expected a list of strings, got a string",),
    ),
    (
        "a constraint that is a number",
        '[tool.uv]\nconstraint-dependencies = ["a", 1]',
        ("tool.uv.constraint-dependencies[1]: expected a string, got an integer",),
    ),
    (
        "environments as a number",
        "[tool.uv]\nenvironments = 1",
        ("tool.uv.environments: expected a marker or a list of markers, got an integer",),
    ),
    (
        "an environment that is a number",
        "[tool.uv]\nenvironments = [1]",
        ("tool.uv.environments[0]: expected a string, got an integer",),
    ),
    (
        "an environment that is no marker",
        '[tool.uv]\nenvironments = ["sys_platform == \'linux\'", "linux"]',
        ('tool.uv.environments[1]: "linux" is not a marker: Expected ',),
    ),
    (
        "one environment that is no marker",
        '[tool.uv]\nenvironments = ""',
        ('tool.uv.environments: "" is not a marker',),
    ),
    (
        "an environment without meaning",
        "[tool.uv]\nenvironments = [\"sys_platform ~= 'linux'\"]",
        ("tool.uv.environments[0]: \"sys_platform ~= 'linux'\" compares what cannot be compared",),
    ),
]

UNSUPPORTED: list[tuple[str, str, str]] = [
    ("exclude_packages", RUNTIME + 'exclude_packages = ["x"]', 'runtime "base": runtimes[0].exclude_packages'),
    ("exclude_files", RUNTIME + 'exclude_files = ["*.pyi"]', 'runtime "base": runtimes[0].exclude_files'),
    ("overrides", RUNTIME + 'overrides = ["numpy<2"]', 'runtime "base": runtimes[0].overrides'),
    ("scripts", RUNTIME + "scripts = true", 'runtime "base": runtimes[0].scripts'),
    ("scripts by name", RUNTIME + 'scripts = ["pip"]', 'runtime "base": runtimes[0].scripts'),
    (
        "graalpy",
        RUNTIME.replace("cpython@3.11.13", "graalpy@3.11"),
        'runtime "base": runtimes[0].python_implementation',
    ),
    ("build_from_source", '[tool.stackbuild]\nbuild_from_source = ["x"]', "tool.stackbuild.build_from_source"),
]


@pytest.mark.parametrize(("text", "fragments"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED])
def test_malformed_specification_is_refused_with_key_path_and_layer(
    folder: Path, text: str, fragments: tuple[str, ...]
) -> None:
    found = problems(folder, text)
    assert any(all(fragment in problem for fragment in fragments) for problem in found), found
    about_the_case = [problem for problem in found if "not supported yet" not in problem]
    assert len(about_the_case) == 1, "one mistake is one problem"
    assert "\n" not in about_the_case[0]


@pytest.mark.parametrize(("text", "where"), [case[1:] for case in UNSUPPORTED], ids=[case[0] for case in UNSUPPORTED])
def test_what_would_have_no_effect_is_refused(folder: Path, text: str, where: str) -> None:
    (problem,) = problems(folder, text)
    assert problem.startswith(where)
    assert "not supported yet" in problem
    assert "remove" in problem or "use CPython" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            RUNTIME + 'linux_target = "glibc@2.16"',
            'linux_target: wheels cannot be chosen for a glibc older than glibc@2.17: write "glibc@2.17"',
        ),
        (
            RUNTIME + 'linux_target = "musl@1.1"',
            'linux_target: wheels cannot be chosen for a musl older than musl@1.2: write "musl@1.2"',
        ),
        (
            RUNTIME.replace("cpython@3.11.13", "pypy@3.11+freethreaded"),
            'python_implementation: pypy has no free-threaded build: remove "+freethreaded"',
        ),
    ],
)
def test_value_that_nothing_can_serve_is_refused(folder: Path, text: str, problem: str) -> None:
    assert problems(folder, text) == (f'runtime "base": runtimes[0].{problem}',)


def test_musl_and_other_kinds_of_python_are_accepted(folder: Path) -> None:
    for python in ("pypy@3.11.11", "cpython@3.13.2+freethreaded"):
        stack = load(folder, RUNTIME.replace("cpython@3.11.13", python) + 'linux_target = "musl"')
        assert stack.layers[0].layer.linux_target == "musl"


def test_unsupported_fields_may_have_the_value_that_says_nothing(folder: Path) -> None:
    stack = load(
        folder,
        RUNTIME,
        'exclude_packages = []\nexclude_files = []\noverrides = []\nscripts = false\nlinux_target = "glibc"',
        '[tool.stackbuild]\nbuild_from_source = []\nruntime_source = "interpreter"',
    )
    assert stack.spec.settings.build_from_source == ()
    assert stack.layers[0].layer.scripts is False


def test_all_problems_are_told_at_once_in_file_order(folder: Path) -> None:
    path = folder / "venvstacks.toml"
    path.write_text(
        RUNTIME
        + '[[frameworks]]\nname = "sklearn"\nruntime = "base"\nrequirments = ["scikit-learn"]\n'
        + framework("torch", 'runtime = "bse"', "platforms = ['linux']")
        + '[[applications]]\nname = "web"\nlaunch_module = "gone.py"\nframeworks = ["sklearn"]\nrequirements = ["flask=="]\n'  # noqa: E501
        + '[tool.uv.sources]\nx = { path = "x" }\n',
        encoding="utf-8",
    )
    with pytest.raises(FaultySpec) as caught:
        read_stack(path)
    unknown_platform = (
        'unknown platform "linux", expected one of "linux_aarch64", "linux_x86_64", "macosx_arm64", "macosx_x86_64", '
        '"win_amd64", "win_arm64"'
    )
    not_a_requirement = (
        'invalid requirement "flask==": Expected semicolon (after name with no version specifier) or end'
    )
    placed = [(problem.place, problem) for problem in caught.value.problems]
    assert [f"{place.line}:{place.column}: {problem}" for place, problem in placed if place] == [
        '9:1: framework "sklearn": frameworks[0].requirments: unknown field — did you mean "requirements"?',
        '13:11: framework "torch": frameworks[1].runtime: unknown runtime "bse" — did you mean "base"?',
        f'14:14: framework "torch": frameworks[1].platforms[0]: {unknown_platform}',
        f'17:17: application "web": applications[0].launch_module: there is no {quote(str(folder / "gone.py"))}',
        f'19:17: application "web": applications[0].requirements[0]: {not_a_requirement}',
        '21:5: tool.uv.sources.x: only { index = "<name>" } can be a source here, with a marker if need be',
    ]
    assert str(caught.value).startswith(f"{path}: 6 problems\n\n{path}:9:1: ")


def test_message_for_one_problem_is_exact(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    path = folder / "stack.toml"
    path.write_text(RUNTIME + framework("a", ON_BASE, "versionned = true"), encoding="utf-8")
    with pytest.raises(FaultySpec) as caught:
        read_stack(path)
    assert str(caught.value) == (
        'stack.toml:10:1: framework "a": frameworks[0].versionned: unknown field — did you mean "versioned"?\n'
        "   |\n"
        "10 | versionned = true\n"
        "   | ^^^^^^^^^^"
    )


@pytest.mark.parametrize(
    "faulty",
    [
        framework("a", ON_BASE, "colour = 1"),
        framework("a", 'runtime = "nowhere"'),
        framework("a", "runtime = 3"),
        framework("a", ON_BASE, 'platforms = ["linux"]'),
        framework("a", ON_BASE, "package_indexes = 3"),
        framework("a", ON_BASE, 'package_indexes = { x = "nowhere" }'),
        framework("a", ON_BASE, "linux_target = 3"),
        '[[frameworks]]\nnmae = "a"\nrequirements = []\nruntime = "base"\n',
        '[[framework]]\nname = "a"\nrequirements = []\nruntime = "base"\n',
        '[framework]\nname = "a"\nrequirements = []\nruntime = "base"\n',
    ],
)
def test_faulty_layer_is_not_blamed_on_those_that_name_it(folder: Path, faulty: str) -> None:
    above = application("web", 'frameworks = ["a"]', 'platforms = ["linux_x86_64"]', 'package_indexes = { x = "cpu" }')
    found = problems(folder, RUNTIME, faulty, above, INDEXES)
    assert len(found) == 1, found
    assert "applications" not in found[0]


def test_faulty_index_is_not_blamed_on_those_that_name_it(folder: Path) -> None:
    text = RUNTIME + 'priority_indexes = ["cpu"]\n[[tool.uv.index]]\nnmae = "cpu"\nurl = 3'
    assert problems(folder, text) == ("tool.uv.index[0].url: expected a string, got an integer",)


def test_names_clash_before_files_are_looked_for(folder: Path) -> None:
    found = problems(
        folder, RUNTIME, application("web", ON_BASE, 'launch_module = "a/x.py"', 'support_modules = ["b/x.py"]')
    )
    assert len(found) == 2
    assert "is the name of the launch module too" in found[1]


# Files that are no specification at all


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_stack(tmp_path / "gone.toml")
    assert str(caught.value) == f"{tmp_path}/gone.toml: there is no such file"


def test_folder_is_an_error_that_names_the_file_in_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a folder, not a file") as caught:
        read_stack(tmp_path)
    assert caught.value.hint == "give the path of the specification file"
    (tmp_path / "venvstacks.toml").touch()
    with pytest.raises(SpecError) as caught:
        read_stack(tmp_path)
    assert caught.value.hint == f"did you mean {tmp_path}/venvstacks.toml?"


@pytest.mark.skipif(
    os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all files"
)
def test_unreadable_file_is_an_error(folder: Path) -> None:
    path = folder / "venvstacks.toml"
    path.touch(mode=0)
    with pytest.raises(SpecError, match="cannot be read: Permission denied"):
        read_stack(path)


def test_path_that_no_system_can_have_is_an_error(tmp_path: Path) -> None:
    for name in ("a\0b", "long" * 100):
        with pytest.raises(SpecError):
            read_stack(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = \xff", ": not UTF-8 text (byte 7)"),
        (b"\xef\xbb\xbfname = 1", ": starts with a byte order mark"),
        (b"[[runtimes]]\nname = ", ":2:7: not valid TOML: Invalid value\n  |\n2 | name =\n  |       ^"),
        (b"[[runtimes]]\nname == 3", ":2:7: not valid TOML: Invalid value\n  |\n2 | name == 3\n  |       ^"),
        (b"a = 1\r\na = 2\r\n", ":2:6: not valid TOML: Cannot overwrite a value\n  |\n2 | a = 2\n  |      ^"),
        (b"a = " + b"[" * 50_000, ": not valid TOML: nested too deeply"),
        (b"a = " + b"9" * 5_000, ": not valid TOML: Exceeds the limit"),
    ],
)
def test_file_that_is_no_toml_is_an_error_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "venvstacks.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_stack(path)
    assert caught.value.message.startswith(f"{path}{message}")


# Import order


def test_diamond_has_the_import_order_of_python(folder: Path) -> None:
    stack = load(
        folder,
        RUNTIME,
        framework("A", ON_BASE),
        framework("B", 'frameworks = ["A"]'),
        framework("C", 'frameworks = ["A"]'),
        framework("D", 'frameworks = ["B", "C"]'),
    )
    assert names(stack.layers[-1]) == ["B", "C", "A", "base"]


def test_application_on_two_chains_has_the_import_order_of_python(folder: Path) -> None:
    stack = load(
        folder,
        RUNTIME,
        framework("A", ON_BASE),
        framework("B", 'frameworks = ["A"]'),
        framework("C", 'frameworks = ["A"]'),
        framework("D", 'frameworks = ["B", "C"]'),
        framework("E", 'frameworks = ["B"]'),
        framework("F", 'frameworks = ["E"]'),
        application("app", 'frameworks = ["D", "F"]'),
    )
    order = {layer.name: names(layer) for layer in stack.layers}
    assert order["F"] == ["E", "B", "A", "base"]
    assert order["app"] == ["D", "F", "E", "B", "C", "A", "base"]


@given(st.data())
def test_import_order_is_the_method_resolution_order_of_python(data: st.DataObject) -> None:
    classes: list[type] = []
    orders: dict[str, tuple[str, ...]] = {}
    for number in range(data.draw(st.integers(1, 7))):
        bases = data.draw(st.lists(st.sampled_from(classes), unique=True, max_size=4) if classes else st.just([]))
        parents = [(base.__name__, orders[base.__name__]) for base in bases]
        try:
            made = type(f"L{number}", tuple(bases), {})
        except TypeError:
            with pytest.raises(InconsistentOrder):
                linearize(parents)
            continue
        orders[made.__name__] = linearize(parents)
        assert orders[made.__name__] == tuple(base.__name__ for base in made.__mro__[1:-1])
        classes.append(made)


# What linking works out


def test_layers_are_linked_in_order_of_category_and_file(folder: Path) -> None:
    stack = load(
        folder,
        application("web", 'frameworks = ["a"]'),
        framework("a", ON_BASE),
        RUNTIME,
        runtime("other"),
    )
    assert [layer.build_name for layer in stack.layers] == ["base", "other", "framework-a", "app-web"]
    assert [(layer.kind, layer.category) for layer in stack.layers[1:]] == [
        ("runtime", "runtimes"),
        ("framework", "frameworks"),
        ("application", "applications"),
    ]
    web = stack.by_build_name[stack.layers[3].build_name]
    assert web.name == "web"
    assert web.runtime is stack.spec.runtimes[0]
    assert web.frameworks == stack.spec.frameworks
    assert stack.layers[0].dependencies == ()
    assert stack.layers[0].runtime is stack.spec.runtimes[0]


def test_one_name_may_serve_in_every_category(folder: Path) -> None:
    stack = load(folder, RUNTIME, framework("base", ON_BASE), application("base", 'frameworks = ["base"]'))
    assert list(stack.by_build_name) == ["base", "framework-base", "app-base"]


def test_platforms_are_all_unless_declared(folder: Path) -> None:
    (layer,) = load(folder, RUNTIME).layers
    assert layer.platforms == tuple(sorted(TargetPlatform))


def test_platforms_are_those_that_all_lower_layers_target(folder: Path) -> None:
    stack = load(
        folder,
        runtime("base", 'platforms = ["win_amd64", "linux_x86_64", "macosx_arm64"]'),
        framework("a", ON_BASE, 'platforms = ["win_amd64", "linux_x86_64", "win_amd64"]'),
        framework("b", ON_BASE, 'platforms = ["macosx_arm64", "linux_x86_64"]'),
        application("web", 'frameworks = ["a", "b"]'),
    )
    assert [layer.platforms for layer in stack.layers] == [
        ("linux_x86_64", "macosx_arm64", "win_amd64"),
        ("linux_x86_64", "win_amd64"),
        ("linux_x86_64", "macosx_arm64"),
        ("linux_x86_64",),
    ]


def test_disabled_layer_disables_those_above_and_needs_no_files(folder: Path) -> None:
    stack = load(
        folder,
        RUNTIME,
        framework("a", ON_BASE, "platforms = []"),
        application("web", 'frameworks = ["a"]', 'launch_module = "gone.py"', 'support_modules = ["gone_too.py"]'),
    )
    assert [layer.platforms for layer in stack.layers[1:]] == [(), ()]


def test_package_indexes_are_inherited_and_normalised(folder: Path) -> None:
    stack = load(
        folder,
        runtime("base", 'package_indexes = { "Foo.Bar" = "extra" }'),
        framework("a", ON_BASE, 'package_indexes = { torch = "cpu" }'),
        application("web", 'frameworks = ["a"]', 'package_indexes = { TORCH = "cpu", x = "gpu" }'),
        INDEXES,
    )
    assert stack.layers[1].package_indexes == {"foo-bar": "extra", "torch": "cpu"}
    assert stack.layers[2].package_indexes == {"foo-bar": "extra", "torch": "cpu", "x": "gpu"}


def test_index_override_lets_the_layer_or_the_nearer_layer_win(folder: Path) -> None:
    stack = load(
        folder,
        runtime("base", 'package_indexes = { x = "extra" }'),
        framework("a", ON_BASE, 'package_indexes = { x = "cpu" }', 'index_overrides = { extra = "cpu" }'),
        framework("b", ON_BASE, 'package_indexes = { x = "gpu" }', 'index_overrides = { extra = "gpu" }'),
        application("web", 'frameworks = ["a", "b"]', 'index_overrides = { gpu = "cpu" }'),
        application("api", 'frameworks = ["a"]'),
        INDEXES,
    )
    assert [layer.package_indexes for layer in stack.layers[1:]] == [
        {"x": "cpu"},
        {"x": "gpu"},
        {"x": "cpu"},
        {"x": "cpu"},
    ]


def test_suggested_index_override_is_accepted(folder: Path) -> None:
    parts = [
        RUNTIME,
        framework("a", ON_BASE, 'package_indexes = { x = "cpu", y = "cpu" }'),
        framework("b", ON_BASE, 'package_indexes = { x = "gpu", y = "gpu" }'),
        application("web", 'frameworks = ["a", "b"]', 'package_indexes = { x = "extra" }'),
        INDEXES,
    ]
    (problem,) = problems(folder, *parts)
    line = problem.partition("write: ")[2]
    assert line == 'index_overrides = { gpu = "cpu", cpu = "extra" }'
    parts[3] += line
    assert load(folder, *parts).layers[-1].package_indexes == {"x": "extra", "y": "cpu"}


def test_index_that_would_have_to_lose_to_two_has_no_override(folder: Path) -> None:
    (problem,) = problems(
        folder,
        RUNTIME,
        framework("a", ON_BASE, 'package_indexes = { x = "cpu", y = "cpu" }'),
        framework("b", 'frameworks = ["a"]', 'package_indexes = { x = "gpu", y = "extra" }'),
        INDEXES,
    )
    assert '"cpu" would have to give way to both of "gpu", "extra"' in problem


def test_macos_target_comes_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "venvstacks.toml"
    path.write_text(RUNTIME + runtime("own", "macosx_target = '14.1'"), encoding="utf-8")

    def targets() -> list[str]:
        return [layer.layer.macosx_target for layer in read_stack(path).layers]

    assert targets() == ["13.0", "14.1"]
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "12")
    assert targets() == ["12", "14.1"]
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "twelve")
    with pytest.raises(SpecError, match="MACOSX_DEPLOYMENT_TARGET: macOS version 'twelve'"):
        targets()


# No input ends in anything but a stack or a SpecError

WORDS = st.sampled_from(
    sorted(
        {
            *RuntimeLayer.model_fields,
            *ApplicationLayer.model_fields,
            *StackbuildSettings.model_fields,
            *UvIndex.model_fields,
        }
        | {"build_requirements", "fully_versioned_name", "index", "sources", "exclude-newer", "find-links"}
        | {"uv", "stackbuild"}
    )
)
STRINGS = st.one_of(
    st.sampled_from(
        [
            "base",
            "a",
            "b",
            "cpython@3.11",
            "cpython@ +freethreaded",
            "linux_x86_64",
            "musl",
            "glibc@2.28",
            "14",
            "~x/y",
            "numpy",
            "numpy; (",
            "x @ file:///y",
            "main.py",
            "app-a",
            "..",
            "cpu",
            "7 days",
        ]
    ),
    st.text(max_size=8),
)
SCALARS = st.one_of(STRINGS, st.booleans(), st.integers(-9, 9), st.floats(), st.dates(), st.datetimes(), st.times())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, STRINGS), inner, max_size=3)),
    max_leaves=8,
)
NAMES = st.sampled_from(["base", "a", "b", "c", "app-a", "x/y"])
LAYERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "requirements": st.lists(st.just("numpy"), max_size=1)},
        optional={
            "runtime": NAMES,
            "frameworks": st.lists(NAMES, max_size=3),
            "python_implementation": st.just("cpython@3.11"),
            "launch_module": st.just("main.py"),
            "platforms": st.lists(st.sampled_from(["linux_x86_64", "win_amd64", "mac"]), max_size=2),
            "package_indexes": st.dictionaries(NAMES, NAMES, max_size=2),
            "index_overrides": st.dictionaries(NAMES, NAMES, max_size=2),
            "linux_target": st.sampled_from(["glibc", "musl"]),
        },
    ).flatmap(lambda layer: st.dictionaries(WORDS, VALUES, max_size=1).map(lambda extra: {**layer, **extra})),
    max_size=4,
)
INDEX_TABLES = st.lists(st.fixed_dictionaries({"name": NAMES, "url": STRINGS}), max_size=3)
SPECIFICATIONS = st.one_of(
    st.dictionaries(st.one_of(WORDS, STRINGS), VALUES, max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "runtimes": st.one_of(LAYERS, VALUES),
            "frameworks": st.one_of(LAYERS, VALUES),
            "applications": st.one_of(LAYERS, VALUES),
            "tool": st.one_of(
                VALUES,
                st.fixed_dictionaries({"uv": st.one_of(VALUES, st.fixed_dictionaries({"index": INDEX_TABLES}))}),
                st.dictionaries(WORDS, VALUES, max_size=3),
            ),
        },
    ),
)


def load_or_refuse(path: Path) -> None:
    try:
        read_stack(path)
    except FaultySpec as error:
        told = [str(problem) for problem in error.problems]
        assert all("\n" not in problem for problem in told)
        assert len(set(told)) == len(told)
    except SpecError:
        pass


@given(SPECIFICATIONS)
def test_any_toml_is_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(tomli_w.dumps(data), encoding="utf-8")
    load_or_refuse(path)


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_are_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(content)
    load_or_refuse(path)


@given(st.dictionaries(st.one_of(WORDS, STRINGS), VALUES, max_size=4))
def test_any_uv_file_is_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]) -> None:
    folder = tmp_path_factory.getbasetemp() / "uv"
    folder.mkdir(exist_ok=True)
    (folder / "stack.toml").write_text(RUNTIME, encoding="utf-8")
    (folder / "venvstacks.uv.toml").write_text(tomli_w.dumps(data), encoding="utf-8")
    load_or_refuse(folder / "stack.toml")


FAULTY_SETTINGS = """
[tool.uv]
constraint-dependencies = 7
override-dependencies = "a"
environments = [1]
required-environments = 2
find-links = true
index-url = 1
resolution = []
no-index = "yes"
concurrent-downloads = 0
allow-insecure-host = [1]
cache-dir = 2
exclude-newer = "1965-01-01"

[tool.uv.sources]
torch = [{ index = "cpu", marker = 1 }, 1]
"""


def test_settings_of_another_type_are_told_all_at_once(folder: Path) -> None:
    only_an_index = 'only { index = "<name>" } can be a source here, with a marker if need be'
    assert set(problems(folder, FAULTY_SETTINGS + RUNTIME)) == {
        "tool.uv.constraint-dependencies: expected a list of strings, got an integer",
        "tool.uv.override-dependencies: expected a list of strings, got a string",
        "tool.uv.environments[0]: expected a string, got an integer",
        "tool.uv.required-environments: expected a marker or a list of markers, got an integer",
        "tool.uv.find-links: expected a list of strings, got a boolean",
        "tool.uv.index-url: expected a string, got an integer",
        "tool.uv.resolution: expected a string, got a list",
        "tool.uv.no-index: expected true or false, got a string",
        "tool.uv.concurrent-downloads: must be at least 1",
        "tool.uv.allow-insecure-host[0]: expected a string, got an integer",
        "tool.uv.cache-dir: expected a string, got an integer",
        "tool.uv.exclude-newer: '1965-01-01' is not between 1970-01-01 and 9999-12-30",
        f"tool.uv.sources.torch[0]: {only_an_index}",
        f"tool.uv.sources.torch[1]: {only_an_index}",
    }


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("linux_amd64", "linux_x86_64"),
        ("linux_arm64", "linux_aarch64"),
        ("manylinux_2_28_x86_64", "linux_x86_64"),
        ("macos-aarch64", "macosx_arm64"),
        ("darwin_x64", "macosx_x86_64"),
        ("Windows-x86_64", "win_amd64"),
        ("win_aarch64", "win_arm64"),
    ],
)
def test_another_name_of_a_platform_is_told_with_the_right_one(folder: Path, given: str, meant: str) -> None:
    (problem,) = problems(folder, RUNTIME + f'platforms = ["{given}"]')
    assert problem.endswith(f'unknown platform "{given}": write "{meant}"')
