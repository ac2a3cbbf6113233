"""What one run after another does: everything, nothing, or exactly what changed."""

import json
import os
import sys
from pathlib import Path

from tests.integration.stack_project import HELLO, StackProject, copy_project

LAYERS = ("py", "framework-web", "framework-data", "app-hello", "app-site")
MANIFESTS = {"manifest:archive", "manifest:export"}


def steps_of(layer: str, *kinds: str) -> set[str]:
    return {f"{kind}:{layer}" for kind in kinds or ("lock", "build", "archive", "export")}


def everything() -> set[str]:
    return set().union(*(steps_of(layer) for layer in LAYERS)) | MANIFESTS


def test_the_first_run_does_everything_and_the_applications_run(project: StackProject) -> None:
    done = project.doit()
    assert {line.split()[1].strip("]") for line in done.stdout.splitlines() if line.startswith("[")}
    assert project.ran() == set()
    assert "_export/app-hello/bin/python -I -m hello" in done.stdout
    assert project.launch("app-hello", "hello").splitlines() == [
        "greeting 1.0 app-hello",
        "webby 1.0 framework-web",
        "basic 1.0 py",
    ]
    assert project.launch("app-site", "site_app") == "helped framework-data framework-web\n"


def test_a_second_run_does_nothing(built: StackProject) -> None:
    done = built.doit()
    assert "0 tasks run, 22 up to date" in done.stdout


def test_new_modification_times_change_nothing(built: StackProject) -> None:
    for path in built.root.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert built.ran() == set()


def test_another_way_of_doit_to_check_files_makes_nothing_again(built: StackProject) -> None:
    for checker in ("timestamp", "md5", "timestamp"):
        assert "0 tasks run, 22 up to date" in built.doit("run", "--check_file_uptodate", checker).stdout


def test_without_the_task_state_nothing_is_made_again(built: StackProject) -> None:
    (built.root / "_build" / ".doit.db").unlink()
    assert built.ran() == set()


def test_a_damaged_task_state_is_set_aside(built: StackProject) -> None:
    database = built.root / "_build" / ".doit.db"
    database.write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    assert built.ran() == set()
    assert (built.root / "_build" / ".doit.db.bad").exists()


def test_a_restored_cache_in_another_folder_runs_nothing_with_or_without_the_task_state(
    finished: StackProject, tmp_path: Path
) -> None:
    restored = copy_project(finished, tmp_path / "a folder" / "elsewhere")
    assert restored.ran() == set()
    (restored.root / "_build" / ".doit.db").unlink()
    assert restored.ran() == set()
    assert restored.launch("app-hello", "hello").startswith("greeting 1.0 app-hello")


def test_an_edited_launch_module_rebuilds_its_application_alone(built: StackProject) -> None:
    (built.root / "hello.py").write_text(HELLO + "print('edited')\n", encoding="utf-8")
    assert built.ran() == steps_of("app-hello", "build", "archive", "export") | MANIFESTS
    assert built.launch("app-hello", "hello").endswith("edited\n")


def test_an_edit_that_keeps_size_and_time_is_seen(built: StackProject) -> None:
    module = built.root / "helper.py"
    before = module.stat()
    module.write_text("WORD = 'HELPED'\n", encoding="utf-8")
    os.utime(module, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert built.ran() == steps_of("app-site", "build", "archive", "export") | MANIFESTS


def test_a_changed_framework_requirement_reaches_the_applications_whose_lock_changes(built: StackProject) -> None:
    built.replace("venvstacks.toml", 'requirements = ["tables"]', 'requirements = ["tables>=1.0"]')
    # the framework is locked again, to the same packages: nothing else has to follow
    assert built.ran() == {"lock:framework-data"}
    built.replace("venvstacks.toml", "webby==1.0", "webby==2.0")
    ran = built.ran()
    assert ran == (steps_of("framework-web") | steps_of("app-hello") | {"lock:app-site"} | MANIFESTS)
    assert built.launch("app-hello", "hello").splitlines()[1] == "webby 2.0 framework-web"
    assert not list((built.root / "_build/framework-web").rglob("webby-1.0.dist-info"))


def test_a_comment_in_the_specification_changes_nothing(built: StackProject) -> None:
    built.replace("venvstacks.toml", "[[runtimes]]", "# a comment\n[[runtimes]]")
    assert built.ran() == set()


def test_removed_results_are_made_again(built: StackProject) -> None:
    (built.root / "_artifacts" / "app-hello.tar").unlink()
    (built.root / "_export" / "framework-data").rename(built.root / "moved away")
    assert built.ran() == {"archive:app-hello", "export:framework-data", "manifest:archive"}
    metadata = json.loads((built.root / "_artifacts/__venvstacks__/env_metadata/app-hello.json").read_text())
    assert metadata["archive_build"] == 2


def test_one_task_brings_what_it_needs_and_no_more(project: StackProject) -> None:
    assert project.ran("build:app-hello") == {
        "lock:py", "lock:framework-web", "lock:app-hello", "build:py", "build:app-hello",
    }  # fmt: skip
    assert project.ran("archive:framework-web") == {"build:framework-web", "archive:framework-web"}
    assert project.ran("lock") == {"lock:framework-data", "lock:app-site"}


def test_info_says_why_a_task_has_to_run(built: StackProject) -> None:
    assert "up-to-date" in built.doit("info", "build:app-hello").stdout
    (built.root / "hello.py").write_text("print()\n", encoding="utf-8")
    told = built.doit("info", "build:app-hello", check=False).stdout
    assert "hello.py changed" in told


def test_list_shows_every_task_with_its_status(built: StackProject) -> None:
    lines = built.doit("list", "--all", "--status").stdout.splitlines()
    status = {line.split()[1]: line.split()[0] for line in lines}
    assert everything() <= set(status)
    assert {status[name] for name in everything()} == {"U"}


def test_clean_removes_what_was_made_but_no_locks(built: StackProject) -> None:
    built.doit("clean")
    assert not list((built.root / "_export").glob("app-*"))
    assert not list((built.root / "_artifacts").glob("*.tar"))
    assert not (built.root / "_build" / "py").exists()
    assert (built.root / "requirements/app-hello/pylock.app-hello.toml").exists()
    assert built.ran() == everything() - set().union(*(steps_of(layer, "lock") for layer in LAYERS))


def test_serial_and_parallel_runs_do_the_same(project: StackProject) -> None:
    assert project.ran("-n", "4") == everything()
    assert project.ran("-n", "0") == set()


def test_the_command_line_runs_the_same_graph(built: StackProject) -> None:
    for command in ("lock --if-needed", "build", "publish", "local-export"):
        assert "0 tasks run" in built.stackbuild(*command.split()).stdout
    shown = built.stackbuild("show").stdout
    assert "app-hello\n" in shown
    assert "*" not in shown
    forced = built.stackbuild("publish", "--force").stdout
    assert "6 tasks run" in forced


def test_locking_again_without_change_keeps_time_and_version(built: StackProject) -> None:
    record = built.root / "requirements/app-hello/pylock.app-hello.meta.json"
    before = json.loads(record.read_text())
    assert "kept: nothing changed" in built.stackbuild("lock").stdout
    assert json.loads(record.read_text()) == before
    assert built.ran() == set()


def test_the_layers_hold_no_path_of_this_machine(built: StackProject, finished: StackProject) -> None:
    pythons = (os.path.realpath(sys.base_prefix) + "/", built.env["STACKBUILD_INTERPRETERS"])
    here = (str(built.root), str(finished.root), *pythons, str(Path.home()) + "/")
    for path in (built.root / "_export").rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if b"\0" not in content[:8192]:
                assert not [place for place in here if place.encode() in content], path
