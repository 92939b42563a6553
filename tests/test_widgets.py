"""Widgets, moved by code as a reader would move them."""

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from paperlib.show.widgets import explorer, heatmap_explorer


def every_widget(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every_widget(child)


def explorer_of_two_people():
    rng = np.random.default_rng(0)
    return heatmap_explorer(
        {
            "names": np.array(["left wrist", "right ankle"]),
            "titles": np.array(["8A", "8B", "8C"]),
            "images": rng.integers(0, 255, (2, 32, 32, 3), dtype=np.uint8),
            "maps": rng.random((2, 3, 2, 8, 8)).astype(np.float16),
            "truth": rng.random((2, 2, 2)) * 32,
            "found": rng.random((2, 3, 2, 2)) * 32,
            "error": rng.random((2, 3, 2)),
            "unit": np.array("heads"),
        }
    )


def test_each_control_of_the_heatmap_explorer_changes_the_picture():
    widget = explorer_of_two_people()
    *controls, picture = widget.children
    assert bytes(picture.value).startswith(b"\x89PNG")
    for control in controls:
        before = bytes(picture.value)
        control.value = 1
        assert bytes(picture.value) != before, control.description


def test_no_widget_captures_output():
    assert not any(isinstance(part, ipywidgets.Output) for part in every_widget(explorer_of_two_people()))


def test_explorer_draws_what_the_controls_say():
    seen = []

    def draw(x: int, name: str) -> Figure:
        seen.append((x, name))
        return Figure(figsize=(1, 1))

    slider, choice = ipywidgets.IntSlider(2, 0, 5), ipywidgets.Dropdown(options=["a", "b"])
    explorer(draw, x=slider, name=choice)
    slider.value, choice.value = 4, "b"
    assert seen == [(2, "a"), (4, "a"), (4, "b")]
