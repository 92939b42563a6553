"""The best evidence: results are kept at several sizes; of each claim the row that says most is the
one to read, and beside a figure of a small size stands that of the largest."""

from pathlib import Path

import pandas as pd
from IPython.display import Image, Markdown

from companion.artifacts.artifacts import draw_figure, light_copy, read_manifest
from companion.artifacts.claims_file import read_claims
from companion.artifacts.table_formats import shown
from companion.measure.claims import measure_claim
from companion.measure.verdict import VERDICTS
from companion.published.claims import claim_of, claims
from companion.runs.sizes import SIZES
from companion.runs.study import Study

KINDS = {"drawn people": "synthetic", "photographs": "real"}
COLUMNS = (*KINDS, "published files")
SAID = VERDICTS[:6]  # verdicts on the claim itself; the others say why there is none


def kept_results(home: Path, data: str) -> dict[str, Path]:
    """The folders of results in `home` of one kind of data that hold a ledger, by their size, the
    largest first; of photographs the copy without them, where there is one."""
    there = {}
    for size in reversed(SIZES):
        names = (f"{data}-{size}-public", f"{data}-{size}")
        found = [home / name for name in names if (home / name / "claims.csv").is_file()]
        there |= {size: found[0]} if found else {}
    return there


def best_rows(home: Path, data: str) -> dict[str, dict]:
    """For each claim, by its id, the row of the largest size that has a verdict on it; where none
    has, of the largest that measured it; each with its `size`. Empty if nothing is kept.

    Raises PaperlibError for a ledger that cannot be read.
    """
    ledgers = {size: read_claims(folder) for size, folder in kept_results(home, data).items()}
    rows: dict[str, list[dict]] = {}
    for size, ledger in ledgers.items():
        for row in ledger:
            rows.setdefault(row["id"], []).append(row | {"size": size})
    return {name: min(found, key=_rank) for name, found in rows.items()}


def _rank(row: dict) -> int:
    """0 for a verdict on the claim, 1 for one that it cannot be tested, 2 for not measured; rows of
    one rank stay in their order."""
    return 0 if row["verdict"] in SAID else VERDICTS.index(row["verdict"]) - len(SAID) + 1


def columns(home: Path) -> dict[str, dict[str, dict | None]]:
    """The board of all claims: by id, the best row under each of COLUMNS; None where a column is
    not for that claim. A claim without a run is settled by published files, by labels or by the
    networks themselves."""
    best = {name: best_rows(home, data) for name, data in KINDS.items()}
    board = {}
    for claim in claims():
        rows = {name: found[claim["id"]] for name, found in best.items() if claim["id"] in found}
        if not claim["runs"] or any(row["verdict"] == "exact" for row in rows.values()):
            settled = min(rows.values(), key=_rank, default=None)
            board[claim["id"]] = dict.fromkeys(KINDS) | {"published files": settled}
        else:
            board[claim["id"]] = dict.fromkeys(COLUMNS) | rows
    return board


def claims_here(study: Study, *ids: str) -> Markdown:
    """The claims `ids` as a table for a reader: the paper's figure, what this study finds, and the
    best that larger sizes found, where they are kept with the results. Why each has its verdict
    stands in the ledger."""
    best, size = best_rows(study.kept.parent, study.data), SIZES.index(study.size)
    larger = {name: row for name, row in best.items() if SIZES.index(row["size"]) > size}
    rows = [
        {
            "claim": f"**{claim['id']}** {claim['text']}",
            "paper": claim["printed"],
            f"here, size {study.size}": _told(measure_claim(study, claim)),
            "the best that is kept": _told(larger.get(claim["id"])),
        }
        for claim in map(claim_of, ids)
    ]
    return shown(pd.DataFrame(rows))


def _told(row: dict | None) -> str:
    """A row of a ledger in one cell; nothing where there is no row."""
    if not row:
        return ""
    size = f" (size {row['size']})" if "size" in row else ""
    if row["verdict"] not in SAID:
        return row["verdict"] + size
    return f"{row['ours']}; {row['interval']}: **{row['verdict']}**{size}"


def kept_figure(study: Study, artifact: str) -> Image | None:
    """The figure `artifact` as the largest size kept with the results has it, drawn again from its
    numbers, under a line that says which; None, and a line, where no larger size than the study's
    is kept."""
    larger = SIZES[SIZES.index(study.size) + 1 :]
    for size, folder in kept_results(study.kept.parent, study.data).items():
        entry = read_manifest(folder).get(artifact)
        if size not in larger or entry is None:
            continue
        about = entry["provenance"]
        seeds = len(about["seeds"])
        print(f"size {size}, {seeds} seed{'s' * (seeds > 1)}, from results/{folder.name}:")
        numbers = folder / "figures" / about["numbers"]
        figure = draw_figure(entry["draw"], numbers, entry["options"])
        return light_copy(figure, f"{artifact} at size {size}")
    print(f"{artifact}: no larger size than {study.size} is kept with the results")
    return None
