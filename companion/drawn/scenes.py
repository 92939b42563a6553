"""Composes pictures: who stands where, and what the frame and the objects hide."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from companion.drawn import backdrop, drawing
from companion.drawn import objects as things
from companion.drawn.annotation import Person, annotate, outside
from companion.drawn.body import FACE, Body, random_body, random_yaw
from companion.drawn.looks import random_look
from paperlib import PaperlibError

YAWS = ("frontal", "uniform")
# where things stand: mostly before legs, as in MPII
_HIDDEN = np.cumsum((5, 3, 2, 2, 3, 5, 3, 1, 0.3, 0.3, 1, 1, 1, 1, 1, 1)) / 30.6


@dataclass(frozen=True)
class Difficulty:
    """How hard the people are to find; as it stands, the drawings of MPII's kind have MPII's
    statistics.

    yaw: "frontal" (65 % N(0, 0.6 rad), the rest any way) or "uniform", which makes telling left
    from right hard. occlusion: how many things stand before the people or are in their hands, 1 as
    many as by default. Furniture and the frame cut as they do anyway. crowd: how many other people
    are near, 1 as many as by default: in MPII's kind 0.5 on average.
    """

    yaw: str = "frontal"
    occlusion: float = 1.0
    crowd: float = 1.0

    def __post_init__(self):
        if self.yaw not in YAWS:
            raise PaperlibError(f"no yaw '{self.yaw}'; choose {' or '.join(YAWS)}")
        for name in ("occlusion", "crowd"):
            if not 0 <= getattr(self, name) <= 4:
                raise PaperlibError(
                    f"{name} of drawn people: {getattr(self, name)} is not from 0 (none) to 4; 1 "
                    "is the default"
                )


DEFAULT = Difficulty()


@dataclass(frozen=True)
class Scene:
    image: np.ndarray  # (H, W, 3) uint8 RGB
    people: list[Person]  # the main person first
    labels: np.ndarray  # (2 H, 2 W) uint8: what lies on top, at the doubled size of painting


def generator(seed: int, name: str, index: int) -> np.random.Generator:
    """The randomness of image `index` of the set `name`: of nothing else, so order and processes
    change nothing."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), index])


def compose(
    rng: np.random.Generator,
    size: tuple[int, int],
    bodies: list[Body],
    objects: float = 0.59,
    desk: float | None = None,
    same_clothes: float = 0.35,
    eye: float = 0.8,
    finer: int = 1,
) -> Scene:
    """Paint `bodies` (the first is the main person) into a picture of `size` (width, height) and
    read off what can be seen.

    objects: the mean number of things in front of the main person; desk: the y below which
    furniture hides all; eye: how far above the ground the camera is, in heights of the main person;
    finer: how many times larger the picture is than that of whose background it has a magnified
    copy, as a background's random numbers depend on its size.
    """
    main, ground = bodies[0], _feet(bodies[0])
    # more people or things leave the rest of the picture as it is
    behind, before, *each = rng.spawn(2 + len(bodies))
    small = tuple(round(length / finer) for length in size)
    horizon = ground - eye * main.height
    canvas = backdrop.new_canvas(behind, *small, horizon / finer, ground / finer)
    if finer > 1:
        canvas = cv2.resize(canvas, None, fx=finer, fy=finer, interpolation=cv2.INTER_CUBIC)
        canvas[..., 3] = drawing.NOTHING
    for _ in range(_count(behind, 0.4)):
        things.limb_from_outside(canvas, behind, 0.18 * main.height)
    for body in bodies:
        low, high = _extent(body)
        wide = max(0.4 * body.height, 0.9 * (high - low)[0])
        things.shadow(canvas, (body.points[6, 0], _feet(body)), wide)
        if body.pose == "sit":
            floor = body.points[[0, 5], 1].max()
            things.seat(canvas, behind, body.points[6, :2], floor, body.height)
    looks = [random_look(own) for own in each]
    looks = [
        looks[0] if own.random() < same_clothes else look
        for own, look in zip(each, looks, strict=True)
    ]
    # who is smaller is farther away
    for i in sorted(range(len(bodies)), key=lambda i: bodies[i].height):
        drawing.paint(canvas, bodies[i], looks[i], i)
        if each[i].random() < 0.35 * objects or (bodies[i].pose == "hold" and objects):
            things.held(canvas, each[i], bodies[i])
    for _ in range(_count(before, objects)):
        at = main.joints[np.searchsorted(_HIDDEN, before.random())]
        at = at + before.normal(0, 0.03, 2) * main.height
        things.in_front(canvas, before, at, ground, main.height)
    if desk is not None:
        things.furniture(canvas, behind, desk)
    labels = np.ascontiguousarray(canvas[..., 3])
    people = [annotate(body, i, labels, size) for i, body in enumerate(bodies)]
    return Scene(backdrop.develop(canvas, rng), people, labels)


def _count(rng: np.random.Generator, mean: float) -> int:
    """A whole number next to `mean`, which it has on average."""
    return int(mean) + int(rng.random() < mean % 1)


def _feet(body: Body) -> float:
    """The y of the ground under the body: its lowest point, or below that for one who jumps."""
    return float(body.points[:, 1].max() + body.height * (0.14 if body.pose == "jump" else 0.02))


def _extent(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the painted body, the flesh around the points included."""
    margin = 0.04 * body.height
    return body.points[:, :2].min(0) - margin, body.points[:, :2].max(0) + margin


def _inside(rng: np.random.Generator, body: Body, height: float, size: tuple[int, int]) -> Body:
    """The body, as `random_body` makes it, wholly in the picture, about the middle, at most
    `height` px tall and smaller where it does not fit."""
    low, high = _extent(body)
    height = min(height, *(np.array(size) / (high - low)).tolist())
    free = np.array(size) - height * (high - low)
    return body.place(height, free * np.clip(rng.normal(0.5, 0.16, 2), 0, 1) - height * low)


def _beside(
    rng: np.random.Generator, body: Body, main: Body, near: float, far: float, eye: float
) -> Body:
    """Another person on the same ground, `near` to `far` heights to one side of the first, nearer
    to the camera or farther away."""
    aside = rng.choice([-1, 1]) * rng.uniform(near, far) * main.height
    ratio = rng.uniform(0.8, 1.22)
    body = body.place(main.height * ratio, main.points[6, :2] + (aside, 0))
    ground = _feet(main) + (ratio - 1) * eye * main.height
    return body.place(body.height, body.points[6, :2] + (0, ground - _feet(body)))


def _company(
    rng: np.random.Generator,
    main: Body,
    eye: float,
    others: tuple[float, float, float],
    difficulty: Difficulty,
    upright: bool = False,
) -> list[Body]:
    """The first person and others: of these the mean number, and the least and the most heights to
    one side of the first."""
    (mean, *apart), own, bodies = others, rng.spawn(1)[0], [main]
    for _ in range(_count(own, mean * difficulty.crowd)):
        body = random_body(own, difficulty.yaw, upright)
        bodies.append(_beside(own, body, main, *apart, eye))
    return bodies


def mpii_scene(
    rng: np.random.Generator, side: int, difficulty: Difficulty = DEFAULT, finer: int = 1
) -> Scene:
    """A picture 1.5 x 1.25 `side`: the main person's crop (250 x scale) has at least about `side`
    px; a third of the people are cut. With `finer` it is the same picture of `finer` times as many
    px either way, for `finer` a power of two."""
    side = side * finer
    size = (round(1.5 * side), round(1.25 * side))
    while True:  # an annotator needs half of a person
        main, desk = _cut(rng, random_body(rng, difficulty.yaw), side, size)
        if outside(main.joints, size).sum() <= 8:
            break
    eye = _eye(rng)
    bodies = _company(rng, main, eye, (0.5, 0.1, 0.6), difficulty)
    return compose(rng, size, bodies, 0.59 * difficulty.occlusion, desk, eye=eye, finer=finer)


def _eye(rng: np.random.Generator) -> float:
    """How far above the ground the camera is, in heights of a person: from a child's hand to above
    a grown-up's head."""
    return rng.uniform(0.35, 1.1)


def _cut(
    rng: np.random.Generator, body: Body, side: int, size: tuple[int, int]
) -> tuple[Body, float | None]:
    """The body in the picture, and the top of what furniture hides: in about a third the frame or
    furniture takes some of it, mostly legs."""
    body = _inside(rng, body, 0.8 * side * rng.uniform(1.0, 1.3), size)
    how, desk = rng.random(), None
    if how < 0.225:  # the frame cuts the legs of a person who is nearer
        body = body.place(0.8 * side * rng.uniform(1.1, 1.5), body.points[6, :2])
        cut = rng.uniform(-0.15, 1.0) * _drop(body)
        body = body.place(body.height, (body.points[6, 0], size[1] - cut))
    elif how < 0.317 and body.points[9, 1] < body.points[6, 1]:  # who is not head over heels
        desk = body.points[6, 1] + rng.uniform(-0.15, 0.7) * _drop(body)
    elif how < 0.357:  # the frame cuts one side
        low, high = _extent(body)
        beyond = rng.uniform(0.1, 0.35) * (high - low)[0]
        aside = rng.choice([-low[0] - beyond, size[0] - high[0] + beyond])
        body = body.place(body.height, body.points[6, :2] + (aside, 0))
    return body, desk


def _drop(body: Body) -> float:
    """How far below the pelvis the lower ankle is, px."""
    return abs(float(body.points[[0, 5], 1].max() - body.points[6, 1]))


def lsp_scene(
    rng: np.random.Generator, side: int, difficulty: Difficulty = DEFAULT, finer: int = 1
) -> Scene:
    """A picture cut tightly about one person: its longer side has `side` px; nothing is out of the
    frame. `finer` as for `mpii_scene`."""
    body = random_body(rng, difficulty.yaw)
    low, high = _extent(body)
    span = (high - low) * (1 + rng.uniform(0.03, 0.14, 2)) + 0.05
    size = np.maximum(np.rint(span * side / span.max()), round(0.4 * side)).astype(int)
    size, eye = tuple((size * finer).tolist()), _eye(rng)
    main = _inside(rng, body, side * finer / span.max(), size)
    bodies = _company(rng, main, eye, (0.3, 0.35, 0.7), difficulty)
    return compose(rng, size, bodies, 0.1 * difficulty.occlusion, eye=eye, finer=finer)


def flic_scene(rng: np.random.Generator, side: int, difficulty: Difficulty = DEFAULT) -> Scene:
    """A film frame, 720 x 480 in proportion to a box of 440 (`side` px): the upper body of a person
    who mostly faces the camera."""
    size = (round(720 * side / 440), round(480 * side / 440))
    towards = difficulty.yaw == "frontal" and rng.random() < 0.95
    angle = rng.normal(0, 28) if towards else random_yaw(rng, "uniform")
    while True:  # the eleven joints are all in the frame
        body = random_body(rng, float(angle), upright=True)
        torso = side * float(np.clip(rng.normal(0.37, 0.06), 0.24, 0.5))
        pelvis = np.array(size) * (rng.normal(0.5, 0.1), rng.normal(0.68, 0.04))
        main = body.place(torso / 0.31, pelvis)
        joints = main.joints[[2, 3, *range(10, 16)]]
        if not outside(np.concatenate([joints, main.points[FACE, :2]]), size).any():
            break
    eye = _eye(rng)
    bodies = _company(rng, main, eye, (0.5, 0.28, 0.5), difficulty, upright=True)
    scene = compose(rng, size, bodies, 0.15 * difficulty.occlusion, eye=eye)
    # FLIC labels both eyes of everybody
    first = replace(scene.people[0], face=main.points[FACE, :2])
    return replace(scene, people=[first, *scene.people[1:]])


def coco_scene(rng: np.random.Generator, side: int, difficulty: Difficulty = DEFAULT) -> Scene:
    """A picture of a few people, two on average, all labelled."""
    size, eye = (round(1.5 * side), round(1.25 * side)), _eye(rng)
    main = _inside(rng, random_body(rng, difficulty.yaw), 0.8 * side * rng.uniform(0.8, 1.2), size)
    bodies = _company(rng, main, eye, (rng.uniform(0, 2), 0.2, 0.8), difficulty)
    return compose(rng, size, bodies, 0.59 * difficulty.occlusion, eye=eye)


def pair_scene(rng: np.random.Generator, side: int, difficulty: Difficulty = DEFAULT) -> Scene:
    """Two people of like size side by side, so close that a small shift of the crop decides whose
    pose comes out (H fig. 10). Only the yaw counts."""
    size = (round(1.5 * side), round(1.25 * side))
    main = _inside(rng, random_body(rng, difficulty.yaw, upright=True), 0.8 * side, size)
    other = random_body(rng, difficulty.yaw, upright=True)
    aside = rng.choice([-1, 1]) * rng.uniform(0.2, 0.28) * main.height
    height = main.height * rng.uniform(0.96, 1.04)
    other = other.place(height, main.points[6, :2] + (aside, rng.normal(0, 0.01) * main.height))
    return compose(rng, size, [main, other], objects=0.0, same_clothes=0.5)


def draw(
    kind: Callable[..., Scene],
    seed: int,
    name: str,
    index: int,
    side: int,
    difficulty: Difficulty = DEFAULT,
) -> tuple[Scene, np.random.Generator]:
    """Image `index` of a set, with the generator as it is left, for the annotator's noise."""
    rng = generator(seed, name, index)
    return kind(rng, side, difficulty), rng
