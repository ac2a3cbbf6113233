"""Of several runtime sources the first that has a fitting Python is taken; what is locked stays where it came from."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stackbuild.errors import RuntimeSourceError, RuntimeUnavailable
from stackbuild.runtimes.source import WantedRuntime
from stackbuild.runtimes.source_list import SourceList
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.runtime_pin import RuntimePin

LINUX = TargetPlatform.LINUX_X86_64


@dataclass
class FakeSource:
    """A source that has one version, or fails."""

    name: str
    fails: RuntimeSourceError | None = None
    asked: list[str] = field(default_factory=list)

    def choose(self, wanted: WantedRuntime, /) -> RuntimePin:
        self.asked.append("choose kept" if wanted.kept else "choose")
        if self.fails is not None:
            raise self.fails
        return wanted.kept or RuntimePin(python_implementation="cpython@3.12.1", source=self.name)

    def python(self, pin: RuntimePin, /) -> Path:
        return Path("/", self.name, pin.python_implementation)

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        self.asked.append(f"unpack {pin.python_implementation} for {platform} {libc}")


@dataclass
class Both:
    first: FakeSource = field(default_factory=lambda: FakeSource("first"))
    second: FakeSource = field(default_factory=lambda: FakeSource("second"))
    warnings: list[str] = field(default_factory=list)

    @property
    def sources(self) -> SourceList:
        return SourceList({"first": self.first, "second": self.second}, warn=self.warnings.append)

    def choose(self, kept: RuntimePin | None = None) -> RuntimePin:
        request = PythonRequest.parse("cpython@3.12")
        return self.sources.choose(WantedRuntime(request=request, platforms=(LINUX,), libc="glibc", kept=kept))


def unavailable(hint: str = "look elsewhere") -> RuntimeUnavailable:
    return RuntimeUnavailable("there is none", hint=hint)


def test_first_source_is_taken_in_silence() -> None:
    both = Both()
    assert (both.choose().source, both.warnings, both.second.asked) == ("first", [], [])


def test_next_source_is_taken_with_a_warning_when_the_first_has_none() -> None:
    both = Both(first=FakeSource("first", fails=unavailable()))
    assert both.choose().source == "second"
    assert both.warnings == [
        "there is none\n  instead of first, second is taken: cpython@3.12.1; stackbuild lock --upgrade tries again"
    ]


def test_wrong_file_is_an_error_whatever_other_sources_there_are() -> None:
    both = Both(first=FakeSource("first", fails=RuntimeSourceError("another file")))
    with pytest.raises(RuntimeSourceError, match="another file"):
        both.choose()
    assert both.second.asked == []


def test_every_source_is_told_of_when_none_has_it() -> None:
    both = Both(FakeSource("first", fails=unavailable("do this")), FakeSource("second", fails=unavailable("or that")))
    with pytest.raises(RuntimeUnavailable) as caught:
        both.choose()
    assert str(caught.value) == (
        "no runtime source has a Python that fits\nfirst: there is none\nsecond: there is none\n\n"
        "hint: name another version in python_implementation, check the network or name a mirror "
        "(UV_PYTHON_INSTALL_MIRROR), or install a Python that fits on this machine"
    )
    assert both.warnings == []


def test_kept_pin_stays_with_its_source() -> None:
    both = Both()
    kept = RuntimePin(python_implementation="cpython@3.12.0", source="second")
    assert both.choose(kept) == kept
    assert (both.first.asked, both.second.asked) == ([], ["choose kept"])


def test_kept_pin_never_moves_to_another_source() -> None:
    both = Both(first=FakeSource("first", fails=unavailable()))
    with pytest.raises(RuntimeUnavailable, match="there is none"):
        both.choose(RuntimePin(python_implementation="cpython@3.12.0", source="first"))


def test_pin_of_a_source_that_is_not_listed_is_chosen_anew() -> None:
    both = Both()
    assert both.choose(RuntimePin(python_implementation="cpython@3.12.0", source="moon")).source == "first"
    assert both.first.asked == ["choose"]


def test_lock_decides_which_source_runs_and_unpacks() -> None:
    both = Both()
    pin = RuntimePin(python_implementation="cpython@3.12.0", source="second")
    assert both.sources.python(pin) == Path("/second/cpython@3.12.0")
    both.sources.unpack(pin, Path("/layer"), platform=LINUX, libc="musl")
    assert both.second.asked == ["unpack cpython@3.12.0 for linux_x86_64 musl"]


def test_pin_of_a_source_that_is_not_listed_says_how_to_lock_again() -> None:
    with pytest.raises(RuntimeSourceError) as caught:
        Both().sources.python(RuntimePin(python_implementation="cpython@3.12.0", source="moon"))
    assert "'moon', which is none of those of this run: first, second" in caught.value.message
    assert "stackbuild lock --if-needed" in str(caught.value.hint)
