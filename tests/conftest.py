"""Fixtures shared by all tests."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("PAPERLIB_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# What a test asks for says what it needs: the official data sets, a browser, or trained networks.
NEEDS = {"data": {"real_data"}, "browser": {"browser", "opened"}, "slow": {"tiny", "fresh"}}


def pytest_collection_modifyitems(items):
    for item in items:
        for mark, fixtures in NEEDS.items():
            if fixtures & set(item.fixturenames):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the official data sets; tests that need it skip without it."""
    folder = Path(os.environ.get("PAPERLIB_DATA", "")).expanduser()
    if not os.environ.get("PAPERLIB_DATA") or not folder.is_dir():
        pytest.skip("needs the official data sets: set PAPERLIB_DATA to their folder")
    return folder.resolve()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """One study of drawn people at size tiny, shared by all tests: its runs train in a fraction of
    a second and are kept for the session.

    Its data folder is PAPERLIB_DATA where that is set, so that published files are found; else it
    does not exist.
    """
    from companion.runs.study import Study
    from companion.settings import Folders

    home = tmp_path_factory.mktemp("tiny")
    data = Path(os.environ.get("PAPERLIB_DATA") or home / "data").expanduser().resolve()
    return Study(
        "tiny",
        "synthetic",
        "cpu",
        progress=False,
        folders=Folders(data, home / "runs", home / "results"),
    )


@pytest.fixture
def fresh(tiny, tmp_path):
    """A study in which nothing is trained, of the people that `tiny` has drawn and cut out, with
    folders of its own."""
    from companion.runs.study import Study
    from companion.settings import Folders

    run = tiny.runs["recurrent-t0"]
    tiny.test_crops(run.name), tiny.crops(tiny.training_people(run), run.codec)
    folders = Folders(tiny.folders.data, tmp_path / "runs", tmp_path / "results")
    folders.runs.mkdir()
    for shared in ("drawn", "canvases"):
        (folders.runs / shared).symlink_to(tiny.folders.runs / shared)
    return Study("tiny", "synthetic", "cpu", progress=False, folders=folders)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, on the path or named by PAPERLIB_CHROMIUM; tests that need it skip
    without."""
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium, or name one with PAPERLIB_CHROMIUM")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: pip install -e .[browser]"
    )
    with (
        playwright.sync_playwright() as driver,
        contextlib.closing(driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)) as opened,
    ):
        yield opened
