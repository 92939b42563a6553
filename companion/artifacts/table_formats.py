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

import jinja2
import pandas as pd
from IPython.display import Markdown

PARTS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total", "auc")
BEST = dict.fromkeys(PARTS, max) | dict.fromkeys(("parameters", "k*k*C_out", "GMACs"), min)
SIGNED = ("difference", "gain")
# columns that only the .csv has, or that are shown as an interval behind another
HIDDEN = ("beside", "study", "low", "high", "gain low", "gain high")
INTERVALS = {"difference": ("low", "high"), "gain": ("gain low", "gain high")}
ABSENT, NONE = "not measured", "-"
PRINTED = ("paper", "benchmark")


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

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers alone."""
        return [all(row[i].number for row in self.rows) for i in range(len(self.columns))]


def spelled(table: pd.DataFrame) -> pd.DataFrame:
    """`table` as its .csv holds it: no cell is empty. Numbers keep eight significant digits."""
    missing = _missing(table)
    return pd.DataFrame({name: list(map(_stored, table[name], missing)) for name in table})


def sheet(table: pd.DataFrame) -> Sheet:
    """Every row, with an interval in one column."""
    missing, columns = _missing(table), {}
    for name in table.columns.drop(list(HIDDEN), errors="ignore"):
        best = _best(table, name)
        number = pd.api.types.is_numeric_dtype(table[name]) and table[name].notna().any()
        columns[name] = [
            Cell(_shown(v, m, name), i in best, number)
            for i, (v, m) in enumerate(zip(table[name], missing, strict=True))
        ]
        low, high = INTERVALS.get(name, ("", ""))
        if low in table:
            title = "95 % interval" if name == "difference" else "95 % interval of the gain"
            ends = map(_interval, table[low], table[high], missing)
            columns[title] = [Cell(text, number=True) for text in ends]
    return Sheet(list(columns), [list(row) for row in zip(*columns.values(), strict=True)])


def shown(table: pd.DataFrame) -> Markdown:
    """`table` as a notebook shows it, text to the left and numbers to the right, without columns in
    which nothing stands; what could not be measured is named beneath it, with the reason."""
    missing, reasons = _missing(table), {}
    for row in table[missing].itertuples(index=False):
        reasons.setdefault(row.note.removeprefix(f"{ABSENT}: "), []).append(str(row[0]))
    whole = sheet(table[[not gone for gone in missing]].reset_index(drop=True))
    said = [i for i in range(len(whole.columns)) if {row[i].text for row in whole.rows} - {NONE}]
    brief = Sheet([whole.columns[i] for i in said], [[row[i] for i in said] for row in whole.rows])
    lines = [f"Not measured, {why}: {'; '.join(names)}.\n" for why, names in reasons.items()]
    return Markdown("\n".join([_rows(brief)] * bool(brief.rows) + lines) or "None.")


def short_form(table: pd.DataFrame) -> Sheet | None:
    """One row a printed row: paper (or scored by others), recomputed, ours, and how ours (where
    there is none, the recomputed file) differs. None for other tables."""
    if not {"source", "beside", "total"} <= set(table.columns):
        return None
    rows, name = [], table.columns[0]
    for printed, group in table.groupby(table.beside.fillna(""), sort=False):
        for _, lines in [(printed, group)] if printed else group.groupby(name, sort=False):
            numbers = [_totals(lines, sources) for sources in (PRINTED, ("recomputed",), ("ours",))]
            known = [lines[lines.source == kind] for kind in ("ours", "recomputed")]
            lead = next((own for own in known if len(own)), lines)
            first, gone = lead.iloc[0], _missing(lead)[0]
            numbers += [
                _shown(first.difference, gone, "difference"),
                _interval(first.low, first.high, gone),
                _shown(first.inside, gone, "inside"),
            ]
            cells = [Cell(text, number=True) for text in numbers]
            rows.append([Cell(str(printed or lines[name].iloc[0])), *cells])
    first = "scored by others" if (table.source == "benchmark").any() else "paper"
    columns = [name, first, "recomputed", "ours", "difference", "95 % interval", "inside?"]
    return Sheet(columns, rows)


def texts(artifact: str, table: pd.DataFrame, entry: dict) -> dict[str, bytes]:
    """The reading copies, by their ending: .md, .tex and .html. `entry` holds caption, notes,
    deviations and provenance."""
    sheets = [one for one in (short_form(table), sheet(table)) if one]
    provenance = json.dumps(entry["provenance"], sort_keys=True).replace("<", "")
    page = template("table_page.html.j2").render(
        entry, artifact=artifact, sheets=sheets, stamp=provenance
    )
    copies = {
        ".md": _markdown(artifact, sheets, entry),
        ".tex": _latex(artifact, sheets, entry),
        ".html": page,
    }
    return {end: text.encode() for end, text in copies.items()}


def template(name: str) -> jinja2.Template:
    """One of the pages beside this file."""
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("companion", "artifacts"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["html"] = html.escape  # jinja spells quotes in another way
    return pages.get_template(name)


def _markdown(artifact: str, sheets: list[Sheet], entry: dict) -> str:
    parts = [f"**{artifact}**: {entry['caption']}\n"]
    for one in sheets:
        parts.append(_rows(one))
    parts.append("".join(f"* {note}\n" for note in (*entry["notes"], *entry["deviations"])))
    return "\n".join(parts)


def _rows(one: Sheet) -> str:
    rows = [one.columns, ["---:" if number else ":---" for number in one.numeric]]
    rows += [
        [f"**{cell.text}**" if cell.best else cell.text.replace("|", "\\|") for cell in row]
        for row in one.rows
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _latex(artifact: str, sheets: list[Sheet], entry: dict) -> str:
    """With booktabs; the deviations, which are long, as comments."""
    lines = [
        r"\begin{table}",
        rf"\caption{{{_tex(entry['caption'])}}}",
        rf"\label{{tab:{artifact.lower()}}}",
    ]
    for one in sheets:
        layout = "".join("r" if number else "l" for number in one.numeric)
        lines += [rf"\begin{{tabular}}{{{layout}}}", r"\toprule"]
        lines += [" & ".join(map(_tex, one.columns)) + r" \\", r"\midrule"]
        for row in one.rows:
            cells = [rf"\textbf{{{_tex(c.text)}}}" if c.best else _tex(c.text) for c in row]
            lines.append(" & ".join(cells) + r" \\")
        lines += [r"\bottomrule", r"\end{tabular}", ""]
    lines += [rf"{{\footnotesize {_tex(note)}\par}}" for note in entry["notes"]]
    return "\n".join([*lines, r"\end{table}", *(f"% {note}" for note in entry["deviations"]), ""])


def _tex(text: str) -> str:
    for sign in "&%$#_":
        text = text.replace(sign, "\\" + sign)
    return text


def _missing(table: pd.DataFrame) -> list[bool]:
    """(rows,) whether a row's note says that it could not be measured."""
    notes = table.get("note", [""] * len(table))
    return [str(note).startswith(ABSENT) for note in notes]


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
    if abs(value) >= 1000 or isinstance(value, int):
        return f"{value:{sign},.0f}"
    return f"{round(value, 1) + 0.0:{sign}.1f}"


def _interval(low: float, high: float, missing: bool) -> str:
    if _nothing(low):
        return _shown(None, missing, "")
    return f"[{round(low, 1) + 0.0:.1f}, {round(high, 1) + 0.0:.1f}]"


def _totals(lines: pd.DataFrame, sources: tuple[str, ...]) -> str:
    own = lines[lines.source.isin(sources)]
    shown = [_shown(*one, "total") for one in zip(own.total, _missing(own), strict=True)]
    return " / ".join(shown) or NONE


def _best(table: pd.DataFrame, name: str) -> set[int]:
    """Rows whose number in column `name` is the best of its source; nothing is the best of one."""
    if name not in BEST:
        return set()
    sources = pd.Series(table.get("source", ""), table.index).replace("benchmark", "paper")
    best = set()
    for _, values in table.reset_index()[name].astype(float).groupby(sources.to_numpy()):
        if len(known := values.dropna().round(1)) > 1:
            best |= set(known.index[known == BEST[name](known)])
    return best
