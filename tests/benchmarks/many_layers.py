"""How long a run takes that has little to do, by the number of layers: generated layers without requirements."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import Results, Scaling
from tests.benchmarks.measuring import Measured, measure
from tests.benchmarks.stacks import Program
from tests.benchmarks.turns import Samples, Tell, in_turns
from tests.integration.peer.pair import Tool

SIZES = (100, 1000)

_HIGH = 4
"""How many frameworks stand on each other."""

_RUNTIME = """
[[runtimes]]
name = "python"
python_implementation = "{python}"
platforms = ["{here}"]
requirements = []
"""

_DODO = """
from stackbuild.tasks import load_stack

DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")
"""

_Command = Callable[[Program, int], Measured]


def specification(layers: int) -> str:
    """A runtime, frameworks in towers of four, and as many applications, one on each framework."""
    frameworks = (layers - 1) // 2
    tables = [_RUNTIME]
    for number in range(frameworks):
        below = f'frameworks = ["f{number - 1}"]' if number % _HIGH else 'runtime = "python"'
        tables.append(f'\n[[frameworks]]\nname = "f{number}"\n{below}\nrequirements = []\n')
    for number in range(layers - 1 - frameworks):
        below = f'frameworks = ["f{number % frameworks}"]'
        tables.append(
            f'\n[[applications]]\nname = "a{number}"\nlaunch_module = "m{number}.py"\n{below}\nrequirements = []\n'
        )
    return "".join(tables)


def modules(layers: int) -> dict[str, str]:
    """The modules of the applications, and a `dodo.py`."""
    applications = layers - 1 - (layers - 1) // 2
    return {"dodo.py": _DODO, **{f"m{number}.py": f"print({number})\n" for number in range(applications)}}


def _doit(*arguments: str) -> _Command:
    return lambda program, _: _run(program, sys.executable, "-m", "doit", *arguments)


def _stackbuild(*arguments: str) -> _Command:
    return lambda program, _: _run(program, *program.tool.command, *arguments)


def _run(program: Program, *argv: str, **env: str) -> Measured:
    return measure(argv, cwd=program.folder, env={**program.tool.env, **env})


def _change_one_and_run(program: Program, number: int) -> Measured:
    with (program.folder / "m0.py").open("a", encoding="utf-8") as module:
        module.write(f"CHANGE = {number}\n")
    return _run(program, sys.executable, "-m", "doit")


def _complete(program: Program, _number: int) -> Measured:
    line = "stackbuild lock --include app-"
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_STACKBUILD_COMPLETE": "complete_bash"}
    return _run(program, str(Path(sys.executable).with_name("stackbuild")), **asked)


COMMANDS: dict[str, _Command] = {
    "`stackbuild --version`": _stackbuild("--version"),
    "Tab after `stackbuild lock --include app-`": _complete,
    "`stackbuild show`": _stackbuild("show"),
    "`stackbuild lock --if-needed`, nothing changed": _stackbuild("lock", "--if-needed"),
    "`stackbuild build --lock-if-needed --publish`, nothing changed": _stackbuild(
        "build", "--lock-if-needed", "--publish"
    ),
    "`doit list`": _doit("list"),
    "`doit`, nothing changed": _doit(),
    "`doit`, one application changed": _change_one_and_run,
}
"""What is measured in projects in which everything is made."""


@dataclass(frozen=True, kw_only=True)
class ManyLayers:
    """The benchmark. root: an empty folder to work in; rounds: how often each command is run."""

    root: Path
    tool: Tool
    rounds: int
    tell: Tell

    def run(self) -> Results:
        programs = {size: self._start(f"layers-{size}", size) for size in SIZES}
        first = self._scaling("`doit` in a new project: everything is made", _doit(), programs, rounds=1)
        commands = [self._scaling(what, command, programs, rounds=self.rounds) for what, command in COMMANDS.items()]
        for program in programs.values():
            shutil.rmtree(program.folder)  # hundreds of thousands of files
        return Results(scaling=(first, *commands))

    def _start(self, name: str, size: int) -> Program:
        return Program.start(self.root / name, self.tool, specification(size), modules(size))

    def _scaling(self, what: str, command: _Command, programs: dict[int, Program], *, rounds: int) -> Scaling:
        ways = {f"{size} layers": _bound(command, program) for size, program in programs.items()}
        taken: Samples = in_turns(what, ways, rounds=rounds, tell=self.tell)
        return Scaling(what=what, samples=tuple(zip(programs, taken.values(), strict=True)))


def _bound(command: _Command, program: Program) -> Callable[[int], Measured]:
    return lambda number: command(program, number)
