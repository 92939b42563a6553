"""A second look: which joints are rescued, what becomes of their false peaks, and pictures that are
finer than what the network sees."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.figures import looks as drawn
from companion.measure.scores import site_by_site
from companion.samples import heatmaps, looks, sharp
from paperlib.data.thumbnails import crop_images
from paperlib.geometry import draw_augmentation
from paperlib.predict import Prediction
from paperlib.skeleton import MPII


class Planted(nn.Module):
    """Two sites that say the same of everybody: a peak of 5 in one place and of 4 in another; then
    of 2 and of 6."""

    def forward(self, images):
        size = images.shape[-1] // 4
        sites = torch.zeros(2, len(images), len(MPII), size, size)
        sites[0, ..., 3, 2], sites[0, ..., 7, 9] = 5, 4
        sites[1, ..., 3, 2], sites[1, ..., 7, 9] = 2, 6
        return list(sites)


def test_a_joint_is_rescued_if_it_is_lost_by_a_head_at_first_and_found_at_last():
    truth, wrist, head = np.zeros((4, 16, 2)), MPII.index("left_wrist"), MPII.index("head_top")
    points = np.zeros((2, 4, 16, 2))
    points[0, :3, wrist, 0] = 1.1, 0.9, 1.1  # the first alone is lost by more than a head
    points[1, 2, wrist, 0] = 0.6  # and this one is not found
    points[0, 3, head, 0] = 5  # no hard joint
    people = SimpleNamespace(joints=truth, head_size=np.ones(4), torso=np.ones(4), skeleton=MPII)
    wanted = looks.rescued(Prediction(points, None, None), SimpleNamespace(people=people))
    assert np.argwhere(wanted).tolist() == [[0, wrist]]


def test_a_false_peak_is_followed_at_the_place_where_the_first_site_was_wrong(tiny, monkeypatch):
    crops = tiny.test_crops("hourglass")
    monkeypatch.setattr(
        looks,
        "predict_batch",
        lambda model, crops, rows: (model(torch.zeros(len(rows), 3, 64, 64)), 0),
    )
    wanted = np.zeros((len(crops), 16), bool)
    wanted[[0, 0, 5], [3, 11, 2]] = True
    heights = looks.false_peaks(Planted(), crops, wanted)
    np.testing.assert_array_equal(heights, [[5, 2]] * 3)
    assert looks.false_peaks(Planted(), crops, np.zeros_like(wanted)).size == 0


def test_the_rows_are_those_whose_false_peak_falls_most(tiny, monkeypatch):
    """And the fall that the caption speaks of is what the figure's numbers hold."""
    crops, model = tiny.test_crops("hourglass"), tiny.trained("hourglass").model
    wanted = np.zeros((len(crops), 16), bool)
    wanted[[1, 2, 3, 3], [0, 1, 2, 5]] = True
    monkeypatch.setattr(looks, "rescued", lambda prediction, crops: wanted)
    monkeypatch.setattr(
        looks, "false_peaks", lambda *a: np.array([[5.0, 4.0], [5.0, 1.0], [9.0, 8.5], [4.0, 2.0]])
    )
    numbers = looks.looked_again(tiny, crops, model, None, ["one", "two"])
    assert list(zip(numbers["people"], numbers["joints"], strict=True)) == [(2, 1), (3, 5), (1, 0)]
    assert numbers["fall"].tolist() == [4, 2, 1]
    numbers |= site_by_site(tiny, "hourglass")
    axes = drawn.looked_again(numbers).axes
    assert any("all 4 joints" in one.get_title() for one in axes)


def test_the_balance_of_the_sites_is_their_difference(tiny):
    numbers = site_by_site(tiny, "recurrent")
    known = ~np.isnan(
        heatmaps.site_errors(tiny.predict("recurrent"), tiny.test_crops("recurrent").people)[0]
    )
    assert known.any() and len(numbers["right"]) == 4
    change = np.diff(numbers["right"])
    balance = numbers["repaired"] - numbers["spoilt"]
    assert np.sign(change.round(9)).tolist() == np.sign(balance).tolist()
    assert numbers["gain"][0] == pytest.approx(numbers["right"][-1] - numbers["right"][0])


class Box(nn.Module):
    """Its heatmaps are the mean of each cell of the image."""

    def forward(self, images):
        return [F.avg_pool2d(images[:, :1], 4).expand(-1, 31, -1, -1)]


def test_finer_heatmaps_are_those_of_the_places_between(tiny):
    """Four times as fine, a cell is the mean of the 4 x 4 px about a pixel, less half a pixel."""
    crops = tiny.test_crops("recurrent")
    fine = heatmaps.finer_heatmaps(Box(), crops, 2, 4)[0]
    image = crops.batch(np.array([2])).images[:, :1]
    # 4 x 4 px about each corner between pixels; a pixel is the mean of its four corners
    corners = F.avg_pool2d(image, 4, stride=1)
    wanted = F.avg_pool2d(corners, 2, stride=1)[0, 0]
    inside = slice(8, 48)
    found = fine[2:, 2:][inside, inside]
    assert fine.shape == (64, 64)
    assert (found - wanted[inside, inside]).abs().mean() < 0.01
    assert (found - wanted[8:48, 9:49]).abs().mean() > 0.01  # a pixel aside


def test_once_as_fine_is_the_network_itself(tiny):
    crops = tiny.test_crops("recurrent")
    plain = heatmaps.predict_batch(Box(), crops, np.array([2]))[0][0][0]
    torch.testing.assert_close(heatmaps.finer_heatmaps(Box(), crops, 2, 1), plain)


@pytest.mark.parametrize("run", ["hourglass", "recurrent-lsp"])
def test_a_person_drawn_again_is_the_same_person(tiny, run):
    """Shrunk to what the network sees, about the joints that are in sight."""
    crops = tiny.test_crops(run)
    rows = np.arange(4)
    batch = crops.batch(rows)
    small, side = crop_images(batch).astype(float), crops.codec.side
    fine = sharp.sharp_crops(tiny, crops, rows, 4 * side)
    assert fine.shape == (4, 4 * side, 4 * side, 3)
    shrunk = fine.reshape(4, side, 4, side, 4, 3).mean(axis=(2, 4))
    far = np.abs(shrunk - small).mean(axis=-1)
    x, y = (
        batch.joints.nan_to_num().numpy().round().astype(int).transpose(2, 0, 1).clip(0, side - 1)
    )
    near = [
        far[n, y[n, j], x[n, j]] for n in rows for j in range(x.shape[1]) if batch.state[n, j] == 2
    ]
    swapped = np.abs(shrunk[::-1] - small).mean(axis=-1)
    other = [
        swapped[n, y[n, j], x[n, j]]
        for n in rows
        for j in range(x.shape[1])
        if batch.state[n, j] == 2
    ]
    assert np.median(near) < 20 < np.median(other)


def test_an_augmented_crop_is_moved_as_the_networks_is(tiny):
    crops, rows = tiny.test_crops("hourglass"), np.arange(4)
    law = draw_augmentation("hourglass", 4, np.random.default_rng(3))
    small, side = crop_images(crops.batch(rows, law)).astype(float), crops.codec.side
    fine = sharp.sharp_crops(tiny, crops, rows, 4 * side, law)
    shrunk = fine.reshape(4, side, 4, side, 4, 3).mean(axis=(2, 4))
    apart, unmoved = (
        np.abs(picture - small).mean()
        for picture in (shrunk, crop_images(crops.batch(rows)).astype(float))
    )
    assert apart < 0.75 * unmoved


def test_points_are_enlarged_edge_on_edge():
    np.testing.assert_allclose(
        sharp.enlarged(np.array([-0.5, 23.5, 95.5]), 96, 192), [-0.5, 47.5, 191.5]
    )
