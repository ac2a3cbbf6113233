"""Reads one layer's table without stopping at errors: a layer with what could be read, and every problem."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stackbuild.spec.models import ApplicationLayer, FrameworkLayer, Layer, RuntimeLayer
from stackbuild.spec.problems import Code, Problem, quote, translate, without_guess
from stackbuild.spec.unsupported import unsupported_fields

LAYER_TYPES: dict[str, type[RuntimeLayer] | type[FrameworkLayer] | type[ApplicationLayer]] = {
    layer_type.category: layer_type for layer_type in (RuntimeLayer, FrameworkLayer, ApplicationLayer)
}

RENAMED = {"runtimes": {"fully_versioned_name": "python_implementation"}}
"""Legacy fields by category, with their current names."""
DROPPED = ("build_requirements",)
"""Legacy fields of every layer that have no effect."""

_STAND_INS: dict[str, Any] = {
    "name": "unnamed",
    "requirements": [],
    "python_implementation": "cpython@3.11",
    "launch_module": "(launch module that could not be read)",
}
"""Values for required fields that could not be read; only used inside a draft."""


@dataclass(frozen=True, kw_only=True)
class DraftLayer:
    """A layer as far as it could be read.

    name: as declared, even when it is not allowed; None when there is none. Fields of `layer` that are in `faulty`
    have stand-in values.
    """

    category: str
    position: int
    name: str | None
    layer: Layer
    faulty: frozenset[str]
    module_order: tuple[int, ...]
    """The positions in the file of the support modules, which the layer has sorted."""

    @property
    def label(self) -> str | None:
        """`framework "sklearn"`, for messages."""
        return layer_label(self.category, self.name)

    def problem(self, sentence: str, *key_path: str | int, code: Code, hint: str | None = None) -> Problem:
        """A problem of this layer; `key_path` is relative to it."""
        return layer_problem(self.category, self.position, self.name, sentence, *key_path, code=code, hint=hint)


def layer_label(category: str, name: str | None) -> str | None:
    """`framework "sklearn"`, or None for a layer without a name."""
    return None if name is None else f"{LAYER_TYPES[category].kind} {quote(name)}"


def layer_problem(
    category: str,
    position: int,
    name: str | None,
    sentence: str,
    *key_path: str | int,
    code: Code,
    hint: str | None = None,
) -> Problem:
    """A problem of a layer, whose name is None when it has none; `key_path` is relative to it."""
    message, guess = without_guess(sentence)
    return Problem(
        code=code,
        key_path=(category, position, *key_path),
        message=message,
        hint=hint or guess,
        layer=None if name is None else f"{LAYER_TYPES[category].build_prefix}{name}",
        subject=layer_label(category, name),
    )


class LayerReader:
    """Reads one layer's table; the result is also in `problems` and `notices` (about legacy fields)."""

    def __init__(self, table: Mapping[str, Any], *, category: str, position: int, folder: Path) -> None:
        self.problems: list[Problem] = []
        self.notices: list[Problem] = []
        self._table = table
        self._category = category
        self._position = position
        self._context = {"folder": folder}
        self._spelt: dict[str, str] = {}
        """The legacy names of fields that have one in this table."""
        name = table.get("name")
        self._name = name if isinstance(name, str) else None

    def read(self, defaults: Mapping[str, Any]) -> DraftLayer:
        """The layer, with `defaults` for fields that it does not set."""
        own = self._without_legacy_fields()
        layer, faulty = self._validate({**defaults, **own})
        layer = layer.model_construct(layer.model_fields_set & own.keys(), **dict(layer))  # defaults count as unset
        for field, message in unsupported_fields(layer):
            if field not in faulty:
                self._report(message, field, code=Code.UNSUPPORTED)
        if "support_modules" not in faulty:
            clashes = tuple(_module_clashes(layer))
            for message in clashes:
                self._report(message, "support_modules", code=Code.NAME_CLASH)
            if clashes:  # whether the files exist only matters when their names are allowed
                faulty |= {"support_modules"}
        return DraftLayer(
            category=self._category,
            position=self._position,
            name=self._name,
            layer=layer,
            faulty=faulty,
            module_order=self._module_order(),
        )

    def _module_order(self) -> tuple[int, ...]:
        given = self._table.get("support_modules")
        return tuple(sorted(range(len(given)), key=lambda at: str(given[at]))) if isinstance(given, list) else ()

    def _problem(self, sentence: str, *key_path: str | int, code: Code, hint: str | None = None) -> Problem:
        return layer_problem(self._category, self._position, self._name, sentence, *key_path, code=code, hint=hint)

    def _report(self, sentence: str, *key_path: str | int, code: Code, hint: str | None = None) -> None:
        self.problems.append(self._problem(sentence, *key_path, code=code, hint=hint))

    def _without_legacy_fields(self) -> dict[str, Any]:
        table = dict(self._table)
        for legacy, current in RENAMED.get(self._category, {}).items():
            if legacy not in table:
                continue
            value = table.pop(legacy)
            if current in table:
                self._report(
                    f'legacy name of "{current}", which is set too',
                    legacy,
                    code=Code.NAME_CLASH,
                    hint="remove one of them",
                )
            else:
                table[current] = value
                self._spelt[current] = legacy
                self.notices.append(
                    self._problem("a legacy name", legacy, code=Code.LEGACY_FIELD, hint=f'write "{current}"')
                )
        for legacy in DROPPED:
            if table.pop(legacy, None) is not None:
                self.notices.append(
                    self._problem("a legacy field without effect", legacy, code=Code.LEGACY_FIELD, hint="remove it")
                )
        return table

    def _validate(self, table: dict[str, Any]) -> tuple[Layer, frozenset[str]]:
        layer_type = LAYER_TYPES[self._category]
        try:
            return layer_type.model_validate(table, context=self._context), frozenset()
        except ValidationError as error:
            for (field, *rest), sentence, code in translate(error, layer_type.model_fields):
                self._report(sentence, self._spelt.get(str(field), field), *rest, code=code)
            faulty = {str(details["loc"][0]) for details in error.errors(include_url=False)}
        # Fields are validated one by one, so the rest of the table is known to be valid.
        sound = {key: value for key, value in table.items() if key not in faulty}
        needed = {
            field: value for field, value in _STAND_INS.items() if field in faulty & layer_type.model_fields.keys()
        }
        return layer_type.model_validate({**sound, **needed}, context=self._context), frozenset(faulty)


def _module_clashes(layer: Layer) -> Iterator[str]:
    """A sentence for each clash of import names. Looks at no files."""
    if not isinstance(layer, ApplicationLayer):
        return
    names = Counter(path.stem for path in layer.support_modules)
    if layer.launch_name in names:
        yield f"{quote(layer.launch_name)} is the name of the launch module too"
    for name, count in names.items():
        if count > 1:
            paths = ", ".join(quote(path) for path in layer.support_modules if path.stem == name)
            yield f"{count} modules are named {quote(name)}: {paths}"
