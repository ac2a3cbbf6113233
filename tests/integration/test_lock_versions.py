"""When versions and times of locks change, and what follows from it for what is deployed."""

import json
from pathlib import Path

import pytest

from tests.integration.small_stack import application, framework, lock_of, runtime, settings, small_stack
from tests.integration.stack_project import StackProject, make_wheel, module

LAUNCH = "import lib\nprint('lib', lib.VERSION, lib.layer())\n"


@pytest.fixture
def stack(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    """A versioned framework and a versioned application on it, in which nothing was run yet."""
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "lib", version, module("lib", version))
    (tmp_path / "app.py").write_text(LAUNCH, encoding="utf-8")
    return small_stack(
        tmp_path,
        clean_env,
        settings("no-index = true", 'find-links = ["wheels"]'),
        runtime(),
        framework("f", "lib==1.0", more="versioned = true"),
        application("app", on='frameworks = ["f"]', more="versioned = true"),
    )


def versions(project: StackProject) -> tuple[int, int]:
    return tuple(lock_of(project, layer).record.lock_version for layer in ("framework-f", "app-app"))  # type: ignore[return-value]


def test_a_new_version_of_a_framework_is_deployed_beside_the_old_one_and_its_application_follows(
    stack: StackProject,
) -> None:
    stack.doit()
    assert versions(stack) == (1, 1)
    assert stack.launch("app-app@1", "app") == "lib 1.0 framework-f@1\n"
    stack.replace("venvstacks.toml", "lib==1.0", "lib==2.0")
    stack.doit()
    assert versions(stack)[0] == 2
    name = f"app-app@{versions(stack)[1]}"
    assert stack.launch(name, "app") == "lib 2.0 framework-f@2\n"
    config = json.loads((stack.root / "_export" / name / "share/venv/metadata/venvstacks_layer.json").read_text())
    assert (
        [path for path in config["pylib_dirs"] if "framework-f" in path]
        == [path for path in config["pylib_dirs"] if path.startswith("../framework-f@2/")]
        != []
    )
    for root in ("_export", "_artifacts"):
        metadata = json.loads((stack.root / root / "__venvstacks__/env_metadata/app-app.json").read_text())
        assert (metadata["required_layers"], metadata["install_target"]) == (["framework-f@2"], name)
    assert stack.ran() == set()


def test_locking_again_without_change_keeps_versions_and_times(stack: StackProject) -> None:
    stack.doit("lock")
    before = [lock_of(stack, layer).record for layer in ("py", "framework-f", "app-app")]
    assert stack.stackbuild("lock").stdout.count("kept: nothing changed") == 3
    assert [lock_of(stack, layer).record for layer in ("py", "framework-f", "app-app")] == before


def test_a_lock_that_is_asked_for_is_resolved_even_when_only_a_module_changed(stack: StackProject) -> None:
    stack.replace("venvstacks.toml", "lib==1.0", "lib<=1.0")
    stack.replace("venvstacks.toml", 'name = "app"\nrequirements = []', 'name = "app"\nrequirements = ["tool"]')
    make_wheel(stack.root / "wheels", "tool", "1.0", module("tool", "1.0"))
    stack.doit("lock")
    (stack.root / "app.py").write_text(f"{LAUNCH}# changed\n", encoding="utf-8")
    make_wheel(stack.root / "wheels", "tool", "2.0", module("tool", "2.0"))
    stack.stackbuild("lock", "--upgrade-package", "tool")
    (tool,) = lock_of(stack, "app-app").packages
    assert (tool.version, versions(stack)) == ("2.0", (1, 2))
    (stack.root / "app.py").write_text(LAUNCH, encoding="utf-8")
    assert "version 3: same packages" in stack.doit("lock").stdout
