"""The board of the thirty claims: what each paper says, and what was found on drawn people, on
photographs and in published files."""

import html
from pathlib import Path

from companion.artifacts.evidence import COLUMNS, KINDS, columns
from companion.measure.verdict import VERDICTS
from companion.published.claims import claims
from generate.committed import PAPERS, ROOT, plain, scrolling, slug

MEANS = {
    "exact": "counted or recomputed, and as printed",
    "reproduced": "the interval says so",
    "contradicted": "the interval says the opposite",
    "agrees in miniature": "the interval says so, of a small network",
    "disagrees in miniature": "the opposite, of a small network",
    "inconclusive": "the interval does not settle it",
    "not testable at this size": "the claim needs what the small network or its data lack",
    "not measured": "the data are not at hand",
}


def write(source: Path) -> None:
    """claims.md: a table of all verdicts, then a section a claim."""
    page = (source / "claims.md").read_text(encoding="utf-8")
    found = columns(ROOT / "results")
    sections = []
    for paper, title in PAPERS.items():
        sections.append(f"## {paper}: {title}")
        sections += [section(claim, found) for claim in claims() if claim["paper"] == paper]
    means = "\n".join(f"* *{verdict}*: {MEANS[verdict]}" for verdict in VERDICTS)
    page = page.replace("%VERDICTS%", means).replace("%BOARD%", board(found))
    page = page.replace("%CLAIMS%", "\n\n".join(sections))
    (source / "claims.md").write_text(page, encoding="utf-8")


def board(found: dict[str, dict[str, dict | None]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("claim", *COLUMNS))
    body = []
    for claim in claims():
        cells = [
            f'<td class="verdict {slug(row["verdict"])}">{html.escape(row["verdict"])}</td>'
            if row
            else '<td aria-label="not for this claim"></td>'
            for row in found[claim["id"]].values()
        ]
        name = claim["id"]
        said = f'<a href="#{slug(name)}">{name}</a> {html.escape(claim["text"])}'
        body.append(f'<tr><th scope="row">{said}</th>{"".join(cells)}</tr>')
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return scrolling(table, "The verdicts on thirty claims")


def section(claim: dict, found: dict[str, dict[str, dict | None]]) -> str:
    """One claim: its figure, ours under each column, why, and what would change the verdict."""
    lines = [f"({slug(claim['id'])})=", f"### {claim['id']}", "", sentence(claim["text"]), ""]
    lines += [f"* the paper: {plain(claim['printed'])}"]
    for name, row in found[claim["id"]].items():
        if row:
            shown = f"{name}, size {row['size']}" if name in KINDS else name
            lines.append(f"* {shown}: **{row['verdict']}**.{measured(row)}")
    if claim.get("needs"):
        lines += ["", f"To judge it takes {plain(claim['needs'])}."]
    if claim.get("mind"):
        lines += ["", f"**What would change our mind:** {plain(claim['mind'])}."]
    beside = ", ".join(f"[{name}](#{slug(name)})" for name in claim["artifacts"])
    return "\n".join([*lines, "", f"See {beside}."])


def measured(row: dict) -> str:
    """What was found, its interval, why it is judged so, and what the judgement rests on."""
    if row["verdict"] == "not measured":
        return f" {sentence(row['why'])}" if row["why"] else ""
    interval = "" if row["interval"] == row["ours"] else f", 95 % interval {plain(row['interval'])}"
    said = [f"{plain(row['ours'])}{interval}.", sentence(row["why"])]
    if ";" in row["holds"]:
        said.append(f"Part by part it holds: {plain(row['holds'].replace(';', ','))}.")
    if row["preconditions"]:
        said.append(f"*What it takes, as measured:* {plain(row['preconditions'])}.")
    if row["settles"]:
        said.append(f"*What would settle it:* {plain(row['settles'])}.")
    return f" {' '.join(filter(None, said))}"


def sentence(text: str) -> str:
    said = plain(text[:1].upper() + text[1:])
    return f"{said}." if said and said[-1] not in ".!?" else said
