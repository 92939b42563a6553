"""Tables as they lie in text files, and the numbers in their cells.

Any separator, decimal commas, a byte order mark, several rows of header or none.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from paperlib import PaperlibError

_DEEPLABCUT = ("scorer", "individuals", "bodyparts", "coords")  # the rows of its header


@dataclass(frozen=True)
class Table:
    """Cells as text or numbers, a header where the file has one, the file's line of each row."""

    header: list[str] | None
    cells: np.ndarray  # (R, C) object
    lines: list[int] | None = None


def table_of_text(raw: bytes) -> Table:
    """The table in a text file: any separator, decimal commas, a byte order mark, several rows of
    header (as DeepLabCut writes them: scorer, bodyparts, coords), or none."""
    text = _decoded(raw)
    numbered = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if numbered and numbered[0][1].lower().startswith("sep="):
        numbered = numbered[1:]
    if numbered and numbered[0][1].lstrip().startswith("#"):  # numpy.savetxt's header
        numbered[0] = numbered[0][0], numbered[0][1].lstrip().lstrip("#").strip()
    lines = [line for _, line in numbered]
    frame = pd.read_csv(
        io.StringIO("\n".join(lines)),
        header=None,
        sep=_separator(lines),
        skipinitialspace=True,
        dtype=str,
        keep_default_na=False,
        na_values=[],
        skip_blank_lines=False,
    )
    cells = frame.to_numpy(object)
    empty = [all(str(cell).strip() in ("", "nan") for cell in column) for column in cells.T]
    if empty and empty[-1]:  # every line ends in a separator
        cells = cells[:, :-1]
    rows = _header_rows(cells)
    header = _one_header(cells[:rows]) if rows else None
    places = [i for i, _ in numbered][rows:]
    body = cells[rows:]
    return Table(header, body, places if len(places) == len(body) else None)


def _decoded(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _separator(lines: list[str]) -> str:
    """The first of tab, semicolon, bar and comma that every line has equally often, else at all;
    else spaces."""
    sample = [_unquoted(line) for line in lines[:20]]
    for mark in ("\t", ";", "|", ","):
        counts = {line.count(mark) for line in sample}
        if len(counts) == 1 and counts != {0}:
            return mark
    often = {mark: min((line.count(mark) for line in sample), default=0) for mark in "\t;|,"}
    return next((mark for mark, count in often.items() if count), r"\s+")


def _unquoted(line: str) -> str:
    return "".join(line.split('"')[::2])


def _header_rows(cells: np.ndarray) -> int:
    """How many rows come before the first that is mostly numbers; a row 0, 1, 2, ... is one too."""
    count = 0
    for row in cells[:4]:
        filled = [cell for cell in row[1 if count else 0 :] if str(cell).strip()]
        numbers = sum(map(is_number, filled))
        if 2 * numbers >= max(len(filled), 1) or (count and numbers):
            break
        count += 1
    if not count and len(cells):
        row = [str(cell).strip() for cell in cells[0]]
        row = row[1:] if row and not row[0] else row
        count = int(
            len(row) > 2
            and row in ([str(i) for i in range(len(row))], [str(i + 1) for i in range(len(row))])
        )
    return count


def _one_header(rows: np.ndarray) -> list[str]:
    """One name a column: of several rows of header, those that differ from column to column."""
    rows = [[str(cell).strip() for cell in row] for row in rows]
    if len(rows) == 1:
        return rows[0]
    told = []
    for row in rows[:-1]:
        first = 2 if row[0].lower() in _DEEPLABCUT else 1
        for i in range(first, len(row)):  # a name over several columns stands above the first
            row[i] = row[i] or row[i - 1]
        if len(set(row[1:])) > 1:
            told.append(row)
    told.append(rows[-1])
    names = [" ".join(dict.fromkeys(filter(None, parts))) for parts in zip(*told, strict=True)]
    return ["image" if rows[-1][0].lower() in _DEEPLABCUT else names[0], *names[1:]]


def numbers_in(table: Table, columns: list[int], path: Path, gaps: bool) -> np.ndarray:
    """(R, len(columns)) the numbers in these columns; NaN where a cell is empty and may be."""
    cells = pd.DataFrame(table.cells[:, columns]).astype("str")
    cells = cells.apply(lambda column: column.str.strip())
    if any(
        column.str.fullmatch(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?").any() for _, column in cells.items()
    ):
        cells = cells.apply(lambda column: column.str.replace(",", ".", regex=False))
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    plain = cells.isin(["nan", "NaN", "NAN", "-nan"]).to_numpy()
    blank = cells.isin(["", "None", "null", "NA", "N/A", "n/a"]).to_numpy()
    blank = blank | (pd.isna(table.cells[:, columns]) & ~plain)
    wrong = np.isnan(numbers) & ~plain & ~(blank if gaps else False)
    if wrong.any():
        row, c = np.argwhere(wrong)[0]
        name = repr(table.header[columns[c]]) if table.header else f"{columns[c]}, counted from 0,"
        line = f" (line {table.lines[row]} of the file)" if table.lines else ""
        what = "is empty" if blank[row, c] else f"holds {cells.iloc[row, c]!r}, which is no number"
        raise PaperlibError(
            f"{path}: row {row}, counted from 0{line}, column {name} {what}; every point needs "
            "two numbers"
        )
    return numbers


def is_number(cell) -> bool:
    try:
        float(str(cell).strip().replace(",", "."))
    except ValueError:
        return False
    return True


def is_picture(cell: str) -> bool:
    return cell.lower().endswith((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"))
