"""The commands with which a project begins: they need no specification yet."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to; made when missing (default: here).", show_default=False)
    ] = Path(),
) -> None:
    """Write a first specification with comments, a program, and a dodo.py. Replaces nothing."""
    from stackbuild import commands

    commands.init(folder)


def schema() -> None:
    """Print the JSON Schema of specifications, for editors."""
    from stackbuild import commands

    commands.schema()
