"""Paints bodies: shaded tapered limbs in painter's order, over a background and under occluders,
with a map of what lies on top at each pixel.

Every fill writes colour and label at once, because the canvas has four channels; it is painted at
twice the size and shrunk. Clothes are the same left and right: only face, hair, feet and the front
of the trunk tell which way a person faces.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from companion.drawn.body import HEAD_CENTRE, OWN, SEGMENTS, Body
from companion.drawn.looks import Look

NOTHING, FURNITURE, OBJECT = 0, 254, 255  # labels; segment s of person p is 1 + 11 p + s
OVERSAMPLING = 2
_SUBPIXEL = 4  # bits of the fixed-point coordinates of cv2's fills
_AROUND, _HALF = np.arange(0, 2 * np.pi, np.pi / 8), np.linspace(-np.pi / 2, np.pi / 2, 8)
_CIRCLE = np.stack([np.cos(_AROUND), np.sin(_AROUND)], -1)  # (16, 2)
_ALONG, _ACROSS = np.cos(_HALF), np.sin(_HALF)  # a round end
_LIGHT = np.array([-0.6, -0.75])
# radius, shift towards the light, tone
_RINGS = ((1.0, 0.0, 0.74), (0.82, 0.13, 0.94), (0.46, 0.30, 1.06))
_SIZE, _SHIFT, _TONE = np.array(_RINGS).T

# The fills of the limbs, in order: segment, points (right, left) from and to, radii there, what is
# seen, and how far along it goes.
_UPPER_ARM, _FOREARM, _HAND = (12, 13, 11, 14), (11, 14, 10, 15), (10, 15, 16, 17)
_THIGH, _SHANK, _FOOT = (2, 3, 1, 4), (1, 4, 0, 5), (0, 5, 18, 19)
_LIMBS = (
    ("upper_arm", _UPPER_ARM, (0.034, 0.027), "skin", "whole"),
    ("upper_arm", _UPPER_ARM, (0.037, 0.032), "shirt", "upper sleeve"),
    ("forearm", _HAND, (0.016, 0.020), "skin", "whole"),
    ("forearm", _FOREARM, (0.027, 0.017), "skin", "whole"),
    ("forearm", _FOREARM, (0.031, 0.023), "shirt", "lower sleeve"),
    ("thigh", _THIGH, (0.053, 0.038), "skin", "whole"),
    ("thigh", _THIGH, (0.059, 0.044), "trousers", "upper leg"),
    ("shank", _FOOT, (0.026, 0.016), "shoes", "whole"),
    ("shank", _SHANK, (0.038, 0.022), "skin", "whole"),
    ("shank", _SHANK, (0.042, 0.030), "trousers", "lower leg"),
)  # fmt: skip
_ROWS = [
    (f"{side}_{part}", ends[i], ends[2 + i], radii, seen, cut)
    for i, side in enumerate(("right", "left"))
    for part, ends, radii, seen, cut in _LIMBS
]
_NAMES, _FROM, _TO, _RADII, _SEEN, _CUT = (list(column) for column in zip(*_ROWS, strict=True))
_ENDS, _RADII = np.column_stack([_FROM, _TO]), np.array(_RADII)  # (20, 2)
_BONES = (  # how much nearer it counts
    ("upper_arm", _UPPER_ARM, 0.09), ("forearm", _FOREARM, 0.10),
    ("thigh", _THIGH, 0.0), ("shank", _SHANK, 0.0),
)  # fmt: skip
_SEGMENTS = [
    (f"{side}_{bone}", ends[i], ends[2 + i], nearer)
    for i, side in enumerate(("right", "left"))
    for bone, ends, nearer in _BONES
]
# Discs about the trunk: right and left shoulder, base of the neck, ribs, waist, hips; their places
# between shoulders, thorax, pelvis and hips.
_TRUNK = np.array([
    (1, 0, -0.06, 0.06, 0, 0), (0, 1, -0.06, 0.06, 0, 0), (0, 0, 1.03, -0.03, 0, 0),
    (0.24, -0.24, 0.65, 0.35, 0, 0), (-0.24, 0.24, 0.65, 0.35, 0, 0),
    (0.13, -0.13, 0.32, 0.68, 0, 0), (-0.13, 0.13, 0.32, 0.68, 0, 0), (0, 0, 0, 0, 1, 0),
    (0, 0, 0, 0, 0, 1),
])  # fmt: skip
# their radii: of bones, and of what a stout person has more of
_BONY = np.array([0.036, 0.036, 0.034, 0, 0, 0, 0, 0, 0])
_STOUT = np.array([0, 0, 0, 0.066, 0.066, 0.060, 0.060, 0.050, 0.050])
_EMBLEM = np.array([(-0.045, -0.03), (0.045, -0.03), (0.045, 0.035), (-0.045, 0.035)])
_COLLAR = np.array([(-0.03, -0.015), (0.03, -0.015), (0, 0.05)])
# Ellipsoids of a head: place, radii, colour (0 skin, 1 hair, 2 white) and tone. From 7 on they are
# flat and on the face.
_HEAD = (
    # skull, hair
    ((0, 0.014, 0.011), (0.045, 0.055, 0.052), 0, 1.0),
    ((0, -0.016, -0.012), (0.054, 0.061, 0.059), 1, 1.0),
    ((0, 0.014, 0.068), (0.0095, 0.013, 0.012), 0, 0.92),  # nose
    # ears
    ((0.05, 0.006, 0), (0.008, 0.015, 0.010), 0, 0.9),
    ((-0.05, 0.006, 0), (0.008, 0.015, 0.010), 0, 0.9),
    # peak of a cap, long hair
    ((0, -0.028, 0.05), (0.045, 0.009, 0.034), 1, 0.8),
    ((0, 0.055, -0.038), (0.053, 0.078, 0.027), 1, 0.92),
    *(part for x in (-0.019, 0.019) for part in (
        # eye
        ((x, -0.004, 0.057), (0.0095, 0.007, 0.004), 2, 1.0),
        ((x, -0.004, 0.059), (0.005, 0.006, 0.004), 0, 0.16),
        ((x, -0.018, 0.056), (0.012, 0.003, 0.003), 1, 0.7),  # brow
    )),
    ((0, 0.038, 0.052), (0.016, 0.004, 0.004), 0, 0.66),  # mouth
)  # fmt: skip
_HEAD_PLACE, _HEAD_RADII, _HEAD_COLOUR, _HEAD_TONE = (
    np.array(column) for column in zip(*_HEAD, strict=True)
)
_HEAD_TONE = _HEAD_TONE[:, None]


def label_of(person: int, segment: int = 0) -> int:
    return 1 + len(SEGMENTS) * person + segment


def fill(canvas: np.ndarray, polygons: np.ndarray, colours: np.ndarray, label: int) -> None:
    """Convex polygons (..., K, 2) in image pixels, one over the other, each in its colour (..., 3),
    all with one label."""
    outlines = _fixed(polygons).reshape(-1, *polygons.shape[-2:])
    _fill(canvas, outlines, colours.reshape(-1, 3).tolist(), label)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Image pixels (..., 2) in the fixed-point coordinates of the canvas."""
    middle = (OVERSAMPLING - 1) / 2 * (1 << _SUBPIXEL)
    return (points * (OVERSAMPLING << _SUBPIXEL) + middle).astype(np.int32)


def _fill(
    canvas: np.ndarray, polygons: Iterable[np.ndarray], colours: Iterable[list[float]], label: int
) -> None:
    for polygon, (red, green, blue) in zip(polygons, colours, strict=True):
        cv2.fillConvexPoly(canvas, polygon, (red, green, blue, label), shift=_SUBPIXEL)


def capsules(start: np.ndarray, end: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Outlines (K, 3, 16, 2) of tapered limbs start (K, 2) -> end (K, 2) with radii (K, 2): three
    rings from the dark sides to the light.

    The rings differ across the limb only, so that no dark line crosses a limb where two segments
    meet.
    """
    axis = end - start
    axis /= np.sqrt((axis**2).sum(-1, keepdims=True)) + 1e-9
    normal = axis[:, ::-1] * (-1, 1)
    # (K, 3, 8), in radii
    across = _SIZE[:, None] * _ACROSS + (_SHIFT * (normal @ _LIGHT)[:, None])[..., None]
    sideways = across[..., None] * normal[:, None, None]
    forward = (_ALONG[:, None] * axis[:, None])[:, None]  # (K, 1, 8, 2)
    far = end[:, None, None] + radii[:, 1, None, None, None] * (sideways + forward)
    near = start[:, None, None] + radii[:, 0, None, None, None] * (sideways[:, :, ::-1] - forward)
    return np.concatenate([far, near], axis=2)


def shades(colours: np.ndarray) -> np.ndarray:
    """(..., 3, 3) the colours of the rings, of colours (..., 3)."""
    return np.minimum(colours[..., None, :] * _TONE[:, None], 255)


def discs(points: np.ndarray, radius: float | np.ndarray) -> np.ndarray:
    """(3, 16 K, 2): the rings of circles about points (K, 2), to take the hull of."""
    circles = _SIZE[:, None, None] * _CIRCLE + (_SHIFT[:, None] * _LIGHT)[:, None]  # (3, 16, 2)
    rings = points[:, None] + np.reshape(radius, (-1, 1, 1)) * circles[:, None]
    return rings.reshape(len(_SIZE), -1, 2)


def _ellipsoids(centres: np.ndarray, rotation: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """(K, 3, 16, 2): the silhouettes of ellipsoids (K, 3) with radii (K, 3), in rings; an outline
    is what the Cholesky factor makes of a circle."""
    axes = rotation[:2] * radii[:, None]  # (K, 2, 3)
    first, second = axes[:, 0], axes[:, 1]
    a = np.sqrt((first**2).sum(-1))
    b = (first * second).sum(-1) / a
    c = np.sqrt(np.maximum((second**2).sum(-1) - b**2, 1e-9))  # the factor [[a, 0], [b, c]]
    x, y = _CIRCLE.T
    outline = np.stack([a[:, None] * x, b[:, None] * x + c[:, None] * y], -1)  # (K, 16, 2)
    shift = (_SHIFT[:, None] * _LIGHT) * np.sqrt(a * c)[:, None, None]  # (K, 3, 2)
    return centres[:, None, None, :2] + _SIZE[:, None, None] * outline[:, None] + shift[:, :, None]


# depth, segment, polygons in fixed point and their colours
Part = tuple[float, str, list[np.ndarray], list[list[float]]]


def _limbs(body: Body, look: Look) -> list[Part]:
    """The limbs, a segment at a time: skin first, the cloth over it."""
    upper, lower = (0.3, 0) if look.skirt else (min(look.leg, 1), look.leg - 1)
    reach = {"whole": 1, "upper sleeve": min(look.sleeve, 1), "lower sleeve": look.sleeve - 1}
    reach |= {"upper leg": upper, "lower leg": lower}
    part = np.array([reach[cut] for cut in _CUT])[:, None]
    start, end = body.points[_ENDS[:, 0], :2], body.points[_ENDS[:, 1], :2]
    radii = _RADII * (body.height * look.stout) * body.zoom[_ENDS]
    radii[:, 1:] = radii[:, :1] + (radii[:, 1:] - radii[:, :1]) * part
    outlines = _fixed(capsules(start, start + (end - start) * part, radii))
    colours = shades(np.array([getattr(look, seen) for seen in _SEEN])).tolist()
    parts = {}
    for name, near, far, nearer in _SEGMENTS:  # the far end decides
        depth = 0.35 * body.points[near, 2] + 0.65 * body.points[far, 2] + nearer * body.height
        parts[name] = (depth, name, [], [])
    for name, worn, outline, colour in zip(_NAMES, part[:, 0] > 0, outlines, colours, strict=True):
        if worn:
            parts[name][2].extend(outline)
            parts[name][3].extend(colour)
    return list(parts.values())


def _trunk(body: Body, look: Look) -> list[Part]:
    """Hulls of shoulders and ribs and of ribs, waist and hips; on the front an open collar and an
    emblem; a belt or a skirt, and the neck."""
    h, p, stout = body.height, body.points, look.stout
    thorax, pelvis, chest = p[7], p[6], body.chest
    ribs = 0.65 * thorax + 0.35 * pelvis
    rings = _fixed(discs((_TRUNK @ p[[12, 13, 7, 6, 2, 3]])[:, :2], h * (_BONY + _STOUT * stout)))
    shirt = shades(look.shirt).tolist()
    upper, lower = _hulls(rings[:, : 5 * 16]), _hulls(rings[:, 3 * 16 :])
    polygons, colours = [upper[0], *lower, *upper[1:]], [shirt[0], *shirt, *shirt[1:]]
    front = chest[:, 2]
    if front[2] > 0.1:
        emblem = ribs + front * 0.07 * h * stout + _EMBLEM * h * look.emblem_size @ chest[:, :2].T
        collar = thorax + front * 0.03 * h + _COLLAR * h @ chest[:, :2].T
        polygons += [_fixed(emblem[:, :2]), _fixed(collar[:, :2])]
        colours += [look.emblem.tolist(), (look.skin * 0.93).tolist()]
    ends = np.stack([thorax[:2], p[2, :2]]), np.stack([p[HEAD_CENTRE, :2], p[3, :2]])
    radii = h * np.array([(0.036, 0.029), (0.051 * stout, 0.051 * stout)])
    neck, belt = _fixed(capsules(*ends, radii))
    parts = [(0.5 * (thorax[2] + pelvis[2]) + 0.07 * h, "torso", polygons, colours)]
    parts.append((p[8, 2] + 0.02 * h, "neck", neck, shades(look.skin * 0.9).tolist()))
    depth, below = p[6, 2] + 0.02 * h, belt
    if look.skirt:
        hem = p[2:4] + 0.62 * (p[[1, 4]] - p[2:4])
        depth = max(0.3 * p[[2, 3], 2] + 0.7 * p[[1, 4], 2]) + 0.01 * h  # before both thighs
        below = _hulls(_fixed(discs(np.concatenate([p[2:4], hem])[:, :2], 0.057 * h * stout)))
    return [*parts, (depth, "torso", below, shades(look.trousers).tolist())]


def _hulls(rings: np.ndarray) -> list[np.ndarray]:
    return [cv2.convexHull(ring) for ring in rings]


def _head(body: Body, look: Look) -> list[Part]:
    """Skull, ears, nose, the hair above and behind, eyes, brows and mouth: what tells front from
    back."""
    turn, middle = body.head, body.points[HEAD_CENTRE]
    h = np.linalg.norm(body.points[9] - middle) / 0.069  # the height that goes with this head
    seen = np.stack([look.skin, look.hair, np.array((240.0, 238, 235))])[_HEAD_COLOUR] * _HEAD_TONE
    centres = middle + _HEAD_PLACE * h @ turn.T
    outlines, tones = _fixed(_ellipsoids(centres, turn, _HEAD_RADII * h)), shades(seen).tolist()
    solid = range(5 + (look.hair_cut == "cap"))
    polygons, colours = [], []
    for i in sorted(solid, key=lambda i: centres[i, 2]):
        polygons.extend(outlines[i])
        colours.extend(tones[i])
    aside = _HEAD_PLACE[:, 0]
    shown = turn[2, 2] + 12 * turn[2, 0] * aside > np.where(aside == 0, 0.1, 0.15)
    flat = np.flatnonzero(shown)
    flat = flat[flat > 6]
    polygons.extend(outlines[flat, 0])
    colours.extend(seen[flat].tolist())
    parts = [(middle[2] + 0.08 * h, "head", polygons, colours)]
    if look.hair_cut == "long":
        parts.append((centres[6, 2] + 0.05 * h, "head", outlines[6], tones[6]))
    return parts


def paint(canvas: np.ndarray, body: Body, look: Look, person: int) -> None:
    """One person, the farthest part first."""
    parts = _limbs(body, look) + _trunk(body, look) + _head(body, look)
    for _, segment, polygons, colours in sorted(parts, key=lambda part: part[0]):
        _fill(canvas, polygons, colours, label_of(person, SEGMENTS.index(segment)))


def labels_at(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(...,) the label on top at image points (..., 2); NOTHING outside the image."""
    at = np.rint(points * OVERSAMPLING + (OVERSAMPLING - 1) / 2).astype(int)
    h, w = labels.shape
    inside = ((at >= 0) & (at < (w, h))).all(-1)
    x, y = np.moveaxis(np.clip(at, 0, (w - 1, h - 1)), -1, 0)
    return np.where(inside, labels[y, x], NOTHING)


def own(top: np.ndarray, person: int) -> np.ndarray:
    """(16,) bool: whether the label (16,) on top of each joint is one of its own adjoining
    segments."""
    segment = top.astype(int) - label_of(person)
    known = np.clip(segment, 0, len(SEGMENTS) - 1)
    return (segment == known) & OWN[np.arange(16), known]
