"""What uv said when it failed, as statements, in one form for all its releases. Pure."""

import re
from dataclasses import dataclass

from stackbuild.system.urls import without_secrets

_STARTS = (
    (re.compile(r"\s*(?:×|error:)\s+"), "headline"),  # noqa: RUF001 (the sign that uv prints)
    (re.compile(r"\s*(?:├─▶|╰─▶|cause:|Caused by:)\s+"), "cause"),
    (re.compile(r"\s*hint:\s+"), "hint"),
    (re.compile(r"\s*warning:\s+"), "warning"),
)
_WARNING = re.compile(r"\s*warning:\s+(.*\S)")
_PROGRESS = re.compile(
    r"Using (?:CPython|PyPy|GraalPy|Python) \S+ |(?:Resolved|Prepared|Installed|Uninstalled|Audited|Checked) \d+ "
    r"| ?(?:Downloading|Downloaded|Extracting|Extracted) \S+( \S+){0,2}$| [+~-] \S+==\S+"
)
"""Lines about what went well, before something failed."""
_CONTINUED = re.compile(r"\s*(?:│\s?)?\s*")
_SENTENCE = re.compile(r"(?:And )?[Bb]ecause ")


@dataclass(frozen=True, kw_only=True)
class UvReport:
    """A failure of uv: its headline (may be empty), its causes from the outside in, and uv's hints.

    A statement in prose has one line per sentence; other statements keep their lines.
    """

    headline: str
    causes: tuple[str, ...]
    hints: tuple[str, ...]

    @classmethod
    def parse(cls, said: str) -> "UvReport":
        """Read what uv wrote to stderr, without secrets.

        Warnings and what went well before are left out; text in an unknown form becomes the headline.
        """
        statements: list[tuple[str, list[str]]] = [("headline", [])]
        told = [line for line in without_secrets(said).splitlines() if line.strip() and not _PROGRESS.match(line)]
        for line in told or ["uv said nothing"]:
            start = next(((kind, match.end()) for form, kind in _STARTS if (match := form.match(line))), None)
            if start is not None:
                statements.append((start[0], [line[start[1] :].rstrip()]))
            else:
                statements[-1][1].append(line[_continued(line) :].rstrip())

        return cls(
            headline="\n".join(_all_of("headline", statements)),
            causes=_all_of("cause", statements),
            hints=_all_of("hint", statements),
        )

    @property
    def text(self) -> str:
        """The whole text, with hints, to search in."""
        return "\n".join((self.headline, *self.causes, *self.hints))


def _all_of(kind: str, statements: list[tuple[str, list[str]]]) -> tuple[str, ...]:
    return tuple(_joined(lines, prose=kind != "cause") for found, lines in statements if found == kind and lines)


def _continued(line: str) -> int:
    match = _CONTINUED.match(line)
    return match.end() if match else 0


def _joined(lines: list[str], *, prose: bool) -> str:
    """The lines of one statement; wrapped lines are joined again."""
    if not prose and not _SENTENCE.match(lines[0]):
        return "\n".join(lines)
    sentences: list[str] = []
    for line in lines:
        if sentences and not _SENTENCE.match(line):
            sentences[-1] += f" {line}"
        else:
            sentences.append(line)
    return "\n".join(sentences)


def warnings_of(said: str) -> tuple[str, ...]:
    """What uv warned of while it did its work, without credentials."""
    lines = [match[1] for line in without_secrets(said).splitlines() if (match := _WARNING.match(line))]
    return tuple(dict.fromkeys(lines))
