"""The check of a data folder: counts against the published ones, every missing or broken image by
name, and strictness from the command line."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

from companion.app import cli
from paperlib import PaperlibError
from paperlib.data.check import check


@pytest.fixture
def lsp(tmp_path):
    """A data folder whose lsp/ has four people; of its images two are whole, one is empty and one
    is absent."""
    (tmp_path / "lsp/images").mkdir(parents=True)
    savemat(tmp_path / "lsp/joints.mat", {"joints": np.ones((3, 14, 4))})
    for i in (1, 2):
        Image.new("RGB", (5, 7)).save(tmp_path / f"lsp/images/im000{i}.jpg")
    (tmp_path / "lsp/images/im0003.jpg").write_bytes(b"")
    return tmp_path


def test_every_problem_is_named(lsp):
    found = check("lsp", lsp)
    assert {k: found[k] for k in ("dataset", "people", "images")} == {
        "dataset": "lsp",
        "people": 4,
        "images": 2,
    }
    problems = {
        (p["file"].rsplit("/", 1)[-1], p["what"].split("(")[0].strip()) for p in found["problems"]
    }
    assert problems == {
        ("im0003.jpg", "an empty file"),
        ("im0004.jpg", "image missing"),
        ("lsp", "train: 2 people, published are 1000"),
        ("lsp", "test: 2 people, published are 1000"),
        ("lsp", "56 joints are occluded, published are 2044"),
    }


def test_strict_stops_at_the_first_bad_image_and_at_the_first_bad_row(lsp):
    with pytest.raises(PaperlibError, match="im0003.jpg: an empty file .0 bytes.; fetch"):
        check("lsp", lsp, strict=True)
    points = np.ones((3, 14, 4))
    points[0, 5, 2] = np.nan
    savemat(lsp / "lsp/joints.mat", {"joints": points})
    assert {
        "file": str(lsp / "lsp"),
        "what": "test: 1 people left out: label not a number",
    } in check("lsp", lsp)["problems"]
    with pytest.raises(
        PaperlibError,
        match="joints.mat: person 0 of the split: label not a number .image '.*im0003.jpg'",
    ):
        check("lsp", lsp, strict=True)


@pytest.mark.parametrize(
    "words, says", [((), "5 problems, the first: "), (("--strict",), "im0003.jpg: an empty file")]
)
def test_the_command_line(lsp, words, says, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(lsp))
    done = CliRunner().invoke(cli.app, ["data", "check", "lsp", "--json", *words])
    assert done.exit_code == 1 and says in str(done.exception)
    assert words or len(json.loads(done.stdout)["problems"]) == 5


@pytest.mark.parametrize(
    "name, people, images", [("lsp", 2000, 2000), ("lspet", 10000, 10000), ("coco", 12, 4)]
)
def test_the_official_files_have_no_problem(real_data, name, people, images):
    found = check(name, real_data, strict=True)
    notes = found.pop("notes")
    assert found == {"dataset": name, "people": people, "images": images, "problems": []}
    assert all("left out: no joint labelled" in note for note in notes)


def test_a_part_of_mpii_is_told_from_the_whole(real_data, tmp_path):
    (tmp_path / "mpii").symlink_to(real_data / "mpii-sports")
    found = check("mpii", tmp_path)
    assert (found["people"], found["images"]) == (2338, 1527)
    assert [p["what"] for p in found["problems"]] == [
        "train: 2074 people, published are 22246",
        "valid: 264 people, published are 2958",
    ]


def test_labels_without_images(real_data):
    flic = check("flic", real_data)
    assert (flic["people"], flic["images"]) == (5003, 3)
    assert {p["what"] for p in flic["problems"]} == {"image missing"}
