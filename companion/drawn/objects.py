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
    rows, columns = (
        slice(max(0, y - flat), max(0, y + flat)),
        slice(max(0, x - half), max(0, x + half)),
    )
    ground = canvas[rows, columns, :3]
    if not ground.size:
        return
    tone = np.full(ground.shape[:2], 128, np.uint8)
    cv2.ellipse(
        tone,
        (x - columns.start, y - rows.start),
        (int(0.8 * half), int(0.65 * flat)),
        0,
        0,
        360,
        74,
        -1,
    )
    tone = cv2.blur(tone, (half // 4 + 1, flat // 2 + 1), borderType=cv2.BORDER_REPLICATE)
    canvas[rows, columns, :3] = cv2.multiply(
        np.ascontiguousarray(ground), cv2.merge([tone] * 3), scale=1 / 128
    )


def limb_from_outside(canvas: np.ndarray, rng: np.random.Generator, size: float) -> None:
    """An arm or a leg of somebody who is not in the picture, `size` px a segment: what looks like a
    joint is not always one."""
    height, width = np.array(canvas.shape[:2]) / OVERSAMPLING
    look, side = random_look(rng), int(rng.integers(0, 2))
    start = np.array(
        (-0.2 * size if side == 0 else width + 0.2 * size, rng.uniform(0.1, 1.0) * height)
    )
    turn = (0 if side == 0 else np.pi) + rng.normal(0, 0.5)
    bend = turn + rng.choice([-1, 1]) * rng.uniform(0.2, 1.5)
    elbow = start + size * np.array((np.cos(turn), np.sin(turn)))
    wrist = elbow + 0.85 * size * np.array((np.cos(bend), np.sin(bend)))
    hand = wrist + 0.35 * size * np.array((np.cos(bend), np.sin(bend)))
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
    kind = rng.random()
    if kind < 0.35:
        fill(canvas, _box(x - half, x + half, y, floor), colour * 0.75, NOTHING)
    else:
        if kind < 0.75:  # the back of a chair
            fill(
                canvas,
                _box(x - half, x + half, y - 0.26 * height, y - 0.08 * height),
                colour * 0.85,
                NOTHING,
            )
            fill(
                canvas,
                np.stack(
                    [
                        _box(s - 0.1 * half, s + 0.1 * half, y - 0.26 * height, y)
                        for s in (x - 0.9 * half, x + 0.9 * half)
                    ]
                ),
                shades(colour)[:2],
                NOTHING,
            )
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
        _crate(
            canvas,
            hand,
            rng.uniform(0.09, 0.2) * h * np.array((1, rng.uniform(0.6, 1.1))),
            colour,
            second,
            rng.normal(0, 0.3),
        )
    elif kind == 2:  # a bag
        w = rng.uniform(0.1, 0.18) * h
        fill(
            canvas,
            capsules(hand[None], (hand + (0, 0.4 * w))[None], np.array([[0.012, 0.012]]) * h)[0],
            shades(colour * 0.6),
            OBJECT,
        )
        bag = np.array([(-0.38, 0.35), (0.38, 0.35), (0.5, 1.3), (-0.5, 1.3)])
        fill(
            canvas,
            hand + np.stack([bag, bag * (0.9, 0.97)]) * w,
            np.stack([colour * 0.7, colour]),
            OBJECT,
        )
    else:  # a stick, a bat, a racket
        along = forearm / (np.linalg.norm(forearm) + 1e-6)
        # about square to the forearm
        along = np.array((along[1], -along[0])) if along[0] > 0 else np.array((-along[1], along[0]))
        long, wood = rng.uniform(0.25, 0.6) * h, _WOOD[rng.integers(len(_WOOD))]
        thick = rng.uniform(0.008, 0.02) * h
        fill(
            canvas,
            capsules(
                (hand - 0.08 * h * along)[None],
                (hand + long * along)[None],
                np.array([[0.8, 1.3]]) * thick,
            )[0],
            shades(wood),
            OBJECT,
        )


def in_front(
    canvas: np.ndarray, rng: np.random.Generator, at: np.ndarray, ground: float, height: float
) -> None:
    """A thing before a person `height` px tall that hides what is at the image point `at`; what
    stands, stands on y = `ground`."""
    size, (colour, second) = rng.uniform(0.09, 0.22) * height, random_colour(rng, 2, vivid=0.3)
    ground, kind = max(ground + rng.uniform(0, 0.06) * height, at[1] + 0.2 * height), rng.random()
    if ground - at[1] < 0.36 * height:  # about knees and feet
        if kind < 0.45:
            _bush(
                canvas, rng, np.array((at[0], ground)), 1.5 * max(size, 0.8 * (ground - at[1])), 1.0
            )
        elif kind < 0.85:  # a case or a crate
            tall = ground - at[1] + 0.4 * size
            _crate(
                canvas,
                np.array((at[0], ground - tall / 2)),
                np.array((size * rng.uniform(1.0, 2.0), tall)),
                colour,
                second,
                0.0,
            )
        else:
            _ball(
                canvas,
                np.array((at[0], ground - 0.5 * size)),
                max(0.5 * size, 0.5 * (ground - at[1])),
                colour,
            )
    elif kind < 0.6:  # a pole, a tree or a pillar
        thick, lean, colour = (
            rng.uniform(0.03, 0.15) * height,
            rng.normal(0, 0.03) * height,
            _WOOD[rng.integers(len(_WOOD))] * rng.uniform(0.7, 1.2),
        )
        ends = np.array([(at[0] + lean, at[1] - 2 * height), (at[0] - lean, ground)])
        fill(
            canvas,
            capsules(ends[:1], ends[1:], np.full((1, 2), thick / 2))[0],
            shades(colour),
            OBJECT,
        )
    elif kind < 0.82:  # leaves that hang down from above
        top = np.array((at[0] - rng.normal(0, 0.2) * height, min(at[1] - 0.5 * height, -5)))
        fill(
            canvas,
            capsules(top[None], at[None], np.array([[0.03, 0.006]]) * height)[0],
            shades(_WOOD[0] * 0.7),
            OBJECT,
        )
        for part in (0.4, 0.2, 0.0):
            _bush(
                canvas,
                rng,
                at + part * height * (top - at) / (at[1] - top[1]) + (0, 0.6 * size),
                1.3 * size,
                1.0,
            )
    elif kind < 0.95:  # a tall plant
        _bush(canvas, rng, np.array((at[0], ground)), ground - at[1] + size, 0.28)
    else:  # a board on a post
        fill(
            canvas,
            _box(at[0] - 0.02 * height, at[0] + 0.02 * height, at[1], ground),
            colour * 0.5,
            OBJECT,
        )
        _crate(canvas, at, size * np.array((1.9, 1.3)), colour, second, rng.normal(0, 0.03))


def _ball(canvas: np.ndarray, centre: np.ndarray, radius: float, colour: np.ndarray) -> None:
    fill(canvas, discs(np.asarray(centre)[None], radius), shades(colour), OBJECT)


def _crate(
    canvas: np.ndarray,
    centre: np.ndarray,
    size: np.ndarray,
    colour: np.ndarray,
    band: np.ndarray,
    angle: float,
) -> None:
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    box = np.stack([_SQUARE, _SQUARE * 0.9 - 0.02, _SQUARE * (0.88, 0.2)]) * size
    fill(
        canvas,
        centre + box @ turn,
        np.stack([colour * 0.7, colour, 0.6 * colour + 0.4 * band]),
        OBJECT,
    )


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
    fill(
        canvas,
        np.concatenate([edge, [(width + 5, height + 5), (-5, height + 5)]]),
        colour * 0.72,
        FURNITURE,
    )
    for x in np.arange(rng.uniform(0, 0.2), 1, rng.uniform(0.15, 0.4)) * width:
        fill(canvas, _box(x, x + 0.01 * width, top, height + 5), colour * 0.6, FURNITURE)
    fill(canvas, np.concatenate([edge, edge[::-1] + (0, slab)]), colour * 1.1, FURNITURE)
