"""The loaders: small hand-written files in each official format, the real data sets where they are, and bad input of every kind."""

import gzip
import json

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from paperlib import PaperlibError
from paperlib.data.coco import load_coco
from paperlib.data.flic import load_flic
from paperlib.data.images import image_size, read_image
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import COCO, FLIC, LSP, MPII

A, O, V = ABSENT, OCCLUDED, VISIBLE  # noqa: E741


def picture(path, size=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 100, 50)).save(path)


# ---------------------------------------------------------------- small files, one in each official format


def record(name="a.jpg", validation=0.0, others=None, **changes):
    """One person of the MPII list; joints at (j + 1, 2 j + 1) in 1-based px, the first absent, the second occluded."""
    points = [[j + 1.0, 2 * j + 1.0, 1.0] for j in range(16)]
    points[0], points[1][2] = [0.0, 0.0, 0.0], 0.0
    nobody = {"_ArrayType_": "double", "_ArraySize_": [0, 0], "_ArrayData_": None}
    plain = {"img_paths": name, "isValidation": validation, "joint_self": points, "objpos": [11.0, 21.0], "scale_provided": 2.0}
    return plain | {"joint_others": nobody if others is None else others} | changes


def mpii(folder, *records, images=("a.jpg",)):
    folder.mkdir(exist_ok=True)
    (folder / "mpii_annotations.json").write_text(json.dumps(records))
    for name in images:
        picture(folder / "images" / name)
    return folder


def lsp(folder, n=4, layout=(2, 1, 0), digits=4, flags=None, **more):
    """joints.mat of n people, joint j of person i at (i + j + 0.25, 10); images 20 x 30."""
    points = np.zeros((n, 14, 3))
    points[..., 0], points[..., 1] = np.add.outer(np.arange(n), np.arange(14)) + 0.25, 10
    points[..., 2] = np.zeros((n, 14)) if flags is None else flags
    folder.mkdir(exist_ok=True)
    savemat(folder / "joints.mat", {"joints": points.transpose(*layout)} | more)
    for i in range(n):
        picture(folder / f"images/im{i + 1:0{digits}d}.jpg")
    return folder


def flic(folder, names=("a.jpg", "b.jpg", "a.jpg"), **changes):
    (folder / "annot").mkdir(parents=True)
    n = len(names)
    part = np.add.outer(100.0 * np.arange(n), np.arange(22.0)).reshape(n, 11, 2) + 0.5
    plain = {"part": part, "visible": np.ones((n, 11)), "center": np.tile([330.0, 240.0], (n, 1)), "scale": np.full(n, 2.2)} | changes
    for suffix, shift in (("", 0), ("_personcentric", 1000)):
        with h5py.File(folder / f"annot/valid{suffix}.h5", "w") as file:
            for key, value in plain.items():
                file[key] = np.add(value, shift * (key == "part"))
    (folder / "annot/valid_images.txt").write_text("\n".join(names) + "\n")
    for name in set(names):
        picture(folder / "images" / name)
    return folder


def coco(folder, *notes):
    """Annotations are dictionaries of what differs from a plain person in image 7."""
    folder.mkdir(exist_ok=True)
    keypoints = [5, 6, 2, 7, 8, 1] + [0, 0, 0] * 15
    plain = {"image_id": 7, "category_id": 1, "iscrowd": 0, "num_keypoints": 2, "keypoints": keypoints, "bbox": [10.0, 20.0, 30.0, 60.0]}
    content = {"images": [{"id": 7, "file_name": "7.jpg"}, {"id": 8, "file_name": "8.jpg"}], "annotations": [plain | note for note in notes]}
    (folder / "test_coco.json").write_text(json.dumps(content))
    picture(folder / "images/7.jpg")
    return folder


def test_mpii_format(tmp_path):
    other = [[3.0, 4.0, 1.0]] * 15 + [[0.0, 0.0, 0.0]]
    people = load_mpii(mpii(tmp_path, record(), record(validation=1.0), record(others=other), record(others=[other, other])), "train")
    assert people.skeleton is MPII and len(people) == 3 and people.left_out == {}
    assert people.image.tolist() == [str(tmp_path / "images/a.jpg")] * 3
    assert people.state[0].tolist() == [A, O] + [V] * 14
    assert np.isnan(people.joints[0, 0]).all()
    assert people.joints[0, 1:].tolist() == [[j, 2 * j] for j in range(1, 16)]  # 0-based
    assert people.centre[0].tolist() == [10, 20] and people.scale[0] == 2 and people.head_size[0] == 50
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
    assert [p.rsplit("/", 1)[1] for p in train.image] == ["im0001.jpg", "im0002.jpg"] and len(test) == 3
    assert test.skeleton is LSP and test.joints[1, 2].tolist() == [3 + 2 + 0.25, 10]
    assert np.argwhere(test.state == OCCLUDED).tolist() == [[1, 6]] and (train.state == VISIBLE).all()
    assert test.centre[0].tolist() == [9.5, 14.5] and test.scale[0] == 30 / 200 and test.framed.all()
    assert np.isnan(test.head_size).all() and [len(o) for o in test.others] == [0, 0, 0]
    assert (load_lsp(folder, "test", labels="oc").joints == 1).all()


def test_lspet_format_is_the_opposite(tmp_path):
    flags = np.ones((2, 14))
    flags[1, 3] = 0
    people = load_lspet(lsp(tmp_path, n=2, layout=(1, 2, 0), digits=5, flags=flags))
    assert np.argwhere(people.state == ABSENT).tolist() == [[1, 3]] and (people.state == VISIBLE).sum() == 27
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
    assert people.centre[0].tolist() == [330, 240] and (people.scale == 2.2).all() and people.framed.all()
    assert (people.state == VISIBLE).all() and np.isnan(people.head_size).all()
    assert [len(o) for o in people.others] == [1, 0, 1]
    assert (people.others[0][0] == people.joints[2]).all() and (people.others[2][0] == people.joints[0]).all()
    assert (load_flic(tmp_path, "valid", labels="pc").joints == people.joints + 1000).all()


def test_coco_format(tmp_path):
    nobody = {"keypoints": [0, 0, 0] * 17, "num_keypoints": 0}
    folder = coco(tmp_path, {}, {"bbox": [0.0, 0.0, 80.0, 40.0]}, {"iscrowd": 1}, nobody, {"image_id": 8})
    people = load_coco(folder, "test")
    assert people.skeleton is COCO and len(people) == 2
    assert people.left_out == {"crowd": 1, "no joint labelled": 1, "image absent": 1}
    assert people.state[0].tolist() == [V, O] + [A] * 15
    assert people.joints[0, :2].tolist() == [[5, 6], [7, 8]] and np.isnan(people.joints[0, 2:]).all()
    assert people.centre.tolist() == [[25, 50], [40, 20]] and people.scale.tolist() == [0.3, 0.4]  # the longer side
    assert [len(o) for o in people.others] == [1, 1] and not people.framed.any()


# ---------------------------------------------------------------- bad rows are left out and counted, strict raises


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
]


@pytest.mark.parametrize("bad, why", BAD_RECORDS)
def test_a_bad_mpii_row(tmp_path, bad, why):
    folder = mpii(tmp_path, record(), bad)
    people = load_mpii(folder, "train")
    assert len(people) == 1 and [why in reason for reason in people.left_out] == [True] and list(people.left_out.values()) == [1]
    with pytest.raises(PaperlibError, match=f"mpii_annotations.json: person 1 .*{why}"):
        load_mpii(folder, "train", strict=True)


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
    assert len(people) == 1 and people.left_out == {"label not a number": 1, "scale not positive": 1}

    people = load_coco(coco(tmp_path / "coco", {}, {"bbox": [1, 1, 0, 0]}, {"keypoints": [5, 5, 9] * 17}, {"image_id": 99}), "test")
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
    with pytest.raises(PaperlibError, match="joints.mat: 'joints' should be numbers 14 x 3 x N, but is float64 3 x 14 x 4"):
        load_lspet(lsp(tmp_path))
    with pytest.raises(PaperlibError, match="joints.mat: has no array 'oc_joints'.*only .'joints'"):
        load_lsp(tmp_path, "test", labels="oc")
    with pytest.raises(PaperlibError, match="valid.h5: its arrays disagree on the number of people"):
        load_flic(flic(tmp_path / "a", scale=np.ones(7)), "valid")
    with pytest.raises(PaperlibError, match="valid.h5: 'part' should be numbers N x 11 x 2, but is float64 3 x 16 x 2"):
        load_flic(flic(tmp_path / "b", part=np.ones((3, 16, 2))), "valid")
    (flic(tmp_path / "c") / "annot/valid_images.txt").write_text("a.jpg\n")
    with pytest.raises(PaperlibError, match="valid_images.txt: 1 image names, but .*valid.h5 has 3 people"):
        load_flic(tmp_path / "c", "valid")
    with pytest.raises(PaperlibError, match="test_coco.json: 'keypoints' should be 51 numbers"):
        load_coco(coco(tmp_path, {"keypoints": [1, 2, 3]}), "test")
    (tmp_path / "test_coco.json").write_text('{"images": []}')
    with pytest.raises(PaperlibError, match="test_coco.json: has no 'annotations'"):
        load_coco(tmp_path, "test")


@pytest.mark.parametrize("load", [load_mpii, load_lsp, load_flic, load_coco])
def test_a_missing_folder_or_file_or_split(tmp_path, load):
    for folder, named in ((tmp_path / "nowhere", "nowhere: no such folder"), (tmp_path, "no such file")):
        with pytest.raises(PaperlibError, match=f"{named}.*PAPERLIB_DATA.*paperlib data list"):
            load(folder, "train")
    with pytest.raises(PaperlibError, match="no split of .* 'third'; choose one of train, "):
        load(tmp_path, "third")


# ---------------------------------------------------------------- images


COLOURS = (
    np.array([[[250, 10, 20], [20, 240, 30], [30, 20, 230]], [[250, 250, 10], [5, 5, 5], [240, 240, 240]]], np.uint8).repeat(16, 0).repeat(16, 1)
)


@pytest.mark.parametrize("mode, suffix, tolerance", [("RGB", "png", 0), ("P", "png", 0), ("RGBA", "png", 0), ("CMYK", "jpg", 12), ("RGB", "jpg", 12)])
def test_every_mode_becomes_rgb(tmp_path, mode, suffix, tolerance):
    image = Image.fromarray(COLOURS)
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    image.save(tmp_path / f"a.{suffix}", **options)
    pixels = read_image(tmp_path / f"a.{suffix}")
    assert pixels.dtype == np.uint8 and pixels.shape == (32, 48, 3) and pixels.flags.writeable
    assert np.abs(pixels[::16, 8::16].astype(int) - COLOURS[::16, 8::16]).max() <= tolerance
    assert image_size(tmp_path / f"a.{suffix}") == (48, 32)


def test_grey_sixteen_bit_and_transparent(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "l.png")
    Image.fromarray(ramp.astype(np.uint16) * 256 + 17).save(tmp_path / "i16.png")
    for name in ("l.png", "i16.png"):
        assert (read_image(tmp_path / name) == ramp[..., None]).all()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "la.png")
    assert (read_image(tmp_path / "clear.png") == 255).all() and (read_image(tmp_path / "la.png") == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exif_turns_a_photograph_but_not_labelled_pixels(tmp_path, orientation, suffix):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(path, exif=exif, quality=100, subsampling=0)
    turn = {1: lambda a: a, 2: np.fliplr, 3: lambda a: a[::-1, ::-1], 4: np.flipud, 5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1)}
    turn |= {7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: np.rot90}
    for upright, wanted in ((False, COLOURS), (True, turn[orientation](COLOURS))):
        pixels = read_image(path, upright)
        assert pixels.shape == wanted.shape and np.abs(pixels[8::16, 8::16].astype(int) - wanted[8::16, 8::16]).max() < 12
        assert image_size(path, upright) == wanted.shape[1::-1]


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif"])
@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b[:4], lambda b: b"<html>404</html>", None])
def test_damaged_pictures(tmp_path, suffix, damage, capfd):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    path.unlink() if damage is None else path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PaperlibError, match=f"a.{suffix}: (no such image|not a whole|an empty)"):
        read_image(path)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(PaperlibError, match="a.folder"):
        (tmp_path / "a.folder").mkdir()
        read_image(tmp_path / "a.folder")


def test_a_jpeg_without_its_end_marker_is_not_trusted_to_opencv(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOURS).save(path)
    path.write_bytes(path.read_bytes() + b"\n")  # as 33 of LSP's are
    half_grey = np.full((1, 1, 3), 128, np.uint8)
    monkeypatch.setattr("paperlib.data.images.cv2.imdecode", lambda *_: half_grey)
    assert read_image(path) is half_grey
    half(path)
    with pytest.raises(PaperlibError, match="a.jpg: not a whole picture"):
        read_image(path)


# ---------------------------------------------------------------- the real data sets


@pytest.fixture(scope="module")
def mpii_valid(real_data):
    return load_mpii(real_data / "mpii", "valid", need_images=False, strict=True)


def test_real_mpii(real_data, mpii_valid):
    assert len(load_mpii(real_data / "mpii", "train", need_images=False, strict=True)) == 22246
    assert len(mpii_valid) == 2958 and len(set(mpii_valid.image)) == 2729
    with h5py.File(real_data / "mpii/annot/valid.h5") as file:
        part, normalize, centre, scale = (file[key][()] for key in ("part", "normalize", "center", "scale"))
        names = [name.decode() for name in file["imgname"]]
    assert [path.rsplit("/", 1)[1] for path in mpii_valid.image] == names
    assert np.nanmax(np.abs(mpii_valid.joints + 1 - part)) <= 1  # the .h5 dropped the fraction
    assert np.abs(mpii_valid.head_size - normalize).max() < 0.013
    raw = centre - np.stack([0 * scale, 15 * scale / 1.25], -1)  # the .h5 has moved and enlarged them (FACTS C.5)
    assert np.abs(mpii_valid.centre + 1 - raw).max() < 1e-6 and np.abs(mpii_valid.scale - scale / 1.25).max() < 6e-4


def test_real_mpii_states(mpii_valid):
    annotated = (mpii_valid.state != ABSENT).sum(0)
    printed = [2115, 2485, 2889, 2888, 2478, 2119, 2878, 2932, 2932, 2931, 2928, 2935, 2944, 2944, 2932, 2909]  # FACTS D.5, of valid.h5
    assert (annotated - printed).tolist() == [0] * 9 + [1] + [0] * 6  # the head top of person 1856, x = 0.27
    assert round(100 * (mpii_valid.state == OCCLUDED).sum() / annotated.sum(), 2) == 23.15


def test_real_mpii_sports(real_data):
    train, valid = (load_mpii(real_data / "mpii-sports", split, strict=True) for split in ("train", "valid"))
    assert (len(train), len(valid)) == (2074, 264) and train.left_out == valid.left_out == {}
    people = load_mpii(real_data / "mpii", "valid")
    assert len(people) == 0 and people.left_out == {"image absent": 2958}


def test_real_lsp(real_data):
    train, test = (load_lsp(real_data / "lsp", split, strict=True) for split in ("train", "test"))
    assert len(train) == len(test) == 1000 and test.image[0].endswith("im1001.jpg")
    assert sum((p.state == OCCLUDED).sum() for p in (train, test)) == 2044 and sum((p.state == ABSENT).sum() for p in (train, test)) == 0
    assert (load_lsp(real_data / "lsp", "test", "oc").joints != test.joints).any((1, 2)).sum() == 380
    assert np.mean(test.torso) == pytest.approx(47.6, abs=0.05)  # FACTS D.2
    assert 200 * test.scale[0] == max(read_image(test.image[0]).shape)


def test_real_lspet(real_data):
    people = load_lspet(real_data / "lspet", strict=True)
    assert len(people) == 10000 and (people.state == ABSENT).sum() == 16787 == np.isnan(people.joints[..., 0]).sum()


def test_real_flic(real_data):
    train, valid = (load_flic(real_data / "flic", split, need_images=False, strict=True) for split in ("train", "valid"))
    assert (len(train), len(valid)) == (3987, 1016)
    other = load_flic(real_data / "flic", "valid", labels="pc", need_images=False)
    assert (other.joints != valid.joints).any((1, 2)).sum() == 48
    truth = loadmat(real_data / "predictions/FLIC-joints-OC.mat")["joints"]  # person-centric in spite of its name
    assert np.abs(other.joints - truth[:, :11].transpose(2, 1, 0)).max() < 1e-3
    people = load_flic(real_data / "flic", "valid")
    assert len(people) == 1 and people.left_out == {"image absent": 1015}


def test_real_coco(real_data):
    people = load_coco(real_data / "coco", "test", strict=True)
    assert len(people) == 12 and [len(o) for o in people.others] == [0, 1, 1, 3, 3, 3, 3, 4, 4, 4, 4, 4]
    assert (people.state != ABSENT).sum() == np.isfinite(people.joints[..., 0]).sum()
