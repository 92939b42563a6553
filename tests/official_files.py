"""Writes small files in the official formats, the nested .mat files among them, for the tests of
the loaders."""

import json

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

# the fields of one of MPII's people
RECT = ("x1", "y1", "x2", "y2", "annopoints", "scale", "objpos")
# how MATLAB's JSON writer put an empty array
NOBODY = {"_ArrayType_": "double", "_ArraySize_": [0, 0], "_ArrayData_": None}
# what is said of a scored file of predictions, in Python and by --json
SCORED = {"dataset", "convention", "labels", "people", "threshold"}
SCORED |= {"groups", "joints", "total", "auc", "visible", "occluded"}


def picture(path, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 100, 50)).save(path)


# ---------------------------------------------------------------- MPII


def record(name="a.jpg", validation=0.0, others=None, **changes):
    """One person of the MPII list; joints at (j + 1, 2 j + 1) in 1-based px, the first absent, the
    second occluded."""
    points = [[j + 1.0, 2 * j + 1.0, 1.0] for j in range(16)]
    points[0], points[1][2] = [0.0, 0.0, 0.0], 0.0
    plain = {
        "img_paths": name,
        "isValidation": validation,
        "joint_self": points,
        "objpos": [11.0, 21.0],
        "scale_provided": 2.0,
    }
    return plain | {"joint_others": NOBODY if others is None else others} | changes


def mpii(folder, *records, images=("a.jpg",)):
    folder.mkdir(exist_ok=True)
    (folder / "mpii_annotations.json").write_text(json.dumps(records))
    for name in images:
        picture(folder / "images" / name)
    return folder


def rect(
    points, centre=(11.0, 21.0), scale=2.0, box=(10.0, 10.0, 40.0, 50.0), visible=str, **changes
):
    """One person of RELEASE: `points` (16, 3) as in a record; `visible` makes is_visible of 0 or 1.
    A field given as None is empty."""
    notes = [
        {"x": x, "y": y, "id": float(j), "is_visible": visible(int(v))}
        for j, (x, y, v) in enumerate(points)
        if (x, y) != (0, 0)
    ]
    whole = dict(
        zip(RECT, (*box, {"point": notes}, scale, {"x": centre[0], "y": centre[1]}), strict=True)
    )
    return whole | changes


def release(images):
    """The tree of mpii_human_pose_v1_u12_1.mat: images are {"name", "rects", "train", "single"}."""
    return {
        "RELEASE": {
            "annolist": [
                {
                    "image": {"name": image["name"]},
                    "annorect": image["rects"] or None,
                    "frame_sec": None,
                    "vidx": None,
                }
                for image in images
            ],
            "img_train": np.array([[float(image.get("train", 1)) for image in images]]),
            "version": "12",
            "single_person": cells(
                [np.array(image.get("single", []), float).reshape(-1, 1) for image in images]
            ),
        }
    }


def split_h5(path, people):
    """annot/valid.h5 as far as it names the validation `people`, (image, person) from 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["index"], file["person"] = np.array(people, float).reshape(-1, 2).T
    return path


def mpii_h5(path, people):
    """annot/<split>.h5 in Newell's form of a People: fractions dropped, the centre moved, the scale
    enlarged."""
    part = np.nan_to_num(np.trunc(people.joints + 1))
    names = [name.rsplit("/", 1)[1].encode() for name in people.image]
    tree = {
        "part": part,
        "visible": (people.state == 2).astype(float),
        "center": people.centre + 1 + np.outer(people.scale, [0, 15]),
    }
    tree |= {
        "scale": people.scale * 1.25,
        "normalize": people.head_size,
        "imgname": np.array(names),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_h5(path, tree)


def hrnet(path, *changes):
    """HRNet's or mmpose's list: a record for each dictionary of what differs from a plain one."""
    joints = [[j + 1.0, 2 * j + 1.0] for j in range(16)]
    joints[0] = [-1.0, -1.0]
    plain = {"joints_vis": [0] + [1] * 15, "joints": joints, "image": "a.jpg", "scale": 2.0}
    records = [plain | {"center": [11.0, 21.0]} | change for change in changes]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records))
    return path


def annot_h5(folder, records, validation=(), **changes):
    """pose-hg-train's annot.h5 of `records`, each person 0 of an image of its own, and one person
    of the test set; and the annot/valid.h5 that names the `validation` people."""
    points = np.trunc([record["joint_self"] for record in records])
    n = len(records)
    codes = np.zeros((n + 1, 16))
    for row, record in zip(codes, records, strict=False):
        row[: len(record["img_paths"])] = [ord(letter) for letter in record["img_paths"]]
    tree = {"index": np.arange(n + 1.0), "person": np.zeros(n + 1), "imgname": codes}
    tree |= {"part": np.concatenate([points[..., :2], -np.ones((1, 16, 2))])}
    tree |= {"visible": np.concatenate([points[..., 2], -np.ones((1, 16))])}
    tree |= {"center": np.tile([11.0, 21.0], (n + 1, 1)), "scale": np.full(n + 1, 2.0)}
    tree |= {"normalize": np.full(n + 1, 50.0), "istrain": np.array([1.0] * n + [0.0])}
    folder.mkdir(exist_ok=True)
    split_h5(folder / "annot/valid.h5", list(validation))
    write_h5(folder / "annot.h5", tree | changes)
    return folder


# ---------------------------------------------------------------- the others


def leeds(folder, numbers, extended=False, **changes):
    """LEEDS_annotations.json of the images `numbers`: LSP's joint j of image i at (i % 10 + j,
    10), its first joint flagged 0; pelvis and thorax are zeros."""
    kind, digits = ("lspet", 5) if extended else ("lsp", 4)
    records = []
    for number in numbers:
        own = [[number % 10 + j, 10.0, float(j > 0)] for j in range(14)]
        none = [0.0, 0.0, 0.0]
        joints = [*own[:6], none, none, own[12], own[13], *own[6:12]]
        plain = {"dataset": "LEEDS", "isValidation": int(number > 1000 and not extended)}
        plain |= {"img_paths": f"{kind}_dataset/images/im{number:0{digits}d}.jpg"}
        records.append(plain | {"joint_self": joints, "objpos": [10, 15]} | changes)
    folder.mkdir(exist_ok=True)
    (folder / "LEEDS_annotations.json").write_text(json.dumps({"root": records}))
    return folder


ANIMAL = ("nose", "L_Ear", "R_Ear", "withers", "tail_base")
POSE = np.array([(-0.75, -0.2), (-0.6, -0.45), (-0.45, -0.45), (-0.2, -0.1), (0.7, 0.0)])


def own_coco(folder, images=6, joints=ANIMAL, notes=None, **changes):
    """my.json: a drawn animal of five keypoints in each of `images` pictures of 60 px, in images/.
    `notes` are, by place, what differs in an annotation; `changes` what differs in the file."""
    rng, listed, written = np.random.default_rng(0), [], []
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i in range(images):
        points = POSE * rng.uniform(18, 24) + rng.uniform(25, 35, 2)
        pixels = rng.integers(100, 140, (60, 60, 3), dtype=np.uint8)
        for x, y in np.linspace(points[3], points[4], 40).round().astype(int):
            pixels[y - 1 : y + 2, x - 1 : x + 2] = (60, 40, 20)
        for (x, y), colour in zip(points[:3].round().astype(int), np.eye(3) * 255, strict=True):
            pixels[y - 1 : y + 2, x - 1 : x + 2] = colour
        Image.fromarray(pixels).save(folder / f"images/{i}.png")
        low, high = points.min(0) - 3, points.max(0) + 3
        listed.append({"id": i, "file_name": f"{i}.png", "width": 60, "height": 60})
        keypoints = np.column_stack([points, np.full(len(points), 2)]).ravel().tolist()
        note = {"id": 100 + i, "image_id": i, "category_id": 3, "keypoints": keypoints}
        written.append(note | {"bbox": [*low, *(high - low)]} | (notes or {}).get(i, {}))
    category = {"id": 3, "name": "cat", "keypoints": list(joints)}
    category |= {"skeleton": [[1, 2], [1, 4], [4, 5]]}
    content = {"images": listed, "annotations": written, "categories": [category]} | changes
    (folder / "my.json").write_text(json.dumps(content))
    return folder / "my.json"


def lsp(folder, n=4, layout=(2, 1, 0), digits=4, flags=None, **more):
    """joints.mat of n people, joint j of person i at (i + j + 0.25, 10); images 20 x 30."""
    points = np.zeros((n, 14, 3))
    points[..., 0], points[..., 1] = np.add.outer(np.arange(n), np.arange(14)) + 0.25, 10
    points[..., 2] = np.zeros((n, 14)) if flags is None else flags
    folder.mkdir(exist_ok=True)
    savemat(
        folder / "joints.mat", {"joints": points.transpose(*layout)} | more, do_compression=True
    )
    for i in range(n):
        picture(folder / f"images/im{i + 1:0{digits}d}.jpg")
    return folder


def flic(folder, names=("a.jpg", "b.jpg", "a.jpg"), **changes):
    (folder / "annot").mkdir(parents=True)
    n = len(names)
    part = np.add.outer(100.0 * np.arange(n), np.arange(22.0)).reshape(n, 11, 2) + 0.5
    plain = {
        "part": part,
        "visible": np.ones((n, 11)),
        "center": np.tile([330.0, 240.0], (n, 1)),
        "scale": np.full(n, 2.2),
    } | changes
    for suffix, shift in (("", 0), ("_personcentric", 1000)):
        write_h5(
            folder / f"annot/valid{suffix}.h5",
            {key: np.add(value, shift * (key == "part")) for key, value in plain.items()},
        )
    (folder / "annot/valid_images.txt").write_text("\n".join(names) + "\n")
    for name in set(names):
        picture(folder / "images" / name)
    return folder


def example(joints, name="a.jpg", train=0.0, centre=330.0, **changes):
    """One person of FLIC's examples: `joints` (11, 2) are person-centric, the other 18 of 29
    columns are NaN."""
    coords = np.full((2, 29), np.nan)
    coords[:, [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]] = np.transpose(joints)
    box = np.array([centre - 50, 100.0, centre + 50, 300.0])
    plain = {
        "poselet_hit_idx": np.array([[1.0, 2.0]]),
        "moviename": "film",
        "coords": coords,
        "filepath": name,
        "imgdims": np.array([480.0, 720, 3]),
    }
    return (
        plain
        | {"currframe": 10.0, "torsobox": box[None], "istrain": train, "istest": 1 - train}
        | changes
    )


def coco(folder, *notes):
    """Annotations are dictionaries of what differs from a plain person in image 7."""
    folder.mkdir(exist_ok=True)
    keypoints = [5, 6, 2, 7, 8, 1] + [0, 0, 0] * 15
    plain = {
        "image_id": 7,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 2,
        "keypoints": keypoints,
        "bbox": [10.0, 20.0, 30.0, 60.0],
    }
    content = {
        "images": [{"id": 7, "file_name": "7.jpg"}, {"id": 8, "file_name": "8.jpg"}],
        "annotations": [plain | note for note in notes],
    }
    (folder / "test_coco.json").write_text(json.dumps(content))
    picture(folder / "images/7.jpg")
    return folder


# ---------------------------------------------------------------- trees as files


def write_mat(path, tree):
    """A tree as MATLAB would save it: a dictionary is a 1 x 1 struct, a list of them a 1 x K struct
    array, None the empty array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # as MATLAB does
    savemat(path, {name: _matlab(value) for name, value in tree.items()}, do_compression=True)
    return path


def write_h5(path, tree):
    with h5py.File(path, "w") as file:
        for name, value in tree.items():
            file[name] = value
    return path


def cells(values):
    out = np.empty((len(values), 1), object)
    for i, value in enumerate(values):
        out[i, 0] = value
    return out


def _matlab(value):
    if value is None:
        return np.empty((0, 0))
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return value
    if not value or not all(isinstance(item, dict) for item in value):
        return cells([_matlab(item) for item in value]).T
    names = list(dict.fromkeys(name for item in value for name in item))
    out = (
        np.empty((1, len(value)), [(name, object) for name in names]) if names else np.empty((0, 0))
    )
    for i, item in enumerate(value):
        for name in names:
            out[0, i][name] = _matlab(item.get(name))
    return out
