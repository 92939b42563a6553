"""Files of points as others write them: what they name is taken by name, or refused in one line."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from typer.testing import CliRunner

from companion.app.cli import app
from paperlib import PaperlibError
from paperlib.files.joint_names import joint_called, read_column
from paperlib.files.predictions import read_points, read_predictions
from paperlib.score import score_file
from paperlib.skeleton import COCO, FLIC, LSP, MPII, joint_map

PEOPLE = 24
POINTS = np.random.default_rng(0).uniform(20, 400, (PEOPLE, 16, 2)).round(2)  # of MPII's joints
ORDER = np.random.default_rng(1).permutation(16).tolist()
ROWS = np.random.default_rng(2).permutation(PEOPLE).tolist()
IMAGES = [f"{1000 + 7 * (i // 2) % 30:09d}.jpg" for i in range(PEOPLE)]  # two people an image
SHORT = "rank rkne rhip lhip lkne lank pelv thrx neck head rwri relb rsho lsho lelb lwri".split()
CAMEL = (
    "RAnkle RKnee RHip LHip LKnee LAnkle Pelvis Thorax UpperNeck HeadTop "
    "RWrist RElbow RShoulder LShoulder LElbow LWrist"
).split()
SPACED = [name.replace("_", " ").title() for name in MPII.joints]
TURNED = [
    f"{part}_{side}" if (side := name.partition("_")[0]) in ("left", "right") else name
    for name in MPII.joints
    for part in [name.partition("_")[2]]
]
DOTTED = ["R." + name[1:] if name[0] == "R" else name for name in CAMEL]


def read(path: Path, **options) -> np.ndarray:
    return read_predictions(path, PEOPLE, MPII, **options).points


def refused(path: Path, *words: str, skeleton=MPII) -> None:
    with pytest.raises(PaperlibError) as caught:
        read_points(path, PEOPLE, skeleton)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert all(word in message for word in words), message


def wide(names=MPII.joints, form="{joint}_{axis}", score="") -> pd.DataFrame:
    """A row a person; the joints in another order than MPII's."""
    columns = {}
    for j in ORDER:
        for i, axis in enumerate("xy"):
            columns[form.format(joint=names[j], axis=axis, Axis=axis.upper())] = POINTS[:, j, i]
        if score:
            columns[form.format(joint=names[j], axis=score, Axis=score)] = 0.5
    return pd.DataFrame(columns)


def long() -> pd.DataFrame:
    rows = [(p, n, *POINTS[p, j]) for p in range(PEOPLE) for j, n in enumerate(MPII.joints)]
    return pd.DataFrame(rows, columns=["person", "joint", "x", "y"]).sample(frac=1, random_state=0)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "rankle",
        "r_ankle",
        "right_ankle",
        "R Ankle",
        "RAnkle",
        "ankle_right",
        "Right Ankle (px)",
        "rightAnkle",
        "RIGHT_ANKLE",
        "ankle.R",
        "rank",
        "0_right_ankle",
        "right-ankle",
    ],
)
def test_a_joint_by_many_names(name):
    assert joint_called(name) == "right_ankle"


def test_every_joint_of_every_skeleton_is_called_by_its_own_name():
    for skeleton in (MPII, LSP, FLIC, COCO):
        for joint in skeleton.joints:
            expected = "upper_neck" if joint == "neck" else joint
            assert joint_called(joint) == joint_called(joint.title()) == expected
    assert [joint_called(name) for name in SHORT] == [joint_called(name) for name in MPII.joints]
    assert joint_called("lear") == "left_ear" and joint_called("earl") == "left_ear"
    assert joint_called("foo") is joint_called("") is joint_called("left") is None


@pytest.mark.parametrize(
    ("text", "joint", "field"),
    [
        ("x_left_knee", "left_knee", "x"),
        ("left knee.y", "left_knee", "y"),
        ("x0", 0, "x"),
        ("15_y", 15, "y"),
        ("kp3_x", 3, "x"),
        ("LKneeX", "left_knee", "x"),
        ("lknex", "left_knee", "x"),
        ("ylkne", "left_knee", "y"),
        ("left_knee_likelihood", "left_knee", "score"),
        ("c0", 0, "score"),
        ("score", None, "score"),
        ("c", None, ""),
        ("bbox_x", None, "x"),
        ("image", None, ""),
    ],
)
def test_what_a_column_says(text, joint, field):
    found = read_column(text)
    assert (found.joint, found.field) == (joint, field)


# --- wide tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "form", "score"),
    [
        (MPII.joints, "{joint}_{axis}", ""),
        (SHORT, "{axis}_{joint}", "score"),
        (CAMEL, "{joint}{Axis}", ""),
        (SPACED, "{joint}.{axis}", "likelihood"),
        (TURNED, "{joint} ({axis})", "confidence"),
        (SHORT, "{joint}{axis}", ""),
        (DOTTED, "{axis}: {joint}", "v"),
        (SPACED, "X coordinate of {joint}", ""),
    ],
)
def test_columns_that_name_joints_in_another_order(names, form, score, tmp_path):
    if "{axis}" not in form and "{Axis}" not in form:
        form = form.replace("X", "{Axis}")
    wide(names, form, score).to_csv(tmp_path / "mine.csv", index=False)
    np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS)


@pytest.mark.parametrize(
    "options",
    [
        {"sep": ";"},
        {"sep": "|"},
        {"sep": "\t"},
        {"sep": ";", "decimal": ","},
        {"decimal": ","},
        {"sep": "\t", "decimal": ","},
        {"encoding": "utf-8-sig"},
        {"encoding": "utf-16", "sep": "\t"},
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_separators_decimal_commas_and_marks(options, header, tmp_path):
    table = wide() if header else pd.DataFrame(POINTS.reshape(PEOPLE, 32))
    table.to_csv(tmp_path / "mine.csv", index=False, header=header, **options)
    np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS)


def test_what_other_programs_put_before_a_table(tmp_path):
    table = wide()
    names = [name.rsplit("_", 1) for name in table.columns]
    joints, axes = [",".join(parts) for parts in zip(*names, strict=True)]
    once = ",".join("" if i % 2 else joint for i, (joint, _) in enumerate(names))
    rows, indexed = (table.to_csv(header=False, index=index) for index in (False, True))
    deeplabcut = f"scorer{',net' * 32}\nbodyparts,{joints}\ncoords,{axes}\n"
    files = {
        "sep": "sep=;\n" + table.to_csv(index=False, sep=";"),
        "comment": "# " + table.to_csv(index=False),
        "merged": f"{once}\n{axes}\n{rows}",
        "deeplabcut": deeplabcut + indexed,
        "individuals": deeplabcut.replace("bodyparts", f"individuals{',one' * 32}\nbodyparts")
        + indexed,
        "a separator at the end": table.to_csv(index=False).replace("\n", ",\n"),
        "blank lines": "\n\n" + table.to_csv(index=False).replace("\n", "\n\n"),
    }
    for name, text in files.items():
        (tmp_path / "mine.csv").write_text(text, encoding="utf-8-sig")
        np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS, err_msg=name)
    np.savetxt(tmp_path / "mine.csv", POINTS.reshape(PEOPLE, 32))  # spaces
    np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("form", ["{axis}{j}", "{j}_{axis}", "kp{j}_{axis}", "{axis}.{j}"])
def test_numbered_joints_in_any_order_of_columns(form, first, tmp_path):
    columns = {
        form.format(axis=a, j=j + first): POINTS[:, j, i]
        for i, a in enumerate("xy")
        for j in range(16)
    }
    table = pd.DataFrame(columns)
    for name, order in (("halves", list(columns)), ("mixed", sorted(columns))):
        table[order].to_csv(tmp_path / f"{name}.csv", index=False)
        np.testing.assert_array_equal(read(tmp_path / f"{name}.csv"), POINTS)
    table.drop(columns=[form.format(axis=a, j=5) for a in "xy"]).to_csv(
        tmp_path / "gap.csv", index=False
    )
    refused(tmp_path / "gap.csv", "numbered", "from 0 or from 1")


def test_names_that_name_nothing_leave_the_position(tmp_path):
    flat = POINTS.reshape(PEOPLE, 32)
    halves = POINTS.transpose(0, 2, 1).reshape(PEOPLE, 32)
    headers = {
        "counted": (range(32), flat),
        "R": ([f"V{i + 1}" for i in range(32)], flat),
        "columns": ([f"col_{i}" for i in range(32)], flat),
        "axes": (["x", "y"] * 16, flat),
        "pandas": ([a + (f".{j}" if j else "") for j in range(16) for a in "xy"], flat),
        "axes in halves": (["x"] * 16 + ["y"] * 16, halves),
    }
    for name, (header, values) in headers.items():
        pd.DataFrame(values, columns=list(header)).to_csv(tmp_path / "mine.csv", index=False)
        np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS, err_msg=name)
    letters = [f"{a}{b}" for a in "abcd" for b in "klmnopqr"]
    pd.DataFrame(flat, columns=letters).to_csv(tmp_path / "letters.csv", index=False)
    refused(tmp_path / "letters.csv", "'ak', 'al'", "name no joints", "right_ankle_x")


# --- which row is whom ---------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["person", "person_id", "Person", "index", "id", ""])
def test_a_column_of_people_orders_the_rows(column, tmp_path):
    table = wide()
    table.insert(0, column, [10 + i for i in range(PEOPLE)])
    table.iloc[ROWS].to_csv(tmp_path / "mine.csv", index=False)
    np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS)


@pytest.mark.parametrize("column", ["image", "img_name", "file", "name", ""])
def test_a_column_of_images_orders_the_rows_as_the_truth_has_them(column, tmp_path):
    table = wide()
    table.insert(0, column, [f"images/{name}" for name in IMAGES])
    by_name = sorted(range(PEOPLE), key=lambda i: (IMAGES[i], i))
    table.iloc[by_name].to_csv(tmp_path / "mine.csv", index=False)
    found = read_predictions(tmp_path / "mine.csv", PEOPLE, MPII, IMAGES)
    np.testing.assert_array_equal(found.points, POINTS)
    assert "several people of one image" in found.notes[0]
    table.insert(0, "person", [i % 2 for i in range(PEOPLE)])  # of each image
    table.iloc[ROWS].to_csv(tmp_path / "both.csv", index=False)
    found = read_predictions(tmp_path / "both.csv", PEOPLE, MPII, IMAGES)
    np.testing.assert_array_equal(found.points, POINTS)
    assert found.notes == ()


def test_images_that_the_truth_has_not(tmp_path):
    table = wide()
    names = [f"im{i}.jpg" for i in range(PEOPLE)]
    table.insert(0, "image", names)
    table.iloc[ROWS].to_csv(tmp_path / "mine.csv", index=False)
    np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS)  # im2 before im10
    with pytest.raises(PaperlibError, match=r"mine\.csv: no image 'im3\.jpg' in the truth"):
        read(tmp_path / "mine.csv", expected=[*names[:3], "other.jpg", *names[4:]])
    table["image"] = ["im1.jpg", "im1.jpg", *names[2:]]
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(PaperlibError, match=r"image 'im1\.jpg' has 2 people, and 1 in the truth"):
        read(tmp_path / "mine.csv", expected=names)
    table.insert(0, "person", "one")
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(PaperlibError, match="person one of image im1.jpg is there twice"):
        read(tmp_path / "mine.csv")


def test_rows_without_a_header_may_begin_with_whom_they_are_of(tmp_path):
    table = pd.DataFrame(POINTS.reshape(PEOPLE, 32))
    table.iloc[ROWS].to_csv(tmp_path / "index.csv", header=False)
    np.testing.assert_array_equal(read(tmp_path / "index.csv"), POINTS)
    table.insert(0, "image", [f"im{i}.jpg" for i in range(PEOPLE)])
    table.iloc[ROWS].to_csv(tmp_path / "image.csv", header=False, index=False)
    np.testing.assert_array_equal(read(tmp_path / "image.csv"), POINTS)


# --- long tables ---------------------------------------------------------------------------------


def test_long_tables_with_any_names_of_columns(tmp_path):
    names = dict(zip(MPII.joints, CAMEL, strict=True))
    table = long()
    variants = {
        "plain": table,
        "renamed": table.rename(
            columns={"person": "sample", "joint": "keypoint", "x": "X", "y": "Y"}
        ),
        "reversed": table[["y", "x", "joint", "person"]],
        "scored": table.assign(score=0.5, joint=table.joint.map(names)),
        "from 1": table.assign(joint=table.joint.map(MPII.index) + 1),
        "from 0": table.assign(joint=table.joint.map(MPII.index)),
        "id": table.rename(columns={"person": "id", "joint": "body_part"}),
        "images": table.assign(person=[f"im{p}.jpg" for p in table.person]).rename(
            columns={"person": "image"}
        ),
    }
    for name, variant in variants.items():
        variant.to_csv(tmp_path / "mine.csv", index=name == "renamed")
        np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS, err_msg=name)
    table.sort_index().drop(columns="person").to_csv(tmp_path / "mine.csv", index=False)
    np.testing.assert_array_equal(read(tmp_path / "mine.csv"), POINTS)


def test_long_tables_that_lack_a_point(tmp_path):
    table = long()
    table[table.joint != "pelvis"].to_csv(tmp_path / "no_pelvis.csv", index=False)
    found = read(tmp_path / "no_pelvis.csv")
    assert np.isnan(found[:, MPII.index("pelvis")]).all() and np.isnan(found).sum() == 2 * PEOPLE
    table[(table.joint != "pelvis") | (table.person != 3)].to_csv(tmp_path / "one.csv", index=False)
    refused(tmp_path / "one.csv", "person 3", "no row of joint pelvis")
    table.replace("thorax", "torax").to_csv(tmp_path / "misspelt.csv", index=False)
    refused(tmp_path / "misspelt.csv", "no joint 'torax' in mpii", "nearest is 'thorax'")


# --- what is refused, and what is left out -------------------------------------------------------


def test_an_empty_cell_is_named_by_row_and_column(tmp_path):
    for value, what in (("", "is empty"), ("oops", "holds 'oops', which is no number")):
        table = wide().astype(object)
        table.loc[16, "left_knee_y"] = value
        table.to_csv(tmp_path / "mine.csv", index=False)
        refused(
            tmp_path / "mine.csv", "row 16,", "line 18 of the file", "column 'left_knee_y'", what
        )
    table.to_csv(tmp_path / "bare.csv", index=False, header=False)
    refused(tmp_path / "bare.csv", "row 16,", "line 17 of the file", "'oops'")
    (tmp_path / "short.csv").write_text(wide().to_csv(index=False).rsplit(",", 1)[0] + "\n")
    refused(tmp_path / "short.csv", f"row {PEOPLE - 1},", "is empty")


def test_columns_that_contradict_each_other(tmp_path):
    changes = {
        "no joint 'left elbo' in mpii; there is right_ankle, ": {
            "left_elbow_x": "left_elbo_x",
            "left_elbow_y": "left_elbo_y",
        },
        "'right_ankle_x' and 'rankle_x' both give x": {"right_knee_x": "rankle_x"},
        "'left_hip_x', but no y": {"left_hip_y": "note"},
    }
    for words, names in changes.items():
        table = wide().rename(columns=names)
        table = table[sorted(table, key=lambda name: name == "rankle_x")]
        table.to_csv(tmp_path / "mine.csv", index=False)
        refused(tmp_path / "mine.csv", words)
    wide().rename(columns=lambda name: name.replace("left_elbow", "left_elbo")).to_csv(
        tmp_path / "mine.csv", index=False
    )
    refused(tmp_path / "mine.csv", "the nearest is 'left_elbow'")


def test_joints_that_are_missing_and_joints_that_are_too_many(tmp_path):
    table = wide().drop(columns=["left_hip_x", "left_hip_y"])
    table.to_csv(tmp_path / "mine.csv", index=False)
    assert np.isnan(read(tmp_path / "mine.csv")[:, MPII.index("left_hip")]).all()
    wide().assign(nose_x=1.0, nose_y=2.0, chin_x=1, chin_y=2, bbox_x=3, area=4).to_csv(
        tmp_path / "mine.csv", index=False
    )
    found = read_predictions(tmp_path / "mine.csv", PEOPLE, MPII)
    np.testing.assert_array_equal(found.points, POINTS)
    assert found.notes == ("left out, for mpii has no such joints: nose, chin",)
    source = joint_map(MPII, COCO)
    coco = pd.DataFrame(
        {
            f"{n}_{a}": POINTS[:, source[k], i]
            for k, n in enumerate(COCO.joints)
            for i, a in enumerate("xy")
        }
    )
    coco.to_csv(tmp_path / "coco.csv", index=False)
    found = read(tmp_path / "coco.csv")
    limbs = np.isin(MPII.joints, COCO.joints)
    np.testing.assert_array_equal(found[:, limbs], POINTS[:, limbs])
    assert np.isnan(found[:, ~limbs]).all()


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_python_objects_are_refused(suffix, tmp_path):
    objects = np.array([{"x": 1}, None], object)
    (np.save if suffix == ".npy" else np.savez)(tmp_path / f"mine{suffix}", objects)
    refused(tmp_path / f"mine{suffix}", "Python objects", "numpy.stack")
    (tmp_path / "mine.pkl").write_bytes(b"\x80\x04.")
    refused(tmp_path / "mine.pkl", "a pickle", "numpy.save")


# --- JSON ----------------------------------------------------------------------------------------


def coco_results(points=POINTS, **more) -> list[dict]:
    triplets = np.concatenate([points, np.ones((*points.shape[:2], 1))], -1)
    return [
        {"image_id": i, "category_id": 1, "keypoints": one.ravel().tolist(), "score": 1.0} | more
        for i, one in enumerate(triplets)
    ]


def json_files() -> dict[str, object]:
    results = coco_results()
    named = [{CAMEL[j]: POINTS[i, j].tolist() for j in ORDER} for i in range(PEOPLE)]
    table = wide()
    axes = [{n: dict(zip("xy", xy, strict=True)) for n, xy in one.items()} for one in named]
    points = [[{"name": n, **one} for n, one in person.items()] for person in axes]
    return {
        "results": results,
        "results in another order": [results[i] for i in ROWS],
        "pairs": [
            r | {"keypoints": p.ravel().tolist()} for r, p in zip(results, POINTS, strict=True)
        ],
        "nested": [
            r | {"keypoints": p.tolist(), "keypoint_scores": [1] * 16}
            for r, p in zip(results, POINTS, strict=True)
        ],
        "under a name": {"info": {}, "results": results},
        "records": table.to_dict("records"),
        "columns": json.loads(table.to_json()),
        "lists": table.to_dict("list"),
        "joints": [{"person": i, "joints": named[i]} for i in ROWS],
        "axes": axes,
        "rows": [{"joints": one} for one in points],
        "images": {f"im{i}.jpg": named[i] for i in ROWS},
        "arrays of images": {f"im{i}.jpg": POINTS[i].tolist() for i in ROWS},
        "by joint": {SHORT[j]: POINTS[:, j].tolist() for j in ORDER},
        "named axis": {
            "joint_names": [CAMEL[j] for j in ORDER],
            "preds": POINTS[:, ORDER].tolist(),
        },
        "hrnet": [
            {"joints": p.tolist(), "joints_vis": [1] * 16, "image": f"{i}.jpg"}
            for i, p in enumerate(POINTS)
        ],
        "list": POINTS.tolist(),
    }


@pytest.mark.parametrize("name", json_files())
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_json(name, mark, tmp_path):
    (tmp_path / "mine.json").write_bytes(mark + json.dumps(json_files()[name]).encode())
    np.testing.assert_array_equal(read(tmp_path / "mine.json"), POINTS)


def test_a_whole_coco_file_names_its_joints_and_images(tmp_path):
    entries = coco_results(POINTS[:, ORDER])
    held = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(IMAGES)],
        "categories": [{"id": 1, "name": "person", "keypoints": [CAMEL[j] for j in ORDER]}],
        "annotations": entries,
    }
    (tmp_path / "mine.json").write_text(json.dumps(held))
    found = read_predictions(tmp_path / "mine.json", PEOPLE, MPII, IMAGES)
    np.testing.assert_array_equal(found.points, POINTS)
    held["categories"][0]["keypoints"][0] = "foo"
    (tmp_path / "mine.json").write_text(json.dumps(held))
    refused(tmp_path / "mine.json", "no joint 'foo' in mpii")


def test_several_detections_of_one_image(tmp_path):
    more = coco_results(POINTS[:3] + 50, score=0.2)
    (tmp_path / "mine.json").write_text(json.dumps(more + coco_results()))
    found = read_predictions(tmp_path / "mine.json", PEOPLE, MPII)
    np.testing.assert_array_equal(found.points, POINTS)
    assert found.notes[0].startswith("3 more detections, of a lower score")
    (tmp_path / "mine.json").write_text(json.dumps(coco_results()[1:]))
    refused(tmp_path / "mine.json", f"({PEOPLE - 1}, 16, 3)", f"{PEOPLE} people")
    uneven = coco_results()
    uneven[4]["keypoints"] = uneven[4]["keypoints"][:9]
    (tmp_path / "mine.json").write_text(json.dumps(uneven))
    refused(tmp_path / "mine.json", "entry 4 (from 0) has 3 keypoints and entry 0 16")


def test_what_predict_prints(tmp_path):
    people = [
        {
            "joints": {n: [*p, 0.5] for n, p in zip(MPII.joints, one - 1, strict=True)},
            "box": [0, 0, 9, 9],
        }
        for one in POINTS
    ]
    printed = [
        {"image": f"im{i // 2}.jpg", "people": people[i : i + 2]} for i in range(0, PEOPLE, 2)
    ]
    (tmp_path / "mine.json").write_text(json.dumps(printed))
    found = read_predictions(tmp_path / "mine.json", PEOPLE, MPII)
    np.testing.assert_allclose(found.points, POINTS)
    assert "1 was added" in found.notes[0]


def test_coco_results_are_written_and_read_back(tmp_path):
    wide(score="score").assign(image=[f"{900 + i}.jpg" for i in ROWS]).to_csv(
        tmp_path / "mine.csv", index=False
    )
    command = ["score", "mpii", str(tmp_path / "mine.csv"), "--export", str(tmp_path / "out.json")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and f"{PEOPLE} people of mpii, as COCO results" in done.output
    entries = json.loads((tmp_path / "out.json").read_text())
    assert len(entries) == PEOPLE and entries[0]["image_id"] == "900.jpg"
    assert {len(entry["keypoints"]) for entry in entries} == {48} and entries[0]["category_id"] == 1
    assert entries[0]["keypoints"][2::3] == [0.5] * 16 and entries[0]["score"] == 0.5
    np.testing.assert_array_equal(read(tmp_path / "out.json"), read(tmp_path / "mine.csv"))
    np.save(tmp_path / "fourteen.npy", POINTS[:, :14])
    CliRunner().invoke(app, ["score", "mpii", str(tmp_path / "fourteen.npy"), *command[3:]])
    first = json.loads((tmp_path / "out.json").read_text())[0]
    pelvis = 3 * MPII.index("pelvis")
    assert first["image_id"] == 0 and first["keypoints"][pelvis : pelvis + 3] == [0, 0, 0]
    unknown = CliRunner().invoke(app, ["score", "foo", *command[2:]])
    assert unknown.exit_code != 0 and "no joints of 'foo'" in str(unknown.exception)


# --- cells, structs and groups -------------------------------------------------------------------


def cells(items) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def structs(rows: list[dict]) -> np.ndarray:
    return np.array([tuple(row.values()) for row in rows], [(name, object) for name in rows[0]])


MATS = {
    "cells": {"joints": cells(list(POINTS))},
    "transposed cells": {"joints": cells([np.c_[p, np.ones(16)].T for p in POINTS])},
    "struct": {"results": {"note": "mine", "preds": POINTS}},
    "array of structs": {"pred": structs([{"id": i, "points": p} for i, p in enumerate(POINTS)])},
    "x and y": {"pred": structs([{"x": p[:, 0], "y": p[:, 1]} for p in POINTS])},
    "cells of structs": {"pred": cells([{"joints": p} for p in POINTS])},
    "names": {"preds": POINTS[:, ORDER], "joint_names": cells([CAMEL[j] for j in ORDER])},
    "by joint": {"s": {SHORT[j]: POINTS[:, j] for j in ORDER}},
}


@pytest.mark.parametrize("name", MATS)
def test_cells_and_structs_of_matlab(name, tmp_path):
    scipy.io.savemat(tmp_path / "mine.mat", MATS[name])
    np.testing.assert_array_equal(read(tmp_path / "mine.mat"), POINTS)


def test_an_empty_cell_is_a_person_who_was_not_detected(tmp_path):
    scipy.io.savemat(tmp_path / "mine.mat", {"joints": cells([*POINTS[:-1], np.empty((0, 0))])})
    found = read(tmp_path / "mine.mat")
    np.testing.assert_array_equal(found[:-1], POINTS[:-1])
    assert np.isnan(found[-1]).all()


def test_cells_and_structs_of_v73(tmp_path):
    with h5py.File(tmp_path / "mine.mat", "w", userblock_size=512) as file:
        held = file.create_group("#refs#")
        joints = file.create_dataset("s/joints", (1, PEOPLE), h5py.ref_dtype)
        for i, points in enumerate(POINTS):
            held[f"a{i}"] = points.T
            joints[0, i] = held[f"a{i}"].ref
        held["none"] = np.zeros(2, np.uint64)  # how MATLAB writes an empty array
        held["none"].attrs["MATLAB_empty"] = np.uint8(1)
        joints[0, 5] = held["none"].ref
    found = read(tmp_path / "mine.mat")
    assert np.isnan(found[5]).all()
    np.testing.assert_array_equal(np.delete(found, 5, 0), np.delete(POINTS, 5, 0))


def test_groups_of_h5(tmp_path):
    contents = {
        "nested": {"results/preds": POINTS, "results/scores": np.ones((PEOPLE, 16))},
        "names": {"a/preds": POINTS[:, ORDER], "a/node_names": [SHORT[j] for j in ORDER]},
        "by joint": {
            f"{MPII.joints[j]}/{a}": POINTS[:, j, i] for j in ORDER for i, a in enumerate("xy")
        },
        "x and y": {"out/x": POINTS[..., 0], "out/y": POINTS[..., 1]},
    }
    for name, arrays in contents.items():
        with h5py.File(tmp_path / "mine.h5", "w") as file:
            for key, array in arrays.items():
                file[key] = array
        np.testing.assert_array_equal(read(tmp_path / "mine.h5"), POINTS, err_msg=name)


def test_arrays_of_numpy_that_name_joints_or_images(tmp_path):
    by_name = sorted(range(PEOPLE), key=lambda i: IMAGES[i])
    named = np.array([MPII.joints[j] for j in ORDER])
    contents = {
        "names": {"points": POINTS[:, ORDER], "joints": named},
        "by joint": {CAMEL[j]: POINTS[:, j] for j in ORDER},
        "images": {"preds": POINTS[by_name], "imgname": np.array(IMAGES)[by_name]},
        "other images": {"preds": POINTS, "imgname": np.array(IMAGES)[::-1] + "x"},
    }
    for name, arrays in contents.items():
        np.savez(tmp_path / "mine.npz", **arrays)
        np.testing.assert_array_equal(
            read(tmp_path / "mine.npz", expected=IMAGES), POINTS, err_msg=name
        )
    np.save(tmp_path / "mine.npy", wide().to_records(index=False))
    np.testing.assert_array_equal(read(tmp_path / "mine.npy"), POINTS)
    np.savez(
        tmp_path / "mine.npz",
        points=POINTS[:, ORDER],
        joints=np.char.replace(named, "thorax", "torax"),
    )
    refused(tmp_path / "mine.npz", "no joint 'torax' in mpii", "'thorax'")


# --- other data sets' joints ---------------------------------------------------------------------


@pytest.mark.parametrize("source", [MPII, LSP, COCO])
@pytest.mark.parametrize("target", [MPII, LSP])
def test_joints_of_another_data_set_are_read_by_the_map(source, target, tmp_path):
    points = np.random.default_rng(3).uniform(20, 400, (PEOPLE, len(source), 2))
    np.save(tmp_path / "mine.npy", points)
    found = read_predictions(tmp_path / "mine.npy", PEOPLE, target)
    places = joint_map(source, target)
    np.testing.assert_array_equal(found.points[:, places >= 0], points[:, places[places >= 0]])
    assert np.isnan(found.points[:, places < 0]).all()
    said = f"{len(source)} joints without names were read as {source.name}'s, in its order"
    assert found.notes == (() if source is target else (said,))


# --- truths --------------------------------------------------------------------------------------


@pytest.fixture
def lsp(tmp_path):
    """Predictions that are right wherever a joint is labelled, and which joints are not."""
    points = np.random.default_rng(4).uniform(20, 300, (PEOPLE, 14, 2))
    points[:, LSP.index("left_shoulder")] = points[:, LSP.index("right_hip")] + [60, 80]
    absent = np.random.default_rng(5).random((PEOPLE, 14)) < 0.1
    absent[:, [LSP.index("left_shoulder"), LSP.index("right_hip")]] = False
    np.save(tmp_path / "mine.npy", points)
    return tmp_path / "mine.npy", points, absent


def lsp_score(predictions, truth) -> dict:
    return score_file("lsp", predictions, "absent", truth)


@pytest.mark.parametrize("gone", [0, -1, np.nan])
@pytest.mark.parametrize("flags", [False, True])
def test_joints_that_a_truth_does_not_label(gone, flags, lsp, tmp_path):
    predictions, points, absent = lsp
    truth = np.where(absent[..., None], gone, points)
    if flags:  # LSP's: 1 = occluded
        occluded = np.zeros((PEOPLE, 14, 1))
        occluded[:, 0] = 1
        truth = np.concatenate([truth, occluded], -1)
    np.save(tmp_path / "truth.npy", truth)
    scores = lsp_score(predictions, tmp_path / "truth.npy")
    assert scores["total"] == 100 and scores["notes"] == []
    assert scores["occluded"]["ankle"] == (100 if flags else None)


@pytest.mark.parametrize("layout", ["lsp", "lspet", "people first"])
@pytest.mark.parametrize("meaning", ["annotated", "coco"])
def test_a_flag_may_say_that_a_joint_is_not_labelled(meaning, layout, lsp, tmp_path):
    predictions, points, absent = lsp
    flags = np.where(absent, 0, 1)
    if meaning == "coco":
        flags = np.where(absent, 0, 2)
        flags[0, :2] = 1
    truth = np.concatenate([np.where(absent[..., None], 7.0, points), flags[..., None]], -1)
    if layout == "people first":
        np.save(tmp_path / "truth.npy", truth)
    else:
        order = (2, 1, 0) if layout == "lsp" else (1, 2, 0)
        scipy.io.savemat(tmp_path / "truth.mat", {"joints": truth.transpose(order)})
    path = next(tmp_path.glob("truth.*"))
    scores = lsp_score(predictions, path)
    assert scores["total"] == 100
    said = "the truth's third value is read as LSP-extended's: 1 = annotated, 0 = not"
    assert scores["notes"] == ([said] if meaning == "annotated" else [])
    assert scores["visible"]["ankle"] == (100 if meaning == "coco" else None)


def test_truths_in_tables_and_coco_files(lsp, tmp_path):
    predictions, points, absent = lsp
    labelled = np.where(absent[..., None], np.nan, points)
    pd.DataFrame(
        {
            f"{n}_{a}": labelled[:, j, i]
            for j, n in enumerate(LSP.joints)
            for i, a in enumerate("xy")
        }
    ).to_csv(tmp_path / "truth.csv", index=False)
    assert lsp_score(predictions, tmp_path / "truth.csv")["total"] == 100
    triplets = np.concatenate([np.nan_to_num(labelled), np.where(absent, 0, 2)[..., None]], -1)
    held = {
        "categories": [{"keypoints": list(LSP.joints[::-1])}],
        "annotations": [
            {"image_id": i, "keypoints": one[::-1].ravel().tolist()}
            for i, one in enumerate(triplets)
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(held))
    scores = lsp_score(predictions, tmp_path / "truth.json")
    assert scores["total"] == scores["visible"]["ankle"] == 100


def test_people_without_a_torso_are_left_out_and_counted(lsp, tmp_path):
    predictions, points, _ = lsp
    points[3, LSP.index("right_hip")] = 0
    np.save(tmp_path / "truth.npy", points)
    scores = lsp_score(predictions, tmp_path / "truth.npy")
    assert scores["total"] == 100
    assert scores["notes"] == [
        "1 people without left shoulder or right hip in the truth are left out"
    ]


@pytest.fixture
def mpii(tmp_path):
    """A data folder that holds what `paperlib data fetch mpii` brings of labels: valid.h5."""
    (tmp_path / "data/mpii/annot").mkdir(parents=True)
    part = POINTS.round()
    part[0, 0], part[1, 1], part[2, 2] = 0, -1, np.nan
    with h5py.File(tmp_path / "data/mpii/annot/valid.h5", "w") as file:
        file["part"], file["visible"], file["normalize"] = (
            part,
            np.ones((PEOPLE, 16)),
            np.full(PEOPLE, 9.0),
        )
        file["imgname"] = np.array(IMAGES, "S13")
    return tmp_path / "data"


def test_without_the_toolkits_truth_the_fetched_one_is_used_and_named(mpii, tmp_path, monkeypatch):
    table = wide()
    table.insert(0, "image", IMAGES)
    table.sort_values("image", kind="stable").to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.setenv("PAPERLIB_DATA", str(mpii))
    done = CliRunner().invoke(app, ["score", "mpii", str(tmp_path / "mine.csv")])
    assert done.exit_code == 0 and "total 100.00" in done.stdout
    assert f"truth: {mpii}/mpii/annot/valid.h5" in done.stdout
    assert "detections_our_format.mat is not there" in done.stderr
    printed = CliRunner().invoke(app, ["score", "mpii", str(tmp_path / "mine.csv"), "--json"])
    scores = json.loads(printed.stdout)
    assert scores["truth"].endswith("valid.h5") and "whole pixels" in scores["notes"][0]
    (mpii / "mpii/annot/valid.h5").unlink()
    with pytest.raises(PaperlibError, match=r"valid\.h5: no such file; .*paperlib data fetch mpii"):
        score_file("mpii", tmp_path / "mine.csv", mpii)


def test_what_the_readme_scores_is_fetched_before_the_photographs():
    from paperlib.data.sources import source_of

    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert "paperlib data fetch mpii" in readme and "score mpii data/mpii/preds/newell.h5" in readme
    files = [archive.file for archive in source_of("mpii").archives]
    assert files[:2] == ["annot/valid.h5", "preds/newell.h5"]


# --- what points look like -----------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    """60 people of LSP's joints in large pictures; their labels, good predictions, their poses."""
    rng = np.random.default_rng(6)
    pose = rng.uniform(-1, 1, (60, 14, 2))
    pose[:, LSP.index("left_shoulder")], pose[:, LSP.index("right_hip")] = [0.3, -0.3], [-0.2, 0.3]
    size, corner = rng.uniform(80, 160, (60, 1, 1)), rng.uniform(100, 900, (60, 1, 2))
    truth = pose * size + corner
    np.save(tmp_path / "truth.npy", truth)
    return tmp_path, truth + rng.normal(0, 2, truth.shape), pose


LOOKS = {
    "cells of a heatmap": lambda points, pose: (pose + 1) * 31.5,
    "pixels of a crop": lambda points, pose: (pose + 1) * 127,
    "x and y look exchanged": lambda points, pose: points[..., ::-1],
    "left and right look exchanged": lambda points, pose: points[:, LSP.mirror],
    "another order than lsp's": lambda points, pose: np.roll(points, 3, axis=1),
    "of a resized image": lambda points, pose: points / 2,
    "with each person moved": lambda points, pose: points + 300,
}


@pytest.mark.parametrize("words", LOOKS)
def test_points_that_are_something_else_are_scored_with_a_line_that_says_so(words, pictures):
    folder, points, pose = pictures
    np.save(folder / "mine.npy", LOOKS[words](points, pose))
    scores = score_file("lsp", folder / "mine.npy", "absent", folder / "truth.npy")
    assert scores["total"] < 50
    assert len(scores["notes"]) == 1 and words in scores["notes"][0], scores["notes"]


def test_nothing_is_said_of_good_points_and_of_poor_ones(pictures):
    folder, points, _ = pictures
    rng = np.random.default_rng(7)
    poor = {
        "good": points,
        "noise": rng.uniform(0, 1000, points.shape),
        "the mean pose": np.broadcast_to(points.mean(0), points.shape),
        "one point": np.full(points.shape, 60.0),
        "off": points + rng.normal(0, 60, points.shape),
    }
    for name, found in poor.items():
        np.save(folder / "mine.npy", found)
        assert (
            score_file("lsp", folder / "mine.npy", "absent", folder / "truth.npy")["notes"] == []
        ), name


def test_joints_that_nobody_has_are_named_beside_the_score(lsp, tmp_path):
    predictions, points, _ = lsp
    np.save(tmp_path / "truth.npy", points)
    names = [name for name in LSP.joints if name != "neck"]
    pd.DataFrame(
        {f"{n}_{a}": points[:, LSP.index(n), i] for n in names for i, a in enumerate("xy")}
    ).to_csv(tmp_path / "mine.csv", index=False)
    scores = lsp_score(tmp_path / "mine.csv", tmp_path / "truth.npy")
    assert scores["total"] == pytest.approx(100 * 13 / 14) and scores["unpredicted_joints"] == [
        "neck"
    ]
    assert scores["notes"] == ["no prediction of neck: counted as wrong"]
