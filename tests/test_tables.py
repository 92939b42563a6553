"""The comparison tables at size tiny: printed columns are the CSVs', recomputed ones the golden scores, ours ours; what is absent says so."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paperlib import published
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.measures import measure_run
from paperlib.reproduce.study import Study
from paperlib.reproduce.tables import COMPARISONS, GROUPS, comparison, curves, five_numbers, recomputed, sizes_table
from paperlib.show.curves import occlusion, pck_curves, precision_recall

GOLDEN = json.loads((Path(__file__).parent / "golden_scores.json").read_text())


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Study:
    """Tiny, on drawn people, without any official file."""
    home = tmp_path_factory.mktemp("tables")
    return Study("tiny", device="cpu", progress=False, folders=Folders(home / "absent", home / "runs", home / "results"))


@pytest.fixture
def files(real_data) -> Study:
    """Nothing is trained in this one: for what needs the published prediction files alone."""
    return Study("tiny", device="cpu", progress=False, folders=Folders(real_data, real_data / "none", real_data / "none"))


@pytest.mark.parametrize("artifact", COMPARISONS)
def test_printed_rows_are_the_papers(artifact, study):
    table, printed = comparison(study, artifact), published.table(artifact)
    rows = table[table.source.isin(["paper", "benchmark"])].reset_index(drop=True)
    columns = [column for column in printed.columns if column != "source"]
    pd.testing.assert_frame_equal(rows[columns], printed[columns], check_dtype=False)
    assert set(rows.source) == {"benchmark" if artifact == "R-tab4" else "paper"}


def test_our_row_is_what_was_measured(study):
    table = comparison(study, "H-tab2").set_index("method")
    row, measured = table.loc["ours: hourglass"], measure_run(study, "hourglass")
    assert row.total == measured.scores.total and row.difference == pytest.approx(row.total - 90.9)
    assert row[list(GROUPS)].tolist() == [measured.scores.groups[group] for group in GROUPS]
    assert row.low <= row.total <= row.high and row.people == "24 drawn people" and "'Our model'" in row.note


def test_h_table_1_is_compared_by_the_mean_of_its_two_columns(study):
    row = comparison(study, "H-tab1").set_index("method").loc["ours: hourglass-flic"]
    assert row.difference == pytest.approx(row.total - 98.0)
    assert row.total == pytest.approx((row.elbow + row.wrist) / 2)  # every elbow and wrist is annotated


def test_absent_files_and_runs_say_so(study, monkeypatch):
    monkeypatch.setattr(study, "missing", lambda run: "FLIC images absent")
    table = comparison(study, "H-tab1")
    assert set(table[table.source == "recomputed"].note) == {"not measured: published predictions absent"}
    assert table[table.source == "ours"].note.tolist() == ["not measured: FLIC images absent"]
    assert table[table.source != "paper"].total.isna().all() and five_numbers(study).empty
    frame, missing = curves(study, "H-fig6")
    assert frame.empty and missing == "published predictions absent; ours not measured: FLIC images absent"
    pck_curves(frame, columns=2, title=missing)


@pytest.mark.parametrize("artifact", COMPARISONS)
def test_recomputed_rows_are_golden(artifact, files):
    plan, table = COMPARISONS[artifact], recomputed(files, artifact)
    golden = GOLDEN[plan.dataset]
    for file, (_, row) in zip(plan.files, table.iterrows(), strict=True):
        exact = golden[file.path]
        if plan.dataset == "flic":
            exact = exact[file.labels or "oc"]
        groups = exact.get("groups", exact)
        for group in set(groups) & set(plan.columns):
            assert row[group] == pytest.approx(groups[group], abs=0.01), (file, group)
        total = exact["totals"]["official"] if "totals" in exact else exact.get("total", row.total)
        assert row.total == pytest.approx(total, abs=0.01)


def test_one_file_five_numbers(files):
    table = five_numbers(files).set_index("convention")
    assert table.total.to_dict() == {"official": 88.43, "headtop": 88.43, "unweighted14": 87.98, "pooled16": 89.25, "hard10": 84.77}
    assert table["head"]["official"] == 96.83 and table["head"]["headtop"] == 95.94


def test_curves_end_where_the_tables_are(study, files):
    ours, missing = curves(study, "H-fig7")
    table = comparison(study, "H-tab2").set_index("method").loc["ours: hourglass"]
    last = ours[ours.threshold == 0.5].set_index("group").pck
    assert last.to_dict() == pytest.approx({group: table[group] for group in (*GROUPS, "total")})
    assert missing == "published predictions absent"
    published_only = Study("tiny", device="cpu", progress=False, folders=replace(study.folders, data=files.folders.data))
    both, missing = curves(published_only, "H-fig6")
    last = both[both.threshold == 0.2].set_index(["system", "group"]).pck
    assert last["Wei et al., published file", "elbow"] == pytest.approx(97.59, abs=0.01) and missing == ""
    assert "Newell et al., published file, oc" not in last  # one curve a file


def test_sizes_reconcile_the_printed_figures():
    table = sizes_table().set_index("model")
    ours = table.loc["recurrent, 2 iterations, parts"]
    assert (ours.printed, ours["k*k*C_out"] - 49 * 64) == ("100670", 100670)
    assert table.loc["hourglass, 8 stacks, June 2016", ["printed", "times recurrent"]].tolist() == ["23700000", 1.375]
    assert (table.loc["convolutional pose machine"].printed, table.loc["hourglass, 8 stacks, released"].printed) == ("342042", "-")


# --- the pictures --------------------------------------------------------------------------------------------------------------------------


def _lines(axes) -> dict:
    return {line.get_label(): line for line in axes.lines}


def test_precision_recall_draws_each_curve_and_chance():
    frame = pd.DataFrame({"curve": ["exclude"] * 3 + ["include"] * 2, "recall": [1, 0.5, 0, 1, 0], "precision": [0.8, 0.9, 1, 0.7, 1]})
    (axes,) = precision_recall(frame.assign(ap=[0.93] * 3 + [0.81] * 2, chance=0.77)).axes
    lines = _lines(axes)
    assert list(lines) == ["exclude: AP 93.0 %", "include: AP 81.0 %", "chance: 77.0 %"]
    np.testing.assert_array_equal(lines["exclude: AP 93.0 %"].get_xydata(), frame[:3][["recall", "precision"]])
    assert axes.get_ylim()[0] < 0.7 and axes.get_ylabel() == "precision, %"


def test_occlusion_keeps_its_panels_apart():
    left = pd.DataFrame({"panel": "pckh", "curve": ["all", "all"], "x": [0, 0.5], "y": [0, 85.5]})
    right = pd.DataFrame({"panel": "presence", "curve": ["knee", "knee"], "x": [1, 0], "y": [0.8, 1], "area": 0.921, "chance": 0.839})
    pckh, presence = occlusion(pd.concat([left, right])).axes
    assert list(_lines(pckh)) == ["all: 85.5 %"] and "knee: area 92.1 %" in _lines(presence)
    assert (pckh.get_xlabel(), presence.get_xlabel()) == ("normalised distance", "recall, %")


def test_pck_curves_ours_solid_published_dashed():
    rows = [(g, s, t, 100 * t, k) for g in ("elbow", "wrist", "total") for s, k in (("Wei", "published"), ("me", "ours")) for t in (0, 0.2)]
    figure = pck_curves(pd.DataFrame(rows, columns=["group", "system", "threshold", "pck", "kind"]), columns=2)
    assert [axes.get_title() for axes in figure.axes] == ["elbow", "wrist", "total"]
    wei, me = figure.axes[0].lines
    assert (wei.is_dashed(), me.is_dashed()) == (True, False)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Wei", "me"]
