"""Why requirements conflict: uv's proof in terms of a layer, and what to do about it. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.markers import InvalidMarker
from packaging.utils import canonicalize_name

from stackbuild.locking.missing_wheels import marker_hint
from stackbuild.locking.pylock import LowerPackage
from stackbuild.locking.refinement import LockTarget
from stackbuild.locking.release_marker import without_release
from stackbuild.spec.models import UvSettings
from stackbuild.spec.problems import quote_all
from stackbuild.spec.stack import LinkedLayer
from stackbuild.system.urls import without_secrets
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.uv.report import UvReport
from stackbuild.uv.resolution import project_name


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What uv was asked to resolve. `files`: the generated files by name; `query_index`: whether indexes are asked."""

    linked: LinkedLayer
    settings: UvSettings
    lower: Sequence[LowerPackage]
    target: LockTarget
    files: Mapping[str, str]
    query_index: bool = True


_NO_SOLUTION = re.compile(r"No solution found when resolving dependencies(?: for split \((?P<split>.*)\))?:?")
_LACKS_WHEELS = "-compatible wheels"
_LACKING = re.compile(r"([A-Za-z0-9][\w.-]*?)==\S+ has no (?:`[^`]*`|[^\s`]+)-compatible wheels")
_CONDITION = re.compile(r"\{([^}]*)\}")
_CONDITIONAL = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)\{([^}]*)\}([=<>!~][^\s,]*)?")


def retold(asked: Resolution, report: UvReport) -> list[str]:
    """Uv's statements with the layer in place of the project that was generated for it."""
    statements = [part for part in (report.headline, *report.causes) if part and not _NO_SOLUTION.fullmatch(part)]
    return [_retell(asked, part) for part in statements]


def _retell(asked: Resolution, text: str) -> str:
    layer = asked.linked.build_name
    generated = re.escape(project_name(layer))
    told = _CONDITION.sub(lambda match: _without_release(match, asked.target.python_version), text)
    told = told.replace(", we can conclude that ", ", ")
    told = told.replace("`--find-links` directory", "find-links folder").replace("`--find-links`", "find-links")
    for item in asked.lower:
        told = _with_provider(told, item)
    told = told.replace("your project's requirements", f"the requirements of {layer}")
    told = re.sub(rf"\byour project\b|(?<![\w.-]){generated}(?:==0)?(?![\w.-])", lambda _: layer, told)
    return _CONDITIONAL.sub(lambda match: f"{match[1]}{match[3] or ''} (where {match[2]})", told)


def _without_release(condition: re.Match[str], python_version: str) -> str:
    marker = without_release(condition[1], python_version)
    return f"{{{marker}}}" if marker else ""


def _with_provider(text: str, item: LowerPackage) -> str:
    """The text with the layer that pins a package, wherever uv attributes that pin to the project."""
    name, version = re.escape(item.package.name), re.escape(item.package.version)
    pin = rf"(?<![\w.-]){name}(?:\{{(?P<marker>[^}}]*)\}})?=={version}(?![\w.+!-])"

    def told(match: re.Match[str]) -> str:
        where = f" where {match['marker']}" if match["marker"] else ""
        return f"{item.package.name}=={item.package.version} (pinned by {item.provider}{where})"

    return re.sub(pin, told, text)


def _split_platforms(asked: Resolution, report: UvReport) -> tuple[str, tuple[TargetPlatform, ...]] | None:
    """The marker of the part of the resolution that has no solution, and the platforms on which it holds."""
    found = _NO_SOLUTION.search(report.headline)
    if found is None or not found["split"]:
        return None
    marker = without_release(found["split"].removeprefix("markers: "), asked.target.python_version)
    if not marker:
        return None
    try:
        return marker, asked.target.matching(marker)
    except InvalidMarker:
        return marker, ()


def without_wheels(asked: Resolution, report: UvReport) -> dict[TargetPlatform, frozenset[str]]:
    """The platforms that uv finds no wheels for, if that is what it explains, each with the packages that it names."""
    split, text = _split_platforms(asked, report), " ".join(report.text.split())
    if split is None or _LACKS_WHEELS not in text:
        return {}
    named = frozenset(canonicalize_name(found[1]) for found in _LACKING.finditer(text))
    return dict.fromkeys(split[1], named)


def where(asked: Resolution, report: UvReport) -> Iterator[str]:
    """The platforms without a solution, when uv says that these are not all."""
    if split := _split_platforms(asked, report):
        marker, platforms = split
        yield f"on {', '.join(platforms)} (where {marker}):" if platforms else f"where {marker}:"


_ONLY_WHEELS = (
    "only wheels are used, nothing is built from source or from a repository: build the missing wheels "
    "beforehand and offer them with find-links in [tool.uv]"
)


def advice(
    asked: Resolution, report: UvReport, *, lacking: Mapping[TargetPlatform, frozenset[str]] | None = None
) -> Iterator[str]:
    """What to do about it: a sentence for each kind of obstacle that uv names, else for the conflict in general.

    `lacking`: all platforms without wheels, if they are known, each with the packages that lack them.
    """
    hints = [*_specific_advice(asked, report, lacking or without_wheels(asked, report)), *_usable_hints(report)]
    if hints:
        yield from hints
    elif re.search(r"\bonly \S+ (?:is|are) available|no versions? of", report.text):
        yield "ask for a version that is offered, or name an index or a folder (find-links) that offers this one"
    elif _NO_SOLUTION.search(report.headline):
        yield f"the requirements of {asked.linked.build_name} exclude each other: change one of them"


def _specific_advice(
    asked: Resolution, report: UvReport, lacking: Mapping[TargetPlatform, frozenset[str]]
) -> Iterator[str]:
    text = " ".join(report.text.split())
    if pins := _pins(asked.lower, text):
        yield f"layers below pin {'; '.join(pins)}: change the requirement here or in that layer"
    if "no usable wheels" in text or "Building source distributions" in text:
        yield _ONLY_WHEELS
    if _LACKS_WHEELS in text:
        yield _platforms_hint(asked, lacking)
        yield from _marker_hints(asked, lacking)
    if re.search(r"requires Python|does not satisfy Python", text):
        python = f"{asked.target.kind.implementation} {asked.target.python_version}"
        yield f"the layer is locked for {python}: ask for a release that supports it, or change python_implementation"
    if re.search(r"was not found in the (?:package registry|provided package locations)", text):
        yield _not_found_hint(asked)
    if "Failed to read `--find-links`" in text:
        yield "correct find-links in [tool.uv]: its paths are relative to the file that they stand in"
    elif "404 Not Found" in text:
        yield "the server has no such file: correct the URL"


def _pins(lower: Sequence[LowerPackage], text: str) -> list[str]:
    """The pins of lower layers that uv names, each with its layer."""
    return [
        f"{item.package.pin} (from {item.provider})"
        for item in lower
        if re.search(rf"(?<![\w.-]){re.escape(item.package.name)}(?![\w-])", text)
    ]


def _marker_hints(asked: Resolution, lacking: Mapping[TargetPlatform, frozenset[str]]) -> Iterator[str]:
    """The markers for requirements of the layer itself that exist for some systems only."""
    for requirement in asked.linked.layer.requirements:
        name = canonicalize_name(requirement.name)
        without = [platform for platform, packages in lacking.items() if name in packages]
        if without and requirement.marker is None and not requirement.url:
            yield from marker_hint(requirement, without, asked.target.platforms)


def _platforms_hint(asked: Resolution, lacking: Collection[TargetPlatform]) -> str:
    rest = sorted(set(asked.target.platforms) - set(lacking))
    if lacking and rest:
        without = f"leave out {', '.join(sorted(lacking))}, which lack some: platforms = [{quote_all(rest)}]"
        return f"offer the missing wheels with find-links, or {without}"
    if lacking:
        return "no platform of the layer has all wheels: offer the missing ones with find-links in [tool.uv]"
    return "offer the missing wheels with find-links in [tool.uv], or limit the layer with `platforms`"


def _not_found_hint(asked: Resolution) -> str:
    if not asked.query_index or asked.settings.other.get("no-index"):
        return "check its name; with no-index only the folders of find-links and of local wheels are searched"
    names = [index.name or without_secrets(index.url) for index in asked.settings.indexes]
    return f"check its name, and the indexes that are asked: {', '.join(names) or 'PyPI'}"


_OPTION = re.compile(r"`?--(?P<name>[a-z-]+)[= ](?P<value>[a-z-]+)`?")
_SETTINGS_AS_OPTIONS = ("index-strategy", "prerelease")
_NOT_FOR_THE_USER = re.compile(
    # about the generated project, or better covered by our own advice
    r"environment that is not the current one|requires-python|active Python version|--no-build|could not be queried"
    r"|index lookups were disabled"
)


def _usable_hints(report: UvReport) -> Iterator[str]:
    """Uv's hints that can be followed here, with options replaced by the settings."""
    for hint in report.hints:
        told = _OPTION.sub(
            lambda match: (
                f'{match["name"]} = "{match["value"]}" in [tool.uv]'
                if match["name"] in _SETTINGS_AS_OPTIONS
                else match[0]
            ),
            hint,
        )
        if not _NOT_FOR_THE_USER.search(told) and "--" not in told:
            yield told
