"""Two tools of one purpose, each at work in a project folder of its own, and what they wrote there."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from tests.integration.peer.specifications import write_project

SPECIFICATION = "venvstacks.toml"

Result = TypeVar("Result")

Metadata = dict[str, Any]
"""JSON files as data, by path."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One of the two programs: how it is started, and its whole environment."""

    command: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ToolProject:
    """A project that only one of the tools works in. `folder`: where its specification lies."""

    folder: Path
    tool: Tool

    def run(self, command: str, *options: str) -> str:
        """What a command that succeeds prints on stdout."""
        done = self.attempt(command, *options)
        assert done.returncode == 0, f"{done.args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """How a command ends, well or not."""
        argv = (*self.tool.command, command, SPECIFICATION, *options)
        return subprocess.run(
            argv, cwd=self.folder, env=self.tool.env, capture_output=True, text=True, check=False, timeout=300
        )

    def show(self) -> list[str]:
        """The lines of `show`; the project's folder is `PROJECT`."""
        return self.run("show").replace(str(self.folder), "PROJECT").rstrip().splitlines()

    def status(self) -> dict[str, Any]:
        """The data of `show --json`; the project's folder is `PROJECT`."""
        told: dict[str, Any] = json.loads(self.run("show", "--json").replace(str(self.folder), "PROJECT"))
        return told

    def layers(self) -> dict[str, dict[str, Any]]:
        """What `show --json` says of each layer, by build name."""
        status = self.status()
        return {layer["name"]: layer for category in CATEGORIES for layer in status[category]}

    def pylocks(self) -> dict[str, dict[str, Any]]:
        """Each lock file as data, by its path below `requirements`."""
        return {name: tomllib.loads(text) for name, text in self.lock_texts("pylock.*.toml").items()}

    def lock_records(self) -> dict[str, dict[str, Any]]:
        """Each lock's record as data, by its path below `requirements`."""
        return {name: json.loads(text) for name, text in self.lock_texts("*.meta.json").items()}

    def lock_texts(self, pattern: str = "*") -> dict[str, str]:
        """The texts of the files of all locks that fit `pattern`, by their paths below `requirements`."""
        return texts_below(self.folder / "requirements", f"*/{pattern}")

    def metadata(self, output: str) -> Metadata:
        """Each JSON file that other programs read in an output folder, by its path below `__venvstacks__`."""
        root = self.folder / output / "__venvstacks__"
        texts = texts_below(root, "*.json") | texts_below(root, "env_metadata/*.json")
        return {name: json.loads(text) for name, text in texts.items()}

    def handed_to(self, tool: Tool) -> "ToolProject":
        """The same folder in the hands of another tool."""
        return replace(self, tool=tool)

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a text file of the project at one place."""
        text = (self.folder / path).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (self.folder / path).write_text(text.replace(old, new), encoding="utf-8")


CATEGORIES = ("runtimes", "frameworks", "applications")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The same project for each of the two."""

    peer: ToolProject
    ours: ToolProject

    def both(self, do: Callable[[ToolProject], Result]) -> tuple[Result, Result]:
        """The results for the project of venvstacks and for ours, both run at the same time."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            peer, ours = pool.map(do, (self.peer, self.ours))
        return peer, ours

    def run(self, command: str, *options: str) -> tuple[str, str]:
        """What a command that succeeds prints, in venvstacks and in ours."""
        return self.both(lambda project: project.run(command, *options))

    def replace(self, path: str, old: str, new: str) -> None:
        for project in (self.peer, self.ours):
            project.replace(path, old, new)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What `show` and `show --json` print, in venvstacks and in ours."""

    trees: tuple[list[str], list[str]]
    data: tuple[dict[str, Any], dict[str, Any]]

    @classmethod
    def of(cls, pair: Pair) -> "Shown":
        return cls(trees=pair.both(ToolProject.show), data=pair.both(ToolProject.status))


@dataclass(frozen=True, kw_only=True)
class FinishedPair:
    """Projects after a whole run: locked, built, published to `_artifacts`, exported; what was shown meanwhile."""

    pair: Pair
    unlocked: Shown
    locked: Shown


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Both tools and the packages that specifications may name."""

    peer: Tool
    ours: Tool
    values: Mapping[str, str]

    def project(self, root: Path, specification: str, tool: Tool) -> ToolProject:
        """A new project below `root`."""
        return ToolProject(folder=write_project(root, specification, **self.values), tool=tool)

    def checkout(self, root: Path, specification: str, tool: Tool, *, locks: ToolProject) -> ToolProject:
        """A new project below `root`, as deep as those of a pair, with the locks of another project."""
        project = self.project(root / "checkout", specification, tool)
        shutil.copytree(locks.folder / "requirements", project.folder / "requirements")
        return project

    def pair(self, root: Path, specification: str) -> Pair:
        """Two new projects below `root`."""
        return Pair(
            peer=self.project(root / "peer", specification, self.peer),
            ours=self.project(root / "ours", specification, self.ours),
        )


def texts_below(root: Path, pattern: str) -> dict[str, str]:
    """The text files that fit, by relative path."""
    files = sorted(path for path in root.glob(pattern) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}


def without(value: Any, keys: Collection[str]) -> Any:
    """JSON or TOML data without the keys of a table of differences, at any depth."""
    match value:
        case dict():
            return {key: without(item, keys) for key, item in value.items() if key not in keys}
        case list():
            return [without(item, keys) for item in value]
        case _:
            return value


def first_json(printed: str) -> Any:
    """The JSON object that stands among the lines that a command prints."""
    found = re.search(r"^\{$.*?^\}$", printed, re.MULTILINE | re.DOTALL)
    assert found is not None, printed
    return json.loads(found[0])
