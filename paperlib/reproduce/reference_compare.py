"""The same runs trained in several places, side by side: do versions of torch, and devices, give the same numbers?

    python -m paperlib.reproduce.reference_compare RUNS OTHER-RUNS ...      each a folder of runs that `reference next` has trained and measured

Prints a table in Markdown: a row for each run and place. Weights are compared with those of the first place: the same bits before they were kept
in 16 bits, or how far apart they are, |a - b| / |b| over all of them. A score, flip averaged, is within the tolerance where it lies in the first
one's 95 % interval over people.
"""

import json
from pathlib import Path

import torch
import typer
from safetensors.torch import load_file

from paperlib.reproduce.runs import read_record

HEAD = ("run", "where", "steps a second", "loss", "score", "weights", "within the tolerance")


def compare(places: list[Path]) -> list[tuple[str, ...]]:
    """Rows as in HEAD: every run that is finished and measured in the first place, and whatever became of it in the others."""
    rows = []
    for first in sorted(path.parent for path in places[0].glob("*/*/scores.json")):
        name = first.relative_to(places[0])
        rows += [_row(first, place / name) for place in places if (place / name / "scores.json").exists()]
    return rows


def _row(first: Path, here: Path) -> tuple[str, ...]:
    record, score, known = read_record(here), _score(here), _score(first)
    versions = record["versions"]
    where = f"{record['device'].partition(',')[0]}, torch {versions['torch']}, Python {versions['python']}"
    interval = f"{score['total']:.2f} [{score['low']:.1f}, {score['high']:.1f}]"
    same = record["rounded_from"] == read_record(first)["rounded_from"]
    weights = "-" if first == here else "the same bits" if same else f"{_apart(here, first):.2g} apart"
    within = "-" if first == here else "yes" if known["low"] <= score["total"] <= known["high"] else "no"
    name = f"{here.parent.name}/{record['name']}"
    return name, where, f"{record['steps'] / record['seconds']:.2f}", f"{record['loss']:.4g}", interval, weights, within


def _score(folder: Path) -> dict:
    return next(one for one in json.loads((folder / "scores.json").read_text())["scores"] if one["flip"] and one["scales"] == [1.0])


def _apart(here: Path, first: Path) -> float:
    one, other = (torch.cat([value.float().flatten() for _, value in sorted(load_file(at / "weights.safetensors").items())]) for at in (here, first))
    return float((one - other).norm() / other.norm())


def main(places: list[Path]) -> None:
    """Print the table."""
    rows = [HEAD, ("---",) * len(HEAD), *compare(places)]
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))


if __name__ == "__main__":
    typer.run(main)
