"""`python -m stackbuild`."""

import gc
import sys

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from stackbuild.settled import Said, Start


def main() -> None:
    """The console script."""
    # Most of a short run is importing, which frees nothing. `tasks` enables this before anything runs.
    gc.disable()
    from stackbuild.terminal import prepare_streams  # noqa: PLC0415

    prepare_streams()
    if sys.argv[1:] in (["--version"], ["-V"]):
        _print_version()
        return
    from stackbuild import settled  # noqa: PLC0415

    start = settled.Start.now() if any(command in sys.argv for command in settled.COMMANDS) else None
    if start is not None and (said := settled.said_before(start)) is not None:
        _say_again(said, start)
        return
    from stackbuild import cli  # noqa: PLC0415 (slow: only the program needs it)

    cli.main(start)


def _print_version() -> None:
    """Print the version as `cli` does, without the time that importing it takes."""
    from stackbuild import __version__  # noqa: PLC0415
    from stackbuild.terminal import print_text  # noqa: PLC0415

    print_text(f"stackbuild {__version__}")


def _say_again(said: "list[Said]", start: "Start") -> None:
    """Print what the run said that settled, with the time of this one."""
    import time  # noqa: PLC0415

    from stackbuild.quantities import format_seconds  # noqa: PLC0415
    from stackbuild.terminal import print_again  # noqa: PLC0415

    print_again(said, time=format_seconds((time.time_ns() - start.began) / 1e9))


if __name__ == "__main__":
    main()
