"""Makes the packages of the layers below importable, wherever this layer and they lie together."""

import os
import site
import sys

# Facts about this layer, filled in when it is made. Paths of other layers start in the folder that contains the layers.
UPWARDS = "../../.."  # from here to the layer's folder
LOWER: "tuple[tuple[str, tuple[str, ...]], ...]" = ()  # packages of the layers below, and what must be in there
LIBRARIES: "tuple[str, ...]" = ()  # folders of DLLs, on Windows
BASE_PYTHON = ""  # that of the runtime
WRAPPED = False  # whether the layer's `bin/python` is a script that starts `bin/python_`

own = os.path.abspath(os.path.join(os.path.dirname(__file__), UPWARDS))
# A link to this layer may be in another folder than the layers.
layer = os.path.realpath(own) if os.path.islink(own) else own


def beside(path: str) -> str:
    """The absolute path of something in a layer beside this one."""
    return os.path.normpath(os.path.join(os.path.dirname(layer), path))


def say(sentence: str) -> None:
    """Tell what is wrong with this deployment."""
    if sys.stderr is not None:  # it is None in pythonw.exe
        sys.stderr.write(f"{os.path.basename(layer)}: {sentence}\n")
        sys.stderr.flush()


folders = [beside(place) for place, _ in LOWER]
# They go where they belong: `00_layers_below.pth` has put them, or others beside a link to this layer, among the first.
early = {*folders, *(os.path.normpath(os.path.join(os.path.dirname(own), place)) for place, _ in LOWER)}
sys.path[:] = [path for path in sys.path if path not in early]

for libraries in map(beside, LIBRARIES):
    if sys.platform == "win32" and os.path.isdir(libraries):
        os.add_dll_directory(libraries)

for number, (place, needed) in enumerate(LOWER):
    packages, further = folders[number], folders[number + 1 :]
    try:
        missing = {*needed}.difference(os.listdir(packages))
    except OSError as error:
        say(f"a layer below it is missing: {packages}: {error.strerror}")
        os._exit(1)
    if missing:
        say(f"{place.split('/')[0]} is not the layer that it was made for: there is no {min(missing)} in {packages}")
    sys.path += further  # its `.pth` files may import from the layers below it
    site.addsitedir(packages)
    sys.path[:] = [path for path in sys.path if path not in further]

if os.path.normpath(sys.prefix) == own:  # else this is an environment that was given the packages of this layer
    base_python = beside(BASE_PYTHON)
    if sys.platform != "win32":
        setattr(sys, "_base_executable", base_python)  # noqa: B010 (which type checkers do not know): `venv` needs it
        if WRAPPED and os.path.basename(sys.executable or "") == "python_":
            sys.executable = os.path.join(layer, "bin", "python")  # so that child processes find the libraries, too
    elif not os.path.samefile(sys.base_prefix, os.path.dirname(base_python)):
        say(f"its Python is that of {sys.base_prefix}, not {base_python}: run its postinstall.py again")
