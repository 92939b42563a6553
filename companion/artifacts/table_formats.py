"""A stored table as people read it: Markdown, LaTeX and HTML of the same rows, the best of each
column in bold.

A cell that a row has no number for is '-'; where a run or a file is absent it says 'not measured'.
Above a table of systems stands its short form: the printed total (of R-tab4 the one that others
scored) beside what the published predictions score and ours, with the difference, the 95 % interval
and whether it holds the first.
"""

import html
import json
from dataclasses import dataclass

import pandas as pd

BEST = dict.fromkeys(
    ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total", "auc"), max
)
BEST |= dict.fromkeys(("parameters", "k*k*C_out", "GMACs"), min)
SIGNED = ("difference", "gain")
HIDDEN = (
    "beside",
    "study",
    "low",
    "high",
    "gain low",
    "gain high",
)  # bookkeeping of the .csv, or shown as an interval
INTERVALS = {
    "difference": ("low", "high"),
    "gain": ("gain low", "gain high"),
}  # interval -> shown behind this column
ABSENT, NONE = "not measured", "-"
PRINTED = ("paper", "benchmark")
STYLE = """body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #8886; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }"""


@dataclass(frozen=True)
class Cell:
    text: str
    best: bool = False
    number: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table of text: the names of the columns, and rows of cells."""

    columns: list[str]
    rows: list[list[Cell]]


def spelled(table: pd.DataFrame) -> pd.DataFrame:
    """`table` as its .csv holds it: no cell is empty. Numbers keep eight significant digits."""
    return pd.DataFrame(
        {
            name: [
                _stored(value, missing)
                for value, missing in zip(table[name], _missing(table), strict=True)
            ]
            for name in table
        }
    )


def sheet(table: pd.DataFrame) -> Sheet:
    """Every row, with an interval in one column."""
    names = [name for name in table.columns if name not in HIDDEN]
    missing = _missing(table)
    columns = {}
    for name in names:
        best = _best(table, name)
        number = pd.api.types.is_numeric_dtype(table[name]) and table[name].notna().any()
        columns[name] = [
            Cell(_shown(v, m, name), i in best, number)
            for i, (v, m) in enumerate(zip(table[name], missing, strict=True))
        ]
        low, high = INTERVALS.get(name, ("", ""))
        if low in table:
            ends = zip(table[low], table[high], missing, strict=True)
            columns["95 % interval" if name == "difference" else "95 % interval of the gain"] = [
                Cell(_interval(a, b, m), number=True) for a, b, m in ends
            ]
    return Sheet(list(columns), [list(row) for row in zip(*columns.values(), strict=True)])


def short_form(table: pd.DataFrame) -> Sheet | None:
    """One row a printed row: paper (or scored by others), recomputed, ours, and how ours (where
    there is none, the recomputed file) differs. None for other tables."""
    if not {"source", "beside", "total"} <= set(table.columns):
        return None
    rows, name = [], table.columns[0]
    for printed, group in table.groupby(table.beside.fillna(""), sort=False):
        for _, lines in [(printed, group)] if printed else group.groupby(name, sort=False):
            numbers = [_totals(lines, sources) for sources in (PRINTED, ("recomputed",), ("ours",))]
            lead = next(
                (
                    lines[lines.source == kind]
                    for kind in ("ours", "recomputed")
                    if (lines.source == kind).any()
                ),
                lines[:1],
            )
            first = lead.iloc[0]
            gone = _missing(lead)[0]
            ends = [
                _shown(first.difference, gone, "difference"),
                _interval(first.low, first.high, gone),
                _shown(first.inside, gone, "inside"),
            ]
            rows.append(
                [
                    Cell(str(printed or lines[name].iloc[0])),
                    *(Cell(text, number=True) for text in (*numbers, *ends)),
                ]
            )
    first = "scored by others" if (table.source == "benchmark").any() else "paper"
    return Sheet(
        [name, first, "recomputed", "ours", "difference", "95 % interval", "inside?"], rows
    )


def texts(artifact: str, table: pd.DataFrame, entry: dict) -> dict[str, bytes]:
    """The reading copies, by their ending: .md, .tex and .html. `entry` holds caption, notes,
    deviations and provenance."""
    sheets = [one for one in (short_form(table), sheet(table)) if one]
    copies = {
        ".md": _markdown(artifact, sheets, entry),
        ".tex": _latex(artifact, sheets, entry),
        ".html": _page(artifact, sheets, entry),
    }
    return {end: text.encode() for end, text in copies.items()}


def table_html(sheet: Sheet) -> str:
    """A <table> without style."""
    marks = [
        ' class="n"' if all(row[i].number for row in sheet.rows) else ""
        for i in range(len(sheet.columns))
    ]
    head = "".join(
        f'<th scope="col"{mark}>{html.escape(name)}</th>'
        for name, mark in zip(sheet.columns, marks, strict=True)
    )
    body = "".join(map(_html_row, sheet.rows))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_row(row: list[Cell]) -> str:
    cells = [
        f"<b>{html.escape(cell.text)}</b>" if cell.best else html.escape(cell.text) for cell in row
    ]
    marks = [' class="n"' if cell.number else "" for cell in row]
    return (
        "<tr>"
        + "".join(f"<td{mark}>{text}</td>" for mark, text in zip(marks, cells, strict=True))
        + "</tr>"
    )


def _page(artifact: str, sheets: list[Sheet], entry: dict) -> str:
    notes = "".join(
        f"<li>{html.escape(note)}</li>" for note in (*entry["notes"], *entry["deviations"])
    )
    tables = "".join(map(table_html, sheets))
    provenance = json.dumps(entry["provenance"], sort_keys=True).replace("<", "")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta '
        f'name="viewport" content="width=device-width"><title>{artifact}</title>'
        f'<style>{STYLE}</style>\n<script type="application/json">{provenance}</script></head>\n'
        f"<body><h1>{artifact}</h1><p>{html.escape(entry['caption'])}</p>\n{tables}\n<ul>{notes}</ul></body></html>\n"
    )


def _markdown(artifact: str, sheets: list[Sheet], entry: dict) -> str:
    parts = [f"**{artifact}**: {entry['caption']}\n"]
    for one in sheets:
        numeric = [all(row[i].number for row in one.rows) for i in range(len(one.columns))]
        rows = [one.columns, ["---:" if number else "---" for number in numeric]]
        rows += [
            [f"**{cell.text}**" if cell.best else cell.text.replace("|", "\\|") for cell in row]
            for row in one.rows
        ]
        parts.append("".join(f"| {' | '.join(row)} |\n" for row in rows))
    parts.append("".join(f"* {note}\n" for note in (*entry["notes"], *entry["deviations"])))
    return "\n".join(parts)


def _latex(artifact: str, sheets: list[Sheet], entry: dict) -> str:
    """With booktabs; the deviations, which are long, as comments."""
    lines = [
        r"\begin{table}",
        rf"\caption{{{_tex(entry['caption'])}}}",
        rf"\label{{tab:{artifact.lower()}}}",
    ]
    for one in sheets:
        layout = "".join(
            "r" if all(row[i].number for row in one.rows) else "l" for i in range(len(one.columns))
        )
        lines += [
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            " & ".join(map(_tex, one.columns)) + r" \\",
            r"\midrule",
        ]
        lines += [
            " & ".join(rf"\textbf{{{_tex(c.text)}}}" if c.best else _tex(c.text) for c in row)
            + r" \\"
            for row in one.rows
        ]
        lines += [r"\bottomrule", r"\end{tabular}", ""]
    lines += [rf"{{\footnotesize {_tex(note)}\par}}" for note in entry["notes"]]
    return "\n".join([*lines, r"\end{table}", *(f"% {note}" for note in entry["deviations"]), ""])


def _tex(text: str) -> str:
    for sign in "&%$#_":
        text = text.replace(sign, "\\" + sign)
    return text


def _missing(table: pd.DataFrame) -> list[bool]:
    """(rows,) whether a row's note says that it could not be measured."""
    return (
        [str(note).startswith(ABSENT) for note in table["note"]]
        if "note" in table
        else [False] * len(table)
    )


def _nothing(value) -> bool:
    return value is None or value != value or value == ""


def _stored(value, missing: bool) -> str:
    if _nothing(value):
        return ABSENT if missing else NONE
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.8g}"
    # a column of whole floats stays one of floats
    return text if set(text) & set(".e") else f"{text}.0"


def _shown(value, missing: bool, column: str) -> str:
    if _nothing(value):
        return ABSENT if missing else NONE
    if not isinstance(value, int | float):
        return str(value)
    sign = "+" if column in SIGNED and round(value, 1) else ""
    return (
        f"{value:{sign},.0f}"
        if abs(value) >= 1000 or isinstance(value, int)
        else f"{round(value, 1) + 0.0:{sign}.1f}"
    )


def _interval(low: float, high: float, missing: bool) -> str:
    return (
        _shown(None, missing, "")
        if _nothing(low)
        else f"[{round(low, 1) + 0.0:.1f}, {round(high, 1) + 0.0:.1f}]"
    )


def _totals(lines: pd.DataFrame, sources: tuple[str, ...]) -> str:
    own = lines[lines.source.isin(sources)]
    return (
        " / ".join(
            _shown(value, gone, "total")
            for value, gone in zip(own.total, _missing(own), strict=True)
        )
        or NONE
    )


def _best(table: pd.DataFrame, name: str) -> set[int]:
    """Rows whose number in column `name` is the best of its source; nothing is the best of one."""
    if name not in BEST:
        return set()
    sources = (
        table.source.replace("benchmark", "paper")
        if "source" in table
        else pd.Series(0, table.index)
    )
    best = set()
    for _, values in table.reset_index()[name].astype(float).groupby(sources.to_numpy()):
        if len(known := values.dropna().round(1)) > 1:
            best |= set(known.index[known == BEST[name](known)])
    return best
