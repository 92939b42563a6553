"""The loaders on small files in each official format: what every number in them becomes, and who
else is in the image."""

import gzip
import json
from pathlib import Path

import numpy as np
from official_files import coco, example, flic, lsp, mpii, record, write_mat

from paperlib.data.coco import load_coco
from paperlib.data.flic import load_flic
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import COCO, FLIC, LSP, MPII

A, O, V = ABSENT, OCCLUDED, VISIBLE  # noqa: E741


def test_mpii_format(tmp_path):
    other = [[3.0, 4.0, 1.0]] * 15 + [[0.0, 0.0, 0.0]]
    people = load_mpii(
        mpii(
            tmp_path,
            record(),
            record(validation=1.0),
            record(others=other),
            record(others=[other, other]),
        ),
        "train",
    )
    assert people.skeleton is MPII and len(people) == 3 and people.left_out == {}
    assert people.image.tolist() == [str(tmp_path / "images/a.jpg")] * 3
    assert people.state[0].tolist() == [A, O] + [V] * 14
    assert np.isnan(people.joints[0, 0]).all()
    assert people.joints[0, 1:].tolist() == [[j, 2 * j] for j in range(1, 16)]  # 0-based
    assert (
        people.centre[0].tolist() == [10, 20] and people.scale[0] == 2 and people.head_size[0] == 50
    )
    assert not people.framed.any()
    assert [o.shape for o in people.others] == [(0, 16, 2), (1, 16, 2), (2, 16, 2)]
    assert people.others[1][0, 0].tolist() == [2, 3] and np.isnan(people.others[1][0, 15]).all()


def test_mpii_gzip_and_a_joint_on_the_border_is_not_absent(tmp_path):
    points = record()["joint_self"]
    points[2] = [325.0, 0.0, 1.0]
    with gzip.open(tmp_path / "mpii_annotations.json.gz", "wt") as file:
        json.dump([record(joint_self=points, validation=1)], file)
    people = load_mpii(tmp_path, "valid", need_images=False)
    assert people.joints[0, 2].tolist() == [324, -1] and people.state[0, 2] == VISIBLE


def test_an_absent_image_is_counted_unless_it_is_not_needed(tmp_path):
    folder = mpii(tmp_path, record(), record("absent.jpg"), record("absent.jpg"))
    people = load_mpii(folder, "train", strict=True)
    assert len(people) == 1 and people.left_out == {"image absent": 2}
    assert len(load_mpii(folder, "train", need_images=False)) == 3


def test_lsp_format(tmp_path):
    flags = np.zeros((5, 14))
    flags[3, 6] = 1
    folder = lsp(tmp_path, n=5, flags=flags, oc_joints=np.full((3, 14, 5), 1.0))
    train, test = load_lsp(folder, "train"), load_lsp(folder, "test")
    assert [p.rsplit("/", 1)[1] for p in train.image] == ["im0001.jpg", "im0002.jpg"] and len(
        test
    ) == 3
    assert test.skeleton is LSP and test.joints[1, 2].tolist() == [3 + 2 + 0.25, 10]
    assert (
        np.argwhere(test.state == OCCLUDED).tolist() == [[1, 6]] and (train.state == VISIBLE).all()
    )
    assert (
        test.centre[0].tolist() == [9.5, 14.5] and test.scale[0] == 30 / 200 and test.framed.all()
    )
    assert np.isnan(test.head_size).all() and [len(o) for o in test.others] == [0, 0, 0]
    assert (load_lsp(folder, "test", labels="oc").joints == 1).all()


def test_a_fifth_of_lsps_training_people_is_held_out(tmp_path):
    """Always the same ones, none of them among those of whom there is another shot; "rest" are the
    other training people."""
    folder = lsp(tmp_path, n=140)
    people = {split: load_lsp(folder, split) for split in ("train", "rest", "held-out", "test")}
    numbers = {
        split: {int(Path(image).stem[2:]) for image in found.image}
        for split, found in people.items()
    }
    assert len(people["held-out"]) == 14 and numbers["held-out"] | numbers["rest"] == numbers[
        "train"
    ] == set(range(1, 71))
    assert not numbers["held-out"] & (numbers["rest"] | numbers["test"])
    assert (load_lsp(folder, "held-out").joints == people["held-out"].joints).all()
    assert [int(joints[0, 0]) + 1 for joints in people["held-out"].joints] == sorted(
        numbers["held-out"]
    )  # each with its own labels


def test_lspet_format_is_the_opposite(tmp_path):
    flags = np.ones((2, 14))
    flags[1, 3] = 0
    people = load_lspet(lsp(tmp_path, n=2, layout=(1, 2, 0), digits=5, flags=flags))
    assert (
        np.argwhere(people.state == ABSENT).tolist() == [[1, 3]]
        and (people.state == VISIBLE).sum() == 27
    )
    assert np.isnan(people.joints[1, 3]).all() and np.isfinite(people.joints).sum() == 54
    assert people.joints[1, 0].tolist() == [1.25, 10]


def test_lsp_images_absent_or_broken(tmp_path):
    folder = lsp(tmp_path)
    (folder / "images/im0003.jpg").unlink()
    (folder / "images/im0004.jpg").write_bytes(b"no picture")
    people = load_lsp(folder, "test")
    assert len(people) == 0 and people.left_out == {"image absent": 1, "image unreadable": 1}
    people = load_lsp(folder, "test", need_images=False)
    assert len(people) == 2 and np.isnan(people.scale).all() and np.isfinite(people.joints).all()


def test_flic_format(tmp_path):
    people = load_flic(flic(tmp_path), "valid")
    assert people.skeleton is FLIC and people.joints[1, 2].tolist() == [104.5, 105.5]  # as stored
    assert (
        people.centre[0].tolist() == [330, 240]
        and (people.scale == 2.2).all()
        and people.framed.all()
    )
    assert (people.state == VISIBLE).all() and np.isnan(people.head_size).all()
    assert [len(o) for o in people.others] == [1, 0, 1]
    assert (people.others[0][0] == people.joints[2]).all() and (
        people.others[2][0] == people.joints[0]
    ).all()
    assert (load_flic(tmp_path, "valid", labels="pc").joints == people.joints + 1000).all()


def test_flics_mat_format(tmp_path):
    """Left and right change places for an observer where the right shoulder is right of the left
    one; eyes too, the nose does not."""
    joints = np.add.outer(100.0 * np.arange(11), [0.5, 1.5])
    # the left shoulder is right of the right one, as of a person who faces us
    facing = joints[::-1].copy()
    write_mat(
        tmp_path / "examples.mat",
        {
            "examples": [
                example(joints),
                example(facing),
                example(joints, train=1.0),
                example(facing, "b.jpg"),
            ]
        },
    )
    pc, oc = (
        load_flic(tmp_path, "valid", labels, need_images=False, strict=True)
        for labels in ("pc", "oc")
    )
    assert (
        len(pc) == 3
        and pc.joints[0].tolist() == joints.tolist()
        and pc.joints[1].tolist() == facing.tolist()
    )
    assert (
        oc.joints[0].tolist() == joints[[3, 4, 5, 0, 1, 2, 7, 6, 9, 8, 10]].tolist()
        and (oc.joints[1:] == pc.joints[1:]).all()
    )
    assert (
        oc.centre.tolist() == [[330, 240]] * 3
        and (oc.scale == 2.2).all()
        and oc.framed.all()
        and (oc.state == VISIBLE).all()
    )
    assert [len(o) for o in oc.others] == [1, 1, 0] and (oc.others[1][0] == oc.joints[0]).all()
    assert len(load_flic(tmp_path, "train", need_images=False)) == 1


def test_coco_format(tmp_path):
    nobody = {"keypoints": [0, 0, 0] * 17, "num_keypoints": 0}
    folder = coco(
        tmp_path, {}, {"bbox": [0.0, 0.0, 80.0, 40.0]}, {"iscrowd": 1}, nobody, {"image_id": 8}
    )
    people = load_coco(folder, "test")
    assert people.skeleton is COCO and len(people) == 2
    assert people.left_out == {"crowd": 1, "no joint labelled": 1, "image absent": 1}
    assert people.state[0].tolist() == [V, O] + [A] * 15
    assert (
        people.joints[0, :2].tolist() == [[5, 6], [7, 8]] and np.isnan(people.joints[0, 2:]).all()
    )
    # the longer side
    assert people.centre.tolist() == [[25, 50], [40, 20]] and people.scale.tolist() == [0.3, 0.4]
    assert [len(o) for o in people.others] == [1, 1] and not people.framed.any()


# ---------------------------------------------------------------- maps for training on several data
# sets


def test_maps_between_skeletons_invent_nothing(tmp_path):
    """What the target has and the source has not is absent; the others are the same joints, LSP's
    neck being MPII's upper neck."""
    for people, missing in (
        (
            load_coco(coco(tmp_path / "coco", {"keypoints": [5, 6, 2] * 17}), "test"),
            {"pelvis", "thorax", "upper_neck", "head_top"},
        ),
        (load_lsp(lsp(tmp_path / "lsp"), "test"), {"pelvis", "thorax"}),
    ):
        mapped = people.to(MPII)
        assert (
            mapped.skeleton is MPII
            and {MPII.joints[j] for j in np.flatnonzero((mapped.state == ABSENT).all(0))} == missing
        )
        assert (np.isnan(mapped.joints[..., 0]) == (mapped.state == ABSENT)).all()
        shared = [
            (people.skeleton.index({"upper_neck": "neck"}.get(name, name)), j)
            for j, name in enumerate(MPII.joints)
            if name not in missing
        ]
        assert all(
            (mapped.joints[:, j] == people.joints[:, i]).all()
            and (mapped.state[:, j] == people.state[:, i]).all()
            for i, j in shared
        )
        assert (mapped.left_out, mapped.framed.tolist()) == (
            people.left_out,
            people.framed.tolist(),
        )
    lsp_people = load_lsp(tmp_path / "lsp", "test")
    back = lsp_people.to(MPII).to(LSP)
    assert (back.joints == lsp_people.joints).all() and (back.state == lsp_people.state).all()


def test_the_others_are_mapped_too(tmp_path):
    people = load_coco(coco(tmp_path, {}, {"keypoints": [9, 9, 2] * 17}), "test").to(MPII)
    assert [o.shape for o in people.others] == [(1, 16, 2)] * 2
    assert (people.others[0][0, MPII.index("left_knee")] == 9).all() and np.isnan(
        people.others[0][0, MPII.index("pelvis")]
    ).all()
