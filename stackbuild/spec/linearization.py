"""The C3 linearisation: one order that respects several orders, as in Python's method resolution order."""

from collections.abc import Iterable, Sequence


class InconsistentOrder(ValueError):
    """No order respects all sequences; `remaining` contains those that contradict each other."""

    def __init__(self, remaining: Iterable[Sequence[str]]) -> None:
        self.remaining = tuple(tuple(sequence) for sequence in remaining)
        super().__init__("; ".join(" → ".join(sequence) for sequence in self.remaining))


def merge(sequences: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Merge sequences (none of which repeats an item) into one order that keeps the order of each.

    Among the items that may come next, the head of the earliest sequence comes first. Raises `InconsistentOrder`.
    """
    remaining = [list(sequence) for sequence in sequences if sequence]
    merged: list[str] = []
    while remaining:
        in_tails = {item for sequence in remaining for item in sequence[1:]}
        head = next((sequence[0] for sequence in remaining if sequence[0] not in in_tails), None)
        if head is None:
            raise InconsistentOrder(remaining)
        merged.append(head)
        for sequence in remaining:
            if sequence[0] == head:
                del sequence[0]
        remaining = [sequence for sequence in remaining if sequence]
    return tuple(merged)


def linearize(parents: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """The import order of `parents`, each given with its own order (itself not included), nearest first.

    Raises `InconsistentOrder`.
    """
    return merge([*((name, *order) for name, order in parents), [name for name, _ in parents]])
