"""The ledger: one rule for every verdict, thirty claims with one each, and deviations that are printed where they apply."""

import dataclasses
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from paperlib import PaperlibError, published
from paperlib.reproduce import claims as measuring
from paperlib.reproduce import ledger
from paperlib.reproduce.catalogue import SIZES, catalogue
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.measures import Measured
from paperlib.reproduce.study import NotMeasured, Study
from paperlib.skeleton import MPII

IDS = [f"{paper}-c{number}" for paper in "RH" for number in range(1, 16)]
EFFECT, EQUAL, VALUE = {"kind": "effect"}, {"kind": "equal"}, {"kind": "value", "tolerance": 2.0}
BY_ID = {claim["id"]: claim for claim in ledger.claims()}


def study_with(tmp_path, data: Path, size: str = "tiny") -> Study:
    return Study(size, device="cpu", progress=False, folders=Folders(data, tmp_path / "runs", tmp_path / "results"))


@pytest.fixture
def untrained(tmp_path, monkeypatch) -> Study:
    """No run can be had, and no official file."""
    study = study_with(tmp_path, tmp_path / "absent")
    monkeypatch.setattr(study, "missing", lambda run: "COCO labels absent")
    return study


# --- the rule ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim, estimate, expected",
    [
        (EFFECT, (1.0, 0.1, 1.9), "reproduced"),
        (EFFECT, (1.0, -0.1, 2.1), "inconclusive"),
        (EFFECT, (-1.0, -1.9, -0.1), "contradicted"),
        (EFFECT, (0.0, 0.0, 0.0), "inconclusive"),
        (EQUAL, (0.2, -0.5, 0.9), "reproduced"),
        (EQUAL, (0.9, 0.2, 1.6), "inconclusive"),
        (EQUAL, (2.0, 1.1, 2.9), "contradicted"),
        (EQUAL, (-2.0, -2.9, -1.1), "contradicted"),
        (VALUE, (-1.9, -4.0, 0.2), "reproduced"),
        (VALUE, (-2.6, -5.3, 0.1), "inconclusive"),
        (VALUE, (-4.0, -5.3, -2.1), "contradicted"),
        *((kind, (np.nan,) * 3, "inconclusive") for kind in (EFFECT, EQUAL, VALUE)),
    ],
)
def test_verdict(claim, estimate, expected):
    assert ledger.verdict(*estimate, claim) == expected


def test_a_claim_of_parts_needs_all_of_them():
    yes, no, open_ = (1.0, 0.5, 1.5), (-1.0, -1.5, -0.5), (0.0, -1.0, 1.0)
    assert ledger.verdict_of_all([yes, yes], EFFECT) == "reproduced"
    assert ledger.verdict_of_all([yes, open_], EFFECT) == "inconclusive"
    assert ledger.verdict_of_all([yes, no, open_], EFFECT) == "contradicted"


def measured(hits: np.ndarray) -> Measured:
    counted = np.ones(len(MPII), bool)
    return Measured(None, np.where(hits, 0.1, 0.9), counted)


def verdicts(gain: float, claim: dict, people: int, times: int) -> list[str]:
    """Two systems on the same people, some harder than others; the first finds `gain` of the joints more."""
    rng, found = np.random.default_rng(7), []
    for _ in range(times):
        hard = rng.normal(0, 0.15, (people, 1))
        better, worse = (rng.random((people, len(MPII))) < 0.7 + more + hard for more in (gain, 0))
        found.append(ledger.verdict(*measuring.gain(measured(better), measured(worse)), claim))
    return found


def test_a_null_is_seldom_reproduced():
    found = verdicts(0.0, EFFECT, people=60, times=200)
    assert found.count("reproduced") <= 10 and found.count("contradicted") <= 10
    assert found.count("inconclusive") >= 180


def test_a_planted_effect_is_found():
    found = verdicts(0.05, EFFECT, people=300, times=20)
    assert found.count("reproduced") >= 18
    assert verdicts(-0.05, EFFECT, people=300, times=5) == ["contradicted"] * 5
    assert verdicts(0.05, EQUAL, people=300, times=5) == ["contradicted"] * 5


def test_a_gain_is_paired_and_over_the_joints_asked_for():
    hits = np.zeros((50, len(MPII)), bool)
    hits[:25, measuring.MEMBERS["head"]] = True  # both find every other head
    better = hits.copy()
    better[:, measuring.MEMBERS["wrist"]] = True
    assert measuring.gain(measured(better), measured(hits), ("wrist",)) == (100, 100, 100)
    assert measuring.gain(measured(better), measured(hits), measuring.HARD)[0] == 25
    assert measuring.gain(measured(better), measured(hits), ("head",)) == (0, 0, 0)
    assert measuring.gain(measured(better), measured(hits), ("head", "wrist")) == (50, 50, 50)


def test_over_people_covers_a_mean():
    values = np.random.default_rng(0).normal(5, 1, 400)
    ((mean, low, high),) = measuring.over_people(lambda rows: values[rows].mean(keepdims=True), 400)
    assert mean == values.mean() and 0.15 < high - low < 0.25 and low < mean < high


# --- the claims ----------------------------------------------------------------------------------------------------------------------------


def test_every_claim_is_written_down_and_measured():
    assert list(BY_ID) == IDS and list(measuring.MEASURES.keys() ^ set(IDS)) == []
    runs = catalogue("smoke")
    for claim in ledger.claims():
        assert claim["text"] and claim["printed"] and claim["paper"] == claim["id"][0] and claim["kind"] in ("effect", "equal", "value")
        assert ("tolerance" in claim) == (claim["kind"] == "value") and set(claim["runs"]) <= set(runs)


def test_printed_figures_are_those_of_the_tables():
    rows = published.table("r-tab1").set_index("method").total
    assert BY_ID["R-c1"]["printed"] == " > ".join(map(str, rows.iloc[[2, 1, 0]]))
    text = published.text_numbers().set_index("item").value
    for claim, joint in (("H-c7", "wrist"), ("H-c8", "elbow")):
        assert BY_ID[claim]["printed"] == " / ".join(
            str(text[f"validation PCKh of the {joint}, {which}"]) for which in ("all", "visible", "occluded")
        )


def test_ledger_without_runs_and_files(untrained):
    rows = measuring.write_claims(untrained)
    assert rows == ledger.read_claims(untrained.results) and [row["id"] for row in rows] == IDS
    assert {key for row in rows for key in row} == set(ledger.COLUMNS)
    found = {row["id"]: row for row in rows}
    assert (found["R-c2"]["verdict"], found["R-c2"]["why"]) == ("not measured", "COCO labels absent")
    assert (found["R-c11"]["verdict"], found["R-c11"]["why"]) == ("not measured", "mpii/annot/valid.h5 absent")
    assert (found["R-c12"]["verdict"], found["R-c12"]["seeds"]) == ("contradicted", 0) and "1.38 times" in found["R-c12"]["ours"]
    assert found["H-c13"]["verdict"] == "contradicted" and found["H-c13"]["ours"] == "12.67 %"
    assert all(row["why"] for row in rows if row["verdict"] == "not measured")


def test_claims_on_annotation_and_published_files(real_data, tmp_path):
    study = study_with(tmp_path, real_data)
    rows = {name: measuring.measure_claim(study, BY_ID[name]) for name in ("R-c11", "H-c7", "H-c8", "H-c10", "H-c11")}
    assert {name: row["ours"] for name, row in rows.items()} == {
        "R-c11": "23.15 %",
        "H-c7": "84.2 / 92.4 / 59.2",
        "H-c8": "89.1 / 94.1 / 71.3",
        "H-c10": "16.11 % / 28.43 %",
        "H-c11": "76.77 %",
    }
    assert [row["verdict"] for row in rows.values()] == ["reproduced", "reproduced", "inconclusive", "reproduced", "reproduced"]
    assert all(row["seeds"] == 0 for row in rows.values())


def test_a_trained_claim_says_how_sure_it_is(tmp_path, monkeypatch):
    study = study_with(tmp_path, tmp_path / "absent", size="smoke")
    hits = np.random.default_rng(0).random((2, 40, len(MPII))) < np.array([0.9, 0.5])[:, None, None]
    systems = {"recurrent-t1": measured(hits[0]), "recurrent-t0": measured(hits[1])}
    monkeypatch.setattr(study, "missing", lambda run: "")
    monkeypatch.setattr(measuring, "measure_run", lambda study, run: systems[run])
    row = measuring.measure_claim(study, BY_ID["R-c2"])
    assert (row["verdict"], row["seeds"]) == ("reproduced", 1) and re.fullmatch(r"\d\d\.\d vs \d\d\.\d", row["ours"])
    assert re.fullmatch(r"\+\d\d\.\d\d \[\+.*, \+.*\]", row["interval"]) and row["why"] == (
        "drawn people, size smoke, one seed: the interval is over people, wider by 5 points at either end for the spread between seeds"
    )
    tiny = measuring.measure_claim(_tiny(study), BY_ID["R-c2"])
    assert tiny["verdict"] == "inconclusive" and tiny["why"].startswith("size tiny tests the machinery")


def _tiny(study: Study) -> Study:
    study.size = "tiny"
    return study


def test_tiny_study_measures_every_run_claim_of_the_main_models(tmp_path):
    """The measures that need more than two scores, on real predictions of barely trained networks."""
    study = study_with(tmp_path, tmp_path / "absent")
    for name in ("R-c15", "H-c6", "H-c9", "H-c12", "H-c15"):
        row = measuring.measure_claim(study, BY_ID[name])
        assert row["ours"] and row["verdict"] == ("not measured" if name in ("H-c9", "H-c12") else "inconclusive")


def test_presence_is_judged_where_absent_joints_are_trained_to_zero(tmp_path):
    """A heatmap whose mean is high exactly where a joint is annotated: area 100 %, above chance."""
    study = study_with(tmp_path, tmp_path / "absent")
    study.runs = catalogue("paper")
    state = np.random.default_rng(0).integers(0, 3, (80, len(MPII)))
    study.test_crops = lambda run: SimpleNamespace(people=SimpleNamespace(state=state))
    study.predict = lambda run: SimpleNamespace(mean=np.array([state > 0], float))
    row = measuring.presence(study, BY_ID["H-c9"])
    assert row.ours.startswith("area 100.0 / 100.0 %") and ledger.verdict_of_all(row.estimates, BY_ID["H-c9"]) == "reproduced"


def test_not_measured_is_no_crash_but_other_errors_are(untrained, monkeypatch):
    def broken(study, claim):
        raise PaperlibError("newell.h5: cannot be read")

    monkeypatch.setitem(measuring.MEASURES, "R-c11", broken)
    with pytest.raises(PaperlibError, match="cannot be read"):
        measuring.measure_claim(untrained, BY_ID["R-c11"])
    assert issubclass(NotMeasured, PaperlibError)


def test_read_claims_refuses(tmp_path, untrained):
    with pytest.raises(PaperlibError, match="notebook 07"):
        ledger.read_claims(tmp_path)
    measuring.write_claims(untrained)
    path = untrained.results / "claims.csv"
    whole = path.read_text()
    for damaged in (whole[: len(whole) // 2], "", whole.replace("contradicted", "certain"), "\0", '"' + whole):
        path.write_text(damaged)
        with pytest.raises(PaperlibError, match="claims.csv"):
            ledger.read_claims(untrained.results)


# --- the deviations ------------------------------------------------------------------------------------------------------------------------


def test_deviations_are_whole():
    rows = ledger.deviations()
    assert [row["id"] for row in rows] == [f"D{n + 1}" for n in range(len(rows))] and len(rows) >= 30
    known = _artifacts()
    for row in rows:
        assert row["paper"] in ("R", "H", "both") and row["paper_says"] and row["we_do"] and row["why"] and "code_did" in row
        assert row["artifacts"] == ["all"] or set(row["artifacts"]) <= known, row["id"]
        assert set(row.get("sizes", SIZES)) <= set(SIZES) and set(row.get("data", ["real"])) <= {"real", "synthetic"}
        assert not any(row[key].endswith(".") for key in ("paper_says", "code_did", "we_do", "why"))


def _artifacts() -> set[str]:
    figures = {f"R-fig{n}" for n in range(1, 10)} | {f"H-fig{n}" for n in range(1, 12)}
    return figures | {"R-tab1", "R-tab2", "R-tab3", "R-tab4", "H-tab1", "H-tab2"}


def test_deviations_follow_size_and_data():
    small, paper = (ledger.deviations_of("H-tab2", size, "synthetic") for size in ("smoke", "paper"))
    assert any("one cycle" in line for line in small) and not any("one cycle" in line for line in paper)
    assert any("drawn by us" in line for line in small)
    assert not any("drawn by us" in line for line in ledger.deviations_of("H-tab2", "smoke", "real"))
    assert not any("sums" in line or "learnable numbers" in line for line in small)
    assert any("learnable numbers" in line for line in ledger.deviations_of("R-tab3", "smoke", "synthetic"))


def test_deviations_agree_with_the_catalogue():
    """What the list says of our recipes is what the catalogue holds."""
    smoke, paper, short = (catalogue(size) for size in ("smoke", "paper", "short"))
    says = " ".join(ledger.deviations_of("R-tab2", "smoke", "synthetic"))
    hourglass, recurrent = smoke["hourglass"], smoke["recurrent"]
    assert f"{hourglass.codec.sigma:g} px and height {hourglass.codec.peak:g}" in says and "above 1e-2 of the peak" in says
    assert (recurrent.codec.tail, recurrent.recipe.optimizer, recurrent.recipe.precision) == (1e-2, "adam", "bf16")
    assert f"batches of {recurrent.recipe.batch} ({short['recurrent'].recipe.batch} at short)" in says
    assert f"{dict(recurrent.network.options)['width']} channels" in says and f"{recurrent.codec.side} px input" in says
    assert f"kernels of at most {max(dict(recurrent.network.options)['kernels'])} px" in says
    assert dict(hourglass.network.options)["stacks"] == 2 and dict(hourglass.network.options)["features"] == 64
    full = " ".join(ledger.deviations_of("R-tab2", "paper", "real"))
    assert f"{paper['hourglass'].recipe.steps:,} batches of {paper['hourglass'].recipe.batch}" in full
    assert dataclasses.asdict(paper["recurrent"].codec)["across"] == 0.1 and "0.08" in full


def test_toml_files_parse_on_their_own():
    for name in ("claims", "deviations"):
        tomllib.loads((Path(published.__file__).parent / f"{name}.toml").read_text())
