"""A photograph with the skeletons that a network saw in it: how sure it is of each joint, and which
it takes to be hidden."""

import io

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke

from companion.figures.pictures import side_colour
from companion.figures.style import LEFT, MIDDLE, RIGHT, plain_style
from paperlib.skeleton import SKELETONS, Skeleton

LONGEST = 1200  # px: a larger photograph is shrunk before it is drawn
SHORTEST = 800  # px: a smaller one is enlarged
DPI = 100
STRIP = 0.5  # inches below the photograph, for the key
SEEN = 0.5  # a joint of lower visibility is drawn as hidden
VISIBLE = {"facecolors": "white", "edgecolors": "black"}
HIDDEN = {"facecolors": "black", "edgecolors": "white"}


def pose_on_photo(photo: np.ndarray, people: list[dict]) -> Figure:
    """A photograph (H, W, 3) uint8 with `people` as `paperlib predict` tells them.

    Limbs are coloured by the person's side and the fainter the less sure the network is of their
    weaker end; a white dot is a joint that is probably visible, a black one one that is probably
    hidden. The dashed box is where the person was looked for, unless it is the picture.
    """
    height, width = photo.shape[:2]
    zoom = min(LONGEST / max(height, width), max(1, SHORTEST / max(height, width)))
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    inches = max(size[0] / DPI, 4.6), max(size[1] / DPI, 1.0)
    figure = Figure(figsize=(inches[0], inches[1] + STRIP), dpi=DPI)
    figure.set_facecolor("white")
    axes = figure.add_axes((0, STRIP / (inches[1] + STRIP), 1, inches[1] / (inches[1] + STRIP)))
    axes.set_axis_off()
    axes.imshow(small, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    for person in people:
        _draw_person(axes, person, (width, height))
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    _key(figure)
    return figure


def pose_picture(photo: np.ndarray, people: list[dict], kind: str = "png") -> bytes:
    """The same as a file, PNG or, several times smaller, "jpeg"."""
    picture = io.BytesIO()
    with plain_style():
        pose_on_photo(photo, people).savefig(picture, format=kind)
    return picture.getvalue()


def _draw_person(axes: Axes, person: dict, size: tuple[int, int]) -> None:
    skeleton = _skeleton(person)
    joints = np.array(list(person["joints"].values()), dtype=float)  # (J, 3) x, y, confidence
    points, confidence = joints[:, :2], joints[:, 2]
    thick = float(np.clip(0.012 * DPI * _height_in_inches(points, axes, size), 1.5, 4))
    for limb in skeleton.limbs:
        alpha = 0.25 + 0.75 * min(confidence[list(limb)].min() / 0.6, 1)
        look = _limb(side_colour([skeleton.plain[j] for j in limb]), thick, alpha, 1.6)
        axes.plot(*points[list(limb)].T, **look, solid_capstyle="round")
    seen = np.array([person["visible"][name] >= SEEN for name in skeleton.joints])
    dot = {"s": (2.1 * thick) ** 2, "linewidths": 0.35 * thick, "zorder": 3}
    for which, colours in ((seen, VISIBLE), (~seen, HIDDEN)):
        axes.scatter(*points[which].T, **dot, **colours)
    x0, y0, x1, y1 = person["box"]
    if (x0, y0, x1, y1) != (0, 0, size[0] - 1, size[1] - 1):
        for colour, dashes in (("black", "solid"), ("white", (0, (4, 3)))):
            edge = {"fill": False, "ec": colour, "lw": 1.2, "ls": dashes}
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **edge))
    above, leftwards = y0 > 0.05 * size[1], x0 > 0.8 * size[0]
    corner, off = (x1 if leftwards else x0, y0), (-3 if leftwards else 3, 4 if above else -4)
    place = {"ha": "right" if leftwards else "left", "va": "bottom" if above else "top"}
    plate = {"boxstyle": "round,pad=0.25", "fc": "black", "ec": "none", "alpha": 0.7}
    look = {"fontsize": 8, "color": "white", "zorder": 5, "bbox": plate}
    said = f"confidence {person['confidence']:.2f}{': perhaps no person' * bool(person['note'])}"
    axes.annotate(said, corner, off, textcoords="offset points", **place, **look)


def _limb(colour: str, thick: float, alpha: float, halo: float) -> dict:
    """How a limb is drawn: the fainter, the fainter the dark line around it."""
    edge = Stroke(linewidth=thick + halo, foreground="black", alpha=0.7 * alpha)
    look = {"color": colour, "linewidth": thick, "alpha": alpha}
    return look | {"path_effects": [edge, Normal()]}


def _skeleton(person: dict) -> Skeleton:
    """One of ours, by its joints; else the person's own `limbs`, pairs of joints' names."""
    joints = tuple(person["joints"])
    for known in SKELETONS.values():
        if known.joints == joints:
            return known
    limbs = [tuple(map(joints.index, limb)) for limb in person.get("limbs", [])]
    return Skeleton("own", joints, tuple(limbs), ())


def _height_in_inches(points: np.ndarray, axes: Axes, size: tuple[int, int]) -> float:
    shown = axes.get_position().height * axes.figure.get_figheight() / size[1]
    return float(np.ptp(points, axis=0).max() * shown)


def _key(figure: Figure) -> None:
    def line(colour, alpha=1.0):
        return Line2D([], [], **_limb(colour, 3, alpha, 1.4))

    def mark(colours):
        face, edge = colours.values()
        return Line2D([], [], ls="none", marker="o", markersize=7, mfc=face, mec=edge)

    entries = {
        "the person's right": line(RIGHT),
        "probably visible": mark(VISIBLE),
        "left": line(LEFT),
        "probably hidden": mark(HIDDEN),
        "midline": line(MIDDLE),
        "fainter: less sure": line(MIDDLE, 0.25),
    }
    space = {"handlelength": 1.6, "columnspacing": 1.2, "borderaxespad": 0.1, "labelspacing": 0.25}
    place = {"loc": "lower center", "ncols": 3, "fontsize": 8, "frameon": False}
    figure.legend(entries.values(), entries.keys(), **place, **space)
