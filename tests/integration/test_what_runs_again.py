"""A run makes again exactly what an edit, or a lost or damaged file, asks for."""

import os
from collections.abc import Callable

import pytest

from tests.integration.stack_project import HELLO, StackProject, copy_project, tasks_run

EVERYTHING = ("build", "--lock-if-needed", "--publish")


@pytest.fixture(scope="module")
def shared(finished: StackProject, tmp_path_factory: pytest.TempPathFactory) -> StackProject:
    """A project in a git repository, for all tests here: each leaves it complete, or brings it up to date first."""
    project = copy_project(finished, tmp_path_factory.mktemp("again") / "project")
    (project.root / ".git").mkdir()
    (project.root / ".gitignore").write_text("*.tmp\n", encoding="utf-8")
    return project


@pytest.fixture
def up_to_date(shared: StackProject) -> StackProject:
    shared.stackbuild(*EVERYTHING)
    return shared


def append(path: str, text: str) -> Callable[[StackProject], object]:
    def edit(project: StackProject) -> None:
        with (project.root / path).open("a", encoding="utf-8") as file:
            file.write(text)

    return edit


def replace_text(path: str, old: str, new: str) -> Callable[[StackProject], object]:
    return lambda project: project.replace(path, old, new)


def remove(path: str) -> Callable[[StackProject], object]:
    return lambda project: (project.root / path).unlink()


HELLO_AGAIN = {"build:app-hello", "archive:app-hello", "manifest:archive"}
SITE_AGAIN = {"build:app-site", "archive:app-site", "manifest:archive"}
WEB_AGAIN = {"lock:framework-web", "archive:framework-web", "manifest:archive"}  # locked at another time
WEB_LOCK = "requirements/framework-web/pylock.framework-web"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (append("venvstacks.toml", "# a comment\n"), set()),
        (append("hello.py", "print('more')\n"), HELLO_AGAIN),
        (replace_text("helper.py", "helped", "HELPED"), SITE_AGAIN),
        (append("site_app/new.py", ""), SITE_AGAIN),
        (append("site_app/new.tmp", ""), set()),
        (append(".gitignore", "__main__.py\n"), SITE_AGAIN),
        (append("site_app/.gitignore", "new.py\n"), SITE_AGAIN),
        (lambda project: (project.root / "hello.py").chmod(0o755), HELLO_AGAIN),
        (remove("_artifacts/app-hello.tar"), {"archive:app-hello", "manifest:archive"}),
        (append("_artifacts/app-hello.tar", " "), {"archive:app-hello", "manifest:archive"}),
        (remove("_build/.stackbuild/app-hello.build.json"), {"build:app-hello"}),
        (lambda project: os.utime(project.root / "_build/.stackbuild/app-hello.build.json"), set()),
        (remove("_build/.stackbuild/app-hello.native.json"), {"build:app-hello"}),
        (remove(f"{WEB_LOCK}.meta.json"), WEB_AGAIN),
        (remove(f"{WEB_LOCK}.toml"), {"lock:framework-web"}),
        (remove("_artifacts/__venvstacks__/venvstacks.json"), {"manifest:archive"}),
        (lambda project: (project.root / "_build/app-hello").rename(project.root / "away"), {"build:app-hello"}),
    ],
    ids=lambda value: None if callable(value) else "-".join(sorted(it.replace(":", " ") for it in value)) or "nothing",
)
def test_what_changed_is_noticed_and_made(
    up_to_date: StackProject, edit: Callable[[StackProject], object], expected: set[str]
) -> None:
    edit(up_to_date)
    assert tasks_run(up_to_date.stackbuild(*EVERYTHING).stdout) == expected
    assert tasks_run(up_to_date.stackbuild(*EVERYTHING).stdout) == set()


def test_locks_do_not_depend_on_the_modules_of_applications_without_versions(up_to_date: StackProject) -> None:
    (up_to_date.root / "hello.py").write_text(HELLO + "print('edited')\n", encoding="utf-8")
    assert tasks_run(up_to_date.stackbuild("lock", "--if-needed").stdout) == set()
    assert "build:app-hello" in tasks_run(up_to_date.stackbuild(*EVERYTHING).stdout)


def test_a_setting_from_the_environment_is_noticed(up_to_date: StackProject) -> None:
    publish = ("publish", "--include", "app-hello")
    tasks = tasks_run(up_to_date.stackbuild(*publish, STACKBUILD_ARCHIVE_FORMAT="tar.gz").stdout)
    assert "archive:app-hello" in tasks
