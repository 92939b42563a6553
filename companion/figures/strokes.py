"""The few strokes that the architecture diagrams are made of. Units are inches; (0, 0) is where the
main line of a drawing begins."""

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

INK, FRAME = "#333333", "#888888"
NARROW, SMALL, LARGE = "#DADADA", "#BBDDF3", "#F6CF8E"  # convolutions of 1 px, of 3 px, and wider
HEATMAP, LOSS = "#C9E8D9", "#C62F2F"


def sheet(width: float, height: float, bottom: float) -> tuple[Figure, Axes]:
    """An empty sheet of so many inches, with y = 0 at -`bottom` above its lower edge."""
    figure = plt.figure(figsize=(width, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(bottom, bottom + height), aspect="equal")
    ax.axis("off")
    return figure, ax


def tall(side: float) -> float:
    """Inches for a map of `side` px: the square root, so that 4 px can be seen beside 256."""
    return 0.115 * side**0.5


def shade(kernel: int) -> str:
    return NARROW if kernel <= 1 else SMALL if kernel == 3 else LARGE


def box(
    ax: Axes,
    corner: tuple[float, float],
    extent: tuple[float, float],
    colour: str,
    text: str = "",
    border: tuple[str, float] = (INK, 0.8),
    **writing,
):
    """A box of `extent`, width and height, with its left edge at x and its middle at y of `corner`;
    `border` is a colour and a line width."""
    (x, y), (width, height) = corner, extent
    look = {"facecolor": colour, "edgecolor": border[0], "lw": border[1], "zorder": 2}
    ax.add_patch(Rectangle((x, y - height / 2), width, height, **look))
    write(ax, x + width / 2, y, text, zorder=3, **writing)


def conv(row) -> str:
    """A convolution in words: its kernel, and the maps that it gives."""
    return f"{row.kernel}x{row.kernel}, {row.outputs}"


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = INK):
    head = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops={"color": colour, "lw": 0.9, **head}, zorder=1.5)


def line(
    ax: Axes, *points: tuple[float, float], to: tuple[float, float] | None = None, colour: str = INK
):
    """Straight pieces through `points`, with an arrow head at `to` if given."""
    points = points if to is None else (*points, to)
    ax.plot(*zip(*points, strict=True), color=colour, lw=0.9, solid_capstyle="butt", zorder=1)
    if to is not None:
        arrow(ax, points[-2], to, colour)


def junction(ax: Axes, x: float, y: float, kind: str = "add", radius: float = 0.09):
    """A circle with a plus (addition) or a cross (concatenation, R's symbol)."""
    ax.add_patch(Circle((x, y), radius, facecolor="white", edgecolor=INK, lw=0.9, zorder=4))
    a = radius if kind == "add" else radius * 0.7
    strokes = ([-a, a], [0, 0]), ([0, 0], [-a, a])
    if kind != "add":
        strokes = ([-a, a], [-a, a]), ([-a, a], [a, -a])
    for dx, dy in strokes:
        ax.plot([x + d for d in dx], [y + d for d in dy], color=INK, lw=0.9, zorder=5)


def loss(ax: Axes, x: float, y: float, text: str = ""):
    ax.add_patch(Circle((x, y), 0.055, facecolor=LOSS, edgecolor="none", zorder=4))
    write(ax, x, y - 0.16, text, color=LOSS)


def write(ax: Axes, x: float, y: float, text: str, size: float = 8, ha: str = "center", **options):
    look = {"color": INK, "linespacing": 1.15} | options
    ax.text(x, y, text, fontsize=size, ha=ha, va="center", **look)


def notes(ax: Axes, y: float, *lines: str):
    """Lines of text under a drawing, the first at `y`."""
    for number, note in enumerate(lines):
        write(ax, 0.12, y - 0.17 * number, note, ha="left")
