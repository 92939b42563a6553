"""Which person each row of a file is: what its columns of people and images say."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np

from paperlib import PaperlibError
from paperlib.files.tables import Block


def row_order(
    path: Path, people: list | None, images: list | None, expected: list | None, count: int
) -> tuple[list[int], tuple[str, ...]]:
    """(the rows in the official order, what to say about it).

    People that are counted through, 0 to N - 1, say it alone. Else images do, by their place in
    `expected`, the image of each person of the truth, or by their names and numbers where the truth
    has none of them; people of one image by their own labels, else as they come. Raises
    PaperlibError for a person who is there twice, and for images that only partly are the truth's.
    """
    rows = range(count)
    if people is not None and _counted(people):
        return sorted(rows, key=lambda row: int(people[row])), ()
    if people is None and images is None:
        return list(rows), ()
    who = [_natural(label) for label in people] if people is not None else [()] * count
    if images is None:
        _refuse_twice(path, people, None)
        return sorted(rows, key=lambda row: who[row]), ()
    if people is not None:
        _refuse_twice(path, people, images)
    stems = [_stem(image) for image in images]
    sorted_rows = sorted(rows, key=lambda row: (_natural(stems[row]), who[row], row))
    several = len(set(stems)) < count and people is None
    said = ("several people of one image were taken as they come in the file",) if several else ()
    places = defaultdict(list)
    for place, image in enumerate(expected or ()):
        places[_stem(image)].append(place)
    strangers = [image for image, stem in zip(images, stems, strict=True) if stem not in places]
    if len(strangers) == count:
        return sorted_rows, said
    if strangers:
        raise PaperlibError(
            f"{path}: no image {strangers[0]!r} in the truth; give the people of its images"
        )
    left = {stem: list(where) for stem, where in places.items()}
    target = {}
    for row in sorted_rows:
        if not left[stems[row]]:
            there = len(places[stems[row]])
            raise PaperlibError(
                f"{path}: image {images[row]!r} has {stems.count(stems[row])} people, and {there} "
                "in the truth"
            )
        target[row] = left[stems[row]].pop(0)
    return sorted(rows, key=target.get), said


def all_in(images: list | None, expected: list | None) -> bool:
    """Whether every image is one of the truth's."""
    known = {_stem(image) for image in expected or ()}
    return images is not None and all(_stem(image) in known for image in images)


def best_of_each(block: Block, people: int | None) -> tuple[Block, tuple[str, ...]]:
    """Of several detections of an image that shows one person, the one with the highest score."""
    if block.best is None or not block.images or people in (None, len(block.values)):
        return block, ()
    if len(set(block.images)) != people:
        return block, ()
    order = np.argsort(-block.best, kind="stable")
    first = {}
    for row in order:
        first.setdefault(block.images[row], row)
    rows = sorted(first.values())
    gone = len(block.values) - len(rows)
    images = [block.images[row] for row in rows]
    kept = replace(
        block, values=block.values[rows], images=images, best=block.best[rows], people=None
    )
    return kept, (
        f"{gone} more detections, of a lower score than another of their image, were left out",
    )


def _counted(labels: list) -> bool:
    try:
        numbers = sorted(int(str(label)) for label in labels)
    except ValueError:
        return False
    return bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _natural(label) -> tuple:
    """Sorts im2 before im10, and 2.0 as 2."""
    text = re.sub(r"^(\d+)\.0+$", r"\1", str(label).strip().lower())
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in re.findall(r"\d+|\D+", text))


def _stem(image) -> str:
    """The image's name without folders, ending and leading zeros."""
    name = PureWindowsPath(str(image).strip()).name
    stem = re.sub(r"\.(jpe?g|png|bmp|tiff?|webp|0+)$", "", name, flags=re.IGNORECASE).lower()
    return stem.lstrip("0") or "0"


def _refuse_twice(path: Path, people: list, images: list | None) -> None:
    seen = set()
    for row, label in enumerate(people):
        key = (label, None if images is None else images[row])
        if key in seen:
            where = "" if images is None else f" of image {images[row]}"
            raise PaperlibError(
                f"{path}: person {label}{where} is there twice; give each person one row"
            )
        seen.add(key)
