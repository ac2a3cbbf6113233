"""`python -m stackbuild`."""


def main() -> None:
    """The console script."""
    from stackbuild import cli  # noqa: PLC0415 (slow: only the program needs it)

    cli.main()


if __name__ == "__main__":
    main()
