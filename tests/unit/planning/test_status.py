"""The state of a stack as a tree of lines."""

from pathlib import Path

from stackbuild.planning.status import LayerStatus, StackStatus, stack_status, status_lines
from stackbuild.project.layer import project_layers
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.project.record_files import RecordFiles

SPECIFICATION = """
[[runtimes]]
name = "base"
python_implementation = "cpython@3.11.13"
requirements = []
versioned = true

[[frameworks]]
name = "a"
runtime = "base"
requirements = []

[[frameworks]]
name = "b"
frameworks = ["a"]
requirements = []
versioned = true

[[frameworks]]
name = "disabled"
runtime = "base"
requirements = []
platforms = []

[[applications]]
name = "shop"
frameworks = ["b"]
requirements = []
launch_module = "shop.py"
"""


def layer(
    name: str, target: str | None = None, *below: LayerStatus, good: bool = True, operations: list[str] | None = None
) -> LayerStatus:
    status = LayerStatus(name=name, install_target=target or name, has_valid_lock=good, selected_operations=operations)
    if below:
        status["dependencies"] = list(below)
    return status


def test_tree_marks_layers_without_a_good_lock_and_names_other_targets() -> None:
    base = layer("base", "base@2")
    near, far = layer("framework-b", "framework-b@???", good=False), layer("framework-a")
    status = StackStatus(
        spec_name="/project/venvstacks.toml",
        runtimes=[base, layer("other")],
        frameworks=[
            layer("framework-a", None, base),
            layer("framework-b", "framework-b@???", far, base, good=False),
        ],
        applications=[layer("app-shop", None, near, far, base, good=False)],
    )
    assert status_lines(status) == [
        "/project/venvstacks.toml",
        "├── Runtimes",
        "│   ├── base -> base@2",
        "│   └── other",
        "├── Frameworks",
        "│   ├── framework-a",
        "│   │   └── base -> base@2",
        "│   └── *framework-b -> framework-b@???",
        "│       ├── framework-a",
        "│       └── base -> base@2",
        "└── Applications",
        "    └── *app-shop",
        "        ├── *framework-b -> framework-b@???",
        "        ├── framework-a",
        "        └── base -> base@2",
    ]


def test_every_category_has_its_heading_and_operations_follow_the_name() -> None:
    base = layer("base", operations=["reset-lock", "lock", "build-if-needed"])
    status = StackStatus(spec_name="stack.toml", runtimes=[base], frameworks=[], applications=[])
    assert status_lines(status) == [
        "stack.toml",
        "├── Runtimes",
        "│   └── base (reset-lock, lock, build-if-needed)",
        "├── Frameworks",
        "└── Applications",
    ]


def test_reasons_stand_under_the_tree() -> None:
    base = layer("base", good=False)
    base["lock_problems"] = ["its requirements changed", "it is old"]
    status = StackStatus(spec_name="stack.toml", runtimes=[base], frameworks=[], applications=[])
    assert status_lines(status)[-4:] == [
        "",
        "* no valid lock:",
        "  base: its requirements changed",
        "  base: it is old",
    ]


def test_stack_without_locks_has_no_good_lock(tmp_path: Path) -> None:
    (tmp_path / "shop.py").touch()
    spec = tmp_path / "venvstacks.toml"
    spec.write_text(SPECIFICATION, encoding="utf-8")
    project = open_project(spec, Options(), {})
    status = stack_status(project, project_layers(project, RecordFiles()))
    assert status_lines(status)[1:-4] == [
        "├── Runtimes",
        "│   └── *base -> base@???",
        "├── Frameworks",
        "│   ├── *framework-a",
        "│   │   └── *base -> base@???",
        "│   └── *framework-b -> framework-b@???",
        "│       ├── *framework-a",
        "│       └── *base -> base@???",
        "└── Applications",
        "    └── *app-shop",
        "        ├── *framework-b -> framework-b@???",
        "        ├── *framework-a",
        "        └── *base -> base@???",
        "",
        "* no valid lock:",
    ]
    assert status["runtimes"][0]["lock_problems"] == ["it has not been locked yet"]
    assert "disabled" not in str(status)
