"""Pictures of people: crops, heatmaps laid over them, and skeletons.

The draw functions are pure: a dict of arrays, as an .npz holds it, gives one Figure. Points are
crop px; a heatmap covers its crop whatever its stride; a point that is NaN is not drawn.
"""

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from companion.figures.checks import within
from companion.figures.style import HEAT, LEFT, MIDDLE, RIGHT
from paperlib.skeleton import SKELETONS, Skeleton

TRUTH = {"marker": "o", "s": 70, "facecolors": "none", "edgecolors": "#56B4E9", "linewidths": 1.6}
FOUND = {"marker": "x", "s": 45, "color": "#FFFFFF", "linewidths": 1.6}
WRONG = {"marker": "o", "s": 60, "facecolors": "none", "edgecolors": "#F0E442", "linewidths": 1.5}
BACKDROP = "#3A3A3A"  # behind the white crosses of a legend
WIDTH = 9.0  # inches: the width of a notebook's column


def heatmap_overview(numbers: dict[str, np.ndarray]) -> Figure:
    """R-fig1: (a) all keypoint heatmaps, (b) all body-part heatmaps, (c) both, (d) the keypoints
    that come out. A line runs round each map at 80 % of its own height.

    `image` (S, S, 3) uint8; `keypoints` (J, H, W) and `parts` (P, H, W), of which the highest at
    each place is drawn, in shares of the highest of all; `points` (J, 2); `skeleton`, its name.
    """
    image, skeleton = numbers["image"], SKELETONS[str(numbers["skeleton"])]
    kinds = {name: numbers[name].astype(np.float32) for name in ("keypoints", "parts")}
    tops = {name: max(float(maps.max()), 1e-6) for name, maps in kinds.items()}
    sides = {
        "keypoints": [[joint] for joint in skeleton.joints],
        "parts": [[skeleton.joints[j] for j in limb] for limb in skeleton.limbs],
    }
    shown = {
        f"(a) keypoints, up to {tops['keypoints']:.1f}": ("keypoints",),
        f"(b) body parts, up to {tops['parts']:.1f}": ("parts",),
        "(c) superimposed": ("parts", "keypoints"),
    }
    figure, panels = panel_grid(1, 4, extra=0.55)
    for axes, (title, names) in zip(panels[0], shown.items(), strict=False):
        heat = np.maximum.reduce([kinds[name].max(axis=0) / tops[name] for name in names])
        bar = draw_heat(axes, image, heat, 1)
        for name in names:
            for one, joints in zip(kinds[name], sides[name], strict=False):
                _outline(axes, one, image, side_colour(joints))
        axes.set_title(title)
        fit_picture(axes, image)
    show(panels[0, 3], image, "(d) keypoint prediction")
    draw_pose(panels[0, 3], numbers["points"], skeleton)
    below = {"orientation": "horizontal", "shrink": 0.4, "aspect": 40}
    label = "heatmap value / the highest of its kind"
    figure.colorbar(bar, ax=panels[0].tolist(), label=label, **below)
    return figure


def _outline(axes: Axes, heat: np.ndarray, image: np.ndarray, colour: str) -> None:
    """A line round a heatmap (H, W) at 80 % of its height, over a crop; none where it is empty."""
    if heat.max() > 0:
        size = image.shape[1::-1]
        smooth = cv2.resize(heat / heat.max(), size, interpolation=cv2.INTER_CUBIC)
        axes.contour(smooth, levels=[0.8], colors=[colour], linewidths=1.1)


def occluded_joint(numbers: dict[str, np.ndarray]) -> Figure:
    """R-fig4 and R-fig8: an occluded joint of each of N samples: what hides it, the whole pose that
    the first of K models finds, and the joint's heatmap in each of them.

    `images` (N, S, S, 3) uint8; `maps` (N, K, H, W), a row has one scale of colours; `truth` (N,
    2); `found` (N, K, 2); `error` (N, K), written below in units of `unit`; `names` (N,) of the
    rows; `titles` (K,) of the models; `poses` (N, J, 2) of `skeleton`, its name.
    """
    images, skeleton = numbers["images"], SKELETONS[str(numbers["skeleton"])]
    titles = ("what hides it, twice as large", f"pose, {numbers['titles'][0]}", *numbers["titles"])
    figure, panels = panel_grid(len(images), len(titles), extra=0.1 * len(images) + 0.42)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title)
    for i, row in enumerate(panels):
        heat_row(row, numbers, i)
        draw_pose(row[1], numbers["poses"][i], skeleton, width=1.8)
        for axes, error, heat in zip(
            row[2:], numbers["error"][i], numbers["maps"][i].astype(np.float32), strict=True
        ):
            off = f"{error:.2f} {numbers['unit']} off"
            axes.set_xlabel(f"{off}, peak {heat.max():.1f}", fontsize=8, labelpad=2)
        _look_closer(row[0], images[i], numbers["truth"][i])
    key(figure, panels[0, 0])
    return figure


def heat_row(
    row: np.ndarray, numbers: dict[str, np.ndarray], i: int, first: dict | None = None
) -> None:
    """Sample `i` in a row of panels: its crop, and in the last K panels its heatmaps with their
    maxima and, where a mark `first` is given, that of the first heatmap; the label in all."""
    image, maps, found = (numbers[name][i] for name in ("images", "maps", "found"))
    maps = maps.astype(np.float32)
    for axes in row[: -len(maps)]:
        axes.imshow(image)
    for k, axes in enumerate(row[-len(maps) :]):
        draw_heat(axes, image, maps[k], maps.max())
        axes.scatter(*found[k], **FOUND)
        if k and first:
            axes.scatter(*found[0], **first)
    for axes in row:
        axes.scatter(*numbers["truth"][i], **TRUTH)
        fit_picture(axes, image)
    row[0].set_ylabel(str(numbers["names"][i]))


def _look_closer(axes: Axes, image: np.ndarray, point: np.ndarray) -> None:
    """The half of a picture's width and height that is about a point."""
    half = (image.shape[0] - 1) / 4
    x, y = np.clip(np.nan_to_num(point), half, image.shape[0] - 1 - half)
    axes.set(xlim=(x - half, x + half), ylim=(y + half, y - half))


def one_heatmap(
    numbers: dict[str, np.ndarray],
    image: int = 0,
    joint: int = 0,
    site: int = -1,
    overlay: bool = True,
) -> Figure:
    """One joint of one person at one supervised site: the pose there, the joint's heatmap with its
    maximum, and how sure each site is.

    As `occluded_joint`, but with every joint: `maps` (N, K, J, H, W), `truth` (N, J, 2), `found`
    (N, K, J, 2), `error` (N, K, J), NaN where there is no label, `names` (J,). Site -1 is the last.
    The heatmap is laid over the crop unless `overlay` is false; all sites of a joint share one
    scale of colours.
    """
    people, sites, joints = numbers["error"].shape
    within(image=(image, 0, people - 1), joint=(joint, 0, joints - 1), site=(site, -1, sites - 1))
    site %= sites
    crop, errors = numbers["images"][image], numbers["error"][image, :, joint]
    maps = numbers["maps"][image, :, joint].astype(np.float32)
    figure, panels = panel_grid(1, 3, extra=0.2)
    pose, heat, peaks = panels[0]
    show(pose, crop, f"pose at {numbers['titles'][site]}")
    draw_pose(pose, numbers["found"][image, site], SKELETONS[str(numbers["skeleton"])], width=1.5)
    if overlay:
        bar = draw_heat(heat, crop, maps[site], maps.max())
    else:
        edges = (-0.5, crop.shape[1] - 0.5, crop.shape[0] - 0.5, -0.5)
        top = max(float(maps.max()), 1e-6)
        bar = heat.imshow(maps[site], cmap=HEAT, vmin=0, vmax=top, extent=edges)
    heat.scatter(*numbers["found"][image, site, joint], **FOUND)
    heat.set_title(": ".join([numbers["names"][joint], *_off(errors[site], f" {numbers['unit']}")]))
    figure.colorbar(bar, ax=heat, shrink=0.8, aspect=20, label="heatmap value")
    for axes in (pose, heat):
        axes.scatter(*numbers["truth"][image, joint], **TRUTH)
        fit_picture(axes, crop)
    highest = maps.max(axis=(1, 2))
    colours = [RIGHT if k == site else LEFT for k in range(sites)]
    peaks.bar(np.arange(sites), highest, color=colours, width=0.7)
    peaks.set(ylim=(0, 1.15 * max(float(highest.max()), 1e-6)))
    peaks.set(title="confidence: maximum of the heatmap")
    peaks.set_yticks([0, round(float(highest.max()), 1)])
    short = [str(title).split()[0] if sites > 2 else str(title) for title in numbers["titles"]]
    ticks = ["\n".join([title, *_off(error)]) for title, error in zip(short, errors, strict=True)]
    peaks.set_xticks(np.arange(sites), ticks)
    return figure


def _off(error: float, unit: str = "") -> list[str]:
    """How far off a joint is, in words; none where nobody has labelled it."""
    return [] if np.isnan(error) else [f"{error:.2f}{unit} off"]


def every_heatmap(
    numbers: dict[str, np.ndarray], image: int = 0, site: int = -1, columns: int = 8
) -> Figure:
    """All joints of one person at one supervised site, each heatmap over the crop with its maximum;
    one scale of colours.

    The numbers of `one_heatmap`. Site -1 is the last.
    """
    crop, maps = numbers["images"][image], numbers["maps"][image, site].astype(np.float32)
    figure, panels = panel_grid(-(-len(maps) // columns), columns, extra=0.5)
    used, points = first_panels(panels, len(maps)), numbers["found"][image, site]
    for axes, name, heat, point in zip(used, numbers["names"], maps, points, strict=True):
        bar = draw_heat(axes, crop, heat, maps.max())
        axes.scatter(*point, **FOUND | {"s": 25, "linewidths": 1.2})
        axes.set_title(name, fontsize=8)
        axes.set_xlabel(f"peak {heat.max():.1f}", fontsize=7, labelpad=2)
        fit_picture(axes, crop)
    figure.colorbar(bar, ax=used, shrink=0.8, aspect=25, label="heatmap value")
    return figure


def gallery(numbers: dict[str, np.ndarray], columns: int = 6) -> Figure:
    """Skeletons on crops, the person's left side blue, the right side red.

    `images` (N, S, S, 3) uint8; `points` (N, J, 2); `skeleton`, its name; optional `truth` (N, J,
    2), drawn as rings, and `rows`, a name for each row.
    """
    images, skeleton = numbers["images"], SKELETONS[str(numbers["skeleton"])]
    figure, panels = panel_grid(-(-len(images) // columns), columns, width=WIDTH)
    for i, axes in enumerate(first_panels(panels, len(images))):
        show(axes, images[i])
        draw_pose(axes, numbers["points"][i], skeleton)
        if "truth" in numbers:
            axes.scatter(*numbers["truth"][i].T, **TRUTH | {"s": 25, "linewidths": 1})
    for axes, name in zip(panels[:, 0], numbers.get("rows", ()), strict=False):
        axes.set_ylabel(name)
    return figure


def truth_and_pose(numbers: dict[str, np.ndarray], columns: int = 4) -> Figure:
    """R-fig6, R-fig9 and H-fig5: of each person the labels and, beside them, the pose that is
    found, with how many of its joints are right; a ring round each that is not.

    `images` (N, S, S, 3) uint8; `truth` and `points` (N, J, 2); `right` and `labelled` (N, J) bool;
    `skeleton`, its name. The person's left side is blue, the right side red; `columns` people to a
    row.
    """
    images, skeleton = numbers["images"], SKELETONS[str(numbers["skeleton"])]
    rows = -(-len(images) // columns)
    figure, panels = panel_grid(rows, 2 * columns, width=WIDTH, extra=0.22 * rows + 0.2)
    used = first_panels(panels, 2 * len(images))
    for i, (truth, found) in enumerate(zip(used[::2], used[1::2], strict=True)):
        labelled, right = numbers["labelled"][i], numbers["right"][i]
        for axes, points in ((truth, numbers["truth"][i]), (found, numbers["points"][i])):
            show(axes, images[i])
            draw_pose(axes, points, skeleton, width=1.4)
        found.scatter(*numbers["points"][i][labelled & ~right].T, **WRONG)
        found.set_xlabel(f"{right.sum()} of {labelled.sum()} right", labelpad=2)
        truth.set_xlabel("labels", labelpad=2)
    ring = found.scatter([], [], **WRONG)
    figure.legend([ring], ["not within the threshold"], loc="outside lower center")
    return figure


def targets_and_weights(numbers: dict[str, np.ndarray]) -> Figure:
    """What the loss wants, above, and how much each of its pixels counts, below: `maps` and
    `weights` (K, H, W), `names` (K,) of the columns.

    Optional `image` (S, S, 3) uint8 or `images` (K, S, S, 3) lies under the targets. R sec. II-E's
    three policies are drawn by it too.
    """
    maps, weights = numbers["maps"].astype(np.float32), numbers["weights"].astype(np.float32)
    figure, panels = panel_grid(2, len(maps), width=min(WIDTH, 2.3 * len(maps) + 1), extra=0.1)
    images = numbers.get("images", [numbers.get("image")] * len(maps))
    for k, (name, image) in enumerate(zip(numbers["names"], images, strict=True)):
        panels[0, k].set_title(name)
        if image is None:
            target = panels[0, k].imshow(maps[k], cmap=HEAT, vmin=0, vmax=maps.max())
        else:
            target = draw_heat(panels[0, k], image, maps[k], maps.max())
        weight = panels[1, k].imshow(weights[k], cmap="cividis", vmin=0, vmax=max(1, weights.max()))
    panels[0, 0].set_ylabel("target")
    panels[1, 0].set_ylabel("weight in the loss")
    figure.colorbar(target, ax=panels[0].tolist(), shrink=0.9, aspect=15, label="heatmap value")
    figure.colorbar(weight, ax=panels[1].tolist(), shrink=0.9, aspect=15, label="weight")
    return figure


def targets_close(numbers: dict[str, np.ndarray], reach: int = 4) -> Figure:
    """What a network is told, above, over the crop, and below cell by cell, `reach` of them to
    either side of the joint: `maps` (K, H, W) over `image` (S, S, 3) uint8, with their `names`.

    A map that is zero everywhere is shown about its middle.
    """
    maps, image = numbers["maps"].astype(np.float32), numbers["image"]
    figure, panels = panel_grid(2, len(maps), width=min(WIDTH, 2.2 * len(maps)), extra=0.4)
    for k, (above, below) in enumerate(panels.T):
        heat, there = maps[k], maps[k].max() > 0
        y, x = np.unravel_index(heat.argmax(), heat.shape) if there else np.array(heat.shape) // 2
        zoom = image.shape[0] / heat.shape[0]
        draw_heat(above, image, heat, maps.max())
        edge = (x - reach) * zoom - 0.5, (y - reach) * zoom - 0.5
        side = (2 * reach + 1) * zoom
        above.add_patch(Rectangle(edge, side, side, fill=False, ec="#56B4E9", lw=1.4))
        above.set_title(numbers["names"][k] if there else f"{numbers['names'][k]}: not annotated")
        fit_picture(above, image)
        below.imshow(heat, cmap=HEAT, vmin=0, vmax=maps.max())
        below.set(xlim=(x - reach - 0.5, x + reach + 0.5), ylim=(y + reach + 0.5, y - reach - 0.5))
        _values(below, heat, (x, y), reach, maps.max())
        below.set_xlabel(f"sum of the map {heat.sum():.2f}", labelpad=2)
    panels[0, 0].set_ylabel("the target")
    panels[1, 0].set_ylabel("its cells")
    return figure


def _values(axes: Axes, heat: np.ndarray, middle: tuple, reach: int, top: float) -> None:
    """The number of each cell of a heatmap about `middle`, written into it."""
    for x in range(middle[0] - reach, middle[0] + reach + 1):
        for y in range(middle[1] - reach, middle[1] + reach + 1):
            if 0 <= x < heat.shape[1] and 0 <= y < heat.shape[0]:
                value = float(heat[y, x])
                text = "0" if value < 0.005 else f"{value:.2f}".lstrip("0")
                colour = "black" if value > 0.6 * top else "white"
                axes.text(x, y, text, color=colour, fontsize=6, ha="center", va="center")


def draw_heat(axes: Axes, image: np.ndarray, heat: np.ndarray, top: float) -> ScalarMappable:
    """A heatmap (H, W) over its darkened grey crop (S, S, 3) uint8: 0 is transparent, `top` opaque.
    Returns what a colour bar needs."""
    bar = ScalarMappable(Normalize(0, max(float(top), 1e-6)), HEAT)
    share = np.clip(np.nan_to_num(heat.astype(np.float32)) / bar.norm.vmax, 0, 1)
    share = cv2.resize(share, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    share = np.clip(share, 0, 1)
    colour = bar.get_cmap()(share[..., 0])[..., :3]
    grey = 0.55 / 255 * image.mean(axis=-1, keepdims=True)
    axes.imshow(share**0.6 * colour + (1 - share**0.6) * grey)
    return bar


def draw_pose(axes: Axes, points: np.ndarray, skeleton: Skeleton, width: float = 2.0) -> None:
    """Limbs coloured by the person's side and a dot at each joint, of points (J, 2)."""
    for limb in skeleton.limbs:
        ends, colour = points[list(limb)].T, side_colour([skeleton.joints[j] for j in limb])
        axes.plot(*ends, color="black", linewidth=width + 1.2, solid_capstyle="round", alpha=0.6)
        axes.plot(*ends, color=colour, linewidth=width, solid_capstyle="round")
    dot = {"color": "white", "edgecolors": "black", "linewidths": 0.5}
    axes.scatter(*points.T, s=3 * width**1.5, zorder=3, **dot)


def side_colour(joints: list[str]) -> str:
    """Blue for a limb of the person's left side, red for the right, grey between them."""
    sides = {joint.split("_")[0] for joint in joints} & {"left", "right"}
    return MIDDLE if len(sides) != 1 else LEFT if "left" in sides else RIGHT


def panel_grid(
    rows: int, columns: int, width: float = WIDTH, extra: float = 0.0, shape: float = 1.0
) -> tuple[Figure, np.ndarray]:
    """A figure of panels (rows, columns) without ticks, `shape` times as high as wide, and `extra`
    inches of height for what is written around."""
    figure = Figure(figsize=(width, width * shape * rows / columns + extra), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        bare(axes)
    return figure, panels


def first_panels(panels: np.ndarray, count: int) -> list[Axes]:
    """The first `count` panels; the others are removed."""
    for axes in panels.flat[count:]:
        axes.remove()
    return panels.flat[:count].tolist()


def bare(axes: Axes) -> None:
    """No ticks and no frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def show(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """A crop and nothing around it but a title."""
    axes.imshow(image)
    bare(axes)
    fit_picture(axes, image)
    axes.set_title(title)


def fit_picture(axes: Axes, image: np.ndarray) -> None:
    """Only the crop: a limb that leaves it is cut."""
    axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))


def key(figure: Figure | SubFigure, axes: Axes, *more: tuple[str, dict]) -> None:
    """What the ring, the cross and `more` marks are, below a figure of which `axes` is a panel."""
    known = (("where the joint is labelled", TRUTH), ("maximum of the heatmap", FOUND), *more)
    frame = {"frameon": True, "facecolor": BACKDROP, "labelcolor": "white", "edgecolor": "none"}
    space = {"columnspacing": 1, "handletextpad": 0.2}
    marks, names = [axes.scatter([], [], **mark) for _, mark in known], [name for name, _ in known]
    figure.legend(marks, names, loc="outside lower center", ncols=len(known), **frame, **space)
