"""The front page: one file with everything in it, and, in a real browser, filters that work by
keyboard, both schemes, and a phone's width.

The browser is Debian's chromium, driven by playwright (pip install -e .[browser]); without either
those tests skip.
"""

import html
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from companion.artifacts.artifacts import save_figure, save_table
from companion.artifacts.claims_file import save_claims
from companion.artifacts.front_page import interval_svg, page_html, write_page
from companion.artifacts.verify import verify
from companion.figures.pictures import gallery
from companion.measure import preconditions
from companion.measure.verdict import COLUMNS, EVIDENCE, VERDICTS, answers, follows, verdict
from companion.published.claims import claims
from companion.runs.study import Study

PEOPLE = {
    "images": np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), dtype=np.uint8),
    "points": np.random.default_rng(1).random((2, 16, 2)) * 24,
    "skeleton": np.array("mpii"),
}
YES = {"effect": (5.0, 2.0, 8.0), "equal": (0.0, -0.5, 0.5), "value": (0.0, -0.01, 0.01)}
NO, OPEN = (-50.0, -60.0, -40.0), (0.4, -110.0, 120.0)
HELD = ", ".join(f"{name} yes" for name in preconditions.CONDITIONS)
FINDINGS = (  # whether it holds, the paper's conditions, and whether the claim can be tested
    ("yes", HELD, True),
    ("no", HELD, True),
    ("yes", "network no", True),
    ("no", "network no", True),
    ("open", "network no", True),
    ("yes", "network no", False),
    ("nothing", "network no", True),
)


def written(claim: dict, testable: bool) -> str:
    """The preconditions of a claim, each just met, or not even the first."""
    asked = {"size": "smoke" if testable else "tiny"} | claim.get("checks", {})
    how = {name: preconditions.CHECKS[name].how for name in asked}
    needed = {"size": "tiny"} | claim.get("checks", {})
    return "; ".join(f"{name} {asked[name]} ({how[name]} {needed[name]})" for name in asked)


def ledger_rows() -> pd.DataFrame:
    """Every claim, with seven kinds of findings in turn for those on trained networks."""
    rows = []
    for number, claim in enumerate(claims()):
        said, conditions, testable = FINDINGS[number % 7]
        estimate = {"yes": YES[claim["kind"]], "no": NO, "open": OPEN}.get(said)
        found = [estimate] if estimate else []
        interval = "; ".join(f"{x:+.2f} [{low:+.2f}, {high:+.2f}]" for x, low, high in found)
        trained = bool(claim["runs"]) and bool(found)
        holds = answers(found, claim)
        row = {
            "id": claim["id"],
            "claim": claim["text"],
            "paper": claim["printed"],
            "ours": "1.0 <b> 2",
            "interval": interval or "not measured",
            "seeds": int(trained),
            "why": f"because of {claim['id']}",
            "holds": "; ".join(holds),
            "preconditions": written(claim, testable) if trained else "",
            "conditions": conditions if trained else "",
            "settles": "7 seeds" if said == "open" else "",
        }
        word = verdict(holds, trained, testable or not trained, trained and conditions == HELD)
        rows.append(row | {"verdict": word})
    return pd.DataFrame(rows, columns=[*COLUMNS, *EVIDENCE])


def test_the_ledger_of_these_tests_has_every_verdict_and_follows():
    rows = ledger_rows().to_dict("records")
    assert {row["verdict"] for row in rows} == set(VERDICTS) and all(map(follows, rows))


@pytest.fixture(scope="module")
def results(tiny, tmp_path_factory) -> Path:
    study = Study(
        "tiny",
        "synthetic",
        "cpu",
        progress=False,
        folders=replace(tiny.folders, results=tmp_path_factory.mktemp("results")),
    )
    save_figure(study, "R-fig6", gallery, PEOPLE)
    save_figure(study, "01-people", gallery, PEOPLE)
    joints = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    table = pd.DataFrame(
        {
            "method": ["Newell & co", "ours: hourglass"],
            "source": ["paper", "ours"],
            **dict.fromkeys(joints, [90.0, 50.0]),
            "difference": [np.nan, -40.0],
            "low": [np.nan, 45.0],
            "high": [np.nan, 55.0],
            "inside": ["", "no"],
            "note": "",
            "beside": "Newell & co",
            "study": ["", "synthetic-tiny"],
        }
    )
    save_table(study, "H-tab2", table, "PCKh")
    save_claims(study, ledger_rows(), ())
    write_page(study.results)
    return study.results


class Elements(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, *tags: str) -> list[dict]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def page(results) -> Elements:
    return Elements((results / "index.html").read_text())


def test_the_page_is_one_file(results, page):
    """Nothing is fetched: pictures, styles and scripts are inside; links go to files beside it or
    within it."""
    text = (results / "index.html").read_text()
    assert text.startswith("<!doctype html>") and len(text) < 6e6
    assert not page.of("link") and not [tag for tag in page.of("script", "iframe") if "src" in tag]
    assert (
        all(image["src"].startswith("data:image/webp;base64,") for image in page.of("img"))
        and len(page.of("img")) == 2
    )
    assert not re.search(r"url\(|@import|https?://", text.split("</style>")[0])
    papers = r"https://arxiv\.org/abs/"  # the only links that lead elsewhere
    inside = rf"#|figures/|tables/|notebooks/|{papers}"
    assert all(re.match(inside, link["href"]) for link in page.of("a"))


def test_every_claim_and_artifact_is_on_it(page, results):
    items = {item["id"]: item for item in page.of("li", "article") if "data-item" in item}
    assert {claim["id"] for claim in claims()} <= set(items) and {
        "R-fig6",
        "H-tab2",
        "01-people",
    } <= set(items)
    assert {item["data-paper"] for item in items.values()} == {"R", "H", ""}
    slugs = {verdict.replace(" ", "-") for verdict in VERDICTS}
    assert {word for item in items.values() for word in item["data-verdicts"].split()} == slugs
    text = (results / "index.html").read_text()
    assert "Newell &amp; co" in text and "1.0 &lt;b&gt; 2" in text and "because of H-c15" in text


def test_claims_stand_by_verdict_with_what_would_change_our_mind(results):
    text = (results / "index.html").read_text()
    heads = re.findall(r'<h3><span class="verdict">([^<]+)</span> <span class="soft">(\d+)', text)
    found = ledger_rows().verdict
    assert heads == [(word, str((found == word).sum())) for word in VERDICTS]
    groups = re.split(r"<div class=\"group ", text)[1:]
    for word, group in zip(VERDICTS, groups, strict=True):
        ids = re.findall(r'<li id="([RH]-c\d+)"', group)
        assert ids == ledger_rows().id[found == word].tolist()
    words = html.unescape(text)
    assert all(claim["mind"] in words and claim["needs"] in words for claim in claims())
    assert "<dt>would be settled by</dt><dd>7 seeds</dd>" in text
    assert "<dt>the paper's conditions</dt><dd>network no</dd>" in words


def test_it_reads_without_eyes(page):
    assert page.of("html")[0]["lang"] == "en" and len(page.of("h1")) == 1 and page.of("main")
    assert all(
        len(image["alt"]) > 20 and image["width"] and image["height"] for image in page.of("img")
    )
    assert "skip" in page.of("a")[0]["class"] and page.of("a")[0]["href"] == "#claims"
    assert all(
        region["tabindex"] == "0" and region["aria-label"]
        for region in page.of("div")
        if region.get("role") == "region"
    )
    assert all(
        button["type"] == "button" and button["aria-pressed"] in ("true", "false")
        for button in page.of("button")
    )
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_the_paper_stands_beside_ours(results):
    text = (results / "index.html").read_text()
    head = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<th .*?</th>", text)[:7]]
    assert head == "method, paper, recomputed, ours, difference, 95 % interval, inside?".split(", ")
    row = re.search(r"<tr><td>Newell &amp; co</td>(.*?)</tr>", text)[1]
    assert re.findall(r">([^<]+)<", row) == ["90.0", "-", "50.0", "-40.0", "[45.0, 55.0]", "no"]


def test_the_cell_that_made_it_is_named_as_every_viewer_shows_it(results, tmp_path):
    """No address opens a notebook at a cell, so the link is to the notebook and its words say which
    cell."""
    copy = Path(shutil.copytree(results, tmp_path / "results"))
    (copy / "notebooks").mkdir()
    cells = [
        new_code_cell("1", id="a", execution_count=6),
        new_code_cell("2", id="b", execution_count=7, metadata={"tags": ["figure:R-fig6"]}),
    ]
    nbformat.write(new_notebook(cells=cells), copy / "notebooks/03_recurrent.ipynb")
    text = page_html(copy)
    assert (
        '<a href="notebooks/03_recurrent.ipynb">03_recurrent, cell [7]</a>' in text
        and "cell-id" not in text
    )
    assert all(
        (copy / link["href"]).exists()
        for link in Elements(text).of("a")
        if link["href"].startswith("notebooks/")
    )


def test_an_interval_is_drawn_to_scale():
    drawn = interval_svg([(5.0, -5.0, 10.0)], {"kind": "effect"})
    x1, x2, x = (
        float(number)
        for number in re.search(
            r'range" x1="([\d.]+)" x2="([\d.]+)".*?cx="([\d.]+)"', drawn
        ).groups()
    )
    assert (
        x - 88 == pytest.approx(40, abs=0.1)
        and x1 - 88 == pytest.approx(-40, abs=0.1)
        and x2 - 88 == pytest.approx(80, abs=0.1)
    )
    assert (
        "band" not in drawn
        and 'class="band"' in interval_svg([(0.0, -1.0, 1.0)], {"kind": "equal"})
        and interval_svg([], {}) == ""
    )


def test_verify_makes_the_page_again(results, tmp_path):
    copy = Path(shutil.copytree(results, tmp_path / "results"))
    assert verify(copy)[1] == []
    assert page_html(copy) == (copy / "index.html").read_text()
    (copy / "index.html").write_text((copy / "index.html").read_text().replace("50.0", "90.0"))
    assert verify(copy)[1] == ["index.html: index.html was changed after it was made"]


# --- in a browser
# ------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(browser, results):
    """The page, opened at a width and in a scheme, and what its console said."""
    tabs = []

    def at(width: int = 1280, scheme: str = "light"):
        tab = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        said = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:")) or said.append(request.url),
        )
        tab.goto((results / "index.html").as_uri())
        tabs.append(tab)
        return tab, said

    yield at
    for tab in tabs:
        tab.close()


def shown(tab) -> list[str]:
    return tab.eval_on_selector_all(
        "[data-item]", "all => all.filter(e => e.offsetParent !== null).map(e => e.id)"
    )


def test_filters_work_by_keyboard(opened):
    tab, said = opened()
    assert len(shown(tab)) == 33 and "30 claims, 3 artifacts" in tab.inner_text("[role=status]")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    for _ in range(5):  # past the skip link, two papers and 'both', to R and H
        tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "H, hourglass"
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    assert all(name.startswith("H") for name in shown(tab)) and len(shown(tab)) == 16
    for _ in range(4):  # any, exact, reproduced, contradicted
        tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "contradicted"
    tab.keyboard.press("Space")
    wanted = {
        row["id"]
        for row in ledger_rows().to_dict("records")
        if row["verdict"] == "contradicted" and row["id"][0] == "H"
    }
    assert set(shown(tab)) - {
        "H-tab2"
    } == wanted != set() and f"{len(wanted)} claims" in tab.inner_text("[role=status]")
    assert (
        tab.get_attribute("button:text-is('contradicted')", "aria-pressed") == "true" and said == []
    )


def test_a_link_to_something_hidden_shows_it(opened):
    tab, said = opened()
    tab.click("button:text-is('R, recurrent')")
    assert "H-c1" not in shown(tab)
    tab.evaluate("location.hash = 'H-c1'")
    tab.wait_for_selector("#H-c1", state="visible")
    assert len(shown(tab)) == 33 and said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_runs_over_the_edge(opened, width, scheme):
    tab, said = opened(width, scheme)
    for details in tab.query_selector_all("summary"):
        if details.is_visible():
            details.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    wide = tab.eval_on_selector_all(
        "main *",
        "all => all.filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right "
        "> innerWidth + 1).length",
    )
    assert wide == 0 and said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened, scheme):
    """WCAG AA: 4.5 to 1, for body text, soft text, links and the eight verdicts."""
    tab, _ = opened(scheme=scheme)
    colours = (
        "e => [getComputedStyle(e).color, "
        "getComputedStyle(e.closest('.card') || document.body).backgroundColor]"
    )
    for selector in (
        "p.lead",
        "p.soft",
        "summary",
        ".card a",
        *(f".{word.replace(' ', '-')} .verdict" for word in VERDICTS),
    ):
        text, ground = (luminance(colour) for colour in tab.eval_on_selector(selector, colours))
        contrast = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert contrast >= 4.5, (selector, contrast)


def luminance(colour: str) -> float:
    parts = np.array([int(number) for number in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
