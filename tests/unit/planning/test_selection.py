"""Which operations a command selects: included layers, what stands on them, what they stand on."""

import pytest

from stackbuild.errors import StackbuildError
from stackbuild.planning.plan import make_plan
from stackbuild.planning.request import Related, Request, Wish
from stackbuild.planning.selection import Operations, match_layers, select_layers, unmatched_patterns
from stackbuild.project.task_names import StepKind
from stackbuild.spec.stack import Stack, read_stack
from stackbuild.targets.platforms import TargetPlatform

SPECIFICATION = """
[[runtimes]]
name = "py"
python_implementation = "cpython@3.11.13"
requirements = []

[[runtimes]]
name = "other"
python_implementation = "cpython@3.12.1"
requirements = []

[[frameworks]]
name = "low"
runtime = "py"
requirements = []

[[frameworks]]
name = "mid"
frameworks = ["low"]
requirements = []

[[applications]]
name = "top"
frameworks = ["mid"]
requirements = []
launch_module = "top.py"

[[applications]]
name = "side"
frameworks = ["low"]
requirements = []
launch_module = "top.py"
platforms = ["win_amd64"]

[[applications]]
name = "off"
runtime = "py"
requirements = []
launch_module = "top.py"
platforms = []
"""

HERE = TargetPlatform.LINUX_X86_64
BUILD = Request(build=Wish.YES, publish=True, may_lock=True, may_build=True)
LOCK = Request(lock=Wish.YES, may_lock=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    folder = tmp_path_factory.mktemp("stack")
    (folder / "top.py").touch()
    (folder / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    return read_stack(folder / "venvstacks.toml")


def select(
    stack: Stack, request: Request, *include: str, reset: tuple[str, ...] = (), **related: bool
) -> dict[str, str]:
    """The names of the operations of each selected layer, joined."""
    request = Request(
        lock=request.lock,
        build=request.build,
        publish=request.publish,
        may_lock=request.may_lock,
        may_build=request.may_build,
        include=include,
        reset_lock=reset,
        related=Related(**related),
    )
    layers = [linked for linked in stack.layers if linked.platforms]
    chosen = select_layers(layers, request, platforms=[HERE])
    return {name: " ".join(operations.names) for name, operations in chosen.items()}


def test_without_patterns_every_layer_that_targets_something_is_included(stack: Stack) -> None:
    assert select(stack, LOCK) == dict.fromkeys(
        ("py", "other", "framework-low", "framework-mid", "app-top", "app-side"), "lock"
    )


def test_a_layer_for_other_platforms_is_locked_but_neither_built_nor_published(stack: Stack) -> None:
    request = Request(lock=Wish.IF_NEEDED, build=Wish.YES, publish=True)
    assert select(stack, request, "app-*") == {
        "py": "",
        "framework-low": "",
        "framework-mid": "",
        "app-top": "lock-if-needed build publish",
        "app-side": "lock-if-needed",
    }


def test_locking_a_layer_locks_what_stands_on_it_again_and_dependencies_if_needed(stack: Stack) -> None:
    assert select(stack, LOCK, "framework-mid") == {
        "py": "lock-if-needed",
        "framework-low": "lock-if-needed",
        "framework-mid": "lock",
        "app-top": "lock",
    }
    assert select(stack, LOCK, "framework-mid", lock_dependencies=True) == {
        "py": "lock",
        "framework-low": "lock",
        "framework-mid": "lock",
        "app-top": "lock",
    }


def test_locking_if_needed_leaves_what_stands_on_a_layer_alone(stack: Stack) -> None:
    request = Request(lock=Wish.IF_NEEDED, may_lock=True)
    assert select(stack, request, "framework-mid", lock_dependencies=True) == {
        "py": "lock-if-needed",
        "framework-low": "lock-if-needed",
        "framework-mid": "lock-if-needed",
    }


def test_dependencies_of_a_built_layer_are_locked_and_built_if_needed(stack: Stack) -> None:
    needed = "lock-if-needed build-if-needed"
    assert select(stack, BUILD, "app-top") == {
        "py": needed,
        "framework-low": needed,
        "framework-mid": needed,
        "app-top": "build publish",
    }


def test_building_extends_to_relatives_on_request(stack: Stack) -> None:
    chosen = select(
        stack, BUILD, "framework-mid", build_dependencies=True, publish_dependencies=True, build_derived=True
    )
    assert chosen == {
        "py": "lock-if-needed build publish",
        "framework-low": "lock-if-needed build publish",
        "framework-mid": "build publish",
        "app-top": "build",
    }
    assert select(stack, BUILD, "framework-mid", build_derived=True, publish_derived=True)["app-top"] == "build publish"


def test_nothing_is_published_that_is_not_built(stack: Stack) -> None:
    chosen = select(stack, BUILD, "framework-mid", publish_dependencies=True, publish_derived=True)
    assert {name for name, operations in chosen.items() if "publish" in operations} == {"framework-mid"}


def test_publication_alone_extends_to_relatives_without_building(stack: Stack) -> None:
    request = Request(publish=True, may_build=True)
    assert select(stack, request, "framework-mid", publish_dependencies=True, publish_derived=True) == {
        "py": "build-if-needed publish",
        "framework-low": "build-if-needed publish",
        "framework-mid": "publish",
        "app-top": "publish",
    }


def test_a_lock_is_reset_only_where_it_is_made(stack: Stack) -> None:
    assert select(stack, LOCK, "framework-mid", reset=("*",)) == {
        "py": "lock-if-needed",
        "framework-low": "lock-if-needed",
        "framework-mid": "reset-lock lock",
        "app-top": "reset-lock lock",
    }
    assert "reset-lock" not in str(select(stack, BUILD, reset=("*",)))
    request = Request(lock=Wish.IF_NEEDED, build=Wish.YES)
    assert select(stack, request, reset=("app-top",))["app-top"] == "reset-lock lock-if-needed build"


def test_conflicting_wishes_for_a_layer_between_two_included_ones_are_an_error(stack: Stack) -> None:
    with pytest.raises(StackbuildError) as caught:
        select(stack, LOCK, "framework-low", "app-top")
    assert "conflicting instructions whether to lock framework-mid" in caught.value.message
    assert "--lock-dependencies" in str(caught.value.hint)
    assert select(stack, LOCK, "framework-low", "app-top", lock_dependencies=True)["framework-mid"] == "lock"
    with pytest.raises(StackbuildError, match="whether to build framework-mid"):
        select(stack, BUILD, "framework-low", "app-top", build_derived=True)
    assert select(stack, BUILD, "framework-low", "app-top")["framework-mid"] == "lock-if-needed build-if-needed"


def test_patterns_are_those_of_fnmatch_on_build_names(stack: Stack) -> None:
    matched, unmatched = match_layers(stack.layers, ("*-[lt]o?", "py"))
    assert sorted(matched) == ["app-top", "framework-low", "py"]
    assert unmatched == ()
    request = Request(include=("app-*", "low"), reset_lock=("nothing",))
    assert unmatched_patterns(stack.layers, request) == ("low", "nothing")


def test_plan_runs_what_is_selected_and_leaves_other_locks_alone(stack: Stack) -> None:
    selection = select_layers(stack.layers, Request(build=Wish.YES, include=("py",)), platforms=[HERE])
    plan = make_plan({None: selection}, stack.layers, output=StepKind.ARCHIVE, may_build=True, clean=True)
    assert plan.tasks == ("build:py", "manifest:archive")  # no layer is published: the manifest says so
    assert plan.forced == {"build:py"}
    assert plan.frozen == {f"lock:{linked.build_name}" for linked in stack.layers}
    assert plan.published == frozenset()


def test_plan_forces_locks_that_are_asked_for_or_reset(stack: Stack) -> None:
    names = [linked.build_name for linked in stack.layers][:3]
    selection = {
        names[0]: Operations(lock=Wish.YES),
        names[1]: Operations(lock=Wish.IF_NEEDED, reset_lock=True),
        names[2]: Operations(lock=Wish.IF_NEEDED),
    }
    plan = make_plan({None: selection}, stack.layers[:3], output=None, may_build=False)
    assert plan.forced == {"lock:py", "lock:other"}
    assert plan.reset == {"other"}
    assert plan.frozen == {"build:py", "build:other", "build:framework-low"}
    assert plan.published is None


def test_forced_publication_packs_again_without_building_anew(stack: Stack) -> None:
    selection = select_layers(stack.layers, Request(publish=True, include=("py",)), platforms=[HERE])
    plan = make_plan({None: selection}, stack.layers, output=StepKind.EXPORT, may_build=True, force=True)
    assert plan.tasks == ("export:py", "manifest:export")
    assert plan.forced == {"export:py"}


def test_plan_for_several_platforms_locks_once_and_makes_the_rest_for_each(stack: Stack) -> None:
    request = Request(lock=Wish.IF_NEEDED, build=Wish.YES, publish=True, include=("py",))
    other = TargetPlatform.WIN_AMD64
    selections = {
        None: select_layers(stack.layers, request, platforms=[HERE]),
        other: select_layers(stack.layers, request, platforms=[other]),
    }
    plan = make_plan(selections, stack.layers, output=StepKind.ARCHIVE, may_build=False, clean=True)
    assert plan.tasks == (
        "lock:py",
        *("build:py", "archive:py", "manifest:archive"),
        *("build@win_amd64:py", "archive@win_amd64:py", "manifest@win_amd64:archive"),
    )
    assert plan.forced == {"build:py", "archive:py", "build@win_amd64:py", "archive@win_amd64:py"}
    assert "build@win_amd64:other" in plan.frozen
    assert plan.published == frozenset({stack.layers[0].build_name})
