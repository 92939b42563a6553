"""Label files of other projects: the same people as from the official ones, or one clear line."""

import json

import numpy as np
import pytest
from official_files import annot_h5, coco, hrnet, leeds, lsp, mpii, picture, record, write_h5
from typer.testing import CliRunner

from companion.app import cli
from companion.measure.scores import measure
from companion.runs.study import NotMeasured, Study
from paperlib import PaperlibError
from paperlib.data.check import check
from paperlib.data.coco import load_coco
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, concatenate
from paperlib.skeleton import COCO

# ---------------------------------------------------------------- MPII


def same(people, others, joints=0.0):
    assert [name.rsplit("/", 1)[1] for name in people.image] == [
        name.rsplit("/", 1)[1] for name in others.image
    ]
    np.testing.assert_allclose(people.joints, others.joints, atol=joints)
    for name in ("centre", "scale", "head_size"):
        np.testing.assert_allclose(getattr(people, name), getattr(others, name), atol=1e-9)


HRNET = [
    ("annot/train.json", "annot/valid.json"),
    ("annotations/mpii_train.json", "annotations/mpii_val.json"),
]


@pytest.mark.parametrize("names", HRNET, ids=["HRNet", "mmpose"])
def test_hrnets_json_is_the_official_file_but_for_occlusion(tmp_path, names):
    """1-based, centre and scale raw, a missing joint at (-1, -1), joints_vis 1 where labelled."""
    true = load_mpii(mpii(tmp_path / "json", record()), "train", need_images=False)
    for split, name in zip(("train", "valid"), names, strict=True):
        hrnet(tmp_path / name, {})
        people = load_mpii(tmp_path, split, need_images=False, strict=True)
        same(people, true)
        assert people.state[0].tolist() == [ABSENT] + [VISIBLE] * 15
        assert true.state[0, 1] == OCCLUDED and people.unstated == ("occlusion",)


def test_people_of_one_image_are_each_others_neighbours(tmp_path):
    plain = json.loads(hrnet(tmp_path / "a.json", {}).read_text())[0]
    moved = [[x + 30, y] for x, y in plain["joints"]]
    hrnet(tmp_path / "annot/train.json", {}, {"joints": moved}, {"image": "b.jpg"})
    people = load_mpii(tmp_path, "train", need_images=False)
    assert [len(others) for others in people.others] == [1, 1, 0]
    assert people.others[0][0, 1].tolist() == [31, 2]


BAD = [
    ({"joints_vis": [2] * 16}, "visible neither 0 nor 1"),
    ({"center": [-1.0, -1.0]}, "label not a number"),
    ({"scale": -1}, "scale not positive"),
    ({"joints": [[5.0, 1e6]] * 16}, "joint far from the person"),
]


@pytest.mark.parametrize("bad, why", BAD)
def test_a_bad_row_of_hrnets(tmp_path, bad, why):
    hrnet(tmp_path / "annot/train.json", {}, bad)
    people = load_mpii(tmp_path, "train", need_images=False)
    assert len(people) == 1 and people.left_out == {why: 1}
    with pytest.raises(PaperlibError, match=f"train.json: person 1 of the split: {why}"):
        load_mpii(tmp_path, "train", need_images=False, strict=True)


def test_a_malformed_list_of_hrnets(tmp_path):
    hrnet(tmp_path / "annot/train.json", {"joints": [[1.0, 2.0]] * 15})
    with pytest.raises(PaperlibError, match="train.json: 'joints' should be 16 x 2 numbers"):
        load_mpii(tmp_path, "train")
    path = hrnet(tmp_path / "mpii_annotations.json", {})
    with pytest.raises(PaperlibError, match="do not say who is of the validation split; name the"):
        load_mpii(tmp_path, "train")
    records = json.loads(path.read_text())
    path.write_text(json.dumps([records[0] | {"isValidation": split} for split in (1, 0)]))
    assert len(load_mpii(tmp_path, "valid", need_images=False)) == 1


def test_what_needs_occlusion_is_not_measured(tmp_path, tiny, monkeypatch):
    hrnet(tmp_path / "mpii/annot/train.json", *[{"image": f"{i}.jpg"} for i in range(20)])
    for i in range(20):
        picture(tmp_path / f"mpii/images/{i}.jpg")
    people = load_mpii(tmp_path / "mpii", "train")
    study = Study("tiny", "synthetic", "cpu", progress=False, folders=tiny.folders)
    monkeypatch.setattr(study, "people", lambda dataset, split: people)
    with pytest.raises(NotMeasured, match="the labels do not say who is occluded"):
        study.training_people(study.runs["recurrent-t1-parts-exclude"])
    assert len(study.training_people(study.runs["recurrent-t1-parts"])) == 20
    scores = measure(people.joints, people, "mpii").scores
    assert scores.total == 100 and scores.visible is None and scores.occluded is None
    notes = check("mpii", _with_valid(tmp_path))["notes"]
    assert any("train: the labels do not say who is occluded" in note for note in notes)
    assert concatenate([people, people]).unstated == ("occlusion",)


def _with_valid(folder):
    hrnet(folder / "mpii/annot/valid.json", {})
    return folder


def test_a_score_without_a_reference_length_is_refused(tmp_path):
    people = load_coco(coco(tmp_path, {}), "test").to(COCO)
    with pytest.raises(PaperlibError, match="lsp: none of 1 people has a torso, the ref"):
        measure(people.joints, people, "lsp")
    with pytest.raises(PaperlibError, match="mpii: none of 1 people has a head size"):
        measure(people.joints, people, "mpii")


def test_annot_h5_of_pose_hg_train(tmp_path):
    """Centre and scale as the official file has them; names as codes; test people left alone."""
    records = [record("train.jpg"), record("valid.jpg")]
    official = mpii(tmp_path / "json", record("train.jpg"), record("valid.jpg", 1.0))
    true = load_mpii(official, "train", need_images=False)
    folder = annot_h5(tmp_path, records, validation=[(1, 0)])
    people = load_mpii(folder, "train", need_images=False, strict=True)
    same(people, true)
    assert (people.state == true.state).all() and people.unstated == ()
    (valid,) = load_mpii(folder, "valid", need_images=False).image
    assert valid.endswith("/valid.jpg")


def test_test_people_of_annot_h5_are_left_alone_though_their_joints_are_known(tmp_path):
    records = [record(f"{i}.jpg") for i in range(3)]
    folder = annot_h5(tmp_path, records, istrain=np.array([1.0, 0.0, 1.0, 0.0]))
    assert [name[-5:] for name in load_mpii(folder, "train", need_images=False).image] == [
        "0.jpg",
        "2.jpg",
    ]


def test_annot_h5_says_what_it_lacks(tmp_path):
    folder = annot_h5(tmp_path, [record()], validation=[(7, 0)])
    with pytest.raises(PaperlibError, match="valid.h5: names 1 validation people whom .*annot.h5"):
        load_mpii(folder, "train")
    (folder / "annot/valid.h5").unlink()
    with pytest.raises(PaperlibError, match="annot.h5 does not say who is of the validation split"):
        load_mpii(folder, "train")
    (folder / "annot.h5").unlink()
    annot_h5(tmp_path, [record()])
    write_h5(tmp_path / "b.h5", {"a": np.ones(1)}).rename(folder / "annot.h5")
    with pytest.raises(PaperlibError, match="annot.h5: has no array 'part'"):
        load_mpii(folder, "train")


def test_records_of_another_set_in_the_list_are_counted(tmp_path):
    folder = mpii(tmp_path, record(dataset="MPI"), {"dataset": "LEEDS", "img_paths": "im0001.jpg"})
    people = load_mpii(folder, "train")
    assert len(people) == 1 and people.left_out == {"of another data set": 1}


def test_jsonlabs_root_and_a_byte_order_mark(tmp_path):
    (tmp_path / "mpii_annotations.json").write_bytes(
        b"\xef\xbb\xbf" + json.dumps({"root": [record()]}).encode()
    )
    assert len(load_mpii(tmp_path, "train", need_images=False)) == 1


# ---------------------------------------------------------------- LSP


def test_leeds_is_lsp(tmp_path):
    """Flags of LSP are turned round: 1 visible there, 1 occluded in joints.mat."""
    folder = leeds(tmp_path, [2, 5, 1001])
    for name in ("im0002", "im0005", "im1001"):
        picture(folder / f"images/{name}.jpg")
    train, test = (load_lsp(folder, split, strict=True) for split in ("train", "test"))
    assert [path.rsplit("/", 1)[1] for path in train.image] == ["im0002.jpg", "im0005.jpg"]
    assert train.joints[1].tolist() == [[5 + j, 10] for j in range(14)]
    assert train.state[0].tolist() == [OCCLUDED] + [VISIBLE] * 13 and len(test) == 1
    assert train.centre[0].tolist() == [9.5, 14.5] and train.framed.all()
    with pytest.raises(PaperlibError, match="person-centric labels alone; oc_joints are"):
        load_lsp(folder, "test", labels="oc")
    lsp(folder, n=4)  # joints.mat is read first
    assert len(load_lsp(folder, "train")) == 2


def test_leeds_is_lsp_extended(tmp_path):
    folder = leeds(tmp_path, [3], extended=True)
    picture(folder / "lspet_dataset/images/im00003.jpg")
    people = load_lspet(folder, strict=True)
    assert people.state[0].tolist() == [ABSENT] + [VISIBLE] * 13
    with pytest.raises(PaperlibError, match="LEEDS_annotations.json: holds nobody of this split"):
        load_lsp(folder, "train")


@pytest.mark.parametrize(
    "numbers, changes, says",
    [
        ([1, 1], {}, "im0001.jpg is there twice"),
        ([2001], {}, "im2001.jpg is none of the 2000 of lsp"),
        ([5], {"isValidation": 1}, "im0005.jpg has isValidation 1, but LSP's test images are"),
        ([5], {"joint_self": [[1, 2, 3]]}, "'joint_self' should be 16 x 3 numbers"),
    ],
)
def test_a_leeds_that_is_not_lsp(tmp_path, numbers, changes, says):
    with pytest.raises(PaperlibError, match=f"LEEDS_annotations.json: {says}"):
        load_lsp(leeds(tmp_path, numbers, **changes), "train")


# ---------------------------------------------------------------- COCO


def change(folder, **changes):
    path = folder / "test_coco.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


PERSON = {"id": 1, "name": "person", "keypoints": list(COCO.joints)}


def test_a_coco_file_of_somebody_else(tmp_path):
    """No iscrowd anywhere; a dog; one annotation without keypoints and one without a box."""
    broken = {"id": 17, "keypoints": None}, {"id": 18, "bbox": [1, 2]}
    folder = coco(tmp_path, {"iscrowd": None}, {"category_id": 18}, *broken, {"iscrowd": 1})
    change(folder, categories=[PERSON, {"id": 18, "name": "dog"}])
    people = load_coco(folder, "test")
    assert len(people) == 1 and people.left_out == {
        "crowd": 1,
        "other category (dog)": 1,
        "annotation broken (id 17 has no 'keypoints', id 18 has 'bbox' [1, 2])": 2,
    }
    with pytest.raises(PaperlibError, match="test_coco.json: .* but id 17 has no 'keypoints'"):
        load_coco(folder, "test", strict=True)


def test_check_names_the_broken_annotation_and_counts_the_rest(tmp_path, monkeypatch):
    broken = [{"id": 10 + i, "keypoints": [1]} for i in range(5)]
    change(coco(tmp_path / "coco", {}, {"category_id": 18}, *broken), categories=[PERSON])
    found = check("coco", tmp_path)
    assert found["people"] == 1 and found["notes"] == ["test: 1 left out: other category (18)"]
    (problem,) = found["problems"]
    assert (
        "test: 5 people left out: annotation broken (id 10 has 'keypoints' [1]" in problem["what"]
    )
    assert problem["what"].endswith("and 2 more)")
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    done = CliRunner().invoke(cli.app, ["data", "check", "coco"])
    assert "1 left out: other category (18)" in done.stdout and done.exit_code == 1


def test_keypoints_are_taken_by_their_names(tmp_path):
    folder = coco(tmp_path, {})
    names = [*COCO.joints[1:], COCO.joints[0]]
    change(folder, categories=[PERSON | {"keypoints": names}])
    people = load_coco(folder, "test")
    assert people.joints[0, 1].tolist() == [5, 6] and people.joints[0, 2].tolist() == [7, 8]
    assert people.state[0, 0] == ABSENT


def test_a_coco_file_of_cats_is_sent_through_the_other_door(tmp_path):
    folder = change(
        coco(tmp_path, {}), categories=[{"id": 1, "name": "cat", "keypoints": ["nose"]}]
    )
    with pytest.raises(PaperlibError, match="17 keypoints, but 'cat' with 1; .*train hourg"):
        load_coco(folder, "test")
