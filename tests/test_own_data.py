"""Labels of one's own: any COCO keypoints file is read, trained on, predicted and scored, or
refused in one line that says what to write."""

import json
from pathlib import Path

import numpy as np
import pytest
from official_files import ANIMAL, own_coco
from PIL import Image
from typer.testing import CliRunner

from companion.app import cli
from companion.app.photos import people_in, predict_photos
from companion.app.pretrained import best_weights
from companion.runs.own import How, own_run, read_labels, train_own
from paperlib import PaperlibError
from paperlib.codecs import HourglassCodec
from paperlib.data.own import load_own, reference, split_by_image
from paperlib.own_data import coco_results, score_own
from paperlib.people import ABSENT, OCCLUDED
from paperlib.skeleton import FLIC, LSP, SKELETONS, joint_map, plain_name

PERSON = ("LShoulder", "right shoulder", "hip.L", "R_Hip", "head")


@pytest.fixture(autouse=True)
def _runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_RUNS", str(tmp_path / "runs"))


# ---------------------------------------------------------------- names, limbs and sides

SPELLINGS = "L_Shoulder,Shoulder (left),leftShoulder,LShoulder,lsho,shoulder.L,LEFT-SHOULDER"


@pytest.mark.parametrize("name", SPELLINGS.split(","))
def test_a_name_is_ours_however_it_is_spelt(name):
    assert plain_name(name) == "left_shoulder"


def test_our_own_names_are_plain():
    assert all(skeleton.plain == skeleton.joints for skeleton in SKELETONS.values())
    assert plain_name("tail_base") == "tail_base" and plain_name("Root of tail") == "root_of_tail"
    assert plain_name("left") == "left" and plain_name("頭") == "頭"


def test_the_skeleton_is_the_files(tmp_path):
    own = load_own(own_coco(tmp_path))
    skeleton = own.people.skeleton
    assert skeleton.joints == ANIMAL and skeleton.mirror.tolist() == [0, 2, 1, 3, 4]
    assert skeleton.limbs == ((0, 1), (0, 2), (0, 3), (3, 4))  # nose - L_Ear has got its twin
    assert skeleton.limb_mirror.tolist() == [1, 0, 2, 3]
    assert dict(skeleton.groups)["ear"] == (1, 2) and "1 mirrored limbs added" in own.in_words()


def test_names_that_match_are_mapped_on_ours(tmp_path):
    own = load_own(own_coco(tmp_path, joints=PERSON))
    assert joint_map(own.people.skeleton, FLIC).tolist()[:8] == [0, -1, -1, 1, -1, -1, 2, 3]
    lsp = own.people.to(LSP)
    np.testing.assert_array_equal(lsp.joints[:, LSP.index("left_hip")], own.people.joints[:, 2])
    assert (lsp.state[:, LSP.index("left_knee")] == ABSENT).all()
    length, threshold, name = reference(own.people)
    assert (threshold, name) == (0.2, "torso")
    apart = own.people.joints[:, 0] - own.people.joints[:, 3]
    np.testing.assert_allclose(length, np.linalg.norm(apart, axis=-1))
    assert reference(own.people, "box")[1:] == (0.1, "box")


def test_a_skeleton_that_counts_from_0(tmp_path):
    category = {"id": 3, "name": "cat", "keypoints": list(ANIMAL), "skeleton": [[0, 3], [3, 4]]}
    own = load_own(own_coco(tmp_path, categories=[category]))
    assert own.people.skeleton.limbs == ((0, 3), (3, 4)) and "counts from 0" in own.in_words()


REFUSED = [
    (("nose", "left_ear", "tail", "a_x", "c"), "'left_ear' has no counterpart 'right_ear'; name "),
    (("kp1", "kp2", "kp3", "kp4", "kp5"), "'kp1' and 'kp2' may be left and right"),
    (("0", "1", "2", "3", "4"), "'0' and '1' may be left and right"),
    (("lf_paw", "rf_paw", "l_ear", "r_ear", "tail"), "'lf_paw' and 'rf_paw' may be left and right"),
    (("nose", "L_ear", "left ear", "right_ear", "t"), "two keypoints are named 'left ear'"),
]


@pytest.mark.parametrize("joints, says", REFUSED)
def test_names_that_do_not_tell_the_sides(tmp_path, joints, says):
    with pytest.raises(PaperlibError, match=f"my.json: .*{says}"):
        load_own(own_coco(tmp_path, joints=joints))


def test_numbers_on_the_midline_are_no_sides(tmp_path):
    joints = ("left_eye", "right_eye", "spine1", "spine2", "spine3")
    own = load_own(own_coco(tmp_path, joints=joints))
    assert own.people.skeleton.mirror.tolist() == [1, 0, 2, 3, 4]


BAD_FILES = [
    ({"categories": [{"id": 3, "name": "cat"}]}, "none of its categories names keypoints"),
    ({"categories": None}, "none of its categories names keypoints"),
    ({"annotations": None}, "has no 'annotations'"),
    ({"annotations": []}, "nobody can be used"),
    (
        {"categories": [{"id": 3, "keypoints": list(ANIMAL), "skeleton": [[1, 9]]}]},
        "'skeleton' should be pairs of keypoints counted from 1 to 5",
    ),
]


@pytest.mark.parametrize("changes, says", BAD_FILES)
def test_a_file_that_is_no_keypoints_file(tmp_path, changes, says):
    with pytest.raises(PaperlibError, match=says):
        load_own(own_coco(tmp_path, **changes))


# ---------------------------------------------------------------- people and images


def test_who_is_left_out_and_why(tmp_path):
    notes = {0: {"category_id": 9}, 1: {"keypoints": [1, 2]}, 2: {"iscrowd": 1}, 3: {"bbox": None}}
    own = load_own(own_coco(tmp_path, images=7, notes=notes))
    assert own.ids.tolist() == [103, 104, 105, 106] and own.people.left_out == {
        "crowd": 1,
        "other category (9)": 1,
        "annotation broken (id 101 has 'keypoints' [1, 2])": 1,
    }
    assert "1 have no bbox, the box about their labelled joints is taken" in own.in_words()
    joints, boxes = own.people.joints[0], HourglassCodec(margin=1, shift=10).boxes(own.people)
    low, high = boxes[0, :2] - boxes[0, 2] / 2, boxes[0, :2] + boxes[0, 2] / 2
    assert (joints > low).all() and (joints < high).all()


def test_the_category_that_most_are_of_is_taken(tmp_path):
    kinds = {3: "cat", 4: "dog"}.items()
    cats = [{"id": i, "name": name, "keypoints": list(ANIMAL)} for i, name in kinds]
    plant = {"id": 5, "name": "plant", "keypoints": ["root", "top"]}
    notes = {0: {"category_id": 4}, 1: {"category_id": 5}}
    own = load_own(own_coco(tmp_path, notes=notes, categories=[plant, *cats]))
    assert len(own) == 5 and own.people.left_out == {"other category (plant)": 1}
    assert own.people.skeleton.name == "cat and 1 more" and own.categories.tolist() == [
        4,
        3,
        3,
        3,
        3,
    ]


def test_images_beside_the_file_or_in_images(tmp_path):
    path = own_coco(tmp_path)
    (tmp_path / "images/0.png").rename(tmp_path / "0.png")
    content = json.loads(path.read_text())
    content["images"][1]["file_name"] = "export\\batch 7\\1.png"
    path.write_text(json.dumps(content))
    images = load_own(path).people.image
    assert [Path(image).parent.name for image in images[:2]] == [tmp_path.name, "images"]
    (tmp_path / "images/5.png").unlink()
    assert load_own(path).people.left_out == {"image absent": 1}


def save_turned(path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as picture:
        picture.crop((0, 0, 60, 40)).save(path, exif=exif)


TURNED = [(6, (40, 60), 5), (3, (60, 40), 5), (6, (60, 40), 6), (1, (60, 40), 6), (9, (60, 40), 6)]


@pytest.mark.parametrize("orientation, size, kept", TURNED)
def test_a_photograph_that_its_exif_tag_turns(tmp_path, orientation, size, kept):
    """Labels are made for what a viewer shows; the file's width and height may say otherwise."""
    path = own_coco(tmp_path)
    save_turned(tmp_path / "images/0.png", orientation)
    content = json.loads(path.read_text())
    content["images"][0] |= dict(zip(("width", "height"), size, strict=True))
    path.write_text(json.dumps(content))
    people = load_own(path).people
    turned = {"image turned by its EXIF tag: save it upright": 1}
    assert len(people) == kept and people.left_out == (turned if kept == 5 else {})


def test_images_of_another_size_than_the_labels(tmp_path):
    path = own_coco(tmp_path)
    Image.new("RGB", (30, 30)).save(tmp_path / "images/2.png")
    assert load_own(path).people.left_out == {"image not of the size that the labels give": 1}
    assert len(load_own(path, need_images=False)) == 6


def test_the_split_is_of_images_and_of_nothing_else(tmp_path):
    path = own_coco(tmp_path, images=10, notes={7: {"image_id": 3}})
    training, held_out = split_by_image(load_own(path))
    assert len(set(held_out.names)) == 1 and not set(held_out.names) & set(training.names)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"annotations": content["annotations"][::-1]}))
    assert set(split_by_image(load_own(path))[1].names) == set(held_out.names)
    with pytest.raises(PaperlibError, match="one image, nothing can be held out of it; give"):
        split_by_image(load_own(own_coco(tmp_path / "one", images=1)))


def test_training_and_predict_see_the_same_crop_of_a_box(tmp_path):
    path = own_coco(tmp_path)
    own, (x, y, w, h) = load_own(path), json.loads(path.read_text())["annotations"][0]["bbox"]
    codec = HourglassCodec(skeleton=own.people.skeleton)
    looked_at = people_in(own.people.skeleton, (60, 60), [(x, y, x + w, y + h)])
    np.testing.assert_allclose(codec.boxes(own.people)[0], codec.boxes(looked_at)[0])


def test_two_files_share_keypoints_and_no_image(tmp_path):
    mine = own_coco(tmp_path / "a")
    theirs = own_coco(tmp_path / "b", joints=("x", "L_y", "R_y", "z", "t"))
    with pytest.raises(PaperlibError, match="b/my.json: its keypoints are x, L_y, .* but those"):
        read_labels(mine, theirs)
    with pytest.raises(PaperlibError, match="6 of its images are also in .*measured on what"):
        read_labels(mine, mine)
    training, other = read_labels(mine, own_coco(tmp_path / "c", images=3))
    assert (len(training), len(other)) == (6, 3)


# ---------------------------------------------------------------- scores


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def results(own, shift=0.0):
    points = own.people.joints + np.array([shift, 0])
    return coco_results(own, points, np.ones(points.shape[:2]))


def test_coco_results_are_scored_by_the_box(tmp_path):
    """2.5 px aside is right where the box is longer than 25 px, and 0.1 of it is 2.5 px."""
    path = own_coco(tmp_path)
    own = load_own(path)
    for shift, share in ((0.0, 100), (2.5, 100), (9.0, 0)):
        found = score_own(path, write(tmp_path / "r.json", results(own, shift)))
        assert found["total"] == share and found["people"] == 6 and found["which"] == "all"
    longer = (200 * own.people.scale).max()
    assert longer < 90 and found["reference"].startswith("longer side of the labelled box")
    assert (found["convention"], found["threshold"]) == ("box", 0.1)
    assert set(found["groups"]) == {"nose", "ear", "withers", "tail_base"}


def test_people_with_shoulders_and_hips_are_scored_by_the_torso(tmp_path):
    notes = {0: {"keypoints": [1, 1, 2, 20, 20, 2, 30, 30, 2, 0, 0, 0, 9, 9, 1]}}
    path = own_coco(tmp_path, joints=PERSON, notes=notes)
    own = load_own(path)
    assert own.people.state[0, 3] == ABSENT and own.people.state[0, 4] == OCCLUDED
    file = write(tmp_path / "r.json", results(own))
    found = score_own(path, file)
    assert (found["convention"], found["threshold"], found["total"]) == ("torso", 0.2, 100)
    assert found["people"] == 5 and found["notes"] == [
        "1 of 6 have no torso labelled: not measured"
    ]
    assert score_own(path, file, "box")["people"] == 6
    with pytest.raises(PaperlibError, match="no convention 'oks' for 'cat'; there is torso"):
        score_own(path, file, "oks")


def test_the_held_out_images_alone(tmp_path):
    path = own_coco(tmp_path, images=11)
    held_out = split_by_image(load_own(path))[1]
    found = score_own(path, write(tmp_path / "r.json", results(held_out)))
    assert (found["which"], found["people"], found["total"]) == ("the held-out images", 2, 100)
    found = score_own(path, write(tmp_path / "r.json", results(held_out)[:1]))
    assert found["total"] == 50 and found["notes"] == [
        "1 of 2 have no prediction and count as wrong"
    ]


def test_people_of_one_image_are_matched_whatever_their_order(tmp_path):
    notes = {i: {"image_id": 0} for i in range(3)}
    path = own_coco(tmp_path, notes=notes)
    own = load_own(path)
    entries = [{k: v for k, v in r.items() if k != "annotation_id"} for r in results(own)]
    stranger = entries[0] | {"keypoints": [500.0, 500.0, 1.0] * 5}
    file = write(tmp_path / "r.json", [stranger, *entries[::-1], entries[0] | {"image_id": 77}])
    found = score_own(path, file)
    assert found["total"] == 100 and found["notes"] == [
        "predictions of images without labels: 1",
        "predictions of nobody who is labelled: 1",
    ]


def test_annotation_ids_are_not_matched_anew(tmp_path):
    path = own_coco(tmp_path, notes={i: {"image_id": 0} for i in range(2)})
    entries = results(load_own(path))
    first, second = entries[0]["annotation_id"], entries[1]["annotation_id"]
    entries[0]["annotation_id"], entries[1]["annotation_id"] = second, first
    assert score_own(path, write(tmp_path / "r.json", entries))["total"] < 100


def test_arrays_are_in_the_order_of_the_file(tmp_path):
    path = own_coco(tmp_path, images=20)
    own = load_own(path)
    np.save(tmp_path / "r.npy", own.people.joints)
    assert score_own(path, tmp_path / "r.npy")["total"] == 100
    np.save(tmp_path / "r.npy", split_by_image(own)[1].people.joints)
    assert score_own(path, tmp_path / "r.npy")["which"] == "the held-out images"
    np.save(tmp_path / "r.npy", own.people.joints[:7])
    with pytest.raises(PaperlibError, match="r.npy: .*20 people x 5 joints"):
        score_own(path, tmp_path / "r.npy")


BAD_RESULTS = [
    ([{"image_id": 1, "keypoints": [1, 2, 3]}], "'keypoints' of image_id 1 should be 15 numbers"),
    ([{"image_id": "zzz", "keypoints": [1] * 15}], "none of its 1 predictions is of an image of"),
    ([{"image_id": 1}], "a record has .'image_id'.; COCO results have image_id and"),
    ([{"image": "1.png", "people": [{"joints": {"knee": [1, 2]}}]}], "predicts knee, ..., none of"),
    ([{"image": "1.png", "people": [7]}], "a person's joints should be name: .x, y."),
]


@pytest.mark.parametrize("content, says", BAD_RESULTS)
def test_predictions_that_do_not_fit(tmp_path, content, says):
    with pytest.raises(PaperlibError, match=f"r.json: {says}"):
        score_own(own_coco(tmp_path), write(tmp_path / "r.json", content))


def test_images_of_one_name_in_two_folders(tmp_path):
    images = [{"id": i, "file_name": f"{'ab'[i % 2]}/{i // 2}.png"} for i in range(6)]
    path = own_coco(tmp_path)
    content = json.loads(path.read_text())
    content["images"] = images
    path.write_text(json.dumps(content))
    own = load_own(path, need_images=False)
    told = [
        {"image": f"/photos/{name}", "people": [{"joints": dict(zip(ANIMAL, pose, strict=True))}]}
        for name, pose in zip(own.names, own.people.joints.tolist(), strict=True)
    ]
    assert score_own(path, write(tmp_path / "r.json", told))["total"] == 100
    told[0]["image"] = "0.png"  # which of the two?
    assert score_own(path, write(tmp_path / "r.json", told))["total"] < 100


# ---------------------------------------------------------------- the whole way

QUIET = How(device="cpu", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hourglass", "recurrent"])
def test_train_predict_score(tmp_path, name):
    path = own_coco(tmp_path / "cats", images=10)
    run = train_own(name, path, size="tiny", steps=3, how=QUIET)
    assert (len(run.training), len(run.validation), run.trained.record["steps"]) == (8, 2, 3)
    assert (
        run.folder.parent == tmp_path / "runs/own-tiny" and "on 2 people of my.json" in run.summary
    )
    found = score_own(path, run.folder / "predictions.json")
    assert found["which"] == "the held-out images" and found["people"] == 2
    assert found["total"] == pytest.approx(run.scores.total, abs=1e-6)

    weights = best_weights(str(run.folder), "cpu")
    assert weights.codec.skeleton == run.training.people.skeleton
    photos = sorted((tmp_path / "cats/images").glob("*.png"))
    poses, used = predict_photos(photos, str(run.folder), tmp_path / "out", "cpu")
    assert tuple(poses[0]["people"][0]["joints"]) == ANIMAL and "trained on my.json" in used
    assert Path(poses[0]["picture"]).is_file()
    assert score_own(path, tmp_path / "out/predictions.json")["people"] == 10

    again = train_own(name, path, size="tiny", steps=3, how=QUIET)
    assert again.folder == run.folder and again.trained.record == run.trained.record


def test_without_a_labelled_torso_the_box_is_taken(tmp_path):
    keypoints = [10, 10, 2, 20, 20, 2, 12, 40, 2, 0, 0, 0, 15, 5, 2]
    notes = {i: {"keypoints": keypoints} for i in range(6)}
    run = train_own("hourglass", own_coco(tmp_path, 6, PERSON, notes), None, "tiny", 1, QUIET)
    assert run.summary.startswith("PCK@0.1 (box)") and "on 1 people of my.json" in run.summary


@pytest.mark.slow
def test_it_learns(tmp_path):
    """Forty drawn animals, 80 steps of the tiny network: better than chance on those held out."""
    path = own_coco(tmp_path, images=40)
    little, more = (train_own("hourglass", path, None, "tiny", n, QUIET) for n in (1, 80))
    log = more.trained.log
    assert log.loss.iloc[-1] < 0.5 * log.loss.iloc[0] and log.pck.notna().any()
    assert more.scores.total > little.scores.total + 20


def test_the_run_is_the_catalogues_with_the_files_skeleton(tmp_path):
    own = load_own(own_coco(tmp_path))
    run = own_run("recurrent", own, "smoke")
    options = dict(run.network.options)
    assert (options["joints"], options["parts"]) == (5, 4) and run.codec.channels == 9
    category = {"id": 3, "name": "cat", "keypoints": list(ANIMAL)}
    bare = own_run("recurrent", load_own(own_coco(tmp_path, categories=[category])), "smoke")
    assert dict(bare.network.options)["parts"] == 0 and bare.codec.channels == 5
    assert own_run("hourglass", own, "smoke", 50).recipe.steps == 50
    with pytest.raises(PaperlibError, match="run 'hourgloss': .* hourglass and recurrent can"):
        own_run("hourgloss", own, "smoke")
    with pytest.raises(PaperlibError, match="run 'recurrent-t2-parts-finetuned'"):
        own_run("recurrent-t2-parts-finetuned", own, "smoke")


def invoke(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_the_command_line(tmp_path):
    path = own_coco(tmp_path / "cats", images=10)
    train = ("train", "hourglass", "--on", path, "--size", "tiny", "--steps", "2")
    done = invoke(*train, "--device", "cpu")
    folder = Path(done.stdout.splitlines()[-1])
    assert done.exit_code == 0 and (folder / "weights.safetensors").is_file()
    assert "PCK@0.1 (box)" in done.stdout and "8 of 'cat' (5 keypoints" in done.stderr
    done = invoke("score", path, folder / "predictions.json", "--json")
    assert json.loads(done.stdout)["which"] == "the held-out images"
    done = invoke("score", path, folder / "predictions.json")
    assert "PCK@0.1 of the longer side of the labelled box" in done.stdout and "ear" in done.stdout
    photo = path.parent / "images/0.png"
    done = invoke("predict", photo, "--weights", folder, "--box", "5,5,55,55", "--json")
    assert tuple(json.loads(done.stdout)[0]["people"][0]["joints"]) == ANIMAL


WRONG = [
    (("train", "hourglass", "--steps", "5"), "--steps: it goes with --on my.json"),
    (("train", "hourglass", "--validate", "a.json"), "--validate: it goes with --on my.json"),
    (("train", "hourglass", "--on", "none.json"), "none.json: cannot be read"),
    (("train", "hourglass", "--on", "a.json", "--devices", "2"), "by one process"),
    (("score", "none.json", "p.json"), "none.json: cannot be read"),
    (("score", "a.json", "p.json", "--labels", "oc"), "a.json is the truth itself"),
]


@pytest.mark.parametrize("words, says", WRONG)
def test_bad_input_is_one_line(tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    done = invoke(*words)
    assert done.exit_code == 1 and says in str(done.exception)
    assert isinstance(done.exception, PaperlibError)
