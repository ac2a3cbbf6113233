"""Tab, as the shells ask for it: what is offered, and that it comes at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.stack_project import StackProject

PROGRAM = str(Path(sys.executable).with_name("stackbuild"))
LAYERS = ["py", "framework-web", "framework-data", "app-hello", "app-site"]


def offered(project: StackProject, line: str, *, shell: str = "bash") -> str:
    """What the program prints when the shell asks it to complete `line`, at whose end the cursor is."""
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }
    env = {**project.env, **asked[shell], "_STACKBUILD_COMPLETE": f"complete_{shell}"}
    done = StackProject(project.root, env).run(PROGRAM)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("stackbuild lock --include ", LAYERS),
        ("stackbuild lock --reset-lock app-", ["app-hello", "app-site"]),
        ("stackbuild local-export --include py --include framework-d", ["framework-data"]),
        ("stackbuild show --include nothing", []),
        ("stackbuild lock other/stack.toml --include ", ["py"]),
        ("stackbuild lock --spec other/stack.toml --include ", ["py"]),
        ("stackbuild lock missing.toml --include ", []),
        ("stackbuild build --archive-format z", ["zip"]),
        ("stackbuild sch", ["schema"]),
    ],
)
def test_what_fits_is_offered(project: StackProject, line: str, names: list[str]) -> None:
    (project.root / "other").mkdir()
    (project.root / "other" / "stack.toml").write_text('[[runtimes]]\nname = "py"\n')
    assert offered(project, line).split() == names


def test_layer_names_are_offered_in_the_words_of_each_shell(project: StackProject) -> None:
    line = "stackbuild lock --include app-"
    assert offered(project, line, shell="zsh") == """_arguments '*: :(("app-hello"\n"app-site"))'\n"""
    assert offered(project, line, shell="fish") == "app-hello\napp-site\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_this_program(project: StackProject, shell: str) -> None:
    script = project.run(PROGRAM, _STACKBUILD_COMPLETE=f"source_{shell}").stdout
    assert f"_STACKBUILD_COMPLETE=complete_{shell}" in script


def imported_by(program: str) -> set[str]:
    """The modules that a Python program imports."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_completing_layer_names_imports_nothing_slow() -> None:
    slow = {"pydantic", "rich", "doit", "typer", "packaging"}
    assert imported_by("import stackbuild.authoring.completion").isdisjoint(slow)


def test_tab_imports_nothing_slow(project: StackProject) -> None:
    done = project.run(
        sys.executable,
        "-X",
        "importtime",
        PROGRAM,
        COMP_WORDS="stackbuild lock --include ",
        COMP_CWORD="3",
        _STACKBUILD_COMPLETE="complete_bash",
    )
    assert done.stdout.split() == LAYERS
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer.core" in imported
    assert imported.isdisjoint({"pydantic", "rich", "doit", "packaging"})


def test_what_is_asked_for_before_tab_is_not_carried_out(project: StackProject) -> None:
    assert offered(project, "stackbuild --version che").split() == ["check"]


def test_the_command_line_knows_its_commands_without_what_they_need() -> None:
    slow = {"pydantic", "rich", "doit", "packaging", "stackbuild.cli.commands", "stackbuild.spec.models"}
    assert imported_by("import stackbuild.cli.app").isdisjoint(slow)


def test_the_version_is_told_without_the_command_line() -> None:
    program = 'sys.argv = ["stackbuild", "-V"]; from stackbuild.__main__ import main; main()'
    assert imported_by(program).isdisjoint({"typer", "stackbuild.cli.app"})
