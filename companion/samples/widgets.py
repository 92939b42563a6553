"""Sliders for a reader at the notebook: the same pictures as the figures, of the sample and the
setting that the reader picks.

Every widget is `explorer` over a pure draw function of stored numbers: nothing is trained to move a
slider, and the figure that the notebook saves is the same function at the same position. A widget
redraws an ipywidgets.Image. It never captures output: nbclient, which papermill runs on, sometimes
waits forever for a cell that holds an Output widget (jupyter/nbclient issue 312), so `interact` and
its kin have no place here.
"""

import io
from collections.abc import Callable

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from companion.figures import (
    microscope,
    pictures,
    playground,
    receptive_fields,
    training,
    two_people,
)
from companion.figures.style import house_style
from companion.runs.study import Study
from companion.samples.training import watch_it_learn
from companion.samples.without_kernel import heatmap_states, playground_states

Numbers = dict[str, np.ndarray] | pd.DataFrame


class Explorer(ipywidgets.VBox):
    """Controls above a picture; where no kernel runs, the HTML `states` in their place."""

    states = ""

    def _repr_mimebundle_(self, **how):
        shown = super()._repr_mimebundle_(**how)
        return shown | ({"text/html": self.states} if self.states else {})


def explorer(
    draw: Callable[..., Figure], numbers: Numbers, states: str = "", **controls: ipywidgets.Widget
) -> Explorer:
    """The controls above the picture `draw(numbers, name=value, ...)`, drawn again whenever one of
    them moves; `states` as `without_kernel` makes them."""
    picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})

    def redraw(_=None) -> None:
        picture.value = drawn(
            draw, numbers, **{name: control.value for name, control in controls.items()}
        )

    for name, control in controls.items():
        control.description = control.description or name.rstrip("_")
        control.observe(redraw, "value")
    redraw()
    view = Explorer([*controls.values(), picture])
    view.states = states
    return view


def drawn(draw: Callable[..., Figure], numbers: Numbers, **position) -> bytes:
    """The PNG of `draw(numbers, **position)` in the house style."""
    buffer = io.BytesIO()
    with house_style():
        figure = draw(numbers, **position)
        figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return buffer.getvalue()


def heatmap_explorer(
    numbers: dict[str, np.ndarray], joint: int = 0, people: int = 6
) -> ipywidgets.VBox:
    """Image, of several, joint and site, an iteration or a stack, of the numbers of
    `samples.every_joint`; `joint` is where it opens. Without a kernel the first `people` are
    there."""
    sites, images = (
        [(str(title), k) for k, title in enumerate(numbers["titles"])],
        len(numbers["images"]),
    )
    several = {"image": ipywidgets.IntSlider(0, 0, images - 1)} if images > 1 else {}
    return explorer(
        pictures.one_heatmap,
        numbers,
        heatmap_states(numbers, joint, people),
        **several,
        joint=_named(numbers["names"], joint),
        site=ipywidgets.SelectionSlider(
            options=sites, value=len(sites) - 1, layout={"width": "420px"}
        ),
        overlay=ipywidgets.Checkbox(True, description="over the crop"),
    )


def target_playground(numbers: dict[str, np.ndarray]) -> ipywidgets.VBox:
    """Every setting of R's targets and weights, of the numbers of
    `playground.person_to_play_with`."""
    codec = playground.PAPER
    return explorer(
        playground.playground,
        numbers,
        playground_states(numbers),
        what=ipywidgets.Dropdown(options=playground.choices(numbers)),
        sigma=_slider(codec.sigma, 0.5, 4, 0.1),
        peak=_slider(codec.peak, 1, 20, 1),
        along=_slider(codec.along, 0.05, 0.5, 0.01),
        across=_slider(codec.across, 0.02, 0.3, 0.01),
        occluded=ipywidgets.Dropdown(options=playground.POLICIES),
        weights=ipywidgets.Dropdown(options=playground.WEIGHTS),
    )


def metric_microscope(numbers: pd.DataFrame) -> ipywidgets.VBox:
    """Convention, threshold, normaliser, joints and visibility, of the numbers of
    `microscope.shipped_counts`."""
    return explorer(
        microscope.microscope,
        numbers,
        convention_=ipywidgets.Dropdown(options=microscope.NAMES),
        threshold=_slider(0.5, 0.01, float(microscope.FINEST[-1]), 0.01),
        normaliser=ipywidgets.Dropdown(options=microscope.NORMALISERS),
        group=ipywidgets.Dropdown(options=microscope.GROUPS),
        state=ipywidgets.Dropdown(options=microscope.STATES),
    )


def receptive_field_viewer(numbers: dict[str, np.ndarray], joint: int = 0) -> ipywidgets.VBox:
    """Layer and joint, of the numbers of `fields.fields_on_person`; `joint` is where it opens."""
    taps = [(str(name), k) for k, name in enumerate(numbers["layers"])]
    layer = ipywidgets.SelectionSlider(options=taps, value=len(taps) - 1, layout={"width": "420px"})
    return explorer(
        receptive_fields.receptive_fields,
        numbers,
        layer=layer,
        joint=_named(numbers["names"], joint),
    )


def two_people_slider(numbers: dict[str, np.ndarray]) -> ipywidgets.VBox:
    """The pair, and the crop's place and size, of the numbers of `two_people.whose_pose_grid`."""
    places = [(f"{place:.2f}", k) for k, place in enumerate(numbers["positions"])]
    zooms = [(f"{zoom:g}", k) for k, zoom in enumerate(numbers["zooms"])]
    return explorer(
        two_people.shifted_crop,
        numbers,
        pair=ipywidgets.Dropdown(
            options=[(f"pair {row}", k) for k, row in enumerate(numbers["rows"])]
        ),
        position=ipywidgets.SelectionSlider(options=places, description="shift"),
        zoom=ipywidgets.SelectionSlider(
            options=zooms, value=int(np.argmin(np.abs(numbers["zooms"] - 1)))
        ),
    )


def learning_view(study: Study) -> ipywidgets.VBox:
    """The looks at a network that learns, and a button that trains it again, its picture following
    as it goes."""
    numbers = watch_it_learn(study)
    last = len(numbers["step"]) - 1
    look = ipywidgets.IntSlider(last, 0, last)
    view = explorer(training.learning, numbers, look=look)
    again = ipywidgets.Button(description="train it again", icon="play")

    def follow(so_far: dict[str, np.ndarray]) -> None:
        view.children[-1].value = drawn(training.learning, so_far)

    def train(_) -> None:
        again.disabled = look.disabled = True
        try:
            numbers.update(watch_it_learn(study, again=True, looked=follow))
        finally:
            again.disabled = look.disabled = False

    again.on_click(train)
    view.children = (again, *view.children)
    return view


def _named(names: np.ndarray, start: int) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(
        options=[(str(name), k) for k, name in enumerate(names)], value=start
    )


def _slider(value: float, low: float, high: float, step: float) -> ipywidgets.FloatSlider:
    """Redraws where it is let go: a picture takes longer than a step of the mouse."""
    return ipywidgets.FloatSlider(value, min=low, max=high, step=step, continuous_update=False)
