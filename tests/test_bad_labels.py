"""Bad labels: a bad row is left out and counted, or stops a strict loader; a bad file is one error
that names it."""

import gzip
import json

import numpy as np
import pytest
from official_files import coco, example, flic, lsp, mpii, record, write_mat
from scipy.io import savemat

from paperlib import PaperlibError
from paperlib.data.coco import load_coco
from paperlib.data.flic import load_flic
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii

# ---------------------------------------------------------------- bad rows are left out and
# counted, strict raises


NAN_POINTS = [[float("nan"), 3.0, 1.0]] * 16
BAD_RECORDS = [
    (record("../a.jpg"), "outside the folder"),
    (record("/etc/a.jpg"), "outside the folder"),
    (record("C:\\a.jpg"), "outside the folder"),
    (record(""), "outside the folder"),
    (record(joint_self=NAN_POINTS), "not a number"),
    (record(objpos=[float("inf"), 1.0]), "not a number"),
    (record(scale_provided=None), "not a number"),
    (record(scale_provided=0.0), "scale not positive"),
    (record(scale_provided=-1.0), "scale not positive"),
    (record(joint_self=[[5.0, 5.0, 3.0]] * 16), "visible neither 0 nor 1"),
    (record(joint_self=[[5.0, 5.0, 1.0]] * 15 + [[1e6, 5.0, 1.0]]), "joint far from the person"),
    (record(joint_self=[[5.0, -3000.0, 0.0]] * 16), "joint far from the person"),
]


@pytest.mark.parametrize("bad, why", BAD_RECORDS)
def test_a_bad_mpii_row(tmp_path, bad, why):
    folder = mpii(tmp_path, record(), bad)
    people = load_mpii(folder, "train")
    assert (
        len(people) == 1
        and [why in reason for reason in people.left_out] == [True]
        and list(people.left_out.values()) == [1]
    )
    with pytest.raises(PaperlibError, match=f"mpii_annotations.json: person 1 .*{why}"):
        load_mpii(folder, "train", strict=True)


def test_a_joint_outside_the_image_is_kept(tmp_path):
    """MPII's annotators put some a little outside; 2.1 box sides from the centre is the
    furthest."""
    people = load_mpii(
        mpii(tmp_path, record(joint_self=[[-5.0, 1900.0, 1.0]] * 16)), "train", strict=True
    )
    assert people.joints[0, 0].tolist() == [-6, 1899]


def test_a_bad_neighbour_is_no_reason_to_leave_out(tmp_path):
    people = load_mpii(
        mpii(tmp_path, record(others=[[float("inf"), 1.0, 1.0]] * 16)), "train", strict=True
    )
    assert len(people) == 1 and np.isnan(people.others[0]).all()


def test_bad_rows_of_the_others(tmp_path):
    points = np.zeros((3, 14, 4))
    points[0, 0, 2], points[2, 0, 3] = np.nan, 7
    (tmp_path / "lsp").mkdir()
    savemat(tmp_path / "lsp/joints.mat", {"joints": points})
    people = load_lsp(tmp_path / "lsp", "test", need_images=False)
    assert people.left_out == {"label not a number": 1, "third value neither 0 nor 1": 1}
    with pytest.raises(PaperlibError, match="joints.mat: person 0"):
        load_lsp(tmp_path / "lsp", "test", need_images=False, strict=True)

    people = load_flic(flic(tmp_path / "flic", scale=[2.2, 0, np.nan]), "valid")
    assert len(people) == 1 and people.left_out == {
        "label not a number": 1,
        "scale not positive": 1,
    }

    people = load_coco(
        coco(
            tmp_path / "coco",
            {},
            {"bbox": [1, 1, 0, 0]},
            {"keypoints": [5, 5, 9] * 17},
            {"image_id": 99},
        ),
        "test",
    )
    assert len(people) == 1 and sum(people.left_out.values()) == 3


# ---------------------------------------------------------------- bad files


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_truncated_files(tmp_path):
    half(mpii(tmp_path / "mpii", record()) / "mpii_annotations.json")
    half(lsp(tmp_path / "lsp") / "joints.mat")
    half(flic(tmp_path / "flic") / "annot/valid.h5")
    half(coco(tmp_path / "coco", {}) / "test_coco.json")
    with gzip.open(tmp_path / "mpii_annotations.json.gz", "wt") as file:
        file.write(json.dumps([record(f"{i}.jpg") for i in range(99)]))
    half(tmp_path / "mpii_annotations.json.gz")
    for name, load in {
        "mpii/mpii_annotations.json": lambda: load_mpii(tmp_path / "mpii", "train"),
        "lsp/joints.mat": lambda: load_lsp(tmp_path / "lsp", "train"),
        "flic/annot/valid.h5": lambda: load_flic(tmp_path / "flic", "valid"),
        "coco/test_coco.json": lambda: load_coco(tmp_path / "coco", "test"),
        "mpii_annotations.json.gz": lambda: load_mpii(tmp_path, "train"),
    }.items():
        with pytest.raises(PaperlibError, match=f"{tmp_path}/{name}: cannot be read"):
            load()


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"joint_self": [[1.0, 2.0, 1.0]] * 15}, "'joint_self' should be 16 x 3"),
        ({"joint_others": [[1.0, 2.0]]}, "'joint_others' of image 'a.jpg'"),
        ({"objpos": ["x", 3]}, "'objpos' should be 2 numbers"),
        ({"scale_provided": [1.0, 2.0]}, "'scale_provided' should be one number"),
    ],
)
def test_malformed_mpii_records(tmp_path, changes, says):
    with pytest.raises(PaperlibError, match=f"mpii_annotations.json: {says}"):
        load_mpii(mpii(tmp_path, record(), record(**changes)), "train")


def test_wrong_kinds_of_file(tmp_path):
    (tmp_path / "mpii_annotations.json").write_text('{"images": []}')
    with pytest.raises(PaperlibError, match="should be a list of records"):
        load_mpii(tmp_path, "train")
    (tmp_path / "mpii_annotations.json").write_text('[{"img_paths": "a.jpg"}]')
    with pytest.raises(PaperlibError, match="record of image 'a.jpg' has no 'isValidation'"):
        load_mpii(tmp_path, "train")
    with pytest.raises(
        PaperlibError,
        match="joints.mat: 'joints' should be numbers 14 x 3 x N, but is float64 3 x 14 x 4",
    ):
        load_lspet(lsp(tmp_path))
    with pytest.raises(PaperlibError, match="joints.mat: has no array 'oc_joints'.*only .'joints'"):
        load_lsp(tmp_path, "test", labels="oc")
    with pytest.raises(
        PaperlibError, match="valid.h5: its arrays disagree on the number of people"
    ):
        load_flic(flic(tmp_path / "a", scale=np.ones(7)), "valid")
    with pytest.raises(
        PaperlibError,
        match="valid.h5: 'part' should be numbers N x 11 x 2, but is float64 3 x 16 x 2",
    ):
        load_flic(flic(tmp_path / "b", part=np.ones((3, 16, 2))), "valid")
    (flic(tmp_path / "c") / "annot/valid_images.txt").write_text("a.jpg\n")
    with pytest.raises(
        PaperlibError, match="valid_images.txt: 1 image names, but .*valid.h5 has 3 people"
    ):
        load_flic(tmp_path / "c", "valid")
    with pytest.raises(PaperlibError, match="test_coco.json: 'keypoints' should be 51 numbers"):
        load_coco(coco(tmp_path, {"keypoints": [1, 2, 3]}), "test")
    (tmp_path / "test_coco.json").write_text('{"images": []}')
    with pytest.raises(PaperlibError, match="test_coco.json: has no 'annotations'"):
        load_coco(tmp_path, "test")


def test_a_mat_that_is_not_flics(tmp_path):
    write_mat(tmp_path / "examples.mat", {"RELEASE": {"annolist": None}})
    with pytest.raises(
        PaperlibError,
        match="examples.mat: is not FLIC's: it has no struct examples, only .'RELEASE'",
    ):
        load_flic(tmp_path, "valid")
    bad = [
        example(np.ones((11, 2)), filepath="../a.jpg"),
        example(np.full((11, 2), np.nan)),
        example(np.ones((11, 2)), torsobox=np.full((1, 4), np.nan)),
    ]
    write_mat(tmp_path / "examples.mat", {"examples": [*bad, example(np.ones((11, 2)))]})
    people = load_flic(tmp_path, "valid", need_images=False)
    assert len(people) == 1 and people.left_out == {
        "image name empty or outside the folder": 1,
        "label not a number": 2,
    }
    write_mat(
        tmp_path / "examples.mat",
        {"examples": [example(np.ones((11, 2)), coords=np.ones((2, 11)))]},
    )
    with pytest.raises(PaperlibError, match="examples.mat: cannot be read"):
        load_flic(tmp_path, "valid")


@pytest.mark.parametrize("load", [load_mpii, load_lsp, load_flic, load_coco])
def test_a_missing_folder_or_file_or_split(tmp_path, load):
    for folder, named in (
        (tmp_path / "nowhere", "nowhere: no such folder"),
        (tmp_path, "no such file"),
    ):
        with pytest.raises(PaperlibError, match=f"{named}.*PAPERLIB_DATA.*paperlib data list"):
            load(folder, "train")
    with pytest.raises(PaperlibError, match="no split of .* 'third'; choose one of train, "):
        load(tmp_path, "third")
