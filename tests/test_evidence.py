"""The best evidence for each claim, of results that are kept at several sizes and of two kinds of
data, and README's board of it."""

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from companion.artifacts.evidence import (
    COLUMNS,
    SAID,
    best_rows,
    claims_here,
    columns,
    kept_figure,
    kept_results,
)
from companion.measure.claims import not_measured
from companion.measure.verdict import COLUMNS as LEDGER
from companion.measure.verdict import EVIDENCE
from companion.published.claims import claims
from paperlib import PaperlibError
from tools.readme_board import END, START, board, write_board

COMMITTED = Path(__file__).parents[1] / "results" / "synthetic-smoke"


def keep(home, folder, verdicts):
    """A ledger in which the claims of `verdicts` have these; the others are not measured."""
    rows = [not_measured(claim, "no run") for claim in claims()]
    rows = [row | verdicts.get(row["id"], {}) for row in rows]
    (home / folder).mkdir()
    with (home / folder / "claims.csv").open("w", newline="") as file:
        file.write(f"# {json.dumps({'parameters': {'claims': len(rows)}})}\n")
        table = csv.DictWriter(file, [*LEDGER, *EVIDENCE], extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def said(verdict, ours="1 vs 2", **more):
    return {"verdict": verdict, "ours": ours, "interval": "+1.00 [+0.50, +1.50]"} | more


@pytest.fixture
def home(tmp_path):
    keep(
        tmp_path,
        "synthetic-smoke",
        {
            "R-c1": said("not testable at this size"),
            "R-c2": said("not testable at this size", "smoke"),
            "H-c1": said("agrees in miniature", "smoke"),
            "H-c6": said("agrees in miniature", "smoke"),
            "R-c11": said("exact", "23.15 %", holds="yes"),
        },
    )
    keep(
        tmp_path,
        "synthetic-night",
        {"R-c2": said("agrees in miniature", "night"), "H-c1": said("inconclusive", "night")},
    )
    keep(tmp_path, "real-smoke", {"R-c2": said("not testable at this size")})
    keep(tmp_path, "real-smoke-public", {"R-c2": said("disagrees in miniature", "public")})
    return tmp_path


def test_the_largest_size_comes_first_and_the_copy_without_photographs(home):
    found = kept_results(home, "synthetic")
    assert [(size, path.name) for size, path in found.items()] == [
        ("night", "synthetic-night"),
        ("smoke", "synthetic-smoke"),
    ]
    assert kept_results(home, "real")["smoke"].name == "real-smoke-public"
    assert best_rows(home / "nowhere", "real") == {}


def test_a_verdict_of_a_larger_size_counts_before_one_of_a_smaller(home):
    rows = best_rows(home, "synthetic")
    assert [(rows[name]["size"], rows[name]["verdict"]) for name in ("R-c2", "H-c1", "H-c6")] == [
        ("night", "agrees in miniature"),
        ("night", "inconclusive"),  # not overruled by a small network that agrees
        ("smoke", "agrees in miniature"),  # night has not measured it
    ]
    # what was measured and cannot be tested counts before what was not measured
    assert (rows["R-c1"]["size"], rows["R-c3"]["verdict"]) == ("smoke", "not measured")


def test_each_claim_has_its_columns(home):
    found = columns(home)
    assert list(found) == [claim["id"] for claim in claims()]
    assert all(tuple(row) == COLUMNS for row in found.values())
    assert found["R-c2"]["photographs"]["ours"] == "public"
    assert found["R-c2"]["published files"] is None
    settled = found["R-c11"]
    assert settled["published files"]["verdict"] == "exact" and settled["drawn people"] is None


def test_readmes_board_tells_what_is_said_and_names_the_rest(home, tmp_path):
    text = board(columns(home))
    line = next(line for line in text.splitlines() if line.startswith("| R-c2 "))
    assert "**agrees in miniature** (size night): night, +1.00" in line
    assert "**disagrees in miniature** (size smoke): public" in line
    assert "| 23.15 % (**holds**) |" in text
    last = text.splitlines()[-2:]
    assert last[0] == "Not testable at this size: R-c1."
    assert last[1].startswith("Not measured: R-c3, ") and "R-c2" not in last[1]
    for name, row in columns(home).items():
        told = any(one["verdict"] in SAID for one in row.values() if one)
        assert (f"| {name} " in text) == told and name in text
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    write_board(readme, home)
    assert readme.read_text() == f"before\n{START}\n{text}\n{END}\nafter\n"
    readme.write_text("no marks")
    with pytest.raises(PaperlibError, match="README.md: no place for the board"):
        write_board(readme, home)


def test_beside_a_figure_stands_that_of_the_largest_size_kept(tmp_path, capsys):
    shutil.copytree(COMMITTED, tmp_path / COMMITTED.name)
    reader = SimpleNamespace(size="tiny", data="synthetic", kept=tmp_path / "synthetic-tiny")
    shown = kept_figure(reader, "05-gains")
    assert shown.alt == "05-gains at size smoke"
    assert capsys.readouterr().out == "size smoke, 1 seed, from results/synthetic-smoke:\n"
    for none in (
        SimpleNamespace(size="smoke", data="synthetic", kept=tmp_path / "synthetic-smoke"),
        SimpleNamespace(size="tiny", data="real", kept=tmp_path / "real-tiny"),
    ):
        assert kept_figure(none, "05-gains") is None
        assert "no larger size than" in capsys.readouterr().out


def test_beside_a_claim_stands_the_best_of_larger_sizes(home, monkeypatch):
    def measured(study, claim):
        return not_measured(claim, "") | said("inconclusive", "here")

    monkeypatch.setattr("companion.artifacts.evidence.measure_claim", measured)
    reader = SimpleNamespace(size="smoke", data="synthetic", kept=home / "synthetic-smoke")
    header, rule, first, second = claims_here(reader, "R-c2", "H-c6").data.splitlines()
    assert header == "| claim | paper | here, size smoke | the best that is kept |"
    assert first.endswith(
        "| here; +1.00 [+0.50, +1.50]: **inconclusive** "
        "| night; +1.00 [+0.50, +1.50]: **agrees in miniature** (size night) |"
    )
    assert second.endswith("| - |")  # night has not measured it, and smoke is no larger
    reader.size = "night"
    assert {line.count("|") for line in claims_here(reader, "R-c2").data.splitlines()} == {4}
