"""The comparison tables at size tiny: printed columns are the CSVs', recomputed ones the golden
scores, ours ours; what is absent says so."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from companion.artifacts.table_formats import sheet, short_form, shown, spelled
from companion.figures.curves import occlusion, pck_curves, precision_recall
from companion.measure.comparisons import against, comparison, made_of, recomputed, sizes_table
from companion.measure.detection_curves import curves, every_convention
from companion.measure.scores import measure_run
from companion.published.compared_systems import COMPARISONS
from companion.published.printed import table as printed_table
from companion.runs.study import Study
from companion.settings import Folders
from paperlib.skeleton import GROUPS

GOLDEN = json.loads((Path(__file__).parent / "golden_scores.json").read_text())


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Study:
    """Tiny, on drawn people, without any official file."""
    home = tmp_path_factory.mktemp("tables")
    return Study(
        "tiny",
        device="cpu",
        progress=False,
        folders=Folders(home / "absent", home / "runs", home / "results"),
    )


@pytest.fixture
def files(real_data) -> Study:
    """Nothing is trained in this one: for what needs the published prediction files alone."""
    return Study(
        "tiny",
        device="cpu",
        progress=False,
        folders=Folders(real_data, real_data / "none", real_data / "none"),
    )


@pytest.mark.parametrize("artifact", COMPARISONS)
def test_printed_rows_are_the_papers(artifact, study):
    table, printed = comparison(study, artifact), printed_table(artifact)
    rows = table[table.source.isin(["paper", "benchmark"])].reset_index(drop=True)
    columns = [column for column in printed.columns if column != "source"]
    pd.testing.assert_frame_equal(rows[columns], printed[columns], check_dtype=False)
    assert set(rows.source) == {"benchmark" if artifact == "R-tab4" else "paper"}
    assert short_form(table).columns[1] == ("scored by others" if artifact == "R-tab4" else "paper")


def test_what_answers_to_a_printed_row_stands_under_it(study):
    table = comparison(study, "R-tab2")
    for _, rows in table[table.beside != ""].groupby("beside"):
        places = list(rows.index)
        assert (
            places == list(range(places[0], places[-1] + 1))
            and rows.source.iloc[0] == "paper"
            and "paper" not in rows.source.iloc[1:].tolist()
        )
    assert table[table.beside == "Newell et al. [25]"].source.tolist() == [
        "paper",
        "recomputed",
        "recomputed",
        "ours",
    ]


def test_our_row_is_what_was_measured(study):
    table = comparison(study, "H-tab2").set_index("method")
    row, measured = table.loc["ours: hourglass"], measure_run(study, "hourglass")
    assert row.total == measured.scores.total
    assert row[list(GROUPS)].tolist() == [measured.scores.groups[group] for group in GROUPS]
    assert (
        row.low <= row.total <= row.high
        and row.people == "24 drawn people"
        and row.beside == "Our model"
    )
    assert row.study == "synthetic-tiny"


@pytest.mark.parametrize("artifact", COMPARISONS)
def test_drawn_people_are_not_laid_beside_the_printed_total(artifact, study):
    table = comparison(study, artifact)
    ours = table[(table.source == "ours") & (table.beside != "")]
    assert len(ours) and ours.difference.isna().all() and (ours.inside == "").all()
    assert (ours.note == "drawn people: not compared with the printed total").all()
    assert (ours.low <= ours.total).all() and (ours.total <= ours.high).all()
    stored = spelled(ours)
    assert (stored[["difference", "inside"]] == "-").all(axis=None)


def test_photographs_are(study, monkeypatch):
    monkeypatch.setattr(study, "data", "real")
    row = against(study, (88.0, 86.5, 89.5), 90.9)
    assert row == {"low": 86.5, "high": 89.5, "difference": pytest.approx(-2.9), "inside": "no"}
    assert against(study, (88.0, 86.5, 91.5), 90.9)["inside"] == "yes"
    assert against(study, (88.0, 86.5, 91.5), np.nan)["inside"] == ""


def test_h_table_1_is_compared_by_the_mean_of_its_two_columns(study):
    row = comparison(study, "H-tab1").set_index("method").loc["ours: hourglass-flic"]
    assert comparison(study, "H-tab1").set_index("method").loc["Our model", "total"] == 98.0
    # every elbow and wrist is annotated
    assert row.total == pytest.approx((row.elbow + row.wrist) / 2)


def test_absent_files_and_runs_say_so(study, monkeypatch):
    """Their cells are 'not measured': never blank, never zero."""
    monkeypatch.setattr(study, "missing", lambda run: "FLIC images absent")
    table = comparison(study, "H-tab1")
    assert set(table[table.source == "recomputed"].note) == {
        "not measured: published predictions absent"
    }
    assert table[table.source == "ours"].note.tolist() == ["not measured: FLIC images absent"]
    assert table[table.source != "paper"].total.isna().all() and every_convention(study).empty
    stored = spelled(table)
    assert (
        stored.loc[
            table.source != "paper",
            ["elbow", "wrist", "total", "difference", "low", "high", "inside"],
        ]
        == "not measured"
    ).all(axis=None)
    assert not stored.isin(["", "0", "nan"]).any(axis=None) and (
        stored.loc[table.source == "paper", ["difference", "low", "inside"]] == "-"
    ).all(axis=None)
    read = shown(table).data.splitlines()
    assert sum(line.startswith("| ") for line in read) == 2 + (table.source == "paper").sum()
    assert (
        "difference" not in read[0]
        and "Not measured, FLIC images absent: ours: hourglass-flic." in read
    )
    assert shown(table[:0]).data == "None."
    ours = next(row for row in short_form(table).rows if row[0].text == "Our model")
    assert [cell.text for cell in ours] == [
        "Our model",
        "98.0",
        "not measured / not measured",
        *["not measured"] * 4,
    ]
    frame, missing = curves(study, "H-fig6")
    assert (
        frame.empty
        and missing == "published predictions absent; ours not measured: FLIC images absent"
    )
    pck_curves(frame, columns=2, title=missing)


def test_the_short_form_lays_the_paper_beside_files_and_ours(files):
    table = pd.DataFrame(
        {
            "method": ["Newell", "file", "ours: hourglass", "Wei", "port"],
            "source": ["paper", "recomputed", "ours", "paper", "recomputed"],
            "total": [90.9, 88.43, 56.84, 88.5, 87.3],
            "difference": [np.nan, -2.47, -34.06, np.nan, np.nan],
            "low": [np.nan, 87.8, 51.2, np.nan, 86.7],
            "high": [np.nan, 89.0, 62.5, np.nan, 87.9],
            "inside": ["", "no", "no", "", ""],
            "beside": ["Newell", "Newell", "Newell", "Wei", ""],
        }
    )
    rows = [[cell.text for cell in row] for row in short_form(table).rows]
    head = "method, paper, recomputed, ours, difference, 95 % interval, inside?"
    assert short_form(table).columns == head.split(", ")
    assert rows == [
        ["Newell", "90.9", "88.4", "56.8", "-34.1", "[51.2, 62.5]", "no"],
        ["Wei", "88.5", "-", "-", "-", "-", "-"],
        ["port", "-", "87.3", "-", "-", "[86.7, 87.9]", "-"],
    ]
    assert short_form(table.drop(columns="beside")) is None


def test_the_best_of_each_source_is_marked():
    table = pd.DataFrame(
        {
            "method": list("abcd"),
            "source": ["paper", "paper", "ours", "ours"],
            "total": [82.04, 82.02, 41.0, 12.0],
            "n": [1, 2, 3, 4],
        }
    )
    marked = sheet(table)
    assert [[cell.text for cell in row if cell.best] for row in marked.rows] == [
        ["82.0"],
        ["82.0"],
        ["41.0"],
        [],
    ]
    alone = sheet(table[:3])
    assert not any(cell.best for cell in alone.rows[2])  # the best of one is nothing
    sizes = sheet(sizes_table())
    best = {
        name: [row[0].text for row in sizes.rows if row[i].best]
        for i, name in enumerate(sizes.columns)
        if name in ("parameters", "GMACs")
    }
    assert best == {
        "parameters": ["hourglass, 1 stack, released"],
        "GMACs": ["hourglass, 1 stack, released"],
    }


def test_a_comparison_says_its_convention_runs_and_files(study, files):
    about = made_of(study, "H-tab1")
    assert (
        about["runs"] == ("hourglass-flic",)
        and "predictions/flic/WeiCVPR16.mat" in about["predictions"]
    )
    assert (
        "PCK@0.2, official, total over 4 joints pooled" in about["notes"][0]
        and "95 % interval" in about["notes"][1]
    )


def test_a_recomputed_row_has_its_interval(files):
    table = recomputed(files, "R-tab4").set_index("method")
    row = table.loc["Belagiannis&Zisserman (submitted predictions)"]
    assert row.low < row.total < row.high and row.high - row.low < 4 and row.inside == "yes"
    newell = recomputed(files, "H-tab2").set_index("method").loc["Newell et al., published file"]
    assert newell.inside == "no" and newell.difference == pytest.approx(88.43 - 90.9, abs=0.01)


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


def test_one_file_under_every_convention(files):
    table = every_convention(files).set_index("convention")
    assert table.total.to_dict() == {
        "official": 88.43,
        "headtop": 88.43,
        "unweighted14": 87.98,
        "pooled16": 89.25,
        "hard10": 84.77,
        "torch-training": 86.41,
    }
    assert table["head"]["official"] == 96.83 and table["head"]["headtop"] == 95.94


def test_curves_end_where_the_tables_are(study, files):
    ours, missing = curves(study, "H-fig7")
    table = comparison(study, "H-tab2").set_index("method").loc["ours: hourglass"]
    last = ours[ours.threshold == 0.5].set_index("group").pck
    assert last.to_dict() == pytest.approx({group: table[group] for group in (*GROUPS, "total")})
    assert missing == "published predictions absent"
    published_only = Study(
        "tiny",
        device="cpu",
        progress=False,
        folders=replace(study.folders, data=files.folders.data),
    )
    both, missing = curves(published_only, "H-fig6")
    last = both[both.threshold == 0.2].set_index(["system", "group"]).pck
    assert (
        last["Wei et al., published file", "elbow"] == pytest.approx(97.59, abs=0.01)
        and missing == ""
    )
    assert "Newell et al., published file, oc" not in last  # one curve a file


def test_sizes_reconcile_the_printed_figures():
    table = sizes_table().set_index("model")
    ours = table.loc["recurrent, 2 iterations, parts"]
    assert (ours.printed, ours["k*k*C_out"] - 49 * 64, ours["counted so"], ours.difference) == (
        "100670",
        100670,
        100670,
        0,
    )
    answered = table[table.inside != ""]
    assert (answered.inside == "yes").all() and answered.difference.tolist() == [17_888, 0, 0, 0]
    assert table.loc["hourglass, 8 stacks, June 2016", ["printed", "times recurrent"]].tolist() == [
        "23700000",
        1.375,
    ]
    assert (
        table.loc["convolutional pose machine"].printed,
        table.loc["hourglass, 8 stacks, released"].printed,
    ) == ("342042", "-")


# --- the pictures
# ------------------------------------------------------------------------------------------------


def _drawn(axes) -> int:
    """Lines with points: a legend's are without."""
    return sum(len(line.get_xdata()) > 0 for line in axes.lines)


def _legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_precision_recall_draws_each_curve_and_chance():
    frame = pd.DataFrame(
        {
            "curve": ["exclude"] * 3 + ["include"] * 2,
            "recall": [1, 0.5, 0, 1, 0],
            "precision": [0.8, 0.9, 1, 0.7, 1],
        }
    )
    ap = [0.93] * 3 + [0.81] * 2
    left, right = precision_recall(frame.assign(ap=ap, low=0.8, high=0.95, chance=0.77)).axes
    assert _legend(left) == ["exclude", "include", "chance: 77.0 %"]
    np.testing.assert_array_equal(
        left.lines[0].get_xydata(), frame[:3][["recall", "precision"]].astype(float)
    )
    assert left.get_ylim()[0] < 0.7 and left.get_ylabel() == "precision, %"
    assert [text.get_text() for text in right.texts] == ["93.0", "81.0"]
    np.testing.assert_allclose(right.lines[0].get_xdata(), [80, 95])
    assert right.lines[0].get_color() == left.lines[0].get_color()


def test_occlusion_has_a_panel_a_source_and_a_colour_a_visibility():
    curves = [
        f"{source}{joint}, {kind}"
        for source in ("", "published ")
        for joint in ("elbow", "wrist")
        for kind in ("all", "visible", "occluded")
    ]
    left = pd.concat(
        pd.DataFrame({"panel": "pckh", "curve": curve, "x": [0, 0.5], "y": [0, 60 + k]})
        for k, curve in enumerate(curves)
    )
    right = pd.DataFrame(
        {"panel": "presence", "curve": "knee, mean", "x": [1, 0], "y": [0.8, 1], "area": 0.921}
    ).assign(chance=0.839)
    figure = occlusion(pd.concat([left, right]))
    panels, (presence,) = figure.subfigs[0].axes, figure.subfigs[1].axes
    titles = ["ours: elbow", "published: elbow", "ours: wrist", "published: wrist"]
    assert [axes.get_title() for axes in panels] == titles
    ends = [[text.get_text() for text in axes.texts] for axes in panels]
    assert [sorted(map(int, end)) for end in ends] == [
        [60, 61, 62],
        [66, 67, 68],
        [63, 64, 65],
        [69, 70, 71],
    ]
    colours = [[line.get_color() for line in axes.lines] for axes in panels]
    assert all(three == colours[0] for three in colours) and len(set(colours[0])) == 3
    assert presence.lines[0].get_label() == "knee, mean: area 92.1 %, chance 83.9 %"


def test_drawn_people_have_a_panel_of_their_own():
    rows = [
        (g, s, t, 100 * t, k)
        for g in ("elbow", "wrist", "total")
        for s, k in (("Wei", "published"), ("drawn", "ours"))
        for t in (0, 0.2)
    ]
    frame = pd.DataFrame(rows, columns=["group", "system", "threshold", "pck", "kind"])
    published, ours = pck_curves(frame, columns=2).subfigs
    assert [axes.get_title() for axes in published.axes] == ["elbow", "wrist", "total"]
    assert [_drawn(axes) for axes in published.axes] == [1, 1, 1]
    assert [text.get_text() for text in published.legends[0].get_texts()] == ["Wei"]
    (axes,) = ours.axes
    assert axes.get_title() == "drawn" and _drawn(axes) == 3
    assert [t.get_text() for t in ours.legends[0].get_texts()] == ["elbow", "wrist", "total"]
    (alone,) = pck_curves(frame[frame.kind == "ours"], columns=2).subfigs
    assert len(alone.axes) == 1
