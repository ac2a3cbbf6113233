"""Every error that a user of stackbuild can meet.

A message says *what* went wrong and *where* (file, layer, key path); the optional hint says what to do now.
The command line prints them on stderr without a traceback; anything that is not a `StackbuildError` is a bug.
"""

EXIT_FAILED, EXIT_BUG, EXIT_INTERRUPTED = 1, 2, 130
"""Exit statuses: an expected failure, anything else that went wrong, Ctrl-C or a signal."""


class StackbuildError(Exception):
    """An expected failure: a message for the person at the keyboard, and often a hint.

    `str(error)` is the message, a blank line and `hint: …` when there is a hint.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        if self.hint is None:
            return self.message
        return f"{self.message}\n\nhint: {self.hint}"


class SpecError(StackbuildError):
    """The stack specification is not usable. What stands in it and is wrong is a `spec.faults.FaultySpec`."""


class LockError(StackbuildError):
    """A layer's requirements cannot be locked, or its lock does not fit what it is asked for."""


class RuntimeSourceError(StackbuildError):
    """No Python that fits a runtime layer can be had, or the one found cannot serve as a base runtime."""


class NoByteCode(StackbuildError):
    """Byte code cannot be made or kept. A layer is as good without it, and starts slower."""


class RuntimeUnavailable(RuntimeSourceError):
    """A source has no Python that fits, or cannot be reached: another source may do. Never a file that is wrong."""


class BuildError(StackbuildError):
    """An environment cannot be built from its lock."""


class ArchiveError(StackbuildError):
    """An archive cannot be written or read."""


class DeployError(StackbuildError):
    """An environment cannot be exported or finished where it lies."""


class ToolError(StackbuildError):
    """A tool that stackbuild runs failed; the message carries the end of what the tool said."""


class Interrupted(StackbuildError):
    """The run was asked to stop (Ctrl-C, SIGTERM) while this step was at work; nothing is recorded for it."""
