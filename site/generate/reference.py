"""FACTS.md with an anchor for each section, and the conventions of the metrics."""

import csv
import html
import io
import re
from pathlib import Path

from generate.committed import ROOT, of_facts, plain, scrolling, slug
from paperlib.conventions import CONVENTIONS


def write(source: Path) -> None:
    """facts.md and the table of conventions.md."""
    facts = (ROOT / "companion" / "published" / "FACTS.md").read_text(encoding="utf-8")
    (source / "facts.md").write_text(anchored(facts), encoding="utf-8")
    page = (source / "conventions.md").read_text(encoding="utf-8")
    (source / "conventions.md").write_text(page.replace("%TABLE%", conventions()), "utf-8")


def anchored(facts: str) -> str:
    """The fact sheet with the target facts-a-3 before its heading 'A.3 ...', its CSV as tables."""
    lines = []
    for line in facts.splitlines():
        # a star is a product, but where it opens an item
        line = re.sub(r"(?<=\S)(\s*)\*", r"\1\\*", line)
        section = of_facts(line.lstrip("# ")) if line.startswith("##") else ""
        lines += [f"({slug(f'facts {section}')})=", line] if section else [line]
    return re.sub(r"```csv\n(.*?)```", table_of, "\n".join(lines), flags=re.S)


def table_of(block: re.Match) -> str:
    """CSV as a table that scrolls; it may have more cells in a row than its head names."""
    rows = list(csv.reader(io.StringIO(block[1])))
    head = "".join(f'<th scope="col">{html.escape(word)}</th>' for word in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(word)}</td>" for word in row) + "</tr>"
        for row in rows[1:]
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"\n{scrolling(table, f'{rows[0][0]}, {rows[0][1]}, ...')}\n"


def conventions() -> str:
    """The named conventions of paperlib.metrics, as a Markdown table."""
    lines = ["| data set | name | whose | joints | within | total |", "|---|---|---|---|---|---|"]
    for dataset, known in CONVENTIONS.items():
        for one in known:
            within = f"{'<' if one.strict else '<='} {one.threshold:g}"
            total = "mean of the joints" if one.total == "mean" else "pooled"
            lines.append(
                f"| {dataset} | `{one.name}` | {plain(one.source)} | {len(one.joints)} "
                f"| {plain(within)} | {total} |"
            )
    return "\n".join(lines)
