"""Forest plots: gains as printed, as published files score, and as measured here."""

import numpy as np
import pandas as pd
import pytest

from companion.figures.forest import gains as draw
from companion.figures.style import house_style
from companion.measure import ablation, gains
from companion.measure.scores import measure_run
from companion.runs.study import Study
from companion.settings import Folders


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    home = tmp_path_factory.mktemp("gains")
    folders = Folders(home / "data", home / "runs", home / "results")
    return Study("tiny", device="cpu", progress=False, folders=folders)


def source(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    return frame[frame.source == name].set_index("row")


def test_networks_gain_what_the_table_prints_and_what_is_measured(study):
    frame = gains.of_networks(study)
    paper, ours = source(frame, "paper"), source(frame, "ours")
    assert paper.gain.round(1)[["total", "ankle", "COCO first: total"]].tolist() == [4.2, 7.6, 1.4]
    assert paper[["low", "high"]].isna().all(axis=None)
    better, worse = (measure_run(study, run).scores for run in ("hourglass", "recurrent"))
    assert ours.gain["total"] == pytest.approx(better.total - worse.total)
    assert ours.gain["knee"] == pytest.approx(better.groups["knee"] - worse.groups["knee"], abs=2)
    assert (ours.low <= ours.gain).all() and (ours.gain <= ours.high).all()


def test_components_are_the_tables(study):
    table = ablation.component_ablation(study)
    frame = gains.of_components(table)
    assert frame.row.nunique() == 7 and len(frame) == 14
    row = source(frame, "ours").loc["+ Body Part"]
    whole = table[(table.heatmaps == "+ Body Part") & (table.source == "ours")].iloc[0]
    assert row.tolist()[1:] == whole[["gain", "gain low", "gain high"]].tolist()


def test_published_files_gain_on_their_own_people(study, real_data):
    absent = source(gains.of_files(study), "published files")
    assert absent.gain.isna().all() and len(absent) == 8
    folders = Folders(real_data, real_data / "none", real_data / "none")
    files = Study("tiny", device="cpu", progress=False, folders=folders)
    found = source(gains.of_files(files), "published files")
    assert found.gain["total"] == pytest.approx(88.43 - 82.34, abs=0.01)
    assert found.low["ankle"] < found.gain["ankle"] < found.high["ankle"]
    assert found.high["head"] - found.low["head"] < 2


def test_a_forest_has_a_row_a_gain_and_says_what_is_absent():
    rows = [("a", "paper", 1.0, np.nan, np.nan), ("a", "ours", 2.0, -1.0, 5.0)]
    rows += [("b", "paper", 3.0, np.nan, np.nan), ("b", "ours", np.nan, np.nan, np.nan)]
    with house_style():
        figure = draw(pd.DataFrame(rows, columns=gains.COLUMNS))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [text.get_text().strip() for text in axes.texts] == ["not measured"]
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert [-1.0, 5.0] in [list(map(float, ends)) for ends in intervals]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["paper", "ours"]
