"""Sliders for a reader at the notebook: the same pictures as the figures, of the sample that the reader picks.

A widget redraws an ipywidgets.Image. It never captures output: nbclient, which papermill runs on, sometimes waits forever for a cell that
holds an Output widget (jupyter/nbclient issue 312), so `interact` and its kin have no place here.
"""

import io
from collections.abc import Callable

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from paperlib.show import pictures
from paperlib.show.style import house_style


def heatmap_explorer(numbers: dict[str, np.ndarray]) -> ipywidgets.Widget:
    """Image, joint and iteration to choose from. The numbers of `pictures.iterations`, but with every joint: `maps` (N, K, J, H, W),
    `truth` (N, J, 2), `found` (N, K, J, 2), `error` (N, K, J) and `names` (J,)."""

    def draw(image: int, joint: int, site: int) -> Figure:
        rows = slice(image, image + 1)
        one = {"names": numbers["names"][[joint]], "titles": numbers["titles"][[site]], "images": numbers["images"][rows], "unit": numbers["unit"]}
        one |= {"truth": numbers["truth"][rows, joint]}
        one |= {name: numbers[name][rows, site : site + 1, joint] for name in ("maps", "found", "error")}
        return pictures.iterations(one)

    sites = [(title, k) for k, title in enumerate(numbers["titles"])]
    return explorer(
        draw,
        image=ipywidgets.IntSlider(0, 0, len(numbers["images"]) - 1),
        joint=ipywidgets.Dropdown(options=[(name, j) for j, name in enumerate(numbers["names"])]),
        site=ipywidgets.SelectionSlider(options=sites, value=len(sites) - 1),
    )


def explorer(draw: Callable[..., Figure], **controls: ipywidgets.Widget) -> ipywidgets.Widget:
    """The controls above the picture that `draw` makes of their values, drawn again whenever one of them moves."""
    picture = ipywidgets.Image(format="png", layout={"max_width": "720px", "object_fit": "contain"})

    def redraw(_=None) -> None:
        buffer = io.BytesIO()
        with house_style():
            draw(**{name: control.value for name, control in controls.items()}).savefig(buffer, format="png", dpi=110)
        picture.value = buffer.getvalue()

    for name, control in controls.items():
        control.description = name
        control.observe(redraw, "value")
    redraw()
    return ipywidgets.VBox([*controls.values(), picture])
