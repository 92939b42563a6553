"""A portable data folder: the loaders read it as any other, labels stay on their pixels, and the crops are those of the original."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from paperlib import PaperlibError
from paperlib.codecs import HourglassCodec
from paperlib.data.canvases import canvas_boxes, cut_canvas
from paperlib.data.images import image_size, read_image
from paperlib.data.loaders import LOADERS
from paperlib.data.portable import cut_down, write_portable
from paperlib.geometry import crop_affine, transform
from paperlib.people import People
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.measures import measure
from paperlib.reproduce.parcels import read_manifest
from paperlib.reproduce.reference import join_data, pack_data
from paperlib.reproduce.study import Study

SIDE = 256
CODEC = HourglassCodec(side=SIDE)


def crops_of(people: People, rows) -> np.ndarray:
    """(N, SIDE, SIDE, 3) uint8, by way of canvases as a study cuts them."""
    boxes, crop, cut = canvas_boxes(people, 384), crop_affine(CODEC.boxes(people), SIDE), []
    canvas = crop_affine(boxes, 384)
    for i in rows:
        picture = cut_canvas(read_image(people.image[i]), boxes[i], 384)
        affine = (crop[i] @ np.linalg.inv(canvas[i]))[:2]
        cut.append(cv2.warpAffine(picture, affine, (SIDE, SIDE), borderMode=cv2.BORDER_CONSTANT, borderValue=(128,) * 3))
    return np.array(cut)


def in_crop(people: People, points: np.ndarray) -> np.ndarray:
    return transform(points, crop_affine(CODEC.boxes(people), SIDE))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Drawn people at more than the resolution that is needed, and their portable copy. -> (folder, folder)"""
    from paperlib.data.synthetic import make_synthetic

    home = tmp_path_factory.mktemp("large")
    data = make_synthetic(home / "data", {"mpii": (6, 6), "lsp": (4, 4)}, side=620, seed=0, progress=lambda done, of: None)
    shutil.copytree(data / "lsp" / "images", data / "extra")  # a folder that is no data set
    return data, write_portable(data, home / "portable", SIDE, progress=False)


@pytest.mark.parametrize(("dataset", "split"), [("mpii", "train"), ("mpii", "valid"), ("lsp", "train"), ("lsp", "test")])
def test_labels_stay_on_their_pixels_and_crops_are_the_same(large, dataset, split):
    here, there = (LOADERS[dataset](home / dataset, split) for home in large)
    assert len(here) == len(there) and np.array_equal(here.state, there.state)
    assert [Path(path).name for path in here.image] == [Path(path).name for path in there.image]
    assert [image_size(path) for path in here.image] != [image_size(path) for path in there.image]  # else this tests nothing
    assert np.nanmax(np.abs(in_crop(here, here.joints) - in_crop(there, there.joints))) < 0.5  # px of 256: sides are whole px
    np.testing.assert_allclose(here.head_size / here.scale, there.head_size / there.scale)
    assert [len(others) for others in here.others] == [len(others) for others in there.others]
    for i, others in enumerate(here.others):
        if len(others):
            mine, theirs = (in_crop(people.select([i]), points) for people, points in ((here, others), (there, there.others[i])))
            assert np.nanmax(np.abs(mine - theirs)) < 0.5
    difference = np.abs(crops_of(here, range(4)).astype(float) - crops_of(there, range(4)))
    assert difference.mean() < 3 and np.abs(difference.mean((1, 2, 3))).max() < 5


def test_it_is_smaller_and_the_rest_is_copied(large):
    size = [sum(path.stat().st_size for path in (home / "mpii").rglob("*.jpg")) for home in large]
    assert size[1] < size[0] / 2
    for path in (large[0] / "extra").iterdir():
        assert (large[1] / "extra" / path.name).read_bytes() == path.read_bytes()


def test_an_image_that_is_small_enough_stays_as_it_is_to_the_byte(large):
    path = next((large[0] / "lsp" / "images").glob("*.jpg"))
    content, affine = cut_down(path, None, zoom=1.2)
    assert content == path.read_bytes() and np.array_equal(affine, np.eye(3))


def test_an_edge_lands_on_an_edge(tmp_path):
    """A bright square in noise-free grey, cut at its edges and shrunk by two: its corners' labels land on the new corners."""
    image = np.full((200, 300, 3), 40, np.uint8)
    image[60:140, 100:260] = 220
    cv2.imwrite(str(tmp_path / "a.png"), image)
    content, affine = cut_down(tmp_path / "a.png", (100, 60, 260, 140), 0.5)
    cut = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert cut.shape == (40, 80, 3) and np.abs(cut.astype(int) - 220).max() <= 2
    corners = np.array([[99.5, 59.5], [259.5, 139.5]])  # outer edges, px
    np.testing.assert_allclose(transform(corners, affine), [[-0.5, -0.5], [79.5, 39.5]])


def test_a_full_folder_and_a_folder_without_data_are_one_clear_error(large, tmp_path):
    with pytest.raises(PaperlibError, match="not empty"):
        write_portable(large[0], large[1], SIDE)
    with pytest.raises(PaperlibError, match="no data sets in it"):
        write_portable(tmp_path / "nowhere", tmp_path / "new", SIDE)


@pytest.mark.parametrize("side", [0, SIDE])
def test_data_travel_in_parts(large, tmp_path, monkeypatch, side, capsys):
    """Packed here, joined there part by part, they are read as the official files are; before the last part there is no folder."""
    monkeypatch.setenv("PAPERLIB_DATA", str(large[0]))
    pack_data(tmp_path / "parts", part_mb=1, side=side)
    parts = sorted(read_manifest(tmp_path / "parts")["parts"])
    assert all((tmp_path / "parts" / name).stat().st_size <= 1e6 for name in parts) and (side or len(parts) > 1)
    for name in parts:
        assert not (tmp_path / "joined").exists()
        shutil.copytree(tmp_path / "parts", tmp_path / name, ignore=lambda _, names, name=name: set(names) - {name, "manifest.json"})
        join_data(tmp_path / name, tmp_path / "joined")
    for path in large[1 if side else 0].rglob("*.jpg"):
        assert (tmp_path / "joined" / path.relative_to(large[1 if side else 0])).read_bytes() == path.read_bytes()
    study = Study("tiny", "real", "cpu", progress=False, folders=Folders(tmp_path / "joined", tmp_path, tmp_path))
    monkeypatch.setattr("paperlib.reproduce.study.FEWEST", 1)
    assert len(study.test_people("lsp")) == 4 and len(study.test_people("mpii")) == 6
    assert not list(tmp_path.glob("joined.arriving"))


# ---------------------------------------------------------------- photographs


@pytest.fixture(scope="module")
def some(real_data, tmp_path_factory):
    """The first 40 images of LSP test, of LSP-extended and of MPII, with the official labels, and their portable copy."""
    home = tmp_path_factory.mktemp("some")
    for name, images in (("lsp", range(1001, 1041)), ("lspet", range(1, 41))):
        (home / "data" / name / "images").mkdir(parents=True)
        shutil.copyfile(real_data / name / "joints.mat", home / "data" / name / "joints.mat")
        for i in images:
            file = f"im{i:0{4 if name == 'lsp' else 5}d}.jpg"
            shutil.copyfile(real_data / name / "images" / file, home / "data" / name / "images" / file)
    if (real_data / "mpii-sports").is_dir():
        records = json.loads((real_data / "mpii-sports" / "mpii_annotations.json").read_text())
        chosen = [record for record in records if record["isValidation"]][:40]
        (home / "data" / "mpii" / "images").mkdir(parents=True)
        (home / "data" / "mpii" / "mpii_annotations.json").write_text(json.dumps(chosen))
        for record in chosen:
            shutil.copyfile(real_data / "mpii-sports" / "images" / record["img_paths"], home / "data" / "mpii" / "images" / record["img_paths"])
    return home / "data", write_portable(home / "data", home / "portable", SIDE, progress=False)


@pytest.mark.parametrize(("dataset", "split", "most"), [("lsp", "test", 0), ("lspet", "train", 1.5), ("mpii", "valid", 1.5)])
def test_crops_of_photographs_lose_less_than_one_can_see(some, dataset, split, most):
    """Mean difference in grey levels of the crops at 256 px: measured over 150 people each, LSP 0, LSP-extended 0.5, MPII 0.3."""
    here, there = (LOADERS[dataset](home / dataset, split) for home in some)
    if not len(here):
        pytest.skip("needs MPII's photographs")
    rows = range(min(40, len(here)))
    assert np.abs(crops_of(here, rows).astype(float) - crops_of(there, rows)).mean() <= most
    assert np.nanmax(np.abs(in_crop(here, here.joints) - in_crop(there, there.joints))) < 0.5


def test_the_shipped_weights_see_the_same_people(some):
    """PCKh of MPII's, whose images are cut and compressed anew; LSP's are the same bytes."""
    from paperlib.data.canvases import load_canvases
    from paperlib.data.crops import Crops
    from paperlib.predict import predict
    from paperlib.weights import load_weights, shipped

    weights, totals = load_weights(shipped()["hourglass-lsp"]), []
    if not (some[0] / "mpii").is_dir():
        pytest.skip("needs MPII's photographs")
    for home in some:
        people = LOADERS["mpii"](home / "mpii", "valid")
        crops = Crops(people, load_canvases(people, 192, home.parent / "canvases" / home.name, progress=False), weights.codec)
        totals.append(measure(predict(weights.model, crops, progress=False).points[-1], people, "mpii").scores.total)
    assert totals[0] > 40 and abs(totals[0] - totals[1]) < 2  # 40 people: a joint is 0.2 points
