"""What a reproduction leaves behind to look at: a summary table in the terminal, and results/<data>-<size>/index.html."""

import html
import json
from pathlib import Path

from paperlib.reproduce.artifacts import read_csv
from paperlib.reproduce.ledger import read_claims
from paperlib.reproduce.notebooks import ORDER, artifacts_of
from paperlib.writing import write_whole

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
img { max-width: 100%; background: white; } figure { margin: 1rem 0 3rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; } td, th { padding: 0.2rem 0.6rem; border-bottom: 1px solid #8886; text-align: left; }
.reproduced { color: #009e73; } .contradicted { color: #d55e00; } .inconclusive, .not { opacity: 0.75; } small { opacity: 0.75; }
"""


def summary(results: Path, fate: dict[str, str]) -> str:
    """One line an artifact: its id, the notebook that makes it, and where it is."""
    manifest = _manifest(results)
    rows = [("artifact", "notebook", "", "file")]
    for name in ORDER:
        for artifact in artifacts_of(name):
            file = next(iter(manifest.get(artifact, {}).get("files", {})), None)
            rows.append((artifact, name, fate.get(name, "not run"), str(results / file) if file else "-"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    verdicts = [row["verdict"] for row in read_claims(results)] if (results / "claims.csv").exists() else []
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts)))
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]
    return "\n".join([*lines, *([f"claims: {counts}"] if counts else [])])


def write_page(results: Path) -> Path:
    """index.html: the claims with their verdicts, then every artifact with what it was made of."""
    manifest, parts = _manifest(results), []
    if (results / "claims.csv").exists():
        rows = read_claims(results)
        cells = "".join(
            f"<tr><td>{row['id']}</td><td>{_text(row['paper'])}</td><td>{_text(row['ours'])}</td>"
            f"<td class='{row['verdict'].split()[0]}'>{row['verdict']}</td><td>{_text(row['why'])}</td></tr>"
            for row in rows
        )
        head = "<tr><th>claim</th><th>paper</th><th>ours</th><th>verdict</th><th>why</th></tr>"
        parts.append(f"<h2 id='claims'>Claims</h2><div class='scroll'><table>{head}{cells}</table></div>")
    for name in ORDER:
        parts += [f"<h2>{name}</h2>"] + [_artifact(results, artifact, manifest[artifact]) for artifact in artifacts_of(name) if artifact in manifest]
    page = results / "index.html"
    title = f"Results: {results.name}"
    body = f"<h1>{title}</h1>" + "".join(parts)
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{title}</title><style>{STYLE}</style>"
    write_whole(page, f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n")
    return page


def _artifact(results: Path, artifact: str, entry: dict) -> str:
    made = entry["provenance"]
    source = f"<small>{_text(', '.join(made['runs']) or 'no training')}; commit {made['commit']}; {made['device']}</small>"
    if entry["kind"] == "figure":
        picture = next(file for file in entry["files"] if file.endswith(".png"))
        image = f"<img src='{picture}' alt='{artifact}' loading='lazy'>"
        return f"<figure id='{artifact}'><figcaption><b>{artifact}</b></figcaption>{image}<br>{source}</figure>"
    table = next(file for file in entry["files"] if file.endswith(".csv"))
    frame = read_csv((results / table).read_bytes())
    shown = frame.to_html(index=False, float_format=lambda value: f"{value:.1f}", na_rep="", border=0)
    notes = "".join(f"<li>{_text(note)}</li>" for note in entry["notes"])
    return (
        f"<figure id='{artifact}'><figcaption><b>{artifact}</b>: {_text(entry['caption'])}</figcaption><div class='scroll'>{shown}</div>"
        f"<details><summary>notes and deviations</summary><ul>{notes}</ul></details>{source}</figure>"
    )


def _manifest(results: Path) -> dict:
    path = results / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _text(value) -> str:
    return html.escape(str(value))
