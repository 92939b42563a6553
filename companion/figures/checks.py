"""What the draw functions of the widgets accept; they refuse all else in one line."""

from collections.abc import Sequence

from paperlib import PaperlibError


def within(**values: tuple[float, float, float]) -> None:
    """Raises PaperlibError unless low <= value <= high of each NAME=(value, low, high)."""
    for what, (value, low, high) in values.items():
        if not low <= value <= high:
            raise PaperlibError(f"{what} is {value}, but must be from {low:g} to {high:g}")


def one_of(**values: tuple[str, Sequence[str]]) -> None:
    """Raises PaperlibError unless value is one of the known ones of each NAME=(value, known)."""
    for name, (value, known) in values.items():
        if value not in (names := list(map(str, known))):
            what = name.rstrip("_")
            raise PaperlibError(f"{what} is {value!r}, but must be one of {', '.join(names)}")
