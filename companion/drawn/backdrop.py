"""What stands behind the people: a landscape or a room in perspective, textured and out of focus;
and what the camera adds at the end."""

from functools import cache

import cv2
import numpy as np

from companion.drawn.drawing import NOTHING, OVERSAMPLING
from companion.drawn.looks import palette, random_colour

_SKY = palette("78a5d7 b2cbe0 e8d6ba a0a6b0 cdd6dc 6880a8 dee2e4")
_WALL = palette("e2daca c6b8a0 a2b0aa d0d0d2 b2826a 7e8ca0 ece8e0")
_GRASS = palette("607c3a 869454 4e6836 9e9662")
_GROUND = palette("967a58 807e7a c8b48e 605a56 aca498")
_FLOOR = palette("b08a62 8a6242 beb8ac 787470 5c483a 968e7e")
_HOUSE = palette("ac6c54 c8b89c 969698 dad4c8 746054 8a98a4")
_TILE = 512  # px


@cache
def _noise() -> np.ndarray:
    """(_TILE, _TILE) uint8 about 128: natural texture, alike at every scale, that goes on across
    its borders; pictures take windows of it."""
    frequency = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None])
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((_TILE, _TILE)))
    texture = np.fft.irfft2(white / np.maximum(frequency, 3 / _TILE))
    return np.clip(128 + 32 * texture / texture.std(), 0, 255).astype(np.uint8)


@cache
def _grain() -> np.ndarray:
    """(2 _TILE, 2 _TILE, 3) uint8 about 128: the noise of a camera, the same in all channels, each
    pixel by itself."""
    grey = np.random.default_rng(1).normal(128, 24, (2 * _TILE, 2 * _TILE, 1))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8), 3, axis=2)


def new_canvas(
    rng: np.random.Generator, width: int, height: int, horizon: float, feet: float
) -> np.ndarray:
    """(2 height, 2 width, 4) uint8: a background, label NOTHING.

    horizon: the y of the camera's eye level; feet: the y of the ground on which the people stand.
    Both may lie outside the picture.
    """
    indoor = rng.random() < 0.42
    # where the ground begins
    edge = horizon + (feet - horizon) * rng.uniform(0.3, 0.8) if indoor else horizon
    edge = int(np.clip(edge, 0.12 * height, 0.96 * height))
    if indoor:
        top, near = _tint(rng, _WALL), _tint(rng, _FLOOR)
        low, far = top * rng.uniform(0.85, 1.0), near * 0.85
    else:
        lower = _GRASS if rng.random() < 0.6 else _GROUND
        top, near = _tint(rng, _SKY), _tint(rng, lower)
        low, far = 0.4 * top + 0.6 * _tint(rng, _SKY), 0.75 * near + 0.25 * top
    column = np.concatenate([_ramp(top, low, edge), _ramp(far, near, height - edge)])
    scene = np.repeat(np.clip(column, 0, 255).astype(np.uint8)[:, None], width, axis=1)
    _darken(scene[:edge], _window(rng, edge, width), rng.uniform(0.05, 0.2))
    (_room if indoor else _landscape)(scene, rng, edge, low)
    vanishing = min(horizon, edge - 0.06 * height)
    texture = _ground(rng, width, height, edge, vanishing)
    _darken(scene[edge:], texture, rng.uniform(*((0.1, 0.3) if indoor else (0.3, 0.7))))
    if rng.random() < (0.6 if indoor else 0.25):
        _lines(scene, rng, edge, vanishing, near * (0.72 if indoor else 1.35), indoor)
    blur = 2 * int(rng.integers(0, 2 + width // 120)) + 1
    scene = cv2.cvtColor(cv2.blur(scene, (blur, blur)) if blur > 1 else scene, cv2.COLOR_RGB2RGBA)
    scene[..., 3] = NOTHING
    return cv2.resize(scene, None, fx=OVERSAMPLING, fy=OVERSAMPLING)


def _ramp(first: np.ndarray, last: np.ndarray, length: int) -> np.ndarray:
    """(length, 3): from one colour towards another."""
    return first + (last - first) * (np.arange(length)[:, None] / length)


def _rectangle(scene: np.ndarray, first: tuple, last: tuple, colour: np.ndarray, edge: int = -1):
    """A filled one between two corners; with `edge` its outline, so many px thick."""
    cv2.rectangle(scene, tuple(map(int, first)), tuple(map(int, last)), colour.tolist(), edge)


def _tint(rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    return palette[rng.integers(len(palette))] * rng.uniform(0.82, 1.1) + rng.normal(0, 6, 3)


def _darken(scene: np.ndarray, texture: np.ndarray, strength: float) -> None:
    """Multiply a part of the scene by texture (H, W) uint8, 128 leaving it as it is; strength 1
    takes the texture as it is."""
    texture = cv2.convertScaleAbs(texture, alpha=strength, beta=128 * (1 - strength))
    cv2.multiply(scene, cv2.cvtColor(texture, cv2.COLOR_GRAY2RGB), dst=scene, scale=1 / 128)


def _window(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(height, width) of the texture, from a random place at a random zoom."""
    zoom = min(rng.uniform(0.35, 1.2), (_TILE - 1) / width, (_TILE - 1) / height)
    h, w = int(height * zoom) + 1, int(width * zoom) + 1
    y, x = rng.integers(0, _TILE - h + 1), rng.integers(0, _TILE - w + 1)
    return cv2.resize(_noise()[y : y + h, x : x + w], (width, height))


def _ground(
    rng: np.random.Generator, width: int, height: int, edge: int, vanishing: float
) -> np.ndarray:
    """(height - edge, width): the texture lying on the ground, as a plane is seen whose horizon is
    `vanishing`."""
    depth = np.float32(height - vanishing) / (
        np.arange(edge, height, dtype=np.float32)[:, None] - np.float32(vanishing)
    )  # 1 at the lower border
    u, v = rng.uniform(0, _TILE, 2).astype(np.float32)
    # finer than that is haze
    across = u + (np.arange(width, dtype=np.float32) - np.float32(width / 2)) * np.minimum(depth, 5)
    along = np.broadcast_to(v + np.float32(height - vanishing) * depth, across.shape)
    return cv2.remap(
        _noise(), across, np.ascontiguousarray(along), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )


def _lines(
    scene: np.ndarray,
    rng: np.random.Generator,
    edge: int,
    vanishing: float,
    colour: np.ndarray,
    indoor: bool,
) -> None:
    """Boards, tiles or the lines of a pitch: towards one point of the horizon, and some across."""
    height, width = scene.shape[:2]
    ground, colour = scene[edge:], colour.tolist()
    middle, thick = rng.uniform(0, width), max(1, width // 250)
    step = rng.uniform(0.1, 0.3) * width * (1 if indoor else 4)
    for x in np.arange(middle - 14 * step, middle + 14 * step, step):  # at the lower border
        at = middle + (x - middle) * (edge - vanishing) / (height - vanishing)
        cv2.line(ground, (int(at), 0), (int(x), height - edge), colour, thick)
    if rng.random() < 0.4:
        for k in range(1, 7, 1 if indoor else 4):
            y = int(vanishing + (height - vanishing) / (0.4 + 0.5 * k)) - edge
            cv2.line(ground, (0, y), (width, y), colour, thick)


def _landscape(scene: np.ndarray, rng: np.random.Generator, edge: int, sky: np.ndarray) -> None:
    """Along the horizon: far hills, then houses, trees, a hedge or a fence."""
    height, width = scene.shape[:2]
    if rng.random() < 0.5:
        tops = edge - np.abs(np.cumsum(rng.normal(0, 0.04, 12)) + 0.1) * height
        ridge = np.column_stack([np.linspace(0, width, 12), tops])
        outline = np.concatenate([ridge, [(width, edge), (0, edge)]]).astype(np.int32)
        cv2.fillPoly(scene, [outline], (0.55 * sky + 0.45 * np.array((82, 100, 92))).tolist())
    if rng.random() < 0.4:
        _houses(scene, rng, edge)
    if rng.random() < 0.6:
        _trees(scene, rng, edge, sky)
    if rng.random() < 0.35:
        top = max(0, edge - 1 - int(rng.uniform(0.04, 0.16) * height))
        colour = _tint(rng, _GRASS if rng.random() < 0.6 else _FLOOR) * 0.8
        _rectangle(scene, (0, top), (width, edge), colour)
        _darken(scene[top:edge], _window(rng, edge - top, width), 0.9)


def _houses(scene: np.ndarray, rng: np.random.Generator, edge: int) -> None:
    height, width = scene.shape[:2]
    x = rng.uniform(-0.3, 0.4) * width
    for _ in range(int(rng.integers(1, 4))):
        w, h = int(rng.uniform(0.2, 0.6) * width), int(rng.uniform(0.25, 0.9) * height)
        left, top, colour = int(x), edge - h, _tint(rng, _HOUSE)
        _rectangle(scene, (left, top), (left + w, edge), colour)
        step, pane = max(4, int(rng.uniform(0.06, 0.14) * width)), colour * 0.5 + (10, 14, 20)
        for px in range(left + step // 3, left + w - step // 2, step):
            for py in range(top + step // 3, edge - step, int(1.3 * step)):
                if 0 <= px + step and px < width and py + step > 0:
                    _rectangle(scene, (px, py), (px + step // 2, py + int(0.7 * step)), pane)
        x += w + rng.uniform(0, 0.15) * width


def _trees(scene: np.ndarray, rng: np.random.Generator, edge: int, sky: np.ndarray) -> None:
    """Trunks and crowns of leaves, lit from above on the left; the farther, the paler."""
    height, width = scene.shape[:2]
    tone = np.linspace(0.7, 1.2, 16)[:, None]
    trees = rng.random((int(rng.integers(1, 6)), 3)).tolist()
    for x, size, far in sorted(trees, key=lambda tree: -tree[2]):
        crown, foot = (0.10 + 0.16 * size) * height * (1.3 - far), edge + 0.05 * (1 - far) * height
        middle = np.array((x * width, foot - 2.0 * crown))
        green = (1 - 0.4 * far) * np.array((74, 98, 48)) * rng.uniform(0.7, 1.2) + 0.4 * far * sky
        trunk, thick = (0.3 * green + (50, 40, 30)).tolist(), max(1, int(0.22 * crown))
        cv2.line(scene, (int(x * width), int(foot)), middle.astype(int).tolist(), trunk, thick)
        spread = np.clip(rng.normal(0, 0.5, (16, 2)), -0.85, 0.85)
        leaves = middle + (spread + (0.35, 0.5) - tone * (0.35, 0.6)) * crown
        for centre, colour in zip(leaves.astype(int).tolist(), green * tone, strict=True):
            cv2.circle(scene, centre, int(0.36 * crown), colour.tolist(), -1)


def _room(scene: np.ndarray, rng: np.random.Generator, edge: int, wall: np.ndarray) -> None:
    """On the wall: windows, doors, pictures, shelves; a skirting board."""
    height, width = scene.shape[:2]
    things = random_colour(rng, 4, vivid=0.2)
    kinds = rng.integers(0, 4, 4)[: rng.integers(0, 5)]
    for kind, x, size, colour in zip(kinds, rng.random(4), rng.random(4), things, strict=False):
        w, left = (0.12 + 0.2 * size) * width, int((1.2 * x - 0.2) * width)
        if kind == 0:  # a door
            box = left, edge - 1.9 * w, 0.8 * w, 1.9 * w
            _panel(scene, box, colour * 0.5 + 0.4 * wall, wall * 0.7)
        elif kind == 1:  # a window
            top, middle = edge - (0.7 + size) * w - 0.2 * height, int(left + w / 2)
            pane = np.array((215, 226, 235)) - 60 * (size < 0.3)
            _panel(scene, (left, top, w, 0.9 * w), pane, wall * 0.85 + 30)
            ends = (middle, int(top)), (middle, int(top + 0.9 * w))
            cv2.line(scene, *ends, (wall * 0.85).tolist(), max(1, width // 90))
        elif kind == 2:  # a picture
            box = left, edge - (0.5 + size) * w - 0.35 * height, 0.5 * w, 0.4 * w
            _panel(scene, box, colour, wall * 0.4)
        else:  # a shelf with books
            top = int(edge - 0.5 * height * (0.5 + size))
            _panel(scene, (left, top, w, edge - top), wall * 0.45, wall * 0.35)
            for k, back in enumerate(random_colour(rng, 12, vivid=0.4)):
                row, column = divmod(k, 6)
                x0 = int(left + w * (0.05 + 0.15 * column))
                y1 = int(top + 0.12 * w + 0.5 * w * (row + 0.8))
                tall = (0.28 + 0.1 * (k * 7 % 4) / 3) * w
                _rectangle(scene, (x0, y1 - tall), (x0 + 0.12 * w, y1), back)
    skirting = wall * rng.uniform(0.5, 1.1)
    _rectangle(scene, (0, edge - max(1, height // 50)), (width, edge), skirting)


def _panel(scene: np.ndarray, box: tuple, colour: np.ndarray, frame: np.ndarray) -> None:
    """A framed `box` (x, y, width, height)."""
    x, y, w, h = box
    _rectangle(scene, (x, y), (x + w, y + h), colour)
    _rectangle(scene, (x, y), (x + w, y + h), frame, max(1, scene.shape[1] // 80))


def develop(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the canvas shrunk, with a random exposure, contrast, cast and grain."""
    image = cv2.resize(
        canvas, None, fx=1 / OVERSAMPLING, fy=1 / OVERSAMPLING, interpolation=cv2.INTER_AREA
    )
    image = cv2.cvtColor(image, cv2.COLOR_RGBA2RGB)
    gain, lift = rng.uniform(0.85, 1.12) * (1 + rng.normal(0, 0.025, 3)), rng.normal(2, 5)
    curve = np.clip(np.arange(256)[:, None] * gain + lift, 0, 255).astype(np.uint8)  # (256, 3)
    image = cv2.LUT(image, curve[None])
    height, width = image.shape[:2]
    strength, (y, x) = rng.uniform(0.03, 0.13), rng.integers(0, _TILE, 2)
    grain = _grain()[y : y + height, x : x + width]
    if grain.shape != image.shape:  # a picture larger than the tile
        grain = np.resize(grain, image.shape)
    return cv2.addWeighted(image, 1.0, grain, strength, -128 * strength)
