"""Pictures of people: crops, heatmaps laid over them, and skeletons.

The draw functions are pure: a dict of arrays, as an .npz holds it, gives one Figure. Points are
crop px; a heatmap covers its crop whatever its stride; a point that is NaN is not drawn.
"""

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from companion.figures.checks import within
from companion.figures.style import HEAT, LEFT, MIDDLE, RIGHT
from paperlib.skeleton import SKELETONS, Skeleton

TRUTH = {"marker": "o", "s": 70, "facecolors": "none", "edgecolors": "#56B4E9", "linewidths": 1.6}
FOUND = {"marker": "x", "s": 45, "color": "#FFFFFF", "linewidths": 1.6}
BACKDROP = "#3A3A3A"  # behind the white crosses of a legend
WIDTH = 9.0  # inches: the width of a notebook's column


def heatmap_overview(numbers: dict[str, np.ndarray]) -> Figure:
    """R-fig1: (a) all keypoint heatmaps, (b) all body-part heatmaps, (c) both, (d) the keypoints
    that come out.

    `image` (S, S, 3) uint8; `keypoints` (J, H, W) and `parts` (P, H, W), the highest at each place
    is drawn, in shares of the highest of all; `points` (J, 2); `skeleton`, its name.
    """
    highest = {name: max(float(numbers[name].max()), 1e-6) for name in ("keypoints", "parts")}
    keypoints, parts = (
        numbers[name].astype(np.float32).max(axis=0) / top for name, top in highest.items()
    )
    titles = (
        f"(a) keypoints, up to {highest['keypoints']:.1f}",
        f"(b) body parts, up to {highest['parts']:.1f}",
        "(c) superimposed",
    )
    figure, panels = panel_grid(1, 4, extra=0.55)
    for axes, heat, title in zip(
        panels[0], (keypoints, parts, np.maximum(keypoints, parts)), titles, strict=False
    ):
        bar = draw_heat(axes, numbers["image"], heat, 1)
        axes.set_title(title)
    axes = panels[0, 3]
    axes.imshow(numbers["image"])
    draw_pose(axes, numbers["points"], SKELETONS[str(numbers["skeleton"])])
    axes.set_title("(d) keypoint prediction")
    fit_picture(axes, numbers["image"])
    figure.colorbar(
        bar,
        ax=panels[0].tolist(),
        orientation="horizontal",
        shrink=0.4,
        aspect=40,
        label="heatmap value / the highest of its kind",
    )
    return figure


def iterations(numbers: dict[str, np.ndarray]) -> Figure:
    """R-fig2 and R-fig5: one joint of each of N samples, its heatmap at each of K supervised sites.
    A row has one scale of colours.

    `images` (N, S, S, 3) uint8; `maps` (N, K, H, W); `truth` (N, 2); `found` (N, K, 2); `error` (N,
    K), written below in units of `unit`; `names` (N,) of the rows; `titles` (K,) of the sites.
    """
    return _heatmap_rows(numbers)[0]


def occluded_joint(numbers: dict[str, np.ndarray]) -> Figure:
    """R-fig4 and R-fig8: an occluded joint of each of N samples: what hides it, the whole pose that
    the first of K models finds, and the joint's heatmap in each of them.

    As `iterations`, with models in the place of sites, and `poses` (N, J, 2) of `skeleton`, its
    name. A row has one scale of colours.
    """
    images, maps = numbers["images"], numbers["maps"].astype(np.float32)
    titles = ("what hides it, twice as large", f"pose, {numbers['titles'][0]}", *numbers["titles"])
    figure, panels = panel_grid(len(images), len(titles), extra=0.1 * len(images) + 0.42)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title)
    for i, (first, second, *heated) in enumerate(panels):
        first.imshow(images[i])
        second.imshow(images[i])
        draw_pose(second, numbers["poses"][i], SKELETONS[str(numbers["skeleton"])], width=1.8)
        first.set_ylabel(str(numbers["names"][i]))
        for k, axes in enumerate(heated):
            draw_heat(axes, images[i], maps[i, k], maps[i].max())
            axes.scatter(*numbers["found"][i, k], **FOUND)
            off = f"{numbers['error'][i, k]:.2f} {numbers['unit']} off"
            axes.set_xlabel(f"{off}, peak {maps[i, k].max():.1f}", fontsize=8, labelpad=2)
        for axes in panels[i]:
            axes.scatter(*numbers["truth"][i], **TRUTH)
            fit_picture(axes, images[i])
        _look_closer(first, images[i], numbers["truth"][i])
    _key(figure)
    return figure


def _look_closer(axes: Axes, image: np.ndarray, point: np.ndarray) -> None:
    """The half of a picture's width and height that is about a point."""
    half = (image.shape[0] - 1) / 4
    x, y = np.clip(np.nan_to_num(point), half, image.shape[0] - 1 - half)
    axes.set(xlim=(x - half, x + half), ylim=(y + half, y - half))


def _heatmap_rows(numbers: dict[str, np.ndarray]) -> tuple[Figure, np.ndarray]:
    """A row a sample: the crop, then a column a heatmap, with its maximum, the label, and how far
    apart they are."""
    images, maps = numbers["images"], numbers["maps"].astype(np.float32)
    columns = 1 + maps.shape[1]
    figure, panels = panel_grid(
        len(images), columns, width=min(7.0, 2.4 * columns), extra=0.1 * len(images) + 0.42
    )
    for axes, title in zip(panels[0], ("crop", *numbers["titles"]), strict=True):
        axes.set_title(title)
    for i, row in enumerate(panels):
        row[0].imshow(images[i])
        row[0].set_ylabel(numbers["names"][i])
        for k, axes in enumerate(row[1:]):
            draw_heat(axes, images[i], maps[i, k], maps[i].max())
            axes.scatter(*numbers["found"][i, k], **FOUND)
            axes.set_xlabel(
                f"{numbers['error'][i, k]:.2f} {numbers['unit']} off, peak {maps[i, k].max():.1f}",
                fontsize=7,
                labelpad=2,
            )
        for axes in row:
            axes.scatter(*numbers["truth"][i], **TRUTH)
            fit_picture(axes, images[i])
    _key(figure)
    return figure, panels


def one_heatmap(
    numbers: dict[str, np.ndarray],
    image: int = 0,
    joint: int = 0,
    site: int = -1,
    overlay: bool = True,
) -> Figure:
    """One joint of one person at one supervised site: the pose there, the joint's heatmap with its
    maximum, and how sure each site is.

    As `iterations`, but with every joint: `maps` (N, K, J, H, W), `truth` (N, J, 2), `found` (N, K,
    J, 2), `error` (N, K, J), NaN where there is no label, `names` (J,). Site -1 is the last. The
    heatmap is laid over the crop unless `overlay` is false; all sites of a joint share one scale of
    colours.
    """
    people, sites, joints = numbers["error"].shape
    for what, value, low, high in (
        ("image", image, 0, people - 1),
        ("joint", joint, 0, joints - 1),
        ("site", site, -1, sites - 1),
    ):
        within(what, value, low, high)
    site %= sites
    crop, maps, errors = (
        numbers["images"][image],
        numbers["maps"][image, :, joint].astype(np.float32),
        numbers["error"][image, :, joint],
    )
    figure, panels = panel_grid(1, 3, extra=0.2)
    pose, heat, peaks = panels[0]
    pose.imshow(crop)
    draw_pose(pose, numbers["found"][image, site], SKELETONS[str(numbers["skeleton"])], width=1.5)
    pose.set_title(f"pose at {numbers['titles'][site]}")
    if overlay:
        bar = draw_heat(heat, crop, maps[site], maps.max())
    else:
        edges = (-0.5, crop.shape[1] - 0.5, crop.shape[0] - 0.5, -0.5)
        bar = heat.imshow(
            maps[site], cmap=HEAT, vmin=0, vmax=max(float(maps.max()), 1e-6), extent=edges
        )
    heat.scatter(*numbers["found"][image, site, joint], **FOUND)
    heat.set_title(": ".join([numbers["names"][joint], *_off(errors[site], f" {numbers['unit']}")]))
    figure.colorbar(bar, ax=heat, shrink=0.8, aspect=20, label="heatmap value")
    for axes in (pose, heat):
        axes.scatter(*numbers["truth"][image, joint], **TRUTH)
        fit_picture(axes, crop)
    highest = maps.max(axis=(1, 2))
    peaks.bar(
        np.arange(sites),
        highest,
        color=[RIGHT if k == site else LEFT for k in range(sites)],
        width=0.7,
    )
    peaks.set(
        ylim=(0, 1.15 * max(float(highest.max()), 1e-6)), title="confidence: maximum of the heatmap"
    )
    peaks.set_yticks([0, round(float(highest.max()), 1)])
    short = [str(title).split()[0] if sites > 2 else str(title) for title in numbers["titles"]]
    peaks.set_xticks(
        np.arange(sites),
        ["\n".join([title, *_off(error)]) for title, error in zip(short, errors, strict=True)],
    )
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
    crop, maps, points = (
        numbers["images"][image],
        numbers["maps"][image, site].astype(np.float32),
        numbers["found"][image, site],
    )
    figure, panels = panel_grid(-(-len(maps) // columns), columns, extra=0.5)
    used, unused = panels.flat[: len(maps)].tolist(), panels.flat[len(maps) :]
    for axes in unused:
        axes.remove()
    for axes, name, heat, point in zip(used, numbers["names"], maps, points, strict=True):
        bar = draw_heat(axes, crop, heat, maps.max())
        axes.scatter(*point, **FOUND | {"s": 25, "linewidths": 1.2})
        axes.set_title(name, fontsize=8)
        axes.set_xlabel(f"peak {heat.max():.1f}", fontsize=7, labelpad=2)
        fit_picture(axes, crop)
    figure.colorbar(bar, ax=used, shrink=0.8, aspect=25, label="heatmap value")
    return figure


def gallery(numbers: dict[str, np.ndarray], columns: int = 6) -> Figure:
    """R-fig6, R-fig9 and H-fig5: skeletons on crops, the person's left side blue, the right side
    red.

    `images` (N, S, S, 3) uint8; `points` (N, J, 2); `skeleton`, its name; optional `truth` (N, J,
    2), drawn as rings.
    """
    images, skeleton = numbers["images"], SKELETONS[str(numbers["skeleton"])]
    figure, panels = panel_grid(-(-len(images) // columns), columns, width=8)
    for axes in panels.flat[len(images) :]:
        axes.remove()
    for i, axes in enumerate(panels.flat[: len(images)]):
        axes.imshow(images[i])
        draw_pose(axes, numbers["points"][i], skeleton)
        if "truth" in numbers:
            axes.scatter(*numbers["truth"][i].T, **TRUTH | {"s": 25, "linewidths": 1})
        fit_picture(axes, images[i])
    return figure


def targets_and_weights(numbers: dict[str, np.ndarray]) -> Figure:
    """What the loss wants, above, and how much each of its pixels counts, below: `maps` and
    `weights` (K, H, W), `names` (K,) of the columns.

    Optional `image` (S, S, 3) uint8 or `images` (K, S, S, 3) lies under the targets. R sec. II-E's
    three policies are drawn by it too.
    """
    maps, weights = numbers["maps"].astype(np.float32), numbers["weights"].astype(np.float32)
    figure, panels = panel_grid(2, len(maps), width=min(WIDTH, 2.3 * len(maps) + 1), extra=0.1)
    images = (
        numbers["images"]
        if "images" in numbers
        else [numbers["image"]] * len(maps)
        if "image" in numbers
        else None
    )
    for k, name in enumerate(numbers["names"]):
        panels[0, k].set_title(name)
        if images is None:
            target = panels[0, k].imshow(maps[k], cmap=HEAT, vmin=0, vmax=maps.max())
        else:
            target = draw_heat(panels[0, k], images[k], maps[k], maps.max())
        weight = panels[1, k].imshow(weights[k], cmap="cividis", vmin=0, vmax=max(1, weights.max()))
    panels[0, 0].set_ylabel("target")
    panels[1, 0].set_ylabel("weight in the loss")
    figure.colorbar(target, ax=panels[0].tolist(), shrink=0.9, aspect=15, label="heatmap value")
    figure.colorbar(weight, ax=panels[1].tolist(), shrink=0.9, aspect=15, label="weight")
    return figure


def draw_heat(axes: Axes, image: np.ndarray, heat: np.ndarray, top: float) -> ScalarMappable:
    """A heatmap (H, W) over its darkened grey crop (S, S, 3) uint8: 0 is transparent, `top` opaque.
    Returns what a colour bar needs."""
    bar = ScalarMappable(Normalize(0, max(float(top), 1e-6)), HEAT)
    share = np.clip(np.nan_to_num(heat.astype(np.float32)) / bar.norm.vmax, 0, 1)
    share = cv2.resize(share, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    colour, grey = (
        bar.get_cmap()(share[..., 0])[..., :3],
        0.55 / 255 * image.mean(axis=-1, keepdims=True),
    )
    axes.imshow(share**0.6 * colour + (1 - share**0.6) * grey)
    return bar


def draw_pose(axes: Axes, points: np.ndarray, skeleton: Skeleton, width: float = 2.0) -> None:
    """Limbs coloured by the person's side and a dot at each joint, of points (J, 2)."""
    for limb in skeleton.limbs:
        ends, colour = points[list(limb)].T, _side_colour([skeleton.joints[j] for j in limb])
        axes.plot(*ends, color="black", linewidth=width + 1.2, solid_capstyle="round", alpha=0.6)
        axes.plot(*ends, color=colour, linewidth=width, solid_capstyle="round")
    axes.scatter(
        *points.T, s=3 * width**1.5, color="white", edgecolors="black", linewidths=0.5, zorder=3
    )


def _side_colour(joints: list[str]) -> str:
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
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure, panels


def fit_picture(axes: Axes, image: np.ndarray) -> None:
    """Only the crop: a limb that leaves it is cut."""
    axes.set(xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))


def _key(figure: Figure) -> None:
    """What the ring and the cross are."""
    axes = figure.axes[0]
    marks = [axes.scatter([], [], **TRUTH), axes.scatter([], [], **FOUND)]
    figure.legend(
        marks,
        ["where the joint is labelled", "maximum of the heatmap"],
        loc="outside lower center",
        ncols=2,
        frameon=True,
        facecolor=BACKDROP,
        labelcolor="white",
        edgecolor="none",
    )
