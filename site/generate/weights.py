"""The weights of the package: what each network is, how good, where it fails, and what hours of a
processor bought."""

import io
import json
import math
from pathlib import Path

import pandas as pd

from companion.figures.hours import hours
from companion.figures.style import house_style
from generate.committed import plain
from paperlib.weights import shipped

PAGE = "weights.md"


def write(source: Path) -> None:
    """Fill weights.md, and draw its figure."""
    records = {name: json.loads(path.read_text()) for name, path in shipped().items()}
    extra = source.parent / "extra" / "look"
    extra.mkdir(parents=True, exist_ok=True)
    (extra / "hours.png").write_bytes(drawn(reached(records)))
    page = (source / PAGE).read_text(encoding="utf-8")
    cards = "\n\n".join(card(record) for record in records.values())
    (source / PAGE).write_text(page.replace("%CARDS%", cards), encoding="utf-8")


def reached(records: dict[str, dict]) -> pd.DataFrame:
    """PCK@0.2 on LSP test of each network after each of its trainings: name, hours, score, low,
    high."""
    rows = []
    for name, record in records.items():
        for one in (*record["earlier"], record):
            score = next(score for score in one["scores"] if score["measure"] == "PCK@0.2")
            low, high = score["interval"]
            row = {"name": name, "hours": one["hours"], "score": score["total"]}
            rows.append(row | {"low": low, "high": high})
    return pd.DataFrame(rows)


def drawn(frame: pd.DataFrame) -> bytes:
    with house_style():
        made = io.BytesIO()
        hours(frame).savefig(made, format="png", dpi=160)
    return made.getvalue()


def card(record: dict) -> str:
    """One network: how it came to be, its scores by group of joints, where it fails and what it is
    for."""
    run, codec, model = record["run"], record["codec"]["options"], record["model"]
    built = ", ".join(f"{key} {plain(value)}" for key, value in model["options"].items())
    stages = ", then ".join(
        f"{stage['steps']} steps of "
        + ", ".join(f"{name} x {often}" for name, often in stage["train_on"].items())
        for stage in record["stages"]
    )
    return f"""## {record["name"]}

`{model["class"]}` ({built}), crops of {codec["side"]} px. Trained on {record["people"]} people:
{stages}; in {run["precision"]} on {plain(run["device"])}, {record["hours"]:.1f} processor hours in
all. One seed.

{scores(record)}

{fails(record)}

*Intended use.* {plain(record["intended_use"])}

*Licence.* {plain(record["licence"])}"""


def scores(record: dict) -> str:
    """Its scores by group of joints, as a Markdown table."""
    groups = list(record["scores"][0]["groups"])
    lines = [["", "total", "95 % interval", *groups], ["---"] * (3 + len(groups))]
    for score in record["scores"]:
        low, high = score["interval"]
        cells = [f"{score['measure']}, {score['on']}", f"**{score['total']:.1f}**"]
        cells += [f"{low:.1f} to {high:.1f}", *(f"{score['groups'][name]:.1f}" for name in groups)]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def fails(record: dict) -> str:
    """Where it fails, in words: joints, empty pictures and hidden joints."""
    first, seen = record["scores"][0], record["visibility"]
    hardest = ", ".join(sorted(first["groups"], key=first["groups"].get)[:3])
    shares = record["no_person"]["empty_below"].items()
    nobody = ", ".join(f"{math.floor(100 * share)} % ({kind})" for kind, share in shares)
    return f"""Both scores average over {first["averaged_over"]}. It fails most often at {hardest}.

*Pictures without a person.* It says that nobody is there in {nobody}.

*Visibility.* Its Brier score for "an annotator marked this joint as visible" is
{seen["brier"]:.3f}; the share of such joints, said of every joint, has
{seen["brier_of_share"]:.3f}."""
