"""MPII's three sources: the official nested .mat with its empty, scalar and missing fields,
Newell's h5, and which file of a folder is read."""

import numpy as np
import pytest
from official_files import (
    cells,
    mpii,
    mpii_h5,
    picture,
    record,
    rect,
    release,
    split_h5,
    write_h5,
    write_mat,
)

from paperlib import PaperlibError
from paperlib.data.mpii import load_mpii
from paperlib.people import ABSENT, OCCLUDED, VISIBLE

POINTS = record()["joint_self"]  # the first joint absent, the second occluded
EMPTY_RECT = dict.fromkeys(("x1", "y1", "x2", "y2", "annopoints", "scale", "objpos"))
MAT = "mpii_human_pose_v1_u12_1.mat"


def official(folder, *images, validation=()):
    write_mat(folder / MAT, release(images))
    split_h5(folder / "annot/valid.h5", list(validation))
    for image in images:
        picture(folder / "images" / image["name"])
    return folder


def image(name, *rects, **more):
    return {"name": name, "rects": list(rects), **more}


def test_the_splits_of_the_mat(tmp_path):
    """Validation is whom the list names; training is who shares no image with them; the test set's
    joints are not known."""
    folder = official(
        tmp_path,
        image("train.jpg", rect(POINTS), EMPTY_RECT, rect(POINTS, centre=(31.0, 21.0))),
        image("nobody.jpg"),
        image("valid.jpg", rect(POINTS), rect(POINTS, centre=(51.0, 21.0))),
        image("test.jpg", {"scale": 3.0, "objpos": {"x": 5.0, "y": 5.0}}, train=0),
        validation=[(2, 1)],
    )
    train, valid = (load_mpii(folder, split, strict=True) for split in ("train", "valid"))
    assert [name.rsplit("/", 1)[1] for name in train.image] == [
        "train.jpg"
    ] * 2 and train.centre.tolist() == [[10, 20], [30, 20]]
    assert [name.rsplit("/", 1)[1] for name in valid.image] == [
        "valid.jpg"
    ] and valid.centre.tolist() == [[50, 20]]
    # the neighbour who is of no split is there
    assert [len(others) for others in (*train.others, *valid.others)] == [1, 1, 1]
    assert train.state[0].tolist() == [ABSENT, OCCLUDED] + [VISIBLE] * 14 and train.joints[
        0, 1:
    ].tolist() == [[j, 2 * j] for j in range(1, 16)]
    assert train.scale[0] == 2 and train.head_size[0] == pytest.approx(0.6 * np.hypot(30, 40))
    assert (train.others[0][0, 1:] == train.joints[1, 1:]).all() and np.isnan(
        train.others[0][0, 0]
    ).all()


def somebody(x=5.0, **more):
    """A person of the test set: a position and a scale."""
    return {"scale": 3.0, "objpos": {"x": x, "y": 7.0}} | more


def test_the_people_of_the_test_set(tmp_path):
    """Those with a position, in the order of the file; nobody says where their joints are."""
    folder = official(
        tmp_path,
        image("train.jpg", rect(POINTS), single=[1]),
        image("one.jpg", somebody(11.0), train=0, single=[1]),
        image("nobody.jpg", train=0),
        image("three.jpg", somebody(12.0), EMPTY_RECT, somebody(13.0), train=0, single=[2, 3]),
    )
    (folder / "annot/valid.h5").unlink()  # which it does not need
    people = load_mpii(folder, "test", strict=True)
    names = [name.rsplit("/", 1)[1] for name in people.image]
    assert names == ["one.jpg", "three.jpg", "three.jpg"]
    assert (
        people.centre.tolist() == [[10, 6], [11, 6], [12, 6]] and people.scale.tolist() == [3] * 3
    )
    assert (people.state == ABSENT).all() and np.isnan(people.joints).all()
    assert np.isnan(people.head_size).all() and [len(others) for others in people.others] == [0] * 3
    separated = load_mpii(folder, "test", separated=True)
    assert separated.centre[:, 0].tolist() == [10, 12]


def test_the_test_people_are_in_the_mat_alone(tmp_path):
    folder = mpii(tmp_path, record())
    with pytest.raises(PaperlibError, match="1.mat: no such file; .*PAPERLIB_DATA"):
        load_mpii(folder, "test")
    official(folder, image("a.jpg", somebody(), train=0, single=[1]))
    assert len(load_mpii(folder, "test")) == 1 and len(load_mpii(folder, "train")) == 1
    (folder / "images/a.jpg").unlink()
    left = load_mpii(folder, "test")
    assert len(left) == 0 and left.left_out == {"image absent": 1}


def test_a_bad_person_of_the_test_set(tmp_path):
    unsized = somebody(9.0, scale=None)
    folder = official(tmp_path, image("a.jpg", somebody(), unsized, train=0, single=[1, 2]))
    people = load_mpii(folder, "test")
    assert len(people) == 1 and people.left_out == {"label not a number": 1}
    with pytest.raises(PaperlibError, match="person 1 of the split: label not a number"):
        load_mpii(folder, "test", strict=True)


VISIBLE_AS = {
    "a character": str,
    "a number": float,
    "a small integer": np.uint8,
    "a logical": bool,
    "empty where visible": lambda v: None if v else 0.0,
    "an empty character where visible": lambda v: np.array([], "<U1") if v else "0",
}


@pytest.mark.parametrize("visible", VISIBLE_AS.values(), ids=VISIBLE_AS)
def test_visible_is_written_in_many_ways(tmp_path, visible):
    people = load_mpii(official(tmp_path, image("a.jpg", rect(POINTS, visible=visible))), "train")
    assert people.state[0].tolist() == [ABSENT, OCCLUDED] + [VISIBLE] * 14


def test_missing_fields(tmp_path):
    bare = rect(POINTS)
    for note in bare["annopoints"]["point"]:
        del note["is_visible"]
    boxless = {name: value for name, value in rect(POINTS).items() if name not in ("x1", "x2")}
    one = rect([[0.0, 0.0, 0.0]] * 15 + [[7.0, 8.0, 1.0]])  # one point is no array
    folder = official(
        tmp_path,
        image("bare.jpg", bare),
        image("boxless.jpg", boxless),
        image("one.jpg", one),
        image("none.jpg", {"scale": 2.0}),
    )
    people = load_mpii(folder, "train", strict=True)
    assert len(people) == 3 and (people.state[0, 1:] == VISIBLE).all()
    assert np.isnan(people.head_size).tolist() == [False, True, False]
    assert np.argwhere(people.state[2]).tolist() == [[15]] and people.joints[2, 15].tolist() == [
        6,
        7,
    ]


def test_separated_people(tmp_path):
    folder = official(
        tmp_path,
        image("two.jpg", rect(POINTS), rect(POINTS, centre=(31.0, 21.0)), single=[2]),
        image("both.jpg", rect(POINTS), rect(POINTS), single=[1, 2]),
        image("none.jpg", rect(POINTS)),
    )
    assert len(load_mpii(folder, "train")) == 5
    people = load_mpii(folder, "train", separated=True)
    assert [name.rsplit("/", 1)[1] for name in people.image] == [
        "two.jpg",
        "both.jpg",
        "both.jpg",
    ] and people.centre[0, 0] == 30
    assert [len(others) for others in people.others] == [1, 1, 1]
    with pytest.raises(
        PaperlibError, match="mpii_annotations.json: does not say who is sufficiently separated"
    ):
        load_mpii(mpii(tmp_path, record()), "train", separated=True)


BAD_RECTS = {
    "head box of no area": rect(POINTS, box=(10.0, 10.0, 10.0, 50.0)),
    "scale not positive": rect(POINTS, scale=0.0),
    "label not a number": rect(POINTS, objpos=None),
    "joint far from the person": rect([[5000.0, 3.0, 1.0]] * 16),
    "visible neither 0 nor 1": rect(POINTS, visible=lambda v: 2.0),
}


@pytest.mark.parametrize("why", BAD_RECTS)
def test_a_bad_row_of_the_mat(tmp_path, why):
    folder = official(tmp_path, image("a.jpg", rect(POINTS), BAD_RECTS[why]))
    people = load_mpii(folder, "train")
    assert len(people) == 1 and people.left_out == {why: 1} and len(people.others[0]) == 1
    with pytest.raises(
        PaperlibError, match=f"{MAT}: person 1 of the split: {why} .image '.*a.jpg'"
    ):
        load_mpii(folder, "train", strict=True)


def test_a_mat_that_is_not_mpiis(tmp_path):
    split_h5(tmp_path / "annot/valid.h5", [])
    for tree in (
        {"joints": np.ones((3, 14, 4))},
        {"RELEASE": np.ones(3)},
        {"RELEASE": {"annolist": None}},
        {"RELEASE": [{"annolist": 1.0, "img_train": 1.0}] * 2},
    ):
        write_mat(tmp_path / MAT, tree)
        with pytest.raises(
            PaperlibError,
            match=f"{MAT}: is not MPII's: it has no struct RELEASE with annolist, img_train and "
            f"single_person, only \\['{list(tree)[0]}'\\]",
        ):
            load_mpii(tmp_path, "train")
    wrong = rect(POINTS)
    wrong["annopoints"]["point"][0]["id"] = 16.0
    with pytest.raises(
        PaperlibError, match=f"{MAT}: cannot be read.*a point has id 16, MPII's joints are 0 to 15"
    ):
        load_mpii(official(tmp_path, image("a.jpg", wrong)), "train")


def test_a_mat_without_the_right_split(tmp_path):
    folder = official(
        tmp_path, image("a.jpg", rect(POINTS), EMPTY_RECT), validation=[(0, 0), (0, 1)]
    )
    with pytest.raises(
        PaperlibError,
        match="valid.h5: names 1 validation people whom .*mat does not have, the first is "
        "person 1 of image 0",
    ):
        load_mpii(folder, "valid")
    (folder / "annot/valid.h5").unlink()
    with pytest.raises(
        PaperlibError,
        match="annot/valid.h5: no such file; the official .mat does not say who is of the "
        "validation split: .*paperlib data fetch mpii",
    ):
        load_mpii(folder, "train")


def test_the_h5_is_moved_back(tmp_path):
    points = [[x + 0.7, y + 0.4, v] if v or x else [x, y, v] for x, y, v in POINTS]
    other = [[30.0, 40.0, 1.0]] * 16
    true = load_mpii(
        mpii(
            tmp_path / "json", record(joint_self=points), record("b.jpg"), record(joint_self=other)
        ),
        "train",
        need_images=False,
    )
    for split in ("train", "valid"):
        mpii_h5(tmp_path / f"annot/{split}.h5", true)
        people = load_mpii(tmp_path, split, need_images=False, strict=True)
        assert [name.rsplit("/", 1)[1] for name in people.image] == ["a.jpg", "b.jpg", "a.jpg"]
        assert (
            people.centre == pytest.approx(true.centre)
            and people.scale == pytest.approx(true.scale)
            and (people.head_size == 50).all()
        )
        assert (people.state == true.state).all() and people.joints[0, 1:].tolist() == [
            [j, 2 * j] for j in range(1, 16)
        ]
        assert [len(others) for others in people.others] == [1, 0, 1] and (
            people.others[0][0] == [29, 39]
        ).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"imgname": np.ones(2)},
        {"imgname": np.array([b"a.jpg"])},
        {"normalize": np.zeros(2)},
        {"visible": np.full((2, 16), -1)},
    ],
)
def test_a_bad_h5(tmp_path, changes):
    tree = {
        "part": np.ones((2, 16, 2)),
        "visible": np.ones((2, 16)),
        "center": np.ones((2, 2)),
        "scale": np.ones(2),
        "normalize": np.ones(2),
    }
    (tmp_path / "annot").mkdir()
    write_h5(
        tmp_path / "annot/train.h5", tree | {"imgname": np.array([b"a.jpg", b"b.jpg"])} | changes
    )
    with pytest.raises(PaperlibError, match="annot/train.h5: "):
        load_mpii(tmp_path, "train", need_images=False, strict=True)


def test_which_file_of_a_folder_is_read(tmp_path):
    """The table is FILES in paperlib.data.mpii: each source here has a scale of its own."""
    true = load_mpii(mpii(tmp_path, record(scale_provided=1.0)), "train", need_images=False)
    official(tmp_path, image("a.jpg", rect(POINTS, scale=3.0)))
    (tmp_path / "mpii_human_pose_v1_u12_2").mkdir()
    write_mat(
        tmp_path / "mpii_human_pose_v1_u12_2" / MAT,
        release([image("a.jpg", rect(POINTS, scale=4.0))]),
    )
    mpii_h5(tmp_path / "annot/train.h5", true)
    for scale, name in (
        (1, "mpii_annotations.json"),
        (3, MAT),
        (4, f"mpii_human_pose_v1_u12_2/{MAT}"),
        (1, "annot/train.h5"),
    ):
        assert load_mpii(tmp_path, "train").scale.tolist() == [scale]
        (tmp_path / name).unlink()
    with pytest.raises(
        PaperlibError,
        match="mpii_annotations.json: no such file; nor is there .*mat, .*annot/train.h5, .*; "
        "PAPERLIB_DATA",
    ):
        load_mpii(tmp_path, "train")


def test_cells_are_not_taken_for_people(tmp_path):
    tree = release([image("a.jpg", rect(POINTS))])
    tree["RELEASE"]["annolist"][0]["annorect"] = cells([np.ones(3), "person"])
    split_h5(tmp_path / "annot/valid.h5", [])
    assert len(load_mpii(write_mat(tmp_path / MAT, tree).parent, "train", need_images=False)) == 0
