"""The committed files that pages are made of, and how their words are put into Markdown."""

import html
import json
import re
from pathlib import Path

from companion.artifacts.evidence import kept_results

ROOT = Path(__file__).resolve().parents[2]
DRAWN = ROOT / "results" / "synthetic-smoke"
PHOTOGRAPHS = ROOT / "results" / "real-smoke-public"
RESULTS = (DRAWN, ROOT / "results" / "synthetic-night", PHOTOGRAPHS)
PAPERS = {"R": "Recurrent Human Pose Estimation", "H": "Stacked Hourglass Networks"}


def manifest(results: Path) -> dict:
    return json.loads((results / "manifest.json").read_text(encoding="utf-8"))


def largest(artifact: str) -> Path | None:
    """The results folder on drawn people that made `artifact` at the largest size; None if none
    did."""
    folders = kept_results(ROOT / "results", "synthetic").values()
    return next((folder for folder in folders if artifact in manifest(folder)), None)


def study_of(results: Path) -> tuple[str, str]:
    """The size and the data of a results folder: ("smoke", "synthetic")."""
    stamp = manifest(results)["claims"]["provenance"]
    return stamp["size"], stamp["data"]


def plain(text: str) -> str:
    """`text` as Markdown that says exactly that."""
    return re.sub(r"([\\`*_<>\[\]|$#{}~])", r"\\\1", str(text))


def slug(text: str) -> str:
    """The anchor of "R-c1", "FACTS A.3" or "02-ceiling"."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def scrolling(table: str, label: str) -> str:
    """An HTML table in a frame of its own that scrolls, by keyboard too."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{html.escape(label)}">\n'
        f"{table}\n</div>"
    )


def of_facts(heading: str) -> str:
    """The section of a heading of FACTS.md: "A.3" of "A.3 Targets [P,C]"; "" if it has none."""
    found = re.match(r"([A-I0](?:\.\d+)?)\b", heading)
    return found[1] if found else ""
