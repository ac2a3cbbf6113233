"""Merges the package indexes of a layer with those of the layers below it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.utils import NormalizedName

from stackbuild.spec.problems import format_key_path, quote, quote_all

PackageIndexes = Mapping[NormalizedName, str]


@dataclass(frozen=True, kw_only=True)
class IndexMerge:
    """The merged table; `problem` is a sentence when layers disagree and no override says who wins."""

    indexes: PackageIndexes
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """What one layer says about the index of a package."""

    package: NormalizedName
    index: str
    layer: str


def merge_indexes(
    own: PackageIndexes, lower: Iterable[tuple[str, PackageIndexes]], overrides: Mapping[str, str]
) -> IndexMerge:
    """Merge `own` with the tables of the layers below, which are given with labels, nearest first.

    Among the lower layers a nearer one wins over a farther one; the layer itself wins over all of them. Where two
    differ, `overrides` must say so (losing index → winning index).
    """
    conflicts: list[tuple[_Claim, _Claim]] = []
    claims: dict[NormalizedName, _Claim] = {}
    for layer, table in lower:
        for package, index in table.items():
            farther = _Claim(package=package, index=index, layer=layer)
            nearer = claims.setdefault(package, farther)
            if nearer.index != index and overrides.get(index) != nearer.index:
                conflicts.append((nearer, farther))
    for package, index in own.items():
        mine = _Claim(package=package, index=index, layer="this layer")
        theirs = claims.get(package, mine)
        if theirs.index != index and overrides.get(theirs.index) != index:
            conflicts.append((mine, theirs))
        claims[package] = mine
    indexes = {package: claim.index for package, claim in claims.items()}
    return IndexMerge(indexes=indexes, problem=_problem(conflicts, overrides) if conflicts else None)


def _problem(conflicts: list[tuple[_Claim, _Claim]], overrides: Mapping[str, str]) -> str:
    needed: dict[str, str] = {}
    for winner, loser in conflicts:
        if needed.setdefault(loser.index, winner.index) != winner.index:
            both = quote_all((needed[loser.index], winner.index))
            return f"{_sentence(winner, loser)}; {quote(loser.index)} would have to give way to both of {both}"
    sentences = "; ".join(dict.fromkeys(_sentence(winner, loser) for winner, loser in conflicts))
    entries = ", ".join(f"{format_key_path((key,))} = {quote(value)}" for key, value in {**overrides, **needed}.items())
    return f"{sentences}; to accept the first of each, write: index_overrides = {{ {entries} }}"


def _sentence(winner: _Claim, loser: _Claim) -> str:
    return (
        f"{quote(winner.package)} comes from index {quote(winner.index)} in {winner.layer} "
        f"but from {quote(loser.index)} in {loser.layer}"
    )
