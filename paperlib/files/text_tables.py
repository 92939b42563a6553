"""Tables as they lie in text files, and the numbers in their cells.

A table is a DataFrame. Its columns are the names in the header, or counted where it has none; its
index, where it is called LINE, is each row's line in the file.
"""

import io

import numpy as np
import pandas as pd

from paperlib.files.points import File

LINE = "line"
_DEEPLABCUT = ("scorer", "individuals", "bodyparts", "coords")  # the rows of its header


def has_header(table: pd.DataFrame) -> bool:
    return not pd.api.types.is_integer_dtype(table.columns)


def table_of_text(raw: bytes) -> pd.DataFrame:
    """The table in a text file: any separator, decimal commas, a byte order mark, several rows of
    header (as DeepLabCut writes them: scorer, bodyparts, coords), or none."""
    numbered = [(i, line) for i, line in enumerate(_decoded(raw).splitlines(), 1) if line.strip()]
    if numbered and numbered[0][1].lower().startswith("sep="):
        numbered = numbered[1:]
    places, lines = (list(column) for column in zip(*numbered, strict=True))
    if lines[0].lstrip().startswith("#"):  # numpy.savetxt's header
        lines[0] = lines[0].lstrip().lstrip("#").strip()
    cells = pd.read_csv(
        io.StringIO("\n".join(lines)),
        header=None,
        sep=_separator(lines),
        skipinitialspace=True,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
    )
    cells = cells.fillna("").apply(lambda column: column.str.strip())
    if (cells.iloc[:, -1] == "").all():  # every line ends in a separator
        cells = cells.iloc[:, :-1]
    if len(places) == len(cells):
        cells.index = pd.Index(places, name=LINE)
    rows = _header_rows(cells.to_numpy())
    table = cells.iloc[rows:]
    return table.set_axis(_one_header(cells.to_numpy()[:rows]), axis=1) if rows else table


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
    sample = ["".join(line.split('"')[::2]) for line in lines[:20]]  # without what is quoted
    counts = {mark: {line.count(mark) for line in sample} for mark in "\t;|,"}
    even = [mark for mark, found in counts.items() if len(found) == 1 and found != {0}]
    some = [mark for mark, found in counts.items() if 0 not in found]
    return (even + some + [r"\s+"])[0]


def _header_rows(cells: np.ndarray) -> int:
    """How many rows come before the first that is mostly numbers; a row 0, 1, 2, ... is one too."""
    count = 0
    for row in cells[:4]:
        filled = [cell for cell in row[1 if count else 0 :] if cell]
        numbers = sum(map(is_number, filled))
        if 2 * numbers >= max(len(filled), 1) or (count and numbers):
            break
        count += 1
    row = cells[0, 0 if cells[0, 0] else 1 :].tolist()
    counted = [[str(i + first) for i in range(len(row))] for first in (0, 1)]
    return count or int(len(row) > 2 and row in counted)


def _one_header(rows: np.ndarray) -> list[str]:
    """One name a column: of several rows of header, those that differ from column to column."""
    rows = rows.tolist()
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


def numbers_in(file: File, table: pd.DataFrame, columns: list[int], gaps: bool) -> np.ndarray:
    """(R, len(columns)) the numbers in these columns; with `gaps` NaN where a cell is empty."""
    cells = table.iloc[:, columns].astype("str").apply(lambda column: column.str.strip())
    comma = r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?"
    if any(column.str.fullmatch(comma).any() for _, column in cells.items()):
        cells = cells.apply(lambda column: column.str.replace(",", ".", regex=False))
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    plain = cells.isin(["nan", "NaN", "NAN", "-nan"]).to_numpy()
    blank = cells.isna() | cells.isin(["", "None", "null", "NA", "N/A", "n/a"])
    wrong = np.isnan(numbers) & ~plain & ~(blank.to_numpy() & gaps)
    if wrong.any():
        row, c = np.argwhere(wrong)[0]
        name = repr(table.columns[columns[c]]) if has_header(table) else f"{columns[c]}, from 0,"
        line = f" (line {table.index[row]} of the file)" if table.index.name == LINE else ""
        held = f"holds {cells.iloc[row, c]!r}, which is no number"
        what = "is empty" if blank.iloc[row, c] else held
        raise file.error(
            f"row {row}, counted from 0{line}, column {name} {what}; every point needs two numbers"
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


def count_up(cells: list) -> bool:
    """Whether the cells are consecutive whole numbers, each once, in any order."""
    try:
        numbers = np.sort([int(str(cell).strip()) for cell in cells])
    except ValueError:
        return False
    return len(numbers) > 0 and (np.diff(numbers) == 1).all()
