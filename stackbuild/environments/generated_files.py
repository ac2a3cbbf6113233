"""The texts and links that turn a folder of installed packages into a layer: pure, as values to write.

Build and deployed environments differ only in the names of the layers beside them, so both are made here. Every path is
relative: a layer can be moved, mounted read-only or signed, as long as the layers beside it move with it.
"""

import os
from collections.abc import Sequence
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
    """A lower layer as seen from a layered environment: the name of its folder beside it, and its layout."""

    target: InstallTarget | BuildName
    layout: EnvironmentLayout


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
    if layout.platform.is_windows:
        return (config, customize)
    return (
        *(
            _wrapped_python(around, runtime, own_libraries=own_libraries)
            if wrapped
            else (_python_link(layout.python, runtime),)
        ),
        *(
            GeneratedLink(path=layout.scripts / name, target=PurePosixPath("python"))
            for name in layout.kind.other_commands(layout.short_version)
        ),
        config,
        customize,
    )


def _python_link(path: PurePosixPath, runtime: Peer) -> GeneratedLink:
    upwards = PurePosixPath(*[".."] * len(path.parent.parts))
    return GeneratedLink(path=path, target=upwards / in_peer(runtime.target, runtime.layout.python))


def _wrapped_python(around: LayerSurroundings, runtime: Peer, *, own_libraries: bool) -> tuple[Generated, ...]:
    layout = around.layout
    text = python_wrapper(
        layout.platform,
        base_python=runtime.target / runtime.layout.python,
        own=layout.dynamic_libraries if own_libraries else None,
        folders=[peer.target / peer.layout.dynamic_libraries for peer in around.lower],
    )
    return GeneratedFile(path=layout.python, text=text, mode=0o755), _python_link(layout.wrapped_python, runtime)


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

    `wrapped`: it also puts the script into `sys.executable`, so that child processes find the dynamic libraries, too.
    """
    depth = len(around.layout.site_packages.parts)
    folders = [str(in_peer(peer.target, peer.layout.site_packages)) for peer in around.lower]
    lines = [
        '"""Makes the packages of the layers below importable, wherever this layer and they lie together."""',
        "",
        "import os",
        "import site",
        *(["import sys"] if wrapped else []),
        "",
        f"_layer = os.path.abspath(os.path.join(os.path.dirname(__file__), {', '.join([repr('..')] * depth)}))",
        "for _folder in (",
        *(f"    {folder!r}," for folder in folders),
        "):",
        "    site.addsitedir(os.path.normpath(os.path.join(_layer, _folder)))",
        *(_libraries_on_windows(around) if around.layout.platform.is_windows else []),
        *(_script_as_executable(around.layout) if wrapped else []),
        "",
    ]
    return "\n".join(lines)


def _libraries_on_windows(around: LayerSurroundings) -> list[str]:
    folders = [str(in_peer(peer.target, peer.layout.dynamic_libraries)) for peer in around.lower]
    return [
        "for _folder in (",
        *(f"    {folder!r}," for folder in folders),
        "):",
        "    _libraries = os.path.normpath(os.path.join(_layer, _folder))",
        "    if os.path.isdir(_libraries):",
        "        os.add_dll_directory(_libraries)",
    ]


def _script_as_executable(layout: EnvironmentLayout) -> list[str]:
    parts = ", ".join(map(repr, layout.python.parts))
    return [
        f"if os.path.basename(sys.executable or '') == {layout.wrapped_python.name!r}:",
        f"    sys.executable = os.path.join(_layer, {parts})",
    ]


def layer_config(around: LayerSurroundings, *, own_libraries: bool = False) -> LayerConfig:
    """The layer's `venvstacks_layer.json`, with paths in the style of the layer's platform."""
    layout, runtime = around.layout, around.runtime

    def text(path: PurePosixPath) -> str:
        return str(PureWindowsPath(path)) if layout.platform.is_windows else str(path)

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
        launch_module=around.launch_module,
    )


@cache
def postinstall_script() -> str:
    """The post-install script that is part of every deployed layer."""
    return Path(__file__).with_name("injected").joinpath("postinstall.py").read_text(encoding="utf-8")


def launch_command(folder: str, layout: EnvironmentLayout, module: str) -> tuple[str, ...]:
    """The command that runs the application deployed in `folder`, whatever modules lie in the current folder."""
    return (os.path.join(folder, *layout.python.parts), "-I", "-m", module)
