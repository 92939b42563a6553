"""What stands behind and before the people: backgrounds, loose limbs, occluding objects, furniture, and the camera's noise."""

import cv2
import numpy as np

from paperlib.data.drawing import FURNITURE, NOTHING, OBJECT, OVERSAMPLING, capsules, fill, random_colour, shades

_GRAIN = np.random.default_rng(0).normal(0, 1, (700, 900, 1)).astype(np.float32)  # one tile of noise; each picture takes its own window
_SKY = np.array([(120, 170, 220), (190, 210, 225), (235, 205, 170), (150, 155, 165), (205, 215, 220), (90, 110, 150)], float)
_WALL = np.array([(225, 215, 195), (190, 175, 150), (150, 165, 160), (205, 205, 210), (170, 120, 95), (120, 130, 150)], float)
_GROUND = np.array([(95, 125, 60), (140, 150, 90), (150, 120, 85), (120, 120, 118), (195, 175, 135), (90, 80, 75), (165, 140, 110)], float)


def new_canvas(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """(2 height, 2 width, 4) uint8: a background, label NOTHING. Sky or wall above the horizon, ground below, things along it, all out of focus."""
    rows = np.linspace(0, 1, height)[:, None, None]
    horizon = rng.uniform(0.3, 0.85)
    above = _WALL if rng.random() < 0.5 else _SKY
    tint = lambda ramp: ramp[rng.integers(len(ramp))] * rng.uniform(0.6, 1.1) + rng.normal(0, 12, 3)  # noqa: E731
    top, middle, near, far = tint(above), tint(above), tint(_GROUND), tint(_GROUND)
    upper = top + (middle - top) * np.clip(rows / horizon, 0, 1)
    lower = far + (near - far) * np.clip((rows - horizon) / (1 - horizon + 1e-6), 0, 1)
    column = np.clip(np.where(rows < horizon, upper, lower), 0, 255).astype(np.uint8)  # (height, 1, 3)
    scene = np.repeat(column, width, axis=1)
    _things(scene, rng, horizon * height)
    if rng.random() < 0.4:
        _stripes(scene, rng, horizon * height)
    blur = int(rng.integers(0, max(2, width // 50)))
    scene = cv2.blur(scene, (2 * blur + 1, 2 * blur + 1)).astype(np.float32)
    scene += _texture(rng, width, height)
    unlabelled = cv2.cvtColor(np.clip(scene, 0, 255, out=scene).astype(np.uint8), cv2.COLOR_RGB2RGBA)
    unlabelled[..., 3] = NOTHING
    return cv2.resize(unlabelled, None, fx=OVERSAMPLING, fy=OVERSAMPLING, interpolation=cv2.INTER_LINEAR)


def _texture(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """(height, width, 3) float32: light, shadow and grain, each octave drawn over the last; a little of it in colour."""
    texture = np.zeros((3, 4, 3), np.float32)
    for cells, strength in ((4, 15), (12, 8), (40, 4)):
        grid = (cells * width // height + 1, cells)
        noise = rng.standard_normal((*grid[::-1], 1), np.float32) + 0.35 * rng.standard_normal((*grid[::-1], 3), np.float32)
        texture = cv2.resize(texture, grid, interpolation=cv2.INTER_CUBIC) + noise * np.float32(strength * rng.uniform(0.3, 1.2))
    return cv2.resize(texture, (width, height), interpolation=cv2.INTER_LINEAR)


def _things(scene: np.ndarray, rng: np.random.Generator, horizon: float) -> None:
    """Along the horizon: trees with a crown of leaves, or houses, doors and pictures with panes."""
    height, width = scene.shape[:2]
    count, trees = int(rng.integers(2, 8)), rng.random() < 0.5
    for colour, (x, y, size, ratio) in zip(random_colour(rng, count, vivid=0.0), rng.random((count, 4)), strict=True):
        a, b = (0.05 + 0.16 * size) * width, (0.07 + 0.2 * size) * width * (0.6 + 1.2 * ratio)
        if trees:
            leaves, trunk = 0.35 * colour + 0.65 * np.array((75, 105, 50)), 0.3 * colour + np.array((55, 40, 28))
            foot, crown = np.array((x * width, horizon + 0.12 * y * height)), np.array((x * width, horizon - b))
            cv2.line(scene, foot.astype(int).tolist(), crown.astype(int).tolist(), trunk.tolist(), max(1, int(0.12 * a)))
            for shift, tone in zip(rng.normal(0, 0.4, (9, 2)), np.linspace(0.75, 1.2, 9), strict=True):
                cv2.circle(scene, (crown + shift * (a, 0.6 * b)).astype(int).tolist(), int(0.45 * a), np.minimum(leaves * tone, 255).tolist(), -1)
        else:
            centre = np.array((x * width, horizon - b * (0.95 if y < 0.6 else 1.8)))
            corner, opposite = (centre - (a, b)).astype(int), (centre + (a, b)).astype(int)
            cv2.rectangle(scene, corner.tolist(), opposite.tolist(), colour.tolist(), -1)
            for row, column in np.ndindex(*rng.integers(0, 4, 2)):
                pane = corner + ((column + 0.25) * 0.5 * a, (row + 0.3) * 0.5 * b)
                cv2.rectangle(scene, pane.astype(int).tolist(), (pane + (0.28 * a, 0.3 * b)).astype(int).tolist(), (colour * 0.6 + 25).tolist(), -1)


def _stripes(scene: np.ndarray, rng: np.random.Generator, horizon: float) -> None:
    """Boards, blinds, a fence or the lines of a floor, faint."""
    height, width = scene.shape[:2]
    step, shade = int(rng.integers(6, 22) * width / 200) + 2, rng.uniform(0.8, 1.18)
    on_ground = rng.random() < 0.5
    part = scene[int(horizon) :] if on_ground else scene[: int(horizon)]
    if rng.random() < 0.5:
        part = part.transpose(1, 0, 2)
    for offset in range(max(1, step // 4)):
        part[offset::step] = np.clip(part[offset::step] * shade, 0, 255)


def loose_limbs(canvas: np.ndarray, rng: np.random.Generator, size: float) -> None:
    """Limbs that belong to nobody, `size` px long: what looks like a joint is not always one."""
    height, width = np.array(canvas.shape[:2]) / OVERSAMPLING
    count = int(rng.integers(0, 3))
    start = rng.uniform(0, 1, (count, 2)) * (width, height)
    steps = np.cumsum(rng.uniform(0, 2 * np.pi, (count, 1)) + rng.normal(0, 0.9, (count, 2)) * [0, 1], 1)
    for a, turns, colour in zip(start, steps, random_colour(rng, count), strict=True):
        for turn in turns:
            b = a + size * np.array((np.cos(turn), np.sin(turn)))
            radii = np.array([[0.18, 0.13]]) * size
            fill(canvas, capsules(a[None], b[None], radii)[0], shades(colour), NOTHING)
            a = b


def seat(canvas: np.ndarray, rng: np.random.Generator, hips: np.ndarray, floor: float, height: float) -> None:
    """A stool or a crate from below the hips down to y = `floor`, for a person `height` px tall; it hides nobody who is painted after it."""
    colour, half = random_colour(rng, 1, vivid=0.2)[0], rng.uniform(0.10, 0.16) * height
    x, y = hips + (0, 0.045 * height)
    if floor < y + 0.03 * height:
        return
    box = lambda x0, x1, y0, y1: np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])  # noqa: E731
    if rng.random() < 0.5:
        fill(canvas, box(x - half, x + half, y, floor), colour * 0.75, NOTHING)
    else:
        for leg in (x - 0.85 * half, x + 0.7 * half):
            fill(canvas, box(leg, leg + 0.15 * half, y, floor), colour * 0.6, NOTHING)
    fill(canvas, box(x - half, x + half, y, y + 0.03 * height), colour, NOTHING)


def occluder(canvas: np.ndarray, rng: np.random.Generator, centre: np.ndarray, size: float) -> None:
    """A thing before the people: a box, a ball, a pole, a bush or a board, `size` px across."""
    kind, (colour, second) = int(rng.integers(5)), random_colour(rng, 2, vivid=0.6)
    angle, circle = rng.normal(0, 0.25), np.linspace(0, 2 * np.pi, 20, endpoint=False)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    if kind in (0, 4):  # box, board
        shape = square * size * np.array([(1.0, 1.25), (1.7, 0.6)][kind == 4])
        fill(canvas, centre + shape @ turn.T, colour * 0.7, OBJECT)
        fill(canvas, centre + shape * 0.92 @ turn.T - 0.02 * size, colour, OBJECT)
        fill(canvas, centre + shape * (0.9, 0.18) @ turn.T, second, OBJECT)
    elif kind == 1:  # ball
        ball = np.stack([np.cos(circle), np.sin(circle)], -1) * size * 0.55
        fill(canvas, centre + np.stack([ball, ball * 0.88 - 0.03 * size, ball * 0.45 - 0.14 * size]), shades(colour), OBJECT)
    elif kind == 2:  # pole
        thick, tall = size * 0.16, size * 6
        widths = np.array([(2 * thick, tall), (1.5 * thick, tall), (0.5 * thick, tall)])[:, None]
        fill(canvas, centre + square * widths @ turn.T, shades(colour), OBJECT)
    else:  # bush
        green = np.array((70, 110, 50)) * rng.uniform(0.6, 1.3) + 0.25 * colour - 30
        for offset, tone in zip(rng.normal(0, 0.28, (14, 2)) * size, rng.uniform(0.7, 1.2, 14), strict=True):
            fill(canvas, centre + offset + np.stack([np.cos(circle), np.sin(circle)], -1) * size * 0.24, green * tone, OBJECT)


def furniture(canvas: np.ndarray, rng: np.random.Generator, top: float) -> None:
    """A table, a wall or a hedge that hides everything below y = `top`: the legs behind it are absent, as annotators leave them out."""
    height, width = np.array(canvas.shape[:2]) / OVERSAMPLING
    colour, tilt = random_colour(rng, 1, vivid=0.35)[0] * 0.9, rng.normal(0, 0.015) * width
    edge = np.array([(-5, top - tilt), (width + 5, top + tilt)])
    slab = 0.035 * height * rng.uniform(0.6, 1.6)
    fill(canvas, np.concatenate([edge, [(width + 5, height + 5), (-5, height + 5)]]), colour * 0.72, FURNITURE)
    for x in np.arange(rng.uniform(0, 0.2), 1, rng.uniform(0.15, 0.4)) * width:
        fill(canvas, np.array([(x, top), (x + 0.01 * width, top), (x + 0.01 * width, height + 5), (x, height + 5)]), colour * 0.6, FURNITURE)
    fill(canvas, np.concatenate([edge, edge[::-1] + (0, slab)]), colour * 1.1, FURNITURE)


def develop(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the canvas shrunk, with a random exposure, cast and grain."""
    image = cv2.resize(canvas, None, fx=1 / OVERSAMPLING, fy=1 / OVERSAMPLING, interpolation=cv2.INTER_AREA)[..., :3]
    height, width = image.shape[:2]
    y, x = rng.integers(0, 700), rng.integers(0, 900)
    grain = np.take(np.take(_GRAIN, np.arange(y, y + height), 0, mode="wrap"), np.arange(x, x + width), 1, mode="wrap")
    gain = (rng.uniform(0.85, 1.12) * (1 + rng.normal(0, 0.03, 3))).astype(np.float32)
    exposed = image * gain
    exposed += grain * np.float32(rng.uniform(1, 4)) + np.float32(rng.normal(0, 5))
    return np.clip(exposed, 0, 255, out=exposed).astype(np.uint8)
