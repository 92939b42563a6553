"""MPII's test people: predicted, and put into the file for the server, from annotations in the
official nested form."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from official_files import picture
from scipy.io import loadmat, savemat
from typer.testing import CliRunner

from companion.app.cli import app
from companion.app.pretrained import as_weights
from paperlib import PaperlibError
from paperlib.compared import ErrorFeedbackCodec
from paperlib.data.mpii import load_mpii
from paperlib.submission import NAME, export_mpii, write_test_points


def person(**fields):
    return {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0} | fields


def somebody(x=50.0):
    return person(scale=2.5, objpos={"x": x, "y": 80.0})


def structs(people):
    """A MATLAB struct array of dictionaries with the same fields."""
    array = np.empty((1, len(people)), [(name, object) for name in people[0]])
    for i, one in enumerate(people):
        array[0, i] = tuple(one.values())
    return array


@pytest.fixture
def annotations(tmp_path):
    """A training image; then test images with one, no, three (two of them separated, one of them
    without a position) and two people."""
    nowhere = person(scale=np.empty((0, 0)), objpos=np.empty((0, 0)))
    people = [
        [somebody()],
        [somebody(10.0)],
        [],
        [somebody(20.0), nowhere, somebody(30.0)],
        [somebody(40.0), somebody(41.0)],
    ]
    annolist = structs(
        [
            {
                "image": {"name": f"{i}.jpg"},
                "annorect": structs(rects) if rects else np.empty((0, 0)),
            }
            for i, rects in enumerate(people)
        ]
    )
    single = np.empty((5, 1), object)
    single[:, 0] = [
        np.array([[1.0]]),
        np.array([[1.0]]),
        np.empty((0, 0)),
        np.array([[1.0], [2.0], [3.0]]),
        np.empty((0, 0)),
    ]
    path = tmp_path / "mpii_human_pose_v1_u12_1.mat"
    savemat(
        path,
        {
            "RELEASE": {
                "annolist": annolist,
                "img_train": np.array([[1.0, 0, 0, 0, 0]]),
                "single_person": single,
            }
        },
    )
    return path


# (test image, person): the second person of the third image has no position
SEPARATED = [(0, 0), (2, 0), (2, 2)]
EVERYONE = [*SEPARATED, (3, 0), (3, 1)]


def exported(path):
    pred = loadmat(path)["pred"]
    assert pred.shape == (1, 4)
    found = {}
    for i, image in enumerate(pred[0]):
        assert image["image"][0, 0]["name"].item() == f"{i + 1}.jpg"
        for p, rect in enumerate(np.ravel(image["annorect"])):
            assert rect["x2"].item() == 3
            if "annopoints" in rect.dtype.names and rect["annopoints"].size:
                points = rect["annopoints"][0, 0]["point"][0]
                assert [point["id"].item() for point in points] == list(range(16))
                found[i, p] = np.array([[point["x"].item(), point["y"].item()] for point in points])
    return found


@pytest.mark.parametrize("who", [SEPARATED, EVERYONE], ids=["separated", "everyone"])
def test_the_points_are_put_into_their_people(annotations, who, tmp_path):
    points = np.random.default_rng(0).uniform(1, 500, (len(who), 16, 2))
    np.save(tmp_path / "mine.npy", points)
    path, people = export_mpii(tmp_path / "mine.npy", annotations, tmp_path / "out")
    assert (path.name, people) == (NAME, len(who))
    found = exported(path)
    assert list(found) == who
    np.testing.assert_array_equal(np.stack(list(found.values())), points)


def test_positions_and_scales_stay(annotations, tmp_path):
    np.save(tmp_path / "mine.npy", np.full((3, 16, 2), 7.0))
    rects = loadmat(export_mpii(tmp_path / "mine.npy", annotations, tmp_path)[0])["pred"][0, 2][
        "annorect"
    ]
    assert [rect["objpos"][0, 0]["x"].item() for rect in np.ravel(rects)[[0, 2]]] == [20, 30]
    assert np.ravel(rects)[0]["scale"].item() == 2.5 and np.ravel(rects)[1]["objpos"].size == 0


def test_what_cannot_be_sent(annotations, tmp_path):
    np.save(tmp_path / "four.npy", np.ones((4, 16, 2)) * 9)
    with pytest.raises(
        PaperlibError,
        match=r"four\.npy: holds 4 people x 16 joints; .*1\.mat has 3 test people.*separated "
        r"and 5 in all",
    ):
        export_mpii(tmp_path / "four.npy", annotations, tmp_path / "out")
    savemat(
        tmp_path / "holes.mat",
        {"preds": np.where(np.arange(96).reshape(3, 16, 2) < 2, np.nan, 9.0)},
    )
    with pytest.raises(PaperlibError, match=r"holes\.mat: 1 points are NaN"):
        export_mpii(tmp_path / "holes.mat", annotations, tmp_path / "out")
    np.save(tmp_path / "mine.npy", np.ones((3, 16, 2)) * 9)
    with pytest.raises(PaperlibError, match=r"none\.mat: no such file; .*paperlib data fetch mpii"):
        export_mpii(tmp_path / "mine.npy", tmp_path / "none.mat", tmp_path / "out")
    with pytest.raises(PaperlibError, match=r"holes\.mat: is not mpii_human_pose_v1_u12_1\.mat"):
        export_mpii(tmp_path / "mine.npy", tmp_path / "holes.mat", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_door(annotations, tmp_path):
    np.save(tmp_path / "mine.npy", np.full((3, 16, 2), 7.0))
    command = [
        "score",
        "mpii",
        str(tmp_path / "mine.npy"),
        "--truth",
        str(annotations),
        "--export",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, command)
    assert (
        done.exit_code == 0
        and "3 people of the MPII test set" in done.output
        and (tmp_path / "out" / NAME).is_file()
    )
    wrong = CliRunner().invoke(app, ["score", "lsp", *command[2:]])
    assert wrong.exit_code != 0 and "none for 'lsp'" in str(wrong.exception)


# ---------------------------------------------------------------- predicting the test people


@pytest.fixture
def home(annotations, tmp_path):
    """The folder of MPII with the pictures of the test set."""
    for i in range(1, 5):
        picture(tmp_path / f"images/{i}.jpg", (120, 160))
    return tmp_path


@pytest.fixture
def weights(tiny):
    return as_weights(tiny.trained("recurrent-t0"))


def read_preds(path):
    with h5py.File(path) as file:
        return file["preds"][()]


def test_what_is_predicted_of_the_test_people_can_be_sent(home, weights, annotations, tmp_path):
    """In the official order, in px from 1; people of whom nothing is known but their place."""
    out = tmp_path / "mine.h5"
    assert write_test_points(weights, home, tmp_path / "canvases", out) == len(SEPARATED)
    points = read_preds(out)
    assert points.shape == (3, 16, 2) and np.isfinite(points).all()
    path, people = export_mpii(out, annotations, tmp_path / "out")
    found = exported(path)
    assert people == 3 and list(found) == SEPARATED
    np.testing.assert_array_equal(np.stack(list(found.values())), points)


def test_points_are_those_of_the_crop_of_each_person(home, weights, tmp_path, monkeypatch):
    """A network that finds every joint at its crop's middle says each person's own place."""

    class Middle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, images):
            return [torch.zeros(len(images), 16, 2)]

    middle = replace(weights, model=Middle(), codec=ErrorFeedbackCodec(side=64))
    write_test_points(middle, home, tmp_path / "canvases", tmp_path / "mine.h5")
    people = load_mpii(home, "test", separated=True)
    expected = np.repeat(people.centre[:, None] + 1, 16, axis=1)
    np.testing.assert_allclose(read_preds(tmp_path / "mine.h5"), expected, atol=1e-3)
    assert expected[:, 0].tolist() == [[10, 80], [20, 80], [30, 80]]  # as the .mat has them


def test_the_test_people_are_predicted_all_or_not_at_all(home, weights, tiny, tmp_path):
    def write(used=weights, out=tmp_path / "mine.h5"):
        write_test_points(used, home, tmp_path / "canvases", out)

    with pytest.raises(PaperlibError, match=r"mine\.csv: .* go into an \.h5 file"):
        write(out=tmp_path / "mine.csv")
    with pytest.raises(PaperlibError, match="hourglass-flic: its joints are flic's"):
        write(as_weights(tiny.trained("hourglass-flic")))
    with pytest.raises(PaperlibError, match="another colour outside"):
        write(replace(weights, record=weights.record | {"outside": 0}))
    (home / "images/3.jpg").unlink()
    with pytest.raises(PaperlibError, match=r"\(image absent: 2\).*takes all of them.*images"):
        write()
    assert not (tmp_path / "mine.h5").exists()


def test_the_door_predicts_the_test_people(annotations, tiny, tmp_path, monkeypatch):
    data = tmp_path / "data"
    for i in range(1, 5):
        picture(data / f"mpii/images/{i}.jpg", (120, 160))
    (data / "mpii" / annotations.name).write_bytes(annotations.read_bytes())
    for name, folder in (("DATA", data), ("RUNS", tmp_path / "runs"), ("RESULTS", tmp_path / "r")):
        monkeypatch.setenv(f"PAPERLIB_{name}", str(folder))
    file = str(tiny.trained("recurrent-t0").folder / "weights.safetensors")
    out = str(tmp_path / "mine.h5")

    def call(*words):
        return CliRunner().invoke(app, list(words))

    done = call("predict", "--on", "mpii-test", "--weights", file, "--out", out, "--json")
    assert done.exit_code == 0, done.exception
    said = json.loads(done.stdout)
    assert said["file"] == out and said["people"] == 3 and said["weights"]["name"] == "recurrent-t0"
    sent = call("score", "mpii", out, "--export", str(tmp_path / "out"))
    assert sent.exit_code == 0 and (tmp_path / "out" / NAME).is_file(), sent.exception
    for words, why in (
        (["--on", "mpii-test", "--weights", file], "with --out FILE.h5"),
        (["--on", "lsp-test", "--out", out], "--on lsp-test: only mpii-test"),
        (["a.jpg", "--on", "mpii-test", "--out", out], "instead of images, boxes"),
        (["--on", "mpii-test", "--scales", "1", "--out", out], "their --scales"),
        ([], "name image files, or --on mpii-test"),
    ):
        wrong = call("predict", *words)
        assert wrong.exit_code != 0 and why in str(wrong.exception), words
