"""The order of the people: which person each row of a file is, by its people and images."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import PureWindowsPath

import numpy as np
import pandas as pd

from paperlib.files.points import File, Points
from paperlib.files.text_tables import count_up


def in_order(file: File, found: Points, expected: list | None) -> Points:
    """The people in the official order, and a note where that order is a guess.

    If the labels of people count from 0 to N - 1, they alone give the order. Else people are sorted
    by image: by its place in `expected`, the image of each person of the truth, or by its name
    where the truth has none of the images; people of one image by their labels, or as in the file.
    Raises PaperlibError for a person who is there twice, and where the truth has only some of the
    images.
    """
    people, images, rows = found.people, found.images, range(len(found.values))
    if people is not None and count_up(people):
        return found.select(sorted(rows, key=lambda row: int(people[row])))
    if people is None and images is None:
        return found
    if people is not None:
        _refuse_twice(file, people, images)
    stems = [_stem(image) for image in images] if images else [""] * len(rows)
    who = [_natural(label) for label in people] if people is not None else [()] * len(rows)
    rows = sorted(rows, key=lambda row: (_natural(stems[row]), who[row], row))
    several = people is None and len(set(stems)) < len(rows)
    told = ("several people of one image were taken as they come in the file",) * several
    places = defaultdict(list)
    for place, image in enumerate(expected or ()):
        places[_stem(image)].append(place)
    strangers = [row for row, stem in enumerate(stems) if stem not in places]
    if len(strangers) == len(rows):
        return found.select(rows, *told)
    if strangers:
        raise file.error(
            f"no image {images[strangers[0]]!r} in the truth; give the people of its images"
        )
    left, target = {stem: iter(where) for stem, where in places.items()}, {}
    for row in rows:
        target[row] = next(left[stems[row]], None)
        if target[row] is None:
            raise file.error(
                f"image {images[row]!r} has {stems.count(stems[row])} people, and "
                f"{len(places[stems[row]])} in the truth"
            )
    return found.select(sorted(rows, key=target.get), *told)


def _refuse_twice(file: File, people: list, images: list | None) -> None:
    keys = list(zip(people, images, strict=True)) if images else people
    for row in np.flatnonzero(pd.Series(keys).duplicated())[:1]:
        where = f" of image {images[row]}" if images else ""
        raise file.error(f"person {people[row]}{where} is there twice; give each person one row")


def all_in(images: list | None, expected: list | None) -> bool:
    """Whether every image is one of the truth's."""
    known = {_stem(image) for image in expected or ()}
    return images is not None and all(_stem(image) in known for image in images)


def best_of_each(found: Points, people: int | None) -> Points:
    """Of several detections of an image that shows one person, the one with the highest score."""
    images, count = found.images, len(found.values)
    if found.best is None or not images or people in (None, count) or len(set(images)) != people:
        return found
    first = {}
    for row in np.argsort(-found.best, kind="stable").tolist():
        first.setdefault(images[row], row)
    told = (
        f"{count - people} more detections, of a lower score than another of their image, were "
        "left out"
    )
    return replace(found.select(sorted(first.values()), told), people=None)


def _natural(label) -> tuple:
    """Sorts im2 before im10, and 2.0 as 2."""
    text = re.sub(r"^(\d+)\.0+$", r"\1", str(label).strip().lower())
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in re.findall(r"\d+|\D+", text))


def _stem(image) -> str:
    """The image's name without folders, ending and leading zeros."""
    name = PureWindowsPath(str(image).strip()).name
    stem = re.sub(r"\.(jpe?g|png|bmp|tiff?|webp|0+)$", "", name, flags=re.IGNORECASE).lower()
    return stem.lstrip("0") or "0"
