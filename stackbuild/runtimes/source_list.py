"""Several runtime sources as one: the first with a matching Python is used, and the lock contains its name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from stackbuild.errors import RuntimeSourceError, RuntimeUnavailable
from stackbuild.runtimes.interpreter_source import InterpreterSource
from stackbuild.runtimes.source import RuntimeSource, WantedRuntime
from stackbuild.runtimes.standalone_source import StandaloneSource
from stackbuild.system.process import Runner
from stackbuild.system.user_cache import cache_folder
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.runtime_pin import RuntimePin


class SourceList:
    """The sources of a project by name, in the order in which they are tried; `warn` is called when one is skipped.

    Only `choose` goes on to the next source. A locked Python comes from the source that the lock names.
    """

    def __init__(self, sources: Mapping[str, RuntimeSource], *, warn: Callable[[str], None]) -> None:
        self._sources = sources
        self._warn = warn

    def choose(self, wanted: WantedRuntime, /) -> RuntimePin:
        kept = wanted.kept
        if kept is not None and kept.source in self._sources:
            return self._sources[kept.source].choose(wanted)
        anew = WantedRuntime(request=wanted.request, platforms=wanted.platforms, libc=wanted.libc)
        failures: list[tuple[str, RuntimeUnavailable]] = []
        for name, source in self._sources.items():
            try:
                pin = source.choose(anew)
            except RuntimeUnavailable as error:
                failures.append((name, error))
                continue
            for passed_over, why in failures:
                limit = ", for this machine's platform only" if name == "interpreter" else ""
                self._warn(
                    f"{why.message}\n"
                    f"  instead of {passed_over}, {name} is taken: {pin.python_implementation}{limit}; "
                    "stackbuild lock --upgrade tries again"
                )
            return pin
        raise _none_will_do(failures)

    def python(self, pin: RuntimePin, /) -> Path:
        return self._source(pin).python(pin)

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        self._source(pin).unpack(pin, destination, platform=platform, libc=libc)

    def _source(self, pin: RuntimePin) -> RuntimeSource:
        source = self._sources.get(pin.source)
        if source is None:
            raise RuntimeSourceError(
                f"{pin.python_implementation} is locked from the runtime source {pin.source!r}, which is none of those "
                f"of this run: {', '.join(self._sources)}",
                hint="lock it again: stackbuild lock --if-needed",
            )
        return source


def _none_will_do(failures: list[tuple[str, RuntimeUnavailable]]) -> RuntimeUnavailable:
    if len(failures) == 1:
        return failures[0][1]
    told = "\n".join(f"{name}: {error.message}" for name, error in failures)
    return RuntimeUnavailable(
        f"no runtime source has a Python that fits\n{told}",
        hint="name another version in python_implementation, check the network or name a mirror "
        "(UV_PYTHON_INSTALL_MIRROR), or install a Python that fits on this machine",
    )


def open_sources(
    names: tuple[str, ...],
    *,
    run: Runner,
    run_uv: Runner,
    environ: Mapping[str, str],
    here: TargetPlatform,
    warn: Callable[[str], None],
) -> SourceList:
    """The sources with these names. `here`: the platform of this machine.

    run: asks the Pythons of this machine; run_uv: downloads.
    """
    memory = cache_folder(environ) / "interpreters.json"
    interpreters = InterpreterSource(run=run, environ=environ, here=here, memory=memory)
    known: dict[str, RuntimeSource] = {
        "interpreter": interpreters,
        "standalone": StandaloneSource(run=run_uv, environ=environ, here=here, interpreters=interpreters.interpreters),
    }
    return SourceList({name: known[name] for name in names}, warn=warn)
