"""R-tab1, H-fig8 and H-fig9 from runs; whose pose comes out of two people close together."""

import numpy as np
import pandas as pd
import pytest
import torch

from companion.artifacts.table_formats import spelled
from companion.drawn.synthetic import draw_pairs
from companion.figures import stacks
from companion.figures.style import house_style
from companion.figures.training import DESIGNS, training_progress
from companion.measure import ablation
from companion.measure.intervals import SEED_SPREAD
from companion.measure.scores import measure_run
from companion.runs.prediction_cache import FINEST
from companion.runs.study import Study
from companion.samples import stacks as sampled
from companion.samples.stacks import between, changed, whose_pose
from companion.settings import Folders
from paperlib.predict import Prediction


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    home = tmp_path_factory.mktemp("study")
    return Study(
        "tiny",
        device="cpu",
        progress=False,
        folders=Folders(home / "data", home / "runs", home / "results"),
    )


def test_every_row_of_the_paper_has_ours_under_it(study):
    table = ablation.component_ablation(study)
    assert (
        table.source.tolist() == ["paper", "ours"] * 8
        and (table.heatmaps[::2].to_numpy() == table.heatmaps[1::2].to_numpy()).all()
    )
    assert (
        table.gain[::2].round(1).tolist()[1:] == [1.1, 1.4, 0.8, 0.0, 1.0, 1.4, 0.3]
        and table.note[::2].eq("").all()
        and table.note[1::2].eq("drawn people: not compared with the printed total").all()
    )
    ours = table[table.source == "ours"].reset_index()
    for number, (run, scales) in enumerate(ablation.ROWS):
        assert ours.total[number] == pytest.approx(
            measure_run(study, run, scales=scales).scores.total
        )
    np.testing.assert_allclose(ours.gain[1:], np.diff(ours.total), atol=1e-9)
    assert ours.difference.isna().all() and (ours.inside == "").all()  # drawn people
    assert (ours["gain low"][1:] <= ours.gain[1:]).all() and (
        ours.gain[1:] <= ours["gain high"][1:]
    ).all()
    wide = (ours["gain high"] - ours["gain low"])[1:]
    # the last row is the network above, predicting otherwise
    assert (wide[:-1] >= 2 * SEED_SPREAD).all() and wide.iloc[-1] < 2 * SEED_SPREAD
    assert (ours.low <= ours.total).all() and (ours.total <= ours.high).all()


def test_a_row_without_its_data_says_so_and_gives_no_number(study, monkeypatch):
    absent = {"recurrent-t1": "COCO images absent"}
    monkeypatch.setattr(study, "missing", lambda run: absent.get(run, ""))
    ours = ablation.component_ablation(study).query("source == 'ours'").reset_index()
    assert ours.note[3] == "not measured: COCO images absent" and np.isnan(ours.total[3])
    assert np.isnan(ours.gain[4])  # nothing above to differ from
    assert ours.note[[0, 1, 2, 4, 5, 6, 7]].str.startswith("drawn people").all()
    stored = spelled(ours)
    assert set(
        stored.loc[3, [*ablation.GROUPS, "total", "difference", "low", "high", "inside", "gain"]]
    ) == {"not measured"}
    assert stored.loc[4, "gain"] == "-" and stored.loc[4, "total"] != "-"


def test_rows_are_the_runs_that_their_names_speak_of(study):
    runs = [study.runs[run] for run, _ in ablation.ROWS]
    options = [dict(run.network.options) for run in runs]
    assert [run.codec.occluded for run in runs] == ["exclude", "ignore"] + 6 * ["include"]
    assert [option["iterations"] for option in options] == [0, 0, 0, 1, 2, 2, 2, 2]
    assert [option["parts"] for option in options] == 5 * [0] + 3 * [15]
    assert [run.start is not None for run in runs] == 6 * [False] + 2 * [True]
    assert [scales for _, scales in ablation.ROWS].index(ablation.SCALES) == 7


def test_the_family_has_equal_capacity(study):
    shapes = {
        name: dict(study.runs[run].network.options)
        for name, run in (ablation.VARIANTS | ablation.ARRANGEMENTS).items()
    }
    assert all(shape["stacks"] * shape["modules"] == 8 for shape in shapes.values())
    assert all(
        shapes[stacks]["stacks"] == stacks and shapes[stacks]["supervision"] == "every"
        for stacks in (2, 4, 8)
    )
    assert [shapes[name]["supervision"] for name in ablation.VARIANTS] == [
        "last",
        "upsampling",
        "last",
        "every",
    ]


def test_progress_is_the_runs_log(study):
    curves = ablation.progress(study)
    assert list(dict.fromkeys(curves.curve)) == list(ablation.VARIANTS) and set(curves.measure) == {
        "accuracy",
        "PCKh",
    }
    log = study.trained("hourglass-2x4").log.dropna(subset="pck")
    found = curves[(curves.curve == "HG-Stacked-Int") & (curves.measure == "PCKh")]
    assert found.step.tolist() == log.step.tolist() and found.value.tolist() == log.pck.tolist()
    with house_style():
        sketches, panels = training_progress(curves).subfigs
    assert [axes.get_title() for axes in sketches.axes] == list(ablation.VARIANTS)
    assert [len(axes.lines) for axes in panels.axes] == [4, 4]


def test_several_seeds_have_a_band():
    """From the lowest to the highest, about their mean."""
    rows = [("HG", f"s{k}", step, "PCKh", 10.0 * k + step) for k in (0, 1, 4) for step in (1, 2)]
    rows += [(*row[:3], "accuracy", row[4]) for row in rows]
    frame = pd.DataFrame(rows, columns=["curve", "seed", "step", "measure", "value"])
    with house_style():
        axes = training_progress(frame).subfigs[1].axes[1]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 50 / 3 + np.array([1, 2]))
    ends = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (ends.min(), ends.max()) == (1, 42)


def test_the_sketches_have_the_networks_losses(study):
    for name, run in ablation.VARIANTS.items():
        hourglasses, losses = DESIGNS[name]
        assert dict(study.runs[run].network.options)["stacks"] == hourglasses
        assert len(study.runs[run].network.build()(torch.zeros(1, 3, 64, 64))) == len(losses)


def test_stages_end_where_the_run_is_scored(study):
    stages = ablation.stages(study)
    assert stages.groupby("stacks").size().to_dict() == {2: 2, 4: 4, 8: 8}
    for many, run in ablation.ARRANGEMENTS.items():
        last = stages[(stages.stacks == many) & (stages.stage == many)].iloc[0]
        assert (
            last.pckh == measure_run(study, run).scores.total and last.low <= last.pckh <= last.high
        )


def test_gains_since_half_way_are_paired(study):
    stages = ablation.stages(study)
    for _, rows in stages.groupby("stacks"):
        half = rows[rows.stage * 2 == rows.stacks].iloc[0]
        assert (half["gain"], half["gain low"], half["gain high"]) == (0, 0, 0)
        np.testing.assert_allclose(rows["gain"], rows.pckh - half.pckh, atol=1e-9)
        np.testing.assert_allclose(rows["accuracy gain"], rows.accuracy - half.accuracy)
        assert (rows["gain low"] <= rows["gain"]).all() and (
            rows["gain"] <= rows["gain high"]
        ).all()


def test_the_papers_stages():
    printed = ablation.printed_stages().to_numpy().tolist()
    assert printed == [
        [2, 1, 84.6],
        [2, 2, 87.4],
        [4, 2, 86.5],
        [4, 4, 87.8],
        [8, 4, 87.1],
        [8, 8, 88.1],
    ]


def test_sites_stand_under_the_mean_pose(study):
    table = ablation.site_table(study, "hourglass")
    assert table.prediction.tolist() == ["mean pose", "after hourglass 1", "after hourglass 2"]
    np.testing.assert_allclose(table.difference[1:], np.diff(table.total))


def test_the_offset_moves_by_a_quarter_of_a_heatmap_pixel(study):
    table = ablation.offset_table(study, "hourglass", thresholds=(0.1, 0.5))
    assert table["with offset"][1] == measure_run(study, "hourglass").scores.total
    people, codec = study.test_crops("hourglass").people, study.runs["hourglass"].codec
    plain = measure_run(study, "hourglass", offset=False)
    apart = (
        np.abs(plain.errors - measure_run(study, "hourglass").errors) * people.head_size[:, None]
    )
    pixel = codec.boxes(people)[:, 2] / codec.side * codec.stride  # a heatmap pixel in the image
    kept = np.sqrt(2) / FINEST + 1e-3  # both points are kept to 1/64 px, and in float32
    assert np.nanmax(apart - 0.25 * np.sqrt(2) * pixel[:, None]) <= kept and np.nanmax(apart) > 0


def test_a_crop_between_two_people_goes_from_one_to_the_other(study):
    pairs, codec = draw_pairs(2, 64, seed=0), study.runs["hourglass"].codec
    crops = between(pairs, codec, study.device, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(
        crops.people.centre[[0, 2, 3, 5]], np.concatenate([pairs[0].centre, pairs[1].centre])
    )
    np.testing.assert_allclose(crops.people.centre[1], pairs[0].centre.mean(axis=0))
    np.testing.assert_allclose(crops.people.scale[3:], np.linspace(*pairs[1].scale, 3))


def test_whose_pose_comes_out_when_the_answer_is_known(study, monkeypatch):
    """A network that always answers with the person nearer to the crop's centre commits itself at
    both ends."""
    pairs, codec = draw_pairs(4, 64, seed=1), study.runs["hourglass"].codec

    def nearest(model, crops, progress):
        truth = np.stack([pair.joints for pair in pairs])  # (4, 2, 16, 2)
        second = np.tile(np.linspace(0, 1, 5) > 0.5, 4)
        points = np.stack([truth[row // 5, int(second[row])] for row in range(20)])
        return Prediction(points[None], points[None, ..., 0], points[None, ..., 0])

    monkeypatch.setattr(sampled, "predict", nearest)
    numbers = whose_pose(None, pairs, codec, study.device, shown=2, steps=5)
    np.testing.assert_array_equal(numbers["second"], np.tile([0.0, 0, 0, 1, 1], (4, 1)))
    assert numbers["crops"].shape[:2] == (2, 2) and numbers["poses"].shape == (2, 2, 16, 2)
    middle = (numbers["crops"].shape[2] - 1) / 2
    for i, row in enumerate(numbers["rows"]):  # the crop is centred on the person, a little above
        for person in (0, 1):
            labelled = pairs[row].joints[person][pairs[row].state[person] > 0]
            assert (
                np.abs(
                    numbers["poses"][i, person][pairs[row].state[person] > 0].mean(axis=0) - middle
                ).max()
                < 0.35 * middle
            ), labelled
    with house_style():
        assert (
            "of 4 pairs"
            in stacks.pairs(numbers).subfigs[1].axes[0].get_legend().get_texts()[-1].get_text()
        )


def test_changed_people_are_those_whose_right_joints_change_most(study):
    crops = study.test_crops("hourglass")
    truth = np.nan_to_num(crops.people.joints)
    early, late = truth.copy(), truth.copy()
    early[5], late[7], late[2, :3] = -1e4, -1e4, -1e4  # repaired, spoiled, spoiled a little
    found = changed(
        Prediction(np.stack([early, late]), truth[None, ..., 0], truth[None, ..., 0]),
        crops,
        early=0,
        shown=3,
    )
    labelled = (crops.people.state > 0).sum(axis=1)
    assert sorted(found["labelled"][:2].tolist()) == sorted(labelled[[5, 7]].tolist())
    assert {tuple(pair) for pair in found["right"][:2].tolist()} == {
        (0, labelled[5]),
        (labelled[7], 0),
    }
    ours = pd.DataFrame({"stacks": [2, 2], "stage": [1, 2], "accuracy_gain": [0.0, 10.0]})
    ours = ours.assign(gain=[0.0, 5.0], gain_low=[0.0, 4.0], gain_high=[0.0, 7.0])
    printed = {
        f"printed_{name}": column.to_numpy() for name, column in ablation.printed_stages().items()
    }
    with house_style():
        figure = stacks.early_and_final(
            found | {name: ours[name].to_numpy() for name in ours} | printed, early="stack 1"
        )
    assert len(figure.subfigs[0].axes) == 2 * 3  # the empty pair of the second row is removed
    above, below = figure.subfigs[1].axes
    assert above.get_ylabel().startswith("heatmap accuracy")
    assert below.get_ylabel().startswith("PCKh@0.5")
    assert above.lines[0].get_ydata().tolist() == [0, 10]
    assert below.lines[0].get_ydata().tolist() == [0, 5]
    paper = next(line for line in above.lines if line.get_linestyle() == "--")
    np.testing.assert_allclose(paper.get_ydata(), [0, 87.4 - 84.6])
    legend = [text.get_text() for text in figure.subfigs[1].legends[0].get_texts()]
    assert legend == ["2 hourglasses (the paper: 84.6, then 87.4)", "the paper's"]
