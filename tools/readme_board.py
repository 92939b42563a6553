"""README's verdict board: the claims of a results folder, by verdict, between two marks of the
file."""

from pathlib import Path

from companion.artifacts.claims_file import read_claims
from companion.measure.verdict import VERDICTS, in_words
from paperlib import PaperlibError
from paperlib.writing import write_whole

START, END = (
    "<!-- the verdict board: tools.readme_board writes it -->",
    "<!-- end of the verdict board -->",
)
UNTOLD = VERDICTS[-3:]  # verdicts whose claims are not told in words: of them the ids


def board(rows: list[dict]) -> str:
    """A table in Markdown of the rows of claims.csv, by verdict: what was found with both figures,
    the others by their ids; of an exact one whether the paper's figure holds, part by part."""
    lines = ["| verdict | claim | paper | ours |", "| --- | --- | --- | --- |"]
    for verdict in VERDICTS:
        own = [row for row in rows if row["verdict"] == verdict]
        if verdict not in UNTOLD:
            lines += [
                _line(f"**{verdict}**", f"{row['id']} {row['claim']}", row["paper"], _found(row))
                for row in own
            ]
        elif own:
            lines.append(
                _line(verdict, f"{len(own)}: {', '.join(row['id'] for row in own)}", "-", "-")
            )
    return "\n".join(lines)


def _found(row: dict) -> str:
    if row["verdict"] != "exact":
        return row["ours"]
    return f"{row['ours']} ({in_words(row['holds'].split('; '))})"


def write_board(readme: Path, results: Path) -> None:
    """Put the board of `results` into `readme`. Raises PaperlibError where it has no place for
    it."""
    text = Path(readme).read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise PaperlibError(
            f"{readme}: no place for the board; put the lines '{START}' and '{END}' where it "
            "should be"
        )
    write_whole(Path(readme), f"{before}{START}\n{board(read_claims(results))}\n{END}{after}")


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
