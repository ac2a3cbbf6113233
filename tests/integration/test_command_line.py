"""What a person meets on the command line: help, state, and errors that can be acted on."""

import http.server
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.stack_project import StackProject, make_wheel, module, tree_digests


def test_help_and_version_name_the_program(project: StackProject) -> None:
    assert re.fullmatch(r"stackbuild \d+\.\d+\.\d+\n", project.stackbuild("--version").stdout)
    for command in ("lock", "build", "publish", "local-export", "show"):
        assert command in project.stackbuild("--help").stdout
        assert "SPEC" in project.stackbuild(command, "--help").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="paths are text there")
def test_a_folder_whose_path_is_not_utf_8_is_refused_by_every_command(project: StackProject) -> None:
    folder = os.fsdecode(os.fsencode(project.root.parent) + b"/caf\xe9")
    project.root = project.root.rename(folder)
    commands = [
        "lock",
        "build",
        "publish",
        "local-export",
        "show",
        "plan",
        "prune",
        "outdated",
        "verify",
        "check",
        "init",
    ]
    for done in (project.doit("lock", check=False), *(project.stackbuild(name, check=False) for name in commands)):
        assert done.returncode == 1
        assert "caf\\xe9" in done.stderr
        assert " is not UTF-8\n\nhint: rename the folder, or use another one\n" in done.stderr
    assert not (project.root / "requirements").exists()


def test_wrong_usage_is_exit_status_2(project: StackProject) -> None:
    done = project.stackbuild("publish", "--archive-format", "rar", check=False)
    assert done.returncode == 2
    assert 'unknown archive format "rar"' in done.stderr
    done = project.stackbuild("build", "--platform", "linux_amd64", check=False)
    assert done.returncode == 2
    assert 'unknown platform "linux_amd64": write "linux_x86_64"' in " ".join(done.stderr.replace("│", " ").split())
    assert "Value error" not in done.stderr
    assert project.stackbuild("paint", check=False).returncode == 2


def test_show_marks_locks_that_are_not_good(project: StackProject) -> None:
    shown = project.stackbuild("show").stdout
    assert "*py" in shown
    assert "*app-hello" in shown
    status = json.loads(project.stackbuild("show", "--json").stdout)
    assert [layer["name"] for layer in status["frameworks"]] == ["framework-web", "framework-data"]
    site = status["applications"][1]
    assert [layer["name"] for layer in site["dependencies"]] == ["framework-web", "framework-data", "py"]
    assert site["has_valid_lock"] is False


@pytest.mark.parametrize("program", ["doit", "stackbuild"])
def test_a_misspelt_field_is_explained_without_a_traceback(project: StackProject, program: str) -> None:
    project.replace("venvstacks.toml", 'requirements = ["tables"]', 'requirments = ["tables"]')
    done = project.doit(check=False) if program == "doit" else project.stackbuild("lock", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert 'frameworks[1].requirments: unknown field — did you mean "requirements"?' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["doit", "stackbuild"])
def test_where_the_time_went_is_told_and_reported(project: StackProject, program: str) -> None:
    if program == "doit":
        done = project.doit(
            "lock", STACKBUILD_TIMINGS="1", STACKBUILD_REPORT="run.html", STACKBUILD_EVENTS="events.jsonl"
        )
    else:
        options = ("--timings", "--report", "run.html", "--events", "events.jsonl")
        done = project.stackbuild(*options, "lock")
    assert re.search(r"^lock:py +\d+\.\d\d s  \+\d+\.\d\d s  critical$", done.stdout, re.MULTILINE)
    assert re.search(r"^critical path: lock:py -> lock:framework-\w+ -> lock:app-\w+: ", done.stdout, re.MULTILINE)
    report = (project.root / "run.html").read_text(encoding="utf-8")
    assert report.count('<rect class="bar') == 5
    assert report.count('<rect class="layer') == 5
    assert "it has not been locked yet" in report
    lines = (project.root / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert (events[0]["event"], len(events[0]["tasks"])) == ("begin", 5)
    assert sorted(event["task"] for event in events if event["event"] == "done") == sorted(events[0]["tasks"])
    assert (events[-1]["event"], events[-1]["outcome"]) == ("end", "done")
    assert {event["run"] for event in events} == {events[0]["run"]}


def test_what_changed_since_the_last_run_is_told(built: StackProject) -> None:
    content = module("webby", "2.5", "basic") | {"webby/data.txt": "x" * 300_000}
    make_wheel(built.root / "wheels", "webby", "2.5", content, requires=("basic",), scripts=("webby",))
    built.replace("venvstacks.toml", '["webby==1.0"]', '["webby==2.5"]\nversioned = true')
    options = ("--report", "run.html", "--events", "events.jsonl")
    done = built.stackbuild(*options, "build", "--lock-if-needed", "--publish")
    told = done.stdout.partition("changed since the last run:\n")[2].partition("\n\n")[0].splitlines()
    assert re.fullmatch(
        r"  framework-web: framework-web -> framework-web@2, webby 1\.0 -> 2\.5, environment \+300\.\d kB, "
        r"archive \+\d+\.\d kB",
        told[0],
    )
    assert not any(line.startswith(("  py:", "  framework-data:")) for line in told)
    lines = (built.root / "events.jsonl").read_text(encoding="utf-8").splitlines()
    (change,) = (event for line in lines if (event := json.loads(line)).get("layer") == "framework-web")
    assert (change["event"], change["packages"]) == ("changed", ["webby 1.0 -> 2.5"])
    assert 300_000 <= change["environment"] - change["environment_before"] < 301_000
    assert change["archive"] == (built.root / "_artifacts" / "framework-web@2.tar").stat().st_size
    report = (built.root / "run.html").read_text(encoding="utf-8")
    assert "framework-web -&gt; framework-web@2\nwebby 1.0 -&gt; 2.5" in report
    again = built.stackbuild("build", "--lock-if-needed", "--publish")
    assert "changed since" not in again.stdout


def test_a_specification_that_is_not_there_is_explained(project: StackProject) -> None:
    done = project.stackbuild("lock", "elsewhere.toml", check=False)
    assert done.returncode == 1
    assert "elsewhere.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_requirements_that_exclude_each_other_are_told_with_the_layer_that_pins(project: StackProject) -> None:
    project.replace("venvstacks.toml", 'requirements = ["greeting"]', 'requirements = ["greeting", "webby==2.0"]')
    done = project.doit("lock", check=False)
    assert done.returncode == 1
    assert "lock:app-hello failed" in done.stderr
    assert "app-hello: its requirements cannot be resolved" in done.stderr
    assert "webby==1.0 (from framework-web)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_without_a_wheel_for_a_platform_is_told_with_the_line_that_would_work(project: StackProject) -> None:
    wheel = make_wheel(project.root / "wheels", "native", "1.0", module("native", "1.0"))
    wheel.rename(wheel.with_name("native-1.0-py3-none-manylinux_2_17_x86_64.whl"))
    project.replace("venvstacks.toml", 'requirements = ["tables"]', 'requirements = ["tables", "native"]')
    done = project.doit("lock:framework-data", check=False)
    assert done.returncode == 1
    assert "native 1.0: none for linux_aarch64, macosx_arm64, macosx_x86_64, win_amd64, win_arm64" in done.stderr
    assert 'platforms = ["linux_x86_64"]' in done.stderr


def test_a_python_that_is_not_here_is_told_with_what_was_found(project: StackProject) -> None:
    text = (project.root / "venvstacks.toml").read_text()
    changed = re.sub(r'python_implementation = ".*"', 'python_implementation = "cpython@3.10.99"', text)
    (project.root / "venvstacks.toml").write_text(changed)
    done = project.doit("lock:py", check=False)
    assert done.returncode == 1
    assert "3.10.99" in done.stderr
    assert "hint: install it" in done.stderr
    assert "Traceback" not in done.stderr


class _Index(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index on this machine that serves one package, `served`."""
    root = tmp_path / "index"
    wheel = make_wheel(root / "simple" / "served", "served", "3.0", module("served", "3.0"))
    page = f'<a href="{wheel.name}">{wheel.name}</a>'
    (root / "simple" / "served" / "index.html").write_text(f"<!DOCTYPE html><html><body>{page}</body></html>")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Index, directory=root)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


def test_a_named_index_serves_the_packages_that_are_said_to_come_from_it(project: StackProject, index: str) -> None:
    project.replace("venvstacks.toml", 'requirements = ["tables"]', 'requirements = ["tables", "served"]')
    project.replace("venvstacks.toml", "no-index = true\n", "")
    project.replace(
        "venvstacks.toml",
        "[[runtimes]]",
        f'[[tool.uv.index]]\nname = "local"\nurl = "{index}"\ndefault = true\n\n[[runtimes]]',
    )
    project.doit("build:framework-data")
    lock = (project.root / "requirements/framework-data/pylock.framework-data.toml").read_text()
    assert f'index = "{index}"' in lock
    assert 'path = "../../wheels/tables-1.0-py3-none-any.whl"' in lock
    assert list(project.root.glob("_build/framework-data/lib/*/site-packages/served/__init__.py"))
    # the settings are part of the lock: without the index the lock is no longer good
    project.replace("venvstacks.toml", "default = true", 'default = true\nformat = "simple"')
    assert "platforms, uv or index settings changed" in project.doit("info", "lock:framework-data", check=False).stdout


def test_environments_that_leave_out_this_machine_are_an_error_when_building(project: StackProject) -> None:
    project.replace(
        "venvstacks.toml", "no-index = true", "no-index = true\nenvironments = [\"sys_platform == 'none'\"]"
    )
    done = project.doit("build:framework-web", check=False)
    assert done.returncode == 1
    assert "`environments` in [tool.uv] leaves out" in done.stderr


def test_a_module_that_holds_the_build_folder_is_an_error(project: StackProject) -> None:
    project.replace("venvstacks.toml", 'launch_module = "site_app"', 'launch_module = "."')
    done = project.doit(check=False)
    assert done.returncode == 1
    assert "app-site: its module" in done.stderr
    assert "where layers are made" in done.stderr
    (project.root / ".git").mkdir()
    (project.root / ".gitignore").write_text("/_build\n/_artifacts\n/_export\n", encoding="utf-8")
    assert project.doit("list").returncode == 0


def test_a_module_with_the_import_name_of_a_package_is_an_error(project: StackProject) -> None:
    (project.root / "hello.py").rename(project.root / "greeting.py")
    project.replace("venvstacks.toml", "hello.py", "greeting.py")
    done = project.doit("build:app-hello", check=False)
    assert done.returncode == 1
    assert "greeting.py has the import name of an installed package" in done.stderr


def test_a_reader_that_leaves_early_is_no_error(built: StackProject) -> None:
    done = built.run("sh", "-c", f"{sys.executable} -m doit | head -n 1")
    assert "Traceback" not in done.stderr


def test_folders_that_would_hold_two_things_are_refused(built: StackProject) -> None:
    before = tree_digests(built.root / "requirements", "**/*")
    for arguments in (
        ("local-export", "--output-dir", "requirements"),
        ("build", "--build-dir", "requirements"),
        ("local-export", "--output-dir", "_build"),
        ("build", "--build-dir", "."),
    ):
        done = built.stackbuild(*arguments, check=False)
        assert done.returncode == 1
        assert "would both lie in" in done.stderr
    assert tree_digests(built.root / "requirements", "**/*") == before


def test_output_that_nobody_can_read_or_no_encoding_has_is_no_bug(built: StackProject) -> None:
    stackbuild = f"{sys.executable} -m stackbuild"
    for command in (f"{stackbuild} show >&-", f"{stackbuild} build >&-", f"{stackbuild} show 2>&- | head -n 1"):
        assert "Traceback" not in built.run("sh", "-c", command).stderr
    shown = built.run("sh", "-c", f"{stackbuild} show", PYTHONIOENCODING="ascii").stdout
    assert "app-hello" in shown
    full = built.run("sh", "-c", f"{stackbuild} build > /dev/full", check=False)
    assert "error: cannot write to standard output" in full.stderr
    assert "Traceback" not in full.stderr


def test_verify_names_what_differs_and_exits_with_1_and_0_when_it_is_mended(built: StackProject) -> None:
    data = json.loads(built.stackbuild("verify", "--json").stdout)
    assert data["valid"] is True
    assert len(data["results"]) == 17  # 5 layers in 3 forms, 2 manifests
    changed = next((built.root / "_build/app-hello").rglob("hello.py"))
    before = changed.read_bytes()
    changed.write_bytes(b"#" + before[1:])  # of the same size, in a file that no outline names
    done = built.stackbuild("verify", check=False)
    assert done.returncode == 1
    assert f"  {changed.relative_to(built.root)}: " in done.stdout
    assert done.stderr.startswith("error: 1 of 17 results differ from what was recorded\n\nhint: make them again: ")
    done = built.stackbuild("verify", "--json", check=False)
    assert done.returncode == 1
    (differing,) = (result for result in json.loads(done.stdout)["results"] if result["differences"])
    assert [difference["path"] for difference in differing["differences"]] == [str(changed)]
    changed.write_bytes(before)
    assert "difference" not in built.stackbuild("verify").stdout
