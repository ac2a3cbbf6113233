"""What is in the format but not supported yet. An entry is removed when its field is supported.

A field without effect is refused, not ignored: an environment that differs from its specification is worse than none.
"""

from collections.abc import Callable, Iterator
from typing import Any

from stackbuild.spec.models import Layer, RuntimeLayer, StackbuildSettings
from stackbuild.targets.pythons import PythonKind

_REMOVE = "not supported yet: remove it, it would have no effect"

_FIELDS: dict[str, str] = {
    "exclude_packages": _REMOVE,
    "exclude_files": _REMOVE,
    "overrides": _REMOVE,
    "scripts": _REMOVE,
}
"""Fields of layers that must keep an empty value (`[]`, `false`)."""


def _linux_target(layer: Layer) -> str | None:
    target = layer.parsed_linux_target
    for_linux = layer.platforms is None or any(platform.is_linux for platform in layer.platforms)
    if not (for_linux and target.is_too_old):
        return None
    return f'wheels cannot be chosen for a {target.variant} older than {target.oldest}: write "{target.oldest}"'


def _python_implementation(layer: Layer) -> str | None:
    if not isinstance(layer, RuntimeLayer):
        return None
    request = layer.python_request
    if request.implementation == PythonKind.GRAALPY:
        return 'GraalPy is not supported yet, its layers could not be tried: use CPython, such as "cpython@3.13"'
    if request.freethreaded and request.implementation != PythonKind.CPYTHON:
        return f'{request.implementation} has no free-threaded build: remove "+freethreaded"'
    return None


_VALUES: dict[str, Callable[[Layer], str | None]] = {
    "linux_target": _linux_target,
    "python_implementation": _python_implementation,
}
"""Fields of layers that have an effect, but not for all values yet."""

_SETTINGS: dict[str, tuple[Any, str]] = {
    "build_from_source": ((), _REMOVE),
}
"""Keys of `[tool.stackbuild]`: the supported value, and the sentence for any other."""


def unsupported_fields(layer: Layer) -> Iterator[tuple[str, str]]:
    """Field and sentence for each thing that a layer asks for and would not get."""
    for field, message in _FIELDS.items():
        if getattr(layer, field):
            yield field, message
    for field, check in _VALUES.items():
        if sentence := check(layer):
            yield field, sentence


def unsupported_settings(settings: StackbuildSettings) -> Iterator[tuple[str, str]]:
    """Key and sentence for each of our own settings that would have no effect."""
    for key, (supported, message) in _SETTINGS.items():
        if getattr(settings, key) != supported:
            yield key, message
