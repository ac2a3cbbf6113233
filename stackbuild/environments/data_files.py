"""Data files: what packages put outside of the folder of packages, such as `share/jupyter`.

Programs look for them below `sys.prefix`, which is the folder of the layer that was started. So layers have links to
the data files of the layers below.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

from stackbuild.environments.layout import LAYER_CONFIG, POSTINSTALL, PYVENV_CFG, EnvironmentLayout
from stackbuild.environments.record_file import find_records, package_of, read_fields, recorded_path

_Tree: TypeAlias = "dict[str, _Content]"
_Content: TypeAlias = "_Tree | None"
"""What a folder has under a name: `None` for a file."""


def data_files(environment: Path, layout: EnvironmentLayout) -> dict[str, tuple[str, ...]]:
    """The data files of an environment's packages, as their RECORD files list them, sorted; by `name version`.

    Paths are relative to the environment. Programs and headers do not count. Raises like `read_record`.
    """
    folder = str(layout.site_packages)
    of_layer = tuple(f"{place}/" for place in _places(layout))
    found = {}
    for record in find_records(environment, layout.site_packages):
        paths = (recorded_path(folder, path) for path, _, _ in read_fields(record) if path.startswith("../"))
        data = sorted(path for path in set(paths) if not path.startswith(("../", "/", *of_layer)))
        if data:
            found[package_of(record.parent.name)] = tuple(data)
    return found


def _places(layout: EnvironmentLayout) -> tuple[str, ...]:
    """What of a layer's folder is its own in any case, whatever the layers below have there."""
    places = (layout.site_packages, layout.scripts, layout.headers, LAYER_CONFIG.parent.parent, POSTINSTALL, PYVENV_CFG)
    return tuple(map(str, places))


def data_links(
    layout: EnvironmentLayout, own: Iterable[str], below: Sequence[tuple[str, Iterable[str]]]
) -> dict[str, str]:
    """The links that a layer needs in order to have the data files of the layers below: the layer by path.

    A path is the same in both layers. A folder that only one layer has is linked as a whole; one that several have is
    a folder with links. The layer's `own` data files come first, then those of the layers `below` in this order.
    """
    trees = [(layer, _tree(paths)) for layer, paths in below]
    return dict(_links("", _tree((*own, *_places(layout))), [it for it in trees if it[1]]))


def _tree(paths: Iterable[str]) -> _Tree:
    root: _Tree = {}
    for path in paths:
        *folders, name = path.split("/")
        folder = root
        for part in folders:
            inner = folder.setdefault(part, {})
            if inner is None:
                break  # a file is in its way
            folder = inner
        else:
            folder.setdefault(name, None)
    return root


def _links(place: str, own: Mapping[str, _Content], below: list[tuple[str, _Tree]]) -> Iterator[tuple[str, str]]:
    for name in sorted({name for _, tree in below for name in tree}):
        path = f"{place}{name}"
        mine = own.get(name, {})
        if mine is None:  # a file of the layer
            continue
        having = [(layer, tree[name]) for layer, tree in below if name in tree]
        nearest, *others = list(takewhile(lambda it: it[1] is not None, having)) or having[:1]
        if name in own or others:
            yield from _links(f"{path}/", mine, [(layer, inner) for layer, inner in (nearest, *others) if inner])
        else:
            yield path, nearest[0]


def link_target(layer: str, path: str) -> str:
    """The target of the link at `path` of a layer to the same path of the deployed `layer` beside it."""
    return posixpath.join(*[".."] * (path.count("/") + 1), layer, path)
