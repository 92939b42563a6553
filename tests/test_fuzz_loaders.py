"""Six hundred mutated annotation files over all formats: a loader ends in a sound `People` or in
one clear error, never in another exception."""

import json
from copy import deepcopy

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from official_files import (
    annot_h5,
    coco,
    example,
    flic,
    hrnet,
    leeds,
    lsp,
    mpii_h5,
    own_coco,
    record,
    rect,
    release,
    split_h5,
    write_h5,
    write_mat,
)
from scipy.io import loadmat

from paperlib import PaperlibError
from paperlib.data.check import NO_FAULT
from paperlib.data.datasets import DATASETS
from paperlib.data.mpii import load_mpii
from paperlib.data.own import load_own
from paperlib.people import ABSENT

MPII_MAT, MPII_JSON = "mpii_human_pose_v1_u12_1.mat", "mpii_annotations.json"
FUZZED = (  # data set, splits, the file
    ("mpii", ("train", "valid"), MPII_JSON),
    ("mpii", ("train", "valid"), MPII_MAT),
    ("mpii", ("valid",), "annot/valid.h5"),
    ("mpii", ("train",), "annot/train.h5"),
    ("lsp", ("train", "test"), "joints.mat"),
    ("lspet", ("train",), "joints.mat"),
    ("flic", ("train", "valid"), "examples.mat"),
    ("flic", ("valid",), "annot/valid.h5"),
    ("coco", ("test",), "test_coco.json"),
    ("mpii", ("train",), "annot/train.json"),
    ("mpii", ("train", "valid"), "annot.h5"),
    ("lsp", ("train", "test"), "LEEDS_annotations.json"),
    ("own", ("all",), "my.json"),
)
LOADERS = {name: known.load for name, known in DATASETS.items()} | {
    "own": lambda folder, split, **options: load_own(folder / "my.json", **options).people
}
JUNK = (
    *(
        None,
        "",
        "text",
        "../../etc/passwd",
        "1e400",
        True,
        -1.0,
        0.0,
        2.0,
        1e300,
        float("nan"),
        float("inf"),
        10**30,
        [],
        {},
        [[]],
        [1.0],
        [[1.0, 2.0]],
    ),
    *({"x": 1.0}, ["a", 1.0, None], [{"x": [None]}, {}], [[1.0], [1.0, 2.0]]),
)
ARRAYS = (
    *(
        np.zeros(0),
        np.zeros((0, 0)),
        np.ones(1),
        np.ones((2, 2)),
        np.full((3, 14, 4), np.nan),
        np.full((2, 16, 2), np.inf),
        np.ones((2, 16, 2), complex),
    ),
    *(
        np.array([b"a", b"bc"]),
        np.full((2, 16), -(2**62)),
        np.ones((1, 1, 1, 1)),
        np.float64(1e300),
        np.array([[True]]),
    ),
)
JUNK_OF = {
    ".json": JUNK,
    ".mat": (*ARRAYS, *(junk for junk in JUNK if junk != 10**30)),
    ".h5": (*ARRAYS, "text", 1.0, np.nan),
}


def points(image):
    return record(f"{image}.jpg")["joint_self"]


def tree_of(name):
    """The content of a whole file of each kind, as dictionaries, lists, arrays and numbers."""
    people = [np.array([[3.0 * j + 10 * i, 5.0 * j] for j in range(11)]) for i in range(3)]
    if name == "mpii" + MPII_JSON:
        return [
            record(),
            record("b.jpg", 1.0, others=[points(0)]),
            record("c.jpg", others=[points(0), points(1)]),
        ]
    if name == "mpii" + MPII_MAT:
        rects = [rect(points(0)[:4]), {"scale": 1.0}, rect(points(1)[:3])]
        return release(
            [
                {"name": "a.jpg", "rects": rects, "single": [1, 3]},
                {"name": "b.jpg", "rects": rects[:1]},
                {"name": "c.jpg", "rects": []},
            ]
        )
    if name == "flicexamples.mat":
        return {
            "examples": [example(joints, train=float(i == 0)) for i, joints in enumerate(people)]
        }
    return None


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(data set, file) -> folder, bytes and tree of the unharmed file, in a folder with whatever
    else its loader reads."""
    home = tmp_path_factory.mktemp("whole")
    found = {}
    for i, (dataset, _, name) in enumerate(FUZZED):
        folder = home / str(i)
        folder.mkdir()
        tree = tree_of(dataset + name)
        if name == MPII_JSON:
            (folder / name).write_text(json.dumps(tree))
        elif name == "annot/train.json":
            hrnet(folder / name, {}, {"image": "b.jpg"})
        elif name == "annot.h5":
            annot_h5(folder, [record(), record("b.jpg")], validation=[(1, 0)])
        elif name == "LEEDS_annotations.json":
            leeds(folder, [1, 2, 1001, 1002])
        elif name == "my.json":
            own_coco(folder)
        elif tree is not None:
            write_mat(folder / name, tree)
        elif dataset == "mpii":
            (folder / "json").mkdir()
            (folder / "json" / MPII_JSON).write_text(json.dumps(tree_of("mpii" + MPII_JSON)))
            mpii_h5(folder / name, load_mpii(folder / "json", "train", need_images=False))
        elif dataset == "coco":
            coco(folder, {}, {"keypoints": [5, 6, 2] * 17}, {"iscrowd": 1})
        else:
            {"lsp": lsp, "lspet": lambda home: lsp(home, layout=(1, 2, 0)), "flic": flic}[dataset](
                folder
            )
        if name == MPII_MAT:
            split_h5(folder / "annot/valid.h5", [(1, 0)])
        if tree is None:
            tree = _tree(folder / name)
        found[dataset, name] = folder, (folder / name).read_bytes(), tree
    return lambda *which: found[which]  # hypothesis would print all of a dictionary


def _tree(path):
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix == ".mat":
        return {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    with h5py.File(path) as file:
        return {key: file[key][()] for key in file}


def places(tree, path=()):
    """Every place in a tree."""
    inside = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [path] + [place for key, value in inside for place in places(value, (*path, key))]


def changed(data, tree, junk):
    """A copy of the tree in which one to three values are replaced, taken away, doubled or, in an
    array, made bad numbers."""
    tree = deepcopy(tree)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(tree)[1:] or [()]))
        if not place:
            return deepcopy(data.draw(st.sampled_from(junk)))
        parent = tree
        for key in place[:-1]:
            parent = parent[key]
        old, how = (
            parent[place[-1]],
            data.draw(st.sampled_from(("replace", "remove", "double", "number", "swap"))),
        )
        if how == "remove":
            del parent[place[-1]]
        elif how == "double" and isinstance(parent, list):
            parent.append(deepcopy(old))
        elif (
            isinstance(old, np.ndarray) and old.dtype.kind == "f" and old.size and how != "replace"
        ):
            old.flat[data.draw(st.integers(0, old.size - 1))] = data.draw(
                st.sampled_from((np.nan, np.inf, -np.inf, 0.0, -1.0, 2.0, 1e300))
            )
            if how == "swap":
                parent[place[-1]] = old.swapaxes(0, -1)
        else:
            parent[place[-1]] = deepcopy(data.draw(st.sampled_from(junk)))
    return tree


def harmed(data, content):
    """The bytes cut short, or with a few of them overwritten."""
    if data.draw(st.booleans()):
        return content[: data.draw(st.integers(0, len(content) - 1))]
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.sampled_from((0, 1, 0x7F, 0x80, 0xFF, 0x20, 0x22, 0x5B, 0x39))
        )
    return bytes(content)


def write(path, tree):
    if path.suffix == ".json":
        path.write_text(json.dumps(tree))
    elif isinstance(tree, dict):
        (write_mat if path.suffix == ".mat" else write_h5)(path, tree)


@settings(
    max_examples=600,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_a_mutated_file_is_a_people_or_one_clear_error(whole, data):
    dataset, splits, name = data.draw(st.sampled_from(FUZZED))
    folder, content, tree = whole(dataset, name)
    path = folder / name
    path.write_bytes(content)
    if data.draw(st.integers(0, 2)):
        write(path, changed(data, tree, JUNK_OF[path.suffix]))
    else:
        path.write_bytes(harmed(data, content))
    for split in splits:
        for strict in (False, True):
            try:
                people = LOADERS[dataset](folder, split, need_images=False, strict=strict)
            except PaperlibError as error:
                assert str(folder) in str(error) and "\n" not in str(error)
                continue
            sound(people, folder, dataset)
            assert not strict or all(why.startswith(NO_FAULT) for why in people.left_out)


def sound(people, folder, dataset):
    """What everything above a loader relies on."""
    known = people.state != ABSENT
    assert np.isfinite(people.joints[known]).all() and np.isnan(people.joints[~known]).all()
    assert all(name.startswith(str(folder)) and ".." not in name for name in people.image)
    assert all(others.shape[1:] == people.joints.shape[1:] for others in people.others)
    if not dataset.startswith("lsp"):  # there centre and scale are the image's, which is not here
        assert np.isfinite(people.centre).all() and (people.scale > 0).all()
    assert len(people.sha256()) == 64


def test_the_unharmed_files_are_whole(whole):
    for dataset, splits, name in FUZZED:
        folder, content, _ = whole(dataset, name)
        (folder / name).write_bytes(content)
        assert (
            sum(
                len(LOADERS[dataset](folder, split, need_images=False, strict=True))
                for split in splits
                if (folder / name).exists()
            )
            >= 2
        )
