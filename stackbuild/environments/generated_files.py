"""The texts and links that turn a folder of installed packages into a layer: pure, as values to write.

Build and deployed environments differ only in the names of the layers beside them, so both are made here. Every path is
relative: a layer can be moved, mounted read-only or signed, as long as the layers beside it move with it.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from stackbuild.environments.layout import LAYER_CONFIG, POSTINSTALL, PYVENV_CFG, EnvironmentLayout, in_peer
from stackbuild.environments.python_wrapper import python_wrapper
from stackbuild.spec.models import BuildName, InstallTarget
from stackbuild.system.json_file import JsonFile


class LayerConfig(JsonFile):
    """`share/venv/metadata/venvstacks_layer.json`: what the post-install script and an embedding application need.

    Every path is relative to the layer's folder; those of other layers start with `../<install target>/`.
    """

    python: str
    py_version: str
    base_python: str
    site_dir: str
    pylib_dirs: tuple[str, ...]
    dynlib_dirs: tuple[str, ...]
    pylib_needs: dict[str, tuple[str, ...]] | None = None
    """By folder of `pylib_dirs`: the `.dist-info` folders of packages that must be there, if any."""
    launch_module: str | None = None


@dataclass(frozen=True, kw_only=True)
class GeneratedFile:
    """A text file of a layer. `path` is relative to the layer's folder."""

    path: PurePosixPath
    text: str
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class GeneratedLink:
    """A symbolic link of a layer. `path` is relative to the layer's folder, `target` to the link's folder."""

    path: PurePosixPath
    target: PurePosixPath


Generated = GeneratedFile | GeneratedLink


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A lower layer as seen from a layered environment: the name of its folder beside it, and its layout.

    needed: the names of the `.dist-info` folders of its packages that the layer above was locked with, as far as they
    are known.
    """

    target: InstallTarget | BuildName
    layout: EnvironmentLayout
    needed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LayerSurroundings:
    """What the generated files of one layer depend on.

    lower: frameworks in import order, then the runtime; empty for a runtime. `python_version` is full. `home`: the
    absolute folder of the runtime's Python, where that is known and needed (on Windows).
    """

    layout: EnvironmentLayout
    python_version: str
    lower: Sequence[Peer]
    launch_module: str | None = None
    home: str | None = None

    @property
    def runtime(self) -> Peer | None:
        return self.lower[-1] if self.lower else None


def environment_files(
    around: LayerSurroundings, *, wrapped: bool, own_libraries: bool = False
) -> tuple[Generated, ...]:
    """The generated files of an environment, without layer config and post-install script; none for a runtime.

    `wrapped`: its `python` is a script with which the dynamic libraries of the layers below are found, else a link.
    `own_libraries`: it finds those of the layer itself first.
    """
    layout, runtime = around.layout, around.runtime
    if runtime is None:
        return ()
    config = GeneratedFile(path=PYVENV_CFG, text=pyvenv_cfg(around.python_version, home=around.home))
    customize = GeneratedFile(
        path=layout.site_packages / "sitecustomize.py", text=sitecustomize(around, wrapped=wrapped)
    )
    found_early = _packages_below(around)
    if layout.platform.is_windows:
        return (config, *found_early, customize)
    return (
        *(
            _wrapped_python(around, runtime, own_libraries=own_libraries)
            if wrapped
            else _linked_python(layout, runtime)
        ),
        *(
            GeneratedLink(path=layout.scripts / name, target=PurePosixPath("python"))
            for name in layout.kind.other_commands(layout.short_version)
        ),
        config,
        *found_early,
        customize,
    )


def _packages_below(around: LayerSurroundings) -> tuple[GeneratedFile, ...]:
    """A `.pth` file for the lines of other `.pth` files, which run before `sitecustomize.py` and may import from below.

    It is the first by name. Python reads it in the encoding of the user's locale: other names than ASCII could end the
    start of every program, so for them there is no such file.
    """
    layout = around.layout
    upwards = PurePosixPath(*[".."] * (len(layout.site_packages.parts) + 1))
    lines = "".join(f"{upwards / peer.target / peer.layout.site_packages}\n" for peer in around.lower)
    return (GeneratedFile(path=layout.site_packages / "00_layers_below.pth", text=lines),) if lines.isascii() else ()


def _linked_python(layout: EnvironmentLayout, runtime: Peer) -> tuple[Generated, ...]:
    """The link to the runtime's Python: by way of a link to the runtime, inside the layer.

    From 3.11 on Python takes `a/b/../c` for `a/c` when it follows the link to itself. That would be wrong where `a/b`
    is a link to this layer from elsewhere: so the path does not lead out of the layer.
    """
    link = layout.runtime_link
    return (
        GeneratedLink(path=layout.python, target=PurePosixPath("..", link, runtime.layout.versioned_python)),
        GeneratedLink(path=link, target=PurePosixPath(*[".."] * len(link.parts), runtime.target)),
    )


def _wrapped_python(around: LayerSurroundings, runtime: Peer, *, own_libraries: bool) -> tuple[Generated, ...]:
    layout = around.layout
    base_python = runtime.target / runtime.layout.versioned_python
    text = python_wrapper(
        layout.platform,
        base_python=base_python,
        own=layout.dynamic_libraries if own_libraries else None,
        folders=[peer.target / peer.layout.dynamic_libraries for peer in around.lower],
    )
    link = GeneratedLink(path=layout.wrapped_python, target=PurePosixPath("../..", base_python))
    return GeneratedFile(path=layout.python, text=text, mode=0o755), link


def published_files(around: LayerSurroundings, *, wrapped: bool, own_libraries: bool = False) -> tuple[Generated, ...]:
    """All generated files of a deployed layer, whether exported or unpacked; options as in `environment_files`."""
    return (
        *environment_files(around, wrapped=wrapped, own_libraries=own_libraries),
        GeneratedFile(path=LAYER_CONFIG, text=layer_config(around, own_libraries=own_libraries).to_json()),
        GeneratedFile(path=POSTINSTALL, text=postinstall_script()),
    )


def pyvenv_cfg(python_version: str, *, home: str | None = None) -> str:
    """A `pyvenv.cfg`, without `home` where Python does not need it.

    CPython, 3.10 to 3.15 and free-threaded, and PyPy 3.11 then take the base prefix from the target of the relative
    link `bin/python`, and the folder of the file as `sys.prefix`: no absolute path is needed. On Windows the launcher
    that replaces `python` needs one.
    """
    line = "" if home is None else f"home = {home}\n"
    return f"{line}include-system-site-packages = false\nversion = {python_version}\n"


def sitecustomize(around: LayerSurroundings, *, wrapped: bool) -> str:
    """A `sitecustomize.py` that appends the lower layers' packages, found relative to itself, to the import path.

    It says so when a layer below is missing or is another one, and corrects what Python says about itself. `wrapped`:
    as in `environment_files`.
    """
    layout = around.layout
    runtime = around.lower[-1]
    facts = {
        "UPWARDS": "/".join([".."] * len(layout.site_packages.parts)),
        "LOWER": tuple((str(peer.target / peer.layout.site_packages), peer.needed) for peer in around.lower),
        "LIBRARIES": tuple(str(peer.target / peer.layout.dynamic_libraries) for peer in around.lower)
        if layout.platform.is_windows
        else (),
        "BASE_PYTHON": str(runtime.target / runtime.layout.versioned_python),
        "WRAPPED": wrapped,
    }
    lines = _injected("sitecustomize.py").splitlines(keepends=True)
    return "".join(_with_fact(line, facts) for line in lines)


def _with_fact(line: str, facts: Mapping[str, object]) -> str:
    """A line of a script, with the value of the fact that it defines, if it does."""
    name = re.split("[ :]", line, maxsplit=1)[0]
    if name not in facts:
        return line
    declared, _, value = line.partition(" = ")
    comment = value.rstrip("\n").partition("  #")[2]
    return f"{declared} = {facts[name]!r}{comment and f'  #{comment}'}\n"


def layer_config(around: LayerSurroundings, *, own_libraries: bool = False) -> LayerConfig:
    """The layer's `venvstacks_layer.json`, with paths in the style of the layer's platform."""
    layout, runtime = around.layout, around.runtime

    def text(path: PurePosixPath) -> str:
        return str(PureWindowsPath(path)) if layout.platform.is_windows else str(path)

    needs = {text(in_peer(peer.target, peer.layout.site_packages)): peer.needed for peer in around.lower if peer.needed}
    return LayerConfig(
        python=text(layout.python),
        py_version=around.python_version,
        base_python=text(layout.python if runtime is None else in_peer(runtime.target, runtime.layout.python)),
        site_dir=text(layout.site_packages),
        pylib_dirs=tuple(text(in_peer(peer.target, peer.layout.site_packages)) for peer in around.lower),
        dynlib_dirs=(
            *((text(layout.dynamic_libraries),) if own_libraries else ()),
            *(text(in_peer(peer.target, peer.layout.dynamic_libraries)) for peer in around.lower),
        ),
        pylib_needs=needs or None,
        launch_module=around.launch_module,
    )


def postinstall_script() -> str:
    """The post-install script that is part of every deployed layer."""
    return _injected("postinstall.py")


@cache
def _injected(name: str) -> str:
    """The text of a program that layers carry."""
    return Path(__file__).with_name("injected").joinpath(name).read_text(encoding="utf-8")


def launch_command(folder: str, layout: EnvironmentLayout, module: str) -> tuple[str, ...]:
    """The command that runs the application deployed in `folder`, whatever modules lie in the current folder."""
    return (os.path.join(folder, *layout.python.parts), "-I", "-m", module)
