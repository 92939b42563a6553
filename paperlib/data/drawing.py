"""Paints bodies: shaded tapered limbs in painter's order, over a background and under occluders, with a map of what lies on top at each pixel.

Every fill writes colour and label at once, because the canvas has four channels; it is painted at twice the size and shrunk.
Clothes are the same left and right: only face, hair, feet and the front of the trunk tell which way a person faces.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from paperlib.data.body import FACE, HANDS, HEAD_CENTRE, OWN, SEGMENTS, TOES, Body

NOTHING, FURNITURE, OBJECT = 0, 254, 255  # labels; segment s of person p is 1 + 11 p + s
OVERSAMPLING = 2
_SUBPIXEL = 4  # bits of the fixed-point coordinates of cv2's fills
_ARC = np.linspace(-np.pi / 2, np.pi / 2, 7)
_CIRCLE = np.stack([np.cos(np.arange(0, 2 * np.pi, np.pi / 8)), np.sin(np.arange(0, 2 * np.pi, np.pi / 8))], -1)  # (16, 2)
_LIGHT = np.array([-0.5, -0.8])
_RINGS = ((1.0, 0.0, 0.74), (0.87, 0.09, 0.94), (0.52, 0.28, 1.08))  # radius, shift towards the light, tone
_SIZE, _SHIFT, _TONE = np.array(_RINGS).T
_SKIN = np.array([(255, 219, 190), (241, 194, 157), (224, 172, 128), (198, 134, 94), (141, 85, 54), (94, 58, 40)], float)
_HAIR = np.array([(30, 24, 22), (62, 42, 30), (110, 76, 46), (176, 134, 82), (214, 186, 130), (140, 60, 34), (150, 148, 146)], float)
_SEGMENT = {name: i for i, name in enumerate(SEGMENTS)}


@dataclass(frozen=True)
class Look:
    """What a person wears: RGB 0..255 and lengths; the same left and right."""

    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    emblem: np.ndarray
    emblem_size: tuple[float, float]  # from a slip in the middle to a broad print
    sleeve: float  # 0.6: a short sleeve (of the upper arm); 2: down to the wrist
    leg: float  # 0.75: shorts (of the thigh); 2: down to the ankle
    long_hair: bool
    stout: float


def label_of(person: int, segment: int = 0) -> int:
    return 1 + len(SEGMENTS) * person + segment


def random_colour(rng: np.random.Generator, count: int = 1, vivid: float = 0.5) -> np.ndarray:
    """(count, 3) RGB: hues of cloth and of things; `vivid` bounds the saturation."""
    hue, saturation, value = rng.random((count, 1)), rng.beta(1.3, 2, (count, 1)) * (0.4 + vivid), rng.uniform(0.15, 0.97, (count, 1))
    return 255 * value * (1 - saturation + saturation * np.clip(np.abs((hue * 6 + [0, 4, 2]) % 6 - 3) - 1, 0, 1))


def random_look(rng: np.random.Generator) -> Look:
    skin = _between(rng, _SKIN)
    shirt, trousers, shoes, emblem, cap = random_colour(rng, 5, vivid=0.5)
    return Look(
        skin=skin,
        hair=cap if rng.random() < 0.08 else _between(rng, _HAIR),
        shirt=shirt,
        trousers=trousers * 0.8,
        shoes=shoes * 0.7,
        emblem=emblem,
        emblem_size=((0.15, 3.4), (1, 1), (1.5, 0.5), (0.5, 0.5))[rng.integers(4)],
        sleeve=rng.choice([0.35, 0.6, 0.6, 1.95, 1.95]),
        leg=rng.choice([0.5, 0.85, 1.95, 1.95, 1.95]),
        long_hair=rng.random() < 0.35,
        stout=rng.normal(1.0, 0.09),
    )


def _between(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """A colour between two neighbours of a ramp, so that no two people are quite alike."""
    at = rng.uniform(0, len(colours) - 1)
    low = int(at)
    return colours[low] + (at - low) * (colours[min(low + 1, len(colours) - 1)] - colours[low])


def fill(canvas: np.ndarray, polygons: np.ndarray, colours: np.ndarray, label: int) -> None:
    """Convex polygons (..., K, 2) in image pixels, one over the other, each in its colour (..., 3), all with one label."""
    points = (polygons * (OVERSAMPLING << _SUBPIXEL) + (OVERSAMPLING - 1) / 2 * (1 << _SUBPIXEL)).astype(np.int32)
    for polygon, colour in zip(points.reshape(-1, *points.shape[-2:]), colours.reshape(-1, 3).tolist(), strict=True):
        cv2.fillConvexPoly(canvas, polygon, (*colour, label), shift=_SUBPIXEL)


def capsules(start: np.ndarray, end: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Outlines (K, 3, 14, 2) of tapered limbs start (K, 2) -> end (K, 2) with radii (K, 2): three rings from the dark rim to the light."""
    along = np.arctan2(*(end - start).T[::-1])  # (K,)
    arcs = np.stack([along[:, None] + np.pi + _ARC, along[:, None] + _ARC], 1)  # (K, 2, 7)
    directions = np.stack([np.cos(arcs), np.sin(arcs)], -1)  # (K, 2, 7, 2)
    centres = np.stack([start, end], 1)[:, None]  # (K, 1, 2, 2)
    offsets = _SIZE[:, None, None, None] * directions[:, None] + _SHIFT[:, None, None, None] * _LIGHT  # (K, 3, 2, 7, 2)
    return (centres[:, :, :, None] + radii[:, None, :, None, None] * offsets).reshape(len(start), 3, 14, 2)


def shades(colour: np.ndarray) -> np.ndarray:
    """(3, 3) the colours of the rings."""
    return np.minimum(colour * _TONE[:, None], 255)


def _disc(points: np.ndarray, radius: float) -> np.ndarray:
    """(3, 16 K, 2): three rings of circles about points (K, 2), to take the hull of."""
    circles = _SIZE[:, None, None, None] * _CIRCLE + _SHIFT[:, None, None, None] * _LIGHT
    return (points[:, None] + radius * circles).reshape(3, -1, 2)


def _ellipsoid(centre: np.ndarray, rotation: np.ndarray, radii: tuple[float, float, float]) -> np.ndarray:
    """(3, 16, 2): the silhouette of an ellipsoid, in three rings; its outline is what the Cholesky factor makes of a circle."""
    axes = rotation[:2] * radii
    (xx, xy), (_, yy) = (axes @ axes.T).tolist()
    a = math.sqrt(xx)
    b, c = xy / a, math.sqrt(max(yy - (xy / a) ** 2, 1e-9))  # the Cholesky factor [[a, 0], [b, c]]
    outline = _CIRCLE @ np.array([[a, b], [0, c]])
    return centre[:2] + _SIZE[:, None, None] * outline + _SHIFT[:, None, None] * math.sqrt(a * c) * _LIGHT


def _limbs(body: Body, look: Look, person: int) -> list[tuple[float, list]]:
    """(depth, fills) of the four limbs, a segment at a time: skin first, the cloth over it."""
    h, p = body.height, body.points
    rows = []  # segment, from, to, radii, colour; a segment's first row gives its depth
    for i, side in enumerate(("right", "left")):
        shoulder, elbow, wrist, hand = p[12 + i], p[11 if i == 0 else 14], p[10 if i == 0 else 15], p[HANDS][i]
        hip, knee, ankle, toe = p[2 + i], p[1 if i == 0 else 4], p[0 if i == 0 else 5], p[TOES][i]
        upper, fore = f"{side}_upper_arm", f"{side}_forearm"
        rows += [(upper, shoulder, elbow, (0.033, 0.026), look.skin)]
        rows += [(upper, shoulder, shoulder + (elbow - shoulder) * min(look.sleeve, 1), (0.036, 0.036 - 0.005 * min(look.sleeve, 1)), look.shirt)]
        rows += [(fore, wrist, hand, (0.017, 0.018), look.skin), (fore, elbow, wrist, (0.026, 0.018), look.skin)]
        if look.sleeve > 1:
            rows += [(fore, elbow, elbow + (wrist - elbow) * (look.sleeve - 1), (0.031, 0.023), look.shirt)]
        thigh, shank = f"{side}_thigh", f"{side}_shank"
        rows += [(thigh, hip, knee, (0.052, 0.036), look.skin)]
        rows += [(thigh, hip, hip + (knee - hip) * min(look.leg, 1), (0.060, 0.042), look.trousers)]
        rows += [(shank, knee, ankle, (0.036, 0.021), look.skin), (shank, ankle + (toe - ankle) * 0.05, toe, (0.024, 0.017), look.shoes)]
        if look.leg > 1:
            rows += [(shank, knee, knee + (ankle - knee) * (look.leg - 1), (0.041, 0.028), look.trousers)]
    names, start, end, radii, colours = zip(*rows, strict=True)
    start, end = np.array(start), np.array(end)
    outlines = capsules(start[:, :2], end[:, :2], np.array(radii) * h * look.stout)
    parts = {}
    for name, outline, colour in zip(names, outlines, colours, strict=True):
        parts.setdefault(name, []).append((outline, shades(colour), label_of(person, _SEGMENT[name])))
    nearer = {"upper_arm": 0.09, "forearm": 0.10, "thigh": 0.0, "shank": 0.0}
    return [(_depth(name, names, start, end) + nearer[name.split("_", 1)[1]] * h, fills) for name, fills in parts.items()]


def _depth(name: str, names: tuple, start: np.ndarray, end: np.ndarray) -> float:
    """How near a segment is: its first row's ends, the far one counting a little more."""
    row = names.index(name)
    return 0.35 * start[row, 2] + 0.65 * end[row, 2]


def _trunk(body: Body, look: Look, person: int) -> list[tuple[float, list]]:
    """The hull of shoulders, ribs, waist and hips; on its front an open collar and an emblem."""
    h, p, stout = body.height, body.points, look.stout
    label, thorax, pelvis, chest = label_of(person, _SEGMENT["torso"]), p[7], p[6], body.chest
    across = 0.5 * (p[13] - p[12])
    ribs, waist = thorax + 0.35 * (pelvis - thorax), thorax + 0.7 * (pelvis - thorax)
    wide = [np.array([ribs - 0.45 * across, ribs + 0.45 * across]), np.array([waist - 0.3 * across, waist + 0.3 * across])]
    discs = [_disc(p[12:14, :2], 0.036 * h), _disc(wide[0][:, :2], 0.068 * h * stout), _disc(wide[1][:, :2], 0.062 * h * stout)]
    discs.append(_disc(p[2:4, :2], 0.05 * h * stout))
    rings = np.concatenate(discs, 1).astype(np.float32)
    fills = [(cv2.convexHull(ring)[:, 0], colour, label) for ring, colour in zip(rings, shades(look.shirt), strict=True)]
    front = chest[:, 2]
    if front[2] > 0.1:
        surface = ribs + front * 0.07 * h * stout
        corners = np.array([(-0.045, -0.03), (0.045, -0.03), (0.045, 0.035), (-0.045, 0.035)]) * h
        fills.append(((surface + corners * look.emblem_size @ chest[:, :2].T)[:, :2], look.emblem, label))
        collar = np.array([(-0.035, 0.0), (0.035, 0.0), (0, 0.06)]) * h
        fills.append(((thorax + front * 0.03 * h + collar @ chest[:, :2].T)[:, :2], look.skin * 0.9, label))
    belt = capsules(p[2:3, :2], p[3:4, :2], np.array([[0.052, 0.052]]) * h * stout)[0]
    neck = capsules(thorax[None, :2], p[HEAD_CENTRE][None, :2], np.array([[0.034, 0.030]]) * h)[0]
    return [
        (p[6, 2] + 0.02 * h, [(belt, shades(look.trousers), label)]),
        (0.5 * (thorax[2] + pelvis[2]) + 0.07 * h, fills),
        (p[8, 2] + 0.02 * h, [(neck, shades(look.skin * 0.92), label_of(person, _SEGMENT["neck"]))]),
    ]


def _head(body: Body, look: Look, person: int) -> list[tuple[float, list]]:
    """Skull, hair behind and above it, nose, eyes and mouth: what tells front from back."""
    h, p, turn, label = body.height, body.points, body.head, label_of(person, _SEGMENT["head"])
    centre, face = p[HEAD_CENTRE], p[FACE]
    at = lambda x, y, z: centre + turn @ (np.array((x, y, z)) * h)  # noqa: E731
    pieces = [(at(0, 0.014, 0.011), (0.045, 0.055, 0.052), look.skin), (at(0, -0.016, -0.012), (0.055, 0.062, 0.060), look.hair)]
    pieces += [(face[0] - turn[:, 2] * 0.006 * h, (0.010, 0.012, 0.013), look.skin * 0.88)]
    pieces += [(ear, (0.008, 0.015, 0.010), look.skin * 0.9) for ear in face[3:]]
    fills = []
    for piece, radii, colour in sorted(pieces, key=lambda item: item[0][2]):
        fills.append((_ellipsoid(piece, turn, tuple(r * h for r in radii)), shades(colour), label))
    white, dark = np.array((245.0, 245, 245)), np.array((35.0, 25, 25))
    for x in (-0.019, 0.019):
        eye = at(x, -0.006, 0.06)
        if (turn @ np.array((x * 12, 0, 1)))[2] > 0.15:
            fills.append((_ellipsoid(eye, turn, (0.010 * h, 0.0075 * h, 0.004 * h))[0], white, label))
            fills.append((_ellipsoid(eye, turn, (0.0055 * h, 0.0065 * h, 0.004 * h))[0], dark, label))
            fills.append((_ellipsoid(at(x, -0.02, 0.058), turn, (0.012 * h, 0.003 * h, 0.003 * h))[0], look.hair * 0.8, label))
    if turn[2, 2] > 0.1:
        fills.append((_ellipsoid(at(0, 0.036, 0.054), turn, (0.016 * h, 0.0045 * h, 0.004 * h))[0], np.array((170.0, 70, 70)), label))
    parts = [(centre[2] + 0.08 * h, fills)]
    if look.long_hair:
        fall = at(0, 0.055, -0.038)
        outline = _ellipsoid(fall, turn, (0.052 * h, 0.075 * h, 0.026 * h))
        parts.append((fall[2] + 0.05 * h, [(outline, shades(look.hair * 0.92), label)]))
    return parts


def paint(canvas: np.ndarray, body: Body, look: Look, person: int) -> None:
    """One person, the farthest segment first."""
    parts = _limbs(body, look, person) + _trunk(body, look, person) + _head(body, look, person)
    for _, fills in sorted(parts, key=lambda part: part[0]):
        for fill_ in fills:
            fill(canvas, *fill_)


def labels_at(labels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(...,) the label on top at image points (..., 2); NOTHING outside the image."""
    at = np.rint(points * OVERSAMPLING + (OVERSAMPLING - 1) / 2).astype(int)
    h, w = labels.shape
    inside = ((at >= 0) & (at < (w, h))).all(-1)
    return np.where(inside, labels[np.clip(at[..., 1], 0, h - 1), np.clip(at[..., 0], 0, w - 1)], NOTHING)


def own_labels(person: int) -> np.ndarray:
    """(16, 256) bool: the labels under which a joint of this person counts as visible: its own adjoining segments."""
    table = np.zeros((len(OWN), 256), bool)
    table[:, label_of(person) : label_of(person + 1)] = OWN
    return table
