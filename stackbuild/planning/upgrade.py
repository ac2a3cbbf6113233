"""Which packages may change their version when layers are locked."""

from collections.abc import Iterable, Mapping

from stackbuild.errors import LockError, StackbuildError
from stackbuild.planning.request import Wish
from stackbuild.planning.selection import Selection
from stackbuild.project.layer import ProjectLayer
from stackbuild.spec.models import BuildName
from stackbuild.spec.problems import did_you_mean


def check_upgrade(upgrade: Iterable[str], layers: Mapping[BuildName, ProjectLayer], selection: Selection) -> None:
    """Raise `StackbuildError` for requirements that are not valid, or whose package none of the locked layers has."""
    from packaging.requirements import InvalidRequirement, Requirement  # slow to import, and hardly ever needed
    from packaging.utils import canonicalize_name

    own, elsewhere = _locked_in(layers, selection)
    for text in upgrade:
        try:
            name = canonicalize_name(Requirement(text).name)
        except InvalidRequirement:
            raise StackbuildError(
                f"--upgrade-package {text}: not a name or a requirement", hint="write it like numpy or 'numpy<3'"
            ) from None
        if name in own:
            continue
        if name in elsewhere:
            hint = f"it is locked in {', '.join(elsewhere[name])}: include that layer (--include)"
        else:
            hint = f"see the packages-*.txt beside the locks{did_you_mean(name, sorted(own))}"
        raise StackbuildError(f"--upgrade-package {text}: no layer that is to be locked has it as its own", hint=hint)


def _locked_in(
    layers: Mapping[BuildName, ProjectLayer], selection: Selection
) -> tuple[frozenset[str], dict[str, list[str]]]:
    """The packages of layers that are locked, and the layers that have the others, by package."""
    own: set[str] = set()
    elsewhere: dict[str, list[str]] = {}
    for name, layer in layers.items():
        packages = _own_packages(layer)
        if name in selection and selection[name].lock is Wish.YES:
            own |= packages
        else:
            for package in packages:
                elsewhere.setdefault(package, []).append(name)
    return frozenset(own), elsewhere


def _own_packages(layer: ProjectLayer) -> frozenset[str]:
    try:
        packages = layer.found_lock.packages if layer.found_lock else ()
    except LockError:  # it is locked as if it had no lock
        packages = ()
    return frozenset(package.name for package in packages if not package.is_shared)
