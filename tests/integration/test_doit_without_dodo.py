"""`stackbuild doit`: doit's command line where only `stackbuild` is installed as a program."""

from tests.integration.stack_project import StackProject, tasks_run


def test_every_task_and_command_of_doit_is_there_without_a_dodo(project: StackProject) -> None:
    (project.root / "dodo.py").unlink()
    listed = project.stackbuild("doit", "list", "--all").stdout
    assert "build:app-hello " in listed
    done = project.stackbuild("doit", "-n", "2", "build:app-hello")
    assert "build:app-hello" in tasks_run(done.stdout)
    assert "0 tasks run" in project.stackbuild("doit", "build:app-hello").stdout
    assert "stackbuild doit list" in project.stackbuild("doit", "help").stdout
    unknown = project.stackbuild("doit", "build:hello", check=False)
    assert unknown.returncode == 1
    assert 'did you mean "build:app-hello"?' in unknown.stderr


def test_another_specification_is_taken_by_name(project: StackProject) -> None:
    (project.root / "venvstacks.toml").rename(project.root / "other.toml")
    assert "lock:py" in tasks_run(project.stackbuild("doit", "-f", "other.toml", "lock:py").stdout)
    listed = project.stackbuild("doit", "list", "--all", "-f", "other.toml", "platform=win_amd64").stdout
    assert "build@win_amd64:app-hello " in listed


def test_a_dodo_is_taken_where_there_is_one(project: StackProject) -> None:
    with (project.root / "dodo.py").open("a", encoding="utf-8") as dodo:
        dodo.write("def task_own(): return {'actions': ['echo mine']}\n")
    assert "\nmine\n" in project.stackbuild("doit", "own").stdout


def test_what_to_run_next_is_told_for_the_way_of_installation(project: StackProject) -> None:
    told = project.stackbuild("init", "new", PATH="/nothing").stdout
    assert "-m stackbuild doit\n" in told
