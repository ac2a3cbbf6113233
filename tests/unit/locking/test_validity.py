"""What a lock depends on, and why it is not good any more."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from pydantic import JsonValue

from stackbuild.locking.input_changes import requirement_changes, value_changes
from stackbuild.locking.pylock import LockedPackage, LowerPackage, hash_strings
from stackbuild.locking.record import LockedInputs, LockRecord
from stackbuild.locking.validity import (
    LockInputs,
    constraints_hash,
    declared_hash,
    lock_settings,
    needs_new_version,
    other_inputs,
    reasons_to_relock,
)
from stackbuild.project.lock_status import version_inputs
from stackbuild.spec.models import BuildName
from stackbuild.spec.stack import Stack, read_stack
from stackbuild.system.json_file import digest_of

SPECIFICATION = """
[[runtimes]]
name = "base"
python_implementation = "cpython@3.11.13"
requirements = ["numpy>=1 ; python_version<'4'", "A_b[x]==1"]
versioned = true

[[runtimes]]
name = "linux only"
python_implementation = "cpython@3.13.1"
requirements = []
platforms = ["linux_x86_64"]
linux_target = "glibc@2.31"

[[frameworks]]
name = "a"
runtime = "base"
requirements = []
platforms = ["macosx_arm64", "win_amd64"]
macosx_target = "14.1"

[[frameworks]]
name = "b"
frameworks = ["a"]
requirements = []
versioned = true

[[frameworks]]
name = "win"
runtime = "base"
requirements = []
platforms = ["win_amd64"]

[[frameworks]]
name = "c"
runtime = "base"
requirements = []
linux_target = "glibc"

[[applications]]
name = "app"
frameworks = ["b", "c"]
requirements = ["x @ https://files.example/x-1-py3-none-any.whl#sha256=aa"]
launch_module = "main.py"
support_modules = ["z.py", "b.py"]
versioned = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("main", "z", "b"):
        (tmp_path / f"{name}.py").write_text(f"{name}\n", encoding="utf-8")
    return tmp_path


def load(folder: Path, text: str = SPECIFICATION) -> Stack:
    path = folder / "venvstacks.toml"
    path.write_text(text, encoding="utf-8")
    return read_stack(path)


# The recipes of venvstacks, with the values that it computed for the specification above


@pytest.mark.parametrize(
    ("layer", "parts"),
    [
        ("base", ["py_version=3.11", "linux_target=glibc@2.28", "macosx_target=13.0"]),
        ("linux only", ["py_version=3.13", "linux_target=glibc@2.31"]),
        ("framework-a", ["py_version=3.11", "macosx_target=14.1", "base"]),
        ("framework-b", ["py_version=3.11", "macosx_target=13.0", "base", "a"]),
        ("framework-win", ["py_version=3.11", "base"]),
        ("framework-c", ["py_version=3.11", "linux_target=glibc", "macosx_target=13.0", "base"]),
        ("app-app", ["py_version=3.11", "macosx_target=13.0", "base", "b", "a", "c"]),
    ],
)
def test_other_inputs_are_python_targets_runtime_and_declared_framework_names(
    folder: Path, layer: str, parts: list[str]
) -> None:
    linked = load(folder).by_build_name[BuildName(layer)]
    version = linked.runtime.python_implementation.partition("@")[2].rpartition(".")[0]
    assert other_inputs(linked, short_version=version) == parts


def test_version_inputs_are_name_versioning_and_module_hashes(folder: Path) -> None:
    stack = load(folder)
    assert version_inputs(stack.by_build_name[BuildName("framework-a")]) == [
        "env_name=framework-a",
        "is_versioned_layer=False",
    ]

    def module(name: str) -> str:
        content = hashlib.sha256(f"{name}\n".encode()).hexdigest()
        return f"sha256:{hashlib.sha256(f'{name}.pysha256:{content}'.encode()).hexdigest()}"

    assert version_inputs(stack.by_build_name[BuildName("app-app")]) == [
        "env_name=app-app",
        "is_versioned_layer=True",
        module("main"),
        module("b"),
        module("z"),
    ]


@pytest.mark.parametrize(
    ("requirements", "text"),
    [
        ([], ""),
        (["scipy", "numpy >=1"], "numpy>=1scipy"),
        (["b>=1,<2", "A[y, x]==1; python_version<'3.12'"], 'A[x,y]==1; python_version < "3.12"b<2,>=1'),
        (
            ["a @ https://files.example/a-1-py3-none-any.whl#sha256=ab"],
            "a @ https://files.example/a-1-py3-none-any.whl",
        ),
        (["a @ git+https://git.example/a@1 ; os_name=='nt'"], 'a @ git+https://git.example/a@1 ; os_name == "nt"'),
        (["a @ git+https://git.example/a@1#subdirectory=z ; os_name=='nt'"], "a @ git+https://git.example/a@1"),
    ],
)
def test_declared_requirements_are_hashed_sorted_in_canonical_form(requirements: list[str], text: str) -> None:
    assert declared_hash(map(Requirement, requirements)) == hash_strings([text])


# Settings that venvstacks does not record


def settings(folder: Path, text: str, *, layer: str = "framework-b") -> dict[str, JsonValue]:
    stack = load(folder, text)
    linked = stack.by_build_name[BuildName(layer)]
    return lock_settings(linked, stack.spec.uv, folder=stack.spec.folder)


INDEX = '\n[[tool.uv.index]]\nname = "i"\nurl = "https://index.example/simple"\n'


def test_without_settings_there_are_none(folder: Path) -> None:
    assert settings(folder, SPECIFICATION, layer="base") == {}
    assert settings(folder, SPECIFICATION + "\n[tool.uv]\n", layer="base") == {}


def test_platforms_count_where_some_are_left_out(folder: Path) -> None:
    assert settings(folder, SPECIFICATION) == {"platforms": ["macosx_arm64", "win_amd64"]}
    assert settings(folder, SPECIFICATION, layer="framework-win") == {"platforms": ["win_amd64"]}


@pytest.mark.parametrize(
    "text",
    [
        SPECIFICATION + '\n[tool.uv]\nresolution = "lowest"\n',
        SPECIFICATION + '\n[tool.uv]\nfind-links = ["wheels"]\n',
        SPECIFICATION + '\n[tool.uv]\noverride-dependencies = ["numpy==1"]\n',
        SPECIFICATION + INDEX,
        SPECIFICATION + INDEX.replace("simple", "other"),
        SPECIFICATION + INDEX + "explicit = true\n",
        SPECIFICATION + INDEX + '[tool.uv.sources]\nnumpy = { index = "i" }\n',
        SPECIFICATION.replace('frameworks = ["a"]', 'frameworks = ["a"]\npriority_indexes = ["i"]') + INDEX,
        SPECIFICATION.replace('frameworks = ["a"]', 'frameworks = ["a"]\npackage_indexes = { numpy = "i" }') + INDEX,
        SPECIFICATION.replace('name = "a"', 'name = "a"\npackage_indexes = { numpy = "i" }') + INDEX,
    ],
)
def test_every_setting_counts(folder: Path, text: str) -> None:
    found = settings(folder, text)
    assert found not in (settings(folder, SPECIFICATION + INDEX + "default = true\n"), {})
    if text != SPECIFICATION + INDEX:
        assert found != settings(folder, SPECIFICATION + INDEX)


def test_limit_in_time_counts(folder: Path) -> None:
    limits = [f'[tool.uv]\nexclude-newer = "{value}"\n' for value in ("2026-01-01", "2026-01-02")]
    found = [settings(folder, SPECIFICATION + limit) for limit in ("", *limits)]
    assert [item.get("exclude-newer") for item in found] == [None, "2026-01-01", "2026-01-02"]


def test_hash_of_a_url_requirement_counts(folder: Path) -> None:
    changed = SPECIFICATION.replace("#sha256=aa", "#sha256=bb")
    found = [settings(folder, text, layer="app-app") for text in (SPECIFICATION, changed)]
    assert [len(item) for item in found] == [2, 2]
    assert found[0] != found[1]
    assert "url_hashes" not in settings(folder, SPECIFICATION.replace("#sha256=aa", ""), layer="app-app")


def test_settings_of_one_layer_do_not_count_for_another(folder: Path) -> None:
    text = SPECIFICATION.replace('name = "c"', 'name = "c"\npackage_indexes = { numpy = "i" }') + INDEX
    assert settings(folder, text) == settings(folder, SPECIFICATION + INDEX)


def test_credentials_are_neither_recorded_nor_counted(folder: Path) -> None:
    secret = SPECIFICATION + INDEX.replace("https://", "https://me:secret@")
    assert settings(folder, secret) == settings(folder, SPECIFICATION + INDEX)
    assert "secret" not in str(settings(folder, secret))


def test_settings_do_not_depend_on_the_folder_of_the_checkout(folder: Path) -> None:
    text = SPECIFICATION + (
        '\n[tool.uv]\nfind-links = ["wheels", "../beside", "."]\n'
        '[[tool.uv.index]]\nname = "i"\nurl = "packages/simple"\n'
    )
    elsewhere = folder / "else" / "where"
    elsewhere.mkdir(parents=True)
    for module in folder.glob("*.py"):
        (elsewhere / module.name).write_bytes(module.read_bytes())
    assert settings(folder, text) == settings(elsewhere, text)
    assert settings(folder, text) != settings(folder, text.replace('"../beside", ', ""))
    absolute = text.replace("../beside", "/opt/wheels")
    assert settings(folder, absolute) == settings(elsewhere, absolute)


def test_settings_hash_does_not_depend_on_who_asks(folder: Path) -> None:
    text = SPECIFICATION + INDEX
    with_credentials = text.replace("https://index", "https://me:secret@index")
    assert settings(folder, text) == settings(folder, with_credentials)


def test_constraints_are_pins_with_their_layers() -> None:
    def lower(name: str, provider: str) -> LowerPackage:
        return LowerPackage(package=LockedPackage(name=name, version="1", marker="os_name == 'nt'"), provider=provider)

    assert constraints_hash([]) is None
    assert constraints_hash([lower("a", "base"), lower("b", "framework-x")]) == hash_strings(
        ["a==1 ; os_name == 'nt' in base\nb==1 ; os_name == 'nt' in framework-x\n"]
    )
    assert constraints_hash([lower("a", "base")]) != constraints_hash([lower("a", "framework-x")])


# Reasons

READABLE = LockedInputs(
    requirements=("a==1", "b"),
    targets={"py_version": "3.11", "frameworks": "x, y"},
    settings={"resolution": "lowest", "find-links": ["wheels"]},
)
INPUTS = LockInputs(
    readable=READABLE,
    lock_input_hash="declared",
    other_inputs_hash="other",
    version_inputs=lambda: "version",
    settings_hash="settings",
    constraints_hash="constraints",
    versioned=True,
    python_version="3.11.13",
)
RECORD = LockRecord(
    requirements_hash="locked",
    lock_input_hash="declared",
    other_inputs_hash="other",
    version_inputs_hash="version",
    locked_at="2026-01-02T03:04:05+00:00",
    tools={"uv": "1.2.3"},
    settings_hash="settings",
    constraints_hash="constraints",
    python_version="3.11.13",
    inputs=READABLE,
)


def reasons(
    record: LockRecord | None = RECORD, inputs: LockInputs = INPUTS, locked_hash: str | None = "locked"
) -> tuple[str, ...]:
    return reasons_to_relock(record, inputs=inputs, locked_hash=locked_hash)


def test_lock_is_good_when_nothing_changed() -> None:
    assert reasons() == ()


def test_a_lock_of_venvstacks_is_good_where_a_requirement_has_a_password() -> None:
    requirements = [Requirement("a @ https://me:secret@h/a-1-py3-none-any.whl")]
    assert declared_hash(requirements) == hash_strings(["a @ https://h/a-1-py3-none-any.whl"])
    theirs = declared_hash(requirements, with_secrets=True)
    assert theirs == hash_strings(map(str, requirements))
    inputs = replace(INPUTS, lock_input_hash_with_secrets=theirs)
    assert reasons(RECORD.model_copy(update={"lock_input_hash": theirs}), inputs) == ()
    assert reasons(RECORD.model_copy(update={"lock_input_hash": None}), INPUTS) != ()


def test_missing_parts_are_the_only_reason() -> None:
    assert reasons(record=None, locked_hash=None) == ("it has not been locked yet",)
    assert reasons(record=None) == ("it has not been locked yet",)
    assert reasons(locked_hash=None) == ("its lock file is missing or unreadable",)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("requirements_hash", "its lock file was changed by hand"),
        ("lock_input_hash", "its requirements changed"),
        ("other_inputs_hash", "its Python, its targets or the layers below it changed"),
        ("settings_hash", "platforms, uv or index settings changed"),
        ("constraints_hash", "a layer below it pins other packages"),
    ],
)
def test_each_input_has_its_reason(changed: str, reason: str) -> None:
    assert reasons(RECORD.model_copy(update={changed: "was different"})) == (reason,)


def test_all_reasons_are_given_at_once() -> None:
    record = RECORD.model_copy(update={"requirements_hash": "x", "lock_input_hash": "x", "settings_hash": None})
    assert reasons(record) == (
        "its lock file was changed by hand",
        "its requirements changed",
        "platforms, uv or index settings changed",
    )


def test_reasons_tell_what_was_and_what_is() -> None:
    now = LockedInputs(
        requirements=("A ==2", "c[x]"),
        targets={"py_version": "3.12", "frameworks": "x, y", "linux_target": "glibc@2.31"},
        settings={"find-links": ["wheels"], "exclude-newer": "7 days"},
    )
    inputs = LockInputs(
        readable=now,
        lock_input_hash="1",
        other_inputs_hash="2",
        version_inputs=lambda: "version",
        settings_hash="3",
        constraints_hash="4",
        versioned=True,
        python_version="3.12.1",
    )
    told = reasons_to_relock(RECORD, inputs=inputs, locked_hash="locked", pinned_otherwise=("n 1 -> 2",))
    changed = "linux_target: not set -> glibc@2.31, py_version: 3.11 -> 3.12"
    assert told == (
        "its requirements changed: a==1 -> A ==2, + c[x], - b",
        f"its Python, its targets or the layers below it changed: {changed}",
        "platforms, uv or index settings changed: exclude-newer: not set -> 7 days, resolution: lowest -> not set",
        "the release of its Python changed: 3.11.13 -> 3.12.1",
        "a layer below it pins other packages: n 1 -> 2",
    )


def test_requirements_of_a_lock_of_the_peer_tool_are_told_where_they_are_known() -> None:
    record = RECORD.model_copy(update={"inputs": None, "lock_input_hash": "x"})
    assert reasons(record) == ("its requirements changed",)
    told = reasons_to_relock(record, inputs=INPUTS, locked_hash="locked", declared_before=("a==1",))
    assert told == ("its requirements changed: + b",)


def test_requirements_that_somebody_edited_are_told_as_they_are() -> None:
    assert requirement_changes(["==broken"], ["a"]) == ("+ a", "- ==broken")


def test_package_that_is_declared_twice_is_told_twice() -> None:
    before = ["a==1 ; os_name == 'nt'", "a==1 ; os_name == 'posix'", "b"]
    assert requirement_changes(before, ["a==2", "b"]) == (
        "a==1 ; os_name == 'nt' -> a==2",
        "- a==1 ; os_name == 'posix'",
    )
    assert requirement_changes(["a==2"], before) == (
        "a==2 -> a==1 ; os_name == 'nt'",
        "+ a==1 ; os_name == 'posix'",
        "+ b",
    )


def test_long_values_are_shortened() -> None:
    assert value_changes({"a": "x" * 200}, {"a": ["y"]}) == (f'a: {"x" * 99}… -> ["y"]',)


def test_record_of_the_peer_tool_is_judged_by_its_own_keys_only() -> None:
    record = RECORD.model_copy(update={"tools": None, "settings_hash": None, "constraints_hash": None})
    assert reasons(record) == ()
    assert reasons(record.model_copy(update={"lock_input_hash": "x"})) == ("its requirements changed",)


def test_lock_recorded_after_the_limit_is_not_good() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert reasons(inputs=replace(INPUTS, newest_allowed=at)) == ()
    assert reasons(inputs=replace(INPUTS, newest_allowed=at.replace(second=4))) == (
        "it was locked at 2026-01-02T03:04:05+00:00, after exclude-newer",
    )


def test_version_input_alone_is_no_reason_to_resolve_but_asks_for_a_version() -> None:
    inputs = replace(INPUTS, version_inputs=lambda: "new")
    assert reasons(inputs=inputs) == ()
    assert needs_new_version(RECORD, inputs)
    assert not needs_new_version(RECORD, replace(inputs, versioned=False))
    assert not needs_new_version(RECORD, INPUTS)


@pytest.mark.parametrize(
    ("before", "now", "differ"),
    [
        ({"link-mode": "copy", "resolution": "lowest"}, {"resolution": "lowest"}, False),
        ({}, {"concurrent-downloads": 4}, False),
        ({"constraint-dependencies": ["a<2", "b<2"]}, {"constraint-dependencies": ["b<2", "a<2"]}, False),
        ({"constraint-dependencies": ["a<2"]}, {"constraint-dependencies": ["a<3"]}, True),
        ({"find-links": ["one", "two"]}, {"find-links": ["two", "one"]}, True),
        ({}, {"resolution": "lowest"}, True),
    ],
)
def test_only_settings_that_can_change_a_resolution_matter(
    before: dict[str, Any], now: dict[str, Any], differ: bool
) -> None:
    def hashed(settings: dict[str, Any]) -> str | None:
        return digest_of(settings) if settings else None

    readable = READABLE.model_copy(update={"settings": before})
    record = RECORD.model_copy(update={"settings_hash": hashed(before), "inputs": readable})
    inputs = replace(INPUTS, settings_hash=hashed(now), readable=READABLE.model_copy(update={"settings": now}))
    assert bool(reasons(record, inputs)) is differ
    edited = record.model_copy(update={"settings_hash": "of other settings than it tells"})
    assert reasons(edited, inputs) != ()
