"""The website: gather its sources from what is committed, and let Sphinx set them.

    python site/build.py [FOLDER]      the site in FOLDER/html, site/_build/html if not said

Nothing is executed: the notebooks are the copies that are kept with the results, and every number
is read from a committed file.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from generate import api, board, front, gallery, notebooks, reference, weights  # noqa: E402
from sphinx.cmd.build import build_main  # noqa: E402


def gather(source: Path) -> None:
    """All pages, written afresh into `source`: those that lie in site/pages, and those that are
    made of committed files. What goes out as it is lies in `extra` beside it."""
    for folder in (source, source.parent / "extra"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "pages", source)
    for room in (front, notebooks, board, gallery, reference, api, weights):
        room.write(source)


def build(folder: Path) -> int:
    """The site in `folder`/html; 0 if Sphinx has nothing to complain of."""
    gather(folder / "source")
    places = [str(folder / "source"), str(folder / "html")]
    shutil.rmtree(folder / "html", ignore_errors=True)
    options = ["-c", str(HERE), "-d", str(folder / "doctrees"), "-b", "html"]
    failed = build_main([*options, "-W", "--keep-going", "-q", *places])
    shutil.copytree(folder / "extra", folder / "html", dirs_exist_ok=True)
    return failed


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "_build").resolve()
    failed = build(target)
    print("the site has holes, see above" if failed else f"open {target / 'html' / 'index.html'}")
    sys.exit(failed)
