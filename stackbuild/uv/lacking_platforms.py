"""All platforms without wheels for what a layer needs: uv's explanation is about the first that it meets."""

import tomllib
from collections.abc import Callable, Collection
from dataclasses import replace

import tomli_w

from stackbuild.targets.platforms import TargetPlatform
from stackbuild.uv.conflicts import Resolution, without_wheels
from stackbuild.uv.report import UvReport


def lacking_platforms(
    asked: Resolution, said: str, resolve: Callable[[Resolution], str]
) -> dict[TargetPlatform, frozenset[str]]:
    """The platforms that lack wheels, each with packages without one; none if that is not why the resolution failed.

    `said`: what uv wrote to stderr. `resolve`: resolves for fewer platforms and returns what uv writes then.
    """
    lacking: dict[TargetPlatform, frozenset[str]] = {}
    while (more := without_wheels(asked, UvReport.parse(said))).keys() - lacking.keys():
        lacking |= more
        rest = [platform for platform in asked.target.platforms if platform not in lacking]
        if not rest:
            break
        said = resolve(_limited(asked, rest))
    return lacking


def _limited(asked: Resolution, platforms: Collection[TargetPlatform]) -> Resolution:
    """The same question for some of the platforms."""
    project = tomllib.loads(asked.files["pyproject.toml"])
    settings = project["tool"]["uv"]
    markers = {
        marker: [platform for platform in asked.target.matching(marker) if platform in platforms]
        for marker in (*settings["environments"], *settings.get("required-environments", ()))
    }
    settings["environments"] = [
        f"({marker}) and ({platform.environment_marker()})"
        for marker in settings["environments"]
        for platform in markers[marker]
    ]
    if "required-environments" in settings:
        settings["required-environments"] = [it for it in settings["required-environments"] if markers[it]]
    return replace(asked, files={**asked.files, "pyproject.toml": tomli_w.dumps(project)})
