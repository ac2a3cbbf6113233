"""The answer of a command to a program: one JSON document on stdout, whatever happens."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import typer

from stackbuild.errors import EXIT_BUG, EXIT_INTERRUPTED, StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.run.results import RunResults
from stackbuild.system.terminal import print_json


@dataclass(kw_only=True)
class Answer:
    """What the document is made from. It grows while the command runs."""

    run_id: str
    spec: Path
    results: RunResults = field(default_factory=RunResults)
    graph: StackGraph | None = None
    errors: list[StackbuildError] = field(default_factory=list)

    def print(self, exit_status: int) -> None:
        from stackbuild.reporting.run_document import run_document  # hardly any run needs it

        document = run_document(
            self.graph,
            self.results,
            run_id=self.run_id,
            specification=os.path.abspath(self.spec),
            exit_status=exit_status,
            errors=self.errors,
        )
        print_json(document.model_dump(mode="json"))


@contextmanager
def answering(answer: Answer, *, is_wanted: bool) -> Iterator[Answer]:
    """If it is wanted, everything in the block is shown on stderr, and the document is printed when it has ended."""
    if not is_wanted:
        yield answer
        return
    stdout, sys.stdout = sys.stdout, sys.stderr
    status = EXIT_BUG
    try:
        yield answer
        status = 0
    except typer.Exit as ended:
        status = ended.exit_code
        raise
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else EXIT_BUG
        raise
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
        raise
    finally:
        sys.stdout = stdout
        answer.print(status)
