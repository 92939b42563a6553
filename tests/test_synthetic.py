"""Drawn people: the same bits in any order and process, the official formats, the statistics of the
real sets, and labels that lie on the drawing."""

import gzip
import json
from dataclasses import replace
from functools import cache

import cv2
import h5py
import numpy as np
import pytest
from scipy.io import loadmat

from companion.drawn import annotation, backdrop, drawing, scenes, synthetic, writers
from companion.drawn.body import OWN, SEGMENTS, random_body, random_yaw, rotations
from companion.drawn.scenes import Difficulty
from companion.figures import people_sheets as show
from companion.runs.study import Study
from companion.samples.people import (
    MPII_VALIDATION,
    contact_sheet,
    difficulty_sheet,
    hidden,
    state_shares,
)
from paperlib import PaperlibError
from paperlib.data.coco import load_coco
from paperlib.data.flic import load_flic
from paperlib.data.lsp import load_lsp
from paperlib.data.mpii import load_mpii
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import FLIC, LSP, MPII

SIDE = 64
COUNTS = {"mpii": (12, 6), "lsp": (8, 8), "flic": (8, 5), "coco": (8, 4)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return synthetic.make_synthetic(
        tmp_path_factory.mktemp("drawn"),
        COUNTS,
        SIDE,
        seed=3,
        progress=lambda done, total: None,
        jobs=1,
    )


@cache
def mpii_people(n=3000, **difficulty):
    """n drawings of MPII's kind: the states (n, 16) of the main people, their (centre, scale,
    Person), and the other people."""
    rows = [
        scenes.draw(scenes.mpii_scene, 5, "statistics", i, 96, Difficulty(**difficulty))
        for i in range(n)
    ]
    people = [scene.people[0] for scene, _ in rows]
    boxes = [(*annotation.mpii_box(rng, p), p) for (_, rng), p in zip(rows, people, strict=True)]
    return np.stack([p.state for p in people]), boxes, [scene.people[1:] for scene, _ in rows]


def files_of(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }


# --- the drawing ---


def test_a_limb_is_lifted_to_its_own_side_and_swung_forward():
    down = np.array([0.0, 1, 0])
    np.testing.assert_allclose(
        rotations(np.array([(90.0, 0, 0), (0, 90, 0), (0, 0, 90)])) @ down,
        [(0, 0, 1), (1, 0, 0), down],
        atol=1e-12,
    )


@pytest.mark.parametrize("yaw, sign", [(0.0, 1), (180.0, -1)])
def test_facing_the_camera_the_left_shoulder_is_to_the_images_right(yaw, sign):
    bodies = [random_body(np.random.default_rng(i), yaw, upright=True) for i in range(30)]
    across = np.array([body.points[13, 0] - body.points[12, 0] for body in bodies])
    assert (sign * across > 0).all()
    nose = np.array([body.points[20, 2] - body.points[25, 2] for body in bodies])
    assert (sign * nose > 0).mean() > 0.9


def bones(body):
    """The points (26, 3) without the camera's perspective."""
    return np.column_stack([body.points[:, :2] / body.zoom[:, None], body.points[:, 2]])


def test_limbs_have_human_lengths():
    points = np.stack([bones(random_body(np.random.default_rng(i), "uniform")) for i in range(200)])
    length = lambda a, b: np.linalg.norm(points[:, a] - points[:, b], axis=-1)  # noqa: E731
    for a, b, mean in (
        (0, 1, 0.246),
        (1, 2, 0.245),
        (6, 7, 0.288),
        (8, 9, 1 / 6),
        (11, 12, 0.176),
        (10, 11, 0.146),
    ):
        assert abs(length(a, b).mean() - mean) < 0.01 and 0.005 < length(a, b).std() < 0.03
    np.testing.assert_allclose(length(2, 6), length(3, 6))


def test_elbows_and_knees_bend_no_further_than_they_can():
    points = np.stack([bones(random_body(np.random.default_rng(i), "uniform")) for i in range(400)])
    for a, b, c in ((12, 11, 10), (13, 14, 15), (2, 1, 0), (3, 4, 5)):
        upper, lower = points[:, b] - points[:, a], points[:, c] - points[:, b]
        straight = (
            (upper * lower).sum(-1)
            / np.linalg.norm(upper, axis=-1)
            / np.linalg.norm(lower, axis=-1)
        )
        bend = np.degrees(np.arccos(np.clip(straight, -1, 1)))
        assert bend.max() < 146 and bend.max() > 90


def test_what_is_nearer_is_shown_larger():
    bodies = [random_body(np.random.default_rng(i)) for i in range(50)]
    depth, zoom = (
        np.concatenate([getattr(body, name) for body in bodies]) for name in ("points", "zoom")
    )
    assert np.array_equal(zoom > 1, depth[:, 2] > 0) and zoom.max() > 1.1 and zoom.min() < 0.95


def test_poses_of_every_kind_occur():
    poses = [random_body(np.random.default_rng(i)).pose for i in range(600)]
    assert {
        "stand",
        "walk",
        "sit",
        "reach",
        "lie",
        "recline",
        "handstand",
        "cartwheel",
        "squat",
        "hold",
    } <= set(poses)


def test_people_stand_on_one_ground():
    """Whoever stands with the feet lower in the picture is nearer, and so larger; the ground is a
    plane under one horizon."""
    for i in range(40):
        rng, eye = np.random.default_rng(i), 0.8
        main = random_body(rng, upright=True).place(60, (64, 60))
        other = scenes._beside(rng, random_body(rng, upright=True), main, 0.2, 0.5, eye)
        horizon = scenes._feet(main) - eye * main.height
        assert np.isclose(
            (scenes._feet(other) - horizon) / (scenes._feet(main) - horizon),
            other.height / main.height,
        )


def test_yaw_is_frontal_by_default_and_uniform_on_request():
    def front(yaw):
        return np.mean(
            [
                abs(angle) < 69
                for angle in (random_yaw(np.random.default_rng(i), yaw) for i in range(600))
            ]
        )

    assert 0.68 < front("frontal") < 0.83 and 0.3 < front("uniform") < 0.46


def test_own_segments_name_both_sides_of_each_joint():
    names = {
        joint: {SEGMENTS[s] for s in np.flatnonzero(row)}
        for joint, row in zip(MPII.joints, OWN, strict=True)
    }
    assert names["left_elbow"] == {"left_upper_arm", "left_forearm"} and names["right_hip"] == {
        "torso",
        "right_thigh",
    }
    assert (
        names["head_top"] == {"head"}
        and names["right_ankle"] == {"right_shank"}
        and all(names.values())
    )


def test_joints_lie_on_the_drawn_person():
    """Without objects, furniture and a second person every joint within the frame lies on the
    person's silhouette."""
    for i in range(40):
        rng = np.random.default_rng(i)
        body = random_body(rng, "uniform")
        body = body.place(
            60,
            (
                64 - (body.points[:, 0].max() + body.points[:, 0].min()) * 30,
                64 - (body.points[:, 1].max() + body.points[:, 1].min()) * 30,
            ),
        )
        scene = scenes.compose(rng, (128, 128), [body], objects=0)
        top = drawing.labels_at(scene.labels, body.joints)
        assert ((top >= 1) & (top <= len(SEGMENTS))).all(), (
            i,
            body.pose,
            np.array(MPII.joints)[(top < 1) | (top > 11)],
        )
        assert scene.people[0].state.min() == OCCLUDED or (scene.people[0].state == VISIBLE).all()


def test_what_an_object_covers_is_occluded_and_legs_behind_furniture_are_absent():
    body = random_body(np.random.default_rng(1), 0.0, upright=True).place(100, (64, 60))
    labels = np.full((256, 256), drawing.NOTHING, np.uint8)
    assert (
        annotation.annotate(body, 0, labels + drawing.OBJECT, (128, 128)).state == OCCLUDED
    ).all()
    behind = annotation.annotate(body, 0, labels + drawing.FURNITURE, (128, 128))
    assert (behind.state[[0, 1, 4, 5]] == ABSENT).all() and (
        behind.state[[2, 3, *range(6, 16)]] == OCCLUDED
    ).all()
    assert (
        np.isnan(behind.joints[behind.state == ABSENT]).all()
        and np.isfinite(behind.joints[behind.state != ABSENT]).all()
    )
    other = annotation.annotate(body, 0, labels + drawing.label_of(1), (128, 128))
    assert (other.state == OCCLUDED).all()
    own = annotation.annotate(
        body, 0, labels + drawing.label_of(0, SEGMENTS.index("torso")), (128, 128)
    )
    assert {MPII.joints[j] for j in np.flatnonzero(own.state == VISIBLE)} == {
        "right_hip",
        "left_hip",
        "pelvis",
        "thorax",
        "upper_neck",
        "right_shoulder",
        "left_shoulder",
    }


def test_occluders_turn_visible_joints_into_occluded_ones():
    def visible(objects):
        bodies = (
            random_body(np.random.default_rng(i), 0.0, upright=True).place(70, (64, 60))
            for i in range(40)
        )
        return np.mean(
            [
                scenes.compose(np.random.default_rng(i), (128, 128), [b], objects=objects)
                .people[0]
                .state
                == VISIBLE
                for i, b in enumerate(bodies)
            ]
        )

    assert visible(1.0) < visible(0.0) - 0.1


def test_pictures_are_varied_and_not_single_hued():
    images = [scenes.draw(scenes.mpii_scene, 0, "hues", i, 64)[0].image for i in range(40)]
    means = np.stack([image.mean((0, 1)) for image in images])
    assert (means.std(0) > 15).all() and np.mean([image.std() for image in images]) > 25
    hues = [cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 0][::4, ::4].ravel() for image in images]
    assert np.median([len(np.unique(hue // 15)) for hue in hues]) >= 5


def test_no_grid_shows_in_the_texture():
    """The kinks of a texture that is stretched from a coarse grid lie on a lattice; those of a
    natural one lie anywhere."""

    def lattice(texture):
        kinks = np.abs(np.diff(texture.astype(float), 2, axis=-1)).mean(
            tuple(range(texture.ndim - 1))
        )  # (width - 2,)
        return kinks.max() / np.median(kinks)

    rng = np.random.default_rng(0)
    windows = np.stack([backdrop._window(rng, 300, 400) for _ in range(60)])
    stretched = np.stack(
        [
            cv2.resize(rng.standard_normal((30, 40)).astype(np.float32), (400, 300))
            for _ in range(60)
        ]
    )
    assert lattice(windows) < 1.5 and lattice(stretched) > 3


# --- the statistics of MPII ---


def test_occlusion_and_absence_are_those_of_mpii():
    state, _, _ = mpii_people()
    annotated = state != ABSENT
    assert abs((state == OCCLUDED).sum() / annotated.sum() - 0.23) < 0.02  # R sec. IV-B: 23 %
    assert (
        abs(1 - annotated[:, [1, 4]].mean() - 0.161) < 0.02
        and abs(1 - annotated[:, [0, 5]].mean() - 0.284) < 0.03
    )  # H sec. 5.2: knees, ankles
    arms = [10, 11, 14, 15]
    # H sec. 5.2
    assert abs((state[:, arms] == VISIBLE).sum() / annotated[:, arms].sum() - 0.75) < 0.02
    assert annotated.sum(1).min() >= 4 and 0.25 < (~annotated).any(1).mean() < 0.42


def test_another_person_is_near_in_more_than_a_third():
    _, boxes, others = mpii_people()
    near = [
        any(
            (np.abs(person.joints - centre - (0, 15 * scale)) < 125 * scale).all(-1).sum() >= 4
            for person in row
        )
        for (centre, scale, _), row in zip(boxes, others, strict=True)
    ]
    assert 1 / 3 < np.mean(near) < 0.55


def test_the_head_is_a_tenth_of_the_crop_and_the_crop_holds_the_person():
    _, boxes, _ = mpii_people()
    head = np.array(
        [0.75 * np.linalg.norm(p.joints[9] - p.joints[8]) / (250 * scale) for _, scale, p in boxes]
    )
    assert 0.09 < np.nanmedian(head) < 0.105
    reach = np.array(
        [
            np.nanmax(abs(p.joints - centre - (0, 15 * scale))) / (125 * scale)
            for centre, scale, p in boxes
        ]
    )
    assert (reach < 1).mean() > 0.98
    assert 0.85 < np.median([250 * scale / 96 for _, scale, _ in boxes]) < 1.6


# --- difficulty ---


def occluded(**difficulty):
    state, _, _ = mpii_people(300, **difficulty)
    return (state == OCCLUDED).sum() / (state != ABSENT).sum()


def facing_away(**difficulty):
    """The share of people whose right shoulder is to the right of their left one."""
    _, boxes, _ = mpii_people(300, **difficulty)
    return np.nanmean([p.joints[12, 0] > p.joints[13, 0] for _, _, p in boxes])


def company(**difficulty):
    return np.mean([len(row) for row in mpii_people(300, **difficulty)[2]])


def test_uniform_yaw_turns_half_of_the_people_away():
    assert facing_away() < 0.32 and abs(facing_away(yaw="uniform") - 0.5) < 0.1


def test_occlusion_puts_things_before_people_and_nothing_else():
    none, default, more = (occluded(occlusion=x) for x in (0.0, 1.0, 3.0))
    assert none + 0.05 < default < more - 0.08
    assert company(occlusion=3.0) == company() and facing_away(occlusion=3.0) == facing_away()


def test_crowd_puts_people_near_and_nothing_else():
    assert (
        company(crowd=0.0) == 0
        and abs(company() - 0.5) < 0.09
        and abs(company(crowd=3.0) - 1.5) < 0.09
    )
    assert occluded(crowd=0.0) < occluded() < occluded(crowd=3.0)
    assert facing_away(crowd=3.0) == facing_away()


@pytest.mark.parametrize("more", [Difficulty(crowd=2), Difficulty(occlusion=3)])
def test_more_people_and_things_leave_the_rest_of_the_picture_as_it_is(more):
    pairs = [
        [
            scenes.draw(scenes.mpii_scene, 1, "rest", i, 48, knob)[0].image
            for knob in (Difficulty(), more)
        ]
        for i in range(20)
    ]
    same = [(a == b).all(-1).mean() for a, b in pairs]
    assert np.mean(same) > 0.7 and np.mean(same) < 0.99


def test_a_knob_at_its_default_changes_no_bit():
    plain, same = (
        scenes.draw(scenes.mpii_scene, 1, "a", 3, 48, *difficulty)[0]
        for difficulty in ((), (Difficulty("frontal", 1, 1),))
    )
    assert np.array_equal(plain.image, same.image)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"yaw": "sideways"}, "no yaw 'sideways'"),
        ({"crowd": -1}, "crowd.*-1"),
        ({"occlusion": np.nan}, "occlusion"),
    ],
)
def test_an_unknown_difficulty_is_refused(wrong, message):
    with pytest.raises(PaperlibError, match=message):
        Difficulty(**wrong)


# --- reproducible ---


def test_a_picture_depends_on_seed_set_and_index_alone():
    draw = lambda i, seed=1, name="a": scenes.draw(scenes.mpii_scene, seed, name, i, 48)[0]  # noqa: E731
    forward, backward = [draw(i) for i in range(4)], [draw(i) for i in (3, 2, 1, 0)][::-1]
    for a, b in zip(forward, backward, strict=True):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.people[0].joints, b.people[0].joints, equal_nan=True)
    assert not np.array_equal(draw(0).image, draw(0, seed=2).image) and not np.array_equal(
        draw(0).image, draw(0, name="b").image
    )


def test_difficulty_reaches_the_files(tmp_path):
    for yaw in ("frontal", "uniform"):
        drawing = writers.Drawing(48, 1, difficulty=Difficulty(yaw))
        writers.write_flic(tmp_path / yaw, 0, 24, drawing)
    swapped = {
        yaw: (load_flic(tmp_path / yaw, "valid", "pc").joints[:, [0, 3], 0] @ [1, -1] < 0).mean()
        for yaw in ("frontal", "uniform")
    }
    assert swapped["frontal"] < 0.2 < swapped["uniform"]


def test_another_difficulty_is_drawn_anew(tmp_path):
    for crowd in (0, 2, 0):
        synthetic.make_synthetic(
            tmp_path, {"mpii": (0, 4)}, 48, 0, lambda *_: None, 1, Difficulty(crowd=crowd)
        )
        people = load_mpii(tmp_path / "mpii", "valid")
        assert any(len(other) for other in people.others) == bool(crowd)
        assert json.loads((tmp_path / "synthetic.json").read_text())["mpii"]["difficulty"] == {
            "yaw": "frontal",
            "occlusion": 1.0,
            "crowd": crowd,
        }


def test_two_processes_write_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "_WORTH_PROCESSES", 0)
    for jobs in (1, 2):
        writers.write_mpii(tmp_path / str(jobs), 6, 0, writers.Drawing(48, 4, jobs))
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")
    writers.write_mpii(tmp_path / "longer", 9, 2, writers.Drawing(48, 4))
    assert files_of(tmp_path / "1").items() - files_of(tmp_path / "longer").items() == {
        ("mpii_annotations.json", (tmp_path / "1" / "mpii_annotations.json").read_bytes())
    }


# --- the official formats ---


def shape_of(value):
    """The structure of a JSON value: types and keys; lists by the structure of their elements."""
    if isinstance(value, dict):
        return {key: shape_of(entry) for key, entry in sorted(value.items())}
    return (
        [shape_of(entry) for entry in value]
        if isinstance(value, list)
        else type(value).__name__.replace("int", "float")
    )


def test_mpii_records_are_structured_as_the_official_ones(drawn, real_data):
    ours = json.loads((drawn / "mpii" / "mpii_annotations.json").read_text())
    official = json.loads(gzip.open(real_data / "mpii" / "mpii_annotations.json.gz", "rt").read())[
        :400
    ]
    for others in (0, 1):
        kinds = [
            next(shape_of(r) for r in records if r["numOtherPeople"] == others)
            for records in (ours, official)
        ]
        assert kinds[0] == kinds[1]


def test_lsp_and_flic_files_are_structured_as_the_official_ones(drawn, real_data):
    ours, official = (
        loadmat(drawn / "lsp" / "joints.mat"),
        loadmat(real_data / "lsp" / "joints.mat"),
    )
    for key in ("joints", "oc_joints"):
        assert (
            ours[key].shape == (3, 14, 16)
            and ours[key].dtype == official[key].dtype
            and official[key].shape[:2] == (3, 14)
        )
    for name in ("train", "valid", "train_personcentric", "valid_personcentric"):
        with (
            h5py.File(drawn / "flic" / "annot" / f"{name}.h5") as a,
            h5py.File(real_data / "flic" / "annot" / f"{name}.h5") as b,
        ):
            assert set(a) == set(b)
            assert all(
                a[key].shape[1:] == b[key].shape[1:] and a[key].dtype.kind == b[key].dtype.kind
                for key in b
            )
            assert all(a[key].dtype == b[key].dtype for key in b if key != "imgname")


def test_flic_angle_and_normalisation_follow_the_official_rule(drawn, real_data):
    for file in (
        drawn / "flic" / "annot" / "train_personcentric.h5",
        real_data / "flic" / "annot" / "train_personcentric.h5",
    ):
        with h5py.File(file) as h5:
            part = h5["part"][()]
            torso = part[:, 6:8].mean(1) - part[:, (0, 3)].mean(1)
            np.testing.assert_allclose(
                h5["torsoangle"][()], -np.degrees(np.arctan2(torso[:, 0], torso[:, 1])), atol=1e-6
            )
            np.testing.assert_allclose(
                h5["normalize"][()], np.linalg.norm(part[:, 3] - part[:, 6], axis=1)
            )


def test_coco_annotations_are_structured_as_the_official_ones(drawn, real_data):
    ours = json.loads(
        (drawn / "coco" / "annotations" / "person_keypoints_train2017.json").read_text()
    )
    official = json.loads((real_data / "coco" / "test_coco.json").read_text())
    assert set(ours) == set(official)
    assert set(ours["annotations"][0]) == set(official["annotations"][0])
    assert ours["categories"][0]["keypoints"] == official["categories"][0]["keypoints"]
    assert {"file_name", "height", "width", "id"} <= set(ours["images"][0])


# --- through the loaders ---


def test_round_trip_mpii(drawn):
    people = load_mpii(drawn / "mpii", "valid", strict=True)
    assert (
        len(people) == 6
        and len(load_mpii(drawn / "mpii", "train", strict=True)) == 12
        and not people.left_out
    )
    for i in range(6):
        scene, rng = scenes.draw(scenes.mpii_scene, 3, "mpii valid", i, SIDE)
        np.testing.assert_allclose(people.joints[i], scene.people[0].joints, atol=6e-4)
        assert np.array_equal(people.state[i], scene.people[0].state)
        centre, scale = annotation.mpii_box(rng, scene.people[0])
        np.testing.assert_allclose(people.centre[i], centre, atol=6e-4)
        np.testing.assert_allclose(people.head_size[i], 25 * scale, rtol=1e-4)
        assert len(people.others[i]) == len(
            [p for p in scene.people[1:] if (p.state != ABSENT).sum() >= 4]
        )
        stored = cv2.cvtColor(cv2.imread(people.image[i]), cv2.COLOR_BGR2RGB)
        assert (
            stored.shape == scene.image.shape
            and np.abs(stored.astype(int) - scene.image).mean() < 6
        )


def test_round_trip_lsp(drawn):
    pc, oc = (
        load_lsp(drawn / "lsp", "test", strict=True),
        load_lsp(drawn / "lsp", "test", labels="oc", strict=True),
    )
    assert len(pc) == 8 and (pc.state != ABSENT).all() and 0 < (pc.state == OCCLUDED).mean() < 0.3
    scene, _ = scenes.draw(scenes.lsp_scene, 3, "lsp", 8, SIDE)
    np.testing.assert_allclose(
        pc.joints[0, LSP.index("left_wrist")], scene.people[0].joints[MPII.index("left_wrist")]
    )
    sizes = np.array([cv2.imread(name).shape[:2] for name in pc.image])
    assert (
        (sizes.max(1) == SIDE).all()
        and (pc.joints >= 0).all()
        and (pc.joints < sizes[:, None, ::-1]).all()
    )
    for side in ("hip", "shoulder"):
        assert (
            oc.joints[:, LSP.index(f"right_{side}"), 0]
            <= oc.joints[:, LSP.index(f"left_{side}"), 0]
        ).all()
    assert np.array_equal(np.sort(oc.joints, 1), np.sort(pc.joints, 1))


def test_round_trip_flic(drawn):
    pc, oc = (
        load_flic(drawn / "flic", "train", "pc", strict=True),
        load_flic(drawn / "flic", "train", "oc", strict=True),
    )
    assert len(pc) == 8 and len(load_flic(drawn / "flic", "valid", strict=True)) == 5
    np.testing.assert_allclose(200 * pc.scale, SIDE)
    assert (oc.joints[:, 0, 0] >= oc.joints[:, 3, 0]).all()
    swapped = (oc.joints != pc.joints).any((1, 2))
    np.testing.assert_array_equal(oc.joints[swapped], pc.joints[swapped][:, FLIC.mirror])
    for name, joints in zip(pc.image, pc.joints, strict=True):
        height, width = cv2.imread(name).shape[:2]
        assert (
            (joints >= 0).all()
            and (joints < (width, height)).all()
            and abs(width / height - 1.5) < 0.02
        )


def test_round_trip_coco(drawn):
    people = load_coco(drawn / "coco", "train", strict=True)
    assert (
        len(people) >= 8
        and len(set(people.image)) == 8
        and set(np.unique(people.state)) <= {0, 1, 2}
    )
    box = 200 * people.scale
    far = np.nanmax(np.abs(people.joints - people.centre[:, None]), axis=(1, 2))
    assert (
        far[(people.state == VISIBLE).mean(1) > 0.7]
        < 0.6 * box[(people.state == VISIBLE).mean(1) > 0.7]
    ).all()


# --- make_synthetic ---


def test_a_finished_set_is_kept_and_an_unfinished_one_drawn_anew(tmp_path, monkeypatch):
    counts, seen = {"mpii": (3, 1), "lsp": (1, 1)}, []

    def make(**k):
        return synthetic.make_synthetic(
            tmp_path, k.pop("counts", counts), 48, 0, progress=lambda *x: seen.append(x), jobs=1
        )

    make()
    assert seen == [(i, 6) for i in range(1, 7)]
    whole = files_of(tmp_path)
    make()
    assert len(seen) == 6 and files_of(tmp_path) == whole

    real, calls = writers._draw_one, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(writers, "_draw_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(counts={"mpii": (4, 1), "lsp": (1, 1)})
    stamp = json.loads((tmp_path / "synthetic.json").read_text())
    assert stamp["mpii"] is None and stamp["lsp"] is not None
    monkeypatch.setattr(writers, "_draw_one", real)
    seen.clear()
    make()
    assert seen[-1] == (4, 4) and files_of(tmp_path) == whole


def test_data_of_others_are_never_overwritten(tmp_path):
    (tmp_path / "mpii").mkdir()
    (tmp_path / "mpii" / "mpii_annotations.json").write_text("[]")
    with pytest.raises(PaperlibError, match="not drawn here"):
        synthetic.make_synthetic(tmp_path, {"mpii": (1, 1)}, 48, 0, jobs=1)
    assert (tmp_path / "mpii" / "mpii_annotations.json").read_text() == "[]"


def test_clear_errors(tmp_path):
    with pytest.raises(PaperlibError, match="no drawn data set 'ms'"):
        synthetic.make_synthetic(tmp_path, {"ms": (1, 1)}, 48, 0)
    with pytest.raises(PaperlibError, match="equal numbers"):
        writers.write_lsp(tmp_path / "lsp", 3, 2, writers.Drawing(48, 0))
    (tmp_path / "file").write_text("")
    with pytest.raises(PaperlibError, match="file"):
        synthetic.make_synthetic(tmp_path / "file", {"mpii": (1, 1)}, 48, 0, jobs=1)
    (tmp_path / "synthetic.json").write_text("{")
    with pytest.raises(PaperlibError, match="synthetic.json: cannot be read"):
        synthetic.make_synthetic(tmp_path, {"mpii": (1, 1)}, 48, 0, jobs=1)


def test_pairs_are_close_and_of_like_size():
    for pair in synthetic.draw_pairs(6, 64, seed=2):
        assert pair.joints.shape == (2, 16, 2) and pair.image.dtype == np.uint8
        assert np.linalg.norm(pair.centre[0] - pair.centre[1]) < 0.5 * 200 * pair.scale.max()
        assert 0.6 < pair.scale[0] / pair.scale[1] < 1.6
        assert ((pair.state == ABSENT) == np.isnan(pair.joints).any(-1)).all()


# --- notebook 01's pictures and table ---


def test_the_stated_shares_of_mpii_are_those_of_its_labels(real_data):
    measured = hidden(load_mpii(real_data / "mpii", "valid", need_images=False))
    np.testing.assert_allclose(list(measured.values()), MPII_VALIDATION, atol=0.05)


def test_the_table_stands_without_mpii_and_counts_its_people(tiny, tmp_path):
    alone = Study(
        "tiny", "synthetic", "cpu", progress=False, folders=replace(tiny.folders, data=tmp_path)
    )
    table = state_shares(alone)
    assert (
        list(table["MPII, 2958 people"]) == list(MPII_VALIDATION)
        and "this study, 32 people" in table
    )
    state = alone.people("mpii", "train").state
    assert np.isclose(table.iloc[0, -1], 100 * (state == OCCLUDED).sum() / (state != ABSENT).sum())


def test_the_contact_sheet_shows_each_person_twice_and_marks_each_joint_by_its_state(tiny):
    sheet = contact_sheet(tiny, tiny.test_people("mpii"), count=3)
    panels = show.labelled(sheet, columns=3).axes
    assert len(panels) == 6
    for axes, state in zip(panels[3:], sheet["state"], strict=True):
        visible, occluded = axes.collections[-2:]
        assert (len(visible.get_offsets()), len(occluded.get_offsets())) == (
            (state == VISIBLE).sum(),
            (state == OCCLUDED).sum(),
        )


def test_the_difficulty_sheet_has_a_row_a_knob():
    sheet = difficulty_sheet(count=2, side=32)
    assert sheet["images"].shape == (4, 2, 40, 48, 3) and all(
        (row != sheet["images"][0]).any() for row in sheet["images"][1:]
    )
    assert len(show.difficulties(sheet).axes) == 8
