"""What a command is about, and how much it prints."""

from dataclasses import dataclass
from pathlib import Path

from stackbuild.project.options import Options


@dataclass(frozen=True, kw_only=True)
class Where:
    """The specification that a command is about, and the options of the run."""

    spec: Path
    options: Options


@dataclass(frozen=True, kw_only=True)
class Showing:
    """How much a command prints. show_only, and json without show: only the selection is shown, nothing is done."""

    quiet: bool = False
    verbose: int = 0
    show: bool = False
    show_only: bool = False
    json: bool = False
    timings: bool = False
    report: Path | None = None
    events: Path | None = None

    @property
    def shows(self) -> bool:
        return self.show or self.show_only or self.json

    @property
    def only_shows(self) -> bool:
        return self.show_only or (self.json and not self.show)
