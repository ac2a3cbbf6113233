"""What holds for all tests: how many processes run them, how much hypothesis tries, and that nothing is left behind."""

import functools
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=300, deadline=None)
settings.load_profile("quick")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process, which a debugger can stop, for files and single tests; for folders as many as there are cores."""
    return None if all(Path(argument).is_dir() for argument in config.args) else 0


def pytest_configure(config: pytest.Config) -> None:
    """Run a slow test that is named."""
    if config.option.markexpr == "not slow" and all("::" in argument for argument in config.args):
        config.option.markexpr = ""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep in one process what shares fixtures that take long to make: a file, or all files beside venvstacks."""
    from xdist.scheduler import LoadScopeScheduling

    def scope(nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if "/peer/" in path:
            return "venvstacks"
        return path if "/unit/" in path or _makes_fixtures_of_its_own(config.rootpath / path) else nodeid

    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = scope
    return scheduler


@functools.cache
def _makes_fixtures_of_its_own(path: Path) -> bool:
    """Whether a file of tests has fixtures that are made once for all of them."""
    return 'scope="module"' in path.read_text(encoding="utf-8")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove what the tests made; after a failure, what pytest keeps stays, to be looked at.

    pytest alone would leave it when the folder was given, and folders that nobody may write to.
    """
    is_worker = hasattr(session.config, "workerinput")
    factory: pytest.TempPathFactory | None = getattr(session.config, "_tmp_path_factory", None)
    if exitstatus == pytest.ExitCode.OK and not is_worker and factory is not None:
        for path in factory.getbasetemp().iterdir():
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a file or a tree, also one with folders that nobody may write to."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    path.chmod(stat.S_IRWXU)
    for folder, names, _ in os.walk(path):  # from the top: each is listed after it was opened here
        for inner in (Path(folder, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(stat.S_IRWXU)
    shutil.rmtree(path)
