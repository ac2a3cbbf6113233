"""The schema says what the reader of specifications does: no field is missing, nothing sound is refused."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from pydantic import BaseModel, ValidationError

from stackbuild.authoring.schema import schema_text, stack_schema
from stackbuild.spec.faults import FaultySpec
from stackbuild.spec.layer_draft import DROPPED, LAYER_TYPES, RENAMED
from stackbuild.spec.models import FrameworkLayer, Layer, RuntimeLayer, StackbuildSettings, UvIndex
from stackbuild.spec.stack import read_stack
from stackbuild.targets.platforms import TargetPlatform
from tests.unit.spec.test_models import UV_TABLE
from tests.unit.spec.test_stack import INDEXES, MALFORMED, ON_BASE, RUNTIME, application, framework

ROOT = Path(__file__).parents[3]
SCHEMA = stack_schema()
DEFINITIONS = SCHEMA["definitions"]
LAYER_FIELDS = {name for model in LAYER_TYPES.values() for name in model.model_fields}
TABLES = ("stackbuild_settings", "uv_index", "uv_settings")
LAYER_NAME = DEFINITIONS["name"]["pattern"]
PYTHON_IMPLEMENTATION = DEFINITIONS["python_implementation"]["pattern"]
REQUIREMENT = DEFINITIONS["requirements"]["items"]["pattern"]


def complaints(text: str) -> list[str]:
    """What the schema has against a specification."""
    validator = jsonschema.Draft7Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(tomllib.loads(text))]


def test_the_file_in_the_package_is_current() -> None:
    shipped = (ROOT / "stackbuild" / "venvstacks.schema.json").read_text(encoding="utf-8")
    assert shipped == schema_text(), "write it again: stackbuild schema > stackbuild/venvstacks.schema.json"


def test_its_text_can_be_printed_in_every_encoding() -> None:
    assert schema_text().isascii()


def test_a_caller_may_change_its_schema() -> None:
    schema = stack_schema()
    fields = [value for value in schema["definitions"].values() if "examples" in value]
    for field in fields:
        field["examples"].clear()
        field.get("items", {}).clear()
    assert len(fields) == len(LAYER_FIELDS)
    assert stack_schema() == SCHEMA


def test_it_is_a_sound_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


# It has all that the models have


@pytest.mark.parametrize("layer_type", LAYER_TYPES.values(), ids=LAYER_TYPES)
def test_a_layer_has_the_fields_of_its_model_and_the_legacy_ones(layer_type: type[Layer]) -> None:
    table = DEFINITIONS[f"{layer_type.kind}_layer"]
    legacy = {*RENAMED.get(layer_type.category, {}), *DROPPED}
    assert table["properties"].keys() == layer_type.model_fields.keys() | legacy
    assert table["additionalProperties"] is False
    assert {name for name, described in table["properties"].items() if described.get("deprecated")} == legacy


@pytest.mark.parametrize(("name", "model"), [("stackbuild_settings", StackbuildSettings), ("uv_index", UvIndex)])
def test_a_table_of_settings_has_the_fields_of_its_model(name: str, model: type[BaseModel]) -> None:
    assert DEFINITIONS[name]["properties"].keys() == model.model_fields.keys()


def test_nothing_is_described_that_no_model_has() -> None:
    layers = {f"{model.kind}_layer" for model in LAYER_TYPES.values()}
    assert DEFINITIONS.keys() == {*layers, *TABLES, *LAYER_FIELDS}


def test_every_uv_setting_that_stackbuild_treats_itself_is_described() -> None:
    treated = {"index", "sources", "exclude-newer", "index-url", "extra-index-url", "find-links"}
    treated |= {"constraint-dependencies", "environments"}
    assert treated <= DEFINITIONS["uv_settings"]["properties"].keys()


def test_defaults_and_known_words_are_those_of_the_models() -> None:
    assert DEFINITIONS["linux_target"]["default"] == FrameworkLayer.model_fields["linux_target"].default
    assert (DEFINITIONS["versioned"]["default"], DEFINITIONS["overrides"]["default"]) == (False, [])
    assert "default" not in DEFINITIONS["platforms"]
    assert DEFINITIONS["platforms"]["items"]["enum"] == list(TargetPlatform)
    archive_format = DEFINITIONS["stackbuild_settings"]["properties"]["archive_format"]
    assert ("default" in archive_format, StackbuildSettings().archive_format) == (False, None)  # the platform's


# What editors show


def described_fields() -> Iterator[Any]:
    for name in sorted(LAYER_FIELDS):
        yield pytest.param(DEFINITIONS[name], id=f"layer {name}")
    for table in TABLES:
        for name, described in DEFINITIONS[table]["properties"].items():
            if (table, name) != ("uv_settings", "index"):  # tables of their own
                yield pytest.param(described, id=f"{table} {name}")


@pytest.mark.parametrize("described", [*described_fields()])
def test_a_field_is_explained_with_examples_that_are_sound(described: dict[str, Any]) -> None:
    lines = re.findall(r"^`(.*)`$", described["description"], re.MULTILINE)
    shown = [next(iter(tomllib.loads(line).values())) for line in lines]
    assert shown == described["examples"]
    assert shown
    assert all(jsonschema.Draft7Validator(described).is_valid(value) for value in shown)


def examples_in_files() -> Iterator[Any]:
    sound = {"name": "base", "python_implementation": "cpython@3.11", "requirements": []}
    indexes = {"uv": {"index": [{"name": "pytorch-cpu", "url": "https://index.invalid"}]}}
    for name in RuntimeLayer.model_fields:
        for value in DEFINITIONS[name]["examples"]:
            table: dict[str, Any] = {"runtimes": [{**sound, name: value}], "tool": indexes}
            yield pytest.param(name, table, DEFINITIONS[name], id=f"{name} = {value}")
    for name, described in DEFINITIONS["stackbuild_settings"]["properties"].items():
        for value in described["examples"]:
            yield pytest.param(name, {"tool": {"stackbuild": {name: value}}}, described, id=f"{name} = {value}")


@pytest.mark.parametrize(("name", "table", "described"), [*examples_in_files()])
def test_an_example_is_accepted_or_the_field_says_that_it_is_not_supported_yet(
    tmp_path: Path, name: str, table: dict[str, Any], described: dict[str, Any]
) -> None:
    specification = tmp_path / "venvstacks.toml"
    specification.write_text(tomli_w.dumps(table), encoding="utf-8")
    try:
        read_stack(specification)
    except FaultySpec as error:
        sentences = [str(problem).partition(f"{name}: ")[2] for problem in error.problems]
        assert all("not supported yet" in sentence for sentence in sentences)
        assert all(f"({sentence})" in described["description"] for sentence in sentences)


# What it accepts and what it refuses

SOUND = {
    "nothing": "",
    "uv settings": "[tool.uv]" + UV_TABLE,
    "other tools": "[tool.ruff]\nline-length = 3\n[tool.build]\nx = 1",
    "legacy fields": '[[runtimes]]\nname = "base"\nfully_versioned_name = "cpython@3.11.13"\nrequirements = []\n'
    + framework("a", ON_BASE, 'build_requirements = ["x"]'),
    "every kind of requirement": RUNTIME.replace(
        "[]",
        """[
    "numpy==2.1.3", "mlx @ https://files.invalid/mlx-1-py3-none-any.whl", "local @ file:///wheels/local-1.0-py3-none-any.whl",
    "remote@https://files.invalid/remote-1.0-py3-none-any.whl#sha256=00ff", " old (>=1.0, <2) ",
    "pyobjc[x,y]>=10; sys_platform == 'darwin'", "a-b.c_d [e] ~= 1.0", "x===1", "x!=1", "x ; os_name == 'nt'",
]""",
    ),
    "unusual names": RUNTIME.replace("base", "ünïcode a@1.…-x") + RUNTIME.replace("base", "-..."),
    "bare numbers for macOS": RUNTIME + "macosx_target = 14\n" + RUNTIME.replace("base", "b") + "macosx_target = 14.2",
    "disabled layers": RUNTIME + "platforms = []\n" + framework("a", ON_BASE, "platforms = []"),
    "indexes": RUNTIME
    + 'package_indexes = { Torch = "cpu" }\n'
    + framework("a", ON_BASE, 'priority_indexes = ["gpu"]', 'index_overrides = { cpu = "gpu" }', "versioned = true")
    + INDEXES,
    "application on frameworks": RUNTIME
    + framework("a", ON_BASE)
    + framework("b", 'frameworks = ["a"]', 'linux_target = "glibc"')
    + application("web", 'frameworks = ["b"]', 'support_modules = ["~/x.py", "../y"]', "platforms = []"),
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_sound_specification_is_accepted_by_the_reader_and_the_schema(tmp_path: Path, text: str) -> None:
    (tmp_path / "venvstacks.toml").write_text(text, encoding="utf-8")
    read_stack(tmp_path / "venvstacks.toml")
    assert complaints(text) == []


@pytest.mark.parametrize("specification", sorted((ROOT / "specs").glob("*/venvstacks.toml")), ids=str)
def test_example_stack_is_accepted(specification: Path) -> None:
    assert complaints(specification.read_text(encoding="utf-8")) == []


SEEN_IN_A_SCHEMA = {
    *("misspelt field", "unknown field", "runtime field on a runtime", "launch module on a framework"),
    *("missing name", "missing requirements", "missing Python", "missing launch module"),
    *("name of a wrong type", "requirements of a wrong type", "requirement of a wrong type", "invalid requirement"),
    *("flag of a wrong type", "table of a wrong type", "date for a string"),
    *("empty name", "name with a separator", "name with a backslash", "name that is the parent folder"),
    *("name with a control character", "name that is too long", "reserved prefix"),
    *("Python without a version", "Python with an empty version", "unknown Python"),
    *("unknown platform", "unknown libc", "libc version", "macOS version"),
    *("neither runtime nor frameworks", "both runtime and frameworks", "no frameworks named", "framework named twice"),
    *("legacy and current name of a field", "misspelt array of tables", "table for an array of tables"),
    *("layer that is no table", "tool that is no table", "our settings as a string", "misspelt setting"),
    *("unknown archive format", "unknown runtime source", "invalid package name", "uv settings as a list"),
    *("index that is a table", "index without a URL", "source that is no index"),
}
"""What an editor can tell from one file without linking its layers."""


@pytest.mark.parametrize("text", [text for name, text, _ in MALFORMED if name in SEEN_IN_A_SCHEMA])
def test_faulty_specification_is_refused(text: str) -> None:
    assert complaints(text)


def test_every_fault_that_a_schema_can_see_is_tried() -> None:
    assert {name for name, _, _ in MALFORMED} >= SEEN_IN_A_SCHEMA


def test_a_missing_field_is_asked_for_by_name() -> None:
    assert complaints('[[frameworks]]\nname = "a"\nrequirements = []') == [
        "$.frameworks[0]: 'runtime' is a required property"
    ]
    assert complaints('[[runtimes]]\nname = "a"\nrequirements = []') == [
        "$.runtimes[0]: 'python_implementation' is a required property"
    ]


# Patterns


def fits(pattern: str, text: str) -> bool:
    """Whether a pattern of the schema fits; in JSON Schema, unlike in Python, `$` is the very end."""
    return re.search(pattern.replace("$", r"\Z"), text) is not None


@given(st.text(max_size=20) | st.text("./\\:a", max_size=4))
def test_a_name_fits_when_the_reader_takes_it(name: str) -> None:
    try:
        FrameworkLayer.model_validate({"name": name, "requirements": []})
    except ValidationError:
        assert not fits(LAYER_NAME, name)
    else:
        assert fits(LAYER_NAME, name)


@given(
    st.from_regex(r"[a-z][a-z-]{0,3}[a-z] ?(\[[a-z]\])? ?((==|>=|~=|!=|<|===) ?[0-9.]{1,4})?( ?; ?os_name == 'nt')?")
)
def test_a_requirement_that_can_be_parsed_fits(text: str) -> None:
    try:
        Requirement(text)
    except ValueError:
        return
    assert fits(REQUIREMENT, text)


@pytest.mark.parametrize(
    "text",
    [
        *("cpython@3.12", "cpython@3.12.4", " cpython@3.14.0rc1 ", "cpython@~=3.12.0", "cpython@==3.12.*"),
        *("cpython@>= 3.11, !=3.12.1, <3.14", "pypy@3.11.11", "cpython@3.13.2+freethreaded", "graalpy@3.12"),
    ],
)
def test_a_python_that_the_reader_takes_fits(text: str) -> None:
    RuntimeLayer.model_validate({"name": "a", "requirements": [], "python_implementation": text})
    assert fits(PYTHON_IMPLEMENTATION, text)


@pytest.mark.parametrize(
    "text", ["3.12", "cpython", "cpython@", "cpython@3", "python@3.12", "cpython@x", "cpython 3.12"]
)
def test_a_python_that_the_reader_refuses_does_not_fit(text: str) -> None:
    with pytest.raises(ValidationError):
        RuntimeLayer.model_validate({"name": "a", "requirements": [], "python_implementation": text})
    assert not fits(PYTHON_IMPLEMENTATION, text)
