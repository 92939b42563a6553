"""The real data sets, where they are: every count that was published, and every difference between
two files of the same people."""

import gzip
import json
from collections import defaultdict

import h5py
import numpy as np
import pytest
from official_files import example, rect, release, split_h5, write_mat
from scipy.io import loadmat

from paperlib.data.coco import load_coco
from paperlib.data.flic import load_flic
from paperlib.data.images import read_image
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii
from paperlib.people import ABSENT, OCCLUDED
from paperlib.skeleton import MPII


def names(people):
    return [path.rsplit("/", 1)[1] for path in people.image]


def same_points(a, b):
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


# ---------------------------------------------------------------- MPII, from its three sources


@pytest.fixture(scope="module")
def records(real_data):
    with gzip.open(real_data / "mpii/mpii_annotations.json.gz", "rt") as file:
        return json.load(file)


@pytest.fixture(scope="module")
def mpii_train(real_data):
    return load_mpii(real_data / "mpii", "train", need_images=False, strict=True)


@pytest.fixture(scope="module")
def mpii_valid(real_data):
    return load_mpii(real_data / "mpii", "valid", need_images=False, strict=True)


def official_images(records, whole=True):
    """The images of the official .mat, by their places in it from 1: every annotated person in
    annorect, those of no split too.

    The head box is the square whose diagonal agrees with the scale. What is not `whole` has one
    point and no box.
    """
    images = defaultdict(dict)
    for found in records:
        image = images[int(found["annolist_index"])]
        image["name"] = found["img_paths"]
        image.setdefault("records", {})[int(found["people_index"])] = found
    for image in images.values():
        place, own = (
            0,
            {json.dumps(found["joint_self"]): p for p, found in image["records"].items()},
        )
        image["people"] = {
            p: (found["joint_self"], found["objpos"], found["scale_provided"])
            for p, found in image["records"].items()
        }
        first = next(iter(image["records"].values()))
        # MATLAB's writer leaves out the first axis of one
        alone = int(first["numOtherPeople"]) == 1
        others = [[first[key]] if alone else first[key] for key in ("joint_others", "objpos_other")]
        scales = (
            np.atleast_1d(first["scale_provided_other"]).tolist()
            if int(first["numOtherPeople"])
            else []
        )
        for points, centre, scale in zip(*others, scales, strict=False):
            if (known := own.get(json.dumps(points))) is None:
                place = next(p for p in range(place + 1, 99) if p not in image["people"])
                image["people"][place] = (points, centre, scale)
            else:
                place = known
        image["rects"] = [
            _rect(image["people"].get(p), whole) for p in range(1, max(image["people"]) + 1)
        ]
    return images


def _rect(person, whole):
    if person is None:
        return {"scale": None}
    points, centre, scale = person
    if not whole:
        x, y, _ = max(points)
        return {
            "annopoints": {"point": {"x": x, "y": y, "id": 0.0}},
            "scale": scale,
            "objpos": {"x": centre[0], "y": centre[1]},
        }
    half = 25 * scale / 0.6 / 2 / 2**0.5
    box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    return rect(points, centre, scale, box)


def write_official(folder, images, wanted, valid):
    """The .mat of the images `wanted`, all others being of the test set, and the list of the
    validation people who are in it."""
    last = max(wanted)
    empty = {"name": "of the test set.jpg", "rects": [], "train": 0}
    write_mat(
        folder / "mpii_human_pose_v1_u12_1.mat",
        release([images[i] if i in wanted else empty for i in range(1, last + 1)]),
    )
    split_h5(folder / "annot/valid.h5", [(i, p) for i, p in valid if i + 1 in wanted])
    return folder


@pytest.fixture(scope="module")
def valid_rows(real_data):
    with h5py.File(real_data / "mpii/annot/valid.h5") as file:
        return list(
            zip(
                file["index"][()].astype(int).tolist(),
                file["person"][()].astype(int).tolist(),
                strict=True,
            )
        )


def test_the_mat_gives_the_people_of_the_json(
    records, mpii_train, mpii_valid, valid_rows, tmp_path
):
    """On 160 images of training and 160 of validation, which hold every kind: alone, in a crowd,
    some people without points."""
    images = official_images(records)
    chosen = {
        split: [
            int(r["annolist_index"])
            for r in records
            if (r["isValidation"] == 1) == (split == "valid")
        ]
        for split in ("train", "valid")
    }
    wanted = {i for indices in chosen.values() for i in sorted(set(indices))[:160]}
    folder = write_official(tmp_path, images, wanted, valid_rows)
    for split, all_people in (("train", mpii_train), ("valid", mpii_valid)):
        people = load_mpii(folder, split, need_images=False, strict=True)
        same = all_people.select([i in wanted for i in chosen[split]])
        assert len(people) > 160 and names(people) == names(same)
        assert all(
            same_points(getattr(people, field), getattr(same, field))
            for field in ("joints", "state", "centre", "scale", "framed")
        )
        assert np.abs(people.head_size - same.head_size).max() < 1e-9
        assert (
            all(map(same_points, people.others, same.others)) and sum(map(len, people.others)) > 100
        )


def test_the_mat_counts_as_published(records, mpii_valid, valid_rows, tmp_path):
    """The whole file, with one point a person: 25,204 people of the two splits among 28,883."""
    images = official_images(records, whole=False)
    assert sum(len(image["people"]) for image in images.values()) == 28883
    folder = write_official(tmp_path, images, set(images), valid_rows)
    train, valid = (load_mpii(folder, split, need_images=False) for split in ("train", "valid"))
    assert (len(train), len(valid)) == (22246, 2958) and train.left_out == valid.left_out == {}
    assert names(valid) == names(mpii_valid) and (valid.centre == mpii_valid.centre).all()
    assert list(map(len, valid.others)) == list(map(len, mpii_valid.others))


def test_the_h5_gives_the_people_of_the_json(real_data, mpii_valid, tmp_path):
    (tmp_path / "annot").symlink_to(real_data / "mpii/annot")
    people = load_mpii(tmp_path, "valid", need_images=False, strict=True)
    assert len(people) == 2958 and names(people) == names(mpii_valid)
    assert (people.state == mpii_valid.state).all()
    apart = np.abs(people.joints - mpii_valid.joints)
    assert (
        np.nanmax(apart) <= 1
        and np.nanmean(np.linalg.norm(people.joints - mpii_valid.joints, axis=-1)) < 0.18
    )  # FACTS D.5
    assert (np.nan_to_num(people.joints) % 1 == 0).all()
    assert (
        np.abs(people.centre - mpii_valid.centre).max() < 1e-6
        and np.abs(people.scale - mpii_valid.scale).max() < 6e-4
    )
    assert np.abs(people.head_size - mpii_valid.head_size).max() < 0.013
    # the .h5 knows those of its split alone
    for few, all_others in zip(people.others, mpii_valid.others, strict=True):
        assert all(
            (np.nan_to_num(np.abs(all_others - other), nan=0).max((1, 2)) <= 1).any()
            for other in few
        )
    assert sum(map(len, people.others)) == 2 * sum(
        n * (n - 1) // 2 for n in np.unique(people.image, return_counts=True)[1]
    )


def test_real_mpii(real_data, mpii_train, mpii_valid):
    assert len(mpii_train) == 22246
    assert len(mpii_valid) == 2958 and len(set(mpii_valid.image)) == 2729
    with h5py.File(real_data / "mpii/annot/valid.h5") as file:
        assert names(mpii_valid) == [name.decode() for name in file["imgname"]]


def test_real_mpii_states(mpii_valid):
    annotated = (mpii_valid.state != ABSENT).sum(0)
    printed = [
        2115,
        2485,
        2889,
        2888,
        2478,
        2119,
        2878,
        2932,
        2932,
        2931,
        2928,
        2935,
        2944,
        2944,
        2932,
        2909,
    ]  # FACTS D.5, by Newell's rule
    # the head top of person 1856, x = 0.27
    assert (annotated - printed).tolist() == [0] * 9 + [1] + [0] * 6
    assert round(100 * (mpii_valid.state == OCCLUDED).sum() / annotated.sum(), 2) == 23.15


def test_who_else_is_in_the_image(mpii_train, mpii_valid, records):
    """R ignores them: the record says how many there are, and each stands where its own record has
    it."""
    for people, validation in ((mpii_train, 0), (mpii_valid, 1)):
        assert list(map(len, people.others)) == [
            int(r["numOtherPeople"]) for r in records if r["isValidation"] == validation
        ]
    i = next(
        i
        for i in range(1, len(mpii_train))
        if mpii_train.image[i] == mpii_train.image[i - 1] and len(mpii_train.others[i]) == 1
    )
    assert same_points(mpii_train.others[i][0], mpii_train.joints[i - 1]) and same_points(
        mpii_train.others[i - 1][0], mpii_train.joints[i]
    )


def test_real_mpii_sports(real_data):
    train, valid = (
        load_mpii(real_data / "mpii-sports", split, strict=True) for split in ("train", "valid")
    )
    assert (len(train), len(valid)) == (2074, 264) and train.left_out == valid.left_out == {}
    people = load_mpii(real_data / "mpii", "valid")
    assert len(people) == 0 and people.left_out == {"image absent": 2958}


def test_real_lsp(real_data):
    train, test = (load_lsp(real_data / "lsp", split, strict=True) for split in ("train", "test"))
    assert len(train) == len(test) == 1000 and test.image[0].endswith("im1001.jpg")
    assert (
        sum((p.state == OCCLUDED).sum() for p in (train, test)) == 2044
        and sum((p.state == ABSENT).sum() for p in (train, test)) == 0
    )
    assert (load_lsp(real_data / "lsp", "test", "oc").joints != test.joints).any(
        (1, 2)
    ).sum() == 380
    assert np.mean(test.torso) == pytest.approx(47.6, abs=0.05)  # FACTS D.2
    assert 200 * test.scale[0] == max(read_image(test.image[0]).shape)


def test_real_lspet(real_data):
    people = load_lspet(real_data / "lspet", strict=True)
    assert (
        len(people) == 10000
        and (people.state == ABSENT).sum() == 16787 == np.isnan(people.joints[..., 0]).sum()
    )


def test_real_flic(real_data):
    train, valid = (
        load_flic(real_data / "flic", split, need_images=False, strict=True)
        for split in ("train", "valid")
    )
    assert (len(train), len(valid)) == (3987, 1016)
    other = load_flic(real_data / "flic", "valid", labels="pc", need_images=False)
    assert (other.joints != valid.joints).any((1, 2)).sum() == 48
    # person-centric in spite of its name
    truth = loadmat(real_data / "predictions/FLIC-joints-OC.mat")["joints"]
    assert np.abs(other.joints - truth[:, :11].transpose(2, 1, 0)).max() < 1e-3
    for people in (train, valid):
        count = np.unique(people.image, return_counts=True)[1]
        assert sum(map(len, people.others)) == (count * (count - 1)).sum() > 100
    people = load_flic(real_data / "flic", "valid")
    assert len(people) == 1 and people.left_out == {"image absent": 1015}


def test_flics_mat_gives_the_people_of_the_h5(real_data, tmp_path):
    """The .mat is written from the person-centric lists, the observer-centric ones must come out of
    it."""
    rows = {}
    for split in ("train", "valid"):
        people = load_flic(real_data / "flic", split, "pc", need_images=False)
        with h5py.File(real_data / f"flic/annot/{split}.h5") as file:
            index = file["index"][()].astype(int).tolist()
        for i, name, joints, centre in zip(
            index, names(people), people.joints, people.centre, strict=True
        ):
            rows[i] = example(joints, name, float(split == "train"), centre[0])
    assert sorted(rows) == list(range(5003))
    write_mat(tmp_path / "examples.mat", {"examples": [rows[i] for i in range(5003)]})
    for split, count in (("train", 3987), ("valid", 1016)):
        for labels in ("pc", "oc"):
            people, same = (
                load_flic(home, split, labels, need_images=False, strict=True)
                for home in (tmp_path, real_data / "flic")
            )
            assert (
                len(people) == count
                and names(people) == names(same)
                and same_points(people.joints, same.joints)
            )
            assert (
                np.abs(people.centre - same.centre).max() < 1e-4
                and (people.scale == same.scale).all()
            )
            assert all(map(same_points, people.others, same.others))


def test_real_coco(real_data):
    people = load_coco(real_data / "coco", "test", strict=True)
    assert len(people) == 12 and [len(o) for o in people.others] == [
        0,
        1,
        1,
        3,
        3,
        3,
        3,
        4,
        4,
        4,
        4,
        4,
    ]
    assert (people.state != ABSENT).sum() == np.isfinite(people.joints[..., 0]).sum()
    mapped = people.to(MPII)
    invented = [
        mapped.skeleton.index(name) for name in ("pelvis", "thorax", "upper_neck", "head_top")
    ]  # COCO has none of them
    assert (mapped.state[:, invented] == ABSENT).all() and (mapped.state != ABSENT).any(
        1
    ).sum() == 12
    ankle = people.state[:, people.skeleton.index("left_ankle")]
    assert (mapped.state[:, MPII.index("left_ankle")] == ankle).all()
