"""Sliders for a reader at the notebook: the same pictures as the figures, of the sample that the reader picks."""

import ipywidgets
import numpy as np
from IPython.display import display

from paperlib.show import pictures


def heatmap_explorer(numbers: dict[str, np.ndarray]) -> ipywidgets.Widget:
    """Image, joint and iteration to choose from. The numbers of `pictures.iterations`, but with every joint: `maps` (N, K, J, H, W),
    `truth` (N, J, 2), `found` (N, K, J, 2), `error` (N, K, J) and `names` (J,)."""

    def show(image: int, joint: int, site: int) -> None:
        rows = slice(image, image + 1)
        one = {"names": numbers["names"][[joint]], "titles": numbers["titles"][[site]], "images": numbers["images"][rows], "unit": numbers["unit"]}
        one |= {"truth": numbers["truth"][rows, joint]}
        one |= {name: numbers[name][rows, site : site + 1, joint] for name in ("maps", "found", "error")}
        display(pictures.iterations(one))

    sites = [(title, k) for k, title in enumerate(numbers["titles"])]
    return ipywidgets.interactive(
        show,
        image=ipywidgets.IntSlider(0, 0, len(numbers["images"]) - 1),
        joint=ipywidgets.Dropdown(options=[(name, j) for j, name in enumerate(numbers["names"])]),
        site=ipywidgets.SelectionSlider(options=sites, value=len(sites) - 1),
    )
