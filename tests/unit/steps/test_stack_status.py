"""The state of a stack that is locked: which locks are good, and that a bad one spoils those above."""

from stackbuild.locking.record import LockRecord
from stackbuild.planning.status import stack_status, status_lines
from stackbuild.project.lock_status import lock_status
from tests.unit.steps.world import ALL, World


def lines(world: World) -> list[str]:
    return status_lines(stack_status(world.project, world.layers))[1:]


def test_locked_stack_has_its_install_targets(locked: World) -> None:
    assert lines(locked) == [
        "├── Runtimes",
        "│   └── base",
        "├── Frameworks",
        "│   └── framework-web -> framework-web@1",
        "│       └── base",
        "└── Applications",
        "    └── app-shop",
        "        ├── framework-web -> framework-web@1",
        "        └── base",
    ]


def test_bad_lock_spoils_those_above(locked: World) -> None:
    locked.replace('requirements = ["mid"]', 'requirements = ["mid", "more"]')
    assert lines(locked) == [
        "├── Runtimes",
        "│   └── base",
        "├── Frameworks",
        "│   └── *framework-web -> framework-web@???",
        "│       └── base",
        "└── Applications",
        "    └── *app-shop",
        "        ├── *framework-web -> framework-web@???",
        "        └── base",
        "",
        "* no valid lock:",
        "  framework-web: its requirements changed: + more",
        "  app-shop: no valid lock below it: framework-web",
    ]


def as_peer(world: World, *names: str) -> None:
    """Keep of the records only what venvstacks writes."""
    for name in names:
        path = world.layer(name).lock_paths.record
        record = LockRecord.read(path)
        assert record is not None
        ours = {"tools": None, "runtime": None, "settings_hash": None, "constraints_hash": None}
        record.model_copy(update=ours).write(path)


def test_locks_of_the_peer_tool_are_good(locked: World) -> None:
    as_peer(locked, *ALL)
    assert [not lock_status(locked.layer(name)).problems for name in ALL] == [True, True, True]
    locked.build(*ALL)
    assert locked.runtimes.asked == ["cpython@3.11.13 for linux_x86_64"]


def test_lock_of_the_peer_tool_above_a_new_one_is_not_good(locked: World) -> None:
    as_peer(locked, "framework-web", "app-shop")
    assert lock_status(locked.layer("framework-web")).reasons == ("a layer below it was locked again",)
