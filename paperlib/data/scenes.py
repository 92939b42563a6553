"""Composes pictures: who stands where, what the frame and the objects hide, and what an annotator would then write down."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from paperlib.data import backdrop, drawing
from paperlib.data.body import FACE, SEGMENTS, Body, random_body, random_yaw
from paperlib.people import ABSENT, OCCLUDED, VISIBLE

_LEGS = np.array([0, 1, 4, 5])  # ankles and knees: absent behind furniture
HEAD_PART = 1 / 6  # upper neck to head top, part of the standing height: 33.3 of 200 in the MPII files


@dataclass(frozen=True)
class Person:
    """One labelled person, in image pixels; absent points are NaN."""

    joints: np.ndarray  # (16, 2) MPII order
    state: np.ndarray  # (16,)
    face: np.ndarray  # (5, 2) nose, left and right eye, left and right ear
    face_state: np.ndarray  # (5,)
    height: float  # the standing height, px
    label: int  # its segments are label .. label + 10 in the scene's map


@dataclass(frozen=True)
class Scene:
    image: np.ndarray  # (H, W, 3) uint8 RGB
    people: list[Person]  # the main person first
    labels: np.ndarray  # (2 H, 2 W) uint8: what lies on top, at the doubled size of painting


def generator(seed: int, name: str, index: int) -> np.random.Generator:
    """The randomness of image `index` of the set `name`: of nothing else, so order and processes change nothing."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), index])


def compose(
    rng: np.random.Generator,
    size: tuple[int, int],
    bodies: list[Body],
    objects: float = 0.55,
    desk: float | None = None,
    same_clothes: float = 0.35,
) -> Scene:
    """Paint `bodies` (the first is the main person) into a picture of `size` (width, height) and read off what can be seen.

    objects: the chance of things in front of the main person; desk: the y below which furniture hides all.
    """
    main, look = bodies[0], drawing.random_look(rng)
    looks = [look] + [look if rng.random() < same_clothes else drawing.random_look(rng) for _ in bodies[1:]]
    canvas = backdrop.new_canvas(rng, *size)
    backdrop.loose_limbs(canvas, rng, 0.17 * main.height)
    for body in bodies:
        if body.pose == "sit":
            backdrop.seat(canvas, rng, body.points[6, :2], body.points[[0, 5], 1].max(), body.height)
    for person in rng.permutation(len(bodies)):
        drawing.paint(canvas, bodies[person], looks[person], int(person))
    if rng.random() < objects:
        for _ in range(int(rng.integers(1, 4))):
            centre = main.joints[rng.integers(16)] + rng.normal(0, 0.04, 2) * main.height
            backdrop.occluder(canvas, rng, centre, rng.uniform(0.08, 0.25) * main.height)
    if desk is not None:
        backdrop.furniture(canvas, rng, desk)
    labels = np.ascontiguousarray(canvas[..., 3])
    return Scene(backdrop.develop(canvas, rng), [annotate(body, i, labels, size) for i, body in enumerate(bodies)], labels)


def annotate(body: Body, index: int, labels: np.ndarray, size: tuple[int, int]) -> Person:
    """A joint is visible where its own adjoining segments lie on top, absent out of the frame, a leg's joint also behind furniture."""
    joints, face = body.joints, body.points[FACE, :2]
    top = drawing.labels_at(labels, joints)
    seen = drawing.own_labels(index)[np.arange(16), top]
    gone = _outside(joints, size)
    gone[_LEGS] |= top[_LEGS] == drawing.FURNITURE
    state = np.where(gone, ABSENT, np.where(seen, VISIBLE, OCCLUDED)).astype(np.uint8)

    head = drawing.label_of(index, 2)
    towards = (body.head @ np.array([(0, 0, 1), (0.35, 0, 1), (-0.35, 0, 1), (1, 0, 0), (-1, 0, 0)]).T)[2] > -0.1  # turned to the camera
    hidden = drawing.labels_at(labels, face) != head
    face_gone = _outside(face, size) | ~towards  # the far side of a head is not labelled
    face_state = np.where(face_gone, ABSENT, np.where(hidden, OCCLUDED, VISIBLE)).astype(np.uint8)
    blank = lambda points, gone: np.where(gone[:, None], np.nan, points)  # noqa: E731
    return Person(blank(joints, gone), state, blank(face, face_gone), face_state, body.height, drawing.label_of(index))


def _outside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return ((points < 0) | (points > np.array(size) - 1)).any(-1)


def _extent(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the painted body, the flesh around the points included."""
    margin = 0.04 * body.height
    return body.points[:, :2].min(0) - margin, body.points[:, :2].max(0) + margin


def _inside(rng: np.random.Generator, body: Body, height: float, size: tuple[int, int]) -> Body:
    """The body wholly in the picture, about the middle, at most `height` px tall and smaller where it does not fit."""
    body = body.place(height, (0, 0))
    low, high = _extent(body)
    body = body.place(height * min(1, *(np.array(size) / (high - low))), (0, 0))
    low, high = _extent(body)
    free = np.array(size) - (high - low)
    return body.place(body.height, free * np.clip(rng.normal(0.5, 0.16, 2), 0, 1) - low)


def _beside(rng: np.random.Generator, body: Body, main: Body, near: float, far: float) -> Body:
    """A second person of about the same size, `near` to `far` heights to one side of the first."""
    aside = rng.choice([-1, 1]) * rng.uniform(near, far) * main.height
    return body.place(main.height * rng.uniform(0.82, 1.15), main.points[6, :2] + (aside, rng.normal(0, 0.06) * main.height))


def mpii_scene(rng: np.random.Generator, side: int, yaw: str = "frontal") -> Scene:
    """A picture 1.6 x 1.2 `side`: the main person's crop (250 x scale) has at least about `side` px; a third of the people are cut."""
    size = (round(1.6 * side), round(1.2 * side))
    while True:  # an annotator needs half of a person
        main, desk = _cut(rng, random_body(rng, yaw), side, size)
        if _outside(main.joints, size).sum() <= 8:
            break
    bodies = [main]
    if rng.random() < 0.5:
        bodies.append(_beside(rng, random_body(rng, yaw), main, 0.1, 0.6))
    return compose(rng, size, bodies, desk=desk)


def _cut(rng: np.random.Generator, body: Body, side: int, size: tuple[int, int]) -> tuple[Body, float | None]:
    """The body in the picture, and the top of what furniture hides: in about a third the frame or furniture takes some of it, mostly legs."""
    body, how, desk = _inside(rng, body, 0.8 * side * rng.uniform(1.0, 1.3), size), rng.random(), None
    if how < 0.225:  # the frame cuts the legs of a person who is nearer
        body = body.place(0.8 * side * rng.uniform(1.1, 1.5), body.points[6, :2])
        cut = rng.uniform(-0.15, 1.0) * _drop(body)
        body = body.place(body.height, (body.points[6, 0], size[1] - cut))
    elif how < 0.305:
        desk = body.points[6, 1] + rng.uniform(-0.15, 0.7) * _drop(body)
    elif how < 0.345:  # the frame cuts one side
        low, high = _extent(body)
        beyond = rng.uniform(0.1, 0.35) * (high - low)[0]
        body = body.place(body.height, body.points[6, :2] + (rng.choice([-low[0] - beyond, size[0] - high[0] + beyond]), 0))
    return body, desk


def _drop(body: Body) -> float:
    """How far below the pelvis the lower ankle is, px."""
    return abs(float(body.points[[0, 5], 1].max() - body.points[6, 1]))


def lsp_scene(rng: np.random.Generator, side: int, yaw: str = "frontal") -> Scene:
    """A picture cut tightly about one person: its longer side has `side` px; nothing is out of the frame."""
    body = random_body(rng, yaw)
    low, high = _extent(body)
    span = (high - low) * (1 + rng.uniform(0.03, 0.14, 2)) + 0.05
    size = np.maximum(np.rint(span * side / span.max()), round(0.4 * side)).astype(int)
    main = _inside(rng, body, side / span.max(), tuple(size.tolist()))
    bodies = [main]
    if rng.random() < 0.3:
        bodies.append(_beside(rng, random_body(rng, yaw), main, 0.35, 0.7))
    return compose(rng, tuple(size.tolist()), bodies, objects=0.1)


def flic_scene(rng: np.random.Generator, side: int, yaw: str = "frontal") -> Scene:
    """A film frame, 720 x 480 in proportion to a box of 440 (`side` px): the upper body of a person who mostly faces the camera."""
    size = (round(720 * side / 440), round(480 * side / 440))
    angle = rng.normal(0, 28) if yaw == "frontal" and rng.random() < 0.95 else random_yaw(rng, "uniform")
    while True:  # the eleven joints are all in the frame
        body = random_body(rng, float(angle), upright=True)
        torso = side * float(np.clip(rng.normal(0.37, 0.06), 0.24, 0.5))
        main = body.place(torso / 0.31, np.array(size) * (rng.normal(0.5, 0.1), rng.normal(0.68, 0.04)))
        if not _outside(np.concatenate([main.joints[[2, 3, *range(10, 16)]], main.points[FACE, :2]]), size).any():
            break
    bodies = [main] + [_beside(rng, random_body(rng, yaw, upright=True), main, 0.28, 0.5) for _ in range(rng.random() < 0.5)]
    scene = compose(rng, size, bodies, objects=0.15)
    towards = main.points[FACE, :2]
    return replace(scene, people=[replace(scene.people[0], face=towards), *scene.people[1:]])  # FLIC labels both eyes of everybody


def coco_scene(rng: np.random.Generator, side: int, yaw: str = "frontal") -> Scene:
    """A picture of one to three people, all labelled."""
    scene_size = (round(1.6 * side), round(1.2 * side))
    main = _inside(rng, random_body(rng, yaw), 0.8 * side * rng.uniform(0.8, 1.2), scene_size)
    bodies = [main] + [_beside(rng, random_body(rng, yaw), main, 0.2, 0.8) for _ in range(int(rng.integers(0, 3)))]
    return compose(rng, scene_size, bodies)


def pair_scene(rng: np.random.Generator, side: int, yaw: str = "frontal") -> Scene:
    """Two people of like size side by side, so close that a small shift of the crop decides whose pose comes out (H fig. 10)."""
    size = (round(1.6 * side), round(1.2 * side))
    main = _inside(rng, random_body(rng, yaw, upright=True), 0.8 * side, size)
    other = random_body(rng, yaw, upright=True)
    aside = rng.choice([-1, 1]) * rng.uniform(0.2, 0.28) * main.height
    other = other.place(main.height * rng.uniform(0.96, 1.04), main.points[6, :2] + (aside, rng.normal(0, 0.01) * main.height))
    return compose(rng, size, [main, other], objects=0.0, same_clothes=0.5)


def mpii_box(rng: np.random.Generator, person: Person) -> tuple[np.ndarray, float]:
    """(centre (2,), scale) as annotators give them: 0.03 x the head's length, never so small that 250 x scale cuts the person; both a little off."""
    known = person.joints[person.state != ABSENT]
    low, high = known.min(0), known.max(0)
    scale = max(0.03 * HEAD_PART * person.height * rng.lognormal(0, 0.05), (high - low).max() / 225)
    return (low + high) / 2 + scale * (rng.normal(0, (4, 4)) - (0, 10)), float(scale)


def draw(kind: Callable[..., Scene], seed: int, name: str, index: int, side: int, yaw: str = "frontal") -> tuple[Scene, np.random.Generator]:
    """Image `index` of a set, with the generator as it is left, for the annotator's noise."""
    rng = generator(seed, name, index)
    return kind(rng, side, yaw), rng


def silhouette(labels: np.ndarray, first: int) -> np.ndarray:
    """(H, W) uint8: 1 where a person, of labels first .. first + 10, is on top."""
    top = labels[:: drawing.OVERSAMPLING, :: drawing.OVERSAMPLING]
    return ((top >= first) & (top < first + len(SEGMENTS))).astype(np.uint8)
