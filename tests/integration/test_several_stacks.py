"""Two stacks in one `dodo.py`, with tasks of the user's: the file of the documentation, run."""

import re
from pathlib import Path

import pytest

from tests.integration.small_stack import application, framework, runtime, settings, small_stack
from tests.integration.stack_project import StackProject, make_wheel, module, tasks_run

PAGE = Path(__file__).parents[2] / "docs/how-to/write-a-dodo.md"


@pytest.fixture
def stacks(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    for stack, app in (("desktop", "window"), ("server", "api")):
        small_stack(
            tmp_path / stack,
            clean_env,
            settings("no-index = true", 'find-links = ["wheels"]'),
            runtime(),
            framework("tools", "tool"),
            application(app, on='frameworks = ["tools"]'),
        )
        make_wheel(tmp_path / stack / "wheels", "tool", "1.0", module("tool", "1.0"))
        (tmp_path / stack / f"{app}.py").write_text(f"import tool\nprint('{app} started')\n", encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    assert len(found[1].rstrip().splitlines()) <= 30
    (tmp_path / "dodo.py").write_text(found[1], encoding="utf-8")
    return StackProject(tmp_path, clean_env)


def test_the_file_of_the_documentation_runs_what_it_says(stacks: StackProject) -> None:
    everything = stacks.doit("-n", "4", "desktop", "server", "upload", "smoke", "bundle")
    assert "37 tasks run, 0 up to date, " in everything.stdout
    ran = [line.partition("]")[2].split()[0] for line in everything.stdout.splitlines() if line.startswith("[")]
    assert len(ran) == len(set(ran)) == 37
    assert {"window started", "api started"} <= {*everything.stdout.splitlines()}
    assert everything.stdout.count("layer ") == 1
    rows = re.findall(r"^((?:desktop|server):\S+)  ", everything.stdout, re.MULTILINE)
    assert rows == [
        f"{stack}:{name}"
        for stack, app in (("desktop", "window"), ("server", "api"))
        for name in ("py", "framework-tools", f"app-{app}")
    ]
    assert (stacks.root / "served/server/_artifacts/app-api.tar").exists()
    assert not (stacks.root / "server/_build/.doit.db").exists()

    again = stacks.doit("upload", "smoke", "bundle")
    assert tasks_run(again.stdout) == set()

    stacks.replace("server/api.py", "api started", "api started again")
    after = stacks.doit("desktop", "server", "upload", "smoke", "bundle")
    assert tasks_run(after.stdout) == {
        *(f"server:{step}" for step in ("build:app-api", "archive:app-api", "export:app-api")),
        *(f"server:manifest:{output}" for output in ("archive", "export")),
        "upload:server:archive:app-api",
        "smoke:server:app:api",
    }
    assert "api started again" in after.stdout
    assert re.search(r"^desktop:app-window +up to date ", after.stdout, re.MULTILINE)


def test_stacks_run_by_their_prefix_and_plain_doit_runs_all(stacks: StackProject) -> None:
    one = tasks_run(stacks.doit("server").stdout)
    assert len(one) == 14
    assert all(name.startswith("server:") for name in one)
    both = tasks_run(stacks.doit().stdout)
    assert len(both) == 14
    assert all(name.startswith("desktop:") for name in both)
    wrong = stacks.doit("desktop:build:window", check=False)
    assert 'unknown task "desktop:build:window" — did you mean "desktop:build:app-window"?' in wrong.stderr


def test_a_failure_in_one_stack_is_told_with_its_name_and_a_report_has_both(stacks: StackProject) -> None:
    (stacks.root / "server/api.py").unlink()
    (stacks.root / "server/api.py").mkdir()
    stacks.replace("desktop/venvstacks.toml", '"tool"', '"nothing"')
    done = stacks.doit("--continue", "desktop:lock", check=False, STACKBUILD_REPORT="report.html")
    assert done.returncode == 1
    assert "error: desktop:lock:framework-tools failed\n" in done.stderr
    assert "desktop/venvstacks.toml" in (stacks.root / "report.html").read_text("utf-8")
