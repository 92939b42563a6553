"""Poses in photographs: what a box becomes, which way up, what is written, and one clear line for
whatever is no photograph or no box."""

import json
import os
import sys

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image

from companion.app import cli, photos
from companion.app.photos import PartlyRead, clip_box, predict_photos
from companion.app.pretrained import best_weights
from companion.figures.photos import pose_on_photo, pose_picture
from companion.figures.pictures import one_heatmap
from companion.measure.scores import measure
from companion.samples.heatmaps import heatmaps_on_photo
from paperlib import PaperlibError, person_search, photograph
from paperlib.codecs import HourglassCodec, RecurrentCodec
from paperlib.data.images import image_size, read_image
from paperlib.data.mpii import load_mpii
from paperlib.models import StackedHourglass
from paperlib.people import VISIBLE
from paperlib.person_search import HEIGHTS, boxes_all_over, boxes_around, distinct, find_person
from paperlib.photograph import people_in, see, visibility
from paperlib.skeleton import MPII
from paperlib.weights import load_weights, save_weights, shipped
from tools.ship_weights import empty_pictures, fit_visibility

OPTIONS = {"stacks": 1, "features": 16, "depth": 3}
CODEC = HourglassCodec(side=64, peak=12.0)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A small network that has learnt nothing, shipped: its .safetensors file."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save_weights(
        {"name": "little", "kind": "untrained", "people": 0, "run": {"steps": 0}},
        StackedHourglass(**OPTIONS).eval(),
        CODEC,
        OPTIONS,
        folder,
    )
    return str(folder / "little.safetensors")


@pytest.fixture
def scene(tmp_path):
    """A smooth picture of 150 x 210 px."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (14, 10, 3), dtype=np.uint8)).resize(
        (150, 210), Image.Resampling.BICUBIC
    ).save(tmp_path / "me.png")
    return tmp_path / "me.png"


@pytest.fixture
def predict(untrained, monkeypatch, capsys):
    """`paperlib predict` with the untrained network; returns (exit code, stdout, stderr)."""

    def call(*words, weights=untrained):
        monkeypatch.setattr(
            sys,
            "argv",
            ["paperlib", "predict", *map(str, words), "--device", "cpu", "--weights", weights],
        )
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code, *capsys.readouterr()

    return call


# ---------------------------------------------------------------- what comes out


@pytest.mark.parametrize(
    "boxes", [None, [(20.0, 10.0, 120.0, 200.0), (0.0, 0.0, 149.0, 90.0)]], ids=["whole", "boxes"]
)
def test_the_heatmaps_shown_are_those_that_the_pose_is_read_from(untrained, scene, boxes):
    weights, photo = best_weights(untrained, "cpu"), read_image(scene)
    numbers = heatmaps_on_photo(weights, photo, boxes)
    people = people_in(MPII, (150, 210), boxes)
    points, confidence = see(weights, photo, people)
    np.testing.assert_allclose(
        numbers["maps"][:, -1].max(axis=(-2, -1)).clip(0), CODEC.peak * confidence, atol=0.01
    )  # float16
    codec_boxes, side = CODEC.boxes(people), numbers["images"].shape[1]
    zoom = (side / codec_boxes[:, 2])[:, None, None]
    in_crop = (points - codec_boxes[:, None, :2]) * zoom + (side - 1) / 2
    np.testing.assert_allclose(numbers["found"][:, -1], in_crop, atol=0.05)
    assert np.isnan(numbers["error"]).all() and np.isnan(numbers["truth"]).all()
    assert list(numbers["titles"]) == [
        f"site {k + 1} of {OPTIONS['stacks']}" for k in range(OPTIONS["stacks"])
    ]


def test_a_joint_that_nobody_labelled_has_no_error(untrained, scene):
    numbers = heatmaps_on_photo(best_weights(untrained, "cpu"), read_image(scene))
    pose, heat, peaks, *_ = one_heatmap(numbers, joint=2).axes
    assert heat.get_title() == "right hip" and not any(
        "nan" in label.get_text() for label in peaks.get_xticklabels()
    )
    labelled = numbers | {
        "error": np.full_like(numbers["error"], 0.25),
        "truth": np.zeros_like(numbers["truth"]),
    }
    assert one_heatmap(labelled, joint=2).axes[1].get_title() == "right hip: 0.25 torsos off"


def test_the_json_is_the_contract(predict, scene, tmp_path):
    code, out, err = predict(scene, "--out", tmp_path / "out", "--json", "--box", "0,0,149,209")
    (found,) = json.loads(out)
    (person,) = found["people"]
    assert (code, err) == (0, "") and found["image"] == str(scene)
    assert found["weights"] == {"name": "little", "kind": "untrained", "scores": []}
    assert (found["assumed"], found["notes"], found["scales"]) == ("", [], [0.85, 1.0, 1.15])
    assert tuple(person["joints"]) == tuple(person["visible"]) == MPII.joints
    assert person["box"] == [0, 0, 149, 209]
    assert all(
        -90 <= x <= 240 and -30 <= y <= 250 and 0 <= c <= 1 for x, y, c in person["joints"].values()
    )
    assert (
        person["confidence"] == pytest.approx(np.mean([c for *_, c in person["joints"].values()]))
        and person["note"] == ""
    )
    assert json.loads((tmp_path / "out" / "predictions.json").read_text()) == [found]
    assert Image.open(found["picture"]).size[1] > 400


def test_in_words_it_says_whose_weights(predict, scene):
    code, out, _ = predict(scene)
    assert (
        code == 0
        and out.splitlines()[0] == "weights: little, untrained, 0 people, 0 steps; not measured"
        and "right_ankle (" in out
    )


def test_several_people_come_in_the_order_of_their_boxes(untrained, scene):
    boxes = [(60.0, 20.0, 140.0, 200.0), (0.0, 0.0, 70.0, 180.0)]
    together = predict_photos([scene], untrained, boxes={str(scene): boxes})[0][0]["people"]
    assert [person["box"] for person in together] == [list(box) for box in boxes]
    for person, box in zip(together, boxes, strict=True):
        (alone,) = predict_photos([scene], untrained, boxes={str(scene): [box]})[0][0]["people"]
        np.testing.assert_allclose(
            list(alone["joints"].values()), list(person["joints"].values()), atol=1e-4
        )


def test_more_people_than_go_through_at_once(untrained, scene, monkeypatch):
    boxes = {str(scene): [(10.0 * i, 5.0, 10.0 * i + 60, 190.0) for i in range(5)]}
    whole = predict_photos([scene], untrained, boxes=boxes)[0][0]["people"]
    monkeypatch.setattr(photograph, "CHUNK", 2)
    parts = predict_photos([scene], untrained, boxes=boxes)[0][0]["people"]
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(
            list(a["joints"].values()), list(b["joints"].values()), atol=1e-4
        )


def test_what_lies_outside_the_picture_is_not_visible(untrained):
    weights = load_weights(photos.Path(untrained).with_suffix(".json"))
    points = np.full((16, 2), 5.0)
    points[3] = 5, -20
    person = photos._person(weights, points, np.full(16, 0.7), (0, 0, 9, 9), (10, 10))
    assert person["visible"][MPII.joints[3]] == 0 and person["visible"][
        MPII.joints[2]
    ] == pytest.approx(0.7)


# ---------------------------------------------------------------- boxes and crops


@pytest.mark.parametrize(
    ("codec", "side", "down"), [(HourglassCodec(), 250, 5), (RecurrentCodec(), 290.625, -10)]
)
def test_a_box_becomes_the_crop_of_each_paper(codec, side, down):
    """A person of 400 px: scale 2, the rough position 20 px above the middle, then margin and shift
    of the codec."""
    (crop,) = codec.boxes(people_in(MPII, (900, 700), [(100, 50, 250, 450)]))
    np.testing.assert_allclose(crop, [175, 250 + 2 * down, 2 * side])


@pytest.mark.parametrize("codec", [HourglassCodec(), RecurrentCodec()])
def test_the_whole_picture_is_the_crop(codec):
    np.testing.assert_allclose(codec.boxes(people_in(MPII, (300, 200))), [[149.5, 99.5, 300]])


def test_boxes_are_where_mpii_labels_people(real_data):
    """On MPII validation a person's box, read by the rule, is centred where the labels have the
    rough position, and scaled alike."""
    people = load_mpii(real_data / "mpii-sports", "valid", need_images=False)
    people = people.select(~np.isnan(people.joints).any(axis=(1, 2)))
    low, high = people.joints.min(axis=1), people.joints.max(axis=1)
    read = people_in(MPII, (1280, 720), np.concatenate([low, high], axis=1))
    offset = (read.centre - people.centre) / people.scale[:, None]
    assert abs(np.median(offset[:, 0])) < 2 and abs(np.median(offset[:, 1])) < 4
    assert 0.8 < np.median(read.scale / people.scale) < 1.05  # the joints' box lacks soles and hair


def test_a_box_is_clipped_to_the_picture(predict, scene):
    code, out, _ = predict(scene, "--json", "--box", "-40,10,500,1000")
    assert code == 0 and json.loads(out)[0]["people"][0]["box"] == [0, 10, 149, 209]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ("1,2,3", "box '1,2,3': it is X0,Y0,X1,Y1, four finite numbers in px"),
        ("1,2,3,4,5", "four finite numbers"),
        ("1,2,nan,4", "four finite numbers"),
        ("1,2,inf,4", "four finite numbers"),
        ("a,b,c,d", "four finite numbers"),
        ("", "four finite numbers"),
        ("50,60,50,90", "me.png: box 50,60,50,90 has no area"),
        ("90,60,50,90", "has no area"),
        ("200,10,300,90", "me.png: box 200,10,300,90 lies outside the image of 150 x 210 px"),
        ("-90,10,-5,90", "lies outside the image"),
        ("10,209,60,400", "lies outside the image"),
    ],
)
def test_a_box_that_cannot_be_is_one_line(predict, scene, tmp_path, box, expected):
    code, out, err = predict(scene, "--box", box, "--out", tmp_path / "out")
    assert (
        code == 1
        and out == ""
        and err.count("\n") == 1
        and expected in err
        and not (tmp_path / "out").exists()
    )


def test_boxes_of_several_pictures_come_from_a_file(predict, scene, tmp_path):
    other = tmp_path / "you.png"
    Image.open(scene).save(other)
    as_typed = f"{tmp_path}/./you.png"  # the same path, written in another way
    (tmp_path / "boxes.json").write_text(
        json.dumps({as_typed: [[10, 10, 100, 200], [40, 10, 140, 200]]})
    )
    code, out, _ = predict(scene, other, "--json", "--boxes", tmp_path / "boxes.json")
    assert code == 0 and [len(entry["people"]) for entry in json.loads(out)] == [1, 2]
    code, _, err = predict(scene, other, "--box", "1,2,3,4")
    assert (
        code == 1
        and "it is for one image without --boxes; give the boxes of several images as --boxes FILE"
        in err
    )
    code, _, err = predict(scene, "--box", "1,2,3,4", "--boxes", tmp_path / "boxes.json")
    assert code == 1 and "without --boxes" in err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "boxes.json: cannot be read as boxes"),
        ("[1, 2]", "cannot be read as boxes"),
        ('{"me.png": 3}', "cannot be read as boxes"),
        ('{"me.png": [[1, 2, 3]]}', "boxes.json: box [1, 2, 3] of me.png"),
        ('{"me.png": []}', "no boxes for me.png; leave the image out"),
        ('{"him.png": [[1, 2, 3, 4]]}', "boxes of 'him.png': no such image is given"),
        (None, "boxes.json: cannot be read as boxes (No such file"),
    ],
)
def test_a_file_of_boxes_that_cannot_be_is_one_line(
    predict, scene, tmp_path, monkeypatch, content, expected
):
    monkeypatch.chdir(tmp_path)
    if content:
        (tmp_path / "boxes.json").write_text(content)
    code, _, err = predict("me.png", "--boxes", "boxes.json")
    assert code == 1 and err.count("\n") == 1 and expected in err


@pytest.mark.parametrize("box", [(1, 2, 3), (1, 2, 3, np.nan), "none"])
def test_a_box_that_cannot_be_is_refused_in_python_too(untrained, scene, box):
    with pytest.raises(PaperlibError, match="me.png: box .*four finite numbers in px"):
        predict_photos([scene], untrained, boxes={scene: [box]})


def test_a_box_touching_two_edges_is_kept():
    assert clip_box((0, 0, 1, 1), (2, 2), "x") == (0, 0, 1, 1)


# ---------------------------------------------------------------- pictures of every kind


def as_cmyk(picture, path):
    picture.convert("CMYK").save(path.with_suffix(".jpg"), quality=95)
    return path.with_suffix(".jpg")


def as_grey16(picture, path):
    Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16) << 8) + 77).save(path)
    return path


def with_alpha(picture, path):
    picture.putalpha(255)
    picture.save(path)
    return path


def saved(mode):
    def save(picture, path):
        picture.convert(mode).save(path)
        return path

    return save


def joints_of(path, weights):
    (width, height) = image_size(path, upright=True)
    boxes = {path: [(0, 0, width - 1, height - 1)]}
    (found,), _ = predict_photos([path], weights, boxes=boxes)
    return np.array(list(found["people"][0]["joints"].values()))


@pytest.mark.parametrize(
    "save",
    [saved("L"), saved("P"), with_alpha, as_cmyk, as_grey16],
    ids=["grey", "palette", "alpha", "CMYK", "16 bits"],
)
def test_a_picture_of_any_kind(untrained, scene, tmp_path, save):
    path = save(Image.open(scene), tmp_path / "other.png")
    plain = tmp_path / "plain.png"
    Image.fromarray(read_image(path)).save(plain)
    np.testing.assert_array_equal(joints_of(path, untrained), joints_of(plain, untrained))


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (6, Image.Transpose.ROTATE_90),
        (3, Image.Transpose.ROTATE_180),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
    ],
)
def test_a_picture_on_its_side_is_turned_upright(untrained, scene, tmp_path, orientation, undo):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(scene).transpose(undo).save(tmp_path / "turned.png", exif=exif)
    boxes = [(10.0, 20.0, 130.0, 205.0)]
    paths = [scene, tmp_path / "turned.png"]
    found, _ = predict_photos(paths, untrained, boxes={str(path): boxes for path in paths})
    assert found[0]["people"] == found[1]["people"]


def test_the_scale_of_a_large_picture_is_its_own(untrained, scene, tmp_path):
    """The same scene eight times as large: the same joints in other pixels, to the heatmap's
    grain."""
    Image.open(scene).resize((1200, 1680), Image.Resampling.BICUBIC).save(tmp_path / "large.png")
    small, large = joints_of(scene, untrained), joints_of(tmp_path / "large.png", untrained)
    near = np.abs((large[:, :2] + 0.5) / 8 - 0.5 - small[:, :2]).max(axis=1) < 2 * 210 / 16
    assert near.mean() > 0.7  # an untrained network's maxima are weak and may jump


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3000, 2)])
def test_a_picture_of_hardly_any_pixels_has_an_answer(predict, tmp_path, size):
    Image.new("RGB", size, "teal").save(tmp_path / "dot.png")
    code, out, _ = predict(tmp_path / "dot.png", "--json", "--out", tmp_path / "out")
    assert code == 0 and np.isfinite(list(json.loads(out)[0]["people"][0]["joints"].values())).all()


def cut(path, source):
    path.write_bytes(source.read_bytes()[:4000])


NO_PICTURES = {
    "text": (lambda path, _: path.write_text("hello"), "not a whole picture"),
    "truncated": (cut, "not a whole picture"),
    "empty": (lambda path, _: path.write_bytes(b""), "odd.png"),
    "folder": (lambda path, _: path.mkdir(), "a folder; name the image files in it"),
    "missing": (lambda path, _: None, "no such image file; check the path"),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_is_one_line_and_nothing_is_written(predict, scene, tmp_path, kind):
    make, expected = NO_PICTURES[kind]
    make(tmp_path / "odd.png", scene)
    code, out, err = predict(tmp_path / "odd.png", "--out", tmp_path / "out", "--json")
    assert code == 1 and out == "" and err.count("\n") == 1 and "odd.png" in err and expected in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_a_broken_photograph_stops_no_other(predict, scene, tmp_path, kind):
    make, expected = NO_PICTURES[kind]
    make(tmp_path / "odd.png", scene)
    other = tmp_path / "you.png"
    Image.open(scene).save(other)
    out = tmp_path / "out"
    code, printed, err = predict(scene, tmp_path / "odd.png", other, "--out", out, "--json")
    assert code == 1 and err.count("\n") == 1 and "odd.png" in err and expected in err
    found = json.loads(printed)
    assert [entry["image"] for entry in found] == [str(scene), str(other)]
    assert {path.name for path in out.iterdir()} == {
        "me-pose.png",
        "you-pose.png",
        "predictions.json",
    }
    assert json.loads((out / "predictions.json").read_text()) == found


def test_a_box_that_cannot_be_stops_no_other(predict, scene, tmp_path):
    other = tmp_path / "you.png"
    Image.open(scene).save(other)
    (tmp_path / "boxes.json").write_text(json.dumps({str(scene): [[300, 0, 400, 90]]}))
    code, out, err = predict(scene, other, "--json", "--boxes", tmp_path / "boxes.json")
    assert code == 1 and "me.png: box 300,0,400,90 lies outside the image" in err
    assert [entry["image"] for entry in json.loads(out)] == [str(other)]


def test_in_python_the_good_ones_come_with_the_error(untrained, scene, tmp_path):
    (tmp_path / "odd.png").write_text("no picture")
    with pytest.raises(PartlyRead, match="odd.png: not a whole picture") as partly:
        predict_photos([scene, tmp_path / "odd.png"], untrained)
    assert [entry["image"] for entry in partly.value.found] == [str(scene)]
    assert partly.value.used.startswith("weights: little") and len(partly.value.faults) == 1


def test_what_was_made_of_a_file_is_said(predict, scene, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 9
    first = Image.open(scene)
    first.save(tmp_path / "scan.tif", save_all=True, append_images=[first.rotate(90)], exif=exif)
    code, out, err = predict(tmp_path / "scan.tif", "--json")
    notes = json.loads(out)[0]["notes"]
    assert code == 0 and ["orientation 9" in notes[0], "2 pages" in notes[1]] == [True, True]
    assert [
        line.startswith("paperlib: ") and "scan.tif: its EXIF" in line for line in err.splitlines()
    ][0]


# ---------------------------------------------------------------- the person is looked for


def test_without_a_box_it_is_said_what_was_assumed_and_the_box_gives_the_same_again(predict, scene):
    _, out, _ = predict(scene, "--json")
    (found,) = json.loads(out)
    (person,) = found["people"]
    assert found["assumed"].startswith("one person, looked for in ")
    assert all(value == int(value) for value in person["box"])
    box = ",".join(f"{value:g}" for value in person["box"])
    _, out, _ = predict(scene, "--json", "--box", box)
    (again,) = json.loads(out)
    assert again["assumed"] == "" and again["people"] == found["people"]
    _, out, _ = predict(scene)
    assert f"no box given; assumed: {found['assumed']}, {box}; --box" in out


def test_a_picture_too_small_to_look_through_is_taken_whole(untrained, tmp_path):
    Image.new("RGB", (60, 5), "teal").save(tmp_path / "strip.png")
    (found,), _ = predict_photos([tmp_path / "strip.png"], untrained)
    assert found["people"][0]["box"] == [0, 0, 59, 4]
    assert found["assumed"].startswith("one person, who fills the picture")


def overlap(a, b):
    """Intersection over union of boxes (N, 4) and one (4,)."""
    sides = np.minimum(a[..., 2:], b[2:]) - np.maximum(a[..., :2], b[:2])
    both = sides.clip(0).prod(axis=-1)
    return both / ((a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[2:] - b[:2]).prod() - both)


@pytest.mark.parametrize("size", [(1280, 720), (480, 640), (300, 300)])
@pytest.mark.parametrize("photograph_is", [1, 3])
def test_the_surest_box_is_found_wherever_it_is(untrained, monkeypatch, size, photograph_is):
    """A network that is the surer the better the box fits a person of known place and size."""
    weights, rng = (
        load_weights(photos.Path(untrained).with_suffix(".json")),
        np.random.default_rng(0),
    )
    for _ in range(8):
        height = max(size) * rng.uniform(HEIGHTS[-1], 0.55)
        corner = rng.uniform(0, np.array(size) - height)
        person = np.array([*corner, *(corner + height)])

        def sure(_, small, people, scales, flip, person=person):
            zoom = size[0] / small.shape[1]
            middle = (people.centre + [0, 10] * people.scale[:, None]) * zoom
            half = 100 * people.scale[:, None] * zoom
            fit = overlap(np.concatenate([middle - half, middle + half], axis=1), person)
            return None, np.repeat(fit[:, None], 16, axis=1)

        monkeypatch.setattr(person_search, "see", sure)
        shape = (size[1] * photograph_is, size[0] * photograph_is, 3)
        found = find_person(weights, np.zeros(shape, np.uint8))
        assert overlap(np.array(found.box) / photograph_is, person) > 0.7


def test_boxes_lie_in_the_picture_and_cover_it():
    for size in ((640, 360), (30, 200), (9, 9)):
        first = boxes_all_over(size)
        for boxes in (first, boxes_around(first[:3], size)):
            assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= np.array(size) - 1).all()
            assert (boxes[:, 2:] > boxes[:, :2]).all()
        places = np.random.default_rng(0).uniform(0, np.array(size) - 1, (50, 1, 2))
        assert ((places >= first[:, :2] - 1) & (places <= first[:, 2:] + 1)).all(-1).any(-1).all()


def test_what_is_refined_is_no_double():
    boxes = np.array([(0, 0, 100, 100), (3, 0, 103, 100), (0, 0, 60, 60), (80, 0, 180, 100)], float)
    assert distinct(boxes, np.array([0.9, 0.8, 0.7, 0.6])) == [0, 2, 3]
    assert distinct(boxes, np.array([0.1, 0.8, 0.7, 0.9])) == [3, 1, 2]


def test_people_alone_in_their_picture_are_found(real_data):
    """The first six of MPII's validation people at hand: nearer the labels than taken as filling
    the picture. benchmarks/person_search.py measures all of them."""
    weights = load_weights(shipped()["hourglass-lsp"])
    people = load_mpii(real_data / "mpii-sports", "valid")
    people = people.select([len(others) == 0 for others in people.others]).select(slice(0, 6))
    whole, looked = [], []
    for path in people.image:
        picture = read_image(path)
        box = find_person(weights, picture).box
        for boxes, points in ((None, whole), ([box], looked)):
            there = people_in(MPII, picture.shape[1::-1], boxes)
            points.append(see(weights, picture, there, (1.0,))[0])
    scores = [measure(np.concatenate(p), people, "mpii").scores.total for p in (whole, looked)]
    assert scores[1] > 40 and scores[1] > scores[0] + 15, scores


# ---------------------------------------------------------------- scales at test time


def test_scales_are_those_asked_for(predict, untrained, scene):
    weights, picture = best_weights(untrained, "cpu"), read_image(scene)
    people = people_in(MPII, (150, 210), [(20, 10, 120, 200)])
    for text, scales in (("1", (1.0,)), ("0.7, 1.3", (0.7, 1.3))):
        _, out, _ = predict(scene, "--json", "--box", "20,10,120,200", "--scales", text)
        (found,) = json.loads(out)
        assert found["scales"] == list(scales)
        points, confidence = see(weights, picture, people, scales)
        told = np.array(list(found["people"][0]["joints"].values()))
        np.testing.assert_allclose(told, np.column_stack([points[0], confidence[0]]), atol=1e-4)


@pytest.mark.parametrize("text", ["", "1;2", "0", "nan", "inf", "0.1", "1,-1", "5"])
def test_scales_that_cannot_be_are_one_line(predict, scene, tmp_path, text):
    code, out, err = predict(scene, "--scales", text, "--out", tmp_path / "out")
    assert code == 1 and out == "" and err.count("\n") == 1 and f"scales {text!r}" in err
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- what is written


def test_pictures_of_one_name_do_not_overwrite_each_other(untrained, scene, tmp_path):
    (tmp_path / "b").mkdir()
    others = [tmp_path / "b" / "me.png", tmp_path / "b" / "me.bmp", tmp_path / "b" / "ME.png"]
    for path in others:
        Image.open(scene).save(path)
    found, _ = predict_photos([scene, *others], untrained, tmp_path / "out")
    names = [photos.Path(entry["picture"]).name for entry in found]
    assert names == ["me-pose.png", "me-2-pose.png", "me-3-pose.png", "ME-4-pose.png"] and all(
        (tmp_path / "out" / name).exists() for name in names
    )


def test_a_photograph_is_never_overwritten(untrained, scene, tmp_path):
    mine = tmp_path / "me-pose.png"
    Image.open(scene).rotate(10).save(mine)
    before = mine.read_bytes()
    found, _ = predict_photos([scene, mine], untrained, tmp_path)
    assert mine.read_bytes() == before and found[0]["picture"].endswith("me-2-pose.png")


def test_a_folder_that_cannot_be_is_one_line(predict, scene, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        code, _, err = predict(scene, "--out", out)
        assert (
            code == 1
            and err.count("\n") == 1
            and "file: a file, not a folder; choose another folder for --out" in err
        )
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_permission_is_one_line(predict, scene, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode, **_: not mode & os.W_OK)
    code, _, err = predict(scene, "--out", tmp_path / "locked")
    assert (
        code == 1
        and "not writable; choose another folder for --out" in err
        and not (tmp_path / "locked").exists()
    )


# ---------------------------------------------------------------- the picture


def a_person(**changes):
    joints = {name: [10.0 + 3 * i, 20.0 + 5 * (i % 4), 0.5] for i, name in enumerate(MPII.joints)}
    return {
        "joints": joints,
        "visible": dict.fromkeys(MPII.joints, 0.9),
        "box": [0.0, 0.0, 89.0, 59.0],
        "confidence": 0.5,
        "note": "",
    } | changes


def test_the_picture_keeps_the_photographs_shape_and_shows_its_people():
    grey = np.full((60, 90, 3), 99, np.uint8)
    axes = pose_on_photo(grey, [a_person(), a_person()]).axes[0]
    assert (
        len(axes.lines) == 2 * len(MPII.limbs)
        and not pose_on_photo(grey, []).axes[0].lines
        and not axes.patches
    )
    box = axes.get_window_extent()
    assert box.width / box.height == pytest.approx(1.5, rel=1e-6)
    assert len(pose_on_photo(grey, [a_person(box=[5.0, 5.0, 70.0, 50.0])]).axes[0].patches) == 2


def test_the_picture_is_the_same_whatever_a_users_style_says():
    grey = np.full((60, 90, 3), 99, np.uint8)
    plain = pose_picture(grey, [a_person()])
    theirs = {"savefig.bbox": "tight", "font.size": 20, "lines.linewidth": 9, "savefig.dpi": 50}
    with plt.rc_context(theirs | {"path.sketch": (5, 50, 5), "legend.fontsize": 20}):
        assert pose_picture(grey, [a_person()]) == plain
        assert plt.rcParams["font.size"] == 20


def test_a_limb_is_as_faint_as_its_weaker_end():
    person = a_person()
    person["joints"]["right_ankle"][2] = 0.0
    lines = pose_on_photo(np.zeros((60, 90, 3), np.uint8), [person]).axes[0].lines
    shin = MPII.limbs.index((0, 1))
    assert lines[shin].get_alpha() < min(
        line.get_alpha() for i, line in enumerate(lines) if i != shin
    )


def test_hidden_joints_are_told_apart():
    hidden = dict.fromkeys(MPII.joints, 0.9) | {"left_wrist": 0.2, "left_elbow": 0.1}
    seen, unseen = (
        pose_on_photo(np.zeros((60, 90, 3), np.uint8), [a_person(visible=hidden)])
        .axes[0]
        .collections
    )
    assert (len(seen.get_offsets()), len(unseen.get_offsets())) == (14, 2)
    assert not np.allclose(seen.get_facecolor(), unseen.get_facecolor())


def test_a_huge_photograph_is_drawn_small():
    figure = pose_on_photo(np.zeros((3000, 4000, 3), np.uint8), [])
    assert figure.axes[0].images[0].get_array().shape == (900, 1200, 3)


# ---------------------------------------------------------------- what a peak means


def test_nobody_is_said_to_be_there_where_confidence_is_low(untrained, scene, tmp_path, predict):
    record = photos.Path(untrained).with_suffix(".json")
    for below, note in ((2.0, "perhaps no person here: mean confidence"), (-1.0, "")):
        weights = tmp_path / "little.safetensors"
        weights.write_bytes(photos.Path(untrained).read_bytes())
        weights.with_suffix(".json").write_text(
            json.dumps(json.loads(record.read_text()) | {"no_person": {"below": below}})
        )
        code, out, err = predict(scene, "--json", weights=str(weights))
        assert (
            code == 0
            and json.loads(out)[0]["people"][0]["note"].startswith(note)
            and (err.count("\n"), f"me.png: {note}" in err) == (bool(note), bool(note))
        )


@pytest.mark.parametrize("name", shipped())
def test_shipped_weights_see_nobody_on_a_wall(name):
    """As their record promises of all uniform pictures."""
    weights = load_weights(shipped()[name])
    walls = empty_pictures(4)["uniform"]
    means = [
        see(weights, wall, people_in(weights.codec.skeleton, (150, 200)))[1].mean()
        for wall in walls
    ]
    nobody = weights.record["no_person"]
    assert nobody["empty_below"]["uniform"] == 1 and max(means) < nobody["below"]


def test_the_fit_of_visibility_finds_the_law_it_was_drawn_from():
    rng = np.random.default_rng(0)
    confidence = rng.random((2000, 16))
    state = np.where(
        rng.random(confidence.shape) < 1 / (1 + np.exp(2 - 5 * confidence)),
        VISIBLE,
        rng.integers(0, 2, confidence.shape),
    )
    fit = fit_visibility(confidence, state)
    assert fit["intercept"] == pytest.approx(-2, abs=0.15) and fit["slope"] == pytest.approx(
        5, abs=0.3
    )
    assert fit["brier"] < fit["brier_of_share"] - 0.02


def test_visibility_without_a_fit_is_the_confidence(untrained):
    weights = load_weights(photos.Path(untrained).with_suffix(".json"))
    assert visibility(weights, np.array([0.2, 0.9])).tolist() == [0.2, 0.9]


@pytest.mark.parametrize("name", shipped())
def test_shipped_weights_find_real_people_in_their_boxes(real_data, name):
    """The rule for boxes against the labelled centre and scale: on 48 MPII people not more than 5
    points are lost."""
    weights = load_weights(shipped()[name])
    people = load_mpii(real_data / "mpii-sports", "valid")
    people = people.select(~np.isnan(people.joints).any(axis=(1, 2))).select(slice(0, 48))
    ours, labelled = [], []
    for i in range(len(people)):
        picture, joints = read_image(people.image[i]), people.joints[i]
        pad = 0.04 * np.ptp(joints, axis=0).max()
        box = (*(joints.min(axis=0) - pad), *(joints.max(axis=0) + pad))
        ours.append(see(weights, picture, people_in(MPII, picture.shape[1::-1], [box]), (1.0,))[0])
        labelled.append(see(weights, picture, people.select(slice(i, i + 1)), (1.0,))[0])
    boxed, given = (
        measure(np.concatenate(points), people, "mpii").scores.total for points in (ours, labelled)
    )
    assert boxed > given - 5 and boxed > 30
