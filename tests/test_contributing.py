"""The five changes of CONTRIBUTING.md, each made in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.fixture
def copy(tmp_path):
    """The code alone; what it draws and trains goes there too."""
    for name in ("paperlib", "companion", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def change(path, *pairs):
    text = path.read_text()
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def run(copy, code):
    """The lines that `code` prints, run in the copy at size tiny."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copy,
        env=kept | {"PYTHONPATH": str(copy), "PAPERLIB_SIZE": "tiny", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


LITTLE = '''"""A network of three convolutions."""

from torch import nn


class Little(nn.Module):
    """Images (B, 3, S, S) to one set of heatmaps (B, joints, S / 4, S / 4)."""

    def __init__(self, joints):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, joints, 1),
        )

    def forward(self, images):
        return [self.layers(images)]
'''


@pytest.mark.slow
def test_a_new_model_is_its_file_a_line_and_a_row(copy):
    (copy / "paperlib/models/little.py").write_text(LITTLE)
    row = re.search(r"```python\n(   Run\(.*?)```", GUIDE, re.S)[1]
    place, known = (
        "        # a row of a new network stands here\n",
        '    "hourglass": StackedHourglass,\n',
    )
    above = "from paperlib.skeleton import"
    change(
        copy / "companion/runs/catalogue.py",
        (known, known + '    "little": Little,\n'),
        (place, row),
        (above, "from paperlib.models.little import Little\n" + above),
    )
    out = run(
        copy,
        "from companion.measure.comparisons import comparison\n"
        "from companion.runs.study import Study\n"
        "study = Study(progress=False)\n"
        "table = comparison(study, 'R-tab2').set_index('method')\n"
        "print(study.trained('little').record['steps'], table.total['ours: little'])",
    )
    steps, total = map(float, out[-1].split())
    assert steps > 0 and 0 <= total <= 100


MINE = '''"""A table of points."""

import numpy as np

from paperlib.data.files import find_labels
from paperlib.people import VISIBLE, People
from paperlib.skeleton import LSP

FILES = ("points.npy",)


def load(folder, split, need_images=True, strict=False):
    joints = np.load(find_labels(folder, FILES, split))
    n = len(joints)
    return People(
        skeleton=LSP,
        image=np.array([f"{i}.jpg" for i in range(n)]),
        joints=joints,
        state=np.full(joints.shape[:2], VISIBLE, np.uint8),
        centre=joints.mean(axis=1),
        scale=np.ones(n),
        framed=np.zeros(n, bool),
        head_size=np.full(n, np.nan),
        others=tuple(np.zeros((0, 14, 2)) for _ in range(n)),
    )
'''


def test_a_data_set_is_its_loader_and_its_record(copy):
    (copy / "paperlib/data/mine.py").write_text(MINE)
    change(
        copy / "paperlib/data/datasets.py",
        ("import coco, flic, lsp, mpii\n", "import coco, flic, lsp, mine, mpii\n"),
        (
            "DATASETS = {\n",
            'DATASETS = {\n    "mine": DataSet(mine.load, mine.FILES, "test", "mine"),\n',
        ),
    )
    out = run(
        copy,
        "import os, numpy as np\n"
        "from companion.runs.study import Study\n"
        "from companion.settings import Folders\n"
        "from pathlib import Path\n"
        "os.makedirs('data/mine')\n"
        "np.save('data/mine/points.npy', np.random.rand(20, 14, 2) * 90)\n"
        "study = Study(data='real', folders=Folders(Path('data'), Path('r'), Path('s')))\n"
        "print(len(study.test_people('mine')))",
    )
    assert out[-1] == "20"


def test_a_convention_is_a_record(copy):
    change(
        copy / "paperlib/conventions.py",
        (
            '    "mpii": (\n',
            '    "mpii": (\n        Convention("a third", "ours", _MPII_14, 0.3, strict=True),\n',
        ),
    )
    out = run(
        copy,
        "import numpy as np\n"
        "from paperlib.metrics import convention, score\n"
        "from paperlib.skeleton import MPII\n"
        "truth, ones = np.zeros((5, 16, 2)), np.ones(5)\n"
        "found = truth + [0.29, 0]; found[:2] += [0.01, 0]\n"
        "for name in ('official', 'a third'):\n"
        "    print(score(found, truth, ones, MPII, convention('mpii', name)).total)",
    )
    assert out == ["100.0", "60.0"]


CLAIM = """
[[claim]]
id = "H-c99"
paper = "H"
text = "two stacks are at least as good as one"
printed = "-"
kind = "effect"
artifacts = ["H-fig9"]
runs = ["hourglass-2x4", "hourglass-1x8"]
needs = "two networks of equal capacity"
checks = {}
mind = "an interval below zero"
"""


@pytest.mark.slow
def test_a_claim_is_an_entry_and_a_function_and_older_results_stay_readable(copy):
    toml = copy / "companion/published/claims.toml"
    toml.write_text(toml.read_text() + CLAIM)
    place = "MEASURES = {\n"
    change(
        copy / "companion/measure/claims.py", (place, f'{place}    "H-c99": each_beats_the_next,\n')
    )
    out = run(
        copy,
        "from companion.artifacts.claims_file import read_claims\n"
        "from companion.measure.claims import measure_claim\n"
        "from companion.published.claims import claim_of\n"
        "from companion.runs.study import Study\n"
        f"old = read_claims({str(ROOT / 'results/synthetic-smoke')!r})\n"
        "new = measure_claim(Study(progress=False), claim_of('H-c99'))\n"
        "print(len(old), old[-1]['id'], old[-1]['verdict'], '|', new['verdict'])",
    )
    assert out[-1].startswith("31 H-c99 not measured | ")
    assert out[-1].split("| ")[1] in ("inconclusive", "not testable at this size")


def test_another_sigma_is_a_parameter_of_notebook_03():
    """What it changes is held by test_runs.py: one run, trained with it."""
    from companion.execute.notebooks import check_parameters

    assert check_parameters("03_recurrent", {"sigma": "2.0"}) == {"sigma": 2.0}
