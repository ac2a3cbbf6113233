"""What the shell offers after Tab. It runs at every press of the key, so it reads one file and imports nothing slow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from stackbuild.errors import StackbuildError
from stackbuild.spec.toml_file import read_toml

_PREFIXES = {"runtimes": "", "frameworks": "framework-", "applications": "app-"}
"""Build names as the models of `spec` make them, which take too long to import."""


class CommandLine(Protocol):
    """What is needed of the parsed command line before the cursor.

    params: values by parameter; args: words that belong to no parameter. When an option still needs its value, these
    are all words that are not options.
    """

    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def args(self) -> Sequence[str]: ...


def complete_layer_names(ctx: CommandLine, incomplete: str) -> list[str]:
    """The build names that begin with `incomplete`, in file order.

    The specification is the one given before the cursor, else `venvstacks.toml` here. If it cannot be read, there are
    no names: an error would be printed into the line that is being typed.
    """
    given = (ctx.params.get("spec"), ctx.params.get("spec_option"), *ctx.args)
    try:
        table = read_toml(Path(next(filter(None, given), "venvstacks.toml")))
    except StackbuildError:
        return []
    return [name for name in _build_names(table) if name.startswith(incomplete)]


def _build_names(table: Mapping[str, Any]) -> Iterator[str]:
    """The names in an unchecked table; anything malformed is skipped."""
    for category, prefix in _PREFIXES.items():
        layers = table.get(category)
        for layer in layers if isinstance(layers, list) else []:
            name = layer.get("name") if isinstance(layer, dict) else None
            if isinstance(name, str):
                yield f"{prefix}{name}"
