"""The commands of venvstacks on some of the layers: what runs, what is left alone, what is refused."""

import itertools
import json
import signal
import time

import pytest

from stackbuild.targets.platforms import current_platform
from tests.integration.processes import children_of
from tests.integration.stack_project import StackProject, tasks_run, tree_digests
from tests.integration.test_safety import start

CHANGED = ('requirements = ["greeting"]', 'requirements = ["greeting>=1.0"]')


def ran(project: StackProject, *arguments: str) -> set[str]:
    return tasks_run(project.stackbuild(*arguments).stdout)


def listed(project: StackProject, output: str = "_artifacts") -> list[str]:
    manifest = json.loads((project.root / output / "__venvstacks__" / "venvstacks.json").read_text())
    return sorted(layer["layer_name"] for layers in manifest["layers"].values() for layer in layers)


def test_building_never_locks_unless_asked_and_tells_every_lock_that_is_not_good(built: StackProject) -> None:
    built.replace("venvstacks.toml", *CHANGED)
    built.replace("venvstacks.toml", 'requirements = ["tables"]', 'requirements = ["tables==1.0"]')
    before = tree_digests(built.root / "requirements", "**/*")
    for command in ("build", "publish", "local-export"):
        done = built.stackbuild(command, check=False)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.splitlines()[:4] == [
            "error: these layers have no valid lock:",
            "  framework-data: its requirements changed: tables -> tables==1.0",
            "  app-hello: its requirements changed: greeting -> greeting>=1.0",
            "  app-site: no valid lock below it: framework-data",
        ]
        assert "hint: lock first: stackbuild lock --if-needed, or stackbuild build --lock-if-needed" in done.stderr
    assert tree_digests(built.root / "requirements", "**/*") == before
    assert {"lock:framework-data", "lock:app-hello"} <= ran(built, "build", "--lock-if-needed")
    assert ran(built, "build") == set()


def test_an_included_application_brings_what_it_needs(project: StackProject) -> None:
    assert ran(project, "build", "--lock", "--include", "app-hello") == {
        *("lock:py", "lock:framework-web", "lock:app-hello"),
        *("build:py", "build:framework-web", "build:app-hello"),
    }
    done = project.stackbuild("build", "--include", "framework-web", "--build-derived", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "framework-data: it has not been locked yet" in done.stderr
    assert "app-site: it has not been locked yet" in done.stderr


def test_locking_a_framework_locks_its_applications_again_and_keeps_what_did_not_change(built: StackProject) -> None:
    before = tree_digests(built.root / "requirements", "**/*")
    assert ran(built, "lock", "--include", "framework-web") == {"lock:framework-web", "lock:app-hello", "lock:app-site"}
    assert ran(built, "lock", "--if-needed") == set()
    assert ran(built, "lock", "--if-needed", "--reset-lock", "framework-d*") == {"lock:framework-data"}
    assert len(ran(built, "lock")) == 5
    assert tree_digests(built.root / "requirements", "**/*") == before


def test_a_manifest_lists_the_layers_of_its_run(built: StackProject) -> None:
    assert len(listed(built)) == 5
    assert ran(built, "publish", "--include", "app-*", "--publish-dependencies") == set()
    assert ran(built, "publish", "--include", "app-*") == {"manifest:archive"}
    assert listed(built) == ["app-hello", "app-site"]
    assert ran(built, "local-export", "--include", "framework-web", "--publish-derived", "--force") == {
        *("export:framework-web", "export:app-hello", "export:app-site"),
        "manifest:export",
    }
    assert listed(built, "_export") == ["app-hello", "app-site", "framework-web"]
    assert built.ran() == {"manifest:archive", "manifest:export"}


def test_a_dry_run_tells_what_would_be_published_and_makes_nothing(built: StackProject) -> None:
    before = tree_digests(built.root, "_*/**/*")
    manifest = json.loads((built.root / "_artifacts/__venvstacks__/venvstacks.json").read_text())
    told = json.loads(built.stackbuild("publish", "--dry-run").stdout)
    for layers in manifest["layers"].values():
        for layer in layers:
            del layer["archive_size"], layer["archive_hashes"]
    assert told == manifest
    forced = json.loads(built.stackbuild("publish", "--dry-run", "--force", "--include", "py").stdout)
    assert [layer["archive_build"] for layer in forced["layers"]["runtimes"]] == [2]
    assert forced["layers"]["applications"] == []
    exported = json.loads(built.stackbuild("local-export", "--dry-run", "--include", "app-site").stdout)
    assert exported["layers"]["applications"][0]["required_layers"] == ["framework-web", "framework-data"]
    assert tree_digests(built.root, "_*/**/*") == before


def test_a_clean_build_starts_anew_and_packs_again(built: StackProject) -> None:
    assert ran(built, "build", "--clean", "--include", "framework-data", "--publish") == {
        "build:framework-data", "archive:framework-data", "manifest:archive",
    }  # fmt: skip
    metadata = json.loads((built.root / "_artifacts/__venvstacks__/env_metadata/framework-data.json").read_text())
    assert metadata["archive_build"] == 2


def test_publishing_without_building_refuses_environments_that_are_not_good(built: StackProject) -> None:
    assert ran(built, "build", "--no-build", "--publish") == set()
    (built.root / "helper.py").write_text("WORD = 'new'\n", encoding="utf-8")
    done = built.stackbuild("build", "--no-build", "--publish", check=False)
    assert done.returncode == 1
    assert "app-site: helper.py changed" in done.stderr
    assert "hint: build first: stackbuild build" in done.stderr
    assert ran(built, "publish") == {"build:app-site", "archive:app-site", "manifest:archive"}


def test_an_environment_is_not_refused_for_a_damaged_lock_that_is_made_the_same_again(built: StackProject) -> None:
    (built.root / "requirements/framework-web/pylock.framework-web.toml").write_text("damaged", encoding="utf-8")
    assert ran(built, "build", "--lock", "--no-build", "--publish") == {"lock:framework-web"}
    built.replace("venvstacks.toml", "webby==1.0", "webby==2.0")
    done = built.stackbuild("build", "--lock", "--no-build", "--publish", check=False)
    assert done.returncode == 1
    assert "framework-web: webby 1.0 -> 2.0" in done.stderr


def test_patterns_that_fit_nothing_are_an_error_or_a_warning(built: StackProject) -> None:
    done = built.stackbuild("build", "--include", "hello", "--include", "app-site", check=False)
    assert done.returncode == 1
    assert "no layer fits hello" in done.stderr
    assert "framework-data, app-hello, app-site" in done.stderr
    done = built.stackbuild("build", "--include", "hello", "--include", "app-site", "--allow-missing")
    assert "warning: no layer fits hello" in done.stderr
    done = built.stackbuild("publish", "--include", "hello", "--allow-missing")
    assert "nothing to do" in done.stderr
    assert listed(built) == []


def test_conflicting_instructions_are_an_error(built: StackProject) -> None:
    built.replace("venvstacks.toml", '[[applications]]\nname = "hello"', SECOND_FRAMEWORK)
    done = built.stackbuild("lock", "--include", "py", "--include", "app-hello", check=False)
    assert done.returncode == 1
    assert "conflicting instructions whether to lock framework-web" in done.stderr


SECOND_FRAMEWORK = """[[frameworks]]
name = "more"
frameworks = ["web"]
requirements = []

[[applications]]
name = "hello\""""


def test_the_selection_can_be_shown_before_or_instead(built: StackProject) -> None:
    shown = built.stackbuild("build", "--include", "app-hello", "--show-only").stdout
    assert "app-hello (build)" in shown
    assert "py (lock-if-needed, build-if-needed)" in shown
    assert "framework-data" not in shown
    status = json.loads(built.stackbuild("lock", "--json").stdout)
    assert {layer["name"]: layer["selected_operations"] for layer in status["applications"]} == {
        "app-hello": ["lock"],
        "app-site": ["lock"],
    }
    both = built.stackbuild("local-export", "--show").stdout
    assert both.index("Applications") < both.index("0 tasks run")


def test_layers_for_other_platforms_are_told_of_when_all_layers_are_made(built: StackProject) -> None:
    other = next(platform for platform in ("win_arm64", "macosx_arm64") if platform != current_platform())
    elsewhere = f'name = "hello"\nplatforms = ["{other}"]'
    built.replace("venvstacks.toml", 'name = "hello"', elsewhere)
    told = f"\nnot for {current_platform()}: app-hello\n"
    assert told in built.stackbuild("build", "--lock").stdout
    assert told in built.doit().stdout
    assert "not for" not in built.stackbuild("lock").stdout
    assert "not for" not in built.stackbuild("build", "--include", "framework-*").stdout


def test_quiet_prints_nothing_and_verbose_tells_why_and_what_runs(built: StackProject) -> None:
    (built.root / "helper.py").write_text("WORD = 'new'\n", encoding="utf-8")
    quiet = built.stackbuild("-q", "build")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    told = built.stackbuild("build", "--clean", "--include", "framework-data", "-v").stdout
    assert "build:framework-data: it is asked for" in told
    assert "build:framework-data: $ " in told
    assert " pip sync " in told


def test_what_uv_says_comes_in_whole_blocks_whatever_runs_beside(built: StackProject) -> None:
    lines = built.stackbuild("build", "--clean", "-n", "4", "-v").stdout.splitlines()
    installed: dict[str, list[str]] = {}
    for number, line in enumerate(lines):
        if ": $ " in line:
            block = itertools.takewhile(lambda said: said.startswith("  "), lines[number + 1 :])
            installed[line.partition(": $ ")[0]] = [said.strip() for said in block if " + " in said]
    assert installed == {
        "build:py": ["+ basic==1.0"],
        "build:framework-web": ["+ webby==1.0"],
        "build:framework-data": ["+ tables==1.0"],
        "build:app-hello": ["+ greeting==1.0"],
    }


def test_the_specification_is_found_by_default_by_position_or_by_option(built: StackProject) -> None:
    (built.root / "venvstacks.toml").rename(built.root / "stack.toml")
    assert built.stackbuild("build", "stack.toml").returncode == 0
    assert built.stackbuild("build", "--spec", "stack.toml").returncode == 0
    done = built.stackbuild("build", check=False)
    assert done.returncode == 1
    assert "venvstacks.toml: there is no such file" in done.stderr
    assert built.stackbuild("build", "a.toml", "--spec", "stack.toml", check=False).returncode == 2


def test_check_tells_every_problem_as_text_or_json(built: StackProject) -> None:
    done = built.stackbuild("check")
    assert done.stdout == "venvstacks.toml is valid: 1 runtime, 2 frameworks, 2 applications\n"
    built.replace("venvstacks.toml", 'requirements = ["tables"]', 'requirments = ["tables"]\nplatform = []')
    done = built.stackbuild("check", check=False)
    assert done.returncode == 1
    assert "2 problems" in done.stderr
    assert done.stdout == ""
    told = built.stackbuild("check", "--json", check=False)
    assert told.returncode == 1
    assert len(json.loads(told.stdout)["problems"]) == 2


def test_an_interrupt_is_exit_status_130(project: StackProject) -> None:
    run = start(project, "lock", module="stackbuild")
    while not children_of(run.pid) and run.poll() is None:
        time.sleep(0.002)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "error: interrupted" in told
    assert "Traceback" not in told


SLOW_CHECK = """
import sys, time
from stackbuild.__main__ import main
from stackbuild.spec import toml_file

def read_for_ever(text):
    print("reading", flush=True)
    time.sleep(60)

toml_file.parse_toml = read_for_ever
sys.argv[1:] = ["check"]
main()
"""


def test_an_interrupted_check_is_exit_status_130_too(project: StackProject) -> None:
    (project.root / "slow_check.py").write_text(SLOW_CHECK, encoding="utf-8")
    run = start(project, module="slow_check")
    assert run.stdout is not None
    assert run.stdout.readline() == "reading\n"
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=30)
    assert (run.returncode, told) == (130, "error: interrupted\n")


def test_without_an_operation_there_is_nothing_to_do_and_a_warning_says_so(built: StackProject) -> None:
    done = built.stackbuild("build", "--no-build")
    assert done.stdout == ""
    assert "nothing to do: no operation is selected for a layer that targets" in done.stderr


@pytest.mark.parametrize(("command", "output"), [("publish", "_artifacts"), ("local-export", "_export")])
def test_a_manifest_is_written_when_no_layer_is_for_this_platform(
    project: StackProject, command: str, output: str
) -> None:
    other = "linux_aarch64" if current_platform() != "linux_aarch64" else "linux_x86_64"
    project.replace("venvstacks.toml", "python_implementation", f'platforms = ["{other}"]\npython_implementation')
    done = project.stackbuild(command)
    assert (
        f"warning: nothing to do: no operation is selected for a layer that targets {current_platform()}" in done.stderr
    )
    assert listed(project, output) == []


def manifest_in(text: str) -> dict[str, list[str]]:
    """The layers in the JSON at the end of what a command prints, by category."""
    manifest = json.loads(text[text.index("{\n") :])
    return {category: [it["layer_name"] for it in layers] for category, layers in manifest["layers"].items()}


def test_publishing_requests_and_manifests_are_printed_for_scripts_written_for_venvstacks(built: StackProject) -> None:
    built.env = {**built.env, "STACKBUILD_COMPATIBLE_WITH": "venvstacks"}  # not that of other tests
    every = {"applications": ["app-hello", "app-site"], "frameworks": ["framework-web", "framework-data"]}
    for command in (("build",), ("build", "--no-build"), ("publish",), ("local-export",), ("build", "--publish")):
        assert manifest_in(built.stackbuild(*command).stdout) == {**every, "runtimes": ["py"]}
    told = built.stackbuild("build", "--include", "app-hello").stdout
    assert manifest_in(told) == {"applications": ["app-hello"], "frameworks": [], "runtimes": []}
    assert built.stackbuild("build", "--quiet").stdout == ""
    assert "{" not in built.stackbuild("lock", "--if-needed").stdout
    assert "{" not in built.stackbuild("build", STACKBUILD_COMPATIBLE_WITH="").stdout
