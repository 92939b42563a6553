"""The notebooks as a reader meets them: JupyterLab in headless Chromium runs every cell and moves a
slider of every widget, at size tiny.

Two notebooks are opened in the ordinary suite, all seven with `pytest -m jupyterlab`. It needs a
Chromium, on the path or named by PAPERLIB_CHROMIUM, and playwright (pip install -e .[browser]), and
skips without them. PAPERLIB_SCREENSHOTS names a folder for what was seen.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from companion.runs.notebook_index import FOLDER, ORDER

ROOT = FOLDER.parent
ALWAYS = ("02_targets", "03_recurrent")
MINUTES = 4 * 60_000  # ms for one notebook, on a machine that does other things too
IDLE = "Python 3 (ipykernel) | Idle"
SETTINGS = {  # no pop-up over the picture, and every output in the page, in sight or not
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
ERROR = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab of its own, on copies of the notebooks, with runs and results of
    its own."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(FOLDER, home / "notebooks")
    for plugin, chosen in SETTINGS.items():
        (home / "settings" / plugin).parent.mkdir(parents=True, exist_ok=True)
        (home / "settings" / f"{plugin}.jupyterlab-settings").write_text(json.dumps(chosen))
    port, token = free_port(), "tiny"
    environment = os.environ | {
        "PAPERLIB_SIZE": "tiny",
        "PAPERLIB_RUNS": str(home / "runs"),
        "PAPERLIB_RESULTS": str(home / "results"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    options = [
        f"--port={port}",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={home}",
    ]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--ServerApp.port_retries=0",
        *options,
    ]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=home
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, home / "log")
        yield f"http://127.0.0.1:{port}/lab/tree/notebooks/{{name}}.ipynb?token={token}&reset"
    finally:
        server.terminate()  # the kernels go with it
        server.wait(30)


def wait_for(url, server, log):
    for _ in range(120):
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        assert server.poll() is None, log.read_text()
        time.sleep(0.5)
    raise AssertionError(f"JupyterLab did not answer in a minute: {log.read_text()}")


@pytest.fixture
def page(browser):
    with contextlib.closing(browser.new_page(viewport={"width": 1400, "height": 1000})) as opened:
        opened.set_default_timeout(MINUTES)
        yield opened


@pytest.fixture
def keep(request, tmp_path):
    """Keeps a picture of the page under a name."""
    folder = Path(os.environ.get("PAPERLIB_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png")


def widgets_of(name):
    """The functions of companion.samples.widgets that a notebook calls, in order."""
    return re.findall(r"widgets\.(\w+)\(", (FOLDER / f"{name}.ipynb").read_text())


def run_all(page):
    """Run every cell and wait until the last has finished or one has failed: the kernel takes
    orders only when it is idle."""
    page.wait_for_selector(f'text="{IDLE}"')
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    page.wait_for_function(
        """error => document.querySelector(error) ||
                    /\\[\\d+\\]/.test([...document.querySelectorAll(
                        '.jp-CodeCell .jp-InputPrompt')].at(-1)?.textContent)""",
        arg=ERROR,
    )


def move(page, view):
    """The first slider one step, or to its start if it stands at its end; in a view without one,
    the second choice of its list."""
    handle = view.locator(".noUi-handle").first
    if not handle.count():
        view.locator("select").first.select_option(index=1)
        return
    handle.focus()
    page.keyboard.press(
        "Home"
        if handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
        else "ArrowRight"
    )


@pytest.mark.jupyterlab
@pytest.mark.parametrize("name", ORDER)
def test_it_runs_and_its_sliders_move(name, request, lab, page, keep):
    if name not in ALWAYS and "jupyterlab" not in request.config.getoption("markexpr"):
        pytest.skip("only with -m jupyterlab")
    page.goto(lab.format(name=name))
    run_all(page)
    keep(page, f"{name}-end")
    failed = page.locator(ERROR)
    assert not failed.count(), failed.first.inner_text()
    views = page.locator(".widget-vbox:has(> .widget-image)")
    assert views.count() == len(widgets_of(name))
    for number, widget in enumerate(widgets_of(name)):
        view = views.nth(number)
        view.scroll_into_view_if_needed()
        picture = view.locator("img.widget-image").element_handle()
        before = picture.get_attribute("src")
        move(page, view)
        page.wait_for_function(
            "([picture, before]) => picture.src !== before && picture.naturalWidth > 300",
            arg=[picture, before],
        )
        keep(page, f"{name}-{widget}")
