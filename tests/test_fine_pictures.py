"""Drawn people drawn again, larger: the same picture, and points where they were."""

from functools import partial

import cv2
import numpy as np
import pytest

from companion.drawn import scenes
from companion.runs.study import Study
from companion.samples.fine_pictures import TIMES, draw_again, fine_crop, with_fine_pictures
from companion.settings import Folders
from paperlib.data.crops import Crops
from paperlib.data.images import read_image
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


@pytest.mark.parametrize("index", range(6))
def test_a_finer_scene_is_the_same_scene(index):
    small, _ = scenes.draw(scenes.mpii_scene, 0, "any", index, 64)
    large, _ = scenes.draw(partial(scenes.mpii_scene, finer=TIMES), 0, "any", index, 64)
    other, _ = scenes.draw(scenes.mpii_scene, 0, "any", index + 1, 64)
    assert large.image.shape == tuple(TIMES * length for length in small.image.shape[:2]) + (3,)
    assert len(large.people) == len(small.people)
    np.testing.assert_allclose(large.people[0].joints, TIMES * small.people[0].joints, atol=1e-6)
    assert apart(small.image, large.image) < 10 < apart(small.image, other.image)


def test_a_file_of_the_study_is_drawn_again(study):
    for file in study.test_people("mpii").image[:3]:
        assert apart(read_image(file), draw_again(study, file, TIMES)) < 10


def test_a_fine_crop_shows_what_the_crop_shows_and_points_stay_on_it(study):
    crops: Crops = study.test_crops("hourglass")
    rows = np.array([0, 2])
    images = crop_images(crops.batch(rows))
    to_crop = crop_affine(crops.codec.boxes(crops.people), crops.codec.side)[rows]
    points = transform(crops.people.joints[rows], to_crop)
    fine = with_fine_pictures(study, {"images": images, "truth": points}, crops, rows, side=256)
    assert fine["images"].shape == (2, 256, 256, 3)
    for before, after in zip(images, fine["images"], strict=True):
        assert apart(before, after) < 12 < apart(before, after[::-1])
    box = crops.codec.boxes(crops.people)[rows]
    expected = transform(crops.people.joints[rows], crop_affine(box, 256))
    np.testing.assert_allclose(fine["truth"], expected, atol=1e-6)


def test_a_photograph_is_read_at_its_own_resolution(tmp_path, monkeypatch, study):
    photo = np.zeros((80, 100, 3), np.uint8)
    photo[40:60, 50:70] = 255
    cv2.imwrite(str(tmp_path / "one.png"), photo)
    monkeypatch.setattr(study, "data", "real")
    crop = fine_crop(study, str(tmp_path / "one.png"), np.array([59.5, 49.5, 40.0]), 80)
    assert (crop[26:54, 26:54] == 255).all() and (crop[:16] == 0).all()
