"""The ledger as a file: claims.csv of a results folder, written and read."""

import csv
import json
from pathlib import Path

import pandas as pd

from companion.artifacts.artifacts import csv_bytes, keep, provenance_of
from companion.measure.claims import measure_claim, not_measured
from companion.measure.verdict import COLUMNS, EVIDENCE, VERDICTS
from companion.published.claims import claim_of, claims
from companion.runs.catalogue import runs_of_claim
from companion.runs.study import Study
from paperlib import PaperlibError


def write_claims(study: Study) -> pd.DataFrame:
    """Measure every claim, in the papers' order, and keep the rows as claims.csv in the study's
    results folder. Runs not trained yet are trained."""
    rows = [measure_claim(study, claim) for claim in claims()]
    runs = (
        seed
        for claim in claims()
        for run in (*runs_of_claim(claim, study.runs), *claim.get("rather", ()))
        for seed in study.seeds(run)
    )
    board = pd.DataFrame(rows, columns=[*COLUMNS, *EVIDENCE])
    return save_claims(study, board, tuple(dict.fromkeys(runs)))


def save_claims(study: Study, board: pd.DataFrame, runs: tuple[str, ...]) -> pd.DataFrame:
    """Keep the claims ledger as claims.csv."""
    provenance = provenance_of(study, "claims", runs, {"claims": len(board)})
    files = {study.results / "claims.csv": csv_bytes(board, provenance)}
    keep(study.results, "claims", {"kind": "claims", "provenance": provenance}, files)
    return board


def read_claims(results: Path) -> list[dict]:
    """A row for each claim, as claims.csv of a results folder says; a claim that is younger than
    the file is not measured. Raises PaperlibError if there is no such file, or it is not whole."""
    path = Path(results) / "claims.csv"
    if not path.is_file():
        raise PaperlibError(
            f"{path}: no claims ledger there; notebook 07 writes it (paperlib reproduce --only 07)"
        )
    again = "write it again with paperlib reproduce --only 07 --force"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            provenance = file.readline()
            rows = list(csv.DictReader(file, strict=True)) if provenance.startswith("# {") else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PaperlibError(f"{path}: cannot be read ({error}); {again}") from error
    made = [row.get("id") for row in rows]
    known = [claim["id"] for claim in claims() if claim["id"] in made]
    if not rows or made != known or len(rows) != json.loads(provenance[2:])["parameters"]["claims"]:
        raise PaperlibError(
            f"{path}: does not hold one verdict for each claim it was made of; {again}"
        )
    for row in rows:
        if missing := [name for name in (*COLUMNS, *EVIDENCE) if row.get(name) is None]:
            raise PaperlibError(
                f"{path}: it was judged by an earlier rule (no column {missing[0]!r}); {again}"
            )
        if row["verdict"] not in VERDICTS:
            raise PaperlibError(
                f"{path}: the verdict {row['verdict']!r} of {row['id']} is none of "
                f"{', '.join(VERDICTS)}; {again}"
            )
        if not row["seeds"].isdigit():
            raise PaperlibError(f"{path}: {row['seeds']!r} seeds of {row['id']}: give a number")
    found = {row["id"]: row | {"seeds": int(row["seeds"])} for row in rows}
    young = "these results are older than the claim; paperlib reproduce --only 07 measures it"
    return [found.get(claim["id"]) or not_measured(claim, young) for claim in claims()]


def with_reasons(rows: list[dict]) -> list[dict]:
    """The rows of the ledger, each with what its authors would insist on (`needs`) and what would
    change our mind (`mind`)."""
    return [row | {name: claim_of(row["id"])[name] for name in ("needs", "mind")} for row in rows]
