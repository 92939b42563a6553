"""Labels of your own: any COCO keypoints file, with the skeleton that its categories name.

Keypoints keep the file's names and order. Their names, however they are spelt
(skeleton.plain_name), tell left from right, and which keypoints are joints of ours. Limbs are the
category's `skeleton`, each with its mirrored twin.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from paperlib import PaperlibError
from paperlib.data.coco import as_people, bad_labels
from paperlib.data.coco_file import categories, read_annotations, read_content
from paperlib.data.files import image_faults, leave_out, stays_inside
from paperlib.data.images import header
from paperlib.people import People
from paperlib.skeleton import Skeleton, other_side

# px x scale: how far above a box's middle its rough position lies, as in companion.app.photos
ABOVE = 10
HELD_OUT = 5  # one image in so many is for validation
_WAY_OUT = "name the pairs left_X and right_X in categories, and others without a side"


@dataclass(frozen=True)
class Own:
    """The labelled people (animals, things) of a COCO file, a row each."""

    path: Path
    people: People
    ids: np.ndarray  # (N,) object: the annotations' ids as in the file
    image_ids: np.ndarray  # (N,) object
    names: np.ndarray  # (N,) object: the images' names as in the file
    categories: np.ndarray  # (N,) object: the categories' ids
    notes: tuple[str, ...]  # remarks for the user: what was read otherwise than it is written

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, which: np.ndarray) -> "Own":
        """The rows `which`, (N,) bool."""
        columns = ("ids", "image_ids", "names", "categories")
        rows = {name: getattr(self, name)[which] for name in columns}
        return replace(self, people=self.people.select(which), **rows)

    def in_words(self) -> str:
        """Who is there, who is left out and why, in one line."""
        skeleton, images = self.people.skeleton, len(set(self.names))
        body = f"{len(skeleton)} keypoints, {len(skeleton.limbs)} limbs"
        kind = f"{len(self)} of '{skeleton.name}' ({body})"
        gone = [f"{count} {why}" for why, count in self.people.left_out.items()]
        parts = [f"left out: {'; '.join(gone)}"] * bool(gone) + list(self.notes)
        return "; ".join([f"{self.path}: {kind} in {images} images", *parts])


def load_own(path: str | Path, need_images: bool = True, strict: bool = False) -> Own:
    """Everybody of `path` with a labelled joint; images beside the file or in images/ beside it.

    Of several categories those that share the most used list of keypoints are taken. The square
    200 px x scale holds the bounding box; the rough position lies above its middle, as that of a
    box given to `paperlib predict`. Left out and counted: as by load_coco, and images that their
    EXIF tag turns or that are not of the size that the labels were made for. Raises PaperlibError
    on a file that is no COCO keypoints file, on names that do not tell left from right, and where
    nobody is left; with `strict` also at the first bad row.
    """
    path = Path(path)
    content = read_content(path)
    wanted, category = _most_used(path, content)
    skeleton, notes = _skeleton(path, category, len(wanted))
    labels = read_annotations(path, content, wanted, len(skeleton), strict, box=False)
    if labels.boxless:
        notes += (f"{labels.boxless} have no bbox, the box about their labelled joints is taken",)
    paths = {name: _image_path(path.parent, name) for name in set(labels.images)}
    image = np.array([paths[name] for name in labels.images], dtype=str)
    people = as_people(skeleton, labels, image)
    people = replace(people, centre=people.centre - np.outer(people.scale, (0, ABOVE)))
    bad = bad_labels(people, labels) | image_faults(people, need_images)
    if need_images:
        bad |= _other_pixels(people.image, labels.sizes)
    kept = ~np.any([*bad.values()], axis=0)
    people = leave_out(people, path, bad, strict)
    columns = (labels.ids, labels.image_ids, labels.images, labels.category_ids)
    rows = [np.array([*column, None], object)[:-1][kept] for column in columns]
    own = Own(path, people, *rows, notes)
    if not len(own):
        raise PaperlibError(f"{own.in_words()}: nobody can be used; images lie beside the file")
    return own


def split_by_image(own: Own) -> tuple[Own, Own]:
    """Training and validation: the fifth of the images whose names' hashes are the lowest is held
    out, whatever the order of the file. Raises PaperlibError for a single image."""
    images = sorted(set(own.names), key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(images) < 2:
        raise PaperlibError(
            f"{own.path}: one image, nothing can be held out of it; give --validate OTHER.json"
        )
    held_out = np.isin(own.names, images[: max(1, len(images) // HELD_OUT)])
    return own.select(~held_out), own.select(held_out)


def reference(people: People, name: str = "") -> tuple[np.ndarray, float, str]:
    """(N,) px that errors are divided by, within how much of it a joint is right, and its name.

    The torso, left shoulder to right hip, and 0.2 of it, where the skeleton has both joints (LSP's
    and FLIC's convention); else the longer side of the box, and 0.1 of it (Yang and Ramanan, 2013).
    `name` is the one wanted, "torso" or "box". Raises PaperlibError for another one, and for the
    torso of a skeleton without it.
    """
    has_torso = {"left_shoulder", "right_hip"} <= set(people.skeleton.plain)
    name = name or ("torso" if has_torso else "box")
    if name == "box":
        return 200 * people.scale, 0.1, "box"
    if name != "torso" or not has_torso:
        known = "torso and box" if has_torso else "box; its keypoints have no torso"
        raise PaperlibError(
            f"no convention {name!r} for '{people.skeleton.name}'; there is {known}"
        )
    return people.torso, 0.2, "torso"


def _most_used(path: Path, content: Mapping[str, Any]) -> tuple[set, dict[str, Any]]:
    """The ids of the categories that share the most used keypoints, and the first of them."""
    known = [c for c in categories(content) if isinstance(c.get("keypoints"), list)]
    named = [category for category in known if category["keypoints"]]
    if not named:
        raise PaperlibError(
            f"{path}: none of its categories names keypoints; COCO's files have "
            'categories: [{"id": 1, "keypoints": ["nose", ...], "skeleton": [[1, 2], ...]}]'
        )
    notes = [note for note in content["annotations"] if isinstance(note, dict)]
    used = Counter(str(note.get("category_id")) for note in notes)
    kinds: dict[tuple, list] = {}
    for category in named:
        kinds.setdefault(tuple(map(str, category["keypoints"])), []).append(category)
    most = max(kinds.values(), key=lambda kind: sum(used[str(c["id"])] for c in kind))
    return {category["id"] for category in most}, most[0]


def _skeleton(path: Path, category: dict, alike: int) -> tuple[Skeleton, tuple[str, ...]]:
    """A category's skeleton, and what was read otherwise than it is written."""
    joints = tuple(map(str, category["keypoints"]))
    name = str(category.get("name", category["id"])) + f" and {alike - 1} more" * (alike > 1)
    skeleton = Skeleton(name, joints, (), ())
    _refuse_unclear_sides(path, skeleton)
    limbs, notes = _limbs(path, category.get("skeleton") or [], skeleton)
    bases: dict[str, list[int]] = {}
    for i, plain in enumerate(skeleton.plain):
        bases.setdefault(re.sub("^(left|right)_", "", plain), []).append(i)
    groups = tuple((base, tuple(members)) for base, members in bases.items())
    sides = sum(twin != i for i, twin in enumerate(skeleton.mirror)) // 2
    notes += (f"pairs of left and right: {sides}",)
    return replace(skeleton, limbs=limbs, groups=groups), notes


def _refuse_unclear_sides(path: Path, skeleton: Skeleton) -> None:
    """Training and prediction mirror images, so every name must tell what it becomes there."""
    plain, joints = skeleton.plain, skeleton.joints
    spelt = dict(zip(plain, joints, strict=True))
    twice = [joint for i, joint in enumerate(joints) if plain.index(plain[i]) != i]
    if twice:
        raise PaperlibError(f"{path}: two keypoints are named {twice[0]!r}; give each its own name")
    sided = [name for name in plain if other_side(name) != name]
    alone = [name for name in sided if other_side(name) not in plain]
    if alone:
        raise PaperlibError(
            f"{path}: keypoint {spelt[alone[0]]!r} has no counterpart "
            f"{other_side(alone[0])!r}; {_WAY_OUT}"
        )
    middle = [name for name in plain if name not in sided]
    alike = [(a, b) for i, a in enumerate(middle) for b in middle[i + 1 :] if _look_paired(a, b)]
    stems = Counter(re.sub(r"_?(\d+|[ab])$", "", name) for name in middle)
    numbered = [name for name in middle if stems[re.sub(r"_?(\d+|[ab])$", "", name)] > 1]
    if alike or (numbered and not sided):
        pair = [spelt[name] for name in (alike[0] if alike else numbered[:2])]
        raise PaperlibError(
            f"{path}: keypoints {pair[0]!r} and {pair[1]!r} may be left and right, which their "
            f"names do not tell; {_WAY_OUT}"
        )


def _look_paired(a: str, b: str) -> bool:
    """Whether two names differ in one letter alone, l here and r there: lf_hip and rf_hip."""
    apart = [{x, y} for x, y in zip(a, b, strict=False) if x != y]
    return len(a) == len(b) and apart == [{"l", "r"}]


def _limbs(path: Path, pairs: Any, skeleton: Skeleton) -> tuple[tuple, tuple[str, ...]]:
    """Limbs as pairs of joints from 0, each once and with its mirrored twin, and remarks.

    COCO counts joints from 1; a list with a 0 in it counts from 0.
    """
    try:
        ends = np.array([pair for pair in pairs], int).reshape(-1, 2)
        whole = np.array_equal(ends, np.array(pairs, float).reshape(-1, 2))
    except (TypeError, ValueError, OverflowError):
        ends, whole = np.empty((0, 2), int), False
    first = 0 if (ends == 0).any() else 1
    ends = ends - first
    if not whole or (ends < 0).any() or (ends >= len(skeleton)).any():
        raise PaperlibError(
            f"{path}: 'skeleton' should be pairs of keypoints counted from 1 to {len(skeleton)}, "
            f"but is {str(pairs)[:60]}"
        )
    both = [pair for limb in ends.tolist() for pair in (limb, skeleton.mirror[limb].tolist())]
    limbs: dict[frozenset, tuple] = {}
    for pair in both:
        if pair[0] != pair[1]:
            limbs.setdefault(frozenset(pair), tuple(pair))
    given = {frozenset(limb) for limb in ends.tolist()}
    added = len(set(limbs) - given)
    notes = ("its skeleton counts from 0",) * (first == 0)
    notes += (f"{added} mirrored limbs added",) * bool(added)
    return tuple(limbs.values()), notes


def _image_path(home: Path, name: str) -> str:
    """The image beside the labels or in images/, by its whole name or its last part; "" for a name
    that would lead out of there."""
    if not stays_inside(name):
        return ""
    parts = PureWindowsPath(name).parts  # either slash
    homes = (home, home / "images")
    tries = [folder / Path(*some) for some in (parts, parts[-1:]) for folder in homes]
    return str(next((path for path in tries if path.is_file()), tries[0]))


def _other_pixels(image: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    """reason -> (N,) bool: images whose pixels are not those that the labels were made for.

    Programs show an image turned as its EXIF tag asks, and so it is labelled; networks train on it
    as it is stored. Only where the labels' own width and height say so were they made for that.
    """
    pixels = {}
    for path in set(image.tolist()):
        try:
            pixels[path] = header(path)
        except PaperlibError:  # absent or broken, which image_faults says
            pixels[path] = (0, 0), 1
    turned, other = np.zeros((2, len(image)), bool)
    for i, (path, given) in enumerate(zip(image.tolist(), sizes, strict=True)):
        size, orientation = pixels[path]
        upright = size[::-1] if orientation >= 5 else size
        as_stored = np.array_equal(given, size) and size != upright
        turned[i] = orientation > 1 and not as_stored
        differs = [length > 0 and length != own for length, own in zip(given, size, strict=True)]
        other[i] = any(differs) and size != (0, 0) and not turned[i]
    return {
        "image turned by its EXIF tag: save it upright": turned,
        "image not of the size that the labels give": other,
    }
