"""What stands around and before the people: seats, things in their hands or in front of them,
furniture, limbs from outside the frame."""

import cv2
import numpy as np

from companion.drawn.body import HANDS, Body
from companion.drawn.drawing import (
    FURNITURE,
    NOTHING,
    OBJECT,
    OVERSAMPLING,
    capsules,
    discs,
    fill,
    shades,
)
from companion.drawn.looks import palette, random_colour, random_look

_CIRCLE = np.linspace(0, 2 * np.pi, 10, endpoint=False)
_SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
_LEAVES = palette("4a6832 627838 3c5838 808040")
_WOOD = palette("78583c 967450 605c5a 463c36 bababc")


def shadow(canvas: np.ndarray, centre: np.ndarray, width: float) -> None:
    """A darker patch on the ground, `width` px wide."""
    x, y = (np.asarray(centre) * OVERSAMPLING).astype(int)
    half, flat = int(0.5 * width * OVERSAMPLING), max(1, int(0.1 * width * OVERSAMPLING))
    rows = slice(max(0, y - flat), max(0, y + flat))
    columns = slice(max(0, x - half), max(0, x + half))
    ground = canvas[rows, columns, :3]
    if not ground.size:
        return
    tone = np.full(ground.shape[:2], 128, np.uint8)
    axes = int(0.8 * half), int(0.65 * flat)
    cv2.ellipse(tone, (x - columns.start, y - rows.start), axes, 0, 0, 360, 74, -1)
    tone = cv2.blur(tone, (half // 4 + 1, flat // 2 + 1), borderType=cv2.BORDER_REPLICATE)
    ground = np.ascontiguousarray(ground)
    canvas[rows, columns, :3] = cv2.multiply(ground, cv2.merge([tone] * 3), scale=1 / 128)


def limb_from_outside(canvas: np.ndarray, rng: np.random.Generator, size: float) -> None:
    """An arm or a leg of somebody who is not in the picture, `size` px a segment: what looks like a
    joint is not always one."""
    height, width = np.array(canvas.shape[:2]) / OVERSAMPLING
    look, side = random_look(rng), int(rng.integers(0, 2))
    x = -0.2 * size if side == 0 else width + 0.2 * size
    start = np.array((x, rng.uniform(0.1, 1.0) * height))
    turn = (0 if side == 0 else np.pi) + rng.normal(0, 0.5)
    bend = turn + rng.choice([-1, 1]) * rng.uniform(0.2, 1.5)
    upper, lower = (size * np.array((np.cos(way), np.sin(way))) for way in (turn, bend))
    elbow = start + upper
    wrist = elbow + 0.85 * lower
    hand = wrist + 0.35 * lower
    ends = np.array([start, wrist, elbow]), np.array([elbow, hand, wrist])
    outlines = capsules(*ends, np.array([(0.19, 0.16), (0.10, 0.12), (0.15, 0.11)]) * size)
    colours = np.stack([look.shirt, look.skin, look.shirt if look.sleeve > 1 else look.skin])
    fill(canvas, outlines, shades(colours), NOTHING)


def seat(
    canvas: np.ndarray, rng: np.random.Generator, hips: np.ndarray, floor: float, height: float
) -> None:
    """A stool, a chair or a crate from below the hips down to y = `floor`, for a person `height` px
    tall; it hides nobody who is painted after it."""
    colour, half = random_colour(rng, 1, vivid=0.1)[0], rng.uniform(0.11, 0.16) * height
    x, y = hips + (0, 0.045 * height)
    if floor < y + 0.03 * height:
        return
    kind, top = rng.random(), y - 0.26 * height
    if kind < 0.35:
        fill(canvas, _box(x - half, x + half, y, floor), colour * 0.75, NOTHING)
    else:
        if kind < 0.75:  # the back of a chair
            fill(canvas, _box(x - half, x + half, top, y - 0.08 * height), colour * 0.85, NOTHING)
            for post, tone in zip((x - 0.9 * half, x + 0.9 * half), shades(colour), strict=False):
                fill(canvas, _box(post - 0.1 * half, post + 0.1 * half, top, y), tone, NOTHING)
        for leg in (x - 0.85 * half, x + 0.7 * half):
            fill(canvas, _box(leg, leg + 0.15 * half, y, floor), colour * 0.6, NOTHING)
    fill(canvas, _box(x - half, x + half, y, y + 0.03 * height), colour, NOTHING)


def _box(x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def held(canvas: np.ndarray, rng: np.random.Generator, body: Body) -> None:
    """A thing in a hand, or between the hands of arms that are held out."""
    h, kind, (colour, second) = body.height, int(rng.integers(4)), random_colour(rng, 2, vivid=0.4)
    i = int(rng.integers(2))
    hand, forearm = body.points[HANDS][i, :2], body.points[HANDS][i, :2] - body.joints[(10, 15)[i]]
    if body.pose == "hold":
        hand, kind = body.points[HANDS, :2].mean(0), int(rng.integers(2))
    if kind == 0:  # a ball
        _ball(canvas, hand + (0, 0.02 * h), rng.uniform(0.05, 0.1) * h, colour)
    elif kind == 1:  # a book, a box or a tablet
        size = rng.uniform(0.09, 0.2) * h * np.array((1, rng.uniform(0.6, 1.1)))
        _crate(canvas, hand, size, (colour, second), rng.normal(0, 0.3))
    elif kind == 2:  # a bag
        w = rng.uniform(0.1, 0.18) * h
        _rod(canvas, hand, hand + (0, 0.4 * w), np.array((0.012, 0.012)) * h, colour * 0.6)
        bag = np.array([(-0.38, 0.35), (0.38, 0.35), (0.5, 1.3), (-0.5, 1.3)])
        bags = hand + np.stack([bag, bag * (0.9, 0.97)]) * w
        fill(canvas, bags, np.stack([colour * 0.7, colour]), OBJECT)
    else:  # a stick, a bat, a racket
        along = forearm / (np.linalg.norm(forearm) + 1e-6)
        # about square to the forearm
        along = np.array((along[1], -along[0])) if along[0] > 0 else np.array((-along[1], along[0]))
        long, wood = rng.uniform(0.25, 0.6) * h, _WOOD[rng.integers(len(_WOOD))]
        thick = rng.uniform(0.008, 0.02) * h
        ends = hand - 0.08 * h * along, hand + long * along
        _rod(canvas, *ends, np.array((0.8, 1.3)) * thick, wood)


def in_front(
    canvas: np.ndarray, rng: np.random.Generator, at: np.ndarray, ground: float, height: float
) -> None:
    """A thing before a person `height` px tall that hides what is at the image point `at`; what
    stands, stands on y = `ground`."""
    size, (colour, second) = rng.uniform(0.09, 0.22) * height, random_colour(rng, 2, vivid=0.3)
    ground, kind = max(ground + rng.uniform(0, 0.06) * height, at[1] + 0.2 * height), rng.random()
    foot, tall = np.array((at[0], ground)), ground - at[1]
    if tall < 0.36 * height:  # about knees and feet
        if kind < 0.45:
            _bush(canvas, rng, foot, 1.5 * max(size, 0.8 * tall), 1.0)
        elif kind < 0.85:  # a case or a crate
            tall += 0.4 * size
            box = np.array((size * rng.uniform(1.0, 2.0), tall))
            _crate(canvas, foot - (0, tall / 2), box, (colour, second))
        else:
            _ball(canvas, foot - (0, 0.5 * size), max(0.5 * size, 0.5 * tall), colour)
    elif kind < 0.6:  # a pole, a tree or a pillar
        thick, lean = rng.uniform(0.03, 0.15) * height, rng.normal(0, 0.03) * height
        colour = _WOOD[rng.integers(len(_WOOD))] * rng.uniform(0.7, 1.2)
        _rod(canvas, at + (lean, -2 * height), foot - (lean, 0), np.full(2, thick / 2), colour)
    elif kind < 0.82:  # leaves that hang down from above
        top = np.array((at[0] - rng.normal(0, 0.2) * height, min(at[1] - 0.5 * height, -5)))
        _rod(canvas, top, at, np.array((0.03, 0.006)) * height, _WOOD[0] * 0.7)
        for part in (0.4, 0.2, 0.0):
            leaves = at + part * height * (top - at) / (at[1] - top[1]) + (0, 0.6 * size)
            _bush(canvas, rng, leaves, 1.3 * size, 1.0)
    elif kind < 0.95:  # a tall plant
        _bush(canvas, rng, foot, tall + size, 0.28)
    else:  # a board on a post
        post = _box(at[0] - 0.02 * height, at[0] + 0.02 * height, at[1], ground)
        fill(canvas, post, colour * 0.5, OBJECT)
        size = size * np.array((1.9, 1.3))
        _crate(canvas, at, size, (colour, second), rng.normal(0, 0.03))


def _ball(canvas: np.ndarray, centre: np.ndarray, radius: float, colour: np.ndarray) -> None:
    fill(canvas, discs(np.asarray(centre)[None], radius), shades(colour), OBJECT)


def _rod(
    canvas: np.ndarray, start: np.ndarray, end: np.ndarray, radii: np.ndarray, colour: np.ndarray
) -> None:
    """From `start` (2,) to `end` (2,), with a radius (2,) at each."""
    fill(canvas, capsules(start[None], end[None], radii[None])[0], shades(colour), OBJECT)


def _crate(
    canvas: np.ndarray, centre: np.ndarray, size: np.ndarray, colours: tuple, angle: float = 0.0
) -> None:
    """Of one colour, with a band towards the second of `colours`."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    box = np.stack([_SQUARE, _SQUARE * 0.9 - 0.02, _SQUARE * (0.88, 0.2)]) * size
    colour, band = colours
    tones = np.stack([colour * 0.7, colour, 0.6 * colour + 0.4 * band])
    fill(canvas, centre + box @ turn, tones, OBJECT)


def _bush(
    canvas: np.ndarray, rng: np.random.Generator, foot: np.ndarray, size: float, broad: float
) -> None:
    """Leaves from `foot` (2,) upwards, `size` px tall and `broad` times as wide."""
    green = _LEAVES[rng.integers(len(_LEAVES))] * rng.uniform(0.75, 1.15)
    places = rng.uniform(-1, 1, (24, 2)) * (0.42 * broad, 0.42) - (0, 0.5)
    places[:, 1] = np.sort(places[:, 1])[::-1]  # the lower, the darker and the earlier
    leaf = np.stack([np.cos(_CIRCLE), np.sin(_CIRCLE)], -1) * 0.15 * min(1, 2 * broad)
    tones = np.linspace(0.65, 1.2, 24)[:, None] + rng.normal(0, 0.06, (24, 1))
    fill(canvas, foot + (places[:, None] + leaf) * size, np.minimum(green * tones, 255), OBJECT)


def furniture(canvas: np.ndarray, rng: np.random.Generator, top: float) -> None:
    """A table, a wall or a hedge that hides everything below y = `top`: the legs behind it are
    absent, as annotators leave them out."""
    height, width = np.array(canvas.shape[:2]) / OVERSAMPLING
    colour, tilt = random_colour(rng, 1, vivid=0.15)[0] * 0.9, rng.normal(0, 0.015) * width
    edge = np.array([(-5, top - tilt), (width + 5, top + tilt)])
    slab = 0.035 * height * rng.uniform(0.6, 1.6)
    front = np.concatenate([edge, [(width + 5, height + 5), (-5, height + 5)]])
    fill(canvas, front, colour * 0.72, FURNITURE)
    for x in np.arange(rng.uniform(0, 0.2), 1, rng.uniform(0.15, 0.4)) * width:
        fill(canvas, _box(x, x + 0.01 * width, top, height + 5), colour * 0.6, FURNITURE)
    fill(canvas, np.concatenate([edge, edge[::-1] + (0, slab)]), colour * 1.1, FURNITURE)
