"""Widgets, moved by code as a reader would move them: each is a figure's own function, at the
position that the controls say."""

import base64
import inspect
import io
import json
import re

import ipywidgets
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from companion.artifacts.artifacts import read_csv, save_figure
from companion.drawn.synthetic import draw_pairs
from companion.figures import (
    microscope,
    pictures,
    playground,
    receptive_fields,
    training,
    two_people,
)
from companion.figures.alt import alt_text
from companion.samples import heatmaps as sampled
from companion.samples import training as samples_training
from companion.samples import widgets, without_kernel
from companion.samples.playground import person_to_play_with
from companion.samples.receptive_fields import RECURRENT, fields, fields_on_person, hourglass_taps
from companion.samples.stacks import whose_pose
from companion.samples.training import watch_it_learn
from companion.samples.two_people import whose_pose_grid
from companion.samples.widgets import drawn
from paperlib import PaperlibError
from paperlib.conventions import convention
from paperlib.models import Recurrent, StackedHourglass
from paperlib.models.complexity import receptive_field
from paperlib.score import score_file


@pytest.fixture(scope="module")
def heatmaps(tiny):
    crops = tiny.test_crops("recurrent")
    return sampled.every_joint(
        crops, np.array([0, 3]), sampled.site_names(4), tiny.trained("recurrent").model
    )


@pytest.fixture(scope="module")
def player(tiny):
    return person_to_play_with(tiny)


@pytest.fixture(scope="module")
def seen(tiny):
    table = pd.DataFrame({"layer": ["layer 1", "8A", "8B"], "field": [6, 40, 120]})
    return fields_on_person(table, 64, tiny.test_crops("recurrent"), 1)


@pytest.fixture(scope="module")
def two(tiny):
    codec = tiny.runs["hourglass"].codec
    return whose_pose_grid(
        tiny.trained("hourglass").model,
        draw_pairs(2, codec.side, seed=0),
        np.array([0, 1]),
        codec,
        tiny.device,
    )


@pytest.fixture(scope="module", autouse=True)
def a_short_training():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples_training, "STEPS", 20)
        patch.setattr(samples_training, "LOOKS", 4)
        yield


@pytest.fixture(scope="module")
def every(tiny, heatmaps, player, seen, two):
    """Each widget's function, its numbers and the widget."""
    counts = microscope.shipped_counts()
    return {
        "heatmap": (pictures.one_heatmap, heatmaps, widgets.heatmap_explorer(heatmaps)),
        "target": (playground.playground, player, widgets.target_playground(player)),
        "metric": (microscope.microscope, counts, widgets.metric_microscope(counts)),
        "field": (receptive_fields.receptive_fields, seen, widgets.receptive_field_viewer(seen)),
        "two people": (two_people.shifted_crop, two, widgets.two_people_slider(two)),
        "learning": (training.learning, watch_it_learn(tiny), widgets.learning_view(tiny)),
    }


NAMES = pytest.mark.parametrize(
    "name", ["heatmap", "target", "metric", "field", "two people", "learning"]
)


def inside(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child)


def another(control):
    """A value that the control does not have now."""
    if isinstance(control, ipywidgets.Checkbox):
        return not control.value
    if isinstance(control, ipywidgets.FloatSlider):
        return control.min
    if isinstance(control, ipywidgets.IntSlider):
        return control.min if control.value == control.max else control.value + 1
    values = [option[1] if isinstance(option, tuple) else option for option in control.options]
    return next(value for value in values if value != control.value)


@NAMES
def test_a_widget_opens_on_its_static_twin(every, name):
    draw, numbers, widget = every[name]
    assert bytes(widget.children[-1].value).startswith(b"\x89PNG")
    assert bytes(widget.children[-1].value) == drawn(draw, numbers)


@NAMES
def test_each_control_changes_the_picture(every, name):
    _, _, widget = every[name]
    *controls, picture = widget.children
    if name == "target":  # a part has a width, a joint may be hidden
        controls[0].value = "left forearm"
    for control in controls:
        if isinstance(control, ipywidgets.Button):
            continue
        if control.description == "occluded":
            controls[0].value = next(
                choice for choice in controls[0].options if choice.endswith("(occluded)")
            )
        if name == "target" and control.description == "sigma":
            controls[0].value = "head top" if "head top" in controls[0].options else "pelvis"
        if control.description == "along":
            controls[0].value = "left forearm"
        before, old = bytes(picture.value), control.value
        control.value = another(control)
        assert bytes(picture.value) != before, control.description
        control.value = old
        assert bytes(picture.value) == before, control.description


@NAMES
def test_no_widget_captures_output(every, name):
    assert not any(isinstance(part, ipywidgets.Output) for part in inside(every[name][2]))


@NAMES
def test_a_picture_has_no_tooltip(every, name):
    """JupyterLab draws an error in the place of an ipywidgets.Image that has one."""
    assert every[name][2].children[-1].tooltip is None


@pytest.mark.parametrize(
    ("name", "position", "said"),
    [
        ("heatmap", {"joint": 16}, "joint is 16, but must be from 0 to 15"),
        ("heatmap", {"image": -1}, "image is -1"),
        ("heatmap", {"site": 4}, "site is 4, but must be from -1 to 3"),
        ("target", {"sigma": 0}, "sigma is 0, but must be from 0.3 to 6"),
        ("target", {"across": 2}, "across is 2"),
        ("target", {"what": "tail"}, "what is 'tail', but must be one of .*left forearm"),
        (
            "target",
            {"occluded": "forget"},
            "occluded is 'forget', but must be one of include, ignore, exclude",
        ),
        ("target", {"weights": "heavy"}, "weights is 'heavy'"),
        (
            "metric",
            {"convention_": "mine"},
            "convention is 'mine', but must be one of official, headtop",
        ),
        ("metric", {"threshold": 0.7}, "threshold is 0.7, but must be from 0 to 0.6"),
        ("metric", {"state": "absent"}, "state is 'absent'"),
        ("metric", {"normaliser": "px"}, "normaliser is 'px'"),
        ("metric", {"group": "nose"}, "group is 'nose'"),
        ("field", {"layer": 3}, "layer is 3, but must be from -1 to 2"),
        ("two people", {"zoom": 5}, "zoom is 5, but must be from 0 to 4"),
        ("two people", {"pair": 2}, "pair is 2"),
        ("learning", {"look": 5}, "look is 5, but must be from -1 to 4"),
    ],
)
def test_a_position_that_does_not_exist_is_refused(every, name, position, said):
    draw, numbers, _ = every[name]
    with pytest.raises(PaperlibError, match=said):
        draw(numbers, **position)


@NAMES
def test_a_twin_is_saved_with_the_numbers_that_draw_it_again(every, name, tiny):
    draw, numbers, widget = every[name]
    save_figure(tiny, f"twin {name}", draw, numbers)
    (stored,) = (
        path for path in (tiny.results / "figures").glob(f"twin {name}.*") if path.suffix != ".png"
    )
    again = (
        read_csv(stored.read_bytes())
        if stored.suffix == ".csv"
        else dict(np.load(stored, allow_pickle=False))
    )
    assert drawn(draw, again) == drawn(draw, numbers)


@pytest.mark.parametrize(("name", "most"), [("heatmap", 300_000), ("target", 100_000)])
def test_a_widget_says_what_to_show_without_a_kernel(every, name, most):
    """One piece of HTML that loads nothing, beside the live view that JupyterLab prefers."""
    data = every[name][2]._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    states = data["text/html"]
    assert len(states) < most and not re.search(r"https?://", states)
    assert "%ID%" not in states and "%DATA%" not in states


def test_the_states_are_those_of_the_figures_own_numbers(heatmaps, player):
    """Tiles in the order of the controls, and R's losses as the playground draws them."""
    said = states_of(without_kernel.heatmap_states(heatmaps, joint=2))
    image, joint, site = (control["labels"] for control in said["controls"])
    assert (len(image), len(joint), len(site)) == heatmaps["error"].swapaxes(1, 2).shape
    assert said["controls"][1]["start"] == 2 and said["controls"][2]["start"] == len(site) - 1
    heat = said["panels"][1]["tiles"]
    sheet = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(heat["source"].split(",")[1]))))
    k, side = (1 * len(joint) + 5) * len(site) + 2, heat["side"]  # image 1, joint 5, site 2
    row, column = divmod(k, heat["columns"])
    tile = sheet[row * side : (row + 1) * side, column * side : (column + 1) * side]
    maps = heatmaps["maps"][1, :, 5].astype(np.float32)
    np.testing.assert_allclose(tile / 255, (maps[2] / maps.max()).clip(0), atol=0.004)
    assert said["bars"]["values"][1 * len(joint) + 5] == pytest.approx(
        maps.max(axis=(1, 2)).tolist(), abs=0.01
    )

    said = states_of(without_kernel.playground_states(player))
    what, width, policy, weights = said["controls"]
    assert what["labels"][0] == playground.choices(player)[0]
    for number, weighting in enumerate(weights["labels"]):
        figure = playground.playground(player, weights=weighting)
        drawn_as = [float(text.get_text()) for text in figure.axes[2].texts]
        state = width["start"] * len(policy["labels"]) * len(weights["labels"]) + number
        assert [float(f"{one:.3g}") for one in said["bars"]["values"][state]] == drawn_as


def states_of(page: str) -> dict:
    return json.loads(re.search(r"said = (\{.*\});\n", page)[1])


def test_one_person_needs_no_slider_of_people(heatmaps):
    one = {name: heatmaps[name][:1] for name in ("images", "maps", "truth", "found", "error")}
    assert [
        control.description for control in widgets.heatmap_explorer(heatmaps | one).children[:-1]
    ] == ["joint", "site", "over the crop"]


def test_explorer_draws_what_the_controls_say():
    seen = []

    def draw(numbers, x: int, name: str):
        seen.append((numbers, x, name))
        return pictures.Figure(figsize=(1, 1))

    slider, choice = ipywidgets.IntSlider(2, 0, 5), ipywidgets.Dropdown(options=["a", "b"])
    widgets.explorer(draw, 7, x=slider, name=choice)
    slider.value, choice.value = 4, "b"
    assert seen == [(7, 2, "a"), (7, 4, "a"), (7, 4, "b")]


# ---------------------------------------------------------------- what the numbers are


def test_the_microscope_gives_the_published_numbers():
    """One file: 88.43, 87.98 and 89.25 (FACTS D.4, D.6), from counts alone."""
    counts = microscope.shipped_counts()
    totals = {
        name: microscope.share_curve(counts, convention("mpii", name))[50]
        for name in microscope.NAMES
    }
    assert {name: round(float(total), 2) for name, total in totals.items()} == {
        "official": 88.43,
        "headtop": 88.43,
        "unweighted14": 87.98,
        "pooled16": 89.25,
        "hard10": 84.77,
    }


def test_a_strict_convention_leaves_out_what_lies_at_the_threshold():
    errors = np.array([0.1, 0.5, 0.5, 0.9, np.inf, np.nan])
    row = {
        "truth": "fractions",
        "normaliser": "head",
        "joint": "left_wrist",
        "state": "visible",
    } | microscope._counted(errors)
    counts = pd.DataFrame([row])
    shares = {
        name: microscope.share_curve(counts, convention("mpii", name))[50]
        for name in ("official", "unweighted14")
    }
    assert row["annotated"] == 5 and shares == {"official": 60, "unweighted14": 20}


def test_the_shipped_counts_follow_from_the_official_files(real_data):
    made, counts = microscope.count_errors(real_data), microscope.shipped_counts()
    pd.testing.assert_frame_equal(made, counts, check_dtype=False)
    for name in microscope.NAMES:
        scores = score_file("mpii", real_data / "mpii/preds/newell.h5", real_data, convention=name)
        rule = convention("mpii", name)
        assert microscope.share_curve(counts, rule)[50] == pytest.approx(scores["total"])
        for group in ("head", "wrist") if name != "hard10" else ("wrist",):
            assert microscope.share_curve(counts, rule, group=group)[50] == pytest.approx(
                scores["groups"][group]
            )
    whole = convention("mpii", "pooled16")
    errors = score_file(
        "mpii", real_data / "mpii/preds/newell.h5", real_data, convention="pooled16"
    )
    for state in ("visible", "occluded"):
        assert microscope.share_curve(counts, whole, group="wrist", state=state)[
            50
        ] == pytest.approx(errors[state]["wrist"], abs=0.01)


def test_the_microscope_ships_no_coordinate():
    counts = microscope.shipped_counts()
    assert list(counts.columns) == [
        "truth",
        "normaliser",
        "joint",
        "state",
        "annotated",
        "within",
        "ties",
    ]
    assert all(len(row.split()) == len(microscope.FINEST) for row in counts.within)


def test_fields_are_measured_at_every_tap_and_agree_with_the_sites():
    model = Recurrent(width=2, kernels=(5, 3, 5, 5, 5))
    table = fields(model, RECURRENT, 256).set_index("layer").field
    # two 3x3, a pooling: by hand
    assert table["layer 1"] == 6 and table["layer 2"] == 16 and table["layer 3"] == 32
    sites = table[[name for name in table.index if name.startswith("8")]]
    assert sites.tolist() == receptive_field(model, 256) and table.is_monotonic_increasing


def test_an_hourglass_sees_most_at_its_bottom():
    table = fields(StackedHourglass(1, features=4, depth=2), hourglass_taps(2), 256)
    assert table.layer.tolist() == [
        "stem",
        "down to 1/8",
        "down to 1/16",
        "bottom",
        "up from 1/16",
        "up from 1/8",
        "heatmaps",
    ]
    assert table.field.tolist()[:4] == [
        29,
        49,
        89,
        121,
    ]  # by hand: a 3x3 at stride s adds 2 s, a pooling adds s / 2
    assert not any(
        hook
        for module in StackedHourglass(1, features=4, depth=2).modules()
        for hook in module._forward_hooks
    )


def test_the_grid_agrees_with_the_figure(tiny, two):
    """At zoom 1 the slider's shares are those of H-fig10."""
    codec = tiny.runs["hourglass"].codec
    figure = whose_pose(
        tiny.trained("hourglass").model, draw_pairs(2, codec.side, seed=0), codec, tiny.device
    )
    np.testing.assert_allclose(two["second"][:, :, list(two["zooms"]).index(1)], figure["second"])
    half = two["boxes"][:, :, :, 2]
    np.testing.assert_allclose(half[:, :, 0] * two["zooms"][0], half[:, :, 2])


def test_the_playgrounds_loss_says_why_weights_are_needed(player):
    """With equal weights an all-zero map costs far less than a faint haze; balanced weights take
    most of that away (R sec. III)."""

    def costs(**setting):
        figure = playground.playground(player, playground.choices(player)[1], **setting)
        return [float(text.get_text()) for text in figure.axes[2].texts]

    (nothing, near, haze), (lazy, _, dear) = costs(), costs(weights="equal")
    assert near < nothing < haze and dear / lazy > 2 * haze / nothing
    hidden = playground.choices(player)[0]
    assert hidden.endswith("(occluded)")
    ignored = [
        float(text.get_text())
        for text in playground.playground(player, hidden, occluded="ignore").axes[2].texts
    ]
    assert ignored[0] == 0 < ignored[2]


def test_learning_is_seen_from_the_first_step_kept_and_done_again(tiny):
    looked = []
    first = watch_it_learn(tiny)
    assert first["step"].tolist() == [0, 5, 10, 15, 20] and first["loss"][-1] < first["loss"][0]
    again = watch_it_learn(
        tiny, again=True, looked=lambda numbers: looked.append(len(numbers["step"]))
    )
    assert looked == [1, 2, 3, 4, 5]
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])


def test_the_button_trains_again_and_the_picture_follows(tiny, monkeypatch):
    view = widgets.learning_view(tiny)
    shown, button = [], view.children[0]
    view.children[-1].observe(lambda change: shown.append(bytes(change.new)), "value")
    button.click()
    assert len(shown) >= 3 and shown[-1] == bytes(view.children[-1].value) == drawn(
        training.learning, watch_it_learn(tiny)
    )
    assert not button.disabled


# ---------------------------------------------------------------- what is said of a picture


def test_alternative_text_is_the_first_sentence_of_the_function_that_draws():
    assert (
        alt_text(pictures.gallery, "H-fig5")
        == "H-fig5: Skeletons on crops, the person's left side blue, the right side red."
    )
    assert (
        alt_text(training.training_progress, "H-fig8")
        == "H-fig8: accuracy on validation people while the networks train, one curve a "
        "run, by heatmap and by PCKh."
    )
    assert alt_text(two_people.shifted_crop).startswith("Two people, the crop laid on them")


DRAWING = (
    "curves",
    "diagrams",
    "receptive_fields",
    "stacks",
    "microscope",
    "pictures",
    "playground",
    "training",
    "two_people",
)


@pytest.mark.parametrize("module", DRAWING)
def test_every_picture_has_words(module):
    found = __import__(f"companion.figures.{module}", fromlist=["x"])
    for name, function in inspect.getmembers(found, inspect.isfunction):
        if (
            inspect.signature(function).return_annotation is pictures.Figure
            and function.__module__ == found.__name__
        ):
            text = alt_text(function, "X")
            assert 30 < len(text) < 260 and "`" not in text and text.startswith("X: "), (name, text)


def test_the_microscope_leaves_out_what_distances_cannot_tell():
    from companion.figures import microscope

    assert microscope.NAMES == ("official", "headtop", "unweighted14", "pooled16", "hard10")
