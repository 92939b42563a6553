"""README's verdict board: the best evidence that is kept for each claim, between two marks of the
file."""

from pathlib import Path

from companion.artifacts.evidence import KINDS, SAID, columns
from companion.measure.verdict import VERDICTS, in_words
from companion.published.claims import claim_of
from paperlib import PaperlibError
from paperlib.writing import write_whole

START, END = (
    "<!-- the verdict board: tools.readme_board writes it -->",
    "<!-- end of the verdict board -->",
)
UNTOLD = VERDICTS[len(SAID) :]  # of a claim that has no other verdict, the id alone


def board(evidence: dict[str, dict[str, dict | None]]) -> str:
    """Two tables in Markdown of what `evidence.columns` gives: claims on trained networks, then
    those that files, labels and counts settle; at the end the ids of those without a verdict."""
    trained = [["claim", "paper", *KINDS]]
    settled = [["claim", "paper", "counted or recomputed"]]
    untold: dict[str, list[str]] = {verdict: [] for verdict in UNTOLD}
    for name, row in evidence.items():
        found = [one["verdict"] for one in row.values() if one]
        if not set(found) & set(SAID):
            untold[min(found, key=VERDICTS.index, default=UNTOLD[-1])].append(name)
            continue
        claim = claim_of(name)
        said = [f"{name} {claim['text']}", claim["printed"]]
        if one := row["published files"]:
            holds = in_words(one["holds"].split("; "))
            settled.append([*said, f"{one['ours']} (**{holds}**)"])
        else:
            trained.append([*said, *(_cell(row[kind]) for kind in KINDS)])
    without = [
        f"{verdict[0].upper()}{verdict[1:]}: {', '.join(ids)}."
        for verdict, ids in untold.items()
        if ids
    ]
    tables = [_table(rows) for rows in (trained, settled) if len(rows) > 1]
    return "\n\n".join([*tables, "\n".join(without)]).strip()


def _cell(row: dict | None) -> str:
    if row is None:
        return "-"
    if row["verdict"] not in SAID:
        return row["verdict"]
    return f"**{row['verdict']}** (size {row['size']}): {row['ours']}, {row['interval']}"


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    return "\n".join(_line(*cells) for cells in (head, ["---"] * len(head), *body))


def write_board(readme: Path, home: Path) -> None:
    """Put the board of the results folders in `home` into `readme`. Raises PaperlibError where it
    has no place for it."""
    text = Path(readme).read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise PaperlibError(
            f"{readme}: no place for the board; put the lines '{START}' and '{END}' where it "
            "should be"
        )
    write_whole(Path(readme), f"{before}{START}\n{board(columns(Path(home)))}\n{END}{after}")


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
