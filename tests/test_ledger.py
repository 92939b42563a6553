"""The ledger: one rule for every verdict, thirty claims with one each, and deviations that are
printed where they apply."""

import dataclasses
import inspect
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import t as student

from companion.artifacts.claims_file import read_claims, write_claims
from companion.execute import schedule
from companion.measure import claims as measuring
from companion.measure import scores
from companion.measure.intervals import SEED_SPREAD, contrasts, less, over_people
from companion.measure.scores import Measured, measure_run
from companion.measure.verdict import COLUMNS, follows, verdict, verdict_of_all
from companion.published import claims, printed
from companion.runs.catalogue import NETWORKS, Network, catalogue, first_of, seeds_of
from companion.runs.sizes import SIZES
from companion.runs.study import NotMeasured, Study
from companion.settings import Folders
from paperlib import PaperlibError
from paperlib.skeleton import MPII

IDS = [f"{paper}-c{number}" for paper in "RH" for number in range(1, 16)]
EFFECT, EQUAL, VALUE = {"kind": "effect"}, {"kind": "equal"}, {"kind": "value", "tolerance": 2.0}
BY_ID = {claim["id"]: claim for claim in claims.claims()}


def study_with(tmp_path, data: Path, size: str = "tiny") -> Study:
    return Study(
        size,
        device="cpu",
        progress=False,
        folders=Folders(data, tmp_path / "runs", tmp_path / "results"),
    )


@pytest.fixture
def untrained(tmp_path, monkeypatch) -> Study:
    """No run can be had, and no official file."""
    study = study_with(tmp_path, tmp_path / "absent")
    monkeypatch.setattr(study, "missing", lambda run: "COCO labels absent")
    return study


# --- the rule
# ------------------------------------------------------------------------------------------------


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
    assert verdict(*estimate, claim) == expected


def test_a_claim_of_parts_needs_all_of_them():
    yes, no, open_ = (1.0, 0.5, 1.5), (-1.0, -1.5, -0.5), (0.0, -1.0, 1.0)
    assert verdict_of_all([yes, yes], EFFECT) == "reproduced"
    assert verdict_of_all([yes, open_], EFFECT) == "inconclusive"
    assert verdict_of_all([yes, no, open_], EFFECT) == "contradicted"


SPREAD = (
    0.018  # standard deviation of PCKh between trainings at size smoke, as a share (certainty.py)
)


def measured(hits: np.ndarray) -> Measured:
    counted = np.ones(len(MPII), bool)
    return Measured(None, np.where(hits, 0.1, 0.9), counted)


def verdicts(
    gain: float, claim: dict, seeds: int, people: int = 80, times: int = 200, spread: float = SPREAD
) -> list[str]:
    """Verdicts on two systems of `seeds` trainings each, on the same people, some harder than
    others. The first finds `gain` of the joints more; each training finds a little more or less by
    the luck of its seed."""
    rng, found = np.random.default_rng(7), []
    for _ in range(times):
        hard = rng.normal(0, 0.15, (people, 1))

        def training(more: float, hard=hard) -> Measured:
            return measured(
                rng.random((people, len(MPII))) < 0.6 + more + rng.normal(0, spread) + hard
            )

        systems = [
            [training(more).share(threshold=0.5) for _ in range(seeds)] for more in (gain, 0.0)
        ]
        found.append(verdict(*contrasts(systems, [1, -1], people, times=200)[0], claim))
    return found


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_null_is_seldom_reproduced(seeds):
    found = verdicts(0.0, EFFECT, seeds)
    # of 200: at most 5 %
    assert found.count("reproduced") <= 10 and found.count("contradicted") <= 10


def test_people_alone_would_reproduce_nulls():
    """Why seeds must enter: over people alone a tenth and more of the nulls come out as effects."""
    rng, found = np.random.default_rng(3), []
    for _ in range(100):
        hits = [rng.random((600, len(MPII))) < 0.6 + rng.normal(0, SPREAD) for _ in range(2)]
        ours, theirs = (measured(one).share(threshold=0.5) for one in hits)
        found.append(
            verdict(
                *contrasts([[less(ours, theirs)]], [1], 600, same_network=True, times=200)[0],
                EFFECT,
            )
        )
    assert found.count("reproduced") > 10


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_planted_effect_is_found(seeds):
    found = verdicts(0.12, EFFECT, seeds, people=200, times=40)
    assert found.count("reproduced") >= 32
    assert verdicts(-0.12, EFFECT, seeds, people=200, times=10).count("contradicted") >= 8
    assert verdicts(0.15, EQUAL, seeds, people=200, times=10).count("contradicted") >= 8


def test_three_seeds_that_agree_resolve_what_one_seed_cannot():
    one, three = (
        verdicts(0.05, EFFECT, seeds, people=600, times=20, spread=0.002).count("reproduced")
        for seeds in (1, 3)
    )
    assert one <= 5 and three >= 15


def test_an_interval_with_seeds_covers_the_truth():
    """Trainings of one true difference of 3 points: the 95 % interval of three seeds holds it about
    as often as it says."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(200):
        hard = rng.normal(0, 0.15, (60, 1))
        systems = [
            [
                measured(rng.random((60, 16)) < 0.6 + more + rng.normal(0, SPREAD) + hard).share(
                    threshold=0.5
                )
                for _ in range(3)
            ]
            for more in (0.03, 0)
        ]
        _, low, high = contrasts(systems, [1, -1], 60, times=200)[0]
        held += low <= 3 <= high
    assert held >= 184


def test_how_seeds_enter_an_interval():
    """By hand: exact shares, so that people add nothing."""
    exact = [
        [lambda rows, value=value: value for value in system]
        for system in ((50.0, 52.0, 54.0), (47.0, 48.0, 49.0))
    ]
    ((found, low, high),) = contrasts(exact, [1, -1], 10, times=5)
    # pooled variance of 4 and 1, two systems, three seeds
    half = student.ppf(0.975, 4) * np.sqrt((4 + 1) / 2 * 2 / 3)
    assert found == 4 and (low, high) == pytest.approx((4 - half, 4 + half))
    one = [system[:1] for system in exact]
    assert contrasts(one, [1, -1], 10, times=5) == [(3, 3 - SEED_SPREAD, 3 + SEED_SPREAD)]
    (single,) = contrasts(one[:1], [1], 10, times=5)
    assert single == pytest.approx(
        (50, 50 - SEED_SPREAD / np.sqrt(2), 50 + SEED_SPREAD / np.sqrt(2))
    )
    assert contrasts(one[:1], [1], 10, same_network=True, times=5) == [(50, 50, 50)]
    both = contrasts(exact, [[1, -1], [1, 0]], 10, times=5)
    assert both[0] == (found, low, high) and both[1][0] == 52  # a system of weight 0 does not count
    assert both[1][2] == pytest.approx(52 + student.ppf(0.975, 2) * np.sqrt(4 / 3))


def test_systems_may_have_different_numbers_of_seeds():
    """By hand: two seeds and three, one of each, and one beside two, whose variance is all that is
    known."""
    first, second, alone = (
        [lambda rows, value=value: value for value in system]
        for system in ((50.0, 52.0), (47.0, 48.0, 49.0), (40.0,))
    )
    ((found, low, high),) = contrasts([first, second], [1, -1], 10, times=5)
    # squares about each system's mean, over the degrees of freedom
    variance = (2 * 1 + 2 * 1 + 0) / (1 + 2)
    half = student.ppf(0.975, 3) * np.sqrt(variance * (1 / 2 + 1 / 3))
    assert found == 3 and (low, high) == pytest.approx((3 - half, 3 + half))
    ((found, low, high),) = contrasts([first, alone], [1, -1], 10, times=5)
    half = student.ppf(0.975, 1) * np.sqrt(2 * (1 / 2 + 1))
    assert found == 11 and (low, high) == pytest.approx((11 - half, 11 + half))


def test_a_gain_is_paired_and_over_the_joints_asked_for():
    hits = np.zeros((50, len(MPII)), bool)
    hits[:25, measuring.MEMBERS["head"]] = True  # both find every other head
    better = hits.copy()
    better[:, measuring.MEMBERS["wrist"]] = True
    pair = [measured(better)], [measured(hits)]
    assert [
        x
        for x, _, _ in (
            measuring.compare(pair, [1, -1], groups)[0]
            for groups in (("wrist",), measuring.HARD, ("head",))
        )
    ] == [100, 25, 0]
    ends = [
        measuring.compare(pair, [1, -1], groups)[0][1:]
        for groups in (("wrist",), ("head",), ("head", "wrist"))
    ]
    assert ends == [
        (100 - SEED_SPREAD, 100 + SEED_SPREAD),
        (-SEED_SPREAD, SEED_SPREAD),
        (50 - SEED_SPREAD, 50 + SEED_SPREAD),
    ]


def test_over_people_covers_a_mean():
    values = np.random.default_rng(0).normal(5, 1, 400)
    ((mean, low, high),) = over_people(lambda rows: values[rows].mean(keepdims=True), 400)
    assert mean == values.mean() and 0.15 < high - low < 0.25 and low < mean < high


# --- the claims
# ------------------------------------------------------------------------------------------------


def test_every_claim_is_written_down_and_measured():
    assert list(BY_ID) == IDS and list(measuring.MEASURES.keys() ^ set(IDS)) == []
    runs = catalogue("smoke")
    for claim in claims.claims():
        assert (
            claim["text"]
            and claim["printed"]
            and claim["paper"] == claim["id"][0]
            and claim["kind"] in ("effect", "equal", "value")
        )
        assert ("tolerance" in claim) == (claim["kind"] == "value") and set(claim["runs"]) <= set(
            runs
        )


def test_printed_figures_are_those_of_the_tables():
    rows = printed.table("r-tab1").set_index("method").total
    assert BY_ID["R-c1"]["printed"] == " > ".join(map(str, rows.iloc[[2, 1, 0]]))
    text = printed.text_numbers().set_index("item").value
    for claim, joint in (("H-c7", "wrist"), ("H-c8", "elbow")):
        assert BY_ID[claim]["printed"] == " / ".join(
            str(text[f"validation PCKh of the {joint}, {which}"])
            for which in ("all", "visible", "occluded")
        )


def test_ledger_without_runs_and_files(untrained):
    rows = write_claims(untrained).to_dict("records")
    assert rows == read_claims(untrained.results) and [row["id"] for row in rows] == IDS
    assert {key for row in rows for key in row} == set(COLUMNS)
    found = {row["id"]: row for row in rows}
    assert (found["R-c2"]["verdict"], found["R-c2"]["why"]) == (
        "not measured",
        "COCO labels absent",
    )
    assert (found["R-c11"]["verdict"], found["R-c11"]["why"]) == (
        "not measured",
        "mpii/annot/valid.h5 absent",
    )
    assert (found["R-c12"]["verdict"], found["R-c12"]["seeds"]) == (
        "contradicted",
        0,
    ) and "1.38 times" in found["R-c12"]["ours"]
    assert found["H-c13"]["verdict"] == "contradicted" and found["H-c13"]["ours"] == "12.67 %"
    assert all(row["why"] for row in rows if row["verdict"] == "not measured")


def test_claims_on_annotation_and_published_files(real_data, tmp_path):
    study = study_with(tmp_path, real_data)
    rows = {
        name: measuring.measure_claim(study, BY_ID[name])
        for name in ("R-c11", "H-c7", "H-c8", "H-c10", "H-c11")
    }
    assert {name: row["ours"] for name, row in rows.items()} == {
        "R-c11": "23.15 %",
        "H-c7": "84.2 / 92.4 / 59.2",
        "H-c8": "89.1 / 94.1 / 71.3",
        "H-c10": "16.11 % / 28.43 %",
        "H-c11": "76.77 %",
    }
    assert [row["verdict"] for row in rows.values()] == [
        "reproduced",
        "reproduced",
        "inconclusive",
        "reproduced",
        "reproduced",
    ]
    assert all(row["seeds"] == 0 for row in rows.values())


def systems_of(study, monkeypatch, **shares) -> None:
    """Runs that find so many of the joints, of 40 people; what is asked for is not trained."""
    rng = np.random.default_rng(0)
    found = {}

    def measure(study, run, **how):
        if run not in found:
            found[run] = measured(
                rng.random((40, len(MPII))) < shares[first_of(run).replace("-", "_")]
            )
        return found[run]

    monkeypatch.setattr(study, "missing", lambda run: "")
    monkeypatch.setattr(scores, "measure_run", measure)


def test_a_trained_claim_says_how_sure_it_is(tmp_path, monkeypatch):
    study = study_with(tmp_path, tmp_path / "absent", size="smoke")
    systems_of(study, monkeypatch, recurrent_t1=0.9, recurrent_t0=0.5)
    row = measuring.measure_claim(study, BY_ID["R-c2"])
    assert (row["verdict"], row["seeds"]) == ("reproduced", 1) and re.fullmatch(
        r"\d\d\.\d vs \d\d\.\d", row["ours"]
    )
    assert re.fullmatch(r"\+\d\d\.\d\d \[\+.*, \+.*\]", row["interval"]) and row["why"] == (
        "drawn people, size smoke, one seed: the interval over people is wider at either "
        "end by what another seed may change "
        "(5 points of a difference)"
    )
    study.size = "tiny"
    tiny = measuring.measure_claim(study, BY_ID["R-c2"])
    assert (
        tiny["verdict"] == "inconclusive"
        and tiny["why"].startswith("size tiny tests the machinery")
        and follows(tiny)
    )


def test_a_claim_takes_every_seed_of_its_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_SEEDS", "3")
    study = study_with(tmp_path, tmp_path / "absent", size="smoke")
    assert study.seeds("recurrent-t1") == [
        "recurrent-t1",
        "recurrent-t1-seed1",
        "recurrent-t1-seed2",
    ]
    systems_of(study, monkeypatch, recurrent_t1=0.9, recurrent_t0=0.5)
    row = measuring.measure_claim(study, BY_ID["R-c2"])
    assert (row["verdict"], row["seeds"]) == ("reproduced", 3) and row["why"].endswith(
        "3 seeds: the interval is over people and seeds"
    )


def test_runs_that_claims_compare_have_the_sizes_seeds():
    assert not any("-seed" in name for name in catalogue("smoke")) and seeds_of(
        catalogue("smoke"), "recurrent-t0"
    ) == ["recurrent-t0"]
    short = catalogue("short")
    compared = {run for claim in claims.claims() if len(claim["runs"]) > 1 for run in claim["runs"]}
    for name in compared:
        assert [short[one].seed for one in seeds_of(short, name)] == [0, 1, 2]
    tuned = short["recurrent-t2-parts-finetuned-seed2"]
    assert (
        tuned.start == short["recurrent-t2-parts-coco-seed2"]
        and tuned.start.seed == 2
        and tuned.artifacts == ("R-tab1", "R-tab2")
    )
    assert seeds_of(short, "hourglass") == ["hourglass"]  # compared with itself alone
    assert len(catalogue("smoke", seeds=2)) > len(catalogue("smoke")) and catalogue(
        "smoke", seeds=1
    ) == catalogue("smoke")
    with pytest.raises(PaperlibError, match="-1 seeds: at least one"):
        catalogue("smoke", seeds=-1)


def test_the_number_of_seeds_comes_from_the_environment(tmp_path, monkeypatch):
    """Two seeds are trained, and both are in the mean."""
    monkeypatch.setenv("PAPERLIB_SEEDS", "2")
    study = study_with(tmp_path, tmp_path / "absent")
    row = measuring.measure_claim(study, BY_ID["R-c2"])
    totals = [
        [measure_run(study, name).scores.total for name in study.seeds(run)]
        for run in BY_ID["R-c2"]["runs"]
    ]
    assert (
        row["seeds"] == 2
        and row["ours"] == " vs ".join(f"{np.mean(each):.1f}" for each in totals)
        and "2 seeds" in row["why"]
    )
    assert (
        study.trained("recurrent-t1").record["weights_sha256"]
        != study.trained("recurrent-t1-seed1").record["weights_sha256"]
    )
    monkeypatch.setenv("PAPERLIB_SEEDS", "many")
    with pytest.raises(PaperlibError, match="PAPERLIB_SEEDS=many: give a number"):
        study_with(tmp_path, tmp_path / "absent")


def test_with_a_seed_missing_and_training_forbidden_the_seeds_that_are_there_are_measured(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PAPERLIB_SEEDS", "2")
    study = study_with(tmp_path, tmp_path / "absent")
    for name in ("recurrent-t1", "recurrent-t1-seed1", "recurrent-t0"):
        study.trained(name)
    monkeypatch.setenv("PAPERLIB_TRAIN", "no")
    reader = study_with(tmp_path, tmp_path / "absent")
    row = measuring.measure_claim(reader, BY_ID["R-c2"])
    assert row["seeds"] == 1 and row["why"].endswith(
        "1 to 2 seeds: the interval is over people and seeds"
    )
    totals = [
        [measure_run(reader, name).scores.total for name in reader.seeds(run)]
        for run in ("recurrent-t1", "recurrent-t0")
    ]
    assert row["ours"] == " vs ".join(f"{np.mean(each):.1f}" for each in totals) and list(
        map(len, totals)
    ) == [2, 1]


def test_two_names_of_one_training_share_it(tiny):
    """As the hourglass with empty maps for absent joints at size paper, where the main one has
    them."""
    assert catalogue("paper")["hourglass-zero"].spec() == catalogue("paper")["hourglass"].spec()
    assert catalogue("smoke")["hourglass-zero"].codec.absent == "zero"
    study = Study("tiny", device="cpu", progress=False, folders=tiny.folders)
    tiny.trained("recurrent-t0")  # under its own name, which the record in the shared folder keeps
    study.runs = study.runs | {"twin": replace(study.runs["recurrent-t0"], name="twin")}
    assert study.folder_of("twin") == study.folder_of("recurrent-t0")
    assert study.records("twin")[0]["name"] == "twin"


def test_one_training_of_two_names_is_scheduled_once(tmp_path):
    study = study_with(tmp_path, tmp_path / "absent")
    study.runs = study.runs | {"twin": replace(study.runs["recurrent-t0"], name="twin")}
    tasks, _, _ = schedule._tasks(
        study,
        schedule.plan(study),
        ("05_ablations",),
        {"size": "tiny", "data": "synthetic", "device": "cpu"},
        force=True,
    )
    names = [task.name for task in tasks if task.kind == "run"]
    assert names.count("recurrent-t0") == 1 and "twin" not in names
    (notebook,) = [task for task in tasks if task.kind == "notebook"]
    assert (
        set(notebook.needs) <= set(names)
        and "recurrent-t0" in notebook.needs
        and "recurrent-t2-parts-coco" in names
    )


def test_a_verdict_follows_from_what_is_printed(tmp_path, monkeypatch):
    study = study_with(tmp_path, tmp_path / "absent", size="smoke")
    systems_of(study, monkeypatch, recurrent_t1=0.9, recurrent_t0=0.5)
    row = measuring.measure_claim(study, BY_ID["R-c2"])
    assert follows(row) and follows(
        {"id": "R-c2", "interval": "not measured", "verdict": "not measured", "why": ""}
    )
    for changed in (
        {"verdict": "inconclusive"},
        {"interval": "+1.00 [-0.01, +2.00]"},
        {"interval": "not measured"},
    ):
        assert not follows(row | changed)


def test_unweighted_training_is_judged_by_the_height_of_its_maxima(tmp_path, monkeypatch):
    """Maxima of 1 % of the target's height are zero, those of 60 % are not."""
    study = study_with(tmp_path, tmp_path / "absent", size="smoke")
    systems_of(study, monkeypatch, recurrent_t0=0.5, recurrent_t0_unweighted=0.1)
    state = np.random.default_rng(0).integers(0, 3, (40, len(MPII)))
    study.test_crops = lambda run: SimpleNamespace(people=SimpleNamespace(state=state))
    for height, expected in ((0.01, "reproduced"), (0.6, "contradicted")):
        study.predict = lambda run, height=height: SimpleNamespace(
            peak=[np.full(state.shape, 12 * (height if "unweighted" in run else 0.7))]
        )
        row = measuring.measure_claim(study, BY_ID["R-c14"])
        assert (
            row["verdict"] == expected
            and f"maxima {100 * height:.0f} % of the target's, with the weighting 70 %"
            in row["ours"]
        )


def test_tiny_study_measures_every_run_claim_of_the_main_models(tmp_path):
    """The measures that need more than two scores, on real predictions of barely trained
    networks."""
    study = study_with(tmp_path, tmp_path / "absent")
    for name in ("R-c15", "H-c6", "H-c9", "H-c12", "H-c15"):
        row = measuring.measure_claim(study, BY_ID[name])
        assert row["ours"] and row["verdict"] == (
            "not measured" if name == "H-c12" else "inconclusive"
        )


def test_presence_is_judged_where_absent_joints_are_trained_to_zero(tmp_path):
    """A heatmap whose mean is high exactly where a joint is annotated: area 100 %, above chance."""
    study = study_with(tmp_path, tmp_path / "absent")
    state = np.random.default_rng(0).integers(0, 3, (80, len(MPII)))
    study.test_crops = lambda run: SimpleNamespace(people=SimpleNamespace(state=state))
    study.predict = lambda run: SimpleNamespace(mean=np.array([state > 0], float))
    row = measuring.presence(study, BY_ID["H-c9"])
    assert (
        row.ours.startswith("area 100.0 / 100.0 %")
        and verdict_of_all(row.estimates, BY_ID["H-c9"]) == "reproduced"
    )


def test_not_measured_is_no_crash_but_other_errors_are(untrained, monkeypatch):
    def broken(study, claim):
        raise PaperlibError("newell.h5: cannot be read")

    monkeypatch.setitem(measuring.MEASURES, "R-c11", broken)
    with pytest.raises(PaperlibError, match="cannot be read"):
        measuring.measure_claim(untrained, BY_ID["R-c11"])
    assert issubclass(NotMeasured, PaperlibError)


def test_read_claims_refuses(tmp_path, untrained):
    with pytest.raises(PaperlibError, match="notebook 07"):
        read_claims(tmp_path)
    write_claims(untrained)
    path = untrained.results / "claims.csv"
    whole = path.read_text()
    for damaged in (
        whole[: len(whole) // 2],
        "",
        whole.replace("contradicted", "certain"),
        "\0",
        '"' + whole,
    ):
        path.write_text(damaged)
        with pytest.raises(PaperlibError, match="claims.csv"):
            read_claims(untrained.results)


# --- the deviations
# ------------------------------------------------------------------------------------------------


def test_deviations_are_whole():
    rows = claims.deviations()
    assert [row["id"] for row in rows] == [f"D{n + 1}" for n in range(len(rows))] and len(
        rows
    ) >= 30
    known = _artifacts()
    for row in rows:
        assert (
            row["paper"] in ("R", "H", "both")
            and row["paper_says"]
            and row["we_do"]
            and row["why"]
            and "code_did" in row
        )
        assert row["artifacts"] == ["all"] or set(row["artifacts"]) <= known, row["id"]
        assert set(row.get("sizes", SIZES)) <= set(SIZES) and set(row.get("data", ["real"])) <= {
            "real",
            "synthetic",
        }
        assert not any(row[key].endswith(".") for key in ("paper_says", "code_did", "we_do", "why"))


def _artifacts() -> set[str]:
    figures = {f"R-fig{n}" for n in range(1, 10)} | {f"H-fig{n}" for n in range(1, 12)}
    return figures | {"R-tab1", "R-tab2", "R-tab3", "R-tab4", "H-tab1", "H-tab2"}


def test_the_papers_say_nothing_because_of_how_they_were_read():
    """What a paper does not print is said of the paper, not of a copy of its text; and MPII's test
    labels are public (FACTS D.1)."""
    root = Path(printed.__file__).parents[2]
    read = (".py", ".toml", ".csv", ".md", ".ipynb")
    places = [path for folder in ("paperlib", "notebooks") for path in (root / folder).rglob("*")]
    for path in (root / "README.md", *(path for path in places if path.suffix in read)):
        text = " ".join(re.sub(r'\\n",|"', " ", path.read_text(encoding="utf-8")).split())
        assert not re.search(r"stored text|survives? in|labels (are|that are) withheld", text), path


def test_deviations_follow_size_and_data():
    small, paper = (
        claims.deviations_of("H-tab2", size, "synthetic") for size in ("smoke", "paper")
    )
    assert any("one cycle" in line for line in small) and not any(
        "one cycle" in line for line in paper
    )
    assert any("drawn by us" in line for line in small)
    assert not any(
        "drawn by us" in line for line in claims.deviations_of("H-tab2", "smoke", "real")
    )
    assert not any("sums" in line or "learnable numbers" in line for line in small)
    assert any(
        "learnable numbers" in line for line in claims.deviations_of("R-tab3", "smoke", "synthetic")
    )


RECIPES = printed.recipes()
ARRANGED = {
    "recurrent": ("iterations", "parts", "occluded"),
    "hourglass": ("stacks", "modules", "supervision"),
}
UNSTATED = ("log_every", "watch_every")  # how often one looks, which decides no weight


def settings_of(run) -> dict:
    """Every field of a run's codec, network and recipe, by the names of recipes.toml; options that
    are left out have the class' defaults."""
    kind = run.network.kind
    defaults = {name: p.default for name, p in inspect.signature(NETWORKS[kind]).parameters.items()}
    parts = {
        "codec": vars(run.codec) | {"skeleton": run.codec.skeleton.name},
        "network": defaults | dict(run.network.options),
    }
    parts["recipe"] = {
        name: value for name, value in vars(run.recipe).items() if name not in UNSTATED
    }
    codec = parts["codec"]
    assert codec.pop("parts", None) in (None, parts["network"].get("parts", 0) > 0)
    arranged = tuple(
        (codec if name == "occluded" else parts["network"]).pop(name)
        for name in ARRANGED.get(kind, ())
    )
    found = {
        f"{kind}.{part}.{name}": value
        for part, fields in parts.items()
        for name, value in fields.items()
        if part in RECIPES[kind]
    }
    if kind not in ARRANGED:  # a compared system, of whose training the papers say nothing
        return found
    return found | {
        f"{kind}.arrangement": arranged,
        f"{kind}.people.{run.test_on.partition('-')[0]}": run.train_on,
    }


def stated(setting: str):
    kind, part, *name = setting.split(".")
    return RECIPES[kind][part]["one_of" if not name else name[0]]


def plain(value):
    return [plain(one) for one in value] if isinstance(value, tuple | list) else value


def undeclared(run, size: str, data: str, entries=None) -> list[str]:
    """The settings of a run that are not the paper's and that no deviation names for all of its
    artifacts."""
    wrong = []
    for setting, value in settings_of(run).items():
        if plain(value) not in stated(setting):
            here = [
                e
                for e in (claims.deviations() if entries is None else entries)
                if setting in e.get("settings", ())
            ]
            here = [
                e for e in here if size in e.get("sizes", [size]) and data in e.get("data", [data])
            ]
            covered = {artifact for entry in here for artifact in entry["artifacts"]}
            wrong += (
                [setting]
                if not here or ("all" not in covered and not set(run.artifacts) <= covered)
                else []
            )
    return wrong


@pytest.mark.parametrize("data", ["synthetic", "real"])
@pytest.mark.parametrize("size", SIZES)
def test_every_setting_that_is_not_the_papers_is_a_deviation(size, data):
    wrong = {
        name: found
        for name, run in catalogue(size, data).items()
        if (found := undeclared(run, size, data))
    }
    assert not wrong, wrong


def test_a_changed_setting_is_noticed():
    run = catalogue("paper")["hourglass"]
    assert undeclared(run, "paper", "real") == []
    for changed in (
        replace(run, codec=replace(run.codec, sigma=1.1)),
        replace(run, codec=replace(run.codec, absent="ignore")),
        replace(run, recipe=replace(run.recipe, rate=1e-3)),
        replace(run, network=Network("hourglass", (*run.network.options, ("depth", 3)))),
        replace(run, network=Network("hourglass", (("stacks", 4), *run.network.options[2:]))),
        replace(run, train_on=("mpii", "coco")),
    ):
        assert len(undeclared(changed, "paper", "real")) == 1
    small = catalogue("smoke")["hourglass"]
    assert (
        undeclared(small, "smoke", "real") == []
        and len(undeclared(small, "smoke", "real", entries=())) > 8
    )


def test_a_deviation_names_settings_that_there_are():
    known = {
        setting
        for size in SIZES
        for run in catalogue(size).values()
        for setting in settings_of(run)
    }
    named = {setting for entry in claims.deviations() for setting in entry.get("settings", ())}
    assert named <= known, named - known


def test_deviations_agree_with_the_catalogue():
    """What the list says of our recipes is what the catalogue holds."""
    smoke, paper, short = (catalogue(size) for size in ("smoke", "paper", "short"))
    says = " ".join(claims.deviations_of("R-tab2", "smoke", "synthetic"))
    hourglass, recurrent = smoke["hourglass"], smoke["recurrent"]
    assert (
        f"{hourglass.codec.sigma:g} px and height {hourglass.codec.peak:g}" in says
        and "above 1e-2 of the peak" in says
    )
    assert (recurrent.codec.tail, recurrent.recipe.optimizer) == (1e-2, "adam")
    assert (
        f"batches of {recurrent.recipe.batch} (" in says
        and f"{short['recurrent'].recipe.batch} at short)" in says
    )
    assert (
        f"{dict(recurrent.network.options)['width']} channels" in says
        and f"{recurrent.codec.side} px input" in says
    )
    assert f"kernels of at most {max(dict(recurrent.network.options)['kernels'])} px" in says
    assert (
        dict(hourglass.network.options)["stacks"] == 2
        and dict(hourglass.network.options)["features"] == 64
    )
    full = " ".join(claims.deviations_of("R-tab2", "paper", "real"))
    assert (
        f"{paper['hourglass'].recipe.steps:,} batches of {paper['hourglass'].recipe.batch}" in full
    )
    assert dataclasses.asdict(paper["recurrent"].codec)["across"] == 0.1 and "0.08" in full


def test_toml_files_parse_on_their_own():
    for name in ("claims", "deviations"):
        tomllib.loads((Path(printed.__file__).parent / f"{name}.toml").read_text())
