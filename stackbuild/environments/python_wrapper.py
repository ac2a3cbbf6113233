"""The `bin/python` of a layer above dynamic libraries: a script that tells the dynamic linker where they are.

It needs only a POSIX `sh`: dash and busybox run it, and only links to it need a program, `readlink`. It works from any
folder, as long as the layers are beside each other, with any characters in the path. It changes only the variable that
the linker reads; shells themselves set `PWD` and the like.
"""

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from stackbuild.targets.platforms import TargetPlatform

# The lone `-` ends the options of `sh`: the path of the script may start with a dash.
_START = """\
#!/bin/sh -
# The Python of this layer, made to find the dynamic libraries of the layers beside it. Variables start with `__layer_`
# because assigning to one that is in the environment would change it for Python.

__layer_fail() {
    printf '%s: %s\\n' "$0" "$1" >&2
    exit 127
}
"""

_ADD_A_FOLDER = """
# Add the folder $1 of a layer to the linker's path, last, unless it is there already.
__layer_add() {
    __layer_entry=$__layer_root/$1
    [ -d "$__layer_entry" ] || return 0
    case $__layer_entry in
        AWKWARD
    esac
    case :${SEARCH_PATH-}: in
        *:"$__layer_entry":*) return 0 ;;
    esac
    SEARCH_PATH=${SEARCH_PATH:+$SEARCH_PATH:}$__layer_entry
    export SEARCH_PATH
}
"""

# glibc separates entries at `:` and `;`, which cannot be escaped, and replaces tokens like `$LIB`. `$ORIGIN`, which it
# replaces after the separation, is the folder of the program: the runtime's `bin`, at the same depth below the layers'
# folder as ours.
_AWKWARD_ON_LINUX = '*:* | *\\;* | *\\$*) __layer_entry="\\$ORIGIN/../../$1" ;;'
# macOS separates at `:`, and has no other way to name a folder with one in its path.
_AWKWARD_ON_MACOS = "*:*) return 0 ;;"

# A command substitution drops newlines at the end, which a path may have: so a full stop is added.
_FIND_THE_LAYER = """
case $0 in
    /*) __layer_self=$0 ;;
    *) __layer_self=./$0 ;;
esac
# Links beside `python_` are this layer's own (`python3`), and need not be followed.
while [ -L "$__layer_self" ] && [ ! -L "${__layer_self%/*}/python_" ]; do
    __layer_link=$(readlink "$__layer_self" && echo .) || __layer_fail "cannot follow the link $__layer_self"
    __layer_link=${__layer_link%"
."}
    case $__layer_link in
        /*) __layer_self=$__layer_link ;;
        *) __layer_self=${__layer_self%/*}/$__layer_link ;;
    esac
done
__layer_bin=$(cd -P "${__layer_self%/*}/" && pwd -P && echo .) || __layer_fail "cannot enter ${__layer_self%/*}"
__layer_bin=${__layer_bin%"
."}
__layer_root=${__layer_bin%/*/*}

"""


_ADD_OWN = """\
__layer_home=${{__layer_bin%/*}}
__layer_add "${{__layer_home##*/}}"{folder}"""


def python_wrapper(
    platform: TargetPlatform,
    *,
    base_python: PurePosixPath,
    folders: Iterable[PurePosixPath],
    own: PurePosixPath | None = None,
) -> str:
    """The text of the script. It starts `python_` beside it, which leads to the runtime's Python.

    `base_python` and `folders`, in the order in which they are searched, are relative to the folder that contains the
    layers. `own`, relative to the layer, is searched before them. Folders that do not exist when the script runs are
    left out.
    """
    missing = f'"its runtime is missing: there is no $__layer_root/"{shlex.quote(str(base_python))}'
    lines = [
        f'[ -e "$__layer_bin/python_" ] || __layer_fail {missing}',
        *([_ADD_OWN.format(folder=shlex.quote(f"/{own}"))] if own is not None else []),
        *(f"__layer_add {shlex.quote(str(folder))}" for folder in folders),
        'exec "$__layer_bin/python_" "$@"',
        "",
    ]
    if platform.is_linux:
        variable, awkward = "LD_LIBRARY_PATH", _AWKWARD_ON_LINUX
    else:
        variable, awkward = "DYLD_LIBRARY_PATH", _AWKWARD_ON_MACOS
    add = _ADD_A_FOLDER.replace("AWKWARD", awkward).replace("SEARCH_PATH", variable)
    return _START + add + _FIND_THE_LAYER + "\n".join(lines)
