"""The website: built whole from what is committed, with nothing run, and without holes.

Skips where Sphinx and its kin are not installed (make site installs them: the extra `site`). The
pages are opened in a real browser where playwright and Debian's chromium are at hand.
"""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from companion.artifacts.evidence import columns
from companion.published.claims import captions, claims

ROOT = Path(__file__).parents[1]
NEEDS = ("sphinx", "myst_nb", "furo", "sphinx_copybutton", "latex2mathml")
PAGES = ("index", "notebooks", "claims", "gallery", "conventions", "facts", "api", "weights", "run")
WATCH = """import os, sys
def note(event, arguments):
    if event == "subprocess.Popen":
        with open(os.environ["STARTED"], "a") as file:
            print(arguments[1], file=file)
sys.addaudithook(note)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder of a build; every program that the build starts is named in `started`."""
    for name in NEEDS:
        pytest.importorskip(name, reason=f"needs {name}: make site, or pip install -e .[site]")
    home = tmp_path_factory.mktemp("site")
    (home / "watch").mkdir()
    (home / "watch" / "sitecustomize.py").write_text(WATCH)
    (home / "started").write_text("")
    paths = [str(home / "watch"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    given = {"PYTHONPATH": os.pathsep.join(paths), "STARTED": str(home / "started")}
    done = subprocess.run(
        [sys.executable, "site/build.py", str(home)],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr  # warnings count as errors
    return home


@pytest.fixture(scope="module")
def pages(built) -> dict[Path, "Page"]:
    return {path: Page(path) for path in sorted((built / "html").rglob("*.html"))}


class Page(HTMLParser):
    """The ids, links and pictures of a page, and what it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.pictures, self.loads = {"", "top"}, [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        self.ids |= {said[key] for key in ("id", "name") if said.get(key)}
        if tag == "a" and said.get("href"):
            self.links.append(said["href"])
        if tag == "img":
            self.pictures.append((said.get("src", ""), said.get("alt") or ""))
        if tag in ("img", "script", "iframe", "source") and said.get("src"):
            self.loads.append(said["src"])
        if tag == "link" and said.get("href") and said.get("rel") != "canonical":
            self.loads.append(said["href"])


def holes(page: Path, found: dict[Path, Page]) -> list[str]:
    """The links and files of a page that lead nowhere on the site."""
    missing = []
    for link in [*found[page].links, *found[page].loads]:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        target = target / "index.html" if target.is_dir() else target
        known = found[target].ids if target in found else {""}
        if not target.is_file() or (target in found and unquote(parts.fragment) not in known):
            missing.append(link)
    return missing


def test_every_link_leads_somewhere(pages):
    broken = {page.name: holes(page, pages) for page in pages}
    assert not {name: links for name, links in broken.items() if links}
    assert len(pages) > 60 and sum(len(page.links) for page in pages.values()) > 2000


def test_a_broken_link_is_seen(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<h1 id="a"><a href="#a"><a href="#b"><img src="gone.png"><a href="page.html">')
    assert holes(page, {page: Page(page)}) == ["#b", "gone.png"]


def test_every_picture_is_there_and_has_alternative_text(built, pages):
    shown = [(page, *picture) for page, found in pages.items() for picture in found.pictures]
    assert not [(page.name, source) for page, source, alt in shown if len(alt) < 10]
    on_notebooks = [page.name for page, *_ in shown if page.parent.name == "notebooks"]
    committed = (ROOT / "results" / "synthetic-smoke" / "notebooks").glob("*.ipynb")
    stored = sum(
        any(kind.startswith("image/") for kind in output.get("data", {}))
        for path in committed
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
    )
    assert len(on_notebooks) == stored > 30


def test_a_table_in_markdown_is_a_table(built):
    pages = sorted((built / "html" / "notebooks").glob("*.html"))
    assert pages and not [page.name for page in pages if "<p>|" in page.read_text("utf-8")]


def test_nothing_is_loaded_from_another_server(pages):
    loaded = {link for page in pages.values() for link in page.loads}
    assert not {link for link in loaded if re.match(r"(https?:)?//", link)}


def test_nothing_was_executed(built):
    """No program was started, and the outputs are those of the committed copies."""
    assert not re.findall("kernel|jupyter|papermill", (built / "started").read_text())
    originals = sorted((ROOT / "results" / "synthetic-smoke" / "notebooks").glob("*.ipynb"))
    assert len(originals) == 7
    for path in originals:
        ours, theirs = (
            [cell.get("outputs") for cell in json.loads(file.read_text("utf-8"))["cells"]]
            for file in (built / "source" / "notebooks" / path.name, path)
        )
        assert ours == theirs


def test_a_program_that_a_build_starts_is_seen(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "STARTED": str(tmp_path / "started")}
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', '\"kernel\"'])"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert "kernel" in (tmp_path / "started").read_text()


def test_nothing_is_written_beside_the_sources():
    done = subprocess.run(
        ["git", "check-ignore", "site/_build/html"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 or not (ROOT / ".git").exists()


# ------------------------------------------------------------------------------ what it says


def words(path: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8")))


def test_every_claim_and_every_artifact_has_its_place(pages, built):
    board, gallery = (pages[built / "html" / f"{name}.html"] for name in ("claims", "gallery"))
    assert {claim["id"].lower() for claim in claims()} <= board.ids
    assert {name.lower() for name in captions()} <= gallery.ids


def test_the_board_says_what_the_ledgers_say(built):
    text = words(built / "html" / "claims.html")
    found = columns(ROOT / "results")["R-c2"]  # the best evidence on drawn people, on photographs
    shown = [row["interval"] for row in found.values() if row]
    assert len(shown) == 2 and all(interval in text for interval in shown)


def test_what_would_change_our_mind_is_said_where_it_is_known(built):
    known = [claim for claim in claims() if claim.get("mind")]
    said = words(built / "html" / "claims.html").count("What would change our mind")
    assert said == len(known)


def test_the_landing_page_quotes_what_is_stored(built):
    text = words(built / "html" / "index.html")
    said = re.search(r"([-+][\d.]+) points of PCKh, 95 ?(?:&nbsp;)?% interval ([\d.]+) to", text)
    assert said, text[:2000]
    points, low, _ = np.load(ROOT / "results/synthetic-night/figures/04-twice.npz")["gain"]
    assert said.groups() == (f"{points:+.1f}", f"{low:.1f}")
    assert "%" not in re.sub(r"\d+ ?(?:&nbsp;|\xa0)?%", "", text.split("Where to go")[0])


def test_a_citation_in_a_docstring_leads_to_its_section(pages, built):
    codecs = pages[built / "html" / "api" / "paperlib-codecs.html"]
    assert {"../facts.html#facts-a-3", "../facts.html#facts-a-5"} <= set(codecs.links)
    table = pages[built / "html" / "notebooks" / "07_comparison.html"]  # of conventions, HTML
    assert {"../facts.html#facts-d-4", "../facts.html#facts-c-7"} <= set(table.links)
    cited = {
        f"facts-{section.lower().replace('.', '-')}"
        for path in (ROOT / "paperlib").rglob("*.py")
        for section in re.findall(r"FACTS ([A-I](?:\.\d+)?)\b", path.read_text(encoding="utf-8"))
    }
    assert cited <= pages[built / "html" / "facts.html"].ids and len(cited) > 15


def test_formulas_are_set_without_a_script(built):
    page = (built / "html" / "notebooks" / "02_targets.html").read_text(encoding="utf-8")
    assert page.count("<math ") > 5 and "mathjax" not in page.lower().replace("mathjax_ignore", "")


# ------------------------------------------------------------------------------ in a browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_whole_in_a_browser(browser, built, width, scheme):
    """No message on the console, no request that fails or leaves the site, no missing picture,
    and nothing wider than the window."""
    tab = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    said = []
    tab.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
    notebooks = sorted((built / "html" / "notebooks").glob("*.html"))
    for page in [*(built / "html" / f"{name}.html" for name in PAGES), *notebooks]:
        tab.goto(page.as_uri())
        tab.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")
        broken = "[...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
        assert tab.evaluate(broken) == []
        wide = "document.documentElement.scrollWidth - innerWidth"
        assert tab.evaluate(wide) <= 0, page.name
    assert not said
    tab.close()


@pytest.mark.parametrize(
    ("name", "count"), [("02_targets", 1), ("03_recurrent", 1), ("04_hourglass", 2)]
)
def test_sliders_work_without_a_kernel(browser, built, name, count):
    """By keyboard, and in the dark: another state is painted and its words are said."""
    tab = browser.new_page(color_scheme="dark")
    said = []
    tab.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto((built / "html" / "notebooks" / f"{name}.html").as_uri())
    homes = tab.locator(".states")
    assert homes.count() == count
    for number in range(count):
        home = homes.nth(number)
        home.locator("canvas").last.scroll_into_view_if_needed()
        slider, canvas = home.locator("input[type=range]").last, home.locator("canvas").last
        tab.wait_for_timeout(300)
        before = canvas.evaluate("canvas => canvas.toDataURL()"), home.inner_text()
        slider.focus()
        tab.keyboard.press("Home")
        tab.wait_for_timeout(300)
        after = canvas.evaluate("canvas => canvas.toDataURL()"), home.inner_text()
        assert before[0] != after[0] and before[1] != after[1]
        assert home.locator("label").count() == home.locator("input, select").count()
    assert not said
    tab.close()


def test_the_first_stop_of_the_keyboard_skips_to_the_content(browser, built):
    tab = browser.new_page()
    tab.goto((built / "html" / "claims.html").as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to content"
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#furo-main-content")
    tab.close()


def test_a_wide_table_can_be_scrolled_by_keyboard(browser, built):
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.goto((built / "html" / "claims.html").as_uri())
    tab.focus(".scroll")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_timeout(300)
    assert tab.evaluate("document.querySelector('.scroll').scrollLeft") > 0
    tab.close()
