"""Where a slider may stand: what the draw functions of the widgets refuse, in one line."""

from collections.abc import Sequence

from paperlib import PaperlibError


def within(**values: tuple[float, float, float]) -> None:
    """Raises PaperlibError unless low <= value <= high of each NAME=(value, low, high)."""
    for what, (value, low, high) in values.items():
        if not low <= value <= high:
            raise PaperlibError(f"{what} is {value}, but must be from {low:g} to {high:g}")


def one_of(what: str, value: str, known: Sequence[str]) -> int:
    """Where `value` stands in `known`. Raises PaperlibError if it does not."""
    known = [str(name) for name in known]
    if value not in known:
        raise PaperlibError(f"{what} is {value!r}, but must be one of {', '.join(known)}")
    return known.index(value)
