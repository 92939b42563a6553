"""Drawn people drawn again, larger: the same picture, and points where they were."""

from functools import partial

import cv2
import numpy as np
import pytest

from companion.drawn import scenes
from companion.runs.study import Study
from companion.samples.sharp import TIMES, with_sharp_images
from companion.settings import Folders
from paperlib.data.crops import Crops
from paperlib.data.thumbnails import crop_images
from paperlib.geometry import crop_affine, transform


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    home = tmp_path_factory.mktemp("fine")
    folders = Folders(home / "data", home / "runs", home / "results")
    return Study("tiny", device="cpu", progress=False, folders=folders)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two pictures, the larger one shrunk."""
    other = cv2.resize(other, one.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.abs(one.astype(float) - other).mean()


@pytest.mark.parametrize("kind", [scenes.mpii_scene, scenes.lsp_scene])
@pytest.mark.parametrize("index", range(6))
def test_a_finer_scene_is_the_same_scene(index, kind):
    small, _ = scenes.draw(kind, 0, "any", index, 64)
    large, _ = scenes.draw(partial(kind, finer=TIMES), 0, "any", index, 64)
    other, _ = scenes.draw(kind, 0, "any", index + 1, 64)
    assert large.image.shape == tuple(TIMES * length for length in small.image.shape[:2]) + (3,)
    assert len(large.people) == len(small.people)
    np.testing.assert_allclose(large.people[0].joints, TIMES * small.people[0].joints, atol=1e-6)
    other = cv2.resize(other.image, large.image.shape[1::-1])
    assert apart(small.image, large.image) < 12 < apart(small.image, other)


def test_a_fine_crop_shows_what_the_crop_shows_and_points_stay_on_it(study):
    crops: Crops = study.test_crops("hourglass")
    rows = np.array([0, 2])
    images = crop_images(crops.batch(rows))
    to_crop = crop_affine(crops.codec.boxes(crops.people), crops.codec.side)[rows]
    points = transform(crops.people.joints[rows], to_crop)
    fine = with_sharp_images(study, {"images": images, "truth": points}, crops, rows, side=256)
    assert fine["images"].shape == (2, 256, 256, 3)
    for before, after in zip(images, fine["images"], strict=True):
        assert apart(before, after) < 12 < apart(before, after[::-1])
    box = crops.codec.boxes(crops.people)[rows]
    expected = transform(crops.people.joints[rows], crop_affine(box, 256))
    np.testing.assert_allclose(fine["truth"], expected, atol=1e-6)
