"""Pictures are pure functions of their numbers; what they show is chosen by rules that can be
checked by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb

from companion.artifacts.artifacts import png_bytes
from companion.figures import looks, pictures
from companion.figures.style import LEFT, MIDDLE, RIGHT, house_style
from companion.samples import heatmaps
from paperlib.data.crops import Batch
from paperlib.data.thumbnails import crop_images, thumbnails
from paperlib.metrics import average_precision
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.predict import Prediction
from paperlib.skeleton import MPII

RNG = np.random.default_rng(0)
N, K, J, S, H = 2, 3, len(MPII), 32, 8
IMAGES = RNG.integers(0, 256, (N, S, S, 3), dtype=np.uint8)
ROWS = {
    "images": IMAGES,
    "maps": RNG.random((N, K, H, H)).astype(np.float16),
    "truth": RNG.random((N, 2)) * S,
    "found": RNG.random((N, K, 2)) * S,
    "poses": RNG.random((N, J, 2)) * S,
    "error": RNG.random((N, K)),
    "unit": np.array("heads"),
    "names": np.array(["left wrist", "right ankle"]),
    "titles": np.array(heatmaps.site_names(K)),
    "skeleton": np.array("mpii"),
}
EVERY = ROWS | {
    "maps": RNG.random((N, K, J, H, H)).astype(np.float16),
    "truth": RNG.random((N, J, 2)) * S,
    "found": RNG.random((N, K, J, 2)) * S,
    "error": RNG.random((N, K, J)),
    "names": np.array(MPII.joints),
}
OVERVIEW = {
    "image": IMAGES[0],
    "keypoints": RNG.random((J, H, H)),
    "parts": RNG.random((15, H, H)),
    "points": ROWS["poses"][0],
    "skeleton": "mpii",
}
GALLERY = {
    "images": IMAGES,
    "points": ROWS["poses"],
    "truth": ROWS["poses"] + 1,
    "skeleton": np.array("mpii"),
}
TARGETS = {
    "maps": RNG.random((K, H, H)),
    "weights": RNG.random((K, H, H)),
    "names": np.array(["a", "b", "c"]),
}
LOOKS = ROWS | {
    "repaired": np.array([7, 3]),
    "spoilt": np.array([2, 1]),
    "gain": np.array([3.1, 2.4, 3.9]),
    "heights": 1 + RNG.random((9, K)),
}
POSES = GALLERY | {
    "right": RNG.random((N, J)) < 0.5,
    "labelled": np.ones((N, J), bool),
    "truth": ROWS["poses"] + 1,
}
DRAWN = [
    (pictures.heatmap_overview, OVERVIEW),
    (looks.looked_again, LOOKS),
    (pictures.truth_and_pose, POSES),
    (pictures.targets_close, TARGETS | {"image": IMAGES[0]}),
    (pictures.occluded_joint, ROWS),
    (pictures.one_heatmap, EVERY),
    (pictures.every_heatmap, EVERY),
    (pictures.gallery, GALLERY),
    (pictures.targets_and_weights, TARGETS),
    (pictures.targets_and_weights, TARGETS | {"image": IMAGES[0]}),
    (pictures.targets_and_weights, TARGETS | {"images": IMAGES[[0, 1, 0]]}),
]


def png(draw, numbers):
    with house_style():
        return png_bytes(draw(numbers), {})


@pytest.mark.parametrize(
    ("draw", "numbers"), DRAWN, ids=lambda value: getattr(value, "__name__", None)
)
def test_the_same_numbers_give_the_same_bytes(draw, numbers, tmp_path):
    before = {name: np.array(value, copy=True) for name, value in numbers.items()}
    np.savez(tmp_path / "numbers.npz", **numbers)
    stored = dict(np.load(tmp_path / "numbers.npz", allow_pickle=False))
    assert png(draw, numbers) == png(draw, stored)
    for name, value in before.items():
        np.testing.assert_array_equal(value, numbers[name])


@pytest.mark.parametrize(
    ("draw", "numbers"), DRAWN, ids=lambda value: getattr(value, "__name__", None)
)
def test_odd_numbers_draw(draw, numbers):
    """Points that are all NaN, and maps that are all zero."""
    odd = dict(numbers)
    for name in ("points", "truth", "found", "poses", "error"):
        if name in odd:
            odd[name] = np.full_like(odd[name], np.nan, dtype=float)
    for name in ("maps", "keypoints", "parts", "weights"):
        if name in odd:
            odd[name] = np.zeros_like(odd[name])
    assert png(draw, odd).startswith(b"\x89PNG")


def test_a_gallery_has_a_panel_for_each_picture():
    figure = pictures.gallery(GALLERY, columns=3)
    assert len(figure.axes) == N


@pytest.mark.parametrize("joints", [16, 11, 1])
def test_every_joint_has_a_panel_and_its_name(joints):
    fewer = {
        "maps": EVERY["maps"][:, :, :joints],
        "found": EVERY["found"][:, :, :joints],
        "names": EVERY["names"][:joints],
    }
    figure = pictures.every_heatmap(EVERY | fewer)
    assert [axes.get_title() for axes in figure.axes[:-1]] == list(MPII.joints[:joints])
    assert png(pictures.every_heatmap, EVERY | fewer).startswith(b"\x89PNG")


def test_a_moved_joint_changes_the_picture():
    moved = ROWS["poses"].copy()
    moved[0, 3] += 4
    assert png(pictures.gallery, GALLERY) != png(pictures.gallery, GALLERY | {"points": moved})


def test_sides_have_their_colours():
    axes = pictures.gallery(GALLERY).axes[0]
    colours = [line.get_color() for line in axes.lines[1::2]]  # each limb: its outline, then itself
    sides = {limb: colour for limb, colour in zip(MPII.limbs, colours, strict=True)}
    assert (
        sides[(0, 1)] == RIGHT
        and sides[(4, 5)] == LEFT
        and sides[(6, 3)] == LEFT
        and sides[(6, 7)] == MIDDLE
    )
    assert len({to_rgb(colour) for colour in (LEFT, RIGHT, MIDDLE)}) == 3


def test_heat_is_transparent_at_zero_and_opaque_at_the_top():
    """Over a white crop: grey where the map is 0 or NaN, the colour map's last colour at the top;
    and the map covers its crop."""
    _, panels = pictures.panel_grid(1, 1)
    heat = np.zeros((4, 4))
    heat[1, 2], heat[3, 0] = 5, np.nan
    bar = pictures.draw_heat(panels[0, 0], np.full((64, 64, 3), 255, np.uint8), heat, top=5)
    drawn = np.ma.getdata(panels[0, 0].images[0].get_array())
    np.testing.assert_allclose(drawn[[0, 63], [0, 0]], 0.55)
    lightest = np.argwhere(drawn.sum(axis=-1) > drawn[23, 39].sum() - 1e-9)
    np.testing.assert_allclose(
        drawn[23:25, 39:41], np.broadcast_to(bar.get_cmap()(0.99)[:3], (2, 2, 3)), atol=0.02
    )  # the cell's middle
    assert lightest.mean(axis=0).tolist() == [23.5, 39.5]
    assert bar.norm.vmin == 0 and bar.norm.vmax == 5


def test_crops_become_pictures_and_thumbnails_keep_their_points():
    grey = torch.tensor([0.0, 128, 255])
    images = ((grey - 128) / 256)[None, :, None, None].expand(1, 3, 4, 4)
    batch = Batch(
        images, torch.zeros(1, 1, 2), torch.zeros(1, 1), torch.eye(3)[None], torch.zeros(1, 0, 1, 2)
    )
    assert (crop_images(batch) == np.array([0, 128, 255])).all()
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    picture[0, 32:36, 40:44] = 255  # centre (41.5, 33.5)
    small, points = thumbnails(picture, np.array([[[41.5, 33.5]]]), 16)
    bright = np.argwhere(small[0, ..., 0] > 127)
    assert small.shape == (1, 16, 16, 3) and bright.tolist() == [[8, 10]]
    np.testing.assert_allclose(points, [[[10, 8]]])
    assert thumbnails(picture, points, 100)[0] is picture


def test_samples_are_chosen_by_the_rule():
    strength = np.array([[1.0, 9.0], [8.0, 2.0], [np.nan, 7.0]])
    wanted = np.array([[True, False], [True, True], [True, False]])
    people, joints = heatmaps.strongest(strength, wanted, 3)
    # wanted ones by strength, one a person, then the rest
    assert list(zip(people, joints, strict=True)) == [(1, 0), (0, 0), (2, 1)]


def test_turned_counts_what_a_pass_corrects_and_spoils():
    errors = np.array([[[0.1, 0.9, np.nan]], [[0.9, 0.1, np.nan]], [[0.1, 0.1, np.nan]]])
    table = heatmaps.turned(errors, 0.5)
    assert table["right, %"].tolist() == [50, 50, 100]
    assert table["corrected"].tolist() == [0, 1, 1] and table["spoilt"].tolist() == [0, 1, 0]
    assert table["site"].tolist() == ["8A feed-forward", "8B pass 0", "8C iteration 1"]


def test_a_thinned_curve_keeps_its_ends_and_its_area():
    scores, positive = RNG.random(5000), RNG.random(5000) < 0.7
    frame = heatmaps.precision_recall_frame({"one": (scores, positive)}, most=100)
    assert len(frame) == 100 and frame.recall.iloc[-1] == 0 and frame.recall.iloc[0] == 1
    assert (
        frame.ap.iloc[0] == average_precision(scores, positive)
        and frame.chance.iloc[0] == positive.mean()
    )


def _prediction(activation: np.ndarray) -> Prediction:
    return Prediction(np.zeros((1, *activation.shape, 2)), activation[None], activation[None] / 10)


def test_presence_has_the_released_codes_positives():
    """A network silent on absent joints is perfect either way round; chance is the share of the
    positives."""
    state = np.full((10, J), VISIBLE)
    state[:3, [MPII.index("left_knee"), MPII.index("right_ankle")]] = ABSENT
    perfect = _prediction(np.where(state == ABSENT, 0.1, 0.9) + 0.01 * RNG.random(state.shape))
    for absent, chance in ((True, 0.15), (False, 0.85)):
        frame = heatmaps.presence_curves(perfect, state, absent)
        assert set(frame.curve) == {"knee, mean", "knee, max", "ankle, mean", "ankle, max"}
        np.testing.assert_allclose(frame.area, 1)
        np.testing.assert_allclose(frame.chance, chance)
    assert heatmaps.presence_curves(perfect, np.full_like(state, VISIBLE)).empty


def test_joints_are_sorted_by_their_peak_into_equal_shares():
    """Half of the joints are sure, found and visible; the others lie where the other side's are,
    unsure and hidden."""
    state, truth = np.full((4, J), VISIBLE), np.arange(4 * J * 2, dtype=float).reshape(4, J, 2) * 10
    crossed = np.zeros((4, J), bool)
    crossed[:2] = True
    state[crossed] = OCCLUDED
    state[3, 0] = ABSENT
    points = np.where(crossed[..., None], truth[:, MPII.mirror], truth)
    people = SimpleNamespace(
        joints=np.where(state[..., None] == ABSENT, np.nan, truth),
        state=state,
        head_size=np.ones(4),
        skeleton=MPII,
    )
    table = heatmaps.by_peak(
        Prediction(points[None], np.where(crossed, 1.0, 5.0)[None], np.zeros((1, 4, J))),
        people,
        parts=2,
    )
    assert table.joints.tolist() == [32, 31] and table.peak.tolist() == [
        "1.00 to 1.00",
        "5.00 to 5.00",
    ]
    paired = (MPII.mirror != np.arange(J)).mean()
    np.testing.assert_allclose(table["found, %"], [100 * (1 - paired), 100])
    np.testing.assert_allclose(table["on the other side, %"], [100 * paired, 0])
    np.testing.assert_allclose(table["visible, %"], [0, 100])


def test_occlusion_curves_pool_left_and_right():
    errors, state = np.full((4, J), 0.1), np.full((4, J), VISIBLE)
    wrists = [MPII.index("left_wrist"), MPII.index("right_wrist")]
    state[0, wrists], errors[0, wrists] = OCCLUDED, (0.1, 0.9)
    last = heatmaps.occlusion_curves(errors, state).groupby("curve").y.last()
    assert (
        last["wrist, all"] == 87.5
        and last["wrist, visible"] == 100
        and last["wrist, occluded"] == 50
        and last["elbow, all"] == 100
    )
    assert np.isnan(last.get("elbow, occluded", np.nan))


def test_published_predictions_give_the_known_shares(real_data, tmp_path):
    """FACTS D.6: wrist 92.4 visible, 59.2 occluded; elbow 94.1 and 71.3."""
    last = (
        heatmaps.occlusion_curves(*heatmaps.published_errors(real_data)).groupby("curve").y.last()
    )
    shares = {
        "wrist, visible": 92.4,
        "wrist, occluded": 59.2,
        "elbow, visible": 94.1,
        "elbow, occluded": 71.3,
    }
    for curve, share in shares.items():
        assert last[curve] == pytest.approx(share, abs=0.06)
    assert heatmaps.published_errors(tmp_path) is None
    assert isinstance(last, pd.Series)
